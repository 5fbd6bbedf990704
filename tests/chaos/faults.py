"""What happens to processes, databases, disks, lines and cores: drawn from a seed, one after another and beside each
other.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from arrp.connectors.faults import Fault
from arrp.connectors.simulated import SimulatedCore
from arrp.core.errors import ArrpError
from arrp.node.clock import Clock
from tests.chaos.place import BANKS, Place

KILL, STOP, CUT = "kills", "stops", "cuts"
DATABASE, DISK, CORE = "database restarts", "disk-full periods", "core failures"
# How often each is drawn; and for how long it lasts, in seconds: mostly short, now and then longer than one exchange.
WEIGHTS = {KILL: 8, STOP: 5, CUT: 5, DATABASE: 3, DISK: 2, CORE: 5}
SHORT, LONG, LONG_SHARE = (0.0, 4.0), (12.0, 26.0), 0.12
PAUSES = (0.5, 4.0)  # between the beginnings of two
AT_ONCE = 3
DISK_SECONDS = (2.0, 8.0)
# A core that fails does so at the next call of each verb, or the next two; SLOW is as long as what else befalls.
VERBS = ("find", "hold", "release", "extend", "give_back", "transfers_since")
HOW = (Fault.SLOW, Fault.DOWN, Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.ANSWER_LOST)


class Faults:
    """Makes things fail until it is told to stop. `count`: what, how often."""

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
        for id in BANKS:
            with _core(self.place, id) as core:
                core.faults.mend()

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
        may = {DATABASE: [DATABASE], DISK: [DISK], CUT: [f"line to {id}" for id in ids],
               CORE: [f"core of {id}" for id in BANKS]}.get(kind, ids)
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


def _fail(place: Place, whom: str, seconds: float) -> None:
    dice = random.Random(seconds)
    with suppress(ArrpError, sqlite3.Error), _core(place, whom.removeprefix("core of ")) as core:  # its disk is full
        for verb in VERBS:
            core.faults.plant(verb, dice.choice(HOW), dice.choice((1, 2)), 1 + int(seconds))
    time.sleep(seconds)


@contextmanager
def _core(place: Place, id: str) -> Iterator[SimulatedCore]:
    core = SimulatedCore(place.root / id / "core.db", Clock().now)
    try:
        yield core
    finally:
        core.close()


_BEFALL: dict[str, Callable[[Place, str, float], None]] = {
    KILL: lambda place, whom, seconds: place.processes.kill(whom, seconds),
    STOP: lambda place, whom, seconds: place.processes.freeze(whom, seconds),
    CORE: _fail, CUT: _cut, DATABASE: _restart, DISK: _fill,
}
