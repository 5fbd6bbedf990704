"""How two nodes see their conversations, and what one keeps for the other (R-28, R-29).

`/state`: each side says how far every open conversation came; who sees that the other missed
something sends it again. `/copies`: a node that lost what it had said is told, from the same numbers
on, by whoever it said it to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from arrp.core.errors import Refused
from arrp.core.messages import ConversationState, Head, Outcome, Receipt, StateExchange, Urgency
from arrp.node.service import Node, Service
from arrp.node.store import recovering, talk, work
from arrp.node.store.cases import BODIES
from arrp.wire import Problem
from arrp.wire.approvals import b64, unb64
from arrp.wire.codec import dumps, loads, parse_json, read_act
from arrp.wire.copies import Copies, Copy
from arrp.wire.envelope import VERSION, Attached, Note, Routing, content, seal, sign, verify

log = logging.getLogger("arrp.exchange")

MOST = 4000  # conversations in one exchange: 400 kB
COPIES_BYTES = 600_000  # of one page; one copy always fits into what an answer may be
AHEAD = timedelta(minutes=5)  # of our clock: what a peer states later than that is not heard
_KEEP_FOR = timedelta(hours=1)


class Exchange:
    """The memory of one node, as its peers may ask for it."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @property
    def node(self) -> Node:
        """As it is now: a newer directory may have taken effect since it was last asked for."""
        return self.service.node

    def ask(self, peer: str, after: str = "") -> str:
        """Our open conversations with a peer after a request, as we see them: as many as one exchange takes."""
        with self.node.store.reading() as connection:
            rows = recovering.with_peer(connection, peer, after, "", MOST + 1)
        until = rows[MOST - 1].request if len(rows) > MOST else ""
        return self._state(peer, (after, until), rows[:MOST])

    def answer(self, jws: str | bytes) -> str:
        """What a peer stated is compared; then how we see the same conversations, and those it left out."""
        theirs = self.hear(jws)
        wanted = [said.request for said in theirs.conversations]
        with self.node.store.reading() as connection:
            known = recovering.named(connection, theirs.sender, wanted)
            others = recovering.with_peer(connection, theirs.sender, theirs.after, theirs.until, MOST + 1)
        if {row.request for row in others} <= set(wanted):  # else it has not said how it sees them: we ask in our turn
            self._compared(theirs.sender)
        known |= {row.request: row for row in others}
        blank = {name: talk.Conversation(theirs.sender, name, "", 0, 0, 0, 0) for name in wanted}
        rows = [row for _, row in sorted((blank | known).items())]
        until = theirs.until if len(others) <= MOST else others[MOST - 1].request
        return self._state(theirs.sender, (theirs.after, until), [row for row in rows if row.request <= (until or "~")])

    def heard(self, peer: str, jws: str | bytes, after: str) -> str:
        """A peer's answer to how we see our conversations; from where to go on, empty at the end."""
        theirs = self.hear(jws)
        if theirs.sender != peer:
            raise Refused(f"{theirs.sender} answers for {peer}", rule="R-28", code="wrong-addressee")
        self._compared(peer)
        return theirs.until if theirs.until > after else ""

    def _state(self, peer: str, between: tuple[str, str], rows: list[talk.Conversation]) -> str:
        stated = tuple(ConversationState(row.request, row.sent, row.seen) for row in rows)
        exchange = StateExchange(VERSION, self.node.me, peer, self.node.clock.now(), *between, stated)
        return sign(exchange, self.node.keys.signing, self.node.keys.signing_id)

    def _compared(self, peer: str) -> None:
        with self.node.store.writing() as connection:
            work.compared(connection, peer, self.node.clock.now())

    def hear(self, jws: str | bytes) -> StateExchange:
        """R-28: what the peer has not seen of ours is sent again; what we have not seen it sends itself. One that
        forgot what it said to us takes that back first: our words would come before its own that they answer.
        Who says it has seen more than we ever said is asked for copies: it may know what we forgot."""
        theirs = self._verified(jws)
        self._check_time(theirs)
        now = self.node.clock.now()
        with self.node.store.writing() as connection:
            if not recovering.keep_stated_at(connection, theirs.sender, theirs.at):
                raise Refused(f"{theirs.sender} stated newer than this of {theirs.at:%Y-%m-%dT%H:%M:%SZ}", rule="R-28",
                              code="stale")
            known = recovering.named(connection, theirs.sender, [said.request for said in theirs.conversations])
            for said in theirs.conversations:
                ours = known.get(said.request)
                if ours is not None and said.seen < ours.sent and said.sent >= ours.seen:
                    talk.reopen(connection, theirs.sender, said.request, said.seen, now)
            forgotten = any(said.seen > (known[said.request].sent if said.request in known else 0)
                            for said in theirs.conversations)
            if forgotten and recovering.doubt(connection, theirs.sender, now):
                log.warning("%s has seen more of us than we remember saying: asking it for copies", theirs.sender)
        if forgotten:
            self.service.look_back()
        self.node.wake()
        return theirs

    def _check_time(self, theirs: StateExchange) -> None:
        """How far its clock and ours are apart is kept for who operates them. What is stated from the future would
        make every true exchange after it a stale one. Raises Refused."""
        with self.node.store.writing() as connection:
            if recovering.is_new(connection, theirs.sender, theirs.at):  # an old one tells nothing about a clock
                self.node.clock.heard(theirs.sender, theirs.at)
                recovering.keep_apart(connection, theirs.sender, theirs.at - self.node.clock.now())
        now = self.node.clock.now()
        if theirs.at > now + AHEAD:
            raise Refused(f"{theirs.sender} states this at {theirs.at:%Y-%m-%dT%H:%M:%SZ}, and here it is "
                          f"{now:%Y-%m-%dT%H:%M:%SZ}: one of the two clocks is wrong", rule="R-28", code="stale")

    def _verified(self, jws: str | bytes) -> StateExchange:
        theirs = verify(StateExchange, jws, self.service.key_now)
        if theirs.v != VERSION:
            raise Refused(f"a state exchange of version {theirs.v} is not known here, only {VERSION}", rule="R-28",
                          code=Problem.UNSUPPORTED_VERSION)
        if theirs.to != self.node.me:
            raise Refused(f"this state exchange is for {theirs.to[:64]}", rule="R-28", code="wrong-addressee")
        return theirs

    # --- copies ------------------------------------------------------------------------------------------

    def copies(self, jws: str | bytes) -> bytes:
        """R-29: a page of what was said between us and who asks, beyond the numbers it states. Each copy is
        sealed for it alone, so that an exchange that was overheard is of no use to anybody else."""
        asked = self._verified(jws)
        stated = {said.request: said for said in asked.conversations}
        told: list[Copy] = []
        after, room = asked.after, COPIES_BYTES
        with self.node.store.reading() as connection:
            rows = recovering.all_with_peer(connection, asked.sender, asked.after, asked.until, MOST)
            for row in rows:
                for copy in self._copies_of(connection, row, stated.get(row.request)):
                    room -= len(copy.act) + len(copy.receipt or "")
                    if told and room < 0:
                        return self._page(asked, told, after, done=False)
                    told.append(copy)
                after = row.request
        if len(rows) == MOST:
            return self._page(asked, told, after, done=False)
        return self._page(asked, told, asked.until, done=not asked.until)

    def _page(self, asked: StateExchange, told: list[Copy], after: str, *, done: bool) -> bytes:
        return dumps(Copies(VERSION, self.node.me, asked.sender, after, done, tuple(told)))

    def _copies_of(self, connection: Connection, row: talk.Conversation, said: ConversationState | None
                   ) -> Iterator[Copy]:
        """One conversation in the order of who asks: what we said up to what it had seen, then what it said."""
        sent, seen = (said.sent, said.seen) if said is not None else (0, 0)
        mine = recovering.ours(connection, row, seen)
        for kept in recovering.theirs(connection, row, sent):
            if kept.signed is None:
                return
            head = loads(Head, said_in(kept.signed))
            while mine and mine[0].number <= head.seen:
                yield self._own_copy(connection, row.peer, mine.pop(0))
            yield self._their_copy(connection, row, head, kept)

    def _own_copy(self, connection: Connection, peer: str, kept: recovering.Kept) -> Copy:
        signed = sign(loads(Head, kept.head), self.node.keys.signing, self.node.keys.signing_id)
        return self._sealed(connection, peer, signed, kept)

    def _their_copy(self, connection: Connection, row: talk.Conversation, head: Head, kept: recovering.Kept) -> Copy:
        arrived = talk.arrived(connection, row.peer, head.id)
        assert arrived is not None, "a row of the inbox that was just read"
        receipted = replace(kept, receipt=receipt_for(self.service, arrived, row.seen))
        return self._sealed(connection, row.peer, kept.signed or "", receipted)

    def _sealed(self, connection: Connection, peer: str, signed: str, kept: recovering.Kept) -> Copy:
        key = self.node.directory.sealing_of(peer, self.node.clock.now())
        routing = Routing(peer, Urgency.ROUTINE, self.node.clock.now() + _KEEP_FOR)
        act = talk.act(connection, kept.act_hash)
        data, salt = (act.data, act.salt) if act is not None else (b"", b"")
        beside = _beside(connection, act) if act is not None and data else ()
        parcel = seal(content(signed, salt, data, beside), routing, key)
        note = seal(Note(kept.receipt), routing, key).decode() if kept.receipt else None
        return Copy(parcel.decode(), note)


def _beside(connection: Connection, act: talk.KeptAct) -> tuple[Attached, ...]:
    """The mandate and the loss act that a request names by their hashes."""
    if act.kind != "Request":
        return ()
    body = read_act(act.data, BODIES).body
    others = [talk.act(connection, hash_) for hash_ in (body.mandate_act, body.loss_act) if hash_]
    return tuple(Attached(other.by, b64(other.data), b64(other.salt), other.approvals, None)
                 for other in others if other is not None and other.data)


def receipt_for(service: Service, row: talk.Arrived, seen: int) -> str:
    """Signed proof that the bytes of a row of the inbox arrived, with the state as it now is (R-26)."""
    receipt = Receipt(
        v=VERSION, sender=service.node.me, to=row.peer, id=row.head, act_hash=row.act_hash, request=row.request,
        number=row.number, outcome=Outcome(row.outcome), seen=seen, received_at=row.received_at, code=row.code,
        reason=row.reason, checkpoint=service.vouched,
    )
    return sign(receipt, service.node.keys.signing, service.node.keys.signing_id)


def said_in(jws: str, part: str = "payload") -> bytes:
    """What a JWS of our own keeping says; whoever believes it verified it before. Raises Malformed."""
    tree = parse_json(jws.encode())
    assert isinstance(tree, dict)
    return unb64(str(tree[part]))


def kid_of(jws: str) -> str:
    """The key under which a JWS of our own keeping was signed."""
    header = parse_json(said_in(jws, "protected"))
    assert isinstance(header, dict)
    return str(header["kid"])
