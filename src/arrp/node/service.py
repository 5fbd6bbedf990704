"""The one door. Everything that happens to a case goes through here, one case row at a time.

`handle` locks the row, folds (or remembers) the case, calls `step`, and commits events, leaf hashes,
outbox, intents and timer at once. No lock is held while anything outside is called. What comes from
peers enters through node/hearing.py, which ends in the same `commit`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from arrp.core.answers import InForce
from arrp.core.case import Case, apply
from arrp.core.changes import second_by
from arrp.core.disclosing import as_told
from arrp.core.errors import ArrpError, Conflict, Malformed, NotFound, Outdated, Refused, Unreachable
from arrp.core.events import KINDS, Draft, Event
from arrp.core.messages import Act, Approval, Handling, Head, Urgency, Uses
from arrp.core.policy import Rules, Tally
from arrp.core.protocol import next_due, taken
from arrp.core.request import Ask, Asked
from arrp.core.step import Approve, Command, CoreAnswer, Given, Joined, Late, Tick
from arrp.node.calling import Getting
from arrp.node.clock import Clock
from arrp.node.directory import Directory
from arrp.node.experience import Experience
from arrp.node.files import Files
from arrp.node.keys import NodeKeys
from arrp.node.standing import Standing, kept_act
from arrp.node.store import (
    asking,
    audit,
    cases,
    directories,
    documents,
    erasing,
    posting,
    recovering,
    spent,
    talk,
    work,
)
from arrp.node.store.engine import Store
from arrp.wire.approvals import act_hash, check_approval
from arrp.wire.codec import act_bytes, dumps
from arrp.wire.document import documents_of
from arrp.wire.envelope import VERSION

KEY_MAX = 400  # characters; the names in it have at most 128 each where they are checked

BEGINS = frozenset({"report", "send"})  # what officers wish that a node with a nearly full disk does not take (F03)

# What must not wait behind anything else; the rest is routine (I20).
ROUTINE = frozenset({"ObjectionRaised", "ObjectionDecided", "MoneyReturned", "ReturnAnnounced", "RequestSeen"})


@dataclass(frozen=True, slots=True)
class Node:
    """What a running node is made of. `wake` is called after each commit that left work to do; `renew` gives the
    node as its home now says it is, or None when nothing has changed (R-34)."""

    store: Store
    rules: Rules
    directory: Directory
    keys: NodeKeys
    clock: Clock
    standing: tuple[Standing, ...] = ()
    wake: Callable[[], None] = lambda: None
    renew: Callable[[Node], Node | None] = lambda node: None
    fetch: Callable[[Node, Getting], bool] = lambda node, transport: False  # a newer directory, into its home
    files: Files | None = None  # where documents lie; None: a node without a home has no files
    is_nearly_full: Callable[[], bool] = lambda: False  # what its disk has left is kept for giving back (F03)

    @property
    def me(self) -> str:
        return self.rules.me.id

    def check_room(self, what: str) -> None:
        """F03: a disk that is nearly full takes nothing new, so that each hold can still end and money be sent back.
        Raises Unreachable."""
        if self.is_nearly_full():
            raise Unreachable(f"the disk of {self.me} is nearly full: {what} again when its operator has made room")


class Service:
    """The door of one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.folds, self.experience = cases.Folds(node.me), Experience(node.me)
        with node.store.writing() as connection:
            newest = audit.newest(connection)
            self.vouched = newest[1] if newest else None  # our newest signed checkpoint: every receipt shows it
            self._secret = _account_secret(connection, node)
            _take_up(connection, node)
            self.recovering = recovering.state(connection)

    def look_back(self) -> None:
        """Whether this node knows what it said (R-29) may have changed."""
        with self.node.store.reading() as connection:
            self.recovering = recovering.state(connection)

    def renew(self) -> None:
        """A newer directory, key or mandate takes effect between two transactions: one swap, of everything that must
        fit together. Raises Refused for a directory that is older than one this node knew (R-34)."""
        fresh = self.node.renew(self.node)
        if fresh is not None:
            with fresh.store.writing() as connection:
                _take_up(connection, fresh)
                talk.send_again(connection, None, fresh.clock.now())  # what no peer took may be right now
            self.node = fresh
            fresh.wake()

    def key_now(self, sender: str, kid: str) -> Ed25519PublicKey | None:
        """A node's key, for what it signs and we hear just now: receipts, states, checkpoints (R-36)."""
        return self.node.directory.key_at(sender, kid, self.node.clock.now())

    # --- what is given -------------------------------------------------------------------------------

    def command(self, command: Command, case_id: str | None = None, at: int | None = None) -> tuple[str, list[Event]]:
        """An officer's wish. A report opens a case; anything else names one, or a request in it. The same
        wish again (its answer was lost) has the same answer and no other effect."""
        mark = self._mark(command.verb, command.officer, command.request, case_id, command.body)
        with self.transaction() as door:
            if before := door.said_before(command.id, mark):
                return before
            self.recovering.check_whole(command.verb)
            if command.verb in BEGINS:
                self.node.check_room(command.verb)
            door.check_documents(command.body)
            if command.verb == "report":
                case_id = door.case_of(f"loss {self.node.me} {command.body.loss}")
            elif case_id is None:
                case_id = door.case_of_request(command.request or "")
            if at is not None and door.load(case_id).version != at:
                raise Outdated(f"case {case_id} is at version {door.load(case_id).version}, not {at}: look again first")
            return door.commit_given(case_id, command, mark)

    def approve(self, act_id: str, approval: Approval, given_id: str) -> tuple[str, list[Event]]:
        """One officer's signature, checked here against the directory, counted by `step` (R-23)."""
        mark = self._mark("approve", act_id, approval.officer, approval.key, approval)
        with self.transaction() as door:
            if before := door.said_before(given_id, mark):
                return before
            kept = talk.own_act(door.connection, self.node.me, act_id)
            if kept is None or kept.case_id is None:
                raise NotFound(f"there is no draft {act_id} on this node")
            key = self.node.directory.signing_officer(self.node.me, approval.officer, approval.key, door.now)
            if key is None:
                raise Refused(f"{approval.officer} with key {approval.key} is no officer of {self.node.me} now: the "
                              "directory does not name that key, or it was retired or revoked", rule="R-23",
                              code="unknown-officer")
            check_approval(approval, kept.act_hash, key)
            self.recovering.check_whole(kept.kind.lower())
            return door.commit_given(kept.case_id, Approve(given_id, act_id, kept.act_hash, approval), mark)

    def _mark(self, *said: Any) -> str:
        """By what the same words are known again; keyed, so that it tells nobody which words."""
        texts = [dumps(part) if is_dataclass(part) else str(part).encode() for part in said]
        return hmac.new(self._secret, b"\0".join(texts), sha256).hexdigest()

    def answer(self, case_id: str, given: CoreAnswer) -> None:
        """What the core said. One that was already written down changes nothing."""
        with self.transaction() as door:
            if given.ref in door.load(case_id).intents:
                door.commit(case_id, given)

    def late(self, case_id: str, ref: str) -> None:
        """A clerk's time is over (R-99)."""
        with self.transaction() as door:
            door.commit(case_id, Late(f"late {ref}", ref))

    def tick(self, case_id: str) -> None:
        with self.transaction() as door:
            door.commit(case_id, Tick(f"tick {case_id} {self.node.clock.now().isoformat()}"))

    def join(self, waiting_as: work.Join, answer: CoreAnswer, in_force: tuple[InForce, ...] = ()) -> None:
        """R-03: the request moves from its waiting case to its account's, conversation and all; `in_force` is
        what the core holds, told when we may have forgotten it (R-29)."""
        request_id, from_case, key = waiting_as.request, waiting_as.case_id, waiting_as.key
        with self.transaction() as door:
            waiting = door.load(from_case)
            request = waiting.request(request_id)
            conversation = door.conversation(request.peer, request_id)
            if conversation is None or conversation.case_id != from_case:
                return  # done before
            loss = waiting.losses.get((request.body.stated_by, request.body.loss))
            target = door.case_of(key)
            door.load(target)
            tally = door.tally(request.peer, key, request.body, request.by_officers, request.at)
            tally = tally.without(request.body.claim.minor)  # it was counted when it came in
            door.note_talk(replace(conversation, case_id=target))
            asking.note_account(door.connection, request_id, key)
            work.joined(door.connection, request_id, self.node.clock.now())
            door.commit(target, Joined(f"join {request_id}", request, answer, loss[1] if loss else None, tally,
                                       in_force, waiting.beside(request_id)))

    def case_key(self, sender: str, act: Act) -> str:
        """R-03: which case a first request belongs to."""
        body = act.body
        if self.node.rules.me.kind == "authority" or sender == self.node.me:
            return f"loss {body.stated_by} {body.loss}"
        if body.ask is Ask.STOP and body.credit.uetr:
            return f"payment {body.credit.uetr}"
        return f"request {sender} {act.request}"

    def account_key(self, account_ref: str) -> str:
        """R-03: the key of an account's case: an HMAC under a key of this node, so that the list of
        cases names no account."""
        return f"account {hmac.new(self._secret, account_ref.encode(), sha256).hexdigest()}"

    # --- transactions ----------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction, durable when the block has ended."""
        try:
            with self.node.store.writing() as connection:
                door = Transaction(self, connection)
                yield door
                door.flush()
                for case in door.after.values():
                    self.folds.keep(case)  # others may write in the same commit: they go on from here
        except (DBAPIError, Unreachable):
            self.folds.forget_all()
            raise
        self.committed(door)

    def committed(self, door: Transaction) -> None:
        """What follows once a transaction is durable."""
        if self.node.files is not None:
            self.node.files.remove(door.gone)
        if door.after:
            self.node.wake()


class Transaction:
    """What one transaction does to cases. `after` are the cases as they will be once it commits."""

    def __init__(self, service: Service, connection: Connection) -> None:
        self.service, self.node, self.connection = service, service.node, connection
        self.now = service.node.clock.now()
        self.after: dict[str, Case] = {}
        self.gone: list[str] = []  # documents whose files go once this has committed
        self._before: dict[str, Case] = {}
        self._talks: dict[tuple[str, str], talk.Conversation] = {}
        self._moved: set[tuple[str, str]] = set()

    def case_of(self, key: str) -> str:
        """The case with that key, opened when there is none. Raises Malformed for a key no index takes."""
        if len(key) > KEY_MAX:
            raise Malformed(f"loss, who stated it, and UETR have {KEY_MAX} characters together, not {len(key)}")
        found = cases.find(self.connection, key)
        if found is None:
            found = self.node.clock.new_id()
            cases.open_case(self.connection, found, key, self.now)
        return found

    def case_of_request(self, request: str) -> str:
        """Raises NotFound."""
        return self.service.folds.of_request(self.connection, request).id

    def conversation(self, peer: str, request: str) -> talk.Conversation | None:
        """Its locked row, its case locked with it."""
        if (peer, request) not in self._talks:
            locked = talk.lock_with_case(self.connection, peer, request)
            if locked is None:
                return None
            found, version = locked
            self._talks[peer, request] = found
            if found.case_id not in self._before:
                self._before[found.case_id] = self.service.folds.at(self.connection, found.case_id, version)
        return self._talks[peer, request]

    def talking(self, peer: str, request: str) -> talk.Conversation | None:
        """A conversation as this transaction leaves it; locked when it is first asked for."""
        if (peer, request) not in self._talks:
            found = talk.lock(self.connection, peer, request)
            if found is None:
                return None
            self._talks[peer, request] = found
        return self._talks[peer, request]

    def begin_talk(self, peer: str, request: str, case_id: str) -> talk.Conversation:
        self._talks[peer, request] = talk.begin(self.connection, peer, request, case_id)
        return self._talks[peer, request]

    def note_talk(self, changed: talk.Conversation) -> None:
        """Numbers move several times in one transaction; what is written is where they end."""
        self._talks[changed.peer, changed.request] = changed
        self._moved.add((changed.peer, changed.request))

    def flush(self) -> None:
        for key in sorted(self._moved):
            talk.note(self.connection, self._talks[key])
        self._moved.clear()

    def said_before(self, id: str, mark: str) -> tuple[str, list[Event]] | None:
        """What followed when the same was said the first time. Raises Conflict for other words under that id."""
        before = cases.given_before(self.connection, id)
        if before is None:
            return None
        if before.mark != mark:
            raise Conflict(f"{id} was said before, with other content: give what is new an id of its own",
                           code="equivocation")
        return before.case_id, cases.log_of(self.connection, before.case_id, before.first, before.last)

    @contextmanager
    def undone_if_refused(self) -> Iterator[None]:
        """A savepoint: what a refused act had begun to write is not there afterwards."""
        before, talks, moved = dict(self.after), dict(self._talks), set(self._moved)
        with self.connection.begin_nested() as savepoint:
            try:
                yield
            except ArrpError:
                savepoint.rollback()
                self.after, self._talks, self._moved = before, talks, moved
                raise

    def check_documents(self, body: object) -> None:
        """R-58: who names a document has it; nobody signs over a file that nobody can show. Raises Refused."""
        for document in documents_of(body) if self.node.files is not None else ():
            if not documents.is_here(self.connection, document.digest):
                raise Refused(f"document {document.digest[:12]} is not on this node: arrp document add FILE "
                              "--case CASE, then say this again", rule="R-58", code="no-document")

    def tally(self, peer: str, key: str, body: Asked, officers: tuple[str, ...], came: datetime | None = None) -> Tally:
        """What policy wants to know of a requester: how much it asked before, and whom of it we never spoke to.
        `came`: as a request of that instant, counted in it, found it; else a clock that was set back hides nothing."""
        counted = asking.tally(self.connection, peer, key, body, (came or self.now, came))
        if not self.node.rules.policy.call_back_first:
            return counted
        return replace(counted, strangers=asking.strangers(self.connection, peer, body, officers))

    def load(self, case_id: str) -> Case:
        if case_id not in self.after:
            if case_id not in self._before:
                self._before[case_id] = self.service.folds.lock(self.connection, case_id)
            return self._before[case_id]
        return self.after[case_id]

    def commit(self, case_id: str, given: Given) -> list[Event]:
        """`step`, and everything that follows from its events, in this transaction."""
        case = self.load(case_id)
        rules = spent.counted(self.connection, self.node.rules, given, case_id)
        step = taken(case, given, self.now, self.service.experience.order(rules, case, given, self.now))
        return self.write(case, step.events, step.case)

    def commit_given(self, case_id: str, given: Command | Approve, mark: str) -> tuple[str, list[Event]]:
        """`commit`, remembered by the id its maker gave it."""
        first = self.load(case_id).version + 1
        events = self.commit(case_id, given)
        said = cases.GivenBefore(given.id, case_id, mark, first, first + len(events) - 1)
        cases.note_given(self.connection, said)
        return case_id, events

    def write(self, case: Case, said: Sequence[Event], after: Case | None = None) -> list[Event]:
        """`after` is the case with what is said, if somebody folded it; what leaves is folded with its hash."""
        told = as_told(case, said, self.node.rules)
        spoken = [self._spoken(case.id, event, told.get(event.act, event.body)) for event in said]
        is_as_said = all(one is other for one, other in zip(spoken, said, strict=True))
        return self._append(case, spoken, after if is_as_said else None)

    def record(self, case_id: str, events: Sequence[Event]) -> list[Event]:
        """Write down what was said before, by us too: nothing of it is said again (R-29)."""
        return self._append(self.load(case_id), list(events))

    def _append(self, case: Case, events: list[Event], after: Case | None = None) -> list[Event]:
        after = reduce(apply, events, case) if after is None else after
        if events:
            salts = [self.node.clock.salt() for _ in events]
            cases.append(self.connection, after, events, salts, self.node.rules.digest)
        for event in events:
            self._derive(after, event)
        due = next_due(after, self.node.rules)
        if due is not None and due <= self.now:
            due = self.now + timedelta(seconds=1)  # a tick that changed nothing must not spin
        cases.note_state(self.connection, after, due)
        self.after[after.id] = self._erased(after) if any(event.kind == "CaseErased" for event in events) else after
        return events

    def _erased(self, case: Case) -> Case:
        """R-60: the private halves go, of the case and of those in which its requests once waited."""
        erased = erasing.erase(self.connection, case.id, case.requests)
        self.gone += erased.documents
        for id in erased.cases:
            self.service.folds.forget(id)
        if self.node.files is not None:
            self.node.files.note_erased(erased.cases)
        return self.service.folds.at(self.connection, case.id, case.version)

    # --- what follows from an event --------------------------------------------------------------------

    def _derive(self, case: Case, event: Event) -> None:
        if event.kind == "Intended":
            peer = case.request(event.body.request).peer
            work.intend(self.connection, work.Effect(event.body.ref, case.id), peer, event.body.verb, self.now)
        elif event.kind == "CoreAnswered":
            work.answered(self.connection, event.body.ref, self.now)
        elif event.kind == "SentByHand":
            act = talk.own_act(self.connection, self.node.me, event.body.act)
            posting.sent(self.connection, act.act_hash if act is not None else "")
        elif event.kind == "CallBackMade":
            peer = case.request(event.request or "").peer
            if event.body.confirmed:
                asking.note_called_back(self.connection, peer, event.body.officer, self.now)
            else:
                asking.forget_called_back(self.connection, peer, event.body.officer)
        elif event.kind == "Request" and event.by == self.node.me:
            spent.note(self.connection, event, case.id)
        elif event.kind == "CaseJoined":
            request, key = case.request(event.request or ""), self.service.account_key(event.body.to)
            work.ask_join(self.connection, work.Join(request.id, case.id, key), request.peer, self.now)

    def _spoken(self, case_id: str, event: Event, body: Any) -> Event:
        """Freeze drafts; give what we say to a peer its bytes, number and head (R-20, R-26)."""
        if event.kind == "Drafted":
            self._keep(case_id, event.body, event.body.body)
        elif event.kind == "ActApproved":
            talk.approved(self.connection, event.body.act_hash, event.body.approval)
        if event.by != self.node.me or event.to in ("", self.node.me) or KINDS[event.kind].writer == "local":
            return event
        kept = talk.own_act(self.connection, self.node.me, event.act)
        if kept is None:
            kept = self._keep(case_id, event, body)
        self._queue(case_id, event, kept)
        return replace(event, act_hash=kept.act_hash)

    def _keep(self, case_id: str, said: Event | Draft, body: Any) -> talk.KeptAct:
        act = Act(said.act, said.request, said.to, said.kind, Handling.H1, Uses(), body, said.not_after)
        data, salt = act_bytes(act), self.node.clock.salt()
        kept = talk.KeptAct(act_hash(salt, data), act.act, self.node.me, act.kind, case_id, data, salt, ())
        talk.keep_act(self.connection, kept)
        return kept

    def _queue(self, case_id: str, event: Event, kept: talk.KeptAct) -> None:
        request = event.request or ""
        documents.name_to(self.connection, (one.digest for one in documents_of(event.body)), event.to, request)
        spoken = self.talking(event.to, request) or self.begin_talk(event.to, request, case_id)
        spoken = replace(spoken, sent=spoken.sent + 1)
        urgency = Urgency.ROUTINE if event.kind in ROUTINE else Urgency.URGENT
        head = Head(
            v=VERSION, id=self.node.clock.new_id(), sender=self.node.me, epoch=self.service.recovering.epoch,
            to=event.to, request=request, number=spoken.sent, seen=spoken.seen, answers=None, urgency=urgency,
            sent_at=self.now, apply_by=(second_by(event) or event.not_after) if KINDS[event.kind].command else None,
            act_hash=kept.act_hash, approvals=kept.approvals,
            mandate=event.body.mandate_act if event.kind == "Request" else None,
        )
        attached = (event.body.mandate_act, event.body.loss_act) if event.kind == "Request" else ()
        self.note_talk(spoken)
        talk.put(
            self.connection,
            talk.Unreceipted(0, event.to, request, spoken.sent, kept.act_hash, event.kind, urgency, dumps(head),
                             tuple(hash_ for hash_ in attached if hash_), 0),
            self.now,
        )
        if self.node.rules.participant(event.to).channel == "paper":
            posting.hold_back(self.connection, kept.act_hash)


def _take_up(connection: Connection, node: Node) -> None:
    """What the store must know of the directory and the mandates that now count."""
    if node.directory.opened is not None:
        directories.take_up(connection, node.directory.opened, node.clock.now())
    for standing in node.standing:
        talk.keep_act(connection, kept_act(standing))
    posting.follow_channels(connection, [who.id for who in node.rules.participants.values() if who.channel == "paper"])
    for peer in node.directory.participants.values():
        if peer.id != node.me and peer.channel == "node":
            work.know_peer(connection, peer.id)


def _account_secret(connection: Connection, node: Node) -> bytes:
    kept = work.remembered(connection, "account secret")
    if kept is None:
        kept = (node.clock.salt() + node.clock.salt()).hex()
        work.remember(connection, "account secret", kept)
    return bytes.fromhex(kept)


def expired(apply_by: datetime | None, now: datetime) -> bool:
    return apply_by is not None and now >= apply_by
