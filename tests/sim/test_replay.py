"""A small HAECHI III, whole: every figure from the nodes' logs, equal to its frame to the cent, whatever the seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import create_engine, text

from arrp.cli import replay
from arrp.connectors.simulated import Account
from arrp.core.account import institution_of, parse_account
from arrp.core.money import Amount
from arrp.sim.haechi.count import Counted
from arrp.sim.haechi.frame import END, PUBLISHED, REGIONS, USDT, Frame
from arrp.sim.haechi.page import faults, figures, page, timeline
from arrp.sim.haechi.picture import over_time
from arrp.sim.haechi.rehearse import count, differing, played, rehearse, wrong
from arrp.sim.haechi.story import Story
from arrp.sim.world import World
from tests.cli.running import arrp

SMALL = tuple(one for one in REGIONS[0] if one.code in {"KR", "JP", "SG", "TH", "AU", "ID", "KG"})
FRAME = Frame(34, Amount(160_000_044, "USD"), 20, 2)
TINY = Frame(5, Amount(1_000_003, "USD"), 4, 0)


@pytest.fixture(scope="module")
def told() -> dict[int, Counted]:
    return {seed: rehearse(FRAME, seed, SMALL) for seed in (1, 2)}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield stack.enter_context(played(TINY, 3, SMALL))[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_logs_say_what_the_frame_says_to_the_cent(told: dict[int, Counted], seed: int) -> None:
    found = figures(told[seed], seed, 1.0)
    assert faults(found, FRAME) == []
    assert told[seed].violations == []
    assert (found["accounts_frozen"], found["virtual_assets_seized_usd"]) == (34, "1600000.44")
    assert (found["cases"], found["cases_resolved"]) == (22, 20)
    assert float(found["fiat_held_usd"]) > 0


def test_another_seed_tells_another_story(told: dict[int, Counted]) -> None:
    assert told[1].told != told[2].told
    assert figures(told[1], 0, 0)["by_country"] != figures(told[2], 0, 0)["by_country"]


def test_the_same_seed_tells_the_same_story_again() -> None:
    first, second = (rehearse(TINY, 7, SMALL) for _ in range(2))
    assert first.told == second.told
    assert first.holds == second.holds
    assert (first.messages, first.events) == (second.messages, second.events)


def test_what_is_reported_is_counted_and_not_planned(world: World) -> None:
    """A log that says less is counted as less."""
    assert faults(figures(count(world), 3, 0), TINY) == []
    keeper = next(id for id in world.hosts if any(h.asset == USDT for h in _held(world, id)))
    before = count(world)
    engine = create_engine(f"sqlite:///{world.file(keeper)}")
    with engine.begin() as connection:
        gone = connection.execute(text("DELETE FROM events WHERE kind = 'HoldSecured'")).rowcount
    after = count(world)
    assert gone > 0
    assert faults(figures(after, 3, 0), TINY)
    assert any(keeper in what for what in after.violations), "and the audit finds it"
    assert len(after.accounts) == len(before.accounts)


def _held(world: World, id: str) -> list[Amount]:
    return [r.hold.amount for case in world.cases(id) for r in case.requests.values()
            if r.hold is not None and r.hold.holder == id and r.hold.state == "secured"]


def test_a_bank_that_holds_more_than_its_log_is_found(world: World) -> None:
    keeper, core = next((id, host.core) for id, host in world.hosts.items() if host.core is not None
                        and not wrong(world, id))
    core.open_account(Account("own", "payto://bic/BANKKR22/1", "Somebody Else", "USD", opening=1000))
    core.hold("by hand", "own", 1, END + timedelta(days=90))
    assert [what.partition(" ")[2][:2] for what in wrong(world, keeper)] == ["I9"]


def test_a_mirror_that_shows_another_hold_is_found(world: World) -> None:
    """I7: what the bureau's log leaves out of it, its case no longer shows."""
    assert differing(world) == []
    bureau = next(id for id in world.hosts if any(case.report is not None for case in world.cases(id)))
    with create_engine(f"sqlite:///{world.file(bureau)}").begin() as connection:
        connection.execute(text("DELETE FROM events WHERE kind IN ('HoldConfirmed', 'HoldSecured')"))
    world.service(bureau).folds.forget_all()
    assert any(f"I7 {bureau}" in what for what in differing(world))


def test_the_published_story_has_the_published_totals() -> None:
    """What takes a minute to play is at least drawn here: both regions, two seeds."""
    for seed in (1, 2):
        stories = [Story(PUBLISHED.share(number, 2), seed, countries) for number, countries in enumerate(REGIONS)]
        assert sum(len(story.plots) for story in stories) == PUBLISHED.cases == 1640
        assert PUBLISHED.seized.decimal == "129975440.00"
    assert [sum(PUBLISHED.share(n, 2).accounts for n in range(2)), len(REGIONS[0]) + len(REGIONS[1])] == [2800, 30]


def test_every_account_of_a_story_is_one() -> None:
    for number, countries in enumerate(REGIONS):
        for stay in (stay for plot in Story(FRAME, number, countries).plots for stay in plot.stays()):
            assert parse_account(stay.account) == stay.account
            assert institution_of(stay.account)


def test_the_page_and_the_json_keep_their_names(told: dict[int, Counted]) -> None:
    found = json.loads(json.dumps(figures(told[1], 1, 2.5)))
    names = {"operation", "countries", "cases", "cases_resolved", "accounts_frozen", "virtual_assets_seized_usd",
             "fiat_held_usd", "messages", "violations", "seed", "seconds"}
    assert names <= set(found)
    lines = list(page(found))
    assert len(lines) < 60
    assert any("1600000.44" in line for line in lines)
    assert any("invented" in line for line in lines)


def test_the_timeline_ends_with_the_totals(told: dict[int, Counted]) -> None:
    found, played_ = figures(told[2], 2, 0), timeline(told[2])
    last = played_["hours"][-1]
    assert last["virtual_secured_usd"] == found["virtual_assets_seized_usd"]
    assert last["fiat_held_usd"] == found["fiat_held_usd"]
    assert last["virtual_held_usd"] == "0.00"
    hours = [hour["at"] for hour in played_["hours"]]
    assert hours == sorted(set(hours))


def test_the_picture_is_well_formed(told: dict[int, Counted]) -> None:
    root = ElementTree.fromstring(over_time(told[1]))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 4


def test_the_command_says_where_the_logs_differ(told: dict[int, Counted], tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """A small story is not the published one: exit 8, and what differs."""
    monkeypatch.setattr(replay, "operate", lambda seed, say: told[1])
    found = arrp("replay", "haechi3", "--json", "--svg", tmp_path / "a.svg", "--timeline", tmp_path / "a.json")
    assert found.exit_code == 8
    assert "accounts_frozen is 34 in the logs, 2800 in the frame" in found.stderr
    assert json.loads(found.stdout)["operation"] == "HAECHI III"
    assert ElementTree.parse(tmp_path / "a.svg") is not None
    assert json.loads((tmp_path / "a.json").read_text())["hours"]
