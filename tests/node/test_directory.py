"""The directory in a home: what counts there, which keys do at which instant, and nodes that take up a newer one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from arrp.core.errors import Conflict, Malformed, NotFound, Refused, Unreachable
from arrp.core.policy import Participant
from arrp.node.directory import (
    Directory,
    directory_of,
    load_directory,
    put_in_force,
    read_edition,
    read_entry,
    trusted_directory,
    write_entry,
)
from arrp.node.fetching import ask_in_turn, sources, tag_of, take_newer
from arrp.node.home import Home
from arrp.node.http import peers_app
from arrp.node.keys import NodeKeys, fresh_keys, keep_node_keys, keep_other_keys, load_node_keys
from arrp.sim.keepers import KEEPERS, VALID, entry_of, first_edition, following, published
from arrp.wire.codec import dumps, parse_json, read
from arrp.wire.directory import Opened, Wanted, next_edition, open_edition
from arrp.wire.entry import check_entry, check_together
from arrp.wire.signed_text import SignedText, Signer, read_signed
from tests.node.entries import BANK, FOUNDED, NCB, keys_of, officer, participant, signing_key
from tests.node.world import World

T0 = FOUNDED + timedelta(days=1)
LATER = T0 + timedelta(days=7)
WEEK = timedelta(days=7)
FIRST = first_edition({"BANK-PT": (BANK, keys_of("BANK-PT")), "NCB-PT": (NCB, keys_of("NCB-PT"))}, T0)
SECOND = published(next_edition(FIRST, FIRST, Wanted(), (LATER, LATER + VALID)))
KEYS = keys_of("BANK-PT")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of BANK-PT, in which the first version counts."""
    keep_node_keys(tmp_path, KEYS)
    put_in_force(tmp_path, KEYS, FIRST, KEEPERS.digest, LATER)
    return tmp_path


# --- what counts in a home -----------------------------------------------------------------------------------


def test_r34_a_first_version_is_put_in_force_by_its_digest(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="others than you were told"):
        put_in_force(tmp_path, KEYS, FIRST, "0" * 64, LATER)
    assert not (tmp_path / "directory.json").exists()
    assert put_in_force(tmp_path, KEYS, FIRST, KEEPERS.digest, LATER) is None
    directory = trusted_directory(tmp_path, KEYS)
    assert (directory.version, directory.digest) == (1, FIRST.signed.digest)
    assert directory.participants == {"BANK-PT": BANK, "NCB-PT": NCB}


def test_r34_the_next_one_follows_and_no_older_one_does(home: Path) -> None:
    before = (home / "directory.json").read_bytes()
    assert put_in_force(home, KEYS, FIRST, "", LATER) is not None, "the same once more"
    assert (home / "directory.json").read_bytes() == before
    assert put_in_force(home, KEYS, SECOND, "", LATER) == trusted_before(before, home)
    assert trusted_directory(home, KEYS).version == 2
    kept = (home / "directory.json").read_bytes()
    with pytest.raises(Refused, match="never rolled back"):
        put_in_force(home, KEYS, FIRST, KEEPERS.digest, LATER)
    other = published(replace(SECOND.edition, valid_until=LATER + timedelta(days=9)))
    with pytest.raises(Conflict, match="two versions 2"):
        put_in_force(home, KEYS, other, "", LATER)
    few = published(next_edition(SECOND, SECOND, Wanted(), (LATER, LATER + VALID)), "mia")
    with pytest.raises(Refused, match="signed by mia: 2 of"):
        put_in_force(home, KEYS, few, "", LATER)
    assert (home / "directory.json").read_bytes() == kept
    assert [path.name for path in home.iterdir() if path.is_file()] == ["directory.json"], "nothing is left beside it"


def trusted_before(data: bytes, home: Path) -> object:
    (home / "before").write_bytes(data)
    found = read_edition(home / "before")
    (home / "before").unlink()
    return found


def test_r34_a_version_that_was_copied_in_does_not_count(home: Path) -> None:
    """Its keepers may have signed it, all of them: nobody has checked that it follows the one that counted."""
    (home / "directory.json").write_bytes(SECOND.signed.file())
    assert load_directory(home / "directory.json").version == 2
    with pytest.raises(Refused, match="was not put in force here: arrp directory publish"):
        trusted_directory(home, KEYS)
    put_in_force(home.parent, keys_of("NCB-PT"), FIRST, KEEPERS.digest, LATER)
    (home / "directory.json").write_bytes((home.parent / "directory.json").read_bytes())
    with pytest.raises(Refused, match="not that of a node named here"):
        trusted_directory(home, KEYS)


def test_a_directory_that_its_own_keepers_did_not_sign_is_none(tmp_path: Path) -> None:
    path = tmp_path / "directory.json"
    path.write_bytes(published(FIRST.edition, "kim").signed.file())
    with pytest.raises(Refused, match="signed by kim: 2 of"):
        load_directory(path)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[1]\n", b'{"v":1,"v":1}', b"\xff", b"\n" * 9])
def test_what_is_no_directory_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "directory.json"
    path.write_bytes(data)
    with pytest.raises(Malformed, match=str(path)):
        load_directory(path)


def test_no_directory_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no"):
        load_directory(tmp_path / "directory.json")
    with pytest.raises(Malformed, match="cannot be used as a file"):
        load_directory(tmp_path)


def test_r38_a_directory_that_nobody_renews_is_stale() -> None:
    directory = directory_of(FIRST)
    end = FIRST.edition.valid_until
    assert not directory.is_stale(end - timedelta(microseconds=1))
    assert directory.is_stale(end)
    assert not Directory([BANK]).is_stale(end + timedelta(days=9999))


# --- keys and when they count ----------------------------------------------------------------------------------


def with_key(**changes: Any) -> Directory:
    return Directory([replace(BANK, signing=(replace(BANK.signing[0], **changes),)), NCB])


KID = BANK.signing[0].id


def test_keys_are_parsed_once() -> None:
    directory = directory_of(FIRST)
    assert directory.key_of("BANK-PT", KID) == KEYS.signing.public_key()
    assert directory.key_of("BANK-PT", KID) is directory.key_of("BANK-PT", KID)


def test_a_key_counts_only_for_whom_it_stands() -> None:
    directory, (ana, ben) = directory_of(FIRST), BANK.officers
    assert directory.key_of("NCB-PT", KID) is None
    assert directory.officer_key_of("BANK-PT", ana.id, ana.keys[0].id) == signing_key(ana.id).public_key()
    assert directory.officer_key_of("NCB-PT", ana.id, ana.keys[0].id) is None
    assert directory.officer_key_of("BANK-PT", ben.id, ana.keys[0].id) is None
    for missing in (lambda: directory.sealing_of("NOBODY", T0), lambda: directory.participant("NOBODY")):
        with pytest.raises(NotFound, match="NOBODY"):
            missing()
    with pytest.raises(Refused, match="has no key"):
        directory.check_key("NOBODY", KID, T0)


def test_r36_a_retired_key_counts_for_what_it_signed_before() -> None:
    directory = with_key(until=LATER)
    second = timedelta(seconds=1)
    directory.check_key("BANK-PT", KID, LATER + WEEK - second, LATER - second)
    for arrived, signed in ((LATER + second, LATER), (LATER + WEEK, LATER - second), (LATER + WEEK, None)):
        with pytest.raises(Refused, match="was retired") as caught:
            directory.check_key("BANK-PT", KID, arrived, signed)
        assert caught.value.code == "key-over"
    assert directory.key_of("BANK-PT", KID) is not None, "as evidence it is known for ever"


def test_r36_a_key_that_has_not_begun_counts_not_yet() -> None:
    directory = with_key(since=LATER)
    directory.check_key("BANK-PT", KID, LATER, T0)  # signed again: the head is older than the key
    directory.check_key("BANK-PT", KID, LATER - timedelta(minutes=4))  # clocks differ
    with pytest.raises(Refused, match="does not count yet"):
        directory.check_key("BANK-PT", KID, LATER - timedelta(minutes=6))


def test_r37_a_revoked_key_counts_for_nothing_that_arrives() -> None:
    directory = with_key(revoked_at=LATER, compromised_from=T0)
    directory.check_key("BANK-PT", KID, T0 - timedelta(seconds=1))
    for arrived in (T0, LATER, LATER + WEEK):
        with pytest.raises(Refused, match="was revoked"):
            directory.check_key("BANK-PT", KID, arrived, T0 - WEEK)
        with pytest.raises(Refused, match="was revoked"):
            directory.key_at("BANK-PT", KID, arrived)


def test_r37_an_officers_key_too() -> None:
    ana, ben = BANK.officers
    kid = ana.keys[0].id

    def directory(**changes: Any) -> Directory:
        changed = replace(ana, keys=(replace(ana.keys[0], **changes),))
        return Directory([replace(BANK, officers=(changed, ben))])

    assert directory().officer_key_at("BANK-PT", ana.id, kid, LATER) is not None
    revoked = directory(revoked_at=LATER, compromised_from=T0)
    assert revoked.officer_key_at("BANK-PT", ana.id, kid, LATER) is None
    assert revoked.signing_officer("BANK-PT", ana.id, kid, LATER) is None
    retired = directory(until=LATER)
    assert retired.officer_key_at("BANK-PT", ana.id, kid, LATER) is not None, "signed before, on its way"
    assert retired.signing_officer("BANK-PT", ana.id, kid, LATER) is None, "nothing new"
    assert retired.officer_key_at("BANK-PT", ana.id, kid, LATER + WEEK) is None


def test_r36_the_newest_usable_keys_are_in_use() -> None:
    fresh = keys_of("BANK-PT later")
    entry = with_second(BANK, fresh, LATER, LATER + WEEK)
    held = replace(KEYS, other_signing=(fresh.signing,), other_sealing=(fresh.sealing,))
    before, after = held.in_use(entry, LATER - timedelta(seconds=1)), held.in_use(entry, LATER)
    assert (before.signing_id, after.signing_id) == (KEYS.signing_id, fresh.signing_id)
    assert (before.sealing, after.sealing) == (KEYS.sealing, fresh.sealing)
    assert after.other_sealing == (KEYS.sealing,), "parcels to the old one are opened in the overlap"
    assert held.in_use(entry, LATER + 2 * WEEK).other_sealing == ()
    directory = Directory([entry])
    assert directory.sealing_of("BANK-PT", LATER - timedelta(seconds=1)) == KEYS.sealing.public_key()
    assert directory.sealing_of("BANK-PT", LATER) == fresh.sealing.public_key()
    assert KEYS.in_use(entry, LATER).signing_id == KEYS.signing_id, "who has only the old one goes on with it"


def test_a_node_must_have_the_keys_that_the_directory_says() -> None:
    assert KEYS.in_use(BANK, T0) == KEYS
    with pytest.raises(Conflict, match="other keys of BANK-PT"):
        keys_of("NCB-PT").in_use(BANK, T0)
    with pytest.raises(Conflict, match="other keys of BANK-PT"):
        replace(KEYS, sealing=keys_of("NCB-PT").sealing).in_use(BANK, T0)


def with_second(entry: Participant, fresh: NodeKeys, begins: datetime, ends: datetime) -> Participant:
    """The entry with keys that follow those it has."""
    signing, sealing = fresh_keys(fresh, begins)
    old = (replace(entry.signing[0], until=ends), replace(entry.sealing[0], until=ends))
    return replace(entry, signing=(old[0], signing), sealing=(old[1], sealing))


def test_keys_of_a_rotation_lie_beside_the_first(home: Path) -> None:
    fresh = keys_of("BANK-PT later")
    keep_other_keys(home, fresh)
    held = load_node_keys(home)
    assert (held.signing_id, set(held.all_signing())) == (KEYS.signing_id, {KEYS.signing_id, fresh.signing_id})
    with pytest.raises(Conflict):
        keep_other_keys(home, fresh)


# --- entries ---------------------------------------------------------------------------------------------------


def test_r35_an_entry_travels_as_a_file_of_its_own_and_gets_newer(tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    write_entry(path, BANK, KEYS, T0)
    assert read_entry(path) == BANK
    following(FIRST, entry_of(replace(BANK, name="Other"), KEYS, LATER), LATER)
    write_entry(path, replace(BANK, name="Other"), KEYS, T0)
    first, second = entry_of(BANK, KEYS, T0), SignedText(path.read_bytes().splitlines()[0])
    assert str(parse_json(second.text)["issued_at"]) > str(parse_json(first.text)["issued_at"])  # type: ignore[index]
    path.write_bytes(path.read_bytes().replace(b"Other", b"Enemy"))
    with pytest.raises(Refused, match=f"{path}: .*does not fit"):
        read_entry(path)


def edited(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry.__setitem__(field, value)


def officer_edited(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry["officers"][0].__setitem__(field, value)


def key_edited(of: str, field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: (entry["officers"][0]["keys"] if of == "officers" else entry[of])[0].__setitem__(field, value)


INSTANT = "2025-01-01T00:00:00.000000Z"
BAD = [
    (edited("id", "bank-pt"), "id: 'bank-pt'"),
    (edited("id", "B"), "id: 'B'"),
    (edited("kind", "bank"), "kind: 'bank' is not one of authority"),
    (edited("country", "Portugal"), "country"),
    (edited("name", " "), "name"),
    (edited("name", "Bank\x1b[2J"), "name"),
    (edited("address", "ftp://bank.example"), "address"),
    (edited("address", "https://bank.example/"), "slash"),
    (edited("address", "https://me:secret@bank.example"), "address"),
    (edited("address", "https://bank.example:99999"), "address"),
    (edited("address", "https://"), "address"),
    (edited("address", "https://bank.example?x=1"), "address"),
    (edited("answers_for", [""]), "answers_for: ''"),
    (edited("instructs", ["NCB-PT"]), "instructs: only an authority"),
    (edited("signing", []), "signing: there is no key"),
    (edited("sealing", []), "sealing: there is no key"),
    (key_edited("signing", "key", "AAAA"), f"signing: {KID}: not an Ed25519 public key"),
    (key_edited("signing", "key", "A" * 43), f"signing: {KID}: not an Ed25519 public key, or one under which any"),
    (key_edited("signing", "key", "not base64!"), f"signing: {KID}: bytes are written in base64url"),
    (key_edited("signing", "id", "k1"), "signing: k1: the key id 'k1' is not that of"),
    (key_edited("signing", "until", INSTANT), "it ends before it begins"),
    (key_edited("signing", "revoked_at", INSTANT), "stand together or not at all"),
    (key_edited("sealing", "key", ""), "sealing: .*: not an X25519 public key"),
    (key_edited("sealing", "key", "A" * 43), "sealing: .*: not an X25519 public key"),
    (key_edited("sealing", "id", KID), "the key id"),
    (edited("channel", "fax"), "channel: 'fax' is not one of node, paper"),
    (edited("languages", ["Portuguese"]), "languages"),
    (edited("contacts", [{"name": "Desk", "telephone": "210000000", "hours": "always"}]), "contacts: telephone"),
    (edited("contacts", [{"name": "", "telephone": "+351210000000", "hours": "always"}]), "contacts: name"),
    (edited("assets", ["a b"]), "assets"),
    (edited("suspended", "no"), "suspended: is a text, not true or false"),
    (edited("colour", "red"), "colour: is not a field"),
    (lambda entry: entry.pop("sealing"), "sealing: is missing"),
    (officer_edited("id", "../ana"), "officers: id"),
    (officer_edited("id", "BANK-PT.ben"), r"officers: id: BANK-PT\.ben is there 2 times"),
    (officer_edited("name", ""), "name"),
    (officer_edited("keys", []), "officers: BANK-PT.ana: keys: there is none"),
    (key_edited("officers", "key", "AAAA"), "not an Ed25519 public key"),
    (key_edited("officers", "key", officer("BANK-PT.ben").keys[0].key), "the key id"),
    (key_edited("officers", "id", "0" * 16), "the key id"),
]


@pytest.mark.parametrize(("edit", "fault"), BAD, ids=[fault[:40] for _, fault in BAD])
def test_a_bad_entry_is_refused_by_its_field(edit: Callable[[dict[str, Any]], None], fault: str) -> None:
    tree = json.loads(dumps(BANK))
    edit(tree)
    with pytest.raises(Malformed, match=fault):
        check_entry(read(Participant, tree))


def test_one_key_never_speaks_for_two() -> None:
    twin = replace(participant("TWIN"), signing=BANK.signing)
    with pytest.raises(Malformed, match=r"signing: .* is there 2 times"):
        check_together([BANK, NCB, twin])
    both = replace(participant("TWIN"), officers=BANK.officers)
    with pytest.raises(Malformed, match="officers: key"):
        check_together([BANK, NCB, both])
    with pytest.raises(Malformed, match="answers_for: PT0002 is there 2 times"):
        check_together([BANK, replace(participant("RIVAL"), answers_for=("PT0002",))])


def test_an_authority_instructs_only_who_keeps_accounts() -> None:
    fiu = replace(participant("FIU-PT", "authority"), instructs=("NCB-PT",))
    with pytest.raises(Malformed, match="FIU-PT instructs NCB-PT, which is of kind authority"):
        check_together([BANK, NCB, fiu])
    check_together([BANK, NCB, replace(fiu, instructs=("BANK-NOT-YET",))])


# --- fetching (R-34) -------------------------------------------------------------------------------------------

URL = "http://es/directory"
END = LATER + VALID
THIRD = published(next_edition(SECOND, SECOND, Wanted(), (LATER + WEEK, END + WEEK)))


class Shelf:
    """A server with some versions, or with whatever a test puts there; the newest is the last one."""

    def __init__(self, *versions: Opened) -> None:
        self.files = {f"{URL}/{one.edition.version}": one.signed.file() for one in versions}
        self.files[f"{URL}/newest"] = versions[-1].signed.file()
        self.asked: list[str] = []

    def get(self, url: str, tag: str, most: int) -> tuple[int, bytes]:
        self.asked.append(url)
        data = self.files.get(url)
        if data is None:
            return 404, b""
        if tag == tag_of(read_signed(data).digest):
            return 304, b""
        return 200, data


def counting(home: Path) -> Opened:
    opened = trusted_directory(home, KEYS).opened
    assert opened is not None
    return opened


def take(home: Path, shelf: Shelf, now: datetime = LATER + WEEK) -> int | None:
    return take_newer(home, shelf, URL, now)


def test_r34_versions_are_fetched_one_after_another(home: Path) -> None:
    shelf = Shelf(FIRST, SECOND, THIRD)
    assert [take(home, shelf) for _ in range(3)] == [2, 3, None]
    assert counting(home).signed.digest == THIRD.signed.digest
    assert shelf.asked == [f"{URL}/{what}" for what in ("newest", "2", "newest", "newest")]


def test_r38_who_was_away_steps_over_versions_that_have_ended(home: Path) -> None:
    late = END + timedelta(days=1)
    with pytest.raises(Refused, match="version 2 ended"):
        take(home, Shelf(FIRST, SECOND), late)
    assert [take(home, Shelf(FIRST, SECOND, THIRD), late) for _ in range(2)] == [2, 3]


def test_r34_whoever_serves_it_is_not_believed(home: Path) -> None:
    before = (home / "directory.json").read_bytes()
    edition = next_edition(FIRST, FIRST, Wanted(), (LATER, END))
    skipping = published(replace(THIRD.edition, before=FIRST.signed.digest))
    for bad, why in ((published(edition, "mia"), "signed by mia: 2 of"),
                     (published(replace(edition, before="0" * 64)), "follows another version 1"),
                     (published(replace(FIRST.edition, valid_until=END), "mia"), "signed by mia: 2 of")):
        with pytest.raises(Refused, match=why):
            take(home, Shelf(bad))
    with pytest.raises(Unreachable, match="answers 404"):
        take(home, Shelf(skipping), LATER)
    hollow = Shelf(FIRST, SECOND, THIRD)
    hollow.files[f"{URL}/2"] = skipping.signed.file()
    with pytest.raises(Malformed, match="2 holds version 3"):
        take(home, hollow)
    unsigned = published(replace(FIRST.edition, valid_until=END), "mia")
    hollow.files[f"{URL}/2"] = unsigned.signed.file()
    with pytest.raises(Malformed, match="2 holds version 1"):
        take(home, hollow)
    assert list(home.glob("directory-*.json")) == [], "what no keepers signed is kept by nobody"
    hollow.files[f"{URL}/newest"] = b"<html>"
    with pytest.raises(Malformed, match=f"{URL}/newest: "):
        take(home, hollow)
    assert (home / "directory.json").read_bytes() == before


def test_r34_an_older_version_is_no_matter_and_another_of_the_same_number_is_kept_as_evidence(home: Path) -> None:
    put_in_force(home, KEYS, SECOND, "", LATER)
    assert take(home, Shelf(FIRST)) is None
    other = published(replace(SECOND.edition, valid_until=LATER + timedelta(days=9)))
    with pytest.raises(Conflict, match="two versions 2") as refused:
        take(home, Shelf(other))
    kept = home / f"directory-2-{other.signed.digest[:16]}.json"
    assert str(kept) in str(refused.value)
    assert kept.read_bytes() == other.signed.file()
    assert counting(home).signed.digest == SECOND.signed.digest


def test_r34_one_bad_address_does_not_hide_a_good_one(home: Path) -> None:
    shelf = Shelf(FIRST, SECOND)
    shelf.files["http://bad/directory/newest"] = b"[]"
    urls = ("http://gone/directory", "http://bad/directory", URL)
    assert ask_in_turn(home, shelf, urls, LATER)
    assert counting(home).edition.version == 2
    assert not ask_in_turn(home, shelf, urls, LATER)


def test_r34_what_a_node_cannot_take_up_is_not_fetched_again_and_again(home: Path) -> None:
    """It goes on as it is, with the first version; a later one is fetched all the same: it may be what helps."""
    directory = trusted_directory(home, KEYS)
    node: Any = SimpleNamespace(me="BANK-PT", directory=directory, clock=SimpleNamespace(now=lambda: LATER + WEEK))
    config: Any = SimpleNamespace(home=home, sources=(URL,))
    shelves = (Shelf(FIRST, SECOND), Shelf(FIRST, SECOND), Shelf(FIRST, SECOND, THIRD), Shelf(FIRST, SECOND, THIRD))
    assert [Home(config).fetched(node, shelf) for shelf in shelves] == [True, False, True, False]
    assert counting(home).signed.digest == THIRD.signed.digest


def test_r34_peers_are_asked_by_turns_and_first_whom_we_do_not_know_well() -> None:
    members = [replace(NCB, id=f"NCB-{n}", address=f"http://n{n}") for n in range(7)]
    members.append(replace(NCB, id="NCB-8", channel="paper"))
    directory = Directory([BANK, *members, replace(NCB, id="NCB-9", suspended=True)])
    asked = [sources((), directory, "BANK-PT", turn) for turn in range(3)]
    assert {url for urls in asked for url in urls} == {f"http://n{n}/directory" for n in range(7)}
    assert directory.key_of("NCB-6", "0" * 16) is None
    assert sources((), directory, "BANK-PT", 0)[0] == "http://n6/directory"
    assert sources(("https://keepers.example/arrp",), directory, "BANK-PT", 0) == ("https://keepers.example/arrp",)
    assert sources((), Directory([BANK]), "BANK-PT", 5) == ()


def test_r34_every_node_serves_what_counts_there_and_what_counted(world: World) -> None:
    for _ in range(2):
        member = world.members["BANK-PT"]
        world.clock.at += timedelta(minutes=2)
        world.publish("BANK-PT", replace(member.participant, languages=(*member.participant.languages, "pt")),
                      member.keys)
        world.run(minutes=2)
    hearing = world.members["VASP-LT"].hearing
    assert hearing is not None
    http = TestClient(peers_app(hearing))
    newest = http.get("/directory/newest")
    assert open_edition(read_signed(newest.content)).signed.digest == world.edition.signed.digest
    assert {one.by for one in read_signed(newest.content).signatures} == {Signer.KEEPER}
    again = http.get("/directory/newest", headers={"if-none-match": newest.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for number in (1, 2, 3):
        assert open_edition(read_signed(http.get(f"/directory/{number}").content)).edition.version == number
    assert [http.get(f"/directory/{bad}").status_code for bad in ("4", "0", "x", "99999999999")] == [404] * 4


def test_r34_a_node_that_meets_a_key_it_does_not_know_asks_at_once(world: World) -> None:
    asked: list[datetime] = []
    worker = world.members["VASP-LT"].worker
    assert worker is not None
    worker.service.node = replace(worker.node, fetch=lambda node, transport: asked.append(world.clock.at) or False)
    world.run(minutes=11)
    rounds = len(asked)
    assert 2 <= rounds <= 3
    worker.node.directory.key_of("NCB-XX", "0" * 16)
    world.run(seconds=30)
    assert len(asked) == rounds + 1
