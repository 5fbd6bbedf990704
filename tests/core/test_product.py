"""Every state × every kind (R-30, R-31, R-32, I10): an owner moves along its table or is refused; a mirror
adopts the state that is stated, marks a jump, and no fact in any state is ever refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from arrp.core.case import _FOLDS, Case, apply
from arrp.core.changes import ANSWERS, CHANGES
from arrp.core.errors import Conflict, Refused
from arrp.core.events import (
    ANSWER_FACTS,
    HOLD_FACTS,
    KINDS,
    RETURN_FACTS,
    Answered,
    Credited,
    Event,
    GiveMore,
    HoldStated,
    LegsStated,
    Objection,
    ObjectionStated,
    ReturnStated,
)
from arrp.core.hold import HOLD, Hold
from arrp.core.mandate import LossAct
from arrp.core.money import Amount
from arrp.core.policy import Policy, Rules
from arrp.core.protocol import next_due, step
from arrp.core.request import ANSWER, WISH, Ask, Asked, Credit, Leg, Request, Source, Terms
from arrp.core.step import Heard, Receipted, Step, Tick
from tests.stories.plain import LAW, LT, NCB_ES, NCB_PT, START, VASP_LT

EUR = Amount(100, "EUR")
NOTHING = Amount(0, "EUR")
BODY = Asked(ask=Ask.HOLD, institution="LT12100", asked=EUR, claim=EUR, source=Source("payment", "0", None, ()),
             credit=Credit(amount=EUR), loss="L1", stated_by="NCB-ES", crime="BEC", account=LT, mandate_act="m")
WHO = {who.id: who for who in (NCB_ES, NCB_PT, VASP_LT)}
POLICY = Policy(("@authority",), (), "EUR", 1000, 1000, 1000, 1000, True, "pt-1")


def rules(me: str) -> Rules:
    return Rules(WHO[me], WHO, {"pt-1": LAW}, POLICY)


def hold(state: str, id: str = "h1") -> Hold:
    over = state in HOLD.ends
    amount = NOTHING if over or state == "placing" else EUR
    wanted = NOTHING if over or state == "ending" else EUR
    decided = state not in ("placing", "provisional")
    return Hold(id, "r1", "VASP-LT", state, amount, amount, wanted, wanted, decided, None,
                placed_at=START, keep_by=START + timedelta(hours=1), decide_by=START + timedelta(hours=24),
                until=START + timedelta(hours=72), review_at=START + timedelta(days=30),
                ended_at=START if over else None)


def case(side: str, *, wish: str = "delivered", answer: str = "received", held: Hold | None = None) -> Case:
    me, peer = ("NCB-ES", "VASP-LT") if side == "requesting" else ("VASP-LT", "NCB-ES")
    request = Request("r1", side, peer, BODY, START, START + timedelta(hours=72), wish, answer, Terms.unanswered(EUR),
                      hold=held)
    act = LossAct("L1", "NCB-ES", EUR, (), "ab")
    losses = {("NCB-ES", "L1"): ("l", act)}
    return Case(me, "c1", loss="L1", stated_by="NCB-ES", losses=losses, requests={"r1": request})


def stated(kind: str) -> list[Any]:
    """Bodies of a fact: for a hold, one for every state its owner may say it leads to."""
    terms = Terms.unanswered(EUR)
    if kind in ANSWER_FACTS:
        return [Answered(terms)]
    if kind in HOLD_FACTS:
        return [HoldStated(hold(to), terms) for to in {to for (_, said), to in HOLD.moves.items() if said == kind}]
    if kind in RETURN_FACTS:
        return [ReturnStated("t1", hold("confirmed"), terms, EUR, EUR, None, "consent")]
    raised = Objection("o1", "h1", "GOOD_FAITH", START, None, "raised", None)
    leg = Leg("l1", "r1", EUR, EUR, EUR, START, ends="cash")
    return [{"MovedOn": LegsStated((leg,), terms, 1), "ObjectionRaised": ObjectionStated(raised),
             "ObjectionDecided": ObjectionStated(replace(raised, state="rejected")),
             "MoreGiven": GiveMore(()), "MoneyReturned": Credited("t1", EUR)}[kind]]


FACTS = sorted(kind for kind, row in KINDS.items() if row.writer in ("requested", "requesting") and not row.command
               and kind not in ("Mandate", "Loss"))
SAID = sorted(kind for kind in FACTS if KINDS[kind].writer == "requested")
HOLDS: list[str | None] = [None, *sorted(HOLD.states)]


def test_every_kind_has_a_fold() -> None:
    """R-60: a kind nobody folds is known to change nothing."""
    silent = {"Extend", "Secure", "Return", "Object", "DecideObjection", "Release", "MoreGiven", "ActRefused",
              "Mandate", "Loss"}
    assert set(KINDS) == set(CHANGES) | set(_FOLDS) | silent


@pytest.mark.parametrize("kind", SAID)
def test_r32_a_mirror_adopts_what_its_owner_says_in_any_state(kind: str) -> None:
    for wish, answer, before, body in product(WISH.states, ANSWER.states, HOLDS, stated(kind)):
        mine = case("requesting", wish=wish, answer=answer, held=hold(before) if before else None)
        heard = Heard("a1", "VASP-LT", kind, "r1", body)
        after = mine
        for event in step(mine, heard, START + timedelta(hours=2), rules("NCB-ES")):
            after = apply(after, event)
        request = after.requests["r1"]
        jumped = "jump" in after.anomalies
        if kind in ANSWERS:
            assert request.answer == ANSWERS[kind]
            known = "received" if answer == "none" else answer
            assert jumped == (ANSWER.moves.get((known, kind)) != ANSWERS[kind])
        elif kind in (*HOLD_FACTS, *RETURN_FACTS):
            assert request.hold == body.hold
            assert jumped == (HOLD.moves.get((before or "placing", kind)) != body.hold.state)
        else:
            assert not jumped
        assert request.terms.asked == EUR


@pytest.mark.parametrize("kind", sorted(set(FACTS) - set(SAID)))
def test_r32_the_requested_side_writes_down_every_fact_of_the_requester(kind: str) -> None:
    for wish, answer, before in product(WISH.states, ANSWER.states, HOLDS):
        mine = case("requested", wish=wish, answer=answer, held=hold(before) if before else None)
        events = step(mine, Heard("a1", "NCB-ES", kind, "r1", stated(kind)[0]), START, rules("VASP-LT"))
        assert events[0].kind == kind or events[0].kind == "Anomaly"


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_r31_i10_an_owner_answers_only_along_the_table(kind: str) -> None:
    for answer in ANSWER.states:
        taken = Step(case("requested", answer=answer), "x", START, rules("VASP-LT"))
        said = Event(kind, "VASP-LT", START, "r1", "x", Answered(Terms.unanswered(EUR)))
        if (answer, kind) in ANSWER.moves:
            taken.add(said)
            assert taken.case.requests["r1"].answer == ANSWER.moves[answer, kind]
        else:
            with pytest.raises(Conflict, match="R-30"):
                taken.add(said)


@pytest.mark.parametrize("kind", [*HOLD_FACTS, *RETURN_FACTS])
def test_r31_i10_an_owner_moves_a_hold_only_along_the_table(kind: str) -> None:
    for before in HOLD.states:
        taken = Step(case("requested", answer="accepted", held=hold(before)), "x", START, rules("VASP-LT"))
        to = HOLD.moves.get((before, kind))
        body = stated(kind)[0]
        if to is None:
            with pytest.raises(Conflict, match="R-30"):
                taken.tell(kind, body, taken.case.requests["r1"])
            with pytest.raises(Conflict, match="R-30"):
                hold(before).moved(kind)
        else:
            taken.tell(kind, replace(body, hold=hold(to)), taken.case.requests["r1"])
            assert taken.case.requests["r1"].hold.state == hold(before).moved(kind).state == to


def test_r31_a_wish_ends_once() -> None:
    for wish in WISH.states:
        taken = Step(case("requesting", wish=wish), "x", START, rules("NCB-ES"))
        withdrawn = Event("Withdraw", "NCB-ES", START, "r1", "x", None, to="VASP-LT")
        if (wish, "Withdraw") in WISH.moves:
            taken.add(withdrawn)
            assert taken.case.requests["r1"].wish == "withdrawn"
        else:
            with pytest.raises(Conflict):
                taken.add(withdrawn)


@pytest.mark.parametrize("kind", FACTS)
def test_r24_nobody_says_what_is_the_other_sides_to_say(kind: str) -> None:
    wrong = "requested" if KINDS[kind].writer == "requesting" else "requesting"
    taken = Step(case(wrong), "x", START, rules("VASP-LT" if wrong == "requested" else "NCB-ES"))
    with pytest.raises(Refused, match="R-24"):
        taken.tell(kind, stated(kind)[0], taken.case.requests["r1"])
    here, sender = ("NCB-ES", "NCB-PT") if wrong == "requested" else ("VASP-LT", "NCB-PT")
    with pytest.raises(Refused, match="R-24"):
        step(case("requesting" if here == "NCB-ES" else "requested"), Heard("a", sender, kind, "r1", stated(kind)[0]),
             START, rules(here))


def test_a_tick_and_a_receipt_are_never_refused_in_any_state() -> None:
    """R-02, R-42: whatever stands there, time passes; and a tick that came leaves no tick to come now."""
    late = START + timedelta(hours=73)
    for side, wish, answer, before in product(("requesting", "requested"), WISH.states, ANSWER.states, HOLDS):
        if side == "requested" and answer == "none":
            continue  # a request is `received` in the commit in which it comes
        mine = case(side, wish=wish, answer=answer, held=hold(before) if before else None)
        me = rules(mine.me)
        after = mine
        for event in step(mine, Tick("t1"), late, me):
            after = apply(after, event)
        due = next_due(after, me)
        assert due is None or due > late, f"{side} {wish} {answer} {before}: the tick of {due} changed nothing"
        step(mine, Receipted("x", "a", "", "Request", "r1", "applied", None, None), late, me)
        step(mine, Receipted("x", "a", "", "Keep", "r1", "refused", "late", "late"), late, me)
