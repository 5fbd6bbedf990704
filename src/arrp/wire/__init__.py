"""Bytes <-> meaning, and nothing else: no IO, no clock, no dice but the keys of a seal.

    codec       strict JSON <-> frozen dataclasses; the lasting and the private half of an event
    envelope    act hashes, approvals, signed heads and receipts, sealed parcels
    audit       the Merkle tree over the log (RFC 9162)

`Problem` is the list of codes with which a node refuses bytes. It is part of the protocol: the
vectors name these codes, and another implementation is expected to answer with the same ones.
"""

from enum import StrEnum


class Problem(StrEnum):
    """Why bytes were refused, as the `code` of the error and of the problem document (RFC 9457)."""

    MALFORMED = "malformed"  # not strict JSON, or not of the shape it should have
    UNKNOWN_KIND = "unknown-kind"  # an act of a kind that is not in the table of kinds
    BAD_JWS = "bad-jws"  # not a flattened JWS with exactly alg, kid, typ in its protected header
    BAD_ALGORITHM = "bad-algorithm"  # alg is anything but Ed25519
    WRONG_TYPE = "wrong-type"  # a true signature over another type of object
    UNKNOWN_KEY = "unknown-key"  # the directory has no such key of such a participant
    BAD_KEY = "bad-key"  # a public key that is no point, or one that fits every signature
    BAD_SIGNATURE = "bad-signature"
    UNSUPPORTED_VERSION = "unsupported-version"  # of a parcel
    WRONG_ADDRESSEE = "wrong-addressee"
    UNSEALABLE = "unsealable"  # sealed to another key, or changed on its way, its routing included
    HASH_MISMATCH = "hash-mismatch"  # salt and act are not those that the head or attachment names
    HEAD_MISMATCH = "head-mismatch"  # act and head name different requests, addressees or senders
    UNAPPROVED = "unapproved"  # an attached act with neither head nor approval
    BAD_APPROVAL = "bad-approval"  # an officer's signature that does not fit this act
    UNKNOWN_OFFICER = "unknown-officer"
    REPEATED_APPROVAL = "repeated-approval"  # one officer, or one key, counted twice
    BAD_PROOF = "bad-proof"  # a Merkle proof that does not lead to the root
