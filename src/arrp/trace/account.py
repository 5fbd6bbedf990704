"""Follow coins through one account, first in first out, past what holds pin (DESIGN §6, Clayton's case).

The coins that ever came into the account are numbered 0, 1, 2… in booking order; the opening
balance are the first. An outgoing transfer takes the lowest-numbered coins that are neither spent
nor pinned; a transfer of a hold takes that hold's pinned coins; a reversal takes the very coins it
carries back, as far as they are here. Inside a transfer coins keep the order of their numbers, so
an institution can tell the next one "[lo, hi) of transfer X" and nothing else. A coin that two pins
name stays with the earlier one and passes to the later one, not free in between, when that ends.

An overdraft makes a debt. The next coins that are free repay it and end there: what was paid out
before they came was not paid with them (Bishopsgate v Homan [1995] Ch 211: no tracing into an
overdrawn account, nor backwards through one). So an answer is never taken back: a later `as_of`
only adds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import itemgetter

from arrp.core.coins import Coins, Span
from arrp.core.errors import Malformed
from arrp.core.ledger import End, Part, Pin, Transfer


def follow_account(
    transfers: Iterable[Transfer], opening: int, pins: Iterable[Pin], as_of: int | None = None
) -> Followed:
    """Read one account's ledger up to the booking sequence `as_of` (None: all of it).

    Transfers and pins may come in any order. Raises Malformed where two transfers share a sequence
    or a ref.
    """
    walk = _Walk()
    if opening >= 0:
        walk.arrive(opening)
    else:
        walk.debts.append((_Take(0, "", None), -opening))
    booked = [transfer for transfer in transfers if as_of is None or transfer.sequence <= as_of]
    _check_distinct(booked)
    walk.run(booked, [pin for pin in pins if as_of is None or pin.from_sequence <= as_of], as_of)
    balance = opening + sum(transfer.amount if transfer.incoming else -transfer.amount for transfer in booked)
    followed = walk.result(as_of if as_of is not None else max((t.sequence for t in booked), default=0))
    assert followed.booked == balance, f"coins that are here less debts are {followed.booked}, booked are {balance}"
    return followed


def _check_distinct(booked: Sequence[Transfer]) -> None:
    for name, keys in (
        ("booking sequence", [(t.sequence, True) for t in booked]),
        ("ref", [(t.ref, t.incoming) for t in booked]),
    ):
        seen: set[tuple[int | str, bool]] = set()
        for key in keys:
            if key in seen:
                raise Malformed(f"two transfers of one account have the {name} {key[0]}: give each its own")
            seen.add(key)


@dataclass(frozen=True, slots=True)
class _Take:
    """Why coins left: the outgoing transfer, or (`repays`) the debt it had made."""

    sequence: int
    ref: str
    ends: End | None
    repays: bool = False


_Piece = tuple[int, int, int, _Take]  # coins [low, high) left by a take; low is coin `offset` inside it


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of an account's coins as of a booking sequence. Ask in any order."""

    as_of: int
    coins: Coins  # every coin that ever came
    owed: int  # debt no coin has repaid yet
    pinned: Coins
    _here: Coins
    _arrived: dict[str, Span]
    _returns: dict[str, list[tuple[Coins, int]]]
    _pieces: list[_Piece]

    @property
    def booked(self) -> int:
        return self._here.count - self.owed

    def coins_of(self, ref: str, inside: Coins | None = None) -> Coins:
        """The coins that the incoming transfer occupies, or those at `inside` it.

        None when it has not arrived as of this sequence, which is an answer (pending), no error.
        """
        low, high = self._arrived.get(ref, (0, 0))
        whole = Coins.of([(low, high)])
        return whole if inside is None else inside.shifted(low) & whole

    def here(self, coins: Coins) -> Coins:
        """Those not paid out, pinned or not."""
        return coins & self._here

    def free(self, coins: Coins) -> Coins:
        """Those not paid out that no hold pins."""
        return self.here(coins) - self.pinned

    def spent(self, coins: Coins) -> tuple[Part, ...]:
        """Each transfer that carried some of the coins away, in booking order."""
        found: dict[_Take, list[tuple[int, int, int]]] = defaultdict(list)
        for low, high in coins:
            for start, end, offset, take in self._pieces_between(low, high):
                first = max(low, start)
                found[take].append((first, min(high, end), first - start + offset))
        parts = [self._part(take, pieces) for take, pieces in found.items()]
        return tuple(sorted(parts, key=lambda part: (part.sequence, part.ref)))

    def _pieces_between(self, low: int, high: int) -> Iterator[_Piece]:
        i = max(0, bisect_right(self._pieces, low, key=itemgetter(0)) - 1)
        while i < len(self._pieces) and self._pieces[i][0] < high:
            if self._pieces[i][1] > low:
                yield self._pieces[i]
            i += 1

    def _part(self, take: _Take, pieces: list[tuple[int, int, int]]) -> Part:
        took = Coins.of((low, high) for low, high, _ in pieces)
        if take.repays:
            return Part(take.ref, take.sequence, took, Coins(), End.OVERDRAFT)
        inside = Coins.of((offset, offset + high - low) for low, high, offset in pieces)
        came_back: list[Span] = []
        back: list[Span] = []
        for carries, base in self._returns.get(take.ref, ()):
            came_back += [
                (low + max(a, offset) - offset, low + min(b, offset + high - low) - offset)
                for low, high, offset in pieces
                for a, b in carries
            ]
            back += _ranks(carries, inside).shifted(base).spans
        return Part(take.ref, take.sequence, took, inside, take.ends, Coins.of(came_back), Coins.of(back))


def _ranks(among: Coins, wanted: Coins) -> Coins:
    """The places that `wanted` coins have when the coins of `among` are counted from 0."""
    spans, before = [], 0
    for low, high in among:
        spans += [(before + a - low, before + b - low) for a, b in Coins(((low, high),)) & wanted]
        before += high - low
    return Coins.of(spans)


class _Spans:
    """A set of coins that changes. Neighbours are joined, so without pins there is one span."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, low: int, high: int) -> None:
        if low == high:
            return
        i = bisect_left(self.spans, (low, low))
        j = i
        if i and self.spans[i - 1][1] == low:
            i -= 1
            low = self.spans[i][0]
        if j < len(self.spans) and self.spans[j][0] == high:
            high = self.spans[j][1]
            j += 1
        self.spans[i:j] = [(low, high)]

    def within(self, low: int, high: int) -> list[Span]:
        """What there is of [low, high)."""
        return [(max(a, low), min(b, high)) for a, b in self.spans[self._touched(low, high)]]

    def _touched(self, low: int, high: int) -> slice:
        return slice(
            bisect_right(self.spans, low, key=itemgetter(1)),
            bisect_left(self.spans, high, key=itemgetter(0)),
        )

    def cut(self, low: int, high: int) -> list[Span]:
        """Take out what there is of [low, high)."""
        where = self._touched(low, high)
        touched = self.spans[where]
        if not touched:
            return []
        edges = ((touched[0][0], low), (high, touched[-1][1]))
        self.spans[where] = [edge for edge in edges if edge[0] < edge[1]]
        return [(max(a, low), min(b, high)) for a, b in touched]

    def lowest(self, count: int) -> list[Span]:
        """Take out the `count` lowest coins, or all there are."""
        if count <= 0 or not self.spans:
            return []
        high = self.spans[0][0]
        for a, b in self.spans:
            high = min(b, a + count)
            count -= high - a
            if count == 0:
                break
        return self.cut(self.spans[0][0], high)


def _count(spans: Iterable[Span]) -> int:
    return sum(high - low for low, high in spans)


_BOOK, _UNPIN, _PIN = range(3)  # the order within one sequence: a hold takes coins over in the commit that frees them


@dataclass(slots=True)
class _Pinned:
    """One pin in force: the coins it keeps, and those an earlier pin keeps and this one waits for."""

    hold: str
    keeps: _Spans = field(default_factory=_Spans)
    waits: Coins = field(default_factory=Coins)


@dataclass(slots=True)
class _Walk:
    """The ledger read once, in booking order."""

    total: int = 0
    coins: _Spans = field(default_factory=_Spans)  # here and not pinned
    pinned: dict[int, _Pinned] = field(default_factory=dict)  # by the pin's place, oldest first
    debts: deque[tuple[_Take, int]] = field(default_factory=deque)
    arrived: dict[str, Span] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    returns: dict[str, list[tuple[Coins, int]]] = field(default_factory=lambda: defaultdict(list))
    pieces: list[_Piece] = field(default_factory=list)

    def run(self, booked: Sequence[Transfer], pins: Sequence[Pin], as_of: int | None) -> None:
        steps: list[tuple[int, int, int, Transfer | Pin]] = [(t.sequence, _BOOK, 0, t) for t in booked]
        for place, pin in enumerate(sorted(pins, key=lambda pin: (pin.from_sequence, pin.hold, pin.coins.spans))):
            if pin.from_sequence == pin.to_sequence:
                continue
            steps.append((pin.from_sequence, _PIN, place, pin))
            if pin.to_sequence is not None and (as_of is None or pin.to_sequence <= as_of):
                steps.append((pin.to_sequence, _UNPIN, place, pin))
        steps.sort(key=lambda step: step[:3])
        for sequence, together in groupby(steps, key=itemgetter(0)):
            for _, kind, place, what in together:
                self._step(kind, place, what)
            self._repay(sequence)

    def _step(self, kind: int, place: int, what: Transfer | Pin) -> None:
        if isinstance(what, Transfer):
            self._receive(what) if what.incoming else self._pay(what)
        elif kind == _PIN:
            self._pin(place, what)
        else:
            self._unpin(place)

    def arrive(self, amount: int) -> Span:
        span = (self.total, self.total + amount)
        self.total += amount
        self.coins.put(*span)
        return span

    def _receive(self, transfer: Transfer) -> None:
        self.arrived[transfer.ref] = span = self.arrive(transfer.amount)
        if transfer.carries is not None and transfer.reverses in self.paid:
            self._bring_back(transfer.reverses, transfer.carries.lowest(transfer.amount), span[0])
        self._repay(transfer.sequence)

    def _bring_back(self, ref: str, carries: Coins, base: int) -> None:
        """A coin comes back once: what an earlier return has brought already is not counted again."""
        fresh = carries
        for earlier, _ in self.returns[ref]:
            fresh = fresh - earlier
        for low, high in fresh:
            rank = _ranks(carries, Coins(((low, high),))).spans[0][0]
            self.returns[ref].append((Coins(((low, high),)), base + rank))

    def _pay(self, transfer: Transfer) -> None:
        taken: list[Span] = []
        if transfer.hold is not None:
            taken += self._held(transfer.hold, transfer.amount)
        if transfer.carries is not None:
            taken += self._named(transfer, transfer.amount - _count(taken))
        taken += self.coins.lowest(transfer.amount - _count(taken))
        take = _Take(transfer.sequence, transfer.ref, transfer.ends)
        self._leave(take, taken)
        self.paid.add(transfer.ref)
        if owed := transfer.amount - _count(taken):
            self.debts.append((take, owed))

    def _held(self, hold: str, most: int) -> list[Span]:
        """The lowest coins that any pin of the hold keeps."""
        keeping = [pin.keeps for pin in self.pinned.values() if pin.hold == hold]
        wanted = Coins.of(span for spans in keeping for span in spans.spans).lowest(most)
        return [span for a, b in wanted for spans in keeping for span in spans.cut(a, b)]

    def _named(self, transfer: Transfer, most: int) -> list[Span]:
        """The coins a reversal carries back, as far as they are here and free."""
        low, high = self.arrived.get(transfer.reverses, (0, 0))
        assert transfer.carries is not None
        wanted = transfer.carries.lowest(most).shifted(low) & Coins.of([(low, high)])
        return [span for a, b in wanted for span in self.coins.cut(a, b)]

    def _repay(self, sequence: int) -> None:
        while self.debts and self.coins.spans:
            debtor, owed = self.debts.popleft()
            taken = self.coins.lowest(owed)
            self._leave(_Take(sequence, debtor.ref, End.OVERDRAFT, repays=True), taken)
            if owed > _count(taken):
                self.debts.appendleft((debtor, owed - _count(taken)))

    def _leave(self, take: _Take, taken: list[Span]) -> None:
        offset = 0
        for low, high in sorted(taken):
            self.pieces.append((low, high, offset, take))
            offset += high - low

    def _pin(self, place: int, pin: Pin) -> None:
        """Coins spent before, or not here yet, stay unpinned: they are legs, or another matter."""
        earlier = [other.keeps for other in self.pinned.values()]
        waits = Coins.of(span for a, b in pin.coins for spans in earlier for span in spans.within(a, b))
        self.pinned[place] = _Pinned(pin.hold, waits=waits)
        self._keep(self.pinned[place], pin.coins)

    def _keep(self, pin: _Pinned, coins: Coins) -> None:
        for low, high in coins:
            for span in self.coins.cut(low, high):
                pin.keeps.put(*span)

    def _unpin(self, place: int) -> None:
        for span in self.pinned.pop(place).keeps.spans:
            self.coins.put(*span)
        for later in self.pinned.values():
            self._keep(later, later.waits)

    def result(self, as_of: int) -> Followed:
        self.pieces.sort(key=itemgetter(0))
        pinned = Coins.of(span for pin in self.pinned.values() for span in pin.keeps.spans)
        here = Coins.of((*self.coins.spans, *pinned))
        assert all(piece[1] <= later[0] for piece, later in pairwise(self.pieces)), "a coin was spent twice"
        gone = _count((low, high) for low, high, *_ in self.pieces)
        assert here.count + gone == self.total, f"{self.total} coins came, {gone} left, {here.count} are here"
        owed = sum(owed for _, owed in self.debts)
        whole = Coins.of([(0, self.total)])
        return Followed(as_of, whole, owed, pinned, here, self.arrived, self.returns, self.pieces)
