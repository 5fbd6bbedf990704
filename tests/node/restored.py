"""A node that loses its disk: every backup it may have, at every later moment of the life, compared with the life in
which nothing was lost (R-29).

A cell is (which node, how many steps its backup knows, how many had been taken, whether it was told that it is old:
`arrp node restore` does so, a disk that somebody put back does not). What only that node ever knew is gone with the
disk, and its people say it again: the same wish under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arrp.core.errors import ArrpError
from arrp.node.store import recovering
from arrp.node.verify import verify
from tests.node.life import LIFE, NODES, live, rest, view
from tests.node.shelf import Saved, Shelf
from tests.node.world import World

FIRST = 3  # steps: until the first request nobody but its own node knows of a loss
ALONE = ("resolve", "close")  # what an officer decides for this node alone: nobody else can give it back
SAMPLE = 11  # each so manieth cell is lived on from to the end of the life


@dataclass(frozen=True)
class Cell:
    """`node` gets the backup of `before` steps when `after` steps had been taken."""

    node: str
    before: int
    after: int
    is_told: bool

    def __str__(self) -> str:
        how = "told" if self.is_told else "untold"
        return f"{self.node} back from {LIFE[self.after - 1].name!r} to {LIFE[self.before - 1].name!r}, {how}"

    @property
    def is_noticed(self) -> bool:
        """Nobody compares what is closed: an exchange that forgot all of its one conversation is not reminded."""
        return self.is_told or (self.node, self.before, self.after) != ("VASP-LT", FIRST, len(LIFE))


def cells(*nodes: str) -> list[Cell]:
    """All of them, those with the shortest loss first."""
    every = [Cell(node, after - lost, after, is_told) for lost in range(1, len(LIFE))
             for after in range(FIRST + lost, len(LIFE) + 1) for node in nodes for is_told in (False, True)]
    return [cell for cell in every if cell.is_noticed]


def told(world: World, node: str) -> None:
    """As `arrp node restore` leaves a store."""
    service = world.service(node)
    with service.node.store.writing() as connection:
        recovering.begin(connection, world.clock.at)
    service.look_back()


class Lives:
    """The life in which nothing is lost, put away after each step."""

    def __init__(self, world: World, shelf: Shelf) -> None:
        self.world, self.shelf = world, shelf
        live(world, LIFE[:FIRST])
        self.known: dict[int, tuple[Saved, Any]] = {FIRST: (shelf.save(f"lived{FIRST}"), plain(world))}
        for taken in range(FIRST + 1, len(LIFE) + 1):
            live(world, LIFE[taken - 1 : taken])
            self.known[taken] = (shelf.save(f"lived{taken}"), plain(world))

    def differs(self, cell: Cell, *, to_the_end: bool = False) -> str | None:
        """What is not as if nothing had been lost; None = nothing."""
        self.shelf.restore(self.known[cell.after][0])
        self.shelf.restore(self.known[cell.before][0], [cell.node])
        if cell.is_told:
            told(self.world, cell.node)
        try:
            self.world.run(minutes=6)
            rest(self.world)
            if cell.node == "NCB-ES":
                live(self.world, tuple(step for step in LIFE[cell.before : cell.after] if step.name in ALONE))
            if (difference := self._difference(cell.after)) is not None:
                return difference
            if to_the_end:
                live(self.world, LIFE[cell.after :])
                return self._difference(len(LIFE))
        except (AssertionError, ArrpError, LookupError, ValueError) as error:
            return repr(error)  # a wish was refused, or nobody comes to rest
        return self._unheard_of()

    def _difference(self, taken: int) -> str | None:
        found, wanted = plain(self.world), self.known[taken][1]
        told = (f"{part} after {LIFE[taken - 1].name!r}: {found[part]} instead of {wanted[part]}"
                for part in found if found[part] != wanted[part])
        return next(told, None)

    def _unheard_of(self) -> str | None:
        """What `arrp audit verify` says of the log of each node."""
        problems = [problem for node in NODES for problem in
                    verify(self.world.stores[node], self.world.service(node).node.directory, node).problems]
        return "; ".join(map(str, problems)) or None


def plain(world: World) -> dict[str, Any]:
    """`view` without what a recovery leaves on purpose: other kinds of rows, and a word to an officer."""
    seen = view(world)
    seen.pop("kinds")
    for node in NODES:
        seen[node] = sorted(((*case[:3], [what for what in case[3] if what != "recovered"], *case[4:])
                             for case in seen[node]), key=repr)
    return seen
