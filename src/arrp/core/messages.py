"""What nodes say to each other: acts, heads, approvals, receipts (R-20 … R-29).

An `Act` is frozen at drafting: its exact bytes are what officers approve. A `Head` is the signed
cover written when the act leaves. Both are plain values here; `wire/` turns them into bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from arrp.core.errors import Malformed

NAME_MAX = 128  # characters of what others look things up by: a loss id, a participant
NUMBER_MAX = 2**31  # exclusive: no conversation has so many acts
_ID = re.compile("[0-9a-f]{32}")
PRIVATE = {"private": True}  # field metadata: this field lives in the erasable half of an event


class Urgency(StrEnum):
    """How soon it must leave: `urgent` before everything else (I20)."""

    URGENT = "urgent"
    ROUTINE = "routine"


class Use(StrEnum):
    """May what is said be pursued onward, or shown in court? Its owner decides (R-25)."""

    YES = "yes"
    NO = "no"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Uses:
    onward: Use = Use.YES
    court: Use = Use.ASK


class Handling(StrEnum):
    """Handling codes as police co-operation knows them (Europol H0 … H2)."""

    H0 = "H0"  # for the prevention and prosecution of crime
    H1 = "H1"  # not as evidence without the owner's permission
    H2 = "H2"  # not to be passed on without the owner's permission


@dataclass(frozen=True, slots=True)
class Act:
    """The frozen bytes officers approve. `request` and `to` are null in `Mandate` and `Loss` acts.

    `act` is 32 hex digits made by the originator before anything is sent; `body` is the dataclass
    that core/events.KINDS names for `kind`; `not_after` is the last instant a command may be
    applied (null on facts, which never expire).
    """

    act: str
    request: str | None
    to: str | None
    kind: str
    handling: Handling
    use: Uses
    body: Any
    not_after: datetime | None

    def __post_init__(self) -> None:
        _check_id("an act", self.act)

    @property
    def onward(self) -> Use:
        """R-25: whether its author lets it be pursued. H2 is never passed on without asking."""
        return Use.ASK if self.handling is Handling.H2 and self.use.onward is Use.YES else self.use.onward


@dataclass(frozen=True, slots=True)
class Approval:
    """An officer's Ed25519 signature over an act hash. `officer` is an id of the directory."""

    officer: str
    key: str
    algorithm: str
    signature: str


@dataclass(frozen=True, slots=True)
class Head:
    """The node's signed cover, written at dispatch. `id` is unique per `sender`; `number` counts
    the sender's acts in this conversation from 1; `seen` is the highest number without a gap that
    the sender has of the other side; `answers` is the act this one answers."""

    v: int
    id: str
    sender: str = field(metadata={"name": "from"})
    epoch: int
    to: str
    request: str | None
    number: int
    seen: int
    answers: str | None
    urgency: Urgency
    sent_at: datetime
    apply_by: datetime | None
    act_hash: str
    approvals: tuple[Approval, ...]
    mandate: str | None  # act hash of the mandate that covers the act, when no officer signed it

    def __post_init__(self) -> None:
        _check_id("a head", self.id)
        if self.request is not None:
            _check_id("a request", self.request)
        if not 0 < self.number < NUMBER_MAX:
            raise Malformed(f"acts are numbered from 1 to {NUMBER_MAX - 1}, not {self.number}")


def _check_id(what: str, id: str) -> None:
    """R-02. Raises Malformed."""
    if not _ID.fullmatch(id):
        raise Malformed(f"the id of {what} is 32 lower-case hex digits, not {id[:64]!r}")


class Outcome(StrEnum):
    """What a receipt says became of the act. It says nothing about consent."""

    APPLIED = "applied"
    WAITING = "waiting"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size and root of a node's audit tree at an instant (RFC 9162 tree head)."""

    origin: str
    size: int
    root: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """Signed proof that bytes arrived. `seen` is the highest number without a gap; `code` and
    `reason` say why an act was refused; `checkpoint` is the receiver's newest, as a JWS."""

    v: int
    sender: str = field(metadata={"name": "from"})
    to: str
    id: str
    act_hash: str
    request: str | None
    number: int
    outcome: Outcome
    seen: int
    received_at: datetime
    code: str | None
    reason: str | None
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class ConversationState:
    """One conversation as one side sees it (R-28)."""

    request: str
    sent: int
    seen: int


@dataclass(frozen=True, slots=True)
class StateExchange:
    """The open conversations of two nodes, compared at start and every five minutes (R-28): all whose
    request comes after `after`, up to and with `until` ("": to the end), and others that were asked about."""

    v: int
    sender: str = field(metadata={"name": "from"})
    to: str
    at: datetime
    after: str
    until: str
    conversations: tuple[ConversationState, ...]


PAGE_BYTES = 512 * 1024  # of a document in one answer
DOCUMENT_BYTES_MAX = 20 * 1000 * 1000


@dataclass(frozen=True, slots=True)
class DocumentAsk:
    """One page of a document, from byte `offset` on, asked of who named it in conversation `request` (R-58)."""

    v: int
    sender: str = field(metadata={"name": "from"})
    to: str
    at: datetime
    request: str
    digest: str
    offset: int
