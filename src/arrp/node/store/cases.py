"""Events and their fold. The log is append-only: rows are written once, and only erasure changes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from arrp.core.case import Case, fold
from arrp.core.errors import NotFound
from arrp.core.events import KINDS, Event
from arrp.node.store.engine import for_update
from arrp.node.store.tables import cases, events
from arrp.wire.audit import leaf_hash_erased, private_digest
from arrp.wire.codec import halves, joined

BODIES = {kind: row.body for kind, row in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """A case as the list of cases shows it."""

    id: str
    key: str
    version: int
    state: str
    title: str
    opened_at: datetime
    due_at: datetime | None


class Folds:
    """Cases already folded, by id. Only a copy of the log: a version that differs is folded again."""

    def __init__(self, me: str, most: int = 4096) -> None:
        self.me, self.most, self._known = me, most, dict[str, Case]()

    def lock(self, connection: Connection, id: str) -> Case:
        """The case, its row locked until the transaction ends. Raises NotFound."""
        query = select(cases.c.version).where(cases.c.id == id)
        version = connection.execute(query.with_for_update() if for_update(connection) else query).scalar()
        if version is None:
            raise NotFound(f"there is no case {id} on this node")
        return self._at(connection, id, version)

    def read(self, connection: Connection, id: str) -> Case:
        version = connection.execute(select(cases.c.version).where(cases.c.id == id)).scalar()
        if version is None:
            raise NotFound(f"there is no case {id} on this node")
        return self._at(connection, id, version)

    def _at(self, connection: Connection, id: str, version: int) -> Case:
        known = self._known.get(id)
        return known if known is not None and known.version == version else fold(self.me, id, log_of(connection, id))

    def keep(self, case: Case) -> None:
        """Called after the commit: what was folded may be used again."""
        if len(self._known) >= self.most:
            self._known.pop(next(iter(self._known)))
        self._known[case.id] = case


def find(connection: Connection, key: str) -> str | None:
    return connection.execute(select(cases.c.id).where(cases.c.key == key)).scalar()


def open_case(connection: Connection, id: str, key: str, now: datetime) -> None:
    """A new, empty case. The unique key decides who was first."""
    connection.execute(insert(cases).values(id=id, key=key, version=0, state="open", title="", opened_at=now))


def log_of(connection: Connection, id: str) -> list[Event]:
    """All events of a case, in order."""
    query = select(events.c.lasting, events.c.private).where(events.c.case_id == id).order_by(events.c.number)
    return [joined(Event, row.lasting, row.private, BODIES) for row in connection.execute(query)]


def append(connection: Connection, case: Case, said: Sequence[Event], salts: Sequence[bytes], rules: str) -> None:
    """Write events after the case's last, each with its leaf hash (I8). `case` already includes them."""
    first = case.version - len(said)
    rows = []
    for number, (event, salt) in enumerate(zip(said, salts, strict=True), first + 1):
        lasting, private = halves(event)
        digest = private_digest(salt, private)
        rows.append({
            "case_id": case.id, "number": number, "kind": event.kind, "at": event.at, "rules": rules,
            "lasting": lasting, "private": private, "salt": salt, "private_digest": digest,
            "leaf": leaf_hash_erased(lasting, digest),
        })
    connection.execute(insert(events), rows)


def note_state(connection: Connection, case: Case, due_at: datetime | None) -> None:
    """What the list of cases and the timers read."""
    connection.execute(
        update(cases).where(cases.c.id == case.id)
        .values(version=case.version, state=case.state, title=case.title, due_at=due_at)
    )


def listed(connection: Connection) -> list[Row]:
    query = select(cases.c.id, cases.c.key, cases.c.version, cases.c.state, cases.c.title, cases.c.opened_at,
                   cases.c.due_at).order_by(cases.c.opened_at, cases.c.id)
    return [Row(*row) for row in connection.execute(query)]


def due(connection: Connection, now: datetime, most: int) -> list[str]:
    """Cases whose time has come, the longest overdue first."""
    query = select(cases.c.id).where(cases.c.due_at <= now).order_by(cases.c.due_at).limit(most)
    return list(connection.execute(query).scalars())


def erase(connection: Connection, id: str) -> None:
    """Null the private half and the salt of every event of a case; its leaves still verify (R-60)."""
    connection.execute(update(events).where(events.c.case_id == id).values(private=None, salt=None))
    connection.execute(update(cases).where(cases.c.id == id).values(title=""))


def feed(connection: Connection, after: int, most: int) -> list[tuple[int, str, Event]]:
    """(position, case, event) of placed rows from position `after` on, in tree order."""
    query = (
        select(events.c.position, events.c.case_id, events.c.lasting, events.c.private)
        .where(events.c.position >= after).order_by(events.c.position).limit(most)
    )
    return [(row.position, row.case_id, joined(Event, row.lasting, row.private, BODIES))
            for row in connection.execute(query)]
