"""Who may call the desk over the network, and who looked at what (R-92)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from arrp.node.store.tables import api_keys, looks, of


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`digest` is SHA-256 of a secret of 256 random bits: nothing can be guessed from it. Scopes: node/callers."""

    id: str
    digest: bytes
    officer: str
    scopes: tuple[str, ...]
    made_at: datetime
    until: datetime
    revoked_at: datetime | None = None


def keep(connection: Connection, key: ApiKey) -> None:
    connection.execute(insert(api_keys).values(
        id=key.id, digest=key.digest, officer=key.officer, scopes=" ".join(key.scopes), made_at=key.made_at,
        until=key.until, revoked_at=None))


_KEY = select(api_keys).where(of(api_keys.c.id))


def key(connection: Connection, id: str) -> ApiKey | None:
    row = connection.execute(_KEY, {"of_id": id}).first()
    return _key(row) if row else None


def keys(connection: Connection) -> list[ApiKey]:
    return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.made_at, api_keys.c.id))]


def _key(row: Any) -> ApiKey:
    return ApiKey(row.id, row.digest, row.officer, tuple(row.scopes.split()), row.made_at, row.until, row.revoked_at)


def revoke(connection: Connection, id: str, now: datetime) -> bool:
    """Whether there was such a key that still counted."""
    which = (api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
    return connection.execute(update(api_keys).where(*which).values(revoked_at=now)).rowcount == 1


@dataclass(frozen=True, slots=True)
class Look:
    at: datetime
    officer: str
    case_id: str
    what: str


def note_look(connection: Connection, look: Look) -> None:
    connection.execute(insert(looks).values(at=look.at, officer=look.officer, case_id=look.case_id, what=look.what))


def looks_at(connection: Connection, case_id: str) -> list[Look]:
    """Everybody who looked at a case, the first one first."""
    query = select(looks.c.at, looks.c.officer, looks.c.case_id, looks.c.what).where(looks.c.case_id == case_id)
    return [Look(*row) for row in connection.execute(query.order_by(looks.c.id))]
