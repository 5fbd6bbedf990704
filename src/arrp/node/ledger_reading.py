"""Files of a ledger, read row by row: which kind each is, and what is said when something in them cannot stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain as chain_of
from pathlib import Path

from arrp.core.errors import Malformed, NotFound
from arrp.node.bulk import is_parquet, parquet_rows, read_bulk
from arrp.node.files import read_file
from arrp.trace.asked import with_returns
from arrp.trace.booking import Booked, book
from arrp.trace.ledger import Ledger
from arrp.wire.ledger_camt import is_statement, read_camt
from arrp.wire.ledger_chain import is_chain_export, read_chain_csv
from arrp.wire.ledger_csv import RefusedRow, Rows, read_ledger_csv, read_opening_csv, read_terminals

Told = Callable[[str], None]
Opening = dict[tuple[str, str], int]

STATEMENT_BYTES = 1 << 30
SHOWN = 20  # refused rows that are said; the rest is counted
_EVERY = 500_000  # rows between two words of progress


def read_rows(paths: Sequence[Path], told: Told = lambda _: None, chain: str = "") -> Rows:
    """All files in their order as one ledger; what cannot stand is in `refused`. Raises NotFound, Malformed.

    In bulk where there is an engine and nothing is in doubt, else row by row: the same result. `chain`: of
    which chain exports are (CAIP-2).
    """
    for path in paths:
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
    statements = [_is_statement(path) for path in paths]
    if any(statements):
        if not all(statements):
            raise Malformed("statements (XML) and rows are two orders of booking: build one ledger of either")
        return read_camt([(str(path), read_file(path, STATEMENT_BYTES)) for path in paths])
    return read_bulk(paths, told) or read_row_by_row(paths, told, chain)


def _is_statement(path: Path) -> bool:
    with path.open("rb") as file:
        return is_statement(file.read(64))


def read_row_by_row(paths: Sequence[Path], told: Told = lambda _: None, chain: str = "") -> Rows:
    """The same, without an engine."""
    rows = Rows()
    for path in paths:
        if is_parquet(path):
            for cells in parquet_rows(path):
                rows.take(cells)
            continue
        with text_of(path) as lines, _of_file(path):
            first = next(lines, "")
            every = chain_of([first], _counted(lines, path, told))
            if is_chain_export(first):
                read_chain_csv(every, chain, rows)
            else:
                read_ledger_csv(every, rows)
    return rows


def read_ledger(files: Sequence[Path], opening: Path | None, terminals: Path | None) -> Ledger:
    """The ledger of these files, returns included, in memory. Raises Malformed with the numbers of the rows that cannot
    stand, NotFound."""
    rows = read_rows(files)
    booked = book_rows(rows, read_opening(opening), read_terminal_accounts(terminals))
    return with_returns(booked.ledger, rows.reverses)


def read_opening(path: Path | None) -> Opening:
    """Opening balances in minor units by (account, asset). Raises Malformed with the rows that cannot stand."""
    if path is None:
        return {}
    with text_of(path) as lines, _of_file(path):
        found, refused = read_opening_csv(lines)
        refuse(refused)
    return found


def read_terminal_accounts(path: Path | None) -> set[str]:
    if path is None:
        return set()
    with text_of(path) as lines:
        return read_terminals(lines)


def book_rows(rows: Rows, opening: Opening, terminals: set[str]) -> Booked:
    """The ledger that the rows are. Raises Malformed with the number of every row that cannot stand."""
    refuse(rows.refused)
    booked = book(rows, {**rows.opening, **opening}, terminals)
    refuse([RefusedRow(rows.numbers[found.transfer], str(found)) for found in booked.uncovered])
    return booked


def refuse(refused: Sequence[RefusedRow]) -> None:
    """Raises Malformed if there are any: nothing is left out of a ledger in silence, so nothing is built."""
    if refused:
        first = sorted(refused)[:SHOWN]
        more = f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        rows = "1 row" if len(refused) == 1 else f"{len(refused)} rows"
        raise Malformed(f"{rows} cannot stand, so nothing was done. {'; '.join(map(str, first))}{more}")


@contextmanager
def text_of(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a text file. Raises NotFound, and Malformed for what is not UTF-8."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield iter(file)
    except FileNotFoundError:
        raise NotFound(f"there is no {path}") from None
    except UnicodeDecodeError as why:
        raise Malformed(f"{path} is not UTF-8 (byte {why.start}): save it as CSV in UTF-8") from None


@contextmanager
def _of_file(path: Path) -> Iterator[None]:
    try:
        yield
    except Malformed as why:
        raise Malformed(f"{path}: {why}") from None


def _counted(lines: Iterable[str], path: Path, told: Told) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number and number % _EVERY == 0:
            told(f"{path.name}: {number} rows")
        yield line
