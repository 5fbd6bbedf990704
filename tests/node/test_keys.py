"""Keys on disk: nobody else reads a node's, nobody without the passphrase opens an officer's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.node.keys import key_id, load_node_keys, load_officer_key, make_node_keys, make_officer_key
from arrp.wire.approvals import sealing_public, signing_public


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_node_keys_come_back_as_they_were_made(tmp_path: Path) -> None:
    made, loaded = make_node_keys(tmp_path), load_node_keys(tmp_path)
    assert (made.signing_id, made.signing_public, made.sealing_public) == (
        loaded.signing_id,
        loaded.signing_public,
        loaded.sealing_public,
    )
    assert key_id(signing_public(loaded.signing_public)) == loaded.signing_id
    assert sealing_public(loaded.sealing_public) == loaded.sealing.public_key()
    assert len(loaded.signing_id) == 16


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_reaches_a_nodes_keys(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_node_keys(tmp_path)
    finally:
        os.umask(before)
    assert mode(tmp_path / "keys") == 0o700
    assert {mode(path) for path in (tmp_path / "keys").iterdir()} == {0o600}


@pytest.mark.parametrize(("name", "wrong"), [("signing.pem", 0o640), ("sealing.pem", 0o604), ("", 0o750)])
def test_keys_that_others_can_reach_are_refused(tmp_path: Path, name: str, wrong: int) -> None:
    make_node_keys(tmp_path)
    path = tmp_path / "keys" / name
    path.chmod(wrong)
    with pytest.raises(Refused, match=f"chmod 0[67]00 {path}"):
        load_node_keys(tmp_path)


def test_node_keys_are_never_overwritten(tmp_path: Path) -> None:
    first = make_node_keys(tmp_path)
    with pytest.raises(Conflict, match="keys is there already"):
        make_node_keys(tmp_path)
    assert load_node_keys(tmp_path).signing_id == first.signing_id


def test_missing_and_damaged_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="arrp node init"):
        load_node_keys(tmp_path)
    make_node_keys(tmp_path)
    sealing = tmp_path / "keys" / "sealing.pem"
    sealing.write_bytes((tmp_path / "keys" / "signing.pem").read_bytes())
    with pytest.raises(Malformed, match="exchanged"):
        load_node_keys(tmp_path)
    sealing.write_bytes(b"not a key")
    with pytest.raises(Malformed, match=r"sealing\.pem is not a private key"):
        load_node_keys(tmp_path)
    sealing.unlink()
    with pytest.raises(NotFound, match=r"sealing\.pem"):
        load_node_keys(tmp_path)


def test_a_key_is_not_printed_with_the_object_that_holds_it(tmp_path: Path) -> None:
    keys = make_node_keys(tmp_path)
    assert keys.signing.private_bytes_raw().hex() not in repr(keys)


def test_an_officers_key_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    path = tmp_path / "ana.pem"
    made = make_officer_key(path, "correct horse")
    assert mode(path) == 0o600
    assert load_officer_key(path, "correct horse").public == made.public
    with pytest.raises(Refused, match="does not open with this passphrase"):
        load_officer_key(path, "correct horsf")
    assert b"ENCRYPTED" in path.read_bytes()


def test_the_same_letters_of_another_keyboard_open_it(tmp_path: Path) -> None:
    made = make_officer_key(tmp_path / "k", "Schl\u00fcssel")
    assert load_officer_key(tmp_path / "k", "Schlu\u0308ssel").public == made.public


@pytest.mark.parametrize("passphrase", ["", "  \t", "x" * 2000])
def test_a_passphrase_that_is_none_is_refused(tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(Refused, match="passphrase"):
        make_officer_key(tmp_path / "k", passphrase)
    assert not (tmp_path / "k").exists()


def test_an_officers_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("something else")
    with pytest.raises(Conflict):
        make_officer_key(path, "hush hush")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        make_officer_key(tmp_path / "link", "hush hush")
    assert path.read_text() == "something else"
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_without_a_passphrase_is_no_officers_key(tmp_path: Path) -> None:
    make_node_keys(tmp_path)
    with pytest.raises(Refused, match="not a key under a passphrase"):
        load_officer_key(tmp_path / "keys" / "signing.pem", "hush hush")
    with pytest.raises(NotFound):
        load_officer_key(tmp_path / "nowhere", "hush hush")
    with pytest.raises(NotFound, match="there is no"):
        make_officer_key(tmp_path / "nowhere" / "k", "hush hush")


def test_two_keys_have_two_ids() -> None:
    assert len({key_id(Ed25519PrivateKey.generate().public_key()) for _ in range(20)}) == 20
