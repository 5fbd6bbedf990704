"""Where rows of a ledger come from: a folder of files, and a query on either engine, which is only read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from arrp.connectors import CoreDown
from arrp.connectors.manual import ManualCore
from arrp.core.errors import Malformed
from arrp.node.ledger_feeds import FileFeed, SqlFeed, _read_only
from arrp.node.ledger_settings import LedgerSettings
from arrp.node.own_ledger import ledger_core

HEADER = "time,from,to,amount,asset,ref\n"
AT = "2026-03-02T09:00:00+00:00"
QUERY = """SELECT number AS sequence, at AS time, payer AS "from", payee AS "to", amount, 'EUR' AS asset,
           'T' || number AS ref, ':x' AS purpose FROM bookings;"""


class Database:
    """A bank's own, which somebody else writes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_engine(url)
        moment = "TIMESTAMPTZ" if self.engine.dialect.name == "postgresql" else "TEXT"
        amount = "NUMERIC(20, 2)" if self.engine.dialect.name == "postgresql" else "TEXT"
        self.run(f"CREATE TABLE bookings (number INTEGER, at {moment}, payer TEXT, payee TEXT, amount {amount})")

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement.replace(":", r"\:")))

    def book(self, number: int, payer: str, payee: str, amount: str) -> None:
        self.run(f"INSERT INTO bookings VALUES ({number}, '{AT}', {payer}, '{payee}', '{amount}')")


@pytest.fixture
def database(new_store: Callable[[], str]) -> Database:
    return Database(new_store())


def test_a_query_is_read_from_where_it_was(database: Database) -> None:
    feed = SqlFeed(database.url, QUERY)
    database.book(3, "NULL", "A", "10.50")
    first = feed.read()
    (row,) = first.rows
    assert (first.anew, row.sequence, row.source, row.target, row.amount, row.ref, row.purpose) == (
        True, 3, "", "A", 1050, "T3", ":x")
    assert datetime.fromtimestamp(row.time / 1e6, UTC).isoformat() == AT
    assert feed.read().rows == []
    database.book(7, "'A'", "B", "1.00")
    again = feed.read()
    assert (again.anew, [one.sequence for one in again.rows]) == (False, [7])
    database.book(5, "'A'", "B", "1.00")
    late = feed.read()
    assert (late.anew, [one.sequence for one in late.rows]) == (True, [3, 5, 7])
    database.engine.dispose()


def test_a_row_that_appears_among_those_that_were_read_is_refused(database: Database, tmp_path: Path) -> None:
    """T39: of a database, too, what was read must be there as it was, also for the next process."""
    settings = LedgerSettings("sql", database.url, QUERY)
    core = ledger_core(settings, ManualCore(tmp_path / "tasks.db", lambda: datetime(2026, 3, 2, tzinfo=UTC)))
    for number in (3, 7):
        database.book(number, "NULL", "A", "10.50")
    assert core.ledger.newest()[0] == 7
    database.book(5, "NULL", "A", "1.00")
    for _ in range(2):
        with pytest.raises(CoreDown, match=r"2 rows\) reads otherwise now"):
            core.ledger.newest()
    database.run("DELETE FROM bookings WHERE number = 5")
    assert core.ledger.newest()[0] == 7
    database.run("UPDATE bookings SET amount = '10.51' WHERE number = 3")
    core.close()
    core = ledger_core(settings, ManualCore(tmp_path / "tasks.db", lambda: datetime(2026, 3, 2, tzinfo=UTC)))
    with pytest.raises(CoreDown, match="reads otherwise now"):
        core.ledger.newest()
    core.close()
    database.engine.dispose()


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT number AS sequence FROM bookings", "the query yields no time, from, to, amount, asset, ref"),
        (QUERY.replace("number AS sequence", "'x' AS sequence"), "sequence 'x' is not a whole number|cannot be read"),
        (QUERY.replace("amount,", "CAST(1.5 AS DOUBLE PRECISION) AS amount,"), "is a floating number, 1.5: cast it"),
        ("SELECT * FROM nowhere", "nowhere"),
    ],
)
def test_a_query_that_yields_no_ledger(database: Database, tmp_path: Path, query: str, why: str) -> None:
    database.book(1, "NULL", "A", "1.00")
    hands = ManualCore(tmp_path / "tasks.db", lambda: datetime(2026, 3, 2, tzinfo=UTC))
    core = ledger_core(LedgerSettings("sql", database.url, query), hands)
    with pytest.raises(CoreDown, match=why):
        core.ledger.newest()
    core.close()
    database.engine.dispose()


def test_a_database_is_only_read_and_its_password_not_told(database: Database) -> None:
    feed = SqlFeed(database.url, QUERY)
    feed.read()
    with feed._engine.connect() as connection:
        _read_only(connection)
        with pytest.raises(DBAPIError, match=r"read-?only"):
            connection.execute(text("DELETE FROM bookings"))
    assert "secret" not in SqlFeed("postgresql+psycopg://u:secret@h/x", QUERY).name
    with pytest.raises(Malformed, match="no database that can be reached") as found:
        SqlFeed("nonsense://u:secret@h", QUERY)
    assert "secret" not in str(found.value)
    database.engine.dispose()


def test_a_folder_is_one_ledger_in_the_order_of_names(tmp_path: Path) -> None:
    """A new file comes after; the one before is finished. Numbers run on."""
    feed = FileFeed(tmp_path)

    def write(name: str, *refs: str) -> None:
        (tmp_path / name).write_text(HEADER + "".join(f"{AT},,A,1.00,EUR,{ref}\n" for ref in refs))

    write("2026-03-01.csv", "a", "b")
    assert [(row.sequence, row.ref) for row in feed.read().rows] == [(1, "a"), (2, "b")]
    write("2026-03-01.csv", "a", "b", "c")
    write("2026-03-02.csv", "d")
    batch = feed.read()
    assert (batch.anew, [(row.sequence, row.ref) for row in batch.rows]) == (False, [(3, "c"), (4, "d")])
    write("2026-03-02.csv", "d", "e")
    batch = feed.read()
    assert (batch.anew, [(row.sequence, row.ref) for row in batch.rows]) == (False, [(5, "e")])
    write("2026-03-01.csv", "a", "b", "c", "late")
    assert feed.read().anew
    write("2026-02-28.csv", "z")
    assert feed.read().rows[0].ref == "z"
