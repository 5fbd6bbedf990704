"""The one true time of a world and what happens when; and the clock that each machine takes for it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from arrp.node.clock import Clock


class Time:
    """What is to happen, in order. Two things of one instant happen in the order in which they were foreseen."""

    def __init__(self, at: datetime) -> None:
        self.at, self.begin = at, at
        self._agenda: list[tuple[datetime, int, Callable[[], object]]] = []
        self._foreseen = 0

    def then(self, after: timedelta, do: Callable[[], object]) -> None:
        self.when(self.at + after, do)

    def when(self, at: datetime, do: Callable[[], object]) -> None:
        self._foreseen += 1
        heapq.heappush(self._agenda, (max(at, self.at), self._foreseen, do))

    def next(self, until: datetime) -> bool:
        """Let the next thing happen that is due by then. Whether there was one."""
        if not self._agenda or self._agenda[0][0] > until:
            self.at = max(self.at, until)
            return False
        at, _, do = heapq.heappop(self._agenda)
        self.at = max(self.at, at)
        do()
        return True

    def peek(self) -> datetime | None:
        """When the next thing is due."""
        return self._agenda[0][0] if self._agenda else None


class Watch(Clock):
    """The clock and the dice of one machine: what was set wrong on it stays wrong, and a reboot makes it start anew.

    Everything else is the node's own clock (node/clock.py), which believes no step that its peers did not confirm.
    """

    def __init__(self, time: Time, dice: Random) -> None:
        self._time, self._dice = time, dice
        self.wrong_by = timedelta(0)

    def wall(self) -> datetime:
        return self._time.at + self.wrong_by

    def seconds(self) -> float:
        return (self._time.at - self._time.begin).total_seconds()

    def new_id(self) -> str:
        return f"{self._dice.getrandbits(128):032x}"

    def salt(self) -> bytes:
        return self._dice.getrandbits(128).to_bytes(16, "big")

    def rebooted(self) -> Watch:
        """The same machine after a restart: set by a time server, it believes its wall again."""
        again = Watch(self._time, self._dice)
        again.wrong_by = self.wrong_by if abs(self.wrong_by) < timedelta(seconds=1) else timedelta(0)
        return again
