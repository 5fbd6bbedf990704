"""Bugs that are planted into the real code to see whether the witness is blind: each is caught by an invariant."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from random import Random

from arrp.core.errors import NotFound
from arrp.sim.history import History, Outcome, Plan
from arrp.sim.planting import Patch, Plant
from arrp.sim.plants_core import BUGS as IN_THE_RULES
from arrp.sim.plants_node import BUGS as IN_THE_NODE

PLANTS: Mapping[str, Plant] = {**IN_THE_NODE, **IN_THE_RULES}
BUDGET = 100_000  # deliveries
_LENGTH = 1500  # of one history
_NODES, _THEFTS = 5, 40


@dataclass(frozen=True, slots=True)
class Caught:
    """Which bug, by which invariant (None: not caught), after how many deliveries, from which seed; and what was
    seen."""

    name: str
    by: str | None
    after: int
    seed: int
    said: str = ""


def plant_of(name: str) -> Plant:
    """Raises NotFound."""
    if name not in PLANTS:
        raise NotFound(f"there is no bug {name!r} to plant; there are {', '.join(PLANTS)}")
    return PLANTS[name]


def planted(name: str) -> AbstractContextManager[Patch]:
    """The bug is in the code while the block lasts. Raises NotFound."""
    return plant_of(name).planted()


def plan_for(name: str, seed: int, number: int = 0, length: int = _LENGTH) -> Plan:
    """The history, one of many, in which that bug is looked for: with the faults that it needs, and in haste."""
    dice = Random(f"{seed} {number}")
    return Plan(dice.getrandbits(48), _NODES, plant_of(name).faults, length, _THEFTS, brisk=True)


def hunt(name: str, seed: int, deliveries: int = BUDGET) -> Caught:
    """Live one history after another with the bug in it, until an invariant that should name it does. Raises
    NotFound."""
    used = 0
    for number in count():
        with planted(name):
            outcome = History(plan_for(name, seed, number, min(_LENGTH, deliveries - used))).run()
        used += outcome.deliveries
        if (found := named(name, outcome)) is not None or used >= deliveries:
            by, said = found or (None, "")
            return Caught(name, by, used, seed, said)
    raise AssertionError("never reached: the count has no end")


def named(name: str, outcome: Outcome) -> tuple[str, str] | None:
    """(invariant, what it said) of the first violation that names this bug."""
    wanted = plant_of(name).caught_by
    return next(((one.invariant, str(one)) for one in outcome.violations if one.invariant in wanted), None)
