"""Money in a world: accounts, thefts, and everything that goes on in the accounts meanwhile.

What happened is known here and nowhere else: the witness (judge.py) compares what nodes do with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from schwifty import IBAN

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.account import institution_of
from arrp.core.errors import ArrpError
from arrp.core.money import Amount
from arrp.core.report import Party, Payment
from arrp.sim.world import World

ACCOUNTS = 3  # at each institution
HOLDER = "Trading Lda"


@dataclass(frozen=True, slots=True)
class Place:
    """One account at one institution's node."""

    at: str
    ref: str
    account: str

    @property
    def party(self) -> Party:
        return Party(HOLDER, self.account)


@dataclass(frozen=True, slots=True)
class Theft:
    """A payment that somebody was tricked into, to be reported by `bureau`."""

    loss: str
    bureau: str
    payment: Payment
    to: Place
    alike: Place | None = None  # where somebody else's payment of the same amount went

    @property
    def victim(self) -> str:
        return self.payment.debtor.account


def iban(country: str, bank: str, number: int) -> str:
    """A payto account with right check digits."""
    return f"payto://iban/{IBAN.generate(country, bank_code=bank, account_code=str(number))}"


class Movements:
    """What people do with money: thieves, mules, employers, and those whose account it is."""

    def __init__(self, world: World, dice: Random, bureaus: Sequence[str]) -> None:
        self._world, self._dice, self._bureaus = world, dice, bureaus
        self.places = [place for id in world.hosts for place in self._opened(id)]
        self.thefts: list[Theft] = []
        self._count = 0

    def _opened(self, id: str) -> list[Place]:
        """Accounts at an institution, each with a little of its holder's own."""
        host, found = self._world.hosts[id], list[Place]()
        if host.core is None:
            return found
        for institution in host.member.seat.answers_for:
            for number in range(1, ACCOUNTS + 1):
                place = Place(id, f"{institution}-{number}", iban(institution[:2], institution[2:], number))
                assert institution_of(place.account) == institution
                host.core.open_account(Account(place.ref, place.account, HOLDER, "EUR", opening=number * 1000))
                found.append(place)
        return found

    def steal(self) -> Theft:
        """Somebody pays; the money is in a mule's account at once."""
        to, bureau = self._dice.choice(self.places), self._dice.choice(self._bureaus)
        country = self._world.cast.members[bureau].seat.country
        victim = Party("Victim Ltd", iban(country, _VICTIMS[country], self._dice.randint(1, 10**6)))
        amount, at = Amount(self._dice.randint(100, 100_000), "EUR"), self._world.time.at
        ref = self._next("P")
        said = f"INVOICE {ref}"  # as the thief told the victim to write
        self._book(Order(ref, amount, victim, to.party, end_to_end=said), to)
        payment = Payment(amount, None, at, victim, to.party, end_to_end_id=said, references=(ref,))
        theft = Theft(f"loss-{ref}", bureau, payment, to, self._same_again(payment, to))
        self.thefts.append(theft)
        return theft

    def _same_again(self, payment: Payment, to: Place) -> Place | None:
        """Every other time somebody else pays as much, and with the same words, to another account: nobody can tell at
        once which it was, and officers ask there too."""
        other = self._dice.choice(self.places)
        if other.at == to.at or self._dice.random() < 0.5:
            return None
        also = Party("Somebody Else", payment.debtor.account)
        order = Order(self._next("P"), payment.amount, also, other.party, end_to_end=payment.end_to_end_id)
        self._book(order, other)
        return other

    def theft(self, loss: str) -> Theft | None:
        return next((one for one in self.thefts if one.loss == loss), None)

    def something(self) -> None:
        """A movement that has nothing to do with us, or everything."""
        place = self._dice.choice(self.places)
        self._dice.choice((self._onward, self._onward, self._onward, self._cash, self._salary))(place)

    def _onward(self, place: Place) -> None:
        to = self._dice.choice(self.places)
        if to != place and (amount := self._some(place)) is not None:
            order = Order(self._next("M"), amount, place.party, to.party)
            if self._book(order, place) and to.at != place.at:
                self._book(order, to)

    def _cash(self, place: Place) -> None:
        if (amount := self._some(place)) is not None:
            self._book(Order(self._next("C"), amount, place.party, Party()), place)

    def _salary(self, place: Place) -> None:
        employer = Party("Employer SA", iban("ES", _VICTIMS["ES"], 77))
        self._book(Order(self._next("S"), Amount(self._dice.randint(100, 5000), "EUR"), employer, place.party), place)

    def _some(self, place: Place) -> Amount | None:
        """What the account's holder can spend, or a part of it."""
        core = self._world.hosts[place.at].core
        assert core is not None
        free = core.balance(place.ref).free
        minor = free if self._dice.random() < 0.3 else self._dice.randint(0, free)
        return Amount(minor, "EUR") if minor > 0 else None

    def _book(self, order: Order, at: Place) -> bool:
        core = self._world.hosts[at.at].core
        assert core is not None
        try:
            core.book(order, self._world.time.at)
        except ArrpError:  # its bank has closed the account, or somebody was faster
            return False
        return True

    def _next(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"


_VICTIMS = {"ES": "2100", "PT": "0007", "LT": "70440", "DE": "37040044", "FR": "30004", "IT": "03069", "NL": "ABNA",
            "BE": "001", "AT": "11000", "PL": "10500099"}
