"""Ten stories between plain nodes, each compared with a committed transcript a person has reviewed.

A transcript is output, not input: when a rule changes, `UPDATE_STORIES=1 make test` rewrites it, and the
diff is what a reviewer reads. The assertions beside it say what the story is about.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from tests.stories.plain import (
    ASLEEP,
    BANK_PT,
    ES,
    LT,
    NCB_DE,
    NCB_ES,
    NCB_PT,
    OPEN,
    PT,
    START,
    VASP_LT,
    World,
    amount,
    payment,
)

from arrp.core.deadline import Basis
from arrp.core.events import Answered, Decide, NamePayee, Objection, Resolved, Return, Told, Withdraw
from arrp.core.request import Document, Reason, Terms
from arrp.core.requesting import commit
from arrp.core.sums import money

BASIS = Basis("pt-1", "PT", "art. 1 (fictional)", "Bureau PT")
ACCEPTED = Decide(True, None, BASIS, START + timedelta(hours=48))
CONSENT = Return(amount("62000.00 EUR"), "consent", Document("ab" * 32, "consent", "application/pdf", 1000))


@pytest.fixture
def world(request: pytest.FixtureRequest):
    made = World()
    yield made
    name = request.node.name.removeprefix("test_")
    committed = Path(__file__).parent / "transcripts" / f"{name}.txt"
    told = "\n".join(made.lines) + "\n"
    if os.environ.get("UPDATE_STORIES"):
        committed.write_text(told)
    assert told == committed.read_text(), f"the story {name} is told differently now"


def everybody(world: World) -> None:
    world.join(NCB_ES, NCB_DE, NCB_PT, BANK_PT, VASP_LT)


def decide(world: World, request: str, said: Decide = ACCEPTED) -> None:
    world.officer("NCB-PT", "decide", said, request, by=("Rui", "Zoe"))


def only(world: World, node: str):
    (request,) = world.requests(node)
    return request


def test_full_hold(world: World) -> None:
    """R-44, R-54: the money is there; held in the minute it is asked for, confirmed when decided."""
    everybody(world)
    world.core("BANK-PT").book(PT, "+100000.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("100000.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "100000.00 EUR", PT)
    world.officer("NCB-PT", "see", None, request)
    world.run(minutes=20)
    decide(world, request)
    world.run(minutes=1)
    mine = world.nodes["NCB-ES"].case("loss")
    assert mine.request(request).hold.state == "confirmed"
    assert money(mine).missing == amount("0.00 EUR")
    assert world.core("BANK-PT").free(PT) == 0


def test_half_moved_on_to_a_third_country(world: World) -> None:
    """R-52, R-53: what left is a leg, pursued under the same mandate; the rest of the life to return and close."""
    everybody(world)
    world.core("BANK-PT").book(PT, "+100000.00 EUR", "P1", other=ES, at=START)
    world.core("BANK-PT").book(PT, "-38000.00 EUR", "P2", other=LT, at=START)
    world.core("VASP-LT").book(LT, "+38000.00 EUR", "P2", other=PT, at=START)
    world.report("NCB-ES", payment("100000.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "100000.00 EUR", PT)
    decide(world, request)
    onward = only(world, "VASP-LT").id
    world.officer("VASP-LT", "decide", ACCEPTED, onward, by=("Lina",))
    mine = world.nodes["NCB-ES"].case("loss")
    assert money(mine).terms == {"held": amount("100000.00 EUR").minor}
    for holder, id in (("BANK-PT", only(world, "BANK-PT").id), ("VASP-LT", onward)):
        payee = NamePayee("00" * 16, "DEBTOR", None, False, ES, "Victim Ltd")
        world.officer("NCB-ES", "payee", payee, request if holder == "BANK-PT" else id, by=("Ana", "Ben"))
    world.officer("NCB-PT", "return", CONSENT, request, by=("Rui", "Zoe"))
    back = Return(amount("38000.00 EUR"), "consent", CONSENT.document)
    world.officer("VASP-LT", "return", back, onward, by=("Lina", "Ona"))
    world.run(minutes=1)
    mine = world.nodes["NCB-ES"].case("loss")
    assert money(mine).terms == {"returned": amount("100000.00 EUR").minor}
    world.officer("NCB-ES", "resolve", Resolved("returned"))
    world.officer("NCB-ES", "close", Resolved("returned"))
    assert world.nodes["NCB-ES"].case("loss").state == "closed"


def test_the_salary_that_must_not_be_held(world: World) -> None:
    """R-44: the stolen coins are gone; the salary that came later is somebody's living."""
    everybody(world)
    core = world.core("BANK-PT")
    core.book(PT, "+10000.00 EUR", "P1", other=ES, at=START)
    core.book(PT, "-10000.00 EUR", "P2", other=LT, at=START)
    core.book(PT, "+3000.00 EUR", "SALARY", other=ES, at=START)
    world.core("VASP-LT").book(LT, "+10000.00 EUR", "P2", other=PT, at=START)
    world.report("NCB-ES", payment("10000.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "10000.00 EUR", PT)
    world.run(minutes=5)
    assert core.free(PT) == amount("3000.00 EUR").minor
    assert world.nodes["NCB-ES"].case("loss").request(request).hold is None
    assert only(world, "VASP-LT").hold.amount == amount("10000.00 EUR")


def test_no_funds(world: World) -> None:
    """R-44: everything left as cash; the answer says so, and nothing is held."""
    everybody(world)
    core = world.core("BANK-PT")
    core.book(PT, "+5000.00 EUR", "P1", other=ES, at=START)
    core.book(PT, "-5000.00 EUR", "ATM", at=START)
    world.report("NCB-ES", payment("5000.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "5000.00 EUR", PT)
    world.run(hours=80)
    mine = world.nodes["NCB-ES"].case("loss")
    assert mine.request(request).terms == Terms(amount("5000.00 EUR"), cashed_out=500000)
    assert money(mine).missing == amount("5000.00 EUR")


def test_refused_on_a_named_ground(world: World) -> None:
    """R-50: the authority refuses; what its bank held at once goes free."""
    everybody(world)
    world.core("BANK-PT").book(PT, "+9000.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("9000.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "9000.00 EUR", PT)
    decide(world, request, Decide(False, Reason.CIVIL_DISPUTE, None, None))
    world.run(minutes=1)
    mine = world.nodes["NCB-ES"].case("loss")
    assert (mine.request(request).answer, mine.request(request).reason) == ("refused", "CIVIL_DISPUTE")
    assert mine.request(request).hold.state == "released"
    assert world.core("BANK-PT").free(PT) == amount("9000.00 EUR").minor


def test_accepted_on_a_condition(world: World) -> None:
    """R-55: an indemnity first; the provisional hold waits on its clock; then accepted."""
    everybody(world)
    world.core("VASP-LT").book(LT, "+7000.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("7000.00 EUR", LT, "P1"))
    request = world.ask("NCB-ES", "7000.00 EUR", LT)
    condition = Answered(Terms.unanswered(amount("0.00 EUR")), condition="INDM")
    world.officer("VASP-LT", "condition", condition, request)
    assert world.nodes["NCB-ES"].case("loss").request(request).answer == "conditional"
    world.run(hours=3)
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    assert world.nodes["NCB-ES"].case("loss").request(request).hold.state == "confirmed"


def test_two_countries_and_one_credit(world: World) -> None:
    """R-46: one payment, two countries: held once; when the first withdraws, the second has it at once."""
    everybody(world)
    core = world.core("BANK-PT")
    core.book(PT, "+4000.00 EUR", "P1", other=ES, at=START)
    first_payment = payment("4000.00 EUR", PT, "P1")
    world.report("NCB-ES", first_payment)
    first = world.ask("NCB-ES", "4000.00 EUR", PT)
    world.report("NCB-DE", first_payment, loss="L2")
    second = world.ask("NCB-DE", "4000.00 EUR", PT)
    theirs = world.nodes["NCB-DE"].case("loss")
    assert theirs.request(second).terms.restrained == 400000
    world.officer("NCB-ES", "withdraw", Withdraw("reported twice"), first, by=("Ana",))
    world.run(minutes=1)
    theirs = world.nodes["NCB-DE"].case("loss")
    assert theirs.request(second).hold.state == "provisional"
    assert theirs.request(second).terms.held == 400000
    assert world.nodes["NCB-ES"].case("loss").request(first).hold.state == "released"
    assert core.free(PT) == 0


def test_objection_upheld(world: World) -> None:
    """R-72: the account holder objects in good faith; an officer who did not decide upholds it."""
    everybody(world)
    core = world.core("BANK-PT")
    core.book(PT, "+2500.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("2500.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "2500.00 EUR", PT)
    decide(world, request)
    held = only(world, "BANK-PT").id
    key = world.nodes["BANK-PT"].routes[held]
    world.officer("BANK-PT", "tell-holder", Told("letter 1"), held)
    objection = Objection("o1", "", "GOOD_FAITH", START, None, "raised", None, "I sold a car")
    world.officer("BANK-PT", "object", objection, held, case=key)
    upheld = Objection("o1", "", "GOOD_FAITH", START, None, "upheld", None, "sale proved")
    world.officer("BANK-PT", "decide-objection", upheld, held, case=key, by=("Redress",))
    world.run(minutes=1)
    assert core.free(PT) == amount("2500.00 EUR").minor
    assert world.nodes["NCB-ES"].case("loss").request(request).hold.why == "OBJECTION"


def test_lapse_at_night_kept_while_the_officer_sleeps(world: World) -> None:
    """R-43: the requester's officer sleeps; the node keeps, so nothing is lost at 60 minutes. At the end
    of the time for deciding nobody decided: it lapses by itself, once."""
    everybody(world)
    world.core("BANK-PT").book(PT, "+6000.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("6000.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "6000.00 EUR", PT)
    world.run(hours=10)
    assert world.nodes["NCB-ES"].case("loss").request(request).hold.in_force
    world.run(hours=15)
    hold = world.nodes["NCB-ES"].case("loss").request(request).hold
    assert (hold.state, hold.why) == ("lapsed", "NOT_DECIDED")
    assert hold.ended_at == START + timedelta(hours=24)


def test_lapse_while_nobody_keeps(world: World) -> None:
    """R-43: asked of two places for one loss, more is held than was lost; what nobody keeps goes free."""
    everybody(world)
    world.core("BANK-PT").book(PT, "+6000.00 EUR", "P1", other=ES, at=START)
    world.core("VASP-LT").book(LT, "+6000.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("6000.00 EUR", PT, "P1"))
    world.ask("NCB-ES", "6000.00 EUR", PT)
    second = world.ask("NCB-ES", "6000.00 EUR", LT)
    world.nodes["NCB-ES"].case("loss")
    assert only(world, "VASP-LT").hold.kept is None or only(world, "VASP-LT").hold.kept.minor == 0
    world.run(hours=2)
    hold = world.nodes["NCB-ES"].case("loss").request(second).hold
    assert (hold.state, hold.why) == ("lapsed", "NOT_KEPT")
    assert hold.ended_at <= START + timedelta(minutes=60)
    assert world.core("VASP-LT").free(LT) == 600000
    assert world.core("BANK-PT").free(PT) == 0


def test_wrong_report_withdrawn(world: World) -> None:
    """R-47: the report was wrong; one officer withdraws, the holder lets go at once."""
    world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT, policies={"BANK-PT": OPEN, "VASP-LT": ASLEEP})
    world.core("BANK-PT").book(PT, "+800.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("800.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "800.00 EUR", PT)
    world.officer("NCB-ES", "withdraw", Withdraw("the invoice was genuine"), request, by=("Ana",))
    world.run(minutes=1)
    mine = world.nodes["NCB-ES"].case("loss")
    assert mine.request(request).hold.state == "released"
    assert mine.request(request).terms == Terms(amount("800.00 EUR"), let_go=80000)
    assert world.core("BANK-PT").free(PT) == 80000
