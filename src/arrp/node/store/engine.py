"""SQLite or PostgreSQL behind one schema. No other file knows which one it is.

SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE, and one write lock per store, because a writer that
polls a busy file starves the others. A node's SQLite file has one writing process (SQLite before
3.51.3 can corrupt a WAL that two processes reset); it is checked when it is opened.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from arrp.core.errors import Conflict, Corrupt, Unreachable
from arrp.node.store.migrate import migrate
from arrp.node.store.prepared import say

_READS = "arrp_reads"
BEGINS = WRITE, READ = "BEGIN IMMEDIATE", "BEGIN"
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000")


class Store:
    """An open store. `writing` and `reading` are its only doors; a `with` block is one transaction."""

    def __init__(self, url: str, driver: type[sqlite3.Connection] = sqlite3.Connection) -> None:
        """`driver` is what opens a SQLite file: that of the simulator fails at any statement it is told to. Raises
        Corrupt, and Unreachable for a database that is away."""
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = _sqlite(url, WRITE, driver) if self.is_sqlite else _postgresql(url)
        readers = _sqlite(url, READ, driver) if self.is_sqlite else self.engine
        self._readers = readers.execution_options(**{_READS: True})
        self.broken = threading.Event()  # F04: the disk failed under a commit; nothing more is written
        self._batch = Batch(self.engine, self.broken) if self.is_sqlite else None
        if self.is_sqlite:
            self._check()
        try:
            migrate(self.engine)
        except OperationalError as error:
            self.close()
            why = " ".join(str(error.orig).split())
            raise Unreachable(f"the store cannot be opened now ({why}): see to its database, then try again") from error

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that commits when the block ends, with full fsync, and not otherwise."""
        return self.engine.begin() if self._batch is None else self._batch.part()

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state and writes nothing."""
        return self._readers.begin()

    def close(self) -> None:
        if self._batch is not None:
            self._batch.close()
        self._readers.dispose()
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


class Batch:
    """SQLite has one writer, and a commit waits for the disk: so whoever writes while others wait leaves
    the commit to the last of them. A part that fails is undone alone, and nobody goes on before the commit
    that holds his part is durable; when it fails, it fails for all of them."""

    MOST = 32  # parts of one commit: how much work a failing disk may undo

    def __init__(self, engine: Engine, broken: threading.Event) -> None:
        self._engine, self._broken = engine, broken
        self._writing, self._counting = threading.Lock(), threading.Lock()
        self._waiting = 0
        self._connection: Connection | None = None
        self._open: _Commit | None = None

    @contextmanager
    def part(self) -> Iterator[Connection]:
        with self._counting:
            self._waiting += 1
        with self._writing:
            with self._counting:
                self._waiting -= 1
            if self._broken.is_set() and self._open is None:
                raise Unreachable("the disk failed under a write: this node ends, and is to be started again")
            commit = self._open = self._open or self._begun()
            try:
                with commit.part():
                    yield commit.connection
            finally:
                if commit.is_broken or commit.connection.invalidated or commit.parts >= self.MOST or not self._waiting:
                    self._open = None
                    self._finish(commit)
        commit.wait()

    def _begun(self) -> _Commit:
        """On the connection of the commit before: a new one costs as much as what is written."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            return _Commit(self._connection, self._broken)
        except DBAPIError:
            self.close()
            raise

    def _finish(self, commit: _Commit) -> None:
        """A connection on which anything failed is not used again."""
        is_good = False
        try:
            is_good = commit.finish()
        finally:
            if not is_good:
                self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Commit:
    """One commit and the parts that are in it."""

    def __init__(self, connection: Connection, broken: threading.Event) -> None:
        self.connection, self.parts, self.is_broken, self._broken = connection, 0, False, broken
        self._transaction = connection.begin()
        self._ended, self._is_durable = threading.Event(), False

    @contextmanager
    def part(self) -> Iterator[None]:
        """The first is alone so far: what undoes it is the transaction itself. Each later one has a savepoint."""
        self.parts += 1
        if self.parts > 1:
            with self._savepoint():
                yield
            return
        is_done = False
        try:
            yield
            is_done = True
        finally:
            self.is_broken = self.is_broken or not is_done

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        is_done = False
        try:
            self._said("SAVEPOINT part")
            yield
            is_done = True
        finally:
            if self._is_whole():
                self._said("RELEASE part" if is_done else "ROLLBACK TO part")

    def _said(self, statement: str) -> None:
        """Nobody knows where a transaction stands that fails at its own seams: then it is nobody's."""
        try:
            say(self.connection, statement)
        except DBAPIError:
            self.is_broken = True
            raise

    def _is_whole(self) -> bool:
        """Whether the transaction still holds all its parts. SQLite undoes all of it by itself when the
        disk is full or fails, and an interrupted driver throws the connection away: then nobody's part
        is there, and what would be written next would stand outside any transaction."""
        if not self.connection.invalidated:
            driver: Any = self.connection.connection.driver_connection
            self.is_broken = self.is_broken or not driver.in_transaction
        return not (self.is_broken or self.connection.invalidated)

    def finish(self) -> bool:
        """Whether the commit is durable."""
        try:
            if self._is_whole():
                self._transaction.commit()
                self._is_durable = True
            else:
                self._transaction.rollback()
            return self._is_durable
        except DBAPIError as error:
            # What a failed sync left in the system's cache may look written and not be: nobody tries on top of it.
            if getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_IOERR"):
                self._broken.set()
            raise
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Until the commit has ended. Raises Unreachable when it was not this part that made it fail."""
        self._ended.wait()
        if not self._is_durable:
            raise Unreachable("the store could not commit; nothing of this was written: try again")


def retrying(attempt: Callable[[], Any], times: int = 5) -> Any:
    """Once more when two transactions opened the same case or conversation at the same moment, or
    waited for each other (F06)."""
    for _ in range(times - 1):
        try:
            return attempt()
        except DBAPIError as error:
            if not _met_another(error):
                raise
    try:
        return attempt()
    except IntegrityError as error:
        raise Conflict("somebody else was writing the same; try again") from error


def _met_another(error: DBAPIError) -> bool:
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", "") in ("40001", "40P01")


def for_update(connection: Connection) -> bool:
    """Whether rows are locked one by one (PostgreSQL); under SQLite the writer is alone anyway."""
    return connection.dialect.name != "sqlite"


def reads(connection: Connection) -> bool:
    """Whether it only reads: what it sees was committed."""
    return bool(connection.get_execution_options().get(_READS))


def _postgresql(url: str) -> Engine:
    return create_engine(url, pool_size=16, max_overflow=16, hide_parameters=True)  # names stay out of the log


def _sqlite(url: str, begin: str, driver: type[sqlite3.Connection]) -> Engine:
    """`begin` is said here and not by a listener: an engine with one looks for listeners at each statement."""
    engine = create_engine(url, connect_args={"check_same_thread": False, "factory": driver}, hide_parameters=True)
    dialect: Any = engine.dialect
    dialect.do_begin = lambda driver: driver.execute(begin)

    @event.listens_for(engine, "connect")
    def _(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine
