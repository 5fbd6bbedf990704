"""A world whose talk is slow and whose cores refuse: lanes of one peer to another, delivered one act at a time.

After every event the invariants of DESIGN §8 that a single node can see are checked; `settled` checks
those that hold once nobody has anything left to say.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from arrp.core.answers import Cannot, Found, Held, Landed, Released, Stopped, Why
from arrp.core.case import apply, fold
from arrp.core.coins import Coins
from arrp.core.commitment import commit
from arrp.core.ending import due
from arrp.core.errors import ArrpError
from arrp.core.events import KINDS, Event, Intent, Verb
from arrp.core.policy import Rules
from arrp.core.protocol import next_due, step
from arrp.core.request import Asked, Request
from arrp.core.step import Command, Heard, Receipted, Tick, digest
from arrp.core.sums import money, total
from tests.stories.plain import Core, Node, World

ENDED = ("HoldReleased", "HoldLapsed", "HoldHandedOver")
MOST_STEPS = 400  # more ticks or deliveries than this in one go: somebody spins


class Broken(AssertionError):
    """An invariant does not hold."""


class MoodyCore(Core):
    """A core that can be told how to answer next, and lets go of a block at the `until` it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.mood: dict[Verb, str] = {}
        self.until: dict[str, datetime] = {}
        self.flights: dict[str, tuple[str, int]] = {}  # uetr: where it lands, or "" when it is gone; the amount

    def do(self, intent: Intent, body: Asked, at: datetime) -> Any:
        mood = self.mood.pop(intent.verb, "")
        if intent.verb is Verb.FIND:
            found = self.find(body)
            if mood == "unreadable" and found.credits:
                return Found(found.status, found.sequence, found.booked, found.free, account_ref=found.account_ref)
            return found
        if mood == "refuse":
            return Cannot(Why.REFUSED)
        if intent.verb is Verb.STOP:
            return self.stop(intent, body, at)
        if intent.verb is Verb.HOLD and intent.account_ref:
            assert intent.block not in self.blocks, "a reservation keeps its name, and has one amount"
        answer = super().do(intent, body, at)
        if isinstance(answer, Held) and intent.until is not None:
            self.until[intent.block] = intent.until
        if isinstance(answer, Released):
            return Released(answer.reference, answer.amount, self.sequence)
        return answer

    def stop(self, intent: Intent, body: Asked, at: datetime) -> Any:
        lands, minor = self.flights[body.credit.uetr]
        if lands:
            return Landed(body.credit.uetr, lands)
        self.blocks[intent.block] = (f"flight {body.credit.uetr}", min(minor, intent.amount))
        return Stopped("S", min(minor, intent.amount), self.sequence, at)

    def let_go(self, now: datetime) -> None:
        for block, until in self.until.items():
            if now >= until:
                self.blocks[block] = (self.blocks[block][0], 0)


class Driven(World):
    """`give` refuses like a door: a refused act of a peer goes back as a refused receipt."""

    refusals = ArrpError

    def __init__(self) -> None:
        super().__init__()
        self.lanes: dict[tuple[str, str], deque[tuple[str, Any]]] = defaultdict(deque)
        self.log: dict[tuple[str, str], list[Event]] = defaultdict(list)
        self.ended: set[str] = set()
        self.placed: dict[str, int] = defaultdict(int)
        self.slow = False

    def join(self, *members: Any, **more: Any) -> None:
        """Looking again every minute is right for money and slow for a test."""
        super().join(*members, **more)
        for node in self.nodes.values():
            node.rules = replace(node.rules, look_every=timedelta(hours=2))

    # --- talk ---

    def settle(self) -> None:
        self.sort()
        if not self.slow:
            self.drain()

    def sort(self) -> None:
        """Everything said goes into the lane of who says it to whom; a core has a lane of its own."""
        while self.queue:
            node, key, given = self.queue.popleft()
            sender = given.sender if isinstance(given, Heard) else type(given).__name__
            self.lanes[sender, node].append((key, given))

    def busy(self) -> list[tuple[str, str]]:
        self.sort()
        return sorted(lane for lane, waiting in self.lanes.items() if waiting)

    def deliver(self, lane: tuple[str, str]) -> None:
        key, given = self.lanes[lane].popleft()
        if isinstance(given, Heard):
            key = self.nodes[lane[1]].routes[given.request]  # it may have joined its account's case meanwhile
        try:
            self.give(lane[1], key, given)
        except ArrpError as error:
            if not isinstance(given, Heard) or not KINDS[given.kind].command:
                raise Broken(f"{lane} {given} raised {error!r}") from error
            routes = self.nodes[given.sender].routes
            refused = Receipted(f"no-{given.id}", given.id, "", given.kind, given.request, "refused", error.code, "")
            self.queue.append((given.sender, routes.get(given.request, "loss"), refused))

    def drain(self) -> None:
        for _ in range(MOST_STEPS):
            lanes = self.busy()
            if not lanes:
                return
            self.deliver(lanes[0])
        raise Broken(f"they never stop talking: {[(lane, self.lanes[lane][0]) for lane in self.busy()]}")

    def deliver_core(self) -> None:
        """Only what cores answer is heard: the peers are cut off."""
        while lanes := [lane for lane in self.busy() if lane[0] == "CoreAnswer"]:
            self.deliver(lanes[0])

    # --- time ---

    def dues(self) -> list[tuple[datetime, str, str]]:
        return sorted(
            (at, node.id, key) for node in self.nodes.values() for key, case in node.cases.items()
            if (at := next_due(case, node.rules)) is not None
        )

    def run(self, **delta: float) -> None:
        end = self.now + timedelta(**delta)
        for _ in range(MOST_STEPS * 10):
            due = self.dues()
            if not due or due[0][0] > end:
                self.now = end
                return
            at, node, key = due[0]
            self.now = max(self.now, at)
            self.core_time()
            self.give(node, key, Tick(self.new_id()))
            self.settle()
            again = next_due(self.nodes[node].cases[key], self.nodes[node].rules)
            if again == at and not self.busy():
                raise Broken(f"{node} {key}: the tick of {at} changed nothing, it would come for ever")
            if again == at:
                self.drain()
        raise Broken("time does not pass: ticks without end")

    def core_time(self) -> None:
        for node in self.nodes.values():
            if isinstance(node.core, MoodyCore):
                node.core.let_go(self.now)

    def tick(self, node: str) -> None:
        for key in tuple(self.nodes[node].cases):
            if self.nodes[node].cases[key].state not in ("joined", "closed"):
                self.give(node, key, Tick(self.new_id()))
        self.settle()

    def wish(self, node: str, verb: str, body: Any, request: str | None, *, by: tuple[str, ...] = (),
             case: str = "loss") -> bool:
        """An officer's command; a refusal is an answer too."""
        try:
            self.officer(node, verb, body, request, case=case, by=by)
        except ArrpError:
            return False
        return True

    # --- every event ---

    def give(self, node_id: str, key: str, given: Any) -> None:
        node = self.nodes[node_id]
        before = node.case(key)
        events = step(before, given, self.now, node.rules)
        self.check_pins(node, before, events)
        if isinstance(given, Command):
            assert given.officer
        for event in events:
            assert KINDS[event.kind].body is type(event.body)
            node.cases[key] = apply(node.cases[key], event)
            self.log[node_id, key].append(event)
            self.write(node, event)
            self.check_event(node, key, event)
            self.spread(node, key, event)
        self.check_case(node, key)

    def spread(self, node: Node, key: str, event: Event) -> None:
        super().spread(node, key, event)
        if event.kind == "CaseJoined":  # in the same transaction: nothing comes in between
            self.give(*self.queue.pop())

    def check_event(self, node: Node, key: str, event: Event) -> None:
        """I3, I4, I11: what must never be said."""
        hold = getattr(event.body, "hold", None)
        mine = hold is not None and not isinstance(hold, str) and hold.holder == node.id == event.by
        if mine:
            if hold.in_force and hold.id in self.ended:
                raise Broken(f"I4 {event.kind}: hold {hold.id} has ended and is in force again")
            if event.kind == "HoldPlaced":
                self.placed[hold.request] += 1
            if event.kind in ENDED:
                self.ended.add(hold.id)
                self.check_released(node, key, hold.request)
        if event.kind == "Intended" and event.body.verb is Verb.GIVE_BACK:
            self.check_return(node, key, event.body)
        case = node.cases[key]
        if total(case) is not None and not money(case).adds_up():
            raise Broken(f"I21 {event.kind}: {money(case)} is not the loss")

    def check_pins(self, node: Node, before: Any, events: list[Event]) -> None:
        """I17: what a hold had pinned when an outgoing transfer was booked did not leave with it."""
        core = node.core
        for event in events if core is not None else ():
            old = before.books.get(event.request) if event.kind == "Booked" else None
            if old is None or not old.is_read:
                continue
            sequences = {digest(event.request, "leg", t.ref, str(t.sequence)): t.sequence
                         for transfers in core.accounts.values() for t in transfers if not t.incoming}
            for part in event.body.book.spent:
                then = [block.coins for block in old.blocks if block.since < sequences.get(part.leg, 0)]
                if any((coins & part.coins).count for coins in then):
                    raise Broken(f"I17 {part} left although {old.blocks} pinned it")

    def check_released(self, node: Node, key: str, request: str) -> None:
        """I9: what a released hold had in the core is another hold's now, or free."""
        case = node.cases[key]
        if case.books[request].blocked:
            raise Broken(f"I9 {request} was released and has {case.books[request].blocks}")

    def check_return(self, node: Node, key: str, intent: Intent) -> None:
        case = node.cases[key]
        request, payee = case.request(intent.request), case.payees.get(intent.request)
        hold, loss = request.hold, case.loss_of(request.body)
        good = payee is not None and loss is not None and hold is not None
        if not good or commit(payee.salt, intent.payee) != loss.return_account:
            raise Broken("I11 a return to an account nobody committed to")
        if case.open_objection(hold.id) or intent.amount > hold.amount.minor or not hold.in_force:
            raise Broken(f"I11 {intent.amount} of {hold} goes back, objection {case.open_objection(hold.id)}")

    # --- every case, after every step ---

    def check_case(self, node: Node, key: str) -> None:
        case = node.cases[key]
        if node.core is None or case.state == "joined":
            return
        core = node.core
        books = [book for book in case.books.values() if not book.in_flight]
        pinned = Coins()
        for book in books:
            if (pinned & book.pins).count:
                raise Broken(f"I1 two holds pin the same coins: {books}")
            pinned |= book.pins
            if (book.pins - book.coins).count:
                raise Broken(f"I1 {book} pins coins that are not traced to it")
        blocked = sum(book.blocked for book in books)
        unheard = any(intent.verb is Verb.GIVE_BACK for intent in case.intents.values())
        if books and blocked > core.booked(key) and not unheard:
            raise Broken(f"I1 {blocked} is held, {core.booked(key)} is booked")
        self.check_credits(case)

    def check_credits(self, case: Any) -> None:
        resting: dict[str, int] = defaultdict(int)
        size: dict[str, int] = {}
        for request in case.requests.values():
            if request.hold is None or request.hold.is_over or request.hold.state == "ending":
                continue
            for on in request.hold.credits:
                resting[on.reference] += on.part.minor
                size[on.reference] = on.amount.minor
        for reference, minor in resting.items():
            if minor > size[reference]:
                raise Broken(f"I1 {minor} rest on credit {reference} of {size[reference]}")

    # --- when all is said ---

    def settled(self) -> None:
        """Nobody has anything to say: I1 exactly, I2, I3, I6, I7, and every log folds to its case."""
        for (node_id, key), events in self.log.items():
            assert fold(node_id, key, events) == self.nodes[node_id].cases[key]
        for node in self.nodes.values():
            for key, case in node.cases.items():
                if case.state != "joined":
                    for request in case.requests.values():
                        self.check_owner(node, key, request)
                    self.check_blocks(node, key)
                self.check_loss(case)

    def check_owner(self, node: Node, key: str, request: Request) -> None:
        case, hold = node.cases[key], request.hold
        if request.side == "requested":
            self.check_mirror(node, request)
        if request.side != "requested" or hold is None or hold.holder != node.id:
            return
        if self.placed[request.id] > 1 and not case.returns_of(request.id):
            raise Broken(f"I3 {request.id} placed {self.placed[request.id]} holds")
        if hold.in_force and not (len(set(request.by_officers)) >= 2 or request.body.mandate_act):
            raise Broken(f"I2 nobody signed for {hold}")
        if hold.state in ("provisional", "confirmed") and hold.deadline is not None and hold.deadline <= self.now:
            raise Broken(f"I6 {hold} is past its deadline at {self.now}")
        kept = hold.kept.minor if hold.kept is not None else 0
        old = hold.placed_at is not None and self.now >= hold.placed_at + timedelta(minutes=60)
        if hold.state in ("provisional", "confirmed") and old and hold.wanted.minor > kept:
            raise Broken(f"I1 nobody kept {hold.wanted.minor - kept} of {hold}, and it is held after an hour")
        book = case.books.get(request.id)
        read = hold.in_force and hold.amount == hold.wanted and book is not None and book.is_read
        if read and book.pins.count < hold.amount.minor and not case.intents:
            raise Broken(f"I1 {hold.amount} is held, {book.pins.count} is traced here")

    def check_mirror(self, node: Node, request: Request) -> None:
        """I7: the other side sees what we see."""
        peer = self.nodes[request.peer]
        mirror = peer.cases[peer.routes[request.id]].requests[request.id]
        mine = (request.hold, request.terms, request.answer, request.legs, request.reason)
        if mirror.hold is None and request.hold is not None and request.hold.state == "placing":
            mine = (None, *mine[1:])
        theirs = (mirror.hold, mirror.terms, mirror.answer, mirror.legs, mirror.reason)
        if mine != theirs:
            raise Broken(f"I7 {node.id} says {mine}, {peer.id} sees {theirs}")

    def check_blocks(self, node: Node, key: str) -> None:
        """I9: the core blocks what the books say, neither more nor less (until its own `until`)."""
        if node.core is None:
            return
        case = node.cases[key]
        books = case.books.values()
        refused = any(what.startswith("extend ") for what in case.escalated)  # an operator was called
        for ref in {block.ref for book in books for block in book.blocks}:
            said = sum(book.block(ref).amount for book in books)
            if ref in node.core.until and self.now >= node.core.until[ref]:
                if refused or asks_again(case, ref, node.rules):
                    continue
                raise Broken(f"I6 the core let {ref} go by itself, the node still has {said}")
            if said != node.core.blocks[ref][1]:
                raise Broken(f"I9 books {said}, core {node.core.blocks[ref]}")

    def check_loss(self, case: Any) -> None:
        loss = total(case)
        if loss is None:
            return
        confirmed = [r for r in case.wishes if r.hold is not None and r.hold.state in ("confirmed", "secured")]
        parts = [(r, min(r.hold.kept, r.hold.amount)) for r in confirmed if r.hold.kept is not None]
        kept = sum(request.body.rate.claim_of(part.minor) for request, part in parts)
        if kept > loss.minor:
            raise Broken(f"I1 {kept} is confirmed for a loss of {loss}")


def asks_again(case: Any, ref: str, rules: Rules) -> bool:
    """Whether the core refused to let go of that block: an operator was called, and the core is asked again in a
    while (R-47). By then it may have let go by itself."""
    over = (case.requests[book.request] for book in case.books.values() if book.block(ref).amount)
    return any(request.hold.amount > request.hold.wanted and f"release {request.id}" in case.escalated
               and due(case, request, rules) is not None for request in over)
