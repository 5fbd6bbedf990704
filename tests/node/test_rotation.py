"""Keys that change while four nodes work: rotation under load, revocation, a directory that ends (R-34 to R-38)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from arrp.core.errors import Conflict, Refused
from arrp.core.messages import Checkpoint, Outcome
from arrp.core.policy import Participant
from arrp.core.wishes import Keep, Withdraw
from arrp.node.desk import Desk
from arrp.node.directory import directory_of
from arrp.node.keys import NodeKeys, fresh_keys, key_id
from arrp.node.signed_by import signed_by
from arrp.node.store.engine import Store
from arrp.node.verify import verify
from arrp.sim.keepers import VALID, published
from arrp.wire.directory import Wanted, next_edition
from arrp.wire.envelope import verify as verify_jws
from tests.conftest import ABOVE_THE_STORE
from tests.node.life import LIFE, is_at_rest, live, rest, view
from tests.node.mouth import ASKED, asked_on_paper_only
from tests.node.world import PT, World, bank_scene, payment

MINUTE = timedelta(minutes=1)


def keys_named(name: str) -> NodeKeys:
    signing = Ed25519PrivateKey.from_private_bytes(sha256(f"signing {name}".encode()).digest())
    sealing = X25519PrivateKey.from_private_bytes(sha256(f"sealing {name}".encode()).digest())
    return NodeKeys(signing, key_id(signing.public_key()), sealing)


def rotated(world: World, id: str, begins: datetime, ends: datetime) -> NodeKeys:
    """A new signing and sealing key of a node beside the old one, published; the new ones."""
    member, fresh = world.members[id], keys_named(f"{id} {begins}")
    signing, sealing = fresh_keys(fresh, begins)
    old = member.participant
    entry = replace(
        old,
        signing=(*(replace(key, until=key.until or ends) for key in old.signing), signing),
        sealing=(*(replace(key, until=key.until or ends) for key in old.sealing), sealing),
    )
    held = replace(member.keys, other_signing=(*member.keys.other_signing, fresh.signing),
                   other_sealing=(*member.keys.other_sealing, fresh.sealing))
    world.publish(id, entry, held)
    return fresh


def revoked(entry: Participant, kid: str, at: datetime, since: datetime) -> Participant:
    signing = tuple(replace(key, revoked_at=at, compromised_from=since) if key.id == kid else key
                    for key in entry.signing)
    officers = tuple(replace(officer, keys=tuple(
        replace(key, revoked_at=at, compromised_from=since) if key.id == kid else key for key in officer.keys
    )) for officer in entry.officers)
    return replace(entry, signing=signing, officers=officers)


def used(world: World, id: str) -> str:
    return world.service(id).node.keys.signing_id


def audited(world: World, id: str) -> tuple[str, ...]:
    return verify(world.stores[id], directory_of(world.edition), id).problems


@ABOVE_THE_STORE
@pytest.mark.parametrize("step", range(0, len(LIFE), max(1, len(LIFE) // 5)))
def test_r36_t15_keys_rotate_at_any_moment_of_a_life(world: World, step: int) -> None:
    """Everybody's, at once, with messages in flight; every step after it is taken by the new ones."""
    def rotate(_: World) -> None:
        world.post.lose = lambda url, body: None
        for id in world.members:
            fresh[id] = rotated(world, id, world.clock.at + 2 * MINUTE, world.clock.at + 4 * MINUTE)

    fresh: dict[str, NodeKeys] = {}
    live(world, LIFE[:step])
    world.post.lose = lambda url, body: "receipt"  # what is said from here on is unreceipted when keys change
    if step < len(LIFE):
        LIFE[step].do(world)
    rotate(world)
    world.run(minutes=6)
    rest(world)
    assert {id: used(world, id) for id in fresh} == {id: keys.signing_id for id, keys in fresh.items()}
    live(world, LIFE[step + 1:])
    assert is_at_rest(world)
    assert all(r.terms.returned or r.terms.moved_on for case in world.cases("NCB-ES") for r in case.requests.values())
    for id in world.members:
        assert audited(world, id) == (), f"{id}: what retired keys signed still verifies"


def test_r36_a_life_with_a_rotation_in_it_is_the_same_life(
    world: World, tmp_path: Path, new_store: Callable[[], str]
) -> None:
    (tmp_path / "plain").mkdir()
    plain = World(tmp_path / "plain", new_store)
    for one in (plain, world):
        live(one, LIFE[:3])
        for id in world.members if one is world else ():
            rotated(world, id, world.clock.at, world.clock.at + timedelta(days=7))
        one.run(minutes=2)
        live(one, LIFE[3:])
    assert view(world) == view(plain)
    plain.close()
    for id in world.members:
        ear = "NCB-PT" if id == "BANK-PT" else "NCB-ES"
        assert signed_by(world.stores[ear], world_key(world, id)), f"{id} said nothing"


def world_key(world: World, id: str) -> str:
    return world.members[id].participant.signing[-1].id


@ABOVE_THE_STORE
def test_r36_unreceipted_heads_are_signed_again(world: World) -> None:
    """The bank is silent while the bureau's key is retired; when it answers, everything arrives, once."""
    bank_scene(world, moved=None)
    case = world.report(payment("100000.00 EUR", PT, "P1"))
    world.post.lose = lambda url, body: "parcel"
    world.ask(case, "100000.00 EUR", PT)
    world.settle()
    fresh = rotated(world, "NCB-ES", world.clock.at, world.clock.at + MINUTE)
    world.run(minutes=2)
    world.post.lose = lambda url, body: None
    world.run(minutes=4)
    heard = signed_by(world.stores["NCB-PT"], fresh.signing_id)
    assert [(one.how, one.kind) for one in heard if one.how == "received"][:1] == [("received", "Request")]
    assert signed_by(world.stores["NCB-PT"], world.members["NCB-ES"].participant.signing[0].id) == ()


@ABOVE_THE_STORE
def test_r36_what_was_sealed_for_the_key_before_is_opened_in_its_overlap_and_not_later(world: World) -> None:
    mouth, parcel = asked_on_paper_only(world)
    mouth.deliver(parcel)
    rotated(world, "VASP-LT", world.clock.at, world.clock.at + MINUTE)
    keep, withdraw = (mouth.parcel(kind, body, by=("Ana",)) for kind, body in (
        ("Keep", Keep(ASKED, False)), ("Withdraw", Withdraw("enough"))))
    after(world, "VASP-LT", timedelta(days=7))
    assert world.service("VASP-LT").node.keys.signing_id == world_key(world, "VASP-LT")
    mouth.deliver(keep)
    after(world, "VASP-LT", MINUTE)
    with pytest.raises(Refused, match="sealed to another key") as caught:
        mouth.deliver(withdraw)
    assert caught.value.code == "unsealable"


def after(world: World, id: str, wait: timedelta) -> None:
    """Later, and the node has looked at its home."""
    world.clock.at += wait
    worker = world.members[id].worker
    assert worker is not None
    worker.once()


@ABOVE_THE_STORE
def test_r24_what_is_known_is_answered_whatever_became_of_the_key(world: World) -> None:
    mouth, parcel = asked_on_paper_only(world)
    first = mouth.deliver(parcel)
    again = mouth.parcel("Keep", Keep(ASKED, False))
    kid = world.members["NCB-ES"].keys.signing_id
    steal(world, kid, world.clock.at)
    assert mouth.deliver(parcel).outcome is first.outcome
    with pytest.raises(Refused, match="was revoked") as caught:
        mouth.deliver(again)
    assert caught.value.code == "key-over"


def steal(world: World, kid: str, since: datetime) -> None:
    """NCB-ES revokes a key of its own; its entry is put in by the keepers, and VASP-LT takes it up."""
    member, now = world.members["NCB-ES"], world.clock.at
    entry, fresh = revoked(member.participant, kid, now, since), keys_named("after the theft")
    if kid == member.keys.signing_id:
        entry = replace(entry, signing=(*entry.signing, fresh_keys(fresh, now)[0]))
        keys = replace(member.keys, signing=fresh.signing, signing_id=fresh.signing_id)
    else:
        keys = member.keys
    speaking = member.keys
    world.publish("NCB-ES", entry, keys, reissued=True)
    member.keys = speaking  # whoever stole it goes on with it
    after(world, "VASP-LT", MINUTE)


@ABOVE_THE_STORE
def test_r37_t15_a_revoked_key_is_refused_within_a_minute_and_its_window_is_listed(world: World) -> None:
    mouth, parcel = asked_on_paper_only(world)
    mouth.deliver(parcel)
    kid = world.members["NCB-ES"].keys.signing_id
    world.clock.at += timedelta(hours=1)
    stolen_at = world.clock.at
    forged = mouth.say("Withdraw", Withdraw("not ours"), by=("Ana",))
    assert forged.outcome is Outcome.APPLIED
    world.clock.at += timedelta(hours=1)
    steal(world, kid, stolen_at)
    with pytest.raises(Refused, match="was revoked"):
        mouth.say("Keep", Keep(ASKED, False))
    url = world.stores["VASP-LT"]
    assert [one.kind for one in signed_by(url, kid) if one.how == "received"] == ["Request", "Withdraw"]
    window = signed_by(url, kid, stolen_at)
    assert [(one.kind, one.peer, one.outcome) for one in window] == [("Withdraw", "NCB-ES", "applied")]
    assert audited(world, "VASP-LT") == (), "it is evidence still"


@ABOVE_THE_STORE
def test_r37_a_waiting_act_of_a_stolen_key_is_refused_in_its_turn(world: World) -> None:
    mouth, parcel = asked_on_paper_only(world)
    mouth.deliver(parcel)
    kid = world.members["NCB-ES"].keys.signing_id
    assert mouth.say("Keep", Keep(ASKED, False), number=3).outcome is Outcome.WAITING
    steal(world, kid, world.clock.at - timedelta(seconds=1))
    world.members["NCB-ES"].keys = keys_named("after the theft")
    assert mouth.say("Keep", Keep(ASKED, False), number=2).seen == 3
    assert [e.body.code for e in world.log("VASP-LT") if e.kind == "ActRefused"] == ["key-over"]


@ABOVE_THE_STORE
def test_r37_the_approval_of_a_revoked_officer_is_refused(world: World) -> None:
    """By a peer that hears it, with a number; and at home, where the officer signs."""
    mouth, parcel = asked_on_paper_only(world)
    mouth.deliver(parcel)
    ana = next(officer for officer in world.members["NCB-ES"].participant.officers if officer.id == "Ana")
    steal(world, ana.keys[0].id, world.clock.at)
    receipt = mouth.say("Withdraw", Withdraw("not ours"), by=("Ana",))
    assert (receipt.outcome, receipt.code) == (Outcome.REFUSED, "unknown-officer")
    assert mouth.say("Withdraw", Withdraw("ours"), by=("Ben",)).outcome is Outcome.APPLIED
    kinds = [(one.kind, one.how) for one in signed_by(world.stores["VASP-LT"], ana.keys[0].id)]
    assert ("Withdraw", "approved, received") not in kinds
    world.start("NCB-ES")
    world.post.lose = lambda url, body: "parcel"
    with pytest.raises(Refused, match="no officer of NCB-ES now"):
        world.report(payment("1.00 EUR", PT, "P7"), loss="L7")


@ABOVE_THE_STORE
def test_r37_a_standing_mandate_of_a_revoked_officer_allows_nothing(world: World) -> None:
    member = world.members["NCB-PT"]
    rui = next(officer for officer in member.participant.officers if officer.id == "Rui")
    assert world.service("NCB-PT").node.rules.standing
    world.publish("NCB-PT", revoked(member.participant, rui.keys[0].id, world.clock.at, world.clock.at), member.keys)
    world.run(minutes=2)
    assert world.service("NCB-PT").node.rules.standing == ()


@ABOVE_THE_STORE
def test_r38_a_directory_that_ended_leaves_everything_to_officers(world: World) -> None:
    """Nothing is held before an officer looked; what is held is let go as ever."""
    bank_scene(world, moved=None)
    case = world.report(payment("100000.00 EUR", PT, "P1"))
    request = world.ask(case, "60000.00 EUR", PT)
    world.run(minutes=2)
    assert holds(world) == 60_000_00
    end_now(world)
    world.run(minutes=2)
    assert all(world.service(id).node.rules.policy.instant_from == () for id in world.members)
    world.officer("NCB-ES", "withdraw", Withdraw("enough"), request=request, by=("Ana",))
    world.run(minutes=2)
    assert holds(world) == 0
    world.ask(case, "60000.00 EUR", PT)
    world.run(minutes=5)
    assert holds(world) == 0
    renewed = next_edition(world.edition, world.edition, Wanted(), (world.clock.at, world.clock.at + VALID))
    world.edition = published(renewed)
    world.run(minutes=2)
    assert all(world.service(id).node.rules.policy.instant_from for id in world.members)


def holds(world: World) -> int:
    return sum(hold.amount for hold in world.core("BANK-PT").holds())


def end_now(world: World) -> None:
    """The keepers sign a version that ends in a minute, and no other."""
    dates = (world.clock.at, world.clock.at + MINUTE)
    world.edition = published(next_edition(world.edition, world.edition, Wanted(), dates))


@ABOVE_THE_STORE
def test_r34_a_running_node_takes_up_the_next_version_and_no_older_one(world: World) -> None:
    older = world.edition
    node = world.service("BANK-PT").node
    rotated(world, "NCB-ES", world.clock.at, world.clock.at + timedelta(days=7))
    world.run(minutes=2)
    service = world.service("BANK-PT")
    assert (node.directory.version, service.node.directory.version) == (1, 2)
    assert service.node.rules.digest != node.rules.digest, "each event says under which rules it came"
    world.edition = older
    with pytest.raises(Refused, match="never rolled back"):
        service.renew()
    assert service.node.directory.version == 2
    world.stop("BANK-PT")
    store = Store(world.stores["BANK-PT"])
    with pytest.raises(Refused, match="never rolled back"):
        world.start("BANK-PT", store)
    other = replace(node.directory.opened.edition, version=2, before=older.signed.digest)  # type: ignore[union-attr]
    world.edition = published(other)
    with pytest.raises(Conflict, match="two versions 2"):
        world.start("BANK-PT", store)
    store.close()


@ABOVE_THE_STORE
def test_r34_what_a_version_changed_is_announced_to_officers(world: World) -> None:
    fresh = rotated(world, "NCB-ES", world.clock.at, world.clock.at + timedelta(days=7))
    world.run(minutes=2)
    told = Desk(world.service("BANK-PT")).directory()
    assert (told["version"], told["stale"]) == (2, False)
    assert fresh.signing_id in str(told["changes"])


@ABOVE_THE_STORE
def test_r37_what_receipts_vouch_with_is_signed_by_the_key_in_use(world: World) -> None:
    """After a theft too: else no peer would keep our checkpoints any more."""
    mouth, parcel = asked_on_paper_only(world)
    mouth.deliver(parcel)
    world.settle()
    member = world.members["VASP-LT"]
    kid, now, fresh = member.keys.signing_id, world.clock.at, keys_named("vasp after the theft")
    entry = revoked(member.participant, kid, now, now)
    entry = replace(entry, signing=(*entry.signing, fresh_keys(fresh, now)[0]))
    world.publish("VASP-LT", entry, replace(member.keys, other_signing=(fresh.signing,)), reissued=True)
    after(world, "VASP-LT", MINUTE)
    service = world.service("VASP-LT")
    assert service.vouched is not None
    assert verify_jws(Checkpoint, service.vouched, service.key_now).origin == "VASP-LT"
