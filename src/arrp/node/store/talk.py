"""Conversations: what was said and is unreceipted, what was heard and in which turn (R-26, R-27).

Each side numbers its own acts from 1 per conversation. The row of the conversation is locked while
a number is taken, so numbers are dense and in commit order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from arrp.core.errors import Conflict
from arrp.core.events import ATTACHED, KINDS
from arrp.core.messages import Approval, Head, Outcome, Receipt
from arrp.node.store.engine import for_update
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import (
    Instant,
    When,
    acts,
    cases,
    conversations,
    inbox,
    of,
    outbox,
)
from arrp.wire.codec import dumps, loads

# What never waits for a lower number.
JUMPING = tuple(kind for kind, row in KINDS.items() if not row.waits)


@dataclass(frozen=True, slots=True)
class Conversation:
    peer: str
    request: str
    case_id: str
    sent: int
    seen: int
    heard: int
    jumped: int


@dataclass(frozen=True, slots=True)
class KeptAct:
    """The exact bytes of an act, ours or another's, with what its officers signed."""

    act_hash: str
    act: str
    by: str
    kind: str
    case_id: str | None
    data: bytes
    salt: bytes
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class _Approvals:
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class _Hashes:
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unreceipted:
    """One row of the outbox that is due."""

    id: int
    peer: str
    request: str
    number: int
    act_hash: str
    kind: str
    urgency: str
    head: bytes
    attached: tuple[str, ...]
    tries: int
    problems: int = 0  # how often the peer answered with a problem instead of a receipt


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one row of the outbox: `open` until receipted; `before`: it was receipted once already."""

    act_hash: str
    kind: str
    open: bool
    before: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """One row of the inbox."""

    peer: str
    head: str
    request: str
    number: int
    act_hash: str
    digest: bytes
    outcome: str
    code: str | None
    reason: str | None
    received_at: datetime
    waiting: bytes | None
    signed: str | None


def _values(row: Conversation | Arrived) -> dict[str, object]:
    return {field.name: getattr(row, field.name) for field in fields(row)}


# --- conversations -----------------------------------------------------------------------------------


_ABOUT = of(conversations.c.peer, conversations.c.request)
_FIND = select(conversations).where(_ABOUT)
_LOCK = Prepared(_FIND.with_for_update())
# The case is locked first, as everywhere: nobody waits in a ring (F06).
_LOCK_BOTH = Prepared(select(conversations, cases.c.version).select_from(cases).join(conversations).where(_ABOUT)
                      .with_for_update(of=(cases, conversations)))
_CASES_OF = select(conversations.c.case_id).where(of(conversations.c.request)).order_by(conversations.c.peer)
_BEGIN, _NOTE = Prepared(insert(conversations)), Prepared(update(conversations).where(_ABOUT))


def lock(connection: Connection, peer: str, request: str) -> Conversation | None:
    row = _LOCK.run(connection, {"of_peer": peer, "of_request": request}).fetchone()
    return Conversation(*row) if row else None


def lock_with_case(connection: Connection, peer: str, request: str) -> tuple[Conversation, int] | None:
    """A conversation and its case, both locked, in one statement; the version of the case."""
    about = {"of_peer": peer, "of_request": request}
    while True:
        row = _LOCK_BOTH.run(connection, about).fetchone()
        if row is not None:
            return Conversation(*row[:-1]), row[-1]
        # Nothing: there is none, or it joined another case while we waited for the lock.
        if not for_update(connection) or connection.execute(_FIND, about).first() is None:
            return None


def cases_of(connection: Connection, request: str) -> list[str]:
    """The cases of all conversations under that id: peers may use one that is another's (R-24)."""
    return list(connection.execute(_CASES_OF, {"of_request": request}).scalars())


def begin(connection: Connection, peer: str, request: str, case_id: str) -> Conversation:
    fresh = Conversation(peer, request, case_id, 0, 0, 0, 0)
    _BEGIN.run(connection, _values(fresh))
    return fresh


def note(connection: Connection, talk: Conversation) -> None:
    _NOTE.run(connection, {"of_peer": talk.peer, "of_request": talk.request, "case_id": talk.case_id,
                           "sent": talk.sent, "seen": talk.seen, "heard": talk.heard, "jumped": talk.jumped})


def with_peer(connection: Connection, peer: str) -> list[Conversation]:
    query = select(conversations).where(conversations.c.peer == peer).order_by(conversations.c.request)
    return [Conversation(*row) for row in connection.execute(query)]


# --- acts ----------------------------------------------------------------------------------------------


_SAME_ACT = select(acts.c.act_hash).where(of(acts.c.act_hash) | of(acts.c.by, acts.c.act))
_KEEP_ACT = Prepared(insert(acts).from_select(
    list(acts.c), select(*(bindparam(column.name, type_=column.type) for column in acts.c)).where(~_SAME_ACT.exists())
).execution_options(preserve_rowcount=True))
_ACT = Prepared(select(acts).where(of(acts.c.act_hash)))
_OWN_ACT = Prepared(select(acts).where(of(acts.c.by, acts.c.act)))
_APPROVED = Prepared(update(acts).where(of(acts.c.act_hash)))


def keep_act(connection: Connection, act: KeptAct) -> None:
    """Keep the bytes of an act. One that is already kept stays as it is: its hash names its content.
    Raises Conflict when its author gave the same id to another act."""
    same = {"of_act_hash": act.act_hash, "of_by": act.by, "of_act": act.act}
    kept = _KEEP_ACT.run(connection, {
        "act_hash": act.act_hash, "act": act.act, "by": act.by, "kind": act.kind, "case_id": act.case_id,
        "bytes": act.data, "salt": act.salt, "approvals": dumps(_Approvals(act.approvals)), **same,
    })
    if kept.rowcount == 0 and set(connection.execute(_SAME_ACT, same).scalars()) != {act.act_hash}:
        raise Conflict(f"{act.by} said act {act.act} before, with other content", rule="R-24", code="equivocation")


def approved(connection: Connection, act_hash: str, approval: Approval) -> None:
    """One more signature over an act of ours; it travels in the head."""
    kept = act(connection, act_hash)
    assert kept is not None, "an act that was never kept cannot be approved"
    said = dumps(_Approvals((*kept.approvals, approval)))
    _APPROVED.run(connection, {"of_act_hash": act_hash, "approvals": said})


def act(connection: Connection, act_hash: str) -> KeptAct | None:
    return _act(_ACT.run(connection, {"of_act_hash": act_hash}).fetchone())


def own_act(connection: Connection, me: str, act_id: str) -> KeptAct | None:
    return _act(_OWN_ACT.run(connection, {"of_by": me, "of_act": act_id}).fetchone())


def _act(row: Any) -> KeptAct | None:
    if row is None:
        return None
    act_hash, act, by, kind, case_id, data, salt, said = row[:len(acts.c)]
    return KeptAct(act_hash, act, by, kind, case_id, data or b"", salt or b"", loads(_Approvals, said).approvals)


_COUNTS = ("applied", "superseded")
_HEARD = select(acts, inbox.c.received_at).join(acts, acts.c.act_hash == inbox.c.act_hash).where(
    of(inbox.c.peer, inbox.c.request), inbox.c.outcome.in_(_COUNTS)).order_by(inbox.c.number)
_SPOKEN = select(acts, outbox.c.head).join(acts, acts.c.act_hash == outbox.c.act_hash).where(
    of(outbox.c.peer, outbox.c.request), outbox.c.state.not_in(("refused", "dead"))).order_by(outbox.c.number)


def said_in(connection: Connection, peer: str, request: str) -> list[tuple[datetime, KeptAct]]:
    """The acts of a conversation that count, of both sides, with when each came or left, in that order. What was
    refused, or never left, is not among them."""
    about = {"of_peer": peer, "of_request": request}
    found = [(row.received_at, _act(row)) for row in connection.execute(_HEARD, about)]
    found += [(loads(Head, row.head).sent_at, _act(row)) for row in connection.execute(_SPOKEN, about)]
    return sorted(((at, kept) for at, kept in found if kept is not None), key=lambda one: one[0])


def erase_acts(connection: Connection, case_id: str) -> None:
    """Null bytes and salts of a case's acts, and parcels that still wait in it (R-60). Mandates and loss
    acts stay: they name no person, and other cases rest on them."""
    mine = select(conversations.c.peer, conversations.c.request).where(conversations.c.case_id == case_id)
    connection.execute(
        update(acts).where(acts.c.case_id == case_id, acts.c.kind.not_in(ATTACHED)).values(bytes=None, salt=None)
    )
    connection.execute(update(inbox).where(tuple_(inbox.c.peer, inbox.c.request).in_(mine)).values(waiting=None))


# --- outbox ----------------------------------------------------------------------------------------------


_PUT = Prepared(insert(outbox).inline())


def hashes(attached: tuple[str, ...]) -> bytes:
    """Which acts travel with one, as its row has them."""
    return dumps(_Hashes(attached))


def put(connection: Connection, row: Unreceipted, due_at: datetime) -> None:
    """An act is to leave: it is sent until it is receipted."""
    _PUT.run(connection, {
        "peer": row.peer, "request": row.request, "number": row.number, "act_hash": row.act_hash, "kind": row.kind,
        "urgency": row.urgency, "head": row.head, "attached": hashes(row.attached), "state": "queued",
        "due_at": due_at, "tries": 0, "problems": 0,
    })


_OUT = (outbox.c.id, outbox.c.peer, outbox.c.request, outbox.c.number, outbox.c.act_hash, outbox.c.kind,
        outbox.c.urgency, outbox.c.head, outbox.c.attached, outbox.c.tries, outbox.c.problems)


@dataclass(frozen=True, slots=True)
class Lanes:
    """How much may be on its way to one peer at once: nothing more to `busy` ones, one to `failing` ones,
    `each` to the rest (F11); only acts of `kinds`, if some are named."""

    each: int = 4
    busy: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def is_due(now: When) -> ColumnElement[bool]:
    """What is to be sent now."""
    return and_(outbox.c.state == "queued", outbox.c.due_at <= now)


_DUE = is_due(bindparam("now", type_=Instant()))
_WAITING = Prepared(select(outbox.c.peer, outbox.c.urgency).where(_DUE).group_by(outbox.c.peer, outbox.c.urgency)
                    .order_by(outbox.c.urgency.desc(), func.min(outbox.c.due_at), outbox.c.peer))
_EARLIER = outbox.alias()
_WAITS = exists().where(_EARLIER.c.peer == outbox.c.peer, _EARLIER.c.request == outbox.c.request,
                        _EARLIER.c.state == "queued", _EARLIER.c.id < outbox.c.id)
_LEASE = Prepared(update(outbox).where(of(outbox.c.id)).values(due_at=bindparam("until"), tries=outbox.c.tries + 1))


def _is_one_of(kinds: Sequence[str]) -> ColumnElement[bool]:
    return outbox.c.kind.in_([literal_column(f"'{kind}'") for kind in kinds])


@cache
def _next(kinds: tuple[str, ...]) -> Prepared:
    """What one peer is sent next: acts of `kinds`, if some are named."""
    query = select(*_OUT).where(_DUE, of(outbox.c.peer, outbox.c.urgency), ~_WAITS | _is_one_of(JUMPING))
    query = query.where(_is_one_of(kinds)) if kinds else query
    return Prepared(query.order_by(outbox.c.due_at, outbox.c.id).limit(bindparam("room"))
                    .with_for_update(skip_locked=True))


def claim(connection: Connection, now: datetime, lease: timedelta, most: int, lanes: Lanes = Lanes()
          ) -> list[Unreceipted]:
    """Take due rows for sending: urgent ones first, and per conversation the lowest number only, so that a dead peer
    or a refused act stops nobody else (R-26); what does not wait in a gap does not wait here either (R-27). Each
    peer's queue is read as far as it has room: a long one costs nobody time (F07). The lease makes a crashed send
    due again."""
    found: list[Unreceipted] = []
    taken = Counter[str]()
    for peer, urgency in _WAITING.run(connection, {"now": now}).fetchall():
        room = min((1 if peer in lanes.failing else lanes.each) - taken[peer], most - len(found))
        if peer in lanes.busy or room <= 0:
            continue
        about = {"now": now, "of_peer": peer, "of_urgency": urgency, "room": room}
        rows = [_unreceipted(row) for row in _next(lanes.kinds).run(connection, about).fetchall()]
        taken[peer] += len(rows)
        found += rows
    if found:
        _LEASE.run_all(connection, [{"of_id": row.id, "until": now + lease} for row in found])
    return found


def _unreceipted(row: Any) -> Unreceipted:
    id, peer, request, number, act_hash, kind, urgency, head, attached, tries, problems = row
    return Unreceipted(id, peer, request, number, act_hash, kind, urgency, head, loads(_Hashes, attached).hashes,
                       tries, problems)


def refused(connection: Connection, id: int, most: int) -> bool:
    """A peer answered with a problem, not with a receipt. Whether it did so for the `most`th time: then the
    act is dead, and nobody sends it again by himself (R-26)."""
    row = connection.execute(select(outbox.c.problems).where(outbox.c.id == id, outbox.c.state == "queued")).first()
    if row is None:
        return False
    is_dead: bool = row.problems + 1 >= most
    changes = {"problems": row.problems + 1, **({"state": "dead"} if is_dead else {})}
    connection.execute(update(outbox).where(outbox.c.id == id).values(**changes))
    return is_dead


def send_again(connection: Connection, peer: str | None, now: datetime) -> int:
    """Dead letters, of one peer or of all, are sent once more; how many."""
    whose = outbox.c.peer == peer if peer is not None else true()
    found = connection.execute(
        update(outbox).where(outbox.c.state == "dead", whose).values(state="queued", due_at=now, problems=0))
    return found.rowcount


def retry(connection: Connection, id: int, due_at: datetime) -> None:
    connection.execute(update(outbox).where(outbox.c.id == id, outbox.c.state == "queued").values(due_at=due_at))


_NUMBER_SENT = of(outbox.c.peer, outbox.c.request, outbox.c.number)
_SENT = Prepared(select(outbox.c.act_hash, outbox.c.kind, outbox.c.state, outbox.c.receipt.is_not(None))
                 .where(_NUMBER_SENT))
_RECEIPTED = Prepared(update(outbox).where(_NUMBER_SENT))


def sent(connection: Connection, peer: str, request: str, number: int) -> Sent | None:
    """What we said under that number."""
    row = _SENT.run(connection, {"of_peer": peer, "of_request": request, "of_number": number}).fetchone()
    if row is None:
        return None
    act_hash, kind, state, before = row
    return Sent(act_hash, kind, state in ("queued", "dead"), bool(before))


def receipted(connection: Connection, receipt: Receipt, jws: str, kid: str | None) -> None:
    """Any receipt ends resending; `kid` is the key of ours under which the act was sent."""
    state = "refused" if receipt.outcome is Outcome.REFUSED else "receipted"
    which = {"of_peer": receipt.sender, "of_request": receipt.request, "of_number": receipt.number}
    _RECEIPTED.run(connection, {**which, "state": state, "receipt": jws, "kid": kid})


def reopen(connection: Connection, peer: str, request: str, after: int, now: datetime) -> int:
    """R-28: the peer lost what it had receipted, refusals too (they fill a number): send again
    everything after the number it has seen."""
    found = connection.execute(
        update(outbox)
        .where(outbox.c.peer == peer, outbox.c.request == request, outbox.c.number > after,
               outbox.c.state.in_(("receipted", "refused")))
        .values(state="queued", due_at=now)
    )
    return found.rowcount


def queued(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(outbox.c.state == "queued")).scalar() or 0


# --- inbox ------------------------------------------------------------------------------------------------


_BY_HEAD = select(inbox).where(of(inbox.c.peer, inbox.c.head))
_IS_HERE = Prepared(select(inbox.c.number).where(of(inbox.c.peer, inbox.c.head)))
_BY_NUMBER = select(inbox).where(of(inbox.c.peer, inbox.c.request, inbox.c.number))
_TAKE = Prepared(insert(inbox))


def arrived(connection: Connection, peer: str, head: str) -> Arrived | None:
    which = {"of_peer": peer, "of_head": head}
    if _IS_HERE.run(connection, which).fetchone() is None:
        return None
    return Arrived(*connection.execute(_BY_HEAD, which).one())


def take(connection: Connection, row: Arrived) -> None:
    """Keep what arrived. Raises Conflict where its sender used the head's id under another number."""
    try:
        _TAKE.run(connection, _values(row))
    except IntegrityError as error:
        raise Conflict(f"head {row.head} of {row.peer} came before with other content", rule="R-24",
                       code="equivocation") from error


def settle(connection: Connection, row: Arrived) -> None:
    """What became of an act that had waited."""
    connection.execute(
        update(inbox).where(inbox.c.peer == row.peer, inbox.c.head == row.head)
        .values(outcome=row.outcome, code=row.code, reason=row.reason, waiting=None)
    )


def numbered(connection: Connection, peer: str, request: str, number: int) -> Arrived | None:
    row = connection.execute(_BY_NUMBER, {"of_peer": peer, "of_request": request, "of_number": number}).first()
    return Arrived(*row) if row else None
