"""`arrp demo` as a newcomer runs it: a process of its own, a home with nothing in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.transcript import COMMITTED, masked, scenes


def test_the_story_is_told_to_its_end_as_committed(place: Path) -> None:
    """The README shows the same transcript (tests/house/test_readme.py)."""
    home, passing = place / "home", place / "tmp"
    home.mkdir()
    passing.mkdir()
    path = os.pathsep.join(filter(None, sys.path))
    running = subprocess.Popen(
        [sys.executable, "-m", "arrp", "demo", "--once"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "HOME": str(home), "TMPDIR": str(passing), "PYTHONPATH": path}, start_new_session=True,
    )  # fmt: skip
    told, talk = running.communicate(timeout=300)
    assert (running.returncode, talk) == (0, ""), told
    assert scenes(told) == scenes(COMMITTED.read_text(encoding="utf-8"))
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)  # of all it started nobody is left
    assert list(passing.iterdir()) == []
    assert list(home.iterdir()) == []


def test_what_differs_from_run_to_run_is_masked_and_nothing_else() -> None:
    one = "A scene.\n09:39:55  NCB-ES   says a\n          and b; until 24 Nov 09:39 UTC\n09:39:56  BANK-PT  says c\n"
    other = "A scene.\n10:00:01  BANK-PT  says c\n10:00:02  NCB-ES   says a\n          and b; until 25 Dec 10:00 UTC\n"
    assert scenes(one) == scenes(other)
    assert masked(one) != masked(other), "the order is kept, until it is asked node by node"
    assert scenes(one) != scenes(one.replace("says c", "says d"))
    assert scenes(one) != scenes(one.replace("09:39:56", "\nAnother scene.\n09:39:56"))
    assert scenes(one) != scenes(one + "09:39:57  BANK-PT  says c\n"), "what is said twice is seen"
