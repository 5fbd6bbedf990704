"""What happens to processes, databases, disks and lines: drawn from a seed, one after another and beside each other."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from tests.chaos.place import Place

KILL, STOP, CUT, DATABASE, DISK = "kills", "stops", "cuts", "database restarts", "disk-full periods"
# How often each is drawn; and for how long it lasts, in seconds: mostly short, now and then longer than one exchange.
WEIGHTS = {KILL: 8, STOP: 5, CUT: 5, DATABASE: 3, DISK: 2}
SHORT, LONG, LONG_SHARE = (0.0, 4.0), (12.0, 26.0), 0.12
PAUSES = (0.5, 4.0)  # between the beginnings of two
AT_ONCE = 3
DISK_SECONDS = (2.0, 8.0)


class Faults:
    """Makes things fail until it is told to stop. `count`: what, how often; `by_node`: where."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.count = place, Counter[str]()
        self._dice = random.Random(f"{seed}/faults")
        self._busy, self._lock = set[str](), threading.Lock()
        self._over = threading.Event()
        self._pool, self._going_on = ThreadPoolExecutor(AT_ONCE + 1, "fault"), list[Future[None]]()

    @property
    def kinds(self) -> dict[str, int]:
        """Those that can be had here, with how often each is drawn."""
        return {kind: weight for kind, weight in WEIGHTS.items() if kind != DISK or not self.place.disk.why_not}

    def begin(self) -> None:
        self._going_on.append(self._pool.submit(self._go_on))

    def stop(self) -> None:
        """No new one; what lasts ends. Raises what a fault did not expect of its tools."""
        self._over.set()
        while self._going_on:
            self._going_on.pop(0).result()
        for proxy in self.place.proxies.values():
            proxy.at_peace = True

    def _go_on(self) -> None:
        kinds = self._drawn()
        while not self._over.is_set():
            kind = next(kinds)
            if whom := self._taken(kind):
                self._going_on.append(self._pool.submit(self._befall, kind, whom, self._seconds(kind)))
            self._over.wait(self._dice.uniform(*PAUSES))

    def _drawn(self) -> Iterator[str]:
        """Each kind once, and then as it falls."""
        once = list(self.kinds)
        self._dice.shuffle(once)
        yield from once
        while True:
            yield self._dice.choices(list(self.kinds), list(self.kinds.values()))[0]

    def _taken(self, kind: str) -> str:
        """Whom it befalls: one whom nothing befalls just now; nobody, if there is none."""
        ids = self.place.processes.ids
        may = [kind] if kind in (DATABASE, DISK) else [f"line to {id}" for id in ids] if kind == CUT else ids
        with self._lock:
            free = [whom for whom in may if whom not in self._busy]
            whom = self._dice.choice(free) if free else ""
            self._busy.add(whom)
        return whom

    def _seconds(self, kind: str) -> float:
        if kind == DISK:
            return self._dice.uniform(*DISK_SECONDS)
        return self._dice.uniform(*(LONG if self._dice.random() < LONG_SHARE else SHORT))

    def _befall(self, kind: str, whom: str, seconds: float) -> None:
        _BEFALL[kind](self.place, whom, seconds)
        with self._lock:
            self._busy.discard(whom)
            self.count[kind] += 1


def _cut(place: Place, whom: str, seconds: float) -> None:
    place.proxies[whom.removeprefix("line to ")].cut(seconds)
    time.sleep(seconds)


def _restart(place: Place, _whom: str, seconds: float) -> None:
    """By turns an order and a crash."""
    place.server.restart("QUIT" if int(seconds * 1000) % 2 else "INT", seconds)


def _fill(place: Place, _whom: str, seconds: float) -> None:
    try:
        place.disk.fill()
        time.sleep(seconds)
    finally:
        place.disk.empty()


_BEFALL: dict[str, Callable[[Place, str, float], None]] = {
    KILL: lambda place, whom, seconds: place.processes.kill(whom, seconds),
    STOP: lambda place, whom, seconds: place.processes.freeze(whom, seconds),
    CUT: _cut, DATABASE: _restart, DISK: _fill,
}
