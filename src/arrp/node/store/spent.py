"""What this node asked under each of its standing mandates, over all its cases (R-15).

Kept in the table of what was asked, beside what peers asked of it: `peer` is this node, `key` the case.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, bindparam, func, select

from arrp.core.events import Event
from arrp.core.policy import Rules
from arrp.core.step import Approve, Command, Given, Heard, Reconciled
from arrp.node.store import asking
from arrp.node.store.engine import for_update
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import asked, meta, of

_SENDS = ("Request", "MovedOn")  # after which a node asks by itself
_LOCK = Prepared(select(meta.c.name).where(meta.c.name == "account secret").with_for_update())
_SPENT = Prepared(select(func.coalesce(func.sum(asked.c.claim), 0)).where(
    of(asked.c.peer, asked.c.mandate), asked.c.key != bindparam("but_key", type_=asked.c.key.type)))


def note(connection: Connection, event: Event, case_id: str) -> None:
    """A request of ours left. One that a peer gave back to us (R-29) may be here already."""
    if not asking.is_counted(connection, event.request or ""):
        asking.note(connection, asking.Counted(
            event.request or "", event.by, event.body.loss, event.body.mandate_act, case_id, event.body.claim.minor,
            event.at))


def counted(connection: Connection, rules: Rules, given: Given, case_id: str) -> Rules:
    """The rules with what the other cases have used of each standing mandate, where something may be asked because of
    `given`. Whoever counts is alone in it until the commit, so that no two cases spend the same."""
    may_send = isinstance(given, Command | Approve | Reconciled) or (isinstance(given, Heard) and given.kind in _SENDS)
    if not rules.standing or not may_send:
        return rules
    if for_update(connection):
        _LOCK.run(connection, {})
    return with_elsewhere(connection, rules, case_id)


def with_elsewhere(connection: Connection, rules: Rules, case_id: str) -> Rules:
    """The rules with what the other cases have used by now; who only looks keeps nobody from spending."""
    return replace(rules, elsewhere={
        act_hash: int(_SPENT.run(connection, {
            "of_peer": rules.me.id, "of_mandate": act_hash, "but_key": case_id}).fetchone()[0])
        for act_hash, _ in rules.standing})
