"""R-91 through real nodes: somebody is called when nobody makes the call that a first contact waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arrp.core.events import CalledBack
from arrp.node.callers import owner
from arrp.node.desk import Desk
from tests.conftest import ABOVE_THE_STORE
from tests.node import world as worlds
from tests.node.world import LT, PT, START, World, bank_scene, payment, restarted

pytestmark = ABOVE_THE_STORE
OWNER = owner("", "")


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "OPEN", replace(worlds.OPEN, call_back_first=True))


def asked(world: World, to: str) -> str:
    for id in world.members:
        restarted(world, id)
    bank_scene(world, moved=None)
    request = world.ask(world.report(payment("100000.00 EUR", to, "P1")), "100000.00 EUR", to)
    world.settle()
    return request


def called(world: World, node: str) -> list[tuple[timedelta, str, str]]:
    """Who was called there for a call-back: how long after the request came, whom, for what."""
    said = [event for event in world.log(node) if event.kind == "Escalated"]
    return [(event.at - START, event.body.to, event.body.what.split()[0]) for event in said
            if event.body.what.split()[0] in ("call-back", "uncalled")]


def shown(world: World, node: str, request: str) -> Any:
    case = next(case.id for case in world.cases(node) if request in case.requests)
    return Desk(world.service(node)).case(OWNER, case)["requests"][0]["marks"]


@pytest.mark.parametrize(("to", "node"), [(LT, "VASP-LT"), (PT, "NCB-PT")], ids=["a holder", "an authority"])
def test_r91_a_call_that_nobody_makes_calls_the_second_contact_once(world: World, to: str, node: str) -> None:
    """Over a restart just before, and one after: at five minutes, not before, and never again."""
    request, at_once = asked(world, to), timedelta()
    both = [(at_once, "duty officer", "call-back")] * 2
    assert called(world, node) == both
    assert [mark.split()[4:8] for mark in shown(world, node, request)] == [
        ["to", name, "of", "NCB-ES"] for name in ("Ana", "Ben")]
    world.run(minutes=4, seconds=30)
    restarted(world, node)
    assert called(world, node) == both
    world.run(minutes=1)
    late = [(timedelta(minutes=5), "second contact", "uncalled")]
    assert called(world, node) == both + late
    restarted(world, node)
    world.run(hours=2)
    assert called(world, node) == both + late


def test_r91_a_call_that_was_made_in_time_calls_nobody_else(world: World) -> None:
    request = asked(world, LT)
    world.run(minutes=4)
    for theirs in ("Ana", "Ben"):
        made = CalledBack(theirs, True, "+34 91 000 00 00", "the duty desk")
        world.officer("VASP-LT", "call-back", made, request=request)
    world.run(hours=2)
    assert [whom for _, whom, _ in called(world, "VASP-LT")] == ["duty officer"] * 2
    assert not shown(world, "VASP-LT", request)
