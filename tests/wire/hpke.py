"""HPKE base mode (RFC 9180) written apart: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.

The node seals with the library and fresh keys. Here the ephemeral key is an argument, so that a
parcel can be made twice, and so that two implementations check each other.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_KEM = b"KEM" + b"\x00\x20"
_SUITE = b"HPKE" + b"\x00\x20" + b"\x00\x01" + b"\x00\x03"


def seal(plain: bytes, recipient: X25519PublicKey, info: bytes, ephemeral: X25519PrivateKey, aad: bytes = b"") -> bytes:
    """The ephemeral public key, followed by the sealed bytes."""
    enc = ephemeral.public_key().public_bytes_raw()
    shared = _expand(
        _extract(b"", b"eae_prk", ephemeral.exchange(recipient), _KEM),
        b"shared_secret",
        enc + recipient.public_bytes_raw(),
        32,
        _KEM,
    )
    context = b"\0" + _extract(b"", b"psk_id_hash", b"", _SUITE) + _extract(b"", b"info_hash", info, _SUITE)
    secret = _extract(shared, b"secret", b"", _SUITE)
    key = _expand(secret, b"key", context, 32, _SUITE)
    nonce = _expand(secret, b"base_nonce", context, 12, _SUITE)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plain, aad)


def _extract(salt: bytes, label: bytes, keying: bytes, suite: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + keying, "sha256")


def _expand(secret: bytes, label: bytes, info: bytes, length: int, suite: bytes) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(secret, labeled + b"\1", "sha256")[:length]
