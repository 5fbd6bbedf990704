"""The authority in the middle: it owns the decision, its institution owns the hold.

It restates each fact of the institution in its own conversation (`rests_on` = hash of that act) and
passes keeps and withdrawals down by itself. Same money, one hold id, never added up (R-54).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from arrp.core.covering import used
from arrp.core.deadline import Basis, hours_after
from arrp.core.deciding import known_reason
from arrp.core.errors import Refused
from arrp.core.events import (
    HOLD_FACTS,
    RETURN_FACTS,
    Answered,
    Decide,
    Event,
    HoldStated,
    LegsStated,
    ObjectionStated,
    ReturnStated,
)
from arrp.core.mandate import check_mandate, check_signers, is_by_mandate
from arrp.core.people import call_strangers, check_called_back
from arrp.core.policy import Participant, Tally, beyond_policy
from arrp.core.request import ANSWER, Asked, Request, Terms
from arrp.core.stating import told_onward
from arrp.core.step import Command, Heard, Step, draft_of

# What goes down by itself, and what comes up restated. Anything else is an officer's act.
DOWN = frozenset({"Keep", "Withdraw", "Release", "NamePayee", "MoneyReturned", "MoreGiven", "Object"})
UP = frozenset({*HOLD_FACTS, *RETURN_FACTS, "MovedOn", "RequestStands", "ObjectionRaised", "ObjectionDecided",
                "RequestRefused", "RequestEnded"})


def receive(step: Step, request: Request, tally: Tally) -> None:
    """R-17, R-54: instruct the holder at once where policy, law and a standing mandate allow."""
    step.note("RequestReceived", Answered(request.terms), request.id)
    why = _not_at_once(step, request, tally)
    if why:
        step.escalate(f"decide {request.id}", "duty officer", request.id, why)
        call_strangers(step, request, tally)
        return
    instruct(step, request)


def _not_at_once(step: Step, request: Request, tally: Tally) -> str | None:
    holder, power = _holder(step, request), step.rules.own_power()
    if holder is None:
        return "no institution in the directory is ours to instruct for this account"
    if power is None or power.provisional is None:
        return "no adopted law allows an instruction before an officer decided"
    if _standing(step, request.body) is None:
        return "no standing mandate covers an instruction"
    requester = step.rules.participant(request.peer)
    return beyond_policy(step.rules.policy, requester, request.body, tally, is_by_mandate(request))


def _holder(step: Step, request: Request) -> Participant | None:
    holder = step.rules.answering_for(request.body.institution)
    return holder if holder is not None and holder.id in step.rules.me.instructs else None


def _standing(step: Step, body: Asked) -> str | None:
    for act_hash, mandate in step.rules.standing:
        try:
            check_signers(mandate, body, 0)
            check_mandate(mandate, replace(body, hops=0), step.rules.me.country, used(step, act_hash), step.now)
        except Refused:
            continue
        return act_hash
    return None


def instruct(step: Step, request: Request) -> None:
    holder, mandate = _holder(step, request), _standing(step, request.body)
    assert holder is not None
    assert request.not_after is not None
    body = replace(instruction(step, request), mandate_act=mandate)
    step.ask(step.new_id("instruct", request.id), holder.id, body, request.not_after)


def instruction(step: Step, request: Request) -> Asked:
    """The body of the instruction that executes `request`, on our own power."""
    return replace(request.body, instructs=request.id, pursues=None, basis=basis(step), mandate_act=None)


def basis(step: Step) -> Basis | None:
    power = step.rules.own_power()
    return Basis(power.id, power.country, power.article, step.rules.me.name) if power else None


def decide(step: Step, command: Command) -> None:
    """An officer decides. With an instruction out, the decision goes down as a signed `Decide`;
    accepting without one drafts the instruction itself, which then carries the decision (R-54)."""
    request = step.case.request(command.request or "")
    if request.side != "requested" or not request.is_undecided:
        raise Refused(f"request {request.id} is {request.answer}: there is nothing to decide", rule="R-31")
    if request.body.instructs and command.body.accepted:
        raise Refused(f"{request.peer} decides what it instructs: here one can only say why it cannot be done",
                      rule="R-54")
    if command.body.accepted:
        check_called_back(step, request)
    said = stated(step, command.body)
    down = step.case.instruction_of(request.id)
    if down is not None and down.is_open:
        to, about, kind = down.peer, down.id, "Decide"
    elif said.accepted and step.rules.me.kind == "authority":
        _draft_instruction(step, command, request, said)
        return
    else:
        to, about, kind = step.me, request.id, "Decide"
    step.draft(command, draft_of(step, replace(command, request=about, body=said), kind, to, request.not_after))


def stated(step: Step, said: Decide) -> Decide:
    """R-41: whose power it is states basis and end once; without an adopted law an officer names both."""
    if not said.accepted:
        known_reason(said.reason)
        return said
    power = step.rules.own_power()
    ends = said.until or (power.end(power.longest, step.now) if power else None)
    if ends is None or (said.basis is None and power is None):
        raise Refused("no adopted law gives this decision an end: state its basis and until", rule="R-41")
    return replace(said, basis=said.basis or basis(step), until=ends)


def _draft_instruction(step: Step, command: Command, request: Request, said: Decide) -> None:
    holder = _holder(step, request)
    if holder is None:
        raise Refused(
            f"{request.body.institution} is not ours to instruct: refuse with NOT_COMPETENT, or name who can",
            rule="R-18",
        )
    body = replace(instruction(step, request), basis=said.basis, until=said.until)
    about = step.new_id("instruct", request.id)
    step.draft(command, draft_of(step, replace(command, request=about, body=body), "Request", holder.id,
                                 request.not_after))


def decided(step: Step, event: Event) -> None:
    """Our decision left: it is our answer to the requester, set once."""
    down = step.case.request(event.request or "")
    up = step.case.requests.get(down.body.instructs or "")
    if up is None or not up.is_undecided:
        return
    said: Decide = event.body
    kind = "RequestAccepted" if said.accepted else "RequestRefused"
    terms = up.terms if said.accepted else let_go(up)
    step.tell(kind, Answered(terms, reason=said.reason, basis=said.basis, until=said.until), up)


def let_go(request: Request) -> Terms:
    """The terms of a request that stands no longer, as far as its mirror knows them."""
    terms = request.terms
    return replace(terms, pending=0, let_go=terms.let_go + terms.pending)


def instructed(step: Step, event: Event) -> None:
    """An instruction that carries the decision left: answer the requester."""
    body: Asked = event.body
    up = step.case.requests.get(body.instructs or "")
    if up is not None and body.until is not None and up.is_undecided:
        step.tell("RequestAccepted", Answered(up.terms, basis=body.basis, until=body.until), up)


# --- relay ---------------------------------------------------------------------------------------------


def relay_up(step: Step, heard: Heard) -> None:
    """R-54: restate a fact of the institution in the conversation with who asked us. The answer is
    ours: it ends once, and what was accepted is not refused any more, it ends."""
    down = step.case.requests.get(heard.request)
    up = step.case.requests.get(down.body.instructs or "") if down else None
    if up is None or heard.kind not in UP:
        return
    kind = heard.kind
    if kind in ("RequestRefused", "RequestEnded"):
        if up.answer in ANSWER.ends:
            return
        kind = kind if (up.answer, kind) in ANSWER.moves else "RequestEnded"
    step.tell(kind, restated(step, heard, up), up)


def restated(step: Step, heard: Heard, up: Request) -> Any:
    """The same fact, resting on the institution's act, with what its reader may see (R-62)."""
    body = heard.body
    if isinstance(body, HoldStated | ReturnStated):
        return replace(body, hold=replace(body.hold, request=up.id), rests_on=heard.id)
    if isinstance(body, LegsStated):
        legs = tuple(told_onward(step, up, replace(leg, request=up.id)) for leg in body.legs)
        return replace(body, legs=heard.to_pursue(legs), rests_on=heard.id)
    if isinstance(body, ObjectionStated | Answered):
        return replace(body, rests_on=heard.id)
    raise AssertionError(f"no way to restate {heard.kind}")


def relay_down(step: Step, heard: Heard) -> bool:
    """Pass what the requester wishes on to the holder. False when there is nobody to pass it to."""
    down = step.case.instruction_of(heard.request)
    if down is None or heard.kind not in DOWN:
        return False
    if down.is_open or (heard.kind == "MoneyReturned" and down.answer not in ANSWER.ends):
        step.tell(heard.kind, heard.body, down)
    return True


# What a requester may wish for, and officers here must sign before it is done.
OURS_TO_SIGN = frozenset({"Extend", "Return"})
# What is never the requester's: the decision, an order of this country, the account holder's objection.
OURS_ALONE = frozenset({"Decide", "Secure", "DecideObjection"})


def check_whose(heard: Heard, request: Request) -> None:
    """R-55, R-70: a requester does not decide its own request, nor alone who is paid. Raises Refused."""
    pursues = request.relation == "pursues"
    if pursues and heard.kind in OURS_ALONE:
        raise Refused(f"{heard.kind} belongs to the requested country, not to {heard.sender}", rule="R-55",
                      code="not-competent")
    if heard.kind == "NamePayee" and heard.body.ground != "DEBTOR" and (pursues or len(set(heard.officers)) < 2):
        raise Refused(f"{heard.sender} alone cannot name another payee", rule="R-70", code="wrong-payee")


def wish_for_officers(step: Step, heard: Heard, request: Request) -> None:
    """R-56, R-71: what a requester wishes and we must sign lies ready as a draft of ours."""
    down = step.case.instruction_of(request.id)
    about, to = (down, down.peer) if down is not None else (request, step.me)
    wish = Command(heard.id, heard.kind, heard.sender, about.id, heard.body)
    not_after = hours_after(step.now, step.rules.request_hours_max)
    step.draft(wish, draft_of(step, wish, heard.kind, to, not_after))
    step.escalate(f"sign {heard.id}", "duty officer", request.id, f"{heard.sender} wishes {heard.kind}")
