"""What peers asked of this node so far, and whom of them it ever called back: what policy counts (R-17, R-91)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, ScalarSelect, bindparam, delete, func, insert, select, update

from arrp.core.policy import Tally
from arrp.core.request import Asked
from arrp.node.store import talk
from arrp.node.store.engine import for_update
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import Instant, asked, called_back, conversations, of, outbox, peers

_EVER = datetime(9999, 1, 1, tzinfo=UTC)
_CAME = Prepared(select(asked.c.request).where(of(asked.c.request)))
_LEFT = Prepared(
    select(outbox.c.id).where(of(conversations.c.request), outbox.c.kind == "Request")
    .join(conversations, (conversations.c.peer == outbox.c.peer) & (conversations.c.request == outbox.c.request))
)
_NOTE, _MOVE = Prepared(insert(asked)), Prepared(update(asked).where(of(asked.c.request)))


def was_asked(connection: Connection, request: str) -> bool:
    """Whether a request of that id came from anybody, or left here: the id is one request's for ever (R-24)."""
    return is_counted(connection, request) or _LEFT.run(connection, {"of_request": request}).fetchone() is not None


def is_counted(connection: Connection, request: str) -> bool:
    """Whether it is noted already, by whomever it was asked."""
    return _CAME.run(connection, {"of_request": request}).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Counted:
    """One request, as policy counts it: who asked, for which loss, under which mandate, in which case."""

    request: str
    peer: str
    loss: str
    mandate: str | None
    key: str
    claim: int
    at: datetime


def note(connection: Connection, counted: Counted) -> None:
    _NOTE.run(connection, {field.name: getattr(counted, field.name) for field in fields(counted)})


def note_account(connection: Connection, request: str, key: str) -> None:
    """Which account a request is about is known now: its cap counts from here (R-17)."""
    _MOVE.run(connection, {"of_request": request, "key": key})


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
    known = {officer for officer, in _CALLED_BACK.run(connection, {"of_peer": peer}).fetchall()}
    return tuple(sorted(behind - known))


def _claims(*where: ColumnElement[bool]) -> ScalarSelect[int]:
    """Σ claims of what a peer asked."""
    return select(func.coalesce(func.sum(asked.c.claim), 0)).where(of(asked.c.peer), *where).scalar_subquery()


def _times() -> tuple[ColumnElement[bool], ...]:
    hour, day, until = (bindparam(name, type_=Instant()) for name in ("hour", "day", "until"))
    return asked.c.at > hour, asked.c.at > day, asked.c.at <= until


_IN_AN_HOUR, _IN_A_DAY, _BEFORE = _times()
_CALLED_BACK = Prepared(select(called_back.c.officer).where(of(called_back.c.peer)))
_LOCK_PEER = Prepared(select(peers.c.id).where(of(peers.c.id)).with_for_update())
_TALLY = Prepared(select(
    _claims(_IN_AN_HOUR, _BEFORE), _claims(_IN_A_DAY, _BEFORE), _claims(of(asked.c.mandate)), _claims(of(asked.c.loss)),
    _claims(of(asked.c.key)),
    select(func.count()).where(of(asked.c.peer), _IN_A_DAY, _BEFORE).scalar_subquery(),
))


def tally(connection: Connection, peer: str, key: str, body: Asked, when: tuple[datetime, datetime | None]) -> Tally:
    """Σ claims of this peer in the last hour and day, under this mandate, for this loss, at this account; how often it
    asked in that day. `when`: the instant from which hour and day reach back, and the last that counts, if there
    is one. The peer's row is locked: no two pass one cap."""
    at, until = when
    if for_update(connection):
        _LOCK_PEER.run(connection, {"of_id": peer})
    hour, day, under_mandate, of_loss, account, questions = _TALLY.run(connection, {
        "of_peer": peer, "of_mandate": body.mandate_act or "", "of_loss": body.loss, "of_key": key,
        "hour": at - timedelta(hours=1), "day": at - timedelta(days=1), "until": until or _EVER,
    }).fetchone()
    return Tally(hour=int(hour), day=int(day), account=int(account), under_mandate=int(under_mandate),
                 of_loss=int(of_loss), questions=questions)
