"""What waits to be done, in one look: a node at rest asks this twice a second, and nothing else."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, or_, select

from arrp.node.store.tables import cases, documents, intents, joins, outbox, peers

_NOW, _BEFORE = bindparam("now", type_=cases.c.due_at.type), bindparam("before", type_=cases.c.due_at.type)
_LOOK = select(
    exists().where(cases.c.due_at <= _NOW),
    exists().where(intents.c.answered_at.is_(None), intents.c.due_at <= _NOW),
    exists().where(joins.c.done_at.is_(None), joins.c.due_at <= _NOW),
    exists().where(outbox.c.state == "queued", outbox.c.due_at <= _NOW),
    exists().where(or_(peers.c.compared_at.is_(None), peers.c.compared_at <= _BEFORE)),
    exists().where(peers.c.copies.is_not(None), peers.c.copies_at <= _NOW),
    exists().where(documents.c.due_at <= _NOW),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of each kind of work, whether some is due."""

    ticks: bool
    effects: bool
    joins: bool
    sends: bool
    peers: bool
    copies: bool
    documents: bool

    def __bool__(self) -> bool:
        return any(astuple(self))


def waiting(connection: Connection, now: datetime, compared_before: datetime) -> Waiting:
    """What is due now; peers that were last compared before that instant (R-28)."""
    found = connection.execute(_LOOK, {"now": now, "before": compared_before}).one()
    return Waiting(*map(bool, found))
