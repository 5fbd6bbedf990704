"""R-24: the id of a request is one request's for ever, whoever else uses it; officers name no peer."""

from __future__ import annotations

import pytest

from arrp.core.errors import NotFound
from arrp.core.events import Withdraw
from arrp.core.messages import Outcome
from tests.node.forgery import Forgery
from tests.node.mouth import ASKED, Mouth, asked_on_paper_only, hold_of
from tests.node.world import ACCEPTED, PT, World, amount, bank_scene, payment


@pytest.mark.parametrize("signed", [("Tom",), ()])
def test_r24_another_peer_under_the_same_id_takes_no_command_away(world: World, signed: tuple[str, ...]) -> None:
    """BANK-PT learnt the id of the bureau's request, and speaks under it: what officers say about that request
    still goes to the case where the money is. (Its conversation comes first in the table: B is before N.)"""
    mouth, request = asked_on_paper_only(world)
    assert mouth.deliver(request).outcome is Outcome.APPLIED
    world.settle()
    Mouth(world, "BANK-PT", "VASP-LT", mouth.request, ids=500).say("Withdraw", Withdraw("not mine"), by=signed)
    assert hold_of(world, mouth).amount == ASKED
    case, _ = world.officer("VASP-LT", "decide", ACCEPTED, request=mouth.request, by=("Lina",))
    world.settle()
    assert mouth.request in next(found for found in world.cases("VASP-LT") if found.id == case).requests
    assert hold_of(world, mouth).decided


def test_r24_a_conversation_without_a_request_is_none(world: World) -> None:
    mouth = Mouth(world, "BANK-PT", "VASP-LT", "a" * 32)
    mouth.say("Withdraw", Withdraw("nothing"), by=("Tom",))
    with pytest.raises(NotFound, match=f"no case on this node has a request {'a' * 32}"):
        world.officer("VASP-LT", "see", None, request="a" * 32)


def test_r24_the_id_of_our_own_request_is_taken(world: World) -> None:
    """Nobody asks us under the id of what we asked somebody: one id would be two requests in two cases."""
    bank_scene(world)
    ours = world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.settle()
    by = ("Lina", "Ona")
    again = Forgery(sender="VASP-LT", to="NCB-ES", by=by, loss_by=by, request=ours)
    fresh = Forgery(sender="VASP-LT", to="NCB-ES", by=by, loss_by=by, request="ab" * 16,
                    body={"claim": amount("1.00 EUR"), "asked": amount("1.00 EUR")})
    assert again.sent(world) == "known-request"
    assert [id for case in world.cases("NCB-ES") for id in case.requests].count(ours) == 1
    assert fresh.sent(world) != "known-request"
    assert world.request("NCB-ES", ours).side == "requesting"
    world.officer("NCB-ES", "withdraw", Withdraw("over"), request=ours, by=("Ana",))
