"""What may be told to whom (R-53, R-62): an officer tells where money went on a basis of their own, and the table of
fields and recipients as far as a fact of ours has a field that not every reader may have.

Legs are cut where they are stated (core/stating.py), because what is not told is asked of an officer. The rest is left
out only of what leaves: in our own log it stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from arrp.core.case import Case, apply
from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.events import Answered, Event, HoldStated, LegsStated, ObjectionStated, ReturnStated
from arrp.core.hold import Hold
from arrp.core.policy import Rules
from arrp.core.reading import find, is_looking
from arrp.core.request import Leg, Request
from arrp.core.stating import is_authority, told_onward
from arrp.core.step import Command, Step

# --- an officer tells ----------------------------------------------------------------------------------------


def disclose(step: Step, command: Command) -> None:
    """R-53: what our adopted law does not let be told is told by an officer, who names another basis. Raises Refused,
    NotFound, Malformed."""
    request, said = step.case.request(command.request or ""), command.body
    if not said.basis.strip():
        raise Malformed("say on which basis: an article, a consent, an order", rule="R-53")
    leg = _to_disclose(step, request, said.leg)
    if leg.onward == "free":
        raise Conflict(f"leg {leg.id} was told already: {request.peer} knows where it went", rule="R-53")
    step.note("LegDisclosed", said, request.id)
    down = step.case.instruction_of(request.id)
    if down is None:
        if not is_looking(step.case, request):
            find(step, request)
        return
    legs = tuple(told_onward(step, request, replace(one, request=request.id)) for one in down.legs)
    step.tell("MovedOn", LegsStated(legs, request.terms, 0, step.case.last_act.get(down.id)), request)


def _to_disclose(step: Step, request: Request, id: str) -> Leg:
    if request.side != "requested" or request.body.instructs or not request.is_open:
        raise Refused(f"request {request.id} is none that another asked and that stands here: there is nothing to tell",
                      rule="R-53", code="not-ours")
    if not is_authority(step.rules, request.peer):
        raise Refused(f"{request.peer} is no authority: nobody else is told where money went", rule="R-62",
                      code="not-entitled")
    for leg in request.legs:
        if leg.id == id:
            return leg
    known = ", ".join(leg.id for leg in request.legs)
    raise NotFound(f"request {request.id} has no leg {id[:40]}; there are {known or 'none'}")


# --- what leaves -----------------------------------------------------------------------------------------------


def as_told(case: Case, said: Sequence[Event], rules: Rules) -> dict[str, Any]:
    """R-62: of the acts among these events that leave with less than we write down, the body as its reader may have
    it, by act id. Our own authority, which instructs us, knows all of it."""
    less = [event for event in said if event.by == rules.me.id and event.to not in ("", event.by)
            and _may_be_less(event, rules)]
    known = reduce(apply, said, case).requests if less else {}
    of = [(event, known.get(event.request or "")) for event in less]
    return {event.act: _as_told(event, rules) for event, request in of
            if request is not None and request.side == "requested" and not request.body.instructs}


def _may_be_less(event: Event, rules: Rules) -> bool:
    return isinstance(event.body, ObjectionStated) or not is_authority(rules, event.to)


def _as_told(event: Event, rules: Rules) -> Any:
    body, to_authority, power = event.body, is_authority(rules, event.to), rules.own_power()
    if isinstance(body, ObjectionStated):
        tells = power.tells if power is not None and to_authority else ()
        text = body.objection.text if "holder" in tells else ""
        return replace(body, objection=replace(body.objection, text=text, officer=""))
    if to_authority:
        return body
    if isinstance(body, HoldStated | ReturnStated):
        return replace(body, hold=_without_reference(body.hold))
    return replace(body, restrained_by=None) if isinstance(body, Answered) else body


def _without_reference(hold: Hold) -> Hold:
    return replace(hold, reference="", credits=tuple(replace(one, reference="") for one in hold.credits))
