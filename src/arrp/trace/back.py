"""Whose money is it? From coins that lie in an account back to where they came from, first in first out.

The same searches as forward, the other way: so what a theft has in an account is exactly what of that
account's coins came by the theft.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from arrp.core.errors import Refused
from arrp.trace.found import comes, leaves
from arrp.trace.ledger import Ledger
from arrp.trace.statement import Books


@dataclass(frozen=True, slots=True)
class Origin:
    """Coins [low, high) of the payment `row` in the ledger; or, where row is None, of the opening balance of `pot`.

    They are counted where they came from, in that asset: after a conversion it may be another number.
    """

    row: int | None
    pot: int
    low: int
    high: int

    @property
    def units(self) -> int:
        return self.high - self.low


def trace_back(ledger: Ledger | Books, pot: int, stop: Collection[int] = ()) -> list[Origin]:
    """Where all that lies in the pot now came from, in the order of its coins.

    Ends at opening balances, at payments from outside or from a terminal, and at the rows in `stop` (the
    thefts asked about). Raises Refused for a ledger with holds or returns, whose coins do not leave in order.
    """
    books = Books(ledger.ledger if isinstance(ledger, Books) else ledger)
    if books.ledger.pins or books.ledger.reverses:
        raise Refused("coins are traced back only in a ledger without holds and returns: trace the thefts forward")
    statement, found = books.whole_statement(pot), list[Origin]()
    waiting = [(pot, statement.out_total, statement.in_total)]
    while waiting:
        at, low, high = waiting.pop()
        if low < high:
            until, came = _came(books, (at, low, high), stop)
            waiting.append((at, until, high))
            if isinstance(came, Origin):
                found.append(came)
            else:
                waiting.append(came)
    return found


def _came(
    books: Books, coins: tuple[int, int, int], stop: Collection[int]
) -> tuple[int, Origin | tuple[int, int, int]]:
    """Where the first of the coins came from: the first coin that did not, and the origin or the coins to look at."""
    pot, low, high = coins
    statement, ledger = books.whole_statement(pot), books.ledger
    if low < statement.opening:
        until = min(high, statement.opening)
        return until, Origin(None, pot, low, until)
    place = int(np.searchsorted(statement.in_offset, low, side="right")) - 1
    row, base = int(statement.in_rows[place]), int(statement.in_offset[place])
    gave, came = leaves(ledger, row), comes(ledger, row)
    until = min(high, base + came)
    # Bounds were rounded down on the way here, so going back they are rounded up.
    first, last = -(-(low - base) * gave // came), -(-(until - base) * gave // came)
    source = int(ledger.sources[row])
    if row in stop or books.ends_at(source):
        return until, Origin(row, source, first, last)
    giver = books.whole_statement(source)
    start = int(giver.out_offset[np.searchsorted(giver.out_rows, row)])
    return until, (source, start + first, start + last)
