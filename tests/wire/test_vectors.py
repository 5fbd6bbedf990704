"""The committed vectors are what the code makes, and a stranger can check them without this code."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from datetime import datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from arrp.core.errors import Conflict, Refused
from arrp.wire import envelope
from arrp.wire.directory import check_first, check_next, open_edition
from arrp.wire.envelope import Unpacked
from arrp.wire.signed_text import read_signed
from tests.wire.samples import ACT, READER
from vectors.make import FOLDER, files


def committed(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


MADE = files()


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_committed_file_is_what_the_code_makes(name: str) -> None:
    """When a change of the wire is meant, run  python -m vectors.make  and say so in the changelog."""
    assert (FOLDER / name).read_text(encoding="utf-8") == MADE[name]


@pytest.mark.parametrize("name", sorted(MADE))
def test_every_file_says_how_to_read_it(name: str) -> None:
    about = committed(name)["about"]
    assert about
    assert all(isinstance(line, str) and line.endswith(".") for line in about)


# --- what `about` says, done by hand --------------------------------------------------------------


def test_act_hashes_and_commitments() -> None:
    vectors = committed("canonical.json")
    for act in vectors["acts"]:
        digest = hashlib.sha256(bytes.fromhex(act["salt"]) + act["text"].encode()).hexdigest()
        assert digest == act["act_hash"]
    for row in vectors["commitments"]:
        salted = b"arrp commitment v1\0" + bytes.fromhex(row["salt"]) + row["text"].encode()
        assert hashlib.sha256(salted).hexdigest() == row["commitment"]


def test_signatures() -> None:
    vectors = committed("signatures.json")
    publics = {row["name"]: Ed25519PublicKey.from_public_bytes(unb64(row["public"])) for row in vectors["keys"]}
    for row in vectors["keys"]:
        private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(row["seed"]))
        assert private.public_key() == publics[row["name"]]
    for row in vectors["approvals"]:
        signed = b"arrp approval v1\0" + bytes.fromhex(row["act_hash"])
        publics[f"{row['officer']} {row['key']}"].verify(unb64(row["signature"]), signed)
    for row in vectors["jws"]:
        jws = json.loads(row["jws"])
        assert unb64(jws["payload"]).decode() == row["payload"]
        payload, header = json.loads(row["payload"]), json.loads(unb64(jws["protected"]))
        key = publics[f"{payload.get('from') or payload.get('origin')} {header['kid']}"]
        key.verify(unb64(jws["signature"]), f"{jws['protected']}.{jws['payload']}".encode())


def test_the_parcel_opens() -> None:
    vectors = committed("parcel.json")
    recipient = X25519PrivateKey.from_private_bytes(bytes.fromhex(vectors["recipient_seed"]))
    opened = envelope._SUITE.decrypt(unb64(vectors["sealed"]), recipient, vectors["info"].encode())
    assert opened.decode() == vectors["content"]
    assert json.loads(vectors["parcel"])["sealed"] == vectors["sealed"]
    unpacked = envelope.unpack(vectors["parcel"].encode(), READER)
    assert isinstance(unpacked, Unpacked)
    assert unpacked.act == ACT


def test_leaves_and_roots() -> None:
    vectors = committed("merkle.json")
    for row in vectors["rows"]:
        digest = hashlib.sha256(bytes.fromhex(row["salt"]) + row["private"].encode()).digest()
        assert digest.hex() == row["digest"]
        assert hashlib.sha256(b"\0" + row["lasting"].encode() + digest).hexdigest() == row["leaf"]
    assert vectors["roots"][0] == hashlib.sha256().hexdigest()
    assert vectors["roots"][1] == vectors["rows"][0]["leaf"]
    assert len({*vectors["roots"]}) == 9


def test_versions_of_the_directory_by_hand() -> None:
    """R-34 from what `about` says alone: which of them k keepers signed, and which follows the first."""
    vectors = committed("directory.json")
    keepers = {row["key_id"]: Ed25519PublicKey.from_public_bytes(unb64(row["public"])) for row in vectors["keepers"]}
    told = hashlib.sha256(b"arrp keepers v1\0" + vectors["keepers_text"].encode()).hexdigest()
    assert told == vectors["keepers_digest"]
    assert signed_by_hand(vectors, vectors["first"], keepers) == vectors["threshold"]
    first = json.loads(vectors["first"]["file"].split("\n")[0])
    taken = []
    for row in vectors["next"]:
        after = json.loads(row["file"].split("\n")[0])
        follows = (after["version"] == first["version"] + 1 and after["before"] == vectors["first"]["digest"]
                   and after["issued_at"] >= first["issued_at"])
        if follows and signed_by_hand(vectors, row, keepers) >= vectors["threshold"]:
            taken.append(row["name"])
    assert taken == [row["name"] for row in vectors["next"] if row["takes"]] == ["signed by two of three"]


def signed_by_hand(vectors: Any, row: Any, keepers: dict[str, Ed25519PublicKey]) -> int:
    """How many different keepers signed it; none, if any signature as a keeper does not fit."""
    text, *lines = row["file"].removesuffix("\n").split("\n")
    digest, signed = hashlib.sha256(text.encode()), set()
    assert digest.hexdigest() == row["digest"]
    for signature in map(json.loads, lines):
        try:
            keepers[signature["key"]].verify(unb64(signature["signature"]),
                                             vectors["tags"][signature["by"]].encode() + digest.digest())
        except (InvalidSignature, KeyError):
            return 0
        signed.add(signature["key"])
    return len(signed)


def test_r34_versions_of_the_directory_as_the_code_takes_them() -> None:
    vectors = committed("directory.json")
    before = open_edition(read_signed(vectors["first"]["file"].encode()))
    check_first(before, vectors["keepers_digest"], datetime.fromisoformat(vectors["first_at"]))
    for row in vectors["next"]:
        refused = None
        try:
            after = open_edition(read_signed(row["file"].encode()))
            check_next(before, after, datetime.fromisoformat(row["at"]))
        except (Refused, Conflict) as error:
            refused = error
        assert (refused is None) == row["takes"], row["name"]
        assert isinstance(refused, Conflict) == row["alarm"], row["name"]


def test_the_refused_rows_are_many() -> None:
    rows = committed("refused.json")["rows"]
    assert len(rows) >= 120
    assert {"json", "head", "receipt", "checkpoint", "signing-key", "sealing-key"} == {row["as"] for row in rows}
