"""What a node writes down for itself: the bodies of local events, which are never spoken (R-22)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from arrp.core.book import Book
from arrp.core.facts import Objection, ReturnStated
from arrp.core.hold import Resting
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import PRIVATE, Approval
from arrp.core.request import Request
from arrp.core.wishes import NamePayee


@dataclass(frozen=True, slots=True)
class CaseOpened:
    """`secret` salts the commitments of this case; it is erased with the case."""

    loss: str
    stated_by: str
    title: str = field(default="", metadata=PRIVATE)
    secret: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Draft:
    """An act frozen for approval: `needs` signatures, then it leaves (to a peer, or to ourselves)."""

    act: str
    to: str | None
    request: str | None
    kind: str
    needs: int
    not_after: datetime | None
    drafted_by: str
    body: Any = field(default=None, metadata={**PRIVATE, "by": "kind"})


@dataclass(frozen=True, slots=True)
class Approved:
    act: str
    act_hash: str
    approval: Approval


@dataclass(frozen=True, slots=True)
class Signed:
    """A mandate or loss act became valid: two officers signed its hash."""

    act: str
    act_hash: str
    approvals: tuple[Approval, ...]
    mandate: Mandate | None = None
    loss: LossAct | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    act: str
    reason: str = field(default="", metadata=PRIVATE)


class Verb(StrEnum):
    """What a connector is asked to do outside."""

    FIND = "find"
    HOLD = "hold"
    RELEASE = "release"
    EXTEND = "extend"
    GIVE_BACK = "give_back"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Intent:
    """The row before an outside effect (I14). `ref` makes it idempotent; `block` is the core's key; `at` is when the
    core was first asked."""

    ref: str
    verb: Verb
    request: str
    block: str = ""
    amount: int = 0
    until: datetime | None = None
    why: str = ""
    account_ref: str = field(default="", metadata=PRIVATE)
    payee: str = field(default="", metadata=PRIVATE)
    payee_name: str = field(default="", metadata=PRIVATE)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CoreAnswered:
    """The row after it: what the core said to intent `ref`."""

    ref: str
    verb: Verb
    outcome: str
    reference: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Located:
    """Which account the request is about, as the core knows it, and what matched."""

    request: str
    status: str
    comparisons: tuple[str, ...]
    credits: tuple[Resting, ...] = ()
    account_ref: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Booked:
    book: Book


@dataclass(frozen=True, slots=True)
class CaseJoined:
    to: str = field(default="", metadata=PRIVATE)  # the account as the core knows it


@dataclass(frozen=True, slots=True)
class Beside:
    """What was said about a request besides itself before its account was known here."""

    payee: NamePayee | None = None
    returns: tuple[ReturnStated, ...] = ()
    objections: tuple[Objection, ...] = ()
    told: datetime | None = None
    credited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestJoined:
    """A request that waited in a case of its own arrives in the account's case, whole."""

    request: Request
    loss: LossAct | None
    beside: Beside = field(default_factory=Beside)


@dataclass(frozen=True, slots=True)
class Disclosed:
    """An officer tells where the coins of a leg went, on a basis that our adopted law does not have (R-53)."""

    leg: str
    basis: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Told:
    """The account holder was told of the hold: from here the time to object runs (R-72)."""

    reference: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class EndComputed:
    """The longest that a power lets a hold last, and why then: computed once, when it was placed (R-40)."""

    hold: str
    power: str
    began_at: datetime
    until: datetime
    reason: str
    calendar_version: str  # of the days and the zone it was computed with
    zone_version: str


@dataclass(frozen=True, slots=True)
class Delivered:
    act: str
    act_hash: str
    outcome: str
    code: str | None = None
    reason: str | None = field(default=None, metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Escalated:
    """A person must look: `what` is waited for (a word and what it is about), `to` is called, `why`."""

    what: str
    to: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A fact that is late or contradicts another: recorded, shown to an officer, never dropped (R-32)."""

    code: str
    text: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class CalledBack:
    """An officer of a peer was called on a number of the directory: it was theirs, or it was not (R-91)."""

    officer: str
    confirmed: bool
    number: str = field(default="", metadata=PRIVATE)
    spoke_with: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Who has the ball from here (R-93)."""

    to: str
    note: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Restricted:
    """The case is known to these officers only; empty: to everybody whose role reads (R-92)."""

    officers: tuple[str, ...]


class Outcome(StrEnum):
    """How a matter ended (R-80)."""

    RETURNED = "returned"
    PARTLY = "partly returned"
    HANDED_OVER = "handed over"
    LOST = "lost"
    WITHDRAWN = "withdrawn"
    UNFOUNDED = "unfounded"


@dataclass(frozen=True, slots=True)
class Erased:
    """Why the private halves of a closed case went (R-65)."""

    basis: str


@dataclass(frozen=True, slots=True)
class Resolved:
    outcome: str
    text: str = field(default="", metadata=PRIVATE)
