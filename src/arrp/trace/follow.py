"""Follow thefts through a ledger: where the money is, by which payments, what was not followed, and why it is so.

The answer adds up: what is held, what reached a terminal, and what was not followed is what was stolen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arrp.core.errors import Refused
from arrp.core.money import Amount
from arrp.trace.found import Budget, Found, Meter, Share, Theft
from arrp.trace.ledger import OUTSIDE, Ledger
from arrp.trace.methods import METHODS, Method, method_named
from arrp.trace.statement import Books


@dataclass(frozen=True, slots=True)
class Place:
    """Where money of one theft is: `units` of `asset` on `account` ("": outside), worth `claim` of what was stolen."""

    account: str
    asset: str
    units: int
    claim: int


@dataclass(frozen=True, slots=True)
class Edge:
    """What one payment carried: `units` of `asset` left, worth `claim` of what was stolen."""

    row: int
    ref: str
    source: str
    target: str
    asset: str
    units: int
    claim: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one theft. `asset` is what was stolen; `stolen`, `unfollowed` and claims are its units.

    Of a method that is a flag every amount is 0 and means nothing. `opened` are the accounts followed.
    """

    ref: str
    asset: str
    stolen: int
    held: tuple[Place, ...]
    terminal: tuple[Place, ...]
    unfollowed: int
    flows: tuple[Edge, ...]
    opened: tuple[str, ...]
    why: tuple[str, ...]
    partial: bool


@dataclass(frozen=True, slots=True)
class Traced:
    """The answers for each theft, in the order asked; `shared` says that coins may be claimed by several."""

    method: Method
    answers: tuple[Answer, ...]
    shared: bool


def follow(
    ledger: Ledger | Books, thefts: Sequence[Theft], method: str = "fifo", budget: Budget | None = None
) -> Traced:
    """Follow every theft by the method. The budget is one for all of them in time, each one's own in size.

    Raises NotFound for a method or row that is not there, Refused for a theft named twice, and
    Malformed where an account would have paid what it never had.
    """
    books = ledger if isinstance(ledger, Books) else Books(ledger)
    chosen = method_named(method)
    rows = [theft.row for theft in thefts]
    if len(set(rows)) < len(rows):
        twice = next(row for row in rows if rows.count(row) > 1)
        raise Refused(f"transfer {books.ledger.refs[twice]} is named twice: each loss is followed once")
    found = chosen.search(books, thefts, Meter(budget or Budget()))
    for one in found:
        if not chosen.flag:
            assert one.add_up() == one.stolen, f"{one.add_up()} of {one.stolen} units were found again"
    shared = any(one.theft.row in other.flows for one in found for other in found if one is not other)
    return Traced(chosen, tuple(_answer(books.ledger, one) for one in found), shared)


def _answer(ledger: Ledger, found: Found) -> Answer:
    row = found.theft.row
    asset = ledger.pots[int(ledger.sources[row] or ledger.targets[row])].asset
    why = set(found.why)
    if found.rounding:
        why.add("less than one unit each after a conversion")
    return Answer(
        ref=ledger.refs[row],
        asset=asset,
        stolen=found.stolen,
        held=_places(ledger, {(pot, pot): share for pot, share in found.held.items()}),
        terminal=_places(ledger, found.terminal),
        unfollowed=found.unfollowed + found.rounding,
        flows=tuple(_edge(ledger, row, share) for row, share in sorted(found.flows.items())),
        opened=tuple(dict.fromkeys(ledger.pots[pot].account for pot in sorted(found.opened))),
        why=tuple(sorted(why)),
        partial=bool(found.why),
    )


def _places(ledger: Ledger, shares: Mapping[tuple[int, int], Share]) -> tuple[Place, ...]:
    """One for each account and asset: cash of one asset may have left from many accounts."""
    merged: dict[tuple[str, str], Share] = {}
    for (pot, counted), share in sorted(shares.items()):
        where = (ledger.pots[pot].account, ledger.pots[counted].asset)
        merged[where] = merged.get(where, Share()) + share
    return tuple(Place(*where, share.units, share.claim) for where, share in merged.items())


def _edge(ledger: Ledger, row: int, share: Share) -> Edge:
    source, target = int(ledger.sources[row]), int(ledger.targets[row])
    asset = ledger.pots[source if source != OUTSIDE else target].asset
    accounts = ledger.pots[source].account, ledger.pots[target].account
    return Edge(row, ledger.refs[row], *accounts, asset, share.units, share.claim)


Range = tuple[int, int]
SENTENCES = 20  # places that are explained one by one, those with the most; a method may spread over thousands


def bounds(ledger: Ledger | Books, thefts: Sequence[Theft], budget: Budget | None = None) -> list[dict[str, Range]]:
    """For each theft, account by account: the claim there by lowest balance and by dirty-first, the smaller first.

    Where one account mixes, every method's answer lies between the two (for the same income); along
    a chain they are honest extremes and no proof.
    """
    books = ledger if isinstance(ledger, Books) else Books(ledger)
    ends = [follow(books, thefts, method, budget) for method in ("libr", "dirty-first")]
    ranges = []
    for answers in zip(*(traced.answers for traced in ends), strict=True):
        claims = [_by_account(answer) for answer in answers]
        accounts = dict.fromkeys([*claims[0], *claims[1]])
        ranges.append({name: _range(claims[0].get(name, 0), claims[1].get(name, 0)) for name in accounts})
    return ranges


def _range(one: int, other: int) -> Range:
    return min(one, other), max(one, other)


def _by_account(answer: Answer) -> dict[str, int]:
    claims: dict[str, int] = {}
    for place in answer.held:
        claims[place.account] = claims.get(place.account, 0) + place.claim
    return claims


def explain(method: Method, answer: Answer) -> list[str]:
    """What a person is told, one sentence for each place, with the payments that led there."""
    stolen = Amount(answer.stolen, answer.asset)
    if method.flag:
        return [_screened(answer), "Screening only: no amount is said, and nothing follows for anybody's money."]
    places = [(place, "lies in account") for place in answer.held] + [(place, "reached") for place in answer.terminal]
    told = sorted(places, key=lambda one: -one[0].claim)[:SENTENCES]
    said = []
    for place, verb in (one for one in places if len(told) == len(places) or one in told):
        where = place.account or "the outside (cash)"
        there = f"{_shown(place, answer)} of your {stolen} {verb} {where}"
        said.append(f"{there}, because {method.says} ({method.name}); by {_route(answer, place)}.")
    if rest := len(places) - len(told):
        left = sum(place.claim for place, _ in places) - sum(place.claim for place, _ in told)
        said.append(f"{Amount(left, answer.asset)} of your {stolen} is in {rest} more places with less in each.")
    if answer.unfollowed:
        why = "; ".join(answer.why)
        said.append(f"{Amount(answer.unfollowed, answer.asset)} of your {stolen} was not followed: {why}.")
    return said


def _screened(answer: Answer) -> str:
    reached = [place.account for place in (*answer.held, *answer.terminal) if place.account]
    cut = f" Not followed: {'; '.join(answer.why)}." if answer.why else ""
    return f"{len(set(reached))} accounts were reached from {answer.ref} by {len(answer.flows)} payments.{cut}"


def _shown(place: Place, answer: Answer) -> str:
    if place.asset == answer.asset:
        return str(Amount(place.units, place.asset))
    return f"{Amount(place.claim, answer.asset)} (there {Amount(place.units, place.asset)})"


def _route(answer: Answer, place: Place) -> str:
    """The payments by which anything got there, back to the theft; refs in booking order."""
    wanted, refs = {place.account}, []
    for edge in reversed(answer.flows):
        if edge.target in wanted:
            refs.append(edge.ref)
            if edge.ref != answer.ref:
                wanted.add(edge.source)
    shown = refs[::-1] if len(refs) <= 8 else [*refs[:-5:-1], "…", *refs[3::-1]]
    count = "this transfer" if len(refs) == 1 else f"these {len(refs)} transfers"
    return f"{count}: {', '.join(shown)}"


def methods() -> tuple[Method, ...]:
    """All there are, in the order in which they are told."""
    return tuple(METHODS.values())
