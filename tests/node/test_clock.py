"""The clock and the dice: aware, unique, long enough."""

from __future__ import annotations

from datetime import timedelta

from arrp.node.clock import Clock
from arrp.wire.approvals import act_hash


def test_now_is_an_instant_in_utc() -> None:
    assert Clock().now().utcoffset() == timedelta(0)


def test_ids_and_salts_are_never_made_twice() -> None:
    clock = Clock()
    ids = {clock.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(id) == 32 and int(id, 16) >= 0 for id in ids)
    assert len({act_hash(clock.salt(), b"act") for _ in range(100)}) == 100, "a salt of the wrong length is refused"
