"""The other side has no node: its acts wait for an officer to send them, its answers are typed (R-95 to R-97).

A typed answer becomes the same facts that the participant's own node would have said, and is heard
like them: there is one code for what a mirror makes of an answer.
"""

from __future__ import annotations

from dataclasses import replace

from arrp.core.by_hand import PAPER, AnsweredByHand, SentByHand, Way
from arrp.core.errors import Conflict, Refused
from arrp.core.events import KINDS, Event, LegsStated
from arrp.core.hearing import hear
from arrp.core.messages import Use
from arrp.core.paper_answer import check_letter, facts_of
from arrp.core.request import Leg, Request
from arrp.core.step import Command, Heard, Step

# --- out ------------------------------------------------------------------------------------------------------


def to_post(step: Step, event: Event) -> None:
    """R-95: what we say to a participant without a node waits for an officer, who is called at once."""
    peer = step.rules.participants.get(event.to)
    spoken = event.by == step.me and KINDS[event.kind].writer != "local"
    if spoken and peer is not None and peer.channel == "paper":
        why = f"{event.kind} to {event.to}: print it, send it, record it"
        step.escalate(f"post {event.act}", "duty officer", event.request, why)


def sent(step: Step, command: Command) -> None:
    """R-95: an officer sent it. It is not delivered by that: the clocks of a silent peer run on (R-33)."""
    said: SentByHand = command.body
    request = step.case.request(command.request or "")
    if said.how is Way.TELEPHONE:
        raise Refused("an act is not read out over the telephone: send it, then call", rule="R-95")
    if f"post {said.act}" not in step.case.escalated:
        raise Conflict(f"act {said.act} does not wait to be sent by hand; it was sent, or is not on paper", rule="R-95")
    step.note("SentByHand", replace(said, by=command.officer), request.id)


# --- in -------------------------------------------------------------------------------------------------------


def answered(step: Step, command: Command) -> None:
    """R-96: a letter was typed. What it says is heard as the participant's facts, marked unsigned."""
    said: AnsweredByHand = replace(command.body, by=command.officer)
    request = step.case.request(command.request or "")
    peer = step.rules.participant(request.peer)
    if request.side != "requesting":
        raise Refused(f"request {request.id} came to us: its answer is ours to give, not to type", rule="R-96",
                      code="not-ours")
    if peer.channel != "paper":
        raise Refused(f"{peer.id} has a node and says it itself: nothing is typed in its name", rule="R-96",
                      code="not-on-paper")
    check_letter(request, said)
    facts = list(facts_of(request, said, step.now))
    step.note("AnsweredByHand", said, request.id)
    for kind, body in facts:
        if isinstance(body, LegsStated):
            body = replace(body, legs=(*_pursued(step, request, body.legs), *body.legs))
        hear(step, Heard(PAPER, request.peer, kind, request.id, body, onward=Use.ASK))


def _pursued(step: Step, request: Request, told: tuple[Leg, ...]) -> list[Leg]:
    """Legs of an earlier letter that the newer one does not tell, but somebody was asked about already."""
    asked_after = {other.body.source.ref for other in step.case.wishes} - {leg.id for leg in told}
    return [leg for leg in request.legs if leg.id in asked_after]
