"""The index of a ledger: one search a hop for any victim, whatever the size of the ledger.

A transfer covers its source's coins [cum_out, cum_out + amount) and its target's from in_off on, so
first in, first out is a search (Clayton's case); the balance before it makes haircut a product. An
index is a base and any number of later segments, merged when asked: appending costs what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arrp.core.errors import Refused
from arrp.trace import plain
from arrp.trace.kernels import COMPILED, Compiled
from arrp.trace.ledger import OUTSIDE, Codes, Ledger, Units
from arrp.trace.segment import Budget, Pieces, Reached, Segment, Shares, Starts

UNITS_MAX = 2**63 - 1
_SAFE = float(2**62)


class Transfers(Protocol):
    """The columns of a Ledger that an index is made of."""

    @property
    def sources(self) -> Codes: ...
    @property
    def targets(self) -> Codes: ...
    @property
    def amounts(self) -> Units: ...
    @property
    def arrived(self) -> Units: ...


@dataclass(frozen=True, slots=True)
class Totals:
    """What each pot has received (its opening first) and paid so far: all that a later segment must know."""

    received: Units
    paid: Units

    @classmethod
    def at_opening(cls, opening: Units) -> Totals:
        return cls(opening.copy(), np.zeros(len(opening), np.int64))


@dataclass(frozen=True, slots=True)
class Index:
    """Segments in booking order. stops: u8[p], 1 where money is told and not followed (outside, terminal).

    wide: sums pass 2^63 - 1, so that Python's whole numbers are used. compiled: None for the plain path.
    """

    segments: tuple[Segment, ...]
    stops: NDArray[np.uint8]
    wide: bool = False
    compiled: Compiled | None = None

    def follow_pieces(self, begun: Sequence[tuple[int, int, int]], budget: Budget = Budget()) -> Pieces:  # noqa: B008
        """FIFO, exact: see trace/plain.py."""
        return (self.compiled or plain).follow_pieces(self.segments, self.stops, begun, budget)

    def follow_shares(self, starts: Starts, budget: Budget = Budget(), least: int = 1) -> Shares:  # noqa: B008
        """Haircut in whole units: see trace/plain.py."""
        return (self.compiled or plain).follow_shares(self.segments, self.stops, starts, budget, least)

    def reach_pots(self, start: tuple[int, int], end_row: int, hops: int) -> Reached:
        """Whom money could have come to: see trace/plain.py."""
        return (self.compiled or plain).reach_pots(self.segments, self.stops, start, end_row, hops)

    def screen(self, ledger: Ledger, starts: Starts, least: float = 1.0) -> NDArray[np.float64]:
        """What each pot has of all starts together, by haircut in floating point: to screen, never to claim.

        `ledger` is the whole that the index is of.
        """
        columns = (ledger.sources, ledger.targets, self.shares(len(ledger.sources)))
        return (self.compiled or plain).screen_everyone(columns, self.stops, starts, least)

    def shares(self, rows: int) -> NDArray[np.float64]:
        """By row: what part of its source's balance the transfer takes; 0 where that is no part of anything."""
        found = np.zeros(rows, np.float64)
        for part in self.segments:
            at = part.row.astype(np.int64)
            balance = part.balance.astype(np.float64)
            found[at] = np.divide(part.amounts[at - part.first_row].astype(np.float64), balance,
                                  out=np.zeros(len(at)), where=balance > 0)  # fmt: skip
        return found

    def piece_of(self, source: int, row: int) -> tuple[int, int, int]:
        """(pot, low, high): the coins of its target that the transfer booked at `row` out of `source` made.

        Raises Refused for a transfer to the same pot, which moves nothing.
        """
        for part in self.segments:
            first, end = part.range_of(source)
            k = first + int(np.searchsorted(part.row[first:end], row))
            if k < end and part.row[k] == row:
                low = int(part.in_off[k])
                return int(part.target[k]), low, low + part.comes(k)
        raise Refused(f"transfer {row} is to the account it is from, which moves nothing: name another one")

    @property
    def bytes(self) -> int:
        """What the columns of the index take; the ledger's own columns not counted."""
        return sum(
            column.nbytes
            for part in self.segments
            for column in (part.ptr, part.row, part.target, part.cum_out, part.in_off, part.balance, part.keys)
            if column is not None
        )


def build_index(ledger: Ledger, compiled: Compiled | None = COMPILED) -> tuple[Index, Totals]:
    """The index of a whole ledger, and the totals for what will be appended.

    Raises Refused where a pot pays what it does not have: trace/booking.py finds each such row first.
    """
    totals = Totals.at_opening(ledger.opening)
    segment = _segment(ledger, None, 0, (totals, compiled))
    stops = ledger.terminal.astype(np.uint8)
    stops[OUTSIDE] = 1
    wide = segment is None
    if segment is None:
        segment, totals = _exact(ledger, ledger.opening)
    return Index((segment,), stops, wide, None if wide else compiled), totals


def append_segment(
    transfers: Transfers, first_row: int, keys: Codes, totals: Totals, compiled: Compiled | None = COMPILED
) -> Segment | None:
    """A segment of what was booked from row `first_row` on; `totals`, those of `keys`, is brought forward in place.

    keys: ascending, every pot that pays or receives here, perhaps others. None where a sum would pass
    2^63 - 1: then the whole is to be built again. Raises Refused as build_index.
    """
    return _segment(transfers, keys, first_row, (totals, compiled))


def _segment(
    transfers: Transfers, keys: Codes | None, first_row: int, how: tuple[Totals, Compiled | None]
) -> Segment | None:
    totals, compiled = how
    sources, targets = transfers.sources, transfers.targets
    if keys is not None:
        sources = np.searchsorted(keys, sources).astype(np.uint32)
        targets = np.searchsorted(keys, targets).astype(np.uint32)
    moves = (sources, targets, transfers.amounts, transfers.arrived)
    build = compiled.build if compiled else _build_plain
    why, where, columns = build(moves, keys, first_row, (totals.received, totals.paid))
    if why == "uncovered":
        raise Refused(f"row {first_row + where + 1} pays what its account does not have: give a higher opening balance")
    if why:
        return None
    arrived = None if transfers.arrived is transfers.amounts else transfers.arrived
    ptr, row, target, cum_out, in_off, balance = columns
    return Segment(keys, ptr, row, target, cum_out, in_off, balance, transfers.amounts, arrived, first_row)


def _build_plain(
    moves: tuple[Codes, Codes, Units, Units], names: Codes | None, first_row: int, state: tuple[Units, Units]
) -> tuple[str, int, tuple[NDArray[Any], ...]]:
    """Compiled.build, by sorting and running sums; wrapped ones are right in their differences."""
    sources, targets = moves[:2]
    received, paid = state
    pots, real = len(received), np.flatnonzero(sources != targets)
    source, target = sources[real], targets[real]
    leaves, comes = moves[2][real], moves[3][real]
    if not _fits(received, target, comes) or not _fits(paid, source, leaves):
        return "wide", 0, ()
    order = np.argsort(source, kind="stable")
    ptr = np.zeros(pots + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=pots), out=ptr[1:])
    cum_out = _before(source, leaves, paid)
    in_off = _before(target, comes, received)
    # What the source had received by then: a transfer in and one out of the same pot, side by side in booking order.
    both = np.concatenate([target, source])
    income = _before(both, np.concatenate([comes, np.zeros_like(leaves)]), received, np.tile(real, 2))[len(real) :]
    balance = income - cum_out
    outside = source == 0 if names is None else names[source] == 0
    if (short := (balance < leaves) & ~outside).any():
        return "uncovered", int(real[np.argmax(short)]), ()
    np.add.at(received, target, comes)
    np.add.at(paid, source, leaves)
    pot = target if names is None else names[target]
    row = (real + first_row).astype(np.uint32)
    return "", len(real), (ptr, row[order], pot[order], cum_out[order], in_off[order], balance[order])


def _fits(before: Units, pots: Codes, units: Units) -> bool:
    """Whether no pot's sum passes 2^63 - 1; exact where a float cannot tell."""
    sums = before.astype(np.float64) + np.bincount(pots, units.astype(np.float64), minlength=len(before))
    doubtful = np.flatnonzero(sums >= _SAFE)
    return all(int(before[pot]) + sum(units[pots == pot].tolist()) <= UNITS_MAX for pot in doubtful)


def _before(pots: Codes, units: Units, start: Units, rows: NDArray[np.int64] | None = None) -> Units:
    """What each pot had of `units` before each of its entries, `start` included; by rows, else in order."""
    order = np.argsort(pots, kind="stable") if rows is None else np.lexsort((rows, pots))
    pot, unit = pots[order], units[order]
    running = np.cumsum(unit) - unit
    first = np.flatnonzero(np.diff(pot, prepend=-1)) if len(pot) else np.zeros(0, np.int64)
    base = np.repeat(running[first], np.diff(np.append(first, len(pot))))
    found = np.empty(len(pots), np.int64)
    found[order] = running - base + start[pot]
    return found


def _exact(ledger: Ledger, opening: Units) -> tuple[Segment, Totals]:
    """The base segment in Python's whole numbers, for a ledger whose sums pass 2^63 - 1."""
    received, paid = [int(units) for units in opening], [0] * len(opening)
    booked: list[tuple[int, int, int, int, int, int]] = []
    columns = (ledger.sources, ledger.targets, ledger.amounts, ledger.arrived)
    for row, (source, target, leaves, comes) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        if source == target:
            continue
        balance = received[source] - paid[source]
        if balance < leaves and source != OUTSIDE:
            raise Refused(f"row {row + 1} pays what its account does not have: give a higher opening balance")
        booked.append((source, row, target, paid[source], received[target], balance))
        paid[source] += leaves
        received[target] += comes
    booked.sort()
    ptr = np.searchsorted([entry[0] for entry in booked], np.arange(len(opening) + 1)).astype(np.int64)
    codes = [np.array([entry[i] for entry in booked], np.uint32) for i in (1, 2)]
    units = [np.array([entry[i] for entry in booked], object) for i in (3, 4, 5)]
    arrived = None if ledger.arrived is ledger.amounts else ledger.arrived
    segment = Segment(None, ptr, codes[0], codes[1], units[0], units[1], units[2], ledger.amounts, arrived, 0)
    return segment, Totals(np.array(received, object), np.array(paid, object))
