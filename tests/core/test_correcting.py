"""A mistake that went round the world is taken back the same way, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.core.case import Case
from arrp.core.errors import Malformed
from arrp.core.events import Corrected, EraseAsked, Objection
from arrp.core.policy import Participant
from tests.stories.plain import BANK_PT, ES, NCB_DE, NCB_ES, NCB_PT, PT, START, World, payment
from tests.stories.test_stories import decide

EVERYBODY = ("NCB-ES", "NCB-DE", "NCB-PT", "BANK-PT")
ROLES = ("duty officer", "redress officer", "data-protection officer")


def all_roles(who: Participant) -> Participant:
    return replace(who, officers=tuple(replace(officer, roles=ROLES) for officer in who.officers))


@pytest.fixture
def world() -> World:
    """Two bureaus asked one bureau about one account; its bank has two instructions."""
    made = World()
    made.join(*(all_roles(who) for who in (NCB_ES, NCB_DE, NCB_PT, BANK_PT)))
    core = made.core("BANK-PT")
    core.book(PT, "+4000.00 EUR", "P1", other=ES, at=START)
    core.book(PT, "+3000.00 EUR", "P2", other=ES, at=START)
    made.report("NCB-ES", payment("4000.00 EUR", PT, "P1"))
    made.report("NCB-DE", payment("3000.00 EUR", PT, "P2"), loss="L2")
    made.asked = made.ask("NCB-ES", "4000.00 EUR", PT), made.ask("NCB-DE", "3000.00 EUR", PT)
    return made


def cases(world: World, node: str) -> list[Case]:
    return [case for case in world.nodes[node].cases.values() if case.requests and case.state != "joined"]


def told(world: World, node: str) -> list[frozenset[str]]:
    return [case.passed_on for case in cases(world, node)]


def waiting(world: World, node: str, word: str) -> int:
    return sum(what.startswith(word) for case in cases(world, node) for what in case.escalated)


def test_r74_everybody_who_was_told_the_account_hears_it_once(world: World) -> None:
    world.officer("NCB-ES", "correct", Corrected("", "account", "a digit was wrong"), world.asked[0])
    ids = {id for node in EVERYBODY for known in told(world, node) for id in known}
    assert len(ids) == 1
    for node in EVERYBODY:
        assert any(known == ids for known in told(world, node)), f"{node} was not told"
    assert [waiting(world, node, "correct ") for node in EVERYBODY] == [0, 1, 2, 1]  # NCB-PT has a case for each loss


def test_r65_a_wish_to_erase_goes_the_same_way(world: World) -> None:
    world.officer("BANK-PT", "ask-erasure", EraseAsked("", "GDPR art. 17(1)(d)"), one(world, "BANK-PT"), case=PT)
    assert [waiting(world, node, "erase ") for node in EVERYBODY] == [1, 1, 2, 0]


def one(world: World, node: str) -> str:
    return world.requests(node)[0].id


def test_r74_a_word_that_is_not_known_is_refused(world: World) -> None:
    with pytest.raises(Malformed, match="account, person, amount"):
        world.officer("NCB-ES", "correct", Corrected("", "everything"), world.asked[0])


@pytest.mark.parametrize(("ground", "state", "wrong"), [
    ("WRONG_ACCOUNT", "upheld", ["account"]), ("IDENTITY_MISUSED", "upheld", ["person"]),
    ("WRONG_ACCOUNT", "rejected", []), ("GOOD_FAITH", "upheld", []),
])  # fmt: skip
def test_r74_an_upheld_objection_corrects_by_itself(world: World, ground: str, state: str, wrong: list[str]) -> None:
    decide(world, world.asked[0])
    held = next(request.id for request in world.requests("BANK-PT") if request.hold and request.hold.decided)
    raised = Objection("o" * 32, "", ground, START, START + timedelta(days=1), "raised", None, "it is mine")
    world.officer("BANK-PT", "object", raised, held)
    world.officer("BANK-PT", "decide-objection", replace(raised, state=state), held, by=("Redress",))
    lines = [line for line in world.lines if "corrects what was said" in line and "NCB-DE" not in line]
    assert {line.rpartition("the ")[2].split()[0] for line in lines} == set(wrong)
    assert all(any(known for known in told(world, node)) == bool(wrong) for node in EVERYBODY)
