"""Legal bases and the clocks that follow from them (R-40). Durations are values of `rules` (the law is data).

Hours are UTC arithmetic: adding 24 hours to a local time is wrong twice a year. Days and months end with the last
local day; the day of the act is not counted (Regulation (EEC, Euratom) 1182/71, article 3).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, timedelta, timezone

from arrp.core.calendar import DAY, Calendar
from arrp.core.errors import Malformed, Refused
from arrp.core.period import UNTIL_ORDER, Period

# What no law says of a power that an operator types.
_NOTICE, _OBJECTING, _ANNOUNCED = Period(72, "hours"), Period(120, "hours"), Period(24, "hours")


@dataclass(frozen=True, slots=True)
class Power:
    """What the law of `country` lets a kind of participant do: a power of a law file that the node adopted, or one
    that its operator typed.

    Times count from the act. `provisional` = None: no hold before an officer decided. `longest` bounds one
    decision, `chain` the hold with all its extensions; days are those of `calendar`, counted as `counting` says.
    `silence`: what an undecided hold is when that time is over. `notice`: whether the account holder may be told.
    `protected_minor` is what stays with the account holder in every case, in `protected_asset`.
    """

    id: str
    country: str
    article: str
    holders: tuple[str, ...]
    provisional: Period | None
    longest: Period
    chain: Period
    calendar: Calendar | None = None
    counting: tuple[str, ...] = ()
    silence: str = "free"  # free | stays
    notice: str = "free"  # required | forbidden | free
    reach: str = "amount"
    protected_minor: int = 0
    protected_asset: str = "EUR"
    notice_within: Period = _NOTICE  # until the account holder is told, where the law requires it
    objection_within: Period = _OBJECTING  # how long they have, once told
    objection_hours: int = 120  # to decide an objection
    objection_silence: str = "escalate"
    return_notice: Period = _ANNOUNCED  # between announcing and sending
    review_days: int = 180
    onward: str = "ask"  # free | ask | we_do
    tells: tuple[str, ...] = ()  # what an authority abroad may be told of where money went: of core/law.TOLD
    source: str = ""
    checked_on: str = ""
    adopted: str = ""  # by whom at this participant, and on which day; empty: typed by its operator

    def __post_init__(self) -> None:
        """Raises Malformed for days without the calendar that says which they are."""
        every = (self.provisional, self.longest, self.chain, self.notice_within, self.objection_within,
                 self.return_notice)
        days = [period for period in every if period and period.unit != "hours"]
        if days and self.calendar is None:
            raise Malformed(f"power {self.id} lasts {days[0]}: without a calendar a power counts in hours", rule="R-40")

    def end(self, period: Period, at: datetime) -> datetime:
        """When a time of this power ends that began at `at`. Raises Refused beyond what its calendar knows."""
        found = self.deadline(period, at)
        return hours_after(at, period.count) if found is None else found.until

    def deadline(self, period: Period, at: datetime) -> Deadline | None:
        """The same with its reason; None for a typed power, whose times are hours. Raises Refused."""
        return None if self.calendar is None else deadline(period, at, self.calendar, self.counting)


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


def earliest(*instants: datetime | None) -> datetime | None:
    """The first of the clocks that run, None when none does."""
    running = [instant for instant in instants if instant is not None]
    return min(running) if running else None


@dataclass(frozen=True, slots=True)
class Deadline:
    """A computed end, exclusive, and how it was found: in one sentence, with the versions of calendar and zone."""

    until: datetime
    until_local: datetime  # with its offset there
    reason: str
    calendar_version: str
    zone_version: str


# How a law counts where it counts otherwise than most.
FIRST_DAY, SATURDAYS = "first day counts", "saturdays count"


def deadline(period: Period, at: datetime, calendar: Calendar, counting: Collection[str] = ()) -> Deadline:
    """When a period that began with an act at `at` ends, in the place of that calendar. `counting`: FIRST_DAY where the
    day of the act is the first (POCA 2002 s. 335), SATURDAYS where they are working days (jours ouvrables).
    Raises Refused for an instant without a zone, for `until order`, and beyond what calendar and zone know."""
    zone = calendar.zone
    if at.utcoffset() is None:
        raise Refused("an instant without a time zone has no deadline: say which zone", rule="R-40")
    if period.unit == UNTIL_ORDER:
        raise Refused("what lasts until an order has no end to compute: it is reviewed on its date", rule="R-40")
    if period.unit == "hours":
        until = hours_after(at, period.count)
        reason = f"{period} after the act, counted in UTC"
    else:
        act = zone.local(at).date()
        last, skipped = _last_day(period, act, calendar, counting)
        until = zone.end_of(last)
        first = "is the first" if FIRST_DAY in counting else "is not counted"
        reason = f"{period} in {calendar.id}; {_named(act)}, the day of the act, {first}{_left_out(skipped)}"
        reason += f"; {_named(last)} is the last, to its end in {zone.name}"
    local = (until + zone.offset_at(until)).replace(tzinfo=timezone(zone.offset_at(until)))
    return Deadline(until, local, reason, calendar.version, zone.version)


def _last_day(period: Period, act: date, calendar: Calendar, counting: Collection[str]
              ) -> tuple[date, list[tuple[date, str]]]:
    """The last local day, and the days on the way that did not count."""
    earlier = DAY if FIRST_DAY in counting else timedelta(0)
    if period.unit == "months":
        return _months_after(period.count, act, calendar) - earlier, []
    day, left, skipped = act - earlier, period.count, list[tuple[date, str]]()
    saturdays = SATURDAYS in counting
    while left:
        day += DAY
        counts = calendar.is_working(day, saturdays) if period.unit == "working days" else calendar.zone.has(day)
        left -= counts
        if not counts:
            skipped.append((day, calendar.off.get(day, "there was no such day")))
    return day, skipped


def _months_after(months: int, act: date, calendar: Calendar) -> date:
    """The day with the same number; the last of that month where it has none (1182/71, article 3(2)(c))."""
    year, month = divmod(act.year * 12 + act.month - 1 + months, 12)
    if year > MAXYEAR:
        raise Refused(f"{months} months from {act} is beyond any calendar", rule="R-40")
    day = date(year, month + 1, min(act.day, monthrange(year, month + 1)[1]))
    while not calendar.zone.has(day):
        day += DAY
    return day


def _named(day: date) -> str:
    return f"{day:%a %Y-%m-%d}"


def _left_out(skipped: list[tuple[date, str]]) -> str:
    """Days that did not count, shortly: the first few, and how many more."""
    if not skipped:
        return ""
    named = ", ".join(f"{_named(day)} ({why})" for day, why in skipped[:6])
    more = f" and {len(skipped) - 6} more" if len(skipped) > 6 else ""
    return f"; not counted: {named}{more}"
