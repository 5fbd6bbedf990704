"""`arrp audit`: is the log what was once written, and what did others show us of theirs?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.desk import ELSEWHERE, Desk, Home
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.core.errors import Corrupt
from arrp.node.config import load_config
from arrp.node.directory import trusted_directory
from arrp.node.environment import home_from_environment
from arrp.node.files import read_file
from arrp.node.keys import load_node_keys
from arrp.node.signed_by import signed_by as signed_in_store
from arrp.node.verify import verify as verify_store


@dataclass(frozen=True, slots=True)
class Verifying:
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Home of the node; it may be running.")]
    witness: Annotated[list[Path], typer.Option(help="A checkpoint of this node that a peer kept.")] = field(
        default_factory=list
    )
    as_json: AsJson = False


@command
def verify(asked: Verifying) -> None:
    """Check the log: every leaf, position, checkpoint, signature and number, hashed anew from the rows.

    What a node's own key holder could rewrite shows against checkpoints that peers kept: --witness."""
    config = load_config(asked.home)
    witnesses = [read_file(path).decode(errors="replace").strip() for path in asked.witness]
    directory = trusted_directory(config.home, load_node_keys(config.home))
    found = verify_store(config.store, directory, config.id, witnesses)
    if asked.as_json:
        show_json({"leaves": found.leaves, "checkpoints": found.checkpoints, "problems": list(found.problems)})
    else:
        show(f"{found.leaves} leaves, {found.checkpoints} checkpoints, {len(found.problems)} problems")
    for problem in found.problems:
        say(problem)
    if found.problems:
        raise Corrupt(f"the log of {config.id} is not what was written: keep the store as it is, and see above")


@command
def witnessed(home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """The largest checkpoint of each peer that this node keeps: what the peer cannot take back."""
    rows = Desk(home).get("/checkpoints")
    if as_json:
        show_json(rows)
        return
    show_table(("peer", "checkpoint"), ((row["peer"], row["jws"]) for row in rows))
    for row in rows:
        if row["contradiction"]:
            say(f"{row['peer']} showed two histories of one size: keep both checkpoints (--json), tell its operator")


@dataclass(frozen=True, slots=True)
class SignedBy:
    kid: Annotated[str, typer.Argument(metavar="KID", help="Id of a key, of a node or of an officer.")]
    since: Annotated[str, typer.Option(help="Instant from which it was in other hands; everything, if not said.")] = ""
    home: Home = ELSEWHERE
    as_json: AsJson = False


@command
def signed_by(asked: SignedBy) -> None:
    """What one key signed of what is on this node: acts sent and received, approvals, checkpoints. For officers to
    review after a key was stolen; the node need not run."""
    config = load_config(home_from_environment() if asked.home == ELSEWHERE else asked.home)
    found = signed_in_store(config.store, asked.kid, instant(asked.since) if asked.since else None)
    if asked.as_json:
        show_json([{**asdict(one), "at": one.at.isoformat()} for one in found])
        return
    show_table(("at", "how", "peer", "kind", "outcome", "case", "request"),
               ((f"{one.at:%Y-%m-%dT%H:%M:%SZ}", one.how, one.peer, one.kind, one.outcome, one.case, one.request)
                for one in found))
    say(f"{len(found)} signatures of key {asked.kid}")
