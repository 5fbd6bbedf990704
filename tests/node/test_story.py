"""The main story between real nodes with real stores: hold, leg, pursuit, decision (both engines)."""

from __future__ import annotations

from arrp.core.events import Resolved, Withdraw
from arrp.core.hold import Hold
from arrp.core.protocol import next_due
from arrp.core.sums import money
from tests.node.world import ACCEPTED, PT, World, amount, bank_scene, payment


def hold(world: World, node: str, request: str | None = None) -> Hold:
    found = world.request(node, request).hold
    assert found is not None
    return found


def test_a_payment_is_held_and_what_moved_on_is_pursued(world: World) -> None:
    bank_scene(world)
    case = world.report(payment("100000.00 EUR", PT, "P1"))
    request = world.ask(case, "100000.00 EUR", PT)
    world.run(seconds=5)
    assert hold(world, "NCB-ES", request).amount == amount("62000.00 EUR")
    assert hold(world, "VASP-LT").amount == amount("38000.00 EUR")
    world.officer("NCB-PT", "decide", ACCEPTED, request=request, by=("Rui", "Zoe"))
    world.officer("VASP-LT", "decide", ACCEPTED, request=world.request("VASP-LT").id, by=("Lina",))
    world.run(seconds=5)
    mine = next(c for c in world.cases("NCB-ES") if c.id == case)
    counted = money(mine)
    assert counted is not None
    assert counted.terms == {"held": amount("100000.00 EUR").minor}
    assert {r.hold and r.hold.state for r in mine.wishes} == {"confirmed"}


def test_r80_what_comes_after_a_case_was_closed_is_another_case(world: World) -> None:
    """R-42, R-80: a hold in a closed case would have no timer; a new request opens a new case."""
    bank_scene(world, moved=None)
    case = world.report(payment("100000.00 EUR", PT, "P1"))
    request = world.ask(case, "100000.00 EUR", PT)
    world.run(seconds=5)
    world.officer("NCB-ES", "withdraw", Withdraw("the wrong account"), request=request, by=("Ana",))
    world.run(minutes=2)
    old = next(c for c in world.cases("BANK-PT") if c.requests)
    world.officer("BANK-PT", "close", Resolved("unfounded"), case=old.id)
    again = world.report(payment("100000.00 EUR", PT, "P1"), loss="L2")
    world.ask(again, "100000.00 EUR", PT)
    world.run(seconds=5)
    fresh = next(c for c in world.cases("BANK-PT") if c.id != old.id and c.requests)
    (held,) = fresh.requests.values()
    assert held.hold.in_force
    assert next_due(fresh, world.service("BANK-PT").node.rules) is not None
