"""From rows to a Ledger: pots get numbers, opening balances are given or implied, impossible payments are found.

An account whose opening balance nobody gave must have had at least what it paid beyond its income:
max(0, -lowest running net). That is the *implied* opening; how many pots have one is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.trace.ledger import OUTSIDE, Codes, Ledger, Pot, Units

UNITS_MAX = 2**63 - 1
_SAFE = float(2**62)  # a float sum below it proves that the whole sum fits 63 bits


class Columns(Protocol):
    """Rows as columns of one length (wire/ledger_csv.py); empty accounts are the outside."""

    times: list[int]
    sources: list[str]
    targets: list[str]
    amounts: list[int]
    assets: list[str]
    to_amounts: list[int]
    to_assets: list[str]
    refs: list[str]
    batches: list[str]


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Transfer `k` pays `amount` out of a pot whose given opening leaves it only `balance`, in minor units."""

    transfer: int
    pot: Pot
    amount: int
    balance: int

    def __str__(self) -> str:
        asset = self.pot.asset
        return (
            f"account {self.pot.account} pays {Amount(self.amount, asset)} and has {Amount(self.balance, asset)}:"
            " its opening balance was given and does not cover it"
        )


@dataclass(frozen=True, slots=True)
class Booked:
    """A ledger, which of its pots have an implied opening (bool[p]), and what no given opening covers."""

    ledger: Ledger
    implied: NDArray[np.bool_]
    uncovered: tuple[Uncovered, ...]


def book(rows: Columns, opening: Mapping[tuple[str, str], int], terminals: Collection[str] = ()) -> Booked:
    """The ledger of the rows in their order. `opening`: units of (account, asset) before the first row.

    Raises Malformed where an implied opening is more than 2^63 - 1 units.
    """
    pots: dict[Pot, int] = {Pot("", ""): OUTSIDE}
    sources = _coded(rows.sources, rows.assets, pots)
    targets = _coded(rows.targets, rows.to_assets, pots)
    for account, asset in opening:
        pots.setdefault(Pot(account, asset), len(pots))
    names = tuple(pots)
    given = np.full(len(names), -1, np.int64)
    for (account, asset), units in opening.items():
        given[pots[Pot(account, asset)]] = units
    amounts = np.array(rows.amounts, np.int64)
    same = rows.to_amounts == rows.amounts
    arrived = amounts if same else np.array(rows.to_amounts, np.int64)
    balances, uncovered = open_pots(Moves(sources, targets, amounts, arrived), given)
    ledger = Ledger(
        names, sources, targets, amounts, arrived, np.array(rows.times, np.int64), number_batches(rows.batches),
        rows.refs, balances, np.array([bool(pot.account) and pot.account in terminals for pot in names], np.bool_),
    )  # fmt: skip
    shown = tuple(Uncovered(k, names[sources[k]], int(amounts[k]), left) for k, left in uncovered)
    return Booked(ledger, (given < 0) & (balances > 0), shown)


def _coded(accounts: Sequence[str], assets: Sequence[str], pots: dict[Pot, int]) -> Codes:
    outside = Pot("", "")
    keys = (Pot(a, b) if a else outside for a, b in zip(accounts, assets, strict=True))
    return np.fromiter((pots.setdefault(key, len(pots)) for key in keys), np.uint32, len(accounts))


def number_batches(names: Sequence[str]) -> Units:
    """Each name its number in order of appearance; -1 where there is none."""
    known: dict[str, int] = {}
    return np.fromiter((known.setdefault(n, len(known)) if n else -1 for n in names), np.int64, len(names))


@dataclass(frozen=True, slots=True)
class Moves:
    """Who paid whom how much: four columns of one length, as in Ledger."""

    sources: Codes
    targets: Codes
    amounts: Units
    arrived: Units


def open_pots(moves: Moves, given: Units) -> tuple[Units, list[tuple[int, int]]]:
    """What each pot has before the first transfer, and (transfer, balance) where a given opening is too small.

    given: i64[p], -1 where nobody gave one. Of each pot only the first uncovered transfer is told: what
    follows from it would be told again and again. Raises Malformed where an implied one passes 2^63 - 1.
    """
    flow = _Flow.of(moves, len(given))
    opening = np.where(given < 0, 0, given)
    opening[OUTSIDE] = 0
    uncovered: list[tuple[int, int]] = []
    implied = (given < 0) & (flow.lowest < 0)
    implied[OUTSIDE] = False
    opening[implied] = -flow.lowest[implied]
    short = (given >= 0) & (flow.lowest < -opening) & ~flow.wide
    for pot in np.flatnonzero(short):
        uncovered.append(flow.first_below(int(pot), int(opening[pot])))
    for pot in np.flatnonzero(flow.wide):
        if pot != OUTSIDE:
            _open_wide(int(pot), flow, (given, opening), uncovered)
    return opening, sorted(uncovered)


def _open_wide(pot: int, flow: _Flow, columns: tuple[Units, Units], uncovered: list[tuple[int, int]]) -> None:
    """The same in whole numbers without a limit, for the few pots whose sums may pass 2^63 - 1."""
    given, opening = columns
    if given[pot] >= 0:
        below = flow.first_below_exactly(pot, int(given[pot]))
        uncovered += [below] if below else []
        return
    lowest, net = 0, 0
    for _, change in flow.of_pot(pot):
        net += change
        lowest = min(lowest, net)
    if -lowest > UNITS_MAX:
        raise Malformed(f"a pot must have had {-lowest} units before the first row: {UNITS_MAX} is the most")
    opening[pot] = -lowest


@dataclass(frozen=True, slots=True)
class _Flow:
    """Each pot's changes in booking order: a payment out, a payment in."""

    ptr: NDArray[np.int64]
    rows: NDArray[np.int64]
    changes: Units
    running: Units  # of the pot, up to and with the change; of no use where wide
    lowest: Units
    wide: NDArray[np.bool_]

    @classmethod
    def of(cls, moves: Moves, pots: int) -> _Flow:
        real = np.flatnonzero(moves.sources != moves.targets)  # to oneself nothing moves
        who = np.concatenate([moves.sources[real], moves.targets[real]])
        rows = np.concatenate([real, real])
        order = np.lexsort((rows, who))
        who, rows = who[order], rows[order]
        changes = np.concatenate([-moves.amounts[real], moves.arrived[real]])[order]
        ptr = np.zeros(pots + 1, np.int64)
        np.cumsum(np.bincount(who, minlength=pots), out=ptr[1:])
        turnover = np.bincount(who, np.abs(changes.astype(np.float64)), minlength=pots)
        # Wrapped sums are right in their differences as long as each pot's own sum fits.
        total = np.concatenate([np.zeros(1, np.int64), np.cumsum(changes)])
        running = total[1:] - np.repeat(total[ptr[:-1]], np.diff(ptr))
        lowest = np.zeros(pots, np.int64)
        np.minimum.at(lowest, who, running)
        return cls(ptr, rows, changes, running, lowest, turnover >= _SAFE)

    def of_pot(self, pot: int) -> list[tuple[int, int]]:
        here = slice(self.ptr[pot], self.ptr[pot + 1])
        return list(zip(self.rows[here].tolist(), self.changes[here].tolist(), strict=True))

    def first_below(self, pot: int, opening: int) -> tuple[int, int]:
        """The first transfer that leaves less than nothing, and what was there before it."""
        low = int(self.ptr[pot])
        at = low + int(np.argmax(self.running[low : self.ptr[pot + 1]] < -opening))
        return int(self.rows[at]), opening + int(self.running[at]) - int(self.changes[at])

    def first_below_exactly(self, pot: int, opening: int) -> tuple[int, int] | None:
        for row, change in self.of_pot(pot):
            if opening + change < 0:
                return row, opening
            opening += change
        return None
