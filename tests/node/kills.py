"""`make kills`: every node killed at each of its writes, N of N, on both engines. Some ten minutes an engine.

    make kills ARGS="postgresql"         one engine
    make kills ARGS="--node BANK-PT"     one node
    make kills ARGS="--points"           a line for each point, as it is passed
    make kills ARGS="--cut"              nobody dies: the line to the store is cut at every statement (F05)
    make kills ARGS="--restored"         each node from each backup at each later moment (R-29)

Exit 1 when the world after any of the deaths was another one. `make test` takes a sample of the same points.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.databases import engines_kept
from tests.node.chapters import SAMPLE, Chapter, Death, deaths, died, undisturbed
from tests.node.cutting import Cutter
from tests.node.killing import Executioner
from tests.node.life import NODES
from tests.node.restored import SAMPLE as LIVED_ON
from tests.node.restored import Lives, cells
from tests.node.shelf import Shelf
from tests.node.world import World
from tests.postgres import running

ENGINES = ("sqlite", "postgresql")


@contextmanager
def stores_of(engine: str, folder: Path) -> Iterator[Callable[[], str]]:
    """What to call for the URL of one more empty store."""
    numbers = count(1)
    if engine == "sqlite":
        yield lambda: f"sqlite:///{folder / f'store{next(numbers)}.db'}"
        return
    with running() as server:
        yield lambda: server.create(f"store{next(numbers)}")


@contextmanager
def world_on(engine: str) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="arrp-kills-") as name, stores_of(engine, Path(name)) as new_store:
        world = World(Path(name), new_store)
        yield world
        world.close()


class Run:
    """All deaths of one engine, or all cuts, and what was said about them."""

    def __init__(self, engine: str, world: World, by: type[Executioner], *, points: bool) -> None:
        self.engine, self.world, self.shelf, self.by, self._points = engine, world, Shelf(world), by, points
        self.chapters = undisturbed(world, self.shelf, by=by)
        self._began = time.monotonic()
        self._right, self._all = dict.fromkeys(NODES, 0), dict.fromkeys(NODES, 0)

    def take(self, nodes: Sequence[str]) -> bool:
        """Every point of those nodes, chapter by chapter. Whether all of them were right."""
        for chapter in self.chapters:
            for node in nodes:
                self._take(deaths([chapter], node), self._right[node])
            gc.collect()  # what the dead left open
        for node in nodes:
            self._say(f"{node}: {self._right[node]} of {self._all[node]}")
        right, every = sum(self._right.values()), sum(self._all.values())
        self._say(f"{right} of {every}")
        return right == every > 0

    def _take(self, every: list[Death], before: int) -> None:
        for death in every:
            difference = died(self.world, self.shelf, death, self._rest_of(death), self.by)
            self._all[death.node] += 1
            self._right[death.node] += difference is None
            if difference or self._points:
                self._say(f"{'WRONG' if difference else 'right'} {death} {difference or ''}".rstrip())
        if every:
            right = self._right[every[0].node] - before
            self._say(f"{every[0].chapter.step.name}: {every[0].node} {right} of {len(every)}")

    def _rest_of(self, death: Death) -> Sequence[Chapter]:
        """Every so manieth death is lived on from to the end."""
        return self.chapters[death.chapter.number + 1 :] if death.at % SAMPLE == 1 else ()

    def _say(self, what: str) -> None:
        seconds = int(time.monotonic() - self._began)
        print(f"{seconds // 60:3}:{seconds % 60:02}  {self.engine}  {what}", flush=True)


def restored(engine: str, world: World, nodes: Sequence[str]) -> bool:
    """Every cell, some lived on from to the end. Whether all of them were right."""
    lives, every, right = Lives(world, Shelf(world)), cells(*nodes), 0
    for number, cell in enumerate(every):
        difference = lives.differs(cell, to_the_end=number % LIVED_ON == 0)
        right += difference is None
        if difference is not None:
            print(f"{engine}  WRONG {cell} {difference}", flush=True)
        gc.collect()
    print(f"{engine}  {right} of {len(every)}", flush=True)
    return right == len(every) > 0


def main() -> None:
    words = argparse.ArgumentParser(prog="make kills", description=__doc__.partition("\n")[0])
    words.add_argument("engine", nargs="?", choices=ENGINES, help="only this one")
    words.add_argument("--node", choices=NODES, action="append", help="only this one; may be said again")
    words.add_argument("--points", action="store_true", help="a line for each point")
    words.add_argument("--cut", action="store_true", help="cut the line to the store, and let everybody live")
    words.add_argument("--restored", action="store_true", help="old backups instead of deaths")
    asked = words.parse_args()
    logging.disable(logging.ERROR)  # that a line went dead is what all this is about
    warnings.simplefilter("ignore", ResourceWarning)
    gc.disable()  # a sixth of the time; it is collected between the chapters
    right = []
    for engine in (asked.engine,) if asked.engine else ENGINES:
        with world_on(engine) as world, engines_kept():
            if asked.restored:
                right.append(restored(engine, world, asked.node or NODES))
            else:
                by = Cutter if asked.cut else Executioner
                right.append(Run(engine, world, by, points=asked.points).take(asked.node or NODES))
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
