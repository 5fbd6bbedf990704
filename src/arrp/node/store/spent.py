"""What this node asked under each of its standing mandates, over all its cases (R-15).

Kept in the table of what was asked, beside what peers asked of it: `peer` is this node, `key` the case.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, func, insert, select

from arrp.core.events import Event
from arrp.core.policy import Rules
from arrp.core.step import Approve, Command, Given, Heard, Reconciled
from arrp.node.store.engine import for_update
from arrp.node.store.tables import asked, meta

_SENDS = ("Request", "MovedOn")  # after which a node asks by itself


def note(connection: Connection, event: Event, case_id: str) -> None:
    """A request of ours left. One that a peer gave back to us (R-29) may be here already."""
    if connection.execute(select(asked.c.request).where(asked.c.request == event.request)).first() is None:
        connection.execute(insert(asked).values(
            request=event.request, peer=event.by, loss=event.body.loss, mandate=event.body.mandate_act, key=case_id,
            claim=event.body.claim.minor, at=event.at))


def counted(connection: Connection, rules: Rules, given: Given, case_id: str) -> Rules:
    """The rules with what the other cases have used of each standing mandate, where something may be asked because of
    `given`. Whoever counts is alone in it until the commit, so that no two cases spend the same."""
    may_send = isinstance(given, Command | Approve | Reconciled) or (isinstance(given, Heard) and given.kind in _SENDS)
    if not rules.standing or not may_send:
        return rules
    if for_update(connection):
        connection.execute(select(meta.c.name).where(meta.c.name == "account secret").with_for_update())
    hashes = [act_hash for act_hash, _ in rules.standing]
    query = select(asked.c.mandate, func.sum(asked.c.claim)).where(
        asked.c.peer == rules.me.id, asked.c.mandate.in_(hashes), asked.c.key != case_id).group_by(asked.c.mandate)
    return replace(rules, elsewhere={act_hash: int(claims) for act_hash, claims in connection.execute(query)})
