"""`arrp bench trace` compares answers, not only times; what it measures is asked here of a small ledger."""

from __future__ import annotations

import numpy as np
import pytest

from arrp.bench import trace as bench
from arrp.bench.peers import HOPS, peers
from arrp.bench.synthetic import synthetic_ledger
from arrp.core.errors import Corrupt, Refused
from arrp.trace.index import build_index
from arrp.trace.kernels import COMPILED

SIZE = 20_000
needs_kernels = pytest.mark.skipif(COMPILED is None, reason="the package was built without a compiler")


def test_the_made_up_ledger_is_the_same_each_time_and_never_overdrawn() -> None:
    one, other = synthetic_ledger(SIZE), synthetic_ledger(SIZE)
    assert np.array_equal(one.sources, other.sources)
    assert np.array_equal(one.amounts, other.amounts)
    assert (one.sources != one.targets).all()
    assert 0.01 < np.bincount(one.sources).max() / SIZE < 0.02
    build_index(one, None)  # refuses what nothing covers


def test_every_peer_that_is_here_gives_our_answers() -> None:
    ledger = synthetic_ledger(SIZE)
    index, _ = build_index(ledger, None)
    compared = 0
    for name, peer in peers(ledger):
        for row in range(10, 8000, 900):
            pot = int(ledger.targets[row])
            reached = index.reach_pots((pot, row), row + SIZE // 10, HOPS)
            ours = dict(zip(reached.pot.tolist(), reached.row.tolist(), strict=True))
            assert peer(pot, row, row + SIZE // 10) == ours, name
            compared += 1
    if not compared:
        pytest.skip("none of the peers is installed: uv sync --group peers")


@needs_kernels
def test_everything_that_is_promised_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ASKED", 60), ("HARD", range(3, 5000)), ("PEER_ASKED", 2), ("VICTIMS", (3,))):
        monkeypatch.setattr(bench, name, value)
    found = bench.measure((SIZE, 2 * SIZE))
    figures = found["sizes"][str(SIZE)]
    assert set(figures) == {"index", "fifo", "haircut", "pass", "reach"}
    assert figures["index"]["bytes_per_transfer"] <= 33
    assert found["growth"]["ledger"] == 2
    assert found["cold"]["first_answer_s"] > 0
    assert all(len(line) == 3 for line in bench.lines(found))


@needs_kernels
def test_a_peer_that_answers_another_thing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "peers", lambda _: [("liar", lambda pot, after, _: {pot: after})])
    monkeypatch.setattr(bench, "HARD", range(3, 5000))
    with pytest.raises(Corrupt, match="liar answers another thing"):
        bench.measure((SIZE,))


def test_without_kernels_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "COMPILED", None)
    with pytest.raises(Refused, match="without a compiler"):
        bench.measure((SIZE,))
