"""A hold that begins: its amount and claim, what it rests on, and its clocks (R-42)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from arrp.core.deadline import Basis, Power, hours_after, until
from arrp.core.hold import Hold
from arrp.core.money import Amount
from arrp.core.notes import EndComputed
from arrp.core.policy import Tally, beyond_policy
from arrp.core.request import Ask, Request
from arrp.core.stating import claim_of
from arrp.core.step import Step, digest


def block_of(step: Step, request: Request) -> str:
    """The name of the next reservation. The first is also the id of the hold: it follows from the
    request, so that one request places one hold (I3); a raise, or a hold after one that was never
    placed or whose money bounced, follows from what was given."""
    if request.hold is None:
        return digest(request.id, "hold")
    return digest(request.id, "hold", step.because)


def empty(step: Step, request: Request) -> Hold:
    """A hold of this request before it begins."""
    zero = Amount(0, request.body.asked.asset)
    return Hold(block_of(step, request), request.id, step.me, "placing", zero, claim_of(request, 0), zero, None,
                False, None)


def undecided_left(step: Step, request: Request, power: Power) -> timedelta:
    """R-42: time held undecided is summed per credit, over all requests: no endless hold by new ids. Hours are summed;
    days run on from the first such hold, as no two spans of days are as long as one."""
    term = power.provisional
    if term is None:
        return timedelta(0)
    held = list(_undecided_before(step, request))
    if term.unit == "hours":
        used = sum(((hold.ended_at or step.now) - began for hold, began in held), timedelta(0))
        return power.end(term, step.now) - step.now - used
    return power.end(term, min([step.now, *(began for _, began in held)])) - step.now


def _undecided_before(step: Step, request: Request) -> Iterator[tuple[Hold, datetime]]:
    """Holds of other requests on the same credits that nobody decided, and when each began."""
    here = step.case.located.get(request.id)
    mine = {credit.reference for credit in here.credits} if here else set[str]()
    for other in step.case.requests.values():
        place, hold = step.case.located.get(other.id), other.hold
        if other.id == request.id or place is None or hold is None or hold.decided or hold.placed_at is None:
            continue
        if mine & {credit.reference for credit in place.credits}:
            yield hold, hold.placed_at


def starting(step: Step, request: Request, hold: Hold, amount: int) -> Hold:
    """A hold that begins now: its amount and claim, what it rests on, its clocks."""
    held = Amount(amount, request.body.asked.asset)
    kept = Amount(min(request.keep.minor, amount), held.asset) if request.keep is not None else None
    started = replace(
        hold.moved("HoldPlaced"), amount=held, wanted=held, claim=claim_of(request, amount), kept=kept,
        placed_at=step.now, keep_by=step.now + step.rules.surplus, decided=request.answer == "accepted",
        basis=request.basis,
    )
    power = step.rules.own_power()
    if power is None:
        return replace(started, until=request.until)
    undecided = not started.decided and power.silence == "free"
    decide_by = step.now + undecided_left(step, request, power) if undecided else None
    basis = request.basis or Basis(power.id, power.country, power.article, step.rules.me.name)
    note_end(step, request, started, power)
    return replace(started, decide_by=decide_by, basis=basis, until=until(power, step.now, request.until))


def note_end(step: Step, request: Request, hold: Hold, power: Power) -> None:
    """R-40: how the legal end was found stands beside the hold: rule, data, and a sentence."""
    found = power.deadline(power.longest, step.now)
    if found is not None:
        why = f"{power.article}: {found.reason}"
        said = EndComputed(hold.id, power.id, step.now, found.until, why, found.calendar, found.zone)
        step.note("EndComputed", said, request.id)


def protected(step: Step, request: Request) -> int:
    """What the law leaves the account holder in every case."""
    power = step.rules.own_power()
    if power is None or power.protected_asset != request.body.asked.asset:
        return 0
    return power.protected_minor


def core_until(step: Step, request: Request) -> datetime:
    """R-47: the core is told the longest the law allows, so that it lets go even if this node is dead;
    every earlier end is this node's own timer."""
    power = step.rules.own_power()
    if power is not None:
        return power.end(power.longest, step.now)
    longest = hours_after(step.now, step.rules.request_hours_max)
    return max(longest, request.until) if request.until else longest


def not_at_once(step: Step, request: Request, tally: Tally) -> str | None:
    """R-17: why an officer must decide first; None when a provisional hold may be placed."""
    power = step.rules.own_power()
    if power is None or power.provisional is None:
        return "no adopted law allows a hold before an officer decided"
    if undecided_left(step, request, power) <= timedelta(0):
        return "the time this credit may be held undecided is used up"
    requester = step.rules.participant(request.peer)
    return beyond_policy(step.rules.policy, requester, request.body, tally, not request.by_officers)


def may_hold(step: Step, request: Request) -> bool:
    """Accepted, or undecided and within what policy lets us do at once, while time to decide is left."""
    if request.body.ask not in (Ask.HOLD, Ask.STOP) or not request.is_open:
        return False
    if request.answer == "accepted":
        return request.until is None or step.now < request.until
    power = step.rules.own_power()
    if power is None or f"decide {request.id}" in step.case.escalated:
        return False
    return undecided_left(step, request, power) > timedelta(0)
