"""What must happen outside: acts to peers, questions to the core. At least once, made exactly-once there.

Nothing here holds a lock while it waits. A send that fails is due again after a pause that grows; a
core that did not answer is asked again with the same ref, so that it can say it was done.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Protocol

import httpx2

from arrp.connectors import Connector, CoreDown, CoreUnclear
from arrp.core.answers import ClaimedCredit, PayOut, Question
from arrp.core.case import Case
from arrp.core.errors import ArrpError, NotFound, Unreachable
from arrp.core.events import Intent, Verb
from arrp.core.messages import Head, Urgency
from arrp.core.request import Request
from arrp.core.step import Answer, CoreAnswer
from arrp.node.clock import Clock
from arrp.node.hearing import Hearing
from arrp.node.service import Service, retrying
from arrp.node.store import talk, work
from arrp.trace.follow import follow
from arrp.wire.codec import loads
from arrp.wire.envelope import Attached, Routing, b64, content, seal, sign
from arrp.wire.json_text import BYTES_MAX

log = logging.getLogger("arrp.delivery")

LEASE = timedelta(seconds=30)  # a send or a question that takes longer is taken for dead
WAIT_SECONDS_MAX = {Urgency.URGENT: 30, Urgency.ROUTINE: 600}
ANSWER_SECONDS = 20  # less than a lease: nobody else has begun to send the same meanwhile
KEEP_FOR = timedelta(days=7)  # a relay need not carry a parcel longer


class Transport(Protocol):
    """How bytes reach a peer. Raises Unreachable when nothing answers."""

    def post(self, url: str, body: bytes) -> tuple[int, bytes]: ...


class HttpTransport:
    """HTTP to the addresses of the directory: no redirects, nothing read beyond what an answer may be,
    and no longer than a lease lasts, however slowly it comes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._client = httpx2.Client(timeout=10, follow_redirects=False, trust_env=False)

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        try:
            with self._client.stream("POST", url, content=body, headers={"content-type": "application/arrp"}) as answer:
                return answer.status_code, self._read(url, answer)
        except httpx2.HTTPError as error:
            raise Unreachable(f"{url} does not answer: {error}") from error

    def _read(self, url: str, answer: httpx2.Response) -> bytes:
        data, end = bytearray(), self._clock.seconds() + ANSWER_SECONDS
        for chunk in answer.iter_bytes():
            data += chunk
            if len(data) > BYTES_MAX or self._clock.seconds() > end:
                raise Unreachable(f"{url} answers more than {BYTES_MAX} bytes, or for more than {ANSWER_SECONDS} s")
        return bytes(data)

    def close(self) -> None:
        self._client.close()


class Delivery:
    """The mouth and the hands of one node."""

    def __init__(self, service: Service, hearing: Hearing, transport: Transport, core: Connector | None) -> None:
        self.service, self.hearing, self.transport, self.core = service, hearing, transport, core
        self.node = service.node

    # --- peers -----------------------------------------------------------------------------------------

    def send(self, row: talk.Unreceipted) -> bool:
        """One act to its peer; its receipt ends the resending. Whether there was one."""
        try:
            peer = self.node.rules.participant(row.peer)
            status, answer = self.transport.post(f"{peer.address}/parcels", self._parcel(row))
            if status != 200:
                raise Unreachable(f"{row.peer} answers {status}: {answer[:300].decode(errors='replace')}")
            retrying(lambda: self.hearing.receipt(row.peer, answer.decode(errors="replace")))
        except ArrpError as error:
            log.warning("act %s number %d to %s: %s", row.act_hash[:12], row.number, row.peer, error)
            self._later(row)
            return False
        return True

    def _later(self, row: talk.Unreceipted) -> None:
        seconds = min(2**min(row.tries, 10), WAIT_SECONDS_MAX[Urgency(row.urgency)])
        with self.node.store.writing() as connection:
            talk.retry(connection, row.id, self.node.clock.now() + timedelta(seconds=seconds))

    def _parcel(self, row: talk.Unreceipted) -> bytes:
        with self.node.store.reading() as connection:
            kept = talk.act(connection, row.act_hash)
            others = [talk.act(connection, hash_) for hash_ in row.attached]
        if kept is None or not kept.data or None in others:
            raise NotFound(f"the bytes of act {row.act_hash[:12]} were erased before it was receipted")
        attached = tuple(
            Attached(other.by, b64(other.data), b64(other.salt), other.approvals, None)
            for other in others if other is not None
        )
        jws = sign(loads(Head, row.head), self.node.keys.signing, self.node.keys.signing_id)
        routing = Routing(row.peer, Urgency(row.urgency), self.node.clock.now() + KEEP_FOR)
        return seal(content(jws, kept.salt, kept.data, attached), routing, self.node.directory.sealing_of(row.peer))

    def compare(self, peer: str) -> None:
        """R-28: tell a peer how we see our conversations, hear how it does."""
        try:
            address = self.node.rules.participant(peer).address
            status, answer = self.transport.post(f"{address}/state", self.hearing.state(peer).encode())
            if status != 200:
                raise Unreachable(f"{peer} answers {status} to a state exchange")
            self.hearing.compare(answer.decode(errors="replace"))
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
        except (CoreDown, CoreUnclear) as error:
            log.warning("core, %s %s: %s", intent.verb, intent.ref[:12], error)
            self._ask_later(effect)
            return
        except ArrpError as error:  # it may have been done all the same: only a Cannot is a no
            log.error("core, %s %s: %s", intent.verb, intent.ref[:12], error)
            self._ask_later(effect)
            return
        given = CoreAnswer(effect.ref, answer, follow)
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

    def join(self, waiting: work.Join) -> None:
        """Ask the core once more, now for the account's own case, and move the request there (R-03)."""
        with self.node.store.reading() as connection:
            case = self.service.folds.read(connection, waiting.case_id)
        try:
            if self.core is None:
                raise CoreDown("no core connected")
            found = self.core.find(question(case.request(waiting.request)))
        except (CoreDown, CoreUnclear) as error:
            log.warning("core, find for %s: %s", waiting.request[:12], error)
            return  # the lease ends and it is due again
        answer = CoreAnswer(f"join {waiting.request}", found, follow)
        retrying(lambda: self.service.join(waiting.request, waiting.case_id, waiting.key, answer))


def _until(intent: Intent) -> datetime:
    assert intent.until is not None, "a hold without an end is never intended"
    return intent.until


def question(request: Request) -> Question:
    """What the core is asked about a request: the account, and the credit it is said to have had."""
    credit = request.body.credit
    claimed = ClaimedCredit(credit.references, credit.amount.minor, credit.booked_from, credit.booked_to)
    return Question(request.body.asked.asset, (claimed,), request.body.account, credit.name)
