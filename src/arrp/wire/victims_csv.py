"""The payments that victims lost, as CSV: a column `ref`, or `from,at,amount` and perhaps `to`."""

from __future__ import annotations

import csv
from collections.abc import Iterable

from arrp.core.errors import Malformed
from arrp.wire.ledger_csv import microseconds

KNOWN = ("ref", "from", "at", "amount", "to")


def read_victims(lines: Iterable[str]) -> list[dict[str, str]]:
    """One dict for each line with the columns KNOWN, "" where one is not there. Raises Malformed, with the row."""
    try:
        rows = [[cell.strip() for cell in cells] for cells in csv.reader(lines, strict=True) if any(cells)]
    except csv.Error as why:
        raise Malformed(f"the victims' payments are no CSV ({why})") from None
    header = [name.removeprefix("\ufeff") for name in rows[0]] if rows else []
    if "ref" not in header and not {"from", "at", "amount"} <= set(header):
        raise Malformed("the victims' payments begin with the header ref, or from,at,amount (and to, if known)")
    return [_payment(row, header, cells) for row, cells in enumerate(rows[1:], 1)]


def _payment(row: int, header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise Malformed(f"row {row}: it has {len(cells)} fields, the header has {len(header)}")
    given = dict(zip(header, cells, strict=True))
    payment = {name: given.get(name, "") for name in KNOWN}
    if not payment["ref"]:
        if not (payment["at"] and payment["amount"]):
            raise Malformed(f"row {row}: it names no payment: give its ref, or from, at and amount")
        microseconds(payment["at"])
    return payment
