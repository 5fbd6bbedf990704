"""Local days as values: which instants a day of a zone has, and which days people work (R-40).

A `Zone` is the list of its offsets, so that nothing here reads a clock or a disk. A day that a zone left out (Apia had
no 30 December 2011) is no day: it is not counted, and nothing ends with it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from arrp.core.errors import Malformed, Refused

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone between the first change given and `known_until`. `changes`: (instant, offset from then on), in
    order, the first of them the beginning of what is known. `version` is that of the time zone data."""

    name: str
    version: str
    changes: tuple[tuple[datetime, timedelta], ...]
    known_until: datetime

    def offset_at(self, at: datetime) -> timedelta:
        """Raises Refused for an instant beyond what is known."""
        place = bisect_right(self.changes, at, key=lambda change: change[0]) - 1
        if place < 0 or at >= self.known_until:
            raise Refused(f"{at:%Y-%m-%d} is beyond the time zone data of {self.name} that was loaded", rule="R-40")
        return self.changes[place][1]

    def local(self, at: datetime) -> datetime:
        """What the wall clock there shows."""
        return (at + self.offset_at(at)).replace(tzinfo=None)

    def instants(self, local: datetime) -> tuple[datetime, ...]:
        """When a wall clock there shows that: never (it was left out), once, or twice."""
        return tuple(at for at, begin, end in self._shown(local) if begin <= at < end)

    def instant(self, local: datetime) -> datetime:
        """The one instant of a local time. Raises Malformed where there is none, or more than one."""
        found = self.instants(local)
        if not found:
            raise Malformed(f"{local.isoformat(' ')} did not exist in {self.name}: the clocks went forward over it")
        if len(found) > 1:
            told = " or ".join(_with_offset(local, self.offset_at(at)) for at in found)
            raise Malformed(f"{local.isoformat(' ')} came twice in {self.name}: say which, {told}")
        return found[0]

    def end_of(self, day: date) -> datetime:
        """The first instant after the last one of that local day; where the day was left out, the end of the one
        before. Raises Refused beyond what is known."""
        midnight = datetime.combine(day + DAY, time())
        before = [min(at, end) for at, begin, end in self._shown(midnight) if begin < at]
        if not before or before[-1] >= self.known_until:
            raise Refused(f"{day} is beyond the time zone data of {self.name} that was loaded", rule="R-40")
        return before[-1]

    def has(self, day: date) -> bool:
        """Whether there was such a day."""
        return self.end_of(day) > self.end_of(day - DAY)

    def _shown(self, local: datetime) -> Iterator[tuple[datetime, datetime, datetime]]:
        """For each offset: when it would show that local time, and from when until when it counts."""
        ends = [*(at for at, _ in self.changes[1:]), self.known_until]
        for (begin, offset), end in zip(self.changes, ends, strict=True):
            yield (local - offset).replace(tzinfo=UTC), begin, end


def _with_offset(local: datetime, offset: timedelta) -> str:
    minutes = offset // timedelta(minutes=1)
    return f"{local.isoformat()}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def typed_instant(text: str) -> datetime:
    """What somebody typed, with its offset if they typed one. Raises Malformed."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(f"{text[:40]!r} is not an instant, such as 2026-11-22T08:00Z") from None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days on which nobody works, with why (`Saturday`, `Labour Day`), from `first` to `last`."""

    id: str
    version: str
    zone: Zone
    off: Mapping[date, str]
    first: date
    last: date

    @property
    def digest(self) -> str:
        """Which data a deadline was computed with: the same days and offsets of the same version, the same digest."""
        days = ";".join(f"{day}={why}" for day, why in sorted(self.off.items()))
        changes = ";".join(f"{at.isoformat()}={offset}" for at, offset in self.zone.changes)
        whole = f"{self.id}|{self.version}|{self.first}|{self.last}|{days}|{self.zone.name}|{changes}"
        return sha256(whole.encode()).hexdigest()

    def is_working(self, day: date, saturdays: bool = False) -> bool:
        """Whether people work there; `saturdays` where those count that are no holiday. Raises Refused for a day
        that the calendar does not reach."""
        if not self.first <= day <= self.last:
            raise Refused(f"{day} is beyond the calendar of {self.id}, which goes from {self.first} to {self.last}",
                          rule="R-40")
        is_off = day in self.off and not (saturdays and self.off[day] == "Saturday")
        return not is_off and self.zone.has(day)
