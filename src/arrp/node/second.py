"""A signature that comes later than the request it is over (R-94): whose it is, and whether anybody here knows them.

What it does to the request is for core/approving; here stands what only keys and the store can say.
"""

from __future__ import annotations

from arrp.core.errors import Refused
from arrp.core.events import Approved
from arrp.core.policy import Tally
from arrp.node.service import Node, Transaction
from arrp.node.store import asking, talk
from arrp.wire.approvals import check_approval
from arrp.wire.envelope import Unpacked


def check_later(door: Transaction, node: Node, heard: Unpacked) -> None:
    """The officer's own key, which counts now, and none that signed before. Raises Refused."""
    said: Approved = heard.act.body
    sender, approval = heard.head.sender, said.approval
    key = node.directory.officer_key_at(sender, approval.officer, approval.key, door.now)
    if key is None:
        raise Refused(f"{sender} has no officer {approval.officer[:64]} with that key", rule="R-94",
                      code="unknown-officer")
    check_approval(approval, said.act_hash, key)
    kept = talk.act(door.connection, said.act_hash)
    if kept is not None and any(before.key == approval.key for before in kept.approvals):
        raise Refused(f"key {approval.key} signed it before: another officer must", rule="R-94",
                      code="repeated-approval")


def behind(door: Transaction, node: Node, heard: Unpacked) -> Tally:
    """R-91: whether somebody here has spoken to who signed."""
    head, request = heard.head, heard.act.request or ""
    conversation = door.talking(head.sender, request)
    known = door.load(conversation.case_id).requests.get(request) if conversation is not None else None
    if known is None or not node.rules.policy.call_back_first:
        return Tally()
    signer = heard.act.body.approval.officer
    return Tally(strangers=asking.strangers(door.connection, head.sender, known.body, (signer,)))
