"""Stories between plain nodes, each compared with a committed transcript a person has reviewed.

A transcript is output, not input: when a rule changes, `UPDATE_STORIES=1 make test` rewrites it, and the
diff is what a reviewer reads. The assertions beside it say what the story is about.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from arrp.core.deadline import Basis
from arrp.core.errors import Refused
from arrp.core.events import (
    Answered,
    Credited,
    Decide,
    Extend,
    NamePayee,
    Objection,
    Release,
    Resolved,
    Return,
    Secure,
    Told,
    Verb,
    Withdraw,
)
from arrp.core.request import Ask, Document, Reason, Terms
from arrp.core.step import Heard
from arrp.core.sums import money
from tests.stories.plain import (
    ASLEEP,
    BANK_PT,
    DE,
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
        payee = NamePayee("DEBTOR", None, False, "00" * 16, ES, "Victim Ltd")
        world.officer("NCB-ES", "payee", payee, request if holder == "BANK-PT" else id, by=("Ana", "Ben"))
    world.officer("NCB-PT", "return", CONSENT, request, by=("Rui", "Zoe"))
    back = Return(amount("38000.00 EUR"), "consent", CONSENT.document)
    world.officer("VASP-LT", "return", back, onward, by=("Lina", "Ona"))
    world.run(minutes=1)
    for request_id, stated in world.nodes["NCB-ES"].case("loss").returns.values():
        world.officer("NCB-ES", "credited", Credited(stated.id, stated.amount), request_id)
    mine = world.nodes["NCB-ES"].case("loss")
    assert money(mine).terms == {"returned": amount("100000.00 EUR").minor}
    assert {mine.request(id).answer for id in (request, onward)} == {"ended"}
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


USDT = "eip155:1/erc20:0xdac17f958d2ee523a2206206994597c13d831ec7"
DEBTOR = NamePayee("DEBTOR", None, False, "00" * 16, ES, "Victim Ltd")
ORDER = Document("cd" * 32, "order", "application/pdf", 2000)


def test_the_loss_in_euro_the_money_in_a_token(world: World) -> None:
    """R-10, R-16: each part counts at the one rate of its request, rounded down; what rounding leaves is a term."""
    everybody(world)
    core = world.core("VASP-LT")
    core.book(LT, f"+0.000100 {USDT}", "P1", other=ES, at=START)
    core.book(LT, f"-0.000034 {USDT}", "ATM", at=START)
    world.report("NCB-ES", payment("0.07 EUR", LT, "P1"))
    request = world.ask("NCB-ES", f"0.000100 {USDT}", LT, claim="0.07 EUR", by=("Ana", "Ben"))
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    mine = world.nodes["NCB-ES"].case("loss").request(request)
    assert (mine.hold.amount.minor, mine.hold.claim.minor, mine.kept_claim) == (66, 4, 7)
    found = money(world.nodes["NCB-ES"].case("loss"))
    assert found.adds_up()
    assert found.terms == {"held": 4, "cashed_out": 2, "rounding": 1}


def test_extended_then_secured_by_order_then_withdrawn(world: World) -> None:
    """R-56, R-57, R-47: the hold lasts longer on the law's word; an order of the country outlives the wish."""
    everybody(world)
    core = world.core("BANK-PT")
    core.book(PT, "+4500.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("4500.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "4500.00 EUR", PT)
    decide(world, request)
    with pytest.raises(Refused, match="R-56"):
        world.officer("NCB-PT", "extend", Extend(BASIS, START + timedelta(days=31), ORDER), request)
    world.officer("NCB-ES", "extend", Extend(BASIS, START + timedelta(days=20), ORDER), request, by=("Ana", "Ben"))
    key = world.nodes["NCB-PT"].routes[request]
    (wish,) = [d for d in world.nodes["NCB-PT"].case(key).drafts.values() if d.kind == "Extend"]
    world.sign("NCB-PT", key, wish.act, "Rui", "Zoe")
    assert world.nodes["NCB-ES"].case("loss").request(request).hold.until == START + timedelta(days=20)
    world.run(days=19)
    world.officer("NCB-PT", "secure", Secure(BASIS, ORDER, START + timedelta(days=100)), request, by=("Rui", "Zoe"))
    world.officer("NCB-ES", "release", Release(amount("0.00 EUR"), "no longer needed"), request, by=("Ana",))
    world.officer("NCB-ES", "withdraw", Withdraw("no longer needed"), request, by=("Ana",))
    world.run(days=100)
    hold = world.nodes["NCB-ES"].case("loss").request(request).hold
    assert (hold.state, hold.amount) == ("secured", amount("4500.00 EUR"))
    assert core.free(PT) == 0
    world.officer("NCB-PT", "release", Release(amount("0.00 EUR"), "order lifted"), request, by=("Rui",))
    assert core.free(PT) == 450000
    assert world.nodes["NCB-ES"].case("loss").request(request).answer == "ended"


def test_return_refused_to_another_account(world: World) -> None:
    """R-70, R-71: only the account the money was taken from, and only after the account holder was heard."""
    everybody(world)
    world.core("VASP-LT").book(LT, "+3100.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("3100.00 EUR", LT, "P1"))
    request = world.ask("NCB-ES", "3100.00 EUR", LT)
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    back = Return(amount("3100.00 EUR"), "told", None)
    forged = NamePayee("DEBTOR", None, False, "00" * 16, DE, "X")
    key = world.nodes["VASP-LT"].routes[request]
    world.queue.append(("VASP-LT", key, Heard("a1", "NCB-ES", "NamePayee", request, forged, ("Ana", "Ben"))))
    other = NamePayee("REIMBURSED", ORDER, True, "00" * 16, DE, "X")
    world.officer("NCB-ES", "payee", other, request, by=("Ana", "Ben"))
    assert world.refused == ["wrong-payee", "wrong-payee"]
    with pytest.raises(Refused, match="no payee"):
        world.officer("VASP-LT", "return", back, request, by=("Lina", "Ona"))
    world.officer("NCB-ES", "payee", DEBTOR, request, by=("Ana", "Ben"))
    with pytest.raises(Refused, match="told"):
        world.officer("VASP-LT", "return", back, request, by=("Lina", "Ona"))
    world.officer("VASP-LT", "tell-holder", Told("letter 7"), request)
    world.officer("VASP-LT", "extend", Extend(BASIS, START + timedelta(days=20), ORDER), request, by=("Lina", "Ona"))
    world.run(hours=121)
    world.officer("VASP-LT", "return", back, request, by=("Lina", "Ona"))
    world.run(hours=25)
    assert world.nodes["NCB-ES"].case("loss").request(request).hold.state == "returned"


def test_a_return_bounces_and_is_held_again(world: World) -> None:
    """R-73: the payee's bank sends it back; it is held again under the same basis, and returned once more."""
    everybody(world)
    core = world.core("VASP-LT")
    core.book(LT, "+1200.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("1200.00 EUR", LT, "P1"))
    request = world.ask("NCB-ES", "1200.00 EUR", LT)
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    world.officer("NCB-ES", "payee", DEBTOR, request, by=("Ana", "Ben"))
    back = Return(amount("1200.00 EUR"), "consent", CONSENT.document)
    core.refuses = {Verb.GIVE_BACK}
    world.officer("VASP-LT", "return", back, request, by=("Lina", "Ona"))
    world.run(minutes=1)
    assert world.nodes["NCB-ES"].case("loss").request(request).hold.state == "confirmed"
    core.refuses = set()
    world.officer("VASP-LT", "return", back, request, by=("Lina", "Ona"))
    world.run(minutes=30)
    core.bounce(LT, world.now)
    world.run(hours=2)
    again = world.nodes["NCB-ES"].case("loss").request(request)
    assert (again.hold.state, again.terms.held, again.terms.returned) == ("confirmed", 120000, 0)
    assert again.hold.until == START + timedelta(hours=48)
    world.officer("VASP-LT", "return", back, request, by=("Lina", "Ona"))
    world.run(minutes=1)
    stated = world.nodes["NCB-ES"].case("loss").returns_of(request)[-1]
    world.officer("NCB-ES", "credited", Credited(stated.id, stated.amount), request)
    assert world.nodes["NCB-ES"].case("loss").request(request).answer == "ended"


UETR = "174c245f-2682-4291-ad67-2a41e530cd27"


def in_flight(world: World) -> str:
    everybody(world)
    world.prepare()
    sent = replace(payment("2000.00 EUR", LT, "P1"), uetr=UETR)
    world.report("NCB-ES", sent)
    return world.ask("NCB-ES", "2000.00 EUR", LT, ask=Ask.STOP)


def test_stopped_in_flight(world: World) -> None:
    """R-49: the payment has not arrived; it stays where it is and goes back unheard."""
    world.prepare = lambda: world.core("VASP-LT").flights.update({UETR: ("", "2000.00 EUR")})
    request = in_flight(world)
    mine = world.nodes["NCB-ES"].case("loss").request(request)
    assert mine.terms == Terms(amount("2000.00 EUR"), stopped=200000)
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    world.officer("NCB-ES", "payee", DEBTOR, request, by=("Ana", "Ben"))
    world.officer("VASP-LT", "return", Return(amount("2000.00 EUR"), "in_flight", None), request, by=("Lina", "Ona"))
    world.run(minutes=1)
    assert world.nodes["NCB-ES"].case("loss").request(request).terms.returned == 200000


def test_too_late_to_stop_it_landed(world: World) -> None:
    """R-49, R-03: it is a credit by now; the request goes on in the account's case, as a hold."""

    def landed() -> None:
        world.core("VASP-LT").flights[UETR] = (LT, "2000.00 EUR")
        world.core("VASP-LT").book(LT, "+2000.00 EUR", UETR, other=ES, at=START)
        world.core("VASP-LT").book(LT, "-500.00 EUR", "ATM", at=START)

    world.prepare = landed
    request = in_flight(world)
    mine = world.nodes["NCB-ES"].case("loss").request(request)
    assert mine.terms == Terms(amount("2000.00 EUR"), held=150000, cashed_out=50000)
    assert world.core("VASP-LT").free(LT) == 0


def test_too_late_to_stop_it_is_gone(world: World) -> None:
    """R-49, R-50: it left this institution, or never was here."""
    request = in_flight(world)
    mine = world.nodes["NCB-ES"].case("loss").request(request)
    assert (mine.answer, mine.reason) == ("refused", "PTNA")
    assert mine.terms == Terms(amount("2000.00 EUR"), not_found=200000)


def test_an_authority_without_an_adopted_law(world: World) -> None:
    """R-17, R-41: unknown law does nothing by itself; officers state basis and end, and the bank executes it."""
    world.join(NCB_ES, NCB_PT, BANK_PT, policies={"NCB-PT": replace(OPEN, power=None), "BANK-PT": ASLEEP})
    world.core("BANK-PT").book(PT, "+700.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("700.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "700.00 EUR", PT)
    assert world.core("BANK-PT").free(PT) == 70000
    with pytest.raises(Refused, match="R-41"):
        decide(world, request, Decide(True, None, None, None))
    decide(world, request, Decide(True, None, BASIS, START + timedelta(hours=30)))
    hold = world.nodes["NCB-ES"].case("loss").request(request).hold
    assert (hold.state, hold.until) == ("confirmed", START + timedelta(hours=30))
    world.run(hours=31)
    assert world.nodes["NCB-ES"].case("loss").request(request).hold.state == "lapsed"


def test_nobody_answers_and_the_request_ends_by_itself(world: World) -> None:
    """R-48, R-33: no law, no decision: at its last instant the request stands no longer, and says so."""
    world.join(NCB_ES, VASP_LT, policies={"VASP-LT": replace(OPEN, power=None)})
    world.core("VASP-LT").book(LT, "+100.00 EUR", "P1", other=ES, at=START)
    world.report("NCB-ES", payment("100.00 EUR", LT, "P1"))
    request = world.ask("NCB-ES", "100.00 EUR", LT)
    world.run(hours=73)
    mine = world.nodes["NCB-ES"].case("loss").request(request)
    assert (mine.answer, mine.reason, mine.terms.let_go) == ("ended", "NOAS", 10000)
