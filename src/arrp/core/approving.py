"""An officer's signature over what was drafted: the last that is needed lets it leave (R-23).

Under a standing mandate that says so, one officer's signature lets a request leave, and a second follows within four
hours: the act `Approved`, over the very bytes that left. Without it the wish ends, and what was held for it (R-94).
"""

from __future__ import annotations

from datetime import datetime

from arrp.core.case import Case
from arrp.core.covering import all_covering
from arrp.core.ending import end
from arrp.core.errors import Conflict, Refused
from arrp.core.events import KINDS, Approved, Draft, Event, Signed, Withdraw
from arrp.core.people import call_strangers
from arrp.core.policy import Participant, Rules
from arrp.core.request import Reason, Request
from arrp.core.roles import check_may_sign, may_sign
from arrp.core.stating import finish
from arrp.core.step import Approve, Heard, Step, issue

WHY = "no second officer signed it in time (R-94)"


def approve(step: Step, given: Approve) -> None:
    """R-23: one more signature; the last one that is needed lets the act leave. Raises Refused, Conflict."""
    request = next((r for r in step.case.requests.values() if r.act_hash == given.act_hash and r.second_by), None)
    if request is not None:
        _sign_too(step, request, given)
        return
    draft = step.case.drafts.get(given.act)
    if draft is None:
        raise Conflict(f"there is no draft {given.act} waiting for approval; it left, or was dropped", rule="R-23")
    if draft.not_after is not None and step.now >= draft.not_after:
        raise Refused(f"the draft had to leave by {draft.not_after:%Y-%m-%dT%H:%M:%SZ}: draft it again", rule="R-23")
    check_may_sign(step.rules.me, given.approval.officer, draft.kind)
    _check_another(given.approval.officer, tuple(one.officer for one in step.case.approvals.get(given.act, ())))
    step.note("ActApproved", Approved(given.act, given.act_hash, given.approval), draft.request)
    signed = step.case.approvals[given.act]
    if len(signed) >= draft.needs:
        _check_still_covered(step, draft)
        issue(step, draft, given.act_hash, signed)
    elif draft.kind == "Loss" and _one_may_act(step):
        step.note("LossSigned", Signed(draft.act, given.act_hash, signed, None, draft.body))


def _check_another(officer: str, signed: tuple[str, ...]) -> None:
    if officer in signed:
        raise Refused(f"{officer} already signed this act: another officer must", rule="R-23", code="four-eyes")


def _one_may_act(step: Step) -> bool:
    """R-94: whether a standing mandate that counts now lets one officer send."""
    return any(one.signers and one.valid_from <= step.now < one.valid_until for _, one in step.rules.standing)


def _check_still_covered(step: Step, draft: Draft) -> None:
    """What one officer signs leaves under a mandate that covers it now, not only when drafted. Raises Refused."""
    if draft.kind != "Request" or draft.to is None or draft.needs >= KINDS["Request"].approvals:
        return
    peer = step.rules.participant(draft.to)
    if draft.body.mandate_act not in all_covering(step, draft.body, peer, draft.needs):
        raise Refused("the mandate does not cover it any more: send it again, and two officers sign", rule="R-94",
                      code="beyond-mandate")


# --- the second signature --------------------------------------------------------------------------------------


def _sign_too(step: Step, request: Request, given: Approve) -> None:
    """R-94: the second of our officers signs what left; the same signature goes to the peer as an act."""
    _check_awaited(step, request)
    check_may_sign(step.rules.me, given.approval.officer, "Request")
    _check_another(given.approval.officer, request.by_officers[:1])
    said = Approved(given.act, given.act_hash, given.approval)
    step.note("ActApproved", said, request.id)
    step.add(Event("Approved", step.me, step.now, request.id, step.because, said, act=step.new_id(), to=request.peer,
                   not_after=request.second_by))


def is_awaited(request: Request) -> bool:
    """Whether a second officer of ours has yet to sign what left."""
    return request.side == "requesting" and request.is_open and request.second_by is not None


def check_second(step: Step, heard: Heard, request: Request) -> None:
    """R-94: another officer of the peer, whose role carries it, signed these very bytes, in time; that the signature
    is theirs was checked with the bytes. Raises Refused."""
    said: Approved = heard.body
    _check_awaited(step, request)
    if said.act_hash != request.act_hash:
        raise Refused("this signature is over another act than the request", rule="R-94", code="bad-approval")
    _check_another(said.approval.officer, request.by_officers[:1])
    who: Participant = step.rules.participant(heard.sender)
    if not may_sign(who, said.approval.officer, "Request"):
        raise Refused(f"the role of {said.approval.officer} does not carry a Request", rule="R-90", code="approvals")


def heard_second(step: Step, heard: Heard, request: Request) -> None:
    """R-91: who signed later stands behind it too, and is called back where nobody spoke to them."""
    call_strangers(step, request, heard.tally)


def _check_awaited(step: Step, request: Request) -> None:
    if not request.is_open or request.second_by is None:
        raise Refused(f"request {request.id} waits for no signature: it has them, or it has ended", rule="R-94",
                      code="ended")
    if step.now >= request.second_by:
        raise Refused(f"a second officer had to sign by {request.second_by:%Y-%m-%dT%H:%M:%SZ}: send it again",
                      rule="R-94", code="expired")


# --- without it ---------------------------------------------------------------------------------------------------


def watch(step: Step) -> None:
    """R-94: no second signature came: who asked withdraws; who was asked ends it, should it hear nothing."""
    for request in tuple(step.case.requests.values()):
        at = _ends_at(step.case, request, step.rules)
        if at is None or step.now < at:
            continue
        down = step.case.instruction_of(request.id)
        if request.side == "requesting":
            step.tell("Withdraw", Withdraw(WHY), request)
        elif down is not None:
            step.tell("Withdraw", Withdraw(WHY), down)
        elif request.hold is not None and request.hold.in_force:
            end(step, request, Reason.NOT_SIGNED)
        else:
            finish(step, request, Reason.NOT_SIGNED)


def dues(case: Case, rules: Rules) -> list[datetime | None]:
    return [_ends_at(case, request, rules) for request in case.requests.values()]


def _ends_at(case: Case, request: Request, rules: Rules) -> datetime | None:
    """When the missing signature ends the wish, and a moment later the answer; None while that is under way, or an
    order of this country holds the money."""
    if request.second_by is None or not request.is_open:
        return None
    down, hold = case.instruction_of(request.id), request.hold
    if request.side == "requesting":
        return request.second_by
    if down is not None:
        still = down.is_open
    else:
        still = hold is None or hold.state == "failed" or (hold.in_force and hold.state != "secured")
    return request.second_by + rules.patience if still else None
