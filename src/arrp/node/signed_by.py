"""`arrp audit signed-by`: everything on this node that one key signed, for review after it was stolen (R-37).

Nodes' keys sign heads, sent and received, and checkpoints; officers' keys sign approvals. Nothing is decided here:
what such a key brought about stands until an officer looked at it, or until it lapses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, make_url, select

from arrp.core.errors import Malformed, NotFound
from arrp.core.messages import Head
from arrp.node.store.tables import acts, checkpoints, inbox, outbox
from arrp.wire.approvals import unb64
from arrp.wire.codec import loads, parse_json


@dataclass(frozen=True, slots=True)
class SignedAct:
    """`how`: received or sent under a node's key, approved under an officer's, or a checkpoint. `outcome` is what
    became of it; `act` its hash, empty for a checkpoint."""

    at: datetime
    how: str
    peer: str
    request: str
    kind: str
    act: str
    outcome: str
    case: str


def signed_by(url: str, kid: str, since: datetime | None = None) -> tuple[SignedAct, ...]:
    """What that key signed from `since` on, oldest first. Raises NotFound where there is no store."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite" and not Path(where.database or "").is_file():
        raise NotFound(f"there is no store {where.database}")
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            found = [*_received(connection, kid), *_sent(connection, kid), *_checkpoints(connection, kid)]
    finally:
        engine.dispose()
    return tuple(sorted((one for one in found if since is None or one.at >= since), key=lambda one: one.at))


def _received(connection: Connection, kid: str) -> Iterator[SignedAct]:
    query = select(inbox, acts.c.kind, acts.c.case_id, acts.c.approvals).join(
        acts, acts.c.act_hash == inbox.c.act_hash, isouter=True)
    for row in connection.execute(query):
        for how in _how(row, "received", row.signed is not None and _kid(row.signed) == kid, kid):
            yield SignedAct(row.received_at, how, row.peer, row.request, row.kind or "unreadable", row.act_hash,
                            row.outcome, row.case_id or "")


def _sent(connection: Connection, kid: str) -> Iterator[SignedAct]:
    query = select(outbox, acts.c.case_id, acts.c.approvals).join(
        acts, acts.c.act_hash == outbox.c.act_hash, isouter=True)
    for row in connection.execute(query):
        for how in _how(row, "sent", row.kid == kid, kid):
            yield SignedAct(loads(Head, row.head).sent_at, how, row.peer, row.request, row.kind, row.act_hash,
                            row.state, row.case_id or "")


def _checkpoints(connection: Connection, kid: str) -> Iterator[SignedAct]:
    for row in connection.execute(select(checkpoints)):
        if _kid(row.jws) == kid:
            yield SignedAct(row.at, "checkpoint", "", "", f"checkpoint of {row.size} events", "", "", "")


def _how(row: Any, way: str, is_head: bool, kid: str) -> Iterator[str]:
    if is_head:
        yield way
    said = parse_json(row.approvals) if row.approvals else None
    approvals = said["approvals"] if isinstance(said, dict) else []
    if any(approval["key"] == kid for approval in approvals):
        yield f"approved, {way}"


def _kid(jws: str) -> str:
    """The key id of a flattened JWS that was verified when it came."""
    try:
        tree = parse_json(jws.encode())
        header = parse_json(unb64(tree["protected"])) if isinstance(tree, dict) else None
    except Malformed:
        return ""
    return str(header.get("kid", "")) if isinstance(header, dict) else ""
