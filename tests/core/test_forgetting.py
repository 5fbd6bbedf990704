"""What a closed case still knows, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from arrp.core.case import Case
from arrp.core.errors import Conflict, Malformed, Refused
from arrp.core.events import Erased, Resolved, Withdraw
from arrp.core.protocol import next_due, step
from arrp.core.step import Tick
from tests.stories.plain import ES, LT, NCB_ES, START, VASP_LT, World, payment


@pytest.fixture
def world() -> World:
    """A request that was withdrawn: everything is accounted for."""
    made = World()
    made.join(NCB_ES, VASP_LT)
    made.core("VASP-LT").book(LT, "+9.00 EUR", "P1", other=ES, at=START)
    made.report("NCB-ES", payment("9.00 EUR", LT, "P1"))
    made.officer("NCB-ES", "withdraw", Withdraw("wrong"), made.ask("NCB-ES", "9.00 EUR", LT), by=("Ana",))
    made.run(minutes=1)
    return made


def closed(world: World, outcome: str) -> Case:
    world.officer("NCB-ES", "resolve", Resolved(outcome))
    world.officer("NCB-ES", "close", Resolved(outcome))
    return world.nodes["NCB-ES"].case("loss")


def forgotten(world: World, case: Case, at: datetime) -> list[str]:
    return [event.kind for event in step(case, Tick("t"), at, world.nodes["NCB-ES"].rules)]


@pytest.mark.parametrize(("outcome", "days"), [("unfounded", 90), ("withdrawn", 1825), ("lost", 1825)])
def test_r65_the_time_is_over_on_the_exact_instant(world: World, outcome: str, days: int) -> None:
    case = closed(world, outcome)
    at = world.now + timedelta(days=days)
    assert next_due(case, world.nodes["NCB-ES"].rules) == at
    assert forgotten(world, case, at - timedelta(microseconds=1)) == []
    assert forgotten(world, case, at) == ["CaseErased"]


def test_r65_a_closed_case_is_erased_on_a_basis_and_only_once(world: World) -> None:
    with pytest.raises(Refused, match="only a closed case is erased"):
        world.officer("NCB-ES", "erase", Erased("GDPR art. 17"))
    closed(world, "lost")
    world.officer("NCB-ES", "erase", Erased("GDPR art. 17"))
    case = world.nodes["NCB-ES"].case("loss")
    assert case.state == "erased"
    assert next_due(case, world.nodes["NCB-ES"].rules) is None
    assert forgotten(world, case, world.now + timedelta(days=10_000)) == []
    with pytest.raises(Refused, match="is erased"):
        world.officer("NCB-ES", "erase", Erased("again"))
    with pytest.raises(Conflict, match="nothing more can be done"):
        world.officer("NCB-ES", "resolve", Resolved("lost"))


@pytest.mark.parametrize("verb", ["resolve", "close"])
def test_r80_an_outcome_is_coded(world: World, verb: str) -> None:
    with pytest.raises(Malformed, match="returned, partly returned, handed over"):
        world.officer("NCB-ES", verb, Resolved("fine"))
