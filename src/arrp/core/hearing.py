"""What a peer says, heard: who may say it, what is refused, what follows (R-24, R-32).

Commands are applied or refused; facts are always written down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from arrp.core import allocating, approving, correcting, deciding, ending, holding, instructing, pursuing, returning
from arrp.core.asked_amounts import check_amounts
from arrp.core.changes import ANSWERS
from arrp.core.errors import Malformed, Refused
from arrp.core.events import HOLD_FACTS, KINDS, RETURN_FACTS, Answered, Delivered, Signed
from arrp.core.hold import HOLD
from arrp.core.mandate import check_loss, check_mandate, check_signers
from arrp.core.money import Amount
from arrp.core.policy import Participant, check_entitled
from arrp.core.request import ANSWER, Asked, Reason, Request
from arrp.core.roles import counted
from arrp.core.stating import finish
from arrp.core.step import Heard, Receipted, Step, bounced

LONGEST = timedelta(days=90)  # a request that may be applied later than this is a mistake


def hear(step: Step, heard: Heard) -> None:
    """R-24: who may say it; then commands are applied or refused, facts always written down. From here on
    only those signatures are there which their officer's role carries (R-90)."""
    signed = counted(step.rules.participant(heard.sender), heard.officers, heard.kind)
    heard = replace(heard, officers=signed)
    if heard.kind == "Request":
        _hear_request(step, heard)
        return
    row = KINDS[heard.kind]
    request = step.case.requests.get(heard.request)
    if request is None:
        _early(step, heard)
        return
    side = {"requested": "requesting", "requesting": "requested"}.get(row.writer)
    if side not in (request.side, None) or request.peer != heard.sender:
        raise Refused(f"{heard.sender} is not the {row.writer} side of {request.id}", rule="R-24", code="not-a-party")
    if row.command:
        _check_command(step, heard, request)
    check_assets(heard, request)
    if row.writer == "either":
        correcting.heard(step, heard, request)
        return
    _mark_jump(step, heard, request)
    step.hear(heard)
    request = step.case.request(heard.request)
    if row.writer == "requesting":
        _wished(step, heard, request)
    else:
        _told(step, heard, request)


def _check_command(step: Step, heard: Heard, request: Request) -> None:
    """R-22: an authority passes on by itself what its requester signed, and a node withdraws what no second officer
    signed (R-94); everybody else signs."""
    passed_on = heard.kind in instructing.DOWN and request.relation == "instructs"
    takes_back = heard.kind == "Withdraw" and request.second_by is not None
    needs = 0 if passed_on or takes_back else KINDS[heard.kind].approvals
    if len(heard.officers) < needs:
        raise Refused(f"{heard.kind} needs the signatures of {needs} officers whose role carries it", rule="R-22",
                      code="approvals")
    instructing.check_whose(heard, request)
    if heard.kind == "Approved":
        approving.check_second(step, heard, request)


def check_assets(heard: Heard, request: Request) -> None:
    """R-10, R-11: terms are of what was asked, and amounts of its asset. Raises Malformed."""
    body = heard.body
    terms = getattr(body, "terms", None)
    if terms is not None and terms.asked != request.body.asked:
        raise Malformed(f"R-11 these terms are of {terms.asked}, the request asked {request.body.asked}")
    for name in ("amount", "to", "free"):
        stated = getattr(body, name, None)
        if isinstance(stated, Amount) and stated.asset != request.body.asked.asset:
            raise Malformed(f"R-10 {name} is in {stated.asset}, the request in {request.body.asked.asset}")


def _early(step: Step, heard: Heard) -> None:
    """A withdrawal that came before its request: the request will find it withdrawn (R-27). An authority passes one on
    without a signature of its own (R-22), also before what it withdraws has come."""
    if heard.kind != "Withdraw":
        raise Refused(f"request {heard.request} is not known here", rule="R-24", code="unknown-request")
    if not heard.officers and step.me not in step.rules.participant(heard.sender).instructs:
        raise Refused("Withdraw needs an officer's signature", rule="R-22", code="approvals")
    step.hear(heard)
    step.anomaly("early", f"{heard.kind} of {heard.request} came first", heard.request)


def _mark_jump(step: Step, heard: Heard, request: Request) -> None:
    """R-32: a mirror adopts the owner's latest word and marks a jump. What the owner does in its own
    house before it first speaks (received, placing) is no jump."""
    if heard.kind in ANSWERS:
        known, stated = request.answer.replace("none", "received"), ANSWERS[heard.kind]
        jumped = ANSWER.jumps(known, heard.kind, stated)
    elif heard.kind in (*HOLD_FACTS, *RETURN_FACTS):
        hold = heard.body.hold
        same = request.hold is not None and request.hold.id == hold.id
        known = request.hold.state if request.hold is not None and same else HOLD.start
        jumped = HOLD.jumps(known, heard.kind, hold.state) and not bounced(heard.kind, hold)
    else:
        return
    if jumped:
        step.anomaly("jump", f"{heard.kind} after {known}", request.id)


def _hear_request(step: Step, heard: Heard) -> None:
    requester = step.rules.participant(heard.sender)
    _check_request(step, heard, requester)
    step.hear(heard)
    step.note("LossSigned", Signed("", heard.body.loss_act or "", (), None, heard.loss), heard.request)
    request = step.case.request(heard.request)
    if request.wish == "withdrawn":
        step.note("RequestReceived", Answered(request.terms), request.id)
        finish(step, request, Reason.WITHDRAWN)
    elif step.rules.me.kind == "authority":
        instructing.receive(step, request, heard.tally)
    else:
        holding.receive(step, request, heard.tally)


def _check_request(step: Step, heard: Heard, requester: Participant) -> None:
    """R-13, R-14, R-22, R-54: an entitled requester, two persons behind it, within the loss. Raises Refused."""
    body: Asked = heard.body
    check_entitled(requester, step.rules.me, body.ask)
    check_amounts(body)
    if heard.request in step.case.requests:
        raise Refused(f"request {heard.request} is known already", rule="R-24", code="known-request")
    me = step.rules.me
    if body.instructs and (me.id not in requester.instructs or me.country != requester.country):
        raise Refused(f"{requester.id} does not instruct {step.rules.me.id}", rule="R-54", code="not-entitled")
    if len(heard.officers) < KINDS["Request"].approvals:
        if heard.mandate is None:
            raise Refused("a request needs two officers' signatures or a mandate", rule="R-22", code="approvals")
        check_signers(heard.mandate, body, len(heard.officers))
        check_mandate(heard.mandate, replace(body, hops=0) if body.instructs else body,
                      step.rules.me.country, heard.tally.under_mandate, step.now)
    if heard.loss is None:
        raise Refused("the first request of a loss brings its loss act", rule="R-14", code="no-loss")
    known = step.case.loss_of(body)
    if known is not None and known != heard.loss:
        raise Refused(f"loss {body.loss} was stated otherwise before: it has one return account", rule="R-14",
                      code="wrong-loss")
    check_loss(heard.loss, body, heard.tally.of_loss)
    if heard.not_after is None or not step.now < heard.not_after <= step.now + LONGEST:
        raise Refused(f"a request says by when it may be applied, at most {LONGEST.days} days ahead", rule="R-30",
                      code="no-end")


def _wished(step: Step, heard: Heard, request: Request) -> None:
    secured = request.hold is not None and request.hold.state == "secured"
    if secured and heard.kind == "Release" and (request.relation == "pursues" or not heard.officers):
        step.anomaly("release-but-secured", "an order of this country holds the money", request.id)
    elif instructing.relay_down(step, heard):
        return
    elif request.relation == "pursues" and heard.kind in instructing.OURS_TO_SIGN:
        instructing.wish_for_officers(step, heard, request)
    elif heard.kind == "Approved":
        approving.heard_second(step, heard, request)
    elif heard.kind in APPLIED:
        APPLIED[heard.kind](step, request, heard.body, heard.officers)


def _told(step: Step, heard: Heard, request: Request) -> None:
    instructing.relay_up(step, heard)
    if request.relation == "instructs":
        return
    if heard.kind == "MovedOn":
        pursuing.heard_legs(step, request, heard.to_pursue(heard.body.legs))
    allocating.allocate(step)
    if heard.kind in (*HOLD_FACTS, *RETURN_FACTS):
        allocating.overshoot(step)


APPLIED: dict[str, Callable[[Step, Request, Any, tuple[str, ...]], None]] = {
    "Keep": lambda step, request, said, _: ending.keep(step, request, said),
    "Withdraw": lambda step, request, said, _: ending.withdraw(step, request, said),
    "Release": lambda step, request, said, _: ending.cut(step, request, said.to.minor, said.reason),
    "Decide": deciding.decided,
    "Extend": deciding.extend,
    "Secure": deciding.secure,
    "NamePayee": lambda step, request, said, _: returning.name_payee(step, request, said),
    "Return": lambda step, request, said, _: returning.announce(step, request, said),
    "Object": lambda step, request, said, _: returning.object_to(step, request, said),
    "DecideObjection": returning.decide_objection,
    "MoneyReturned": lambda step, request, said, _: returning.credited(step, request, said),
}


def receipted(step: Step, given: Receipted) -> None:
    delivered = Delivered(given.act, given.act_hash, given.outcome, given.code, given.reason)
    if given.outcome == "refused":
        step.note("ActRefused", delivered, given.request)
        step.escalate(f"refused {given.act}", "duty officer", given.request, f"{given.kind} refused: {given.code}")
    elif given.outcome == "undeliverable":  # no receipt at all: problem after problem
        step.escalate(f"undeliverable {given.act}", "operator", given.request, f"{given.kind}: {given.code}")
    elif given.kind == "Request":
        step.note("RequestDelivered", delivered, given.request)
