"""The only place that asks what time it is or throws dice. Everything else gets a clock, or the instant."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from time import perf_counter
from uuid import uuid4

from arrp.wire.envelope import SALT_BYTES


class Clock:
    """The clock and the dice of this machine. Tests hand in their own with the same three methods."""

    def now(self) -> datetime:
        """This instant, in UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Seconds since some start, to measure how long a thing took; it never goes back."""
        return perf_counter()

    def new_id(self) -> str:
        """32 hex digits that nobody made before."""
        return uuid4().hex

    def salt(self) -> bytes:
        """Bytes nobody can guess: they hide what a hash is of."""
        return secrets.token_bytes(SALT_BYTES)
