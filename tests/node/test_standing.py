"""R-15: the total of a standing mandate is one sum over all cases of the node that sends, whoever is asked."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread

import pytest

from arrp.core.crime import Crime
from arrp.core.errors import Refused
from arrp.core.report import Report
from arrp.core.request import Ask
from arrp.core.requesting import typed_asked, typed_source
from tests.node.night import NIGHT, asked, came, falls, mine, reported
from tests.node.world import LT, PT, World, amount, payment, restarted

SIXTY, FORTY = "60000.00 EUR", "40000.00 EUR"
ENOUGH = replace(NIGHT, night_approvals=2, total=amount("100000.00 EUR"), per_request=amount(SIXTY))


@pytest.fixture
def by_day(world: World) -> World:
    """The bureau's standing mandate is for 100,000 EUR in all, 60,000 at a time."""
    falls(world, ENOUGH)
    return world


def case_of(world: World, loss: str, to: str = LT) -> str:
    """A case with a loss act that two signed, and no mandate of its own."""
    said = Report(loss, "NCB-ES", (payment("100000.00 EUR", to, "P1"),), Crime.BEC, world.clock.at, facts="x")
    case, _ = world.officer("NCB-ES", "report", said)
    mandate = replace(ENOUGH, loss=loss, total=amount("1.00 EUR"), per_request=amount("1.00 EUR"))
    world.officer("NCB-ES", "mandate", mandate, case=case, by=("Ana", "Ben"))
    return case


def left(world: World, case: str, whole: str, to: str = LT) -> bool:
    """Whether it left under the standing mandate, without a signature."""
    body = typed_asked(Ask.HOLD, typed_source(0, ""), to, amount(whole))
    _, events = world.officer("NCB-ES", "send", body, case=case)
    return any(event.kind == "Request" for event in events)


def test_r15_what_one_case_used_another_does_not_have(by_day: World) -> None:
    first, second, third = (case_of(by_day, loss) for loss in ("S1", "S2", "S3"))
    assert left(by_day, first, SIXTY)
    assert not left(by_day, second, SIXTY), "120,000 of 100,000: two officers sign"
    assert left(by_day, third, FORTY, PT)
    assert not left(by_day, first, "2.00 EUR", PT)


def test_r15_what_a_case_asked_itself_counts_once(by_day: World) -> None:
    case = case_of(by_day, "S1")
    assert left(by_day, case, FORTY)
    assert left(by_day, case, SIXTY, PT)
    assert not left(by_day, case_of(by_day, "S2"), "2.00 EUR", PT)


def test_r15_the_sum_survives_a_restart(by_day: World) -> None:
    first, second = case_of(by_day, "S1"), case_of(by_day, "S2")
    assert left(by_day, first, SIXTY)
    restarted(by_day, "NCB-ES")
    assert not left(by_day, second, SIXTY)
    assert left(by_day, second, FORTY)


def test_r15_two_cases_at_once_do_not_spend_the_same(by_day: World) -> None:
    """One after the other, whichever engine it is: the second counts what the first has asked."""
    cases = [case_of(by_day, f"S{number}") for number in range(4)]
    found: list[bool] = []
    together = [Thread(target=lambda case=case: found.append(left(by_day, case, FORTY))) for case in cases]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert sorted(found) == [False, False, True, True]


def test_r15_what_an_authority_instructs_counts_too(world: World) -> None:
    """Its node instructs while its own standing mandate lasts; what is beyond waits for an officer."""
    falls(world, replace(NIGHT, night_approvals=2))
    falls(world, replace(ENOUGH, total=amount(SIXTY)), "NCB-PT")
    came(world, PT)
    assert left(world, case_of(world, "S1", PT), FORTY, PT)
    assert left(world, case_of(world, "S2", PT), FORTY, PT)
    world.run(minutes=1)
    log = world.log("NCB-PT")
    waits = [event.body.why for event in log if event.kind == "Escalated" and event.body.what.startswith("decide ")]
    assert len([event for event in log if event.kind == "Request" and event.by == "NCB-PT"]) == 1
    assert waits == ["no standing mandate covers an instruction"]


def test_r15_r94_at_night_too(world: World) -> None:
    falls(world, replace(NIGHT, total=amount("100000.00 EUR"), per_request=amount("100000.00 EUR")))
    came(world, LT)
    request = asked(world, reported(world, LT), LT)
    assert mine(world, request).second_by is not None
    case = reported(world, PT, loss="N2")
    with pytest.raises(Refused, match="R-14"):  # no mandate lets one officer send it, and two did not sign the loss
        asked(world, case, PT)
