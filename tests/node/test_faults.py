"""F03 to F05: the disk is full or fails, the line to the database is cut, the database is started anew.

No receipt without a commit, nothing half done; the peer, the officer and the worker try again, and afterwards the
world is the one in which nothing happened. Here a sample; `make kills ARGS=--cut` takes every point.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from tests.node.chapters import deaths, died, seen, undisturbed
from tests.node.cutting import Cutter, FullDisk, Restarted
from tests.node.killing import Executioner
from tests.node.life import LIFE, NODES, count, live, rest
from tests.node.shelf import Shelf
from tests.node.world import World

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


@pytest.mark.parametrize("by", [Cutter, Restarted])
def test_f04_f05_each_seam_of_one_delivery(world: World, shelf: Shelf, by: type[Executioner]) -> None:
    """What the sender was told is there, is there: at a COMMIT that fails, and when only its answer is lost."""
    if by is Restarted and world.service("VASP-LT").node.store.is_sqlite:
        pytest.skip("SQLite is part of the node: it is never started anew by itself")
    live(world, LIFE[:7])
    (chapter,) = undisturbed(world, shelf, LIFE[7:8], by=by)
    every = deaths([chapter], "VASP-LT")
    seams = [death for death in every if death.where.endswith("COMMIT")][::4]
    assert {"COMMIT", "after COMMIT"} <= {death.where for death in every}
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


def written(world: World, node: str) -> tuple[int, ...]:
    """What was heard, said and asked of the core since the request was sent."""
    return tuple(count(world, node, f"SELECT count(*) FROM {table}") for table in ("inbox", "outbox", "intents"))


def _each_works_once(world: World) -> None:
    """What a worker's loop does: what fails is logged, and due again."""
    for member in world.members.values():
        assert member.worker is not None
        member.worker._guarded(member.worker.once)
    world.clock.at += timedelta(seconds=5)
