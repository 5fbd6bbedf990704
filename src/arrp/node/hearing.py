"""What comes from peers: parcels to receipts, in the order of checks of R-24.

signature → known (same bytes: same receipt) → stored, number taken → version, addressee, approvals,
`apply_by`, then the rules. What fails the first takes no number; what fails a later one is a signed
refusal that fills it. Poison stops nobody: a refused act is a receipt like any other.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from threading import Lock
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from arrp.core.errors import ArrpError, Conflict, Malformed, Refused, Unreachable
from arrp.core.events import ATTACHED, KINDS, Delivered, Event
from arrp.core.mandate import LossAct, Mandate, loss_signers
from arrp.core.messages import Checkpoint, Head, Outcome, Receipt, StateExchange
from arrp.core.roles import counted
from arrp.core.step import Heard, Receipted
from arrp.node.exchange import Exchange, receipt_for
from arrp.node.passed_on import heard_again, was_passed_on
from arrp.node.second import behind, check_later
from arrp.node.service import Node, Service, Transaction, expired
from arrp.node.store import asking, cases, documents, talk, work
from arrp.node.store.cases import BODIES
from arrp.node.store.engine import retrying
from arrp.wire.codec import dumps
from arrp.wire.document import documents_of
from arrp.wire.envelope import VERSION, Content, Enclosed, Reader, Unacceptable, Unpacked, open_parcel, unpack, verify

log = logging.getLogger("arrp.hearing")

BACKLOG = 64  # questions to the core for one peer that wait for a thread: as many as one look takes
AT_ONCE = 8  # parcels of one peer: twice what a node of ours has on its way to another
_NEVER_SUPERSEDED = ("Request", "Approved", "Withdraw")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A parcel as far as it was understood: `heard`, or the `cause` why it is truly its sender's and wrong."""

    head: Head
    kid: str
    data: bytes
    heard: Unpacked | None
    cause: ArrpError | None


class Undone(Exception):
    """The act was refused; its transaction is undone, and the refusal is to be written."""

    def __init__(self, cause: ArrpError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Shares:
    """How much of one peer is worked on at once. Who sends more is told to come again: a flood, each parcel of it
    valid, leaves threads to the others (reliability T02)."""

    def __init__(self, most: int) -> None:
        self._most, self._busy, self._lock = most, Counter[str](), Lock()

    @contextmanager
    def of(self, peer: str) -> Iterator[None]:
        """Raises Unreachable for more than its share."""
        with self._lock:
            if self._busy[peer] >= self._most:
                raise Unreachable(f"{self._most} parcels of {peer} are being worked on: send this one again in a while")
            self._busy[peer] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[peer] -= 1


class Hearing:
    """The ear of one node."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.exchange = Exchange(service)
        self.shares = Shares(AT_ONCE)
        self._shown: dict[str, str] = {}  # the newest checkpoint of each peer that was looked at: many receipts show it

    @property
    def node(self) -> Node:
        """As it is now: a newer directory may have taken effect since it was last asked for."""
        return self.service.node

    def _reader(self, arrived_at: datetime) -> Reader:
        """Nodes' keys whatever became of them, for what is known already is answered (R-24, 2); officers' keys as
        they counted when the parcel came."""
        keys, directory = self.node.keys, self.node.directory

        def officer_key_of(participant: str, officer: str, key_id: str) -> Ed25519PublicKey | None:
            return directory.officer_key_at(participant, officer, key_id, arrived_at)

        return Reader(self.node.me, keys.sealing, directory.key_of, officer_key_of, BODIES, keys.other_sealing)

    def _check_keys(self, incoming: Incoming, arrived_at: datetime) -> None:
        """R-36, R-37: what is new counts only under keys that do. Raises Refused."""
        directory, heard = self.node.directory, incoming.heard
        directory.check_key(incoming.head.sender, incoming.kid, arrived_at, incoming.head.sent_at)
        for enclosed in heard.attached if heard else ():
            if enclosed.head is not None and enclosed.kid is not None:
                directory.check_key(enclosed.by, enclosed.kid, arrived_at, enclosed.head.sent_at)

    def parcel(self, data: bytes) -> str:
        """A sealed parcel; the signed receipt for it. Raises Refused, Malformed, Conflict for what takes no number,
        Unreachable for what is to be sent again."""
        incoming = self._unpacked(data, self.node.clock.now())
        with self.shares.of(incoming.head.sender):
            self._check_backlog(incoming)
            try:
                return str(retrying(lambda: self._take(incoming)))
            except Undone as undone:
                refused = replace(incoming, cause=undone.cause)
                return str(retrying(lambda: self._take(refused)))

    def _check_backlog(self, incoming: Incoming) -> None:
        """T02: who has asked more than the core could be asked so far comes again: what is taken in has its turn, and
        taking in more would only make everybody's longer. Raises Unreachable."""
        if incoming.heard is None or incoming.heard.act.kind != "Request":
            return
        peer, node = incoming.head.sender, self.node
        with node.store.reading() as connection:
            if work.backlog(connection, peer, node.clock.now(), BACKLOG) >= BACKLOG:
                raise Unreachable(f"{BACKLOG} questions to the core wait for {peer}: send this one again in a while")

    def _unpacked(self, data: bytes, arrived_at: datetime) -> Incoming:
        try:
            heard = unpack(data, self._reader(arrived_at))
        except Unacceptable as error:
            return Incoming(error.head, error.kid, data, None, error)
        if isinstance(heard, Receipt | StateExchange):
            raise Malformed("receipts and state exchanges come as answers here, not as parcels", code="misplaced")
        return Incoming(heard.head, heard.kid, data, heard, None)

    def _signed(self, incoming: Incoming) -> str | None:
        """The head as it was signed: its sender can have it back, should it lose it (R-29)."""
        if incoming.heard is not None:
            return incoming.heard.head_jws
        opened = open_parcel(incoming.data, self.node.keys.sealing, self.node.me, self.node.keys.other_sealing)
        return opened.head if isinstance(opened, Content) else None

    def _check_whole(self, incoming: Incoming) -> None:
        """R-29: a node that does not know what it said hears nothing but what gives money back."""
        lost, sender = self.service.recovering, incoming.head.sender
        gives_back = incoming.heard is not None and not KINDS[incoming.heard.act.kind].waits
        if (lost.is_on or sender in lost.owing) and not gives_back:
            raise Unreachable(f"{self.node.me} is recovering what it said to {sender}: send this again in a while")

    def _take(self, incoming: Incoming) -> str:
        head = incoming.head
        with self.service.transaction() as door:
            conversation = door.conversation(head.sender, head.request or "")
            # A number above all that came has not come before, so nor has its head: most messages are not looked up.
            is_new = conversation is not None and head.number == conversation.seen + 1 > conversation.heard
            known = None if is_new else talk.arrived(door.connection, head.sender, head.id)
            if known is None:
                self._check_keys(incoming, door.now)
                self._check_whole(incoming)
                known = self._fresh(door, conversation or self._begun(door, incoming), incoming)
            elif known.digest != _digest(head):
                raise Conflict(f"head {head.id} of {head.sender} came before with other content", rule="R-24",
                               code="equivocation")
            elif conversation is not None and head.number == conversation.seen + 1:
                # It came too early, and what was missing before it was given back to us since.
                self._drain(door, conversation)
                known = talk.arrived(door.connection, head.sender, head.id) or known
            return self._receipt(door, known)

    def _fresh(self, door: Transaction, conversation: talk.Conversation, incoming: Incoming) -> talk.Arrived:
        """R-24: stored, its number taken; then applied, refused, or waiting for its turn."""
        head, heard = incoming.head, incoming.heard
        in_turn = head.number == conversation.seen + 1
        before = head.number <= conversation.seen or (not in_turn and talk.numbered(
            door.connection, head.sender, head.request or "", head.number) is not None)
        if before:
            raise Conflict(f"{head.sender} used number {head.number} of {head.request} before", rule="R-26",
                           code="equivocation")
        row = talk.Arrived(head.sender, head.id, head.request or "", head.number, head.act_hash, _digest(head),
                           Outcome.WAITING, None, None, door.now, incoming.data, self._signed(incoming))
        jumps = not in_turn and heard is not None and self._jumps(door, conversation, heard)
        if in_turn:  # before it is applied: what we say because of it shows that we had heard it
            conversation = replace(conversation, seen=head.number, heard=max(conversation.heard, head.number))
            door.note_talk(conversation)
        if in_turn or jumps:
            row = self._apply_alone(door, conversation, row, incoming)
        talk.take(door.connection, row)
        has_jumped = jumps and row.outcome == Outcome.APPLIED
        moved = self._where(door, conversation)
        moved = replace(moved, heard=max(moved.heard, head.number),
                        jumped=max(moved.jumped, head.number) if has_jumped else moved.jumped)
        door.note_talk(moved)
        if in_turn:
            self._drain(door, moved)
        return row

    def _jumps(self, door: Transaction, conversation: talk.Conversation, heard: Unpacked) -> bool:
        """R-27: giving money back does not wait for a missing number, once there is something to give back."""
        act = heard.act
        request = door.load(conversation.case_id).requests.get(act.request or "")
        if request is None:
            return act.kind == "Withdraw"
        if act.kind == "Keep":
            return request.keep is not None and act.body.amount < request.keep
        return not KINDS[act.kind].waits

    def _begun(self, door: Transaction, incoming: Incoming) -> talk.Conversation:
        """The first act of a conversation opens it, and its case."""
        head, heard = incoming.head, incoming.heard
        self.node.check_room(f"send {head.request}")
        if head.request is None:
            raise Refused("acts outside a conversation come attached", rule="R-26", code="no-conversation")
        is_request = heard is not None and heard.act.kind == "Request"
        case_id = door.case_of(self._key(heard) if heard and is_request else f"request {head.sender} {head.request}")
        door.load(case_id)
        return door.begin_talk(head.sender, head.request, case_id)

    def _placed(self, door: Transaction, conversation: talk.Conversation, heard: Unpacked) -> talk.Conversation:
        """R-03: a request that was overtaken by a later act moves from the case which that one opened
        to its own, unless something was already said about it there."""
        case = door.load(conversation.case_id)
        if heard.act.kind != "Request" or case.requests or case.early:
            return conversation
        target = door.case_of(self._key(heard))
        if target == case.id:
            return conversation
        door.load(target)
        moved = replace(self._where(door, conversation), case_id=target)
        door.note_talk(moved)
        door.flush()
        cases.drop_empty(door.connection, case.id)
        return moved

    def _key(self, heard: Unpacked) -> str:
        return self.service.case_key(heard.head.sender, heard.act)

    def _where(self, door: Transaction, conversation: talk.Conversation) -> talk.Conversation:
        """The row as the step left it: our own words in it have taken numbers meanwhile."""
        return door.talking(conversation.peer, conversation.request) or conversation

    def _drain(self, door: Transaction, conversation: talk.Conversation) -> None:
        """The gap closed: apply what waited behind it, in order."""
        while conversation.seen < conversation.heard:
            row = talk.numbered(door.connection, conversation.peer, conversation.request, conversation.seen + 1)
            if row is None:
                return
            door.note_talk(replace(self._where(door, conversation), seen=row.number))
            if row.outcome == Outcome.WAITING:
                settled = self._apply(door, conversation, row, self._unpacked_again(row))
                talk.settle(door.connection, settled)
            conversation = self._where(door, conversation)

    def _unpacked_again(self, row: talk.Arrived) -> Incoming | ArrpError:
        """What waited. Keys may have gone meanwhile: then it is refused in its turn, and stops nobody."""
        try:
            incoming = self._unpacked(row.waiting or b"", row.received_at)
            self._check_keys(incoming, row.received_at)
        except ArrpError as error:
            return error
        return incoming

    # --- applying ----------------------------------------------------------------------------------------

    def _apply_alone(self, door: Transaction, conversation: talk.Conversation, row: talk.Arrived,
                     incoming: Incoming) -> talk.Arrived:
        """The one act this transaction is about. A refusal undoes the transaction, and is then written
        in one of its own: so what is applied, nearly always, costs no savepoint."""
        heard = incoming.heard
        if heard is not None and self._is_superseded(conversation, row, heard):
            return replace(row, outcome=Outcome.SUPERSEDED, waiting=None)
        if heard is None or incoming.cause is not None:
            return self._refused(door, conversation, row, _cause(incoming))
        try:
            self._do(door, conversation, heard)
        except ArrpError as error:
            raise Undone(error) from error
        return replace(row, outcome=Outcome.APPLIED, waiting=None)

    def _apply(self, door: Transaction, conversation: talk.Conversation, row: talk.Arrived,
               incoming: Incoming | ArrpError) -> talk.Arrived:
        """One of several acts in this transaction: a refusal undoes its own part."""
        heard = None if isinstance(incoming, ArrpError) else incoming.heard
        if heard is not None and self._is_superseded(conversation, row, heard):
            return replace(row, outcome=Outcome.SUPERSEDED, waiting=None)
        try:
            if heard is None:
                raise _cause(incoming)
            with door.undone_if_refused():
                self._do(door, conversation, heard)
        except ArrpError as error:
            return self._refused(door, self._where(door, conversation), row, error)
        return replace(row, outcome=Outcome.APPLIED, waiting=None)

    def _do(self, door: Transaction, conversation: talk.Conversation, heard: Unpacked) -> None:
        self._check(door, heard)
        conversation = self._placed(door, conversation, heard)
        self._keep(door, conversation, heard)
        if self._is_followed(door, conversation, heard):
            door.record(conversation.case_id, [heard_again(heard.head, heard.act)])
            return
        given = self._heard(door, heard)
        door.commit(conversation.case_id, given)
        self._count(door, heard)
        if heard.act.kind == "Approved":  # beside the first signature: together they are the evidence
            talk.approved(door.connection, heard.act.body.act_hash, heard.act.body.approval)
        self._want(door, conversation, heard)

    def _want(self, door: Transaction, conversation: talk.Conversation, heard: Unpacked) -> None:
        """R-58: the files of the documents it names are fetched from who named them."""
        for document in documents_of(heard.act.body) if self.node.files is not None else ():
            here = documents.is_here(door.connection, document.digest)
            documents.keep(door.connection, documents.Needed(
                document.digest, conversation.case_id, heard.head.sender, heard.act.request or "", document.bytes,
                None if here else door.now, 0, door.now if here else None))

    def _is_followed(self, door: Transaction, conversation: talk.Conversation, heard: Unpacked) -> bool:
        """R-29: said before we lost our memory, and what an authority in the middle then said because of it
        was given back to us: it is written down, and not passed on a second time."""
        before = self.service.recovering.before
        if before is None or heard.head.sent_at >= before:
            return False
        return was_passed_on(door, conversation.case_id, heard.head, heard.act)

    def _is_superseded(self, conversation: talk.Conversation, row: talk.Arrived, heard: Unpacked) -> bool:
        """R-27: a command overtaken by one that did not wait, and says less than that one."""
        kind = heard.act.kind
        return row.number < conversation.jumped and KINDS[kind].command and kind not in _NEVER_SUPERSEDED

    def _check(self, door: Transaction, heard: Unpacked) -> None:
        row = KINDS[heard.act.kind]
        if heard.head.v != VERSION:
            raise Refused(f"version {heard.head.v} is not spoken here: {VERSION} is", rule="R-24", code="version")
        if row.writer == "local" or heard.act.request is None:
            raise Refused(f"{heard.act.kind} is never said to a peer", rule="R-24", code="not-spoken")
        if self.node.rules.participant(heard.head.sender).suspended:
            raise Refused(f"{heard.head.sender} is suspended: nothing of it is applied", rule="R-13", code="suspended")
        if heard.act.kind == "Request" and asking.was_asked(door.connection, heard.act.request):
            raise Refused(f"request {heard.act.request} is known already", rule="R-24", code="known-request")
        last = [at for at in (heard.head.apply_by, heard.act.not_after) if at is not None]
        if row.command and any(expired(at, door.now) for at in last):
            raise Refused(f"{heard.act.kind} had to be applied by {min(last):%Y-%m-%dT%H:%M:%SZ}: send a new one",
                          rule="R-24", code="expired")
        if heard.act.kind == "Approved":
            check_later(door, self.node, heard)

    def _keep(self, door: Transaction, conversation: talk.Conversation, heard: Unpacked) -> None:
        """The bytes of what was heard stay: they are the evidence, and travel on attached."""
        head = heard.head
        talk.keep_act(door.connection, talk.KeptAct(head.act_hash, heard.act.act, head.sender, heard.act.kind,
                                                    conversation.case_id, heard.act_bytes, heard.salt, head.approvals))
        for enclosed in heard.attached:
            talk.keep_act(door.connection, talk.KeptAct(
                enclosed.act_hash, enclosed.act.act, enclosed.by, enclosed.act.kind, conversation.case_id,
                enclosed.act_bytes, enclosed.salt, enclosed.approvals))

    def _heard(self, door: Transaction, heard: Unpacked) -> Heard:
        head, act = heard.head, heard.act
        given = Heard(head.act_hash, head.sender, act.kind, act.request or "", act.body,
                      tuple(approval.officer for approval in head.approvals), not_after=act.not_after,
                      onward=act.onward)
        if act.kind == "Approved":
            return replace(given, tally=behind(door, self.node, heard))
        if act.kind != "Request":
            return given
        body, needed = act.body, ATTACHED["Loss"].approvals
        mandate = self._enclosed(heard, body.mandate_act, Mandate, head.sender, ATTACHED["Mandate"].approvals)
        loss = self._enclosed(heard, body.loss_act, LossAct, body.stated_by,
                              loss_signers(mandate, body, head.sender, needed))
        tally = door.tally(head.sender, self._key(heard), body, given.officers)
        return replace(given, mandate=mandate, mandate_hash=body.mandate_act, loss=loss, tally=tally)

    def _enclosed(self, heard: Unpacked, named: str | None, body: type[T], by: str, needed: int) -> T | None:
        """The attached act of that hash, said by `by` and approved by as many of its officers as are needed,
        whose role carries it (R-15, R-90); None when it is not there."""
        found: Enclosed | None = next((e for e in heard.attached if e.act_hash == named), None)
        if found is None or found.by != by or not isinstance(found.act.body, body):
            return None
        who = self.node.rules.participant(by)
        signed = counted(who, (approval.officer for approval in found.approvals), found.act.kind)
        return found.act.body if len(signed) >= needed else None

    def _count(self, door: Transaction, heard: Unpacked) -> None:
        """What was accepted for work counts towards the caps of R-17; what was refused does not."""
        body = heard.act.body
        if heard.act.kind == "Request":
            asking.note(door.connection, asking.Counted(
                heard.act.request or "", heard.head.sender, body.loss, body.mandate_act, self._key(heard),
                body.claim.minor, door.now))

    def _refused(self, door: Transaction, conversation: talk.Conversation, row: talk.Arrived, error: ArrpError
                 ) -> talk.Arrived:
        """A refusal is written in the case, so that it can be proved."""
        said = Delivered(row.head, row.act_hash, Outcome.REFUSED, error.code, str(error))
        event = Event("ActRefused", self.node.me, door.now, row.request, row.act_hash, said)
        door.write(door.load(conversation.case_id), [event])
        return replace(row, outcome=Outcome.REFUSED, code=error.code or "refused", reason=str(error), waiting=None)

    def _receipt(self, door: Transaction, row: talk.Arrived) -> str:
        conversation = door.talking(row.peer, row.request)
        return receipt_for(self.service, row, conversation.seen if conversation else 0)

    # --- receipts ----------------------------------------------------------------------------------------------

    def receipt(self, peer: str, jws: str, kid: str | None = None) -> None:
        """A peer's receipt for an act of ours, sent under key `kid`: resending ends; an officer sees a refusal."""
        receipt = verify(Receipt, jws, self.service.key_now)
        if receipt.sender != peer or receipt.to != self.node.me:
            raise Refused(f"a receipt of {receipt.sender} for {receipt.to} came from {peer}", rule="R-26",
                          code="wrong-receipt")
        request = receipt.request or ""
        with self.service.transaction() as door:
            sent = talk.sent(door.connection, peer, request, receipt.number)
            if sent is None or sent.act_hash != receipt.act_hash:
                raise Refused(f"the receipt names another act than number {receipt.number}", rule="R-26",
                              code="wrong-receipt")
            if sent.kind == "Request" or receipt.outcome is Outcome.REFUSED:
                self._delivered(door, receipt)
            if receipt.checkpoint is not None and receipt.checkpoint != self._shown.get(peer):
                self._remember(door, peer, receipt.checkpoint)
            if sent.open:
                talk.receipted(door.connection, receipt, jws, kid)
        if receipt.checkpoint is not None:
            self._shown[peer] = receipt.checkpoint

    def undeliverable(self, row: talk.Unreceipted, code: str) -> None:
        """R-26: an act that the peer never takes ends with a person, not in silence."""
        with self.service.transaction() as door:
            kept, conversation = talk.act(door.connection, row.act_hash), door.conversation(row.peer, row.request)
            if kept is not None and conversation is not None:
                door.commit(conversation.case_id, Receipted(
                    f"undeliverable {row.act_hash}", kept.act, row.act_hash, kept.kind, row.request, "undeliverable",
                    code, None))

    def _delivered(self, door: Transaction, receipt: Receipt) -> None:
        """What a case wants to know of receipts, once: that its request arrived, and what was refused. The case is
        locked first, as everywhere."""
        request = receipt.request or ""
        conversation = door.conversation(receipt.sender, request)
        sent = talk.sent(door.connection, receipt.sender, request, receipt.number)
        kept = talk.act(door.connection, receipt.act_hash)
        if conversation is not None and kept is not None and sent is not None and sent.open and not sent.before:
            door.commit(conversation.case_id, Receipted(
                f"receipt {receipt.id}", kept.act, receipt.act_hash, kept.kind, request, receipt.outcome,
                receipt.code, receipt.reason))

    def _remember(self, door: Transaction, peer: str, jws: str) -> None:
        """R-64: a peer's checkpoint is kept: what it once showed it cannot take back. A forged one does
        not spoil the receipt it came with."""
        try:
            checkpoint = verify(Checkpoint, jws, self.service.key_now)
        except ArrpError as error:
            log.warning("a checkpoint that came from %s is not kept: %s", peer, error)
            return
        if checkpoint.origin != peer:
            log.warning("%s showed a checkpoint of %s: not kept", peer, checkpoint.origin)
        elif not work.keep_checkpoint(door.connection, peer, checkpoint, jws):
            log.error("%s has rewritten or shortened its log: both signed checkpoints are kept as evidence", peer)


def _cause(incoming: Incoming | ArrpError) -> ArrpError:
    if isinstance(incoming, ArrpError):
        return incoming
    return incoming.cause or Malformed("the act cannot be read")


def _digest(head: Head) -> bytes:
    """What must not differ when the same head id comes again: everything the sender signed."""
    return sha256(dumps(head)).digest()
