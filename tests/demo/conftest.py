"""A place for nodes: its name is short, because the kernel allows a socket's path about a hundred bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="arrp-", dir="/tmp") as name:
        yield Path(name)
