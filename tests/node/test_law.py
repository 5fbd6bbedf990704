"""A node lives by the law it adopted: days of its calendar, silence, and what the account holder may be told.

Each kind of rule fires through real nodes with a clock by hand; time is slept over, nodes are started anew in between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from arrp.core.deadline import Basis, Power
from arrp.core.deciding import check_may_tell
from arrp.core.errors import Refused
from arrp.core.events import Decide, Extend, Told
from arrp.core.hold import Hold
from arrp.core.period import Period
from arrp.core.request import Document
from arrp.core.wishes import Return
from arrp.law.calendars import OwnDays, around
from arrp.law.telling import untold
from arrp.node.callers import owner
from arrp.node.desk import Desk
from arrp.node.notices import holder_notice
from tests.conftest import ABOVE_THE_STORE
from tests.node import world as worlds
from tests.node.life import LIFE, about, live
from tests.node.world import BASIS, LT, START, World, bank_scene, payment

WORKING = around("LT", "Europe/Vilnius", START)
FIVE_DAYS = replace(worlds.LAW, longest=Period(5, "working days"), chain=Period(20, "working days"), calendar=WORKING)


def held(world: World) -> str:
    """A provisional hold at VASP-LT for NCB-ES; its request."""
    bank_scene(world)
    request = world.ask(world.report(payment("38000.00 EUR", LT, "P2")), "38000.00 EUR", LT)
    world.run(minutes=2)
    assert hold_of(world, request).state == "provisional"
    return request


def hold_of(world: World, request: str) -> Hold:
    hold = next(case.requests[request].hold for case in world.cases("VASP-LT") if request in case.requests
                and case.state != "joined")
    assert hold is not None
    return hold


def decide(world: World, request: str, until: datetime = START + timedelta(days=300)) -> None:
    world.officer("VASP-LT", "decide", Decide(True, None, BASIS, until), request=request, by=("Lina",))
    world.run(minutes=1)


def longer(until: datetime) -> Extend:
    return Extend(BASIS, until, Document("ab" * 32, "order", "application/pdf", 1000))


def ends(world: World, request: str) -> Counter[str]:
    return Counter(event.kind for event in world.log("VASP-LT") if event.request == request
                   and event.kind in ("HoldLapsed", "HoldReleased"))


def sleep_until(world: World, at: datetime) -> None:
    """The whole node is down meanwhile, and comes back."""
    world.stop("VASP-LT")
    world.clock.at = at
    world.start("VASP-LT")
    world.run(minutes=1)


def a_day_is_announced_late(world: World, law: Power, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tomorrow is free after all, and the node is started anew with that calendar."""
    late = around("LT", "Europe/Vilnius", START, own=OwnDays({START.date() + timedelta(days=1): "announced late"}))
    monkeypatch.setattr(worlds, "LAW", replace(law, calendar=late))
    sleep_until(world, START + timedelta(hours=2))


@pytest.mark.parametrize("law", [FIVE_DAYS], indirect=True)
def test_r40_i6_a_hold_of_five_working_days_lapses_once_at_the_end_of_the_fifth(law: Power, world: World) -> None:
    request = held(world)
    placed = hold_of(world, request).placed_at
    assert placed is not None
    decide(world, request)
    end = law.end(law.longest, placed)
    assert hold_of(world, request).until == end
    assert end.astimezone(UTC).hour == 22, "midnight in Vilnius, in winter"
    assert end - placed > timedelta(days=5), "there is a weekend in between"
    sleep_until(world, end - timedelta(minutes=3))
    assert ends(world, request) == {}
    sleep_until(world, end + timedelta(days=2))
    assert ends(world, request) == {"HoldLapsed": 1}
    sleep_until(world, end + timedelta(days=3))
    assert ends(world, request) == {"HoldLapsed": 1}
    assert world.core("VASP-LT").balance("lt-1").held == 0


@pytest.mark.parametrize("law", [FIVE_DAYS], indirect=True)
@ABOVE_THE_STORE
def test_r40_a_day_announced_late_moves_nothing_in_silence(
    law: Power, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason stands beside the hold; what the newer calendar would change is listed, for an officer."""
    request = held(world)
    decide(world, request)
    before = hold_of(world, request)
    [reason] = [event.body for event in world.log("VASP-LT") if event.kind == "EndComputed"]
    assert (reason.until, reason.power) == (before.until, law.id)
    assert "5 working days in LT" in reason.reason
    assert reason.zone_version.startswith("tzdata ")
    desk = Desk(world.service("VASP-LT"))
    assert desk.law_changes(owner("", "Lina")) == []
    a_day_is_announced_late(world, law, monkeypatch)
    [row] = Desk(world.service("VASP-LT")).law_changes(owner("", "Lina"))
    assert (row["request"], row["until"]) == (request, before.until.isoformat())
    assert datetime.fromisoformat(row["computed_now"]) - before.until == timedelta(days=1)
    assert hold_of(world, request).until == before.until


FRIDAY_NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)  # five working days of that Monday end on the next one


@pytest.mark.parametrize("law", [FIVE_DAYS], indirect=True)
@pytest.mark.parametrize(("stated", "extended", "now", "computed_now"), [
    (FRIDAY_NOON, None, {"longest": Period(2, "working days")}, "2026-03-04T22:00:00+00:00"),
    (FRIDAY_NOON, None, {"longest": Period(4, "working days")}, None),
    (FRIDAY_NOON, None, {"longest": Period(6, "working days")}, None),
    (FRIDAY_NOON, FRIDAY_NOON + timedelta(days=10), {"longest": Period(2, "working days")}, None),
    (FRIDAY_NOON, FRIDAY_NOON + timedelta(days=10), {"chain": Period(6, "working days")}, "2026-03-10T22:00:00+00:00"),
])
@ABOVE_THE_STORE
def test_r40_what_lasts_beyond_the_law_of_today_is_listed(
    law: Power, stated: datetime, extended: datetime | None, now: dict[str, Period], computed_now: str | None,
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the decision had stated an end before the legal one, or an extension one after it."""
    request = held(world)
    decide(world, request, stated)
    if extended:
        world.officer("VASP-LT", "extend", longer(extended), request=request, by=("Lina", "Ona"))
    monkeypatch.setattr(worlds, "LAW", replace(law, **now))  # type: ignore[arg-type]
    sleep_until(world, START + timedelta(hours=2))
    rows = Desk(world.service("VASP-LT")).law_changes(owner("", "Lina"))
    listed = [(request, (extended or stated).isoformat(), computed_now)] if computed_now else []
    assert [(row["request"], row["until"], row["computed_now"]) for row in rows] == listed


@pytest.mark.parametrize("law", [FIVE_DAYS], indirect=True)
@ABOVE_THE_STORE
def test_r41_a_decision_does_not_compute_the_end_anew(
    law: Power, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a calendar that changed between placing and deciding move it."""
    request = held(world)
    end = hold_of(world, request).until
    a_day_is_announced_late(world, law, monkeypatch)
    decide(world, request)
    assert (hold_of(world, request).decided, hold_of(world, request).until) == (True, end)


@pytest.mark.parametrize("law", [FIVE_DAYS], indirect=True)
@ABOVE_THE_STORE
def test_r56_an_extension_ends_within_the_longest_chain_of_the_law(law: Power, world: World) -> None:
    request = held(world)
    decide(world, request)
    placed = hold_of(world, request).placed_at
    assert placed is not None
    longest = law.end(law.chain, placed)
    body = longer(longest + timedelta(seconds=1))
    with pytest.raises(Refused, match="is beyond 20 working days from placing"):
        world.officer("VASP-LT", "extend", body, request=request, by=("Lina", "Ona"))
    world.officer("VASP-LT", "extend", longer(longest), request=request, by=("Lina", "Ona"))
    assert hold_of(world, request).until == longest


@pytest.mark.parametrize("law", [worlds.LAW], indirect=True)
@ABOVE_THE_STORE
def test_r59_an_end_is_seen_coming_on_both_sides(law: Power, world: World) -> None:
    """Of three days: at half, at four fifths, two hours and half an hour before; what was slept over is not said."""
    request = held(world)
    placed = hold_of(world, request).placed_at
    assert placed is not None
    decide(world, request)
    told = []
    for hours in (35, 36.1, 71.6, 71.9):
        sleep_until(world, placed + timedelta(hours=hours))
        for node in ("NCB-ES", "VASP-LT"):
            said = [event.body for event in world.log(node) if event.kind == "Escalated"
                    and event.body.what.startswith("lapse ")]
            told.append((hours, node, [one.what.partition(":00 ")[2] for one in said], said[-1].to if said else ""))
    half, last = ["50 %"], ["50 %", "30 minutes"]
    assert told == [
        (35, "NCB-ES", [], ""), (35, "VASP-LT", [], ""),
        (36.1, "NCB-ES", half, "duty officer"), (36.1, "VASP-LT", half, "duty officer"),
        (71.6, "NCB-ES", last, "second contact"), (71.6, "VASP-LT", last, "second contact"),
        (71.9, "NCB-ES", last, "second contact"), (71.9, "VASP-LT", last, "second contact"),
    ]  # fmt: skip


@pytest.mark.parametrize(("law", "held_at", "over_at", "why"), [
    (worlds.LAW, 23, 25, "NOT_DECIDED"), (replace(worlds.LAW, silence="stays"), 71, 73, "LAPSED"),
], indirect=["law"])
@ABOVE_THE_STORE
def test_r42_silence_frees_or_holds_to_the_legal_end_as_the_law_says(
    law: Power, held_at: int, over_at: int, why: str, world: World
) -> None:
    """Of three days, one of them provisional; by how many hours after the start."""
    request = held(world)
    assert (hold_of(world, request).decide_by is None) == (law.silence == "stays")
    sleep_until(world, START + timedelta(hours=held_at))
    assert hold_of(world, request).state == "provisional"
    sleep_until(world, START + timedelta(hours=over_at))
    assert hold_of(world, request).why == why
    assert ends(world, request) == {"HoldLapsed": 1}


@pytest.mark.parametrize("law", [replace(worlds.LAW, notice="forbidden")], indirect=True)
@ABOVE_THE_STORE
def test_r72_where_the_law_forbids_it_nobody_tells_the_account_holder(law: Power, world: World) -> None:
    request = held(world)
    with pytest.raises(Refused, match="forbids telling") as caught:
        world.officer("VASP-LT", "tell-holder", Told("letter"), request=request, by=("Lina",))
    assert caught.value.code == "notice-forbidden"
    case = next(case for case in world.cases("VASP-LT") if request in case.requests)
    with pytest.raises(Refused, match="forbids telling"):
        holder_notice(case.requests[request], world.service("VASP-LT").node.rules, world.clock.at)
    assert "HolderTold" not in {event.kind for event in world.log("VASP-LT")}


@ABOVE_THE_STORE
def test_r72_the_power_a_hold_rests_on_forbids_it_too(world: World) -> None:
    """The bank's own law says nothing; it holds on an order whose law, by its file, forbids telling."""
    request = held(world)
    service = world.service("VASP-LT")
    service.node = replace(service.node, rules=replace(service.node.rules, untold=untold()))
    basis = Basis("at-fiu-order", "AT", "an order of which the holder is told", "A-FIU")
    decide_on(world, request, basis)
    world.officer("VASP-LT", "tell-holder", Told("letter"), request=request, by=("Lina",))
    silent = Basis("fr-tracfin-opposition", "FR", "CMF art. L. 561-24", "Tracfin")
    assert silent.power in untold()
    with pytest.raises(Refused, match=r"CMF art\. L\. 561-24 \(FR\) forbids telling"):
        check_may_tell(service.node.rules, replace(hold_of(world, request), basis=silent))


def decide_on(world: World, request: str, basis: Basis) -> None:
    until = START + timedelta(days=300)
    world.officer("VASP-LT", "decide", Decide(True, None, basis, until), request=request, by=("Lina",))
    world.run(minutes=1)
    assert hold_of(world, request).basis == basis


@pytest.mark.parametrize("law", [replace(FIVE_DAYS, notice="required", notice_within=Period(2, "working days"))],
                         indirect=True)
@pytest.mark.parametrize("is_told", [True, False])
@ABOVE_THE_STORE
def test_r72_where_the_law_requires_it_somebody_is_called_until_the_account_holder_is_told(
    law: Power, is_told: bool, world: World
) -> None:
    """Held on a Monday; the second working day after it ends with Wednesday, in Vilnius."""
    request = held(world)
    hold = hold_of(world, request).id
    decide(world, request)
    assert notices(world) == [(f"notice {hold}", "duty officer")]
    if is_told:
        world.officer("VASP-LT", "tell-holder", Told("letter"), request=request, by=("Lina",))
    sleep_until(world, datetime(2026, 3, 4, 21, 58, tzinfo=UTC))
    assert len(notices(world)) == 1
    sleep_until(world, datetime(2026, 3, 4, 22, 0, tzinfo=UTC))
    overdue = [] if is_told else [(f"notice {hold} overdue", "second contact")]
    assert notices(world)[1:] == overdue
    sleep_until(world, datetime(2026, 3, 6, 22, 0, tzinfo=UTC))
    assert notices(world)[1:] == overdue


def notices(world: World) -> list[tuple[str, str]]:
    return [(event.body.what, event.body.to) for event in world.log("VASP-LT") if event.kind == "Escalated"
            and event.body.what.startswith("notice ")]


@pytest.mark.parametrize("law", [replace(FIVE_DAYS, objection_within=Period(1, "calendar days"))], indirect=True)
@ABOVE_THE_STORE
def test_r71_the_time_to_object_is_counted_as_the_law_counts(law: Power, world: World) -> None:
    """Told on a Monday: it is over with Tuesday, at midnight in Vilnius and not 24 hours later."""
    live(world, LIFE[:8])
    request = about(world, "VASP-LT", LT).id
    world.officer("VASP-LT", "tell-holder", Told("letter"), request=request, by=("Lina",))
    back = Return(hold_of(world, request).amount, "told", None)
    sleep_until(world, datetime(2026, 3, 3, 21, 58, tzinfo=UTC))
    with pytest.raises(Refused, match="the time to object must be over"):
        world.officer("VASP-LT", "return", back, request=request, by=("Lina", "Ona"))
    sleep_until(world, datetime(2026, 3, 3, 22, 0, tzinfo=UTC))
    world.officer("VASP-LT", "return", back, request=request, by=("Lina", "Ona"))
    assert "ReturnAnnounced" in {event.kind for event in world.log("VASP-LT")}
