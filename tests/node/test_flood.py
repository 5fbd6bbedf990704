"""T02: masses of valid requests of one peer stay within the caps, and hold up nobody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.account import institution_of
from arrp.core.crime import Crime
from arrp.core.errors import Unreachable
from arrp.core.mandate import Mandate
from arrp.core.report import Party, Report
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.node import hearing, worker
from arrp.node.hearing import AT_ONCE
from arrp.node.store.tables import cases
from arrp.node.store.work import Turns
from arrp.node.worker import Worker
from tests.node import world as worlds
from tests.node.mouth import asked_on_paper_only, receipt_of
from tests.node.world import ES, LT, OPEN, START, World, amount, payment, restarted

FLOOD = 12
PART = amount("100.00 EUR")
OTHERS = amount("450.00 EUR")


def flooded(world: World, numbers: Sequence[int] = range(FLOOD)) -> None:
    """A bureau has asked an exchange for holds, each for a payment of its own, each signed and valid."""
    vasp = world.core("VASP-LT")
    vasp.open_account(Account("lt-1", LT, "Trading Lda", "EUR"))
    for number in numbers:
        order = Order(f"P{number}", PART, Party("Victim Ltd", ES), Party("Trading Lda", LT))
        vasp.book(order, START - timedelta(minutes=30))
        case = world.report(payment(str(PART), LT, f"P{number}"), loss=f"L{number}")
        world.ask(case, str(PART), LT)
    while worker_of(world, "NCB-ES").once():
        pass


def worker_of(world: World, id: str) -> Worker:
    worker = world.members[id].worker
    assert worker is not None
    return worker


def asked_by_another(world: World) -> str:
    """Another bureau asks the same exchange for a hold, after all of them."""
    world.core("VASP-LT").book(Order("Q1", OTHERS, Party("Victim Lda"), Party("Trading Lda", LT)), START)
    said = Report("L9", "NCB-PT", (replace(payment(str(OTHERS), LT, "Q1"), instructed_at=START),), Crime.BEC, START,
                  facts="a phone that was not his")
    case, _ = world.officer("NCB-PT", "report", said)
    mandate = Mandate("L9", OTHERS, OTHERS, 3, (), ("hold", "stop"), (), START, START + timedelta(days=30))
    world.officer("NCB-PT", "mandate", mandate, case=case, by=("Rui", "Zoe"))
    asked = Asked(ask=Ask.HOLD, institution=institution_of(LT), asked=OTHERS, claim=OTHERS,
                  source=Source("payment", "0", None, ()), credit=Credit(amount=OTHERS), loss="", stated_by="",
                  crime="BEC", account=LT)
    _, events = world.officer("NCB-PT", "send", asked, case=case)
    worker_of(world, "NCB-PT").once()
    return next(event.request for event in events if event.kind == "Request") or ""


def is_held(world: World, request: str) -> bool:
    every = (found for case in world.cases("VASP-LT") for found in case.requests.values())
    return any(found.id == request and found.hold is not None and found.hold.amount == OTHERS for found in every)


def test_t02_another_peers_hold_does_not_wait_behind_a_flood(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BATCH", 4)  # a core that is asked so much at once, and a flood that is longer
    flooded(world)
    request = asked_by_another(world)
    for _ in range(3):  # asked for the account, joined, held
        assert not is_held(world, request)
        worker_of(world, "VASP-LT").once()
    assert is_held(world, request)
    assert world.core("VASP-LT").balance("lt-1").held < FLOOD * PART.minor
    world.settle()
    assert world.core("VASP-LT").balance("lt-1").held == FLOOD * PART.minor + OTHERS.minor


def test_t02_a_flood_stays_within_the_caps_and_an_officer_decides_the_rest(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "OPEN", replace(OPEN, per_hour=5 * PART.minor))
    restarted(world, "VASP-LT")
    flooded(world, range(5))
    world.settle()
    flooded(world, range(5, FLOOD))
    request = asked_by_another(world)
    world.settle()
    assert is_held(world, request), "the cap of one peer is not another's"
    assert world.core("VASP-LT").balance("lt-1").held == 5 * PART.minor + OTHERS.minor
    waiting = [entry for case in world.cases("VASP-LT") for entry in case.escalated if entry.startswith("decide ")]
    assert len(waiting) == FLOOD - 5


def test_t02_one_peer_takes_no_more_than_its_share_of_the_ear(world: World) -> None:
    _, parcel = asked_on_paper_only(world)
    ear = world.members["VASP-LT"].hearing
    assert ear is not None
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            stack.enter_context(ear.shares.of("NCB-ES"))
        with pytest.raises(Unreachable, match=f"{AT_ONCE} parcels of NCB-ES are being worked on: send this one again"):
            ear.parcel(parcel)
        world.post.lose = lambda url, body: None
        request = asked_by_another(world)
        world.settle()
        assert is_held(world, request)
    assert receipt_of(ear.parcel(parcel)).outcome == "applied"


def test_t02_who_asks_more_than_the_core_could_be_asked_comes_again(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the core is bounded for each peer, whatever it sends; another is heard meanwhile, and all of it is
    held in the end."""
    monkeypatch.setattr(hearing, "BACKLOG", 3)
    flooded(world, range(6))
    assert sum(len(case.requests) for case in world.cases("VASP-LT")) == 3
    request = asked_by_another(world)
    assert sum(len(case.requests) for case in world.cases("VASP-LT")) == 4
    world.settle()
    assert is_held(world, request)
    world.run(minutes=2)
    assert world.core("VASP-LT").balance("lt-1").held == 6 * PART.minor + OTHERS.minor


def test_t02_a_share_is_given_back_by_what_is_refused(world: World) -> None:
    mouth, _ = asked_on_paper_only(world)
    for number in range(1, 2 * AT_ONCE):
        assert mouth.say("Keep", None, number=number).outcome != "applied"


def test_t02_whoever_was_served_longest_ago_is_next() -> None:
    turns = Turns()
    many = [("ES", f"es{number}") for number in range(6)]
    assert turns.take([*many, ("PT", "pt0"), ("PT", "pt1")], 4) == ["es0", "pt0", "es1", "pt1"]
    assert turns.take([*many, ("GB", "gb0")], 1) == ["gb0"]
    assert turns.take([*many, ("PT", "pt2")], 2) == ["es0", "pt2"]
    assert turns.take(many, 3) == ["es0", "es1", "es2"]


class Held(Executor):
    """Takes work and does none of it yet."""

    def __init__(self) -> None:
        self.taken: list[Callable[[], object]] = []

    def submit(self, act: Callable[..., Any], /, *items: Any, **_: Any) -> Future[Any]:
        self.taken.append(lambda: act(*items))
        return Future()


def test_t02_a_midnight_of_deadlines_leaves_threads_to_the_rest(world: World) -> None:
    rows = [{"id": f"c{number}", "key": f"k{number}", "version": 0, "state": "open", "title": "", "opened_at": START,
             "due_at": START} for number in range(3 * worker.BATCH)]
    with world.service("VASP-LT").node.store.writing() as connection:
        connection.execute(insert(cases), rows)
    flooded(world, range(1))
    held, lasting = Held(), worker_of(world, "VASP-LT")
    lasting.executor = held
    lasting.once()
    first = len(held.taken)
    assert worker.BATCH < first < worker.BATCH + 8, "as many deadlines as may run, and what the core is asked"
    lasting.once()
    assert len(held.taken) == first
    for act in held.taken[:first]:
        act()
    lasting.once()
    assert len(held.taken) > first + worker.BATCH // 2
