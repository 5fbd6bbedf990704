"""F03 to F05: the disk is full or fails, the line to the database is cut, the database is started anew.

No receipt without a commit, nothing half done; the peer, the officer and the worker try again, and afterwards the
world is the one in which nothing happened. Here a sample; `make kills ARGS=--cut` takes every point.
"""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from arrp.connectors.books import Order
from arrp.core.errors import Unreachable
from arrp.core.report import Party
from arrp.core.wishes import Withdraw
from arrp.node.files import is_nearly_full
from arrp.node.store.engine import Store
from tests.conftest import ABOVE_THE_STORE
from tests.node.chapters import deaths, died, seen, undisturbed
from tests.node.cutting import Cutter, FullDisk, Restarted
from tests.node.killing import Executioner
from tests.node.life import LIFE, NODES, count, live, rest
from tests.node.shelf import Shelf
from tests.node.world import ES, PT, START, World, amount, bank_scene, payment

SAMPLE = 449


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


def test_f05_wherever_the_line_to_the_store_is_cut_the_story_ends_the_same(world: World, shelf: Shelf) -> None:
    chapters = undisturbed(world, shelf, by=Cutter)
    every = deaths(chapters, *NODES)
    wrong = {str(death): difference for death in every[::SAMPLE]
             if (difference := died(world, shelf, death, by=Cutter))}
    assert wrong == {}
    assert len(every) > 2500, "the points are not counted any more"


def test_f05_a_node_that_starts_before_its_database_says_what_is_missing(tmp_path: Path) -> None:
    """And nothing of the password, nor of the program's inside: whoever supervises it starts it again."""
    with pytest.raises(Unreachable, match=r"cannot be opened now .* see to its database") as told:
        Store(f"postgresql+psycopg://arrp:secret@/arrp?host={tmp_path}")
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("by", [Cutter, Restarted])
def test_f04_f05_each_seam_of_one_delivery(world: World, shelf: Shelf, by: type[Executioner]) -> None:
    """What the sender was told is there, is there: at a COMMIT that fails, and when only its answer is lost."""
    if by is Restarted and world.service("VASP-LT").node.store.is_sqlite:
        pytest.skip("SQLite is part of the node: it is never started anew by itself")
    live(world, LIFE[:7])
    (chapter,) = undisturbed(world, shelf, LIFE[7:8], by=by)
    every = deaths([chapter], "VASP-LT")
    seams = [death for death in every if death.where.endswith("COMMIT")][::4]
    assert {"COMMIT", "after COMMIT"} <= {death.where for death in seams}
    chosen = [*seams, *every[::61]]
    assert {str(death): difference for death in chosen if (difference := died(world, shelf, death, by=by))} == {}


@pytest.mark.parametrize("node", NODES)
def test_f03_a_full_disk_takes_nothing_and_goes_on_when_there_is_room(world: World, shelf: Shelf, node: str) -> None:
    """Nothing is written and nothing receipted while it is full; nobody has to do anything when it is not any more."""
    live(world, LIFE[:3])
    (chapter,) = undisturbed(world, shelf, LIFE[3:4])
    shelf.restore(chapter.before)
    with FullDisk(world.service(node).node.store) as disk:
        if node == "NCB-ES":
            with pytest.raises(OperationalError, match=r"full|No space"):
                chapter.step.do(world)
        else:
            chapter.step.do(world)
        for _ in range(12):
            _each_works_once(world)
        assert disk.refused > 0
        assert written(world, node) == (0, 0, 0)
        others = (other for other in NODES if other != node)
        assert not any(count(world, other, f"SELECT count(*) FROM outbox WHERE peer = '{node}' AND receipt IS NOT NULL")
                       for other in others)
    if node == "NCB-ES":
        chapter.step.do(world)  # the officer was told 503, and says it again
    rest(world)
    assert seen(world) == chapter.after


def nearly_full(world: World, node: str, is_so: bool) -> None:
    service = world.service(node)
    service.node = replace(service.node, is_nearly_full=lambda: is_so)


@ABOVE_THE_STORE
@pytest.mark.parametrize("node", ["NCB-ES", "NCB-PT", "BANK-PT"])
def test_f03_a_disk_that_is_nearly_full_takes_nothing_new_and_lets_go_in_time(world: World, node: str) -> None:
    bank_scene(world, moved=None)
    bank = world.core("BANK-PT")
    bank.book(Order("P2", amount("40000.00 EUR"), Party("Victim Ltd", ES), Party("Trading Lda", PT)), START)
    first, second = (world.report(payment(text, PT, ref), loss=ref) for text, ref in (
        ("100000.00 EUR", "P1"), ("40000.00 EUR", "P2")))
    request = world.ask(first, "100000.00 EUR", PT)
    world.settle()
    nearly_full(world, node, True)
    with pytest.raises(Unreachable, match="nearly full") if node == "NCB-ES" else nullcontext():
        world.ask(second, "40000.00 EUR", PT)
    world.run(minutes=10)
    assert bank.balance("pt-1").held == amount("100000.00 EUR").minor
    world.officer("NCB-ES", "withdraw", Withdraw("CUST"), request=request, by=("Ana",))
    world.run(minutes=10)
    assert bank.balance("pt-1").held == 0
    nearly_full(world, node, False)
    if node == "NCB-ES":
        world.ask(second, "40000.00 EUR", PT)
    world.run(minutes=10)
    assert bank.balance("pt-1").held == amount("40000.00 EUR").minor


def test_f03_what_is_kept_of_a_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for total, free, is_so in ((1 << 30, 53 << 20, False), (1 << 30, 51 << 20, True),
                               (1 << 40, 257 << 20, False), (1 << 40, 255 << 20, True)):
        usage = shutil._ntuple_diskusage(total, total - free, free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        assert is_nearly_full(tmp_path) is is_so, (total, free)


def written(world: World, node: str) -> tuple[int, ...]:
    """What was heard, said and asked of the core since the request was sent."""
    return tuple(count(world, node, f"SELECT count(*) FROM {table}") for table in ("inbox", "outbox", "intents"))


def _each_works_once(world: World) -> None:
    """What a worker's loop does: what fails is logged, and due again."""
    for member in world.members.values():
        assert member.worker is not None
        member.worker._guarded(member.worker.once)
    world.clock.at += timedelta(seconds=5)
