"""The loops of tracing in Python and numpy: exact at any size, and what compiled ones are compared with.

Each gives the very arrays that trace/kernels.py gives, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from arrp.core.errors import Refused
from arrp.trace.ledger import Codes, Units
from arrp.trace.segment import Budget, Pieces, Reached, Segment, Shares, Starts, State

_Piece = tuple[int, int, int, int, int, int, int, int]  # pot, row, low, high, parent, inside_low, inside_high, hop


def follow_pieces(
    segments: Sequence[Segment], stops: NDArray[np.uint8], begun: Sequence[tuple[int, int, int]], budget: Budget
) -> Pieces:
    """FIFO: each (pot, low, high) of `begun`, followed to where its coins are now (Clayton's case, 1816)."""
    pieces: list[_Piece] = [(pot, 0, low, high, -1, 0, 0, 0) for pot, low, high in begun]
    here: list[int] = []
    states: list[State] = []
    seen: set[int] = set()
    full = False
    for i, piece in enumerate(pieces):  # which grows meanwhile
        pot, _, low, *_, hop = piece
        here.append(low)
        states.append(State.FOLLOWED)
        if stops[pot]:
            states[i] = State.STOPPED
        elif full or (pot not in seen and len(seen) >= budget.accounts):
            states[i] = State.LEFT
        else:
            seen.add(pot)
            onward, here[i] = _spend(segments, piece, i)
            if hop >= budget.hops:
                states[i] = State.LEFT
            elif onward and len(pieces) + len(onward) > budget.pieces:
                states[i], full = State.LEFT, True
            else:
                pieces += onward
    return _pieces(pieces, here, states, (len(begun), len(seen), full))


def _spend(segments: Sequence[Segment], piece: _Piece, parent: int) -> tuple[list[_Piece], int]:
    """What the pot paid with these coins, and the first of them that it has now."""
    pot, _, low, high, *_, hop = piece
    onward: list[_Piece] = []
    for part in segments:
        first, end = part.range_of(pot)
        if first == end or low >= high:
            continue
        k = first + max(0, int(np.searchsorted(part.cum_out[first:end], low, side="right")) - 1)
        while k < end and low < high:
            before, leaves, comes = int(part.cum_out[k]), part.leaves(k), part.comes(k)
            stop = min(high, before + leaves)
            if stop > low:
                a, b, base = low - before, stop - before, int(part.in_off[k])
                to = (base + a * comes // leaves, base + b * comes // leaves)
                onward.append((int(part.target[k]), int(part.row[k]), *to, parent, a, b, hop + 1))
                low = stop
            k += 1
    return onward, low


def _pieces(pieces: list[_Piece], here: list[int], states: list[State], told: tuple[int, int, bool]) -> Pieces:
    pot, row, low, high, parent, inside_low, inside_high, hop = zip(*pieces, strict=True) if pieces else [()] * 8
    return Pieces(
        *told, np.array(pot, np.uint32), np.array(row, np.uint32), units_array(low), units_array(high),
        units_array(here), np.array(parent, np.int64), units_array(inside_low), units_array(inside_high),
        np.array(hop, np.int32), np.array(states, np.uint8),
    )  # fmt: skip


def units_array(units: Sequence[int]) -> Units:
    """int64 where it fits, else Python integers."""
    return np.array(units, np.int64 if max(units, default=0) < 2**63 else object)


@dataclass(slots=True)
class _Stock:
    """The taint of one pot, and the transfer out of it that is looked at next."""

    hop: int
    follows: bool
    units: int = 0
    part: int = 0
    next: int = 0
    version: int = 0


@dataclass(slots=True)
class _Walk:
    """Haircut in booking order; only transfers that will carry enough enter the heap."""

    segments: Sequence[Segment]
    stops: NDArray[np.uint8]
    budget: Budget
    least: int
    stocks: dict[int, _Stock] = field(default_factory=dict)
    heap: list[tuple[int, int, int]] = field(default_factory=list)  # row, pot, version
    flows: list[tuple[int, int]] = field(default_factory=list)
    unfollowed: int = 0
    visited: int = 0

    def arrive(self, pot: int, units: int, row: int, hop: int) -> None:
        stock = self.stocks.get(pot)
        if stock is None:
            follows = not self.stops[pot] and hop < self.budget.hops and self.visited < self.budget.accounts
            stock = self.stocks[pot] = _Stock(hop, bool(follows))
            self.visited += follows
            stock.next = self.segments[0].range_of(pot)[0]
        if stock.follows:
            self.pass_by(pot, row)
        stock.units += units
        self.look_ahead(pot)

    def _outs(self, pot: int, stock: _Stock) -> Iterator[tuple[Segment, int]]:
        """What is not passed by, in booking order."""
        for part in range(stock.part, len(self.segments)):
            first, end = self.segments[part].range_of(pot)
            for k in range(stock.next if part == stock.part else first, end):
                yield self.segments[part], k

    def pass_by(self, pot: int, row: int) -> None:
        """Leave behind what is booked up to `row`: what was too little to move is told as not followed."""
        stock = self.stocks[pot]
        while stock.part < len(self.segments):
            part = self.segments[stock.part]
            end = part.range_of(pot)[1]
            while stock.next < end and int(part.row[stock.next]) <= row:
                if self.least > 1:
                    self.unfollowed += stock.units * part.leaves(stock.next) // int(part.balance[stock.next])
                stock.next += 1
            if stock.next < end:
                return
            self._next_part(pot, stock)

    def _next_part(self, pot: int, stock: _Stock) -> None:
        stock.part += 1
        if stock.part < len(self.segments):
            stock.next = self.segments[stock.part].range_of(pot)[0]

    def look_ahead(self, pot: int) -> None:
        stock = self.stocks[pot]
        stock.version += 1
        if not stock.units or not stock.follows:
            return
        for part, k in self._outs(pot, stock):
            if stock.units * part.leaves(k) >= self.least * int(part.balance[k]):
                heappush(self.heap, (int(part.row[k]), pot, stock.version))
                return

    def depart(self, row: int, pot: int) -> None:
        stock = self.stocks[pot]
        self.pass_by(pot, row - 1)
        part, k = self.segments[stock.part], stock.next
        moved = stock.units * part.leaves(k) // int(part.balance[k])
        if len(self.flows) == self.budget.pieces:
            raise Refused(f"more than {self.budget.pieces} transfers carry some of it: ask with a larger least amount")
        self.flows.append((row, moved))
        stock.units -= moved
        stock.next += 1
        if stock.next == part.range_of(pot)[1]:
            self._next_part(pot, stock)
        self.look_ahead(pot)
        self.arrive(int(part.target[k]), moved, row, stock.hop + 1)

    def run(self, starts: Sequence[tuple[int, int, int]]) -> None:
        waiting = list(reversed(starts))
        while self.heap or waiting:
            if waiting and (not self.heap or waiting[-1][0] < self.heap[0][0]):
                row, pot, units = waiting.pop()
                self.arrive(pot, units, row, 0)
                continue
            row, pot, version = heappop(self.heap)
            if self.stocks[pot].version == version:
                self.depart(row, pot)


def follow_shares(
    segments: Sequence[Segment], stops: NDArray[np.uint8], starts: Starts, budget: Budget, least: int = 1
) -> Shares:
    """Haircut (pro rata) in whole units: a transfer of x out of balance B carries floor(taint * x / B).

    The remainder stays (Möser, Böhme, Breuker 2014). `least` above 1 moves only what is at least that;
    the rest is told as unfollowed. Raises Refused where more than budget.pieces transfers carry some.
    """
    walk = _Walk(segments, stops, budget, max(1, least))
    walk.run(list(zip(starts.row.tolist(), starts.pot.tolist(), starts.units.tolist(), strict=True)))
    if least > 1:
        for pot, stock in walk.stocks.items():
            if stock.follows:
                walk.pass_by(pot, 2**32 - 1)
    states = [
        State.FOLLOWED if stock.follows else State.STOPPED if stops[pot] else State.LEFT
        for pot, stock in walk.stocks.items()
    ]
    return Shares(
        walk.visited, walk.unfollowed, np.array([row for row, _ in walk.flows], np.uint32),
        units_array([units for _, units in walk.flows]), np.array(list(walk.stocks), np.uint32),
        units_array([stock.units for stock in walk.stocks.values()]), np.array(states, np.uint8),
    )  # fmt: skip


def reach_pots(
    segments: Sequence[Segment], stops: NDArray[np.uint8], start: tuple[int, int], end_row: int, hops: int
) -> Reached:
    """Pots that money in pot `start[0]` could have come to by transfers with start[1] < row < end_row, ascending."""
    best = {start[0]: start[1]}
    front = [start]
    for _ in range(hops):
        improved: set[int] = set()
        for pot, row in front:
            if stops[pot]:
                continue
            for part in segments:
                first, end = part.range_of(pot)
                low = first + int(np.searchsorted(part.row[first:end], row, side="right"))
                high = first + int(np.searchsorted(part.row[first:end], end_row, side="left"))
                pairs = zip(part.target[low:high].tolist(), part.row[low:high].tolist(), strict=True)
                for target, at in pairs:
                    if at < best.get(target, at + 1):
                        best[target] = at
                        improved.add(target)
        front = [(pot, best[pot]) for pot in best if pot in improved]
    return Reached(np.array(list(best), np.uint32), np.array(list(best.values()), np.uint32))


def screen_everyone(
    columns: tuple[Codes, Codes, NDArray[np.float64]], stops: NDArray[np.uint8], starts: Starts, least: float = 1.0
) -> NDArray[np.float64]:
    """What each pot has of all the starts together, in booking order, in floating point: to screen, not to claim.

    columns: source, target, share of the balance that leaves, by row. A transfer that would carry less than
    `least` units carries none.
    """
    sources, targets, shares = columns
    units = [0.0] * len(stops)
    begins: dict[int, list[float]] = {}
    for row, _, amount in zip(starts.row.tolist(), starts.pot.tolist(), starts.units.tolist(), strict=True):
        begins.setdefault(row, []).append(float(amount))
    rows = zip(sources.tolist(), targets.tolist(), shares.tolist(), strict=True)
    for row, (source, target, share) in enumerate(rows):
        moved = units[source] * share
        if moved >= least and not stops[source] and source != target:
            units[source] -= moved
            units[target] += moved
        for amount in begins.get(row, ()):
            units[target] += amount
    return np.array(units, np.float64)
