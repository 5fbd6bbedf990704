"""`arrp read`: several files, one list, and everything left out is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import arrp, data, ok

EVIDENCE = Path(__file__).resolve().parents[1] / "data" / "evidence"
NAMES = {
    "uetr", "end_to_end_id", "references", "amount", "asset", "settled_on", "instructed_at", "debtor", "creditor",
    "source", "not_understood",
}  # fmt: skip


@pytest.fixture
def files() -> list[Path]:
    found = sorted(EVIDENCE.glob("*"))
    if not found:
        pytest.skip("there are no evidence files beside the tests")
    return found


def test_json_is_one_list_over_all_files(files: list[Path]) -> None:
    payments = data("read", *files)
    assert {Path(payment["source"]["file"]) for payment in payments} == set(files)
    for payment in payments:
        assert payment.keys() == NAMES
        assert payment["debtor"].keys() == payment["creditor"].keys() == {"name", "account", "agent"}
        assert payment["source"].keys() == {"file", "place"}
        assert isinstance(payment["amount"], str)
    assert payments == [payment for file in files for payment in data("read", file)]


def test_people_see_the_same_payments(files: list[Path]) -> None:
    shown = ok("read", *files)
    for payment in data("read", *files):
        assert f"{payment['amount']} {payment['asset']}  " in shown
        assert payment["creditor"]["account"] is None or payment["creditor"]["account"] in shown


def test_what_is_left_out_is_said_with_its_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("amount,asset,creditor_account\n5.00,EUR,DE89370400440532013000\nfive,EUR,DE89370400440532013000\n")
    two.write_text("amount,asset,creditor_account\n7.00,EUR,DE89370400440532013001\n")
    result = arrp("read", one, two, "--json")
    assert [payment["amount"] for payment in json.loads(result.stdout)] == ["5.00", "7.00"]
    assert f"{one}: not understood: line 3 amount, left out: 'five'" in result.stderr
    assert f"{two}: not understood: line 2 creditor_account, left empty" in result.stderr
    assert result.stderr.endswith("2 payments in 2 of 2 files\n")


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("amount,asset,creditor_account\n5.00,EUR,DE89370400440532013000\n")
    bad.write_text("nothing of it\n")
    result = arrp("read", bad, good, tmp_path / "gone.csv", "--json")
    assert result.exit_code == 2
    assert [payment["amount"] for payment in json.loads(result.stdout)] == ["5.00"]
    assert "gone.csv" in result.stderr
    assert "bad.csv" in result.stderr
    assert "1 payments in 1 of 3 files" in result.stderr
    assert arrp("read", tmp_path, "--json").exit_code == 2
    assert arrp("read", tmp_path / "gone.csv", "--json").exit_code == 3
    assert json.loads(arrp("read", tmp_path / "gone.csv", "--json").stdout) == []


def test_names_of_strangers_are_only_names(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("amount,asset,creditor_account,creditor_name\n5.00,EUR,DE89370400440532013000,[red]\x1b[2Jx\n")
    result = arrp("read", file)
    assert "[red]\\x1b[2Jx" in result.stdout
    assert data("read", file)[0]["creditor"]["name"] == "[red]\x1b[2Jx"
