"""Random ledgers of few pots and small numbers, where everything meets everything; and walks over them, row by row."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from arrp.core.errors import Malformed
from arrp.trace.booking import Moves, open_pots
from arrp.trace.ledger import Ledger, Pot

POTS = 6


class Row(NamedTuple):
    source: int
    target: int
    leaves: int
    comes: int


def _rows(largest: int, converts: bool) -> st.SearchStrategy[list[Row]]:
    pots, units = st.integers(0, POTS - 1), st.one_of(st.integers(1, 9), st.integers(1, largest))
    plain = st.builds(lambda a, b, units: Row(a, b, units, units), pots, pots, units)
    converting = st.builds(Row, pots, pots, units, units)
    return st.lists(st.one_of(plain, converting) if converts else plain, max_size=25)


@st.composite
def ledgers(draw: st.DrawFn, *, largest: int = 60, converts: bool = False) -> Ledger:
    """Openings are the least that is needed and a little more; some pots are terminal."""
    rows = draw(_rows(largest, converts))
    more = draw(st.lists(st.integers(0, 20), min_size=POTS, max_size=POTS))
    terminal = draw(st.lists(st.sampled_from([False] * 5 + [True]), min_size=POTS, max_size=POTS))
    try:
        return ledger_of(rows, more, terminal)
    except Malformed:
        reject()  # an opening that no column can hold is refused, elsewhere


def ledger_of(rows: Sequence[Row], more: Sequence[int] = (0,) * POTS, terminal: Sequence[bool] = ()) -> Ledger:
    columns = list(zip(*rows, strict=True)) or [()] * 4
    sources, targets = (np.array(column, np.uint32) for column in columns[:2])
    amounts, arrived = (np.array(column, np.int64) for column in columns[2:])
    if (amounts == arrived).all():
        arrived = amounts
    opening, _ = open_pots(Moves(sources, targets, amounts, arrived), np.full(POTS, -1, np.int64))
    opening[1:] += np.where(opening < 2**62, np.array(more, np.int64), 0)[1:]
    pots = [Pot("", ""), *(Pot(f"A{k}", "EUR") for k in range(1, POTS))]
    stops = np.array([False, *terminal[1:]] if terminal else [False] * POTS, np.bool_)
    n = len(rows)
    return Ledger(pots, sources, targets, amounts, arrived, np.arange(n, dtype=np.int64), np.full(n, -1, np.int64),
                  [f"r{k}" for k in range(n)], opening, stops)  # fmt: skip


def rows_of(ledger: Ledger) -> list[Row]:
    columns = (ledger.sources, ledger.targets, ledger.amounts, ledger.arrived)
    return [Row(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def walk_fifo(ledger: Ledger, stolen: int) -> dict[int, int]:
    """Units of transfer `stolen` in each pot at the end: every coin a queue entry (units, traced), front first."""
    queues = [deque([(int(units), False)]) for units in ledger.opening]
    for number, (source, target, leaves, _) in enumerate(rows_of(ledger)):
        if source == target:
            continue
        moved: list[tuple[int, bool]] = []
        if source == 0:
            moved = [(leaves, False)]
        while source and leaves:
            units, traced = queues[source].popleft()
            taken = min(units, leaves)
            moved.append((taken, traced))
            leaves -= taken
            if units > taken:
                queues[source].appendleft((units - taken, traced))
        stops = ledger.terminal[source]
        queues[target].extend((units, number == stolen or (traced and not stops)) for units, traced in moved)
        if stops:  # what came here stays told as here
            queues[source].extend((units, True) for units, traced in moved if traced)
    held = {pot: sum(units for units, traced in queue if traced) for pot, queue in enumerate(queues)}
    return {pot: units for pot, units in held.items() if units}


def walk_haircut(ledger: Ledger, stolen: int) -> dict[int, int]:
    """The same by shares of the balance, rounded down; the remainder stays."""
    balance = [int(units) for units in ledger.opening]
    taint = [0] * POTS
    for number, (source, target, leaves, comes) in enumerate(rows_of(ledger)):
        if source == target:
            continue
        if source and not ledger.terminal[source]:
            moved = taint[source] * leaves // balance[source]
            taint[source] -= moved
            taint[target] += moved
        balance[source] -= leaves
        balance[target] += comes
        if number == stolen:
            taint[target] += comes
    return {pot: units for pot, units in enumerate(taint) if units}
