"""What every test may ask for: a PostgreSQL of its own worker, an empty store on each engine, Hypothesis in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import Server, running

# No deadline: how long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("local", deadline=None)
# In CI the same commit meets the same examples, so that a red run is red for the next person too.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local"))

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for each xdist worker, started when the first test asks for it."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Server) -> str:
    """The server's own database, for tests that need any PostgreSQL and leave nothing in it."""
    return postgres.url()


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Runs the test once on each engine."""
    name: str = request.param
    return name


@pytest.fixture
def new_store(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Call it for the URL of one more empty database: a test about two nodes calls it twice."""
    numbers = count(1)
    if engine_name == "sqlite":
        yield lambda: f"sqlite:///{tmp_path / f'store{next(numbers)}.db'}"
        return
    server: Server = request.getfixturevalue("postgres")
    made: list[str] = []

    def create() -> str:
        made.append(f"store{next(numbers)}")
        return server.create(made[-1])

    yield create
    for name in made:
        server.drop(name)


@pytest.fixture
def store_url(new_store: Callable[[], str]) -> str:
    """The URL of one fresh, empty database; the test runs once on SQLite and once on PostgreSQL."""
    return new_store()
