"""A ledger as somebody has it in files: CSV rows, opening balances, accounts where following ends."""

from __future__ import annotations

import io
from pathlib import Path

from arrp.core.errors import Malformed
from arrp.node.files import read_file
from arrp.trace.asked import with_returns
from arrp.trace.booking import Booked, book
from arrp.trace.ledger import Ledger
from arrp.wire.ledger_csv import Rows, read_ledger_csv, read_opening_csv, read_terminals

LEDGER_BYTES = 4 << 30
_SHOWN = 5  # refused rows that are told one by one


def ledger_from_csv(path: Path, opening: Path | None = None, terminals: Path | None = None) -> Ledger:
    """The ledger of one CSV. Raises Malformed with the numbers of the rows that cannot stand, NotFound."""
    rows = read_ledger_csv(lines_of(path))
    _refuse(path, [str(row) for row in rows.refused])
    given, refused = read_opening_csv(lines_of(opening)) if opening else ({}, [])
    _refuse(opening or path, [str(row) for row in refused])
    booked = book(rows, given, read_terminals(lines_of(terminals)) if terminals else ())
    _refuse(path, _uncovered(rows, booked))
    return with_returns(booked.ledger, rows.reverses)


def lines_of(path: Path) -> io.StringIO:
    """A text file's lines. Raises Malformed for what is no UTF-8."""
    try:
        return io.StringIO(read_file(path, LEDGER_BYTES).decode("utf-8"), newline="")
    except UnicodeDecodeError as why:
        raise Malformed(f"{path} is no UTF-8 text (byte {why.start}): save it as CSV in UTF-8") from None


def _uncovered(rows: Rows, booked: Booked) -> list[str]:
    return [f"row {rows.numbers[one.transfer]}: {one}" for one in booked.uncovered]


def _refuse(path: Path, why: list[str]) -> None:
    if why:
        more = f"; and {len(why) - _SHOWN} more rows" if len(why) > _SHOWN else ""
        raise Malformed(f"{path}: {'; '.join(why[:_SHOWN])}{more}. Nothing was traced: put the rows right first")
