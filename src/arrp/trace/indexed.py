"""Books that stand on an index: a pot's payments are where they lie, and nothing is sorted to open one.

First in first out and the pools need of a pot only what it paid, so a ledger of any size is opened at
once. Last in first out asks for its income too, and then the whole ledger is sorted.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from arrp.trace.index import Index
from arrp.trace.ledger import Ledger
from arrp.trace.statement import Books, Column, Shown, Statement


class IndexedBooks(Books):
    """The index must be that of the whole ledger, its sums within 63 bits (not `wide`)."""

    def __init__(self, ledger: Ledger, index: Index) -> None:
        super().__init__(ledger)
        self._index = index
        self._shown: dict[int, IndexedStatement] = {}

    def statement(self, pot: int) -> Shown:
        """The pot's payments from the index; the rest when it is asked for."""
        if pot not in self._shown:
            self._shown[pot] = IndexedStatement(self, self._index, pot)
        return self._shown[pot]


class IndexedStatement:
    """As trace/statement: Statement."""

    def __init__(self, books: IndexedBooks, index: Index, pot: int) -> None:
        self._books, self._index, self._pot = books, index, pot
        paid = [(part, *part.range_of(pot)) for part in index.segments]
        self.out_rows: Column = np.concatenate([part.row[low:high] for part, low, high in paid]).astype(np.int64)
        self.out_offset: Column = np.concatenate([part.cum_out[low:high] for part, low, high in paid])
        self._balance: Column = np.concatenate([part.balance[low:high] for part, low, high in paid])
        self.out_total = 0
        if len(self.out_rows):
            self.out_total = int(self.out_offset[-1]) + int(books.ledger.amounts[self.out_rows[-1]])

    @cached_property
    def _whole(self) -> Statement:
        return self._books.whole_statement(self._pot)

    @property
    def rows(self) -> Column:
        return self._whole.rows

    @property
    def change(self) -> Column:
        return self._whole.change

    @property
    def after(self) -> Column:
        return self._whole.after

    def balance_before(self, row: int) -> int:
        """Units in the pot just before the row."""
        place = int(np.searchsorted(self.out_rows, row))
        if place < len(self.out_rows) and self.out_rows[place] == row:
            return int(self._balance[place])
        return self._whole.balance_before(row)

    def out_after(self, row: int) -> int | None:
        """The pot's first payment booked after the row."""
        place = int(np.searchsorted(self.out_rows, row, side="right"))
        return int(self.out_rows[place]) if place < len(self.out_rows) else None

    def first_coin(self, row: int) -> int:
        """The number that the first coin of this credit has in the pot."""
        return self._index.piece_of(int(self._books.ledger.sources[row]), row)[1]

    def out_with(self, coin: int) -> int:
        """The place in out_rows of the payment that takes the coin; its length if none does."""
        if coin >= self.out_total:
            return len(self.out_rows)
        return int(np.searchsorted(self.out_offset, coin, side="right")) - 1
