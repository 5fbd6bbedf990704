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
from arrp.core.changes import CHANGES, begun, changed
from arrp.core.errors import NotFound
from arrp.core.events import RETURN_FACTS, Draft, Event, Intent, Located, NamePayee, Objection, ReturnStated
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import Approval
from arrp.core.notes import Beside, EndComputed
from arrp.core.report import Report
from arrp.core.request import Asked, Leg, Request


@dataclass(frozen=True, slots=True)
class Call:
    """An officer of a peer is to be called back, since when. `confirmed`: what they said; None while nobody called."""

    officer: str
    since: datetime
    confirmed: bool | None = None


@dataclass(frozen=True)
class Case:
    """Everything a node knows about one matter. `me` is the participant whose log this is."""

    me: str
    id: str
    state: str = "open"  # open | resolved | closed | joined | erased
    version: int = 0
    loss: str = ""
    stated_by: str = ""
    title: str = ""
    secret: str = ""
    report: Report | None = None
    mandate: tuple[str, Mandate] | None = None
    losses: Mapping[tuple[str, str], tuple[str, LossAct]] = field(default_factory=dict)  # by (stated by, loss id)
    by_one: frozenset[str] = frozenset()  # hashes of loss acts that one officer signed, and a second has yet to
    told: Mapping[str, datetime] = field(default_factory=dict)
    disclosed: frozenset[str] = frozenset()  # legs that an officer told on a basis of their own
    ends: Mapping[str, EndComputed] = field(default_factory=dict)  # request -> how its hold's legal end was found
    requests: Mapping[str, Request] = field(default_factory=dict)
    early: frozenset[str] = frozenset()  # requests whose withdrawal came before them
    drafts: Mapping[str, Draft] = field(default_factory=dict)
    approvals: Mapping[str, tuple[Approval, ...]] = field(default_factory=dict)
    intents: Mapping[str, Intent] = field(default_factory=dict)
    located: Mapping[str, Located] = field(default_factory=dict)
    books: Mapping[str, Book] = field(default_factory=dict)
    objections: Mapping[str, tuple[str, Objection]] = field(default_factory=dict)
    payees: Mapping[str, NamePayee] = field(default_factory=dict)
    returns: Mapping[str, tuple[str, ReturnStated]] = field(default_factory=dict)
    credited: frozenset[str] = frozenset()  # returns that the payee's institution states as credited
    escalated: frozenset[str] = frozenset()
    closed: tuple[datetime, str] | None = None  # when, and its outcome
    anomalies: tuple[str, ...] = ()
    passed_on: frozenset[str] = frozenset()  # corrections and wishes to erase that went round here
    calls: Mapping[str, tuple[Call, ...]] = field(default_factory=dict)  # request -> who is, or was, called back
    ball: tuple[str, datetime] | None = None  # who works on it, since when
    only: frozenset[str] = frozenset()  # officers who may know it; empty: all whose role reads
    last_act: Mapping[str, str] = field(default_factory=dict)  # request -> hash of the peer's newest act
    looked_at: datetime | None = None

    def request(self, id: str) -> Request:
        if id not in self.requests:
            raise NotFound(f"case {self.id} has no request {id}; it has {', '.join(self.requests) or 'none yet'}")
        return self.requests[id]

    @property
    def loss_act(self) -> tuple[str, LossAct] | None:
        """The loss act of this case's own loss; None at a holder, whose case is an account."""
        return self.losses.get((self.stated_by, self.loss))

    def loss_of(self, asked: Asked) -> LossAct | None:
        """The loss act a request rests on: two participants may give their losses the same id."""
        found = self.losses.get((asked.stated_by, asked.loss))
        return found[1] if found else None

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

    def returns_of(self, request: str) -> tuple[ReturnStated, ...]:
        return tuple(stated for of, stated in self.returns.values() if of == request)

    def beside(self, request: str) -> Beside:
        """What goes along with a request that moves to another case."""
        mine = self.returns_of(request)
        return Beside(
            self.payees.get(request), mine, tuple(o for of, o in self.objections.values() if of == request),
            self.told.get(request), tuple(sorted(self.credited & {stated.id for stated in mine})),
        )

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
    last = case.last_act
    if event.act_hash and event.request and event.by != case.me:
        last = {**last, event.request: event.act_hash}
    after = replace(case, version=case.version + 1, last_act=last, requests=_requests(case, event))
    return _FOLDS[event.kind](after, event) if event.kind in _FOLDS else after


def _requests(case: Case, event: Event) -> Mapping[str, Request]:
    """An event about a request we never had (a fact before its request) changes no request."""
    known = case.requests.get(event.request or "")
    if event.kind not in CHANGES or known is None:
        return case.requests
    return {**case.requests, known.id: changed(known, event)}


def _request(case: Case, event: Event) -> Case:
    request = begun(case.me, event, withdrawn=event.request in case.early)
    return replace(case, requests={**case.requests, request.id: request})


def _withdrawn(case: Case, event: Event) -> Case:
    known = event.request is None or event.request in case.requests
    return case if known else replace(case, early=case.early | {str(event.request)})


def _return(case: Case, event: Event) -> Case:
    return replace(case, returns={**case.returns, event.body.id: (event.request or "", event.body)})


def _core_answered(case: Case, event: Event) -> Case:
    left = {ref: intent for ref, intent in case.intents.items() if ref != event.body.ref}
    return replace(case, intents=left, looked_at=event.at)


def _act_approved(case: Case, event: Event) -> Case:
    said = event.body
    return replace(case, approvals={**case.approvals, said.act: (*case.approvals.get(said.act, ()), said.approval)})


def _dropped(case: Case, event: Event) -> Case:
    return replace(case, drafts={act: draft for act, draft in case.drafts.items() if act != event.body.act})


def _signed(case: Case, event: Event) -> Case:
    said = event.body
    if said.mandate is not None:
        return replace(case, mandate=(said.act_hash, said.mandate))
    by_one = case.by_one - {said.act_hash} | ({said.act_hash} if len(said.approvals) == 1 else set())
    return _with_loss(replace(case, by_one=by_one), said.act_hash, said.loss)


def _with_loss(case: Case, act_hash: str, loss: LossAct) -> Case:
    """The first loss act of a loss stays: nobody exchanges the return account later (R-14)."""
    key = (loss.stated_by, loss.loss)
    return case if key in case.losses else replace(case, losses={**case.losses, key: (act_hash, loss)})


def _objection(case: Case, event: Event) -> Case:
    objection = event.body.objection
    return replace(case, objections={**case.objections, objection.id: (event.request or "", objection)})


def _escalated(case: Case, event: Event) -> Case:
    word, _, about = event.body.what.partition(" ")
    case = replace(case, escalated=case.escalated | {event.body.what})
    return _with_call(case, event, Call(about.partition(" ")[2], event.at)) if word == "call-back" else case


def _called_back(case: Case, event: Event) -> Case:
    return _with_call(case, event, Call(event.body.officer, event.at, event.body.confirmed))


def _with_call(case: Case, event: Event, call: Call) -> Case:
    """One more, or what became of it: who is called stays waited for since the first time."""
    every = {known.officer: known for known in case.calls.get(event.request or "", ())}
    known = every.get(call.officer, call)
    said = known.confirmed if call.confirmed is None else call.confirmed
    every[call.officer] = replace(known, confirmed=said)
    return replace(case, calls={**case.calls, event.request or "": tuple(every.values())})


def _opened(case: Case, event: Event) -> Case:
    said = event.body
    return replace(case, loss=said.loss, stated_by=said.stated_by, title=said.title, secret=said.secret)


def _joined(case: Case, event: Event) -> Case:
    request: Request = event.body.request
    if request.hold is not None and request.hold.state == "placing":
        request = replace(request, hold=None)  # it was to be stopped in flight, and landed: nothing was placed
    if request.id in case.early:
        request = replace(request, wish="withdrawn")
    case = _with_beside(replace(case, requests={**case.requests, request.id: request}), request.id, event.body.beside)
    loss = event.body.loss
    return case if loss is None else _with_loss(case, request.body.loss_act or "", loss)


def _with_beside(case: Case, request: str, beside: Beside) -> Case:
    return replace(
        case, payees={**case.payees, request: beside.payee} if beside.payee else case.payees,
        returns={**case.returns, **{stated.id: (request, stated) for stated in beside.returns}},
        objections={**case.objections, **{objection.id: (request, objection) for objection in beside.objections}},
        told={**case.told, request: beside.told} if beside.told else case.told,
        credited=case.credited | frozenset(beside.credited),
    )


_FOLDS: dict[str, Fold] = {
    "Request": _request,
    **dict.fromkeys(RETURN_FACTS, _return),
    "EndComputed": lambda case, event: replace(case, ends={**case.ends, event.request or "": event.body}),
    "HolderTold": lambda case, event: replace(case, told={**case.told, event.request or "": event.at}),
    "LegDisclosed": lambda case, event: replace(case, disclosed=case.disclosed | {event.body.leg}),
    "MoneyReturned": lambda case, event: replace(case, credited=case.credited | {event.body.return_id}),
    "Withdraw": _withdrawn,
    "Intended": lambda case, event: replace(case, intents={**case.intents, event.body.ref: event.body}),
    "CoreAnswered": _core_answered,
    "Drafted": lambda case, event: replace(case, drafts={**case.drafts, event.body.act: event.body}),
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
    "CaseClosed": lambda case, event: replace(case, state="closed", closed=(event.at, event.body.outcome)),
    "CaseErased": lambda case, event: replace(case, state="erased"),
    "Located": lambda case, event: replace(case, located={**case.located, event.body.request: event.body}),
    "Booked": lambda case, event: replace(case, books={**case.books, event.body.book.request: event.body.book}),
    "NamePayee": lambda case, event: replace(case, payees={**case.payees, event.request or "": event.body}),
    "Escalated": _escalated,
    "Anomaly": lambda case, event: replace(case, anomalies=(*case.anomalies, event.body.code)),
    "SentByHand": lambda case, event: replace(case, escalated=case.escalated - {f"post {event.body.act}"}),
    **dict.fromkeys(("Corrected", "EraseAsked"),
                    lambda case, event: replace(case, passed_on=case.passed_on | {event.body.id})),
    "CallBackMade": _called_back,
    "HandedOver": lambda case, event: replace(case, ball=(event.body.to, event.at)),
    "CaseRestricted": lambda case, event: replace(case, only=frozenset(event.body.officers)),
}
