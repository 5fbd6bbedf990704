"""A theft planted among other people's money is found again, and asking for amounts spares theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from arrp.bench.thefts import METHODS, Case, mean, read_case, score
from arrp.core.errors import NotFound

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/traces"
CASES = ("Atomic", "LIFI", "TxPhish")
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published cases are not part of the project")

HEAD = "Timestamp,Block,Tx_hash,From,From_label,To,To_label,Value_in_USD"
# A wallet is robbed of 900.00; the thief had 600.00 more of it already when the export begins.
PAID = """2026-01-05 08:00:00,10,0xa1,0xvictim,,0xfirst,,900.00
2026-01-05 09:00:00,20,0xa2,0xfirst,,0xmule1,,1000.00
2026-01-05 09:30:00,21,0xa3,0xfirst,,0xmule2,,500.00
2026-01-05 10:00:00,30,0xa4,0xmule1,,0xservice,,700.00"""


def written(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / f"{folder.name}.csv").write_text(f"{HEAD}\n{PAID}\n")
    (folder / "source_addresses.csv").write_text("0xfirst\n")
    (folder / "terminal_addresses.csv").write_text("0xservice\n")
    return folder


def invented(folder: Path) -> Case:
    return read_case(written(folder / "Invented"))


def test_what_was_stolen_is_what_came_and_what_must_have_come(tmp_path: Path) -> None:
    case = invented(tmp_path)
    assert {ref: units for _, _, _, units, ref in case.payments if ref in case.stolen} == {
        "eip155:1/tx:0xa1": 900_00, "theft of eip155:1:0xfirst": 600_00}
    assert case.passed == {f"eip155:1:0x{name}" for name in ("first", "mule1", "mule2", "service")}


def test_without_clean_money_every_method_finds_all_of_it_and_nobody_else(tmp_path: Path) -> None:
    for method, found in score(invented(tmp_path), 0, 10_000).items():
        assert (found.recall, found.precision, found.misplaced, found.named) == (1, 1, 0, 4), method
        assert (found.asked, found.whole) == (0, 0)


def test_with_clean_money_amounts_spare_what_whole_balances_take(tmp_path: Path) -> None:
    found = score(invented(tmp_path), 1, 10_000)["haircut"]
    assert 0 < found.asked < found.whole
    assert found.recall == 1
    assert found.precision < 1
    assert found == score(invented(tmp_path / "again"), 1, 10_000)["haircut"]


def test_a_folder_that_is_no_case_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="source_addresses"):
        read_case(tmp_path)


@needs_samples
def test_real_thefts_are_found_again_by_ranking_what_came() -> None:
    found = [score(read_case(SAMPLES / name), 0.5, 200_000) for name in CASES]
    haircut = mean([one["haircut"] for one in found])
    assert haircut.recall >= 0.97
    assert haircut.ranked >= 0.7, "as many accounts as give that recall: seven of ten are of the theft"
    for method in METHODS:
        each = mean([one[method] for one in found])
        assert each.asked < each.whole, method
