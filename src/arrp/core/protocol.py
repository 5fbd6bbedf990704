"""step(case, given, now, rules) -> events: the one pure function (R-01).

It never waits, reads, signs or throws dice; a deadline is a tick that came. This file only decides
which rule hears what; the rules are in hearing, requesting, instructing, holding, deciding, ending, returning.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from arrp.core import (
    allocating,
    approving,
    correcting,
    deciding,
    disclosing,
    ending,
    guard,
    hearing,
    holding,
    instructing,
    on_paper,
    people,
    reading,
    recovering,
    requesting,
    returning,
)
from arrp.core.answers import Found
from arrp.core.by_hand import AnsweredByHand, SentByHand
from arrp.core.case import Case
from arrp.core.deadline import earliest
from arrp.core.errors import Conflict, Malformed
from arrp.core.events import (
    CalledBack,
    CaseJoined,
    CoreAnswered,
    Corrected,
    Decide,
    Disclosed,
    EraseAsked,
    Event,
    HandedOver,
    Intent,
    Restricted,
    Verb,
)
from arrp.core.mandate import Mandate
from arrp.core.policy import Rules
from arrp.core.report import Report
from arrp.core.request import Asked, Request
from arrp.core.roles import check_may_wish
from arrp.core.step import (
    Approve,
    Command,
    CoreAnswer,
    Given,
    Heard,
    Joined,
    Late,
    Receipted,
    Reconciled,
    Step,
    Tick,
)


def step(case: Case, given: Given, now: datetime, rules: Rules) -> list[Event]:
    """The events that follow. Raises Refused, Conflict, NotFound, Malformed for a command that may
    not be; a fact is never refused (R-32)."""
    return taken(case, given, now, rules).events


def taken(case: Case, given: Given, now: datetime, rules: Rules) -> Step:
    """The same step, with the case as it is then: nobody folds it again. Raises as `step`."""
    step = Step(case, given.ref if isinstance(given, CoreAnswer) else given.id, now, rules)
    _GIVEN[type(given)](step, given)
    for event in tuple(step.issued):
        _issued(step, event)
    for event in tuple(step.events):
        on_paper.to_post(step, event)
    return step


# --- our officers ------------------------------------------------------------------------------------


def _command(step: Step, command: Command) -> None:
    if case_is_over(step.case) and command.verb != "erase":
        raise Conflict(f"case {step.case.id} is {step.case.state}: nothing more can be done in it", rule="R-80")
    if command.verb not in COMMANDS:
        raise Malformed(f"there is no command {command.verb}; there are {', '.join(sorted(COMMANDS))}")
    check_may_wish(step.rules.me, command.officer, command.verb)
    people.check_knows(step, command.officer)
    rule, body = COMMANDS[command.verb]
    if not isinstance(command.body, body):
        raise Malformed(f"{command.verb} takes {body.__name__}, not {type(command.body).__name__}")
    rule(step, command)


def case_is_over(case: Case) -> bool:
    return case.state in ("closed", "joined", "erased")


# Each verb of an officer: its rule, and the class of its body.
COMMANDS: dict[str, deciding.Rule] = {
    "report": (requesting.report, Report),
    "mandate": (requesting.open_mandate, Mandate),
    "send": (requesting.send, Asked),
    "decide": (instructing.decide, Decide),
    "sent-by-hand": (on_paper.sent, SentByHand),
    "answered-by-hand": (on_paper.answered, AnsweredByHand),
    "call-back": (holding.called_back, CalledBack),
    "hand-over": (people.hand_over, HandedOver),
    "restrict": (people.restrict, Restricted),
    "correct": (correcting.correct, Corrected),
    "ask-erasure": (correcting.ask_erasure, EraseAsked),
    "disclose": (disclosing.disclose, Disclosed),
    **deciding.COMMANDS,
}


def _issued(step: Step, event: Event) -> None:
    """An act of ours left with its approvals: addressed to ourselves it is applied like any other."""
    if event.to == step.me:
        request = step.case.request(event.request or "")
        hearing.APPLIED[event.kind](step, request, event.body, event.officers)
    elif event.kind == "Decide":
        instructing.decided(step, event)
    elif event.kind == "Request":
        instructing.instructed(step, event)


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


def _late(step: Step, given: Late) -> None:
    """R-99: the clerk's time is over: somebody else is called, once for each task."""
    intent = step.case.intents.get(given.ref)
    if intent is not None:
        step.escalate(f"task {given.ref}", "second contact", intent.request, f"{intent.verb} is overdue")


def _tick(step: Step, given: Tick) -> None:
    deciding.forget(step)
    if case_is_over(step.case):
        return
    approving.watch(step)
    ending.clocks(step)
    returning.watch(step)
    reading.look(step)
    allocating.allocate(step)
    requesting.watch(step)
    guard.watch(step)


_GIVEN: dict[type, Callable[[Step, Any], None]] = {
    Command: _command,
    Heard: hearing.hear,
    CoreAnswer: _answered,
    Joined: holding.join,
    Reconciled: recovering.reconcile,
    Approve: approving.approve,
    Receipted: hearing.receipted,
    Late: _late,
    Tick: _tick,
}


def next_due(case: Case, rules: Rules) -> datetime | None:
    """The next instant at which time itself changes this case (R-42); None when it can rest."""
    if case_is_over(case):
        return deciding.forget_at(case, rules)
    return earliest(*_dues(case, rules))


def _dues(case: Case, rules: Rules) -> list[datetime | None]:
    return [
        *approving.dues(case, rules),
        *ending.dues(case, rules),
        *returning.dues(case, rules),
        *allocating.dues(case, rules),
        *requesting.dues(case, rules),
        *guard.dues(case, rules),
        reading.look_due(case, rules),
    ]
