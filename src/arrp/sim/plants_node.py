"""Bugs in the node: what is kept, in which commit, what is believed, and when it is said again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from sqlalchemy import update

from arrp.connectors import CoreUnclear
from arrp.core import policy
from arrp.core.answers import AccountStatus, Cannot, Why
from arrp.core.errors import ArrpError
from arrp.core.events import KINDS, Verb
from arrp.core.messages import Checkpoint, Outcome
from arrp.core.request import Ask
from arrp.core.step import digest
from arrp.node import delivery, hearing, service, worker
from arrp.node.clock import Clock
from arrp.node.delivery import Delivery
from arrp.node.exchange import receipt_for
from arrp.node.hearing import Hearing
from arrp.node.service import Service, Transaction
from arrp.node.store import audit, cases, talk
from arrp.node.store.tables import cases as case_rows
from arrp.node.store.tables import outbox
from arrp.node.worker import Worker
from arrp.sim.planting import Bugs, Patch
from arrp.wire import envelope

BUGS = Bugs()


# --- what comes again, and in which order ------------------------------------------------------------------


@BUGS.bug("no dedupe", "what came before is applied once more", "I3 I7", "duplicates")
def _no_dedupe(patch: Patch) -> None:
    patch.wrap(Hearing, "_take", lambda before, ear, incoming: _taken_again(before, ear, incoming, timedelta(0)))


@BUGS.bug("dedupe pruned too early", "what came half an hour ago is forgotten, and applied once more", "I3 I7",
          "delay duplicates")
def _pruned(patch: Patch) -> None:
    patch.wrap(Hearing, "_take", lambda before, ear, incoming: _taken_again(before, ear, incoming,
                                                                           timedelta(minutes=30)))


def _taken_again(before: Any, ear: Hearing, incoming: Any, memory: timedelta) -> str:
    """Neither its id nor its number is known any more."""
    head = incoming.head
    with ear.service.transaction() as door:
        known = talk.arrived(door.connection, head.sender, head.id)
        conversation = door.conversation(head.sender, head.request or "")
        old = known is not None and known.outcome == Outcome.APPLIED and door.now - known.received_at >= memory
        if old and conversation is not None and incoming.heard is not None:
            try:
                with door.undone_if_refused():
                    ear._do(door, conversation, incoming.heard)
            except ArrpError:
                pass  # it does not fit any more
            assert known is not None
            return ear._receipt(door, known)
    return str(before(ear, incoming))


@BUGS.bug("no sequence numbers", "what arrives is applied in the order in which it arrives", "I7 I3", "loss delay")
def _no_numbers(patch: Patch) -> None:
    _at_once(patch)

    def fresh(before: Any, ear: Hearing, door: Transaction, conversation: Any, incoming: Any) -> Any:
        head = incoming.head
        row = talk.Arrived(head.sender, head.id, head.request or "", head.number, head.act_hash, hearing._digest(head),
                           Outcome.WAITING, None, None, door.now, incoming.data, ear._signed(incoming))
        seen = replace(conversation, seen=max(conversation.seen, head.number), heard=max(conversation.heard,
                                                                                        head.number))
        door.note_talk(seen)
        row = ear._apply_alone(door, seen, row, incoming)
        talk.take(door.connection, row)
        return row

    patch.wrap(Hearing, "_fresh", fresh)


def _at_once(patch: Patch) -> None:
    """And nothing waits for the receipt of what was said before it."""
    patch.put(talk, "JUMPING", tuple(KINDS))
    talk._next.cache_clear()
    patch.callback(talk._next.cache_clear)
    patch.callback(setattr, talk, "JUMPING", talk.JUMPING)


@BUGS.bug("gap not waited for", "a number that is too high is taken for the next one", "I7 I3 I20", "loss delay")
def _gap(patch: Patch) -> None:
    _at_once(patch)

    def fresh(before: Any, ear: Hearing, door: Transaction, conversation: Any, incoming: Any) -> Any:
        if incoming.head.number > conversation.seen:
            conversation = replace(conversation, seen=incoming.head.number - 1)
        return before(ear, door, conversation, incoming)

    patch.wrap(Hearing, "_fresh", fresh)


@BUGS.bug("expired command applied", "nobody looks until when a wish may be applied", "I13", "partitions one_way")
def _expired(patch: Patch) -> None:
    patch.put(hearing, "expired", lambda apply_by, now: False)


# --- what is said to others --------------------------------------------------------------------------------


@BUGS.bug("acknowledged before it is kept", "a parcel gets its receipt at once and is worked on a moment later", "I5",
          "crashes")
def _early_receipt(patch: Patch) -> None:
    def parcel(before: Any, ear: Hearing, data: bytes) -> str:
        incoming = ear._unpacked(data, ear.node.clock.now())
        head = incoming.head
        ear._check_keys(incoming, ear.node.clock.now())
        ear.__dict__.setdefault("later", []).append(data)
        ear.node.wake()
        row = talk.Arrived(head.sender, head.id, head.request or "", head.number, head.act_hash, b"", Outcome.WAITING,
                           None, None, ear.node.clock.now(), None, None)
        return receipt_for(ear.service, row, head.number)

    def once(before: Any, loop: Worker) -> Any:
        ear = loop.delivery.hearing
        for data in ear.__dict__.pop("later", []):
            try:
                take(ear, data)
            except ArrpError:
                continue
        return before(loop)

    take = Hearing.parcel
    patch.wrap(Hearing, "parcel", parcel)
    patch.wrap(Worker, "once", once)


@BUGS.bug("marked sent before sending", "an act counts as sent when its sending begins", "I7", "loss")
def _marked_sent(patch: Patch) -> None:
    def send(before: Any, mouth: Delivery, row: Any) -> bool:
        with mouth.node.store.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(state="sent"))
        return bool(before(mouth, row))

    patch.wrap(Delivery, "send", send)


@BUGS.bug("silent give-up", "after some tries in vain an act is dropped, and nobody is told", "I7", "loss partitions")
def _give_up(patch: Patch) -> None:
    def later(before: Any, mouth: Delivery, row: Any) -> None:
        before(mouth, row)
        if row.tries >= 3:
            with mouth.node.store.writing() as connection:
                connection.execute(update(outbox).where(outbox.c.id == row.id).values(state="dead"))

    patch.wrap(Delivery, "_later", later)


@BUGS.bug("outbox in another transaction", "what is said is queued by the worker, after the commit that says it", "I7",
          "crashes")
def _outbox_apart(patch: Patch) -> None:
    said: list[Any] = []  # in the transaction that is open now
    queue = talk.put

    def transaction(before: Any, door: Service) -> Any:
        said.clear()  # of one that came to nothing
        return before(door)

    def committed(before: Any, door: Service, done: Transaction) -> None:
        door.__dict__.setdefault("later", []).extend(said)
        said.clear()
        before(door, done)

    def once(before: Any, loop: Worker) -> Any:
        found, rows = before(loop), loop.service.__dict__.pop("later", [])
        if rows:
            with loop.node.store.writing() as connection:
                for row in rows:
                    queue(connection, *row)
            loop.node.wake()
        return found

    patch.put(talk, "put", lambda connection, row, due_at: said.append((row, due_at)))
    patch.wrap(Service, "transaction", transaction)
    patch.wrap(Service, "committed", committed)
    patch.wrap(Worker, "once", once)


# --- whom one believes -------------------------------------------------------------------------------------


@BUGS.bug("no signature check", "a head is believed to be from whom it says", "I2 I5", "adversary")
def _no_signature(patch: Patch) -> None:
    patch.put(envelope, "_check_signature", lambda parts, key: None)


@BUGS.bug("receipt not verified", "a receipt counts whoever signed it", "I5", "adversary")
def _receipt_unsigned(patch: Patch) -> None:
    def verify(cls: Any, jws: Any, key_of: Any) -> Any:
        before = envelope._check_signature
        envelope._check_signature = lambda parts, key: None
        try:
            return envelope.verify(cls, jws, key_of)
        finally:
            envelope._check_signature = before

    patch.put(hearing, "verify", verify)


@BUGS.bug("approval reused", "a signature of an officer counts for any act of theirs", "I12", "careless")
def _reused(patch: Patch) -> None:
    for room in (service, envelope):
        patch.put(room, "check_approval", lambda approval, act_hash, public_key: None)


@BUGS.bug("revoked key accepted", "a key counts as long as the directory names it", "I2", "newer_directory")
def _revoked(patch: Patch) -> None:
    patch.put(policy.Key, "fault", lambda key, arrived_at, signed_at=None: None)
    patch.put(policy.Key, "is_usable", lambda key, at: key.since <= at)


@BUGS.bug("suspended peer obeyed", "nobody looks whether a peer is suspended", "I18", "newer_directory")
def _suspended(patch: Patch) -> None:
    def check(before: Any, ear: Hearing, door: Transaction, heard: Any) -> None:
        rules = ear.node.rules
        everybody = {id: replace(who, suspended=False) for id, who in rules.participants.items()}
        blind = SimpleNamespace(node=SimpleNamespace(rules=replace(rules, participants=everybody)))
        before(blind, door, heard)

    patch.wrap(Hearing, "_check", check)


# --- the core ----------------------------------------------------------------------------------------------


@BUGS.bug("core asked without an intent", "to save a moment the money is held while its account is still looked up",
          "I14")
def _no_intent(patch: Patch) -> None:
    def join(before: Any, hands: Delivery, waiting: Any) -> None:
        with hands.node.store.reading() as connection:
            request = hands.service.folds.read(connection, waiting.case_id).request(waiting.request)
        if hands.core is not None and request.body.ask is Ask.HOLD and request.is_open:
            found = hands.core.find(delivery.question(request))
            amount = min(request.body.asked.minor, found.free or 0)
            if found.status is AccountStatus.OPEN and amount > 0:
                hands.core.hold(digest(request.id, "hold"), found.account_ref, amount,
                                hands.node.clock.now() + timedelta(hours=1))
        before(hands, waiting)

    patch.wrap(Delivery, "join", join)


@BUGS.bug("asked again under another name", "each new try to hold has a new reference", "I9 I14", "core_down")
def _another_name(patch: Patch) -> None:
    def ask_core(before: Any, hands: Delivery, effect: Any) -> None:
        hands.__dict__["tries"] = effect.tries
        before(hands, effect)

    def asked(before: Any, hands: Delivery, case: Any, intent: Any) -> Any:
        tries = hands.__dict__.get("tries", 0)
        if intent.verb is Verb.HOLD and tries:
            intent = replace(intent, block=digest(intent.block, str(tries)))
        return before(hands, case, intent)

    patch.wrap(Delivery, "ask_core", ask_core)
    patch.wrap(Delivery, "_asked", asked)


@BUGS.bug("no answer is a no", "a core that does not answer in time is taken to have refused", "I9", "core_down")
def _unclear_is_no(patch: Patch) -> None:
    def asked(before: Any, hands: Delivery, case: Any, intent: Any) -> Any:
        try:
            return before(hands, case, intent)
        except CoreUnclear:
            return Cannot(Why.REFUSED) if intent.verb is Verb.HOLD else before(hands, case, intent)

    patch.wrap(Delivery, "_asked", asked)


# --- time, and the tree ------------------------------------------------------------------------------------


@BUGS.bug("wall-clock deadlines", "a clock that somebody set is believed at once", "I6", "clock_steps")
def _wall_clock(patch: Patch) -> None:
    patch.put(Clock, "now", lambda clock: clock.wall())


@BUGS.bug("timers in memory", "who is started again does not know what was to happen when", "I1 I6 I5", "crashes")
def _timers_in_memory(patch: Patch) -> None:
    def started(before: Any, door: Service, node: Any) -> None:
        with node.store.writing() as connection:
            connection.execute(update(case_rows).values(due_at=None))
        before(door, node)

    patch.wrap(Service, "__init__", started)


@BUGS.bug("leaf hash missing", "the leaf of an event is of its public half alone", "I8")
def _leaf(patch: Patch) -> None:
    patch.put(cases, "leaf_hash_erased", lambda lasting, digest: sha256(b"\0" + lasting).digest())


@BUGS.bug("checkpoint of another tree", "what is signed is the tree as it was before the newest rows", "I8")
def _checkpoint(patch: Patch) -> None:
    def place(before: Any, loop: Worker, connection: Any) -> str | None:
        earlier = audit.current(connection)
        frontier = audit.sequence(connection, worker.SEQUENCE_BATCH)
        if frontier is None:
            return None
        shown = Checkpoint(loop.node.me, frontier.size, earlier.root().hex(), loop.node.clock.now())
        jws = envelope.sign(shown, loop.node.keys.signing, loop.node.keys.signing_id)
        audit.keep(connection, shown.size, shown.root, shown.at, jws)
        return jws

    patch.wrap(Worker, "_place", place)


