"""Participants with true keys, for tests of the directory and of what rests on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from arrp.core.policy import Officer, Participant
from arrp.node.keys import NodeKeys, OfficerKey, fresh_keys, key_id, person_key

FOUNDED = datetime(2026, 1, 1, tzinfo=UTC)


def signing_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(f"signing {name}".encode()).digest())


def keys_of(name: str) -> NodeKeys:
    signing = signing_key(name)
    sealing = X25519PrivateKey.from_private_bytes(sha256(f"sealing {name}".encode()).digest())
    return NodeKeys(signing, key_id(signing.public_key()), sealing)


def officer(id: str) -> Officer:
    key = OfficerKey(signing_key(id), key_id(signing_key(id).public_key()))
    return Officer(id, f"{id} Example", ("duty officer",), (person_key(key, FOUNDED),))


def participant(id: str, kind: str = "institution", country: str = "PT") -> Participant:
    signing, sealing = fresh_keys(keys_of(id), FOUNDED)
    return Participant(
        id=id,
        name=f"Participant {id}",
        kind=kind,
        country=country,
        address=f"https://{id.lower()}.example:8443",
        answers_for=(),
        officers=(officer(f"{id}.ana"), officer(f"{id}.ben")),
        signing=(signing,),
        sealing=(sealing,),
    )


BANK = replace(participant("BANK-PT"), answers_for=("PT0002",))
NCB = replace(participant("NCB-PT", "authority"), instructs=("BANK-PT",))
