"""Decisions on a request that came to us, and what officers do about the holds they answer for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from arrp.core.deadline import hours_after, until
from arrp.core.ending import confirm, end, extend_blocks
from arrp.core.errors import Refused
from arrp.core.events import Answered, Decide, Dropped, Extend, Resolved, Secure, Told
from arrp.core.holding import stop
from arrp.core.reading import find
from arrp.core.request import Ask, Reason, Request
from arrp.core.requesting import may_close
from arrp.core.returning import in_force
from arrp.core.stating import refuse, state_hold
from arrp.core.step import Command, Step, draft_of

# A secured hold has no end but review; the core is told a date far enough that review always comes first.
SECURED_DAYS = 3650


def decided(step: Step, request: Request, said: Decide, officers: tuple[str, ...]) -> None:
    """R-55: the decision of whose power it is: our authority's, or our own officer's."""
    if not request.is_open:
        raise Refused(f"request {request.id} is {request.answer}: there is nothing to decide", rule="R-31",
                      code="ended")
    if not said.accepted:
        refuse(step, request, said.reason or Reason.AGNT)
        end(step, step.case.request(request.id), said.reason or Reason.AGNT)
        return
    step.tell("RequestAccepted", Answered(request.terms, basis=said.basis, until=said.until), request)
    request = step.case.request(request.id)
    if step.rules.me.kind != "authority":
        _hold_decided(step, request, said)


def _hold_decided(step: Step, request: Request, said: Decide) -> None:
    """A hold that stands is decided from now; where there is none, it may be placed now."""
    hold = request.hold
    if hold is None and request.body.ask is Ask.STOP:
        stop(step, request)
    elif hold is None and request.id in step.case.located:
        find(step, request)
    elif hold is not None and hold.state == "provisional" and hold.placed_at is not None:
        power = step.rules.own_power()
        ends = until(power, hold.placed_at, said.until) if power else said.until
        state_hold(step, request, "HoldDecided", hold.moved(
            "HoldDecided", decided=True, decide_by=None, basis=said.basis or hold.basis, until=ends))
        confirm(step, step.case.request(request.id))


def extend(step: Step, request: Request, said: Extend, officers: tuple[str, ...]) -> None:
    """R-56: only before the instant, with a document, within the longest chain the law allows."""
    hold, power = in_force(request), step.rules.own_power()
    if hold.state != "confirmed" or hold.until is None or hold.placed_at is None:
        raise Refused(f"the hold is {hold.state}: only a confirmed hold is extended", rule="R-56")
    if power is None or said.until > hours_after(hold.placed_at, power.chain_hours_max):
        longest = f"{power.chain_hours_max} hours from placing" if power else "nothing: no adopted law"
        raise Refused(f"until {said.until:%Y-%m-%dT%H:%MZ} is beyond {longest}", rule="R-56", code="beyond-law")
    if said.until <= hold.until:
        raise Refused(f"it already lasts until {hold.until:%Y-%m-%dT%H:%MZ}", rule="R-56")
    state_hold(step, request, "HoldExtended", hold.moved("HoldExtended", until=said.until, basis=said.basis))
    extend_blocks(step, step.case.request(request.id), said.until)


def secure(step: Step, request: Request, said: Secure, officers: tuple[str, ...]) -> None:
    """R-57: an order of the requested country; from here only review has a date."""
    hold = in_force(request)
    secured = hold.moved("HoldSecured", basis=said.basis, review_at=said.review_at, until=None)
    state_hold(step, request, "HoldSecured", secured)
    extend_blocks(step, step.case.request(request.id), said.review_at + timedelta(days=SECURED_DAYS))


# --- commands that are not acts, or acts of one sort -------------------------------------------------------


def _act(kind: str) -> Callable[[Step, Command], None]:
    """An officer's act in a conversation: to the institution we instructed, or the peer we asked, or
    ourselves when the money is here."""

    def rule(step: Step, command: Command) -> None:
        request = step.case.request(command.request or "")
        down = step.case.instruction_of(request.id)
        if request.side == "requesting":
            to, about = request.peer, request
        elif down is not None:
            to, about = down.peer, down
        else:
            to, about = step.me, request
        command = replace(command, request=about.id)
        step.draft(command, draft_of(step, command, kind, to, about.not_after))

    return rule


def _fact(kind: str, body: Callable[[Request, Any], Any]) -> Callable[[Step, Command], None]:
    """An officer states a fact of our side: no signature, it is told at once."""

    def rule(step: Step, command: Command) -> None:
        request = step.case.request(command.request or "")
        step.tell(kind, body(request, command.body), request)

    return rule


def see(step: Step, command: Command) -> None:
    """An officer saw it (R-33)."""
    request = step.case.request(command.request or "")
    if request.answer == "received":
        step.tell("RequestSeen", Answered(request.terms), request)


def tell_holder(step: Step, command: Command) -> None:
    request = step.case.request(command.request or "")
    in_force(request)
    step.note("HolderTold", Told(command.body.reference), request.id)


def drop(step: Step, command: Command) -> None:
    """An act that nobody approved is dropped; nothing of it ever left."""
    said: Dropped = command.body
    if said.act not in step.case.drafts:
        raise Refused(f"there is no draft {said.act}", rule="R-23")
    step.note("DraftDropped", said)


def resolve(step: Step, command: Command) -> None:
    said: Resolved = command.body
    step.note("CaseResolved", said)


def close(step: Step, command: Command) -> None:
    """R-80: every unit accounted for, or it does not close."""
    may_close(step)
    step.note("CaseClosed", command.body)


COMMANDS: dict[str, Callable[[Step, Command], None]] = {
    "withdraw": _act("Withdraw"),
    "release": _act("Release"),
    "extend": _act("Extend"),
    "secure": _act("Secure"),
    "payee": _act("NamePayee"),
    "return": _act("Return"),
    "object": _act("Object"),
    "decide-objection": _act("DecideObjection"),
    "condition": _fact("RequestAcceptedOnCondition",
                       lambda request, said: replace(said, terms=request.terms)),
    "ask-more": _fact("MoreAsked", lambda request, said: replace(said, terms=request.terms)),
    "give-more": _fact("MoreGiven", lambda request, said: said),
    "credited": _fact("MoneyReturned", lambda request, said: said),
    "see": see,
    "tell-holder": tell_holder,
    "drop": drop,
    "resolve": resolve,
    "close": close,
}
