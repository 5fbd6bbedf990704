"""A ledger as CSV: lines of text in, columns and refusals out; nothing is repaired.

The header names `time,from,to,amount,asset,ref` in any order; more columns are allowed. Known among
them: `to_amount,to_asset` (what a conversion gave: a swap, a change of currency, a bridge),
`batch` (transfers that one order made) and `reverses` (the ref that a return undoes). An empty
`from` or `to` is the outside. Rows count from 1, the first below the header, on through all files
of one ledger: the order of the rows is the order of booking.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from arrp.core.errors import Malformed
from arrp.core.money import Amount

NEEDED = ("time", "from", "to", "amount", "asset", "ref")
FURTHER = ("to_amount", "to_asset", "batch", "reverses")
UNITS_MAX = 2**63 - 1  # of one transfer, as of the columns

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NONE = ("",) * len(FURTHER)


@dataclass(frozen=True, slots=True, order=True)
class RefusedRow:
    """A row that cannot stand in a ledger, and why."""

    row: int
    why: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.why}"


@dataclass(slots=True)
class Rows:
    """The rows that can be read, as columns of one length; `numbers` are their places in the files.

    amounts, to_amounts: minor units that leave and that come. times: microseconds since 1970, UTC.
    Where nothing is converted, to_amounts and to_assets repeat amounts and assets.
    """

    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    to_amounts: list[int] = field(default_factory=list)
    to_assets: list[str] = field(default_factory=list)
    refs: list[str] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    reverses: list[str] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    opening: dict[tuple[str, str], int] = field(default_factory=dict)  # by account and asset, where the files say it
    row: int = 0  # the last one looked at, refused or not
    _by_ref: dict[str, int] = field(default_factory=dict)
    _last_time: tuple[str, int] = ("", 0)

    def take(self, cells: Sequence[str]) -> None:
        """One row: NEEDED, then FURTHER, in that order. What cannot stand is written down as refused."""
        self.row += 1
        try:
            self._book(*cells)
        except Malformed as why:
            self.refuse(str(why))

    def refuse(self, why: str) -> None:
        self.refused.append(RefusedRow(self.row, why))

    def _book(self, *cells: str) -> None:
        time, source, target, amount, asset, ref, to_amount, to_asset, batch, reverses = cells
        if not ref:
            raise Malformed("it has no ref: give each transfer its own")
        if earlier := self._by_ref.setdefault(ref, self.row) - self.row:
            raise Malformed(f"ref {ref} stands on row {earlier + self.row} already: leave one of them out")
        if not source and not target:
            raise Malformed("it is neither from an account nor to one")
        if bool(to_amount) != bool(to_asset):
            raise Malformed("a conversion has both to_amount and to_asset; anything else has neither")
        instant = self._time(time)
        leaves = units_of(amount, asset)
        comes = units_of(to_amount, to_asset) if to_asset else leaves
        self.numbers.append(self.row)
        self.times.append(instant)
        self.sources.append(source)
        self.targets.append(target)
        self.amounts.append(leaves)
        self.assets.append(asset)
        self.to_amounts.append(comes)
        self.to_assets.append(to_asset or asset)
        self.refs.append(ref)
        self.batches.append(batch)
        self.reverses.append(reverses)

    def _time(self, text: str) -> int:
        """Neighbouring rows often share their instant, and reading one is the dearest part of a row."""
        if text != self._last_time[0]:
            self._last_time = (text, microseconds(text))
        return self._last_time[1]


def microseconds(text: str) -> int:
    """Since 1970, of an ISO 8601 instant with its offset. Raises Malformed: no zone is assumed."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            return (instant - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise Malformed(f"time {text!r} is not an instant written as 2026-11-22T09:30:00Z") from None
    raise Malformed(f"time {text!r} has no time zone, and none may be assumed: write 2026-11-22T09:30:00Z")


def units_of(amount: str, asset: str, least: int = 1) -> int:
    """Minor units of a decimal number, `least` at least. Raises Malformed."""
    units = Amount.parse(amount, asset).minor
    if units < least:
        raise Malformed(f"amount {amount} {asset} is not above zero")
    if units > UNITS_MAX:
        raise Malformed(f"amount {amount} {asset} is {units} of its smallest units: {UNITS_MAX} is the most")
    return units


def read_ledger_csv(lines: Iterable[str], rows: Rows | None = None) -> Rows:
    """One file, added behind what `rows` has. Raises Malformed if it has no header that can be used."""
    rows = Rows() if rows is None else rows
    reader = csv.reader(lines, strict=True)
    header = _header(reader)
    places = [header[name] for name in NEEDED]
    further = [header.get(name, -1) for name in FURTHER]
    width = len(header)
    for cells in _records(reader, rows):
        if len(cells) != width:
            rows.row += 1
            rows.refuse(f"it has {len(cells)} fields, the header has {width}")
            continue
        more = [cells[place] if place >= 0 else "" for place in further] if max(further) >= 0 else _NONE
        rows.take([*(cells[place] for place in places), *more])
    return rows


def _header(reader: Iterator[list[str]]) -> Mapping[str, int]:
    try:
        names = [name.removeprefix("\ufeff").strip() for name in next(reader, [])]
    except csv.Error as why:
        raise Malformed(f"the header cannot be read ({why})") from None
    if lacking := [name for name in NEEDED if name not in names]:
        raise Malformed(f"the header has no {', '.join(lacking)}: it is {','.join(NEEDED)}, more columns allowed")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Malformed(f"the header has {', '.join(twice)} twice")
    return {name: place for place, name in enumerate(names)}


def _records(reader: Iterator[list[str]], rows: Rows) -> Iterator[list[str]]:
    """Each record; lines with nothing on them are none. After a quote that never ends nothing can be read."""
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as why:
            rows.row += 1
            rows.refuse(f"it is no CSV ({why})")
            continue
        if cells:
            yield cells


def read_opening_csv(lines: Iterable[str]) -> tuple[dict[tuple[str, str], int], list[RefusedRow]]:
    """`account,amount,asset`: what accounts had before the first row; (account, asset) to minor units."""
    reader = csv.reader(lines, strict=True)
    found: dict[tuple[str, str], int] = {}
    refused: list[RefusedRow] = []
    header = [name.removeprefix("\ufeff").strip() for name in next(reader, [])]
    if header[:3] != ["account", "amount", "asset"]:
        raise Malformed("a file of opening balances begins with the header account,amount,asset")
    try:
        for row, cells in enumerate(filter(None, reader), 1):
            try:
                _open(found, cells)
            except Malformed as why:
                refused.append(RefusedRow(row, str(why)))
    except csv.Error as why:
        raise Malformed(f"the opening balances are no CSV ({why})") from None
    return found, refused


def _open(found: dict[tuple[str, str], int], cells: Sequence[str]) -> None:
    if len(cells) < 3:
        raise Malformed(f"it has {len(cells)} fields, the header has account,amount,asset")
    account, amount, asset = cells[:3]
    if not account:
        raise Malformed("it names no account: what is outside the ledger has no balance")
    if (account, asset) in found:
        raise Malformed(f"account {account} has an opening balance in {asset} already")
    found[account, asset] = units_of(amount, asset, least=0)


def read_terminals(lines: Iterable[str]) -> set[str]:
    """Accounts that are told and never followed, one a line; a first line `account` is a header."""
    names = [line.split(",")[0].strip().removeprefix("\ufeff") for line in lines]
    return {name for place, name in enumerate(names) if name and not (place == 0 and name == "account")}
