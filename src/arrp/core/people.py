"""Whom we have spoken to, who works on a case, and who may know it (R-91 to R-93)."""

from __future__ import annotations

from arrp.core.errors import Refused
from arrp.core.events import CalledBack, Restricted
from arrp.core.policy import Tally, strangers
from arrp.core.request import Request
from arrp.core.step import Command, Step

# --- first contact -------------------------------------------------------------------------------------------


def call_strangers(step: Step, request: Request, tally: Tally) -> None:
    """R-91: an officer calls each of them back, on a number of the directory, before anything is accepted."""
    requester = step.rules.participant(request.peer)
    for officer in strangers(step.rules.policy, requester, tally):
        _to_call(step, request, officer, f"first contact with {officer} of {request.peer}")


def _to_call(step: Step, request: Request, officer: str, why: str) -> None:
    step.escalate(f"call-back {request.id} {officer}", "duty officer", request.id, why)


def awaited(step: Step, request: Request) -> list[str]:
    """The officers behind a request who are still to be called back."""
    return sorted(call.officer for call in step.case.calls.get(request.id, ()) if not call.confirmed)


def check_called_back(step: Step, request: Request) -> None:
    """R-91: nothing is accepted from somebody nobody has spoken to. Raises Refused."""
    if left := awaited(step, request):
        raise Refused(f"first contact with {', '.join(left)} of {request.peer}: call back on a number of the "
                      "directory, then record it with call-back", rule="R-91", code="first-contact")


def call_back(step: Step, command: Command) -> None:
    """An officer called and says whether it was really theirs."""
    said: CalledBack = command.body
    request = step.case.request(command.request or "")
    step.rules.participant(request.peer).officer(said.officer)
    step.note("CallBackMade", said, request.id)
    if not said.confirmed:
        step.anomaly("call-back-failed", f"{said.officer} of {request.peer} did not confirm it", request.id)
        _to_call(step, request, said.officer, "the last call-back was denied")
        step.escalate(f"decide {request.id}", "duty officer", request.id, "a call-back was denied")


# --- who works on a case ----------------------------------------------------------------------------------------


def hand_over(step: Step, command: Command) -> None:
    """R-93: somebody has the ball; a shift ends with a name."""
    step.rules.me.officer(command.body.to)
    step.note("HandedOver", command.body)


def restrict(step: Step, command: Command) -> None:
    """R-92: only those named know the case. Whoever restricts it is one of them."""
    said: Restricted = command.body
    for officer in said.officers:
        step.rules.me.officer(officer)
    if said.officers and command.officer not in said.officers:
        raise Refused(f"name {command.officer} too: nobody locks themselves out", rule="R-92", code="need-to-know")
    step.note("CaseRestricted", said)


def check_knows(step: Step, officer: str) -> None:
    """R-92 for a command. Raises Refused, naming nothing of the case."""
    if step.case.only and officer not in step.case.only:
        raise Refused("this case is known to named officers only: ask one of them, or your redress officer",
                      rule="R-92", code="need-to-know")
