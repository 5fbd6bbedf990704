"""Each method against its plain twin, unit for unit, on random ledgers; and by hand where courts did the sums."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.errors import NotFound, Refused
from arrp.trace.coin_by_coin import fifo_by_coin, lifo_by_coin
from arrp.trace.found import Budget, Found, Meter, Share, Theft
from arrp.trace.index import build_index
from arrp.trace.indexed import IndexedBooks
from arrp.trace.intervals import fifo_intervals, lifo_intervals
from arrp.trace.ledger import OUTSIDE, Ledger
from arrp.trace.methods import METHODS, method_named, pari_passu
from arrp.trace.segment import State
from arrp.trace.statement import Books
from tests.trace.random_ledgers import Lines, ledger_of, ledgers, thefts_of
from tests.trace.reference import pooled

picks = st.lists(st.integers(0, 99), min_size=1, max_size=3)
AMOUNTS = [name for name, method in METHODS.items() if not method.flag]


def search(ledger: Ledger, name: str, rows: list[int]) -> list[Found]:
    return METHODS[name].search(Books(ledger), [Theft(row) for row in rows], Meter(Budget()))


def held(ledger: Ledger, name: str, row: int = 0) -> dict[str, int]:
    [found] = search(ledger, name, [row])
    assert found.add_up() == found.stolen
    return {ledger.pots[pot].account: share.units for pot, share in found.held.items()}


# --- by hand --------------------------------------------------------------------------------------

PAUL = [("", "P", 10), ("", "M", 10), ("P", "T", 10), ("M", "T", 10), ("T", "", 10), ("", "K", 10), ("K", "T", 10),
        ("T", "", 10)]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "paul", "michael", "karen"),
    [("fifo", 0, 0, 10), ("lifo", 10, 0, 0), ("haircut", 3, 3, 5), ("dirty-first", 2, 3, 5)],
)
def test_paul_michael_and_karen(name: str, paul: int, michael: int, karen: int) -> None:
    """30 came in three times, 20 were spent: whose 10 are left? Pro rata is 2.5, 2.5, 5 in whole units."""
    found = search(ledger_of(PAUL), name, [2, 3, 6])
    assert [one.held.get(_pot(PAUL, "T"), Share()).units for one in found] == [paul, michael, karen]


def _pot(lines: list[tuple[str, str, int]], account: str) -> int:
    return next(n for n, pot in enumerate(ledger_of(lines).pots) if pot.account == account)


def test_pari_passu_shares_what_is_left() -> None:
    """Barlow Clowes: 10.00 left of three losses of 10.00 are 3.34, 3.33, 3.33."""
    assert pari_passu(1000, [1000, 1000, 1000]) == [334, 333, 333]
    assert pari_passu(5000, [1000, 2000]) == [1000, 2000]
    with pytest.raises(Refused):
        pari_passu(10, [0, 0])


def test_re_hallett() -> None:
    """100,000 own, 200,000 of the trust, 254,500 spent: by lowest balance 45,500 of the trust are left."""
    lines = [("V", "T", 20_000_000), ("T", "", 25_450_000)]
    ledger = ledger_of(lines, {"T": 10_000_000, "V": 20_000_000})
    assert held(ledger, "libr") == {"T": 4_550_000}
    assert held(ledger, "dirty-first") == {}
    assert held(ledger, "fifo") == {"T": 4_550_000}
    assert held(ledger, "lifo") == {}


def test_what_was_spent_once_no_later_income_restores() -> None:
    """Roscoe v Winder: the claim ends at the lowest balance on the way."""
    ledger = ledger_of([("V", "T", 455), ("T", "", 430), ("", "T", 333)], {"V": 455})
    assert held(ledger, "libr") == {"T": 25}


def test_pro_rata_leaves_the_remainder_and_empties_whole() -> None:
    ledger = ledger_of([("V", "T", 10), ("T", "X", 10), ("T", "Y", 20)], {"V": 10, "T": 20})
    assert held(ledger, "haircut") == {"X": 3, "Y": 7}


def test_last_in_first_out_turns_the_order_at_each_payment() -> None:
    """The newest coin leaves first and lies at the bottom of the next account, so it leaves that one last."""
    ledger = ledger_of([("V", "T", 4), ("T", "S", 10), ("S", "X", 6)], {"V": 4, "T": 6})
    assert held(ledger, "lifo") == {"S": 4}
    assert held(ledger, "fifo") == {"S": 4}
    assert held(ledger_of([("V", "T", 4), ("", "T", 6), ("T", "S", 10), ("S", "X", 6)], {"V": 4}), "lifo") == {"X": 4}


def test_highest_output_of_a_batch_takes_stolen_money_first() -> None:
    lines = Lines()
    for line, batch in ((("V", "T", 10), ""), (("T", "X", 4), "b"), (("T", "Y", 9), "b"), (("T", "Z", 1), "")):
        lines.pay(line, batch=batch)
    ledger = lines.ledger({"V": 10, "T": 20})
    assert held(ledger, "tiho") == {"X": 1, "Y": 9}
    assert held(ledger, "dirty-first") == {"X": 4, "Y": 6}


def test_what_is_booked_between_two_payments_of_a_batch_parts_them() -> None:
    """Else the first would leave stolen money for the second that other payments need meanwhile."""
    lines = Lines()
    for line, batch in ((("V", "T", 49), ""), (("T", "X", 2), "b"), (("", "T", 1), ""), (("T", "Y", 49), "b")):
        lines.pay(line, batch=batch)
    assert held(lines.ledger({"V": 49, "T": 1}), "tiho") == {"X": 2, "Y": 47}


def test_legal_names_and_any_spelling_are_known() -> None:
    for text, name in {
        "FIFO": "fifo", "dirty_first": "dirty-first", "Pro rata": "haircut", "Clayton's case": "fifo",
        "lowest intermediate balance": "libr", "rolling_charge": "haircut", "TIHO": "tiho", "Re Hallett": "libr",
        "first in, first out": "fifo", "dirty first": "dirty-first",
    }.items():  # fmt: skip
        assert method_named(text).name == name
    with pytest.raises(NotFound, match="fifo, lifo, haircut"):
        method_named("alphabetical")


# --- against the twins ----------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(ledgers(), picks)
def test_intervals_find_what_moving_every_coin_finds(ledger: Ledger, picks: list[int]) -> None:
    books, thefts = Books(ledger), [Theft(row) for row in thefts_of(ledger, picks)]
    for fast, slow in ((fifo_intervals, fifo_by_coin), (lifo_intervals, lifo_by_coin)):
        assert fast(books, thefts, Meter(Budget())) == slow(books, thefts, Meter(Budget()))


@settings(max_examples=300, deadline=None)
@given(ledgers(), picks, st.sampled_from(["haircut", "dirty-first", "libr", "tiho"]))
def test_pools_find_what_reading_every_row_finds(ledger: Ledger, picks: list[int], name: str) -> None:
    rows = thefts_of(ledger, picks)
    together = search(ledger, name, rows)
    for victim, found in enumerate(together):
        twin = pooled(ledger, [found.theft.row] if name == "haircut" else rows, name)
        me = 0 if name == "haircut" else victim
        assert {pot: (s.units, s.claim) for pot, s in found.held.items()} == {
            pot: share for (one, pot), share in twin.held.items() if one == me and share != (0, 0)
        }
        assert {row: share.units for row, share in found.flows.items()} == {
            row: units for (one, row), units in twin.flows.items() if one == me
        }
        assert sum(share.claim for share in found.terminal.values()) == twin.terminal.get(me, 0)
        assert found.rounding == twin.rounding.get(me, 0)


@settings(max_examples=150, deadline=None)
@given(ledgers(), picks, st.sampled_from(list(METHODS)))
def test_an_index_answers_as_the_rows_do(ledger: Ledger, picks: list[int], name: str) -> None:
    """P12; and the loops over the index find the same by themselves, first in first out."""
    index, _ = build_index(ledger, None)
    thefts = [Theft(row) for row in thefts_of(ledger, picks)]
    found = METHODS[name].search(Books(ledger), thefts, Meter(Budget()))
    if not index.wide:
        assert METHODS[name].search(IndexedBooks(ledger, index), thefts, Meter(Budget())) == found
    for one in found if name == "fifo" else []:
        pieces = index.follow_pieces([index.piece_of(int(ledger.sources[one.theft.row]), one.theft.row)])
        there: dict[int, int] = {}
        for pot, here, high, state in zip(pieces.pot, pieces.here, pieces.high, pieces.state, strict=True):
            if state == State.FOLLOWED and high > here:
                there[int(pot)] = there.get(int(pot), 0) + int(high) - int(here)
        assert {pot: share.units for pot, share in one.held.items() if share.units} == there


@settings(max_examples=200, deadline=None)
@given(ledgers(), picks)
def test_poison_reaches_whoever_was_paid_from_where_it_was(ledger: Ledger, picks: list[int]) -> None:
    for found in search(ledger, "poison", thefts_of(ledger, picks)):
        reached: set[int] = set()
        for row in range(len(ledger.amounts)):
            source, target = int(ledger.sources[row]), int(ledger.targets[row])
            if source != target and (row == found.theft.row or source in reached):
                assert row in found.flows
                if target != OUTSIDE and not ledger.terminal[target]:
                    reached.add(target)
        assert set(found.held) == reached
