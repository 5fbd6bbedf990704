"""The directory: what may stand in it, who is found in it, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arrp.core.errors import Conflict, Malformed, NotFound
from arrp.node.directory import (
    Directory,
    add_entries,
    add_entry,
    check_own_keys,
    load_directory,
    read_entry,
    write_entry,
)
from tests.node.entries import BANK, NCB, keys_of, officer, participant, signing_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    add_entries(tmp_path / "directory.json", [BANK, NCB])
    return tmp_path / "directory.json"


def test_what_is_written_is_read(path: Path) -> None:
    directory = load_directory(path)
    assert directory.participants == {"BANK-PT": BANK, "NCB-PT": NCB}
    keys = keys_of("BANK-PT")
    found = directory.key_of("BANK-PT", keys.signing_id)
    assert found == keys.signing.public_key()
    assert directory.sealing_of("BANK-PT") == keys.sealing.public_key()
    ana = BANK.officers[0]
    assert directory.officer_key_of("BANK-PT", ana.id, ana.key_id) == signing_key(ana.id).public_key()


def test_keys_are_parsed_once(path: Path) -> None:
    directory, kid = load_directory(path), keys_of("BANK-PT").signing_id
    assert directory.key_of("BANK-PT", kid) is directory.key_of("BANK-PT", kid)


def test_a_key_counts_only_for_whom_it_stands(path: Path) -> None:
    directory, ana = load_directory(path), BANK.officers[0]
    assert directory.key_of("NCB-PT", keys_of("BANK-PT").signing_id) is None
    assert directory.officer_key_of("NCB-PT", ana.id, ana.key_id) is None
    assert directory.officer_key_of("BANK-PT", BANK.officers[1].id, ana.key_id) is None
    with pytest.raises(NotFound, match="NOBODY"):
        directory.sealing_of("NOBODY")
    with pytest.raises(NotFound, match="NOBODY"):
        directory.participant("NOBODY")


def test_an_entry_travels_as_a_file_of_its_own(tmp_path: Path) -> None:
    write_entry(tmp_path / "entry.json", BANK)
    assert read_entry(tmp_path / "entry.json") == BANK


def test_the_same_entry_twice_is_no_matter_another_one_is(path: Path) -> None:
    before = path.read_bytes()
    add_entry(path, BANK)
    assert path.read_bytes() == before
    other = replace(BANK, name="Another name")
    with pytest.raises(Conflict, match=r"another entry for BANK-PT.*--replace"):
        add_entry(path, other)
    assert path.read_bytes() == before
    add_entries(path, [other], replace=True)
    assert load_directory(path).participant("BANK-PT").name == "Another name"


def test_one_bad_entry_adds_none(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(Malformed, match="answers_for: PT0002 is there 2 times"):
        add_entries(path, [participant("BANK-ES"), replace(participant("RIVAL"), answers_for=("PT0002",))])
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["directory.json"], "nothing is left beside it"


def test_a_rewritten_file_keeps_its_mode(path: Path) -> None:
    path.chmod(0o640)
    add_entry(path, participant("BANK-ES"))
    assert path.stat().st_mode & 0o777 == 0o640


def edited(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry.__setitem__(field, value)


def officer_edited(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry["officers"][0].__setitem__(field, value)


KID = keys_of("BANK-PT").signing_id
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
    (edited("signing", {}), "signing: there is no key"),
    (edited("signing", {KID: "AAAA"}), f"signing: {KID}: not an Ed25519 public key"),
    (edited("signing", {KID: "A" * 43}), f"signing: {KID}: not an Ed25519 public key, or one under which any"),
    (edited("signing", {KID: "not base64!"}), f"signing: {KID}: bytes are written in base64url"),
    (edited("signing", {"k1": keys_of("BANK-PT").signing_public}), "signing: k1: the key id 'k1' is not that of"),
    (edited("sealing", ""), "sealing: not an X25519 public key"),
    (edited("sealing", "A" * 43), "sealing: not an X25519 public key"),
    (edited("suspended", "no"), "suspended: is a text, not true or false"),
    (edited("colour", "red"), "colour: is not a field"),
    (lambda entry: entry.pop("sealing"), "sealing: is missing"),
    (officer_edited("id", "../ana"), "officers: id"),
    (officer_edited("id", "BANK-PT.ben"), r"officers: id: BANK-PT\.ben is there 2 times"),
    (officer_edited("name", ""), "name"),
    (officer_edited("key", "AAAA"), "not an Ed25519 public key"),
    (officer_edited("key", officer("BANK-PT.ben").key), "the key id"),
    (officer_edited("key_id", "0" * 16), "the key id"),
]


@pytest.mark.parametrize(("edit", "fault"), BAD, ids=[fault[:40] for _, fault in BAD])
def test_a_bad_entry_is_refused_by_its_field(path: Path, edit: Callable[[dict[str, Any]], None], fault: str) -> None:
    tree = json.loads(path.read_text())
    edit(tree[0])
    path.write_text(json.dumps(tree))
    with pytest.raises(Malformed, match=fault) as found:
        load_directory(path)
    assert str(found.value).startswith(f"{path}: entry 1 (")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{}", "a directory is a list"),
        ("[1]", r"entry 1 \(without id\): Participant: is a whole number"),
        ("[", "brackets are unbalanced|not JSON"),
        ('[{"id": "A", "id": "B"}]', "names one key twice"),
        ("\xff", "not JSON"),
    ],
)
def test_what_is_no_directory_is_said_to_be_none(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "directory.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Malformed, match=fault) as found:
        load_directory(path)
    assert str(path) in str(found.value)


def test_no_directory_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no"):
        load_directory(tmp_path / "directory.json")
    with pytest.raises(Malformed, match="cannot be used as a file"):
        load_directory(tmp_path)


def test_one_key_never_speaks_for_two(path: Path) -> None:
    twin = replace(participant("TWIN"), signing=BANK.signing)
    with pytest.raises(Malformed, match=r"signing: .* is there 2 times"):
        add_entry(path, twin)
    both = replace(participant("TWIN"), officers=BANK.officers)
    with pytest.raises(Malformed, match="officers: key"):
        add_entry(path, both)


def test_an_authority_instructs_only_who_keeps_accounts(path: Path) -> None:
    fiu = replace(participant("FIU-PT", "authority"), instructs=("NCB-PT",))
    with pytest.raises(Malformed, match="FIU-PT instructs NCB-PT, which is of kind authority"):
        add_entry(path, fiu)
    add_entry(path, replace(fiu, instructs=("BANK-NOT-YET",)))


def test_a_node_must_have_the_keys_that_the_directory_says() -> None:
    directory = Directory([BANK, NCB])
    check_own_keys(directory, "BANK-PT", keys_of("BANK-PT"))
    with pytest.raises(Conflict, match="other keys of BANK-PT"):
        check_own_keys(directory, "BANK-PT", keys_of("NCB-PT"))
    half = replace(keys_of("BANK-PT"), sealing=keys_of("NCB-PT").sealing)
    with pytest.raises(Conflict, match="other keys of BANK-PT"):
        check_own_keys(directory, "BANK-PT", half)
    with pytest.raises(NotFound):
        check_own_keys(directory, "BANK-ES", keys_of("BANK-PT"))
