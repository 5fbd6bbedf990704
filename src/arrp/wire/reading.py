"""What a reader of evidence keeps while it reads one file: payments, and everything it could not use.

One bad place never hides the next: it is written down under its place and reading goes on. A file
in which no payment at all can be read is Malformed, with the first reasons.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import TypeVar

from arrp.core.account import account_at, parse_agent
from arrp.core.errors import Malformed
from arrp.core.report import Evidence, NotUnderstood, Payment, parse_uetr

T = TypeVar("T")

_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")


class Reading:
    """One file being read. A value that cannot be read becomes empty and leaves a line behind."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.payments: list[Payment] = []
        self.not_understood: list[NotUnderstood] = []

    def miss(self, place: str, what: str) -> None:
        self.not_understood.append(NotUnderstood(place, what))

    def attempt(self, place: str, parse: Callable[[str], T], text: str, otherwise: T) -> T:
        """`parse(text)`; empty text, or a refusal written down, gives `otherwise`."""
        if not text:
            return otherwise
        try:
            return parse(text)
        except Malformed as why:
            self.miss(place, str(why))
            return otherwise

    def uetr(self, place: str, text: str) -> str:
        return self.attempt(place, parse_uetr, text, "")

    def agent(self, place: str, text: str) -> str:
        return self.attempt(place, parse_agent, text, "")

    def account(self, place: str, agent: str, text: str) -> str:
        """Normal form or nothing: a number that fails its check is in the line, not in the payment."""
        return self.attempt(place, partial(account_at, agent), text, "")

    def day(self, place: str, text: str) -> date | None:
        return self.attempt(place, _parse_day, text, None)

    def instant(self, place: str, text: str) -> datetime | None:
        return self.attempt(place, _parse_instant, text, None)

    def evidence(self) -> Evidence:
        if not self.payments:
            reasons = "; ".join(f"{missed.place}: {missed.what}" for missed in self.not_understood[:3])
            raise Malformed(f"no payment can be read here. {reasons or 'It is empty.'}")
        return Evidence(tuple(self.payments), tuple(self.not_understood))


def _parse_day(text: str) -> date | None:
    """A civil date; XML may write its zone behind it, which changes nothing."""
    found = _DAY.fullmatch(text)
    try:
        if found:
            return date.fromisoformat(found[1])
    except ValueError:
        pass
    raise Malformed(f"{text!r} is not a day written as 2026-11-22")


def _parse_instant(text: str) -> datetime | None:
    """ISO 8601 with its offset. A time without one is not an instant, and no zone is assumed."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(f"{text!r} is not an instant written as 2026-11-22T09:30:00Z") from None
    raise Malformed(f"{text!r} has no time zone: left out, since none may be assumed")
