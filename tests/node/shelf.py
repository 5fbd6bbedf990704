"""Copies of a whole world at rest: stores, banks and clock, put away and taken out again."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from tests.node.world import World


@dataclass(frozen=True)
class Saved:
    name: str
    at: datetime
    count: int


class Shelf:
    """Where the copies of one world lie. Its nodes are stopped while they are copied."""

    def __init__(self, world: World) -> None:
        self.world, self._made = world, list[str]()
        url = make_url(next(iter(world.stores.values())))
        self._is_sqlite = url.get_backend_name() == "sqlite"
        admin = url.set(database="postgres")
        self._admin = None if self._is_sqlite else create_engine(admin, isolation_level="AUTOCOMMIT")

    def save(self, name: str, nodes: Iterable[str] | None = None) -> Saved:
        chosen = list(nodes or self.world.members)
        self._stop(chosen)
        for id in chosen:
            self._copy(self._store(id), _name(name, id))
            self._copy_files(self._bank(id), self.world.folder / f"{_name(name, id)}.bank")
        self._start(chosen)
        return Saved(name, self.world.clock.at, self.world.clock.count)

    def restore(self, saved: Saved, nodes: Iterable[str] | None = None) -> None:
        """The world as it was. Some nodes only: they got an old backup back; time and banks went on."""
        chosen = list(nodes or self.world.members)
        self._stop(chosen)
        for id in chosen:
            self._copy(_name(saved.name, id), self._store(id))
            if nodes is None:
                self._copy_files(self.world.folder / f"{_name(saved.name, id)}.bank", self._bank(id))
        if nodes is None:
            self.world.clock.at, self.world.clock.count = saved.at, saved.count
        self._start(chosen)

    def clear(self) -> None:
        if self._admin is not None:
            for name in self._made:
                self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            self._admin.dispose()

    # --- one node --------------------------------------------------------------------------------------

    def _stop(self, nodes: list[str]) -> None:
        for id in nodes:
            self.world.stop(id)
            core = self.world.members[id].core
            if core is not None:
                core.close()

    def _start(self, nodes: list[str]) -> None:
        for id in nodes:
            if self.world.members[id].core is not None:
                self.world.members[id].core = self.world.open_core(id)
            self.world.start(id)

    def _bank(self, id: str) -> Path:
        return self.world.folder / f"{id}.core"

    def _store(self, id: str) -> str:
        return str(make_url(self.world.stores[id]).database)

    def _copy(self, origin: str, target: str) -> None:
        if self._is_sqlite:
            self._copy_files(self._file(origin), self._file(target))
            return
        if target not in map(self._store, self.world.members):
            self._made.append(target)
        self._run(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
        self._run(f'CREATE DATABASE "{target}" TEMPLATE "{origin}"')

    def _run(self, statement: str) -> Any:
        assert self._admin is not None
        with self._admin.connect() as connection:
            return connection.execute(text(statement))

    def _file(self, name: str) -> Path:
        return Path(name) if "/" in name else self.world.folder / f"{name}.saved"

    def _copy_files(self, origin: Path, target: Path) -> None:
        for ending in ("", "-wal", "-shm"):
            found = Path(f"{origin}{ending}")
            Path(f"{target}{ending}").unlink(missing_ok=True)
            if found.exists():
                shutil.copyfile(found, f"{target}{ending}")


def _name(saved: str, id: str) -> str:
    return f"{saved}_{id}".lower().replace("-", "_")
