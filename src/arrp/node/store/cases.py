"""Events and their fold. The log is append-only: rows are written once, and only erasure changes one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from arrp.core.case import Case, fold
from arrp.core.errors import NotFound
from arrp.core.events import KINDS, Event, Intent
from arrp.node.store import talk
from arrp.node.store.engine import reads
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import When, cases, events, given, of
from arrp.wire.audit import leaf_hash_erased, private_digest
from arrp.wire.codec import halves, joined

_VERSION = select(cases.c.version).where(of(cases.c.id))
_LOCK, _LOOK = Prepared(_VERSION.with_for_update()), Prepared(_VERSION)
_APPEND = Prepared(insert(events).inline())  # nobody asks which ids the rows were given
_NOTE = Prepared(update(cases).where(of(cases.c.id)))

BODIES = {kind: row.body for kind, row in KINDS.items()}

May = Callable[[Connection, Case], bool]  # whether who asks may know that case


def anybody(_connection: Connection, _case: Case) -> bool:
    return True


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
    """Cases already folded, by id. Only a copy of the log: a version that differs is folded again. All threads of a
    node share them."""

    def __init__(self, me: str, most: int = 4096) -> None:
        self.me, self.most, self._known = me, most, dict[str, Case]()
        self._erased, self._lock = set[str](), threading.Lock()

    def lock(self, connection: Connection, id: str) -> Case:
        """The case, its row locked until the transaction ends. Raises NotFound."""
        row = _LOCK.run(connection, {"of_id": id}).fetchone()
        if row is None:
            raise NotFound(f"there is no case {id} on this node")
        return self.at(connection, id, row[0])

    def read(self, connection: Connection, id: str, may: May = anybody) -> Case:
        """Raises NotFound, with the same words for a case that is not there and one that must not be known."""
        row = _LOOK.run(connection, {"of_id": id}).fetchone()
        found = self.at(connection, id, row[0]) if row is not None else None
        if found is None or not may(connection, found):
            raise NotFound(f"there is no case {id} on this node")
        return found

    def of_request(self, connection: Connection, request: str, may: May = anybody) -> Case:
        """The case in which the request lives. A peer may talk to us under the id of another's request: what it
        says of it is kept in a case of its own, which has no such request. Raises NotFound, as above."""
        for id in talk.cases_of(connection, request):
            case = self.read(connection, id)
            if request in case.requests and may(connection, case):
                return case
        raise NotFound(f"no case on this node has a request {request or '(none named)'}")

    def at(self, connection: Connection, id: str, version: int) -> Case:
        """The case as of that version, whose row the caller has read."""
        known = self._known.get(id)
        if known is not None and known.version == version:
            return known
        found = fold(self.me, id, log_of(connection, id) if version else [])
        if reads(connection):  # what a transaction sees before it commits may never be so
            self._keep_read(found)
        return found

    def forget_all(self) -> None:
        """A commit failed: what was folded in it is not in the log."""
        with self._lock:
            self._known.clear()

    def keep(self, case: Case) -> None:
        """What was written may be used again, by whoever finds this version in the store."""
        with self._lock:
            if len(self._known) >= self.most:
                self._known.pop(next(iter(self._known)))
            self._known[case.id] = case

    def _keep_read(self, case: Case) -> None:
        """Where there is room: who reads every case drives out none of those that are being written."""
        with self._lock:
            known = self._known.get(case.id)
            is_newer = len(self._known) < self.most if known is None else known.version < case.version
            if is_newer and case.id not in self._erased:
                self._known[case.id] = case

    def forget(self, id: str) -> None:
        """The log says less than before, at the same version: fold it anew, and keep nothing of it that somebody
        began to read before."""
        with self._lock:
            self._erased.add(id)
            self._known.pop(id, None)


_OF_KEY, _OPEN = Prepared(select(cases.c.id).where(of(cases.c.key))), Prepared(insert(cases))


def find(connection: Connection, key: str) -> str | None:
    row = _OF_KEY.run(connection, {"of_key": key}).fetchone()
    return row[0] if row else None


def open_case(connection: Connection, id: str, key: str, now: datetime) -> None:
    """A new, empty case. The unique key decides who was first."""
    _OPEN.run(connection, {"id": id, "key": key, "version": 0, "state": "open", "title": "", "opened_at": now})


def drop_empty(connection: Connection, id: str) -> None:
    """Take away a case that nothing was ever written in."""
    connection.execute(delete(cases).where(cases.c.id == id, cases.c.version == 0))


def log_of(connection: Connection, id: str, first: int = 1, last: int | None = None) -> list[Event]:
    """The events of a case, in order: all, or those numbered `first` to `last`."""
    query = select(events.c.lasting, events.c.private).where(events.c.case_id == id, events.c.number >= first)
    query = query.order_by(events.c.number) if last is None else query.where(events.c.number <= last).order_by(
        events.c.number)
    return [joined(Event, row.lasting, row.private, BODIES) for row in connection.execute(query)]


def intents(connection: Connection) -> list[tuple[str, Intent]]:
    """(case, intent) of every effect that was ever to be had outside, the newest first."""
    query = select(events.c.case_id, events.c.lasting, events.c.private).where(events.c.kind == "Intended")
    return [(row.case_id, joined(Event, row.lasting, row.private, BODIES).body)
            for row in connection.execute(query.order_by(events.c.id.desc()))]


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
    _APPEND.run_all(connection, rows)


@dataclass(frozen=True, slots=True)
class GivenBefore:
    """An officer's wish or signature that was taken: by its `mark` the same words are known again."""

    id: str
    case_id: str
    mark: str
    first: int
    last: int


_GIVEN_BEFORE, _NOTE_GIVEN = Prepared(select(given).where(of(given.c.id))), Prepared(insert(given))


def given_before(connection: Connection, id: str) -> GivenBefore | None:
    row = _GIVEN_BEFORE.run(connection, {"of_id": id}).fetchone()
    return GivenBefore(*row) if row else None


def note_given(connection: Connection, said: GivenBefore) -> None:
    _NOTE_GIVEN.run(connection, {"id": said.id, "case_id": said.case_id, "mark": said.mark, "first": said.first,
                                 "last": said.last})


def note_state(connection: Connection, case: Case, due_at: datetime | None) -> None:
    """What the list of cases and the timers read."""
    changes = {"version": case.version, "state": case.state, "title": case.title, "due_at": due_at}
    if case.state == "closed":  # what comes now about the same loss or account is another case
        changes["key"] = f"closed {case.id}"
    _NOTE.run(connection, {"of_id": case.id, **changes})


def listed(connection: Connection) -> list[Row]:
    query = select(cases.c.id, cases.c.key, cases.c.version, cases.c.state, cases.c.title, cases.c.opened_at,
                   cases.c.due_at).order_by(cases.c.opened_at, cases.c.id)
    return [Row(*row) for row in connection.execute(query)]


def is_due(now: When) -> ColumnElement[bool]:
    """Cases whose time has come."""
    return cases.c.due_at <= now


def claim_due(connection: Connection, now: datetime, lease: timedelta, most: int) -> list[str]:
    """Those that are due, the longest overdue first. The lease makes a tick that failed due again."""
    query = select(cases.c.id).where(is_due(now)).order_by(cases.c.due_at).limit(most)
    found = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    if found:
        connection.execute(update(cases).where(cases.c.id.in_(found)).values(due_at=now + lease))
    return found


def erase(connection: Connection, id: str) -> None:
    """Null the private half and the salt of every event of a case; its leaves still verify (R-60)."""
    connection.execute(update(events).where(events.c.case_id == id).values(private=None, salt=None))
    connection.execute(update(cases).where(cases.c.id == id).values(title=""))
    of_account = cases.c.key.like("account %")  # a keyed hash of the account: a new request opens a new case
    connection.execute(update(cases).where(cases.c.id == id, of_account).values(key=f"erased {id}"))


def feed(connection: Connection, after: int, most: int, kinds: Collection[str] = ()) -> list[tuple[int, str, Event]]:
    """(position, case, event) of placed rows from position `after` on, in tree order; of these kinds only, if any."""
    query = (
        select(events.c.position, events.c.case_id, events.c.lasting, events.c.private)
        .where(events.c.position >= after).order_by(events.c.position).limit(most)
    )
    if kinds:
        query = query.where(events.c.kind.in_(kinds))
    return [(row.position, row.case_id, joined(Event, row.lasting, row.private, BODIES))
            for row in connection.execute(query)]
