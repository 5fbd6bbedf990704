"""Zones and working days as values of core/calendar.py, from the data of two well-kept packages: tzdata and holidays.

Which version they have is part of every value, so that a computed end can be computed again. What the packages have
otherwise than the law of a place is mended here, in one table each; tests/law/test_working_days.py compares them with
a second source. An operator's own days (announced late, bank holidays) are said in rules.toml and given here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files
from zoneinfo import ZoneInfo

import holidays

from arrp.core.calendar import DAY, Calendar, Zone
from arrp.core.errors import Malformed, NotFound

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_IANA = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*")
YEAR_MAX = 2100
LANGUAGE = "en_US"  # of what a free day is called: else it is that of whoever started the process

# Which of the package's lists are a place's free days, where `public` alone is not.
_LISTS = {
    "HK": ("public", "optional"),  # General Holidays Ordinance (Cap. 149); public: what employers must give (Cap. 57)
    "ID": ("public", "government"),  # the three ministers' joint decision: on joint leave offices are shut
    "MO": ("public", "optional"),  # Executive Order 60/2000; public: what employers must give (Law 7/2008)
    "NL": ("public", "optional"),  # Algemene termijnenwet art. 3: the fifth of May in every year
}
# Days off that the package does not have.
_ALSO_OFF = {
    "AU": {  # by the Acts of all eight states and territories; the package knows them by state only
        date(2026, 12, 28): "Boxing Day (additional day)", date(2027, 12, 27): "Christmas Day (additional day)",
        date(2027, 12, 28): "Boxing Day (additional day)",
    },
    "GH": {date(2026, 3, 23): "Shaqq Day (declared by the Ministry of the Interior)"},
}


@dataclass(frozen=True, slots=True)
class OwnDays:
    """What an operator says beyond the published calendar: days off, with why, and days on which people do work."""

    off: Mapping[date, str] = field(default_factory=dict)
    working: frozenset[date] = frozenset()


def zone(name: str, first: datetime, last: datetime) -> Zone:
    """The offsets of an IANA zone from `first` to `last`. Raises NotFound."""
    found = _zone_info(name)
    first = first.replace(microsecond=0)  # a change lies on a whole second, and is looked for from whole ones
    return Zone(name, f"tzdata {version('tzdata')}", tuple(_changes(found, first, last)), last)


def _zone_info(name: str) -> ZoneInfo:
    """From the package alone, so that the version is what it says, whatever this machine has."""
    place = files("tzdata.zoneinfo").joinpath(*name.split("/"))
    if not _IANA.fullmatch(name) or not place.is_file():
        raise NotFound(f"there is no time zone {name[:60]!r}: it is an IANA name, such as Europe/Lisbon")
    with place.open("rb") as data:
        return ZoneInfo.from_file(data, name)


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, timedelta]]:
    at, offset = first, _offset(zone, first)
    yield at, offset
    while at < last:
        ahead = at + DAY  # no zone ever went there and back in so short a time
        if _offset(zone, ahead) != offset:
            at = _change_between(zone, at, ahead)
            offset = _offset(zone, at)
            yield at, offset
        else:
            at = ahead


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second with another offset, found by halving."""
    offset = _offset(zone, before)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        before, after = (middle, after) if _offset(zone, middle) == offset else (before, middle)
    return after


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def calendar(code: str, zone: Zone, first: date, last: date, own: OwnDays | None = None) -> Calendar:
    """The days off in a place, weekends among them: `PT`, `DE-BY`, or a market such as `XECB`. Raises NotFound."""
    own = own or OwnDays()
    last = min(last, _known_until(code, last))
    known = _published(code, range(first.year, last.year + 1))
    off = {day: known.get(day) or _WEEKDAYS[day.weekday()]
           for day in _days(first, last) if not known.is_working_day(day)}
    off = {day: why for day, why in {**_ALSO_OFF.get(code, {}), **off, **own.off}.items()
           if first <= day <= last and day not in own.working}
    mine = len(own.off) + len(own.working)
    named = _list_named(code) + (f" and {mine} own days" if mine else "")
    return Calendar(code, named, zone, off, first, last)


def _list_named(code: str) -> str:
    lists = f" ({' and '.join(_LISTS[code])})" if code in _LISTS else ""
    mended = f" and {len(_ALSO_OFF[code])} mended days" if code in _ALSO_OFF else ""
    return f"holidays {version('holidays')}{lists}{mended}"


def _known_until(code: str, last: date) -> date:
    """The package says with a warning where it stops to know a country's holidays; beyond it nothing is computed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            _published(code, range(last.year, last.year + 1))
        except UserWarning as why:
            years = re.findall(r"\d{4}", str(why))
            return date(int(years[-1]), 12, 31)
    return last


def _days(first: date, last: date) -> Iterator[date]:
    return (first + DAY * number for number in range((last - first).days + 1))


def _published(code: str, years: Iterable[int]) -> holidays.HolidayBase:
    country, _, part = code.partition("-")
    if not code:
        return holidays.HolidayBase(years=years)
    unknown = NotFound(f"nobody keeps a calendar of {code[:20]!r} here: name another, or say its days in rules.toml")
    if not part and country in holidays.list_supported_financial():
        return holidays.financial_holidays(country, years=years, language=LANGUAGE)
    if country not in holidays.list_supported_countries():
        raise unknown
    try:
        return holidays.country_holidays(country, subdiv=part or None, years=years, language=LANGUAGE,
                                         categories=_LISTS.get(country, ("public",)))
    except NotImplementedError:
        raise unknown from None


def around(code: str, zone_name: str, at: datetime, years: int = 2, own: OwnDays | None = None) -> Calendar:
    """A calendar and zone that reach a year back and `years` ahead of an instant. Raises NotFound, Malformed."""
    if not 1970 <= at.year <= YEAR_MAX - years:
        raise Malformed(f"{at.year} is a year this clock knows nothing about: from 1970 to {YEAR_MAX - years}")
    begin = at.astimezone(UTC) - timedelta(days=370)
    end = at.astimezone(UTC) + timedelta(days=366 * years + 10)
    return calendar(code, zone(zone_name, begin, end), (begin + DAY * 2).date(), (end - DAY * 2).date(), own)
