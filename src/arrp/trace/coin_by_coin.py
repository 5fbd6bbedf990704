"""Every coin of every account moved by hand, row after row: slow, whole numbers only, and right by its looks.

It is what first and last in first out *mean*, holds and returns included, and the oracle that the
interval searches are tested against. A ledger with holds or returns is followed here.

A pot is a list of segments: neighbouring coins with the same history, in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from arrp.core.coins import Coins
from arrp.trace.found import Found, Meter, Share, Theft, begin, comes, leaves
from arrp.trace.intervals import Frame
from arrp.trace.statement import Books


@dataclass(frozen=True, slots=True)
class _Mark:
    """Stolen coins: the first is at `first` in the frame of their claim, which runs with `way`."""

    frame: Frame
    first: int
    way: int
    hops: int


@dataclass(frozen=True, slots=True)
class _Segment:
    """Coins number, number + 1 … of a pot; a mark begins at the first of them."""

    number: int
    count: int
    mark: _Mark | None = None

    def cut(self, low: int, high: int) -> _Segment:
        """Coins [low, high) of it."""
        mark = self.mark and replace(self.mark, first=self.mark.first + self.mark.way * low)
        return _Segment(self.number + low, high - low, mark)

    def turned(self) -> _Segment:
        """The last coin first."""
        mark = self.mark and replace(
            self.mark, first=self.mark.first + self.mark.way * self.count, way=-self.mark.way
        )
        return _Segment(self.number, self.count, mark)

    @property
    def share(self) -> Share:
        """The stolen money in it."""
        if self.mark is None:
            return Share()
        return Share(self.count, self.mark.frame.between(self.mark.first, self.mark.first + self.mark.way * self.count))


def fifo_by_coin(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """First in first out, over pinned coins; a return takes the coins it carries back."""
    return [_Walk(books, meter, False, begin(books, theft)).run() for theft in thefts]


def lifo_by_coin(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """Last in first out: the newest coin that no hold pins is paid first, and is the first to arrive."""
    return [_Walk(books, meter, True, begin(books, theft)).run() for theft in thefts]


@dataclass
class _Walk:
    books: Books
    meter: Meter
    newest: bool
    found: Found
    pots: dict[int, list[_Segment]] = field(default_factory=dict)
    next_number: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)  # row -> the number its first coin has at the target

    def run(self) -> Found:
        ledger = self.books.ledger
        for pot, opening in enumerate(ledger.opening.tolist()):
            self.next_number[pot] = opening
            self.pots[pot] = [_Segment(0, opening)] if opening else []
        for row in range(len(ledger.amounts)):
            if why := self.meter.late():
                self._stop(row, why)
                return self.found
            if not self.books.moves_nothing(row):
                self._move(row)
        for pot, segments in self.pots.items():
            for segment in segments:
                self.found.hold(pot, segment.share)
        return self.found

    def _stop(self, row: int, why: str) -> None:
        if row <= self.found.theft.row:
            self.found.leave(self.found.stolen, why)
        for segments in self.pots.values():
            for segment in segments:
                if segment.mark:
                    self.found.leave(segment.share.claim, why)

    def _move(self, row: int) -> None:
        ledger = self.books.ledger
        source, units = int(ledger.sources[row]), leaves(ledger, row)
        moved = [_Segment(0, units)] if self.books.ends_at(source) else self._take(row, source, units)
        if row == self.found.theft.row:
            moved = [_Segment(0, units, _Mark(Frame(units, units), 0, 1, -1))]
        for segment in moved:
            if segment.mark:
                self.found.flow(row, segment.share)
        if units != comes(ledger, row):
            moved = self._converted(moved, units, comes(ledger, row))
        self._arrive(row, moved)

    def _take(self, row: int, pot: int, units: int) -> list[_Segment]:
        """Split the pot's segments into those the payment takes and those that stay."""
        pinned = Coins.of(
            span
            for pin in self.books.ledger.pins.get(pot, ())
            if pin.from_sequence < row <= (row if pin.to_sequence is None else pin.to_sequence)
            for span in pin.coins
        )
        here = Coins.of((segment.number, segment.number + segment.count) for segment in self.pots[pot])
        free = here - pinned
        named = self._returned(row, free, units)
        rest = free - named
        chosen = named | (rest.highest if self.newest else rest.lowest)(units - named.count)
        if chosen.count < units:  # more is paid than is free: then a hold's own coins were let go
            short = here - chosen
            chosen = chosen | (short.highest if self.newest else short.lowest)(units - chosen.count)
        taken, self.pots[pot] = _parted(self.pots[pot], chosen)
        assert sum(segment.count for segment in taken) == units, "a pot pays what it has"
        return [segment.turned() for segment in reversed(taken)] if self.newest else taken

    def _returned(self, row: int, free: Coins, units: int) -> Coins:
        """The coins that a return carries back, as far as they are here and free."""
        ledger = self.books.ledger
        if row not in ledger.reverses or ledger.reverses[row] not in self.numbers:
            return Coins()
        before = ledger.reverses[row]
        whole = Coins.of([(0, comes(ledger, before))])
        if row in ledger.carries:
            return (ledger.carries[row].lowest(units) & whole).shifted(self.numbers[before]) & free
        there = whole.shifted(self.numbers[before]) & free
        return there.highest(units) if self.newest else there.lowest(units)

    def _arrive(self, row: int, moved: list[_Segment]) -> None:
        ledger = self.books.ledger
        pot = int(ledger.targets[row])
        self.numbers[row] = self.next_number[pot]
        for segment in moved:
            if segment.mark and (mark := self._entered(row, segment, segment.mark)) != segment.mark:
                segment = _Segment(0, segment.count, mark)
            if not self.books.ends_at(pot):
                self.pots[pot].append(replace(segment, number=self.next_number[pot]))
            self.next_number[pot] += segment.count

    def _entered(self, row: int, segment: _Segment, mark: _Mark) -> _Mark | None:
        """The mark as it goes on from here; None where stolen money is told and not followed."""
        ledger, share = self.books.ledger, segment.share
        pot = int(ledger.targets[row])
        if self.books.ends_at(pot):
            self.found.end(ledger, row, share)
        elif why := self.meter.refuses(self.found, pot, mark.hops + 1):
            self.found.leave(share.claim, why)
        else:
            return replace(mark, hops=mark.hops + 1)
        return None

    def _converted(self, moved: list[_Segment], leaves: int, comes: int) -> list[_Segment]:
        """Segment by segment, the bounds between them rounded down: no unit is made or lost."""
        came: list[_Segment] = []
        before = 0
        for segment in moved:
            low, high = (bound * comes // leaves for bound in (before, before + segment.count))
            before += segment.count
            if low == high:
                self.found.rounding += segment.share.claim
                continue
            mark = segment.mark and _Mark(Frame(high - low, segment.share.claim), 0, 1, segment.mark.hops)
            came.append(_Segment(0, high - low, mark))
        return came


def _parted(segments: list[_Segment], chosen: Coins) -> tuple[list[_Segment], list[_Segment]]:
    """The coins chosen, and the others, both in their order."""
    taken: list[_Segment] = []
    left: list[_Segment] = []
    for segment in segments:
        whole = Coins(((segment.number, segment.number + segment.count),))
        for low, high in whole & chosen:
            taken.append(segment.cut(low - segment.number, high - segment.number))
        for low, high in whole - chosen:
            left.append(segment.cut(low - segment.number, high - segment.number))
    return taken, left
