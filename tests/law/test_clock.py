"""The clock of the law: vectors found on paper, and every zone against a plain enumeration by another route (R-40).

The oracle knows nothing of offsets or changes: it asks `zoneinfo` what the wall clock shows, quarter hour by quarter
hour, and walks days one by one. It reads the zones of the same package, not those of the machine, which may be of
another year. ARRP_CLOCK=all takes every change of every zone in thirty years, and all three units (some minutes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arrp.core.calendar import DAY, Calendar
from arrp.core.deadline import deadline
from arrp.core.errors import Malformed, NotFound, Refused
from arrp.core.period import Period
from arrp.law.calendars import OwnDays, around, calendar, zone

FIRST, LAST = datetime(1996, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
ZONES = sorted(name for name in files("tzdata").joinpath("zones").read_text().split()
               if "/" in name and not name.startswith(("Etc/", "SystemV/")))
QUARTER = timedelta(minutes=15)
EVERY = os.environ.get("ARRP_CLOCK") == "all"
PLACES = (("Europe/Lisbon", "PT"), ("Asia/Dhaka", "BD"), ("Africa/Cairo", "EG"), ("Asia/Shanghai", "CN"),
          ("Asia/Tokyo", "JP"), ("America/Sao_Paulo", "BR"), ("Asia/Kathmandu", "NP"), ("Pacific/Apia", "WS"),
          ("Asia/Dubai", "AE"), ("Asia/Kolkata", "IN"), ("Australia/Lord_Howe", "AU"), ("Asia/Tehran", "IR"))


def ends(period: str, at: str, zone_name: str, code: str = "", own: OwnDays | None = None) -> str:
    """The end as the wall clock there shows it. `at` with an offset, or local."""
    typed = datetime.fromisoformat(at)
    guess = typed if typed.utcoffset() is not None else typed.replace(tzinfo=UTC)
    known = around(code, zone_name, guess, own=own)
    act = typed if typed.utcoffset() is not None else known.zone.instant(typed)
    return deadline(Period.parse(period), act.astimezone(UTC), known).until_local.isoformat()


@pytest.mark.parametrize(("place", "at", "period", "end"), [
    ("Europe/Paris FR", "2026-03-28T12:00", "24 hours", "2026-03-29T13:00:00+02:00"),
    ("Europe/Paris FR", "2026-10-24T12:00", "24 hours", "2026-10-25T11:00:00+01:00"),
    ("Europe/Paris FR", "2026-03-28T12:00", "72 hours", "2026-03-31T13:00:00+02:00"),
    ("Australia/Lord_Howe AU", "2026-10-03T12:00", "24 hours", "2026-10-04T12:30:00+11:00"),
    ("Africa/Cairo EG", "2026-04-23T12:00", "24 hours", "2026-04-24T13:00:00+03:00"),
    ("Africa/Cairo EG", "2026-04-22T12:00", "1 calendar day", "2026-04-24T01:00:00+03:00"),
    ("Africa/Cairo EG", "2026-04-23T12:00", "1 calendar day", "2026-04-25T00:00:00+03:00"),
    ("Pacific/Apia WS", "2011-12-28T12:00", "1 calendar day", "2011-12-31T00:00:00+14:00"),
    ("Pacific/Apia WS", "2011-12-29T12:00", "1 calendar day", "2012-01-01T00:00:00+14:00"),
    ("Asia/Dhaka BD", "2026-11-19T17:00", "1 working day", "2026-11-23T00:00:00+06:00"),
    ("Asia/Dubai AE", "2026-11-20T17:00", "1 working day", "2026-11-24T00:00:00+04:00"),
    ("Europe/Lisbon PT", "2026-11-27T23:59:59.900000", "1 working day", "2026-12-01T00:00:00+00:00"),
    ("Europe/Lisbon PT", "2026-11-28T00:00", "1 working day", "2026-12-01T00:00:00+00:00"),
    ("Europe/Lisbon PT", "2026-12-31T12:00", "1 calendar day", "2027-01-02T00:00:00+00:00"),
    ("Asia/Tokyo JP", "2026-04-28T20:00", "3 working days", "2026-05-08T00:00:00+09:00"),
    ("Asia/Shanghai CN", "2026-02-13T09:00", "1 working day", "2026-02-15T00:00:00+08:00"),
    ("America/New_York US", "2026-12-23T12:00", "2 working days", "2026-12-29T00:00:00-05:00"),
    ("Europe/Lisbon PT", "2026-01-31T12:00", "1 month", "2026-03-01T00:00:00+00:00"),
    ("Europe/Lisbon PT", "2028-01-31T12:00", "1 month", "2028-03-01T00:00:00+00:00"),
    ("Europe/Lisbon PT", "2026-08-31T12:00", "6 months", "2027-03-01T00:00:00+00:00"),
])  # fmt: skip
def test_r40_an_end_is_where_the_law_puts_it(place: str, at: str, period: str, end: str) -> None:
    zone_name, code = place.split()
    assert ends(period, at, zone_name, code) == end


def test_r40_a_law_may_count_otherwise() -> None:
    """jours ouvrables: Saturdays count, Sundays and holidays do not; POCA 2002: the day of the notice is the first."""
    friday = datetime(2026, 11, 20, 12, tzinfo=UTC)
    paris, london = around("FR", "Europe/Paris", friday), around("GB", "Europe/London", friday)
    ten = deadline(Period.parse("10 working days"), friday, paris, ["saturdays count"])
    assert ten.until_local.isoformat() == "2026-12-03T00:00:00+01:00"
    month = deadline(Period.parse("31 calendar days"), friday, london, ["first day counts"])
    assert month.until_local.isoformat() == "2026-12-21T00:00:00+00:00"
    assert "is the first" in month.reason
    march = datetime(2027, 3, 1, 12, tzinfo=UTC)
    assert deadline(Period.parse("1 month"), march, around("GB", "Europe/London", march), ["first day counts"]
                    ).until_local.isoformat() == "2027-04-01T00:00:00+01:00"
    easter = datetime(2026, 4, 30, 12, tzinfo=UTC)
    assert deadline(Period.parse("1 working day"), easter, paris, ["saturdays count"]).until_local.day == 3


def test_r40_a_day_announced_late_is_an_operators_word() -> None:
    late = OwnDays({date(2026, 11, 30): "mourning, announced on the 27th"}, frozenset({date(2026, 12, 5)}))
    assert ends("1 working day", "2026-11-27T12:00", "Europe/Lisbon", "PT", late) == "2026-12-03T00:00:00+00:00"
    assert ends("3 working days", "2026-12-02T12:00", "Europe/Lisbon", "PT", late) == "2026-12-06T00:00:00+00:00"


@pytest.mark.parametrize(("local", "said"), [("2026-03-29T02:30", "did not exist"), ("2026-10-25T02:30", "came twice")])
def test_r40_a_local_time_that_is_none_or_two_is_refused(local: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        ends("24 hours", local, "Europe/Paris")


@pytest.mark.parametrize("at", ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"])
def test_r40_a_time_that_came_twice_is_one_when_its_offset_is_said(at: str) -> None:
    hours = datetime.fromisoformat(at).astimezone(UTC) + DAY
    assert datetime.fromisoformat(ends("24 hours", at, "Europe/Paris")) == hours


def test_r40_nothing_is_computed_beyond_what_is_known() -> None:
    known = around("PT", "Europe/Lisbon", datetime(2026, 1, 1, tzinfo=UTC), years=1)
    with pytest.raises(Refused, match="beyond"):
        deadline(Period.parse("600 working days"), datetime(2026, 1, 1, tzinfo=UTC), known)
    with pytest.raises(Refused, match="without a time zone"):
        deadline(Period.parse("1 hour"), datetime(2026, 1, 1), known)  # noqa: DTZ001  that is what is refused
    with pytest.raises(Refused, match="until an order"):
        deadline(Period.parse("until order"), datetime(2026, 1, 1, tzinfo=UTC), known)
    for wrong in ("Europe/Atlantis", "../etc/passwd", ""):
        with pytest.raises(NotFound):
            zone(wrong, FIRST, LAST)
    for wrong in ("XX", "__name__", "utils", "HolidayBase", "PT-Nowhere", "XECB-1"):
        with pytest.raises(NotFound):
            around(wrong, "Europe/Lisbon", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("text", ["", "5", "five days", "0 hours", "-1 hours", "5 workdays", "1 hour ",
                                  "99999999 hours"])
def test_what_is_no_term_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Period.parse(text)


# --- every zone against the enumeration --------------------------------------------------------------------


@cache
def wall_clock(name: str) -> ZoneInfo:
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data)


def shown(name: str, at: datetime) -> date:
    return at.astimezone(wall_clock(name)).date()


def end_by_looking(name: str, day: date) -> datetime:
    """The quarter hour after the last at which the wall clock shows that day or an earlier one."""
    noon = datetime.combine(day, time(12), UTC)
    looks = (noon - timedelta(hours=36) + QUARTER * n for n in range(96 * 3 + 1))
    return max(at for at in looks if shown(name, at) <= day) + QUARTER


def days_of_change(name: str) -> Iterator[date]:
    """The days around each change, and one quiet day a year."""
    for at, _ in zone(name, FIRST, LAST).changes[1:]:
        yield from (shown(name, at) + DAY * step for step in (-1, 0, 1))
    yield from (date(year, 5 + year % 7, 1 + year % 28) for year in range(1997, 2026))


def chosen() -> list[tuple[str, date]]:
    zones = ZONES if EVERY else sorted({*ZONES[::16], *(name for name, _ in PLACES)})
    return [(name, day) for name in zones for day in days_of_change(name)][:: 1 if EVERY else 3]


def test_r40_the_end_of_a_day_is_where_looking_at_the_clock_finds_it() -> None:
    """Compared to the quarter hour, which is where every change since 1996 lies."""
    wrong, tried = [], chosen()
    zones = {name: zone(name, FIRST - DAY * 3, LAST + DAY * 3) for name in {name for name, _ in tried}}
    for name, day in tried:
        found, looked = zones[name].end_of(day), end_by_looking(name, day)
        if found != looked:
            wrong.append(f"{name} {day}: {found} is not {looked}")
    assert wrong == []
    assert len(tried) > 800


@pytest.mark.parametrize("unit", ["hours", "calendar days", "working days"])
def test_r40_every_unit_ends_where_somebody_walking_through_the_days_ends(unit: str) -> None:
    """In each zone around each of its changes, with the free days of one country; what the wall clock shows at the end
    is asked of `zoneinfo` as well."""
    wrong, tried = [], chosen()[:: 1 if EVERY else 3]
    known = {name: calendar("PT", zone(name, FIRST - DAY * 9, LAST + DAY * 30), date(1995, 12, 25), date(2027, 1, 15))
             for name in {name for name, _ in tried}}
    for number, (name, day) in enumerate(tried):
        at = datetime.combine(day - DAY * 2, time(number % 24, number % 60), UTC)
        period = Period(1 + number % (96 if unit == "hours" else 6), unit)
        found = deadline(period, at, known[name])
        looked = (datetime.fromtimestamp(at.timestamp() + 3600 * period.count, UTC) if unit == "hours" else
                  end_by_looking(name, last_by_walking(name, "PT", shown(name, at), period, ahead=24)))
        local = looked.astimezone(wall_clock(name)).isoformat()
        if (found.until, found.until_local.isoformat()) != (looked, local):
            wrong.append(f"{name} {at} {period}: {found.until_local} is not {local}")
    assert wrong == []
    assert len(tried) > 300


@cache
def free_days(code: str) -> holidays.HolidayBase:
    return holidays.country_holidays(code)


def last_by_walking(name: str, code: str, act: date, period: Period, ahead: int = 200) -> date:
    """Walks from day to day as the wall clock shows them, asking the package itself who works."""
    known = free_days(code)
    seen = sorted({shown(name, datetime.combine(act, time(), UTC) + timedelta(hours=6 * n)) for n in range(4 * ahead)})
    days = [day for day in seen if day > act]
    if period.unit == "working days":
        days = [day for day in days if known.is_working_day(day)]
    return days[period.count - 1]


@example(("Pacific/Apia", "WS"), datetime(2011, 11, 24, 0, 0, 0, 1), 26, "working days")  # noqa: DTZ001
@given(st.sampled_from(PLACES), st.datetimes(datetime(2005, 1, 1), datetime(2027, 6, 1)),  # noqa: DTZ001
       st.integers(1, 40), st.sampled_from(["hours", "calendar days", "working days"]))
def test_r40_days_are_counted_as_somebody_walking_through_them_would(
    place: tuple[str, str], at: datetime, count: int, unit: str
) -> None:
    name, code = place
    act, period = at.replace(tzinfo=UTC), Period(count, unit)
    found = deadline(period, act, around(code, name, act)).until
    if unit == "hours":
        assert found.timestamp() == act.timestamp() + 3600 * count
    else:
        assert found == end_by_looking(name, last_by_walking(name, code, shown(name, act), period))


def test_r40_a_calendar_reaches_as_far_as_it_says() -> None:
    known: Calendar = calendar("PT", zone("Europe/Lisbon", FIRST, LAST), date(2026, 1, 1), date(2026, 12, 31))
    assert known.off[date(2026, 1, 3)] == "Saturday"
    with pytest.raises(Refused, match="goes from"):
        known.is_working(date(2027, 1, 1))


@pytest.mark.parametrize("code", ["CH", "PT", "BN", "XECB"])
def test_r40_a_calendar_is_the_same_whoever_started_the_node(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of free days are part of a reason and of a digest, and the library takes those of the environment."""
    at, found = datetime(2026, 12, 1, tzinfo=UTC), set()
    for spoken in ("C", "en_US.UTF-8", "de_DE.UTF-8"):
        for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.setenv(name, spoken)
        known = around(code, "Europe/Zurich", at)
        found.add((known.digest, known.off[date(2026, 12, 25)]))
    assert [why for _, why in found] == ["Christmas Day"]
