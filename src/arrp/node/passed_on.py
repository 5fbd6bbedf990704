"""What was said because of what was heard, when the node that did so has forgotten it (R-29).

An authority in the middle passes on what it hears, in another conversation. After its memory was lost it
hears the same again; what it passed on was given back to it by whom it was said to, and says so.
"""

from __future__ import annotations

from arrp.core.events import Event
from arrp.core.instructing import DOWN, UP
from arrp.core.messages import Act, Head
from arrp.node.service import Transaction
from arrp.node.store import recovering
from arrp.node.store.cases import BODIES
from arrp.wire.codec import read_act


def heard_again(head: Head, act: Act) -> Event:
    """An act as it stands in our log, whoever of the two said it; written from the copy that a peer kept."""
    officers = tuple(approval.officer for approval in head.approvals)
    return Event(act.kind, head.sender, head.sent_at, act.request, f"recovered {head.id}", act.body,
                 act=act.act if act.to != head.sender else "", act_hash=head.act_hash, to=head.to,
                 not_after=act.not_after, officers=officers)


def was_passed_on(door: Transaction, case_id: str, head: Head, act: Act) -> bool:
    """Whether an act of ours in this case rests on that fact, or passes on that very wish."""
    case = door.load(case_id)
    kinds = (UP | {"RequestEnded"}) if act.kind in UP else {act.kind} & DOWN
    down = case.instruction_of(act.request or "")
    if not kinds or (act.kind in DOWN and down is None):
        return False
    said = [read_act(kept.data, BODIES)
            for kept in recovering.said_here(door.connection, door.node.me, case_id, sorted(kinds))]
    if act.kind in UP:
        return any(getattr(one.body, "rests_on", None) == head.act_hash for one in said)
    passed = [one.body for one in said if down is not None and one.request == down.id]
    return bool(passed) and passed[-1] == act.body
