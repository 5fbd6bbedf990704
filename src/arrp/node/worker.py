"""The loop: what is due is done. Timers, the core, joins, peers, positions, comparisons.

Every kind of work is claimed by a lease in its own row, so several workers (by mistake, or on
purpose under PostgreSQL) do everything once, and a dead one leaves nothing stuck (F26). One item
that fails is logged and due again; it never stops the loop (F21).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from arrp.core.messages import Checkpoint
from arrp.node.delivery import LEASE, Delivery
from arrp.node.service import Service
from arrp.node.store import audit, cases, talk, work
from arrp.wire.envelope import sign

log = logging.getLogger("arrp.worker")

BATCH = 64
COMPARE_EVERY = timedelta(minutes=5)
PAUSE_SECONDS = 0.5
SENDS_PER_PEER = 4  # a peer that hangs holds no more threads than this (F11)
SEQUENCE_BATCH = 10_000
SEQUENCER_LEASE = timedelta(seconds=10)


class Worker:
    """One loop of one node. `executor` runs items side by side; None runs them one after another,
    which is how the simulator and the tests drive it."""

    def __init__(self, service: Service, delivery: Delivery, executor: Executor | None = None,
                 awake: threading.Event | None = None) -> None:
        self.service, self.delivery, self.executor = service, delivery, executor
        self.node = service.node
        self.owner = self.node.clock.new_id()
        self.awake, self._stop = awake or threading.Event(), threading.Event()
        self._sending: Counter[str] = Counter()

    def run(self) -> None:
        """Until `stop`: do what is due, then sleep until the next is, or somebody wakes us."""
        while not self._stop.is_set():
            self.awake.clear()
            if not self.once():
                self.awake.wait(PAUSE_SECONDS)

    def stop(self) -> None:
        self._stop.set()
        self.awake.set()

    def once(self) -> bool:
        """Everything that is due now, once. Whether there was anything."""
        self._sequence()
        ticks, effects, joins, sends, peers = self._due()
        self._do(ticks, self.service.tick)
        self._do(effects, self.delivery.ask_core)
        self._do(joins, self.delivery.join)
        self._do(sends, self._send)
        self._do(peers, self.delivery.compare)
        return bool(ticks or effects or joins or sends)

    def _due(self) -> tuple[list[str], list[work.Effect], list[work.Join], list[talk.Unreceipted], list[str]]:
        """What is due, claimed. A look that finds nothing writes nothing."""
        now = self.node.clock.now()
        with self.node.store.reading() as connection:
            ticks = cases.due(connection, now, BATCH)
            peers = work.to_compare(connection, now - COMPARE_EVERY)
            waiting = work.is_due(connection, now), talk.is_due(connection, now)
        if not any(waiting):
            return ticks, [], [], [], peers
        busy = [peer for peer, count in self._sending.items() if count >= SENDS_PER_PEER]
        with self.node.store.writing() as connection:
            return (ticks, work.claim_effects(connection, now, LEASE, BATCH),
                    work.claim_joins(connection, now, LEASE, BATCH), talk.claim(connection, now, LEASE, BATCH, busy),
                    peers)

    def _do(self, items: Iterable[Any], act: Callable[[Any], None]) -> None:
        for item in items:
            if self.executor is None:
                self._guarded(act, item)
            else:
                self.executor.submit(self._guarded, act, item)

    def _send(self, row: talk.Unreceipted) -> None:
        self.delivery.send(row)

    def _guarded(self, act: Callable[[Any], None], item: Any) -> None:
        peer = getattr(item, "peer", "")
        self._sending[peer] += 1
        try:
            act(item)
        except Exception:
            log.exception("work failed; it is due again when its lease ends")
        finally:
            self._sending[peer] -= 1
            self.awake.set()

    # --- the tree --------------------------------------------------------------------------------------

    def _sequence(self) -> None:
        now = self.node.clock.now()
        with self.node.store.reading() as connection:
            if audit.unplaced(connection) == 0:
                return
        with self.node.store.writing() as connection:
            if work.lease(connection, "sequencer", self.owner, now, now + SEQUENCER_LEASE):
                self._place(connection)

    def _place(self, connection: Connection) -> None:
        """Positions for what was committed, and a signed checkpoint over it (I8)."""
        frontier = audit.sequence(connection, SEQUENCE_BATCH)
        if frontier is None:
            return
        checkpoint = Checkpoint(self.node.me, frontier.size, frontier.root().hex(), self.node.clock.now())
        jws = sign(checkpoint, self.node.keys.signing, self.node.keys.signing_id)
        audit.keep(connection, checkpoint.size, checkpoint.root, checkpoint.at, jws)
