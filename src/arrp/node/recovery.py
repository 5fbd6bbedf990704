"""Taking back what was said: from each peer its copies, from the core its holds; then the node goes on (R-29).

A node is recovering when it was restored from a backup, or when a peer shows it a head that bears its own
valid signature and that it does not remember. Until every peer has told what it keeps (15 minutes at
most) it sends no command, and places and returns nothing. What is given back is written into the log as
it was said, and nothing of it is decided again: the numbers, the acts, the state that both sides knew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from arrp.connectors import Connector
from arrp.core.case import Case
from arrp.core.errors import ArrpError, Malformed, Refused, Unreachable
from arrp.core.events import Erased, Escalated, Event
from arrp.core.messages import Act, ConversationState, Head, Receipt, StateExchange
from arrp.core.recovering import is_unfinished
from arrp.core.step import CoreAnswer, Reconciled
from arrp.node.backup import erased_before
from arrp.node.delivery import Transport, question
from arrp.node.service import Node, Service
from arrp.node.store import cases, recovering, work
from arrp.node.store.cases import BODIES
from arrp.node.store.engine import retrying
from arrp.node.taking_back import Given, TakingBack
from arrp.trace.account import follow_account
from arrp.wire.approvals import act_hash, unb64
from arrp.wire.codec import loads, read_act
from arrp.wire.copies import Copies, Copy
from arrp.wire.envelope import VERSION, Content, Note, open_parcel, sign, verify

log = logging.getLogger("arrp.recovery")

ASK_EVERY = timedelta(seconds=10)
WAIT_FOR_SILENT = timedelta(minutes=15)
PAGE = 2000  # conversations of ours in one question


class Recovery:
    """The memory of one node, while it is not whole."""

    def __init__(self, service: Service, transport: Transport, core: Connector | None) -> None:
        self.service, self.transport, self.core = service, transport, core
        self._to_forget: frozenset[str] | None = None  # None: nobody looked since this node is whole

    @property
    def node(self) -> Node:
        return self.service.node

    def ask(self, peer: str) -> None:
        """Everything that one peer keeps of us and we do not. It is asked again while it is silent."""
        try:
            proof = self._take(peer)
        except ArrpError as error:
            log.info("copies of %s: %s", peer, error)
            self._asked(peer, "silent")
            return
        anomaly = None if proof or self.service.recovering.is_on else "it claims to have seen what it cannot show"
        if anomaly:
            log.warning("%s has seen more of us than we said, and shows no head of ours: its own fault", peer)
        self._asked(peer, None, anomaly)
        if not self.service.recovering.is_on:
            retrying(self._reconcile)

    def _asked(self, peer: str, copies: str | None, anomaly: str | None = None) -> None:
        with self.node.store.writing() as connection:
            recovering.asked(connection, peer, copies, anomaly)
            work.compare_again(connection, peer)
        self.service.look_back()
        self.node.wake()

    def settle(self) -> None:
        """Go on, once nobody is waited for any more and the core has said what it holds."""
        lost, now = self.service.recovering, self.node.clock.now()
        if lost.since is None or lost.due or (lost.silent and now < lost.since + WAIT_FOR_SILENT):
            return
        try:
            retrying(self._reconcile)
        except ArrpError as error:
            log.warning("the core is not reconciled yet: %s", error)
            return
        with self.node.store.writing() as connection:
            recovering.end(connection)
        self.service.look_back()
        self._to_forget = None
        log.warning("recovered: epoch %d; silent were %s", lost.epoch, ", ".join(sorted(lost.silent)) or "none")
        self.node.wake()

    def forget_again(self) -> None:
        """R-60: what was erased after the backup was made is erased again, by the list that lies outside the store;
        what was open then, once an officer has closed it again."""
        files = self.node.files
        if files is None or self.service.recovering.is_on or self._to_forget == frozenset():
            return
        with self.node.store.reading() as connection:
            states = {row.id: row.state for row in cases.listed(connection) if row.state not in ("joined", "erased")}
        listed = erased_before(files.erased) if self._to_forget is None else self._to_forget
        self._to_forget = frozenset(id for id in listed if id in states)
        for id in sorted(self._to_forget):
            try:
                retrying(partial(self._forget, id, states[id] == "closed"))
            except ArrpError as why:  # the others do not wait for it
                log.error("case %s, which was erased before, cannot be erased yet: %s", id, why)

    def _forget(self, case_id: str, is_closed: bool) -> None:
        with self.service.transaction() as door:
            now, me, what = door.now, self.node.me, f"erased before {case_id}"
            if is_closed:
                door.record(case_id, [Event("CaseErased", me, now, None, what, Erased("it was erased before"))])
            elif what not in door.load(case_id).escalated:
                said = Escalated(what, "data-protection officer",
                                 "closed and erased after the backup was made: close it, and it is erased again")
                door.record(case_id, [Event("Escalated", me, now, None, what, said)])

    # --- peers -------------------------------------------------------------------------------------------

    def _take(self, peer: str) -> bool:
        """Whether the peer showed a head of ours that we did not remember."""
        proof = False
        for said in self._conversations(peer):
            taking = TakingBack(self.service, peer, said)
            if taking.is_proof():
                proof = True
                self._begin(peer)
            retrying(taking.run)
        return proof

    def _begin(self, peer: str) -> None:
        """R-29: our own signature under something we do not remember."""
        lost = self.service.recovering
        if lost.is_on or (lost.before is not None and peer in lost.silent):  # it was silent then: nothing new
            return
        log.error("%s shows heads of ours that we do not remember: this store is older than what we said", peer)
        with self.node.store.writing() as connection:
            recovering.begin(connection, self.node.clock.now())
        self.service.look_back()

    def _conversations(self, peer: str) -> Iterator[list[Given]]:
        """What the peer gives, one conversation after another."""
        told: list[Given] = []
        after, so_far = "", dict[str, tuple[int, int]]()
        while True:
            page = self._page(peer, after, so_far)
            for copy in page.copies:
                given = self._opened(peer, copy)
                if told and told[0].request != given.request:
                    yield told
                    told = []
                told.append(given)
                sent, seen = so_far.get(given.request, (0, 0))
                ours = given.head.sender == self.node.me
                so_far[given.request] = (given.head.number, seen) if ours else (sent, given.head.number)
            if page.done or (not page.copies and page.after <= after):
                break
            after = page.after
        if told:
            yield told

    def _page(self, peer: str, after: str, so_far: dict[str, tuple[int, int]]) -> Copies:
        address = self.node.rules.participant(peer).address
        status, answer = self.transport.post(f"{address}/copies", self._question(peer, after, so_far).encode())
        if status != 200:
            raise Unreachable(f"{peer} answers {status} to a question for copies")
        page = loads(Copies, answer)
        if (page.sender, page.to) != (peer, self.node.me):
            raise Refused(f"copies of {page.sender} for {page.to} came from {peer}", rule="R-29",
                          code="wrong-addressee")
        return page

    def _question(self, peer: str, after: str, so_far: dict[str, tuple[int, int]]) -> str:
        """How far we remember each conversation: what nobody receipted may have a number that was taken."""
        with self.node.store.reading() as connection:
            rows = recovering.all_with_peer(connection, peer, after, "", PAGE + 1)
            arrived = recovering.delivered(connection, peer, [row.request for row in rows])
        until = rows[PAGE - 1].request if len(rows) > PAGE else ""
        known = {row.request: (min(row.sent, arrived.get(row.request, row.sent)), row.seen) for row in rows[:PAGE]}
        known |= {name: numbers for name, numbers in so_far.items() if name > after and (not until or name <= until)}
        stated = tuple(ConversationState(name, *numbers) for name, numbers in sorted(known.items()))
        asked = StateExchange(VERSION, self.node.me, peer, self.node.clock.now(), after, until, stated)
        return sign(asked, self.node.keys.signing, self.node.keys.signing_id)

    def _opened(self, peer: str, copy: Copy) -> Given:
        """One copy, believed for its signatures. Raises Refused, Malformed."""
        keys, directory = self.node.keys, self.node.directory
        parcel = open_parcel(copy.act.encode(), keys.sealing, self.node.me, keys.other_sealing)
        if not isinstance(parcel, Content):
            raise Malformed("a copy is a head with its act", code="misplaced")
        head = verify(Head, parcel.head, directory.key_of)
        if {head.sender, head.to} != {peer, self.node.me}:
            raise Refused(f"a head of {head.sender} for {head.to} is not of this conversation", rule="R-29",
                          code="wrong-addressee")
        data, salt = unb64(parcel.act), unb64(parcel.salt)
        act = None
        if data:
            if act_hash(salt, data) != head.act_hash:
                raise Refused("salt and act are not those that the signed head names", code="hash-mismatch")
            act = _readable(data)
        receipt, jws = self._receipt(peer, copy, head)
        return Given(head, parcel.head, act, data, salt, parcel.attached, receipt, jws)

    def _receipt(self, peer: str, copy: Copy, head: Head) -> tuple[Receipt | None, str]:
        """The receipt of the other side: the peer's for what we said, our own for what it said."""
        if copy.receipt is None:
            return None, ""
        keys = self.node.keys
        note = open_parcel(copy.receipt.encode(), keys.sealing, self.node.me, keys.other_sealing)
        if not isinstance(note, Note):
            raise Malformed("a receipt comes as a note", code="misplaced")
        receipt = verify(Receipt, note.jws, self.node.directory.key_of)
        by = peer if head.sender == self.node.me else self.node.me
        if (receipt.sender, receipt.id, receipt.act_hash) != (by, head.id, head.act_hash):
            raise Refused("the receipt is for another act", rule="R-29", code="wrong-receipt")
        return receipt, note.jws

    # --- the core ----------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """Each case that can still change is told what the core says of its accounts and of all holds."""
        with self.node.store.reading() as connection:
            found = [self.service.folds.at(connection, row.id, row.version) for row in cases.listed(connection)
                     if row.state not in ("closed", "joined")]
        in_force = self.core.holds() if self.core is not None else ()
        for case in found:
            answers = self._looked(case)
            given = Reconciled(f"recovered {self.service.recovering.epoch} {case.id}", answers, in_force)
            retrying(partial(self._commit, case, given))
        known = {ref for case in found for ref in _refs(case)}
        for block in in_force:
            if block.ref not in known:
                log.warning("the core holds %s and no case here knows why yet", block.ref)

    def _commit(self, case: Case, given: Reconciled) -> None:
        with self.service.transaction() as door:
            door.commit(case.id, given)

    def _looked(self, case: Case) -> dict[str, CoreAnswer]:
        """What the core says of each account whose hold, or wait for one, may have changed."""
        if self.core is None:
            return {}
        mine: Sequence[str] = [r.id for r in case.requests.values()
                               if r.side == "requested" and r.id in case.located and is_unfinished(r)]
        found = {id: self.core.find(question(case.request(id))) for id in mine}
        return {id: CoreAnswer(f"recovered {id}", answer, follow_account) for id, answer in found.items()}


def _refs(case: Case) -> Iterator[str]:
    yield from (request.hold.id for request in case.requests.values() if request.hold is not None)
    yield from (block.ref for book in case.books.values() for block in book.blocks)


def _readable(data: bytes) -> Act | None:
    """None for an act that its receiver could not read either: it was refused, and only its number counts."""
    try:
        return read_act(data, BODIES)
    except Malformed:
        return None
