"""A case is folded when somebody needs it and not again before it changes; what may not come to be is never kept."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest

from arrp.core.case import fold
from arrp.core.errors import Refused
from arrp.core.events import HandedOver, Restricted
from arrp.core.step import Command
from arrp.node import desk as desks
from arrp.node.callers import owner
from arrp.node.desk import Desk
from arrp.node.metrics import Metrics
from arrp.node.service import Service
from arrp.node.store import cases
from tests.conftest import ABOVE_THE_STORE
from tests.node.world import LT, PT, World, payment

ANA, NOBODY = owner("", "Ana"), owner("", "")


@pytest.fixture
def three(world: World) -> tuple[str, ...]:
    """Three cases at NCB-ES, one after the other in the log; the second is known to Ben alone."""
    made = tuple(world.report(payment("5.00 EUR", to, f"P{loss}"), loss=loss)
                 for loss, to in (("L1", PT), ("L2", LT), ("L3", PT)))
    world.officer("NCB-ES", "restrict", Restricted(("Ben",)), case=made[1], by=("Ben",))
    world.settle()
    return made


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each case was folded from its log."""
    counted = Counter[str]()

    def counting(me: str, id: str, said: list) -> object:  # type: ignore[type-arg]
        counted[id] += 1
        return fold(me, id, said)

    monkeypatch.setattr(cases, "fold", counting)
    return counted


def started_anew(world: World) -> Service:
    return Service(world.service("NCB-ES").node)


@ABOVE_THE_STORE
def test_r92_a_feed_folds_the_cases_of_its_pages_and_each_once(
    world: World, three: tuple[str, ...], folded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "FEED_MAX", 2)
    desk = Desk(started_anew(world))
    assert {row["case"] for row in desk.log(ANA, 0)} == {three[0]}
    assert folded == {three[0]: 1}
    after = next(row["position"] for row in desk.changes(owner("", "Ben"), 0) if row["case"] == three[0])
    while page := desk.changes(ANA, after):
        assert {row["case"] for row in page} <= {three[0], three[2]}
        after = page[-1]["position"] + 1
    assert folded == dict.fromkeys(three, 1)


@ABOVE_THE_STORE
def test_who_reads_every_case_folds_each_once(world: World, three: tuple[str, ...], folded: Counter[str]) -> None:
    service = started_anew(world)
    for _ in range(2):
        Desk(service).cases(NOBODY, "", 9)
        Desk(service).holds(NOBODY)
        Metrics(service).figures()
    assert folded == dict.fromkeys(three, 1)
    world.officer("NCB-ES", "hand-over", HandedOver("Ben"), case=three[0])
    folded.clear()
    Desk(service).cases(NOBODY, "", 9)
    assert folded == {three[0]: 1}


@ABOVE_THE_STORE
def test_who_reads_every_case_drives_nobody_out(world: World, three: tuple[str, ...], folded: Counter[str]) -> None:
    service = started_anew(world)
    service.folds.most = 1
    service.command(Command("a", "hand-over", "Ana", None, HandedOver("Ben")), three[2])
    folded.clear()
    Desk(service).cases(NOBODY, "", 9)
    service.command(Command("b", "hand-over", "Ben", None, HandedOver("Ana")), three[2])
    assert folded[three[2]] == 0


def test_what_a_transaction_saw_and_did_not_write_is_not_kept(world: World, three: tuple[str, ...]) -> None:
    """Somebody else then writes another event under the same number."""
    service = started_anew(world)
    with service.transaction() as door, suppress(Refused), door.undone_if_refused():
        door.commit(three[0], Command("never", "hand-over", "Ana", None, HandedOver("Ben")))
        service.folds.read(door.connection, three[0])
        raise Refused("not this")
    started_anew(world).command(Command("this", "hand-over", "Ana", None, HandedOver("Ana")), three[0])
    with service.node.store.reading() as connection:
        found = service.folds.read(connection, three[0])
        assert found == fold("NCB-ES", three[0], cases.log_of(connection, three[0]))
        assert (found.ball or ("nobody",))[0] == "Ana"


@ABOVE_THE_STORE
def test_r60_what_was_read_before_an_erasure_is_not_kept_after_it(world: World, three: tuple[str, ...]) -> None:
    """A waiting case is erased at the version it had: who began to read before still sees it, and nobody else."""
    service = started_anew(world)
    with service.node.store.reading() as before:
        cases.listed(before)
        with service.node.store.writing() as connection:
            cases.erase(connection, three[0])
            service.folds.forget(three[0])
        assert service.folds.read(before, three[0]).report is not None
    with service.node.store.reading() as after:
        assert service.folds.read(after, three[0]) == fold("NCB-ES", three[0], cases.log_of(after, three[0]))
