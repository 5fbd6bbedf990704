"""The world of one region: a bureau and a bank in each country, exchanges, an issuer; their laws; the accounts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import update

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.deadline import Power
from arrp.core.errors import ArrpError
from arrp.core.money import Amount
from arrp.core.period import Period
from arrp.core.policy import Policy
from arrp.core.report import Party
from arrp.node.store import tables
from arrp.node.worker import Pace
from arrp.sim.cast import OPEN, Customs, Seat
from arrp.sim.haechi.frame import UNITS, USD, Country
from arrp.sim.haechi.plot import Keeper, Move, Places, Plot, Stay
from arrp.sim.world import World

OFFICERS = ("first.officer", "second.officer", "redress.officer")
HOLDER = "Account Holder"
POLICY = replace(OPEN, asset=USD, seen_within=timedelta(days=4))
# Nothing is lost in this world, so what looks for losses looks rarely, and a checkpoint stands for a week's events.
WEEK = timedelta(days=7)
PACE = Pace(compare_every=timedelta(days=400), sequence_seconds=WEEK.total_seconds())
_A_DAY, _HALF_A_YEAR = Period(24, "hours"), Period(180 * 24, "hours")


@dataclass(frozen=True, slots=True)
class Laws(Customs):
    """One invented law for all, but for this: in the countries of `slow` an officer decides before money is held."""

    power: Period = _HALF_A_YEAR
    provisional: Period | None = _A_DAY
    chain: Period = _HALF_A_YEAR
    policy: Policy = POLICY
    look_every: timedelta = timedelta(days=3)
    slow: frozenset[str] = frozenset()

    def decided_first(self) -> Laws:
        """The same where everybody waits for an officer, and no node goes on alone."""
        return replace(self, standing=False, policy=replace(self.policy, instant_from=()))

    def law(self, country: str) -> Power:
        power = Customs.law(self, country)
        return replace(power, provisional=None) if country in self.slow else power


def laws(countries: tuple[Country, ...]) -> Laws:
    return Laws(slow=frozenset(one.code for one in countries if not one.at_once))


def seats(places: Places) -> list[Seat]:
    """Bureaus first, then who keeps accounts."""
    found = [Seat(f"NCB-{one.code}", "authority", one.code, OFFICERS,
                  instructs=(f"BANK-{one.code}",) if one.instructs else ()) for one in places.countries]
    return found + [_seat(one) for one in (*places.banks, *places.virtual)]


def _seat(keeper: Keeper) -> Seat:
    kind = "issuer" if keeper.id.startswith("ISSUER") else "institution"
    return Seat(keeper.id, kind, keeper.country, OFFICERS, answers_for=(keeper.prefix,))


def world_of(seed: int, places: Places, begin: datetime, laws: Laws) -> World:
    """Everybody at the beginning, having compared with everybody else just before."""
    world = World(seed, seats(places), begin, laws, PACE)
    for id in world.hosts:
        with world.service(id).node.store.writing() as connection:
            connection.execute(update(tables.peers).values(compared_at=begin))
    return world


class Money:
    """The plots' money in the banks' books, as time goes on. `blocked` counts transfers that a bank refused because
    the money was held, or had not come."""

    def __init__(self, world: World, plots: list[Plot]) -> None:
        self._world = world
        self.moved, self.blocked = 0, 0
        for plot in plots:
            for stay in plot.stays():
                self._open(stay)
            for first in plot.paid:
                order = Order(first.ref, amount(first.amount, first.asset), Party("Victim", plot.victim), party(first))
                self._at(first.arrives, order, (first.at,))
                self._foresee(first)

    def _open(self, stay: Stay) -> None:
        core = self._world.hosts[stay.at].core
        assert core is not None
        core.open_account(Account(stay.ref, stay.account, HOLDER, stay.asset))

    def _foresee(self, stay: Stay) -> None:
        """Each transfer out at its time, and what follows it."""
        for move in stay.moves:
            self._at(move.at, _order(stay, move), tuple(dict.fromkeys((stay.at, *([move.to.at] if move.to else [])))))
            if move.to is not None:
                self._foresee(move.to)

    def _at(self, at: datetime, order: Order, keepers: tuple[str, ...]) -> None:
        self._world.time.when(at, lambda: self._book(order, keepers))

    def _book(self, order: Order, keepers: tuple[str, ...]) -> None:
        """At the bank it leaves, then at the one it reaches; what the first refuses the second never sees."""
        try:
            for id in keepers:
                core = self._world.hosts[id].core
                assert core is not None
                core.book(order, self._world.time.at)
            self.moved += 1
        except ArrpError:
            self.blocked += 1


def _order(stay: Stay, move: Move) -> Order:
    return Order(move.ref, amount(move.amount, stay.asset), party(stay), party(move.to) if move.to else Party())


def party(stay: Stay) -> Party:
    return Party(HOLDER, stay.account)


def amount(cents: int, asset: str) -> Amount:
    return Amount(cents * UNITS[asset], asset)
