"""A text of exact bytes and the signatures over it, as one file: the directory, and what is handed in to it (R-34).

    line 1   the text: JSON without spaces, so without a line break in it
    line 2…  one signature each: {"by":…,"key":…,"algorithm":…,"signature":…}

What is signed is the tag of the kind of signature and the SHA-256 of the text, so that a signature of one
kind never fits another, and the digest is what people read to each other over the telephone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from arrp.core.errors import Malformed, Refused
from arrp.wire import Problem
from arrp.wire.approvals import b64, unb64
from arrp.wire.codec import dumps, loads

TEXT_MAX = 16 << 20  # some ten thousand participants
SIGNATURES_MAX = 64
_ALGORITHM = "Ed25519"


class Signer(StrEnum):
    """As what somebody signs a text."""

    KEEPER = "keeper"  # of the directory: this version shall count
    PARTICIPANT = "participant"  # this is our entry
    NODE = "node"  # this version was checked against the one before it, and counts in this home


_TAGS = {
    Signer.KEEPER: b"arrp directory v1\0",
    Signer.PARTICIPANT: b"arrp entry v1\0",
    Signer.NODE: b"arrp trust v1\0",
}


@dataclass(frozen=True, slots=True)
class TextSignature:
    """`key` is a key id; whose key that is, and whether it counts, is looked up by who verifies."""

    by: Signer
    key: str
    algorithm: str
    signature: str


@dataclass(frozen=True, slots=True)
class SignedText:
    """The exact bytes and who signed them."""

    text: bytes
    signatures: tuple[TextSignature, ...] = ()

    @property
    def digest(self) -> str:
        """64 hex digits: SHA-256 of the text."""
        return sha256(self.text).hexdigest()

    def signed(self, by: Signer, key: Ed25519PrivateKey, kid: str) -> SignedText:
        """With the signature of that key, in the place of an earlier one of it."""
        fresh = TextSignature(by, kid, _ALGORITHM, b64(key.sign(_tagged(by, self.text))))
        others = tuple(old for old in self.signatures if (old.by, old.key) != (by, kid))
        return replace(self, signatures=(*others, fresh))

    def signers(self, by: Signer, keys: Mapping[str, Ed25519PublicKey]) -> frozenset[str]:
        """The key ids among `keys` that signed as `by`, each once. Raises Refused for a signature that does not
        fit, and for one by a key that is not among them."""
        found = [signature for signature in self.signatures if signature.by is by]
        for signature in found:
            if signature.key not in keys:
                raise Refused(f"signed with key {signature.key[:64]}, which is not that of a {by} named here",
                              rule="R-34", code=Problem.UNKNOWN_KEY)
            _check(signature, self.text, keys[signature.key])
        return frozenset(signature.key for signature in found)

    def file(self) -> bytes:
        """As it is kept and handed on."""
        return b"".join(line + b"\n" for line in (self.text, *map(dumps, self.signatures)))


def read_signed(data: bytes) -> SignedText:
    """What `file` wrote. Raises Malformed; what the text says, and whether signatures fit, is not looked at."""
    text, *lines = data.removesuffix(b"\n").split(b"\n")
    if len(text) > TEXT_MAX or len(lines) > SIGNATURES_MAX:
        raise Malformed(f"more than {TEXT_MAX} bytes, or than {SIGNATURES_MAX} signatures", code=Problem.MALFORMED)
    return SignedText(text, tuple(loads(TextSignature, line) for line in lines))


def _check(signature: TextSignature, text: bytes, key: Ed25519PublicKey) -> None:
    if signature.algorithm != _ALGORITHM:
        raise Refused(f"texts are signed with {_ALGORITHM} only", code=Problem.BAD_ALGORITHM)
    try:
        key.verify(unb64(signature.signature), _tagged(signature.by, text))
    except (InvalidSignature, Malformed):
        raise Refused(
            f"the signature of key {signature.key[:64]} does not fit: the text was changed after it was signed",
            rule="R-34", code=Problem.BAD_SIGNATURE,
        ) from None


def _tagged(by: Signer, text: bytes) -> bytes:
    return _TAGS[by] + sha256(text).digest()
