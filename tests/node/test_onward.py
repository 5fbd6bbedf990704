"""What a node learns from its own requests, whom it would ask next and why, and that this decides the order in which it
pursues legs (R-53). Case by case as an officer may know it (R-92)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.account import institution_of
from arrp.core.answers import Capabilities, Reach
from arrp.core.errors import NotFound
from arrp.core.events import Event, Restricted
from arrp.core.facts import Answered, LegsStated
from arrp.core.mandate import Mandate
from arrp.core.report import Party
from arrp.core.request import Leg, Reason, Terms
from arrp.node.api import desk_app
from arrp.node.callers import Caller, owner
from arrp.node.experience import Experience
from arrp.node.onward import PAPER_MINUTES, onward_for
from arrp.node.standing import Standing, draft_standing
from arrp.trace.learned import Answering, Counted, Learned, Stage, Staying
from arrp.trace.onward import OFFICER_MINUTES
from tests.cli.running import at_node, ok
from tests.conftest import ABOVE_THE_STORE
from tests.node.test_paper import DE, NCB_DE, listed
from tests.node.world import ES, LT, PT, START, World, amount, bank_scene, payment, restarted

PT_2 = "payto://iban/PT41000201231234567810000"
FR = "payto://iban/FR1420041010050500013M02606"
AT_PT, AT_LT = institution_of(PT), institution_of(LT)
PORTO, VILNIUS = Stage(AT_PT, "EUR", "BEC"), Stage(AT_LT, "EUR", "BEC")
ANA = owner("", "Ana")


def onward(world: World, case: str, caller: Caller = ANA) -> dict[str, Any]:
    return onward_for(world.service("NCB-ES"), caller, case)


def experience(world: World) -> Experience:
    service = world.service("NCB-ES")
    service.experience.read(service.node.store)
    return service.experience


def told_story(world: World) -> str:
    """The bank holds 62,000; 38,000 went on, 30 minutes before, to an exchange that holds it."""
    bank_scene(world)
    case = world.report(payment("100000.00 EUR", PT, "P1"))
    world.clock.at += timedelta(minutes=5)
    world.ask(case, "100000.00 EUR", PT)
    world.settle()
    return case


# --- learning --------------------------------------------------------------------------------------------------


@ABOVE_THE_STORE
def test_what_a_story_teaches_by_hand(world: World) -> None:
    """Both answered at once. At the bank the money had come an hour before the report: half an hour later a part left,
    after 65 minutes the rest was held; at the exchange it was held 35 minutes after it came."""
    told_story(world)
    learned = experience(world).learned
    assert learned.answers[()] == Counted(2, 0)
    assert learned.complied[AT_PT,] == learned.complied[AT_LT,] == (1, 1)
    assert learned.stays[AT_PT, "EUR", "BEC"] == Counted(1, (30 + 65) * 60)
    assert learned.stays[AT_LT, "EUR", "BEC"] == Counted(0, 35 * 60)
    assert learned.onward[AT_PT,] == {AT_LT: 1}
    assert (AT_LT,) not in learned.onward


@ABOVE_THE_STORE
def test_what_was_learned_is_the_same_after_a_start_and_page_by_page(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told_story(world)
    before = experience(world).learned
    assert before == experience(world).learned  # nothing is learned twice
    restarted(world, "NCB-ES")
    monkeypatch.setattr("arrp.node.experience.PAGE", 3)
    again, store = Experience("NCB-ES"), world.service("NCB-ES").node.store
    assert not again.read(store, 1)
    assert again.learned != before
    assert again.read(store, 1000)
    assert again.learned == before


@ABOVE_THE_STORE
def test_no_account_no_name_and_no_id_is_in_what_was_learned(world: World) -> None:
    case = told_story(world)
    kept = repr(experience(world).learned)
    for private in (PT, LT, ES, "Trading", "Victim", "P1", "P2", case, "NCB-PT", "Ana"):
        assert private not in kept


@ABOVE_THE_STORE
def test_only_requests_of_our_own_teach(world: World) -> None:
    """The bank was asked and asked nobody."""
    told_story(world)
    service = world.service("BANK-PT")
    service.experience.read(service.node.store)
    assert service.experience.learned == Learned()
    assert service.experience.so_far(world.clock.at + timedelta(days=9)) == Learned()


@ABOVE_THE_STORE
def test_silence_tells_how_long_answers_take_and_in_the_end_that_none_comes(world: World) -> None:
    bank_scene(world)
    case = world.report(payment("100000.00 EUR", PT, "P1"))
    world.stop("NCB-PT")
    world.ask(case, "100000.00 EUR", PT)
    world.settle()
    found = experience(world)
    assert found.learned == Learned()
    waiting = found.so_far(world.clock.at + timedelta(minutes=40))
    assert waiting.answers[AT_PT,] == Counted(0, 40 * 60)
    assert waiting.complied == {}
    over = found.so_far(world.clock.at + timedelta(days=9))
    assert over.answers[AT_PT,] == Counted(0, 72 * 3600)  # until its last day
    assert over.complied[AT_PT,] == (0, 1)


def heard(kind: str, body: Any, me: str = "NCB-PT") -> Event:
    return Event(kind, me, START + timedelta(minutes=20), "r1", "", body)


@pytest.mark.parametrize(("reason", "complied"), [
    (Reason.CIVIL_DISPUTE, False), (Reason.LEGL, False), (Reason.AM04, True), (Reason.NO_MATCHING_CREDIT, True),
])
@ABOVE_THE_STORE
def test_a_no_for_want_of_money_is_no_unwillingness(world: World, reason: Reason, complied: bool) -> None:
    told_story(world)
    ours = next(event for event in world.log("NCB-ES") if event.kind == "Request")
    found = Experience("NCB-ES")
    asked = amount("100000.00 EUR")
    refused = Answered(Terms(asked, let_go=asked.minor), reason=reason)
    seen = [one for event in (replace(ours, request="r1"), heard("RequestSeen", Answered(Terms.unanswered(asked))),
                              heard("RequestRefused", refused), heard("RequestRefused", refused))
            for one in found._taught("c", event)]
    assert [one.complied for one in seen if isinstance(one, Answering)] == [complied]


@ABOVE_THE_STORE
def test_legs_are_learned_once_and_their_dates_are_not_believed_beyond_today(world: World) -> None:
    told_story(world)
    ours = next(event for event in world.log("NCB-ES") if event.kind == "Request")
    found, asked = Experience("NCB-ES"), amount("100000.00 EUR")
    leg = Leg("l1", "r1", asked, asked, asked, START + timedelta(days=90_000), account="till 4", institution="")
    cash = replace(leg, id="l2", at=START, ends="cash")
    body = LegsStated((leg,), Terms(asked, moved_on=asked.minor), 1)
    seen = [one for event in (replace(ours, request="r1"), heard("MovedOn", body),
                              heard("MovedOn", replace(body, legs=(leg, cash))), heard("MovedOn", body, "NCB-ES"))
            for one in found._taught("c", event) if isinstance(one, Staying)]
    assert [(one.until - START, one.to) for one in seen] == [(timedelta(minutes=20), None), (timedelta(0), "")]


# --- whom to ask -----------------------------------------------------------------------------------------------


@ABOVE_THE_STORE
def test_before_anybody_was_asked_the_payment_is_where_to_begin(world: World) -> None:
    case = world.report(payment("100000.00 EUR", PT, "P1"))
    (choice,) = onward(world, case)["choices"]
    assert (choice["institution"], choice["whom"], choice["ask"]) == (AT_PT, "NCB-PT", "hold")
    (request,) = choice["requests"]
    assert (request["source"], request["ref"], request["amount"]) == ("payment", "0", "100000.00 EUR")
    assert request["against"] == []
    assert choice["minutes"] == OFFICER_MINUTES
    assert choice["said"][0].startswith("100000.00 EUR x 0.")
    assert "assumed" in choice["said"][0]


@ABOVE_THE_STORE
def test_a_later_case_knows_where_the_money_is_likely_to_go(world: World) -> None:
    told_story(world)
    world.stop("NCB-PT")  # nobody answers this one
    case = world.report(payment("5000.00 EUR", PT_2, "P9"), loss="L2")
    world.ask(case, "5000.00 EUR", PT_2)
    found = onward(world, case)
    assert [row["amount"] for row in found["asked"]] == ["5000.00 EUR"]
    (choice,) = found["choices"]
    assert (choice["institution"], choice["whom"], choice["ask"]) == (AT_LT, "VASP-LT", "arm")
    assert f"last seen at {AT_PT}" in choice["said"][0]
    assert choice["against"] == [
        "nobody stated that money came there: only an arm would reach it",
        "its entry in the directory does not say that it can hold on arrival",
        "no mandate allows to arm: two officers sign it (R-15)"]
    assert choice["requests"] == []


@ABOVE_THE_STORE
def test_who_can_hold_on_arrival_is_in_the_plan(world: World) -> None:
    """The payment is asked for nowhere yet: beside the bank, the exchange where such money went before is armed."""
    told_story(world)
    case = world.report(payment("5000.00 EUR", PT_2, "P9"), loss="L2")
    assert [row["ask"] for row in onward(world, case)["choices"]] == ["hold", "arm"]
    service = world.service("NCB-ES")
    rules = service.node.rules
    vasp = replace(rules.participants["VASP-LT"], can=Capabilities(Reach.AMOUNT, True, False, 5, False, True, True))
    service.node = replace(service.node, rules=replace(
        rules, participants={**rules.participants, "VASP-LT": vasp}))
    armed, held = onward(world, case)["choices"]
    assert (armed["ask"], held["ask"]) == ("arm", "hold")
    assert "that other requests leave" in " ".join(held["said"])
    assert armed["against"][1:] == ["no mandate allows to arm: two officers sign it (R-15)"]


@ABOVE_THE_STORE
def test_a_leg_that_no_mandate_covers_is_shown_with_what_stands_against_it(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(world, monkeypatch, "1000.00 EUR")
    case = told_story(world)
    choice = next(one for one in onward(world, case)["choices"] if one["ask"] == "hold")
    assert (choice["institution"], choice["whom"]) == (AT_LT, "VASP-LT")
    (request,) = choice["requests"]
    assert (request["source"], request["amount"]) == ("leg", "38000.00 EUR")
    assert any("does not cover hold of 38000.00 EUR in LT" in why for why in request["against"])


@ABOVE_THE_STORE
def test_paper_costs_more_and_nobody_is_said_to_be_nobody(world: World) -> None:
    listed(world, NCB_DE)
    case = world.report(payment("900.00 EUR", DE, "P1"), payment("900.00 EUR", FR, "P2"))
    paper, nobody = onward(world, case)["choices"]
    assert (paper["whom"], paper["minutes"]) == ("NCB-DE", PAPER_MINUTES)
    assert any("it goes on paper" in why for why in paper["requests"][0]["against"])
    assert nobody["whom"] is None
    assert "nobody in the directory answers" in nobody["requests"][0]["against"][0]


@ABOVE_THE_STORE
def test_r92_who_may_not_know_a_case_is_told_that_it_is_not_there(world: World) -> None:
    case = world.report(payment("900.00 EUR", PT, "P1"))
    world.officer("NCB-ES", "restrict", Restricted(("Ana",)), case=case, by=("Ana",))
    assert onward(world, case)["choices"]
    for who in (owner("", "Ben"), owner("", "")):
        with pytest.raises(NotFound, match=f"there is no case {case}"):
            onward(world, case, who)


@ABOVE_THE_STORE
def test_looking_writes_down_who_looked_and_changes_nothing(world: World) -> None:
    case = told_story(world)
    before = world.log("NCB-ES")
    assert onward(world, case) == onward(world, case)
    assert world.log("NCB-ES") == before


@ABOVE_THE_STORE
def test_an_officer_reads_it_line_by_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(world, monkeypatch, "1000.00 EUR")
    case = told_story(world)
    service = world.service("NCB-ES")
    at_node(monkeypatch, desk_app(service, None, owner))
    said = ok("case", "onward", case, "--home", world.folder, "--officer", "Ana")
    assert f"1. hold: VASP-LT for {AT_LT}, " in said
    assert "38000.00 EUR x 0." in said
    assert "of 1 anywhere" in said
    assert "  against: R-15 the mandate does not cover" in said
    assert "officer minutes" in said


# --- the order of pursuit --------------------------------------------------------------------------------------


def narrow(world: World, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    """The standing mandate of the requesting bureau is for no more than that, over all."""
    plain: Callable[[Any], Standing] = world._standing

    def standing(member: Any) -> Standing:
        if member.id != "NCB-ES":
            return plain(member)
        mandate = Mandate(None, amount(most), amount(most), 9, (), ("hold",), (), START - timedelta(days=1),
                          START + timedelta(days=90))
        found = draft_standing(member.id, mandate, "1" * 32, b"1" * 16)
        for name in member.officers:
            found = found.signed(world.signature(member.id, name, found.act_hash))
        return found

    monkeypatch.setattr(world, "_standing", standing)
    restarted(world, "NCB-ES")


def pursued(world: World) -> list[str]:
    return [event.body.institution for event in world.log("NCB-ES")
            if event.kind == "Request" and event.by == "NCB-ES" and event.body.pursues]


def two_legs(world: World) -> None:
    """40,000 went to another account of the bank, 38,000 to the exchange; the mandate covers one of the two."""
    bank_scene(world)
    bank = world.core("BANK-PT")
    bank.open_account(Account("pt-2", PT_2, "Other Lda", "EUR"))
    bank.book(Order("P3", amount("40000.00 EUR"), Party("Trading Lda", PT), Party("Other Lda", PT_2)),
              START - timedelta(minutes=30))
    world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.settle()


@ABOVE_THE_STORE
def test_r53_with_nothing_learned_the_largest_leg_is_pursued_first(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(world, monkeypatch, "50000.00 EUR")
    two_legs(world)
    assert pursued(world) == [AT_PT]


@ABOVE_THE_STORE
def test_r53_what_was_learned_decides_which_leg_is_pursued(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank in Porto mostly said no: the smaller leg is worth more."""
    narrow(world, monkeypatch, "50000.00 EUR")
    refused = [Answering(PORTO, START, START + timedelta(hours=9), True, False)] * 9
    quick = [Answering(VILNIUS, START, START + timedelta(minutes=5), True, True)] * 9
    world.service("NCB-ES").experience.learned = Learned().add_all([*refused, *quick])
    two_legs(world)
    assert pursued(world) == [AT_LT]
