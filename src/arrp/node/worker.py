"""The loop: what is due is done. Timers, the core, joins, peers, positions, comparisons.

Every kind of work is claimed by a lease in its own row, so several workers (by mistake, or on
purpose under PostgreSQL) do everything once, and a dead one leaves nothing stuck (F26). One item
that fails is logged and due again; it never stops the loop (F21).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from arrp.core.errors import ArrpError
from arrp.core.events import Verb
from arrp.core.messages import Checkpoint
from arrp.node.delivery import LEASE, Delivery
from arrp.node.documents import LEASE as DOCUMENT_LEASE
from arrp.node.documents import Documents
from arrp.node.recovery import ASK_EVERY, Recovery
from arrp.node.service import Node, Service
from arrp.node.store import audit, cases, documents, recovering, talk, work
from arrp.node.store.documents import Needed
from arrp.node.store.due import waiting
from arrp.node.store.engine import retrying
from arrp.wire.envelope import sign, verify

log = logging.getLogger("arrp.worker")

BATCH = 64
COMPARE_EVERY = timedelta(minutes=5)
LOOK_EVERY = timedelta(minutes=1)
FETCH_EVERY = timedelta(minutes=5)  # somebody may have a newer directory
MISSED_EVERY = timedelta(seconds=20)  # the same, where somebody was met whom ours does not know
PAUSE_SECONDS = 0.5
GATHER_SECONDS = 0.01  # a look costs about what an act costs: under load one look finds what many commits left
TICKS, CORE, PEERS, DOCUMENTS = "ticks", "the core", "comparing", "documents"  # lanes beside those of the peers
DIRECTORY, LEARNING = "the directory", "what answers taught"
SENDS_PER_PEER = 4  # a peer that hangs holds no more threads than this, twice; one that failed holds one (F11)
CORE_AT_ONCE = 4
COMPARES_AT_ONCE = 2
DOCUMENTS_AT_ONCE = 1
SAFE = (Verb.RELEASE, Verb.EXTEND)  # what the core is asked while the node is recovering
SEQUENCE_BATCH = 10_000
SEQUENCER_LEASE = timedelta(seconds=10)
SEQUENCE_SECONDS = 0.25  # under load one signed checkpoint stands for many commits; a position comes within a second


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is done what nobody waits for."""

    compare_every: timedelta = COMPARE_EVERY
    sequence_seconds: float = SEQUENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Due:
    """What was claimed in one look."""

    ticks: Sequence[str] = ()
    effects: Sequence[work.Effect] = ()
    joins: Sequence[work.Join] = ()
    sends: Sequence[talk.Unreceipted] = ()
    peers: Sequence[str] = ()
    copies: Sequence[str] = ()
    documents: Sequence[Needed] = ()


class Worker:
    """One loop of one node. `executor` runs items side by side; None runs them one after another,
    which is how the simulator and the tests drive it."""

    def __init__(self, service: Service, delivery: Delivery, executor: Executor | None = None,
                 awake: threading.Event | None = None, pace: Pace | None = None) -> None:
        self.service, self.delivery, self.executor = service, delivery, executor
        self.pace = pace or Pace(sequence_seconds=SEQUENCE_SECONDS if executor is not None else 0.0)
        self.recovery = Recovery(service, delivery.transport, delivery.core)
        self.owner = self.node.clock.new_id()
        self._looked_at: datetime | None = None
        self._fetched_at: datetime | None = None
        self._sequenced = float("-inf")
        self.awake, self._stop = awake or threading.Event(), threading.Event()
        self._running: Counter[str] = Counter()  # by peer, and by lane
        self._failing: set[str] = set()
        self._turns = work.Turns()
        self._counting = threading.Lock()

    @property
    def node(self) -> Node:
        """As it is now: a newer directory may have taken effect since it was last asked for."""
        return self.service.node

    def run(self) -> None:
        """Until `stop`: do what is due, then sleep until the next is, or somebody wakes us: a commit that left work,
        or the end of something that was done, which leaves room for the next."""
        while not self._stop.is_set():
            self.awake.clear()
            self.look()
            self.awake.wait(PAUSE_SECONDS)
            self._stop.wait(GATHER_SECONDS)

    def stop(self) -> None:
        self._stop.set()
        self.awake.set()

    def look_again(self) -> None:
        """Look at the home now, not only in a minute, and ask the others for a newer directory (SIGHUP)."""
        self._looked_at = self._fetched_at = None
        self.awake.set()

    def look(self) -> bool:
        """`once`, and whatever goes wrong in it ends in the log."""
        return bool(self._guarded(self.once))

    def once(self) -> bool:
        """Everything that is due now, once. Whether there was anything."""
        self._guarded(self._renew)
        self._fetch_newer()
        self._guarded(self._sequence)
        due = self._due()
        for lane, items, act in (
            (TICKS, due.ticks, self._tick), (CORE, due.effects, self.delivery.ask_core),
            (CORE, due.joins, self.delivery.join), ("", due.sends, self._send),
            (PEERS, due.peers, self.delivery.compare), (PEERS, due.copies, self.recovery.ask),
            (DOCUMENTS, due.documents, self._fetch),
        ):
            self._do(lane, items, act)
        self._guarded(self.recovery.settle)
        return bool(due.ticks or due.effects or due.joins or due.sends or due.copies)

    def _due(self) -> Due:
        """What is due, claimed. A look that finds nothing writes nothing."""
        now = self.node.clock.now()
        before = now - self.pace.compare_every
        with self.node.store.reading() as connection:
            waits = waiting(connection, now, before)
        ticks = self._room(TICKS, BATCH)
        if ticks <= BATCH // 2:  # enough of them run: nothing else waits behind all that ends at one midnight
            waits = replace(waits, ticks=False)
        if not waits:
            return Due()
        lost = self.service.recovering
        lanes = self._lanes(lost)
        core = work.Room(self._room(CORE, CORE_AT_ONCE), self._turns, SAFE if lost.is_on else ())
        compares = self._room(PEERS, COMPARES_AT_ONCE)
        with self.node.store.writing() as connection:
            copies = recovering.claim(connection, now, now + ASK_EVERY) if waits.copies else ()
            if lost.due:  # nothing that is known here may be true: first every peer is asked once
                return Due(copies=copies)
            return Due(
                cases.claim_due(connection, now, LEASE, ticks) if waits.ticks else (),
                work.claim_effects(connection, now, LEASE, core) if waits.effects else (),
                work.claim_joins(connection, now, LEASE, core) if waits.joins and not lost.is_on else (),
                talk.claim(connection, now, LEASE, BATCH, lanes) if waits.sends else (),
                work.claim_compares(connection, before, now, compares) if waits.peers else (), copies,
                documents.claim(connection, now, DOCUMENT_LEASE, self._room(DOCUMENTS, DOCUMENTS_AT_ONCE))
                if waits.documents else (),
            )

    def _lanes(self, lost: recovering.Recovering) -> talk.Lanes:
        """R-29: to whom we do not know what we said, we say nothing; while we recover, no command to anybody."""
        with self._counting:
            busy = tuple(peer for peer, count in self._running.items()
                         if count >= (1 if peer in self._failing else SENDS_PER_PEER))
            return talk.Lanes(SENDS_PER_PEER, (*busy, *lost.owing), tuple(self._failing),
                              recovering.FACTS if lost.is_on else ())

    def _room(self, lane: str, most: int) -> int:
        """How many more of a lane may run; without threads nothing runs beside anything."""
        with self._counting:
            return BATCH if self.executor is None else max(0, most - self._running[lane])

    def _do(self, lane: str, items: Sequence[Any], act: Callable[[Any], Any]) -> None:
        for item in items:
            of = lane or item.peer
            with self._counting:
                self._running[of] += 1
            if self.executor is None:
                self._run(of, act, item)
            else:
                self.executor.submit(self._run, of, act, item)

    def _run(self, lane: str, act: Callable[[Any], Any], item: Any) -> None:
        try:
            self._guarded(act, item)
        finally:
            with self._counting:
                self._running[lane] -= 1
            self.awake.set()

    def _guarded(self, act: Callable[..., Any], *items: Any) -> Any:
        try:
            return act(*items)
        except Exception:
            log.exception("work failed; it is due again when its lease ends")
            return None

    def _tick(self, case_id: str) -> None:
        retrying(lambda: self.service.tick(case_id))

    def _send(self, row: talk.Unreceipted) -> None:
        """A peer that did not answer last time gets one act at a time, until one is receipted."""
        delivered = self.delivery.send(row)
        with self._counting:
            (self._failing.discard if delivered else self._failing.add)(row.peer)

    def _fetch(self, needed: Needed) -> None:
        Documents.of(self.service).fetch(needed, self.delivery.transport)

    def _renew(self) -> None:
        """Each minute: is there a newer directory, does another key begin, has the directory ended (R-34)?"""
        now = self.node.clock.now()
        if _is_over(self._looked_at, now, LOOK_EVERY):
            self._looked_at, before = now, self.node.keys.signing_id
            if off := self.node.clock.off_by():
                log.error("the clock was set by %+.0f s and is not believed before most peers say the same (T36)",
                          off.total_seconds())
            try:
                self.service.renew()
            except ArrpError as error:
                log.error("what lies in the home does not count, and the node goes on as it is: %s", error)
            if self.node.keys.signing_id != before:
                self._vouch_again()
            self._guarded(self.recovery.forget_again)
            if self._room(LEARNING, 1):
                self._do(LEARNING, [self.node.store], self.service.experience.read)

    def _fetch_newer(self) -> None:
        """R-34: every few minutes, and soon where a key or participant is met that ours does not know."""
        now = self.node.clock.now()
        pause = MISSED_EVERY if self.node.directory.missed else FETCH_EVERY
        if _is_over(self._fetched_at, now, pause) and self._room(DIRECTORY, 1):
            self._fetched_at = now
            self._do(DIRECTORY, [self.node], self._fetch_next)

    def _fetch_next(self, node: Node) -> None:
        found = node.fetch(node, self.delivery.transport)
        node.directory.missed = ""
        if found:
            self._looked_at = self._fetched_at = None  # take it up at once, and ask for the one after it

    def _vouch_again(self) -> None:
        """Our newest checkpoint under the new key: nobody keeps one under a key that was revoked."""
        if self.service.vouched is not None:
            shown = verify(Checkpoint, self.service.vouched, self.node.directory.key_of)
            self.service.vouched = sign(shown, self.node.keys.signing, self.node.keys.signing_id)

    # --- the tree --------------------------------------------------------------------------------------

    def _sequence(self) -> None:
        now, second = self.node.clock.now(), self.node.clock.seconds()
        if 0 <= second - self._sequenced < self.pace.sequence_seconds:
            return
        self._sequenced = second
        with self.node.store.reading() as connection:
            if not audit.is_behind(connection):
                return
        jws = None
        with self.node.store.writing() as connection:
            if work.lease(connection, "sequencer", self.owner, now, now + SEQUENCER_LEASE):
                jws = self._place(connection)
        if jws is not None:
            self.service.vouched = jws  # only what is durable is shown to others

    def _place(self, connection: Connection) -> str | None:
        """Positions for what was committed, and a signed checkpoint over it (I8)."""
        frontier = audit.sequence(connection, SEQUENCE_BATCH)
        if frontier is None:
            return None
        checkpoint = Checkpoint(self.node.me, frontier.size, frontier.root().hex(), self.node.clock.now())
        jws = sign(checkpoint, self.node.keys.signing, self.node.keys.signing_id)
        audit.keep(connection, checkpoint.size, checkpoint.root, checkpoint.at, jws)
        return jws


def _is_over(since: datetime | None, now: datetime, pause: timedelta) -> bool:
    """Whether a pause is over; a clock that was set back makes none longer."""
    return since is None or not timedelta(0) <= now - since < pause
