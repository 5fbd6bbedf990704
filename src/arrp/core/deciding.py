"""Decisions on a request that came to us, and what officers do about the holds they answer for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from arrp.core.case import Case
from arrp.core.deadline import Basis, Power, earliest, hours_after
from arrp.core.ending import confirm, end, extend_blocks
from arrp.core.errors import Malformed, Refused
from arrp.core.events import (
    KINDS,
    Answered,
    Decide,
    Dropped,
    Erased,
    Extend,
    NamePayee,
    Outcome,
    Resolved,
    Secure,
    Told,
)
from arrp.core.hold import Hold
from arrp.core.holding import stop
from arrp.core.people import check_called_back
from arrp.core.policy import Rules
from arrp.core.reading import find, is_looking
from arrp.core.request import Ask, Condition, Reason, Request
from arrp.core.requesting import may_close
from arrp.core.returning import in_force
from arrp.core.starting import SECURED_DAYS
from arrp.core.stating import refuse, state_hold
from arrp.core.step import Command, Step, draft_of

Rule = tuple[Callable[[Step, Command], None], type]  # what a command does, and the class of its body


def decided(step: Step, request: Request, said: Decide, officers: tuple[str, ...]) -> None:
    """R-55: the decision of whose power it is: our authority's, or our own officer's."""
    if not request.is_undecided:
        raise Refused(f"request {request.id} is {request.answer}: there is nothing to decide", rule="R-31",
                      code="ended")
    if not said.accepted:
        known_reason(said.reason)
        refuse(step, request, said.reason or Reason.AGNT)
        end(step, step.case.request(request.id), said.reason or Reason.AGNT)
        return
    check_called_back(step, request)
    if step.rules.me.kind != "authority" and step.rules.own_power() is None and not (said.basis and said.until):
        raise Refused("no adopted law here says how long: the decision names its basis and its end", rule="R-41",
                      code="no-end")
    step.tell("RequestAccepted", Answered(request.terms, basis=said.basis, until=said.until), request)
    request = step.case.request(request.id)
    if step.rules.me.kind != "authority":
        _hold_decided(step, request, said)


def _hold_decided(step: Step, request: Request, said: Decide) -> None:
    """A hold that stands is decided from now; where there is none, it may be placed now."""
    hold = request.hold
    if step.case.state == "joined":
        return  # its account is known, and its case takes the decision along
    if hold is None and request.id not in step.case.located:
        _look_up(step, request)
    elif hold is None or hold.state == "failed":
        find(step, request)
    elif hold is not None and hold.state == "provisional":
        # The legal end was computed when the hold was placed. It is not computed anew: a newer law, calendar or zone
        # moves nothing in silence.
        ends = earliest(hold.until, said.until)
        state_hold(step, request, "HoldDecided", hold.moved(
            "HoldDecided", decided=True, decide_by=None, basis=said.basis or hold.basis, until=ends))
        confirm(step, step.case.request(request.id))


def _look_up(step: Step, request: Request) -> None:
    """R-17: what is beyond the policy was perhaps not looked up before an officer decided it."""
    if request.body.ask is Ask.STOP:
        stop(step, request)
    elif not is_looking(step.case, request):
        find(step, request)


def known_reason(reason: str | None) -> None:
    """R-50: a refusal names one of the reasons both sides know. Raises Malformed."""
    if reason not in {known.value for known in Reason}:
        raise Malformed(f"{reason} is not a reason; there are {', '.join(Reason)}")


def check_extension(step: Step, hold: Hold, said: Extend, power: Power | None) -> None:
    """R-56: only before the instant, with a document, within the longest chain the law allows."""
    if hold.state != "confirmed" or hold.until is None or hold.placed_at is None:
        raise Refused(f"the hold is {hold.state}: only a confirmed hold is extended", rule="R-56")
    if said.until <= hold.until:
        raise Refused(f"it already lasts until {hold.until:%Y-%m-%dT%H:%MZ}", rule="R-56")
    if power is not None and said.until > power.end(power.chain, hold.placed_at):
        raise Refused(f"until {said.until:%Y-%m-%dT%H:%MZ} is beyond {power.chain} from placing", rule="R-56",
                      code="beyond-law")


def extend(step: Step, request: Request, said: Extend, officers: tuple[str, ...]) -> None:
    """R-56: the hold lasts longer, on the holder's power or that of the authority that instructs it."""
    hold, power = in_force(request), step.rules.own_power()
    if power is None and request.relation != "instructs":
        raise Refused("no adopted law says how long a hold may last: nothing is extended", rule="R-56")
    check_extension(step, hold, said, power)
    state_hold(step, request, "HoldExtended", hold.moved("HoldExtended", until=said.until, basis=said.basis))
    extend_blocks(step, step.case.request(request.id))


def secure(step: Step, request: Request, said: Secure, officers: tuple[str, ...]) -> None:
    """R-57: an order of the requested country; from here only review has a date."""
    hold = in_force(request)
    if said.review_at <= step.now:
        raise Refused(f"review at {said.review_at:%Y-%m-%dT%H:%MZ} is past: an order has a coming review", rule="R-57")
    if said.review_at > step.now + timedelta(days=SECURED_DAYS):
        raise Refused(f"review at {said.review_at:%Y-%m-%dT%H:%MZ} is more than {SECURED_DAYS} days ahead", rule="R-57")
    secured = hold.moved("HoldSecured", basis=said.basis, review_at=said.review_at, until=None)
    state_hold(step, request, "HoldSecured", secured)
    extend_blocks(step, step.case.request(request.id))


# --- commands that are not acts, or acts of one sort -------------------------------------------------------


# Acts that only one side of a conversation may wish.
_ONLY = {"Withdraw": "requesting", "Secure": "requested", "DecideObjection": "requested"}


def _act(kind: str) -> Rule:
    """An officer's act in a conversation: to the institution we instructed, or the peer we asked, or
    ourselves when the money is here."""

    def rule(step: Step, command: Command) -> None:
        request = step.case.request(command.request or "")
        down = step.case.instruction_of(request.id)
        needed = _ONLY.get(kind, request.side)
        instructs = request.side == "requesting" and request.relation == "instructs"
        if request.side != needed and not instructs:
            raise Refused(f"{kind} is for the {needed} side of request {request.id}", rule="R-24", code="not-ours")
        if request.side == "requesting":
            to, about = request.peer, request
        elif down is not None:
            to, about = down.peer, down
        else:
            to, about = step.me, request
        if kind == "Extend" and to != step.me:
            _check_extension_down(step, request, command.body)
        command = replace(command, request=about.id)
        step.draft(command, draft_of(step, command, kind, to, hours_after(step.now, step.rules.request_hours_max)))

    return (rule, KINDS[kind].body)


def name_payee(step: Step, command: Command) -> None:
    """R-70: the payee is the account the money was taken from: what opens its commitment is filled in
    from the report, so that the officers sign it and nobody types it."""
    said: NamePayee = command.body
    found = step.case.report
    if found is not None and said.ground == "DEBTOR":
        debtor = found.payments[0].debtor
        said = replace(said, salt=step.case.secret, account=debtor.account, name=debtor.name)
    _act("NamePayee")[0](step, replace(command, body=said))


def _check_extension_down(step: Step, request: Request, said: Extend) -> None:
    """What we would have to refuse we do not ask; an authority answers for its own power."""
    power = step.rules.own_power() if request.side == "requested" else None
    if request.side == "requested" and power is None and not said.basis.article:
        raise Refused("no adopted law gives this extension a basis: state it", rule="R-56")
    check_extension(step, in_force(request), said, power)


def _fact(kind: str, check: Callable[[Request, Any], Any]) -> Rule:
    """An officer states a fact of our side: no signature, it is told at once."""

    def rule(step: Step, command: Command) -> None:
        request = step.case.request(command.request or "")
        step.tell(kind, check(request, command.body), request)

    return (rule, KINDS[kind].body)


def _condition(request: Request, said: Answered) -> Answered:
    """R-55: what must come first is one of the conditions both sides know."""
    if said.condition not in {known.value for known in Condition}:
        raise Malformed(f"{said.condition} is not a condition; there are {', '.join(Condition)}")
    return Answered(request.terms, condition=said.condition, text=said.text)


def see(step: Step, command: Command) -> None:
    """An officer saw it (R-33)."""
    request = step.case.request(command.request or "")
    if request.side == "requested" and request.answer == "received":
        step.tell("RequestSeen", Answered(request.terms), request)


def check_may_tell(rules: Rules, hold: Hold) -> None:
    """R-72: where the law forbids it nobody tells the account holder of a hold: our own law, or that of the power the
    hold rests on, whoever's it is. Raises Refused."""
    for id in (rules.policy.power or "", hold.basis.power if hold.basis is not None else ""):
        power = rules.powers.get(id)
        if id in rules.untold or (power is not None and power.notice == "forbidden"):
            raise Refused(f"{_law_named(power, hold.basis)} forbids telling the account holder of a hold. Ask whoever "
                          "may lift that, or let the hold end", rule="R-72", code="notice-forbidden")


def _law_named(power: Power | None, basis: Basis | None) -> str:
    article, country = (power.article, power.country) if power is not None else (
        (basis.article, basis.country) if basis is not None else ("a power", "unknown"))
    return f"{article} ({country})"


def tell_holder(step: Step, command: Command) -> None:
    """R-72: who keeps the money tells the account holder; from here the time to object runs."""
    request = step.case.request(command.request or "")
    hold = in_force(request)
    if hold.holder != step.me:
        raise Refused("the institution that keeps the money tells the account holder", rule="R-72", code="not-ours")
    check_may_tell(step.rules, hold)
    step.note("HolderTold", Told(command.body.reference), request.id)


def drop(step: Step, command: Command) -> None:
    """An act that nobody approved is dropped; nothing of it ever left."""
    said: Dropped = command.body
    if said.act not in step.case.drafts:
        raise Refused(f"there is no draft {said.act}", rule="R-23")
    step.note("DraftDropped", said)


def resolve(step: Step, command: Command) -> None:
    """R-80: the outcome is coded."""
    step.note("CaseResolved", _coded(command.body))


def close(step: Step, command: Command) -> None:
    """R-80: every unit accounted for, or it does not close."""
    said = _coded(command.body)
    may_close(step)
    step.note("CaseClosed", said)


def _coded(said: Resolved) -> Resolved:
    if said.outcome not in set(Outcome):
        raise Malformed(f"{said.outcome} is not an outcome; there are {', '.join(Outcome)}")
    return said


def erase(step: Step, command: Command) -> None:
    """R-65: what is private in a closed case goes, for ever; what is left folds and verifies."""
    said: Erased = command.body
    if step.case.state != "closed":
        raise Refused(f"case {step.case.id} is {step.case.state}: only a closed case is erased. Close it first.",
                      rule="R-65", code="not-closed")
    step.note("CaseErased", said)


def forget(step: Step) -> None:
    """R-65: the time that our rules give to this kind of case is over."""
    at = forget_at(step.case, step.rules)
    if at is not None and step.now >= at:
        step.note("CaseErased", Erased("the time it is kept is over"))


def forget_at(case: Case, rules: Rules) -> datetime | None:
    if case.state != "closed" or case.closed is None:
        return None
    closed_at, outcome = case.closed
    return closed_at + (rules.keep_unfounded if outcome == Outcome.UNFOUNDED else rules.keep_closed)


COMMANDS: dict[str, Rule] = {
    "withdraw": _act("Withdraw"),
    "release": _act("Release"),
    "extend": _act("Extend"),
    "secure": _act("Secure"),
    "payee": (name_payee, NamePayee),
    "return": _act("Return"),
    "object": _act("Object"),
    "decide-objection": _act("DecideObjection"),
    "condition": _fact("RequestAcceptedOnCondition", _condition),
    "ask-more": _fact("MoreAsked", lambda request, said: replace(said, terms=request.terms)),
    "give-more": _fact("MoreGiven", lambda request, said: said),
    "credited": _fact("MoneyReturned", lambda request, said: said),
    "see": (see, object),
    "tell-holder": (tell_holder, Told),
    "drop": (drop, Dropped),
    "resolve": (resolve, Resolved),
    "close": (close, Resolved),
    "erase": (erase, Erased),
}
