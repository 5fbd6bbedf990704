"""Whom to ask next: which institution is worth an officer's minute, and why.

A request saves what is still at the institution when it answers, or has yet to come there. Its index is what it is
expected to save, per minute of an officer:

    V_i = p_i * (sum over pieces at i of amount * P(still there when the answer comes)
                 + sum over pieces upstream of amount * P(the route reaches i) * P(arrives, or stays, until after it)
                ) / c_i

with exponential times (rates from trace/learned): an answer at rate m finds money that leaves at rate l with chance
m / (m + l), and money that has to pass stays with rates l1, l2 ... with chance 1 - l1/(l1+m) * l2/(l2+m) ...
Two requests on one path save the same coins, so a second one counts for what the first leaves: what a set of requests
saves is monotone and submodular in the set, and taking the best next one again and again saves at least 1 - 1/e of what
the best set would (Nemhauser, Wolsey and Fisher 1978; lazily: Minoux 1978; where costs differ, gain by cost is the
usual rule, without that proof).

Amounts are minor units of the loss's asset, times minutes. It advises; officers decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heapify, heappop, heapreplace

from arrp.core.money import Amount
from arrp.trace.learned import CASH, Duration, Learned, Share, Stage

OFFICER_MINUTES = 10.0  # of one request: an assumption
HOPS = 3  # stays ahead that are reckoned with: further on nothing is known of a route
FLOOR = 0.02  # of a piece: ways that less of it is likely to go are left out
GONE = 0.5  # an assumption: what has left unseen left after half of the time


@dataclass(frozen=True, slots=True)
class Piece:
    """Money that somebody stated to have come to an institution. `upstream`: a request is out for it already, so it
    counts for others only, and there for what that request leaves."""

    amount: int
    stage: Stage
    arrived_at: datetime
    upstream: bool = False
    ref: str = ""  # of the leg, payment or request it is known by


@dataclass(frozen=True, slots=True)
class Frontier:
    """Where the money of one case is thought to be. `minutes`: what a request costs officers where it is not
    `OFFICER_MINUTES`; `closed`: who cannot be asked; `arms`: who can hold on arrival, None for all. Elsewhere a request
    saves only what somebody stated to have come."""

    pieces: Sequence[Piece]
    now: datetime
    minutes: Mapping[str, float] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    arms: frozenset[str] | None = None

    def cost(self, institution: str) -> float:
        return self.minutes.get(institution, OFFICER_MINUTES)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be asked; None: no limit."""

    requests: int | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Chance:
    """What one piece gives to a request: amount * reach * in_time * left * complies.chance.

    reach: that it is there now, or will come. in_time: then, that the answer finds it. left: of that, what other
    requests leave. answer, dwell: of the institution that is asked.
    """

    piece: Piece
    reach: float
    in_time: float
    left: float
    complies: Share
    answer: Duration
    dwell: Duration

    @property
    def gain(self) -> float:
        return self.piece.amount * self.reach * self.in_time * self.left * self.complies.chance


@dataclass(frozen=True, slots=True)
class Choice:
    """A request that might be next: `gain` units are expected to be saved, `value` = gain / `minutes`. `ask`: hold what
    is known to be there, or arm for what may come."""

    institution: str
    ask: str
    minutes: float
    chances: tuple[Chance, ...]

    @property
    def gain(self) -> float:
        return sum(chance.gain for chance in self.chances)

    @property
    def value(self) -> float:
        return self.gain / self.minutes


@dataclass(frozen=True, slots=True)
class _Stay:
    """One stay on one way a piece may go: how much of it is likely to go that way, and whether an answer finds it."""

    piece: Piece
    at: Stage
    units: float
    in_time: float
    complies: float
    is_asked: bool
    after: tuple[_Stay, ...]


def ranked(frontier: Frontier, learned: Learned, hops: int = HOPS) -> list[Choice]:
    """Each request by itself, the most valuable first: as if no other were sent."""
    ways = _Ways(frontier, learned, hops)
    return sorted((ways.choice(who, frozenset()) for who in ways.institutions()), key=_best_first)


def planned(frontier: Frontier, learned: Learned, budget: Budget | None = None) -> list[Choice]:
    """Which requests to send, in this order, within a budget: each counts for what those before it leave. Who is
    `closed` is not in it."""
    limit = Budget() if budget is None else budget
    ways, chosen = _Ways(frontier, learned, HOPS), list[Choice]()
    left = limit.minutes
    heap = [(_best_first(choice), 0, choice) for who in ways.institutions() - frontier.closed
            if (choice := ways.choice(who, frozenset())).gain > 0]
    heapify(heap)
    while heap and (limit.requests is None or len(chosen) < limit.requests):
        _, known, best = heap[0]
        if left is not None and best.minutes > left:
            heappop(heap)
        elif known < len(chosen):  # its value is of an earlier round, and can only have fallen
            best = ways.choice(best.institution, frozenset(one.institution for one in chosen))
            heapreplace(heap, (_best_first(best), len(chosen), best))
        else:
            heappop(heap)
            chosen.append(best)
            left = None if left is None else left - best.minutes
    return chosen


def expected(frontier: Frontier, learned: Learned, asked: frozenset[str]) -> float:
    """Units that requests to all of these are expected to save together, with those that are out already."""
    return sum(_saved(stay, asked) for stay in _Ways(frontier, learned, HOPS).stays)


def _best_first(choice: Choice) -> tuple[float, str]:
    return -choice.value, choice.institution


class _Ways:
    """All ways that the pieces of a frontier are likely to go, as trees of stays."""

    def __init__(self, frontier: Frontier, learned: Learned, hops: int) -> None:
        self.frontier, self.learned, self.hops = frontier, learned, hops
        self._next: dict[Stage, dict[str, float]] = {}
        self.stays = [stay for piece in frontier.pieces for stay in self._since(
            piece, (piece.stage,), float(piece.amount), _minutes(piece.arrived_at, frontier.now))]

    def institutions(self) -> set[str]:
        return {stay.at.institution for root in self.stays for stay in _all(root) if not stay.is_asked}

    def choice(self, institution: str, asked: frozenset[str]) -> Choice:
        """The request to an institution, beside those in `asked`."""
        found: dict[int, list[tuple[_Stay, float]]] = {}
        for root in self.stays:
            for stay, left in _at(root, institution, asked, 1.0):
                found.setdefault(id(stay.piece), []).append((stay, left))
        chances = tuple(chance for of in found.values() if (chance := self._chance(of)) is not None)
        is_known = any(chance.piece.stage.institution == institution for chance in chances)
        return Choice(institution, "hold" if is_known else "arm", self.frontier.cost(institution), chances)

    def _chance(self, stays: list[tuple[_Stay, float]]) -> Chance | None:
        """Several ways of one piece to one institution as a single product; None where nothing goes there."""
        units = sum(stay.units for stay, _ in stays)
        caught = sum(stay.units * stay.in_time for stay, _ in stays)
        if not caught:
            return None
        left = sum(stay.units * stay.in_time * left for stay, left in stays) / caught
        first, at = stays[0][0].piece, stays[0][0].at
        return Chance(first, units / first.amount, caught / units, left, self.learned.complies(at),
                      self.learned.answer(at), self.learned.dwell(at))

    def _since(self, piece: Piece, path: tuple[Stage, ...], units: float, minutes: float) -> Iterator[_Stay]:
        """Units that came to the end of a path so long ago: they are there still, or went on unseen."""
        dwell = self.learned.dwell(path[-1])
        here = units * dwell.lasts(minutes)
        yield self._stay(piece, path, here, (dwell.after(minutes).per_minute,))
        for stage, share in self._onward(piece, path, units - here):
            yield from self._since(piece, (*path, stage), share, minutes * GONE)

    def _stay(self, piece: Piece, path: tuple[Stage, ...], units: float, rates: tuple[float, ...]) -> _Stay:
        """Units at the end of a path, now or later; `rates` of leaving each stay from where they are now."""
        at = path[-1]
        answer, late = self.learned.answer(at).per_minute, 1.0
        for rate in rates:
            late *= rate / (rate + answer)
        after = tuple(
            self._stay(piece, (*path, stage), share, (*rates, self.learned.dwell(stage).per_minute))
            for stage, share in self._onward(piece, path, units))
        arms = self.frontier.arms
        is_reached = len(path) == 1 or arms is None or at.institution in arms
        return _Stay(piece, at, units, 1 - late if is_reached else 0.0, self.learned.complies(at).chance,
                     piece.upstream and len(path) == 1, after)

    def _onward(self, piece: Piece, path: tuple[Stage, ...], units: float) -> Iterator[tuple[Stage, float]]:
        """Where units go from the end of a path. Nobody is visited twice: what comes back is not reckoned with."""
        if len(path) > self.hops or units <= FLOOR * piece.amount:
            return
        at = path[-1]
        if at not in self._next:
            self._next[at] = self.learned.next_of(at)
        for to, share in self._next[at].items():
            if units * share <= FLOOR * piece.amount:
                return  # the shares only fall
            if to != CASH and all(to != stage.institution for stage in path):
                yield Stage(to, at.channel, at.crime), units * share


def _minutes(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since) / timedelta(minutes=1))


def _all(stay: _Stay) -> Iterator[_Stay]:
    yield stay
    for one in stay.after:
        yield from _all(one)


def _caught(stay: _Stay, asked: frozenset[str]) -> float:
    return stay.complies * stay.in_time if stay.is_asked or stay.at.institution in asked else 0.0


def _saved(stay: _Stay, asked: frozenset[str]) -> float:
    """Units that the requests in `asked` are expected to save of a stay and of what follows it."""
    caught = _caught(stay, asked)
    return stay.units * caught + (1 - caught) * sum(_saved(one, asked) for one in stay.after)


def _at(stay: _Stay, institution: str, asked: frozenset[str], left: float) -> Iterator[tuple[_Stay, float]]:
    """The stays at an institution, each with the share of it that others, before and after it, do not save."""
    if stay.at.institution == institution and not stay.is_asked:
        if stay.units:
            yield stay, left * (1 - sum(_saved(one, asked) for one in stay.after) / stay.units)
        return
    left *= 1 - _caught(stay, asked)
    for one in stay.after:
        yield from _at(one, institution, asked, left)


# --- in words ---------------------------------------------------------------------------------------------------


def told(choice: Choice, asset: str) -> list[str]:
    """Every number of a choice with its reason, a line for each piece of money, then the sum."""
    lines = [_line(choice.institution, chance, partial(Amount, asset=asset)) for chance in choice.chances]
    total = Amount(round(choice.gain), asset)
    return [*lines, f"together {total} for {choice.minutes:g} officer minutes: "
                    f"{Amount(round(choice.value), asset)} a minute"]


def _line(institution: str, chance: Chance, amount: partial[Amount]) -> str:
    piece, times = chance.piece, f"median answer {_of(chance.answer)}, dwell {_of(chance.dwell)}"
    if piece.stage.institution == institution:
        there = f"x {chance.reach * chance.in_time:.2f} still there when it answers ({times})"
    else:
        there = (f"last seen at {piece.stage.institution} x {chance.reach:.2f} comes here x {chance.in_time:.2f} "
                 f"not too early for the answer ({times})")
    beside = f" x {chance.left:.2f} that other requests leave" if chance.left < 1 else ""
    does = f" x {chance.complies.chance:.2f} does as asked ({_seen(chance.complies)})"
    return f"{amount(piece.amount)} {there}{beside}{does} = {amount(round(chance.gain))}"


def _of(duration: Duration) -> str:
    return f"{duration.median:.0f} min {_seen(duration)}"


def _seen(figure: Duration | Share) -> str:
    return f"of {figure.seen} {figure.where}" if figure.seen else "assumed"
