"""What a node asks a core system and what the core answers: plain values that `step` reads.

Amounts are minor units of the account's asset. `sequence` is always the core's own booking
sequence at which the answer was true. `reference` is the core's own, to be quoted to its people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from arrp.core.ledger import Ledger, Transfer
from arrp.core.messages import PRIVATE


class Reach(StrEnum):
    """The least a core can stop: an amount, the whole balance, or everything at an address."""

    AMOUNT = "amount"
    BALANCE = "balance"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a core can do, said beforehand and repeated in the directory."""

    reach: Reach
    reversible: bool
    public: bool  # the account holder and everybody else can see it
    seconds: int  # how long it takes, usually
    in_flight: bool
    arm: bool
    return_: bool = field(metadata={"name": "return"})


@dataclass(frozen=True, slots=True)
class ClaimedCredit:
    """A payment that is said to have reached the account. `refs` are its UETR, EndToEndId or hash."""

    refs: tuple[str, ...]
    amount: int
    booked_from: datetime | None = None
    booked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Which account is it, and did these payments arrive there?"""

    asset: str
    credits: tuple[ClaimedCredit, ...] = ()
    account: str = field(default="", metadata=PRIVATE)
    creditor_name: str = field(default="", metadata=PRIVATE)


class AccountStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    NONE = "none"


class Compared(StrEnum):
    """One thing that was stated beside what is there."""

    MATCH = "match"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`what` is name, account, amount or time; for the last two `credit` is the place of the claimed one."""

    what: str
    verdict: Compared
    credit: int | None = None
    there: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class MatchedCredit:
    """A ledger credit a hold may rest on. `claimed` is its place among the question's credits;
    `by_reference` is False where only amount and time agree, and no other credit does."""

    ref: str
    amount: int
    asset: str
    sequence: int
    booked_at: datetime
    claimed: int
    by_reference: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a `Question`. `free` is booked less all holds, never an overdraft.

    `account_ref` is the core's own stable name of the account. `ledger` is None where it cannot be
    read at once: then `credits` is empty and amount and time are `unknown`.
    """

    status: AccountStatus
    sequence: int
    booked: int = 0
    free: int = 0
    comparisons: tuple[Comparison, ...] = ()
    credits: tuple[MatchedCredit, ...] = ()
    ledger: Ledger | None = None
    account_ref: str = field(default="", metadata=PRIVATE)


class Why(StrEnum):
    """Why a core did not do what it was asked."""

    NO_FUNDS = "NO_FUNDS"
    CLOSED = "CLOSED"
    NOT_FOUND = "NOT_FOUND"
    TOO_LATE = "TOO_LATE"  # `until` has passed, or the hold has ended
    REFUSED = "REFUSED"  # the core's own rule; nothing more is known


@dataclass(frozen=True, slots=True)
class Cannot:
    """A named refusal; `there` is the amount that could have been had."""

    why: Why
    there: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """The core keeps `amount` from booking sequence `sequence` on, until `until` (None: until told)."""

    reference: str
    amount: int
    sequence: int
    at: datetime
    until: datetime | None


class HoldState(StrEnum):
    """How a hold stands in the core. Where parts of it went different ways, the last one says how it ended."""

    UNKNOWN = "unknown"
    HELD = "held"
    RELEASED = "released"  # by us, or by the core itself at `until`
    RETURNED = "returned"
    HANDED_OVER = "handed_over"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Status:
    """What the core says about one hold: `amount` is held now, `sequence` is its last change."""

    state: HoldState
    amount: int = 0
    reference: str = ""
    sequence: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """One row of `holds()`: what the core keeps now. `uetr` where a payment in flight was stopped."""

    ref: str
    reference: str
    amount: int
    sequence: int
    until: datetime | None
    uetr: str = ""
    account_ref: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Released:
    """`amount` is what stays held."""

    reference: str
    amount: int
    sequence: int


@dataclass(frozen=True, slots=True)
class PayOut:
    """Money that is to leave a hold: `ref` makes it one transfer, however often it is asked."""

    ref: str
    amount: int
    reason: str
    payee: str = field(default="", metadata=PRIVATE)
    payee_name: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Returned:
    """The transfer left: sent, not yet credited. `left` is what the hold still keeps."""

    reference: str
    transfer: str
    amount: int
    left: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """`amount` of a payment in flight stays where it is; it can be released or given back like a hold."""

    reference: str
    amount: int
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Landed:
    """Too late to stop: it is the credit `credit` of an account here."""

    credit: str
    account_ref: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Gone:
    """It left this institution, or never was here."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The transfers of one account after a sequence, as of the core's newest one."""

    transfers: tuple[Transfer, ...]
    as_of: int
