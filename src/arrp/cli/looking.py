"""`arrp node doctor`, `arrp node status`, `arrp node send-again`: how a node is, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, Desk, Home
from arrp.cli.serve import core_of
from arrp.cli.speaking import say, show, show_json
from arrp.core.errors import Corrupt, Unreachable
from arrp.node.clock import Clock
from arrp.node.config import load_config
from arrp.node.doctor import OK, Patient, examine

_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Examining:
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Home of the node; it may be running.")]
    as_json: AsJson = False


@command
def doctor(asked: Examining) -> None:
    """Look at permissions, disk, store, log, clock, keys, directory, peers and core; say what to do. Exit code 8 when
    what is stored is not what was stored."""
    config = load_config(asked.home)
    core = core_of(config, looking=True)
    found = examine(Patient(config, Clock(), core, _reach))
    if asked.as_json:
        show_json([asdict(one) for one in found])
    else:
        for one in found:
            show(f"{one.state:<8} {one.what}: {one.seen}")
            if one.state != OK and one.do:
                say(f"         {one.do}")
    if any(one.breaks_integrity for one in found):
        raise Corrupt(f"the store of {config.id} is not what was written: see above")


def _reach(url: str) -> None:
    """Whether somebody answers there, ready or not."""
    try:
        httpx2.get(url, timeout=_SECONDS, trust_env=False)
    except httpx2.HTTPError as error:
        raise Unreachable(f"{url} does not answer: {error}") from error


@command
def status(home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """How the running node is: queues, holds, clocks, peers, whether it is recovering."""
    found = Desk(home).get("/figures")
    if as_json:
        show_json(found)
        return
    for line in found["words"]:
        show(line)
    for peer, anomaly in found["anomalies"].items():
        show(f"{peer}: {anomaly}")


@dataclass(frozen=True, slots=True)
class SendingAgain:
    peer: Annotated[str, typer.Option(help="Only what was for this peer.")] = ""
    home: Home = ELSEWHERE
    as_json: AsJson = False


@command
def send_again(asked: SendingAgain) -> None:
    """Send once more what peers refused as it was; say it after the directory or a key was put right."""
    found = Desk(asked.home).post("/send-again", {}, peer=asked.peer)
    if asked.as_json:
        show_json(found)
    else:
        show(f"{found['queued']} acts are sent again")
