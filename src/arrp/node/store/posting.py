"""The part of the outbox that goes on paper: acts that an officer has to send, and those one has sent (R-95).

Rows are `paper` until somebody sent them, then `by_hand`; the worker never claims either.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select, tuple_, update

from arrp.core.messages import Head
from arrp.node.store.tables import acts, cases, conversations, outbox
from arrp.wire.codec import loads


@dataclass(frozen=True, slots=True)
class Posting:
    """One act on paper, with the head that it would have left under."""

    case_id: str
    act: str
    kind: str
    state: str  # paper | by_hand
    head: Head


def hold_back(connection: Connection, act_hash: str) -> None:
    """The act that was just put into the outbox is for an officer to send."""
    connection.execute(update(outbox).where(outbox.c.act_hash == act_hash).values(state="paper"))


def sent(connection: Connection, act_hash: str) -> None:
    which = (outbox.c.act_hash == act_hash, outbox.c.state == "paper")
    connection.execute(update(outbox).where(*which).values(state="by_hand"))


def follow_channels(connection: Connection, on_paper: Collection[str]) -> None:
    """The directory changed (R-98): what was to be sent to a node waits for an officer when the node is
    gone; to one that is there now all that was ever said goes, in order, what went on paper too."""
    gone = (outbox.c.peer.in_(on_paper), outbox.c.state == "queued")
    connection.execute(update(outbox).where(*gone).values(state="paper"))
    talks = select(conversations.c.peer, conversations.c.request).join(cases).where(cases.c.state != "closed")
    come = (outbox.c.peer.not_in(on_paper), outbox.c.state.in_(("paper", "by_hand")),
            tuple_(outbox.c.peer, outbox.c.request).in_(talks))
    connection.execute(update(outbox).where(*come).values(state="queued"))


def postings(connection: Connection, request: str | None = None) -> list[Posting]:
    """What goes and went on paper, oldest first: all of it, or that of one request."""
    query = (
        select(conversations.c.case_id, acts.c.act, outbox.c.kind, outbox.c.state, outbox.c.head)
        .select_from(outbox).join(acts)
        .join(conversations, (conversations.c.peer == outbox.c.peer) & (conversations.c.request == outbox.c.request))
        .where(outbox.c.state.in_(("paper", "by_hand"))).order_by(outbox.c.id)
    )
    if request is not None:
        query = query.where(outbox.c.request == request)
    return [Posting(row.case_id, row.act, row.kind, row.state, loads(Head, row.head))
            for row in connection.execute(query)]


