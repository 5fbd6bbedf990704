"""What was told and is wrong, or shall be forgotten: said on to everybody who was told (R-65, R-74)."""

from __future__ import annotations

from dataclasses import replace

from arrp.core.errors import Malformed
from arrp.core.events import Corrected, EraseAsked, Objection
from arrp.core.request import Request
from arrp.core.step import Command, Heard, Step

# What a correction may be about. The right words go in its text, which is private.
WRONG = ("account", "person", "amount", "crime", "report")
# Objections that, upheld, say that the account or the person was the wrong one.
_MISTAKEN = {"WRONG_ACCOUNT": "account", "IDENTITY_MISUSED": "person"}

Said = Corrected | EraseAsked


def correct(step: Step, command: Command) -> None:
    """R-74: an officer corrects what was said about an account."""
    said: Corrected = command.body
    if said.what not in WRONG:
        raise Malformed(f"{said.what} cannot be corrected; {', '.join(WRONG)} can")
    _say(step, "Corrected", replace(said, id=step.new_id(command.id)), step.case.request(command.request or ""))


def ask_erasure(step: Step, command: Command) -> None:
    """R-65: an officer asks everybody who was told to erase what they no longer need."""
    said: EraseAsked = command.body
    _say(step, "EraseAsked", replace(said, id=step.new_id(command.id)), step.case.request(command.request or ""))


def after_objection(step: Step, request: Request, decided: Objection) -> None:
    """R-74: who was told a wrong account hears it without anybody having to think of it."""
    if decided.state == "upheld" and decided.ground in _MISTAKEN:
        id = step.new_id("correct", decided.id)
        _say(step, "Corrected", Corrected(id, _MISTAKEN[decided.ground], f"objection {decided.id} upheld"), request)


def heard(step: Step, given: Heard, request: Request) -> None:
    """A person looks at it here, and whoever we told hears it too. Once, by its id."""
    said: Said = given.body
    known = said.id in step.case.passed_on
    step.hear(given)
    if known:
        return
    asked = f"to correct the {said.what}" if isinstance(said, Corrected) else f"to erase it: {said.basis}"
    step.escalate(f"{'correct' if isinstance(said, Corrected) else 'erase'} {said.id}", "data-protection officer",
                  request.id, f"{given.sender} asks {asked}")
    _say(step, given.kind, said, request, but=request.id)


def _say(step: Step, kind: str, said: Said, about: Request, but: str = "") -> None:
    """In each conversation about that account, except the one in which we heard it: another may be
    another case there."""
    for request in tuple(step.case.requests.values()):
        if request.body.account == about.body.account and request.id != but:
            step.tell(kind, said, request)
