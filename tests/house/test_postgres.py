"""The launcher in tests/postgres.py starts, serves and stops, and leaves neither process nor file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, insert, inspect, select, text
from sqlalchemy.exc import OperationalError

from arrp.node.store.tables import meta, schema
from tests.postgres import Server, running, wheel

ROOT = Path(__file__).resolve().parents[2]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def postmaster(server: Server) -> int:
    return int((server.home / "data" / "postmaster.pid").read_text().split()[0])


def one(server: Server, query: str) -> object:
    with psycopg.connect(user="postgres", dbname="postgres", host=str(server.home)) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_it_serves_and_leaves_no_process_and_no_file() -> None:
    with running() as server:
        pid, home = postmaster(server), server.home
        assert alive(pid)
        assert one(server, "SHOW server_version_num") >= "180000"  # type: ignore[operator]
        assert one(server, "SHOW listen_addresses") == "", "no TCP port: two sessions never collide"
        assert one(server, "SHOW fsync") == "off"
        assert home.stat().st_mode & 0o777 == 0o700, "nobody else on the machine may connect"
    assert not alive(pid)
    assert not home.exists()


def test_fsync_can_be_switched_on() -> None:
    with running(fsync=True) as server:
        assert one(server, "SHOW fsync") == "on"
        assert one(server, "SHOW synchronous_commit") == "on"


@pytest.mark.parametrize("signal", ["INT", "QUIT"])
def test_what_was_committed_is_there_after_a_restart(signal: str) -> None:
    with running(fsync=True) as server:
        before = postmaster(server)
        engine = create_engine(server.url())
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE kept AS SELECT 42 AS n"))
        engine.dispose()
        server.restart(signal)
        assert not alive(before)
        assert one(server, "SELECT n FROM kept") == 42
        after = postmaster(server)
    assert not alive(after)


def test_root_never_runs_the_server(postgres: Server) -> None:
    owner = Path(f"/proc/{postmaster(postgres)}")
    if not owner.exists():
        pytest.skip("this system has no /proc to read a process's user from")
    assert owner.stat().st_uid != 0


def test_a_closed_temporary_directory_stays_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root the server cannot enter a 0700 TMPDIR: it goes elsewhere and opens nothing up."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))
    with running() as server:
        assert one(server, "SELECT 41 + 1") == 42
    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []


def test_a_temporary_directory_with_a_long_name_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's path may be about a hundred bytes long, whatever TMPDIR says."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with running() as server:
        assert deep not in server.home.parents


def test_it_runs_from_an_environment_that_only_its_owner_can_enter(tmp_path: Path) -> None:
    """As root with the checkout under a 0700 home: `nobody` gets a copy of the programs."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for name in (wheel().name, f"{wheel().name}.libs"):
        if wheel().with_name(name).exists():
            (private / name).symlink_to(wheel().with_name(name))
    with running(package=private / wheel().name) as server:
        home = server.home
        assert one(server, "SELECT 41 + 1") == 42
    assert private.stat().st_mode & 0o777 == 0o700
    assert not home.exists()


@pytest.fixture
def homes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The directories that the launcher makes, in order."""
    made: list[Path] = []
    mkdtemp = tempfile.mkdtemp

    def remember(**asked: str) -> str:
        made.append(Path(mkdtemp(**asked)))
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", remember)
    return made


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(
    homes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.postgres._OPTIONS", "-c no_such_setting=1")
    with pytest.raises(RuntimeError, match="no_such_setting"), running():
        pass
    assert [home.exists() for home in homes] == [False]


def test_a_wheel_without_programs_leaves_nothing(homes: list[Path], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no PostgreSQL"), running(package=tmp_path):
        pass
    assert [home.exists() for home in homes] == [False]


def test_a_session_that_is_killed_takes_its_server_along() -> None:
    """No chance to tidy up: the keeper sees its input close, stops the server and removes the directory."""
    program = (
        "from tests.postgres import running\n"
        "with running() as server:\n"
        "    pid = (server.home / 'data' / 'postmaster.pid').read_text().split()[0]\n"
        "    print(server.home, pid, flush=True)\n"
        "    input()\n"
    )
    session = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with session:
        assert session.stdout is not None
        assert session.stderr is not None
        home, pid = session.stdout.readline().split()
        assert alive(int(pid))
        session.kill()
        session.stderr.read()  # the keeper holds the other end: this returns when it has gone too
    assert not alive(int(pid))
    assert not Path(home).exists()


def rows(engine: Engine) -> int:
    """In all tables together. Every store is migrated; nothing is in it."""
    with engine.connect() as connection:
        return sum(len(connection.execute(select(table)).all()) for table in schema.sorted_tables)


def put_something_in(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(meta).values(name="left", value="behind"))


def test_each_store_is_empty_and_apart(new_store: Callable[[], str]) -> None:
    first, second = create_engine(new_store()), create_engine(new_store())
    put_something_in(first)
    assert (rows(first), rows(second)) == (1, 0)
    first.dispose()
    second.dispose()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_no_test_sees_the_store_of_the_one_before(store_url: str, turn: str) -> None:
    engine = create_engine(store_url)
    assert rows(engine) == 0, turn
    put_something_in(engine)
    engine.dispose()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_store_that_a_test_built_upon_is_thrown_away(store_url: str, turn: str) -> None:
    engine = create_engine(store_url)
    assert "holds" not in inspect(engine).get_table_names(), turn
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE holds (id INTEGER PRIMARY KEY)"))
    engine.dispose()


def test_a_connection_left_open_does_not_keep_a_store_alive(postgres: Server) -> None:
    """Dropping a database must not wait for a test that forgot to close."""
    engine = create_engine(postgres.create("forgotten"))
    connection = engine.connect()
    connection.execute(text("SELECT 1"))
    postgres.drop("forgotten")
    with pytest.raises(OperationalError):
        connection.execute(text("SELECT 1"))
    connection.invalidate()
    connection.close()
    engine.dispose()
