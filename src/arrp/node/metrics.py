"""How a node is, in figures: queues and their ages, holds by state, clocks that are late, peers that lag.

The same figures for machines (`prometheus`) and for people (`words`). No person, account, case or request
stands in them; a peer is named by its id in the directory, as in every public list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, func, select

from arrp.core.case import Case
from arrp.core.messages import Head
from arrp.node.service import Service
from arrp.node.store import audit, cases, recovering, work
from arrp.node.store.tables import cases as case_table
from arrp.node.store.tables import checkpoints, intents, outbox, peers
from arrp.wire.codec import loads


@dataclass(frozen=True, slots=True)
class Peer:
    """`oldest` seconds its oldest unreceipted act waits, `compared` since states were last compared (-1: never)."""

    id: str
    queued: int
    oldest: float
    compared: float
    owes: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds are floats, everything else is counted."""

    queued: int
    dead: int
    oldest: float
    intents: int
    intent_tries: int
    joins: int
    holds: dict[str, int]
    cases: int
    needs_a_person: int
    late: float
    unplaced: int
    checkpoint: int
    checkpoint_age: float
    epoch: int
    recovering: bool
    peers: tuple[Peer, ...]
    clock_off: float


class Metrics:
    """The figures of one node. Holds are counted once per version of their case."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._known: dict[str, tuple[int, Counter[str], int]] = {}
        self._counting = Lock()

    def figures(self) -> Figures:
        now, lost = self.service.node.clock.now(), self.service.recovering
        with self.service.node.store.reading() as connection:
            holds, people = self._holds(connection)
            counted = select(outbox.c.state, func.count()).group_by(outbox.c.state)
            states: dict[str, int] = {state: count for state, count in connection.execute(counted)}
            tries = select(func.count(), func.max(intents.c.tries)).where(intents.c.answered_at.is_(None))
            asked, most = connection.execute(tries).one()
            waiting = work.open_joins(connection)
            known = tuple(_peers(connection, now, lost))
            due = connection.execute(select(func.min(case_table.c.due_at))).scalar()
            newest = connection.execute(select(func.max(checkpoints.c.size), func.max(checkpoints.c.at))).one()
            open_cases = select(func.count()).where(case_table.c.state.in_(("open", "resolved")))
            return Figures(
                states.get("queued", 0), states.get("dead", 0), max((peer.oldest for peer in known), default=0.0),
                asked, most or 0, waiting, dict(sorted(holds.items())), connection.execute(open_cases).scalar() or 0,
                people, _since(due, now) if due else 0.0, audit.unplaced(connection), newest[0] or 0,
                _since(newest[1], now) if newest[1] else -1.0, lost.epoch, lost.is_on, known,
                self.service.node.clock.off_by().total_seconds(),
            )

    def _holds(self, connection: Connection) -> tuple[Counter[str], int]:
        """Holds of open cases by state, and how many things wait for a person."""
        holds, people = Counter[str](), 0
        with self._counting:
            for row in cases.listed(connection):
                if row.state not in ("open", "resolved"):
                    self._known.pop(row.id, None)
                    continue
                known = self._known.get(row.id)
                if known is None or known[0] != row.version:
                    case = self.service.folds.at(connection, row.id, row.version)
                    known = self._known[row.id] = (row.version, _states(case), len(case.escalated))
                holds += known[1]
                people += known[2]
        return holds, people


def _states(case: Case) -> Counter[str]:
    mine = (r.hold for r in case.requests.values() if r.hold is not None)
    return Counter(("ours " if hold.holder == case.me else "others ") + hold.state for hold in mine)


def _peers(connection: Connection, now: datetime, lost: recovering.Recovering) -> Iterator[Peer]:
    first = (
        select(outbox.c.peer, func.count().label("queued"), func.min(outbox.c.id).label("first"))
        .where(outbox.c.state == "queued").group_by(outbox.c.peer).subquery()
    )
    query = select(first.c.peer, first.c.queued, outbox.c.head).join(outbox, outbox.c.id == first.c.first)
    queues = {row.peer: (row.queued, _since(loads(Head, row.head).sent_at, now)) for row in connection.execute(query)}
    for row in connection.execute(select(peers.c.id, peers.c.compared_at).order_by(peers.c.id)):
        queued, oldest = queues.get(row.id, (0, 0.0))
        compared = _since(row.compared_at, now) if row.compared_at is not None else -1.0
        yield Peer(row.id, queued, oldest, compared, row.id in lost.owing)


def _since(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())


# --- for machines ----------------------------------------------------------------------------------------


def prometheus(found: Figures) -> str:
    """The text that Prometheus reads (exposition format 0.0.4)."""
    lines: list[str] = []
    for name, help_, samples in _families(found):
        lines += [f"# HELP arrp_{name} {help_}", f"# TYPE arrp_{name} gauge"]
        lines += [f"arrp_{name}{_labels(labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _families(found: Figures) -> Iterator[tuple[str, str, Iterable[tuple[dict[str, str], Any]]]]:
    """Name, what it counts, and its samples."""
    plain: tuple[tuple[str, str, Any], ...] = (
        ("outbox_oldest_seconds", "How long the oldest unreceipted act waits.", found.oldest),
        ("intents_open", "Questions that the core has not answered.", found.intents),
        ("intent_tries_max", "How often the most stubborn of them was asked.", found.intent_tries),
        ("joins_open", "Requests whose account is known and which have not joined its case.", found.joins),
        ("cases_open", "Cases that are not closed.", found.cases),
        ("needs_a_person", "Things that only a person can answer, in open cases.", found.needs_a_person),
        ("timer_late_seconds", "How late the latest clock is.", found.late),
        ("log_unplaced", "Events without a position in the tree.", found.unplaced),
        ("checkpoint_size", "Leaves under the newest signed checkpoint.", found.checkpoint),
        ("checkpoint_age_seconds", "How old that is; -1: there is none.", found.checkpoint_age),
        ("clock_off_seconds", "By how much this machine's clock was set and is not believed.", found.clock_off),
        ("epoch", "Which life of this node it is.", found.epoch),
        ("recovering", "1 while the node asks what it said before it was restored.", int(found.recovering)),
    )
    states = (("queued", found.queued), ("dead", found.dead))
    yield "outbox", "Acts that no peer has receipted.", [({"state": state}, count) for state, count in states]
    yield from ((name, help_, [({}, value)]) for name, help_, value in plain)
    yield "holds", "Holds of open cases.", [
        (dict(zip(("whose", "state"), key.split(" "), strict=True)), count) for key, count in found.holds.items()]
    each = [({"peer": peer.id}, peer) for peer in found.peers]
    yield "peer_queued", "Unreceipted acts to a peer.", [(of, peer.queued) for of, peer in each]
    yield "peer_oldest_seconds", "How long the oldest of them waits.", [(of, peer.oldest) for of, peer in each]
    yield "peer_compared_seconds", "Since states were compared; -1: never.", [(of, p.compared) for of, p in each]
    yield "peer_owes_copies", "1: we do not know yet what we said to it.", [(of, int(p.owes)) for of, p in each]


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


# --- for people -------------------------------------------------------------------------------------------


def words(found: Figures) -> list[str]:
    """The same, as sentences."""
    held = ", ".join(f"{count} {state}" for state, count in found.holds.items()) or "none"
    said = [
        f"{found.cases} cases open, {found.needs_a_person} things wait for a person; holds: {held}",
        f"{found.queued} acts wait for a receipt, the oldest for {found.oldest:.0f} s; {found.dead} are undeliverable",
        f"{found.intents} questions wait for the core, {found.joins} requests for their account's case",
        f"clocks are {found.late:.0f} s late; log: {found.checkpoint} leaves signed, {found.unplaced} not placed yet",
    ]
    if found.clock_off:
        said.append(f"the clock of this machine was set by {found.clock_off:+.0f} s: until most peers have that time "
                    "it is not believed, and holds end by the time that has passed")
    if found.recovering:
        said.append(f"recovering (epoch {found.epoch}): no command leaves and nothing is placed or returned")
    said += [f"{peer.id} has not told yet what we said to it" for peer in found.peers if peer.owes]
    said += [f"{peer.id} is silent: {peer.queued} acts wait, the oldest for {peer.oldest:.0f} s"
             for peer in found.peers if peer.oldest > 120]
    return said
