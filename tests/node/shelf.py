"""Copies of a whole world at rest: stores, banks and clock, put away and taken out again.

A life is taken out a thousand times where every write is killed, so only what changed is put back: files
that nobody wrote to stay open; on PostgreSQL rows are copied from a schema beside the tables, because a
database made from a template costs a hundred times as much.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from arrp.node.store.engine import Store
from arrp.node.store.tables import schema
from tests.databases import SERIALS
from tests.node.world import World

_TABLES = [table.name for table in schema.sorted_tables]
_VACUUM_EVERY = 25  # restores; what was deleted slows everybody down until it is swept


@dataclass(frozen=True)
class Saved:
    name: str
    at: datetime
    count: int


class Shelf:
    """Where the copies of one world lie. Its nodes rest while they are copied."""

    def __init__(self, world: World) -> None:
        self.world, self._restores = world, 0
        self._is_sqlite = make_url(next(iter(world.stores.values()))).get_backend_name() == "sqlite"
        self._lies: dict[Path, tuple[str, object]] = {}  # which copy lies in a file, and how it looked untouched

    def save(self, name: str, nodes: Iterable[str] | None = None) -> Saved:
        saved, chosen = Saved(name, self.world.clock.at, self.world.clock.count), list(nodes or self.world.members)
        for id in chosen:
            self._save_store(name, id)
            self._save_bank(name, id)
        self._start(chosen)
        return saved

    def restore(self, saved: Saved, nodes: Iterable[str] | None = None) -> None:
        """The world as it was. Some nodes only: they got an old backup back; time and banks went on."""
        chosen = list(nodes or self.world.members)
        for id in chosen:
            self._restore_store(saved.name, id)
            if nodes is None:
                self._restore_bank(saved.name, id)
        if nodes is None:
            self.world.clock.at, self.world.clock.count = saved.at, saved.count
        self._start(chosen)

    # --- one node --------------------------------------------------------------------------------------

    def _start(self, nodes: list[str]) -> None:
        """Everybody is a new process; whose store was not touched finds it open."""
        for id in nodes:
            member = self.world.members[id]
            if member.participant.kind == "institution" and member.core is None:
                member.core = self.world.open_core(id)
            self.world.start(id, member.service and member.service.node.store)

    def _save_store(self, name: str, id: str) -> None:
        if self._is_sqlite:
            self._open(id).close()
            self._put(name, self._file(id), self._copy_of(name, id, "saved"))
        else:
            _save_rows(self._open(id), name)

    def _restore_store(self, name: str, id: str) -> None:
        if not self._is_sqlite:
            self._restores += 1
            _restore_rows(self._open(id), name, sweep=self._restores % _VACUUM_EVERY == 0)
        elif not self._is_untouched(name, self._file(id)):
            self._open(id).close()
            self._take(name, self._copy_of(name, id, "saved"), self._file(id))

    def _open(self, id: str) -> Store:
        if self.world.members[id].service is None:
            self.world.start(id)
        return self.world.service(id).node.store

    def _save_bank(self, name: str, id: str) -> None:
        if (core := self.world.members[id].core) is not None:
            core.close()
            self.world.members[id].core = None
            self._put(name, self._bank(id), self._copy_of(name, id, "bank"))

    def _restore_bank(self, name: str, id: str) -> None:
        core = self.world.members[id].core
        if core is not None and not self._is_untouched(name, self._bank(id)):
            core.close()
            self.world.members[id].core = None
            self._take(name, self._copy_of(name, id, "bank"), self._bank(id))

    # --- files -----------------------------------------------------------------------------------------

    def _bank(self, id: str) -> Path:
        return self.world.folder / f"{id}.core"

    def _file(self, id: str) -> Path:
        return Path(str(make_url(self.world.stores[id]).database))

    def _copy_of(self, name: str, id: str, ending: str) -> Path:
        return self.world.folder / f"{name} {id}.{ending}"

    def _put(self, name: str, live: Path, copy: Path) -> None:
        _copy_files(live, copy)
        self._lies[live] = (name, _look(live))

    def _take(self, name: str, copy: Path, live: Path) -> None:
        _copy_files(copy, live)
        self._lies[live] = (name, _look(live))

    def _is_untouched(self, name: str, live: Path) -> bool:
        """Nothing was committed since the copy: that would stand in the log, or in the file it was moved to."""
        log = Path(f"{live}-wal")
        return self._lies.get(live) == (name, _look(live)) and not (log.exists() and log.stat().st_size)


def _look(file: Path) -> object:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _copy_files(origin: Path, target: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        found = Path(f"{origin}{ending}")
        Path(f"{target}{ending}").unlink(missing_ok=True)
        if found.exists():
            shutil.copyfile(found, f"{target}{ending}")


# --- rows ------------------------------------------------------------------------------------------------


def _save_rows(store: Store, name: str) -> None:
    copied = [f'CREATE TABLE "{name}"."{table}" AS TABLE public."{table}"' for table in _TABLES]
    counted = [f'CREATE TABLE "{name}".{serial} AS SELECT last_value, is_called FROM public.{serial}'
               for serial in SERIALS]  # fmt: skip
    _run(store, [f'DROP SCHEMA IF EXISTS "{name}" CASCADE', f'CREATE SCHEMA "{name}"', *copied, *counted])


def _restore_rows(store: Store, name: str, *, sweep: bool) -> None:
    copied = [f'DELETE FROM public."{table}"; INSERT INTO public."{table}" SELECT * FROM "{name}"."{table}"'
              for table in _TABLES]  # fmt: skip
    counted = [f"SELECT setval('public.{serial}', last_value, is_called) FROM \"{name}\".{serial}"
               for serial in SERIALS]  # fmt: skip
    _run(store, ["SET LOCAL session_replication_role = replica", *copied, *counted])  # foreign keys come right again
    if sweep:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def _run(store: Store, statements: list[str]) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("; ".join(statements))
