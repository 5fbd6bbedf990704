"""Rows to a ledger: numbered pots, implied openings equal to a walk in whole numbers, payments nothing covers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.errors import Malformed
from arrp.trace.booking import Moves, book, open_pots
from arrp.trace.kernels import COMPILED
from arrp.trace.ledger import Pot
from arrp.wire.ledger_csv import Rows, read_ledger_csv

HEADER = "time,from,to,amount,asset,ref,to_amount,to_asset,batch\n"


def rows(*lines: str) -> Rows:
    read = read_ledger_csv([HEADER, *(f"2026-11-22T09:30:00Z,{line}\n" for line in lines)])
    assert read.refused == []
    return read


def test_pots_are_numbered_as_they_appear_and_the_outside_is_nought() -> None:
    booked = book(rows(",A,10.00,EUR,1,,,", "A,A,9.00,EUR,2,9.90,USD,", "A,,1.00,EUR,3,,,x"), {("Z", "EUR"): 5}, {"A"})
    ledger = booked.ledger
    assert list(ledger.pots) == [Pot("", ""), Pot("A", "EUR"), Pot("A", "USD"), Pot("Z", "EUR")]
    assert (ledger.sources.tolist(), ledger.targets.tolist()) == ([0, 1, 1], [1, 2, 0])
    assert (ledger.amounts.tolist(), ledger.arrived.tolist()) == ([1000, 900, 100], [1000, 990, 100])
    assert ledger.batches.tolist() == [-1, -1, 0]
    assert ledger.opening.tolist() == [0, 0, 0, 5]
    assert ledger.terminal.tolist() == [False, True, True, False]
    assert not booked.implied.any()
    assert booked.uncovered == ()


def test_without_an_opening_the_least_that_was_needed_is_implied() -> None:
    booked = book(rows("A,B,7.00,EUR,1,,,", "B,A,3.00,EUR,2,,,", "A,C,10.00,EUR,3,,,", "C,C,99.00,EUR,4,,,"), {})
    assert booked.ledger.opening.tolist() == [0, 1400, 0, 0], "7 - 3 + 10; to oneself nothing moves"
    assert booked.implied.tolist() == [False, True, False, False]


def test_a_given_opening_that_does_not_cover_is_refused_once() -> None:
    booked = book(rows("A,B,7.00,EUR,1,,,", "A,B,3.01,EUR,2,,,", "A,B,1.00,EUR,3,,,"), {("A", "EUR"): 1000})
    (found,) = booked.uncovered
    assert (found.transfer, found.pot, found.amount, found.balance) == (1, Pot("A", "EUR"), 301, 300)
    assert "account A pays 3.01 EUR and has 3.00 EUR" in str(found)
    assert book(rows("A,B,7.00,EUR,1,,,", "A,B,3.00,EUR,2,,,"), {("A", "EUR"): 1000}).uncovered == ()


def walked(moves: Sequence[tuple[int, int, int]], given: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """The same by walking row for row in whole numbers."""
    net = [0] * len(given)
    lowest = [0] * len(given)
    uncovered: dict[int, tuple[int, int]] = {}
    for row, (source, target, amount) in enumerate(moves):
        if source == target:
            continue
        if given[source] >= 0 and given[source] + net[source] < amount:
            uncovered.setdefault(source, (row, given[source] + net[source]))
        net[source] -= amount
        net[target] += amount
        lowest[source] = min(lowest[source], net[source])
    opening = [max(0, g if g >= 0 else -low) for g, low in zip(given, lowest, strict=True)]
    opening[0] = 0
    uncovered.pop(0, None)
    return opening, sorted(uncovered.values())


POTS = st.integers(0, 4)
MOVES = st.lists(st.tuples(POTS, POTS, st.sampled_from([1, 2, 3, 50, 2**61, 2**62])), max_size=12)
GIVEN = st.one_of(
    st.just([-1] * 4), st.lists(st.sampled_from([-1, 0, 3, 100, 2**62]), min_size=4, max_size=4)
)


@settings(max_examples=300, deadline=None)
@given(MOVES, GIVEN)
def test_openings_equal_a_walk(moves: list[tuple[int, int, int]], given: list[int]) -> None:
    given = [-1, *given]
    columns = list(zip(*moves, strict=True)) or [(), (), ()]
    codes = [np.array(column, np.uint32) for column in columns[:2]]
    amounts = np.array(columns[2], np.int64)
    asked = Moves(codes[0], codes[1], amounts, amounts)
    opening, uncovered = walked(moves, given)
    if max(opening) >= 2**63:
        with pytest.raises(Malformed, match="is the most"):
            open_pots(asked, np.array(given, np.int64))
        return
    if COMPILED and set(given) == {-1}:
        lowest = COMPILED.lowest((codes[0], codes[1], amounts, amounts), len(given))
        assert lowest is None or (-lowest[1:]).tolist() == opening[1:]
    found = open_pots(asked, np.array(given, np.int64))
    assert found[0].tolist() == opening
    assert found[1] == uncovered
