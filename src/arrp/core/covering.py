"""Which mandate a request of ours may leave under: by the node alone, or with one officer's signature (R-15, R-94)."""

from __future__ import annotations

from collections.abc import Iterator

from arrp.core.case import Case
from arrp.core.errors import Refused
from arrp.core.mandate import check_mandate, check_signers
from arrp.core.policy import Participant
from arrp.core.request import Asked
from arrp.core.step import Step


def covering(step: Step, body: Asked, peer: Participant, officers: int = 0) -> str | None:
    """The hash of the first mandate that lets this request leave with so many signatures; None where none does."""
    return next(all_covering(step, body, peer, officers), None)


def all_covering(step: Step, body: Asked, peer: Participant, officers: int) -> Iterator[str]:
    """The hash of each mandate that does."""
    if officers == 0 and is_half_signed(step.case):
        return  # its receiver wants a loss act that two signed
    candidates = [*([step.case.mandate] if step.case.mandate else []), *step.rules.standing]
    for act_hash, mandate in candidates:
        try:
            check_signers(mandate, body, officers)
            check_mandate(mandate, body, peer.country, used(step, act_hash), step.now)
        except Refused:
            continue
        yield act_hash


def used(step: Step, act_hash: str) -> int:
    """R-15: Σ claims asked under a mandate, in this case and, under a standing one, in all others."""
    here = (r.body.claim.minor for r in step.case.requests.values()
            if r.side == "requesting" and r.body.mandate_act == act_hash)
    return sum(here) + step.rules.elsewhere.get(act_hash, 0)


def is_half_signed(case: Case) -> bool:
    """Whether one officer signed the loss act: it counts for what one may send, and waits for the second (R-94)."""
    return case.loss_act is not None and case.loss_act[0] in case.by_one


def check_loss_act(step: Step, by_one: str | None) -> None:
    """R-14: what one officer sends needs a loss act of one, what two sign one of two. Raises Refused."""
    if by_one is not None and step.case.loss_act is None:
        raise Refused("there is no loss act yet: sign it first (arrp mandate open), one signature will do under the "
                      "standing mandate", rule="R-14", code="no-loss")
    if by_one is None and is_half_signed(step.case):
        raise Refused("one officer signed the loss act, and no mandate lets one send this: have a second officer sign "
                      "it first (arrp draft list)", rule="R-14", code="no-loss")
