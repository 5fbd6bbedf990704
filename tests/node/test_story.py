"""The main story between real nodes with real stores: hold, leg, pursuit, decision (both engines)."""

from __future__ import annotations

from arrp.core.hold import Hold
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
