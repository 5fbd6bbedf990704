"""How long an officer waits: from the command that asks for a hold until it is confirmed, between four processes.

Cases come at a steady rate, whether or not the ones before are done (an open loop, so a node that is late does not
slow down who asks it), and a wait counts from when its case was to be asked. Its end is read from the requesting
node's own log. The floor is what the same machine needs at rest for the messages that one hold must wait for: each
verified, unsealed and durably inserted, nothing else.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from arrp.bench.bureau import Bureau, account_of, fill
from arrp.bench.node import measure
from arrp.cli.desk import Desk
from arrp.connectors.simulated import SimulatedCore
from arrp.core.deadline import Basis
from arrp.core.events import Decide
from arrp.demo.scene import found_nodes
from arrp.demo.story import Nodes
from arrp.node.clock import Clock

HOPS_TO_HOLD = 4  # bureau -> bureau -> bank, and the bank's answer back the same way
HOPS_TO_CONFIRM = 3  # the decision goes down to the bank; what it did comes up the same way
ASKS = ("NCB-ES", "Request")
FLOOR_MESSAGES = 400
WARMING = 20  # cases that are asked first and not counted: connections, caches


@dataclass(frozen=True, slots=True)
class Waits:
    """Sorted waits in milliseconds, and how many messages the shortest way has."""

    ms: tuple[float, ...]
    hops: int

    def at(self, share: float) -> float:
        return self.ms[min(len(self.ms) - 1, int(len(self.ms) * share))]


@dataclass(frozen=True, slots=True)
class Life:
    """`held`: from the officer's command to the provisional hold, as the requester knows it. `confirmed`: from that
    same command, two officers of the requested bureau having signed their yes meanwhile. `floor_ms`: one message."""

    held: Waits
    confirmed: Waits
    floor_ms: float


def life(cases: int, rate: float) -> Life:
    """Ask for `cases` holds, `rate` of them a second. Raises Unreachable when a hold does not come."""
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        floor, _ = measure(f"sqlite:///{Path(folder) / 'floor.db'}", messages=FLOOR_MESSAGES,
                           conversations=FLOOR_MESSAGES // 4, threads=1)
        with _running(Path(folder), cases + WARMING) as bench:
            asked = bench.ask(rate)
            told = bench.told(asked)
    return Life(_waits(asked, told["HoldPlaced"], HOPS_TO_HOLD),
                _waits(asked, told["HoldConfirmed"], HOPS_TO_HOLD + HOPS_TO_CONFIRM), floor.p50)


def _waits(asked: dict[str, datetime], came: dict[str, datetime], hops: int) -> Waits:
    return Waits(tuple(sorted((came[id] - at).total_seconds() * 1000 for id, at in asked.items())), hops)


@contextmanager
def _running(root: Path, cases: int) -> Iterator[_Bench]:
    clock = Clock()
    found_nodes(root, clock.now() + timedelta(days=1))
    _fill(root, cases, clock.now())
    nodes = Nodes(root)
    for id in nodes.desks:
        nodes.start(id)
    try:
        nodes.wait_until_up()
        yield _Bench(root, cases)
    finally:
        nodes.stop()


def _fill(root: Path, cases: int, now: datetime) -> None:
    core = SimulatedCore(root / "BANK-PT" / "core.db", lambda: now)
    for number in range(cases):
        fill(core, account_of(number), f"CT-{number}")
    core.close()


class _Bench:
    """The officers of two bureaus, who never sleep."""

    def __init__(self, root: Path, cases: int) -> None:
        self.clock = Clock()
        self.asking, self.asked = Bureau(root, "NCB-ES", ("Ana", "Benito")), Bureau(root, "NCB-PT", ("Rui", "Zoe"))
        self.cases = [self.asking.open(f"L{number}", account_of(number), f"CT-{number}") for number in range(cases)]

    def ask(self, rate: float) -> dict[str, datetime]:
        """Every case asked at its time, and decided as soon as it is there; request -> when it was to be asked. Those
        that warm up are left out."""
        numbers, begin = range(len(self.cases)), self.clock.now()
        due = [begin + timedelta(seconds=number / rate) for number in numbers]
        with ThreadPoolExecutor(len(numbers)) as pool:  # an officer for each: nobody waits for somebody else's case
            asked = [pool.submit(self._at, at, number) for at, number in zip(due, numbers, strict=True)]
            here = (row["request"] for row in self.asked.follow() if (row["by"], row["kind"]) == ASKS)
            decided = [pool.submit(self._decide, request) for _, request in zip(numbers, here, strict=False)]
            requests = [one.result() for one in asked]
            for one in decided:
                one.result()
        return dict(zip(requests[WARMING:], due[WARMING:], strict=True))

    def _at(self, due: datetime, number: int) -> str:
        """An officer of the requesting bureau asks for one hold when its time has come; the request."""
        time.sleep(max(0.0, (due - self.clock.now()).total_seconds()))
        return self.asking.ask(self.cases[number], account_of(number))

    def _decide(self, request: str) -> None:
        """Two officers of the requested bureau say yes, on a request that their screens show."""
        desk = Desk(self.asked.home)
        said = Decide(True, None, Basis("demo-1", "PT", "article 1 of an invented law", "Bureau"),
                      self.clock.now() + timedelta(hours=48))
        self.asked.sign(desk, desk.wish("decide", "Rui", said, request=request))

    def told(self, asked: dict[str, datetime]) -> dict[str, dict[str, datetime]]:
        """Kind -> request -> when the requesting node knew it. Raises Unreachable when one does not come."""
        found: dict[str, dict[str, datetime]] = {"HoldPlaced": {}, "HoldConfirmed": {}}
        for row in self.asking.follow():
            if row["kind"] in found:
                found[row["kind"]].setdefault(row["request"], datetime.fromisoformat(row["at"]))
            if all(asked.keys() <= came.keys() for came in found.values()):
                break
        return found
