"""What one event changes about one request. Every fact is whole, so most changes are replacements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from arrp.core.by_hand import PAPER, is_unsigned
from arrp.core.events import HOLD_FACTS, KINDS, RETURN_FACTS, Event, Intent, Verb
from arrp.core.hold import Hold
from arrp.core.mandate import SECOND_WITHIN
from arrp.core.money import Amount
from arrp.core.request import WISH, Request, Terms

Change = Callable[[Request, Event], Request]

# The state of the answer that each of its facts states; `RequestStands` states none.
ANSWERS = {
    "RequestReceived": "received", "RequestSeen": "seen", "RequestAccepted": "accepted", "MoreAsked": "more_asked",
    "RequestAcceptedOnCondition": "conditional", "RequestRefused": "refused", "RequestEnded": "ended",
}  # fmt: skip


def second_by(event: Event) -> datetime | None:
    """R-94: until when a second officer signs a request that left under a mandate with one signature, and until when it
    may be applied; None for any other act."""
    if event.kind != "Request" or len(event.officers) != 1 or event.body.mandate_act is None or event.body.instructs:
        return None
    return min(event.at + SECOND_WITHIN, event.not_after or event.at + SECOND_WITHIN)


def begun(me: str, event: Event, *, withdrawn: bool) -> Request:
    """The request as its own act begins it; `withdrawn` when a withdrawal overtook it (R-27)."""
    side = "requesting" if event.by == me else "requested"
    body = event.body
    return Request(
        id=event.request or "", side=side, peer=event.to if side == "requesting" else event.by, body=body,
        at=event.at, not_after=event.not_after, wish="withdrawn" if withdrawn else "sent", answer="none",
        terms=Terms.unanswered(body.asked), keep=body.keep, by_officers=event.officers,
        until=body.until if body.instructs else None, act_hash=event.act_hash, second_by=second_by(event),
    )  # fmt: skip


def _answer(request: Request, event: Event) -> Request:
    said = event.body
    ended = event.kind == "RequestEnded" and request.wish not in WISH.ends
    on_condition = event.kind == "RequestAcceptedOnCondition"
    return replace(
        request, answer=ANSWERS.get(event.kind, request.answer), terms=said.terms,
        answer_at=request.answer_at or event.at, reason=said.reason or request.reason,
        condition=said.condition if on_condition else request.condition, basis=said.basis or request.basis,
        restrained_by=said.restrained_by or request.restrained_by, wish="ended" if ended else request.wish,
    )  # fmt: skip


def _hold(request: Request, event: Event) -> Request:
    return replace(request, hold=event.body.hold, terms=event.body.terms, answer_at=request.answer_at or event.at)


def _moved_on(request: Request, event: Event) -> Request:
    known = () if event.act_hash == PAPER else request.legs  # legs only grow, unless a letter was typed wrongly
    legs = {leg.id: leg for leg in (*known, *event.body.legs)}
    return replace(request, legs=tuple(legs.values()), terms=event.body.terms, answer_at=request.answer_at or event.at)


def _returned(request: Request, event: Event) -> Request:
    return replace(request, hold=event.body.hold, terms=event.body.terms)


def _decide(request: Request, event: Event) -> Request:
    said = event.body
    return replace(request, by_officers=(*request.by_officers, *event.officers), until=said.until,
                   basis=said.basis or request.basis)


def _approved(request: Request, event: Event) -> Request:
    return replace(request, by_officers=(*request.by_officers, event.body.approval.officer), second_by=None)


def _keep(request: Request, event: Event) -> Request:
    return replace(request, keep=event.body.amount, rest_free=event.body.rest_free)


def _delivered(request: Request, event: Event) -> Request:
    """A receipt is all we hear of `received`; it may come after our withdrawal."""
    wish = "delivered" if request.wish in ("sent", "sent_by_hand") else request.wish
    return replace(request, wish=wish, answer="received" if request.answer == "none" else request.answer)


def _intended(request: Request, event: Event) -> Request:
    """The hold begins with the intent to place it: from here it is `placing`."""
    intent: Intent = event.body
    hold = request.hold
    if intent.verb not in (Verb.HOLD, Verb.STOP) or (hold is not None and not hold.may_begin_again):
        return request
    zero = Amount(0, request.body.asked.asset)
    return replace(request, hold=Hold(
        id=intent.block, request=request.id, holder=event.by, state="placing", amount=zero,
        claim=Amount(0, request.body.claim.asset), wanted=Amount(intent.amount, zero.asset), kept=None, decided=False,
        basis=None,
    ))  # fmt: skip


CHANGES: dict[str, Change] = {
    **dict.fromkeys((*ANSWERS, "RequestStands"), _answer),
    **dict.fromkeys(HOLD_FACTS, _hold),
    **dict.fromkeys(RETURN_FACTS, _returned),
    "MovedOn": _moved_on,
    "Decide": _decide,
    "Approved": _approved,
    "Keep": _keep,
    "Withdraw": lambda request, _: replace(request, wish="withdrawn"),
    "RequestDelivered": _delivered,
    "SentByHand": lambda request, _: replace(request, wish="sent_by_hand" if request.wish == "sent" else request.wish),
    "AnsweredByHand": _delivered,
    "Intended": _intended,
}


def changed(request: Request, event: Event) -> Request:
    """The request after an event about it, marked where nobody's node signed what is known (R-97). A signed
    word takes the mark away; one about the answer alone does not while a hold is known from paper."""
    after = CHANGES[event.kind](request, event)
    if request.side != "requesting" or event.by != request.peer or KINDS[event.kind].writer != "requested":
        return after
    about_money = event.kind in (*HOLD_FACTS, *RETURN_FACTS, "MovedOn") or after.hold is None
    unsigned = is_unsigned(event) or (request.unsigned and not about_money)
    return after if unsigned == after.unsigned else replace(after, unsigned=unsigned)
