"""Coins: the units that ever came into one account, numbered 0, 1, 2… in booking order.

A set of coins is a sorted tuple of half-open intervals of whole numbers. Everything a holder says
about a request is a partition of its coins (held, moved on, returned…), so its terms add up by
construction (DESIGN §6: FIFO is an exact integer interval mapping).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arrp.core.errors import Malformed

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Coins:
    """A set of coin numbers, as sorted, disjoint, non-empty, non-adjacent spans [low, high)."""

    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        last = -1
        for low, high in self.spans:
            if not last < low < high:
                raise Malformed(f"coins must be sorted, disjoint spans of whole numbers from 0: {self.spans}")
            last = high

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Coins:
        """Any spans, overlapping or touching ones joined, empty ones dropped."""
        joined: list[Span] = []
        for low, high in sorted(span for span in spans if span[0] < span[1]):
            if joined and low <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
            else:
                joined.append((low, high))
        return cls(tuple(joined))

    @property
    def count(self) -> int:
        return sum(high - low for low, high in self.spans)

    def __iter__(self) -> Iterator[Span]:
        return iter(self.spans)

    def __or__(self, other: Coins) -> Coins:
        return Coins.of((*self.spans, *other.spans))

    def __and__(self, other: Coins) -> Coins:
        return Coins.of((max(a, c), min(b, d)) for a, b in self.spans for c, d in other.spans)

    def __sub__(self, other: Coins) -> Coins:
        left = list(self.spans)
        for low, high in other.spans:
            left = [piece for a, b in left for piece in ((a, min(b, low)), (max(a, high), b)) if piece[0] < piece[1]]
        return Coins.of(left)

    def lowest(self, count: int) -> Coins:
        """The `count` lowest-numbered coins (all of them when there are fewer)."""
        taken: list[Span] = []
        for low, high in self.spans:
            if count <= 0:
                break
            taken.append((low, min(high, low + count)))
            count -= high - low
        return Coins(tuple(taken))

    def highest(self, count: int) -> Coins:
        """The `count` highest-numbered coins (all of them when there are fewer)."""
        return self - self.lowest(max(0, self.count - count))

    def shifted(self, by: int) -> Coins:
        return Coins(tuple((low + by, high + by) for low, high in self.spans))
