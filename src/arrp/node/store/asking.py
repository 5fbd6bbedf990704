"""What peers asked of this node so far, and whom of them it ever called back: what policy counts (R-17, R-91)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from arrp.core.policy import Tally
from arrp.core.request import Asked
from arrp.node.store import talk
from arrp.node.store.engine import for_update
from arrp.node.store.tables import asked, called_back, conversations, of, outbox, peers

_CAME = select(asked.c.request).where(of(asked.c.request))
_LEFT = (
    select(outbox.c.id).where(of(conversations.c.request), outbox.c.kind == "Request")
    .join(conversations, (conversations.c.peer == outbox.c.peer) & (conversations.c.request == outbox.c.request))
)


def was_asked(connection: Connection, request: str) -> bool:
    """Whether a request of that id came from anybody, or left here: the id is one request's for ever (R-24)."""
    return any(connection.execute(query, {"of_request": request}).first() is not None for query in (_CAME, _LEFT))


def note_asked(connection: Connection, **values: object) -> None:
    connection.execute(insert(asked).values(**values))


def note_account(connection: Connection, request: str, key: str) -> None:
    """Which account a request is about is known now: its cap counts from here (R-17)."""
    connection.execute(update(asked).where(asked.c.request == request).values(key=key))


def note_called_back(connection: Connection, peer: str, officer: str, now: datetime) -> None:
    """Somebody here has spoken to that officer (R-91). The first time is the one that counts."""
    which = (called_back.c.peer == peer, called_back.c.officer == officer)
    if connection.execute(select(called_back.c.at).where(*which)).first() is None:
        connection.execute(insert(called_back).values(peer=peer, officer=officer, at=now))


def forget_called_back(connection: Connection, peer: str, officer: str) -> None:
    """A call-back that failed takes an earlier one back: the next request is a first contact again."""
    connection.execute(delete(called_back).where(called_back.c.peer == peer, called_back.c.officer == officer))


def strangers(connection: Connection, peer: str, body: Asked, officers: tuple[str, ...]) -> tuple[str, ...]:
    """Who stands behind a request, by signature or by its mandate, and was never called back (R-91)."""
    mandate = talk.act(connection, body.mandate_act) if body.mandate_act else None
    behind = {*officers, *(approval.officer for approval in (mandate.approvals if mandate else ()))}
    known = connection.execute(select(called_back.c.officer).where(called_back.c.peer == peer)).scalars()
    return tuple(sorted(behind - set(known)))


def at_account(connection: Connection, peer: str, key: str) -> int:
    """Σ claims this peer asked of us at one account."""
    return _total(connection, peer, asked.c.key == key)


def _total(connection: Connection, peer: str, *where: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.sum(asked.c.claim)).where(asked.c.peer == peer, *where)).scalar() or 0)


def tally(connection: Connection, peer: str, body: Asked, now: datetime, came: datetime | None = None) -> Tally:
    """Σ claims of this peer in the last hour and day, under this mandate, for this loss; how often it asked in a day.
    `came`: as a request of that instant, counted in it, found it. The peer's row is locked: no two pass one cap."""
    if for_update(connection):
        connection.execute(select(peers.c.id).where(peers.c.id == peer).with_for_update())

    at, until = came or now, [asked.c.at <= came] if came else []
    a_day = (asked.c.at > at - timedelta(days=1), *until)
    return Tally(
        hour=_total(connection, peer, asked.c.at > at - timedelta(hours=1), *until),
        day=_total(connection, peer, *a_day),
        under_mandate=_total(connection, peer, asked.c.mandate == body.mandate_act) if body.mandate_act else 0,
        of_loss=_total(connection, peer, asked.c.loss == body.loss),
        questions=connection.execute(select(func.count()).where(asked.c.peer == peer, *a_day)).scalar() or 0,
    )
