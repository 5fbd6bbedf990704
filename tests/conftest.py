"""What every test may ask for: a PostgreSQL of its own worker, an empty store on each engine, Hypothesis in order."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from tests.databases import Databases, Files, engines_kept, forget
from tests.postgres import Server, running

# No deadline: how long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("local", deadline=None)
# In CI the same commit meets the same examples, so that a red run is red for the next person too.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local"))

ENGINES = ("sqlite", "postgresql")
# For a test of what is decided above the store: on PostgreSQL it would take twice its time and see the same.
ABOVE_THE_STORE = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
# For odd values, of which PostgreSQL takes fewer.
ON_POSTGRESQL = pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)


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


@pytest.fixture(scope="session")
def databases(postgres: Server) -> Databases:
    """Empty databases of this worker's server."""
    return Databases(postgres)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Empty SQLite stores, always in the same places."""
    return Files(tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="session", autouse=True)
def engines() -> Iterator[None]:
    """One engine for each place: what was compiled for one test is there for the next."""
    with engines_kept():
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_old_is_looked_through() -> Iterator[None]:
    """Modules stay: whoever collects what a test left behind need not walk through them each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def new_store(engine_name: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Call it for the URL of one more empty store: a test about two nodes calls it twice."""
    stores: Files | Databases = request.getfixturevalue("files" if engine_name == "sqlite" else "databases")
    taken: list[str] = []

    def take() -> str:
        taken.append(stores.take())
        return taken[-1]

    yield take
    for url in taken:
        forget(url)
        stores.give_back(url)


@pytest.fixture
def store_url(new_store: Callable[[], str]) -> str:
    """The URL of one empty store; the test runs once on SQLite and once on PostgreSQL."""
    return new_store()
