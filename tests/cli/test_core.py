"""`arrp core`: money into a simulated core by hand, in decimal texts, and clear words where that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arrp.connectors.simulated import SimulatedCore
from tests.cli.running import arrp, data, ok

EVIDENCE = Path(__file__).resolve().parents[2] / "examples" / "evidence"
BANK = ("--id", "BANK-PT", "--name", "Banco PT", "--kind", "institution", "--country", "PT", "--answers-for", "PT0002")
ACCOUNT, ELSEWHERE = "PT50000201231234567890154", "LT121000011101001000"
OPEN = ("--account", ACCOUNT, "--holder", "Loja Inventada")


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    ok("node", "init", tmp_path / "pt", *BANK, "--core", "simulated")
    return tmp_path / "pt"


def test_money_comes_in_and_goes_out(bank: Path) -> None:
    opened = data("core", "open", bank, *OPEN, "--opening", "1250.00")
    assert opened == {"ref": ACCOUNT, "account": f"payto://iban/{ACCOUNT}", "opening": "1250.00", "asset": "EUR"}
    booked = data("core", "book", bank, "--evidence", EVIDENCE / "payment.pacs008.xml")
    assert (booked["amount"], booked["asset"], booked["sequence"]) == ("40000.00", "EUR", 1)
    assert booked["uetr"] == "5b2f6a1c-7d3e-4c80-9a4f-1e6d8b0c2f31"
    ok("core", "book", bank, "--debtor", ACCOUNT, "--creditor", ELSEWHERE, "--amount", "250.50", "--ref", "OUT-1")
    ok("core", "book", bank, "--debtor", ACCOUNT, "--amount", "10.00")
    [row] = data("core", "show", bank)["accounts"]
    assert (row["booked"], row["held"], row["free"], row["status"]) == ("40989.50", "0.00", "40989.50", "open")
    assert ACCOUNT in ok("core", "show", bank)


def test_what_is_held_is_shown_with_its_end(bank: Path) -> None:
    ok("core", "open", bank, *OPEN, "--opening", "100.00", "--ref", "0001")
    now = datetime.now(UTC)
    core = SimulatedCore(bank / "core.db", lambda: now)
    core.hold("ref-1", "0001", 6000, now + timedelta(hours=1))
    core.close()
    shown = data("core", "show", bank)
    assert (shown["accounts"][0]["held"], shown["accounts"][0]["free"]) == ("60.00", "40.00")
    assert [(hold["ref"], hold["amount"], hold["account"]) for hold in shown["holds"]] == [
        ("ref-1", "60.00 EUR", "0001")
    ]
    refused = arrp("core", "book", bank, "--debtor", ACCOUNT, "--amount", "40.01")
    assert refused.exit_code == 4
    assert "4000 is available" in refused.stderr


def test_the_same_again_changes_nothing(bank: Path) -> None:
    for _ in range(2):
        ok("core", "open", bank, *OPEN)
        ok("core", "book", bank, "--evidence", EVIDENCE / "payment.mt103.fin")
    assert data("core", "show", bank)["accounts"][0]["booked"] == "60000.00"
    assert arrp("core", "open", bank, "--account", ACCOUNT, "--holder", "Another").exit_code == 5
    other = arrp("core", "book", bank, "--evidence", EVIDENCE / "payment.mt103.fin", "--amount", "1.00")
    assert other.exit_code == 5


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["open", "--account", "PT50000201231234567890155", "--holder", "X"], 2, "check"),
        (["open", *OPEN, "--opening", "1,5"], 2, "'1,5' is not a plain decimal number"),
        (["open", *OPEN, "--opening", "1.001"], 2, "more than the 2 decimals"),
        (["open", *OPEN, "--opening", "1" + "0" * 17], 2, "10^18"),
        (["book", "--debtor", ACCOUNT], 2, "say how much"),
        (["book", "--creditor", ELSEWHERE, "--amount", "5.00"], 3, "neither side has an account"),
        (["book", "--evidence", str(EVIDENCE / "payment.pacs008.xml"), "--payment", "1"], 3, "payments 0 to 0"),
        (["book", "--creditor", ACCOUNT, "--amount", "5.00", "--at", "2026-11-22"], 2, "time zone"),
        (["book", "--creditor", ACCOUNT, "--amount", "5.00", "--uetr", "x"], 2, "is not a UETR"),
        (["book", "--creditor", ACCOUNT, "--amount", "0.00"], 2, "from 1"),
    ],
)
def test_what_cannot_be_is_said(bank: Path, words: list[str], code: int, told: str) -> None:
    if words[0] == "book":
        ok("core", "open", bank, *OPEN)
    result = arrp("core", words[0], bank, *words[1:])
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr


def test_only_a_simulated_core_is_kept_by_hand(tmp_path: Path) -> None:
    ok("node", "init", tmp_path / "x", *BANK)
    for verb, words in (("show", ()), ("open", OPEN), ("book", ("--creditor", ACCOUNT, "--amount", "5.00"))):
        result = arrp("core", verb, tmp_path / "x", *words)
        assert result.exit_code == 4
        assert "has no simulated core" in result.stderr
    assert not (tmp_path / "x" / "core.db").exists()
    assert arrp("core", "show", tmp_path / "nowhere").exit_code == 3
