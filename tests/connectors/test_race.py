"""Two threads, two connections, two processes want the same money: Σ holds never exceeds what is free."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread

import pytest

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.answers import Held
from arrp.core.errors import Refused
from arrp.core.money import Amount
from arrp.core.report import Party

START = datetime(2022, 6, 28, 9, 0, tzinfo=UTC)
SRC = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    core = SimulatedCore(tmp_path / "core.db", lambda: START)
    core.open_account(Account("A-1", "payto://iban/x", "X", "EUR", 100))
    core.close()
    return tmp_path / "core.db"


def at_once(*works: Callable[[], None]) -> None:
    """Run all works from the same moment, to their end."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        barrier.wait()
        work()

    threads = [Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("shared", [True, False], ids=["one connection", "two connections"])
def test_threads_never_hold_more_than_is_there(path: Path, shared: bool) -> None:
    one = SimulatedCore(path, lambda: START)
    two = one if shared else SimulatedCore(path, lambda: START)
    answers: list[object] = []

    def take(bank: SimulatedCore, name: str) -> None:
        answers.extend(bank.hold(f"{name}{n}", "A-1", 7, None) for n in range(12))

    at_once(lambda: take(one, "a"), lambda: take(two, "b"))
    assert sum(isinstance(answer, Held) for answer in answers) == 14  # 14 · 7 = 98
    assert one.balance("A-1").held == 98
    one.close()
    two.close()


def test_the_same_hold_asked_twice_at_once_is_one_hold(path: Path) -> None:
    banks = [SimulatedCore(path, lambda: START) for _ in range(2)]
    answers: list[object] = []
    at_once(*(lambda bank=bank: answers.append(bank.hold("H", "A-1", 60, None)) for bank in banks))
    assert answers[0] == answers[1]
    assert banks[0].balance("A-1").held == 60
    for bank in banks:
        bank.close()


def test_a_hold_and_a_payment_do_not_get_the_same_money(path: Path) -> None:
    bank, other = (SimulatedCore(path, lambda: START) for _ in range(2))
    out = Order("out", Amount(60, "EUR"), Party(account="payto://iban/x"), Party(account="payto://iban/y"))
    came_first: list[str] = []

    def pay() -> None:
        with suppress(Refused):
            other.book(out, START)
            came_first.append("payment")

    def hold() -> None:
        if isinstance(bank.hold("H", "A-1", 60, None), Held):
            came_first.append("hold")

    at_once(pay, hold)
    balance = bank.balance("A-1")
    assert (came_first, balance.booked, balance.held) in [(["payment"], 40, 0), (["hold"], 100, 60)]
    bank.close()
    other.close()


TAKER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from arrp.connectors.simulated import SimulatedCore
from arrp.core.answers import Held
bank = SimulatedCore(Path(sys.argv[1]), lambda: datetime(2022, 6, 28, 9, tzinfo=UTC))
print("ready", flush=True)
sys.stdin.readline()
print(sum(isinstance(bank.hold(f"{sys.argv[2]}{n}", "A-1", 7, None), Held) for n in range(12)))
"""


def test_processes_never_hold_more_than_is_there(path: Path) -> None:
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, str(path), name], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SRC)},
        )
        for name in "ab"
    ]  # fmt: skip
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    placed = [int(taker.communicate()[0]) for taker in takers]
    assert sum(placed) == 14
    bank = SimulatedCore(path, lambda: START)
    assert bank.balance("A-1").held == 98
    bank.close()
