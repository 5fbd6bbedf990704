"""Four real processes, each of them killed at some moment of the story or at some of its writes: nothing lost,
nothing twice.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from arrp.connectors.simulated import SimulatedCore
from arrp.core.money import Amount
from arrp.demo import story
from arrp.demo.scene import MEMBERS, fill_books, found_nodes
from arrp.demo.story import Nodes
from arrp.node.clock import Clock
from tests.demo.dying import KILLED
from tests.demo.officers import Officers
from tests.demo.transcript import COMMITTED, scenes
from tests.postgres import Server

WISHES = 20  # of officers, in the whole story
CORES = ("BANK-PT", "VASP-LT")
ROOT = Path(__file__).resolve().parents[2]

# At which of its writes each process of a node dies, one process after another; the first ones are the migration's.
DOOMS = {"NCB-ES": (37, 71), "NCB-PT": (26,), "BANK-PT": (1, 45), "VASP-LT": (2,)}


class Killer:
    """Kills each node once: a random while after a random wish, most often in the middle of what follows from it."""

    def __init__(self, nodes: Nodes, seed: int) -> None:
        dice = random.Random(seed)
        ids = [member.id for member in MEMBERS]
        dice.shuffle(ids)
        after = sorted(dice.sample(range(WISHES - 2), len(ids)))
        self.nodes = nodes
        self.plan = {wish: (id, dice.uniform(0, 0.4)) for wish, id in zip(after, ids, strict=True)}
        self.wishes = 0
        self.killed: list[str] = []
        self.waiting: list[threading.Thread] = []

    def count(self) -> None:
        """One more wish of an officer."""
        if (found := self.plan.pop(self.wishes, None)) is not None:
            timer = threading.Timer(found[1], self._kill, (found[0],))
            timer.start()
            self.waiting.append(timer)
        self.wishes += 1

    def _kill(self, id: str) -> None:
        self.nodes.kill(id)
        self.nodes.start(id)
        self.killed.append(id)

    def wait(self) -> None:
        for thread in self.waiting:
            thread.join()


class Dying:
    """Starts each node as a process that dies at one of its own writes; then again, until it has died at each of them.
    See tests/demo/dying.py."""

    def __init__(self, nodes: Nodes, dooms: dict[str, tuple[int, ...]]) -> None:
        self.nodes, self.dooms = nodes, dooms
        self.codes: dict[str, list[int]] = {id: [] for id in dooms}
        self._is_over = False
        self.threads = [threading.Thread(target=self._live, args=(id,)) for id in dooms]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def _live(self, id: str) -> None:
        for number in self.dooms[id]:
            if not self._is_over:
                self.codes[id].append(self._until_death(id, number))
        self.nodes.start(id)

    def _until_death(self, id: str, number: int) -> int:
        home = self.nodes.root / id
        words = [sys.executable, "-m", "tests.demo.dying", str(number), str(home)]
        with (home / "node.log").open("ab") as log:
            process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.nodes.running[id] = process
        return process.wait()

    def finish(self) -> None:
        """Whoever is dying just now comes back; who never came to the write it was to die at is stopped."""
        for thread in self.threads:
            thread.join(20)
        self._is_over = True
        for id, thread in zip(self.dooms, self.threads, strict=True):
            if thread.is_alive():
                self.nodes.running[id].terminate()
                thread.join()


@pytest.fixture
def nodes(place: Path) -> Iterator[Nodes]:
    found_nodes(place, Clock().now() + timedelta(days=1))
    running = Nodes(place)
    yield running
    running.stop()
    for log in sorted(place.glob("*/node.log")):  # shown when the test failed
        print(f"{log.parent.name}:\n{log.read_text()[-4000:]}")


@pytest.fixture
def store(request: pytest.FixtureRequest, place: Path, nodes: Nodes) -> Iterator[str]:
    """On which engine all of them write."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    server: Server = request.getfixturevalue("postgres")
    names = {member.id: f"killed_{member.id.lower().replace('-', '_')}" for member in MEMBERS}
    for id, name in names.items():
        settings = place / id / "node.toml"
        settings.write_text(settings.read_text().replace("# store = ", f'store = "{server.create(name)}" # ', 1))
    yield "postgresql"
    nodes.stop()
    for name in names.values():
        server.drop(name)


# The library leaves the socket of a failed connection to the garbage collector, and here many connections fail.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_kill_any_of_them_at_any_moment(place: Path, nodes: Nodes, store: str) -> None:
    evidence = fill_books(place, Clock().now())
    for member in MEMBERS:
        nodes.start(member.id)
    nodes.wait_until_up()
    killer = Killer(nodes, seed=len(store))
    Officers(place, nodes, killer.count).live(evidence)
    killer.wait()
    nodes.wait_until_up()
    nodes.settle()
    assert sorted(killer.killed) == sorted(member.id for member in MEMBERS)
    _check_all(place, nodes)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)  # four processes are slow: each test has its engine
def test_f01_processes_that_die_at_their_own_writes(
    place: Path, nodes: Nodes, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tidies up for them: what a killed process had open the kernel closes."""
    monkeypatch.setattr(story, "WAIT_SECONDS", 180)  # several may die, one after another, within one step
    evidence = fill_books(place, Clock().now())
    dying = Dying(nodes, DOOMS)
    dying.start()
    try:
        Officers(place, nodes).live(evidence)
    finally:
        dying.finish()
    assert dying.codes == {id: [KILLED] * len(numbers) for id, numbers in DOOMS.items()}
    nodes.wait_until_up()
    nodes.settle()
    _check_all(place, nodes)


def _check_all(place: Path, nodes: Nodes) -> None:
    _check_views(nodes)
    for id in CORES:
        _check_core(place / id / "core.db", nodes, id)
    assert _said(nodes) == _said_in_the_story()


def _check_views(nodes: Nodes) -> None:
    """Both partners of each conversation see the same request, hold, legs and terms (I7)."""
    seen: dict[str, list[Any]] = {}
    for id, desk in nodes.desks.items():
        for row in desk.get("/cases"):
            case = desk.get(f"/cases/{row['id']}")
            assert (case["anomalies"], case["drafts"]) == ([], []), id
            for request in case["requests"]:
                seen.setdefault(request["id"], []).append(request)
    assert len(seen) == 3, "the request, the instruction that executes it, and the pursuit of what moved on"
    for ours, theirs in seen.values():
        assert {ours["side"], theirs["side"]} == {"requesting", "requested"}
        for name in ("wish", "answer", "terms", "legs", "keep", "body"):
            assert ours[name] == theirs[name], name
        for name in ("id", "state", "amount", "wanted", "kept", "until", "holder", "basis"):
            assert ours["hold"][name] == theirs["hold"][name], name


def _check_core(path: Path, nodes: Nodes, id: str) -> None:
    """What the core keeps is what the node says it keeps; each thing was done there once."""
    core = SimulatedCore(path, Clock().now)
    in_force = {hold.ref: hold.amount for hold in core.holds()}
    [account] = {row["ref"] for row in core._books.rows("SELECT ref FROM accounts")}
    placed = core._books.rows("SELECT what, change FROM hold_events ORDER BY sequence")
    left = [t.amount for t in core.transfers_since(account, 0).transfers if not t.incoming]
    core.close()
    stated = [row for row in nodes.desks[id].get("/holds") if row["state"] not in ("returned", "released", "lapsed")]
    assert in_force == {} == {row["hold"]: row["amount"] for row in stated}
    held = {"BANK-PT": Amount.parse("63250.00", "EUR"), "VASP-LT": Amount.parse("36750.00", "EUR")}[id].minor
    assert [tuple(row) for row in placed] == [("held", held), ("returned", -held)]
    assert left[-1:] == [held]
    assert len(left) == {"BANK-PT": 2, "VASP-LT": 1}[id]


def _said(nodes: Nodes) -> dict[str, Counter[str]]:
    """Every sentence of every log, without its sums and dates: the same as when nobody is killed, each as often."""
    return {
        id: Counter(_bare(row["said"].partition(" — ")[0]) for row in desk.get("/log"))
        for id, desk in nodes.desks.items()
    }


def _said_in_the_story() -> dict[str, Counter[str]]:
    told = scenes(COMMITTED.read_text(encoding="utf-8"))
    found: dict[str, Counter[str]] = {member.id: Counter() for member in MEMBERS}
    for scene in told:
        for id, lines in scene.items():
            if id:
                found[id].update(_bare(line) for line in lines)
    return found


def _bare(said: str) -> str:
    """Without the end of a hold, and without how a transcript folds lines and counts."""
    words = said.partition("; until ")[0].split(" | ")
    return " ".join(word for word in words if " = " not in word)
