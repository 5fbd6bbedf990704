"""The parts of an index and the answers of its loops: plain columns, the same from compiled and interpreted code.

A *segment* holds transfers in (source, row) order, 32 bytes each: which row, to which pot, what the
source had paid before (`cum_out`), what the target had received before (`in_off`), and the balance
of the source before it. A base segment has every pot; a later one (a day's delta) those in `keys`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from arrp.trace.ledger import Codes, Units

ENDLESS = 2**31 - 2  # hops, accounts: no limit


class State(IntEnum):
    """What was done with a piece or a pot."""

    FOLLOWED = 0
    STOPPED = 1  # outside or terminal: told, never followed
    LEFT = 2  # a budget ended before it


@dataclass(frozen=True, slots=True)
class Segment:
    """`n` transfers; pot `keys[e]` (or e) has those in ptr[e]..ptr[e + 1], ascending by row.

    amounts, arrived: units by row - first_row, of every row of this part of the ledger; arrived is
    None where nothing is converted. Columns of a ledger whose sums pass 2^63 - 1 are of Python integers.
    """

    keys: Codes | None
    ptr: NDArray[np.int64]
    row: Codes
    target: Codes
    cum_out: Units
    in_off: Units
    balance: Units
    amounts: Units
    arrived: Units | None
    first_row: int

    def range_of(self, pot: int) -> tuple[int, int]:
        """Where the transfers out of the pot are."""
        entry = pot
        if self.keys is not None:
            entry = int(np.searchsorted(self.keys, pot))
            if entry == len(self.keys) or self.keys[entry] != pot:
                return 0, 0
        elif pot >= len(self.ptr) - 1:
            return 0, 0  # a pot that is younger than this segment
        return int(self.ptr[entry]), int(self.ptr[entry + 1])

    def leaves(self, k: int) -> int:
        return int(self.amounts[int(self.row[k]) - self.first_row])

    def comes(self, k: int) -> int:
        return self.leaves(k) if self.arrived is None else int(self.arrived[int(self.row[k]) - self.first_row])


@dataclass(frozen=True, slots=True)
class Budget:
    """How far a trace may go; `pieces` bounds what it may write down."""

    hops: int = ENDLESS
    accounts: int = ENDLESS
    pieces: int = 4_000_000


@dataclass(frozen=True, slots=True)
class Pieces:
    """Intervals of coins: piece i is [low, high) of what ever came into `pot`, [here, high) is there now.

    The first `begun` were given. Each further one came out of piece `parent` by transfer `row`, at
    [inside_low, inside_high) of its units. `hop` counts transfers from a given piece. A piece that is
    LEFT was not followed: what it paid out, [low, here), is unknown from there on. visited: pots looked at.
    """

    begun: int
    visited: int
    full: bool
    pot: Codes
    row: Codes
    low: Units
    high: Units
    here: Units
    parent: Units
    inside_low: Units
    inside_high: Units
    hop: NDArray[np.int32]
    state: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shares:
    """Haircut: units that each transfer carried, in booking order, and what each pot has of them in the end.

    unfollowed: units that were not moved since a transfer would have carried less than the least asked for.
    """

    visited: int
    unfollowed: int
    flow_row: Codes
    flow_units: Units
    held_pot: Codes
    held_units: Units
    state: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Reached:
    """Pots in the order they were found, the start first, and the earliest row at which money could be there."""

    pot: Codes
    row: Codes


@dataclass(frozen=True, slots=True)
class Starts:
    """Where money begins to be followed, ascending by row: at `row` the pot receives `units` of it."""

    row: Codes
    pot: Codes
    units: Units
