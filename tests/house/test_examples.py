"""Every example runs as its first lines say, and prints what a reader is there for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
PRINTS = {
    "01_read_a_payment_file": r"40000\.00 EUR from Talleres Ficticios SL to Comércio Inventado Lda\n",
    "02_one_payment_stopped": r"BANK-PT holds 63250\.00 EUR: provisional\nVASP-LT holds 36750\.00 EUR: provisional\n",
    "03_verify_an_act": r"ana approved act .*\n    and no other: .* does not fit this act\n(.*\n)*ncb-fr says this",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(example: Path, tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=200,
        env={**os.environ, "PYTHONPATH": path, "HOME": str(tmp_path), "TMPDIR": "/tmp"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(PRINTS[example.stem], done.stdout), done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_short_and_says_how_to_run_it(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert f"python examples/{example.name}" in text


def test_there_are_examples() -> None:
    assert {example.stem for example in EXAMPLES} == PRINTS.keys()
