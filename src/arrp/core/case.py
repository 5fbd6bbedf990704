"""A case: the fold of its events. At a holder it is one account; elsewhere one loss.

Nothing here decides: `apply` writes down what an event says, `money` adds it up. Every fact carries
the whole hold and all terms of its request, so the fold is a series of replacements, and a case
folds to the same sums after its private halves are erased (R-60).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

from arrp.core.book import Book
from arrp.core.errors import NotFound
from arrp.core.events import (
    HOLD_FACTS,
    RETURN_FACTS,
    Approved,
    Draft,
    Event,
    Intent,
    Located,
    NamePayee,
    Objection,
    ReturnStated,
    Verb,
)
from arrp.core.hold import Hold
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import Approval
from arrp.core.money import Amount
from arrp.core.report import Report
from arrp.core.request import ANSWER, WISH, Leg, Request, Terms


@dataclass(frozen=True)
class Case:
    """Everything a node knows about one matter. `me` is the participant whose log this is."""

    me: str
    id: str
    state: str = "open"  # open | resolved | closed | joined
    version: int = 0
    loss: str = ""
    stated_by: str = ""
    title: str = ""
    secret: str = ""
    report: Report | None = None
    mandate: tuple[str, Mandate] | None = None
    losses: Mapping[str, tuple[str, LossAct]] = field(default_factory=dict)
    told: Mapping[str, datetime] = field(default_factory=dict)
    requests: Mapping[str, Request] = field(default_factory=dict)
    drafts: Mapping[str, Draft] = field(default_factory=dict)
    approvals: Mapping[str, tuple[Approval, ...]] = field(default_factory=dict)
    intents: Mapping[str, Intent] = field(default_factory=dict)
    located: Mapping[str, Located] = field(default_factory=dict)
    books: Mapping[str, Book] = field(default_factory=dict)
    objections: Mapping[str, tuple[str, Objection]] = field(default_factory=dict)
    payees: Mapping[str, NamePayee] = field(default_factory=dict)
    returns: Mapping[str, tuple[str, ReturnStated]] = field(default_factory=dict)
    escalated: frozenset[str] = frozenset()
    anomalies: tuple[str, ...] = ()
    last_act: Mapping[str, str] = field(default_factory=dict)  # request -> hash of the peer's newest act
    looked_at: datetime | None = None

    def request(self, id: str) -> Request:
        if id not in self.requests:
            raise NotFound(f"case {self.id} has no request {id}; it has {', '.join(self.requests) or 'none yet'}")
        return self.requests[id]

    @property
    def loss_act(self) -> tuple[str, LossAct] | None:
        """The loss act of this case's own loss; None at a holder, whose case is an account."""
        return self.losses.get(self.loss)

    @property
    def wishes(self) -> tuple[Request, ...]:
        """Requests of ours that pursue money; instructions are the same money and never counted."""
        return tuple(r for r in self.requests.values() if r.side == "requesting" and r.relation == "pursues")

    @property
    def standing(self) -> tuple[Request, ...]:
        """Requests to us that are open, in the order in which they came."""
        return tuple(r for r in self.requests.values() if r.side == "requested" and r.is_open)

    def instruction_of(self, request: str) -> Request | None:
        """Our instruction to a holder that executes `request`."""
        return next((r for r in self.requests.values() if r.body.instructs == request and r.side == "requesting"), None)

    def open_objection(self, hold: str) -> Objection | None:
        return next((o for _, o in self.objections.values() if o.hold == hold and o.state == "raised"), None)

    def leg(self, id: str) -> Leg:
        for request in self.requests.values():
            for leg in request.legs:
                if leg.id == id:
                    return leg
        raise NotFound(f"case {self.id} has no leg {id}")


Fold = Callable[[Case, Event], Case]


def fold(me: str, id: str, events: Iterable[Event]) -> Case:
    """The case as its events tell it."""
    return reduce(apply, events, Case(me, id))


def apply(case: Case, event: Event) -> Case:
    """The case after one event. Total: an event already in the log is never refused."""
    after = _FOLDS[event.kind](case, event)
    last = after.last_act
    if event.act_hash and event.request and event.by != case.me:
        last = {**last, event.request: event.act_hash}
    return replace(after, version=case.version + 1, last_act=last)


def _with(case: Case, id: str | None, **changes: object) -> Case:
    """One request changed. An event about a request we never had (a fact before its request) changes nothing."""
    if id is None or id not in case.requests:
        return case
    return replace(case, requests={**case.requests, id: replace(case.requests[id], **changes)})  # type: ignore[arg-type]


def _request(case: Case, event: Event) -> Case:
    side = "requesting" if event.by == case.me else "requested"
    known = case.requests.get(event.request or "")
    peer = event.to if side == "requesting" else event.by
    request = Request(
        id=event.request or "", side=side, peer=peer, body=event.body, at=event.at, not_after=event.not_after,
        wish="sent", answer="none", terms=Terms.unanswered(event.body.asked), keep=event.body.keep,
        by_officers=event.officers, until=event.body.until,
    )
    if known:  # a later command that did not wait in the gap came first
        request = replace(request, wish=known.wish, keep=request.keep if known.keep is None else known.keep)
    return replace(case, requests={**case.requests, request.id: request})


_ANSWERS = {
    "RequestReceived": "received", "RequestSeen": "seen", "RequestAccepted": "accepted", "MoreAsked": "more_asked",
    "RequestAcceptedOnCondition": "conditional", "RequestRefused": "refused", "RequestEnded": "ended",
}


def _answer(case: Case, event: Event) -> Case:
    said, known = event.body, case.requests.get(event.request or "")
    if known is None:
        return case
    ended = event.kind == "RequestEnded" and known.wish not in WISH.ends
    return _with(
        case, event.request, answer=_ANSWERS.get(event.kind, known.answer), terms=said.terms, answer_at=known.answer_at or event.at,
        reason=said.reason or known.reason, condition=said.condition, basis=said.basis or known.basis,
        restrained_by=said.restrained_by or known.restrained_by, wish="ended" if ended else known.wish,
    )


def _hold(case: Case, event: Event) -> Case:
    known = case.requests.get(event.request or "")
    answer_at = known.answer_at or event.at if known else event.at
    return _with(case, event.request, hold=event.body.hold, terms=event.body.terms, answer_at=answer_at)


def _moved_on(case: Case, event: Event) -> Case:
    known = case.requests.get(event.request or "")
    if known is None:
        return case
    legs = {leg.id: leg for leg in (*known.legs, *event.body.legs)}  # legs only grow
    return _with(case, event.request, legs=tuple(legs.values()), terms=event.body.terms,
                 answer_at=known.answer_at or event.at)


def _return(case: Case, event: Event) -> Case:
    case = _with(case, event.request, hold=event.body.hold, terms=event.body.terms)
    return replace(case, returns={**case.returns, event.body.id: (event.request or "", event.body)})


def _decide(case: Case, event: Event) -> Case:
    known = case.requests.get(event.request or "")
    if known is None:
        return case
    return _with(case, known.id, by_officers=(*known.by_officers, *event.officers), until=event.body.until,
                 basis=event.body.basis or known.basis)


def _keep(case: Case, event: Event) -> Case:
    return _with(case, event.request, keep=event.body.amount, rest_free=event.body.rest_free)


def _withdraw(case: Case, event: Event) -> Case:
    return _with(case, event.request, wish="withdrawn")


def _delivered(case: Case, event: Event) -> Case:
    known = case.requests.get(event.request or "")
    if known is None or known.wish != "sent":
        return case
    answer = "received" if known.answer == "none" else known.answer
    return _with(case, event.request, wish="delivered", answer=answer)


def _intended(case: Case, event: Event) -> Case:
    intent: Intent = event.body
    case = replace(case, intents={**case.intents, intent.ref: intent})
    known = case.requests.get(intent.request)
    if intent.verb is not Verb.HOLD or known is None or known.hold is not None:
        return case
    zero = Amount(0, known.body.asked.asset)
    hold = Hold(
        id=intent.block, request=known.id, holder=case.me, state="placing", amount=zero,
        claim=Amount(0, known.body.claim.asset), wanted=Amount(intent.amount, zero.asset), kept=None, decided=False,
        basis=None,
    )
    return _with(case, known.id, hold=hold)


def _core_answered(case: Case, event: Event) -> Case:
    left = {ref: intent for ref, intent in case.intents.items() if ref != event.body.ref}
    return replace(case, intents=left, looked_at=event.at)


def _drafted(case: Case, event: Event) -> Case:
    return replace(case, drafts={**case.drafts, event.body.act: event.body})


def _act_approved(case: Case, event: Event) -> Case:
    said: Approved = event.body
    return replace(
        case, approvals={**case.approvals, said.act: (*case.approvals.get(said.act, ()), said.approval)}
    )


def _dropped(case: Case, event: Event) -> Case:
    return replace(case, drafts={act: draft for act, draft in case.drafts.items() if act != event.body.act})


def _signed(case: Case, event: Event) -> Case:
    said = event.body
    if said.mandate is not None:
        return replace(case, mandate=(said.act_hash, said.mandate))
    return replace(case, losses={**case.losses, said.loss.loss: (said.act_hash, said.loss)})


def _objection(case: Case, event: Event) -> Case:
    objection = event.body.objection
    return replace(case, objections={**case.objections, objection.id: (event.request or "", objection)})


def _opened(case: Case, event: Event) -> Case:
    said = event.body
    return replace(case, loss=said.loss, stated_by=said.stated_by, title=said.title, secret=said.secret)


def _joined(case: Case, event: Event) -> Case:
    request: Request = event.body.request
    losses = dict(case.losses)
    if event.body.loss is not None:
        losses[event.body.loss.loss] = (request.body.loss_act or "", event.body.loss)
    return replace(case, requests={**case.requests, request.id: request}, losses=losses)


def _noted(case: Case, event: Event) -> Case:
    return case


_FOLDS: dict[str, Fold] = {
    "Request": _request,
    **dict.fromkeys((*_ANSWERS, "RequestStands"), _answer),
    **dict.fromkeys(HOLD_FACTS, _hold),
    **dict.fromkeys(RETURN_FACTS, _return),
    "Decide": _decide,
    "HolderTold": lambda case, event: replace(case, told={**case.told, event.request or "": event.at}),
    **dict.fromkeys(("Extend", "Secure", "Return", "Object", "DecideObjection", "Release", "MoreGiven",
                     "MoneyReturned", "ActRefused"), _noted),
    "MovedOn": _moved_on,
    "Keep": _keep,
    "Withdraw": _withdraw,
    "RequestDelivered": _delivered,
    "Intended": _intended,
    "CoreAnswered": _core_answered,
    "Drafted": _drafted,
    "ActApproved": _act_approved,
    "DraftDropped": _dropped,
    "MandateSigned": _signed,
    "LossSigned": _signed,
    "ObjectionRaised": _objection,
    "ObjectionDecided": _objection,
    "CaseOpened": _opened,
    "RequestJoined": _joined,
    "LossReported": lambda case, event: replace(case, report=event.body),
    "CaseJoined": lambda case, event: replace(case, state="joined"),
    "CaseResolved": lambda case, event: replace(case, state="resolved"),
    "CaseClosed": lambda case, event: replace(case, state="closed"),
    "Located": lambda case, event: replace(case, located={**case.located, event.body.request: event.body}),
    "Booked": lambda case, event: replace(case, books={**case.books, event.body.book.request: event.body.book}),
    "NamePayee": lambda case, event: replace(case, payees={**case.payees, event.request or "": event.body}),
    "Escalated": lambda case, event: replace(case, escalated=case.escalated | {event.body.what}),
    "Anomaly": lambda case, event: replace(case, anomalies=(*case.anomalies, event.body.code)),
}

OPEN_ANSWERS = ANSWER.states - ANSWER.ends
