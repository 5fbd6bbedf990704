"""The rows of an institution's own ledger, each with what a bank knows of it beside the money.

The columns are those of wire/ledger_csv.py and, where the export has them, FURTHER_OWN: names, agents,
references, and in `ends` why nothing comes after (cash, fee, good_faith). A chain's export is read as
wire/ledger_chain.py says, block after block. Nothing is repaired: a row that cannot stand is refused by
its number, and with it all that comes after, since a ledger is read in booking order.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from arrp.core.account import parse_account
from arrp.core.errors import Malformed
from arrp.core.ledger import End
from arrp.wire.ledger_chain import CHAIN_NEEDED, chain_cells, check_chain
from arrp.wire.ledger_csv import FURTHER, NEEDED, microseconds, units_of

FURTHER_OWN = ("from_name", "to_name", "from_agent", "to_agent", "purpose", "uetr", "end_to_end", "ends")

_ENDS = frozenset({"", *(end.value for end in End if end is not End.OVERDRAFT)})


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One transfer. sequence: the ledger's own booking number. time: microseconds since 1970, UTC. amount: minor
    units that leave; to_amount: that come. Accounts are in normal form where they are accounts of the world."""

    sequence: int
    time: int
    source: str
    target: str
    amount: int
    asset: str
    to_amount: int
    to_asset: str
    ref: str
    reverses: str
    from_name: str = ""
    to_name: str = ""
    from_agent: str = ""
    to_agent: str = ""
    purpose: str = ""
    uetr: str = ""
    end_to_end: str = ""
    ends: str = ""

    @property
    def source_pot(self) -> tuple[str, str]:
        return self.source, self.asset

    @property
    def target_pot(self) -> tuple[str, str]:
        return self.target, self.to_asset

    @property
    def refs(self) -> tuple[str, ...]:
        """Every name it is known by."""
        return tuple(dict.fromkeys(name for name in (self.ref, self.uetr, self.end_to_end) if name))


@dataclass(slots=True)
class OwnAccounts:
    """Accounts in normal form; each is parsed once."""

    known: dict[str, str] = field(default_factory=dict)

    def normal(self, text: str) -> str:
        """As a request would write it; a name that only this ledger has (a till, a fee account) stays as it is."""
        if text not in self.known:
            try:
                self.known[text] = parse_account(text)
            except Malformed:
                self.known[text] = text
        return self.known[text]


def own_row(sequence: int, cells: Mapping[str, str], accounts: OwnAccounts) -> OwnRow:
    """A row by its columns; those that are not there are empty. Raises Malformed, naming the row."""
    try:
        return _row(sequence, cells, accounts)
    except Malformed as why:
        raise Malformed(f"row {sequence}: {why}") from None


def _row(sequence: int, cells: Mapping[str, str], accounts: OwnAccounts) -> OwnRow:
    source, target = accounts.normal(cells["from"]), accounts.normal(cells["to"])
    if not cells["ref"]:
        raise Malformed("it has no ref: give each transfer its own")
    if not source and not target:
        raise Malformed("it is neither from an account nor to one")
    to_amount, to_asset = cells.get("to_amount", ""), cells.get("to_asset", "")
    if bool(to_amount) != bool(to_asset):
        raise Malformed("a conversion has both to_amount and to_asset; anything else has neither")
    if cells.get("ends", "") not in _ENDS:
        raise Malformed(f"ends is {', '.join(sorted(_ENDS - {''}))} or empty, not {cells['ends']!r}")
    units = units_of(cells["amount"], cells["asset"])
    return OwnRow(
        sequence, microseconds(cells["time"]), source, target, units, cells["asset"],
        units_of(to_amount, to_asset) if to_asset else units, to_asset or cells["asset"], cells["ref"],
        cells.get("reverses", ""), **{name: cells.get(name, "") for name in FURTHER_OWN},
    )  # fmt: skip


@dataclass(slots=True)
class OwnFile:
    """One file of a ledger as far as it was read: its header, and of a chain the last block and its transactions.

    `chain`: of which chain explorer exports are (CAIP-2), "" where there are none.
    """

    chain: str = ""
    header: tuple[str, ...] = ()
    block: int = -1
    of_transaction: Counter[str] = field(default_factory=Counter)

    def read(self, lines: Iterable[str], after: int, accounts: OwnAccounts) -> list[OwnRow]:
        """What was appended, numbered on from `after`. Raises Malformed with the number of the row."""
        records = self._records(lines, after)
        if not self.header:
            self.header = self._header(next(records, []))
        if set(CHAIN_NEEDED) <= set(self.header):
            return self._blocks(list(records), after, accounts)
        found = []
        for number, cells in enumerate(records, after + 1):
            if len(cells) != len(self.header):
                raise Malformed(f"row {number}: it has {len(cells)} fields, the header has {len(self.header)}")
            found.append(own_row(number, dict(zip(self.header, cells, strict=True)), accounts))
        return found

    def _records(self, lines: Iterable[str], after: int) -> Iterator[list[str]]:
        reader = csv.reader(lines, strict=True)
        try:
            yield from filter(None, reader)
        except csv.Error as why:
            raise Malformed(f"after row {after}, line {reader.line_num} is no CSV ({why})") from None

    def _header(self, cells: Sequence[str]) -> tuple[str, ...]:
        names = tuple(name.removeprefix("\ufeff").strip() for name in cells)
        if set(CHAIN_NEEDED) <= set(names):
            check_chain(self.chain)
        elif lacking := [name for name in NEEDED if name not in names]:
            raise Malformed(f"the header has no {', '.join(lacking)}: it is {','.join(NEEDED)}, more columns allowed")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise Malformed(f"the header has {', '.join(twice)} twice")
        return names

    def _blocks(self, records: Sequence[Sequence[str]], after: int, accounts: OwnAccounts) -> list[OwnRow]:
        """Explorers export in no order: booked is block after block, within one as the rows stand."""
        places = [self.header.index(name) for name in CHAIN_NEEDED]
        rows = []
        for number, cells in enumerate(records, after + 1):
            if len(cells) != len(self.header):
                raise Malformed(f"row {number}: it has {len(cells)} fields, the header has {len(self.header)}")
            picked = [cells[place] for place in places]
            if not (picked[1].isascii() and picked[1].isdigit()):
                raise Malformed(f"row {number}: block {picked[1]!r} is not a whole number")
            if int(picked[1]) < self.block:
                raise Malformed(f"row {number}: block {picked[1]} comes after block {self.block} was read: what was "
                                "booked is never re-ordered. Export whole blocks, the newest last")
            rows.append(picked)
        found = []
        for number, picked in enumerate(sorted(rows, key=lambda row: int(row[1])), after + 1):
            self.of_transaction[picked[2]] += 1
            booked = chain_cells(self.chain, picked, self.of_transaction[picked[2]])
            found.append(own_row(number, dict(zip((*NEEDED, *FURTHER), booked, strict=True)), accounts))
        self.block = max([self.block, *(int(row[1]) for row in rows)])
        return found
