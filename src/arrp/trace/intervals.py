"""First in first out, and last in first out, as mappings of intervals: each hop is a search, in no order of time.

A pot's coins can be numbered in two ways that make a payment one interval. By arrival: a payment takes
the lowest numbers left (Clayton's case, 1816; Anderson, Shumailov, Ahmed 2018). By height in the
balance: a coin that came when b units were there is unit b, and a payment from balance b to b - x takes
exactly [b - x, b), the highest first. The first payment that leaves less than its height takes a coin.

No balance of another account, no order of events and no other victim enters: one theft costs a few
searches for each payment that carried its coins. Holds and returns break both numberings; for a ledger
that has any, trace/coin_by_coin moves the coins one payment after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from arrp.trace.found import Found, Meter, Share, Theft, begin, comes, leaves
from arrp.trace.statement import Books, Shown


@dataclass(frozen=True, slots=True)
class Frame:
    """The claim of `length` neighbouring coins, of which the first k are worth floor(k * claim / length).

    Coins keep their frame until they are converted; so how often they are parted changes no claim.
    """

    length: int
    claim: int

    def between(self, one: int, other: int) -> int:
        return abs(other * self.claim // self.length - one * self.claim // self.length)


@dataclass(frozen=True, slots=True)
class Piece:
    """Coins [low, high) inside one payment. `low` is at `first` in the frame, which runs with `way` (1 or -1)."""

    low: int
    high: int
    frame: Frame
    first: int
    way: int
    hops: int

    @property
    def claim(self) -> int:
        return self.frame.between(self.first, self.first + self.way * (self.high - self.low))

    def rescaled(self, leaves: int, comes: int) -> Piece:
        """The same coins after a conversion of `leaves` into `comes` units; each bound is rounded down."""
        if leaves == comes:
            return self
        low, high = self.low * comes // leaves, self.high * comes // leaves
        return Piece(low, high, Frame(max(1, high - low), self.claim), 0, 1, self.hops)

    def cut(self, low: int, high: int, at: int, turned: bool) -> Piece:
        """The part [low, high) of this piece, whose first coin is number `at` inside the next payment."""
        first = self.first + self.way * ((high if turned else low) - self.low)
        return Piece(at, at + high - low, self.frame, first, -self.way if turned else self.way, self.hops + 1)


# Where the coins of a piece that came by the row went: (row of the payment or None: here, the part of it).
_Onward = Callable[[Shown, int, Piece], Iterator[tuple[int | None, Piece]]]


def fifo_intervals(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """Each theft by itself, first in first out."""
    return [_follow(books, theft, meter, _by_arrival) for theft in thefts]


def lifo_intervals(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """Each theft by itself, last in first out, coin by coin: the order turns at each payment."""
    return [_follow(books, theft, meter, _by_height) for theft in thefts]


def _follow(books: Books, theft: Theft, meter: Meter, onward: _Onward) -> Found:
    found = begin(books, theft)
    waiting: list[tuple[int, int, int, Piece]] = []
    count = 0
    todo: list[tuple[int, Piece]] = [(theft.row, Piece(0, found.stolen, Frame(found.stolen, found.stolen), 0, 1, 0))]
    while todo or waiting:
        for row, piece in todo:
            count += 1
            heappush(waiting, (row, piece.low, count, piece))
        if why := meter.late():
            for *_, piece in waiting:
                found.leave(piece.claim, why)
            break
        row, _, _, piece = heappop(waiting)
        todo = list(_arrive(books, found, meter, (row, piece, onward)))
    return found


def _arrive(
    books: Books, found: Found, meter: Meter, came: tuple[int, Piece, _Onward]
) -> Iterator[tuple[int, Piece]]:
    """Book one piece of one payment; the payments that carried it on."""
    row, piece, onward = came
    ledger, claim = books.ledger, piece.claim
    found.flow(row, Share(piece.high - piece.low, claim))
    piece = piece.rescaled(leaves(ledger, row), comes(ledger, row))
    pot, units = int(ledger.targets[row]), piece.high - piece.low
    if not units:
        found.rounding += claim
    elif books.ends_at(pot):
        found.end(ledger, row, Share(units, claim))
    elif why := meter.refuses(found, pot, piece.hops):
        found.leave(claim, why)
    else:
        for out, part in onward(books.statement(pot), row, piece):
            if out is None:
                found.hold(pot, Share(part.high - part.low, part.claim))
            else:
                yield out, part


def _by_arrival(statement: Shown, row: int, piece: Piece) -> Iterator[tuple[int | None, Piece]]:
    base = statement.first_coin(row)
    coin, end = base + piece.low, base + piece.high
    place = statement.out_with(coin)
    while coin < end:
        if place == len(statement.out_rows):
            yield None, piece.cut(coin - base, piece.high, 0, False)
            return
        starts = int(statement.out_offset[place])
        place += 1
        ends = int(statement.out_offset[place]) if place < len(statement.out_rows) else statement.out_total
        until = min(end, ends)
        yield int(statement.out_rows[place - 1]), piece.cut(coin - base, until - base, coin - starts, False)
        coin = until


def _by_height(statement: Shown, row: int, piece: Piece) -> Iterator[tuple[int | None, Piece]]:
    base = statement.balance_before(row)
    low, high = base + piece.low, base + piece.high
    place = int(np.searchsorted(statement.rows, row))
    while low < high:
        place = _next_below(statement, place + 1, high)
        if place == len(statement.rows):
            yield None, piece.cut(low - base, high - base, 0, True)
            return
        after = int(statement.after[place])
        before, rest = after - int(statement.change[place]), max(low, after)
        yield int(statement.rows[place]), piece.cut(rest - base, high - base, before - high, True)
        high = rest


def _next_below(statement: Shown, place: int, height: int) -> int:
    """The first booking from `place` on that leaves less than `height`; looks twice as far each time."""
    wide = 16
    while place < len(statement.after):
        lower = statement.after[place : place + wide] < height
        if lower.any():
            return place + int(np.argmax(lower))
        place, wide = place + wide, 2 * wide
    return len(statement.after)
