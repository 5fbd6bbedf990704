"""SQLite or PostgreSQL behind one schema. No other file knows which one it is.

SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE, and one write lock per store, because a writer that
polls a busy file starves the others. A node's SQLite file has one writing process (SQLite before
3.51.3 can corrupt a WAL that two processes reset); it is checked when it is opened.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError

from arrp.core.errors import Corrupt, Unreachable
from arrp.node.store.migrate import migrate

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000")


class Store:
    """An open store. `writing` and `reading` are its only doors; a `with` block is one transaction."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = _sqlite(url) if self.is_sqlite else create_engine(url, pool_size=16, max_overflow=16)
        self._lock = threading.Lock()
        if self.is_sqlite:
            self._check()
        migrate(self.engine)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends, with full fsync, and not otherwise."""
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        with self._lock, self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and writes nothing."""
        with self.engine.connect() as connection:
            yield connection.execution_options(arrp_reads=True)

    def close(self) -> None:
        self.engine.dispose()

    def _check(self) -> None:
        """F16: damaged data is not opened in silence."""
        try:
            with self.engine.connect() as connection:
                said = connection.execute(text("PRAGMA quick_check")).scalar()
        except DBAPIError as error:
            raise Corrupt(f"{self.engine.url.database} cannot be read: {error.orig}. Restore a backup.") from error
        if said != "ok":
            raise Corrupt(f"{self.engine.url.database} is damaged: {said}. Restore a backup.")


def for_update(connection: Connection) -> bool:
    """Whether rows are locked one by one (PostgreSQL); under SQLite the writer is alone anyway."""
    return connection.dialect.name != "sqlite"


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        reads = connection.get_execution_options().get("arrp_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def check_reachable(store: Store) -> None:
    """Raises Unreachable when the database does not answer."""
    try:
        with store.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        raise Unreachable(f"the store does not answer: {error.orig}") from error
