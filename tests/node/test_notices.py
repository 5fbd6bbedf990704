"""Letters: true, complete, and silent about everybody else."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from string import Template

import pytest

from arrp.core.errors import Refused
from arrp.core.events import Withdraw
from arrp.core.policy import Contact
from arrp.core.returning import OBJECTION_GROUNDS
from arrp.core.sums import money
from arrp.node import notices
from arrp.wire.reference import read_reference
from tests.stories.plain import ES, LT, NCB_ES, START, VASP_LT, World, payment

CONTACT = Contact("Redress desk", "+370 5 000 0000", "always")


@pytest.fixture
def world() -> World:
    made = World()
    made.join(NCB_ES, replace(VASP_LT, contacts=(CONTACT,)))
    made.core("VASP-LT").book(LT, "+700.00 EUR", "P1", other=ES, at=START)
    made.report("NCB-ES", payment("900.00 EUR", LT, "P1"))
    made.asked = made.ask("NCB-ES", "700.00 EUR", LT)
    return made


def notice(world: World) -> str:
    (request,) = world.requests("VASP-LT")
    return notices.holder_notice(request, world.nodes["VASP-LT"].rules, world.now)


def test_r72_the_account_holder_can_object_with_this_letter_alone(world: World) -> None:
    said = notice(world)
    (request,) = world.requests("VASP-LT")
    assert request.hold is not None
    assert f"{request.hold.amount} in your account" in said
    reference = next(line.removeprefix("Reference: ") for line in said.splitlines() if line.startswith("Reference: "))
    assert read_reference(reference) == reference
    for ground in OBJECTION_GROUNDS:
        assert ground in said
    for told in ("Redress desk, +370 5 000 0000 (always)", "120 hours", "superior officer", "not blocked"):
        assert told in said
    assert "$" not in said


def test_r62_a_letter_names_nobody_else(world: World) -> None:
    for stranger in (ES, LT, "Victim", "Trading", "NCB-ES", "P1"):
        assert stranger not in notice(world), stranger
    case = world.nodes["NCB-ES"].case("loss")
    said = notices.victim_letter(case, world.nodes["NCB-ES"].rules, world.now)
    for stranger in (ES, LT, "Trading", "VASP-LT"):
        assert stranger not in said, stranger


def test_the_victims_letter_adds_up(world: World) -> None:
    case = world.nodes["NCB-ES"].case("loss")
    said, counted = notices.victim_letter(case, world.nodes["NCB-ES"].rules, world.now), money(case)
    assert counted is not None
    for line in ("900.00 EUR", "700.00 EUR  held", "200.00 EUR  not yet asked for", f"{counted.missing}"):
        assert line in said, line


def test_r72_without_a_hold_there_is_nothing_to_tell(world: World) -> None:
    world.officer("NCB-ES", "withdraw", Withdraw("wrong"), world.asked, by=("Ana",))
    with pytest.raises(Refused, match="nothing to tell"):
        notice(world)
    with pytest.raises(Refused, match="no victim"):
        notices.victim_letter(world.nodes["VASP-LT"].case(LT), world.nodes["VASP-LT"].rules, world.now)


LANGUAGES = sorted(path.name for path in files(notices).iterdir() if path.is_dir() and "_" not in path.name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fills_in_the_same(language: str) -> None:
    for name in ("holder", "victim"):
        texts = [Template((files(notices) / one / f"{name}.txt").read_text("utf-8")) for one in ("en", language)]
        assert set(texts[0].get_identifiers()) == set(texts[1].get_identifiers())
