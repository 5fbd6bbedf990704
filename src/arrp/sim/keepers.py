"""Keepers of the directory of a world: three, two of whom sign; and what they are handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from arrp.core.policy import Participant
from arrp.node.keys import NodeKeys, key_id
from arrp.wire.approvals import b64
from arrp.wire.directory import (
    Edition,
    Keeper,
    Keepers,
    Opened,
    Wanted,
    check_next,
    edition_text,
    next_edition,
    open_edition,
)
from arrp.wire.entry import VERSION, Entry, entry_text
from arrp.wire.signed_text import SignedText, Signer

VALID = timedelta(days=300)


def keeper_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(f"keeper {name}".encode()).digest())


def keeper(name: str) -> Keeper:
    public = keeper_key(name).public_key()
    return Keeper(name, key_id(public), b64(public.public_bytes_raw()))


KEEPERS = Keepers(2, (keeper("kim"), keeper("lee"), keeper("mia")))


def signed_by(text: SignedText, *names: str) -> SignedText:
    for name in names:
        text = text.signed(Signer.KEEPER, keeper_key(name), keeper(name).key_id)
    return text


def entry_of(participant: Participant, keys: NodeKeys, at: datetime) -> SignedText:
    """As its node hands it in: signed by every key of it that the entry names and that is not revoked."""
    signed = SignedText(entry_text(Entry(VERSION, at, participant)))
    for key in participant.signing:
        if key.id in keys.all_signing() and key.revoked_at is None:
            signed = signed.signed(Signer.PARTICIPANT, keys.all_signing()[key.id], key.id)
    return signed


def published(edition: Edition, *names: str) -> Opened:
    """Signed by these keepers; by two of the three, if nobody is named."""
    return open_edition(signed_by(SignedText(edition_text(edition)), *(names or ("kim", "lee"))))


def first_edition(members: Mapping[str, tuple[Participant, NodeKeys]], at: datetime) -> Opened:
    entries = tuple(entry_of(participant, keys, at) for participant, keys in members.values())
    return published(next_edition(None, None, Wanted(entries, keepers=KEEPERS), (at, at + VALID)))


def following(before: Opened, entry: SignedText, at: datetime, *, reissued: bool = False) -> Opened:
    """The next version with this entry, checked as every node checks it."""
    return changed(before, Wanted((entry,), reissued), at)


def changed(before: Opened, wanted: Wanted, at: datetime) -> Opened:
    """The next version with what is wanted."""
    after = published(next_edition(before, before, wanted, (at, at + VALID)))
    check_next(before, after, at)
    return after


def redrafted(edition: Edition, **changes: object) -> Edition:
    return replace(edition, **changes)  # type: ignore[arg-type]
