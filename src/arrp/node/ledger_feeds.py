"""Where the rows of an institution's own ledger come from: files that grow, or a database that is only read.

A feed gives what was booked since it was asked last. Where what it gave before is not there as it was,
it says so by giving everything anew; whether that may be is for node/own_ledger.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from arrp.core.errors import Malformed, NotFound
from arrp.wire.ledger_csv import NEEDED
from arrp.wire.ledger_own import OwnAccounts, OwnFile, OwnRow, own_row

_Signature = tuple[int, int, int]  # inode, size, time of the last change in nanoseconds


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in booking order: all there are where `anew`, else those after what was given before."""

    rows: list[OwnRow]
    anew: bool


class Feed(Protocol):
    """Raises NotFound, Malformed, OSError, DBAPIError."""

    name: str

    def read(self) -> Batch: ...

    def forget(self) -> None:
        """What it gave was not taken: it gives all of it anew."""


@dataclass(slots=True)
class _Seen:
    """A file as far as it was read."""

    path: Path
    file: OwnFile
    signature: _Signature = (0, 0, 0)
    bytes: int = 0
    digest: str = ""


@dataclass(slots=True)
class FileFeed:
    """A CSV file that a bank appends to, or a folder of them in the order of their names; of a chain its exports.

    Rows count from 1, the first below the first header, on through all files. A line counts once it has its end.
    """

    path: Path
    chain: str = ""
    name: str = ""
    _seen: list[_Seen] = field(default_factory=list)
    _rows: int = 0
    _accounts: OwnAccounts = field(default_factory=OwnAccounts)

    def __post_init__(self) -> None:
        self.name = str(self.path)

    def read(self) -> Batch:
        paths = self._paths()
        anew = not self._seen or not self._is_as_read(paths)
        if anew:
            self.forget()
        return Batch(self._appended(paths), anew)

    def forget(self) -> None:
        self._seen, self._rows = [], 0

    def _paths(self) -> list[Path]:
        paths = sorted(self.path.glob("*.csv")) if self.path.is_dir() else [self.path]
        if not paths or not paths[0].is_file():
            raise NotFound(f"there is no ledger at {self.path}: an export writes it there, as CSV")
        return paths

    def _is_as_read(self, paths: list[Path]) -> bool:
        """Whether the files read before are the first ones still, unchanged but for the last, which may have grown."""
        if [seen.path for seen in self._seen] != paths[: len(self._seen)]:
            return False
        for seen in self._seen:
            signature = _signature(seen.path)
            if signature == seen.signature:
                continue
            grown = signature[1] > seen.bytes and seen is not self._seen[-1]
            if grown or signature[1] < seen.bytes or _digest(seen.path, seen.bytes) != seen.digest:
                return False
        return True

    def _appended(self, paths: list[Path]) -> list[OwnRow]:
        found: list[OwnRow] = []
        for place, path in enumerate(paths):
            if place == len(self._seen):
                block = self._seen[-1].file.block if self._seen else -1
                self._seen.append(_Seen(path, OwnFile(self.chain, block=block)))
            seen = self._seen[place]
            signature = _signature(path)
            if signature == seen.signature:
                continue
            lines = self._lines(seen)
            fresh = seen.file.read(lines, self._rows + len(found), self._accounts) if lines else []
            found += fresh
            seen.signature = signature
        self._rows += len(found)
        return found

    def _lines(self, seen: _Seen) -> StringIO | None:
        """What was appended, as far as its lines have their end; None where there is nothing."""
        with seen.path.open("rb") as file:
            file.seek(seen.bytes)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        try:
            lines = StringIO(data.decode(), newline="")
        except UnicodeDecodeError as why:
            raise Malformed(f"byte {seen.bytes + why.start} is not UTF-8: export as UTF-8") from None
        seen.bytes += len(data)
        seen.digest = _digest(seen.path, seen.bytes)
        return lines if data else None


def _signature(path: Path) -> _Signature:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _digest(path: Path, size: int) -> str:
    """Of the first `size` bytes."""
    found, left = sha256(), size
    with path.open("rb") as file:
        while left and (piece := file.read(min(left, 1 << 20))):
            found.update(piece)
            left -= len(piece)
    return found.hexdigest()


class SqlFeed:
    """A query of a database, which yields the columns of a ledger and `sequence`, its own booking number."""

    def __init__(self, url: str, query: str) -> None:
        try:
            self._engine = create_engine(make_url(url), poolclass=NullPool)  # nothing stays open at the bank
        except (ArgumentError, NoSuchModuleError, ImportError):
            # the address is not printed: it may have a password
            raise Malformed("the address of the ledger is no database that can be reached from here, such as "
                            "sql:postgresql+psycopg://reader@host/core") from None
        self.name = self._engine.url.render_as_string(hide_password=True)
        self._query = query.strip().rstrip(";").replace(":", r"\:")
        self._accounts = OwnAccounts()
        self._last, self._count = 0, 0

    def forget(self) -> None:
        self._last, self._count = 0, 0

    def read(self) -> Batch:
        self._check_there()
        with self._engine.connect() as connection:
            _read_only(connection)
            anew = not self._count or self._counted(connection) != self._count
            if anew:
                self.forget()
            rows = self._after(connection)
        if rows:
            self._last, self._count = rows[-1].sequence, self._count + len(rows)
        return Batch(rows, anew)

    def _check_there(self) -> None:
        """SQLite would make an empty database where there is none."""
        url = self._engine.url
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
            raise NotFound(f"there is no database at {url.database}")

    def _counted(self, connection: Connection) -> int:
        counted = text(f"SELECT count(*) FROM ({self._query}) AS booked WHERE sequence <= :last")  # noqa: S608
        return int(connection.execute(counted, {"last": self._last}).scalar_one())

    def _after(self, connection: Connection) -> list[OwnRow]:
        wanted = text(f"SELECT * FROM ({self._query}) AS booked WHERE sequence > :last ORDER BY sequence")  # noqa: S608
        found = connection.execute(wanted, {"last": self._last})
        if lacking := [name for name in ("sequence", *NEEDED) if name not in found.keys()]:  # noqa: SIM118 - a result
            raise Malformed(f"the query yields no {', '.join(lacking)}: it has sequence,{','.join(NEEDED)}")
        return [own_row(_sequence(row), _cells(row), self._accounts) for row in found.mappings()]


def _read_only(connection: Connection) -> None:
    """The database itself refuses to be written to, whatever the query says."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _sequence(row: Mapping[Any, Any]) -> int:
    found = row["sequence"]
    if type(found) is not int or found < 1:
        raise Malformed(f"sequence {found!r} is not a whole number from 1 on")
    return found


def _cells(row: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): _cell(str(name), row[name]) for name in row if name != "sequence"}


def _cell(name: str, found: Any) -> str:
    if found is None:
        return ""
    if isinstance(found, datetime):
        return found.isoformat()
    if isinstance(found, Decimal):
        return format(found, "f")
    if isinstance(found, float):
        raise Malformed(f"column {name} is a floating number, {found}: cast it to text or numeric in the query")
    return str(found)
