"""The witness is not blind: each bug that is planted into the real code is named by an invariant, and the same
histories without it have nothing to name."""

from __future__ import annotations

import re

import pytest

from arrp.core.errors import NotFound
from arrp.node.hearing import Hearing
from arrp.node.store import talk
from arrp.sim.history import History, Plan
from arrp.sim.plants import PLANTS, Caught, hunt, named, plan_for, planted

# A seed, and after how many deliveries its history ends. Every bug is found from any seed, if one looks long enough
# (arrp simulate --plant NAME): here is where it is found soon, and that is all that these numbers are for. A change of
# the code makes other histories of the same seeds: so the next few seeds are looked at, too.
FEW = 8
SOON: dict[str, tuple[int, int]] = {
    "no dedupe": (1, 150),
    "dedupe pruned too early": (4, 300),
    "no sequence numbers": (1, 150),
    "gap not waited for": (1, 150),
    "expired command applied": (2, 900),
    "acknowledged before it is kept": (5, 150),
    "marked sent before sending": (1, 150),
    "silent give-up": (1, 150),
    "outbox in another transaction": (2, 200),
    "no signature check": (3, 500),
    "approval reused": (1, 150),
    "suspended peer obeyed": (2, 150),
    "core asked without an intent": (1, 500),
    "asked again under another name": (4, 350),
    "wall-clock deadlines": (1, 150),
    "leaf hash missing": (1, 150),
    "checkpoint of another tree": (1, 150),
    "no total cap": (4, 150),
    "unpinned coins": (1, 500),
    "held above what is traced": (1, 500),
    "timer twice": (1, 500),
    "extension beyond the law": (1, 500),
    "withdraw ignored": (3, 200),
    "released before the core let go": (1, 500),
    "decision taken twice": (1, 150),
    "one officer signs twice": (2, 200),
    "receipt not verified": (3, 500),
    "return to another account": (1, 600),
    "no answer is a no": (4, 350),
    "timers in memory": (1, 500),
    "mirror moves by itself": (1, 500),
    "keep not reserved": (4, 150),
    "surplus kept": (4, 1000),
    "revoked key accepted": (1, 200),
}


def soon(name: str, later: int = 0) -> Plan:
    seed, length = SOON[name]
    return plan_for(name, seed + later, 0, length)


@pytest.mark.parametrize("name", SOON)
def test_a_planted_bug_is_caught_by_a_named_invariant(name: str) -> None:
    found = []
    for later in range(FEW):
        with planted(name):
            outcome = History(soon(name, later)).run()
        if named(name, outcome):
            return
        found += outcome.violations
    pytest.fail(f"not named in {FEW} histories; other things were: {found}")


@pytest.mark.parametrize("plan", sorted({soon(name) for name in SOON}, key=str), ids=str)
def test_without_the_bug_the_same_history_has_no_violation(plan: Plan) -> None:
    assert History(plan).run().violations == []


def test_there_are_enough_and_each_names_invariants_that_there_are() -> None:
    assert len(PLANTS) >= 25
    assert set(SOON) == set(PLANTS)
    for plant in PLANTS.values():
        assert plant.caught_by
        assert all(re.fullmatch("I([1-9]|1[0-9]|2[01])", one) for one in plant.caught_by)


def test_what_was_planted_is_gone_afterwards() -> None:
    before = Hearing._take, talk.arrived, talk.JUMPING
    for name in PLANTS:
        with planted(name):
            pass
    assert (Hearing._take, talk.arrived, talk.JUMPING) == before


def test_a_hunt_tells_what_it_caught_and_after_how_much() -> None:
    seed, length = SOON["unpinned coins"]
    caught = hunt("unpinned coins", seed, length)
    assert (caught.name, caught.by, caught.seed) == ("unpinned coins", "I1", seed)
    assert 0 < caught.after <= length + 100
    assert "I1" in caught.said


def test_a_hunt_that_is_too_short_says_so() -> None:
    found = hunt("checkpoint of another tree", 1, 4)
    assert found == Caught("checkpoint of another tree", None, found.after, 1) or found.by == "I8"


def test_nobody_plants_what_there_is_not() -> None:
    with pytest.raises(NotFound):
        planted("no such bug")
