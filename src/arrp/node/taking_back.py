"""One conversation, written into the log again from the copies that the peer kept (R-29).

Our own acts are written as they were said. A peer's act is written only if something we said later shows
that we had heard it; what came after that is heard anew, in the ordinary way. What this node queued under
numbers that turn out to be taken is given the next free ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

from arrp.core.case import Case
from arrp.core.events import (
    ATTACHED,
    KINDS,
    Answered,
    CaseOpened,
    Decide,
    Dropped,
    Escalated,
    Event,
    Signed,
)
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import Act, Head, Outcome, Receipt
from arrp.core.step import Receipted
from arrp.node.exchange import kid_of
from arrp.node.passed_on import heard_again
from arrp.node.service import Service, Transaction
from arrp.node.store import asking, recovering, talk
from arrp.wire.approvals import act_hash, unb64
from arrp.wire.codec import dumps, loads, read_act
from arrp.wire.envelope import Attached


@dataclass(frozen=True, slots=True)
class Given:
    """One act as a peer gave it back; `act` is None where its bytes are gone. `receipt` is the other side's."""

    head: Head
    signed: str
    act: Act | None
    data: bytes
    salt: bytes
    attached: tuple[Attached, ...]
    receipt: Receipt | None
    receipt_jws: str

    @property
    def request(self) -> str:
        return self.head.request or ""


class TakingBack:
    """What one peer gave back of one conversation, in the order in which we had said and heard it."""

    def __init__(self, service: Service, peer: str, given: list[Given]) -> None:
        self.service, self.peer, self.given = service, peer, given
        self.me, self.request = service.node.me, given[0].request
        self.ours = [one for one in given if one.head.sender == self.me]

    def is_proof(self) -> bool:
        """Whether there is a head of ours that we do not remember."""
        with self.service.node.store.reading() as connection:
            known = {row.number: loads(Head, row.head).id
                     for row in recovering.unsaid(connection, self.peer, self.request, 0)}
        return any(known.get(one.head.number) != one.head.id for one in self.ours)

    def run(self) -> None:
        with self.service.transaction() as door:
            talking = self._talking(door)
            self._make_room(door, talking)
            case_id, taken, heard = talking.case_id, 0, list[Given]()
            for one in self.given:
                if one.head.sender == self.peer:
                    heard.append(one)
                    continue
                while heard and heard[0].head.number <= one.head.seen:
                    taken += self._theirs(door, case_id, heard.pop(0))
                taken += self._own(door, case_id, one)
            if taken:
                self._show(door, case_id, taken)

    def _show(self, door: Transaction, case_id: str, taken: int) -> None:
        """A person looks at what came back before anything new is wished there."""
        what = f"recovered {self.service.recovering.epoch} {self.peer} {self.request}"
        if what not in door.load(case_id).escalated:
            said = Escalated(what, "duty officer", f"{taken} acts were given back by {self.peer}")
            door.record(case_id, [Event("Escalated", self.me, door.now, self.request, what, said)])

    # --- where -------------------------------------------------------------------------------------------

    def _talking(self, door: Transaction) -> talk.Conversation:
        found = door.conversation(self.peer, self.request)
        if found is not None:
            return found
        case_id = door.case_of(self._key())
        door.load(case_id)
        return door.begin_talk(self.peer, self.request, case_id)

    def _key(self) -> str:
        asked = next((one for one in self.given if one.act is not None and one.act.kind == "Request"), None)
        if asked is None or asked.act is None:
            return f"request {self.peer} {self.request}"
        return self.service.case_key(asked.head.sender, asked.act)

    def _make_room(self, door: Transaction, talking: talk.Conversation) -> None:
        """What we queued under a number that was taken gets the next free one; what the peer has already, made
        a second time from what was heard a second time, is not said again."""
        if not self.ours:
            return
        rows = recovering.unsaid(door.connection, self.peer, self.request, self.ours[0].head.number)
        known = {one.head.number: one.head.id for one in self.ours}
        last = self.ours[-1].head.number
        wrong = [row for row in rows if row.number <= last and known.get(row.number) != loads(Head, row.head).id]
        again = {one.act.act for one in self.ours if one.act is not None}
        twice = [row for row in wrong if row.kind == "Request" or self._said(door, row.act_hash) in again]
        for row in twice:
            recovering.drop(door.connection, row.id)
        behind = [row for row in rows if row.number > last] if wrong else []
        moved = [row for row in wrong if row not in twice] + behind
        for place in range(len(moved), 0, -1):
            row = moved[place - 1]
            head = replace(loads(Head, row.head), id=self.service.node.clock.new_id(), number=last + place)
            recovering.renumber(door.connection, row.id, head, door.now)
        door.note_talk(replace(talking, sent=max(last + len(moved), talking.sent if not wrong else 0)))

    def _said(self, door: Transaction, act_hash: str) -> str:
        kept = talk.act(door.connection, act_hash)
        return kept.act if kept is not None else ""

    # --- what --------------------------------------------------------------------------------------------

    def _own(self, door: Transaction, case_id: str, one: Given) -> int:
        """What we said: a row of the outbox that is receipted, and the event as it was. How much was new."""
        head = one.head
        if one.receipt is None:
            return 0
        sent = talk.sent(door.connection, self.peer, self.request, head.number)
        if sent is not None:  # it was queued when the copy was made: only its receipt is new
            talk.receipted(door.connection, one.receipt, one.receipt_jws, kid_of(one.signed))
            self._receipted(door, case_id, one)
            return 0
        self._keep(door, case_id, one)
        attached = tuple(map(_hash, one.attached))
        back = recovering.Back(self.peer, head, one.act.kind if one.act else "Lost", one.receipt_jws,
                               one.receipt.outcome, talk.hashes(attached), kid_of(one.signed))
        recovering.put_back(door.connection, back, door.now)
        if one.act is not None:
            door.record(case_id, [*self._before(door.load(case_id), one, one.act), heard_again(head, one.act)])
            self._receipted(door, case_id, one)
        return 1

    def _receipted(self, door: Transaction, case_id: str, one: Given) -> None:
        receipt = one.receipt
        assert receipt is not None
        if one.act is not None and (one.act.kind == "Request" or receipt.outcome is Outcome.REFUSED):
            door.commit(case_id, Receipted(f"receipt {receipt.id}", one.act.act, receipt.act_hash, one.act.kind,
                                           self.request, receipt.outcome, receipt.code, receipt.reason))

    def _theirs(self, door: Transaction, case_id: str, one: Given) -> int:
        """What the peer said and we had heard. Of a command without our own receipt nobody knows what became."""
        head, talking = one.head, door.talking(self.peer, self.request)
        assert talking is not None
        if head.number != talking.seen + 1:
            return 0
        known = talk.numbered(door.connection, self.peer, self.request, head.number)
        door.note_talk(replace(talking, seen=head.number, heard=max(talking.heard, head.number)))
        if known is not None:
            return 0
        outcome = self._outcome(one)
        code, reason = (one.receipt.code, one.receipt.reason) if one.receipt else (None, None)
        received_at = one.receipt.received_at if one.receipt else head.sent_at
        digest = sha256(dumps(head)).digest()
        talk.take(door.connection, talk.Arrived(self.peer, head.id, self.request, head.number, head.act_hash, digest,
                                                outcome, code, reason, received_at, None, one.signed))
        if outcome is Outcome.APPLIED and one.act is not None:
            self._keep(door, case_id, one)
            self._counted(door, one, one.act)
            door.record(case_id, [heard_again(head, one.act)])
            door.record(case_id, self._after(door.load(case_id), one, one.act))
        return 1

    def _outcome(self, one: Given) -> Outcome:
        if one.receipt is not None and one.receipt.outcome is not Outcome.WAITING:
            return one.receipt.outcome
        is_fact = one.act is not None and (not KINDS[one.act.kind].command or one.act.kind == "Request")
        return Outcome.APPLIED if is_fact else Outcome.SUPERSEDED

    # --- around it -----------------------------------------------------------------------------------------

    def _keep(self, door: Transaction, case_id: str, one: Given) -> None:
        """The bytes, and those of what was attached: evidence, and to be sent on."""
        head, act = one.head, one.act
        if act is None:
            recovering.keep_lost(door.connection, talk.KeptAct(head.act_hash, f"lost {head.id}", head.sender, "Lost",
                                                               case_id, b"", b"", ()))
            return
        if head.sender == self.me:
            recovering.supersede(door.connection, self.me, act.act, head.act_hash)
        talk.keep_act(door.connection, talk.KeptAct(head.act_hash, act.act, head.sender, act.kind, case_id, one.data,
                                                    one.salt, head.approvals))
        for beside, said in _attached(one):
            talk.keep_act(door.connection, talk.KeptAct(_hash(beside), said.act, beside.by, said.kind, case_id,
                                                        unb64(beside.act), unb64(beside.salt), beside.approvals))

    def _counted(self, door: Transaction, one: Given, act: Act) -> None:
        if act.kind == "Request" and not asking.was_asked(door.connection, self.request):
            body = act.body
            asking.note(door.connection, asking.Counted(
                self.request, self.peer, body.loss, body.mandate_act, self.service.case_key(self.peer, act),
                body.claim.minor, one.head.sent_at))

    def _before(self, case: Case, one: Given, act: Act) -> list[Event]:
        """What must have been in the log before we could say it."""
        events, because = list[Event](), f"recovered {one.head.id}"

        def note(kind: str, body: object, to: str = "") -> None:
            events.append(Event(kind, self.me, one.head.sent_at, act.request, because, body, to=to))

        if act.act in case.drafts:
            note("DraftDropped", Dropped(act.act, "issued"))
        if act.kind == "Request" and not case.loss and act.body.stated_by == self.me:
            note("CaseOpened", CaseOpened(act.body.loss, self.me))
        for beside, said in _attached(one):
            if isinstance(said.body, LossAct) and not case.losses:
                note("LossSigned", Signed(said.act, _hash(beside), beside.approvals, None, said.body))
            elif isinstance(said.body, Mandate) and said.body.loss is not None and case.mandate is None:
                note("MandateSigned", Signed(said.act, _hash(beside), beside.approvals, said.body))
        request = case.requests.get(self.request)
        if act.kind == "RequestAccepted" and request is not None and request.until is None and act.body.until:
            note("Decide", Decide(True, None, act.body.basis, act.body.until), self.me)
        return events

    def _after(self, case: Case, one: Given, act: Act) -> list[Event]:
        """What followed in our own log from a request that we took."""
        if act.kind != "Request":
            return []
        because, at = f"recovered {one.head.id}", one.head.sent_at
        losses = [Signed("", _hash(beside), (), None, said.body) for beside, said in _attached(one)
                  if isinstance(said.body, LossAct)]
        received = Answered(case.requests[self.request].terms) if self.request in case.requests else None
        events = [Event("LossSigned", self.me, at, act.request, because, signed) for signed in losses]
        if received is not None:
            events.append(Event("RequestReceived", self.me, at, act.request, because, received))
        return events


def _attached(one: Given) -> list[tuple[Attached, Act]]:
    """The attached acts that the act itself names by their hashes: its signature is theirs."""
    named = {one.act.body.mandate_act, one.act.body.loss_act} if one.act and one.act.kind == "Request" else set()
    bodies = {kind: row.body for kind, row in ATTACHED.items()}
    return [(beside, read_act(unb64(beside.act), bodies)) for beside in one.attached if _hash(beside) in named]


def _hash(beside: Attached) -> str:
    return act_hash(unb64(beside.salt), unb64(beside.act))
