"""Keys on disk: a node's own, which it must open alone at night, and officers', which only they can open.

HOME/keys/          0700
    signing.pem     0600  Ed25519, signs heads and receipts
    sealing.pem     0600  X25519, opens what is sealed for this node
an officer's file   0600  Ed25519 under a passphrase; it belongs on the officer's own machine
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
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
from arrp.node.files import read_file, write_new
from arrp.wire.envelope import b64

_OTHERS = 0o077  # group and everybody
_BYTES_MAX = 1 << 16
_PROTECTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


def key_id(public: Ed25519PublicKey) -> str:
    """The name of a signing key: it follows from the key, so a mistyped key does not fit its name."""
    return sha256(public.public_bytes_raw()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What a node signs with, and what it opens parcels with."""

    signing: Ed25519PrivateKey
    signing_id: str
    sealing: X25519PrivateKey

    @property
    def signing_public(self) -> str:
        """As the directory writes it."""
        return b64(self.signing.public_key().public_bytes_raw())

    @property
    def sealing_public(self) -> str:
        """As the directory writes it."""
        return b64(self.sealing.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class OfficerKey:
    """What an officer signs approvals with."""

    signing: Ed25519PrivateKey
    key_id: str

    @property
    def public(self) -> str:
        """As the directory writes it."""
        return b64(self.signing.public_key().public_bytes_raw())


def new_node_keys() -> NodeKeys:
    """Keys that are nowhere yet."""
    signing = Ed25519PrivateKey.generate()
    return NodeKeys(signing, key_id(signing.public_key()), X25519PrivateKey.generate())


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
    signing, sealing = _node_key(folder / "signing.pem"), _node_key(folder / "sealing.pem")
    if not isinstance(signing, Ed25519PrivateKey) or not isinstance(sealing, X25519PrivateKey):
        raise Malformed(f"{folder} holds keys of another kind than Ed25519 and X25519: were two files exchanged?")
    return NodeKeys(signing, key_id(signing.public_key()), sealing)


def new_officer_key() -> OfficerKey:
    """A key that is nowhere yet."""
    key = Ed25519PrivateKey.generate()
    return OfficerKey(key, key_id(key.public_key()))


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
        raise Refused(f"{path} is not a key under a passphrase: officers' keys are made with arrp officer key")
    try:
        key = load_pem_private_key(pem, secret)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(f"{path} does not open with this passphrase (or the file is damaged): try again") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Malformed(f"{path} holds another kind of key: officers sign with Ed25519")
    return OfficerKey(key, key_id(key.public_key()))


def _secret(passphrase: str) -> bytes:
    """The same letters typed on another keyboard are the same bytes."""
    if not passphrase.strip():
        raise Refused("an officer's key needs a passphrase: whoever has the file could sign otherwise")
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


def _check_closed(path: Path, mode: str) -> None:
    """Whoever reads a node's key speaks for it."""
    found = path.stat().st_mode & 0o777
    if found & _OTHERS:
        raise Refused(f"{path} can be reached by others (mode {found:04o}): chmod {mode} {path}")
