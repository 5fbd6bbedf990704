"""Stories with a country that has no node (R-18, R-95 to R-97): officers send paper and type what comes back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.by_hand import PAPER, AnsweredByHand, SentByHand, ToldLeg, Way
from arrp.core.deadline import Basis
from arrp.core.errors import Conflict, Malformed, Refused
from arrp.core.events import Credited, Resolved, Withdraw
from arrp.core.request import Document, Request, Terms
from arrp.core.sums import money
from tests.stories.plain import BANK_PT, DE, ES, LT, NCB_DE, NCB_ES, NCB_PT, PT, START, VASP_LT, World, amount, payment
from tests.stories.test_stories import world

__all__ = ["world"]

DE_ON_PAPER = replace(NCB_DE, channel="paper", officers=())
BANK_ON_PAPER = replace(BANK_PT, channel="paper", officers=())
LETTER = Document("ab" * 32, "letter", "application/pdf", 1000)
GERMAN = Basis("de-1", "DE", "section 1 (fictional)", "Bureau DE", "7 Js 1/26")
UNTIL = START + timedelta(days=3)


def case(world: World):
    return world.nodes["NCB-ES"].case("loss")


def mirror(world: World, request: str) -> Request:
    return case(world).request(request)


def typed(world: World, request: str, node: str = "NCB-ES", **said: Any) -> None:
    said = {"source": Way.I247, "document": LETTER, **said}
    world.officer(node, "answered-by-hand", AnsweredByHand(by="", **said), request)


def waiting(world: World, node: str = "NCB-ES", key: str = "loss") -> list[str]:
    escalated = world.nodes[node].case(key).escalated
    return sorted(what.removeprefix("post ") for what in escalated if what.startswith("post "))


def posted(world: World, request: str) -> None:
    for act in waiting(world):
        world.officer("NCB-ES", "sent-by-hand", SentByHand(act, Way.I247, "", "I-24/7 no. 4711"), request)


def asked(world: World, account: str = DE, text: str = "100000.00 EUR") -> str:
    world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT, DE_ON_PAPER)
    del world.nodes["NCB-DE"]
    world.report("NCB-ES", payment(text, account, "P1"))
    return world.ask("NCB-ES", text, account)


def test_a_country_with_nothing_but_mail(world: World) -> None:
    """R-18, R-95, R-96: request on paper, answer typed, one leg on to a country with a node, return, closed."""
    request = asked(world)
    assert (mirror(world, request).peer, mirror(world, request).wish) == ("NCB-DE", "sent")
    posted(world, request)
    assert (mirror(world, request).wish, mirror(world, request).answer) == ("sent_by_hand", "none")
    assert waiting(world) == []
    world.run(hours=1)
    typed(world, request)
    assert (mirror(world, request).wish, mirror(world, request).answer) == ("delivered", "received")
    world.core("VASP-LT").book(LT, "+38000.00 EUR", "P2", other=DE, at=START)
    leg = ToldLeg(amount=amount("38000.00 EUR"), at=START, ref="P2", account=LT, name="Trading Lda")
    typed(world, request, answer="accepted", held=amount("62000.00 EUR"), basis=GERMAN, until=UNTIL, legs=(leg,))
    mine = mirror(world, request)
    assert (mine.hold.state, mine.hold.until, mine.answer) == ("confirmed", UNTIL, "accepted")
    assert mine.terms == Terms(amount("100000.00 EUR"), held=6200000, moved_on=3800000)
    assert mine.unsigned
    assert len(case(world).requests) == 1, "what was told on paper is not pursued by the node alone"
    followed = follow(world, mine.legs[0].id)
    assert mirror(world, followed).hold.state == "provisional"
    assert not mirror(world, followed).unsigned
    assert money(case(world)).terms == {"held": amount("100000.00 EUR").minor}
    typed(world, request, returned=amount("62000.00 EUR"), reference="SEPA 77")
    assert (mirror(world, request).hold.state, mirror(world, request).terms.returned) == ("returned", 6200000)
    (back,) = case(world).returns_of(request)
    world.officer("NCB-ES", "credited", Credited(back.id, back.amount), request)
    world.officer("NCB-ES", "withdraw", Withdraw("no longer needed"), followed, by=("Ana",))
    typed(world, request, answer="ended", reason="LAPSED")
    assert money(case(world)).adds_up()
    world.officer("NCB-ES", "resolve", Resolved("partly returned"))
    world.officer("NCB-ES", "close", Resolved("partly returned"))
    assert case(world).anomalies == ()


def follow(world: World, leg: str) -> str:
    """An officer asks after a leg that paper told."""
    from_paper = case(world).leg(leg)
    known = set(case(world).requests)
    body = replace(
        mirror(world, from_paper.request).body, source=replace(mirror(world, from_paper.request).body.source,
                                                               kind="leg", ref=leg),
        asked=from_paper.amount, claim=from_paper.claim, account=from_paper.account, institution="",
    )  # fmt: skip
    world.officer("NCB-ES", "send", body)
    (new,) = set(case(world).requests) - known
    assert mirror(world, new).body.source.rests_on == PAPER
    return new


def test_paper_without_an_answer_escalates_like_a_silent_peer(world: World) -> None:
    """R-33, R-95: not sent, not answered: a person is called each time."""
    request = asked(world)
    world.run(minutes=3)
    assert f"deliver {request}" in case(world).escalated
    posted(world, request)
    world.run(hours=73)
    assert {f"see {request}", f"answer {request}"} <= case(world).escalated


def test_a_bank_on_paper_behind_an_authority_with_a_node(world: World) -> None:
    """R-54, R-97: the bureau types what its bank wrote; abroad it is shown as resting on paper."""
    world.join(NCB_ES, NCB_PT, BANK_ON_PAPER, VASP_LT)
    del world.nodes["BANK-PT"]
    world.report("NCB-ES", payment("100000.00 EUR", PT, "P1"))
    request = world.ask("NCB-ES", "100000.00 EUR", PT)
    key = world.nodes["NCB-PT"].routes[request]
    down = world.nodes["NCB-PT"].case(key).instruction_of(request)
    assert waiting(world, "NCB-PT", key) != []
    world.nodes["NCB-PT"].routes[down.id] = key
    leg = ToldLeg(amount=amount("10000.00 EUR"), at=START, ref="P2", account=LT)
    typed(world, down.id, "NCB-PT", held=amount("90000.00 EUR"), until=UNTIL, legs=(leg,), source=Way.MAIL)
    above = mirror(world, request)
    assert (above.hold.state, above.terms.held, above.unsigned) == ("provisional", 9000000, True)
    assert above.legs[0].onward == "ask"
    assert len(case(world).requests) == 1


def test_letters_are_corrected(world: World) -> None:
    """R-96: a later letter, or the same one read again, restates; what the table has no way for is marked."""
    request = asked(world)
    typed(world, request, held=amount("62000.00 EUR"), until=UNTIL)
    typed(world, request, held=amount("26000.00 EUR"))
    assert mirror(world, request).terms == Terms(amount("100000.00 EUR"), held=2600000, let_go=3600000, pending=3800000)
    typed(world, request, held=amount("62000.00 EUR"), legs=())
    assert mirror(world, request).terms == Terms(amount("100000.00 EUR"), held=6200000, pending=3800000)
    assert case(world).anomalies == ()
    typed(world, request, hold="released", reason="LEGL")
    assert mirror(world, request).terms == Terms(amount("100000.00 EUR"), let_go=6200000, pending=3800000)
    typed(world, request, hold="provisional", held=amount("62000.00 EUR"))
    assert (mirror(world, request).hold.state, mirror(world, request).terms.held) == ("provisional", 6200000)
    assert case(world).anomalies == ("jump",)


def test_a_leg_typed_wrongly_is_replaced(world: World) -> None:
    """R-96: legs of a letter are whole: the correction tells all of them."""
    request = asked(world)
    wrong = ToldLeg(amount=amount("3800.00 EUR"), at=START, ref="P2", account=LT)
    typed(world, request, legs=(wrong,))
    typed(world, request, legs=(replace(wrong, amount=amount("38000.00 EUR")),
                                ToldLeg(amount=amount("500.00 EUR"), at=START, ends="cash")))
    mine = mirror(world, request)
    assert [leg.amount for leg in mine.legs] == [amount("38000.00 EUR"), amount("500.00 EUR")]
    assert mine.terms == Terms(amount("100000.00 EUR"), moved_on=3800000, cashed_out=50000, pending=6150000)
    typed(world, request, answer="refused", reason="NO_MATCHING_CREDIT", legs=())
    assert mirror(world, request).terms == Terms(amount("100000.00 EUR"), not_found=10000000)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"held": amount("100000.01 EUR")}, "0.01 EUR more than the 100000.00 EUR asked"),
        ({"held": amount("10.00 USD")}, "the request is in EUR"),
        ({"answer": "refused", "reason": "BECAUSE"}, "BECAUSE is not a reason; there are AC04"),
        ({"answer": "maybe"}, "'maybe' is not one of accepted, conditional"),
        ({"answer": "conditional", "condition": "NICE"}, "NICE is not a condition; there are INDM"),
        ({"hold": "frozen"}, "'frozen' is not one of provisional, confirmed"),
        ({"legs": (ToldLeg(amount=amount("1.00 EUR"), at=START, ends="gone"),)}, "a leg ends in cash, fee"),
        ({"document": replace(LETTER, digest="letter.pdf")}, "known by its SHA-256"),
    ],
)
def test_what_no_letter_says_is_refused(said: dict[str, Any], why: str) -> None:
    """R-96: and nothing of it is written down."""
    world = World()
    request = asked(world)
    before = case(world)
    with pytest.raises(Malformed, match=why):
        typed(world, request, **said)
    assert case(world) == before


def test_nothing_is_typed_in_the_name_of_a_node() -> None:
    """R-96: a participant with a node says it itself; what came to us is answered, not typed; R-95: once."""
    world = World()
    request = asked(world)
    (act,) = waiting(world)
    with pytest.raises(Refused, match="not read out over the telephone"):
        world.officer("NCB-ES", "sent-by-hand", SentByHand(act, Way.TELEPHONE, "", ""), request)
    posted(world, request)
    with pytest.raises(Conflict, match="does not wait to be sent"):
        world.officer("NCB-ES", "sent-by-hand", SentByHand(act, Way.MAIL, "", ""), request)
    other = World()
    other.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT)
    other.core("VASP-LT").book(LT, "+5.00 EUR", "P1", other=ES, at=START)
    other.report("NCB-ES", payment("5.00 EUR", LT, "P1"))
    signed = other.ask("NCB-ES", "5.00 EUR", LT)
    with pytest.raises(Refused, match="VASP-LT has a node and says it itself"):
        typed(other, signed, held=amount("5.00 EUR"))
    with pytest.raises(Refused, match="ours to give, not to type"):
        typed(other, signed, "VASP-LT", held=amount("5.00 EUR"))


def test_without_an_authority_on_paper_nobody_is_asked() -> None:
    """R-18: whom the directory does not know is not written to."""
    world = World()
    world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT)
    world.report("NCB-ES", payment("100.00 EUR", DE, "P1"))
    with pytest.raises(Refused, match="nobody in the directory answers for DE37040044"):
        world.ask("NCB-ES", "100.00 EUR", DE)


PART = st.none() | st.integers(0, 120).map(lambda euros: amount(f"{euros}.00 EUR"))
LEGS = st.none() | st.lists(
    st.builds(ToldLeg, amount=st.integers(0, 60).map(lambda euros: amount(f"{euros}.00 EUR")), at=st.just(START),
              ends=st.sampled_from([None, "cash"]), ref=st.sampled_from(["a", "b"]), account=st.just(LT)), max_size=2,
).map(tuple)  # fmt: skip
SAID = st.fixed_dictionaries({
    "answer": st.sampled_from([None, "accepted", "more_asked", "refused", "ended"]), "reason": st.just("LEGL"),
    "hold": st.sampled_from([None, "provisional", "confirmed", "secured", "released", "lapsed", "returned",
                             "handed_over"]),
    "held": PART, "returned": PART, "not_found": PART, "legs": LEGS, "until": st.sampled_from([None, UNTIL]),
})


@settings(max_examples=150, deadline=None)
@given(st.lists(SAID, min_size=1, max_size=4))
def test_whatever_is_typed_the_money_adds_up(letters: list[dict[str, Any]]) -> None:
    """R-11, R-12, R-96: any letters in any order: both identities hold, and nothing signed is claimed."""
    world = World()
    request = asked(world, text="100.00 EUR")
    for said in letters:
        with suppress(Malformed):  # more than was asked
            typed(world, request, **said)
        mine = mirror(world, request)
        assert money(case(world)).adds_up()
        if mine.hold is not None:
            assert mine.unsigned
            kept = mine.terms.held + mine.terms.secured + mine.terms.stopped
            assert mine.hold.amount.minor == kept
