"""What one pot's statement shows, fetched when the money gets there: this is all that following needs of a ledger.

`Books` sorts a ledger by source and by target once; a `Statement` is one pot's part of it. Whoever
has these columns ready, on disk or compiled, can stand in for `Books`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.trace.ledger import OUTSIDE, Ledger

_SAFE = float(2**62)  # a float sum below it proves that the whole sum fits 63 bits
Column = NDArray[Any]  # int64, or whole numbers of any size where sums may pass 2^63 - 1


class Shown(Protocol):
    """All that the methods ask of a pot: see Statement. An index answers it too (trace/indexed)."""

    @property
    def rows(self) -> Column: ...
    @property
    def change(self) -> Column: ...
    @property
    def after(self) -> Column: ...
    @property
    def out_rows(self) -> Column: ...
    @property
    def out_offset(self) -> Column: ...
    @property
    def out_total(self) -> int: ...
    def balance_before(self, row: int) -> int: ...
    def out_after(self, row: int) -> int | None: ...
    def first_coin(self, row: int) -> int: ...
    def out_with(self, coin: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Statement:
    """One pot's own bookings in order; payments to itself are not among them.

    rows: i64[k] of the ledger. change: what each adds. after: the balance behind it.
    in_rows, in_offset: each credit, and the number of its first coin (the opening balance is coins 0…).
    out_rows, out_offset: each payment, and the number of the first coin it takes if first in is first out.
    in_total, out_total: all that ever came (the opening too), and left.
    """

    opening: int
    rows: Column
    change: Column
    after: Column
    in_rows: Column
    in_offset: Column
    out_rows: Column
    out_offset: Column
    in_total: int
    out_total: int

    def balance_before(self, row: int) -> int:
        """Units in the pot just before the row is booked, whether it is this pot's row or not."""
        place = int(np.searchsorted(self.rows, row))
        return int(self.after[place - 1]) if place else self.opening

    def out_after(self, row: int) -> int | None:
        """The pot's first payment booked after the row."""
        place = int(np.searchsorted(self.out_rows, row, side="right"))
        return int(self.out_rows[place]) if place < len(self.out_rows) else None

    def first_coin(self, row: int) -> int:
        """The number that the first coin of this credit has in the pot."""
        return int(self.in_offset[np.searchsorted(self.in_rows, row)])

    def out_with(self, coin: int) -> int:
        """The place in out_rows of the payment that takes the coin, first in first out; its length if none does."""
        if coin >= self.out_total:
            return len(self.out_rows)
        return int(np.searchsorted(self.out_offset, coin, side="right")) - 1


@dataclass
class Books:
    """A ledger that can be opened at any pot."""

    ledger: Ledger
    _open: dict[int, Statement] = field(default_factory=dict)
    _batches: dict[int, dict[int, list[int]]] = field(default_factory=dict)

    def statement(self, pot: int) -> Shown:
        """Raises Malformed where the pot would have paid what it never had."""
        return self.whole_statement(pot)

    def whole_statement(self, pot: int) -> Statement:
        """With its income. Raises Malformed as `statement` does."""
        if pot not in self._open:
            self._open[pot] = self._read(pot)
        return self._open[pot]

    def ends_at(self, pot: int) -> bool:
        """Money that gets there is told and not followed."""
        return pot == OUTSIDE or bool(self.ledger.terminal[pot])

    def moves_nothing(self, row: int) -> bool:
        """A payment to oneself, which every rule leaves out."""
        return bool(self.ledger.sources[row] == self.ledger.targets[row])

    def batch(self, row: int) -> list[int]:
        """The payments of one order that this one is among, booked one after the other in this pot.

        Where anything else is booked between them a new transaction begins: what the first one left
        for the others may be gone by then.
        """
        pot = int(self.ledger.sources[row])
        if self.ledger.batches[row] < 0:
            return [row]
        if pot not in self._batches:
            self._batches[pot] = found = dict[int, list[int]]()
            statement, run, last = self.statement(pot), list[int](), -1
            for booked, change in zip(statement.rows.tolist(), statement.change.tolist(), strict=True):
                batch = int(self.ledger.batches[booked]) if change < 0 else -1
                if batch == last != -1:
                    run.append(booked)
                else:
                    run, last = [booked], batch
                found[booked] = run
        return self._batches[pot][row]

    @cached_property
    def _by_source(self) -> tuple[Column, Column]:
        return _sorted(self.ledger.sources, len(self.ledger.pots))

    @cached_property
    def _by_target(self) -> tuple[Column, Column]:
        return _sorted(self.ledger.targets, len(self.ledger.pots))

    def _rows(self, index: tuple[Column, Column], pot: int) -> Column:
        order, ptr = index
        rows: Column = order[ptr[pot] : ptr[pot + 1]]
        real: Column = rows[self.ledger.sources[rows] != self.ledger.targets[rows]]
        return real

    def _read(self, pot: int) -> Statement:
        came, went = self._rows(self._by_target, pot), self._rows(self._by_source, pot)
        opening = int(self.ledger.opening[pot])
        incoming, outgoing = self.ledger.arrived[came], self.ledger.amounts[went]
        if opening + np.sum(incoming, dtype=np.float64) + np.sum(outgoing, dtype=np.float64) >= _SAFE:
            incoming, outgoing = incoming.astype(object), outgoing.astype(object)
        rows, change = np.concatenate([came, went]), np.concatenate([incoming, -outgoing])
        order = np.argsort(rows, kind="stable")
        rows, change = rows[order], change[order]
        after = opening + np.cumsum(change) if len(change) else change
        in_ends, out_ends = np.cumsum(incoming), np.cumsum(outgoing)
        statement = Statement(
            opening, rows, change, after,
            came, opening + in_ends - incoming, went, out_ends - outgoing,
            opening + int(np.sum(incoming)), int(np.sum(outgoing)),
        )  # fmt: skip
        if pot != OUTSIDE and len(after) and after.min() < 0 and not self.ends_at(pot):
            self._refuse(pot, statement)
        return statement

    def _refuse(self, pot: int, statement: Statement) -> None:
        place = int(np.argmax(statement.after < 0))
        name = self.ledger.pots[pot]
        asked, there = -int(statement.change[place]), int(statement.after[place] - statement.change[place])
        raise Malformed(
            f"account {name.account} pays {Amount(asked, name.asset)} by {self.ledger.refs[int(statement.rows[place])]}"
            f" and has {Amount(there, name.asset)}: give its opening balance, or add the rows that are missing"
        )


def _sorted(pots: Column, count: int) -> tuple[Column, Column]:
    order = np.argsort(pots, kind="stable")
    return order, np.searchsorted(pots[order], np.arange(count + 1))
