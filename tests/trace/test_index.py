"""The index answers as a walk over every row; compiled and plain code give the same arrays; deltas change nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arrp.core.errors import Corrupt, Refused
from arrp.trace.index import Index, Totals, append_segment, build_index
from arrp.trace.kernels import COMPILED, Compiled
from arrp.trace.ledger import Ledger
from arrp.trace.segment import Budget, Pieces, Starts, State
from tests.trace.ledgers import Row, ledger_of, ledgers, rows_of, walk_fifo, walk_haircut

needs_kernels = pytest.mark.skipif(COMPILED is None, reason="the package was built without a compiler")
BOTH = [
    pytest.param(None, id="plain"),
    pytest.param(COMPILED, id="compiled", marks=needs_kernels),
]
quick = settings(max_examples=50, deadline=None)


def same(one: Any, other: Any) -> None:
    """Two answers, or two segments, field by field."""
    assert type(one) is type(other)
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name


def some_transfer(ledger: Ledger, draw: st.DataObject) -> int:
    real = [k for k, row in enumerate(rows_of(ledger)) if row.source != row.target]
    assume(real)
    return draw.draw(st.sampled_from(real))


def start(index: Index, ledger: Ledger, stolen: int) -> tuple[int, int, int]:
    return index.piece_of(int(ledger.sources[stolen]), stolen)


def starts(ledger: Ledger, *stolen: int) -> Starts:
    rows = sorted(stolen)
    return Starts(np.array(rows, np.uint32), ledger.targets[rows], ledger.arrived[rows])


def held(pieces: Pieces) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for pot, low, high, here, state in zip(
        pieces.pot.tolist(), pieces.low.tolist(), pieces.high.tolist(), pieces.here.tolist(), pieces.state, strict=True
    ):
        found[pot] += high - (low if state == State.STOPPED else here)
    return {pot: units for pot, units in found.items() if units}


@pytest.mark.parametrize("compiled", BOTH)
@quick
@given(ledgers(), st.data())
def test_fifo_is_what_queues_of_coins_give(compiled: Compiled | None, ledger: Ledger, draw: st.DataObject) -> None:
    stolen = some_transfer(ledger, draw)
    index, _ = build_index(ledger, compiled)
    pieces = index.follow_pieces([start(index, ledger, stolen)])
    assert held(pieces) == walk_fifo(ledger, stolen)
    assert not pieces.full


@pytest.mark.parametrize("compiled", BOTH)
@quick
@given(ledgers(), st.data())
def test_haircut_is_what_a_walk_gives(compiled: Compiled | None, ledger: Ledger, draw: st.DataObject) -> None:
    stolen = some_transfer(ledger, draw)
    index, _ = build_index(ledger, compiled)
    found = index.follow_shares(starts(ledger, stolen))
    shown = {pot: units for pot, units in zip(found.held_pot.tolist(), found.held_units.tolist(), strict=True) if units}
    assert shown == walk_haircut(ledger, stolen)
    assert found.unfollowed == 0
    assert found.flow_row.tolist() == sorted(found.flow_row.tolist()), "flows are told in booking order"


@pytest.mark.parametrize("compiled", BOTH)
@quick
@given(ledgers(), st.data())
def test_reach_is_paths_of_rising_rows(compiled: Compiled | None, ledger: Ledger, draw: st.DataObject) -> None:
    stolen, hops = some_transfer(ledger, draw), draw.draw(st.integers(0, 4))
    end = draw.draw(st.integers(stolen, len(ledger.refs)))
    index, _ = build_index(ledger, compiled)
    pot = int(ledger.targets[stolen])
    found = index.reach_pots((pot, stolen), end, hops)
    best = {(0, pot): stolen}
    for hop in range(hops):
        for row, (source, target, *_) in enumerate(rows_of(ledger)):
            at = best.get((hop, source))
            if at is not None and at < row < end and not index.stops[source] and source != target:
                best[hop + 1, target] = min(row, best.get((hop + 1, target), row))
    earliest: dict[int, int] = {}
    for (_, target), row in best.items():
        earliest[target] = min(row, earliest.get(target, row))
    assert dict(zip(found.pot.tolist(), found.row.tolist(), strict=True)) == earliest


@needs_kernels
@quick
@given(ledgers(converts=True, largest=2**62), st.data())
def test_compiled_is_plain_array_for_array(ledger: Ledger, draw: st.DataObject) -> None:
    plain, compiled = build_index(ledger, None)[0], build_index(ledger, COMPILED)[0]
    same(plain.segments[0], compiled.segments[0])
    assert plain.wide == compiled.wide
    stolen = some_transfer(ledger, draw)
    budget = Budget(*(draw.draw(st.sampled_from([0, 1, 2, 5, 100])) for _ in range(3)))
    begun = [start(plain, ledger, stolen)]
    same(plain.follow_pieces(begun, budget), compiled.follow_pieces(begun, budget))
    same(plain.reach_pots((begun[0][0], stolen), len(ledger.refs), 3),
         compiled.reach_pots((begun[0][0], stolen), len(ledger.refs), 3))  # fmt: skip
    least = draw.draw(st.sampled_from([1, 2, 7]))
    if not plain.wide:
        asked = starts(ledger, stolen)
        budget = replace(budget, pieces=1000)
        same(plain.follow_shares(asked, budget, least), compiled.follow_shares(asked, budget, least))


@pytest.mark.parametrize("compiled", BOTH)
@quick
@given(ledgers(converts=True), st.data())
def test_a_base_and_what_was_appended_answer_as_one(
    compiled: Compiled | None, ledger: Ledger, draw: st.DataObject
) -> None:
    stolen = some_transfer(ledger, draw)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(ledger.refs)), min_size=1, max_size=3)))
    whole, _ = build_index(ledger, compiled)
    first, totals = build_index(part_of(ledger, 0, cuts[0]), compiled)
    segments = list(first.segments)
    for low, high in zip(cuts, [*cuts[1:], len(ledger.refs)], strict=True):
        part = part_of(ledger, low, high)
        keys = np.unique([*part.sources, *part.targets]).astype(np.uint32)
        mine = Totals(totals.received[keys], totals.paid[keys])
        segment = append_segment(part, low, keys, mine, compiled)
        assert segment is not None
        totals.received[keys], totals.paid[keys] = mine.received, mine.paid
        segments.append(segment)
    parts = replace(first, segments=tuple(segments))
    begun = [start(whole, ledger, stolen)]
    assert [start(parts, ledger, stolen)] == begun
    same(whole.follow_pieces(begun), parts.follow_pieces(begun))
    least = draw.draw(st.sampled_from([1, 3]))
    asked = starts(ledger, stolen)
    same(whole.follow_shares(asked, least=least), parts.follow_shares(asked, least=least))
    same(whole.reach_pots((begun[0][0], stolen), 40, 3), parts.reach_pots((begun[0][0], stolen), 40, 3))


def part_of(ledger: Ledger, low: int, high: int) -> Ledger:
    names = ("sources", "targets", "amounts", "arrived", "times", "batches", "refs")
    cut = {name: getattr(ledger, name)[low:high] for name in names}
    if ledger.arrived is ledger.amounts:
        cut["arrived"] = cut["amounts"]
    return replace(ledger, **cut)


@pytest.mark.parametrize("compiled", BOTH)
@quick
@given(ledgers(), st.data())
def test_everyone_at_once_is_the_sum_of_each(compiled: Compiled | None, ledger: Ledger, draw: st.DataObject) -> None:
    """In floating point; the shares are those of an exact walk."""
    victims = sorted({some_transfer(ledger, draw) for _ in range(3)})
    index, _ = build_index(ledger, compiled)
    least = draw.draw(st.sampled_from([0.3, 1.0, 4.1]))
    screened = index.screen(ledger, starts(ledger, *victims), least)
    balance = [int(units) for units in ledger.opening]
    taint = [0.0] * len(balance)
    for number, (source, target, leaves, comes) in enumerate(rows_of(ledger)):
        if source != target:
            share = leaves / balance[source] if source else 0
            if not index.stops[source] and (moved := taint[source] * share) >= least:
                taint[source] -= moved
                taint[target] += moved
            balance[source] -= leaves
            balance[target] += comes
        if number in victims:
            taint[target] += comes
    assert screened.tolist() == pytest.approx(taint, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("compiled", BOTH)
def test_sums_beyond_63_bits_are_seen_and_exact(compiled: Compiled | None) -> None:
    most = 2**62
    rows = [Row(0, 1, most, most), Row(1, 2, most, most), Row(0, 1, most, most), Row(1, 2, most, most)]
    ledger = ledger_of([*rows, Row(2, 3, most, most), Row(2, 4, most, most)])
    index, totals = build_index(ledger, compiled)
    assert index.wide
    assert totals.received.tolist()[2] == 2**63
    assert held(index.follow_pieces([index.piece_of(1, 3)])) == {4: most}
    fits = ledger_of([*rows[:1], Row(0, 2, most - 1, most - 1)])
    assert not build_index(fits, compiled)[0].wide, "2^63 - 1"


@pytest.mark.parametrize("compiled", BOTH)
def test_what_is_not_covered_is_refused_with_its_row(compiled: Compiled | None) -> None:
    ledger = ledger_of([Row(0, 1, 5, 5), Row(1, 2, 6, 6)])
    ledger.opening[1] = 0
    with pytest.raises(Refused, match="row 2 pays what its account does not have"):
        build_index(ledger, compiled)


@pytest.mark.parametrize("compiled", BOTH)
def test_a_transfer_to_oneself_is_not_in_the_index(compiled: Compiled | None) -> None:
    index, _ = build_index(ledger_of([Row(0, 1, 5, 5), Row(1, 1, 3, 3), Row(1, 2, 4, 4)]), compiled)
    assert index.segments[0].row.tolist() == [0, 2]
    with pytest.raises(Refused, match="moves nothing"):
        index.piece_of(1, 1)


@needs_kernels
@pytest.mark.parametrize("column", ["row", "target", "ptr", "cum_out", "balance"])
def test_columns_that_are_nonsense_do_not_crash(column: str) -> None:
    """What a file has may be anything; compiled code looks before it reads."""
    ledger = ledger_of([Row(0, 1, 50, 50), Row(1, 2, 20, 20), Row(1, 3, 30, 30), Row(2, 4, 20, 20)])
    index, _ = build_index(ledger, COMPILED)
    broken = getattr(index.segments[0], column).copy()
    broken[:] = -5 if broken.dtype == np.int64 else 2**32 - 5
    nonsense = replace(index, segments=(replace(index.segments[0], **{column: broken}),))
    asked = starts(ledger, 0)
    outcomes = 0
    for ask in (
        lambda: nonsense.follow_pieces([(1, 0, 50)]),
        lambda: nonsense.follow_shares(asked),
        lambda: nonsense.reach_pots((1, 0), 4, 3),
    ):
        try:
            ask()
        except (Corrupt, Refused):
            outcomes += 1
    assert outcomes >= 1


def test_the_columns_are_what_was_promised() -> None:
    """32 bytes a transfer and 8 a pot."""
    rows = [Row(1 + k % 4, 1 + (k + 1) % 4, 5, 5) for k in range(1000)]
    index, _ = build_index(ledger_of(rows), None)
    assert index.bytes == 32 * 1000 + 8 * 7
