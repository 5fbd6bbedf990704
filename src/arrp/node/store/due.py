"""What waits to be done, in one look: a node at rest asks this twice a second, and nothing else."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, func, select

from arrp.core.deadline import earliest
from arrp.node.store import cases, documents, recovering, tables, talk, work
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import Instant

_NOW, _BEFORE = bindparam("now", type_=Instant()), bindparam("before", type_=Instant())
_LOOK = Prepared(select(*(exists().where(due) for due in (
    cases.is_due(_NOW), work.is_effect_due(_NOW), work.is_join_due(_NOW), talk.is_due(_NOW),
    work.is_uncompared(_BEFORE), recovering.is_due(_NOW), documents.is_due(_NOW)))))
_NEXT = Prepared(select(
    select(func.min(tables.cases.c.due_at)).scalar_subquery(),
    select(func.min(tables.intents.c.due_at)).where(tables.intents.c.answered_at.is_(None)).scalar_subquery(),
    select(func.min(tables.joins.c.due_at)).where(tables.joins.c.done_at.is_(None)).scalar_subquery(),
    select(func.min(tables.outbox.c.due_at)).where(tables.outbox.c.state == "queued").scalar_subquery(),
    select(func.min(tables.peers.c.copies_at)).where(tables.peers.c.copies.is_not(None)).scalar_subquery(),
    select(func.min(tables.documents.c.due_at)).scalar_subquery(),
))
_INSTANT = Instant()


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
    found = _LOOK.run(connection, {"now": now, "before": compared_before}).fetchone()
    return Waiting(*map(bool, found))


def next_look(connection: Connection) -> datetime | None:
    """When the next piece of work is due, comparisons apart; None when nothing waits."""
    found = _NEXT.run(connection, {}).fetchone()
    return earliest(*(_INSTANT.process_result_value(each, connection.dialect) for each in found))
