"""A hold whose legal end comes near is somebody's business, on both sides: told early, and louder as it comes (R-59).
So is an account holder whom the law wants told, at whoever keeps the money (R-72), a request that a second officer has
yet to sign (R-94), and an officer of a peer whom nobody has called back (R-91).

Nothing is decided here. Who does nothing is told four times, and then the hold lapses by its own clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from arrp.core.case import Call, Case
from arrp.core.deadline import Power
from arrp.core.hold import Hold
from arrp.core.policy import Rules
from arrp.core.request import Request
from arrp.core.step import Step

DUTY, SECOND = "duty officer", "second contact"
LAST = (("2 hours", timedelta(hours=2)), ("30 minutes", timedelta(minutes=30)))


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """When somebody is told what, once; each list of marks is in order."""

    at: datetime
    what: str
    to: str
    why: str


def watch(step: Step) -> None:
    """Say the newest of each list that is due and was not said; those that were slept over are not said late."""
    for request in tuple(step.case.requests.values()):
        for marks in _all_marks(step.case, request, step.rules):
            passed = [mark for mark in marks if mark.at <= step.now]
            if passed:
                step.escalate(passed[-1].what, passed[-1].to, request.id, passed[-1].why)


def dues(case: Case, rules: Rules) -> list[datetime | None]:
    """When the next of each list is due."""
    return [_next(case, marks) for request in case.requests.values() for marks in _all_marks(case, request, rules)]


def _next(case: Case, marks: list[Mark]) -> datetime | None:
    said = [number for number, mark in enumerate(marks) if mark.what in case.escalated]
    coming = marks[said[-1] + 1 :] if said else marks
    return coming[0].at if coming else None


def _all_marks(case: Case, request: Request, rules: Rules) -> Iterator[list[Mark]]:
    hold, power = request.hold, rules.own_power()
    if request.second_by is not None and request.side == "requesting" and request.is_open:
        yield _of_the_second(request, request.second_by)
    if request.is_undecided:
        yield from _of_the_calls(request, case.calls.get(request.id, ()), rules.policy.call_back_within)
    if hold is None or hold.placed_at is None or hold.state not in ("provisional", "confirmed", "secured"):
        return
    if hold.until is not None and hold.state != "secured" and (hold.decided or hold.decide_by is None):
        yield _of_the_end(hold, hold.placed_at, hold.until)
    if power is not None and power.notice == "required" and hold.holder == rules.me.id and request.id not in case.told:
        yield _of_the_notice(hold, hold.placed_at, power)


def _of_the_second(request: Request, end: datetime) -> list[Mark]:
    """R-94: two hours and half an hour before what one officer sent is withdrawn."""
    why = f"{request.body.asked} is withdrawn at {end:%Y-%m-%dT%H:%MZ} unless a second officer signs"
    return [Mark(end - before, f"second {request.id} {words}", to, why)
            for (words, before), to in zip(LAST, (DUTY, SECOND), strict=True)]


def _of_the_calls(request: Request, calls: tuple[Call, ...], within: timedelta) -> Iterator[list[Mark]]:
    """R-91: those who were to be called at one moment, and whom nobody called, are one mark. A call that was denied was
    made."""
    left = [call for call in calls if call.confirmed is None]
    for since in sorted({call.since for call in left}):
        names = ", ".join(sorted(call.officer for call in left if call.since == since))
        why = f"nobody has called back {names} of {request.peer}; money leaves meanwhile"
        yield [Mark(since + within, f"uncalled {request.id} {since:%Y-%m-%dT%H:%M:%S}", SECOND, why)]


def _of_the_end(hold: Hold, begin: datetime, end: datetime) -> list[Mark]:
    """At half and four fifths of its time, then two hours and half an hour before its end; never before it began. Each
    once, and again for a later end."""
    why = f"{hold.amount} goes free at {end:%Y-%m-%dT%H:%MZ} without an order or an extension"
    shares = [(begin + (end - begin) * tenths // 10, f"{100 - tenths * 10} %", DUTY) for tenths in (5, 8)]
    last = [(end - before, words, SECOND) for words, before in LAST if end - before > begin]
    return sorted(Mark(at, f"lapse {hold.id} {end:%Y-%m-%dT%H:%M} {left}", to, why)
                  for at, left, to in (*shares, *last))


def _of_the_notice(hold: Hold, begin: datetime, power: Power) -> list[Mark]:
    end = power.end(power.notice_within, begin)
    why = f"{power.article} ({power.country}) wants the account holder told within {power.notice_within}"
    return [Mark(begin, f"notice {hold.id}", DUTY, f"{why}, by {end:%Y-%m-%dT%H:%MZ}"),
            Mark(end, f"notice {hold.id} overdue", SECOND, f"{why}, and nobody said that they were")]
