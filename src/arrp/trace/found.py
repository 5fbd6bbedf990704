"""What following one theft found: money per pot, money told at terminals, money per transfer, money nobody followed.

Every share has two numbers: `units` of the asset of the pot it is in, and `claim`, the same money in
the asset that was stolen. Where nothing is converted they are equal. The claims of one theft always
add up to what was stolen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from arrp.core.errors import Malformed, Refused
from arrp.trace.ledger import OUTSIDE, Ledger
from arrp.trace.statement import Books


@dataclass(frozen=True, slots=True)
class Share:
    """`units` in the asset of the place, `claim` in the asset that was stolen."""

    units: int = 0
    claim: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.units + other.units, self.claim + other.claim)


@dataclass(frozen=True, slots=True)
class Theft:
    """One payment that was lost: its row. From there on all its coins are the victim's."""

    row: int


@dataclass(frozen=True, slots=True)
class Budget:
    """How far to follow. hops: steps beyond the account first paid. accounts: how many are opened.

    ms: milliseconds by `clock`, which counts them from anywhere.
    """

    hops: int | None = None
    accounts: int | None = None
    ms: float | None = None
    clock: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        for name, value in (("hops", self.hops), ("accounts", self.accounts), ("ms", self.ms)):
            if value is not None and value < 0:
                raise Malformed(f"a budget of {value} {name} is none: say zero or more")
        if self.ms is not None and self.clock is None:
            raise Malformed("a budget of milliseconds needs a clock that counts them")


@dataclass
class Found:
    """What became of one theft. `terminal` is by (pot, pot whose asset its units are in): cash has many assets.

    `unfollowed` is the claim that a budget left behind, `rounding` the claim of less than one unit that
    a conversion left. `why` says in words what a budget cut off.
    """

    theft: Theft
    stolen: int
    held: dict[int, Share] = field(default_factory=dict)
    terminal: dict[tuple[int, int], Share] = field(default_factory=dict)
    flows: dict[int, Share] = field(default_factory=dict)
    opened: dict[int, int] = field(default_factory=dict)  # pot -> the fewest hops that led there
    unfollowed: int = 0
    rounding: int = 0
    why: set[str] = field(default_factory=set)

    def hold(self, pot: int, share: Share) -> None:
        if share != Share():
            self.held[pot] = self.held.get(pot, Share()) + share

    def end(self, ledger: Ledger, row: int, share: Share) -> None:
        """It reached a terminal by the row. Cash is counted in the asset it left in."""
        pot = int(ledger.targets[row])
        place = (pot, int(ledger.sources[row]) if pot == OUTSIDE else pot)
        self.terminal[place] = self.terminal.get(place, Share()) + share

    def flow(self, row: int, share: Share) -> None:
        self.flows[row] = self.flows.get(row, Share()) + share

    def leave(self, claim: int, why: str) -> None:
        self.unfollowed += claim
        self.why.add(why)

    def add_up(self) -> int:
        """Held, terminal, unfollowed and rounding: what was stolen, or money was made or lost on the way."""
        places = [*self.held.values(), *self.terminal.values()]
        return sum(share.claim for share in places) + self.unfollowed + self.rounding


class Meter:
    """Spends a budget for one search."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._ends = budget.clock() + budget.ms if budget.clock and budget.ms is not None else None

    def refuses(self, found: Found, pot: int, hops: int) -> str:
        """Why the pot may not be opened, reached in so many hops; "" and a note that it is, if it may."""
        if self.budget.hops is not None and hops > self.budget.hops:
            return f"more than {self.budget.hops} hop{'s' * (self.budget.hops != 1)} away"
        most = self.budget.accounts
        if pot not in found.opened and most is not None and len(found.opened) >= most:
            return f"beyond the first {most} account{'s' * (most != 1)}"
        found.opened[pot] = min(hops, found.opened.get(pot, hops))
        return ""

    def late(self) -> str:
        """Why the search must end now; "" while there is time."""
        if self._ends is not None and self.budget.clock is not None and self.budget.clock() >= self._ends:
            return f"not reached within {self.budget.ms:g} ms"
        return ""


def begin(books: Books, theft: Theft) -> Found:
    """Nothing is followed yet. Raises Refused where the theft moved nothing."""
    if books.moves_nothing(theft.row):
        ref = books.ledger.refs[theft.row]
        raise Refused(f"transfer {ref} is from an account to itself: nothing was taken by it, name another")
    return Found(theft, leaves(books.ledger, theft.row))


def leaves(ledger: Ledger, row: int) -> int:
    """Units that leave by the row, from outside the ledger in the asset that comes."""
    return int((ledger.arrived if ledger.sources[row] == OUTSIDE else ledger.amounts)[row])


def comes(ledger: Ledger, row: int) -> int:
    """Units that come by the row, to the outside in the asset that left: what is bought there is not known."""
    return int((ledger.amounts if ledger.targets[row] == OUTSIDE else ledger.arrived)[row])
