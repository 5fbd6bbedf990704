"""A world of real nodes for each test, on both engines, closed when the test ends."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arrp.core.deadline import Power
from tests.node import world as worlds
from tests.node.world import World


@pytest.fixture
def world(tmp_path: Path, new_store: Callable[[], str]) -> Iterator[World]:
    _keep_what_stays()
    made = World(tmp_path, new_store)
    yield made
    made.close()
    _bury()


@pytest.fixture
def law(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Power:
    """What every node of the world has adopted, before the world is made."""
    found: Power = request.param
    monkeypatch.setattr(worlds, "LAW", found)
    return found


def _keep_what_stays() -> None:
    """What outlives the tests before (modules, compiled statements) is not walked through again at each collection:
    that took a third of the time of all these tests."""
    _bury()
    gc.freeze()


def _bury() -> None:
    """A node that was killed closed nothing: what it left goes here, not in the middle of another test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
