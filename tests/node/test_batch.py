"""One commit for whoever waits (ADR 12): durable for all of its parts, or for none of them."""

from __future__ import annotations

import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from arrp.core.errors import Unreachable
from arrp.node.store.engine import Store


@pytest.fixture
def store(tmp_path: Path):
    made = Store(f"sqlite:///{tmp_path / 'a.db'}")
    yield made
    made.close()


def written(store: Store) -> set[str]:
    with store.reading() as connection:
        return set(connection.execute(text("SELECT name FROM meta")).scalars())


def write(store: Store, name: str, *, first: threading.Event | None = None, go: threading.Event | None = None,
          full: bool = False, twice: bool = False) -> None:
    """One part. `first` is set once it is inside; it then stays inside until `go`."""
    with store.writing() as connection:
        if first is not None:
            first.set()
        if go is not None:
            go.wait(10)
        connection.execute(text("INSERT INTO meta VALUES (:name, :value)"), {"name": name, "value": name})
        if twice:  # the name is there already
            connection.execute(text("INSERT INTO meta VALUES (:name, :value)"), {"name": name, "value": name})
        if full:  # SQLite then undoes the whole transaction by itself, other parts too
            connection.execute(text("PRAGMA max_page_count = 1"))
            connection.execute(text("INSERT INTO meta VALUES ('big', :value)"), {"value": "x" * 10_000_000})


def in_one_commit(store: Store, *, full: bool) -> tuple[BaseException | None, BaseException | None]:
    """A enters, B waits for it: both are in one commit. What each of them was told."""
    inside, go = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        a = pool.submit(write, store, "a", first=inside, go=go)
        inside.wait(10)
        b = pool.submit(write, store, "b", full=full)
        while store._batch is not None and store._batch._waiting == 0:
            pass
        go.set()
        return a.exception(), b.exception()


def test_f01_both_parts_are_durable_when_both_are_told_so(store: Store) -> None:
    assert in_one_commit(store, full=False) == (None, None)
    assert {"a", "b"} <= written(store)


def test_f03_when_the_disk_is_full_nobody_is_told_that_it_is_durable(store: Store) -> None:
    a, b = in_one_commit(store, full=True)
    assert isinstance(a, Unreachable)
    assert isinstance(b, DBAPIError)
    assert not {"a", "b"} & written(store)


def test_f04_when_the_disk_fails_under_a_commit_nothing_more_is_written(store: Store) -> None:
    """A real failure: no file of this process may grow beyond where the log is. It is not tried again on top."""
    write(store, "before")
    log = Path(f"{store.engine.url.database}-wal")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, limits[1]))
    try:
        with pytest.raises(DBAPIError, match="disk I/O error"):
            write(store, "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.broken.is_set()
    with pytest.raises(Unreachable, match="is to be started again"):
        write(store, "b")
    store.close()
    again = Store(str(store.engine.url))
    write(again, "c")
    assert {"a", "b", "before", "c"} & written(again) == {"before", "c"}
    again.close()


def test_a_refused_part_is_undone_alone(store: Store) -> None:
    with pytest.raises(DBAPIError):
        write(store, "c", full=False, twice=True)
    write(store, "d")
    assert "d" in written(store)
    assert "c" not in written(store)
