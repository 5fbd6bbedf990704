"""Methods that know how much of a balance is stolen, not which coins: pro rata, dirty-first, lowest balance, TIHO.

A pot's stolen money is a pool. Its parts are told apart by the set of victims who claim them: a theft
paid with money stolen before is claimed by both, and counts once in the pool. Pro rata
runs for each victim alone (the victims' shares do not depend on each other). Dirty-first and lowest
balance must look at the whole pool of all victims together, or they would claim more than there is;
inside it the victims share what leaves in proportion, exactly (core/money: split).

Only payments out of a pot with stolen money are looked at, in the order of booking.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from arrp.core.money import split
from arrp.trace.found import Found, Meter, Share, Theft, begin, comes, leaves
from arrp.trace.statement import Books

Rule = Callable[[int, int, int], int]  # (stolen, balance, payment) in units -> stolen units that leave
_Victims = frozenset[int]


@dataclass(slots=True)
class _Part:
    """Units that the same victims claim, and what they are to each of them in what they lost."""

    units: int
    claims: dict[int, int]

    def take(self, units: int) -> _Part:
        """Part of it, each claim rounded down; the whole takes whole claims."""
        claims = {victim: claim * units // self.units for victim, claim in self.claims.items()}
        for victim, claim in claims.items():
            self.claims[victim] -= claim
        self.units -= units
        return _Part(units, claims)

    def add(self, other: _Part) -> None:
        self.units += other.units
        for victim, claim in other.claims.items():
            self.claims[victim] = self.claims.get(victim, 0) + claim


_Pool = dict[_Victims, _Part]


def _total(pool: _Pool) -> int:
    return sum(part.units for part in pool.values())


def _pour(pool: _Pool, victims: _Victims, part: _Part) -> None:
    if part.units:
        pool.setdefault(victims, _Part(0, {})).add(part)


def _in_order(pool: _Pool) -> list[tuple[_Victims, _Part]]:
    return sorted(pool.items(), key=lambda item: sorted(item[0]))


def haircut(stolen: int, balance: int, payment: int) -> int:
    """Its share of the balance, rounded down: the remainder stays (Möser, Böhme, Breuker 2014)."""
    return stolen if payment == balance else stolen * payment // balance


def dirty_first(stolen: int, balance: int, payment: int) -> int:
    """Stolen money is spent first: the worst case for what is still there."""
    return min(stolen, payment)


def lowest_balance(stolen: int, balance: int, payment: int) -> int:
    """Stolen money is spent last, and no later income restores what was spent once (Re Hallett's Estate 1880;
    Roscoe v Winder 1915)."""
    return max(0, stolen - (balance - payment))


def run_pools(books: Books, thefts: Sequence[Theft], meter: Meter, rule: Rule, batches: bool = False) -> list[Found]:
    """All thefts in one pool. `batches`: payments of one order are one transaction, the highest gets stolen
    money first (TIHO: Tironsakkul et al. 2020)."""
    run = _Run(books, meter, rule, batches, [begin(books, theft) for theft in thefts])
    run.run()
    return run.found


@dataclass
class _Run:
    books: Books
    meter: Meter
    rule: Rule
    batches: bool
    found: list[Found]
    pools: dict[int, _Pool] = field(default_factory=lambda: defaultdict(dict))
    waiting: list[int] = field(default_factory=list)  # rows to look at, a heap
    queued: set[int] = field(default_factory=set)
    due: dict[int, int] = field(default_factory=dict)  # pot -> its payment that waits
    allotted: dict[int, _Pool] = field(default_factory=dict)  # what a batch set aside for its later rows
    brought: dict[int, tuple[int, dict[_Victims, int]]] = field(default_factory=dict)  # for returns: given back, came

    def run(self) -> None:
        lost = {one.theft.row: victim for victim, one in enumerate(self.found)}
        for row in lost:
            self._queue(row)
        while self.waiting:
            if why := self.meter.late():
                self._stop(lost, why)
                break
            row = heappop(self.waiting)
            self._step(row, lost.pop(row, None))
        for pot, pool in self.pools.items():
            for victims, part in pool.items():
                for victim in victims:
                    self.found[victim].hold(pot, Share(part.units, part.claims[victim]))

    def _queue(self, row: int) -> None:
        if row not in self.queued:
            self.queued.add(row)
            heappush(self.waiting, row)

    def _watch(self, pot: int, row: int) -> None:
        """The pot's next payment is looked at, unless one waits already."""
        if pot not in self.due and (out := self.books.statement(pot).out_after(row)) is not None:
            self.due[pot] = out
            self._queue(out)

    def _step(self, row: int, victim: int | None) -> None:
        source = int(self.books.ledger.sources[row])
        if self.due.get(source) == row:
            del self.due[source]
        moved = self.allotted.pop(row, {})
        if self.pools.get(source):
            for victims, part in self._leaving(row, self.pools[source]).items():
                _pour(moved, victims, part)
        if self.pools.get(source):
            self._watch(source, row)
        else:
            self.pools.pop(source, None)
        if victim is not None:
            moved = self._stolen(row, victim, moved)
        for victims, part in moved.items():
            for one in victims:
                self.found[one].flow(row, Share(part.units, part.claims[one]))
        self._arrive(row, moved, source)

    def _stolen(self, row: int, victim: int, moved: _Pool) -> _Pool:
        """All of the payment is the victim's; whose it was before claim it too."""
        marked: _Pool = {}
        rest = leaves(self.books.ledger, row) - _total(moved)
        for victims, part in [*_in_order(moved), (frozenset[int](), _Part(rest, {}))]:
            part.claims[victim] = part.units
            _pour(marked, victims | {victim}, part)
        return marked

    # --- what leaves --------------------------------------------------------------------------------

    def _leaving(self, row: int, pool: _Pool) -> _Pool:
        if row in self.books.ledger.reverses:
            wanted = self._given_back(row, pool)
        elif self.batches and len(self.books.batch(row)) > 1:
            return self._of_batch(row, pool)
        else:
            stolen, balance = self._free(row, pool)
            wanted = _shared(pool, self.rule(stolen, balance, leaves(self.books.ledger, row)))
        return _taken(pool, wanted)

    def _free(self, row: int, pool: _Pool) -> tuple[int, int]:
        """(stolen, balance) without what holds keep: they keep stolen money first, and the payment came past them."""
        ledger = self.books.ledger
        pot = int(ledger.sources[row])
        balance, stolen = self.books.statement(pot).balance_before(row), _total(pool)
        pins = (p for p in ledger.pins.get(pot, ()) if p.from_sequence < row <= (p.to_sequence or row))
        kept = min(sum(pin.coins.count for pin in pins), balance - leaves(ledger, row))
        return stolen - min(stolen, kept), balance - kept

    def _of_batch(self, row: int, pool: _Pool) -> _Pool:
        """At its first payment the batch takes what it can; each output is filled in turn, the highest first."""
        batch = self.books.batch(row)
        if row != batch[0]:
            return {}
        ledger = self.books.ledger
        for out in sorted(batch, key=lambda out: (-leaves(ledger, out), out)):
            stolen, balance = self._free(row, pool)
            self.allotted[out] = _taken(pool, _shared(pool, self.rule(stolen, balance, leaves(ledger, out))))
            if self.allotted[out] and out != row:
                self._queue(out)
        return self.allotted.pop(row)

    def _given_back(self, row: int, pool: _Pool) -> dict[_Victims, int]:
        """A return carries back what the payment it reverses brought, in proportion to what is returned, as far
        as it is still there; and never leaves more stolen money than money."""
        ledger = self.books.ledger
        before = ledger.reverses[row]
        pays, whole = leaves(ledger, row), comes(ledger, before)
        given, brought = self.brought.get(before, (0, {}))
        now = min(given + pays, whole)
        self.brought[before] = (now, brought)
        wanted: dict[_Victims, int] = {}
        for victims, part in _in_order(pool):
            came = brought.get(victims, 0)
            most = min(part.units, pays - sum(wanted.values()))
            wanted[victims] = min(came * now // whole - came * given // whole, most)
        stolen, balance = _total(pool), self.books.statement(int(ledger.sources[row])).balance_before(row)
        more = stolen - sum(wanted.values()) - (balance - pays)
        if more > 0:
            rest = {victims: _Part(part.units - wanted[victims], {}) for victims, part in pool.items()}
            for victims, units in _shared(rest, more).items():
                wanted[victims] += units
        return wanted

    # --- where it comes -----------------------------------------------------------------------------

    def _arrive(self, row: int, moved: _Pool, source: int) -> None:
        ledger = self.books.ledger
        pot = int(ledger.targets[row])
        came: dict[_Victims, int] = {}
        for victims, part in _converted(moved, leaves(ledger, row), comes(ledger, row)):
            came[victims] = part.units
            kept: dict[int, int] = {}
            for victim in sorted(victims):
                claim, found = part.claims[victim], self.found[victim]
                if not part.units:
                    found.rounding += claim
                elif self.books.ends_at(pot):
                    found.end(ledger, row, Share(part.units, claim))
                elif why := self.meter.refuses(found, pot, self._hops(found, row, source)):
                    found.leave(claim, why)
                else:
                    kept[victim] = claim
            if kept:
                _pour(self.pools[pot], frozenset(kept), _Part(part.units, kept))
        if ledger.reverses:
            self.brought[row] = (0, came)
        if pot in self.pools:
            self._watch(pot, row)

    def _hops(self, found: Found, row: int, source: int) -> int:
        return 0 if row == found.theft.row else found.opened[source] + 1

    def _stop(self, lost: dict[int, int], why: str) -> None:
        """Out of time: what may have moved on is not said to be held."""
        for victim in lost.values():
            self.found[victim].leave(self.found[victim].stolen, why)
        moving = [self.pools.pop(pot) for pot in list(self.due) if pot in self.pools]
        for pool in [*moving, *self.allotted.values()]:
            for part in pool.values():
                for victim, claim in part.claims.items():
                    self.found[victim].leave(claim, why)


def _shared(pool: _Pool, units: int) -> dict[_Victims, int]:
    """How many units of each part leave when `units` of the pool do: in proportion, exactly."""
    parts = _in_order(pool)
    if len(parts) == 1:
        return {parts[0][0]: units}
    shares = split(units, [part.units for _, part in parts]) if units else [0] * len(parts)
    return {victims: share for (victims, _), share in zip(parts, shares, strict=True)}


def _taken(pool: _Pool, wanted: dict[_Victims, int]) -> _Pool:
    moved: _Pool = {}
    for victims, units in wanted.items():
        if units:
            _pour(moved, victims, pool[victims].take(units))
            if not pool[victims].units:
                del pool[victims]
    return moved


def _converted(moved: _Pool, leaves: int, comes: int) -> Iterator[tuple[_Victims, _Part]]:
    """Part by part, the bounds between them rounded down: what leaves as a whole comes as a whole."""
    before = 0
    for victims, part in _in_order(moved):
        upto = before + part.units
        yield victims, _Part(upto * comes // leaves - before * comes // leaves, part.claims)
        before = upto
