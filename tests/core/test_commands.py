"""What officers and peers may not do, and that nothing is decided by anything hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.core.asked_amounts import check_amounts
from arrp.core.errors import Conflict, Malformed, Refused
from arrp.core.events import Answered, Decide, Extend, LegsStated, Resolved, Secure, Withdraw
from arrp.core.protocol import COMMANDS, step
from arrp.core.request import Ask, Document, Leg, Reason, Source, Terms
from arrp.core.step import Command, Heard
from tests.stories.plain import BANK_PT, ES, LT, NCB_DE, NCB_ES, OPEN, PT, START, VASP_LT, World, amount, payment
from tests.stories.test_stories import ACCEPTED, BASIS, NCB_PT

PAPER = Document("ab" * 32, "order", "application/pdf", 1000)


@pytest.fixture
def world() -> World:
    made = World()
    made.join(NCB_ES, NCB_DE, NCB_PT, VASP_LT)
    made.core("VASP-LT").book(LT, "+9.00 EUR", "P1", other=ES, at=START)
    made.report("NCB-ES", payment("9.00 EUR", LT, "P1"))
    return made


def asked(world: World) -> tuple[str, str]:
    request = world.ask("NCB-ES", "9.00 EUR", LT)
    return request, world.nodes["VASP-LT"].routes[request]


def test_r01_r02_the_same_given_leads_to_the_same_events(world: World) -> None:
    request, key = asked(world)
    node = world.nodes["VASP-LT"]
    heard = Heard("a1", "NCB-ES", "Withdraw", request, Withdraw("wrong"), ("Ana",))
    assert step(node.case(key), heard, START, node.rules) == step(node.case(key), heard, START, node.rules)


@pytest.mark.parametrize("verb", sorted(set(COMMANDS) - {"see"}))
def test_a_command_with_another_body_is_malformed(world: World, verb: str) -> None:
    request, key = asked(world)
    node = world.nodes["VASP-LT"]
    wrong = Command("c1", verb, "Lina", request, Terms.unanswered(amount("1.00 EUR")))
    with pytest.raises(Malformed, match=verb):
        step(node.case(key), wrong, START, node.rules)
    with pytest.raises(Malformed, match="no command"):
        step(node.case(key), Command("c1", "freeze", "Lina", request, None), START, node.rules)


def test_r50_r55_reasons_and_conditions_are_those_both_sides_know(world: World) -> None:
    request, _ = asked(world)
    bribe = Answered(Terms.unanswered(amount("0.00 EUR")), condition="BRIBE")
    with pytest.raises(Malformed, match="not a condition"):
        world.officer("VASP-LT", "condition", bribe, request)
    with pytest.raises(Malformed, match="not a reason"):
        world.officer("VASP-LT", "decide", Decide(False, "NO", None, None), request, by=("Lina",))


def test_r19_asked_twice_is_asked_once(world: World) -> None:
    request, _ = asked(world)
    with pytest.raises(Conflict, match="R-19"):
        world.ask("NCB-ES", "9.00 EUR", LT)
    with pytest.raises(Conflict, match="R-19"):
        world.report("NCB-ES", payment("9.00 EUR", LT, "P1"))
    mine = world.nodes["NCB-ES"].case("loss")
    twin = mine.request(request).body
    heard = Heard("a2", "NCB-ES", "Request", "twin", twin, ("Ana", "Ben"), None, None, mine.loss_of(twin),
                  START + timedelta(days=1))
    world.nodes["VASP-LT"].routes["twin"] = "request:twin"
    world.nodes["NCB-ES"].routes["twin"] = "loss"
    world.give("VASP-LT", "request:twin", heard)
    world.give(*world.queue.popleft())  # what the core found
    world.give(*world.queue.popleft())  # the request joins the account's case
    assert "refuses: DUPLICATE" in world.lines[-1]


def test_r12_no_more_is_asked_than_its_source(world: World) -> None:
    with pytest.raises(Refused, match="R-12"):
        world.ask("NCB-ES", "9.01 EUR", LT)


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [("Decide", ACCEPTED, "not-competent"),
     ("Secure", Secure(BASIS, PAPER, START + timedelta(days=9)), "not-competent")],
)
def test_r55_a_requester_does_not_decide_its_own_request(world: World, kind: str, body: object, code: str) -> None:
    request, key = asked(world)
    node = world.nodes["VASP-LT"]
    with pytest.raises(Refused) as refused:
        step(node.case(key), Heard("a", "NCB-ES", kind, request, body, ("Ana", "Ben")), START, node.rules)
    assert refused.value.code == code


def test_r22_r56_an_extension_needs_two_persons_and_our_own_officers(world: World) -> None:
    request, key = asked(world)
    node = world.nodes["VASP-LT"]
    wish = Extend(BASIS, START + timedelta(days=9), PAPER)
    with pytest.raises(Refused, match="R-22"):
        step(node.case(key), Heard("a", "NCB-ES", "Extend", request, wish, ("Ana", "Ana")), START, node.rules)
    said = [e.kind for e in step(node.case(key), Heard("a", "NCB-ES", "Extend", request, wish, ("Ana", "Ben")), START,
                                 node.rules)]
    assert said == ["Extend", "Drafted", "Escalated"]


def test_r54_only_who_instructs_an_institution_instructs_it(world: World) -> None:
    request, _ = asked(world)
    mine = world.nodes["NCB-ES"].case("loss")
    body = replace(mine.request(request).body, instructs="r9", until=START + timedelta(days=9))
    heard = Heard("a", "NCB-ES", "Request", "r8", body, ("Ana", "Ben"), None, None, mine.loss_of(body), START)
    node = world.nodes["VASP-LT"]
    with pytest.raises(Refused, match="R-54"):
        step(node.case("request:r8"), heard, START, node.rules)


def test_r14_the_return_account_of_a_loss_is_stated_once(world: World) -> None:
    request, key = asked(world)
    mine = world.nodes["NCB-ES"].case("loss")
    body = replace(mine.request(request).body, source=Source("payment", "1", None, ()))
    other = replace(mine.loss_of(body), return_account="cd" * 32)
    node = world.nodes["VASP-LT"]
    heard = Heard("a", "NCB-ES", "Request", "r8", body, ("Ana", "Ben"), None, None, other, START)
    with pytest.raises(Refused, match="R-14"):
        step(node.case(key), heard, START, node.rules)


def test_r27_a_withdrawal_that_overtakes_its_request_is_found_by_it(world: World) -> None:
    world.nodes["VASP-LT"].routes["r7"] = "request:r7"
    world.nodes["NCB-ES"].routes["r7"] = "loss"
    body = _body(world)
    mine = world.nodes["NCB-ES"].case("loss")
    early = Heard("a1", "NCB-ES", "Withdraw", "r7", Withdraw("wrong"), ("Ana",))
    late = Heard("a0", "NCB-ES", "Request", "r7", body, ("Ana", "Ben"), None, None, mine.loss_of(body),
                 START + timedelta(hours=9))
    for heard in (early, late):
        world.give("VASP-LT", "request:r7", heard)
    found = world.nodes["VASP-LT"].case("request:r7").request("r7")
    assert (found.wish, found.answer, found.hold) == ("withdrawn", "ended", None)


def _body(world: World):
    request, _ = asked(world)
    return world.nodes["NCB-ES"].case("loss").request(request).body


def test_r21_r62_what_is_told_names_no_coin_and_the_request_says_what_to_find(world: World) -> None:
    """A book holds the account's turnover: it is never told. A request names account, credit and source."""
    request, key = asked(world)
    body = world.nodes["NCB-ES"].case("loss").request(request).body
    assert (body.ask, body.account, body.credit.references, body.source.kind) == (Ask.HOLD, LT, ("P1",), "payment")
    case = world.nodes["VASP-LT"].case(key)
    assert case.books[request].coins.count == 900
    assert world.nodes["NCB-ES"].case("loss").books == {}


def test_r80_a_case_closes_when_every_unit_is_accounted_for(world: World) -> None:
    request, _ = asked(world)
    with pytest.raises(Refused, match="R-80"):
        world.officer("NCB-ES", "close", Resolved("returned"))
    world.officer("NCB-ES", "withdraw", Withdraw("wrong"), request, by=("Ana",))
    world.officer("NCB-ES", "close", Resolved("returned"))
    with pytest.raises(Conflict, match="R-80"):
        world.officer("NCB-ES", "withdraw", Withdraw("wrong"), request, by=("Ana",))


@pytest.mark.parametrize(("of", "claim"), [("5000000.00 EUR", "0.01 EUR"), ("10.00 EUR", "0.00 EUR"),
                                          ("0.00 EUR", "10.00 EUR"), ("99999999999999999999.00 EUR",) * 2])
def test_r10_what_is_asked_counts_for_what_is_asked(world: World, of: str, claim: str) -> None:
    """R-10, R-15, R-17: mandates and policies cap the claim, so it cannot be smaller than what is held."""
    request, key = asked(world)
    body = world.nodes["VASP-LT"].case(key).request(request).body
    check_amounts(body)
    with pytest.raises(Refused, match="R-10"):
        check_amounts(replace(body, asked=amount(of), claim=amount(claim)))


def test_r10_who_asks_too_much_at_once_is_told_before_anything_leaves() -> None:
    world, ether = World(), "12.00 eip155:1/slip44:60"
    world.join(NCB_ES, VASP_LT)
    world.report("NCB-ES", payment(ether, LT, "P1"))
    with pytest.raises(Refused, match=r"R-10 12.0+ .* ask in several"):
        world.ask("NCB-ES", ether, LT)


def test_r32_a_leg_whose_account_cannot_be_read_is_an_officers(world: World) -> None:
    """R-32, R-53: a fact is never refused for what it says."""
    request, _ = asked(world)
    nine = amount("9.00 EUR")
    leg = Leg("leg-1", request, nine, nine, nine, START, "x", "till 4, ground floor")
    fact = LegsStated((leg,), Terms(nine, moved_on=900), 1)
    world.give("NCB-ES", "loss", Heard("a9", "VASP-LT", "MovedOn", request, fact))
    assert f"leg {leg.id}" in world.nodes["NCB-ES"].case("loss").escalated


def test_r11_terms_of_another_amount_are_no_terms_of_this_request(world: World) -> None:
    """R-11, R-16: a holder cannot state a million gone of what was nine."""
    request, _ = asked(world)
    lie = LegsStated((), Terms(amount("1000000.00 EUR"), moved_on=100000000), 1)
    with pytest.raises(Malformed, match="R-11"):
        world.give("NCB-ES", "loss", Heard("a9", "VASP-LT", "MovedOn", request, lie))


def test_r30_r54_what_was_decided_before_the_core_looked_ends_where_no_such_money_is() -> None:
    """An instruction that carries the decision is accepted before its account is looked up: nothing is there."""
    world = World()
    world.join(NCB_ES, NCB_PT, BANK_PT, policies={"NCB-PT": replace(OPEN, instant_from=())})
    world.core("BANK-PT").book(PT, "+9.00 EUR", "another", other=ES, at=START)
    world.report("NCB-ES", payment("9.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "9.00 EUR", PT)
    world.officer("NCB-PT", "decide", ACCEPTED, request, by=("Rui", "Zoe"))
    assert [(r.answer, r.reason) for r in world.requests("BANK-PT")] == [("ended", Reason.NO_MATCHING_CREDIT)]
    assert world.nodes["NCB-ES"].case("loss").request(request).answer == "ended"
