"""Empty stores for tests, migrated once and used again: making one anew took most of the time of most tests."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url

from arrp.node.store import engine as engines
from arrp.node.store.engine import Store
from arrp.node.store.migrate import newest_version
from arrp.node.store.tables import schema
from tests.postgres import Server

SERIALS = ("events_id_seq", "outbox_id_seq")

# To delete a few rows takes a tenth of the time of TRUNCATE, which makes a new file for each table and index.
_EMPTY = SQL("; ").join(
    [SQL("DELETE FROM {}").format(Identifier(table.name)) for table in reversed(schema.sorted_tables)]
    + [SQL("ALTER SEQUENCE {} RESTART").format(Identifier(name)) for name in SERIALS])
_SWEPT_EVERY = 50
_TABLES = sorted(table.name for table in schema.sorted_tables)
_OURS = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_OTHERS = """SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('public', 'information_schema')
             AND nspname NOT LIKE 'pg\\_%'"""


@contextmanager
def engines_kept() -> Iterator[None]:
    """A store that is opened again has a new pool, but not a new engine with nothing compiled yet."""
    kept = lru_cache(maxsize=64)  # a test may make stores of its own, which nobody asks for again
    sqlite, postgresql = engines._sqlite, engines._postgresql
    engines._sqlite, engines._postgresql = kept(sqlite), kept(postgresql)
    try:
        yield
    finally:
        engines._sqlite, engines._postgresql = sqlite, postgresql


def forget(url: str) -> None:
    """Close what is still connected to a store."""
    if url.startswith("sqlite"):
        for begin in engines.BEGINS:
            engines._sqlite(url, begin, sqlite3.Connection).dispose()
    else:
        engines._postgresql(url).dispose()


class Files:
    """Empty SQLite stores, as copies of one, always in the same places."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._free, self._made = folder, list[Path](), 0
        self._empty = folder / "empty.db"
        Store(f"sqlite:///{self._empty}").close()

    def take(self) -> str:
        """The URL of one that nobody else has."""
        if not self._free:
            self._made += 1
            self._free.append(self._folder / f"store{self._made}.db")
        return f"sqlite:///{shutil.copy(self._empty, self._free.pop())}"

    def give_back(self, url: str) -> None:
        file = Path(url.removeprefix("sqlite:///"))
        for left in self._folder.glob(f"{file.name}*"):
            left.unlink()
        self._free.append(file)


class Databases:
    """Empty databases of one server. What a test gave back is emptied; what it changed otherwise is thrown away."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._empty: list[str] = []
        self._made = self._given_back = 0

    def take(self) -> str:
        """The URL of one that nobody else has."""
        if self._empty:
            return self._server.url(self._empty.pop())
        self._made += 1
        url = self._server.create(f"empty{self._made}")
        Store(url).close()
        return url

    def give_back(self, url: str) -> None:
        name = make_url(url).database
        assert name is not None
        if self._emptied(name):
            self._empty.append(name)
        else:
            self._server.drop(name)

    def _emptied(self, name: str) -> bool:
        with psycopg.connect(user="postgres", dbname=name, host=str(self._server.home), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                               "WHERE datname = current_database() AND pid <> pg_backend_pid()")
            tables = [row[0] for row in connection.execute(_OURS)]
            if sorted([*_TABLES, "alembic_version"]) != tables or connection.execute(_OTHERS).fetchone():
                return False
            if connection.execute("SELECT version_num FROM alembic_version").fetchall() != [(newest_version(),)]:
                return False
            connection.execute(_EMPTY)
            self._given_back += 1
            if self._given_back % _SWEPT_EVERY == 0:
                connection.execute("VACUUM")
        return True
