"""Positions and checkpoints: the log as a Merkle tree (RFC 9162), written by one leased sequencer.

The leaf hash commits with its event; here committed rows get dense positions, within a second, so
that writers on PostgreSQL do not wait for each other. The tree, the checkpoints and any change feed
use positions. `arrp audit verify` does not use this file (node/verify.py).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, func, insert, select, update

from arrp.core.errors import Corrupt
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import checkpoints, events, of
from arrp.node.store.work import remember, remembered
from arrp.wire.audit import Frontier

_FRONTIER = "frontier"
_UNPLACED = Prepared(select(events.c.id, events.c.leaf).where(events.c.position.is_(None)).order_by(events.c.id)
                     .limit(bindparam("most")))
_PLACE, _LAST = Prepared(update(events).where(of(events.c.id))), Prepared(select(func.max(events.c.position)))
_IS_BEHIND, _KEEP = Prepared(select(exists().where(events.c.position.is_(None)))), Prepared(insert(checkpoints))
_NEWEST = select(checkpoints.c.size, checkpoints.c.jws).order_by(checkpoints.c.size.desc()).limit(1)


def sequence(connection: Connection, most: int) -> Frontier | None:
    """Give the oldest unplaced rows their positions; the new frontier, None when there were none."""
    rows = _UNPLACED.run(connection, {"most": most}).fetchall()
    if not rows:
        return None
    frontier = current(connection)
    placed = []
    for id, leaf in rows:
        placed.append({"of_id": id, "position": frontier.size})
        frontier = frontier.append(leaf)
    _PLACE.run_all(connection, placed)
    remember(connection, _FRONTIER, frontier.dump())
    return frontier


def current(connection: Connection) -> Frontier:
    """The frontier as last written, checked against the number of placed rows."""
    kept = remembered(connection, _FRONTIER)
    frontier = Frontier.load(kept) if kept else Frontier()
    placed = _LAST.run(connection, {}).fetchone()[0]
    if frontier.size != (0 if placed is None else placed + 1):
        raise Corrupt(f"the tree says {frontier.size} leaves, the log has {placed}: run arrp audit verify")
    return frontier


def is_behind(connection: Connection) -> bool:
    """Whether something waits for its position."""
    return bool(_IS_BEHIND.run(connection, {}).fetchone()[0])


def unplaced(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(events.c.position.is_(None))).scalar() or 0


def keep(connection: Connection, size: int, root: str, at: datetime, jws: str) -> None:
    _KEEP.run(connection, {"size": size, "root": root, "at": at, "jws": jws})


def newest(connection: Connection) -> tuple[int, str] | None:
    """(size, signed checkpoint) of the largest tree this node vouched for."""
    row = connection.execute(_NEWEST).first()
    return (row.size, row.jws) if row else None
