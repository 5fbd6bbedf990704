"""`arrp ledger`: built, appended to, looked at; what cannot stand is refused with its row and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from arrp.cli import app

CSV = """time,from,to,amount,asset,ref
2026-11-22T09:30:00Z,,A,10.00,EUR,one
2026-11-22T09:31:00Z,A,B,4.00,EUR,two
2026-11-22T09:32:00Z,C,B,4.00,EUR,three
"""


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["ledger", *words])
    return result.exit_code, result.stdout, result.stderr


def test_built_appended_and_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "b.csv").write_text(CSV.splitlines()[0] + "\n2026-11-23T00:00:00Z,B,D,8.00,EUR,four\n")
    folder = str(tmp_path / "ledger")
    code, out, said = run("build", str(tmp_path / "a.csv"), "--out", folder, "--json")
    assert (code, json.loads(out)["rows"], json.loads(out)["implied_openings"]) == (0, 3, 1)
    code, _, said = run("append", folder, str(tmp_path / "b.csv"))
    assert code == 0
    assert "1 rows booked; the ledger has 4, between 5 pots" in said
    code, out, _ = run("info", folder, "--check", "--json")
    told = json.loads(out)
    assert (code, told["transfers"], told["pots"], told["assets"]) == (0, 4, 5, ["EUR"])
    assert told["parts"] == [{"rows": 3, "new_pots": 4}, {"rows": 1, "new_pots": 1}]
    assert "implied openings  1" in run("info", folder)[1]


def test_refusals_have_rows_and_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "o.csv").write_text("account,amount,asset\nC,3.99,EUR\n")
    folder = str(tmp_path / "ledger")
    code, out, said = run("build", str(tmp_path / "a.csv"), "--out", folder, "--opening", str(tmp_path / "o.csv"))
    assert (code, out) == (2, "")
    assert "row 3: account C pays 4.00 EUR and has 3.99 EUR" in said
    assert not (tmp_path / "ledger").exists()
    assert run("info", folder)[0] == 3
    assert run("build", str(tmp_path / "none.csv"), "--out", folder)[0] == 3
