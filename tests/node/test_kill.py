"""F01: a node is killed at each of its writes; started again, the story ends as if nothing had been.

Points are counted step by step, from copies of the world taken between the steps (tests/node/shelf.py).
Each kill begins at the copy before its step and is compared, when everybody has come to rest, with the
world after that step in which nobody died: states, terms, money, numbers, kinds of events, core books.
`make test` takes every SAMPLE-th point; ARRP_KILLS=all takes each (N of N, some minutes per node and engine).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.node.killing import Executioner
from tests.node.life import LIFE, NODES, Step, live, view
from tests.node.shelf import Saved, Shelf
from tests.node.world import World

EVERY = os.environ.get("ARRP_KILLS") == "all"
SAMPLE = 53

# A process that dies closes nothing; here its connections are only left behind, and Python says so.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning",
                                        "ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass(frozen=True)
class Chapter:
    """One step of the life: the world before it, what it comes to, the points of each node in it."""

    step: Step
    before: Saved
    after: dict[str, Any]
    points: dict[str, list[str]]


def undisturbed(world: World, shelf: Shelf) -> list[Chapter]:
    chapters = []
    for number, step in enumerate(LIFE):
        before = shelf.save(f"before{number}")
        watching = {node: Executioner(world, node) for node in NODES}
        live(world, (step,))
        for one in reversed(watching.values()):
            one.leave()
        chapters.append(Chapter(step, before, view(world), {node: one.points for node, one in watching.items()}))
    return chapters


def killed(world: World, shelf: Shelf, chapter: Chapter, node: str, at: int) -> str | None:
    """What differs when the node dies at that point of the chapter; None = nothing."""
    shelf.restore(chapter.before)
    axe = Executioner(world, node, at)
    try:
        live(world, (chapter.step,))
    except AssertionError as error:
        return str(error)
    finally:
        axe.leave()
    assert axe.count >= at, "it was never reached"
    seen = view(world)
    return next((f"{part}: {seen[part]} instead of {chapter.after[part]}" for part in seen
                 if seen[part] != chapter.after[part]), None)


@pytest.fixture
def shelf(world: World) -> Iterator[Shelf]:
    made = Shelf(world)
    yield made
    made.clear()


@pytest.mark.parametrize("nodes", [(node,) for node in NODES] if EVERY else [NODES], ids=lambda nodes: "+".join(nodes))
def test_f01_whoever_is_killed_at_whichever_write_the_story_ends_the_same(
    world: World, shelf: Shelf, nodes: tuple[str, ...]
) -> None:
    chapters = undisturbed(world, shelf)
    every = [(chapter, node, at, where) for chapter in chapters for node in nodes
             for at, where in enumerate(chapter.points[node], 1)]
    chosen = every if EVERY else every[::SAMPLE]
    wrong = [
        f"{node} at {at} ({where}) of {chapter.step.name!r}: {difference}"
        for chapter, node, at, where in chosen
        if (difference := killed(world, shelf, chapter, node, at)) is not None
    ]
    print(f"{'+'.join(nodes)}: {len(chosen) - len(wrong)} of {len(chosen)} kills, {len(every)} points")
    assert wrong == []
    assert len(every) > 100 * len(nodes), "the points are not counted any more"


def test_f01_no_receipt_leaves_before_its_commit(world: World, shelf: Shelf) -> None:
    """Each point of one short delivery: what the sender was told is there, is there after the death."""
    live(world, LIFE[:7])
    before, node = shelf.save("before"), "VASP-LT"
    watching = Executioner(world, node)
    live(world, LIFE[7:8])
    watching.leave()
    chapter = Chapter(LIFE[7], before, view(world), {node: watching.points})
    assert watching.points.count("before COMMIT") >= 2
    found = {f"{at} {where}": killed(world, shelf, chapter, node, at) for at, where in enumerate(watching.points, 1)}
    assert {where: difference for where, difference in found.items() if difference} == {}
