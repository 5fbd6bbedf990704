"""What a participant without a node is sent and says: the bodies of the facts that officers type (R-95 to R-97).

A typed answer states everything its letter says, whole; what it leaves out stays as it was. The facts
that follow from it carry `PAPER` where the hash of a signed act would stand: nobody's node signed them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from arrp.core.deadline import Basis
from arrp.core.messages import PRIVATE
from arrp.core.money import Amount
from arrp.core.request import Document

PAPER = "paper"  # in place of an act's hash: what it stands beside was typed from paper


class Way(StrEnum):
    """How paper travels. A request never goes by telephone; what was said on it may be typed."""

    I247 = "i247"  # the police network of INTERPOL
    MAIL = "mail"
    PORTAL = "portal"
    FAX = "fax"
    TELEPHONE = "telephone"


@dataclass(frozen=True, slots=True)
class SentByHand:
    """An officer sent act `act` on paper. `reference` is that of the message or the posting."""

    act: str
    how: Way
    by: str
    reference: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLeg:
    """One transfer out as a letter tells it: `ends` says why nothing follows (cash, fee …)."""

    amount: Amount
    at: datetime
    ends: str | None = None
    ref: str = field(default="", metadata=PRIVATE)
    account: str = field(default="", metadata=PRIVATE)
    name: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredByHand:
    """What one letter says, as an officer typed it. None: it says nothing about that.

    `answer` and `hold` are states of the tables in core/request.py and core/hold.py; `held` is all that
    is held, `returned` the sum of all returns, `legs` all transfers out, `not_found` what never came.
    """

    source: Way
    by: str
    document: Document
    answer: str | None = None
    reason: str | None = None
    condition: str | None = None
    hold: str | None = None
    held: Amount | None = None
    returned: Amount | None = None
    not_found: Amount | None = None
    legs: tuple[ToldLeg, ...] | None = None
    basis: Basis | None = None
    until: datetime | None = None
    review_at: datetime | None = None
    reference: str = field(default="", metadata=PRIVATE)
    text: str = field(default="", metadata=PRIVATE)


def is_unsigned(event: Any) -> bool:
    """R-97: whether an event was typed from paper, or an authority restates what was."""
    return event.act_hash == PAPER or getattr(event.body, "rests_on", None) == PAPER
