"""Forged requests: named scripts, each by somebody who has stolen, invented or altered something; none places a hold.

Four real nodes, every one of which calls strangers back (R-91). A script ends with how its forgery showed: the code of
the refusal, or `waits` where a person is asked first. Afterwards nothing is held, and a true request is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from arrp.core.crime import Crime
from arrp.core.errors import ArrpError
from arrp.core.events import Decide
from arrp.core.mandate import Mandate
from arrp.core.messages import Approval
from arrp.core.policy import Officer, Participant
from arrp.core.report import Report
from arrp.node.api import desk_app
from arrp.node.callers import SCOPES, Keys
from arrp.node.directory import put_in_force, trusted_directory
from arrp.node.keys import OfficerKey, key_id, person_key
from arrp.sim.keepers import VALID, entry_of, published, redrafted
from arrp.wire.approvals import approve, b64, unb64
from arrp.wire.directory import Edition, Opened, Wanted, next_edition
from arrp.wire.entry import VERSION, Entry, entry_text
from arrp.wire.envelope import Attached, Content, open_parcel
from arrp.wire.signed_text import SignedText, Signer
from tests.conftest import ABOVE_THE_STORE, ENGINES
from tests.node import world as worlds
from tests.node.forgery import BOTH, FORGED, WHOLE, Forgery, answered, call_back, in_force, scene, sealed, true_request
from tests.node.mouth import Mouth
from tests.node.world import BASIS, LT, START, World, amount, payment

THIEF = Ed25519PrivateKey.from_private_bytes(b"thief".ljust(32, b"\0"))
SUNDAY_NIGHT = datetime(2026, 3, 8, 3, 0, tzinfo=UTC)
CALL_FIRST = replace(worlds.OPEN, call_back_first=True)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every node calls strangers back, which is what a new node does."""
    monkeypatch.setattr(worlds, "OPEN", CALL_FIRST)


# --- a stolen session: a key to /v1, no officer's key -----------------------------------------------------------


def session(world: World, id: str = "NCB-ES", officer: str = "Ana") -> TestClient:
    key = Keys(world.service(id)).make(officer, SCOPES, 30)["key"]
    app = desk_app(world.service(id), None, Keys(world.service(id)).identify)
    return TestClient(app, "http://node/v1", headers={"authorization": f"Bearer {key}"})


def title(answer: Any) -> str:
    assert 400 <= answer.status_code < 500, answer.text
    return str(answer.json()["title"])


def draft(world: World, ref: str = "P1") -> tuple[str, str]:
    """A request that Ana's stolen session has drafted in a case without a mandate: the act and its hash."""
    said = payment(WHOLE, LT, ref)
    report = Report(f"S {ref}", "NCB-ES", (said,), Crime.BEC, world.clock.at, facts="forged")
    case, _ = world.officer("NCB-ES", "report", report)
    mandate = Mandate(f"S {ref}", said.amount, said.amount, 3, (), ("hold",), (), START, START + timedelta(days=30))
    world.officer("NCB-ES", "mandate", mandate, case=case)
    act = next(row["act"] for row in session(world).get("/drafts").json() if row["case"] == case)
    return act, session(world).get(f"/drafts/{act}").json()["act_hash"]


def signed_with(world: World, act: str, approval: Approval) -> str:
    said = {"officer": approval.officer, "key": approval.key, "algorithm": approval.algorithm,
            "signature": approval.signature}
    return title(session(world).post("/approvals", json={"id": f"s {act}", "act": act, "approval": said}))


def session_signs_with_a_key_of_its_own(world: World) -> str:
    act, hash_ = draft(world)
    return signed_with(world, act, approve(THIEF, "Ana", key_id(THIEF.public_key()), hash_))


def session_signs_under_the_id_of_the_true_key(world: World) -> str:
    act, hash_ = draft(world)
    ana = world.members["NCB-ES"].officers["Ana"].public_key()
    return signed_with(world, act, approve(THIEF, "Ana", key_id(ana), hash_))


def session_signs_for_the_second_officer(world: World) -> str:
    act, hash_ = draft(world)
    return signed_with(world, act, world.signature("NCB-ES", "Ben", hash_))


def session_reuses_an_approval_of_another_draft(world: World) -> str:
    (_, hash_), (act, _) = draft(world, "P1"), draft(world, "P2")
    return signed_with(world, act, world.signature("NCB-ES", "Ana", hash_))


def session_makes_itself_a_key_of_the_other_officer(world: World) -> str:
    return title(session(world).post("/keys", json={"officer": "Ben", "scopes": ["approve"], "days": 1}))


def session_at_the_holder_accepts_for_a_stranger(world: World) -> str:
    """The thief has a true officer's session at the holder, too: nobody has called back, so nothing is accepted."""
    assert Forgery().sent(world) == "waits"
    wish = {"id": "d1", "verb": "decide", "officer": "Lina", "case": None, "request": FORGED,
            "body": {"accepted": True, "reason": None, "basis": None, "until": None, "text": ""}}
    return title(session(world, "VASP-LT", "Lina").post("/commands", json=wish))


# --- a stolen node key: everything but officers' keys -----------------------------------------------------------


def node_key_alone(world: World) -> str:
    return Forgery(by=()).sent(world)


def node_key_and_one_officer(world: World) -> str:
    return Forgery(by=("Ana",)).sent(world)


def node_key_and_one_officer_twice(world: World) -> str:
    return Forgery(by=("Ana", "Ana")).sent(world)


def node_key_and_a_mandate_of_one_officer(world: World) -> str:
    return Forgery(by=(), mandate_by=("Ana",)).sent(world)


def node_key_and_a_loss_that_nobody_signed(world: World) -> str:
    return Forgery(loss_by=("Ana",)).sent(world)


def node_key_and_the_mandate_of_another_authority(world: World) -> str:
    (theirs,) = world.service("NCB-PT").node.standing
    mine = Forgery(by=())
    return mine.sent(world, (mine.loss(world), theirs.attached))


def node_key_instructs_a_bank_of_another_country(world: World) -> str:
    until = world.clock.at + timedelta(hours=24)
    return Forgery(to="BANK-PT", body={"instructs": "0" * 32, "until": until, "basis": BASIS}).sent(world)


def node_key_decides_what_is_the_holders(world: World) -> str:
    assert Forgery().sent(world) == "waits"
    mouth = Mouth(world, "NCB-ES", "VASP-LT", FORGED, said=1, ids=800)
    return answered(world, "VASP-LT", mouth.parcel("Decide", Decide(True, None, BASIS, None), by=BOTH))


def opened(world: World, parcel: bytes) -> Content:
    found = open_parcel(parcel, world.members["VASP-LT"].keys.sealing, "VASP-LT")
    assert isinstance(found, Content)
    return found


def called_before(world: World) -> tuple[Attached, ...]:
    """Ana and Ben have been called about a request of 1,000 EUR; loss and mandate of it, as its peer has them."""
    case = world.report(payment(WHOLE, LT, "P1"))
    request = world.ask(case, "1000.00 EUR", LT)
    world.run(minutes=1)
    call_back(world, request)
    world.officer("VASP-LT", "decide", Decide(False, "AGNT", None, None), request=request, by=("Lina",))
    world.run(minutes=1)
    parcel = next(body for url, body in world.post.sent if url == "http://vasp-lt/parcels")
    mandate, loss = opened(world, parcel).attached
    return (loss, mandate)


def node_key_spends_a_true_mandate_twice(world: World) -> str:
    return Forgery(by=(), body={"loss": "L1"}).sent(world, called_before(world))


# --- a new authority --------------------------------------------------------------------------------------------


def newcomer(world: World, kind: str = "authority", instructs: tuple[str, ...] = (), at: str = "XX") -> Participant:
    """Who has keys and officers, and stands in no directory yet."""
    world.stores["NEW-XX"] = ""
    world.members["NEW-XX"] = world._member("NEW-XX", kind, at, (), ("Eve", "Mal"), instructs)
    return world.members["NEW-XX"].participant


def admitted(world: World, kind: str = "authority", instructs: tuple[str, ...] = (), at: str = "XX") -> None:
    world.publish("NEW-XX", newcomer(world, kind, instructs, at), world.members["NEW-XX"].keys)
    world.run(minutes=2)


OF_THE_NEW = Forgery(sender="NEW-XX", by=("Eve", "Mal"), loss_by=("Eve", "Mal"))


def newcomer_in_no_directory(world: World) -> str:
    newcomer(world)
    return OF_THE_NEW.sent(world)


def newcomer_asks_for_the_first_time(world: World) -> str:
    admitted(world)
    return OF_THE_NEW.sent(world)


def newcomer_under_a_mandate_for_the_first_time(world: World) -> str:
    admitted(world)
    return replace(OF_THE_NEW, by=(), mandate_by=("Eve", "Mal")).sent(world)


def newcomer_speaks_in_the_name_of_another(world: World) -> str:
    newcomer(world)
    world.members["NCB-ES"].keys, true = world.members["NEW-XX"].keys, world.members["NCB-ES"].keys
    answer = Forgery().sent(world)
    world.members["NCB-ES"].keys = true
    return answer


def newcomer_of_a_kind_that_may_not_ask(world: World) -> str:
    admitted(world, "coordinator")
    return OF_THE_NEW.sent(world)


def decided(world: World) -> dict[str, Any]:
    return {"instructs": "0" * 32, "until": world.clock.at + timedelta(hours=24), "basis": BASIS}


def newcomer_says_that_it_instructs_the_bank(world: World) -> str:
    admitted(world, instructs=("BANK-PT",))
    return replace(OF_THE_NEW, to="BANK-PT", body=decided(world)).sent(world)


def newcomer_at_home_instructs_the_bank(world: World) -> str:
    admitted(world, instructs=("BANK-PT",), at="PT")
    return replace(OF_THE_NEW, to="BANK-PT", body=decided(world)).sent(world)


def clerks_decide_under_a_standing_mandate(world: World) -> str:
    """The mandate is true, the two signatures on the request are of people who may sign nothing."""
    member = world.members["NCB-PT"]
    keys = {name: worlds._key(f"officer {name}") for name in ("Cleo", "Cyra")}
    clerks = tuple(Officer(name, name, ("bank clerk",), (person_key(OfficerKey(key, key_id(key.public_key())), START),))
                   for name, key in keys.items())
    member.officers.update(keys)
    entry = replace(member.participant, officers=(*member.participant.officers, *clerks))
    world.publish("NCB-PT", entry, member.keys)
    world.run(minutes=2)
    (standing,) = world.service("NCB-PT").node.standing
    forged = Forgery(sender="NCB-PT", to="BANK-PT", by=("Cleo", "Cyra"), loss_by=("Rui", "Zoe"), body=decided(world))
    return forged.sent(world, (forged.loss(world), standing.attached))


# --- odd hours --------------------------------------------------------------------------------------------------


def on_a_sunday_night_by_officers_nobody_knows(world: World) -> str:
    world.clock.at = SUNDAY_NIGHT
    return Forgery().sent(world)


def under_a_mandate_that_ended_at_midnight(world: World) -> str:
    world.clock.at = SUNDAY_NIGHT
    return Forgery(by=(), mandate_by=BOTH, terms={"valid_from": START, "valid_until": SUNDAY_NIGHT}).sent(world)


def out_of_a_drawer_after_its_date(world: World) -> str:
    old = Forgery().parcel(world)
    world.clock.at = SUNDAY_NIGHT
    return answered(world, "VASP-LT", old)


def with_a_date_that_never_comes(world: World) -> str:
    return Forgery(lasts=timedelta(days=900)).sent(world)


# --- altered after approval, approval of another act ------------------------------------------------------------


def altered_account(world: World) -> str:
    return Forgery(spoil=lambda data: data.replace(LT.encode(), b"payto://iban/LT601010012345678901")).sent(world)


def altered_amount(world: World) -> str:
    return Forgery(body={"asked": amount("10.00 EUR"), "claim": amount("10.00 EUR")},
                   spoil=lambda data: data.replace(b'"10.00"', b'"100000.00"')).sent(world)


def altered_under_a_signed_head(world: World) -> str:
    true = opened(world, Forgery().parcel(world))
    other = b64(unb64(true.act).replace(b"BEC", b"BED"))
    return answered(world, "VASP-LT", sealed(world, "VASP-LT", replace(true, act=other)))


def altered_mandate(world: World) -> str:
    forged = Forgery(by=(), mandate_by=BOTH, terms={"per_request": amount("10.00 EUR")})
    true = forged.mandate(world)
    raised = replace(true, act=b64(unb64(true.act).replace(b'"10.00"', b'"100000.00"')))
    return forged.sent(world, (forged.loss(world), raised))


def approvals_of_the_loss_on_the_request(world: World) -> str:
    return Forgery(approvals=Forgery().loss(world).approvals).sent(world)


def approvals_of_the_loss_on_the_mandate(world: World) -> str:
    forged = Forgery(by=(), mandate_by=BOTH)
    loss = forged.loss(world)
    return forged.sent(world, (loss, replace(forged.mandate(world), approvals=loss.approvals)))


def approvals_by_officers_of_somebody_else(world: World) -> str:
    (theirs,) = world.service("NCB-PT").node.standing
    return Forgery(approvals=theirs.attached.approvals).sent(world)


# --- an officer who is one no more ------------------------------------------------------------------------------


def without_ben(world: World, **changes: Any) -> Participant:
    """NCB-ES, with Ben's key revoked, or with another change to Ben."""
    who, now = world.members["NCB-ES"].participant, world.clock.at
    ana, ben = who.officers
    gone = {"keys": tuple(replace(key, revoked_at=now, compromised_from=now) for key in ben.keys)}
    return replace(who, officers=(ana, replace(ben, **(changes or gone))))


def ben_goes(world: World, **changes: Any) -> None:
    world.publish("NCB-ES", without_ben(world, **changes), world.members["NCB-ES"].keys)
    world.run(minutes=2)


def revoked_officer_signs_the_request(world: World) -> str:
    ben_goes(world)
    return Forgery().sent(world)


def revoked_officer_signed_the_mandate(world: World) -> str:
    ben_goes(world)
    return Forgery(by=(), mandate_by=BOTH).sent(world)


def officer_who_is_an_analyst_now(world: World) -> str:
    ben_goes(world, roles=("analyst",))
    return Forgery().sent(world)


# --- the directory ----------------------------------------------------------------------------------------------


def offered(world: World, version: Opened) -> str:
    """What BANK-PT and VASP-LT, who trust the version in force, say to another; where they take it, it counts."""
    home, keys = world.folder / "home", world.members["VASP-LT"].keys
    home.mkdir(exist_ok=True)
    now, current = world.clock.at, world.edition
    if not (home / "directory.json").exists():
        put_in_force(home, keys, current, current.edition.keepers.digest, now)
    try:
        put_in_force(home, keys, version, current.edition.keepers.digest, now)
    except ArrpError as refused:
        assert trusted_directory(home, keys).digest == current.signed.digest
        return refused.rule or refused.code
    world.edition = version
    world.run(minutes=2)
    return "taken up"


def following(world: World, entry: SignedText, reissued: bool = False) -> Edition:
    at = world.clock.at
    return next_edition(world.edition, world.edition, Wanted((entry,), reissued), (at, at + VALID))


def directory_rolled_back_to_before_the_revocation(world: World) -> str:
    older = world.edition
    ben_goes(world)
    assert offered(world, older) == "R-34"
    return Forgery().sent(world)


def directory_of_one_keeper_with_a_new_authority(world: World) -> str:
    newcomer(world)
    member = world.members["NEW-XX"]
    edition = following(world, entry_of(member.participant, member.keys, world.clock.at))
    assert offered(world, published(edition, "kim")) == "R-34"
    return OF_THE_NEW.sent(world)


def directory_with_keepers_of_its_own(world: World) -> str:
    newcomer(world)
    member = world.members["NEW-XX"]
    edition = following(world, entry_of(member.participant, member.keys, world.clock.at))
    own = replace(edition.keepers, threshold=1)
    assert offered(world, published(redrafted(edition, keepers=own), "kim")) == "R-34"
    return OF_THE_NEW.sent(world)


def directory_with_an_entry_its_participant_did_not_sign(world: World) -> str:
    """Two keepers sign an entry in which the thief's node key is the bureau's."""
    thief = newcomer(world)
    entry = replace(world.members["NCB-ES"].participant, signing=thief.signing)
    text = SignedText(entry_text(Entry(VERSION, world.clock.at, entry)))
    keys = world.members["NEW-XX"].keys
    signed = text.signed(Signer.PARTICIPANT, keys.signing, keys.signing_id)
    assert offered(world, published(following(world, signed))) == "R-35"
    del world.members["NEW-XX"]
    world.members["NCB-ES"].keys, true = keys, world.members["NCB-ES"].keys
    answer = Forgery().sent(world)
    world.members["NCB-ES"].keys = true
    return answer


# --- the table --------------------------------------------------------------------------------------------------


Script = Callable[[World], str]

SCRIPTS: dict[Script, str] = {
    session_signs_with_a_key_of_its_own: "unknown-officer",
    session_signs_under_the_id_of_the_true_key: "bad-approval",
    session_signs_for_the_second_officer: "not-yours",
    session_reuses_an_approval_of_another_draft: "bad-approval",
    session_makes_itself_a_key_of_the_other_officer: "not-your-role",
    session_at_the_holder_accepts_for_a_stranger: "first-contact",
    node_key_alone: "approvals",
    node_key_and_one_officer: "approvals",
    node_key_and_one_officer_twice: "repeated-approval",
    node_key_and_a_mandate_of_one_officer: "approvals",
    node_key_and_a_loss_that_nobody_signed: "no-loss",
    node_key_and_the_mandate_of_another_authority: "approvals",
    node_key_instructs_a_bank_of_another_country: "not-entitled",
    node_key_decides_what_is_the_holders: "not-competent",
    node_key_spends_a_true_mandate_twice: "beyond-mandate",
    newcomer_in_no_directory: "unknown-key",
    newcomer_asks_for_the_first_time: "waits",
    newcomer_under_a_mandate_for_the_first_time: "waits",
    newcomer_speaks_in_the_name_of_another: "unknown-key",
    newcomer_of_a_kind_that_may_not_ask: "not-entitled",
    on_a_sunday_night_by_officers_nobody_knows: "waits",
    under_a_mandate_that_ended_at_midnight: "beyond-mandate",
    out_of_a_drawer_after_its_date: "expired",
    with_a_date_that_never_comes: "no-end",
    altered_account: "bad-approval",
    altered_amount: "bad-approval",
    altered_under_a_signed_head: "hash-mismatch",
    altered_mandate: "bad-approval",
    approvals_of_the_loss_on_the_request: "bad-approval",
    approvals_of_the_loss_on_the_mandate: "bad-approval",
    approvals_by_officers_of_somebody_else: "unknown-officer",
    revoked_officer_signs_the_request: "unknown-officer",
    revoked_officer_signed_the_mandate: "unknown-officer",
    officer_who_is_an_analyst_now: "approvals",
    directory_rolled_back_to_before_the_revocation: "unknown-officer",
    directory_of_one_keeper_with_a_new_authority: "unknown-key",
    directory_with_keepers_of_its_own: "unknown-key",
    directory_with_an_entry_its_participant_did_not_sign: "unknown-key",
    newcomer_says_that_it_instructs_the_bank: "not-entitled",
    newcomer_at_home_instructs_the_bank: "waits",
    clerks_decide_under_a_standing_mandate: "waits",
}

# One of each group, after which the same bureau asks truly. Where its officer went there is none to ask.
THEN_TRUE = (session_at_the_holder_accepts_for_a_stranger, node_key_alone, newcomer_asks_for_the_first_time,
             on_a_sunday_night_by_officers_nobody_knows, altered_account, approvals_of_the_loss_on_the_request,
             directory_of_one_keeper_with_a_new_authority)


def table() -> list[Any]:
    """Every script on SQLite, one of each group on PostgreSQL too: a forgery does not know which store it meets."""
    return [pytest.param(engine, script, shows, id=f"{engine}-{script.__name__}")
            for script, shows in SCRIPTS.items() for engine in ENGINES if engine == "sqlite" or script in THEN_TRUE]


@pytest.mark.parametrize(("engine_name", "script", "shows"), table(), indirect=["engine_name"])
def test_t01_r91_a_forged_request_holds_nothing(world: World, script: Script, shows: str) -> None:
    scene(world)
    assert script(world) == shows
    world.run(minutes=5)
    assert in_force(world) == []
    if script in THEN_TRUE:
        true_request(world)


@ABOVE_THE_STORE
def test_r15_t01_under_a_true_mandate_a_stolen_node_key_holds_what_two_officers_allowed_and_no_unit_more(
    world: World,
) -> None:
    """A mandate is what a node may do alone, so whoever has the node's key has that: the rest of one loss, on a
    credit that matches, provisionally. Nobody keeps it, so it ends by its own clock."""
    scene(world)
    attached = called_before(world)
    left = {"loss": "L1", "asked": amount("99000.00 EUR"), "claim": amount("99000.00 EUR")}
    assert Forgery(by=(), body=left).sent(world, attached) == "applied"
    assert world.core("VASP-LT").balance("lt-1").held == amount("99000.00 EUR").minor
    more = Forgery(by=(), body={"loss": "L1", "asked": amount("1.00 EUR"), "claim": amount("1.00 EUR")},
                   request="f1" * 16)
    assert more.sent(world, attached) == "beyond-mandate"
    world.run(minutes=61)
    assert in_force(world) == [], "nobody kept it: after an hour it is free"
