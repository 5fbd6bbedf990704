"""R-94 in the rules alone: one officer acts under a standing mandate, a second signs the same bytes in four hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.core.case import Case, apply
from arrp.core.errors import Conflict, Malformed, Refused
from arrp.core.events import Approved, Decide, Withdraw
from arrp.core.mandate import check_signers, loss_signers
from arrp.core.messages import Approval
from arrp.core.protocol import next_due, step
from arrp.core.request import Document, Reason, Request
from arrp.core.step import Approve, Heard, Tick
from arrp.core.wishes import Secure
from tests.stories.plain import (
    ASLEEP,
    BANK_PT,
    ES,
    LT,
    NCB_ES,
    NCB_PT,
    OPEN,
    PT,
    STANDING,
    START,
    VASP_LT,
    World,
    amount,
    payment,
)
from tests.stories.test_night import NIGHT, WHOLE, alone, mine, night, reported, signs_too
from tests.stories.test_stories import BASIS

DUE = START + timedelta(hours=4)
ACCEPTED = Decide(True, None, BASIS, START + timedelta(hours=48))


@pytest.fixture
def world() -> World:
    return World()


def there(world: World, request: str, node: str = "VASP-LT") -> Request:
    return world.nodes[node].case(world.nodes[node].routes[request]).request(request)


def approved(world: World, request: str, officer: str = "Ben", over: str = "") -> Approved:
    hash_ = mine(world, request).act_hash
    return Approved(hash_.removeprefix("hash-"), over or hash_, Approval(officer, "k", "Ed25519", "s"))


def heard(world: World, request: str, body: Approved) -> list[str]:
    node = world.nodes["VASP-LT"]
    given = Heard("late", "NCB-ES", "Approved", request, body)
    return [event.kind for event in step(node.case(node.routes[request]), given, world.now, node.rules)]


def test_r94_it_leaves_with_one_signature_and_both_sides_know_until_when(world: World) -> None:
    request = alone(world, LT)
    assert (mine(world, request).by_officers, mine(world, request).second_by) == (("Ana",), DUE)
    assert (there(world, request).by_officers, there(world, request).second_by) == (("Ana",), DUE)
    assert there(world, request).hold.in_force  # type: ignore[union-attr]
    due = next_due(world.nodes["NCB-ES"].case("loss"), world.nodes["NCB-ES"].rules)
    assert due is not None
    assert due <= DUE - timedelta(hours=2), "somebody is called before"


def test_r94_nothing_leaves_under_it_without_a_signature(world: World) -> None:
    night(world)
    world.core("VASP-LT").book(LT, f"+{WHOLE}", "P1", other=ES, at=START)
    reported(world, LT)
    with pytest.raises(StopIteration):
        world.ask("NCB-ES", WHOLE, LT)
    (draft,) = [one for one in world.nodes["NCB-ES"].case("loss").drafts.values() if one.kind == "Request"]
    assert draft.needs == 1


def test_r94_what_its_mandate_covers_no_more_when_it_is_signed_does_not_leave(world: World) -> None:
    night(world)
    reported(world, LT)
    with pytest.raises(StopIteration):
        world.ask("NCB-ES", WHOLE, LT)
    node = world.nodes["NCB-ES"]
    (draft,) = [one for one in node.case("loss").drafts.values() if one.kind == "Request"]
    node.rules = replace(node.rules, standing=(("standing-NCB-ES", replace(NIGHT, valid_until=START)),))
    with pytest.raises(Refused, match="does not cover it any more"):
        world.sign("NCB-ES", "loss", draft.act, "Ana")


def test_r14_r94_one_officer_needs_a_loss_act_and_two_need_one_of_two(world: World) -> None:
    night(world)
    node = world.nodes["NCB-ES"]
    reported(world, LT)
    assert node.case("loss").loss_act is not None
    node.rules = replace(node.rules, standing=())
    with pytest.raises(Refused, match="R-14") as half:
        world.ask("NCB-ES", WHOLE, LT, by=("Ana", "Ben"))
    assert half.value.code == "no-loss"
    (loss,) = [one for one in node.case("loss").drafts.values() if one.kind == "Loss"]
    world.sign("NCB-ES", "loss", loss.act, "Ben")
    assert world.ask("NCB-ES", WHOLE, LT, by=("Ana", "Ben"))


def test_r14_r94_without_a_loss_act_one_officer_is_told_what_to_sign(world: World) -> None:
    night(world)
    node = world.nodes["NCB-ES"]
    node.rules = replace(node.rules, standing=())
    reported(world, LT)
    assert node.case("loss").loss_act is None, "one signature opens nothing where no mandate lets one act"
    node.rules = replace(node.rules, standing=(("standing-NCB-ES", NIGHT),))
    with pytest.raises(Refused, match="mandate open"):
        world.ask("NCB-ES", WHOLE, LT, by=("Ana",))


@pytest.mark.parametrize("side", ["home", "peer"])
def test_r23_r94_who_sent_it_is_not_the_second(world: World, side: str) -> None:
    request = alone(world, LT)
    said = {"home": lambda: signs_too(world, request, "Ana"),
            "peer": lambda: heard(world, request, approved(world, request, "Ana"))}
    with pytest.raises(Refused) as twice:
        said[side]()
    assert twice.value.code == "four-eyes"


def test_r94_an_officer_of_ours_of_the_same_name_who_decided_is_nobody_of_theirs(world: World) -> None:
    """Whoever decides here stands behind the request here: that is no second signature of theirs, nor in its way."""
    request = alone(world, LT)
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    assert there(world, request).second_by == DUE
    assert heard(world, request, approved(world, request)) == ["Approved"]


def test_r94_the_signature_is_over_the_request_itself(world: World) -> None:
    request = alone(world, LT)
    with pytest.raises(Refused) as other:
        heard(world, request, approved(world, request, over="hash-of-another"))
    assert other.value.code == "bad-approval"


@pytest.mark.parametrize("role", ["analyst", "bank clerk", "redress officer", "auditor", "operator"])
def test_r90_r94_whose_role_carries_no_request_is_not_the_second(world: World, role: str) -> None:
    request = alone(world, LT)
    ana, ben = NCB_ES.officers
    changed = replace(NCB_ES, officers=(ana, replace(ben, roles=(role,))))
    for node in world.nodes.values():
        known = {**node.rules.participants, "NCB-ES": changed}
        node.rules = replace(node.rules, participants=known, me=known[node.id])
    with pytest.raises(Refused) as theirs:
        heard(world, request, approved(world, request))
    assert theirs.value.code == "approvals"
    with pytest.raises(Refused) as ours:
        signs_too(world, request, "Ben")
    assert ours.value.code == "not-your-role"


@pytest.mark.parametrize(("minutes", "code"), [(239, ""), (240, "expired"), (241, "expired")])
def test_r94_four_hours_are_exclusive_on_both_sides(world: World, minutes: int, code: str) -> None:
    """The node of the bureau is away, so that nothing but the clock of the receiver says it."""
    request = alone(world, LT)
    world.now = START + timedelta(minutes=minutes)
    if not code:
        assert heard(world, request, approved(world, request)) == ["Approved"]
        signs_too(world, request, "Ben")
        return
    with pytest.raises(Refused) as late:
        heard(world, request, approved(world, request))
    assert late.value.code == code
    with pytest.raises(Refused, match="R-94"):
        signs_too(world, request, "Ben")


def test_r94_a_request_of_two_waits_for_no_third(world: World) -> None:
    request = alone(world, LT)
    signs_too(world, request, "Ben")
    for officer in ("Ana", "Ben"):
        with pytest.raises((Refused, Conflict)):
            signs_too(world, request, officer)
        with pytest.raises(Refused) as again:
            heard(world, request, approved(world, request, officer))
        assert again.value.code == "ended"


def test_r94_the_tick_withdraws_once_and_tells_the_truth(world: World) -> None:
    request = alone(world, LT)
    node = world.nodes["NCB-ES"]
    world.now = DUE - timedelta(seconds=1)
    assert "Withdraw" not in [event.kind for event in step(node.case("loss"), Tick("t"), world.now, node.rules)]
    world.now = DUE
    said = step(node.case("loss"), Tick("t"), world.now, node.rules)
    (withdraw,) = [event for event in said if event.kind == "Withdraw"]
    assert withdraw.body == Withdraw("no second officer signed it in time (R-94)")
    assert withdraw.officers == ()
    assert not [event for event in said if event.kind == "Escalated" and event.body.what.startswith("second ")]
    after = node.case("loss")
    for event in said:
        after = apply(after, event)
    assert after.request(request).wish == "withdrawn"
    assert "Withdraw" not in [event.kind for event in step(after, Tick("t2"), DUE + timedelta(days=1), node.rules)]


def test_r94_the_receiver_ends_it_by_itself_a_moment_later(world: World) -> None:
    request = alone(world, LT)
    node = world.nodes["VASP-LT"]
    case: Case = node.case(node.routes[request])
    due = DUE + node.rules.patience
    before = [event.kind for event in step(case, Tick("t"), due - timedelta(seconds=1), node.rules)]
    assert not {"HoldEnding", "RequestEnded"} & set(before)
    ending = step(case, Tick("t"), due, node.rules)[0]
    assert (ending.kind, ending.body.why) == ("HoldEnding", Reason.NOT_SIGNED)


def test_r94_an_authority_takes_its_instruction_back_by_itself(world: World) -> None:
    """The bank knows nothing of the missing signature: it was instructed under a mandate that lets the node act."""
    request = alone(world, PT)
    node = world.nodes["NCB-PT"]
    key = node.routes[request]
    world.now = DUE + node.rules.patience
    world.give("NCB-PT", key, Tick("t"))
    world.settle()
    assert mine(world, request).hold.state == "released"  # type: ignore[union-attr]
    assert world.core("BANK-PT").free(PT) == amount(WHOLE).minor
    assert [event.kind for event in step(node.case(key), Tick("t2"), world.now, node.rules)] == []


def test_r57_r94_an_order_of_the_requested_country_outlives_the_signature_that_never_came(world: World) -> None:
    request = alone(world, LT)
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    order = Secure(BASIS, Document("cd" * 32, "order", "application/pdf", 2000), START + timedelta(days=100))
    world.officer("VASP-LT", "secure", order, request, by=("Lina", "Ona"))
    world.run(hours=6)
    assert mine(world, request).hold.state == "secured"  # type: ignore[union-attr]
    assert world.core("VASP-LT").free(LT) == 0


@pytest.mark.parametrize("asked_first", [True, False])
def test_r17_r94_policy_that_wants_two_signatures_wants_them_at_night_too(world: World, asked_first: bool) -> None:
    """`mandate_issued = false`: an officer looks before anything is held, although one officer of theirs signed."""
    world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT,
               policies={"VASP-LT": replace(OPEN, mandate_issued=False) if asked_first else ASLEEP})
    node = world.nodes["NCB-ES"]
    node.rules = replace(node.rules, standing=(("standing-NCB-ES", NIGHT),))
    world.core("VASP-LT").book(LT, f"+{WHOLE}", "P1", other=ES, at=START)
    reported(world, LT)
    request = world.ask("NCB-ES", WHOLE, LT, by=("Ana",))
    assert mine(world, request).hold is None
    world.officer("VASP-LT", "decide", ACCEPTED, request, by=("Lina",))
    assert mine(world, request).hold.in_force  # type: ignore[union-attr]
    world.run(hours=5)
    assert world.core("VASP-LT").free(LT) == amount(WHOLE).minor


def test_r22_r94_the_node_alone_withdraws_only_what_waits_for_a_signature(world: World) -> None:
    request = alone(world, LT)
    node = world.nodes["VASP-LT"]
    key = node.routes[request]
    unsigned = Heard("w", "NCB-ES", "Withdraw", request, Withdraw("x"))
    assert [event.kind for event in step(node.case(key), unsigned, world.now, node.rules)][:1] == ["Withdraw"]
    signs_too(world, request, "Ben")
    with pytest.raises(Refused) as alone_now:
        step(node.case(key), unsigned, world.now, node.rules)
    assert alone_now.value.code == "approvals"


@pytest.mark.parametrize(
    ("loss", "night_approvals", "officers", "holds"),
    [(None, 1, 1, True), (None, 1, 0, False), (None, 2, 0, True), (None, 2, 1, False), ("L1", 1, 1, False),
     ("L1", 2, 0, True), ("L1", 2, 1, False), (None, 0, 1, False), (None, 3, 1, False), (None, -1, 1, False)],
)
def test_r94_only_a_standing_mandate_that_says_one_lets_one_act(
    world: World, loss: str | None, night_approvals: int, officers: int, holds: bool
) -> None:
    request = alone(world, LT)
    mandate = replace(NIGHT, loss=loss, night_approvals=night_approvals)
    body = mine(world, request).body
    if holds:
        check_signers(mandate, body, officers)
        return
    with pytest.raises(Refused) as refused:
        check_signers(mandate, body, officers)
    assert refused.value.code == "approvals"


def test_r14_r94_how_many_sign_the_loss_act(world: World) -> None:
    body = mine(world, alone(world, LT)).body
    assert loss_signers(None, body, "NCB-ES", 2) == 2
    assert loss_signers(replace(NIGHT, night_approvals=2), body, "NCB-ES", 2) == 2
    assert loss_signers(NIGHT, body, "NCB-ES", 2) == 1
    handed_on = replace(body, instructs="r1")
    assert loss_signers(None, handed_on, "NCB-PT", 2) == 1
    assert loss_signers(None, handed_on, "NCB-ES", 2) == 2


def test_r94_a_command_that_is_no_signature_is_malformed(world: World) -> None:
    """What officers wish is not this act: it is said by signing (R-23)."""
    request = alone(world, LT)
    with pytest.raises(Malformed, match="no command"):
        world.officer("NCB-ES", "approved", approved(world, request), request)
    with pytest.raises(Conflict, match="no draft"):
        world.give("NCB-ES", "loss", Approve("a1", "other", "hash-other", Approval("Ben", "k", "Ed25519", "s")))


def test_r54_r94_under_a_mandate_for_the_night_no_node_instructs_alone(world: World) -> None:
    world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT)
    node = world.nodes["NCB-PT"]
    node.rules = replace(node.rules, standing=(("standing-NCB-PT", NIGHT),))
    world.core("BANK-PT").book(PT, f"+{WHOLE}", "P1", other=ES, at=START)
    world.report("NCB-ES", payment(WHOLE, PT, "P1"))
    request = world.ask("NCB-ES", WHOLE, PT)
    assert f"decide {request}" in node.case(node.routes[request]).escalated
    assert world.requests("BANK-PT") == []


def test_r14_r94_a_mandate_that_covers_alone_waits_for_a_loss_act_of_two(world: World) -> None:
    """Its receiver would refuse the request: with one signature over the loss act an officer sends it."""
    night(world)
    node = world.nodes["NCB-ES"]
    reported(world, LT)
    node.rules = replace(node.rules, standing=(("by-day", STANDING), ("standing-NCB-ES", NIGHT)))
    with pytest.raises(StopIteration):
        world.ask("NCB-ES", WHOLE, LT)
    (draft,) = [one for one in node.case("loss").drafts.values() if one.kind == "Request"]
    assert (draft.needs, draft.body.mandate_act) == (1, "standing-NCB-ES")
    (loss,) = [one for one in node.case("loss").drafts.values() if one.kind == "Loss"]
    world.sign("NCB-ES", "loss", loss.act, "Ben")
    assert mine(world, world.ask("NCB-ES", WHOLE, LT)).by_officers == ()
