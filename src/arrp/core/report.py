"""A report: which payments were lost, who says so, on what evidence, what was done about it already.

A `Payment` is an order between customers as one message states it. What the message does not say
is empty here (`""`, `()` or None): nothing is filled in by guessing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from arrp.core.crime import Crime
from arrp.core.errors import Malformed
from arrp.core.messages import NAME_MAX, PRIVATE
from arrp.core.money import Amount

_UETR = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def parse_uetr(text: str) -> str:
    """A UETR in its normal form, lower case. Raises Malformed when it is not a UUID of version 4."""
    uetr = text.strip().lower()
    if not _UETR.fullmatch(uetr):
        raise Malformed(f"{text!r} is not a UETR (UUID version 4, such as 174c245f-2682-4291-ad67-2a41e530cd27)")
    return uetr


class YesNo(StrEnum):
    """What the victim's side says when asked."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Party:
    """A customer of a payment. `account` is a normal form of core/account or empty, never raw text;
    `agent` is the bank where that account is: a BIC or a US routing number, as the message gives it."""

    name: str = field(default="", metadata=PRIVATE)
    account: str = field(default="", metadata=PRIVATE)
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payment was read: the file, and the place in it."""

    file: str = field(default="", metadata=PRIVATE)
    place: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment of the victim. `amount` is what was settled between banks; `settled_on` its value
    date; `instructed_at` the instant the bank accepted or created the order (`source` says which)."""

    amount: Amount
    settled_on: date | None = None
    instructed_at: datetime | None = None
    debtor: Party = Party()
    creditor: Party = Party()
    uetr: str = field(default="", metadata=PRIVATE)
    end_to_end_id: str = field(default="", metadata=PRIVATE)
    references: tuple[str, ...] = field(default=(), metadata=PRIVATE)
    source: Place = Place()

    def __post_init__(self) -> None:
        if self.uetr and not _UETR.fullmatch(self.uetr):
            raise Malformed("this UETR is not one in lower case: a UUID of version 4")
        if self.instructed_at is not None and self.instructed_at.tzinfo is None:
            raise Malformed(f"{self.instructed_at} has no time zone: an instant needs one")


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Something in a file that its reader did not use or could not interpret."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one file says, and what of it was left out."""

    payments: tuple[Payment, ...]
    not_understood: tuple[NotUnderstood, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What the victim's side states, once, about one loss. `recall_started_at` is when the sending
    institution began to recall; None = it has not."""

    loss: str
    stated_by: str
    payments: tuple[Payment, ...]
    crime: Crime
    reported_at: datetime
    discovered_at: datetime | None = None
    recall_started_at: datetime | None = None
    authorised: YesNo = YesNo.UNKNOWN
    still_in_contact: YesNo = YesNo.UNKNOWN
    recall_reference: str = field(default="", metadata=PRIVATE)
    facts: str = field(default="", metadata=PRIVATE)

    def __post_init__(self) -> None:
        """Two legs of one serial payment carry one UETR: counted twice they would double the loss."""
        if not 0 < len(self.loss) <= NAME_MAX:
            raise Malformed(f"a loss id has 1 to {NAME_MAX} characters, not {len(self.loss)}")
        if not self.payments:
            raise Malformed(f"loss {self.loss} names no payment: give at least one")
        counts = Counter(payment.uetr for payment in self.payments if payment.uetr)
        for uetr, count in counts.most_common(1):
            if count > 1:
                raise Malformed(f"loss {self.loss} names the payment with UETR {uetr} {count} times: keep one of them")

    @property
    def total(self) -> Amount:
        """What was lost. Raises Refused when it was paid in two assets: state one loss for each."""
        first, *rest = (payment.amount for payment in self.payments)
        return sum(rest, start=first)
