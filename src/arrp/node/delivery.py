"""What must happen outside: acts to peers, questions to the core. At least once, made exactly-once there.

Nothing here holds a lock while it waits. A send that fails is due again after a pause that grows; a
core that did not answer is asked again with the same ref, so that it can say it was done.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Protocol

from arrp.connectors import Connector, CoreDown, CoreUnclear, NotYet
from arrp.core.answers import Cannot, ClaimedCredit, Held, HoldState, PayOut, Question, Stopped, Why
from arrp.core.case import Case
from arrp.core.errors import ArrpError, Malformed, NotFound, Unreachable
from arrp.core.events import Intent, Verb
from arrp.core.messages import Head, Urgency
from arrp.core.request import Request
from arrp.core.step import Answer, CoreAnswer
from arrp.node.calling import Getting
from arrp.node.hearing import Hearing
from arrp.node.keys import NodeKeys
from arrp.node.service import Node, Service
from arrp.node.store import recovering, talk, work
from arrp.node.store.engine import retrying
from arrp.trace.account import follow_account
from arrp.wire.approvals import b64
from arrp.wire.codec import loads, parse_json
from arrp.wire.envelope import Attached, Routing, content, seal, sign

log = logging.getLogger("arrp.delivery")

LEASE = timedelta(seconds=30)  # a send or a question that takes longer is taken for dead
WAIT_SECONDS_MAX = {Urgency.URGENT: 30, Urgency.ROUTINE: 600}
PROBLEMS_MAX = 12  # about five minutes for an urgent act: a directory may be on its way
_LATER = (408, 425, 429)  # the peer says: not now
KEEP_FOR = timedelta(days=7)  # a relay need not carry a parcel longer


class Transport(Getting, Protocol):
    """How bytes reach a peer. Raises Unreachable when nothing answers."""

    def post(self, url: str, body: bytes) -> tuple[int, bytes]: ...


class Delivery:
    """The mouth and the hands of one node."""

    def __init__(self, service: Service, hearing: Hearing, transport: Transport, core: Connector | None) -> None:
        self.service, self.hearing, self.transport, self.core = service, hearing, transport, core

    @property
    def node(self) -> Node:
        """As it is now: a newer directory may have taken effect since it was last asked for."""
        return self.service.node

    # --- peers -----------------------------------------------------------------------------------------

    def send(self, row: talk.Unreceipted) -> bool:
        """One act to its peer; its receipt ends the resending. Whether there was one."""
        try:
            peer, keys = self.node.rules.participant(row.peer), self.node.keys
            status, answer = self.transport.post(f"{peer.address}/parcels", self._parcel(row, keys))
            if 400 <= status < 500 and status not in _LATER:
                return self._problem(row, status, answer)
            if status != 200:
                raise Unreachable(f"{row.peer} answers {status}")
            jws = answer.decode(errors="replace")
            retrying(lambda: self.hearing.receipt(row.peer, jws, keys.signing_id))
        except ArrpError as error:
            log.warning("act %s number %d to %s: %s", row.act_hash[:12], row.number, row.peer, error)
            self._later(row)
            return False
        return True

    def _problem(self, row: talk.Unreceipted, status: int, answer: bytes) -> bool:
        """Not a receipt but a problem: it takes no number, and may be right after the next directory. A number
        that is taken is taken by us, in a life we forgot (R-29). What stays a problem goes once more without what was
        attached, and is then an operator's (R-26)."""
        code = title_of(answer)
        log.warning("act %s number %d to %s: problem %d %s", row.act_hash[:12], row.number, row.peer, status, code)
        with self.node.store.writing() as connection:
            if code == "equivocation" and recovering.doubt(connection, row.peer, self.node.clock.now()):
                self.service.look_back()
            is_dead = talk.refused(connection, row.id, PROBLEMS_MAX + bool(row.attached))
        if is_dead:
            retrying(lambda: self.hearing.undeliverable(row, code))
        self._later(row)
        return False

    def _later(self, row: talk.Unreceipted) -> None:
        seconds = min(2**min(row.tries, 10), WAIT_SECONDS_MAX[Urgency(row.urgency)])
        with self.node.store.writing() as connection:
            talk.retry(connection, row.id, self.node.clock.now() + timedelta(seconds=seconds))

    def _parcel(self, row: talk.Unreceipted, keys: NodeKeys) -> bytes:
        with self.node.store.reading() as connection:
            kept = talk.act(connection, row.act_hash)
            others = [talk.act(connection, hash_) for hash_ in row.attached] if row.problems < PROBLEMS_MAX else []
        if kept is None or not kept.data or None in others:
            raise NotFound(f"the bytes of act {row.act_hash[:12]} were erased before it was receipted")
        attached = tuple(
            Attached(other.by, b64(other.data), b64(other.salt), other.approvals, None)
            for other in others if other is not None
        )
        jws, now = sign(loads(Head, row.head), keys.signing, keys.signing_id), self.node.clock.now()
        routing = Routing(row.peer, Urgency(row.urgency), now + KEEP_FOR)
        reader = self.node.directory.sealing_of(row.peer, now)
        return seal(content(jws, kept.salt, kept.data, attached), routing, reader)

    def compare(self, peer: str) -> None:
        """R-28: tell a peer how we see our conversations, hear how it does. One on paper has nothing to compare."""
        if self.node.rules.participant(peer).channel == "paper":
            return
        try:
            address, after = self.node.rules.participant(peer).address, ""
            while True:
                asked = self.hearing.exchange.ask(peer, after)
                status, answer = self.transport.post(f"{address}/state", asked.encode())
                if status != 200:
                    raise Unreachable(f"{peer} answers {status} to a state exchange")
                after = self.hearing.exchange.heard(peer, answer, after)
                if not after:
                    return
        except ArrpError as error:
            log.info("state exchange with %s: %s", peer, error)

    # --- the core ----------------------------------------------------------------------------------------

    def ask_core(self, effect: work.Effect) -> None:
        """One intent to the core. No answer: the same question again later, by the same ref (I14)."""
        with self.node.store.reading() as connection:
            case = self.service.folds.read(connection, effect.case_id)
        intent = case.intents.get(effect.ref)
        if intent is None:
            return
        try:
            answer = self._asked(case, intent)
        except NotYet as error:  # a clerk has to do it, and is called by the task
            if error.overdue and f"task {intent.ref}" not in case.escalated:
                retrying(lambda: self.service.late(effect.case_id, effect.ref))
            self._ask_later(effect)
            return
        except (CoreDown, CoreUnclear) as error:
            log.warning("core, %s %s: %s", intent.verb, intent.ref[:12], error)
            self._ask_later(effect)
            return
        except ArrpError as error:  # it may have been done all the same: only a Cannot is a no
            log.error("core, %s %s: %s", intent.verb, intent.ref[:12], error)
            self._ask_later(effect)
            return
        given = CoreAnswer(effect.ref, answer, follow_account)
        retrying(lambda: self.service.answer(effect.case_id, given))

    def _ask_later(self, effect: work.Effect) -> None:
        wait = timedelta(seconds=min(2**min(effect.tries, 10), 60))
        with self.node.store.writing() as connection:
            work.retry_effect(connection, effect.ref, self.node.clock.now() + wait)

    def _asked(self, case: Case, intent: Intent) -> Answer:
        if self.core is None:
            raise CoreDown(f"{self.node.me} has no core connected: set [core] in node.toml")
        request = case.request(intent.request)
        if intent.verb is Verb.FIND:
            return self.core.find(question(request))
        if intent.verb in (Verb.HOLD, Verb.STOP) and self.service.recovering.epoch > 1:
            known = self._before(intent)
            if known is not None:
                return known
        if intent.verb is Verb.HOLD:
            return self.core.hold(intent.block, intent.account_ref, intent.amount, _until(intent))
        if intent.verb is Verb.RELEASE:
            return self.core.release(intent.block, intent.amount)
        if intent.verb is Verb.EXTEND:
            return self.core.extend(intent.block, _until(intent))
        if intent.verb is Verb.STOP:
            return self.core.stop(intent.block, request.body.credit.uetr, intent.amount)
        payout = PayOut(intent.ref, intent.amount, intent.why, intent.payee, intent.payee_name)
        return self.core.give_back(intent.block, payout)

    def _before(self, intent: Intent) -> Held | Stopped | Cannot | None:
        """I4, R-29: a node that lost its memory asks first what became of a hold; what ended stays ended."""
        assert self.core is not None
        status = self.core.status(intent.block)
        stated, now = (status.reference, status.amount, status.sequence), self.node.clock.now()
        if status.state is HoldState.HELD:
            return Stopped(*stated, now) if intent.verb is Verb.STOP else Held(*stated, now, status.until)
        return None if status.state in (HoldState.UNKNOWN, HoldState.REFUSED) else Cannot(Why.TOO_LATE)

    def join(self, waiting: work.Join) -> None:
        """Ask the core once more, now for the account's own case, and move the request there (R-03)."""
        with self.node.store.reading() as connection:
            case = self.service.folds.read(connection, waiting.case_id)
        try:
            if self.core is None:
                raise CoreDown("no core connected")
            request = case.request(waiting.request)
            found = self.core.find(question(request))
            in_force = self.core.holds() if request.hold is not None else ()
        except (CoreDown, CoreUnclear) as error:
            log.warning("core, find for %s: %s", waiting.request[:12], error)
            return  # the lease ends and it is due again
        answer = CoreAnswer(f"join {waiting.request}", found, follow_account)
        retrying(lambda: self.service.join(waiting, answer, in_force))


def title_of(answer: bytes) -> str:
    """The code of a problem document, and nothing of what it says: that may name people."""
    try:
        tree = parse_json(answer)
    except Malformed:
        return "unreadable"
    title = tree.get("title") if isinstance(tree, dict) else None
    return title[:40] if isinstance(title, str) and title.isascii() and title.isprintable() else "unnamed"


def _until(intent: Intent) -> datetime:
    assert intent.until is not None, "a hold without an end is never intended"
    return intent.until


def question(request: Request) -> Question:
    """What the core is asked about a request: the account, and the credit it is said to have had."""
    credit = request.body.credit
    claimed = ClaimedCredit(credit.references, credit.amount.minor, credit.booked_from, credit.booked_to)
    return Question(request.body.asked.asset, (claimed,), request.body.account, credit.name)
