"""A ledger read from CSV: what can stand is a row of columns, what cannot is refused under its number."""

from __future__ import annotations

import pytest

from arrp.core.errors import Malformed
from arrp.wire.ledger_csv import RefusedRow, read_ledger_csv, read_opening_csv, read_terminals

HEADER = "time,from,to,amount,asset,ref\n"
GOOD = "2026-11-22T09:30:00Z,A,B,10.00,EUR,one\n"


def test_a_row_becomes_columns() -> None:
    rows = read_ledger_csv([HEADER, GOOD, "1970-01-01T01:00:00.000001+01:00,,A,5,JPY,two\n"])
    assert rows.refused == []
    assert (rows.numbers, rows.times) == ([1, 2], [1_795_339_800_000_000, 1])
    assert (rows.sources, rows.targets, rows.assets) == (["A", ""], ["B", "A"], ["EUR", "JPY"])
    assert (rows.amounts, rows.to_amounts, rows.to_assets) == ([1000, 5], [1000, 5], ["EUR", "JPY"])
    assert rows.refs == ["one", "two"]


def test_columns_in_any_order_and_columns_of_others() -> None:
    rows = read_ledger_csv(
        ["\ufeffref,asset,channel,amount,to,from,time,to_asset,to_amount,batch,reverses\n",
         'r1,EUR,app,"10.5",B,A,2026-11-22T09:30:00Z,USD,11.55,b7,r0\n']
    )  # fmt: skip
    assert (rows.amounts, rows.to_amounts, rows.to_assets) == ([1050], [1155], ["USD"])
    assert (rows.batches, rows.reverses) == (["b7"], ["r0"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2026-11-22T09:30:00Z,A,B,10.00,EUR,one", "ref one stands on row 1 already"),
        ("2026-11-22T09:30:00Z,A,B,10.00,EUR,", "no ref"),
        ("2026-11-22T09:30:00Z,A,B,0.00,EUR,x", "not above zero"),
        ("2026-11-22T09:30:00Z,A,B,-1,EUR,x", "not a plain decimal number"),
        ("2026-11-22T09:30:00Z,A,B,1e3,EUR,x", "not a plain decimal number"),
        ("2026-11-22T09:30:00Z,A,B,1.001,EUR,x", "more than the 2 decimals"),
        ("2026-11-22T09:30:00Z,A,B,92233720368547758.08,EUR,x", "is the most"),
        ("2026-11-22T09:30:00Z,A,B,1,Euro,x", "neither an ISO 4217 code nor"),
        ("2026-11-22T09:30:00Z,A,B,1,eip155:1/erc20:0x00,x", "not in the table of known tokens"),
        ("2026-11-22T09:30:00,A,B,1,EUR,x", "no time zone"),
        ("yesterday,A,B,1,EUR,x", "not an instant"),
        ("2026-11-22T09:30:00Z,,,1,EUR,x", "neither from an account nor to one"),
        ("2026-11-22T09:30:00Z,A,B,1,EUR", "5 fields, the header has 6"),
        ("2026-11-22T09:30:00Z,A,B,1,EUR,x,y", "7 fields, the header has 6"),
    ],
)
def test_what_cannot_stand_is_refused_under_its_number(line: str, why: str) -> None:
    rows = read_ledger_csv([HEADER, GOOD, f"{line}\n", "2026-11-22T09:30:00Z,B,C,1.00,EUR,last\n"])
    assert [refused.row for refused in rows.refused] == [2]
    assert why in rows.refused[0].why
    assert rows.refs == ["one", "last"], "one bad row hides no other"
    assert rows.numbers == [1, 3]


def test_half_a_conversion_is_refused() -> None:
    header = "time,from,to,amount,asset,ref,to_amount,to_asset\n"
    for half in ("1.00,", ",USD", "0,USD", "1.234,USD"):
        rows = read_ledger_csv([header, f"2026-11-22T09:30:00Z,A,B,1,EUR,x,{half}\n"])
        assert len(rows.refused) == 1, half


def test_files_go_on_counting_and_share_their_refs() -> None:
    rows = read_ledger_csv([HEADER, GOOD])
    read_ledger_csv([HEADER, GOOD], rows)
    assert list(map(str, rows.refused)) == ["row 2: ref one stands on row 1 already: leave one of them out"]


def test_the_largest_amount_and_a_transfer_to_oneself_are_kept() -> None:
    rows = read_ledger_csv([HEADER, "2026-11-22T09:30:00Z,A,A,92233720368547758.07,EUR,x\n"])
    assert (rows.amounts, rows.sources, rows.refused) == ([2**63 - 1], ["A"], [])


@pytest.mark.parametrize("header", ["", "time,from,to,amount,asset\n", "time,from,to,amount,asset,ref,ref\n", '"a\n'])
def test_a_header_that_cannot_be_used(header: str) -> None:
    with pytest.raises(Malformed, match="header"):
        read_ledger_csv([header, GOOD])


def test_opening_balances() -> None:
    given, refused = read_opening_csv(["account,amount,asset\n", "A,10.00,EUR\n", "A,7,JPY\n", "B,0,EUR\n"])
    assert given == {("A", "EUR"): 1000, ("A", "JPY"): 7, ("B", "EUR"): 0}
    assert refused == []


def test_opening_balances_that_cannot_stand() -> None:
    lines = ["account,amount,asset\n", "A,1,EUR\n", "A,2,EUR\n", ",1,EUR\n", "B,-1,EUR\n", "C,1\n"]
    given, refused = read_opening_csv(lines)
    assert given == {("A", "EUR"): 100}
    assert [found.row for found in refused] == [2, 3, 4, 5]
    assert refused[0] == RefusedRow(2, "account A has an opening balance in EUR already")
    with pytest.raises(Malformed, match="account,amount,asset"):
        read_opening_csv(["A,1,EUR\n"])


def test_terminals_are_one_a_line() -> None:
    assert read_terminals(["account\n", "A\n", "\n", "B,exchange\n"]) == {"A", "B"}
    assert read_terminals(["A"]) == {"A"}
