"""Stories of a bureau with one officer at night (R-94), each compared with a transcript that a person has reviewed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.core.errors import Refused
from arrp.core.mandate import Mandate
from arrp.core.report import Report
from arrp.core.request import Ask, Request, Source, Terms
from arrp.core.sums import money
from tests.stories.plain import (
    BANK_PT,
    ES,
    LT,
    NCB_ES,
    NCB_PT,
    PT,
    STANDING,
    START,
    VASP_LT,
    World,
    amount,
    payment,
)
from tests.stories.test_stories import decide, world

__all__ = ["world"]

NIGHT = replace(STANDING, night_approvals=1)
WHOLE = "100000.00 EUR"


def night(world: World, mandate: Mandate = NIGHT) -> None:
    """Everybody is there, and at the Spanish bureau Ana alone."""
    world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT)
    node = world.nodes["NCB-ES"]
    node.rules = replace(node.rules, standing=(("standing-NCB-ES", mandate),))


def reported(world: World, account: str) -> None:
    """Ana alone reports, and signs the loss act and the mandate of the case: the first counts for what she sends."""
    said = Report("L1", "NCB-ES", (payment(WHOLE, account, "P1"),), "BEC", world.now, facts="invoice redirection")
    world.officer("NCB-ES", "report", said)
    until = START + timedelta(days=30)
    whole = Mandate("L1", said.total, said.total, 3, (), ("hold", "stop"), (), START, until)
    world.officer("NCB-ES", "mandate", whole, by=("Ana",))


def alone(world: World, account: str = PT) -> str:
    night(world)
    world.core("BANK-PT" if account == PT else "VASP-LT").book(account, f"+{WHOLE}", "P1", other=ES, at=START)
    reported(world, account)
    return world.ask("NCB-ES", WHOLE, account, by=("Ana",))


def mine(world: World, request: str) -> Request:
    return world.nodes["NCB-ES"].case("loss").request(request)


def signs_too(world: World, request: str, officer: str) -> None:
    world.sign("NCB-ES", "loss", mine(world, request).act_hash.removeprefix("hash-"), officer)


def test_one_officer_at_night_and_a_second_in_the_morning(world: World) -> None:
    """R-94: held in the minute in which one officer asked; the second signs in time, and it goes on as ever."""
    request = alone(world)
    assert mine(world, request).hold.in_force
    assert mine(world, request).second_by == START + timedelta(hours=4)
    world.run(hours=2, minutes=30)
    decide(world, request)
    world.run(minutes=30)
    signs_too(world, request, "Ben")
    world.run(hours=10)
    assert mine(world, request).hold.state == "confirmed"
    assert (mine(world, request).by_officers, mine(world, request).second_by) == (("Ana", "Ben"), None)
    assert money(world.nodes["NCB-ES"].case("loss")).missing == amount("0.00 EUR")


def test_one_officer_at_night_and_nobody_signs(world: World) -> None:
    """R-94: somebody is called twice; then the node takes back what one officer asked, although it was decided."""
    request = alone(world)
    decide(world, request)
    assert mine(world, request).hold.state == "confirmed"
    world.run(hours=20)
    assert mine(world, request).hold.state == "released"
    assert mine(world, request).hold.ended_at == START + timedelta(hours=4)
    assert mine(world, request).terms == Terms(amount(WHOLE), let_go=amount(WHOLE).minor)
    assert world.core("BANK-PT").free(PT) == amount(WHOLE).minor
    with pytest.raises(Refused, match="R-94"):
        signs_too(world, request, "Ben")


def test_one_officer_at_night_follows_a_leg(world: World) -> None:
    """R-53, R-94: under this mandate the node follows nothing alone; Ana is called, asks, and both wait for another."""
    night(world)
    core = world.core("BANK-PT")
    core.book(PT, f"+{WHOLE}", "P1", other=ES, at=START)
    core.book(PT, "-38000.00 EUR", "P2", other=LT, at=START)
    world.core("VASP-LT").book(LT, "+38000.00 EUR", "P2", other=PT, at=START)
    reported(world, PT)
    first = world.ask("NCB-ES", WHOLE, PT, by=("Ana",))
    (leg,) = mine(world, first).legs
    assert f"leg {leg.id}" in world.nodes["NCB-ES"].case("loss").escalated
    world.run(minutes=10)
    body = replace(mine(world, first).body, account="", institution="", asked=leg.amount, claim=leg.claim,
                   source=Source("leg", leg.id, None, ()), ask=Ask.HOLD)
    world.officer("NCB-ES", "send", body, by=("Ana",))
    (onward,) = (r for r in world.nodes["NCB-ES"].case("loss").wishes if r.id != first)
    assert onward.hold.in_force
    signs_too(world, onward.id, "Ben")
    world.run(hours=5)
    assert (mine(world, first).hold.state, mine(world, onward.id).hold.state) == ("released", "provisional")
