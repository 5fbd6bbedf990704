"""A hold that begins: its amount and claim, what it rests on, and its clocks (R-42)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from arrp.core.answers import Held, Stopped
from arrp.core.deadline import Basis, Power, earliest, hours_after
from arrp.core.hold import Hold
from arrp.core.mandate import is_by_mandate
from arrp.core.money import Amount
from arrp.core.notes import EndComputed, Intent
from arrp.core.policy import Tally, beyond_policy
from arrp.core.request import Ask, Request
from arrp.core.stating import claim_of
from arrp.core.step import Step, digest

# A secured hold has no end but review; the core is told a date far enough that review always comes first.
SECURED_DAYS = 3650
# A core that took so little longer than it was told needs no second word: node and core end when it was told.
NEAR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Placing:
    """How much a core holds and since when; from when the law counts that; and, if it is sooner than what was asked,
    the core's own end."""

    amount: int
    at: datetime
    counted: datetime
    core_end: datetime | None = None


def placing(step: Step, intent: Intent, answer: Held | Stopped) -> Placing:
    """R-41: it began when the core says, after it was asked and before it answered. The law counts from then; from
    when the core was asked where that moves the end by less than an hour, so that node and core have the same end."""
    asked = intent.at or step.now
    at = min(max(answer.at, asked), step.now)
    counted, core_end, power = at, None, step.rules.own_power()
    if power is not None and intent.until is not None and power.end(power.longest, at) - intent.until <= NEAR:
        counted = asked
    if isinstance(answer, Held) and answer.until is not None and intent.until is not None:
        core_end = answer.until if answer.until < intent.until else None
    return Placing(answer.amount, at, counted, core_end)


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


def undecided_until(step: Step, request: Request, power: Power, began: datetime) -> datetime:
    """R-42: how long what began then may be held undecided. Time is summed per credit, over all requests: no endless
    hold by new ids. Hours are summed; days run on from the first such hold, as no two spans of days are as long as
    one."""
    period = power.provisional
    if period is None:
        return began
    held = list(_undecided_before(step, request))
    if period.unit == "hours":
        used = sum(((hold.ended_at or step.now) - at for hold, at in held), timedelta(0))
        return power.end(period, began) - used
    return power.end(period, min([began, *(at for _, at in held)]))


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


def starting(step: Step, request: Request, hold: Hold, placing: Placing) -> Hold:
    """A hold that begins: its amount and claim, what it rests on, its clocks."""
    held = Amount(placing.amount, request.body.asked.asset)
    kept = Amount(min(request.keep.minor, held.minor), held.asset) if request.keep is not None else None
    started = replace(
        hold.moved("HoldPlaced"), amount=held, wanted=held, claim=claim_of(request, held.minor), kept=kept,
        placed_at=placing.at, keep_by=step.now + step.rules.surplus, decided=request.answer == "accepted",
        basis=request.basis, until=earliest(request.until, placing.core_end),
    )
    power = step.rules.own_power()
    if power is None:
        return started
    undecided = not started.decided and power.silence == "free"
    decide_by = undecided_until(step, request, power, placing.counted) if undecided else None
    basis = request.basis or Basis(power.id, power.country, power.article, step.rules.me.name)
    ends = note_end(step, started, power, placing.counted)
    return replace(started, decide_by=decide_by, basis=basis, until=earliest(ends, started.until))


def note_end(step: Step, hold: Hold, power: Power, began: datetime) -> datetime:
    """R-40: the legal end of a hold that began then. How it was found stands beside it: rule, data, and a sentence."""
    found = power.deadline(power.longest, began)
    if found is None:
        return power.end(power.longest, began)
    why = f"{power.article}: {found.reason}"
    versions = (found.calendar_version, found.zone_version)
    step.note("EndComputed", EndComputed(hold.id, power.id, began, found.until, why, *versions),
              hold.request)
    return found.until


def protected(step: Step, request: Request) -> int:
    """What the law leaves the account holder in every case."""
    power = step.rules.own_power()
    if power is None or power.protected_asset != request.body.asked.asset:
        return 0
    return power.protected_minor


def core_until(step: Step, request: Request) -> datetime:
    """R-47: the end that the core is told, so that it lets go even if this node is dead: of a hold in force its own, of
    one to be placed the longest the law allows. Every earlier end is this node's own timer."""
    hold, power = request.hold, step.rules.own_power()
    if hold is not None and hold.in_force:
        if hold.state == "secured" and hold.review_at is not None:
            return hold.review_at + timedelta(days=SECURED_DAYS)
        if hold.until is not None:
            return hold.until
    if power is not None:
        return power.end(power.longest, step.now)
    longest = hours_after(step.now, step.rules.request_hours_max)
    return max(longest, request.until) if request.until else longest


def not_at_once(step: Step, request: Request, tally: Tally) -> str | None:
    """R-17: why an officer must decide first; None when a provisional hold may be placed."""
    power = step.rules.own_power()
    if power is None or power.provisional is None:
        return "no adopted law allows a hold before an officer decided"
    if step.rules.me.can is not None and step.rules.me.can.public:
        return "a hold here is seen by everybody"  # none on a chain before somebody decided it
    if undecided_until(step, request, power, step.now) <= step.now:
        return "the time this credit may be held undecided is used up"
    requester = step.rules.participant(request.peer)
    return beyond_policy(step.rules.policy, requester, request.body, tally, is_by_mandate(request))


def may_hold(step: Step, request: Request) -> bool:
    """Accepted, or undecided and within what policy lets us do at once, while time to decide is left."""
    if request.body.ask not in (Ask.HOLD, Ask.STOP) or not request.is_open:
        return False
    if request.answer == "accepted":
        return request.until is None or step.now < request.until
    power = step.rules.own_power()
    if power is None or f"decide {request.id}" in step.case.escalated:
        return False
    return undecided_until(step, request, power, step.now) > step.now
