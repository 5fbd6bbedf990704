"""A hold whose legal end comes near is somebody's business, on both sides: told early, and louder as it comes (R-59).

Nothing is decided here. Who does nothing is told four times, and then the hold lapses by its own clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from arrp.core.case import Case
from arrp.core.hold import Hold
from arrp.core.request import Request
from arrp.core.step import Step

DUTY, SECOND = "duty officer", "second contact"
LAST = (("2 hours", timedelta(hours=2)), ("30 minutes", timedelta(minutes=30)))


def watch(step: Step) -> None:
    """Say the newest warning that is due and was not said; those that were slept over are not said late."""
    for request in tuple(step.case.requests.values()):
        hold = request.hold
        if hold is None or hold.until is None or not _is_ending(hold):
            continue
        passed = [mark for mark in _marks(hold) if mark[0] <= step.now]
        if passed:
            _, what, to = passed[-1]
            step.escalate(_name(hold, what), to, request.id,
                          f"{hold.amount} goes free at {hold.until:%Y-%m-%dT%H:%MZ} without an order or an extension")


def dues(case: Case) -> list[datetime | None]:
    """When the next warning of each hold is due."""
    return [_next(case, request) for request in case.requests.values()]


def _next(case: Case, request: Request) -> datetime | None:
    hold = request.hold
    if hold is None or not _is_ending(hold):
        return None
    marks = _marks(hold)
    said = [number for number, (_, what, _) in enumerate(marks) if _name(hold, what) in case.escalated]
    coming = marks[said[-1] + 1 :] if said else marks
    return coming[0][0] if coming else None


def _is_ending(hold: Hold) -> bool:
    return hold.state in ("provisional", "confirmed") and (hold.decided or hold.decide_by is None)


def _name(hold: Hold, what: str) -> str:
    """Each warning once, and again for a later end."""
    return f"lapse {hold.id} {hold.until:%Y-%m-%dT%H:%M} {what}"


def _marks(hold: Hold) -> list[tuple[datetime, str, str]]:
    """(when, what is left, who is told), in order: half and four fifths of its time, then two hours and half an hour
    before its end; never before it began."""
    begin, end = hold.placed_at, hold.until
    if begin is None or end is None:
        return []
    shares = [(begin + (end - begin) * tenths // 10, f"{100 - tenths * 10} %", DUTY) for tenths in (5, 8)]
    last = [(end - before, words, SECOND) for words, before in LAST if end - before > begin]
    return sorted([*shares, *last])
