"""What is typed at a keyboard for paper and for clerks: read right, or refused with what is wrong (R-96, R-99)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from arrp.cli.answer import _leg, _legs
from arrp.cli.task import read_lines
from arrp.core.errors import Malformed, NotFound
from arrp.core.money import Amount

AT = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
HEAD = "at,direction,amount,asset,reference,account,name,ends\n"


def test_a_transfer_that_a_letter_tells() -> None:
    leg = _leg("38000.00 EUR; LT12 1000 0111 0100 1000; 2026-03-02T08:30Z; P2; Trading Lda")
    assert (leg.amount, leg.at, leg.account, leg.ref, leg.name, leg.ends) == (
        Amount(3800000, "EUR"), AT, "payto://iban/LT121000011101001000", "P2", "Trading Lda", None)
    cash = _leg("500.00 EUR; cash; 2026-03-02T08:30Z")
    assert (cash.ends, cash.account) == ("cash", "")
    assert (_legs([]), _legs(["none"])) == (None, ())


@pytest.mark.parametrize(
    ("typed", "why"),
    [("38000.00 EUR", "is not 'AMOUNT; ACCOUNT or cash or fee; TIME; REFERENCE; NAME'"),
     ("38000.00; cash; 2026-03-02T08:30Z", "names no asset"),
     ("1.00 EUR; LT12 1000; 2026-03-02T08:30Z", "LT12"), ("1.00 EUR; cash; today", "is not an instant"),
     ("1.00 EUR; cash; 2026-03-02T08:30", "which time zone")],
)
def test_a_transfer_that_nobody_can_read(typed: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        _leg(typed)


def test_movements_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "since.csv"
    file.write_text(f"\ufeff{HEAD}2026-03-02T08:30Z,out,1.00,EUR,T-1,LT121000011101001000,Ana,\n"
                    "2026-03-02T08:31Z,out,2.00,EUR,T-2,,,cash\n2026-03-02T08:32Z,in,3.00,EUR,T-3,,,\n", "utf-8")
    lines = read_lines(file)
    assert [(line.incoming, line.amount.decimal, line.ref, line.ends) for line in lines] == [
        (False, "1.00", "T-1", None), (False, "2.00", "T-2", "cash"), (True, "3.00", "T-3", None)]
    assert lines[0].account == "payto://iban/LT121000011101001000"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has the columns none: it needs"), ("at,amount\n", "has the columns amount, at: it needs"),
        (HEAD.replace("ends", "colour"), "colour"),
        (f"{HEAD}2026-03-02T08:30Z,sideways,1.00,EUR,T,,,\n", "line 2: direction is in or out, not 'sideways'"),
        (f"{HEAD}2026-03-02T08:30Z,out,1.00,EUR,T\n", "line 2: it has another number of columns"),
        (f"{HEAD}2026-03-02T08:30Z,out,1.00,EUR,T,,,,,x\n", "line 2: it has another number of columns"),
        (f"{HEAD}2026-03-02T08:30Z,out,1.00,EUR, ,,,\n", "line 2: a movement has a reference"),
        (f"{HEAD}2026-03-02T08:30Z,out,1.00,EUR,T,,,gone\n", "line 2: ends is cash, fee"),
        (f"{HEAD}2026-03-02T08:30Z,out,1.001,EUR,T,,,\n", "line 2: .*decimals"),
        (f"{HEAD}yesterday,out,1.00,EUR,T,,,\n", "line 2: 'yesterday' is not an instant"),
    ],
)
def test_a_file_that_is_no_ledger(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "since.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(Malformed, match=why):
        read_lines(file)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_lines(tmp_path / "none.csv")
    (tmp_path / "since.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(Malformed, match="is not UTF-8"):
        read_lines(tmp_path / "since.csv")
