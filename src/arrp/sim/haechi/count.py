"""What the nodes' logs say in the end. Nothing here knows the story: it reads the events of the stores, and the books.

An account counts once it was held: a `HoldPlaced` of the holder itself. What is held, or secured by an order, is what
the last fact of that hold says. A case counts at the bureau where it was reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, create_engine, text

from arrp.core.events import HOLD_FACTS, KINDS, Event
from arrp.core.hold import IN_FORCE, Hold
from arrp.sim.haechi.frame import UNITS, USD
from arrp.wire.codec import joined

_BODIES = {kind: row.body for kind, row in KINDS.items()}
_KINDS = (*HOLD_FACTS, "LossReported", "CaseResolved")
_EVENTS = text('SELECT case_id, lasting, private FROM events WHERE kind IN :kinds ORDER BY id').bindparams(
    bindparam("kinds", expanding=True))


@dataclass(slots=True)
class Held:
    """One hold as its holder stated it last."""

    country: str
    asset: str
    cents: int
    state: str
    placed_at: datetime
    ended_at: datetime | None = None

    @property
    def is_in_force(self) -> bool:
        return self.state in IN_FORCE


@dataclass(frozen=True, slots=True)
class Told:
    """One thing for the timeline: what was said at which instant, by whom, about how many cents."""

    at: datetime
    what: str
    country: str
    cents: int = 0
    asset: str = USD


@dataclass(slots=True)
class Counted:
    """What the logs of one world say. `cases` and `resolved` are by country."""

    holds: dict[str, Held] = field(default_factory=dict)
    accounts: set[tuple[str, str]] = field(default_factory=set)  # who keeps it, and its case there
    countries: dict[str, str] = field(default_factory=dict)  # of each node
    cases: dict[str, int] = field(default_factory=dict)
    resolved: dict[str, int] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    messages: int = 0
    events: int = 0
    violations: list[str] = field(default_factory=list)

    def read(self, url: str, me: str, country: str) -> None:
        """Add what the log of one node says."""
        self.countries[me] = country
        engine = create_engine(url)
        with engine.connect() as connection:
            for case, lasting, private in connection.execute(_EVENTS, {"kinds": list(_KINDS)}):
                self._event(country, case, joined(Event, lasting, private, _BODIES), me)
            self.messages += connection.execute(text("SELECT count(*) FROM inbox")).scalar() or 0
            self.events += connection.execute(text("SELECT count(*) FROM events")).scalar() or 0
        engine.dispose()

    def _event(self, country: str, case: str, event: Event, me: str) -> None:
        if event.by != me:
            return
        if event.kind == "LossReported":
            self.cases[country] = self.cases.get(country, 0) + 1
            self._tell(event, "reported", country, event.body.total.minor)
        elif event.kind == "CaseResolved":
            self.resolved[country] = self.resolved.get(country, 0) + 1
            self._tell(event, "resolved", country)
        elif event.kind in HOLD_FACTS and event.body.hold.holder == me:
            self._hold(country, case, event)

    def _hold(self, country: str, case: str, event: Event) -> None:
        stated: Hold = event.body.hold
        cents = stated.amount.minor // UNITS[stated.amount.asset]
        known = self.holds.get(stated.id)
        if event.kind == "HoldPlaced":
            known = self.holds[stated.id] = Held(country, stated.amount.asset, cents, stated.state, event.at)
            self.accounts.add((event.by, case))
        if known is None:
            return
        if event.kind == "HoldPlaced":
            self._tell(event, "held", country, cents, stated.amount.asset)
        elif known.state != stated.state:
            self._tell(event, stated.state, country, cents, stated.amount.asset)
        if cents < known.cents:
            self._tell(event, "let go", country, known.cents - cents, stated.amount.asset)
        known.cents, known.state, known.ended_at = cents, stated.state, stated.ended_at

    def _tell(self, event: Event, what: str, country: str, cents: int = 0, asset: str = USD) -> None:
        self.told.append(Told(event.at, what, country, cents, asset))

    # --- sums ----------------------------------------------------------------------------------------------

    def in_force(self) -> Iterator[Held]:
        return (hold for hold in self.holds.values() if hold.is_in_force)

    def secured(self) -> Iterator[Held]:
        return (hold for hold in self.holds.values() if hold.state == "secured")

    def accounts_of(self, country: str) -> int:
        return sum(1 for keeper, _ in self.accounts if self.countries[keeper] == country)

    def add(self, other: Counted) -> None:
        """The logs of another world beside this one's."""
        self.holds |= other.holds
        self.accounts |= other.accounts
        self.countries |= other.countries
        for mine, theirs in ((self.cases, other.cases), (self.resolved, other.resolved)):
            for country, count in theirs.items():
                mine[country] = mine.get(country, 0) + count
        self.told = sorted([*self.told, *other.told], key=lambda one: one.at)
        self.messages += other.messages
        self.events += other.events
        self.violations += other.violations


def total(holds: Iterable[Held], of_money: bool) -> int:
    """Cents of holds of money, or of tokens."""
    return sum(hold.cents for hold in holds if (hold.asset == USD) == of_money)
