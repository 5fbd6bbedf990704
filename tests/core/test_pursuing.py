"""R-53: which legs become requests where the mandate does not cover all of them, and what an officer is told stands
against each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.core.account import institution_of
from arrp.core.mandate import Mandate
from arrp.core.policy import Participant
from arrp.core.pursuing import against, in_order
from arrp.core.report import Report
from arrp.core.request import Leg, Source
from tests.stories.plain import (
    BANK_PT,
    DE,
    ES,
    LT,
    NCB_ES,
    NCB_PT,
    PT,
    START,
    VASP_LT,
    World,
    amount,
    payment,
    people,
)

BANK_DE = Participant("BANK-DE", "Bank DE", "institution", "DE", "", (institution_of(DE),), people("Gil", "Hug"))
AT_LT, AT_DE = institution_of(LT), institution_of(DE)


def scene(ask_first: tuple[str, ...] = (), total: str = "50000.00 EUR", to_lt: str = "30000.00 EUR",
          to_de: str = "40000.00 EUR") -> World:
    """100,000 came to Lisbon; part of it went to Vilnius, a larger part to Berlin. Two officers signed the first
    request; the mandate for the rest is `total`. LT was stated first."""
    world = World()
    world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT, BANK_DE)
    bureau = world.nodes["NCB-ES"]
    bureau.rules = replace(bureau.rules, standing=(), ask_first=ask_first)
    core = world.core("BANK-PT")
    core.book(PT, "+100000.00 EUR", "P1", other=ES, at=START)
    for to, paid, ref in ((LT, to_lt, "P2"), (DE, to_de, "P3")):
        core.book(PT, f"-{paid}", ref, other=to, at=START)
    world.core("VASP-LT").book(LT, f"+{to_lt}", "P2", other=PT, at=START)
    world.core("BANK-DE").book(DE, f"+{to_de}", "P3", other=PT, at=START)
    said = Report("L1", "NCB-ES", (payment("100000.00 EUR", PT, "P1"),), "BEC", world.now)
    world.officer("NCB-ES", "report", said)
    limit = amount(total)
    mandate = Mandate("L1", limit, limit, 3, (), ("hold",), (), START, START + timedelta(days=30))
    world.officer("NCB-ES", "mandate", mandate, by=("Ana", "Ben"))
    world.ask("NCB-ES", "100000.00 EUR", PT, by=("Ana", "Ben"))
    return world


def asked(world: World) -> list[str]:
    return [request.peer for request in world.nodes["NCB-ES"].case("loss").wishes if request.body.pursues]


def test_r53_the_order_decides_who_is_asked_where_the_mandate_covers_one_of_two_legs() -> None:
    assert asked(scene()) == ["BANK-DE"]  # the largest claim, though LT was stated first
    assert asked(scene((AT_LT, AT_DE))) == ["VASP-LT"]
    assert asked(scene((AT_DE, AT_LT))) == ["BANK-DE"]
    assert asked(scene((AT_LT,))) == ["VASP-LT"]  # who is not named comes after
    assert asked(scene(("FR30004",))) == ["BANK-DE"]  # what is said of others changes nothing


def test_r53_who_was_left_out_is_an_officer_s_to_ask() -> None:
    world = scene((AT_LT,))
    case = world.nodes["NCB-ES"].case("loss")
    left = next(leg for request in case.wishes for leg in request.legs if leg.account == DE)
    assert f"leg {left.id}" in case.escalated
    assert any("no mandate covers it" in line or "leg" in line for line in world.lines)


def test_a_mandate_that_covers_both_asks_both_in_that_order() -> None:
    assert asked(scene(total="70000.00 EUR")) == ["BANK-DE", "VASP-LT"]
    assert asked(scene((AT_LT,), total="70000.00 EUR")) == ["VASP-LT", "BANK-DE"]


def test_what_does_not_fit_first_does_not_stop_what_fits_after_it() -> None:
    assert asked(scene((AT_DE,), total="35000.00 EUR")) == ["VASP-LT"]


def leg(id: str, account: str, claim: str, institution: str = "") -> Leg:
    return Leg(id, "r1", amount(claim), amount(claim), amount(claim), START, account=account, institution=institution)


def test_legs_of_one_institution_come_by_claim_and_equal_ones_as_stated() -> None:
    legs = [leg("a", LT, "1.00 EUR"), leg("b", DE, "5.00 EUR"), leg("c", LT, "5.00 EUR"), leg("d", LT, "5.00 EUR")]
    assert [one.id for one in in_order(legs, ())] == ["b", "c", "d", "a"]
    assert [one.id for one in in_order(legs, (AT_LT, AT_DE, AT_LT))] == ["c", "d", "a", "b"]


def test_a_leg_that_names_no_account_that_can_be_read_stops_nobody() -> None:
    legs = [leg("a", "till 4, ground floor", "9.00 EUR", "FR30004"), leg("b", "", "9.00 EUR"), leg("c", LT, "1.00 EUR")]
    assert [one.id for one in in_order(legs, (AT_LT, "FR30004"))] == ["c", "a", "b"]


# --- what stands against it ------------------------------------------------------------------------------------


def said(world: World, source: Source) -> tuple[str, str]:
    node = world.nodes["NCB-ES"]
    peer, why = against(node.case("loss"), source, world.now, node.rules)
    return peer.id if peer else "", "; ".join(why)


def leg_to(world: World, account: str) -> Source:
    case = world.nodes["NCB-ES"].case("loss")
    return Source("leg", next(one.id for r in case.wishes for one in r.legs if one.account == account), None, ())


def test_an_officer_reads_what_stands_against_each_request() -> None:
    world = scene((AT_LT,))
    assert said(world, leg_to(world, LT))[0] == "VASP-LT"
    assert "already asks that" in said(world, leg_to(world, LT))[1]
    assert said(world, leg_to(world, DE))[0] == "BANK-DE"
    assert "the mandate does not cover hold of 40000.00 EUR in DE" in said(world, leg_to(world, DE))[1]
    assert "3000000 units are used" in said(world, leg_to(world, DE))[1]


def test_what_the_node_would_send_by_itself_has_nothing_against_it() -> None:
    world = scene((AT_LT,))
    node = world.nodes["NCB-ES"]
    wider = Mandate(None, amount("90000.00 EUR"), amount("90000.00 EUR"), 3, (), ("hold",), (), START,
                    START + timedelta(days=30))
    node.rules = replace(node.rules, standing=(("wide", wider),))
    assert said(world, leg_to(world, DE)) == ("BANK-DE", "")
    node.rules = replace(node.rules, elsewhere={"wide": 6_000_000})  # other cases have used most of it
    assert "6000000 units are used" in said(world, leg_to(world, DE))[1]


@pytest.mark.parametrize(("change", "words"), [
    ({"channel": "paper"}, "no node: it goes on paper"),
    ({"answers_for": ()}, "nobody in the directory answers for"),
])
def test_who_has_no_node_is_named(change: dict[str, object], words: str) -> None:
    world = scene((AT_LT,))
    node = world.nodes["NCB-ES"]
    changed = replace(BANK_DE, **change)  # type: ignore[arg-type]
    node.rules = replace(node.rules, participants={**node.rules.participants, "BANK-DE": changed})
    assert words in said(world, leg_to(world, DE))[1]


def test_r53_what_may_not_be_followed_without_an_officer_says_so() -> None:
    world = scene((AT_LT,))
    node = world.nodes["NCB-ES"]
    case = node.case("loss")
    first = next(iter(case.wishes))
    asks = replace(first, legs=tuple(replace(one, onward="ask") for one in first.legs))
    node.cases["loss"] = replace(case, requests={**case.requests, first.id: asks})
    assert "onward is ask: an officer decides" in said(world, leg_to(world, DE))[1]


def test_a_payment_that_nobody_asked_for_yet_is_looked_at_too() -> None:
    world = scene()
    assert "already asks that" in said(world, Source("payment", "0", None, ()))[1]
    assert said(world, Source("payment", "7", None, ()))[0] == ""
