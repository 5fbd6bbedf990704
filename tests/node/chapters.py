"""A life in chapters, one for each step: the world before it, what it comes to, and each point where somebody may die.

A death begins at the copy before its chapter. When everybody has come to rest the world is compared with
the one in which nobody died: states, terms, money, numbers, kinds of events, rows, the banks' books; and
the log of whoever died is verified. Some go on to the end of the life, compared after each chapter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from arrp.core.errors import ArrpError
from arrp.node.directory import Directory
from arrp.node.verify import verify
from tests.node.killing import Executioner
from tests.node.life import LIFE, NODES, Step, live, view
from tests.node.shelf import Saved, Shelf
from tests.node.world import World

SAMPLE = 53  # each so manieth death is lived on from to the end of the life

# What `view` does not tell: rows that a second try could leave twice, or a first one not at all.
_ROWS = (
    "SELECT state, version, due_at IS NULL FROM cases",
    "SELECT case_id IS NULL, kind FROM acts",
    "SELECT first, last FROM given",
    "SELECT peer, loss, claim FROM asked",
    "SELECT verb, answered_at IS NULL FROM intents",
    "SELECT done_at IS NULL FROM joins",
    "SELECT count(*), count(position), max(position) FROM events",
    "SELECT max(size) FROM checkpoints",
)


@dataclass(frozen=True)
class Chapter:
    """One step of the life; `after` is what must be equal, `points` are those of each node in it."""

    number: int
    step: Step
    before: Saved
    after: dict[str, Any]
    points: dict[str, list[str]]


@dataclass(frozen=True)
class Death:
    """Of one node, at one of its points, counted from 1."""

    chapter: Chapter
    node: str
    at: int

    @property
    def where(self) -> str:
        return self.chapter.points[self.node][self.at - 1]

    def __str__(self) -> str:
        return f"{self.node} at {self.at} of {self.chapter.step.name!r} ({self.where})"


def undisturbed(world: World, shelf: Shelf, steps: Sequence[Step] = LIFE, by: type[Executioner] = Executioner
                ) -> list[Chapter]:
    """Live the life once, and remember it, with the points that one of that kind has."""
    chapters = []
    for number, step in enumerate(steps):
        before = shelf.save(f"before{number}")
        watching = {node: by(world, node) for node in NODES}
        live(world, (step,))
        for one in reversed(watching.values()):
            one.leave()
        points = {node: one.points for node, one in watching.items()}
        chapters.append(Chapter(number, step, before, seen(world), points))
    return chapters


def deaths(chapters: Sequence[Chapter], *nodes: str) -> list[Death]:
    """Each point of each of the nodes, in the order of the life."""
    return [Death(chapter, node, at) for chapter in chapters for node in nodes
            for at in range(1, len(chapter.points[node]) + 1)]  # fmt: skip


def died(world: World, shelf: Shelf, death: Death, then: Sequence[Chapter] = (), by: type[Executioner] = Executioner
         ) -> str | None:
    """What differs from the undisturbed life when it goes on after that death, through the chapters in `then`;
    None = nothing."""
    shelf.restore(death.chapter.before)
    axe = by(world, death.node, death.at)
    try:
        for chapter in (death.chapter, *then):
            live(world, (chapter.step,))
            if (difference := _difference(seen(world), chapter)) is not None:
                return difference
    except (AssertionError, ArrpError, LookupError, ValueError) as error:
        return repr(error)  # a wish was refused, nobody comes to rest, somebody is not there: it is another world
    finally:
        axe.leave()
    return _unheard_of(world, death, axe.died_at)


def _unheard_of(world: World, death: Death, died_at: str | None) -> str | None:
    """Whether it died where it was to die, and what `arrp audit verify` says of its log."""
    if died_at != death.where:
        return f"it died {died_at or 'nowhere'}: the life is not the same each time"
    directory = Directory(member.participant for member in world.members.values())
    found = verify(world.stores[death.node], directory, death.node)
    return "; ".join(found.problems) or None


def _difference(found: dict[str, Any], chapter: Chapter) -> str | None:
    parts = [part for part in found if found[part] != chapter.after[part]]
    told = (f"{part} after {chapter.step.name!r}: {found[part]} instead of {chapter.after[part]}" for part in parts)
    return next(told, None)


def seen(world: World) -> dict[str, Any]:
    """All that must not depend on who died when."""
    return {**view(world), "rows": {node: _rows(world, node) for node in NODES}}


def _rows(world: World, node: str) -> list[Counter[Any]]:
    with world.service(node).node.store.reading() as connection:
        return [Counter(tuple(row) for row in connection.execute(text(query))) for query in _ROWS]
