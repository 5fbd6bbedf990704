"""What the witness looks at beside a node's own log: who truly said and signed it, what the other side's store has,
what the bank's books block. Nothing here believes the node whose log it is, nor calls the code that is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from sqlalchemy import text

from arrp.core.case import Case
from arrp.core.changes import ANSWERS
from arrp.core.events import KINDS, Event
from arrp.core.hold import Hold
from arrp.core.messages import Approval
from arrp.core.request import ANSWER
from arrp.node.store import talk
from arrp.sim.disk import spared
from arrp.sim.world import World
from arrp.wire.approvals import unb64

TAKEN_UP = timedelta(minutes=12)  # so long after its publication every node that runs has looked for a newer directory
_SIGNED_AS = b"arrp approval v1\0"
_ACTING = ("hold", "stop", "release", "extend", "give_back")
Told = Iterator[tuple[str, str]]  # an invariant, and what was seen


class Beside:
    """The witness's own look at keys, stores and banks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._blocks: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._receipted: defaultdict[str, int] = defaultdict(int)  # rows of the outbox that were looked at
        self._answers: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._called: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)

    def forget(self, node: str) -> None:
        """The node has an old backup."""
        for memory in (self._blocks, self._answers, self._called):
            memory[node].clear()
        self._receipted[node] = 0

    # --- who said it, who signed it --------------------------------------------------------------------------

    def unsaid(self, node: str, event: Event) -> Told:
        """I2: what is written as a peer's word was said by that peer: its own store has the act."""
        author = self._world.running(event.by) if event.by != node else None
        if author is None or not event.act_hash or event.kind not in KINDS:
            return
        with spared(), author.store.reading() as connection:
            kept = talk.act(connection, event.act_hash)
        if kept is None or kept.by != event.by:
            yield "I2", f"{event.kind} is written down as said by {event.by}, which never said it"

    def unsigned(self, node: str, event: Event, revoked: dict[tuple[str, str], datetime]) -> Told:
        """I2, I12: each officer that an act names signed its very bytes, with a key that counted when it came."""
        if event.kind == "ActApproved":
            since = revoked.get((node, event.body.approval.officer))
            if since is not None and event.at > since + TAKEN_UP:
                yield "I2", f"{event.body.approval.officer} signs with a key that is revoked since {since}"
        if not event.officers or not event.act_hash or event.kind not in KINDS:
            return
        store = self._world.service(node).node.store
        with spared(), store.reading() as connection:
            kept = talk.act(connection, event.act_hash)
            row = connection.execute(text("SELECT received_at FROM inbox WHERE act_hash = :hash"),
                                     {"hash": event.act_hash}).first()
        if kept is None:
            return
        for officer in event.officers:
            if not any(self._is_signed(event.by, one, event.act_hash) for one in kept.approvals
                       if one.officer == officer):
                yield "I12", f"{event.kind} counts a signature of {officer} of {event.by} that is of something else"
            since = revoked.get((event.by, officer))
            if since is not None and row is not None and min(event.at, _time(row.received_at)) > since + TAKEN_UP:
                yield "I2", f"{event.kind} rests on a key of {officer} of {event.by}, revoked since {since}"

    def _is_signed(self, by: str, approval: Approval, act_hash: str) -> bool:
        key = self._world.cast.members[by].officers[approval.officer].public_key()
        try:
            key.verify(unb64(approval.signature), _SIGNED_AS + bytes.fromhex(act_hash))
        except InvalidSignature:
            return False
        return True

    # --- what a node may say of itself --------------------------------------------------------------------------

    def moved(self, node: str, case: Case, event: Event, *, is_whole: bool) -> Told:
        """I10: an answer moves along its owner's table, and a mirror never by itself. I6: a person is called once."""
        if event.kind == "Escalated":
            what = (case.id, event.body.what)
            if what in self._called[node]:
                yield "I6", f"{event.body.what} was called out a second time"
            self._called[node].add(what)
        request = case.requests.get(event.request or "")
        if event.by != node or event.kind not in KINDS or request is None:
            return
        if KINDS[event.kind].writer == "requested" and request.side == "requesting":
            yield "I10", f"{event.kind} of {request.id[:8]} is its peer's to say, and no peer said it"
        elif event.kind in ANSWERS:
            known = self._answers[node].get(request.id)
            before = known or ANSWER.start
            if (before, event.kind) not in ANSWER.moves and (known or is_whole):
                yield "I10", f"{event.kind} of {request.id[:8]}, whose answer is {before}"
            self._answers[node][request.id] = ANSWERS[event.kind]

    # --- the bank ------------------------------------------------------------------------------------------------

    def intended(self, node: str, event: Event) -> None:
        self._blocks[node][event.body.request].add(event.body.block)

    def unasked(self, node: str, verb: str, words: tuple[Any, ...]) -> Told:
        """I14: a row before each effect: what the bank is asked just now stands in a log that is on the disk."""
        if verb in _ACTING and not any(words[0] in refs for refs in self._blocks[node].values()):
            yield "I14", f"the core was asked to {verb} {words[0][:8]}, which no log intends"

    def still_blocked(self, node: str, case: Case, hold: Hold) -> Told:
        """I9: who says that a hold has ended has nothing of it blocked."""
        core = self._world.hosts[node].core
        if core is None:
            return
        for ref in self._blocks[node][hold.request]:
            others = sum(book.block(ref).amount for book in case.books.values() if book.request != hold.request)
            blocked = core.blocked(ref)
            if blocked > others:
                yield "I9", f"hold {hold.id[:8]} is {hold.state}, and the core still blocks {blocked} of {ref[:8]}"

    # --- receipts -------------------------------------------------------------------------------------------------

    def unkept(self, node: str, excused: set[str]) -> Told:
        """I5: what a peer gave a receipt for it has, on its disk."""
        with spared(), self._world.service(node).node.store.reading() as connection:
            rows = connection.exec_driver_sql(_RECEIPTED, (self._receipted[node],)).all()
        has: dict[str, set[tuple[str, int]]] = {}
        for row in rows:
            self._receipted[node] = row.id
            if row.peer in excused or self._world.running(row.peer) is None:
                continue
            if row.peer not in has:
                has[row.peer] = self._arrived(row.peer, node)
            if (row.request, row.number) not in has[row.peer]:
                yield "I5", f"{row.peer} gave a receipt for {row.kind}, number {row.number}, and does not have it"

    def _arrived(self, peer: str, node: str) -> set[tuple[str, int]]:
        """(request, number) of every act of `node` that is on the disk of `peer`."""
        with spared(), self._world.service(peer).node.store.reading() as connection:
            return {(row.request, row.number) for row in connection.exec_driver_sql(_ARRIVED, (node,))}

    def look_back(self) -> None:
        """Somebody died: what receipts were given for is looked at again."""
        self._receipted.clear()


_RECEIPTED = ("SELECT id, peer, request, number, kind FROM outbox WHERE state IN ('receipted', 'refused') AND id > ? "
              "ORDER BY id")
_ARRIVED = "SELECT request, number FROM inbox WHERE peer = ?"


def _time(stored: int) -> datetime:
    """An instant as the store has it."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=stored)
