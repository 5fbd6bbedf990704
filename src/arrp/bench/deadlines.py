"""How fast deadlines fire: very many wait, many come due in one minute, and each fires once (I6).

Each deadline is that of a request which nobody receipts: when its patience is over the second contact is called
(R-33), a signed-for event of the log, with the case folded and written as always. The floor is the least that any timer
must do: with the same threads, per deadline one durable transaction that finds what is due, moves it and writes
an event's bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, func, insert, select, update

from arrp.bench.node import Bench
from arrp.core.errors import Corrupt, Unreachable
from arrp.node.clock import Clock
from arrp.node.delivery import Delivery
from arrp.node.store.tables import cases, events, outbox
from arrp.node.worker import Worker

THREADS = 8
LOOK_SECONDS = 0.1  # between two looks at how many have fired
YEAR = timedelta(days=365)
ROW = b"x" * 600
_BLOCK = 10_000

_floor = Table("floor_deadlines", MetaData(), Column("id", BigInteger, primary_key=True), Column("due_at", BigInteger,
               index=True), Column("fired", LargeBinary))


@dataclass(frozen=True, slots=True)
class Fired:
    """`pending` deadlines waited, `due` of them came due at once; how long each way took, in seconds."""

    pending: int
    due: int
    node: float
    floor: float

    @property
    def ratio(self) -> float:
        """How much of the floor's speed the node has."""
        return self.floor / self.node


class _Later(Clock):
    """The system's clock, so much ahead."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class _Nobody:
    """A network on which nobody answers."""

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        raise Unreachable(f"{url}: nobody is there")

    def get(self, url: str, tag: str, most: int) -> tuple[int, bytes]:
        raise Unreachable(f"{url}: nobody is there")


def measure_deadlines(store_url: str, *, pending: int, due: int) -> Fired:
    """On the store at `store_url`, which must be empty. Raises Corrupt when a deadline fired twice, or never."""
    clock = _Later()
    bench = Bench(store_url, clock)
    for number in range(due):
        bench.ask(number)
    _wait_for_years(bench, pending)
    with bench.store.writing() as connection:  # the requests themselves are tried again later: deadlines are measured
        connection.execute(update(outbox).values(due_at=clock.now() + timedelta(hours=1)))
    clock.ahead = timedelta(minutes=10)
    node = _until_all_fired(bench, due)
    floor = _floor_seconds(bench, pending, due)
    bench.close()
    return Fired(pending, due, node, floor)


def _wait_for_years(bench: Bench, pending: int) -> None:
    """Cases whose next deadline is days and years ahead; nothing of them is looked at but that."""
    begin, step = bench.clock.now() + timedelta(days=1), 10 * YEAR / max(pending, 1)
    for first in range(0, pending, _BLOCK):
        rows = [{"id": f"waiting {number}", "key": f"waiting {number}", "version": 0, "state": "open", "title": "",
                 "opened_at": begin, "due_at": begin + number * step}
                for number in range(first, min(first + _BLOCK, pending))]
        with bench.store.writing() as connection:
            connection.execute(insert(cases), rows)


def _until_all_fired(bench: Bench, due: int) -> float:
    logging.getLogger("arrp.delivery").setLevel(logging.ERROR)  # that nobody is there is known
    service, hearing = bench.service, bench.hearing
    with ThreadPoolExecutor(THREADS) as executor:
        worker = Worker(service, Delivery(service, hearing, _Nobody(), None), executor)
        begin = bench.clock.seconds()
        while _fired(bench) < due:
            look_at = bench.clock.seconds() + LOOK_SECONDS
            while bench.clock.seconds() < look_at:
                worker.awake.clear()
                if not worker.once():
                    worker.awake.wait(LOOK_SECONDS)
        took = bench.clock.seconds() - begin
    if _fired(bench) != due:
        raise Corrupt(f"{_fired(bench)} deadlines fired, {due} were due")
    return took


def _fired(bench: Bench) -> int:
    with bench.store.reading() as connection:
        return connection.execute(select(func.count()).where(events.c.kind == "Escalated")).scalar() or 0


def _floor_seconds(bench: Bench, pending: int, due: int) -> float:
    """The same number of deadlines in one table of two columns."""
    _floor.create(bench.store.engine)
    for first in range(0, pending + due, _BLOCK):
        rows = [{"id": number, "due_at": 0 if number < due else number}
                for number in range(first, min(first + _BLOCK, pending + due))]
        with bench.store.engine.begin() as connection:
            connection.execute(insert(_floor), rows)
    begin = bench.clock.seconds()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(_fire(bench), range(due)))
    return bench.clock.seconds() - begin


def _fire(bench: Bench) -> Callable[[int], None]:
    def fire(number: int) -> None:
        with bench.store.writing() as connection:
            connection.execute(select(_floor.c.id).where(_floor.c.due_at <= 0).limit(1)).first()
            connection.execute(update(_floor).where(_floor.c.id == number).values(due_at=None, fired=ROW))

    return fire
