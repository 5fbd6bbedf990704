"""Statements that are said to the driver as they are do what SQLAlchemy's own way does, and fail as it fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from arrp.node.store.engine import Store
from arrp.node.store.prepared import Prepared
from arrp.node.store.tables import cases, of
from tests.node.cutting import ended

AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
OPEN = Prepared(insert(cases))
FIND = Prepared(select(cases.c.id, cases.c.version).where(of(cases.c.id)).with_for_update())
NOTE = Prepared(update(cases).where(of(cases.c.id)))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url)
    yield made
    made.close()


def row(id: str, **other: Any) -> dict[str, Any]:
    return {"id": id, "key": f"key of {id}", "version": 0, "state": "open", "title": "É", "opened_at": AT,
            "due_at": None, **other}


def written(connection: Connection) -> list[dict[str, Any]]:
    return [dict(found) for found in connection.execute(select(cases).order_by(cases.c.id)).mappings()]


@pytest.fixture(params=[False, True], ids=["", "watched"])
def watched(request: pytest.FixtureRequest, store: Store) -> Iterator[bool]:
    """Whether somebody listens to each statement: then SQLAlchemy runs it."""
    listened = (store.engine, "before_cursor_execute", _hear)
    if request.param:
        event.listen(*listened)
    yield request.param
    if request.param:
        event.remove(*listened)


def _hear(*_: object) -> None:
    pass


@pytest.mark.usefixtures("watched")
def test_what_is_written_is_read_as_it_was_said(store: Store) -> None:
    with store.writing() as connection:
        OPEN.run(connection, row("a"))
        OPEN.run_all(connection, [row("b", due_at=AT), row("c")])
        assert NOTE.run(connection, {"of_id": "c", "version": 7, "due_at": AT}).rowcount == 1
        assert NOTE.run(connection, {"of_id": "nobody", "version": 7, "due_at": AT}).rowcount == 0
        assert tuple(FIND.run(connection, {"of_id": "c"}).fetchone()) == ("c", 7)
        assert FIND.run(connection, {"of_id": "nobody"}).fetchone() is None
    with store.reading() as connection:
        assert written(connection) == [row("a"), row("b", due_at=AT), row("c", version=7, due_at=AT)]


def test_f06_a_row_that_is_there_already_is_told_as_everywhere(store: Store) -> None:
    with store.writing() as connection:
        OPEN.run(connection, row("a"))
    with pytest.raises(IntegrityError) as caught, store.writing() as connection:
        OPEN.run_all(connection, [row("b"), row("a")])
    assert "key of" not in str(caught.value)  # what was to be written stays out of the log
    with store.reading() as connection:
        assert [one["id"] for one in written(connection)] == ["a"]


def test_f05_a_line_that_was_cut_is_thrown_away_and_the_next_is_whole(store: Store) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite is part of the node: there is no line to cut")
    with pytest.raises(DBAPIError):
        _write_over_a_cut(store)
    with store.writing() as connection:
        OPEN.run(connection, row("c"))
    with store.reading() as connection:
        assert [one["id"] for one in written(connection)] == ["c"]


def _write_over_a_cut(store: Store) -> None:
    with store.writing() as connection:
        OPEN.run(connection, row("a"))
        ended(store.engine)
        OPEN.run(connection, row("b"))
