"""`arrp bench`: four processes, and waits that leave nothing out; deadlines that all fire."""

from __future__ import annotations

import gc
import warnings
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from arrp.bench import life as bench
from arrp.bench.flood import CAP, flood
from arrp.node.clock import Clock
from arrp.node.store.engine import Store
from arrp.node.store.tables import cases, events
from tests.cli.running import data

MANY = 40


class Busy(bench._Bench):
    """No case is done before the last one was begun."""

    def __init__(self) -> None:
        self.clock, self.cases = Clock(), [str(number) for number in range(MANY)]
        self.all_begun = Barrier(MANY)
        self.asked = SimpleNamespace(follow=lambda: iter(()))  # type: ignore[assignment]

    def _at(self, due: datetime, number: int) -> str:
        self.all_begun.wait(timeout=30)
        return str(number)


def test_each_case_is_asked_at_its_time_whatever_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer hands than cases the last would be asked late, and its wait counted from then."""
    monkeypatch.setattr(bench, "WARMING", 10)
    asked = Busy().ask(1000)
    assert list(asked) == [str(number) for number in range(10, MANY)]
    times = list(asked.values())
    assert {after - before for before, after in pairwise(times)} == {timedelta(milliseconds=1)}


def test_holds_are_asked_decided_and_confirmed_between_four_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "WARMING", 0)
    monkeypatch.setattr(bench, "FLOOR_MESSAGES", 20)
    with warnings.catch_warnings():  # a client leaves its socket to the collector where nobody listens yet
        warnings.simplefilter("ignore", ResourceWarning)
        found = bench.life(2, 10)
        gc.collect()
    assert (len(found.held.ms), len(found.confirmed.ms)) == (2, 2)
    assert (found.held.hops, found.confirmed.hops) == (4, 7)
    assert 0 < found.floor_ms < found.held.ms[0] < found.confirmed.ms[0]


def test_t02_a_flood_against_a_running_node_stays_within_the_caps_and_others_are_held() -> None:
    """Each request of the flood is held within the cap or waits for an officer; each of the other peer is held."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        found = flood(40, 5, 3)
        gc.collect()
    assert (found.accepted, found.refused) == (40, 0)
    assert found.held == CAP
    assert (found.holds, found.waiting) == (20, 20)
    assert len(found.peace.ms) == 3
    assert len(found.meanwhile.ms) >= 1
    assert found.ratio(0.5) == found.meanwhile.at(0.5) / found.peace.at(0.5) > 0


def test_each_deadline_that_is_due_fires_once_and_the_others_wait(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'bench.db'}"
    told = data("bench", "deadlines", "--pending", "200", "--due", "12", "--store", store)
    assert (told["pending"], told["due"]) == (200, 12)
    assert told["ratio"] == pytest.approx(told["floor_seconds"] / told["seconds"], rel=0.5, abs=0.1)
    opened = Store(store)
    with opened.reading() as connection:
        fired = connection.execute(select(func.count()).where(events.c.kind == "Escalated")).scalar()
        waiting = connection.execute(select(func.count()).where(cases.c.id.like("waiting %"))).scalar()
    opened.close()
    assert (fired, waiting) == (12, 200)
