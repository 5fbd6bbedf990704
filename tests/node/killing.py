"""Death at any instruction that leaves something behind: counted in a first run, chosen in the next.

A point is each statement that writes, the moment before each COMMIT and the one just after it (before
any answer or receipt leaves), and the moments before and after each call to the core or to a peer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from arrp.node.store.engine import Store
from tests.node.world import Killed, World

_WRITES = ("INSERT", "UPDATE", "DELETE")


class Executioner:
    """Counts the points of one node; at number `at` the node dies. None: nobody dies, all are counted."""

    def __init__(self, world: World, node: str, at: int | None = None, die: Callable[[str, str], None] | None = None
                 ) -> None:
        self.world, self.node, self.at, self.count = world, node, at, 0
        self.points: list[str] = []
        self.died_at: str | None = None
        self.engine: Engine | None = None  # of the node as it runs now
        self._unhook: list[Callable[[], object]] = []
        self._die = die or _raise
        self._start, self._core = world.start, world.members[node].core
        world.start = self._started  # type: ignore[method-assign]
        world.members[node].core = self._watched_core()
        self._watch()

    def leave(self) -> None:
        """Whatever was not reached will not be."""
        self.at, self.world.start = 0, self._start  # type: ignore[method-assign]
        self.world.members[self.node].core = self._core
        while self._unhook:
            self._unhook.pop()()

    def point(self, where: str) -> None:
        self.count += 1
        if self.at is None:
            self.points.append(where)
        if self.count == self.at:
            self.died_at = where
            self._die(self.node, where)

    # --- hooks -------------------------------------------------------------------------------------------

    def _started(self, id: str, store: Store | None = None) -> None:
        self._start(id, store)
        if id == self.node:
            self._watch()

    def _watch(self) -> None:
        """The running node's statements, commits and calls to peers; it is new after each death."""
        member = self.world.members[self.node]
        assert member.service is not None
        assert member.worker is not None
        store = member.service.node.store
        self.engine = store.engine
        listened = (store.engine, "before_cursor_execute", self._statement)
        if not event.contains(*listened):  # an engine may be kept when its store is opened again
            event.listen(*listened)
            self._unhook.append(lambda: event.remove(*listened))
        writing = store.writing

        @contextmanager
        def watched() -> Iterator[Any]:
            with writing() as connection:
                yield connection
                self.point("before COMMIT")
            self.point("after COMMIT")

        store.writing = watched  # type: ignore[method-assign]
        self._unhook.append(lambda: delattr(store, "writing"))
        member.worker.delivery.transport = _Around(self.world.post, ("post",), self.point)
        if member.core is not None:
            member.worker.delivery.core = member.core

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        verb, _, rest = statement.partition(" ")
        if verb in _WRITES:
            self.point(f"{verb} {rest.split()[1] if verb == 'INSERT' else rest.split()[0]}")

    def _watched_core(self) -> Any:
        core = self.world.members[self.node].core
        return core and _Around(core, ("find", "hold", "stop", "release", "extend", "give_back"), self.point)


class _Around:
    """Something that can be called, with a point before and one after each of the named calls."""

    def __init__(self, inner: Any, verbs: tuple[str, ...], point: Callable[[str], None]) -> None:
        self._inner, self._verbs, self._point = inner, verbs, point

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)
        if name not in self._verbs:
            return inner

        def call(*given: Any) -> Any:
            self._point(f"before {name}")
            answer = inner(*given)
            self._point(f"after {name}, its answer unread")
            return answer

        return call


def _raise(node: str, where: str) -> None:
    raise Killed(node, where)
