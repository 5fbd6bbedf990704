"""step(case, given, now, rules) -> events: the one pure function (R-01).

It never waits, reads, signs or throws dice; a deadline is a tick that came. This file only decides
which rule hears what; the rules are in requesting, instructing, holding, deciding, returning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from arrp.core import deciding, ending, holding, instructing, reading, requesting, returning
from arrp.core.answers import Found
from arrp.core.case import Case
from arrp.core.deadline import earliest
from arrp.core.errors import Conflict, Malformed, Refused
from arrp.core.events import (
    HOLD_FACTS,
    KINDS,
    RETURN_FACTS,
    CaseJoined,
    CoreAnswered,
    Delivered,
    Event,
    Intent,
    Signed,
    Verb,
)
from arrp.core.mandate import check_loss, check_mandate
from arrp.core.policy import Rules, check_entitled
from arrp.core.request import ANSWER, Request
from arrp.core.stating import finish
from arrp.core.step import Approve, Command, CoreAnswer, Given, Heard, Joined, Receipted, Step, Tick, approve


def step(case: Case, given: Given, now: datetime, rules: Rules) -> list[Event]:
    """The events that follow. Raises Refused, Conflict, NotFound, Malformed for a command that may
    not be; a fact is never refused (R-32)."""
    taken = Step(case, given.ref if isinstance(given, CoreAnswer) else given.id, now, rules)
    _GIVEN[type(given)](taken, given)
    for event in tuple(taken.issued):
        _issued(taken, event)
    return taken.events


# --- our officers ------------------------------------------------------------------------------------


def _command(step: Step, command: Command) -> None:
    if case_is_over(step.case):
        raise Conflict(f"case {step.case.id} is {step.case.state}: nothing more can be done in it", rule="R-80")
    rule = COMMANDS.get(command.verb)
    if rule is None:
        raise Malformed(f"there is no command {command.verb}; there are {', '.join(sorted(COMMANDS))}")
    rule(step, command)


def case_is_over(case: Case) -> bool:
    return case.state in ("closed", "joined")


COMMANDS: dict[str, Callable[[Step, Command], None]] = {
    "report": requesting.report,
    "mandate": requesting.open_mandate,
    "send": requesting.send,
    "decide": instructing.decide,
    **deciding.COMMANDS,
}


def _issued(step: Step, event: Event) -> None:
    """An act of ours left with its approvals: addressed to ourselves it is applied like any other."""
    if event.to == step.me:
        request = step.case.request(event.request or "")
        _APPLIED[event.kind](step, request, event.body, event.officers)
    elif event.kind == "Decide":
        instructing.decided(step, event)
    elif event.kind == "Request":
        instructing.instructed(step, event)


# --- peers -------------------------------------------------------------------------------------------


def _hear(step: Step, heard: Heard) -> None:
    """R-24: who may say it; then commands are applied or refused, facts always written down."""
    if heard.kind == "Request":
        _hear_request(step, heard)
        return
    row = KINDS[heard.kind]
    request = step.case.requests.get(heard.request)
    if request is None:
        _early(step, heard)
        return
    side = {"requested": "requesting", "requesting": "requested"}[row.writer]
    if request.side != side or request.peer != heard.sender:
        raise Refused(f"{heard.sender} is not the {row.writer} side of {request.id}", rule="R-24", code="not-a-party")
    if row.command and len(heard.officers) < row.approvals and heard.kind not in instructing.DOWN:
        raise Refused(f"{heard.kind} needs {row.approvals} officers' signatures", rule="R-22", code="approvals")
    _mark_jump(step, heard, request)
    step.hear(heard)
    request = step.case.request(heard.request)
    if row.writer == "requesting":
        _wished(step, heard, request)
    else:
        _told(step, heard, request)


def _early(step: Step, heard: Heard) -> None:
    """A withdrawal that came before its request: the request will find it withdrawn (R-27)."""
    if heard.kind != "Withdraw":
        raise Refused(f"request {heard.request} is not known here", rule="R-24", code="unknown-request")
    step.anomaly("early", f"{heard.kind} of {heard.request} came first", heard.request)


def _mark_jump(step: Step, heard: Heard, request: Request) -> None:
    """R-32: a mirror adopts the owner's latest word and marks a jump."""
    answer = {"RequestAccepted": "accepted", "RequestRefused": "refused", "MoreAsked": "more_asked"}.get(heard.kind)
    if answer and ANSWER.jumps(request.answer, heard.kind, answer):
        step.anomaly("jump", f"{heard.kind} after {request.answer}", request.id)


def _hear_request(step: Step, heard: Heard) -> None:
    requester = step.rules.participant(heard.sender)
    check_entitled(requester, step.rules.me, heard.body.ask)
    if len(heard.officers) < KINDS["Request"].approvals:
        if heard.mandate is None:
            raise Refused("a request needs two officers' signatures or a mandate", rule="R-22", code="approvals")
        check_mandate(heard.mandate, replace(heard.body, hops=0) if heard.body.instructs else heard.body,
                      step.rules.me.country, heard.tally.under_mandate, step.now)
    if heard.loss is None:
        raise Refused("the first request of a loss brings its loss act", rule="R-14", code="no-loss")
    check_loss(heard.loss, heard.body, heard.tally.of_loss)
    step.hear(heard)
    step.note("LossSigned", Signed("", heard.body.loss_act or "", (), None, heard.loss), heard.request)
    request = step.case.request(heard.request)
    if request.wish == "withdrawn":
        finish(step, request, "WITHDRAWN")
    elif step.rules.me.kind == "authority":
        instructing.receive(step, request, heard.tally)
    else:
        holding.receive(step, request, heard.tally)


def _wished(step: Step, heard: Heard, request: Request) -> None:
    if instructing.relay_down(step, heard):
        return
    if heard.kind in _APPLIED:
        _APPLIED[heard.kind](step, request, heard.body, heard.officers)


def _told(step: Step, heard: Heard, request: Request) -> None:
    instructing.relay_up(step, heard)
    if request.relation == "instructs":
        return
    if heard.kind == "MovedOn":
        requesting.heard_legs(step, request, heard.body.legs)
    if heard.kind in (*HOLD_FACTS, *RETURN_FACTS):
        requesting.heard_hold(step, request)
    elif KINDS[heard.kind].writer == "requested":
        requesting.allocate(step)


_APPLIED: dict[str, Callable[[Step, Request, Any, tuple[str, ...]], None]] = {
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
}


def _receipted(step: Step, given: Receipted) -> None:
    delivered = Delivered(given.act, given.act_hash, given.outcome, given.code, given.reason)
    if given.outcome == "refused":
        step.note("ActRefused", delivered, given.request)
        step.escalate(f"refused {given.act}", f"{given.code}: {given.reason}", given.request)
    elif given.kind == "Request":
        step.note("RequestDelivered", delivered, given.request)


# --- the core ------------------------------------------------------------------------------------------


def _answered(step: Step, given: CoreAnswer) -> None:
    """What the core said to an open intent. An answer to none is recorded, never acted on."""
    intent = step.case.intents.get(given.ref)
    if intent is None:
        step.anomaly("answer-to-nothing", f"the core answered {given.ref}, which is not open")
        return
    outcome = type(given.answer).__name__
    step.note("CoreAnswered", CoreAnswered(given.ref, intent.verb, outcome), intent.request)
    request = step.case.request(intent.request)
    _AFTER[intent.verb](step, request, intent, given)


def _found(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    """The account is known: in the account's own case we read on; a waiting case joins it (R-03)."""
    assert isinstance(given.answer, Found)
    if request.id in step.case.located:
        holding.look_at(step, request, given)
    else:
        step.note("CaseJoined", CaseJoined(given.answer.account_ref), request.id)


_AFTER: dict[Verb, Callable[[Step, Request, Intent, CoreAnswer], None]] = {
    Verb.FIND: _found,
    Verb.HOLD: holding.placed,
    Verb.RELEASE: ending.released,
    Verb.EXTEND: ending.extended,
    Verb.GIVE_BACK: returning.sent_back,
    Verb.STOP: holding.stopped,
}


def _tick(step: Step, given: Tick) -> None:
    ending.clocks(step)
    returning.watch(step)
    reading.look(step)
    requesting.watch(step)


_GIVEN: dict[type, Callable[[Step, Any], None]] = {
    Command: _command,
    Heard: _hear,
    CoreAnswer: _answered,
    Joined: holding.join,
    Approve: approve,
    Receipted: _receipted,
    Tick: _tick,
}


def next_due(case: Case, rules: Rules) -> datetime | None:
    """The next instant at which time itself changes this case (R-42); None when it can rest."""
    if case_is_over(case):
        return None
    return earliest(*_dues(case, rules))


def _dues(case: Case, rules: Rules) -> list[datetime | None]:
    dues: list[datetime | None] = []
    for request in case.requests.values():
        dues.append(ending.due(request, case.me))
    dues += returning.dues(case, case.me)
    dues += requesting.dues(case, rules)
    dues.append(reading.look_due(case, rules))
    return dues
