"""What many institutions said about one theft, put together: it adds up, or somebody's name stands on the gap.

Each institution was asked about coins inside a payment it received, and answered from its own ledger
alone: so many are here, so many ended, these went on inside these payments. Nobody shows a balance.
The requesting side checks that each answer accounts for all it was asked about, that what went on was
answered for by whom it went to, and that no coin is told of twice. So

    stolen = here + ended + gaps,  to the unit, and each gap has a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from arrp.core.coins import Coins
from arrp.core.errors import Malformed
from arrp.trace.account import Followed


@dataclass(frozen=True, slots=True)
class Onward:
    """Coins `inside` the payment `ref`, which went to the institution `to`."""

    ref: str
    inside: Coins
    to: str


@dataclass(frozen=True, slots=True)
class Told:
    """The answer of the institution `by` about coins `inside` the payment `ref`: `here`, `ended`, or gone on."""

    by: str
    ref: str
    inside: Coins
    here: int
    ended: int = 0
    legs: tuple[Onward, ...] = ()

    def __post_init__(self) -> None:
        if self.here < 0 or self.ended < 0:
            raise Malformed(f"{self.by} on {self.ref}: less than no coins are nowhere; ask again")

    @property
    def units(self) -> int:
        return self.here + self.ended + sum(leg.inside.count for leg in self.legs)


@dataclass(frozen=True, slots=True)
class Heard:
    """A theft, and all that was answered about it."""

    loss: Onward
    answers: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Units of what came to `institution` by `ref` that it does not account for; below zero, it told too many."""

    institution: str
    ref: str
    units: int
    why: str

    def __str__(self) -> str:
        return f"{self.institution}, {abs(self.units)} units of {self.ref}: {self.why}"


@dataclass
class Stitched:
    """here, ended: units by institution. gaps: what does not add up, and at whom."""

    stolen: int
    here: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Every coin is accounted for, by somebody who could."""
        return not self.gaps


def tell(followed: Followed, by: str, asked: Onward, to: Callable[[str], str]) -> Told:
    """An institution's answer from its own ledger. `to` says who received its outgoing payment `ref`."""
    coins = followed.coins_of(asked.ref, asked.inside)
    parts = followed.spent(coins)
    ended = sum(part.took.count for part in parts if part.ends)
    legs = tuple(Onward(part.ref, part.inside, to(part.ref)) for part in parts if not part.ends)
    return Told(by, asked.ref, asked.inside, followed.here(coins).count, ended, legs)


def stitch(loss: Onward, answers: Iterable[Told]) -> Stitched:
    """Put the answers together from the loss on. They may come in any order, repeated, or not at all."""
    known: dict[tuple[str, str, Coins], list[Told]] = {}
    for answer in answers:
        said = known.setdefault((answer.by, answer.ref, answer.inside), [])
        if answer not in said:
            said.append(answer)
    found = Stitched(loss.inside.count)
    followed: dict[str, Coins] = {}
    waiting = [loss]
    while waiting:
        leg = waiting.pop()
        said = known.get((leg.to, leg.ref, leg.inside), [])
        if len(said) == 1:
            waiting += _account(found, leg, said[0], followed)
        elif leg.inside.count:
            why = "it said two different things" if said else "it did not answer"
            found.gaps.append(Gap(leg.to, leg.ref, leg.inside.count, why))
    total = sum(found.here.values()) + sum(found.ended.values()) + sum(gap.units for gap in found.gaps)
    assert total == found.stolen, f"{total} of {found.stolen} units were put together"
    return found


def _account(found: Stitched, leg: Onward, told: Told, followed: dict[str, Coins]) -> list[Onward]:
    """Book one answer; the legs that may be asked about."""
    found.here[told.by] = found.here.get(told.by, 0) + told.here
    found.ended[told.by] = found.ended.get(told.by, 0) + told.ended
    if missing := leg.inside.count - told.units:
        why = "it accounts for fewer coins than came" if missing > 0 else "it accounts for more coins than came"
        found.gaps.append(Gap(told.by, leg.ref, missing, why))
    fresh = []
    for onward in told.legs:
        before = followed.get(onward.ref, Coins())
        if twice := (onward.inside & before).count:
            found.gaps.append(Gap(told.by, onward.ref, twice, "it told of the same coins before"))
        else:
            fresh.append(onward)
        followed[onward.ref] = before | onward.inside
        if twice and (rest := onward.inside - before).count:
            found.gaps.append(Gap(told.by, onward.ref, rest.count, "told together with coins it told of before"))
    return fresh
