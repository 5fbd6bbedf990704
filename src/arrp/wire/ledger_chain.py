"""Transfers exported from a chain: CSV with `Timestamp,Block,Tx_hash,From,To,Value_in_USD`, more columns allowed.

Explorers export in no order, and a chain's own order is the block: rows are booked by block, within a
block as they stand in the file. Times are UTC, as block times are. A transaction with several
transfers is one batch; its second one has the ref `…#2`. Accounts become CAIP-10, refs `<CAIP-2>/tx:<hash>`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from arrp.core.errors import Malformed
from arrp.wire.ledger_csv import Rows

CHAIN_NEEDED = ("Timestamp", "Block", "Tx_hash", "From", "To", "Value_in_USD")
ASSET = "USD"  # what the export counts in

_CHAIN = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})")


def is_chain_export(header: str) -> bool:
    """Whether a first line is the header of such a file."""
    return set(CHAIN_NEEDED) <= {name.strip() for name in header.removeprefix("\ufeff").split(",")}


def read_chain_csv(lines: Iterable[str], chain: str, rows: Rows | None = None) -> Rows:
    """One file, added behind what `rows` has, numbered as the rows stand in it. `chain`: CAIP-2, `eip155:1`.

    Raises Malformed for a header or a chain that cannot be used.
    """
    rows = Rows() if rows is None else rows
    check_chain(chain)
    reader = csv.DictReader(lines, strict=True)
    if lacking := [name for name in CHAIN_NEEDED if name not in (reader.fieldnames or ())]:
        raise Malformed(f"the header has no {', '.join(lacking)}: it is {','.join(CHAIN_NEEDED)}, more columns allowed")
    try:
        found = [(number, [cells[name] or "" for name in CHAIN_NEEDED]) for number, cells in enumerate(reader, 1)]
    except csv.Error as why:
        raise Malformed(f"line {reader.line_num} is no CSV ({why})") from None
    _book(found, chain, rows)
    return rows


def _book(found: Sequence[tuple[int, Sequence[str]]], chain: str, rows: Rows) -> None:
    before, of_transaction = rows.row, Counter[str]()
    readable = []
    for number, cells in found:
        if cells[1].isascii() and cells[1].isdigit():
            readable.append((int(cells[1]), number, cells))
        else:
            rows.row = before + number
            rows.refuse(f"block {cells[1]!r} is not a whole number")
    for _, number, cells in sorted(readable, key=lambda row: row[:2]):
        of_transaction[cells[2]] += 1
        rows.row = before + number - 1
        rows.take(chain_cells(chain, cells, of_transaction[cells[2]]))
    rows.row = before + len(found)


def chain_cells(chain: str, cells: Sequence[str], place: int) -> list[str]:
    """The cells of CHAIN_NEEDED as a ledger has them (NEEDED, then FURTHER). `place`: which transfer of its
    transaction it is, from 1."""
    time, _, transaction, source, target, value = cells
    ref, at = f"{chain}/tx:{transaction}" if transaction else "", _TIME.fullmatch(time)
    return [
        f"{at[1]}T{at[2]}Z" if at else time, _account(chain, source), _account(chain, target), value, ASSET,
        f"{ref}#{place}" if place > 1 else ref, "", "", ref, "",
    ]  # fmt: skip


def check_chain(chain: str) -> None:
    """Raises Malformed for what is no CAIP-2 name."""
    if not _CHAIN.fullmatch(chain):
        raise Malformed(f"which chain are these transfers of? {chain!r} is no CAIP-2 name such as eip155:1")


def _account(chain: str, address: str) -> str:
    return f"{chain}:{address}" if address else ""
