"""Roles, first contact, need to know, who has the ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.case import Case
from arrp.core.errors import NotFound, Refused
from arrp.core.events import KINDS, CalledBack, Decide, HandedOver, Restricted, Verb, Withdraw
from arrp.core.policy import Participant, Policy, Tally, strangers
from arrp.core.protocol import COMMANDS, step
from arrp.core.request import Reason
from arrp.core.roles import ROLES, check_may_wish, counted, may_read
from arrp.core.sentences import marks
from arrp.core.step import Heard
from tests.stories.plain import ES, LT, NCB_ES, OPEN, START, VASP_LT, Core, World, payment
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

    def __init__(self, found: Callable[[Core], None] = lambda core: None) -> None:
        self.world = world_of(NCB_ES, VASP_LT, policy=CALLING)
        found(self.world.core("VASP-LT"))
        self.world.strangers = ("Ana", "Ben")
        self.request = asked(self.world)

    def case(self) -> Case:
        return case_at(self.world, "VASP-LT", self.request)

    def accept(self) -> None:
        self.world.officer("VASP-LT", "decide", ACCEPTED, self.request, by=("Lina",))

    def call(self, officer: str, confirmed: bool = True) -> None:
        others = tuple(one for one in self.world.strangers if one != officer)
        self.world.strangers = others if confirmed else (*others, officer)  # what the door keeps for the next request
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
    assert waiting.world.core("VASP-LT").free(LT) == 0, "from the last call on policy decides, as for anybody (R-17)"
    waiting.accept()
    hold = waiting.case().request(waiting.request).hold
    assert hold is not None
    assert hold.state == "confirmed"


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


@pytest.mark.parametrize("confirmed", [True, False])
def test_r91_a_call_back_that_is_taken_back_stops_what_is_not_decided(confirmed: bool) -> None:
    waiting = Calling()
    waiting.world.nodes["VASP-LT"].core.refuses.add(Verb.HOLD)  # type: ignore[union-attr]
    waiting.call("Ana")
    waiting.call("Ben")
    waiting.call("Ben", confirmed=confirmed)
    if confirmed:
        waiting.accept()
        return
    with pytest.raises(Refused, match="first contact with Ben"):
        waiting.accept()


def called(waiting: Calling, whom: str) -> list[str]:
    """What the holder said when it called that person for a call-back, with the time of day."""
    said = f"calls the {whom}: waits for a call-back"
    return [line for line in waiting.world.lines if "VASP-LT" in line and said in line]


def test_r91_a_call_that_nobody_makes_calls_the_second_contact_once() -> None:
    waiting = Calling()
    assert len(called(waiting, "duty officer")) == 2
    waiting.world.run(minutes=4, seconds=59)
    assert called(waiting, "second contact") == []
    waiting.world.run(hours=3)
    (line,) = called(waiting, "second contact")
    assert line.startswith(f"{START + timedelta(minutes=5):%d %b %H:%M}"), line
    assert "nobody has called back Ana, Ben of NCB-ES" in line


def test_r91_the_clock_of_a_call_stops_when_it_is_made_or_nobody_needs_it() -> None:
    """One of two is not both; a denied call was made; what is refused or withdrawn waits for nobody."""
    made, half, denied, refused, withdrawn = (Calling() for _ in range(5))
    for officer in ("Ana", "Ben"):
        made.call(officer)
        denied.call(officer, confirmed=False)
    half.call("Ben")
    refused.world.officer("VASP-LT", "decide", Decide(False, "AGNT", None, None), refused.request, by=("Lina",))
    withdrawn.world.officer("NCB-ES", "withdraw", Withdraw("wrong"), withdrawn.request, by=("Ana",))
    for waiting in (made, half, denied, refused, withdrawn):
        waiting.world.run(hours=1)
    assert [called(waiting, "second contact") for waiting in (made, denied, refused, withdrawn)] == [[]] * 4
    (line,) = called(half, "second contact")
    assert "nobody has called back Ana of NCB-ES" in line


def test_r91_who_is_to_be_called_is_shown_with_the_request() -> None:
    waiting = Calling()

    def shown() -> tuple[str, ...]:
        case = waiting.case()
        return marks(case.request(waiting.request), waiting.world.now, case.calls.get(waiting.request, ()))

    assert shown() == tuple(f"waits for a call-back to {name} of NCB-ES since {START:%Y-%m-%dT%H:%MZ}"
                            for name in ("Ana", "Ben"))
    waiting.call("Ana")
    assert ["to Ben of" in mark for mark in shown()] == [True]
    waiting.call("Ben")
    waiting.accept()
    assert shown() == ()


def _nobody(core: Core) -> None:
    del core.accounts[LT]


def _closed(core: Core) -> None:
    core.closed.add(LT)


def _no_credit(core: Core) -> None:
    core.accounts[LT] = [replace(transfer, ref="P9") for transfer in core.accounts[LT]]


FOUND: dict[str, Callable[[Core], None]] = {
    "there": lambda core: None, "nobody's": _nobody, "closed": _closed, "no such credit": _no_credit,
}


def at_first_contact(there: str) -> Calling:
    return Calling(FOUND[there])


def an_hour_tells_nothing(told: Calling, same: Calling) -> None:
    """T05: the same words, the same events, and the core not asked, whether the account is there or not."""
    told.world.run(hours=1)
    same.world.run(hours=1)
    assert told.world.lines == same.world.lines
    assert told.case() == same.case()
    assert not told.case().intents
    assert not told.case().located


@pytest.mark.parametrize("there", FOUND)
def test_r91_before_the_call_nothing_tells_what_is_at_the_account(there: str) -> None:
    told, same = at_first_contact(there), at_first_contact("there")
    an_hour_tells_nothing(told, same)
    told.call("Ana")
    assert told.case().version == same.case().version + 1
    told.call("Ben", confirmed=False)
    told.world.run(hours=1)
    assert told.case().request(told.request).answer == "received"


@pytest.mark.parametrize(("there", "reason"), [
    ("nobody's", Reason.NO_MATCHING_CREDIT), ("closed", Reason.AC04), ("no such credit", Reason.NO_MATCHING_CREDIT),
])  # fmt: skip
def test_r91_r50_after_the_call_the_core_answers_as_ever(there: str, reason: Reason) -> None:
    told = at_first_contact(there)
    told.call("Ana")
    told.call("Ben")
    assert told.case().request(told.request).reason == reason
    assert told.world.nodes["NCB-ES"].case("loss").request(told.request).reason == reason


@pytest.mark.parametrize("there", sorted(FOUND.keys() - {"nobody's"}))  # which has no account's case to join
def test_r91_a_call_back_taken_back_while_the_core_looks_tells_nothing(there: str) -> None:
    """The request joins the account's case as a stranger's again: what was found stays here."""
    told = at_first_contact(there)
    before = [line for line in told.world.lines if "VASP-LT" in line]
    told.call("Ana")
    told.world.strangers = ("Ana", "Ben")  # somebody denies it, in another case, before the core has answered
    said = CalledBack("Ben", True, "+34 91 000 00 00", "the duty desk")
    told.world.officer("VASP-LT", "call-back", said, told.request, by=("Lina",))
    assert [line for line in told.world.lines if "VASP-LT" in line and line not in before
            and ("refuses" in line or "holds" in line)] == []
    assert told.case().request(told.request).answer == "received"
    with pytest.raises(Refused, match="first contact with Ana, Ben"):
        told.accept()


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
