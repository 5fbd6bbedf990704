"""F01: a node is killed at each of its writes; started again, the story ends as if nothing had been.

Here a sample of the points, on both engines; `make kills` takes each of them (N of N).
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from arrp.node.store.tables import schema
from tests.node.chapters import Death, deaths, died, undisturbed
from tests.node.life import LIFE, NODES, live
from tests.node.shelf import Shelf
from tests.node.world import World

# A process that dies closes nothing; here its connections are only left behind, and Python says so.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning",
                                        "ignore::pytest.PytestUnraisableExceptionWarning")

STRIDE = 101  # here a sample, another on each engine; `make kills` takes every point


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


def test_f01_whoever_is_killed_at_whichever_write_the_story_ends_the_same(world: World, shelf: Shelf) -> None:
    chapters = undisturbed(world, shelf)
    every = deaths(chapters, *NODES)
    chosen = every[0 if world.service("NCB-ES").node.store.is_sqlite else STRIDE // 2 :: STRIDE]
    last = chosen[len(chosen) // 2]  # one of them lives on to the end
    wrong = {
        str(death): difference for death in chosen
        if (difference := died(world, shelf, death, chapters[death.chapter.number + 1 :] if death is last else ()))
    }
    assert wrong == {}
    assert len(every) > 1200, "the points are not counted any more"


def test_f01_no_receipt_leaves_before_its_commit(world: World, shelf: Shelf) -> None:
    """Each point of one short delivery: what the sender was told is there, is there after the death."""
    live(world, LIFE[:7])
    (chapter,) = undisturbed(world, shelf, LIFE[7:8])
    every = deaths([chapter], "VASP-LT")
    assert [death.where for death in every].count("before COMMIT") >= 2
    assert {str(death): difference for death in every if (difference := died(world, shelf, death))} == {}


def test_what_is_taken_off_the_shelf_is_what_was_put_there(world: World, shelf: Shelf) -> None:
    """Else a death would be compared with another world than the one it happened in."""
    live(world, LIFE[:3])
    before, known = shelf.save("known"), contents(world)
    live(world, LIFE[3:4])
    later, went_on = shelf.save("later"), contents(world)
    for saved, content in ((before, known), (later, went_on), (later, went_on), (before, known)):
        shelf.restore(saved)
        assert contents(world) == content
    assert known != went_on
    assert died(world, shelf, Death(*_first_death(world, shelf))) is None


def _first_death(world: World, shelf: Shelf) -> tuple[Any, str, int]:
    (chapter,) = undisturbed(world, shelf, LIFE[3:4])
    return chapter, "NCB-PT", 5


def contents(world: World) -> Any:
    """Every row of every table and of the banks' books, and the clock."""
    stores = {}
    for node in NODES:
        with world.service(node).node.store.reading() as connection:
            for table in schema.sorted_tables:
                rows = connection.execute(text(f'SELECT * FROM "{table.name}"')).all()
                stores[node, table.name] = sorted(map(repr, rows))
    banks = {id: [list(map(tuple, world.core(id)._books.rows(f"SELECT * FROM {table}")))
                  for table in ("journal", "accounts", "holds", "hold_events", "transfers")]
             for id in ("BANK-PT", "VASP-LT")}  # fmt: skip
    return stores, banks, world.clock.at
