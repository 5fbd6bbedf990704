"""What a node must know to recover (R-29): since when, from whom it still has to hear what it said.

A peer that owes copies is `due` until it was asked once, then `silent` until it answers. Nothing is
sent to it meanwhile: the numbers may be taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from arrp.core.errors import Unreachable
from arrp.core.events import KINDS
from arrp.core.messages import Head
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import Instant, When, acts, cases, conversations, inbox, of, outbox, peers
from arrp.node.store.talk import Conversation, KeptAct
from arrp.node.store.work import remember, remembered
from arrp.wire.codec import dumps

_EPOCH, _SINCE, _UNTIL = "epoch", "recovering since", "recovered at"
FACTS = tuple(kind for kind, row in KINDS.items() if not (row.command and row.waits))  # what may leave meanwhile


_LAST = "~"  # behind every request
_AT = bindparam("at", type_=Instant())
_KEEP_STATED = Prepared(update(peers).where(of(peers.c.id), or_(peers.c.stated_at.is_(None), peers.c.stated_at <= _AT)))
_NOT_BEFORE = Prepared(select(peers.c.id).where(of(peers.c.id), peers.c.stated_at >= _AT))
_KEEP_APART = Prepared(update(peers).where(of(peers.c.id)))
_BETWEEN = select(conversations).where(
    of(conversations.c.peer), conversations.c.request > bindparam("after", type_=Text()),
    conversations.c.request <= bindparam("until", type_=Text()),
).order_by(conversations.c.request).limit(bindparam("most", type_=Integer()))
_WITH_PEER = Prepared(_BETWEEN)
_OPEN_WITH_PEER = Prepared(_BETWEEN.join(cases).where(cases.c.state != "closed"))


@dataclass(frozen=True, slots=True)
class Recovering:
    """`since`: the node as a whole stands still. `due` and `silent`: peers that owe copies. `before`: what
    was said earlier than this may have been said by the node that forgot it."""

    epoch: int = 1
    since: datetime | None = None
    before: datetime | None = None
    due: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()

    @property
    def is_on(self) -> bool:
        return self.since is not None

    @property
    def owing(self) -> frozenset[str]:
        return self.due | self.silent

    def check_whole(self, what: str) -> None:
        """R-29: who does not know what was said since yesterday wishes nothing new; giving back is allowed. Raises
        Unreachable."""
        if self.is_on and what not in ("withdraw", "release"):
            owing = ", ".join(sorted(self.owing)) or "its core"
            raise Unreachable(f"this node was restored and is asking {owing} what it said: {what} again in a few "
                              "minutes", rule="R-29")


def state(connection: Connection) -> Recovering:
    rows = connection.execute(select(peers.c.id, peers.c.copies).where(peers.c.copies.is_not(None))).all()
    due, silent = (frozenset(row.id for row in rows if row.copies == how) for how in ("due", "silent"))
    since, before = _instant(connection, _SINCE), _instant(connection, _UNTIL)
    return Recovering(int(remembered(connection, _EPOCH) or 1), since, before, due, silent)


def _instant(connection: Connection, name: str) -> datetime | None:
    text = remembered(connection, name)
    return datetime.fromisoformat(text) if text else None


def begin(connection: Connection, now: datetime) -> None:
    """From here the node is another life of itself: every peer is asked what the earlier one said."""
    epoch = int(remembered(connection, _EPOCH) or 1) + 1
    for name, value in ((_EPOCH, str(epoch)), (_SINCE, now.isoformat()), (_UNTIL, now.isoformat())):
        remember(connection, name, value)
    connection.execute(update(peers).values(copies="due", copies_at=now))


def end(connection: Connection) -> None:
    remember(connection, _SINCE, "")


def doubt(connection: Connection, peer: str, now: datetime) -> bool:
    """Ask one peer what we said to it. Whether it was not being asked already."""
    found = connection.execute(update(peers).where(peers.c.id == peer, peers.c.copies.is_(None))
                               .values(copies="due", copies_at=now))
    return found.rowcount == 1


def is_due(now: When) -> ColumnElement[bool]:
    """Peers to ask now what we said."""
    return and_(peers.c.copies.is_not(None), peers.c.copies_at <= now)


def claim(connection: Connection, now: datetime, next_at: datetime) -> list[str]:
    """Peers to ask now; they are asked again at `next_at` unless they answer."""
    query = select(peers.c.id).where(is_due(now)).order_by(peers.c.id)
    found = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    if found:
        connection.execute(update(peers).where(peers.c.id.in_(found)).values(copies_at=next_at))
    return found


def asked(connection: Connection, peer: str, copies: str | None, anomaly: str | None = None) -> None:
    """What became of asking: `silent`, or nothing more is owed."""
    connection.execute(update(peers).where(peers.c.id == peer).values(copies=copies, anomaly=anomaly))


def keep_stated_at(connection: Connection, peer: str, at: datetime) -> bool:
    """Whether a state exchange is as new as the newest one of that peer."""
    return _KEEP_STATED.run(connection, {"of_id": peer, "at": at, "stated_at": at}).rowcount == 1


def is_new(connection: Connection, peer: str, at: datetime) -> bool:
    """Whether a peer never stated so late a time before."""
    return _NOT_BEFORE.run(connection, {"of_id": peer, "at": at}).fetchone() is None


def keep_apart(connection: Connection, peer: str, by: timedelta) -> None:
    """How far a peer's clock is before ours, as it last stated; a slow line makes it seem behind."""
    _KEEP_APART.run(connection, {"of_id": peer, "apart": by // timedelta(microseconds=1)})


def apart(connection: Connection) -> dict[str, timedelta]:
    """The same, of every peer that ever stated its time."""
    query = select(peers.c.id, peers.c.apart).where(peers.c.apart.is_not(None)).order_by(peers.c.id)
    return {row.id: timedelta(microseconds=row.apart) for row in connection.execute(query)}


def anomalies(connection: Connection) -> list[tuple[str, str]]:
    query = select(peers.c.id, peers.c.anomaly).where(peers.c.anomaly.is_not(None)).order_by(peers.c.id)
    return [(row.id, row.anomaly) for row in connection.execute(query)]


# --- conversations -----------------------------------------------------------------------------------------


def with_peer(connection: Connection, peer: str, after: str, until: str, most: int) -> list[Conversation]:
    """Conversations of cases that are not closed, by request, those after `after` up to `until`."""
    between = {"of_peer": peer, "after": after, "until": until or _LAST, "most": most}
    return [Conversation(*row) for row in _OPEN_WITH_PEER.run(connection, between).fetchall()]


def all_with_peer(connection: Connection, peer: str, after: str, until: str, most: int) -> list[Conversation]:
    """The same, of closed cases too."""
    between = {"of_peer": peer, "after": after, "until": until or _LAST, "most": most}
    return [Conversation(*row) for row in _WITH_PEER.run(connection, between).fetchall()]


def named(connection: Connection, peer: str, requests: Sequence[str]) -> dict[str, Conversation]:
    if not requests:
        return {}
    query = select(conversations).where(conversations.c.peer == peer, conversations.c.request.in_(requests))
    return {row.request: Conversation(*row) for row in connection.execute(query)}


def delivered(connection: Connection, peer: str, requests: Sequence[str]) -> dict[str, int]:
    """How far each conversation of ours is receipted without a gap: what follows may have a taken number."""
    open_ = (
        select(outbox.c.request, func.min(outbox.c.number).label("first"))
        .where(outbox.c.peer == peer, outbox.c.request.in_(requests), outbox.c.receipt.is_(None))
        .group_by(outbox.c.request)
    )
    return {row.request: row.first - 1 for row in connection.execute(open_)}


# --- copies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """One act of a conversation as this node keeps it: `head` as bytes when it is ours, `signed` when it
    was heard; `receipt` as a JWS when it is ours."""

    number: int
    act_hash: str
    head: bytes
    signed: str | None
    receipt: str | None
    head_id: str


def ours(connection: Connection, talk: Conversation, after: int) -> list[Kept]:
    """What we said there after a number and know to have arrived."""
    query = select(outbox).where(outbox.c.peer == talk.peer, outbox.c.request == talk.request,
                                 outbox.c.number > after, outbox.c.receipt.is_not(None)).order_by(outbox.c.number)
    return [Kept(row.number, row.act_hash, row.head, None, row.receipt, "") for row in connection.execute(query)]


def theirs(connection: Connection, talk: Conversation, after: int) -> list[Kept]:
    """What the peer said there after a number, without gaps."""
    query = select(inbox).where(
        inbox.c.peer == talk.peer, inbox.c.request == talk.request, inbox.c.number > after,
        inbox.c.number <= talk.seen).order_by(inbox.c.number)
    return [Kept(row.number, row.act_hash, b"", row.signed, None, row.head) for row in connection.execute(query)]


# --- taking back ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Back:
    """One of our acts that a peer gave back to us, as a row of the outbox."""

    peer: str
    head: Head
    kind: str
    receipt: str
    outcome: str
    attached: bytes
    kid: str


def put_back(connection: Connection, back: Back, now: datetime) -> None:
    state = "refused" if back.outcome == "refused" else "receipted"
    connection.execute(insert(outbox).values(
        peer=back.peer, request=back.head.request or "", number=back.head.number, act_hash=back.head.act_hash,
        kind=back.kind, urgency=back.head.urgency, head=dumps(back.head), attached=back.attached, state=state,
        due_at=now, tries=1, problems=0, receipt=back.receipt, kid=back.kid))


def unsaid(connection: Connection, peer: str, request: str, first: int) -> list[Any]:
    """What we have queued from a number on: their numbers turn out to be taken."""
    query = select(outbox).where(outbox.c.peer == peer, outbox.c.request == request, outbox.c.number >= first)
    return list(connection.execute(query.order_by(outbox.c.number)))


def drop(connection: Connection, id: int) -> None:
    connection.execute(delete(outbox).where(outbox.c.id == id))


def supersede(connection: Connection, me: str, act: str, act_hash: str) -> None:
    """We made an act a second time, after we had forgotten the first: it never left, its bytes go."""
    connection.execute(
        update(acts).where(acts.c.by == me, acts.c.act == act, acts.c.act_hash != act_hash)
        .values(act=f"superseded {act}", bytes=None, salt=None))


def renumber(connection: Connection, id: int, head: Head, now: datetime) -> None:
    """The same act under a number that is free; it never arrived under the other."""
    connection.execute(update(outbox).where(outbox.c.id == id).values(
        number=head.number, head=dumps(head), state="queued", due_at=now, problems=0))


def keep_lost(connection: Connection, act: KeptAct) -> None:
    """The row of an act whose bytes nobody has any more: that something was said stays."""
    known = select(acts.c.act_hash).where(acts.c.act_hash == act.act_hash)
    if connection.execute(known).first() is None:
        connection.execute(insert(acts).values(
            act_hash=act.act_hash, act=act.act, by=act.by, kind=act.kind, case_id=act.case_id, bytes=None, salt=None,
            approvals=b'{"approvals":[]}'))


def said_here(connection: Connection, me: str, case_id: str, kinds: Sequence[str]) -> list[KeptAct]:
    """Our acts of those kinds in a case, in the order in which they were kept, with their bytes."""
    query = select(acts.c.act_hash, acts.c.act, acts.c.kind, acts.c.bytes, acts.c.salt).select_from(acts).join(
        outbox, outbox.c.act_hash == acts.c.act_hash
    ).where(acts.c.by == me, acts.c.case_id == case_id, acts.c.kind.in_(kinds), acts.c.bytes.is_not(None))
    return [KeptAct(row.act_hash, row.act, me, row.kind, case_id, row.bytes, row.salt, ())
            for row in connection.execute(query.order_by(outbox.c.id))]
