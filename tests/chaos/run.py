"""`make chaos`: five real processes on both engines, and everything around them fails, for fifteen minutes.

    make chaos ARGS="--seconds 120"      for so long
    make chaos ARGS="--seed 7"           another order of failures
    make chaos ARGS="--heal 60"          how long both sides may take to agree afterwards
    make chaos ARGS="--json"             the report for a machine
    make chaos ARGS="--keep FOLDER"      where the logs of the nodes are left when something is not as it must be

Two bureaus ask, a third instructs its bank, an exchange in a third country is pursued; between all of them stands a
proxy. When it is over everything heals, and within a quarter of an hour both sides must agree, with nothing lost and
nothing twice. Exit 1 when they do not.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from arrp.node.clock import Clock
from arrp.node.config import load_config
from arrp.node.directory import Directory, trusted_directory
from arrp.node.keys import load_node_keys
from tests.chaos.faults import Faults
from tests.chaos.judge import DISAGREE, DOUBLED, LOST, Found, Left, agreed, judge, remains
from tests.chaos.losses import Losses
from tests.chaos.people import Officers, Peace, settled
from tests.chaos.place import ON_POSTGRESQL, Place, place
from tests.chaos.proxy import MISHAPS

TEAMS = 16
HEALED_WITHIN = 900.0  # seconds from the last failure until both sides agree (I7)
GRACE = timedelta(seconds=10)  # a hold ends within a minute of its date, here within seconds
QUESTIONS = {
    "cases": "SELECT count(*) FROM cases", "messages": "SELECT count(*) FROM outbox",
    "events": "SELECT count(*) FROM events",
    "checkpoints kept of others": "SELECT count(*) FROM peers WHERE checkpoint IS NOT NULL",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it survived, and what was not as it must be."""

    seed: int
    seconds: float
    failures: dict[str, int]  # what befell processes, databases, disks and lines
    exchanges: dict[str, int]  # what befell single ones
    people: dict[str, int]
    losses: dict[str, int]  # by their ends
    wrote: dict[str, int]
    ended_by_themselves: dict[str, int]
    not_done: tuple[str, ...]  # what could not be made to fail here, and why
    seconds_to_agree: float | None
    found: tuple[Found, ...]

    @property
    def is_right(self) -> bool:
        return not self.found

    def times(self, what: str) -> int:
        return sum(one.what == what for one in self.found)

    def tree(self) -> dict[str, Any]:
        """For a machine."""
        return {**asdict(self), **{what: self.times(what) for what in (LOST, DOUBLED, DISAGREE)}}

    def lines(self) -> list[str]:
        """For people."""
        told = [("survived", self.failures), ("exchanges", self.exchanges), ("losses", self.losses),
                ("officers", self.people), ("written", self.wrote), ("ended by themselves", self.ended_by_themselves)]
        agreed = "never" if self.seconds_to_agree is None else f"{self.seconds_to_agree:.0f} s after the last failure"
        return [
            f"seed {self.seed}, {self.seconds:.0f} s",
            *(f"{what}: {', '.join(f'{count} {name}' for name, count in counts.items()) or 'none'}"
              for what, counts in told),
            *(f"not done: {why}" for why in self.not_done),
            f"both sides agree: {agreed}",
            f"{self.times(LOST)} lost, {self.times(DOUBLED)} doubled, {self.times(DISAGREE)} disagreements",
            *(f"{one.what.upper()} {one.said}" for one in self.found),
        ]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see: for how many seconds everything fails, how many it may take to agree (I7), and how
    many losses are worked on at once."""

    seconds: float
    seed: int = 1
    heal: float = HEALED_WITHIN
    teams: int = TEAMS
    on_postgresql: Collection[str] = ON_POSTGRESQL
    keep: Path | None = None


def run(wanted: Wanted) -> Verdict:
    """Everything fails for so long, then nothing does, and what is left is judged."""
    seed = wanted.seed
    with place(seed, wanted.on_postgresql) as where:
        where.processes.start()
        peace = Peace()
        officers = Officers(where.nodes, where.members, peace, random.Random(f"{seed}/officers"))
        losses, faults = Losses(officers, seed, wanted.teams), Faults(where, seed)
        try:
            faults.begin()
            time.sleep(wanted.seconds)
            faults.stop()
            peace.begin()
            losses.finish()
            took = _agreed_after(where, peace, wanted.heal)
        finally:  # nothing to do, where all went as expected
            faults.stop()
            peace.give_up()
            losses.finish()
        found = _found(where, officers, losses, took)
        if found and wanted.keep is not None:
            _keep(where.root, wanted.keep)
        return _verdict(where, wanted, (officers, losses, faults), took, found)


def _found(where: Place, officers: Officers, losses: Losses, took: float | None) -> list[Found]:
    """Everything that is not as it must be, once the processes have ended."""
    at = Clock().now() - GRACE
    codes = where.processes.stop()
    directories = {id: _directory(where.root / id) for id in where.nodes.desks}
    return [
        *(Found(LOST, said) for said in losses.stuck),
        *(Found(DISAGREE, f"{id} ended with {code} when it was told to") for id, code in codes.items() if code),
        *(Found(DISAGREE, f"an officer was told of a fault inside: {said}") for said in officers.out_of_order),
        *([] if took is not None else [Found(DISAGREE, "the nodes did not come to rest, or did not agree, in time")]),
        *judge(_left(where), directories, officers.told, at),
    ]


def _agreed_after(where: Place, peace: Peace, most: float) -> float | None:
    """Seconds from the last failure until nobody has anything to do and both sides of everything say the same."""
    while peace.seconds < most:
        if settled(where.nodes) and not _disagree(where):
            return peace.seconds
        time.sleep(1)
    return None


def _disagree(where: Place) -> list[Found]:
    with remains(_left(where), Clock().now() - GRACE) as world:
        return agreed(world)


def _left(where: Place) -> dict[str, Left]:
    found = {}
    for id in where.nodes.desks:
        config = load_config(where.root / id)
        found[id] = Left(config.store, config.core_path if config.core == "simulated" else None)
    return found


def _directory(home: Path) -> Directory:
    return trusted_directory(home, load_node_keys(home))


def _verdict(where: Place, wanted: Wanted, who: tuple[Officers, Losses, Faults], took: float | None,
             found: list[Found]) -> Verdict:
    officers, losses, faults = who
    met = sum((proxy.met for proxy in where.proxies.values()), Counter[str]())
    why = where.disk.why_not
    return Verdict(
        seed=wanted.seed, seconds=wanted.seconds, failures=dict(faults.count),
        exchanges={name: met[name] for name in ("exchanges", "cut off", *MISHAPS)},
        people={"commands": len(officers.told), **officers.count}, losses=dict(losses.ends), wrote=_wrote(where),
        ended_by_themselves=dict(where.processes.ended),
        not_done=(f"disk full: no small disk can be had here ({why})",) if why else (),
        seconds_to_agree=took, found=tuple(found),
    )


def _wrote(where: Place) -> dict[str, int]:
    counted = Counter[str]()
    for left in _left(where).values():
        engine = create_engine(left.store)
        with engine.connect() as connection:
            for what, question in QUESTIONS.items():
                counted[what] += connection.execute(text(question)).scalar() or 0
        engine.dispose()
    return dict(counted)


def _keep(root: Path, folder: Path) -> None:
    """What the nodes said, and what they and their banks wrote, for whoever looks for the reason."""
    for home in (path for path in root.iterdir() if (path / "node.log").exists()):
        (folder / home.name).mkdir(parents=True, exist_ok=True)
        for file in (*home.glob("node.log"), *home.glob("*.db*")):
            shutil.copy(file, folder / home.name / file.name)


def main() -> None:
    words = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0])
    words.add_argument("--seconds", type=float, default=900, help="for how long everything fails")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--heal", type=float, default=HEALED_WITHIN, help="how long it may take until both sides agree")
    words.add_argument("--json", action="store_true", help="the report for a machine")
    words.add_argument("--keep", type=Path, help="a folder for what the nodes left behind, when something is wrong")
    asked = words.parse_args()
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore", ResourceWarning)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever is told to end leaves no process behind
    verdict = run(Wanted(asked.seconds, asked.seed, asked.heal, keep=asked.keep))
    print(json.dumps(verdict.tree(), indent=2) if asked.json else "\n".join(verdict.lines()), flush=True)
    sys.exit(0 if verdict.is_right else 1)


if __name__ == "__main__":
    main()
