"""The line to the store is cut, at any statement of any transaction: the node lives on, and has to do it again.

A point is each statement of a transaction that writes, reading ones and its own BEGIN and savepoints too; the
COMMIT itself (nobody knows then whether it was made, and here it was not), and the moment just after it (here it
was: done, but the answer is lost). On PostgreSQL the server ends the connection, so that the driver finds out by
itself; SQLite has no line, so there the disk fails (SQLite then undoes the transaction). Where the node speaks to
its core or a peer the line to them is cut in the same two ways.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from psycopg.errors import DiskFull
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from arrp.connectors import CoreDown, CoreUnclear
from arrp.core.errors import Unreachable
from arrp.node.store.engine import Store
from tests.node.killing import Executioner
from tests.node.world import World

_BEFORE, _AFTER = "before ", "after "


class Cutter(Executioner):
    """Counts the points of one node; at number `at` the line is cut, once."""

    def __init__(self, world: World, node: str, at: int | None = None, die: Callable[[str, str], None] | None = None
                 ) -> None:
        self._writing: list[Connection | None] = []
        super().__init__(world, node, at, die or self._cut)

    def _watch(self) -> None:
        super()._watch()
        assert self.engine is not None
        self._listen(self.engine, "begin", self._begin)
        self._listen(self.engine, "commit", self._commit)
        store = self.world.service(self.node).node.store
        watched = store.writing
        store.writing = partial(self._inside, watched)  # type: ignore[method-assign]

    def _listen(self, engine: Engine, name: str, heard: Callable[..., Any]) -> None:
        if not event.contains(engine, name, heard):
            event.listen(engine, name, heard)
            self._unhook.append(lambda: event.remove(engine, name, heard))

    @contextmanager
    def _inside(self, writing: Callable[[], Any]) -> Iterator[Any]:
        """Only transactions that write are counted: whoever only reads reads again."""
        self._writing.append(None)
        try:
            with writing() as connection:
                yield connection
        finally:
            self._writing.pop()

    def _statement(self, connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if self._writing:
            self._writing[-1] = connection
            self.point(" ".join(statement.split()[:3]))

    def _begin(self, connection: Connection) -> None:
        self._seam(connection, "BEGIN")

    def _commit(self, connection: Connection) -> None:
        self._seam(connection, "COMMIT")

    def _seam(self, connection: Connection, said: str) -> None:
        if self._writing:
            self._writing[-1] = connection
            self.point(said)

    # --- the cut ---------------------------------------------------------------------------------------------

    def _cut(self, _node: str, where: str) -> None:
        if where.startswith((_BEFORE, _AFTER)) and not where.endswith("COMMIT"):
            raise _other_line(where)
        if where == "after COMMIT":
            raise failed("the answer to COMMIT is lost")
        connection = self._writing[-1]
        assert connection is not None
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            raise failed("disk I/O error")
        ended(connection.engine, driver.info.backend_pid)


def _other_line(where: str) -> Exception:
    if where.endswith("post") or "post," in where:
        return Unreachable(f"the line is cut {where}")
    return CoreDown(f"the line is cut {where}") if where.startswith(_BEFORE) else CoreUnclear(f"cut {where}")


def failed(why: str) -> OperationalError:
    """As SQLAlchemy hands on what a driver says."""
    return OperationalError("", None, sqlite3.OperationalError(why))


def ended(engine: Engine, backend: int | None = None) -> None:
    """PostgreSQL ends one connection, or all of that database, as when it is started anew."""
    aside = create_engine(engine.url, isolation_level="AUTOCOMMIT")
    with aside.connect() as connection:
        connection.execute(text(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND (CAST(:pid AS integer) IS NULL OR pid = :pid)"), {"pid": backend})
    aside.dispose()


class Restarted(Cutter):
    """The database is started anew at the point: every connection of the node goes, idle ones too."""

    def _cut(self, node: str, where: str) -> None:
        store: Store = self.world.service(node).node.store
        if store.is_sqlite or where.startswith((_BEFORE, _AFTER)):
            super()._cut(node, where)
        else:
            ended(store.engine)


class FullDisk:
    """While it is full nothing of one node is written: what would grow fails, as the driver says it, and the
    transaction with it."""

    def __init__(self, store: Store) -> None:
        self._engine, self.refused = store.engine, 0

    def __enter__(self) -> FullDisk:
        event.listen(self._engine, "before_cursor_execute", self._statement)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._statement)

    def _statement(self, connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("INSERT", "UPDATE")):
            return
        self.refused += 1
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.execute("ROLLBACK")
            raise failed("database or disk is full")
        raise OperationalError(statement, None, DiskFull("could not extend file: No space left on device"))
