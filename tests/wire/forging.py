"""How a hostile object is made from the sample parcel: one change, everything else in order.

Unless a maker says otherwise the attacker holds a real key of ncb-fr and signs what he sends.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from arrp.core.messages import Approval
from arrp.wire import approvals, envelope
from arrp.wire.codec import dumps
from arrp.wire.envelope import Attached, Note
from tests.wire.samples import (
    ACT_BYTES,
    ANA,
    ATTACHED_MANDATE,
    BEN,
    FIU,
    HEAD,
    NCB,
    PARCEL,
    ROUTING,
    SALT,
    carrying,
    jws,
    parcel,
    plain64,
    sealed,
    signed_act,
)

HEADER = {"alg": "Ed25519", "kid": "k1", "typ": "arrp-head+jws"}
PAYLOAD = dumps(HEAD)
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group of Ed25519


def under(**header: Any) -> bytes:
    """The sample head under another protected header; `...` leaves a member out."""
    return jws(PAYLOAD, {name: item for name, item in {**HEADER, **header}.items() if item is not ...}).encode()


def raw_header(header: bytes) -> bytes:
    return jws(PAYLOAD, header).encode()


def members(**changed: Any) -> bytes:
    """The sample head with members of its flattened JWS changed after signing."""
    return jws(PAYLOAD, **changed).encode()


def parts() -> dict[str, str]:
    found: dict[str, str] = json.loads(jws(PAYLOAD))
    return found


def says(payload: bytes, key: Ed25519PrivateKey = NCB) -> bytes:
    """A truly signed head with any payload."""
    return jws(payload, key=key).encode()


def head(**changed: Any) -> bytes:
    """A truly signed head with members of its payload changed; `...` leaves a member out."""
    return says(edited(PAYLOAD, **changed))


def edited(data: bytes, **changed: Any) -> bytes:
    tree = {name: item for name, item in {**json.loads(data), **changed}.items() if item is not ...}
    return json.dumps(tree, separators=(",", ":")).encode()


def act(**changed: Any) -> bytes:
    """An act with members changed, under a head and approvals that fit it."""
    return signed_act(edited(ACT_BYTES, **changed))


def body(**changed: Any) -> bytes:
    return act(body={**json.loads(ACT_BYTES)["body"], **changed})


def amount(number: object, asset: object = "EUR") -> bytes:
    return body(amount={"amount": number, "asset": asset})


def attach(*attached: Attached) -> bytes:
    return carrying(envelope.sign(HEAD, NCB, "k1"), attached=attached)


def note(jws: str) -> bytes:
    return parcel(Note(jws))


def approved(*approvals: Approval) -> bytes:
    """The sample act under these approvals."""
    return carrying(envelope.sign(replace(HEAD, approvals=approvals), NCB, "k1"))


def approval(text: bytes, officer: str = "ana", kid: str = "a1", key: Ed25519PrivateKey = ANA) -> Approval:
    """An officer's signature over any text."""
    return Approval(officer, kid, "Ed25519", plain64(key.sign(text)))


def receipt(payload: bytes, typ: str = "arrp-receipt+jws", key: Ed25519PrivateKey = FIU) -> bytes:
    return jws(payload, {"alg": "Ed25519", "kid": "k1", "typ": typ}, key).encode()


def checkpoint(payload: bytes, typ: str = "arrp-checkpoint+jws") -> bytes:
    return receipt(payload, typ, NCB)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def same_signature_twice(signature: str) -> str:
    """S + the order of the group: the same signature to a lax verifier, other bytes."""
    raw = approvals.unb64(signature)
    return plain64(raw[:32] + (int.from_bytes(raw[32:], "little") + ORDER).to_bytes(32, "little"))


def hmac_with_public_key() -> bytes:
    """The oldest trick: the public key as the secret of an HMAC."""
    header = plain64(json.dumps({**HEADER, "alg": "HS256"}).encode())
    signed = f"{header}.{plain64(PAYLOAD)}".encode()
    code = hmac.new(NCB.public_key().public_bytes_raw(), signed, hashlib.sha256).digest()
    return json.dumps({"payload": plain64(PAYLOAD), "protected": header, "signature": plain64(code)}).encode()


def resealed(**routing: Any) -> bytes:
    """Sealed with one routing, sent with another."""
    return parcel(b"{}", sealed=sealed(dumps(envelope.content("", SALT, b"")), replace(ROUTING, **routing)))


def sealed_bytes() -> bytes:
    return approvals.unb64(json.loads(PARCEL)["sealed"])


def mandate(data: bytes) -> Attached:
    """Any bytes, truly approved by both officers."""
    named = approvals.act_hash(SALT, data)
    both = (approvals.approve(ANA, "ana", "a1", named), approvals.approve(BEN, "ben", "b1", named))
    return replace(ATTACHED_MANDATE, act=plain64(data), approvals=both)
