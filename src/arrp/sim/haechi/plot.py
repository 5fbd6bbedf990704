"""What happens in one case before and beside all nodes: payments, accounts, and where the money goes on to.

A plot is drawn without knowing whether, when or how anybody will ask: the same plot is played under every way of
working. Amounts are cents of the loss; in virtual assets they are tokens at the recorded rate.

Behaviour as published (docs/replay.md says where): accounts at banks are emptied by 80 to 90 % within 3 to 10 minutes,
what is left there is mostly drawn later; tokens rest longer, with the long tail of a log-normal, and then leave as a
whole; a part is cashed, a part is parked for days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from arrp.core.crime import Crime
from arrp.sim.haechi.frame import USD, USDT, Country, Kind

HOPS = 3
PARKED = 0.25  # of all stays: nothing moves for days
CASHED = 0.40  # of what leaves: cash, card or an off-ramp that nobody answers for
DRAWN = 0.6  # of what was left in a bank account: cash, hours later
SELLERS = 0.03  # of the accounts after the first: somebody who sold something for that money, in good faith
SPLIT = 0.15  # of what leaves goes on to two places
TAIL = 1.8  # of the log-normal


@dataclass(slots=True)
class Move:
    """One transfer out of a stay: onward to another, or to where nobody follows (`to` is None)."""

    ref: str
    at: datetime
    to: Stay | None
    cents: int = 0  # what is cashed; of a transfer onward the amount is that of `to`

    @property
    def amount(self) -> int:
        return self.cents if self.to is None else self.to.amount


@dataclass(slots=True)
class Stay:
    """Money in one account: what comes in at once, what leaves when, what is left there."""

    ref: str  # of the transfer that brought it, and of the account in its bank's books
    at: str  # who keeps it
    account: str
    asset: str
    arrives: datetime
    decides: timedelta  # how long an officer there takes
    in_good_faith: bool = False
    rest: int = 0
    moves: list[Move] = field(default_factory=list)

    @property
    def amount(self) -> int:
        return self.rest + sum(move.amount for move in self.moves)

    def all(self) -> Iterator[Stay]:
        """This stay and every later one."""
        yield self
        for move in self.moves:
            if move.to is not None:
                yield from move.to.all()


@dataclass(slots=True)
class Plot:
    """One loss: who was robbed where, of what, when they say so, and how long the officer there takes to ask."""

    loss: str
    bureau: str
    crime: Crime
    victim: str
    reported: datetime
    asks: timedelta
    paid: list[Stay]

    @property
    def asked_at(self) -> datetime:
        return self.reported + self.asks

    def stays(self) -> Iterator[Stay]:
        for first in self.paid:
            yield from first.all()

    @property
    def cents(self) -> int:
        return sum(first.amount for first in self.paid)


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who keeps accounts in one region: a bank, an exchange, an issuer; `prefix` begins its accounts."""

    id: str
    country: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where money can be in one region, and which bureaus take reports."""

    countries: tuple[Country, ...]
    banks: tuple[Keeper, ...]
    virtual: tuple[Keeper, ...]


class Pen:
    """Draws plots of one region from dice; accounts are numbered as they come."""

    def __init__(self, places: Places, dice: Random, span: tuple[datetime, datetime]) -> None:
        self._places, self._dice, self._span = places, dice, span
        self._count = 0

    def plot(self, kind: Kind) -> Plot:
        dice, self._count = self._dice, self._count + 1
        country = dice.choice(self._places.countries).code
        begin, end = self._span
        paid_at = begin + (end - begin) * dice.random()
        late = kind.reported * _long(dice, 1.0)
        asks = timedelta(minutes=dice.uniform(4, 25))
        asset = USDT if dice.random() < kind.virtual else USD
        stays = []
        for number in range(1 if dice.random() < 0.9 else 2):
            first = self._stay(country, asset, paid_at + timedelta(minutes=number * dice.uniform(20, 90)), ())
            self._fill(first, max(5000, round(kind.cents * _long(dice, 1.0))))
            stays.append(first)
        reported = stays[-1].arrives + max(late, timedelta(minutes=5))
        victim = f"payto://bic/HOME{country}22/V{self._count}"
        return Plot(f"{country}-{self._count:05}", f"NCB-{country}", kind.crime, victim, reported, asks, stays)

    # --- one stay and what follows -----------------------------------------------------------------------

    def _stay(self, home: str, asset: str, at: datetime, before: tuple[str, ...]) -> Stay:
        """Somewhere, and not where the same money was before."""
        dice, hop = self._dice, len(before)
        keepers = self._places.banks if asset == USD else self._places.virtual
        near = [one for one in keepers if one.country == home and one.id not in before]
        keeper = near[0] if near and dice.random() < 0.4 else dice.choice([k for k in keepers if k.id not in before])
        self._count += 1
        decides = timedelta(minutes=dice.uniform(25, 240))
        stay = Stay(f"T{self._count}", keeper.id, _account(keeper, self._count), asset, at, decides)
        stay.in_good_faith = hop > 0 and dice.random() < SELLERS
        if not stay.in_good_faith:
            for leaves in self._leaving(stay):
                self._count += 1
                onward = hop < HOPS and dice.random() >= CASHED
                to = self._stay(home, asset, leaves, (*before, keeper.id)) if onward else None
                stay.moves.append(Move(to.ref if to else f"C{self._count}", leaves, to))
        return stay

    def _leaving(self, stay: Stay) -> list[datetime]:
        """When money leaves: minutes, or days where it is parked."""
        dice = self._dice
        if dice.random() < PARKED:
            return [stay.arrives + timedelta(days=2) * _long(dice, 1.0)]
        if stay.asset == USD:
            after = timedelta(minutes=dice.uniform(3, 10))
        else:
            after = timedelta(minutes=max(2.0, 60 * _long(dice, TAIL)))
        count = 2 if dice.random() < SPLIT else 1
        return [stay.arrives + after + timedelta(minutes=2 * number) for number in range(count)]

    def _fill(self, stay: Stay, cents: int) -> None:
        """So much comes in: 80 to 90 % of it leaves, in equal parts; the rest is left."""
        dice, onward = self._dice, list(stay.moves)
        leaves = cents if stay.asset == USDT else round(cents * dice.uniform(0.8, 0.9))
        left = cents - leaves if onward else cents
        if onward and left and dice.random() < DRAWN:
            self._count += 1
            late = onward[-1].at + timedelta(hours=6) * _long(dice, 1.0)
            stay.moves.append(Move(f"C{self._count}", late, None, left))
            left = 0
        stay.rest = left
        for number, move in enumerate(onward):
            part = leaves // len(onward) + (leaves % len(onward) if number == 0 else 0)
            if move.to is None:
                move.cents = part
            else:
                self._fill(move.to, part)


def _long(dice: Random, sigma: float) -> float:
    """A factor around 1 with a long tail."""
    return min(dice.lognormvariate(0, sigma), 100.0)


def _account(keeper: Keeper, number: int) -> str:
    """The account with that number there: an IBAN, a BIC with a number, or a wallet."""
    if keeper.prefix.startswith("eip155:"):
        return f"{keeper.prefix}:0x{number:040x}"
    if len(keeper.prefix) == 8:
        return f"payto://bic/{keeper.prefix}/{number:09}"
    return iban(keeper.prefix, number)


# Digits after the check digits, of countries whose IBAN is digits only (or a bank in letters, then digits).
_DIGITS = {"AT": 16, "PL": 24, "SI": 15, "SE": 20, "AE": 19, "GB": 18, "IE": 18, "RO": 20}


def iban(bank: str, number: int) -> str:
    """A payto account at `bank` (country and bank code) with right check digits."""
    country, code = bank[:2], bank[2:]
    rest = f"{code}{number:0{_DIGITS[country] - len(code)}}"
    digits = int("".join(str(int(sign, 36)) for sign in f"{rest}{country}00"))
    return f"payto://iban/{country}{98 - digits % 97:02}{rest}"
