"""A made-up ledger of any size, the same every time: few accounts move much, received money moves on soon.

A tenth as many accounts as transfers; activity falls off as a power, the busiest one having 1.3 % of
all payments; log-normal amounts; three in ten payments come from who has just received. Opening
balances are implied, so that no balance is ever below zero. All within 90 days.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arrp.trace.booking import Moves, open_pots
from arrp.trace.ledger import OUTSIDE, Ledger, Pot

DAY = 86_400_000_000
DAYS = 90

_BUSIEST = 0.013
_SOON = 1000  # transfers within which received money may move on


class _Refs(list[str]):
    """Nobody asks for a ref here, and ten million of them would take longer than what is measured."""


def synthetic_ledger(transfers: int) -> Ledger:
    """Of so many transfers; pot 0, the outside, takes no part."""
    accounts = max(2, transfers // 10)
    steep = np.log(accounts) / -np.log(_BUSIEST)
    sources = _accounts(transfers, 1, accounts, steep)
    targets = _accounts(transfers, 2, accounts, steep)
    received = np.arange(transfers) - 1 - (_dice(transfers, 4) * _SOON).astype(np.int64)
    soon = (_dice(transfers, 3) < 0.3) & (received >= 0)
    sources[soon] = targets[received[soon]]
    same = sources == targets
    targets[same] = targets[same] % accounts + 1
    normal = np.sqrt(-2 * np.log(1 - _dice(transfers, 5))) * np.cos(2 * np.pi * _dice(transfers, 6))
    amounts = np.maximum(1, np.exp(9 + 1.5 * normal)).astype(np.int64)
    opening, _ = open_pots(Moves(sources, targets, amounts, amounts), np.full(accounts + 1, -1, np.int64))
    times = (np.arange(transfers) * (DAYS * DAY / transfers)).astype(np.int64)
    pots = [Pot("", "")] * (accounts + 1)
    terminal = np.zeros(accounts + 1, np.bool_)
    assert opening[OUTSIDE] == 0
    none = np.full(transfers, -1, np.int64)
    return Ledger(pots, sources, targets, amounts, amounts, times, none, _Refs(), opening, terminal)


def _accounts(transfers: int, seed: int, accounts: int, steep: float) -> NDArray[np.uint32]:
    """1 to accounts, the first ones most often; the same ones pay and receive much, under scattered numbers."""
    rank = np.floor(accounts * _dice(transfers, seed) ** steep).astype(np.uint64)
    scattered = (rank * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(accounts)
    found: NDArray[np.uint32] = (scattered + np.uint64(1)).astype(np.uint32)
    return found


def _dice(transfers: int, seed: int) -> NDArray[np.float64]:
    """Numbers in [0, 1) that fall the same way again (splitmix64, Steele, Lea and Flood 2014)."""
    state = (np.arange(transfers, dtype=np.uint64) + np.uint64(seed << 40)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
