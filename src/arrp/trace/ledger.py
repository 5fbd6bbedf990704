"""A ledger of many accounts as columns: who paid whom how much, in booking order.

A ledger is a bank's own, a national switch's or a chain's. Row k is the k-th transfer booked: the
row is the total order that every rule uses, never the time. An account may hold
several assets; what it has of one of them is a *pot*, and the columns speak of pots by number.
Pot 0 is the outside: cash paid in and paid out, unlimited and clean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from arrp.core.coins import Coins
from arrp.core.ledger import Pin

OUTSIDE = 0  # the pot beyond the ledger

Codes = NDArray[np.uint32]
Units = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pot:
    """What `account` (a DESIGN string, "" outside) has of `asset`."""

    account: str
    asset: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """`n` transfers between `p` pots, and what the pots had before the first of them.

    amounts: units of the source pot's asset that leave, each > 0. arrived: units of the target's
    asset that come; the same array where nothing is converted. times: microseconds since 1970, UTC.
    batches: which transfers one order made, for TIHO; -1 where it was alone. opening: units of each
    pot before row 0. terminal: money that reaches such a pot is told, never followed.
    Most ledgers have none of the last three. reverses: which rows give back an earlier one, whole or
    in part. carries: which coins inside the earlier one such a row carries; where nobody said, the
    first of them that are still there. pins: what holds keep in a pot; their sequences are rows.
    """

    pots: Sequence[Pot]
    sources: Codes
    targets: Codes
    amounts: Units
    arrived: Units
    times: Units
    batches: Units
    refs: Sequence[str]
    opening: Units
    terminal: NDArray[np.bool_]
    reverses: Mapping[int, int] = field(default_factory=dict)
    carries: Mapping[int, Coins] = field(default_factory=dict)
    pins: Mapping[int, tuple[Pin, ...]] = field(default_factory=dict)
