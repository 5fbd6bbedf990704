"""Returns and holds, by hand: new payments that carry their coins back, coins that a hold keeps where they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arrp.core.coins import Coins
from arrp.core.errors import Malformed
from arrp.core.ledger import Pin
from arrp.trace.asked import with_returns
from arrp.trace.follow import follow
from arrp.trace.found import Theft
from arrp.trace.ledger import Ledger
from arrp.trace.methods import METHODS
from tests.trace.random_ledgers import ledger_of

AMOUNTS = [name for name, method in METHODS.items() if not method.flag]


def held(ledger: Ledger, name: str, row: int = 0) -> dict[str, int]:
    [answer] = follow(ledger, [Theft(row)], name).answers
    assert sum(place.claim for place in (*answer.held, *answer.terminal)) + answer.unfollowed == answer.stolen
    return {place.account: place.units for place in answer.held}


# --- returns, by hand -------------------------------------------------------------------------------


def returned(units: int) -> Ledger:
    """40 stolen and 60 own go to S, who has 100 of its own; then S gives back `units` of them."""
    lines = [("V", "A", 40), ("A", "S", 100), ("S", "A", units)]
    return with_returns(ledger_of(lines, {"V": 40, "A": 60, "S": 100}), ["", "", "t1"])


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_whole_return_brings_back_all_that_went(name: str) -> None:
    assert held(returned(100), name) == {"A": 40}


@pytest.mark.parametrize(
    ("name", "back"), [("fifo", 0), ("lifo", 0), ("haircut", 20), ("dirty-first", 20), ("libr", 20), ("tiho", 20)]
)
def test_half_a_return_brings_back_its_coins_or_its_part(name: str, back: int) -> None:
    """Coins: the first 50 of the payment, in which (fifo) the 60 of A are first; lifo gives back the last 50 of it."""
    assert held(returned(50), name).get("A", 0) == back


@pytest.mark.parametrize("name", AMOUNTS)
def test_returns_in_parts_bring_back_the_whole(name: str) -> None:
    lines = [("V", "A", 40), ("A", "S", 100), ("S", "A", 33), ("S", "A", 67)]
    ledger = with_returns(ledger_of(lines, {"V": 40, "A": 60, "S": 100}), ["", "", "t1", "t1"])
    assert held(ledger, name) == {"A": 40}


def test_a_return_says_which_coins_it_carries() -> None:
    ledger = replace(returned(50), carries={2: Coins(((60, 100),))})
    assert held(ledger, "fifo") == {"A": 40}


def test_without_its_link_a_payment_back_is_one_like_any_other() -> None:
    lines = [("V", "A", 40), ("A", "S", 100), ("S", "A", 100)]
    ledger = ledger_of(lines, {"V": 40, "A": 60, "S": 100})
    assert held(ledger, "fifo") == {"S": 40}
    assert held(ledger, "haircut") == {"A": 20, "S": 20}


@pytest.mark.parametrize(
    ("lines", "reverses", "why"),
    [
        ([("A", "B", 5), ("B", "A", 6)], ["", "t0"], "more goes back"),
        ([("A", "B", 5), ("B", "C", 5)], ["", "t0"], "same way back"),
        ([("A", "B", 5), ("B", "A", 5)], ["t1", ""], "no earlier transfer"),
        ([("A", "B", 5), ("B", "A", 5)], ["", "t9"], "no earlier transfer"),
    ],
)
def test_what_is_no_return_is_refused(lines: list[tuple[str, str, int]], reverses: list[str], why: str) -> None:
    with pytest.raises(Malformed, match=why):
        with_returns(ledger_of(lines), reverses)


# --- holds, by hand ---------------------------------------------------------------------------------


def test_a_hold_on_the_oldest_coins_keeps_them_where_the_newest_leave() -> None:
    ledger = ledger_of([("V", "A", 40), ("", "A", 50), ("A", "B", 30)], {"V": 40})
    kept = replace(ledger, pins={2: (Pin(Coins(((0, 40),)), 0, None, "H"),)})
    assert held(ledger, "fifo") == {"A": 10, "B": 30}
    for name in AMOUNTS:
        assert held(kept, name) == {"A": 40}, name
    till = replace(ledger, pins={2: (Pin(Coins(((0, 40),)), 0, 1, "H"),)})
    assert held(till, "fifo") == {"A": 10, "B": 30}
