"""Roles, first contact, need to know, who has the ball."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.case import Case
from arrp.core.errors import NotFound, Refused
from arrp.core.events import KINDS, CalledBack, Decide, HandedOver, Restricted, Withdraw
from arrp.core.policy import Participant, Policy, Tally, strangers
from arrp.core.protocol import COMMANDS, step
from arrp.core.roles import ROLES, check_may_wish, counted, may_read
from arrp.core.step import Heard
from tests.stories.plain import ES, LT, NCB_ES, OPEN, START, VASP_LT, World, payment
from tests.stories.test_stories import ACCEPTED


def with_roles(who: Participant, roles: dict[str, tuple[str, ...]]) -> Participant:
    return replace(who, officers=tuple(replace(o, roles=roles.get(o.id, o.roles)) for o in who.officers))


def world_of(*participants: Participant, policy: Policy = OPEN) -> World:
    made = World()
    made.join(*participants, policies={"VASP-LT": policy})
    made.core("VASP-LT").book(LT, "+9.00 EUR", "P1", other=ES, at=START)
    return made


def asked(world: World) -> str:
    world.report("NCB-ES", payment("9.00 EUR", LT, "P1"))
    return world.ask("NCB-ES", "9.00 EUR", LT)


def case_at(world: World, node: str, request: str) -> Case:
    return world.nodes[node].case(world.nodes[node].routes[request])


# --- roles ---------------------------------------------------------------------------------------------------


def test_r90_roles_name_only_what_there_is() -> None:
    for name, role in ROLES.items():
        assert role.wishes <= set(COMMANDS), name
        assert role.signs <= set(KINDS), name


def test_r90_everything_that_needs_a_signature_has_somebody_to_sign_it() -> None:
    signed = {kind for kind, row in KINDS.items() if row.approvals or row.own}
    assert set().union(*(role.signs for role in ROLES.values())) == signed
    assert set().union(*(role.wishes for role in ROLES.values())) == set(COMMANDS)


@pytest.mark.parametrize(("roles", "verb"), [
    (("auditor",), "see"), (("bank clerk",), "decide"), (("operator",), "see"), (("analyst",), "withdraw"),
    (("duty officer",), "decide-objection"), (("king",), "see"), ((), "see"),
])  # fmt: skip
def test_r90_what_no_role_of_theirs_carries_is_refused_at_home(roles: tuple[str, ...], verb: str) -> None:
    lina = with_roles(VASP_LT, {"Lina": roles})
    with pytest.raises(Refused, match="R-90") as refused:
        check_may_wish(lina, "Lina", verb)
    assert refused.value.code == "not-your-role"


@pytest.mark.parametrize(("roles", "verb"), [
    (("analyst",), "resolve"), (("bank clerk",), "object"), (("redress officer",), "decide-objection"),
    (("auditor", "duty officer"), "decide"),
])  # fmt: skip
def test_r90_one_role_that_carries_it_is_enough(roles: tuple[str, ...], verb: str) -> None:
    check_may_wish(with_roles(VASP_LT, {"Lina": roles}), "Lina", verb)


def test_r90_a_command_and_a_signature_are_checked_in_the_step() -> None:
    clerk = with_roles(VASP_LT, {"Lina": ("bank clerk",), "Ona": ("duty officer",)})
    world = world_of(NCB_ES, clerk, policy=replace(OPEN, instant_from=()))
    request = asked(world)
    with pytest.raises(Refused, match="Lina is bank clerk: decide is for a duty officer"):
        world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    analyst = world_of(with_roles(NCB_ES, {"Ben": ("analyst",)}), VASP_LT)
    with pytest.raises(Refused, match="Ben is analyst: Loss is signed by a duty officer"):
        asked(analyst)
    with pytest.raises(NotFound, match="no officer Nobody"):
        world.officer("VASP-LT", "see", None, request, by=("Nobody",))


def test_r90_a_peers_signature_counts_only_if_its_role_carries_it() -> None:
    world = world_of(NCB_ES, VASP_LT)
    request = asked(world)
    node = world.nodes["VASP-LT"]
    auditor = with_roles(NCB_ES, {"Ana": ("auditor",)})
    rules = replace(node.rules, participants={**node.rules.participants, "NCB-ES": auditor})
    heard = Heard("a1", "NCB-ES", "Withdraw", request, Withdraw("wrong"), ("Ana",))
    with pytest.raises(Refused, match="needs the signatures of 1") as refused:
        step(case_at(world, "VASP-LT", request), heard, START, rules)
    assert refused.value.code == "approvals"
    assert step(case_at(world, "VASP-LT", request), replace(heard, officers=("Ben",)), START, rules)


@given(st.lists(st.sampled_from(["Ana", "Ben", "Eva", "nobody"])))
def test_r90_persons_are_counted_not_signatures(signed: list[str]) -> None:
    assert set(counted(NCB_ES, signed, "Request")) == set(signed) & {"Ana", "Ben"}
    assert len(counted(NCB_ES, signed, "Request")) == len(set(signed) & {"Ana", "Ben"})


# --- first contact -----------------------------------------------------------------------------------------------


CALLING = replace(OPEN, call_back_first=True)
ANA = Tally(strangers=("Ana", "Ben"))


@pytest.mark.parametrize(("introduced", "left"), [
    ((), ("Ana", "Ben")), (("NCB-ES",), ()), (("NCB-ES/Ana",), ("Ben",)), (("NCB-DE", "NCB-ES/Eva"), ("Ana", "Ben")),
])  # fmt: skip
def test_r91_whom_policy_introduced_is_no_stranger(introduced: tuple[str, ...], left: tuple[str, ...]) -> None:
    policy = replace(CALLING, introduced=introduced)
    assert strangers(policy, NCB_ES, ANA) == left
    assert strangers(replace(policy, call_back_first=False), NCB_ES, ANA) == ()


class Calling:
    """A request that waits for call-backs to the two officers behind it."""

    def __init__(self) -> None:
        self.world = world_of(NCB_ES, VASP_LT, policy=CALLING)
        self.world.strangers = ("Ana", "Ben")
        self.request = asked(self.world)

    def case(self) -> Case:
        return case_at(self.world, "VASP-LT", self.request)

    def accept(self) -> None:
        self.world.officer("VASP-LT", "decide", ACCEPTED, self.request, by=("Lina",))

    def call(self, officer: str, confirmed: bool = True) -> None:
        said = CalledBack(officer, confirmed, "+34 91 000 00 00", "the duty desk")
        self.world.officer("VASP-LT", "call-back", said, self.request, by=("Lina",))


def test_r91_nothing_is_held_or_accepted_before_the_call() -> None:
    waiting = Calling()
    assert waiting.case().request(waiting.request).hold is None
    assert waiting.world.core("VASP-LT").free(LT) == 900
    with pytest.raises(Refused, match="Ana, Ben of NCB-ES") as refused:
        waiting.accept()
    assert refused.value.code == "first-contact"
    waiting.call("Ana")
    with pytest.raises(Refused, match="first contact with Ben"):
        waiting.accept()
    waiting.call("Ben")
    waiting.accept()
    assert waiting.world.core("VASP-LT").free(LT) == 0


def test_r91_a_denied_call_back_is_an_anomaly_and_nothing_is_accepted() -> None:
    waiting = Calling()
    waiting.call("Ana")
    waiting.call("Ben", confirmed=False)
    assert "call-back-failed" in waiting.case().anomalies
    with pytest.raises(Refused, match="first contact with Ben"):
        waiting.accept()
    waiting.call("Ana", confirmed=False)
    with pytest.raises(Refused, match="first contact with Ana, Ben"):
        waiting.accept()


def test_r91_refusing_needs_no_call_and_only_their_officers_are_called() -> None:
    waiting = Calling()
    with pytest.raises(NotFound, match="no officer Lina"):
        waiting.call("Lina")
    waiting.world.officer("VASP-LT", "decide", Decide(False, "AGNT", None, None), waiting.request, by=("Lina",))
    assert waiting.case().request(waiting.request).answer == "refused"


# --- who knows, who works ------------------------------------------------------------------------------------------


def test_r92_a_restricted_case_is_for_those_named() -> None:
    world = world_of(NCB_ES, VASP_LT)
    request = asked(world)
    with pytest.raises(Refused, match="name Lina too"):
        world.officer("VASP-LT", "restrict", Restricted(("Ona",)), request, by=("Lina",))
    with pytest.raises(NotFound, match="no officer Ana"):
        world.officer("VASP-LT", "restrict", Restricted(("Lina", "Ana")), request, by=("Lina",))
    world.officer("VASP-LT", "restrict", Restricted(("Lina",)), request, by=("Lina",))
    with pytest.raises(Refused, match="named officers only") as refused:
        world.officer("VASP-LT", "see", None, request, by=("Ona",))
    assert refused.value.code == "need-to-know"
    only = case_at(world, "VASP-LT", request).only
    assert may_read(VASP_LT, "Lina", only)
    assert not may_read(VASP_LT, "Ona", only)
    world.officer("VASP-LT", "restrict", Restricted(()), request, by=("Lina",))
    world.officer("VASP-LT", "see", None, request, by=("Ona",))


def test_r92_a_role_that_does_not_read_reads_nothing() -> None:
    assert not may_read(with_roles(VASP_LT, {"Lina": ("operator",)}), "Lina", frozenset())
    assert may_read(with_roles(VASP_LT, {"Lina": ("operator", "auditor")}), "Lina", frozenset())


def test_r93_the_case_says_who_has_the_ball_and_since_when() -> None:
    world = world_of(NCB_ES, VASP_LT)
    request = asked(world)
    world.officer("VASP-LT", "hand-over", HandedOver("Lina", "call the bank at eight"), request, by=("Lina",))
    assert case_at(world, "VASP-LT", request).ball == ("Lina", world.now)
    world.run(minutes=5)
    world.officer("VASP-LT", "hand-over", HandedOver("Ona"), request, by=("Lina",))
    assert case_at(world, "VASP-LT", request).ball == ("Ona", world.now)
    with pytest.raises(NotFound, match="no officer Ana"):
        world.officer("VASP-LT", "hand-over", HandedOver("Ana"), request, by=("Lina",))
