"""step(case, given, now, rules) -> events: the one pure function (R-01).

It never waits, reads, signs or throws dice; a deadline is a tick that came. This file only decides
which rule hears what; the rules are in hearing, requesting, instructing, holding, deciding, ending, returning.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from arrp.core import allocating, deciding, ending, hearing, holding, instructing, reading, requesting, returning
from arrp.core.answers import Found
from arrp.core.case import Case
from arrp.core.deadline import earliest
from arrp.core.errors import Conflict, Malformed
from arrp.core.events import CaseJoined, CoreAnswered, Decide, Event, Intent, Verb
from arrp.core.mandate import Mandate
from arrp.core.policy import Rules
from arrp.core.report import Report
from arrp.core.request import Asked, Request
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
    if command.verb not in COMMANDS:
        raise Malformed(f"there is no command {command.verb}; there are {', '.join(sorted(COMMANDS))}")
    rule, body = COMMANDS[command.verb]
    if not isinstance(command.body, body):
        raise Malformed(f"{command.verb} takes {body.__name__}, not {type(command.body).__name__}")
    rule(step, command)


def case_is_over(case: Case) -> bool:
    return case.state in ("closed", "joined")


# Each verb of an officer: its rule, and the class of its body.
COMMANDS: dict[str, deciding.Rule] = {
    "report": (requesting.report, Report),
    "mandate": (requesting.open_mandate, Mandate),
    "send": (requesting.send, Asked),
    "decide": (instructing.decide, Decide),
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


def _tick(step: Step, given: Tick) -> None:
    ending.clocks(step)
    returning.watch(step)
    reading.look(step)
    allocating.allocate(step)
    requesting.watch(step)


_GIVEN: dict[type, Callable[[Step, Any], None]] = {
    Command: _command,
    Heard: hearing.hear,
    CoreAnswer: _answered,
    Joined: holding.join,
    Approve: approve,
    Receipted: hearing.receipted,
    Tick: _tick,
}


def next_due(case: Case, rules: Rules) -> datetime | None:
    """The next instant at which time itself changes this case (R-42); None when it can rest."""
    if case_is_over(case):
        return None
    return earliest(*_dues(case, rules))


def _dues(case: Case, rules: Rules) -> list[datetime | None]:
    return [
        *ending.dues(case, rules),
        *returning.dues(case, rules),
        *allocating.dues(case, rules),
        *requesting.dues(case, rules),
        reading.look_due(case, rules),
    ]
