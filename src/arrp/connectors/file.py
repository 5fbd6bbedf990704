"""A SQLite file that is a core's, or a clerk's: opened with care, one writer at a time, from the first read on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from arrp.connectors import CoreDown
from arrp.core.errors import Corrupt, Malformed


class CoreFile:
    """The file. Every method but `transaction` and `close` is called inside a transaction."""

    def __init__(self, path: Path, script: str) -> None:
        self._lock = RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            if self._db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise Corrupt(f"the core's file {path} is damaged: restore it from its backup")
            self._db.executescript(f"BEGIN IMMEDIATE;{script}COMMIT;")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise CoreDown(f"the core's file {path} cannot be opened now ({error}); try again") from error
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise Corrupt(f"{path} is no core's file: {error}") from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """The file is ours from the first read on. `keep=False` undoes all at the end."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise CoreDown(f"the core is busy ({error}); nothing was done, try again") from error
            done = False
            try:
                yield
                done = True
            finally:
                self._db.execute("COMMIT" if done and keep else "ROLLBACK")

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return found

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._db.execute(sql, values).fetchall()

    def number(self, sql: str, *values: Any) -> int:
        """The one whole number the query asks for; nothing counts as 0."""
        found = self.row(sql, *values)
        return int(found[0] or 0) if found else 0

    def write(self, sql: str, *values: Any) -> None:
        self._db.execute(sql, values)


def to_text(at: datetime | None) -> str | None:
    """UTC in one fixed width, so that texts sort as instants do."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise Malformed(f"{at} names no time zone: an instant needs one")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def to_time(text: str) -> datetime:
    return datetime.fromisoformat(text)
