"""The witness of a world: reads what each commit wrote, and says which invariant of DESIGN §8 it breaks.

It keeps a memory of its own, from the logs alone: who asked, who signed, how each hold stood. What a node believes
counts only where the log does not say it; what truly happened to money it knows from whoever moved it (money.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from arrp.core.case import Case, apply, fold
from arrp.core.coins import Coins
from arrp.core.errors import Conflict
from arrp.core.events import HOLD_FACTS, KINDS, RETURN_FACTS, Event, Verb
from arrp.core.hold import HOLD, Hold
from arrp.core.request import ANSWER, WISH, Reason
from arrp.core.sums import money, total
from arrp.node.store import cases
from arrp.sim.beside import TAKEN_UP, Beside, Told
from arrp.sim.disk import spared
from arrp.sim.money import Movements
from arrp.sim.process import Process
from arrp.sim.world import World

SLACK = timedelta(seconds=5)  # clocks of honest machines are so far apart, at most
LATE = timedelta(seconds=60)  # I6: a deadline fires no later than this
TIMED_OUT = (Reason.NOT_KEPT, Reason.NOT_DECIDED, Reason.NOT_SIGNED, Reason.LAPSED)
ENDED = ("released", "lapsed", "handed_over")


@dataclass(frozen=True, slots=True)
class Violation:
    """`invariant` as in DESIGN §8; what was seen, at which node, when."""

    invariant: str
    node: str
    at: datetime
    said: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.node} {self.at:%m-%d %H:%M:%S}: {self.said}"


@dataclass(slots=True)
class Seen:
    """A hold as its holder stated it last."""

    holder: str
    hold: Hold
    state: str
    at: datetime


class Judge:
    """Told of each commit by the world; `look` after each thing that happens, `sweep` now and then."""

    def __init__(self, world: World, movements: Movements) -> None:
        self._world, self._movements = world, movements
        self.violations: list[Violation] = []
        self.edges: defaultdict[tuple[str, str, str], int] = defaultdict(int)  # moves of the tables that were made
        self.liars: set[str] = set()  # nodes whose bank lied: what it holds is not what it said
        self.forgot: dict[str, datetime] = {}  # nodes that lost what they knew, and when
        self.suspended: dict[str, datetime] = {}
        self.revoked: dict[tuple[str, str], datetime] = {}  # keys of officers, by participant and officer
        self._beside = Beside(world)
        self.troubled: dict[str, datetime] = {}  # nodes that could not work, until when
        self._changed: dict[tuple[str, str], None] = {}
        self._cases: defaultdict[str, dict[str, Case]] = defaultdict(dict)  # node -> what its log says, folded here
        self._holds: defaultdict[str, dict[str, Seen]] = defaultdict(dict)  # node -> hold id
        self._placed: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)  # node -> request -> holds
        self._asked: dict[str, Event] = {}  # act hash -> the request as whoever asked wrote it
        self._signed: dict[str, int] = {}  # mandates: how many persons signed
        self._intended: defaultdict[str, set[str]] = defaultdict(set)
        for standing in world.cast.standing.values():
            self._signed[standing.act_hash] = len({one.officer for one in standing.attached.approvals})
        world.wrote = self._wrote
        world.restarted = self._started
        world.asked = self._asked_core

    def _wrote(self, node: str, changed: list[str]) -> None:
        self._changed.update(dict.fromkeys((node, case) for case in changed))

    def accuse(self, invariant: str, node: str, said: str) -> None:
        self.violations.append(Violation(invariant, node, self._world.time.at, said))

    def _all(self, node: str, told: Told) -> None:
        for invariant, said in told:
            self.accuse(invariant, node, said)

    def _started(self, node: str) -> None:
        self._beside.look_back()
        self.look_again(node)

    def _asked_core(self, node: str, verb: str, words: tuple[Any, ...]) -> None:
        """I14: in the moment in which a bank is asked."""
        self.look()
        if any(self._beside.unasked(node, verb, words)):
            self.look_again(node)  # who died in its commit told nobody
            self._all(node, self._beside.unasked(node, verb, words))

    # --- what a commit wrote ---------------------------------------------------------------------------

    def look(self) -> None:
        changed, self._changed = self._changed, {}
        for node, case in changed:
            process = self._world.running(node)
            if process is None:
                continue  # it is read when it is up again
            self._read_case(process, case)

    def look_again(self, node: str) -> None:
        """A node is up again: what it wrote just before it died was told to nobody."""
        process = self._world.running(node)
        if process is not None:
            with spared(), process.store.reading() as connection:
                rows = cases.listed(connection)
            for row in rows:
                if row.id not in self._cases[node] or row.version != self._cases[node][row.id].version:
                    self._read_case(process, row.id)

    def forget(self, node: str) -> None:
        """The node has an old backup: what stands there is read anew."""
        self.forgot[node] = self._world.time.at
        for memory in (self._cases, self._holds, self._placed):
            memory[node].clear()
        self._intended[node].clear()
        self._beside.forget(node)

    def _read_case(self, process: Process, id: str) -> None:
        node = process.id
        case = self._cases[node].get(id) or fold(node, id, ())
        with spared(), process.store.reading() as connection:
            events = cases.log_of(connection, id, case.version + 1)
            believed = process.service.folds.read(connection, id)
        for event in events:
            before, case = case, apply(case, event)
            self._count_move(before, event)
            self._event(node, case, event)
        self._cases[node][id] = case
        if believed != case:
            self.accuse("I8", node, f"case {id[:8]} is not what its log says, at version {case.version}")
        self._case(node, case)

    def _count_move(self, before: Case, event: Event) -> None:
        """Which edges of the tables of a request were taken: wishes by whoever asked, answers by whoever was asked."""
        request = before.requests.get(event.request or "")
        if request is None:
            return
        for table, state in ((WISH, request.wish), (ANSWER, request.answer)):
            owns = (request.side == "requesting") is (table is WISH)
            if owns and (state, event.kind) in table.moves:
                self.edges[table.name, state, event.kind] += 1

    def _event(self, node: str, case: Case, event: Event) -> None:
        hold = getattr(event.body, "hold", None)
        if isinstance(hold, Hold) and hold.holder == node == event.by:
            self._stated(node, case, event, hold)
            if hold.state in ("released", "lapsed") and node not in self.liars and not self._is_taken_back(node, event):
                self._all(node, self._beside.still_blocked(node, case, hold))
        if event.kind == "Request" and event.by == node:
            self._asked[event.act_hash] = event
        elif event.kind == "MandateSigned":
            self._signed[event.body.act_hash] = len({one.officer for one in event.body.approvals})
        elif event.kind == "Intended":
            self._intended[node].add(event.body.ref)
            self._beside.intended(node, event)
            if event.body.verb is Verb.GIVE_BACK and not self._is_taken_back(node, event):
                self._return(node, case, event.body)
        elif event.kind == "CoreAnswered" and event.body.ref not in self._intended[node]:
            self.accuse("I14", node, f"the core answered {event.body.ref}, which nobody intended")
        self._persons(node, case, event)
        self._words(node, event)
        if not self._is_taken_back(node, event):
            self._all(node, self._beside.moved(node, case, event, is_whole=node not in self.forgot))
        if event.by not in self.forgot:
            self._all(node, self._beside.unsaid(node, event))
        self._all(node, self._beside.unsigned(node, event, self.revoked))

    def _is_taken_back(self, node: str, event: Event) -> bool:
        """Whether it was written before the node lost its memory, and put together again from copies."""
        return node in self.forgot and event.at <= self.forgot[node]

    def _persons(self, node: str, case: Case, event: Event) -> None:
        """I12: as many persons signed as the table asks, and who decides an objection did not ask, confirm or hold."""
        row = KINDS[event.kind]
        if event.by != node or not row.command or self._is_taken_back(node, event):  # who signed is in the act
            return
        request = case.requests.get(event.request or "")
        passed_on = request is not None and request.relation == "instructs"  # signed where it comes from
        covered = passed_on or (event.kind == "Request" and event.body.mandate_act)
        needs = row.own if event.to in ("", node) else row.approvals
        if len(set(event.officers)) < needs and not covered:
            self.accuse("I12", node, f"{event.kind} was signed by {event.officers}, {needs} have to")
        if event.kind == "DecideObjection" and request is not None:
            before = set(request.by_officers)
            if before & set(event.officers):
                self.accuse("I12", node, f"{event.officers} decided about an objection to what {before} asked")

    def _words(self, node: str, event: Event) -> None:
        """I13, I18: what a peer said."""
        if event.by in ("", node) or event.kind not in KINDS:
            return
        now = self._world.time.at
        is_new = now - event.at <= SLACK  # it was applied just now, not taken back from a copy
        is_over = event.not_after is not None and now > event.not_after + SLACK
        if KINDS[event.kind].command and is_new and is_over:
            self.accuse("I13", node, f"{event.kind} of {event.by} was applied after {event.not_after}")
        since = self.suspended.get(event.by)
        if since is not None and event.at > since + TAKEN_UP:
            self.accuse("I18", node, f"{event.kind} of {event.by}, which is suspended since {since}")

    # --- holds -----------------------------------------------------------------------------------------------

    def _stated(self, node: str, case: Case, event: Event, hold: Hold) -> None:
        before = self._holds[node].get(hold.id)
        if self._is_taken_back(node, event):  # it is read case by case, not in the order in which it happened
            if before is None or before.at <= event.at:
                self._holds[node][hold.id] = Seen(node, hold, hold.state, event.at)
            return
        state = before.state if before else "placing"
        if event.kind == "HoldPlaced":
            state = "placing" if state in ("failed", "returned") else state
            self._place(node, case, hold)
        if before and state in ENDED and hold.in_force:
            self.accuse("I4", node, f"{event.kind}: hold {hold.id[:8]} was {state} and is in force again")
        if event.kind in HOLD_FACTS or event.kind in RETURN_FACTS:
            self._move(node, event, hold, state)
        if event.kind in ("HoldEnding", "HoldReleased", "HoldLapsed") and before:
            self._fired(node, event, hold, before.hold)
        if event.kind == "HoldExtended" and hold.until and hold.placed_at:
            longest = hold.placed_at + timedelta(hours=self._world.cast.customs.chain.count)
            if hold.until > longest + SLACK:
                self.accuse("I16", node, f"hold {hold.id[:8]} was extended to {hold.until}, the law ends at {longest}")
        self._holds[node][hold.id] = Seen(node, hold, hold.state, event.at)

    def _move(self, node: str, event: Event, hold: Hold, state: str) -> None:
        """I10: along the owner's table."""
        try:
            to = HOLD.move(state, event.kind)
        except Conflict:
            self.accuse("I10", node, f"{event.kind} of hold {hold.id[:8]}, which is {state}")
            return
        self.edges["hold", state, event.kind] += 1
        if to != hold.state:
            self.accuse("I10", node, f"{event.kind} makes hold {hold.id[:8]} {hold.state}, the table {to}")

    def _place(self, node: str, case: Case, hold: Hold) -> None:
        """I2, I3."""
        known = self._placed[node].setdefault(hold.request, [])
        last = self._holds[node].get(known[-1]) if known else None
        if known and not (last and last.state in ("failed", "returned")):
            self.accuse("I3", node, f"request {hold.request[:8]} has a second hold")
        known.append(hold.id)
        request = case.requests.get(hold.request)
        if request is None or request.act_hash not in self._asked:
            self.accuse("I2", node, f"hold {hold.id[:8]} rests on a request that nobody made")
            return
        asked = self._asked[request.act_hash]
        signed = max(len(set(asked.officers)), self._signed.get(asked.body.mandate_act or "", 0))
        if signed < 2 and asked.body.instructs is None:
            self.accuse("I2", node, f"{signed} persons signed for hold {hold.id[:8]}")
        if self._world.cast.members[asked.by].seat.kind != "authority":
            self.accuse("I2", node, f"{asked.by} asked for hold {hold.id[:8]} and is no authority")

    def _fired(self, node: str, event: Event, hold: Hold, before: Hold) -> None:
        """I6: never early; what its requester did not keep goes free before its time (R-43)."""
        if hold.why == Reason.NOT_KEPT and before.kept is not None:
            return
        now, due = self._world.time.at, before.deadline
        if hold.why in TIMED_OUT and before.in_force and due is not None and now < due - SLACK:
            self.accuse("I6", node, f"{event.kind} of hold {hold.id[:8]} ({hold.why}) at {now}, its deadline is {due}")

    def _return(self, node: str, case: Case, intent: Any) -> None:
        """I11: only to the account the money was taken from, no more than is held, not while somebody objects."""
        request = case.requests.get(intent.request)
        theft = self._movements.theft(request.body.loss) if request else None
        if request is None or theft is None or request.hold is None:
            self.accuse("I11", node, f"{intent.amount} goes back for {intent.request[:8]}, of which nobody knows")
            return
        if intent.payee != theft.victim:
            self.accuse("I11", node, f"{intent.amount} goes to {intent.payee}, taken from {theft.victim}")
        if intent.amount > request.hold.amount.minor:
            self.accuse("I11", node, f"{intent.amount} goes back, {request.hold.amount} is held")
        if any(one.state == "raised" and one.hold == request.hold.id for _, one in case.objections.values()):
            self.accuse("I11", node, f"{intent.amount} goes back while an objection is open")

    # --- a case as a whole ---------------------------------------------------------------------------------------

    def _case(self, node: str, case: Case) -> None:
        if case.state == "joined":
            return
        loss = total(case)
        if loss is not None:
            counted = money(case)
            if counted is None or not counted.adds_up():
                self.accuse("I21", node, f"{counted} is not {loss}")
            sure = sum(r.hold.claim.minor for r in case.wishes if r.hold and r.hold.state in ("confirmed", "secured"))
            if sure > loss.minor:
                self.accuse("I1", node, f"{sure} is confirmed of a loss of {loss}")
        pins = () if node in self.liars else _pins(case)  # a bank that lied once says of a hold what is not so
        for said in (*_credits(case), *pins):
            self.accuse("I1", node, said)

    # --- time -----------------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """I1, I6: what should have ended by now has."""
        now = self._world.time.at
        for node in self._world.hosts:
            if self._world.running(node) is not None:
                self._all(node, self._beside.unkept(node, set(self.forgot)))
        for node, holds in self._holds.items():
            excused = self.troubled.get(node, now) if node in self.troubled else None
            if self._world.running(node) is None:
                continue
            for seen in holds.values():
                due = seen.hold.deadline
                if due is None or seen.state == "secured":
                    continue
                over = max(due, excused) if excused is not None else due
                if now > over + LATE + SLACK:
                    invariant = "I1" if due == seen.hold.keep_by else "I6"  # unkept surplus ends; a deadline fires
                    said = f"hold {seen.hold.id[:8]} is {seen.state} at {now}, its deadline was {due}"
                    self.accuse(invariant, node, said)


def _credits(case: Case) -> Iterator[str]:
    """I1: Σ resting on one credit ≤ that credit."""
    resting: defaultdict[str, int] = defaultdict(int)
    size: dict[str, int] = {}
    for request in case.requests.values():
        hold = request.hold
        if hold is None or request.side != "requested" or hold.is_over or hold.state == "ending":
            continue
        for on in hold.credits:
            resting[on.reference] += on.part.minor
            size[on.reference] = on.amount.minor
    for reference, minor in resting.items():
        if minor > size[reference]:
            yield f"{minor} rest on credit {reference} of {size[reference]}"


def _pins(case: Case) -> Iterator[str]:
    """I1, I17: no coin is held twice, none that is not traced."""
    pinned = Coins()
    letting_go = {intent.request for intent in case.intents.values() if intent.verb is Verb.RELEASE}
    for book in case.books.values():
        if book.in_flight:
            continue
        over = book.blocked - book.pins.count  # what was held before the ledger could be read is cut when it is
        if book.is_read and (over < 0 or (over and book.request not in letting_go)):
            yield f"hold of {book.request[:8]} blocks {book.blocked}, of which {book.pins.count} are traced to it"
        if (pinned & book.pins).count:
            yield f"two holds pin the same coins of case {case.id[:8]}"
        if (book.pins - book.coins).count:
            yield f"hold of {book.request[:8]} pins coins that are not traced to it"
        pinned |= book.pins
