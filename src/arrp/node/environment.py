"""What the environment of the process says: the one place that reads it."""

from __future__ import annotations

import os
from pathlib import Path

from arrp.core.errors import Malformed


def home_from_environment() -> Path:
    """Where the node lives, when nobody said it. Raises Malformed."""
    found = os.environ.get("ARRP_HOME")
    if not found:
        raise Malformed("which node? say --home HOME, or set ARRP_HOME")
    return Path(found)


def passphrase_from_environment() -> str | None:
    """ARRP_PASSPHRASE, for scripts."""
    return os.environ.get("ARRP_PASSPHRASE")
