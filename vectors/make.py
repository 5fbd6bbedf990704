"""Writes vectors/*.json, the conformance kit: run  python -m vectors.make  in the project's root.

All keys and salts are those of tests/wire/samples.py, and of src/arrp/sim/keepers.py for the directory.
Ed25519 is deterministic, and the one seal here has a fixed ephemeral key, so that two runs write the
same bytes; a test compares them with what is committed. Every file says in `about` how to read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from arrp.sim.keepers import KEEPERS, VALID, first_edition, keeper, keeper_key, signed_by
from arrp.wire import approvals, audit, envelope
from arrp.wire.codec import dumps, halves
from arrp.wire.directory import Opened, Wanted, edition_text, next_edition
from arrp.wire.entry import key_id
from arrp.wire.signed_text import SignedText, Signer
from tests.node.entries import BANK, FOUNDED, NCB, keys_of
from tests.wire import samples
from tests.wire.hostile import TABLE
from tests.wire.hpke import seal

FOLDER = Path(__file__).parent
REFUSED_BYTES_MAX = 4096
DOORS = {
    "JSON": "json",
    "HEAD": "head",
    "RECEIPT": "receipt",
    "CHECKPOINT": "checkpoint",
    "KEY": "signing-key",
    "SEALING": "sealing-key",
}


def canonical() -> dict[str, Any]:
    acts = {"a command": samples.ACT, "a mandate": samples.MANDATE, "a fact": samples.FACT}
    return {
        "about": [
            "Values as the bytes this implementation writes: `text` is their UTF-8. JSON is compact, keys stand in the"
            " order of the fields, every field is written. A reader takes any order and white space, but no unknown,"
            " missing or doubled key, no float, no number beyond 64 bits, and one spelling of instants and amounts.",
            "`acts`: act_hash = hex SHA-256(salt || text), salt in hex. `halves`: a log row without its private fields,"
            " and a sparse copy of its tree with the private fields only; laid over each other they are the value.",
            "`commitments`: hex SHA-256('arrp commitment v1' || 0x00 || salt || text).",
        ],
        "acts": [_act(name, act) for name, act in acts.items()],
        "signed_objects": [
            {"type": type(value).__name__, "text": dumps(value).decode()}
            for value in (samples.HEAD, samples.RECEIPT, samples.CHECKPOINT, samples.STATE)
        ],
        "halves": [
            {"text": dumps(value).decode(), "lasting": halves(value)[0].decode(), "private": halves(value)[1].decode()}
            for value in (samples.ROW, samples.ACT.body)
        ],
        "commitments": [
            {"salt": samples.SALT.hex(), "text": text, "commitment": approvals.salted(samples.SALT, text)}
            for text in ("payto://iban/PT50000201231234567890154", "")
        ],
    }


def _act(name: str, act: Any) -> dict[str, str]:
    data = dumps(act)
    named = approvals.act_hash(samples.SALT, data)
    return {"name": name, "text": data.decode(), "salt": samples.SALT.hex(), "act_hash": named}


def signatures() -> dict[str, Any]:
    keys = {"ncb-fr k1": samples.NCB, "fiu-pt k1": samples.FIU, "ana a1": samples.ANA, "ben b1": samples.BEN}
    signed = ((samples.HEAD, samples.NCB), (samples.RECEIPT, samples.FIU))
    more = ((samples.CHECKPOINT, samples.NCB), (samples.STATE, samples.FIU))
    return {
        "about": [
            "`keys`: Ed25519, for tests only. `seed` is in hex, `public` as the directory writes it (base64url).",
            "`approvals`: an officer signs 'arrp approval v1' || 0x00 || the 32 bytes of act_hash.",
            "`jws`: flattened JWS (RFC 7515) with alg Ed25519 (RFC 9864). The protected header has exactly alg, kid and"
            " typ; there is no unprotected header. The signer is `from` in the payload, `origin` in a checkpoint.",
        ],
        "keys": [_key(name, key) for name, key in keys.items()],
        "approvals": [
            {"act_hash": samples.ACT_HASH, **json.loads(dumps(approval))} for approval in samples.APPROVALS
        ],
        "jws": [
            {"type": type(value).__name__, "payload": dumps(value).decode(), "jws": envelope.sign(value, key, "k1")}
            for value, key in (*signed, *more)
        ],
    }


def _key(name: str, key: Any) -> dict[str, str]:
    return {
        "name": name,
        "seed": key.private_bytes_raw().hex(),
        "public": approvals.b64(key.public_key().public_bytes_raw()),
    }


def parcel() -> dict[str, Any]:
    content = dumps(envelope.open_parcel(samples.PARCEL, samples.BANK_SEAL, "bank-pt"))
    info = b"arrp parcel v1\0" + dumps(samples.ROUTING)
    sealed = seal(content, samples.BANK_SEAL.public_key(), info, samples.EPHEMERAL)
    return {
        "about": [
            "HPKE base mode (RFC 9180), one message: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305."
            " `info` = 'arrp parcel v1' || 0x00 || the routing as compact JSON, keys in this order: to, urgency,"
            " drop_after. `sealed` = encapsulated key || ciphertext, base64url.",
            "Opening `parcel` with `recipient_seed` must give `content`. Sealing `content` with `ephemeral_seed` must"
            " give `sealed`; a node takes a new ephemeral key each time. Keys are X25519 in hex, for tests only.",
            "`content`: head is the JWS of signatures.json, act is base64url of the first act of canonical.json.",
        ],
        "recipient_seed": samples.BANK_SEAL.private_bytes_raw().hex(),
        "recipient_public": approvals.b64(samples.BANK_SEAL.public_key().public_bytes_raw()),
        "ephemeral_seed": samples.EPHEMERAL.private_bytes_raw().hex(),
        "info": info.decode(),
        "content": content.decode(),
        "sealed": approvals.b64(sealed),
        "parcel": samples.PARCEL.decode(),
    }


def merkle() -> dict[str, Any]:
    rows = [_row(number) for number in range(8)]
    leaves = [bytes.fromhex(row["leaf"]) for row in rows]
    return {
        "about": [
            "Merkle tree of RFC 9162, SHA-256, all hashes in hex. leaf = H(0x00 || lasting || digest), digest ="
            " H(salt || private). After erasure private and salt are gone and digest stays: the leaf is the same.",
            "`roots`[n] is the root of the first n leaves. `inclusion`: leaf `index` in the tree of `size`."
            " `consistency`: the tree of `old` is the beginning of the tree of `size`.",
        ],
        "rows": rows,
        "roots": [audit.root(leaves[:size]).hex() for size in range(9)],
        "inclusion": [
            {"index": index, "size": size, "proof": _hex(audit.inclusion_proof(leaves[:size], index))}
            for size in (1, 2, 3, 5, 7, 8)
            for index in range(size)
        ],
        "consistency": [
            {"old": old, "size": size, "proof": _hex(audit.consistency_proof(leaves[:size], old))}
            for size in (1, 2, 3, 5, 7, 8)
            for old in range(1, size + 1)
        ],
    }


def _row(number: int) -> dict[str, str]:
    lasting, private, salt = f'{{"n":{number}}}', f'{{"name":"name {number}"}}', bytes([number]) * 16
    digest = audit.private_digest(salt, private.encode())
    leaf = audit.leaf_hash_erased(lasting.encode(), digest)
    return {"lasting": lasting, "private": private, "salt": salt.hex(), "digest": digest.hex(), "leaf": leaf.hex()}


def _hex(proof: audit.Proof) -> list[str]:
    return [node.hex() for node in proof]


def refused() -> dict[str, Any]:
    return {
        "about": [
            "Bytes that must be refused, each with the `code` of the refusal. `bytes` is base64url. `as` says what they"
            " pretend to be: json (any JSON text), head, receipt, checkpoint (a flattened JWS, checked with the keys of"
            " signatures.json), signing-key, sealing-key (a public key as text).",
            "ncb-fr has the key k1; fiu-pt has k1 and k2, which are one key. Other keys are unknown.",
            f"Rows of more than {REFUSED_BYTES_MAX} bytes are only in the tests.",
        ],
        "rows": list(_refused_rows()),
    }


def _refused_rows() -> Iterator[dict[str, str]]:
    for name, door, make, code in TABLE:
        if door in DOORS and len(data := make()) <= REFUSED_BYTES_MAX:
            yield {"name": name, "as": DOORS[door], "code": code, "bytes": approvals.b64(data)}


FOUNDED_AT, RENEWED_AT = FOUNDED + timedelta(days=1), FOUNDED + timedelta(days=8)


def directory() -> dict[str, Any]:
    first = first_edition({who.id: (who, keys_of(who.id)) for who in (BANK, NCB)}, FOUNDED_AT)
    return {
        "about": [
            "A directory is a text on one line and a signature on each line after it. `digest` = hex SHA-256(text). A"
            " signature is Ed25519 over tag || the 32 bytes of the digest; `tags` has the tag for each `by`, written"
            " with its 0x00 at the end.",
            "`keepers`: `seed` in hex, `public` base64url, `key_id` the first 16 hex digits of SHA-256(public key). All"
            " keys are for tests only. `keepers_text` is the JSON of `keepers` in a version, and `keepers_digest` = hex"
            " SHA-256('arrp keepers v1' || 0x00 || keepers_text): what is told by telephone.",
            "`first` counts, and was issued at `first_at`. Each row of `next` was handed in after it, at `at`; `takes`"
            " says whether it takes its place, `alarm` whether two texts of one number were seen.",
        ],
        "tags": {str(by): f"arrp {tag} v1\0" for by, tag in
                 (("keeper", "directory"), ("participant", "entry"), ("node", "trust"))},
        "keepers": [
            {"name": who.name, "seed": keeper_key(who.name).private_bytes_raw().hex(), "public": who.key,
             "key_id": who.key_id} for who in KEEPERS.named
        ],
        "keepers_text": dumps(KEEPERS).decode(),
        "keepers_digest": KEEPERS.digest,
        "threshold": KEEPERS.threshold,
        "first_at": FOUNDED_AT.isoformat(),
        "first": {"digest": first.signed.digest, "file": first.signed.file().decode()},
        "next": [
            {"name": name, "at": RENEWED_AT.isoformat(), "takes": takes, "alarm": alarm, "digest": signed.digest,
             "file": signed.file().decode()} for name, takes, alarm, signed in _next_versions(first)
        ],
    }


def _next_versions(first: Opened) -> Iterator[tuple[str, bool, bool, SignedText]]:
    """Name, whether it counts after `first`, whether it is an alarm, the version."""
    edition = next_edition(first, first, Wanted(), (RENEWED_AT, RENEWED_AT + VALID))
    text = SignedText(edition_text(edition))
    one, two = signed_by(text, "kim"), signed_by(text, "kim", "lee")
    mistagged = text.signed(Signer.PARTICIPANT, keeper_key("lee"), keeper("lee").key_id).signatures
    stranger = text.signed(Signer.KEEPER, samples.NCB, key_id(samples.NCB.public_key())).signatures
    older, skipped = replace(edition, version=1, before=None), replace(edition, version=3)
    yield "signed by two of three", True, False, two
    yield "signed by k - 1", False, False, one
    yield "the same keeper twice", False, False, replace(one, signatures=one.signatures * 2)
    yield "one of them with the tag of an entry", False, False, replace(one, signatures=(
        *one.signatures, replace(mistagged[0], by=Signer.KEEPER)))
    yield "one of them by nobody named", False, False, replace(one, signatures=(*one.signatures, *stranger))
    yield "changed after it was signed", False, False, replace(
        two, text=text.text.replace(b'"suspended":false', b'"suspended":true', 1))
    yield "another version 1", False, True, signed_by(SignedText(edition_text(older)), "kim", "lee")
    yield "version 3 before version 2", False, False, signed_by(SignedText(edition_text(skipped)), "kim", "lee")
    yield "of another version 1", False, False, signed_by(
        SignedText(edition_text(replace(edition, before="0" * 64))), "kim", "lee")
    yield "issued before the one it follows", False, False, signed_by(
        SignedText(edition_text(replace(edition, issued_at=FOUNDED, valid_until=FOUNDED + VALID))), "kim", "lee")


def files() -> dict[str, str]:
    """File name -> text of every vector file."""
    made = {made.__name__: made() for made in (canonical, signatures, parcel, merkle, refused, directory)}
    return {f"{name}.json": json.dumps(tree, ensure_ascii=False, indent=1) + "\n" for name, tree in made.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
