"""What the requesting side says: the bodies of its commands, and of the two facts that are its own.

A command states the wanted end ("keep 62000.00", "until X"), never a difference (R-21).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from arrp.core.deadline import Basis
from arrp.core.messages import PRIVATE
from arrp.core.money import Amount
from arrp.core.request import Document


@dataclass(frozen=True, slots=True)
class Keep:
    """The requester's allocation: keep this much. `rest_free`: what exceeds it may go at once (R-43)."""

    amount: Amount
    rest_free: bool


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The wish has ended; the hold goes, unless it rests on an order of the requested country."""

    reason: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Release:
    """Hold at most `to` from now on: a wanted end, never a difference."""

    to: Amount
    reason: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Decide:
    """The decision of whose power it is. `until` and `basis` are set once, here (R-41)."""

    accepted: bool
    reason: str | None
    basis: Basis | None
    until: datetime | None
    text: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Extend:
    basis: Basis
    until: datetime
    document: Document


@dataclass(frozen=True, slots=True)
class Secure:
    """An order of the requested country (seizure, freezing order): from here no clock but review."""

    basis: Basis
    order: Document
    review_at: datetime


@dataclass(frozen=True, slots=True)
class NamePayee:
    """Opens the commitment of the loss act, or names another payee with who says so (R-70)."""

    ground: str  # DEBTOR | ACCOUNT_CLOSED | COMPROMISED | REIMBURSED | OMNIBUS | COURT
    document: Document | None
    called_back: bool
    salt: str = field(default="", metadata=PRIVATE)  # with it a commitment can be tested: it goes with the names
    account: str = field(default="", metadata=PRIVATE)
    name: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Return:
    """Send the money back: the amount (a wanted sum of all returns), and why it may go (R-71)."""

    amount: Amount
    ground: str  # consent | told | order | in_flight
    document: Document | None


@dataclass(frozen=True, slots=True)
class GiveMore:
    documents: tuple[Document, ...]
    text: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Credited:
    """The payee's institution states the credit of a return."""

    return_id: str
    amount: Amount
    reference: str = field(default="", metadata=PRIVATE)
