"""Comparing what a request states with what a ledger shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from arrp.connectors.matching import compare, compare_names
from arrp.core.answers import ClaimedCredit, Compared, Question
from arrp.core.ledger import Transfer

AT = datetime(2022, 6, 28, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MATCH, DIFFERS, UNKNOWN = Compared.MATCH, Compared.DIFFERS, Compared.UNKNOWN


def credit(ref: str, amount: int, hours: int = 0, uetr: str = "", end_to_end: str = "") -> Transfer:
    return Transfer(int(ref[1:]), ref, True, amount, AT + hours * HOUR, uetr=uetr, end_to_end=end_to_end)


def claim(amount: int, *refs: str, window: bool = True) -> ClaimedCredit:
    return ClaimedCredit(refs, amount, AT, AT + HOUR) if window else ClaimedCredit(refs, amount)


def verdicts(claimed: ClaimedCredit, *transfers: Transfer) -> tuple[list[tuple[str, bool]], Compared, Compared]:
    """The credits found, and what is said of amount and time."""
    matching = compare(Question("EUR", (claimed,)), "Ana", transfers)
    said = {c.what: c.verdict for c in matching.comparisons if c.credit == 0}
    return [(c.ref, c.by_reference) for c in matching.credits], said["amount"], said["time"]


def test_a_reference_decides_and_differences_are_said() -> None:
    ledger = credit("c1", 90, 5, uetr="U"), credit("c2", 100)
    assert verdicts(claim(100, "U"), *ledger) == ([("c1", True)], DIFFERS, DIFFERS)
    assert verdicts(claim(90, "U", window=False), *ledger) == ([("c1", True)], MATCH, UNKNOWN)
    assert verdicts(claim(100, "c2"), *ledger) == ([("c2", True)], MATCH, MATCH)


def test_a_payment_that_landed_in_two_parts_is_two_credits() -> None:
    parts = credit("c1", 60, uetr="U"), credit("c2", 40, uetr="U")
    assert verdicts(claim(60, "U"), *parts) == ([("c1", True), ("c2", True)], MATCH, MATCH)


def test_without_a_reference_only_one_credit_may_fit() -> None:
    assert verdicts(claim(100, "lost"), credit("c1", 100)) == ([("c1", False)], MATCH, MATCH)
    assert verdicts(claim(100, "lost"), credit("c1", 100), credit("c2", 100))[0] == []
    assert verdicts(claim(100, "lost", window=False), credit("c1", 100))[0] == []


def test_what_fits_in_nothing_is_said_with_what_is_there() -> None:
    assert verdicts(claim(100, "lost"), credit("c1", 100, 3)) == ([], MATCH, DIFFERS)
    assert verdicts(claim(100, "lost"), credit("c1", 99)) == ([], DIFFERS, MATCH)
    assert verdicts(claim(100, "lost")) == ([], DIFFERS, DIFFERS)
    there = [c.there for c in compare(Question("EUR", (claim(100),)), "Ana", (credit("c1", 9950),)).comparisons]
    assert there == ["", "Ana", "99.50 EUR", AT.isoformat()]


def test_a_placeholder_is_no_reference() -> None:
    other = credit("c1", 70, end_to_end="NOTPROVIDED")
    assert verdicts(claim(100, "NOTPROVIDED", ""), other)[0] == []


def test_money_that_left_is_no_credit() -> None:
    left = Transfer(1, "t1", False, 100, AT, uetr="U")
    assert verdicts(claim(100, "U"), left)[0] == []


def test_an_unreadable_ledger_leaves_amount_and_time_unknown() -> None:
    matching = compare(Question("EUR", (claim(1), claim(2))), "Ana", None)
    assert [(c.what, c.verdict, c.credit) for c in matching.comparisons[2:]] == [
        ("amount", UNKNOWN, 0), ("time", UNKNOWN, 0), ("amount", UNKNOWN, 1), ("time", UNKNOWN, 1),
    ]  # fmt: skip
    assert matching.credits == ()


@pytest.mark.parametrize(
    ("stated", "holder", "verdict"),
    [
        ("João da Silva", "DA SILVA, Joao", MATCH),
        ("Maria Silva", "Maria João Silva", MATCH),
        ("Maria Silva", "Maria Santos", DIFFERS),
        ("Silva", "Maria Silva", DIFFERS),
        ("", "Maria Silva", UNKNOWN),
        ("Maria Silva", "", UNKNOWN),
        ("田中 太郎", "田中 太郎", MATCH),
    ],
)
def test_names_are_compared_as_people_write_them(stated: str, holder: str, verdict: Compared) -> None:
    assert compare_names(stated, holder).verdict is verdict
