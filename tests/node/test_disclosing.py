"""Who is told where money went, and what an account holder said: what the adopted law lets a node tell, to that reader;
the rest an officer, on a basis that they name. Looked at where it arrives, in the bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.connectors.books import Order
from arrp.core.deadline import Power
from arrp.core.disclosing import as_told
from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.events import Answered, Disclosed, Objection
from arrp.core.messages import Use, Uses
from arrp.core.report import Party
from arrp.core.request import Leg, Request
from arrp.node.store import talk
from arrp.node.store.cases import BODIES
from arrp.wire.codec import read_act
from tests.conftest import ABOVE_THE_STORE
from tests.node import world as worlds
from tests.node.world import LT, PT, World, amount, bank_scene, payment

pytestmark = ABOVE_THE_STORE
ASK = replace(worlds.LAW, onward="ask", tells=())
NAMELESS = replace(worlds.LAW, tells=("country", "institution", "account", "time and amount"))


def asked(world: World) -> str:
    """NCB-ES asks for 100,000 of which 62,000 are there; the rest went to VASP-LT. Through NCB-PT."""
    bank_scene(world)
    request = world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.run(minutes=3)
    return request


def mine(world: World, node: str, request: str) -> Request:
    return next(case.requests[request] for case in world.cases(node) if request in case.requests)


def leg_of(world: World, node: str, request: str) -> Leg:
    [leg] = mine(world, node, request).legs
    return leg


def pursuits(world: World) -> list[Request]:
    return [request for case in world.cases("NCB-ES") for request in case.requests.values()
            if request.body.source.kind == "leg"]


def called(world: World, node: str, what: str) -> list[str]:
    return [event.body.why for event in world.log(node) if event.kind == "Escalated"
            and event.body.what.startswith(what)]


def bytes_of(world: World, node: str, kind: str) -> list[bytes]:
    """The acts of that kind as they left `node`."""
    with world.service(node).node.store.reading() as connection:
        found = [talk.own_act(connection, node, event.act) for event in world.log(node)
                 if event.kind == kind and event.by == node]
    return [kept.data for kept in found if kept is not None]


@pytest.mark.parametrize("law", [ASK], indirect=True)
def test_r53_what_the_law_does_not_let_be_told_is_asked_of_an_officer(law: Power, world: World) -> None:
    request = asked(world)
    told = leg_of(world, "NCB-ES", request)
    assert (told.onward, told.account, told.name, told.ref, told.institution) == ("ask", "", "", "", "")
    assert told.inside == ()
    assert told.paid == told.amount == mine(world, "NCB-ES", request).legs[0].amount
    assert pursuits(world) == []
    [why] = called(world, "NCB-PT", "tell ")
    assert "by pt-1 (PT) an authority may be told nothing of where money went, and onward is ask" in why
    assert called(world, "BANK-PT", "tell ") == [], "its own authority knows all of it"
    assert LT.encode() not in b"".join(bytes_of(world, "NCB-PT", "MovedOn"))
    assert LT.encode() in b"".join(bytes_of(world, "BANK-PT", "MovedOn"))


@pytest.mark.parametrize("law", [ASK], indirect=True)
def test_r53_an_officer_tells_it_on_a_basis_and_only_then_it_is_pursued(law: Power, world: World) -> None:
    request = asked(world)
    leg = leg_of(world, "NCB-PT", request).id
    for wrong, error in ((Disclosed(leg, " "), Malformed), (Disclosed("0" * 32, "consent"), NotFound)):
        with pytest.raises(error):
            world.officer("NCB-PT", "disclose", wrong, request=request)
    world.officer("NCB-PT", "disclose", Disclosed(leg, "consent of 2 March"), request=request)
    world.run(minutes=3)
    told = leg_of(world, "NCB-ES", request)
    assert (told.onward, told.account) == ("free", LT)
    assert [one.body.account for one in pursuits(world)] == [LT]
    [noted] = [event for event in world.log("NCB-PT") if event.kind == "LegDisclosed"]
    assert (noted.body.basis, noted.to) == ("consent of 2 March", "")
    assert b"consent of 2 March" not in b"".join(bytes_of(world, "NCB-PT", "MovedOn"))
    with pytest.raises(Conflict, match="told already"):
        world.officer("NCB-PT", "disclose", Disclosed(leg, "again"), request=request)


@pytest.mark.parametrize("law", [NAMELESS], indirect=True)
def test_r53_the_holder_is_named_only_where_the_law_lets_them_be_named(law: Power, world: World) -> None:
    request = asked(world)
    told = leg_of(world, "NCB-ES", request)
    assert (told.onward, told.account, told.name) == ("free", LT, "")
    assert leg_of(world, "NCB-PT", next(iter(pursued_down(world)))).name != ""
    assert len(pursuits(world)) == 1


def pursued_down(world: World) -> list[str]:
    """The requests of NCB-PT to its own bank."""
    return [request.id for case in world.cases("NCB-PT") for request in case.requests.values()
            if request.body.instructs]


@pytest.mark.parametrize("law", [ASK], indirect=True)
def test_r53_a_holder_that_was_asked_directly_reads_its_ledger_again(law: Power, world: World) -> None:
    """No authority stands between: VASP-LT tells NCB-ES itself, and only an authority."""
    bank_scene(world)
    on = Order("P9", amount("8000.00 EUR"), Party("Trading Lda", LT), Party("Trading Lda", PT))
    world.core("VASP-LT").book(on, world.clock.at - timedelta(minutes=10))
    request = world.ask(world.report(payment("38000.00 EUR", LT, "P2")), "38000.00 EUR", LT)
    world.run(minutes=3)
    assert leg_of(world, "NCB-ES", request).account == ""
    world.officer("VASP-LT", "disclose", Disclosed(leg_of(world, "VASP-LT", request).id, "art. 9"), request=request)
    world.run(minutes=3)
    assert leg_of(world, "NCB-ES", request).account == PT


@pytest.mark.parametrize(("law", "is_told"), [(ASK, False), (worlds.LAW, True)], indirect=["law"])
def test_r62_what_an_account_holder_said_reaches_whom_the_law_lets_it(
    law: Power, is_told: bool, world: World
) -> None:
    bank_scene(world)
    request = world.ask(world.report(payment("38000.00 EUR", LT, "P2")), "38000.00 EUR", LT)
    world.run(minutes=2)
    said = Objection("0b" * 16, "", "GOOD_FAITH", world.clock.at, None, "raised", None, "my wedding ring", "Lina")
    world.officer("VASP-LT", "object", said, request=request)
    world.run(minutes=1)
    [left] = [read_act(data, BODIES).body.objection for data in bytes_of(world, "VASP-LT", "ObjectionRaised")]
    assert (left.text, left.officer) == ("my wedding ring" if is_told else "", "")
    [(_, heard)] = [found for case in world.cases("NCB-ES") for found in case.objections.values()]
    assert (heard.text, heard.officer) == (left.text, "")
    [(_, own)] = [found for case in world.cases("VASP-LT") for found in case.objections.values()]
    assert (own.text, own.officer) == ("my wedding ring", "Lina"), "whoever decides it must read it"


@pytest.mark.parametrize("use", [Use.NO, Use.ASK])
def test_r25_what_its_author_does_not_let_be_pursued_is_not_pursued(
    use: Use, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bank says so in its act; the law lets everything be told."""
    monkeypatch.setattr("arrp.node.service.Uses", lambda: Uses(onward=use))
    request = asked(world)
    told = leg_of(world, "NCB-ES", request)
    assert (told.onward, pursuits(world)) == ("ask", [])
    assert called(world, "NCB-ES", f"leg {told.id}") == ["onward is ask: not by the node alone"]


def test_r53_only_an_authority_is_told_and_only_of_what_stands(world: World) -> None:
    request = asked(world)
    down = next(iter(pursued_down(world)))
    leg = leg_of(world, "NCB-ES", request).id
    for node, about in (("BANK-PT", down), ("NCB-ES", request)):
        with pytest.raises(Refused, match="nothing to tell"):
            world.officer(node, "disclose", Disclosed(leg, "consent"), request=about)


def test_r62_a_bank_that_asks_learns_neither_references_nor_whose_hold_is_in_its_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same facts, to a reader of another kind."""
    asked(world)
    service = world.service("VASP-LT")
    rules = service.node.rules
    known = {**rules.participants, "NCB-ES": replace(rules.participants["NCB-ES"], kind="institution")}
    case = next(case for case in world.cases("VASP-LT") if case.requests and case.state != "joined")
    placed = next(event for event in world.log("VASP-LT") if event.kind == "HoldPlaced" and event.to == "NCB-ES")
    assert placed.body.hold.reference
    stands = replace(placed, kind="RequestStands", act="0d" * 16,
                     body=Answered(placed.body.terms, restrained_by="NCB-LT"))
    assert as_told(case, (stands,), rules) == {}, "an authority has all of it"
    [to_bank] = as_told(case, (stands,), replace(rules, participants=known)).values()
    assert to_bank == replace(stands.body, restrained_by=None)
    monkeypatch.setattr("arrp.core.disclosing.apply", lambda case, _: case)  # the hold was placed long ago
    [to_bank] = as_told(case, (placed,), replace(rules, participants=known)).values()
    assert to_bank.hold.reference == "".join(one.reference for one in to_bank.hold.credits) == ""
    assert to_bank.hold.amount == placed.body.hold.amount
