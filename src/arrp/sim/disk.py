"""What can strike a process between two of its instructions: death, a full disk, a disk that fails.

A `Fuse` counts points: each statement and commit of the store, each moment before and after something outside is
asked. The driver's connection is SQLite's own, with a point at each thing it is told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any


class Strike(StrEnum):
    """What happens at a point."""

    KILL = "kill"
    FULL = "full"
    IO_ERROR = "io_error"


class Killed(BaseException):
    """The process is gone, between two of its instructions: nothing of it tidies up."""


_SPARED = [0]  # how many look on just now: nothing strikes while somebody only watches


@contextmanager
def spared() -> Iterator[None]:
    """Whoever watches a world reads its stores, and harms nobody by it."""
    _SPARED[0] += 1
    try:
        yield
    finally:
        _SPARED[0] -= 1


class Fuse:
    """How many points a process has left before something strikes it. `struck` tells the world where it was."""

    def __init__(self, struck: Callable[[Strike, str], None]) -> None:
        self._struck = struck
        self._left, self._strike = 0, Strike.KILL

    def light(self, points: int, strike: Strike) -> None:
        """Strike at the `points`-th point from here."""
        self._left, self._strike = points, strike

    def put_out(self) -> None:
        self._left = 0

    def point(self, where: str, *, in_store: bool = False) -> None:
        """Raises Killed, or the driver's own error, when it is time. Only a disk fails like a disk."""
        if not self._left or _SPARED[0] or (not in_store and self._strike is not Strike.KILL):
            return
        self._left -= 1
        if self._left:
            return
        self._struck(self._strike, where)
        if self._strike is Strike.KILL:
            raise Killed(where)
        raise _error(self._strike)


def _error(strike: Strike) -> sqlite3.OperationalError:
    """As the driver tells it."""
    error = sqlite3.OperationalError("database or disk is full" if strike is Strike.FULL else "disk I/O error")
    error.sqlite_errorname = "SQLITE_FULL" if strike is Strike.FULL else "SQLITE_IOERR_WRITE"
    return error


_WRITES = ("INSERT", "UPDATE", "DELETE")


def driver(fuse: Fuse) -> type[sqlite3.Connection]:
    """SQLite's connection, on a disk and in a process that this fuse can strike."""

    class _Cursor(sqlite3.Cursor):
        def execute(self, sql: str, /, *values: Any) -> Any:
            fuse.point(sql[:30], in_store=sql.startswith(_WRITES))
            return super().execute(sql, *values)

        def executemany(self, sql: str, rows: Any, /) -> Any:
            fuse.point(sql[:30], in_store=True)
            return super().executemany(sql, rows)

    class _Connection(sqlite3.Connection):
        def cursor(self, _factory: Any = None, /) -> Any:
            return super().cursor(_Cursor)

        def commit(self) -> None:
            if not self.in_transaction:
                return super().commit()
            try:
                fuse.point("before COMMIT", in_store=True)
            except sqlite3.OperationalError:
                super().rollback()  # as SQLite does by itself when the disk fails under it
                raise
            super().commit()
            fuse.point("after COMMIT")

    return _Connection
