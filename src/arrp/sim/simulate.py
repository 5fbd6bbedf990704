"""`arrp simulate`: histories one after another until so many deliveries are made, each with its own faults.

What fails is made smaller: faults that are not needed are left out, and the end is brought nearer, as long as the same
invariant breaks. What is left is a plan, which is the same history wherever it is run, and a short story.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from random import Random

from arrp.core.hold import HOLD
from arrp.core.request import ANSWER, WISH
from arrp.node.clock import Clock
from arrp.sim.faults import NAMES, Faults, chosen
from arrp.sim.history import History, Outcome, Plan

A_HISTORY = 4000  # deliveries of one
THEFTS = 8
SMALLER = 30  # histories at most to make a failure smaller


@dataclass(slots=True)
class Totals:
    """What came of many histories; `worst` is the one that failed, made small. `state_hash` is over all of them."""

    seed: int
    histories: int = 0
    deliveries: int = 0
    fresh: int = 0
    crashes: int = 0
    commands: int = 0
    seconds: float = 0.0
    state_hash: str = ""
    faults: Counter[str] = field(default_factory=Counter)
    edges: Counter[str] = field(default_factory=Counter)
    worst: Outcome | None = None

    @property
    def violations(self) -> list[str]:
        return [str(one) for one in self.worst.violations] if self.worst else []

    def seldom(self, times: int, among: Collection[str]) -> list[str]:
        """Edges of the tables, and faults, that were not taken so often: whatever breaks there was not looked for."""
        edges = [f"{table.name} {state} {kind}" for table in (HOLD, WISH, ANSWER) for state, kind in table.moves]
        struck = [name for name in among if name in Faults.STRIKING]
        return [name for name in (*edges, *struck) if (self.edges + self.faults)[name] < times]

    def add(self, found: Outcome) -> None:
        self.histories += 1
        self.deliveries += found.deliveries
        self.fresh += found.fresh
        self.crashes += found.crashes
        self.commands += found.commands
        self.faults += found.faults
        self.edges += found.edges
        self.state_hash = sha256(f"{self.state_hash}{found.state_hash}".encode()).hexdigest()


def plans(seed: int, nodes: int, among: Collection[str], deliveries: int) -> Iterator[Plan]:
    """The histories of a seed, without end: each has its own dice and its own choice of faults."""
    number = 0
    while True:
        dice = Random(f"{seed} {number}")
        yield Plan(dice.getrandbits(48), nodes, chosen(dice, among), min(A_HISTORY, deliveries), THEFTS,
                   brisk=dice.random() < 0.5)
        number += 1


def simulate(seed: int, deliveries: int, *, nodes: int = 5, among: Collection[str] = NAMES,
             told: Callable[[Totals], None] = lambda totals: None) -> Totals:
    """Histories until so many deliveries are made, or one fails. `told` hears how far it is after each."""
    clock, totals = Clock(), Totals(seed)
    begin = clock.seconds()
    for plan in plans(seed, nodes, among, deliveries):
        found = History(plan).run()
        totals.add(found)
        totals.seconds = clock.seconds() - begin
        totals.worst = found if found.violations else None
        told(totals)
        if found.violations:
            totals.worst = smaller(found)
            return totals
        if totals.deliveries >= deliveries:
            return totals
    raise AssertionError("plans never end")


def smaller(failed: Outcome) -> Outcome:
    """The smallest history found in which the same invariant breaks."""
    invariant, best, left = failed.violations[0].invariant, failed, SMALLER
    found: Outcome | None = failed
    while found is not None:
        best, found = found, None
        for plan in islice(_smaller(best), left):
            left -= 1
            again = History(plan).run()
            if _breaks(again, invariant):
                found = again
                break
    return best


def _smaller(failed: Outcome) -> Iterator[Plan]:
    plan = failed.plan
    for name in plan.faults:
        yield replace(plan, faults=tuple(other for other in plan.faults if other != name))
    if failed.deliveries * 2 // 3 < plan.deliveries and failed.deliveries > 60:
        yield replace(plan, deliveries=failed.deliveries * 2 // 3)


def _breaks(found: Outcome, invariant: str) -> bool:
    return any(one.invariant == invariant for one in found.violations)
