"""The only place that asks what time it is or throws dice. Everything else gets a clock, or the instant.

A clock that is set while the node runs is not believed at once (reliability T36): the node goes on by the time that
has passed since it last believed the clock, until what its peers state shows who is right.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from threading import Lock
from uuid import uuid4

from arrp.wire.approvals import SALT_BYTES

PEERS_MIN = 2  # so many must agree: one peer alone moves nobody's clock
STEP = timedelta(seconds=2)  # set by less within an hour, a clock is believed: so much its daemon corrects
_HOUR = 3600.0
_LOCK = Lock()


class Clock:
    """The clock and the dice of this machine. Tests hand in their own with the same methods."""

    _start: datetime | None = None  # when the machine's clock was last believed, for an hour or more
    _mark = 0.0  # and `seconds()` then
    _last: datetime | None = None
    _peers: tuple[tuple[str, timedelta], ...] = ()  # how far each was before us when it last stated its time

    def now(self) -> datetime:
        """This instant, in UTC. It makes no step, forward or back, that peers did not confirm."""
        with _LOCK:
            wall, steady = self.wall(), self._steady()
            is_set = abs(wall - steady) > STEP
            if not is_set and self.seconds() - self._mark > _HOUR:
                self._believe(wall)
            found = steady if is_set else wall
            self._last = found if self._last is None else max(found, self._last)
            return self._last

    def wall(self) -> datetime:
        """What the clock of the machine says."""
        return datetime.now(UTC)

    def off_by(self) -> timedelta:
        """By how much the clock of the machine was set and is not believed; nothing, when it is."""
        with _LOCK:
            by = self.wall() - self._steady()
        return by if abs(by) > STEP else timedelta(0)

    def heard(self, peer: str, at: datetime) -> None:
        """A peer has just stated its time. A clock that was set is believed once most peers, by what each stated
        last, are nearer to it than to the time that has passed: so one source of time alone moves nothing."""
        by = self.off_by()
        with _LOCK:
            self._peers = tuple({**dict(self._peers), peer: at - self._steady()}.items())
            agree = sum(abs(apart - by) < abs(apart) for _, apart in self._peers)
            if agree * 2 > max(len(self._peers), PEERS_MIN):
                self._believe(self.wall())
                self._peers = tuple((id, apart - by) for id, apart in self._peers)
                self._last = None

    def _steady(self) -> datetime:
        """The time that has passed since the clock was believed, and no step."""
        if self._start is None:
            self._believe(self.wall())
        assert self._start is not None
        return self._start + timedelta(seconds=self.seconds() - self._mark)

    def _believe(self, wall: datetime) -> None:
        self._start, self._mark = wall, self.seconds()

    def seconds(self) -> float:
        """Seconds since some start, to measure how long a thing took; it never goes back, and counts while the
        machine sleeps where the system can say so."""
        return time.clock_gettime(_PASSING)

    def new_id(self) -> str:
        """32 hex digits that nobody made before."""
        return uuid4().hex

    def salt(self) -> bytes:
        """Bytes nobody can guess: they hide what a hash is of."""
        return secrets.token_bytes(SALT_BYTES)


_PASSING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
