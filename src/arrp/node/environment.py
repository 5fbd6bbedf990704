"""What the environment of the process says: the one place that reads it."""

from __future__ import annotations

import os
from pathlib import Path

from arrp.core.errors import Malformed
from arrp.trace.kernels import COMPILED, Compiled


def home_from_environment() -> Path:
    """Where the node lives, when nobody said it. Raises Malformed."""
    found = os.environ.get("ARRP_HOME")
    if not found:
        raise Malformed("which node? say --home HOME, or set ARRP_HOME")
    return Path(found)


def passphrase_from_environment() -> str | None:
    """ARRP_PASSPHRASE, for scripts."""
    return os.environ.get("ARRP_PASSPHRASE")


def kernels_from_environment() -> Compiled | None:
    """The compiled loops of tracing, or None: where none were built, or ARRP_KERNELS=off. Raises Malformed."""
    asked = os.environ.get("ARRP_KERNELS", "")
    if asked not in ("", "on", "off"):
        raise Malformed(f"ARRP_KERNELS is {asked[:20]!r}: it is on or off")
    return None if asked == "off" else COMPILED
