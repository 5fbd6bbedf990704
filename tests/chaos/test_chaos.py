"""Five real processes while everything around them fails, for half a minute; `make chaos` takes longer.

F01–F05, F07–F09, I7, I8: nothing that was told to anybody is lost, nothing is there twice, both sides agree.
"""

from __future__ import annotations

import pytest

from tests.chaos.faults import DISK, WEIGHTS
from tests.chaos.proxy import MISHAPS
from tests.chaos.run import Wanted, run

SECONDS, HEAL, TEAMS = 30, 240, 6


# The library leaves the socket of a failed connection to the garbage collector, and here many connections fail.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_whatever_fails_nothing_is_lost_or_doubled_and_both_sides_agree() -> None:
    verdict = run(Wanted(SECONDS, heal=HEAL, teams=TEAMS, on_postgresql=("NCB-PT",)))
    said = "\n".join(verdict.lines())
    assert verdict.found == (), said
    assert verdict.seconds_to_agree is not None, said
    kinds = [kind for kind in WEIGHTS if kind != DISK or not verdict.not_done]  # a disk that nobody may mount
    assert all(verdict.failures.get(kind) for kind in kinds), said
    assert all(verdict.exchanges.get(kind) for kind in MISHAPS), said
    assert sum(verdict.losses.values()) > 0, said
    assert verdict.wrote["checkpoints kept of others"] >= 5, said
