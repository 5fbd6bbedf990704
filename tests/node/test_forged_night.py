"""R-94 and who would abuse it: signatures that must not count as the second, mandates that must not let one act.

Real nodes; what the bureau's own node would never say is said by hand. After each forged second signature the request
stands as if it had never come, and what it held is free when its four hours are over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arrp.core.messages import Outcome, Receipt
from arrp.core.notes import Approved
from arrp.core.wishes import Keep, Withdraw
from arrp.node.keys import OfficerKey, key_id, person_key
from arrp.wire.approvals import approve, b64, unb64
from tests.conftest import ABOVE_THE_STORE
from tests.node import world as worlds
from tests.node.forgery import BOTH, Forgery, answered, in_force, scene
from tests.node.mouth import Mouth
from tests.node.night import NIGHT, WHOLE, act_of, alone, blocked, mine, standing
from tests.node.test_forged import decided, without_ben
from tests.node.world import LT, START, World, amount

pytestmark = ABOVE_THE_STORE
Script = Callable[[World, str], Receipt]


def mouth_of(world: World, request: str) -> Mouth:
    """The bureau's own node is gone; whoever has its key speaks for it."""
    world.stop("NCB-ES")
    return Mouth(world, "NCB-ES", "VASP-LT", request, said=1, ids=900)


def second(world: World, request: str, *, officer: str = "Ben", over: str = "", signed: str = "") -> Approved:
    """The second signature: of `officer`, over the act `over`, said to be over `signed`; both the request's own."""
    kept = act_of(world, request)
    by = "NCB-PT" if officer in world.members["NCB-PT"].officers else "NCB-ES"
    return Approved(kept.act, signed or kept.act_hash, world.signature(by, officer, over or kept.act_hash))


def said(world: World, request: str, body: Approved, **how: Any) -> Receipt:
    return mouth_of(world, request).say("Approved", body, **how)


def true_one(world: World, request: str) -> Receipt:
    return said(world, request, second(world, request))


def loss_of(world: World, request: str) -> str:
    return mine(world, request).body.loss_act or ""


def same_officer(world: World, request: str) -> Receipt:
    return said(world, request, second(world, request, officer="Ana"))


def same_officer_with_another_key(world: World, request: str) -> Receipt:
    member, other = world.members["NCB-ES"], worlds._key("officer Ana again")
    body, (ana, ben) = second(world, request), member.participant.officers
    twice = replace(ana, keys=(*ana.keys, person_key(OfficerKey(other, key_id(other.public_key())), world.clock.at)))
    world.publish("NCB-ES", replace(member.participant, officers=(twice, ben)), member.keys)
    world.run(minutes=2)
    signed = approve(other, "Ana", key_id(other.public_key()), body.act_hash)
    return said(world, request, replace(body, approval=signed))


def signature_over_the_loss(world: World, request: str) -> Receipt:
    return said(world, request, second(world, request, over=loss_of(world, request)))


def true_signature_of_another_act(world: World, request: str) -> Receipt:
    loss = loss_of(world, request)
    return said(world, request, second(world, request, over=loss, signed=loss))


def officer_of_somebody_else(world: World, request: str) -> Receipt:
    return said(world, request, second(world, request, officer="Rui"))


def revoked_officer(world: World, request: str) -> Receipt:
    body = second(world, request)
    world.publish("NCB-ES", without_ben(world), world.members["NCB-ES"].keys)
    world.run(minutes=2)
    return said(world, request, body)


def officer_who_is_an_analyst(world: World, request: str) -> Receipt:
    body = second(world, request)
    world.publish("NCB-ES", without_ben(world, roles=("analyst",)), world.members["NCB-ES"].keys)
    world.run(minutes=2)
    return said(world, request, body)


def a_moment_too_late(world: World, request: str) -> Receipt:
    body, mouth = second(world, request), mouth_of(world, request)
    world.clock.at = START + timedelta(hours=4)
    return mouth.say("Approved", body)


def out_of_a_drawer(world: World, request: str) -> Receipt:
    """Dated in time, and delivered after its date."""
    mouth = mouth_of(world, request)
    world.start("NCB-ES")
    parcel = mouth.parcel("Approved", second(world, request), until=START + timedelta(hours=4))
    world.stop("NCB-ES")
    world.clock.at = START + timedelta(hours=4)
    return mouth.deliver(parcel)


def after_it_has_ended(world: World, request: str) -> Receipt:
    body, mouth = second(world, request), mouth_of(world, request)
    world.run(hours=4, minutes=5)
    return mouth.say("Approved", body)


SECONDS: dict[Script, str] = {
    same_officer: "repeated-approval",
    same_officer_with_another_key: "four-eyes",
    signature_over_the_loss: "bad-approval",
    true_signature_of_another_act: "bad-approval",
    officer_of_somebody_else: "unknown-officer",
    revoked_officer: "unknown-officer",
    officer_who_is_an_analyst: "approvals",
    a_moment_too_late: "expired",
    out_of_a_drawer: "expired",
    after_it_has_ended: "ended",
}


@pytest.mark.parametrize(("script", "shows"), SECONDS.items(), ids=[script.__name__ for script in SECONDS])
def test_r94_no_such_signature_is_the_second(world: World, script: Script, shows: str) -> None:
    request = alone(world)
    receipt = script(world, request)
    assert (receipt.outcome, receipt.code) == (Outcome.REFUSED, shows)
    there = mine(world, request, "VASP-LT")
    assert (there.by_officers, there.second_by) == (("Ana",), START + timedelta(hours=4))
    world.run(hours=4, minutes=5)
    assert blocked(world) == 0


def test_r94_the_true_one_counts_once(world: World) -> None:
    """The table above is about what is wrong with each: said in the same way, the true one is applied."""
    request = alone(world)
    body = second(world, request)
    mouth = mouth_of(world, request)
    assert mouth.say("Approved", body).outcome is Outcome.APPLIED
    again = mouth.say("Approved", body)
    assert (again.outcome, again.code) == (Outcome.REFUSED, "repeated-approval")
    withdrawn = mouth.say("Withdraw", Withdraw("by the node alone"))
    assert (withdrawn.outcome, withdrawn.code) == (Outcome.REFUSED, "approvals"), "an officer has to take it back"
    world.run(hours=5)
    assert blocked(world) == amount(WHOLE).minor


def test_r27_r94_a_lower_keep_that_comes_first_takes_no_signature_away(world: World) -> None:
    """Giving back does not wait for what is missing; who signed has signed all the same."""
    request = alone(world)
    body = second(world, request)
    mouth = mouth_of(world, request)
    lower = mouth.say("Keep", Keep(amount("40000.00 EUR"), True), number=3)
    assert lower.outcome is Outcome.APPLIED
    assert mouth.say("Approved", body, number=2).outcome is Outcome.APPLIED
    world.run(hours=5)
    assert blocked(world) == amount("40000.00 EUR").minor


# --- mandates that let nobody act alone ------------------------------------------------------------------------


NIGHTLY = {"loss": None, "night_approvals": 1, "valid_from": START - timedelta(days=1)}
BY_ANA = Forgery(by=("Ana",), loss_by=("Ana",), mandate_by=BOTH, terms=NIGHTLY)


def of_one_loss(world: World) -> str:
    return replace(BY_ANA, terms={"night_approvals": 1}).sent(world)


def by_day_only(world: World) -> str:
    return replace(BY_ANA, terms={**NIGHTLY, "night_approvals": 2}).sent(world)


def night_written_into_it_later(world: World) -> str:
    by_day = replace(BY_ANA, terms={**NIGHTLY, "night_approvals": 2})
    true = by_day.mandate(world)
    act = unb64(true.act).replace(b'"night_approvals":2', b'"night_approvals":1')
    return by_day.sent(world, (by_day.loss(world), replace(true, act=b64(act))))


def signed_by_nobody_at_night(world: World) -> str:
    return replace(BY_ANA, by=(), loss_by=BOTH).sent(world)


def mandate_of_one_officer(world: World) -> str:
    return replace(BY_ANA, mandate_by=("Ana",)).sent(world)


def over_its_limit(world: World) -> str:
    return replace(BY_ANA, terms={**NIGHTLY, "per_request": amount("10.00 EUR")}).sent(world)


def past_its_date(world: World) -> str:
    return replace(BY_ANA, terms={**NIGHTLY, "valid_until": START}).sent(world)


def by_an_analyst(world: World) -> str:
    world.publish("NCB-ES", without_ben(world, roles=("analyst",)), world.members["NCB-ES"].keys)
    world.run(minutes=2)
    return replace(BY_ANA, by=("Ben",), mandate_by=BOTH).sent(world)


def of_another_authority(world: World) -> str:
    theirs = standing(world, "NCB-PT", NIGHT)
    return BY_ANA.sent(world, (BY_ANA.loss(world), theirs.attached))


def one_officer_instructs_the_bank(world: World) -> str:
    theirs = standing(world, "NCB-PT", NIGHT)
    forged = Forgery(sender="NCB-PT", to="BANK-PT", by=("Rui",), loss_by=("Rui", "Zoe"), body=decided(world))
    return forged.sent(world, (forged.loss(world), theirs.attached))


def its_loss_is_not_signed_by_day(world: World) -> str:
    """One signature over the loss act is enough for what one officer sends, and for nothing else."""
    return replace(BY_ANA, by=(), terms={**NIGHTLY, "night_approvals": 2}).sent(world)


MANDATES: dict[Callable[[World], str], str] = {
    of_one_loss: "approvals",
    by_day_only: "approvals",
    night_written_into_it_later: "bad-approval",
    signed_by_nobody_at_night: "approvals",
    mandate_of_one_officer: "approvals",
    over_its_limit: "beyond-mandate",
    past_its_date: "beyond-mandate",
    by_an_analyst: "approvals",
    of_another_authority: "approvals",
    one_officer_instructs_the_bank: "approvals",
    its_loss_is_not_signed_by_day: "no-loss",
}


@pytest.mark.parametrize(("script", "shows"), MANDATES.items(), ids=[script.__name__ for script in MANDATES])
def test_r94_no_such_mandate_lets_one_officer_act(world: World, script: Callable[[World], str], shows: str) -> None:
    scene(world)
    assert script(world) == shows
    world.run(minutes=5)
    assert in_force(world) == []


def test_r94_such_a_mandate_does(world: World) -> None:
    """The forgeries above differ from this one in one thing each."""
    scene(world)
    assert BY_ANA.sent(world) == "applied"
    assert world.core("VASP-LT").balance("lt-1").held == amount(WHOLE).minor
    world.run(hours=4, minutes=5)
    assert in_force(world) == []


def test_r91_r94_who_signs_later_is_called_back_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second signature by somebody nobody here has spoken to, and whom the mandate does not name."""
    call_first = replace(worlds.OPEN, call_back_first=True, introduced=("NCB-ES/Ana", "NCB-ES/Ben"))
    monkeypatch.setattr(worlds, "OPEN", call_first)
    worlds.restarted(world, "VASP-LT")
    member, key = world.members["NCB-ES"], worlds._key("officer Cleo")
    cleo = replace(member.participant.officers[0], id="Cleo", name="Cleo",
                   keys=(person_key(OfficerKey(key, key_id(key.public_key())), START),))
    world.publish("NCB-ES", replace(member.participant, officers=(*member.participant.officers, cleo)), member.keys)
    member.officers["Cleo"] = key
    world.run(minutes=2)
    request = alone(world, LT)
    assert blocked(world) == amount(WHOLE).minor
    assert said(world, request, second(world, request, officer="Cleo")).outcome is Outcome.APPLIED
    called = [what for case in world.cases("VASP-LT") for what in case.escalated if what.startswith("call-back ")]
    assert called == [f"call-back {request} Cleo"]


def test_answered_is_how_a_forgery_shows(world: World) -> None:
    """R-24: the same bytes again have the same answer, a refusal too."""
    scene(world)
    forged = replace(BY_ANA, terms={"night_approvals": 1}).parcel(world)
    assert [answered(world, "VASP-LT", forged) for _ in range(2)] == ["approvals", "approvals"]
