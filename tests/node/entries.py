"""Participants with true keys, for tests of the directory and of what rests on it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from arrp.core.policy import Officer, Participant
from arrp.node.keys import NodeKeys, key_id
from arrp.wire.envelope import b64


def signing_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(f"signing {name}".encode()).digest())


def keys_of(name: str) -> NodeKeys:
    signing = signing_key(name)
    sealing = X25519PrivateKey.from_private_bytes(sha256(f"sealing {name}".encode()).digest())
    return NodeKeys(signing, key_id(signing.public_key()), sealing)


def officer(id: str) -> Officer:
    public = signing_key(id).public_key()
    return Officer(id, f"{id} Example", ("duty officer",), key_id(public), b64(public.public_bytes_raw()))


def participant(id: str, kind: str = "institution", country: str = "PT") -> Participant:
    keys = keys_of(id)
    return Participant(
        id=id,
        name=f"Participant {id}",
        kind=kind,
        country=country,
        address=f"https://{id.lower()}.example:8443",
        answers_for=(),
        officers=(officer(f"{id}.ana"), officer(f"{id}.ben")),
        signing={keys.signing_id: keys.signing_public},
        sealing=keys.sealing_public,
    )


BANK = replace(participant("BANK-PT"), answers_for=("PT0002",))
NCB = replace(participant("NCB-PT", "authority"), instructs=("BANK-PT",))
