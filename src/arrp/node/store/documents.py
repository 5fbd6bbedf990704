"""Documents by digest: which case needs which, who has it, who may be given it (R-58)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from arrp.node.store.tables import When, documents, recipients


@dataclass(frozen=True, slots=True)
class Needed:
    """One document in one case. `here_at` is null until its file came."""

    digest: str
    case_id: str
    peer: str
    request: str
    bytes: int
    due_at: datetime | None
    tries: int
    here_at: datetime | None


def keep(connection: Connection, needed: Needed) -> None:
    """A document is known in a case: ours, or one that is fetched. Known already: nothing changes, except
    that a file of ours which came meanwhile is here."""
    which = (documents.c.digest == needed.digest, documents.c.case_id == needed.case_id)
    known = connection.execute(select(documents.c.here_at).where(*which)).first()
    if known is None:
        connection.execute(insert(documents).values(
            digest=needed.digest, case_id=needed.case_id, peer=needed.peer, request=needed.request, bytes=needed.bytes,
            due_at=needed.due_at, tries=needed.tries, here_at=needed.here_at))
    elif known.here_at is None and needed.here_at is not None:
        connection.execute(update(documents).where(*which).values(here_at=needed.here_at, due_at=None))


def is_here(connection: Connection, digest: str) -> bool:
    query = select(documents.c.digest).where(documents.c.digest == digest, documents.c.here_at.is_not(None))
    return connection.execute(query.limit(1)).first() is not None


def arrived(connection: Connection, digest: str, now: datetime) -> None:
    """Its file is here, for every case that waits for it."""
    waits = (documents.c.digest == digest, documents.c.here_at.is_(None))
    connection.execute(update(documents).where(*waits).values(here_at=now, due_at=None))


def later(connection: Connection, needed: Needed, due_at: datetime | None) -> None:
    which = (documents.c.digest == needed.digest, documents.c.case_id == needed.case_id, documents.c.here_at.is_(None))
    connection.execute(update(documents).where(*which).values(due_at=due_at))


def is_due(now: When) -> ColumnElement[bool]:
    """Documents to fetch now."""
    return documents.c.due_at <= now


def claim(connection: Connection, now: datetime, lease: timedelta, most: int) -> list[Needed]:
    """Those that are due. The lease makes one that was not finished due again."""
    query = select(documents).where(is_due(now)).order_by(documents.c.due_at).limit(most)
    found = [Needed(*row) for row in connection.execute(query.with_for_update(skip_locked=True))]
    for needed in found:
        which = (documents.c.digest == needed.digest, documents.c.case_id == needed.case_id)
        connection.execute(update(documents).where(*which).values(due_at=now + lease, tries=documents.c.tries + 1))
    return found


def of_case(connection: Connection, case_id: str) -> list[Needed]:
    query = select(documents).where(documents.c.case_id == case_id).order_by(documents.c.digest)
    return [Needed(*row) for row in connection.execute(query)]


def cases_of(connection: Connection, digest: str) -> list[str]:
    """The cases that need a document."""
    query = select(documents.c.case_id).where(documents.c.digest == digest).order_by(documents.c.case_id)
    return list(connection.execute(query).scalars())


def name_to(connection: Connection, digests: Iterable[str], peer: str, request: str) -> None:
    """An act of ours names these documents to a peer: it may fetch them from now on."""
    for digest in digests:
        row = {"digest": digest, "peer": peer, "request": request}
        known = select(recipients.c.digest).where(*(recipients.c[name] == value for name, value in row.items()))
        if connection.execute(known).first() is None:
            connection.execute(insert(recipients).values(**row))


def may_have(connection: Connection, digest: str, peer: str, request: str) -> bool:
    row = {"digest": digest, "peer": peer, "request": request}
    known = select(recipients.c.digest).where(*(recipients.c[name] == value for name, value in row.items()))
    return connection.execute(known).first() is not None


def erase(connection: Connection, case_id: str) -> list[str]:
    """The documents of a case go; the digests of those that no other case needs."""
    mine = [needed.digest for needed in of_case(connection, case_id)]
    connection.execute(delete(documents).where(documents.c.case_id == case_id))
    left = set(connection.execute(select(documents.c.digest).where(documents.c.digest.in_(mine))).scalars())
    gone = [digest for digest in mine if digest not in left]
    connection.execute(delete(recipients).where(recipients.c.digest.in_(gone)))
    return gone
