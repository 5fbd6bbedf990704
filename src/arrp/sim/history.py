"""One history: a world, a few days of it, some faults, and the judgement at its end. Its seed says everything."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from arrp.core.errors import ArrpError
from arrp.core.period import Period
from arrp.core.sentences import sentence
from arrp.node.worker import Pace
from arrp.sim.adversary import Adversary
from arrp.sim.cast import Customs, Seat
from arrp.sim.disk import spared
from arrp.sim.faults import Faults
from arrp.sim.judge import Judge, Violation
from arrp.sim.money import Movements
from arrp.sim.people import Habits, People
from arrp.sim.verdict import HEALING, judge_the_end, log_of, restless
from arrp.sim.world import World

STORY = 40  # lines
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAYS = timedelta(days=3)
BUGS = (AssertionError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, DBAPIError)

# Who takes part, in the order in which they come in: two bureaus that ask, a bureau with its bank, an exchange.
_SEATS = (
    Seat("NCB-ES", "authority", "ES", ("Ana", "Ben", "Cruz")),
    Seat("NCB-PT", "authority", "PT", ("Rui", "Zoe", "Nuno"), (), ("BANK-PT",)),
    Seat("BANK-PT", "institution", "PT", ("Tom", "Ivo", "Eva"), ("PT0002",)),
    Seat("VASP-LT", "institution", "LT", ("Lina", "Ona", "Jonas"), ("LT10000",)),
    Seat("NCB-DE", "authority", "DE", ("Fritz", "Uta", "Jan"), (), ("BANK-DE",)),
    Seat("BANK-DE", "institution", "DE", ("Max", "Mia", "Kai"), ("DE37040044",)),
    Seat("BANK-FR", "institution", "FR", ("Luc", "Zoé", "Marc"), ("FR30004",)),
    Seat("NCB-IT", "authority", "IT", ("Ugo", "Ida", "Pio"), (), ("BANK-IT",)),
    Seat("BANK-IT", "institution", "IT", ("Leo", "Gia", "Teo"), ("IT03069",)),
    Seat("BANK-NL", "institution", "NL", ("Bas", "Els", "Tim"), ("NLABNA",)),
)
LEAST, MOST = 4, len(_SEATS)
# What takes days elsewhere takes hours: to see soon what happens when time is over.
BRISK = Customs(power=Period(3, "hours"), provisional=Period(2, "hours"), chain=Period(5, "hours"),
                look_every=timedelta(minutes=5), request_hours=1)
_PACE = {"_people": 10, "_money": 6, "_strike": 2, "_attack": 0.1}  # and so much more often
MALLORY = Seat("MALLORY", "institution", "XX", ("Mal", "Lory"), hostile=True)


def seats(nodes: int, *, hostile: bool) -> tuple[Seat, ...]:
    """So many nodes; and, if wanted, one participant whose keys somebody else has."""
    present = {seat.id for seat in _SEATS[:nodes]}
    kept = [replace(one, instructs=tuple(id for id in one.instructs if id in present)) for one in _SEATS[:nodes]]
    return (*kept, MALLORY) if hostile else tuple(kept)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one history is: the same plan is the same history, to the byte."""

    seed: int
    nodes: int = 5
    faults: tuple[str, ...] = ()
    deliveries: int = 5000  # no new trouble after so many
    thefts: int = 4
    brisk: bool = False  # hours instead of days, and everybody in haste


@dataclass(slots=True)
class Outcome:
    """What came of it. `state_hash` is over every leaf of every log."""

    plan: Plan
    deliveries: int = 0
    crashes: int = 0
    commands: int = 0
    fresh: int = 0  # deliveries that made an act known
    violations: list[Violation] = field(default_factory=list)
    state_hash: str = ""
    faults: Counter[str] = field(default_factory=Counter)
    edges: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    until: datetime | None = None
    story: tuple[str, ...] = ()  # what was said last, when something is wrong


class History:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.world = World(plan.seed, seats(plan.nodes, hostile="adversary" in plan.faults), START,
                           *((BRISK, Pace(compare_every=timedelta(minutes=10))) if plan.brisk else ()))
        world, self._dice = self.world, self.world.dice("history")
        bureaus = [id for id, host in world.hosts.items() if host.member.seat.kind == "authority"]
        self.movements = Movements(world, world.dice("money"), bureaus)
        self.judge = Judge(world, self.movements)
        careless = "careless" in plan.faults
        habits = Habits(twice=0.1, wrong=0.15, refuses=0.2, asks=2) if careless else Habits(0.0, 0.0, 0.1, 1)
        self.people = People(world, world.dice("people"), self.movements, habits)
        self.faults = Faults(world, self.judge, world.dice("faults"), plan.faults)
        self.adversary = Adversary(world, world.dice("adversary")) if "adversary" in plan.faults else None
        self._errors = _Errors(world)
        self._left = plan.thefts

    def run(self) -> Outcome:
        """Live it, heal it, judge it."""
        log = logging.getLogger("arrp")
        before = log.level, log.propagate
        log.addHandler(self._errors)
        log.propagate = False
        log.setLevel(logging.ERROR)
        try:
            self._begin()
            while self.world.network.deliveries < self.plan.deliveries and self._next(START + 10 * DAYS):
                pass
            if self._is_fine():
                self._end()
            with spared():
                return self._outcome()
        finally:
            log.removeHandler(self._errors)
            log.setLevel(before[0])
            log.propagate = before[1]
            self.world.close()

    # --- what happens ------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Things happen by themselves from now on, each again after a while."""
        every: dict[Callable[[], None], float] = {self._people: 2 * 60, self._money: 15 * 60, self._sweep: 60}
        if self.plan.faults:
            every[self._strike] = 8 * 60
        if self.adversary is not None:
            every[self._attack] = 2 * 60
        self.movements.steal()
        self._left -= 1
        for act, seconds in every.items():
            self._again(act, seconds / (_PACE.get(act.__name__, 1) if self.plan.brisk else 1))

    def _again(self, act: Callable[[], None], seconds: float) -> None:
        def now() -> None:
            if self._left >= 0:
                self._again(act, seconds)  # whoever dies in it: it happens again
                act()

        self.world.time.then(timedelta(seconds=self._dice.expovariate(1 / seconds)), now)

    def _people(self) -> None:
        self.people.act()

    def _money(self) -> None:
        if self._left and self._dice.random() < 0.5:
            self._left -= 1
            self.movements.steal()
        else:
            self.movements.something()

    def _strike(self) -> None:
        self.faults.strike()

    def _attack(self) -> None:
        assert self.adversary is not None
        self.adversary.attack()

    def _sweep(self) -> None:
        self.judge.sweep()

    def _next(self, until: datetime) -> bool:
        """The next thing that happens, and what the witness says of it. Whether it goes on."""
        try:
            happened = self.world.next(until)
            self.judge.look()
        except BUGS as error:
            self.judge.accuse("5xx", "a node", f"{type(error).__name__}: {error}")
            return False
        for node, said in self._errors.taken():
            self.judge.accuse("5xx", node, said)
        return happened and self._is_fine()

    def _is_fine(self) -> bool:
        return not self.judge.violations

    def _end(self) -> None:
        """No more faults, nobody does anything more: both sides come to agree (I7)."""
        self._left = -1
        self.faults.heal()
        self.world.network.heard = lambda to, what, body: None
        for _ in range(8):
            until = self.world.time.at + HEALING
            while self._next(until):
                pass
            if not self._is_fine() or not restless(self.world):
                break
        if self._is_fine():
            judge_the_end(self.world, self.judge, self.people.said)

    # --- what came of it --------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        world = self.world
        edges = Counter({f"{table} {state} {kind}": n for (table, state, kind), n in self.judge.edges.items()})
        attacks = self.adversary.counts if self.adversary else Counter[str]()
        fresh = sum(_count(world, id, "SELECT count(*) FROM inbox") for id in world.hosts if world.running(id))
        return Outcome(
            self.plan, world.network.deliveries, world.crashes, len(self.people.said), fresh, self.judge.violations,
            _state_hash(world), Counter(self.faults.counts) + Counter(self.faults.strikes) + attacks, edges,
            Counter(self.people.refused), world.time.at, self._story() if self.judge.violations else (),
        )

    def _story(self) -> tuple[str, ...]:
        """The last words of everybody, and what struck whom, in the order in which it happened."""
        told = list(self.faults.told)
        for id in self.world.hosts:
            if self.world.running(id) is not None:
                told += [(event.at, f"{id}: {said}") for event in log_of(self.world, id) if (said := sentence(event))]
        return tuple(f"{at:%m-%d %H:%M:%S}  {said}" for at, said in sorted(told)[-STORY:])


def _count(world: World, id: str, query: str) -> int:
    with world.service(id).node.store.reading() as connection:
        return int(connection.execute(text(query)).scalar() or 0)


def _state_hash(world: World) -> str:
    """Over each node's leaves, case by case: what was written, whatever order it was placed in."""
    found = sha256()
    for id in sorted(world.hosts):
        if world.running(id) is None:
            continue
        with world.service(id).node.store.reading() as connection:
            rows = connection.execute(text("SELECT leaf FROM events ORDER BY case_id, number")).all()
        found.update(id.encode() + b"".join(bytes(row.leaf) for row in rows))
    return found.hexdigest()


class _Errors(logging.Handler):
    """What a node's loop survived and only its log tells: a bug of ours, unless a fault was planted there."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world, self._found = world, list[tuple[str, str]]()

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or isinstance(error, ArrpError) or _is_disk(error):
            return
        self._found.append((record.name, f"{type(error).__name__}: {error}"))

    def taken(self) -> list[tuple[str, str]]:
        found, self._found = self._found, []
        return found


def _is_disk(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlite_errorname", "").startswith(
        ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY"))
