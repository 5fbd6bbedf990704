"""The allocation of a loss over its holds: what is kept where, and what goes free (R-16, R-43).

Keeping is an act of the node under what officers signed: a sleeping officer releases nothing. It
counts claims, so that holds in several assets together never exceed the loss.
"""

from __future__ import annotations

from datetime import datetime

from arrp.core.case import Case
from arrp.core.events import Keep
from arrp.core.money import Amount
from arrp.core.policy import Rules
from arrp.core.request import Request
from arrp.core.step import Step
from arrp.core.sums import reserved, total


def allocate(step: Step) -> None:
    """R-16, R-43: Keep at once while Σ may still be bound ≤ loss, else in order of answers when all
    have answered or ten minutes before the first end. The rest goes free once all Keeps are answered."""
    loss = total(step.case)
    if loss is None:
        return
    wishes = [r for r in step.case.wishes if r.hold is not None and r.hold.in_force and r.is_open]
    unkept = [r for r in wishes if r.keep is None]
    if unkept and _time_to_keep(step, loss.minor, unkept):
        bound = sum(min(r.kept_claim, reserved(r)) for r in step.case.wishes if r.keep is not None)
        for request in sorted(unkept, key=_answered_at):
            assert request.hold is not None
            part = min(request.hold.claim.minor, max(0, loss.minor - bound))
            bound += part
            tell_keep(step, request, request.body.rate.amount_of(part), rest_free=False)
    free_surplus(step)


def _answered_at(request: Request) -> tuple[datetime, str]:
    return (request.answer_at or request.at, request.id)


def _time_to_keep(step: Step, loss: int, unkept: list[Request]) -> bool:
    open_wishes = [r for r in step.case.wishes if r.is_open]
    if sum(reserved(r) for r in open_wishes) <= loss or all(r.is_answered for r in open_wishes):
        return True
    ends = [at for r in unkept if (at := _keep_at(r, step.rules)) is not None]
    return any(step.now >= at for at in ends)


def _keep_at(request: Request, rules: Rules) -> datetime | None:
    """Some minutes before the surplus of its hold goes free, whatever instant its holder states."""
    if request.hold is None or request.hold.keep_by is None:
        return None
    return max(request.hold.keep_by, request.at + rules.keep_before) - rules.keep_before


def tell_keep(step: Step, request: Request, minor: int, *, rest_free: bool) -> None:
    step.tell("Keep", Keep(Amount(minor, request.body.asked.asset), rest_free), request)


def free_surplus(step: Step) -> None:
    """R-43: when every Keep is answered, what exceeds it goes free."""
    wishes = [r for r in step.case.wishes if r.is_open and r.keep is not None]
    kept = [r for r in wishes if r.hold is not None and r.hold.in_force]
    if any(r.hold is not None and r.hold.kept is None for r in kept):
        return
    for request in kept:
        hold, keep = request.hold, request.keep
        assert hold is not None
        assert keep is not None
        if not request.rest_free and keep.minor < hold.wanted.minor:
            tell_keep(step, request, keep.minor, rest_free=True)


def overshoot(step: Step) -> None:
    """I1: a late fact that exceeds the loss is an anomaly, with a lower Keep to the newest hold."""
    loss = total(step.case)
    held = [r for r in step.case.wishes if r.hold is not None and r.hold.state == "confirmed" and r.keep is not None]
    if loss is None or not held:
        return
    over = sum(min(r.kept_claim, reserved(r)) for r in step.case.wishes if r.keep is not None) - loss.minor
    if over <= 0:
        return
    newest = max(held, key=_answered_at)
    lower = max(0, newest.kept_claim - over)
    step.anomaly("beyond-loss", f"{over} units more than the loss are kept; lowering {newest.id}", newest.id)
    tell_keep(step, newest, newest.body.rate.amount_of(lower), rest_free=True)


def dues(case: Case, rules: Rules) -> list[datetime | None]:
    """When a hold nobody has kept yet must be kept, whether all have answered or not."""
    unkept = [r for r in case.wishes if r.is_open and r.keep is None and r.hold is not None and r.hold.in_force]
    return [_keep_at(request, rules) for request in unkept]
