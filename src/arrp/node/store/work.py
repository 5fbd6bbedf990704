"""What must happen later or outside: intents for the core, joins between our own cases, leases.

All of it is claimed with SKIP LOCKED and a lease in the row: a worker that dies leaves nothing
behind but rows that become due again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from arrp.core.messages import Checkpoint
from arrp.node.store.engine import for_update
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import Instant, When, intents, joins, leases, meta, of, peers

_NOW = bindparam("now", type_=Instant())


@dataclass(frozen=True, slots=True)
class Effect:
    """An intent that is due: ask the core."""

    ref: str
    case_id: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Join:
    """A request whose account is known now: it moves to the account's case."""

    request: str
    case_id: str
    key: str
    tries: int = 0


class Turns:
    """Whose turn it is: whoever was served longest ago comes first, so that a flood of one peer's requests, each of
    them valid, makes nobody else's wait behind it (reliability T02)."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0

    def take(self, waiting: Iterable[tuple[str, str]], most: int) -> list[str]:
        """The next keys of (peer, key), each peer's in the order given."""
        queues: dict[str, deque[str]] = {}
        for peer, key in waiting:
            queues.setdefault(peer, deque()).append(key)
        taken: list[str] = []
        while queues and len(taken) < most:
            peer = min(queues, key=lambda peer: self._served.get(peer, 0))
            taken.append(queues[peer].popleft())
            self._count += 1
            self._served[peer] = self._count
            if not queues[peer]:
                del queues[peer]
        return taken


_INTEND, _ANSWERED = Prepared(insert(intents)), Prepared(update(intents).where(of(intents.c.ref)))


def intend(connection: Connection, intent: Effect, peer: str, verb: str, now: datetime) -> None:
    """The core is to be asked, for the sake of a request of `peer`."""
    _INTEND.run(connection, {"ref": intent.ref, "case_id": intent.case_id, "peer": peer, "verb": verb, "due_at": now,
                             "tries": intent.tries})


def answered(connection: Connection, ref: str, now: datetime) -> None:
    _ANSWERED.run(connection, {"of_ref": ref, "answered_at": now})


@dataclass(frozen=True, slots=True)
class Room:
    """How much may be taken, whose turn it is, and of what: any verbs where none are named."""

    most: int
    turns: Turns
    verbs: tuple[str, ...] = ()


def is_effect_due(now: When) -> ColumnElement[bool]:
    """What the core is to be asked now."""
    return and_(intents.c.answered_at.is_(None), intents.c.due_at <= now)


def claim_effects(connection: Connection, now: datetime, lease: timedelta, room: Room) -> list[Effect]:
    """Intents that are due, those for one peer in turn with those for others."""
    return [Effect(*row) for row in _effects(room.verbs).take(connection, now, lease, room)]


def backlog(connection: Connection, peer: str, now: datetime, most: int) -> int:
    """How much the core is to be asked now for the sake of a peer's requests, counted up to `most` of each sort."""
    about = {"now": now, "of_peer": peer, "most": most}
    return sum(len(sort.run(connection, about).fetchall()) for sort in _BACKLOG)


def retry_effect(connection: Connection, ref: str, due_at: datetime) -> None:
    connection.execute(update(intents).where(intents.c.ref == ref).values(due_at=due_at))


def open_intents(connection: Connection) -> list[tuple[str, str]]:
    """(ref, case) of everything the core has not answered."""
    query = select(intents.c.ref, intents.c.case_id).where(intents.c.answered_at.is_(None)).order_by(intents.c.due_at)
    return [(row.ref, row.case_id) for row in connection.execute(query)]


def open_joins(connection: Connection) -> int:
    """How many requests have an account that is known, and have not joined its case (R-03)."""
    return connection.execute(select(func.count()).where(joins.c.done_at.is_(None))).scalar() or 0


def ask_again(connection: Connection, now: datetime) -> None:
    """A clerk has done something: what waits for an answer asks now, not at the end of its pause."""
    connection.execute(update(intents).where(intents.c.answered_at.is_(None), intents.c.due_at > now)
                       .values(due_at=now))
    connection.execute(update(joins).where(joins.c.done_at.is_(None), joins.c.due_at > now).values(due_at=now))


_ASK_JOIN, _JOINED = Prepared(insert(joins)), Prepared(update(joins).where(of(joins.c.request)))


def ask_join(connection: Connection, join: Join, peer: str, now: datetime) -> None:
    _ASK_JOIN.run(connection, {"request": join.request, "case_id": join.case_id, "peer": peer, "key": join.key,
                               "due_at": now, "tries": join.tries})


def is_join_due(now: When) -> ColumnElement[bool]:
    """Requests that are to join their account's case now."""
    return and_(joins.c.done_at.is_(None), joins.c.due_at <= now)


def claim_joins(connection: Connection, now: datetime, lease: timedelta, room: Room) -> list[Join]:
    return [Join(*row) for row in _JOINS.take(connection, now, lease, room)]


class _Claim:
    """How rows of one table are taken in turn: `key` names one, `due` says which, `found` is what its taker gets."""

    def __init__(self, key: Column[str], due: ColumnElement[bool], *found: Column[Any]) -> None:
        table = key.table
        order = (table.c.due_at, key)
        place = func.row_number().over(partition_by=table.c.peer, order_by=order).label("place")
        ranked = select(table.c.peer, key.label("key"), table.c.due_at, place).where(due).subquery()
        self._key = key.name
        self._oldest = Prepared(select(ranked.c.peer, ranked.c.key).where(ranked.c.place <= bindparam("most"))
                                .order_by(ranked.c.due_at, ranked.c.key))
        self._row = Prepared(select(*found).where(of(key), due).with_for_update(skip_locked=True))
        self._lease = Prepared(update(table).where(of(key)).values(due_at=bindparam("until"), tries=table.c.tries + 1))

    def take(self, connection: Connection, now: datetime, lease: timedelta, room: Room) -> list[Any]:
        """Of each peer its oldest, as many as there is room for; of those whose turn it is, what nobody else took."""
        waiting = self._oldest.run(connection, {"now": now, "most": room.most}).fetchall()
        taken = []
        for key in room.turns.take(waiting, room.most):
            row = self._row.run(connection, {"now": now, f"of_{self._key}": key}).fetchone()
            if row is not None:
                self._lease.run(connection, {f"of_{self._key}": key, "until": now + lease})
                taken.append(row)
        return taken


@cache
def _effects(verbs: tuple[str, ...]) -> _Claim:
    due = is_effect_due(_NOW)
    due = and_(due, or_(*(intents.c.verb == verb for verb in verbs))) if verbs else due
    return _Claim(intents.c.ref, due, intents.c.ref, intents.c.case_id, intents.c.tries)


_JOINS = _Claim(joins.c.request, is_join_due(_NOW), joins.c.request, joins.c.case_id, joins.c.key, joins.c.tries)
_BACKLOG = (Prepared(select(intents.c.ref).where(of(intents.c.peer), is_effect_due(_NOW)).limit(bindparam("most"))),
            Prepared(select(joins.c.request).where(of(joins.c.peer), is_join_due(_NOW)).limit(bindparam("most"))))


def joined(connection: Connection, request: str, now: datetime) -> None:
    _JOINED.run(connection, {"of_request": request, "done_at": now})


def waited_in(connection: Connection, requests: Iterable[str]) -> list[str]:
    """The cases in which requests waited until their account was known (R-03)."""
    found = select(joins.c.case_id).where(joins.c.request.in_(tuple(requests)))
    return list(connection.execute(found).scalars())


def erase_joins(connection: Connection, case_id: str) -> None:
    """The keyed name of the account goes with its case."""
    connection.execute(update(joins).where(joins.c.case_id == case_id).values(key=""))


_LEASE = Prepared(update(leases).where(
    of(leases.c.name), (leases.c.owner == bindparam("me")) | (leases.c.until <= _NOW)))


def lease(connection: Connection, name: str, owner: str, now: datetime, until: datetime) -> bool:
    """Whether `owner` has the lease until `until`: one sequencer, whoever else is running."""
    wish = {"of_name": name, "me": owner, "now": now, "owner": owner, "until": until}
    if _LEASE.run(connection, wish).rowcount == 1:
        return True
    if connection.execute(select(leases.c.name).where(leases.c.name == name)).first() is not None:
        return False
    with suppress(IntegrityError), connection.begin_nested():  # another worker was first: the update decides
        connection.execute(insert(leases).values(name=name, owner=owner, until=now))
    return _LEASE.run(connection, wish).rowcount == 1


def know_peer(connection: Connection, id: str) -> None:
    if connection.execute(select(peers.c.id).where(peers.c.id == id)).first() is None:
        connection.execute(insert(peers).values(id=id, checkpoint_size=0))


_COMPARED = Prepared(update(peers).where(of(peers.c.id)))


def compared(connection: Connection, peer: str, now: datetime) -> None:
    _COMPARED.run(connection, {"of_id": peer, "compared_at": now})


def compare_again(connection: Connection, peer: str) -> None:
    """At once, not only in five minutes."""
    connection.execute(update(peers).where(peers.c.id == peer).values(compared_at=None))


def is_uncompared(before: When) -> ColumnElement[bool]:
    """Peers whose conversations were last compared before that instant, or never (R-28)."""
    return or_(peers.c.compared_at.is_(None), peers.c.compared_at <= before)


def claim_compares(connection: Connection, before: datetime, now: datetime, most: int) -> list[str]:
    """Peers that were not compared since; from now on they were."""
    query = select(peers.c.id).where(is_uncompared(before)).order_by(peers.c.id).limit(most)
    found = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    if found:
        connection.execute(update(peers).where(peers.c.id.in_(found)).values(compared_at=now))
    return found


_CHECKPOINT = select(peers.c.checkpoint_size, peers.c.checkpoint_root, peers.c.checkpoint_at).where(of(peers.c.id))
_GROWN = Prepared(update(peers).where(of(peers.c.id), peers.c.checkpoint_size < bindparam("grown_to")))


def keep_checkpoint(connection: Connection, peer: str, shown: Checkpoint, jws: str) -> bool:
    """The largest checkpoint a peer has shown us: what it cannot take back (R-64). False when the new
    one cannot be true beside it: one size with two roots, or a tree that has shrunk. Both are kept."""
    if _GROWN.run(connection, {
            "of_id": peer, "grown_to": shown.size, "checkpoint_size": shown.size, "checkpoint": jws,
            "checkpoint_root": shown.root, "checkpoint_at": shown.at}).rowcount == 1:
        return True
    query = _CHECKPOINT.with_for_update() if for_update(connection) else _CHECKPOINT
    kept = connection.execute(query, {"of_id": peer}).first()
    if kept is None or kept.checkpoint_at is None or not _contradicts(shown, kept):
        return True
    connection.execute(update(peers).where(peers.c.id == peer).values(contradiction=jws))
    return False


def _contradicts(shown: Checkpoint, kept: Any) -> bool:
    if shown.size == kept.checkpoint_size:
        return bool(shown.root != kept.checkpoint_root)
    return bool(shown.size < kept.checkpoint_size and shown.at > kept.checkpoint_at)


def kept_checkpoints(connection: Connection) -> list[tuple[str, str, str | None]]:
    """(peer, its largest checkpoint, one that contradicts it) of every peer that has shown one."""
    query = select(peers.c.id, peers.c.checkpoint, peers.c.contradiction).where(peers.c.checkpoint.is_not(None))
    return [(row.id, row.checkpoint, row.contradiction) for row in connection.execute(query.order_by(peers.c.id))]


_REMEMBERED, _REMEMBER = Prepared(select(meta.c.value).where(of(meta.c.name))), Prepared(
    update(meta).where(of(meta.c.name)))


def remembered(connection: Connection, name: str) -> str | None:
    row = _REMEMBERED.run(connection, {"of_name": name}).fetchone()
    return row[0] if row else None


def remember(connection: Connection, name: str, value: str) -> None:
    if _REMEMBER.run(connection, {"of_name": name, "value": value}).rowcount == 0:
        connection.execute(insert(meta).values(name=name, value=value))
