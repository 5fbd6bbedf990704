"""What an officer signs: the salted hash of an act's exact bytes (R-22), and how keys and bytes are written (R-20).

Apart from the envelope, because an officer's side needs nothing else of it.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from arrp.core.commitment import commit
from arrp.core.errors import Malformed, Refused
from arrp.core.messages import Approval
from arrp.wire import Problem

ALGORITHM = "Ed25519"  # the name of RFC 9864; "EdDSA" would leave the curve to the key
SALT_BYTES = 16
_APPROVAL_TAG = b"arrp approval v1\0"
# Points of small order (y coordinates): under such a key one signature fits most messages.
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
_HASH = re.compile("[0-9a-f]{64}")
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_PROBE = X25519PrivateKey.from_private_bytes(bytes(range(32)))  # any key finds the points that fit all


def b64(data: bytes) -> str:
    """base64url without padding, the only spelling of bytes on the wire (hashes are hex)."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode()


def unb64(text: str) -> bytes:
    """The strict inverse: no padding, no other alphabet, no stray bits. Raises Malformed."""
    try:
        data = a2b_base64(text.encode().translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if b64(data) != text:
        raise Malformed("bytes are written in base64url without padding", code=Problem.MALFORMED)
    return data


def signing_public(text: str) -> Ed25519PublicKey:
    """A node's or officer's public key as the directory writes it. Raises Malformed."""
    raw = unb64(text)
    if len(raw) != 32 or raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL_ORDER:
        raise Malformed("not an Ed25519 public key, or one under which any signature fits", code=Problem.BAD_KEY)
    return Ed25519PublicKey.from_public_bytes(raw)


def sealing_public(text: str) -> X25519PublicKey:
    """A node's sealing key as the directory writes it. Raises Malformed."""
    try:
        key = X25519PublicKey.from_public_bytes(unb64(text))
        _PROBE.exchange(key)
    except ValueError:
        raise Malformed("not an X25519 public key, or one that seals for everybody", code=Problem.BAD_KEY) from None
    return key


def act_hash(salt: bytes, act: bytes) -> str:
    """What officers approve and heads name: hex SHA-256(salt16 ‖ act)."""
    return sha256(checked_salt(salt) + act).hexdigest()


def salted(salt: bytes, text: str) -> str:
    """A commitment to an account or a payment, which tells nothing until its salt is told (R-61)."""
    return commit(checked_salt(salt).hex(), text)


def approve(key: Ed25519PrivateKey, officer: str, key_id: str, act_hash: str) -> Approval:
    """The officer's signature over one act."""
    return Approval(officer, key_id, ALGORITHM, b64(key.sign(_approved(act_hash))))


def check_approval(approval: Approval, act_hash: str, public_key: Ed25519PublicKey) -> None:
    """Raises Refused unless the holder of `public_key` approved exactly this act."""
    signed = _approved(act_hash)
    if approval.algorithm != ALGORITHM:
        raise Refused(f"officers sign with {ALGORITHM} only", code=Problem.BAD_APPROVAL)
    try:
        public_key.verify(unb64(approval.signature), signed)
    except (InvalidSignature, Malformed):
        why = f"the approval of {approval.officer[:64]} does not fit this act"
        raise Refused(why, code=Problem.BAD_APPROVAL) from None


def _approved(act_hash: str) -> bytes:
    """What an officer's key signs: never a text that a node's key could have signed."""
    if not _HASH.fullmatch(act_hash):
        raise Malformed("an act hash is 64 lower-case hex digits", code=Problem.MALFORMED)
    return _APPROVAL_TAG + bytes.fromhex(act_hash)


def checked_salt(salt: bytes) -> bytes:
    """The salt itself. Raises Malformed for one of another length."""
    if len(salt) != SALT_BYTES:
        raise Malformed(f"a salt has {SALT_BYTES} bytes, not {len(salt)}", code=Problem.MALFORMED)
    return salt
