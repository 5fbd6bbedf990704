"""Everything that can happen, in one table: kind, body, writer, approvals (R-22).

A fact is the same value in its owner's log, on the wire and in every mirror's log; a command is the
same value in the log of who wished it and of who received it. Kinds that are never spoken are
`local`. Adding a kind is adding a row here, a rule where it is heard, and its tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arrp.core.by_hand import AnsweredByHand, SentByHand
from arrp.core.facts import (
    Answered,
    Corrected,
    EraseAsked,
    HoldStated,
    LegsStated,
    Objection,
    ObjectionStated,
    ReturnStated,
)
from arrp.core.mandate import LossAct, Mandate
from arrp.core.notes import (
    Anomaly,
    Approved,
    Booked,
    CalledBack,
    CaseJoined,
    CaseOpened,
    CoreAnswered,
    Delivered,
    Disclosed,
    Draft,
    Dropped,
    EndComputed,
    Erased,
    Escalated,
    HandedOver,
    Intent,
    Located,
    Outcome,
    RequestJoined,
    Resolved,
    Restricted,
    Signed,
    Told,
    Verb,
)
from arrp.core.report import Report
from arrp.core.request import Asked
from arrp.core.wishes import Credited, Decide, Extend, GiveMore, Keep, NamePayee, Release, Return, Secure, Withdraw

# Every body is found here, whichever side says it.
__all__ = [
    "ANSWER_FACTS", "ATTACHED", "HOLD_FACTS", "KINDS", "RETURN_FACTS", "Anomaly", "Answered", "Approved", "Booked",
    "CalledBack", "CaseJoined", "CaseOpened", "CoreAnswered", "Corrected", "Credited", "Decide", "Delivered",
    "Disclosed", "Draft", "Dropped", "EndComputed", "EraseAsked", "Erased", "Escalated", "Event", "Extend", "GiveMore",
    "HandedOver", "HoldStated", "Intent", "Keep", "Kind", "LegsStated", "Located", "NamePayee", "Objection",
    "ObjectionStated", "Outcome", "Release", "RequestJoined", "Resolved", "Restricted", "Return", "ReturnStated",
    "Secure", "Signed", "Told", "Verb", "Withdraw",
]  # fmt: skip


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
        "Approved": Kind(Approved, "requesting", 0, 0, command=True),
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
        "Corrected": Kind(Corrected, "either"),
        "EraseAsked": Kind(EraseAsked, "either"),
    }


def _local() -> dict[str, Kind]:
    bodies = {
        "RequestReceived": Answered, "LossReported": Report, "CaseOpened": CaseOpened, "Drafted": Draft,
        "ActApproved": Approved, "HolderTold": Told, "LegDisclosed": Disclosed,
        "MandateSigned": Signed, "LossSigned": Signed, "DraftDropped": Dropped, "Intended": Intent,
        "CoreAnswered": CoreAnswered, "Located": Located, "Booked": Booked, "CaseJoined": CaseJoined,
        "RequestJoined": RequestJoined, "RequestDelivered": Delivered, "ActRefused": Delivered,
        "SentByHand": SentByHand, "AnsweredByHand": AnsweredByHand,
        "CallBackMade": CalledBack, "HandedOver": HandedOver, "CaseRestricted": Restricted,
        "EndComputed": EndComputed, "Escalated": Escalated, "Anomaly": Anomaly, "CaseResolved": Resolved,
        "CaseClosed": Resolved, "CaseErased": Erased,
    }
    return {kind: Kind(body, "local") for kind, body in bodies.items()}


# Mandate and Loss acts have no conversation: they travel attached to the first request.
ATTACHED = {"Mandate": Kind(Mandate, "requesting", 2, 2), "Loss": Kind(LossAct, "requesting", 2, 2)}
KINDS: dict[str, Kind] = {**_commands(), **_facts(), **_local(), **ATTACHED}
