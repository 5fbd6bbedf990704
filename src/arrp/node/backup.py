"""A store as one sealed file, and back: the same file for SQLite and PostgreSQL.

    header   one line of JSON: format, salt of the passphrase
    frames   4 bytes length, then ChaCha20-Poly1305 over at most 1 MiB; nonce = number of the frame, and
             the last says that it is the last: nothing is cut off, exchanged or added unseen
      └ zlib └ lines of JSON: the manifest; per table its rows, then how many and their SHA-256; the end

Everything is read in one transaction at one moment, while the node runs. It holds all that the store
holds about people, so there is none without a passphrase (reliability T34). Keys, settings, directory and
documents are files of the home and are not in it.
"""

from __future__ import annotations

import json
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from sqlalchemy import (
    ColumnClause,
    Connection,
    Engine,
    column,
    create_engine,
    delete,
    func,
    insert,
    select,
    table,
)

from arrp.core.errors import Conflict, Corrupt, Malformed, Refused
from arrp.node.clock import Clock
from arrp.node.store import audit, cases, erasing, recovering, work
from arrp.node.store.engine import Store
from arrp.node.store.migrate import version_of
from arrp.node.store.tables import schema
from arrp.wire.approvals import b64, unb64

FORMAT = "arrp backup 1"
_FRAME = 1 << 20
_LAST, _MORE = b"last", b"more"
_BATCH = 500
_SERIALS = ("events", "outbox")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the file says of itself: whose it is, of when, and the newest checkpoint that was signed by then."""

    node: str
    at: str
    version: str
    checkpoint: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: rows, cases erased again, and cases that were erased later but are open here."""

    manifest: Manifest
    rows: int
    erased: tuple[str, ...]
    still_open: tuple[str, ...]
    documents: tuple[str, ...]


# --- sealed frames -----------------------------------------------------------------------------------------


def _key(passphrase: str, salt: bytes) -> ChaCha20Poly1305:
    if not passphrase.strip():
        raise Refused("a backup needs a passphrase: it holds everything the store knows about people")
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogateescape")
    return ChaCha20Poly1305(Scrypt(salt=salt, length=32, n=1 << 15, r=8, p=1).derive(secret))


def _sealed(pieces: Iterable[bytes], key: ChaCha20Poly1305) -> Iterator[bytes]:
    number, waiting = 0, b""
    for piece in pieces:
        waiting += piece
        while len(waiting) > _FRAME:
            yield _frame(key, number, waiting[:_FRAME], _MORE)
            number, waiting = number + 1, waiting[_FRAME:]
    yield _frame(key, number, waiting, _LAST)


def _frame(key: ChaCha20Poly1305, number: int, plain: bytes, place: bytes) -> bytes:
    sealed = key.encrypt(number.to_bytes(12, "big"), plain, place)
    return struct.pack(">I", len(sealed)) + sealed


def _opened(file: IO[bytes], key: ChaCha20Poly1305) -> Iterator[bytes]:
    number, following = 0, _frame_of(file)
    while following is not None:
        sealed, following = following, _frame_of(file)
        try:
            yield key.decrypt(number.to_bytes(12, "big"), sealed, _LAST if following is None else _MORE)
        except InvalidTag:
            raise Refused("this backup does not open: another passphrase, or the file is damaged or cut") from None
        number += 1


def _frame_of(file: IO[bytes]) -> bytes | None:
    length = file.read(4)
    if not length:
        return None
    if len(length) < 4 or (size := struct.unpack(">I", length)[0]) > _FRAME + 16:
        raise Corrupt("this backup is damaged: take another")
    return file.read(size)


# --- out -----------------------------------------------------------------------------------------------------


def backup(url: str, node: str, file: IO[bytes], passphrase: str, clock: Clock) -> Manifest:
    """Write the store at `url`, as it is at this moment, into `file`. Raises Refused without a passphrase."""
    salt = clock.salt()
    key, engine = _key(passphrase, salt), create_engine(url)
    try:
        with engine.connect() as connection:
            _at_one_moment(connection)
            manifest = _manifest(connection, node, clock.now())
            file.write(json.dumps({"format": FORMAT, "salt": b64(salt)}).encode() + b"\n")
            for frame in _sealed(_packed(_lines(connection, manifest)), key):
                file.write(frame)
    finally:
        engine.dispose()
    return manifest


def _at_one_moment(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _manifest(connection: Connection, node: str, now: datetime) -> Manifest:
    newest, epoch = audit.newest(connection), recovering.state(connection).epoch
    return Manifest(node, now.isoformat(), str(version_of(connection)), newest[1] if newest else None, epoch)


def _packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(6)
    for line in lines:
        yield packer.compress(line)
    yield packer.flush()


def _lines(connection: Connection, manifest: Manifest) -> Iterator[bytes]:
    yield _line({"manifest": {name: getattr(manifest, name) for name in Manifest.__slots__}})
    for one in schema.sorted_tables:
        plain = _plain(one.name)
        yield _line({"table": one.name, "columns": [c.name for c in one.columns]})
        count, digest = 0, sha256()
        keys: list[ColumnClause[Any]] = [column(c.name) for c in one.primary_key.columns]
        for row in connection.execution_options(yield_per=_BATCH).execute(select(plain).order_by(*keys)):
            line = _line([_told(value) for value in row])
            digest.update(line)
            count += 1
            yield line
        yield _line({"rows": count, "sha256": digest.hexdigest()})
    yield _line({"end": FORMAT})


def _plain(name: str) -> Any:
    """The table as the engine has it: whole numbers, texts and bytes, without our types."""
    return table(name, *(column(c.name) for c in schema.tables[name].columns))


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _told(value: Any) -> Any:
    return {"b": b64(bytes(value))} if isinstance(value, bytes | memoryview) else value


def _read(value: Any) -> Any:
    return unb64(value["b"]) if isinstance(value, dict) else value


# --- back ----------------------------------------------------------------------------------------------------


def restore(file: IO[bytes], url: str, passphrase: str, known: Known) -> Restored:
    """Fill the empty store at `url`; nothing of it is there unless everything is. The node that opens it is
    recovering (R-29). Raises Conflict for a store that is not empty, Refused for a passphrase that does not
    fit, Corrupt for a file that is not whole."""
    header = _header(file)
    key = _key(passphrase, unb64(header["salt"]))
    store = Store(url)
    try:
        _check_empty(store.engine)
        with store.writing() as connection:
            manifest, rows = _fill(connection, _unpacked(_opened(file, key)), known.node)
            _count_on(connection)
            for peer in known.peers:
                work.know_peer(connection, peer)
            recovering.begin(connection, known.now)
            return _erased_again(connection, manifest, rows, known)
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class Known:
    """What the home knows of itself: who it is, whom it may have spoken to, what was erased since."""

    node: str
    peers: tuple[str, ...]
    erased: tuple[str, ...]
    now: datetime


def _header(file: IO[bytes]) -> dict[str, Any]:
    try:
        header = json.loads(file.readline(1 << 12))
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT or not isinstance(header.get("salt"), str):
        raise Malformed(f"this is no backup of the format {FORMAT!r}")
    return header


def _check_empty(engine: Engine) -> None:
    with engine.connect() as connection:
        for one in schema.sorted_tables:
            if connection.execute(select(func.count()).select_from(one)).scalar():
                raise Conflict(f"the store is not empty ({one.name}): a backup goes into a new one. Move the old one "
                               "away and keep it: it is evidence")


def _unpacked(frames: Iterable[bytes]) -> Iterator[Any]:
    unpacker, waiting = zlib.decompressobj(), b""
    for frame in frames:
        waiting += unpacker.decompress(frame)
        *lines, waiting = waiting.split(b"\n")
        yield from map(json.loads, lines)
    if waiting or not unpacker.eof:
        raise Corrupt("this backup is cut: take another")


def _fill(connection: Connection, lines: Iterator[Any], node: str) -> tuple[Manifest, int]:
    manifest = Manifest(**next(lines)["manifest"])
    if manifest.node != node:
        raise Refused(f"this is a backup of {manifest.node}, the home is of {node}: nothing was restored")
    version = version_of(connection)
    if manifest.version != version:
        raise Refused(f"this backup is of schema {manifest.version}, this program has {version}: restore it with the "
                      "program it was made with, then upgrade")
    rows = 0
    for line in lines:
        if "end" in line:
            return manifest, rows
        rows += _fill_table(connection, line, lines)
    raise Corrupt("this backup has no end: it is cut, take another")


def _fill_table(connection: Connection, head: dict[str, Any], lines: Iterator[Any]) -> int:
    name, names = head["table"], head["columns"]
    if name not in schema.tables or set(names) != {c.name for c in schema.tables[name].columns}:
        raise Corrupt(f"this backup has a table {name!r} that nobody knows")
    digest, batch = sha256(), list[dict[str, Any]]()
    for count, line in enumerate(lines):
        if isinstance(line, dict):
            _insert(connection, name, batch)
            if (line["rows"], line["sha256"]) != (count, digest.hexdigest()):
                raise Corrupt(f"table {name} of this backup is not what was written: take another")
            return count
        digest.update(_line(line))
        batch.append(dict(zip(names, map(_read, line), strict=True)))
        if len(batch) == _BATCH:
            _insert(connection, name, batch)
            batch = []
    raise Corrupt(f"table {name} of this backup has no end: take another")


def _insert(connection: Connection, name: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(_plain(name)), rows)


def _count_on(connection: Connection) -> None:
    """PostgreSQL goes on numbering where the rows end; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for name in _SERIALS:
        following = select(func.coalesce(func.max(schema.tables[name].c.id), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), following, False)))


def _erased_again(connection: Connection, manifest: Manifest, rows: int, known: Known) -> Restored:
    """R-60: what was erased since the backup is erased again, before anybody reads it."""
    folds, states = cases.Folds(known.node), {row.id: row.state for row in cases.listed(connection)}
    again, gone = [id for id in known.erased if states.get(id) in ("closed", "joined", "erased")], list[str]()
    for id in again:
        gone += erasing.erase(connection, id, folds.read(connection, id).requests).documents
    left = tuple(id for id in known.erased if id in states and id not in again)
    return Restored(manifest, rows, tuple(again), left, tuple(gone))


def erased_before(path: Path) -> tuple[str, ...]:
    """Ids of cases that were erased, from the list that is kept outside the store and its backups."""
    return tuple(path.read_text(encoding="ascii").split()) if path.exists() else ()


def wipe(url: str) -> None:
    """Everything that a restore put into a store goes again."""
    store = Store(url)
    try:
        with store.writing() as connection:
            for one in reversed(schema.sorted_tables):
                connection.execute(delete(one))
    finally:
        store.close()
