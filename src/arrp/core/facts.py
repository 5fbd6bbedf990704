"""What the requested side says: the bodies of its facts, each whole, so the last word is the truth (R-31);
and the two facts that either side may have to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from arrp.core.deadline import Basis
from arrp.core.hold import Hold
from arrp.core.messages import PRIVATE
from arrp.core.money import Amount
from arrp.core.request import Leg, Terms


@dataclass(frozen=True, slots=True)
class Answered:
    """What the requested side says about the request itself."""

    terms: Terms
    reason: str | None = None
    condition: str | None = None
    basis: Basis | None = None
    until: datetime | None = None
    differs: tuple[str, ...] = ()
    restrained_by: str | None = None
    rests_on: str | None = None
    text: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class HoldStated:
    """A fact about a hold: the hold and all terms of its request, whole (R-31)."""

    hold: Hold
    terms: Terms
    why: str | None = None
    rests_on: str | None = None


@dataclass(frozen=True, slots=True)
class LegsStated:
    """Where traced coins went. Legs only grow; `as_of` is the ledger's own booking sequence (R-52)."""

    legs: tuple[Leg, ...]
    terms: Terms
    as_of: int
    rests_on: str | None = None


@dataclass(frozen=True, slots=True)
class Objection:
    """An account holder's objection: named ground, clock, who decides (R-72)."""

    id: str
    hold: str
    ground: str
    raised_at: datetime
    decide_by: datetime | None
    state: str  # raised | upheld | partly | rejected
    free: Amount | None
    text: str = field(default="", metadata=PRIVATE)
    officer: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class ObjectionStated:
    objection: Objection
    rests_on: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnStated:
    """A step of one return. `returned` is the sum that left for the payee."""

    id: str
    hold: Hold
    terms: Terms
    amount: Amount
    claim: Amount
    return_at: datetime | None
    ground: str
    rests_on: str | None = None
    reference: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Corrected:
    """What was said about an account is wrong (R-74). `what`: account, person, amount, crime or report."""

    id: str
    what: str
    text: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class EraseAsked:
    """Whoever was told is asked to erase what its own law does not make it keep (R-65)."""

    id: str
    basis: str
    text: str = field(default="", metadata=PRIVATE)
