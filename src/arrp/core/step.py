"""One step: what is given, and the events that follow, said one after another.

`Step` is the only way a rule speaks: each event is applied to the case at once, so the next rule
sees what the last one said. Ids derive from what was given; nothing here waits, reads, signs or
throws dice (R-02).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from arrp.core.answers import Cannot, Found, Gone, Held, InForce, Landed, Released, Returned, Stopped
from arrp.core.by_hand import PAPER
from arrp.core.case import Case, apply
from arrp.core.changes import ANSWERS
from arrp.core.coins import Coins
from arrp.core.errors import Refused
from arrp.core.events import ATTACHED, KINDS, Anomaly, Draft, Dropped, Escalated, Event, Signed
from arrp.core.hold import HOLD, Hold
from arrp.core.ledger import Part, Pin, Transfer
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import Approval, Use
from arrp.core.notes import Beside
from arrp.core.policy import Rules, Tally
from arrp.core.request import ANSWER, WISH, Leg, Request


@dataclass(frozen=True, slots=True)
class Command:
    """A wish of one of our officers. `id` is made by the caller; `secret` is 16 random bytes in hex."""

    id: str
    verb: str
    officer: str
    request: str | None
    body: Any
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A verified act of a peer, in its turn. `id` is its act hash; `officers` signed it, or
    `mandate` covers it; `country` is the requested participant's; `onward`: whether its author lets it be pursued."""

    id: str
    sender: str
    kind: str
    request: str
    body: Any
    officers: tuple[str, ...] = ()
    mandate: Mandate | None = None
    mandate_hash: str | None = None
    loss: LossAct | None = None
    not_after: datetime | None = None
    tally: Tally = Tally()
    onward: Use = Use.YES

    def to_pursue(self, legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
        """R-25, R-97: what its author does not let be pursued is an officer's to follow, never a node's alone."""
        if self.onward is Use.YES:
            return legs
        return tuple(replace(leg, onward="ask") if leg.onward == "free" else leg for leg in legs)


Answer = Found | Held | Released | Returned | Stopped | Landed | Gone | Cannot


class Followed(Protocol):
    """What `trace.account` answers about one account (see trace/account.py)."""

    def coins_of(self, ref: str, inside: Coins | None = None) -> Coins: ...
    def spent(self, coins: Coins) -> Sequence[Part]: ...
    def here(self, coins: Coins) -> Coins: ...


class Follow(Protocol):
    def __call__(self, transfers: Iterable[Transfer], opening: int, pins: Iterable[Pin]) -> Followed: ...


@dataclass(frozen=True, slots=True)
class CoreAnswer:
    """What the core said to intent `ref`. `follow` reads the ledger that came with it (trace/account.py)."""

    ref: str
    answer: Answer
    follow: Follow | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """A request that waited elsewhere on this node is about this case's account."""

    id: str
    request: Request
    answer: CoreAnswer
    loss: LossAct | None = None
    tally: Tally = Tally()
    in_force: tuple[InForce, ...] = ()
    beside: Beside = field(default_factory=Beside)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What peers gave back is in the log again (R-29): `found` is what the core now says of each request's
    account, `in_force` every hold it knows."""

    id: str
    found: Mapping[str, CoreAnswer]
    in_force: tuple[InForce, ...] = ()


@dataclass(frozen=True, slots=True)
class Approve:
    """One officer's signature over a draft, checked by the door against the directory."""

    id: str
    act: str
    act_hash: str
    approval: Approval


@dataclass(frozen=True, slots=True)
class Receipted:
    """A peer's receipt for an act of ours."""

    id: str
    act: str
    act_hash: str
    kind: str
    request: str
    outcome: str
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Late:
    """A person at the core has not done intent `ref` in the time they have (R-99)."""

    id: str
    ref: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has come. A deadline is a tick."""

    id: str


Given = Command | Heard | CoreAnswer | Joined | Reconciled | Approve | Receipted | Late | Tick


def digest(*parts: str) -> str:
    """32 hex digits that follow from `parts`: how new ids derive from what was given."""
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]


class Step:
    """What one step has said so far. `case` already includes it."""

    def __init__(self, case: Case, because: str, now: datetime, rules: Rules) -> None:
        self.case, self.because, self.now, self.rules = case, because, now, rules
        self.events: list[Event] = []
        self.issued: list[Event] = []

    @property
    def me(self) -> str:
        return self.rules.me.id

    def new_id(self, *of: str) -> str:
        """An id nobody else makes: from what was given, or from `of` where it must be the same for ever."""
        return digest(self.me, *(of or (self.case.id, self.because, str(len(self.events)))))

    def add(self, event: Event) -> None:
        if event.by == self.me:
            check_own(self.case, event)
        self.case = apply(self.case, event)
        self.events.append(event)

    def note(self, kind: str, body: Any, request: str | None = None) -> None:
        """A local event: written here, never spoken."""
        self.add(Event(kind, self.me, self.now, request, self.because, body))

    def tell(self, kind: str, body: Any, request: Request) -> None:
        """A fact or command of ours in the conversation of `request`; it leaves with this commit."""
        self.add(Event(kind, self.me, self.now, request.id, self.because, body, act=self.new_id(), to=request.peer))

    def hear(self, heard: Heard) -> None:
        """A peer's act as it is written in our log; one typed from paper follows from who typed it."""
        because = self.because if heard.id == PAPER else heard.id
        self.add(
            Event(heard.kind, heard.sender, self.now, heard.request, because, heard.body, act_hash=heard.id,
                  to=self.me, not_after=heard.not_after, officers=heard.officers)
        )

    def anomaly(self, code: str, text: str, request: str | None = None) -> None:
        self.note("Anomaly", Anomaly(code, text), request)

    def escalate(self, what: str, to: str, request: str | None = None, why: str = "") -> None:
        """Once per thing: a person must look (R-33)."""
        if what not in self.case.escalated:
            self.note("Escalated", Escalated(what, to, why), request)

    def ask(self, request_id: str, peer: str, body: Any, not_after: datetime) -> None:
        """A request of ours that a mandate or policy covers: it leaves without a further signature."""
        self.add(Event("Request", self.me, self.now, request_id, self.because, body, act=self.new_id(), to=peer,
                       not_after=not_after))

    def draft(self, command: Command, draft: Draft) -> None:
        """Freeze an act for approval; one that needs no signature is issued at once (R-23)."""
        self.note("Drafted", draft, draft.request)
        if draft.needs == 0:
            issue(self, draft, "", ())


def check_own(case: Case, event: Event) -> None:
    """R-31, I10: we say only what is ours to say, and only along the table. Raises Refused, Conflict."""
    request, writer = case.requests.get(event.request or ""), KINDS[event.kind].writer
    if request is None:
        return
    if event.to not in ("", event.by) and writer not in (request.side, "either", "local"):
        raise Refused(f"{event.kind} is the {writer} side's to say: we are the {request.side} side of {request.id}",
                      rule="R-24", code="not-ours")
    if event.kind in ANSWERS:
        ANSWER.move(request.answer, event.kind)
    elif event.kind == "Withdraw":
        WISH.move(request.wish, event.kind)
    stated = getattr(event.body, "hold", None)
    if isinstance(stated, Hold) and stated.holder == event.by and not bounced(event.kind, stated):
        same = request.hold is not None and request.hold.id == stated.id
        reached = HOLD.move(request.hold.state if request.hold is not None and same else HOLD.start, event.kind)
        assert reached == stated.state, f"{event.kind} leads to {reached}, not to {stated.state}"


def bounced(kind: str, hold: Hold) -> bool:
    """R-73: a return that came back is said of a hold that has ended, and leaves it ended."""
    return kind == "ReturnFailed" and hold.state == "returned"


def draft_of(step: Step, command: Command, kind: str, to: str | None, not_after: datetime | None) -> Draft:
    """The draft of an act of `kind`: addressed to ourselves it needs the kind's `own` signatures."""
    row = KINDS[kind]
    needs = row.own if to == step.me else row.approvals
    act = step.new_id(command.id, kind, command.request or "")
    return Draft(act, to, command.request, kind, needs, not_after, command.officer, command.body)


def issue(step: Step, draft: Draft, act_hash: str, signed: tuple[Approval, ...]) -> None:
    """The act is approved: it becomes an event of ours, and leaves when it has an addressee."""
    step.note("DraftDropped", Dropped(draft.act, "issued"), draft.request)
    if draft.kind in ATTACHED:
        mandate = draft.body if isinstance(draft.body, Mandate) else None
        loss = draft.body if isinstance(draft.body, LossAct) else None
        step.note(f"{draft.kind}Signed", Signed(draft.act, act_hash, signed, mandate, loss))
        return
    officers = tuple(approval.officer for approval in signed)
    event = Event(draft.kind, step.me, step.now, draft.request, step.because, draft.body, act=draft.act,
                  act_hash=act_hash, to=draft.to or "", not_after=draft.not_after, officers=officers)
    step.add(event)
    step.issued.append(event)


