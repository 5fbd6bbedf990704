"""F12, T36: the machine's clock is set, forward or back, while deadlines run. Each fires once, and not early."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from arrp.core.errors import Refused
from arrp.core.messages import StateExchange
from arrp.node.clock import STEP, Clock
from arrp.node.metrics import Metrics, prometheus, words
from arrp.wire.envelope import sign
from tests.conftest import ABOVE_THE_STORE
from tests.node.life import LIFE, about, live
from tests.node.world import PT, START, Time, World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Set(Clock):
    """A machine whose true time is another clock's, and whose own was set by `by`."""

    def __init__(self, true: Time) -> None:
        self.true, self.by = true, timedelta(0)

    def wall(self) -> datetime:
        return self.true.at + self.by

    def seconds(self) -> float:
        return (self.true.at - START).total_seconds()

    def new_id(self) -> str:
        return self.true.new_id()

    def salt(self) -> bytes:
        return self.true.salt()


@pytest.fixture
def true() -> Time:
    return Time()


@pytest.fixture
def clock(true: Time) -> Set:
    made = Set(true)
    assert made.now() == START
    return made


@pytest.mark.parametrize("by", [DAY, -HOUR, timedelta(seconds=3), -DAY])
def test_t36_a_clock_that_was_set_is_not_believed(true: Time, clock: Set, by: timedelta) -> None:
    clock.by = by
    for _ in range(5):
        true.at += timedelta(minutes=30)
        assert clock.now() == true.at
        assert clock.off_by() == by
    clock.by = timedelta(0)
    assert (clock.now(), clock.off_by()) == (true.at, timedelta(0))


def test_t36_a_daemon_may_correct_it_a_little_and_time_does_not_go_back(true: Time, clock: Set) -> None:
    clock.by = STEP
    first = clock.now()
    clock.by = -STEP
    assert clock.now() == first
    true.at += timedelta(minutes=1)
    assert clock.now() == true.at - STEP


def test_t36_small_steps_do_not_add_up_to_a_large_one(true: Time, clock: Set) -> None:
    """Who may set it by a little may not do so again and again: two seconds an hour."""
    for _ in range(100):
        clock.by += timedelta(seconds=1)
        true.at += timedelta(minutes=1)
        clock.now()
    assert clock.now() - true.at <= 3 * STEP


@pytest.mark.parametrize("by", [DAY, -HOUR])
def test_t36_most_peers_move_it_and_one_does_not(true: Time, clock: Set, by: timedelta) -> None:
    for peer in ("A", "B", "C"):
        clock.heard(peer, true.at)
    clock.by = by
    clock.heard("A", true.at + by)
    assert clock.now() == true.at
    clock.heard("B", true.at + by)
    assert (clock.now(), clock.off_by()) == (true.at + by, timedelta(0))


def _set(world: World, node: str) -> Set:
    """From now on the node has a clock of its own."""
    clock, service = Set(world.clock), world.service(node)
    service.node = replace(service.node, clock=clock)
    clock.now()
    return clock


def _kinds(world: World, kind: str) -> int:
    return sum(event.kind == kind and event.by == "BANK-PT" for event in world.log("BANK-PT"))


@pytest.mark.parametrize("by", [timedelta(days=30), timedelta(hours=-1)])
def test_t36_one_peer_alone_moves_nobodys_clock(true: Time, clock: Set, by: timedelta) -> None:
    clock.now()
    clock.by = by
    for _ in range(3):
        clock.heard("EVIL", true.at + by)
    assert abs(clock.now() - true.at) < timedelta(seconds=2)
    clock.heard("B", true.at + by)
    assert abs(clock.now() - true.at - by) < timedelta(seconds=2)



@pytest.mark.parametrize("by", [DAY + DAY, -HOUR])
def test_f12_a_hold_lapses_once_and_not_early_whatever_its_holders_clock_is_set_to(world: World, by: timedelta) -> None:
    live(world, LIFE[:6])
    clock = _set(world, "BANK-PT")
    hold = about(world, "BANK-PT", PT).hold
    assert hold is not None
    assert hold.until is not None
    clock.by = by
    world.run(minutes=7)
    assert _kinds(world, "HoldLapsed") == 0
    assert world.core("BANK-PT").balance("pt-1").held > 0
    world.clock.at = hold.until - timedelta(seconds=1)
    world.run(seconds=0)
    assert _kinds(world, "HoldLapsed") == 0
    clock.by = timedelta(0)
    world.run(minutes=2)
    clock.by = -by
    world.run(minutes=7)
    assert _kinds(world, "HoldLapsed") == 1
    assert next(event.at for event in world.log("BANK-PT") if event.kind == "HoldLapsed") >= hold.until


@pytest.mark.parametrize("by", [DAY, -HOUR])
@ABOVE_THE_STORE
def test_f12_nothing_said_by_a_node_whose_clock_was_set_is_refused(world: World, by: timedelta) -> None:
    live(world, LIFE[:4])
    for node in world.members:
        _set(world, node).by = by if node == "NCB-PT" else timedelta(0)
    live(world, LIFE[4:8])
    world.run(minutes=12)
    for node in world.members:
        with world.service(node).node.store.reading() as connection:
            refused = "SELECT count(*) FROM outbox WHERE state IN ('refused', 'dead', 'queued')"
            assert connection.exec_driver_sql(refused).scalar() == 0
    log = [event.at for event in world.log("NCB-PT") if event.by == "NCB-PT"]
    assert log == sorted(log)


@ABOVE_THE_STORE
def test_t36_the_figures_say_that_the_clock_was_set(world: World) -> None:
    clock = _set(world, "BANK-PT")
    found = Metrics(world.service("BANK-PT"))
    assert "arrp_clock_off_seconds 0.0" in prometheus(found.figures())
    clock.by = HOUR
    assert "arrp_clock_off_seconds 3600.0" in prometheus(found.figures())
    assert any("was set by +3600 s" in said for said in words(found.figures()))


@ABOVE_THE_STORE
def test_r28_what_is_stated_from_the_future_is_not_heard_and_makes_nothing_stale(world: World) -> None:
    """One exchange of the year 2099 would else be the last that is believed."""
    live(world, LIFE[:4])
    exchange, keys = world.members["BANK-PT"].hearing.exchange, world.members["NCB-PT"].keys  # type: ignore[union-attr]
    said = StateExchange(1, "NCB-PT", "BANK-PT", world.clock.at + timedelta(days=9999), "", "", ())
    with pytest.raises(Refused, match="one of the two clocks is wrong"):
        exchange.hear(sign(said, keys.signing, keys.signing_id))
    world.run(seconds=1)
    exchange.hear(sign(replace(said, at=world.clock.at), keys.signing, keys.signing_id))
