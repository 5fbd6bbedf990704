"""Keys on disk: a node's own, which it must open alone at night, and officers', which only they can open.

HOME/keys/               0700
    signing.pem          0600  Ed25519, signs heads and receipts
    sealing.pem          0600  X25519, opens what is sealed for this node
    signing-KEYID.pem    0600  the keys of a rotation, beside the first ones; which of them is in use follows
    sealing-KEYID.pem    0600  from the directory and the time
a person's file          0600  Ed25519 under a passphrase, of an officer or of a keeper of the directory; it
                               belongs on that person's own machine
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.policy import Key, Participant
from arrp.node.files import read_file, write_new
from arrp.wire.approvals import b64
from arrp.wire.entry import id_of
from arrp.wire.entry import key_id as key_id

Private = TypeVar("Private", Ed25519PrivateKey, X25519PrivateKey)

_OTHERS = 0o077  # group and everybody
_BYTES_MAX = 1 << 16
_PROTECTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What a node signs with, and what it opens parcels with; the others are of before or after a rotation."""

    signing: Ed25519PrivateKey
    signing_id: str
    sealing: X25519PrivateKey
    other_signing: tuple[Ed25519PrivateKey, ...] = ()
    other_sealing: tuple[X25519PrivateKey, ...] = ()

    @property
    def signing_public(self) -> str:
        """As the directory writes it."""
        return b64(self.signing.public_key().public_bytes_raw())

    @property
    def sealing_public(self) -> str:
        """As the directory writes it."""
        return b64(self.sealing.public_key().public_bytes_raw())

    def all_signing(self) -> dict[str, Ed25519PrivateKey]:
        """Every signing key that is here, by its id."""
        return {_id(key): key for key in (self.signing, *self.other_signing)}

    def in_use(self, me: Participant, at: datetime) -> NodeKeys:
        """The keys to sign and be sealed for at this instant, by what the directory says of this node: the newest
        that are usable then (R-36); beside them the sealing keys in their overlap. Raises Conflict."""
        signing, sealing = self.all_signing(), {_id(key): key for key in (self.sealing, *self.other_sealing)}
        signs, opens = _newest(me.signing, signing, at), _newest(me.sealing, sealing, at)
        if signs is None or opens is None:
            raise Conflict(
                f"the directory knows other keys of {me.id} than those of this node ({', '.join(signing)}): no peer "
                "would believe it. Hand in entry.json again, or restore the keys from the backup."
            )
        late = {key.id for key in me.sealing if key.fault(at) is None and key.id != opens}
        return replace(self, signing=signing.pop(signs), signing_id=signs, sealing=sealing[opens],
                       other_signing=tuple(signing.values()),
                       other_sealing=tuple(key for kid, key in sealing.items() if kid in late))


def fresh_keys(keys: NodeKeys, since: datetime) -> tuple[Key, Key]:
    """The signing and the sealing key as an entry names them."""
    sealing_id = _id(keys.sealing)
    return Key(keys.signing_id, keys.signing_public, since), Key(sealing_id, keys.sealing_public, since)


def person_key(key: OfficerKey, since: datetime) -> Key:
    """The key of a person as an entry names it."""
    return Key(key.key_id, key.public, since)


def _id(key: Ed25519PrivateKey | X25519PrivateKey) -> str:
    return id_of(key.public_key().public_bytes_raw())


def _newest(named: Sequence[Key], held: dict[str, Private], at: datetime) -> str | None:
    usable = [key for key in named if key.is_usable(at) and key.id in held]
    return max(usable, key=lambda key: (key.since, key.id)).id if usable else None


@dataclass(frozen=True, slots=True)
class OfficerKey:
    """What a person signs with: an officer approvals, a keeper a directory."""

    signing: Ed25519PrivateKey
    key_id: str

    @property
    def public(self) -> str:
        """As the directory writes it."""
        return b64(self.signing.public_key().public_bytes_raw())


def new_node_keys() -> NodeKeys:
    """Keys that are nowhere yet."""
    signing = Ed25519PrivateKey.generate()
    return NodeKeys(signing, _id(signing), X25519PrivateKey.generate())


def keep_node_keys(home: Path, keys: NodeKeys) -> None:
    """Write them below `home`. Raises Conflict where there are keys already."""
    folder = home / "keys"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise Conflict(
            f"{folder} is there already: a node that loses its key loses its name. Move it away if you mean it."
        ) from None
    except FileNotFoundError:
        raise NotFound(f"there is no {home}") from None
    write_new(folder / "signing.pem", _pem(keys.signing, NoEncryption()), mode=0o600)
    write_new(folder / "sealing.pem", _pem(keys.sealing, NoEncryption()), mode=0o600)


def keep_other_keys(home: Path, keys: NodeKeys) -> None:
    """Write the keys of a rotation beside those that are there. Raises NotFound, Conflict."""
    folder = home / "keys"
    write_new(folder / f"signing-{keys.signing_id}.pem", _pem(keys.signing, NoEncryption()), mode=0o600)
    write_new(folder / f"sealing-{_id(keys.sealing)}.pem", _pem(keys.sealing, NoEncryption()), mode=0o600)


def make_node_keys(home: Path) -> NodeKeys:
    """New keys for the node at `home`. Raises Conflict where there are keys already."""
    keys = new_node_keys()
    keep_node_keys(home, keys)
    return keys


def load_node_keys(home: Path) -> NodeKeys:
    """The keys of the node at `home`. Raises NotFound, and Refused while others can read them."""
    folder = home / "keys"
    if not folder.is_dir():
        raise NotFound(f"there are no keys in {home}: make them with arrp node init, or restore them from the backup")
    _check_closed(folder, "0700")
    signing = [key for key in _keys_of(folder, "signing") if isinstance(key, Ed25519PrivateKey)]
    sealing = [key for key in _keys_of(folder, "sealing") if isinstance(key, X25519PrivateKey)]
    return NodeKeys(signing[0], _id(signing[0]), sealing[0], tuple(signing[1:]), tuple(sealing[1:]))


def new_officer_key() -> OfficerKey:
    """A key that is nowhere yet."""
    key = Ed25519PrivateKey.generate()
    return OfficerKey(key, _id(key))


def keep_officer_key(path: Path, key: OfficerKey, passphrase: str) -> None:
    """Write it so that it opens with `passphrase`. Raises Refused for an empty one, Conflict for a file that
    is there already."""
    try:
        pem = _pem(key.signing, BestAvailableEncryption(_secret(passphrase)))
    except ValueError:
        raise Refused("the passphrase is too long: 1000 bytes are enough") from None
    write_new(path, pem, mode=0o600)


def make_officer_key(path: Path, passphrase: str) -> OfficerKey:
    """A new key at `path` that opens with `passphrase`. Raises Refused, Conflict."""
    key = new_officer_key()
    keep_officer_key(path, key, passphrase)
    return key


def load_officer_key(path: Path, passphrase: str) -> OfficerKey:
    """The officer's key. Raises Refused for a wrong passphrase or a file without one."""
    secret, pem = _secret(passphrase), read_file(path, _BYTES_MAX)
    if _PROTECTED not in pem:
        raise Refused(f"{path} is not a key under a passphrase: people's keys are made with arrp officer key, or arrp "
                      "directory keeper")
    try:
        key = load_pem_private_key(pem, secret)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(f"{path} does not open with this passphrase (or the file is damaged): try again") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Malformed(f"{path} holds another kind of key: officers sign with Ed25519")
    return OfficerKey(key, _id(key))


def _secret(passphrase: str) -> bytes:
    """The same letters typed on another keyboard are the same bytes."""
    if not passphrase.strip():
        raise Refused("a key of a person needs a passphrase: whoever has the file could sign otherwise")
    return unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogateescape")


def _pem(key: Ed25519PrivateKey | X25519PrivateKey, protection: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def _node_key(path: Path) -> object:
    pem = read_file(path, _BYTES_MAX)
    _check_closed(path, "0600")
    try:
        return load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Malformed(f"{path} is not a private key without passphrase: restore it from the backup") from None


def _keys_of(folder: Path, name: str) -> list[object]:
    """The first key, then those of rotations."""
    kind = Ed25519PrivateKey if name == "signing" else X25519PrivateKey
    found: list[object] = []
    for path in [folder / f"{name}.pem", *sorted(folder.glob(f"{name}-*.pem"))]:
        key = _node_key(path)
        if not isinstance(key, kind):
            raise Malformed(f"{path} holds a key of another kind than Ed25519 to sign and X25519 to seal: were two "
                            "files exchanged?")
        found.append(key)
    return found


def _check_closed(path: Path, mode: str) -> None:
    """Whoever reads a node's key speaks for it."""
    found = path.stat().st_mode & 0o777
    if found & _OTHERS:
        raise Refused(f"{path} can be reached by others (mode {found:04o}): chmod {mode} {path}")
