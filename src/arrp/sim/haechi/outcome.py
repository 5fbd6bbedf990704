"""What the way of the operation would find in a plot: only to draw the story to its frame. No figure is taken from it.

A request is answered in seconds where the law lets money be held at once, and by an officer where it does not; what
left before goes on being asked after, what was to leave later does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from arrp.sim.haechi.plot import Plot, Stay

APART = timedelta(minutes=1)  # what happens nearer than this to a hold may come before or after it


@dataclass(slots=True)
class Caught:
    """One account where money is found: when, and the parts of it, each with who can change it."""

    stay: Stay
    at: datetime
    cents: int


class Unclear(Exception):
    """A race too close to say who wins: such a plot is drawn again."""


def found(plot: Plot, waits: frozenset[str]) -> list[Caught]:
    """Every account where something is held, if everybody in `waits` decides first. Raises Unclear."""
    return [one for first in plot.paid for one in _found(first, plot.asked_at, waits)]


def _found(stay: Stay, asked: datetime, waits: frozenset[str]) -> Iterator[Caught]:
    at = asked + stay.decides if stay.at in waits else asked
    if stay.arrives + APART > asked or any(abs(move.at - at) < APART for move in stay.moves):
        raise Unclear
    gone = [move for move in stay.moves if move.at < at]
    held = stay.amount - sum(move.amount for move in gone)
    if held:
        yield Caught(stay, at, held)
    for move in gone:
        if move.to is not None:
            yield from _found(move.to, at, waits)
