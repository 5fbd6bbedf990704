"""R-24, R-26, R-27: numbers and gaps, what is refused and what fills a number, said by hand to a real node."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from arrp.core.errors import ArrpError, Conflict
from arrp.core.events import Decide, Release, Resolved
from arrp.core.facts import Answered
from arrp.core.messages import Checkpoint, Outcome, Receipt, Urgency
from arrp.core.request import Terms
from arrp.core.wishes import Keep, Withdraw
from arrp.node.directory import Directory
from arrp.node.hearing import Hearing
from arrp.node.keys import fresh_keys
from arrp.node.service import Service
from arrp.node.store import talk, work
from arrp.wire.approvals import sealing_public
from arrp.wire.envelope import Routing, seal
from tests.node.life import count
from tests.node.mouth import ASKED, Mouth, asked_on_paper_only, held, hold_of, opened, signed_by
from tests.node.world import BASIS, FOUNDED, START, World, amount, payment

SMALL, LESS = Keep(amount("40000.00 EUR"), True), Keep(amount("60000.00 EUR"), True)
WITHDRAW = Withdraw("wrong report")


def started(world: World) -> Mouth:
    """The request has arrived and the money is held."""
    mouth, request = asked_on_paper_only(world)
    assert mouth.deliver(request).outcome is Outcome.APPLIED
    world.settle()
    assert hold_of(world, mouth).amount == ASKED
    return mouth


def test_r27_what_comes_early_waits_and_is_applied_in_order(world: World) -> None:
    mouth, request = asked_on_paper_only(world)
    third = mouth.parcel("Keep", SMALL, number=3)
    second = mouth.parcel("Keep", LESS, number=2)
    first_answers = [mouth.deliver(third), mouth.deliver(second)]
    assert [(r.outcome, r.seen) for r in first_answers] == [(Outcome.WAITING, 0)] * 2
    assert mouth.deliver(request).seen == 3
    assert [mouth.deliver(p).outcome for p in (second, third)] == [Outcome.APPLIED] * 2
    world.settle()
    kinds = [e.kind for e in world.log("VASP-LT") if e.by == "NCB-ES"]
    assert kinds == ["Request", "Keep", "Keep"]


def test_r03_an_overtaken_request_still_reaches_the_case_of_its_loss(world: World) -> None:
    """At an authority a case is one loss, whichever act of its conversation came first."""
    world.post.lose = lambda url, _: "parcel"
    case = world.report(payment("1000.00 EUR", "payto://iban/PT50000201231234567890154", "P1"))
    asked = world.ask(case, "1000.00 EUR", "payto://iban/PT50000201231234567890154")
    world.settle()
    parcel = next(body for url, body in world.post.sent if url == "http://ncb-pt/parcels")
    mouth = Mouth(world, "NCB-ES", "NCB-PT", asked, said=1)
    assert mouth.say("Keep", Keep(amount("500.00 EUR"), True), number=2).outcome is Outcome.WAITING
    assert mouth.deliver(parcel).seen == 2
    assert count(world, "NCB-PT", "SELECT count(*) FROM cases") == 1
    assert count(world, "NCB-PT", "SELECT count(*) FROM cases WHERE key = 'loss NCB-ES L1'") == 1


def test_r27_a_withdrawal_does_not_wait_and_what_it_overtook_is_superseded(world: World) -> None:
    mouth = started(world)
    overtaken = mouth.parcel("Keep", LESS, number=2)
    receipt = mouth.say("Withdraw", WITHDRAW, by=("Ana",), number=3)
    assert (receipt.outcome, receipt.seen) == (Outcome.APPLIED, 1)
    world.settle()
    assert hold_of(world, mouth).state == "released"
    late = mouth.deliver(overtaken)
    assert (late.outcome, late.seen) == (Outcome.SUPERSEDED, 3)
    world.settle()
    assert world.core("VASP-LT").balance("lt-1").held == 0


def test_r27_a_withdrawal_that_a_release_overtook_still_ends_the_request(world: World) -> None:
    mouth = started(world)
    overtaken = mouth.parcel("Withdraw", WITHDRAW, by=("Ana",), number=2)
    release = Release(amount("0.00 EUR"), "no longer needed")
    assert mouth.say("Release", release, by=("Ana",), number=3).outcome is Outcome.APPLIED
    late = mouth.deliver(overtaken)
    assert (late.outcome, late.seen) == (Outcome.APPLIED, 3)
    world.settle()
    assert held(world, mouth).wish == "withdrawn"
    assert held(world, mouth).answer == "ended"


def test_r27_a_withdrawal_before_its_request_makes_that_one_end_at_once(world: World) -> None:
    mouth, request = asked_on_paper_only(world)
    assert mouth.say("Withdraw", WITHDRAW, by=("Ana",), number=2).outcome is Outcome.APPLIED
    assert mouth.deliver(request).seen == 2
    world.settle()
    assert held(world, mouth).hold is None
    assert world.core("VASP-LT").balance("lt-1").held == 0


def test_r29_what_came_before_a_number_that_was_given_back_closes_the_gap(world: World) -> None:
    """Restored from a backup, the receiver took the request back from its peer, and had the withdrawal already."""
    mouth, request = asked_on_paper_only(world)
    early, later = mouth.parcel("Withdraw", WITHDRAW, by=("Ana",), number=2), mouth.parcel("Keep", LESS, number=3)
    assert mouth.deliver(early).seen == 0
    mouth.deliver(request)
    with world.service("VASP-LT").node.store.writing() as connection:
        connection.execute(text("UPDATE conversations SET seen = 1 WHERE request = :id"), {"id": mouth.request})
    again = mouth.deliver(early)
    assert (again.outcome, again.seen) == (Outcome.APPLIED, 2)
    assert mouth.deliver(later).seen == 3


def test_r27_a_lower_keep_does_not_wait_and_a_higher_one_does(world: World) -> None:
    mouth = started(world)
    assert mouth.say("Keep", LESS, number=3).outcome is Outcome.APPLIED
    assert mouth.say("Keep", Keep(amount("90000.00 EUR"), True), number=5).outcome is Outcome.WAITING
    assert mouth.say("Keep", Keep(amount("80000.00 EUR"), True), number=2).outcome is Outcome.SUPERSEDED
    world.settle()
    assert hold_of(world, mouth).amount == LESS.amount


def test_r27_only_what_was_applied_overtakes(world: World) -> None:
    """A withdrawal that nobody signed is refused, and what it passed by is heard."""
    mouth = started(world)
    assert mouth.say("Withdraw", WITHDRAW, number=3).outcome is Outcome.REFUSED
    assert mouth.say("Keep", LESS, number=2).outcome is Outcome.APPLIED
    world.settle()
    assert hold_of(world, mouth).amount == LESS.amount


def test_r27_a_release_waits_for_the_request_it_is_about(world: World) -> None:
    mouth, request = asked_on_paper_only(world)
    release = Release(amount("10000.00 EUR"), "CUST")
    assert mouth.say("Release", release, by=("Ana",), number=2).outcome is Outcome.WAITING
    mouth.deliver(request)
    world.settle()
    assert world.core("VASP-LT").balance("lt-1").held <= ASKED.minor


def test_r26_one_number_and_one_id_have_one_content(world: World) -> None:
    mouth = started(world)
    good = mouth.parcel("Keep", LESS, number=2, id="c0" * 16)
    assert mouth.deliver(good).outcome is Outcome.APPLIED
    for other in (mouth.parcel("Keep", SMALL, number=2), mouth.parcel("Keep", SMALL, number=2, id="c0" * 16),
                  mouth.parcel("Keep", SMALL, number=3, id="c0" * 16)):
        with pytest.raises(Conflict) as caught:
            mouth.deliver(other)
        assert caught.value.code == "equivocation"
    assert mouth.deliver(good).outcome is Outcome.APPLIED
    world.settle()
    assert hold_of(world, mouth).amount == LESS.amount


def test_r24_a_second_act_under_one_act_id_is_refused_and_stops_nothing(world: World) -> None:
    mouth = started(world)
    mouth.say("Keep", LESS, number=2)
    mouth.ids -= 2
    refused = mouth.say("Keep", SMALL, number=3, id="c1" * 16)
    assert (refused.outcome, refused.code, refused.seen) == (Outcome.REFUSED, "equivocation", 3)


def test_i13_a_command_is_not_applied_at_or_after_its_end_and_fills_its_number(world: World) -> None:
    mouth = started(world)
    now = world.clock.at
    assert mouth.say("Keep", LESS, until=now).code == "expired"
    assert mouth.say("Keep", LESS, until=now + timedelta(days=1), apply_by=now).code == "expired"
    last = mouth.say("Keep", LESS, until=now + timedelta(microseconds=1))
    assert (last.outcome, last.seen) == (Outcome.APPLIED, 4)
    assert held(world, mouth).keep == LESS.amount


def test_i13_what_expires_while_it_waits_is_refused_in_its_turn(world: World) -> None:
    mouth = started(world)
    late = mouth.parcel("Keep", Keep(ASKED, True), number=3, until=world.clock.at + timedelta(hours=1))
    assert mouth.deliver(late).outcome is Outcome.WAITING
    world.clock.at += timedelta(hours=2)
    assert mouth.say("Keep", Keep(ASKED, True), number=2).seen == 3
    assert mouth.deliver(late).code == "expired"


def test_i13_a_fact_never_expires(world: World) -> None:
    """What the bank did is heard a month later, in the order in which it was said."""
    mouth = started(world)
    world.start("NCB-ES")
    world.clock.at += timedelta(days=30)
    with world.service("VASP-LT").node.store.writing() as connection:
        talk.reopen(connection, "NCB-ES", mouth.request, 0, world.clock.at)
    world.post.lose = lambda url, _: None
    world.run(minutes=2)
    mine = world.request("NCB-ES", mouth.request)
    assert mine.hold is not None
    assert mine.hold.placed_at is not None
    assert mine.hold.placed_at < world.clock.at - timedelta(days=29)


def test_r24_what_cannot_be_read_fills_its_number_and_stops_nobody(world: World) -> None:
    mouth = started(world)
    spoiled = {
        "unknown-kind": mouth.parcel("Keep", LESS, data=lambda data: data.replace(b'"Keep"', b'"Keap"')),
        "malformed": mouth.parcel("Keep", LESS, data=lambda data: data.replace(b"60000.00", b"60000.0")),
        "head-mismatch": mouth.parcel("Keep", LESS, data=lambda data: data.replace(b"VASP-LT", b"BANK-PT")),
        "not-spoken": mouth.parcel("CaseClosed", Resolved("returned")),
        "version": mouth.parcel("Keep", LESS, v=9),
    }
    for number, (code, parcel) in enumerate(spoiled.items(), 2):
        receipt = mouth.deliver(parcel)
        assert (receipt.outcome, receipt.code, receipt.seen) == (Outcome.REFUSED, code, number)
        assert mouth.deliver(parcel) == receipt
    assert mouth.say("Keep", LESS).outcome is Outcome.APPLIED
    refused = [e for e in world.log("VASP-LT") if e.kind == "ActRefused"]
    assert [e.body.code for e in refused] == list(spoiled)


def test_r24_bytes_that_may_be_anybodys_take_no_number(world: World) -> None:
    mouth = started(world)
    parcel = mouth.parcel("Keep", LESS, number=2)
    for spoiled in (parcel[:-9] + b"AAAAAAA\"}", parcel.replace(b"VASP-LT", b"VASP-LU"), b"{}", b"", b"\xff" * 99):
        with pytest.raises(ArrpError) as caught:
            mouth.deliver(spoiled)
        assert caught.value.status < 500
    assert mouth.deliver(parcel).outcome is Outcome.APPLIED


def test_r24_who_is_not_the_requesting_side_wishes_nothing(world: World) -> None:
    mouth = started(world)
    stranger = Mouth(world, "NCB-PT", "VASP-LT", mouth.request)
    assert stranger.say("Withdraw", WITHDRAW, by=("Rui",)).outcome is Outcome.APPLIED  # of one of its own, to come
    assert stranger.say("Keep", SMALL).code == "unknown-request"
    assert mouth.say("RequestSeen", Answered(Terms.unanswered(ASKED))).code == "not-a-party"
    assert mouth.say("Decide", Decide(True, None, BASIS, None), by=("Ana", "Ben")).code == "not-competent"
    world.settle()
    assert held_sum(world) == ASKED.minor


def test_r27_nobody_withdraws_anothers_request_before_it_comes(world: World) -> None:
    """R-27: an early withdrawal is kept for its sender's own request, and an officer has signed it."""
    mouth, request = asked_on_paper_only(world)
    stranger = Mouth(world, "NCB-PT", "VASP-LT", mouth.request)
    assert stranger.say("Withdraw", WITHDRAW).code == "approvals"
    assert stranger.say("Withdraw", WITHDRAW, by=("Rui",)).outcome is Outcome.APPLIED
    assert mouth.deliver(request).outcome is Outcome.APPLIED
    world.settle()
    assert hold_of(world, mouth).amount == ASKED


def held_sum(world: World) -> int:
    return world.core("VASP-LT").balance("lt-1").held


@pytest.mark.parametrize(("left_out", "code"), [("loss", "no-loss"), ("mandate", "approvals"),
                                                ("a signature", "approvals")])
def test_r22_a_request_needs_its_mandate_its_loss_and_its_officers(world: World, left_out: str, code: str) -> None:
    mouth, parcel = asked_on_paper_only(world)
    whole = opened(world, mouth, parcel)
    mandate, loss = whole.attached
    left = {"loss": (mandate,), "mandate": (loss,),
            "a signature": (replace(mandate, approvals=mandate.approvals[:1]), loss)}[left_out]
    routing = Routing("VASP-LT", Urgency.URGENT, world.clock.at + timedelta(days=7))
    reader = sealing_public(world.members["VASP-LT"].keys.sealing_public)
    receipt = mouth.deliver(seal(replace(whole, attached=left), routing, reader))
    assert (receipt.outcome, receipt.code, receipt.seen) == (Outcome.REFUSED, code, 1)
    world.settle()
    assert held_sum(world) == 0


def test_i18_a_suspended_peer_causes_no_effect(world: World) -> None:
    mouth = started(world)
    _with_directory(world, mouth, suspended=True)
    for kind, body, by in (("Keep", SMALL, ()), ("Withdraw", WITHDRAW, ("Ana",))):
        receipt = mouth.say(kind, body, by=by)
        assert (receipt.outcome, receipt.code) == (Outcome.REFUSED, "suspended")
    world.settle()
    assert held_sum(world) == ASKED.minor


def test_i18_a_revoked_key_says_nothing(world: World) -> None:
    mouth = started(world)
    _with_directory(world, mouth, signing=())
    with pytest.raises(ArrpError) as caught:
        mouth.say("Withdraw", WITHDRAW, by=("Ana",))
    assert caught.value.code == "unknown-key"


def test_t15_what_waited_under_a_key_that_went_is_refused_and_stops_nobody(world: World) -> None:
    """The gap closes under a new key: what waited under the old one is not believed any more."""
    mouth = started(world)
    assert mouth.say("Keep", Keep(ASKED, False), number=3).outcome is Outcome.WAITING
    other = world.members["BANK-PT"].keys
    _with_directory(world, mouth, signing=(fresh_keys(other, FOUNDED)[0],))
    world.members["NCB-ES"].keys = replace(world.members["NCB-ES"].keys, signing=other.signing,
                                           signing_id=other.signing_id)
    assert mouth.say("Keep", Keep(ASKED, False), number=2).seen == 3
    refused = [e for e in world.log("VASP-LT") if e.kind == "ActRefused"]
    assert [e.body.code for e in refused] == ["unknown-key"]


def _with_directory(world: World, mouth: Mouth, **changes: object) -> None:
    """The listener gets a directory in which the speaker's entry is another."""
    member = world.members[mouth.to]
    entries = [m.participant if m.id != mouth.sender else replace(m.participant, **changes)  # type: ignore[arg-type]
               for m in world.members.values()]
    directory = Directory(entries)
    assert member.service is not None
    node = member.service.node
    node = replace(node, directory=directory, rules=replace(node.rules, participants=directory.participants))
    member.service = Service(node)
    member.hearing = Hearing(member.service)


# --- receipts ------------------------------------------------------------------------------------------------


def _waiting_receipt(world: World) -> tuple[Mouth, Receipt]:
    """NCB-ES has one act unreceipted; VASP-LT's true receipt for it is in our hands."""
    mouth, parcel = asked_on_paper_only(world)
    receipt = mouth.deliver(parcel)
    world.start("NCB-ES")
    return mouth, receipt


def _hear(world: World, receipt: Receipt, by: str = "VASP-LT") -> None:
    hearing = world.members["NCB-ES"].hearing
    assert hearing is not None
    hearing.receipt("VASP-LT", signed_by(world, by, receipt))


def _queued(world: World) -> int:
    return count(world, "NCB-ES", "SELECT count(*) FROM outbox WHERE state = 'queued'")


def test_r26_only_the_receipt_of_the_very_act_ends_resending(world: World) -> None:
    _, receipt = _waiting_receipt(world)
    wrong = [
        (replace(receipt, act_hash="ab" * 32), "VASP-LT"), (replace(receipt, number=2), "VASP-LT"),
        (replace(receipt, request="0" * 32), "VASP-LT"), (replace(receipt, to="NCB-PT"), "VASP-LT"),
        (replace(receipt, sender="NCB-PT"), "NCB-PT"), (receipt, "NCB-PT"),
    ]
    for said, by in wrong:
        with pytest.raises(ArrpError):
            _hear(world, said, by)
        assert _queued(world) == 1
    _hear(world, receipt)
    _hear(world, receipt)
    assert _queued(world) == 0
    assert [e.kind for e in world.log("NCB-ES")].count("RequestDelivered") == 1


def test_r64_a_forged_checkpoint_is_not_kept_and_the_receipt_is(world: World) -> None:
    _, receipt = _waiting_receipt(world)
    forged = signed_by(world, "NCB-PT", Checkpoint("VASP-LT", 99, "ab" * 32, START))
    _hear(world, replace(receipt, checkpoint=forged))
    assert _queued(world) == 0
    with world.service("NCB-ES").node.store.reading() as connection:
        assert work.kept_checkpoints(connection) == []


@pytest.mark.parametrize("then", [Checkpoint("VASP-LT", 7, "cd" * 32, START),
                                  Checkpoint("VASP-LT", 5, "ef" * 32, START + timedelta(hours=1))])
def test_r64_a_tree_with_two_roots_or_one_that_shrank_is_evidence(world: World, then: Checkpoint) -> None:
    _, receipt = _waiting_receipt(world)
    first = signed_by(world, "VASP-LT", Checkpoint("VASP-LT", 7, "ab" * 32, START))
    second = signed_by(world, "VASP-LT", then)
    for shown in (first, first, second, first):
        _hear(world, replace(receipt, checkpoint=shown))
    with world.service("NCB-ES").node.store.reading() as connection:
        assert work.kept_checkpoints(connection) == [("VASP-LT", first, second)]


def test_r64_receipts_that_come_in_another_order_are_no_evidence(world: World) -> None:
    _, receipt = _waiting_receipt(world)
    newer = signed_by(world, "VASP-LT", Checkpoint("VASP-LT", 7, "ab" * 32, START))
    older = signed_by(world, "VASP-LT", Checkpoint("VASP-LT", 5, "cd" * 32, START - timedelta(seconds=1)))
    for shown in (newer, older):
        _hear(world, replace(receipt, checkpoint=shown))
    with world.service("NCB-ES").node.store.reading() as connection:
        assert work.kept_checkpoints(connection) == [("VASP-LT", newer, None)]


