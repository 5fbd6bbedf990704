"""Legal bases and the clocks that follow from them (R-40). Durations are values of `rules` (the law is data).

Hours are UTC arithmetic: adding 24 hours to a local time is wrong twice a year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from arrp.core.errors import Refused


@dataclass(frozen=True, slots=True)
class Power:
    """What the law of `country` lets a kind of participant do (one row of a law file).

    Hours count from the act. `provisional_hours_max` = 0: no hold before an officer decided.
    `hold_hours_max` bounds one decision, `chain_hours_max` the hold with all its extensions.
    `protected_minor` is what stays with the account holder in every case, in `protected_asset`.
    """

    id: str
    country: str
    article: str
    holders: tuple[str, ...]
    provisional_hours_max: int
    hold_hours_max: int
    chain_hours_max: int
    reach: str = "amount"
    protected_minor: int = 0
    protected_asset: str = "EUR"
    notice_hours: int = 72
    objection_hours: int = 120
    objection_silence: str = "escalate"
    return_notice_hours: int = 24
    review_days: int = 180
    onward: str = "free"
    source: str = ""
    checked_on: str = ""


@dataclass(frozen=True, slots=True)
class Basis:
    """On what a hold rests: article, whose power, under which file reference."""

    power: str
    country: str
    article: str
    authority: str
    reference: str = ""


def hours_after(at: datetime, hours: int) -> datetime:
    """The instant `hours` later. Raises Refused for a naive datetime."""
    if at.utcoffset() is None:
        raise Refused("an instant without a time zone has no deadline: say which zone", rule="R-40")
    return at + timedelta(hours=hours)


def until(power: Power, placed_at: datetime, stated: datetime | None) -> datetime:
    """The exclusive end of a decided hold: the earlier of what the deciding side stated and the
    holder's own legal maximum (R-41)."""
    longest = hours_after(placed_at, power.hold_hours_max)
    return min(longest, stated) if stated else longest


def earliest(*instants: datetime | None) -> datetime | None:
    """The first of the clocks that run, None when none does."""
    running = [instant for instant in instants if instant is not None]
    return min(running) if running else None
