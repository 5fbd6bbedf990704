"""Everything that can happen, in one table: kind, body, writer, approvals (R-22).

A fact is the same value in its owner's log, on the wire and in every mirror's log; a command is the
same value in the log of who wished it and of who received it. Kinds that are never spoken are
`local`. Adding a kind is adding a row here, a rule where it is heard, and its tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from arrp.core.book import Book
from arrp.core.facts import Answered, HoldStated, LegsStated, Objection, ObjectionStated, ReturnStated
from arrp.core.hold import Resting
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import PRIVATE, Approval
from arrp.core.report import Report
from arrp.core.request import Asked, Request
from arrp.core.wishes import Credited, Decide, Extend, GiveMore, Keep, NamePayee, Release, Return, Secure, Withdraw

# Every body is found here, whichever side says it.
__all__ = [
    "ANSWER_FACTS", "ATTACHED", "HOLD_FACTS", "KINDS", "RETURN_FACTS", "Anomaly", "Answered", "Approved", "Booked",
    "CaseJoined", "CaseOpened", "CoreAnswered", "Credited", "Decide", "Delivered", "Draft", "Dropped", "Escalated",
    "Event", "Extend", "GiveMore", "HoldStated", "Intent", "Keep", "Kind", "LegsStated", "Located", "NamePayee",
    "Objection", "ObjectionStated", "Release", "RequestJoined", "Resolved", "Return", "ReturnStated", "Secure",
    "Signed", "Told", "Verb", "Withdraw",
]  # fmt: skip


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
    """The row before an outside effect (I14). `ref` makes it idempotent; `block` is the core's key."""

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
class RequestJoined:
    """A request that waited in a case of its own arrives in the account's case, whole."""

    request: Request
    loss: LossAct | None


@dataclass(frozen=True, slots=True)
class Told:
    """The account holder was told of the hold: from here the time to object runs (R-72)."""

    reference: str = field(default="", metadata=PRIVATE)


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
class Resolved:
    outcome: str
    text: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the log. `by` is who states it; `because` what it follows from (an act hash, a
    command id, an intent ref); `act` is the id of our act that says it, `act_hash` the hash of the
    act it was heard in."""

    kind: str
    by: str
    at: datetime
    request: str | None
    because: str
    body: Any
    act: str = ""
    act_hash: str = ""
    to: str = ""
    not_after: datetime | None = None
    officers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """`writer`: who may say it — requesting, requested, either, or local (never spoken).
    `approvals`: officers' signatures the act needs towards a peer (`own`: addressed to ourselves)."""

    body: type
    writer: str
    approvals: int = 0
    own: int = 0
    command: bool = False
    waits: bool = True  # False: does not wait in a gap


ANSWER_FACTS = ("RequestStands", "RequestSeen", "RequestAccepted", "RequestAcceptedOnCondition", "MoreAsked",
                "RequestRefused", "RequestEnded")
HOLD_FACTS = (
    "HoldPlaced", "HoldKept", "HoldDecided", "HoldConfirmed", "HoldRaised", "HoldReduced", "HoldExtended",
    "HoldSecured", "HoldEnding", "HoldReleased", "HoldLapsed", "HoldHandedOver", "HoldReturned", "HoldFailed",
)
RETURN_FACTS = ("ReturnAnnounced", "ReturnSent", "ReturnFailed")


def _commands() -> dict[str, Kind]:
    return {
        "Request": Kind(Asked, "requesting", 2, 2, command=True),
        "Keep": Kind(Keep, "requesting", 0, 0, command=True),
        "Withdraw": Kind(Withdraw, "requesting", 1, 1, command=True, waits=False),
        "Release": Kind(Release, "requesting", 1, 1, command=True, waits=False),
        "Decide": Kind(Decide, "requesting", 2, 1, command=True),
        "Extend": Kind(Extend, "requesting", 2, 2, command=True),
        "Secure": Kind(Secure, "requesting", 2, 2, command=True),
        "NamePayee": Kind(NamePayee, "requesting", 2, 2, command=True),
        "Return": Kind(Return, "requesting", 2, 2, command=True),
        "Object": Kind(Objection, "requesting", 0, 0, command=True),
        "DecideObjection": Kind(Objection, "requesting", 1, 1, command=True),
    }


def _facts() -> dict[str, Kind]:
    return {
        **{kind: Kind(Answered, "requested") for kind in ANSWER_FACTS},
        **{kind: Kind(HoldStated, "requested") for kind in HOLD_FACTS},
        **{kind: Kind(ReturnStated, "requested") for kind in RETURN_FACTS},
        "MovedOn": Kind(LegsStated, "requested"),
        "ObjectionRaised": Kind(ObjectionStated, "requested"),
        "ObjectionDecided": Kind(ObjectionStated, "requested"),
        "MoreGiven": Kind(GiveMore, "requesting"),
        "MoneyReturned": Kind(Credited, "requesting"),
    }


def _local() -> dict[str, Kind]:
    bodies = {
        "RequestReceived": Answered, "LossReported": Report, "CaseOpened": CaseOpened, "Drafted": Draft,
        "ActApproved": Approved, "HolderTold": Told,
        "MandateSigned": Signed, "LossSigned": Signed, "DraftDropped": Dropped, "Intended": Intent,
        "CoreAnswered": CoreAnswered, "Located": Located, "Booked": Booked, "CaseJoined": CaseJoined,
        "RequestJoined": RequestJoined, "RequestDelivered": Delivered, "ActRefused": Delivered,
        "Escalated": Escalated, "Anomaly": Anomaly, "CaseResolved": Resolved, "CaseClosed": Resolved,
    }
    return {kind: Kind(body, "local") for kind, body in bodies.items()}


# Mandate and Loss acts have no conversation: they travel attached to the first request.
ATTACHED = {"Mandate": Kind(Mandate, "requesting", 2, 2), "Loss": Kind(LossAct, "requesting", 2, 2)}
KINDS: dict[str, Kind] = {**_commands(), **_facts(), **_local(), **ATTACHED}
