"""What nodes send: acts approved by officers, heads signed by nodes, parcels sealed for one reader (R-20).

    Parcel  { v, to, urgency, drop_after, sealed }         clear routing, bound to the seal
      └ HPKE ─ Content { head, salt, act, attached }       or Note { jws }: a receipt, a state exchange
                 │       └ exact bytes of the act ──┐
                 └ flattened JWS of the node        │ act_hash = SHA-256(salt ‖ act)
                     └ Head { … act_hash ───────────┘ approvals: officers' signatures over act_hash }

Every kind of signature has its own domain: `typ` in a JWS, a tag before an approval, another before
a commitment. Identity is the signature only: a key is looked up by who the signed text says it is
from and by the key id, in the directory, never in the message (reliability T10).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from joserfc import jws as jose
from joserfc.jwk import OKPKey

from arrp.core.errors import ArrpError, Malformed, Refused
from arrp.core.messages import Act, Approval, Checkpoint, DocumentAsk, Head, Receipt, StateExchange, Urgency
from arrp.wire import Problem
from arrp.wire.approvals import ALGORITHM, act_hash, b64, check_approval, unb64
from arrp.wire.codec import Bodies, dumps, loads, parse_json, read, read_act
from arrp.wire.json_text import json_text

T = TypeVar("T", Head, Receipt, Checkpoint, StateExchange, DocumentAsk)
KeyOf = Callable[[str, str], Ed25519PublicKey | None]  # (sender, key id)
OfficerKeyOf = Callable[[str, str, str], Ed25519PublicKey | None]  # (participant, officer, key id)

VERSION = 1
APPROVALS_MAX = 8  # each costs a signature check before anything of the act is believed
ATTACHED_MAX = 16
HEADER_MAX, SIGNATURE_MAX = 512, 1024  # characters of the parts of a JWS

_PARCEL_TAG = b"arrp parcel v1\0"
_TYPES: dict[type, str] = {
    Head: "arrp-head+jws",
    Receipt: "arrp-receipt+jws",
    Checkpoint: "arrp-checkpoint+jws",
    StateExchange: "arrp-state+jws",
    DocumentAsk: "arrp-document+jws",
}
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_ALGORITHM = jose.JWSRegistry(algorithms=[ALGORITHM]).get_alg(ALGORITHM)


# --- what travels ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attached:
    """An act that the main act names by hash: another's with its head, or one of `by` with the
    approvals of its officers (mandate, loss). `by` proves itself: their keys are looked up there."""

    by: str
    act: str
    salt: str
    approvals: tuple[Approval, ...]
    head: str | None


@dataclass(frozen=True, slots=True)
class Content:
    """The sealed part of a parcel that carries an act. `act` is base64url of its exact bytes."""

    head: str
    salt: str
    act: str
    attached: tuple[Attached, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """The sealed part of a parcel that carries one other signed object: a receipt, a state exchange."""

    jws: str


@dataclass(frozen=True, slots=True)
class Routing:
    """What a relay may know. `drop_after` is when it need not carry the parcel any longer."""

    to: str
    urgency: Urgency
    drop_after: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """Routing in clear, and the seal that breaks when the routing is changed."""

    v: int
    to: str
    urgency: Urgency
    drop_after: datetime
    sealed: str


@dataclass(frozen=True, slots=True)
class Enclosed:
    """An attached act, checked: `by` said it, or its officers approved it. `head` is None then."""

    by: str
    act: Act
    act_bytes: bytes
    salt: bytes
    act_hash: str
    head: Head | None
    approvals: tuple[Approval, ...]
    kid: str | None = None  # the key its head is signed with


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An act for this node, checked as far as bytes and keys go. Whether it may be applied is for
    the rules: nothing here has looked at a clock, a conversation, or what the act needs."""

    head: Head
    head_jws: str
    kid: str
    act: Act
    act_bytes: bytes
    salt: bytes
    attached: tuple[Enclosed, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """Everything a node needs to open what is sent to it; `earlier` are sealing keys of before a rotation."""

    me: str
    sealing_key: X25519PrivateKey
    key_of: KeyOf
    officer_key_of: OfficerKeyOf
    bodies: Bodies
    earlier: tuple[X25519PrivateKey, ...] = ()


class Unacceptable(Refused):
    """Truly said by its sender, and wrong: to be answered by a signed refusal that fills the number
    (R-24). Every other error of `unpack` may be somebody else's doing, so it takes no number."""

    def __init__(self, cause: ArrpError, signed: tuple[Head, str], act_bytes: bytes, salt: bytes) -> None:
        super().__init__(str(cause), code=cause.code)
        self.head, self.kid = signed
        self.act_bytes, self.salt = act_bytes, salt


# --- signed objects -------------------------------------------------------------------------------


def sign(value: Head | Receipt | Checkpoint | StateExchange | DocumentAsk, key: Ed25519PrivateKey, kid: str) -> str:
    """The value as a flattened JWS in JSON. Nothing here is anybody else's: only what comes in has its form checked."""
    protected, payload = _protected(_TYPES[type(value)], kid), b64(dumps(value))
    signature = _ALGORITHM.sign(f"{protected}.{payload}".encode(), _private_jwk(key.private_bytes_raw()))
    return dumps(_Jws(payload, protected, b64(signature))).decode()


@lru_cache(maxsize=64)
def _protected(typ: str, kid: str) -> str:
    return b64(json_text({"alg": ALGORITHM, "kid": kid, "typ": typ}))


# Keys as joserfc wants them: making one costs more than a signature, and a node sees the same few again.
@lru_cache(maxsize=64)
def _private_jwk(raw: bytes) -> OKPKey:
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(raw))


@lru_cache(maxsize=4096)
def _public_jwk(raw: bytes) -> OKPKey:
    return OKPKey.import_key(Ed25519PublicKey.from_public_bytes(raw))


def verify(cls: type[T], jws: str | bytes, key_of: KeyOf) -> T:
    """The value signed by the key that `key_of` finds. Raises Refused or Malformed."""
    value: T = _verified(jws, key_of, {_TYPES[cls]: cls})[0]
    return value


@dataclass(frozen=True, slots=True)
class _Jws:
    """A flattened JWS, without the member `header`: nothing outside the signature is believed."""

    payload: str
    protected: str
    signature: str


def _verified(jws: str | bytes, key_of: KeyOf, expected: dict[str, type]) -> tuple[Any, str]:
    """(value, key id). The payload is parsed once; before its signature is checked nothing is read
    from it but who it says it is from, and what was checked are the very bytes that were parsed."""
    parts = _parts(jws)
    kid, typ = _header(parts)
    if typ not in expected:
        _refuse(f"signed as {typ[:64]}, wanted {' or '.join(expected)}", Problem.WRONG_TYPE)
    tree = parse_json(_canonical(parts.payload))
    sender = _sender(tree, expected[typ])
    key = key_of(sender, kid)
    if key is None:
        _refuse(f"{sender[:64]} has no signing key {kid[:64]} in the directory", Problem.UNKNOWN_KEY)
    _check_signature(parts, key)
    return read(expected[typ], tree), kid


def _parts(jws: str | bytes) -> _Jws:
    data = jws.encode("utf-8", "surrogatepass") if isinstance(jws, str) else jws  # half a pair is refused as JSON
    tree = parse_json(data)
    if not isinstance(tree, dict) or tree.keys() != {"payload", "protected", "signature"}:
        _malformed("a flattened JWS has exactly payload, protected and signature", Problem.BAD_JWS)
    return read(_Jws, tree)


def _header(parts: _Jws) -> tuple[str, str]:
    """(kid, typ) of a protected header that holds nothing else but the one algorithm."""
    header = parse_json(_canonical(parts.protected))
    if not isinstance(header, dict):
        _malformed("the protected header is not an object", Problem.BAD_JWS)
    if header.get("alg", ALGORITHM) != ALGORITHM:
        _refuse(f"the only algorithm is {ALGORITHM}", Problem.BAD_ALGORITHM)
    if header.keys() != {"alg", "kid", "typ"} or not all(isinstance(item, str) for item in header.values()):
        _malformed("a protected header has exactly the texts alg, kid and typ", Problem.BAD_JWS)
    return header["kid"], header["typ"]


def _canonical(text: str) -> bytes:
    try:
        return unb64(text)
    except Malformed as error:
        raise Malformed(str(error), code=Problem.BAD_JWS) from None


def _sender(tree: object, cls: type) -> str:
    sender = tree.get("origin" if cls is Checkpoint else "from") if isinstance(tree, dict) else None
    if not isinstance(sender, str):
        _malformed("the signed text does not say whom it is from", Problem.MALFORMED)
    return sender


def _check_signature(parts: _Jws, key: Ed25519PublicKey) -> None:
    """Over the very texts that were parsed: that their header names the one algorithm was checked there."""
    signature, signed = _canonical(parts.signature), f"{parts.protected}.{parts.payload}".encode()
    if len(parts.protected) > HEADER_MAX or len(parts.signature) > SIGNATURE_MAX:
        _malformed("a header or signature is longer than any of ours", Problem.BAD_JWS)
    if not _ALGORITHM.verify(signed, signature, _public_jwk(key.public_bytes_raw())):
        _refuse("the signature does not fit: changed on its way, or signed with another key", Problem.BAD_SIGNATURE)


def _refuse(why: str, code: Problem) -> NoReturn:
    raise Refused(why, code=code)


def _malformed(why: str, code: Problem) -> NoReturn:
    raise Malformed(why, code=code)


# --- parcels --------------------------------------------------------------------------------------


def content(head: str, salt: bytes, act: bytes, attached: tuple[Attached, ...] = ()) -> Content:
    """The sealed part for a signed head and the act it names."""
    return Content(head, b64(salt), b64(act), attached)


def seal(content: Content | Note, routing: Routing, recipient: X25519PublicKey) -> bytes:
    """The parcel of `content`, which only `recipient` opens and only with this routing."""
    sealed = seal_bytes(dumps(content), recipient, _bound(routing))
    return dumps(Parcel(VERSION, routing.to, routing.urgency, routing.drop_after, b64(sealed)))


def open_parcel(data: bytes, private_key: X25519PrivateKey, me: str, earlier: tuple[X25519PrivateKey, ...] = ()
                ) -> Content | Note:
    """The sealed part of a parcel for `me`. It says nothing yet about who sent it."""
    parcel = loads(Parcel, data)
    if parcel.v != VERSION:
        _refuse(f"parcels of version {parcel.v} are not known here, only {VERSION}", Problem.UNSUPPORTED_VERSION)
    if parcel.to != me:
        _refuse(f"this parcel is for {parcel.to[:64]}, this node is {me}", Problem.WRONG_ADDRESSEE)
    bound = _bound(Routing(parcel.to, parcel.urgency, parcel.drop_after))
    tree = parse_json(unseal_bytes(unb64(parcel.sealed), (private_key, *earlier), bound))
    is_note = isinstance(tree, dict) and tree.keys() == {"jws"}
    return read(Note, tree) if is_note else read(Content, tree)


def seal_bytes(data: bytes, recipient: X25519PublicKey, bound: bytes) -> bytes:
    """`data` as only `recipient` opens it, and only with the same `bound` (the HPKE `info`)."""
    return _SUITE.encrypt(data, recipient, bound)


def unseal_bytes(sealed: bytes, keys: tuple[X25519PrivateKey, ...], bound: bytes) -> bytes:
    """What was sealed for one of our keys, the newest first. Raises Refused."""
    for key in keys:
        with suppress(InvalidTag):
            return _SUITE.decrypt(sealed, key, bound)
    _refuse("sealed to another key, or changed on its way: fetch the directory, seal again", Problem.UNSEALABLE)


def _bound(routing: Routing) -> bytes:
    """The HPKE `info`: the routing as everybody on the way can read it."""
    return _PARCEL_TAG + dumps(routing)


def unpack(data: bytes, reader: Reader) -> Unpacked | Receipt | StateExchange:
    """Open a parcel and check all that can be checked without a clock or a case.

    Raises Unacceptable for what is truly from its sender and wrong; Refused and Malformed for what
    may be anybody's doing."""
    sealed = open_parcel(data, reader.sealing_key, reader.me, reader.earlier)
    if isinstance(sealed, Note):
        return _noted(sealed, reader)
    head, kid = _signed_head(sealed.head, reader)
    _check_addressee(head.to, reader.me)
    salt, act_bytes = _named_act(sealed, head.act_hash)
    attached = _enclosures(sealed.attached, reader)
    try:
        act = _act_under(head, act_bytes, reader)
    except ArrpError as error:
        raise Unacceptable(error, (head, kid), act_bytes, salt) from error
    return Unpacked(head, sealed.head, kid, act, act_bytes, salt, attached)


def _noted(note: Note, reader: Reader) -> Receipt | StateExchange:
    expected: dict[str, type] = {_TYPES[cls]: cls for cls in (Receipt, StateExchange)}
    value: Receipt | StateExchange = _verified(note.jws, reader.key_of, expected)[0]
    _check_addressee(value.to, reader.me)
    return value


def _signed_head(jws: str, reader: Reader) -> tuple[Head, str]:
    head, kid = _verified(jws, reader.key_of, {_TYPES[Head]: Head})
    return head, kid


def _check_addressee(to: str, me: str) -> None:
    if to != me:
        _refuse(f"this was signed for {to[:64]}, this node is {me}", Problem.WRONG_ADDRESSEE)


def _named_act(carried: Content | Attached, named: str | None) -> tuple[bytes, bytes]:
    """(salt, act bytes), if they are what the signed head names."""
    salt, act = unb64(carried.salt), unb64(carried.act)
    if named is not None and act_hash(salt, act) != named:
        _refuse("salt and act are not those that the signed head names", Problem.HASH_MISMATCH)
    return salt, act


def _act_under(head: Head, data: bytes, reader: Reader) -> Act:
    """The act of a head: readable, of the same conversation, and approved by whom the head says."""
    act = read_act(data, reader.bodies)
    if (act.request, act.to) != (head.request, head.to):
        _refuse("act and head name different requests or addressees", Problem.HEAD_MISMATCH)
    _check_approvals(head.approvals, head.act_hash, head.sender, reader)
    return act


def _check_approvals(approvals: tuple[Approval, ...], named: str, participant: str, reader: Reader) -> None:
    if len(approvals) > APPROVALS_MAX:
        _malformed(f"{len(approvals)} approvals are more than the {APPROVALS_MAX} allowed", Problem.MALFORMED)
    keys = set()
    for approval in approvals:
        key = reader.officer_key_of(participant, approval.officer, approval.key)
        if key is None:
            _refuse(f"{participant} has no officer {approval.officer[:64]} with that key", Problem.UNKNOWN_OFFICER)
        check_approval(approval, named, key)
        keys.add(key.public_bytes_raw())
    if len(keys) < len(approvals) or len({approval.officer for approval in approvals}) < len(approvals):
        _refuse("one officer or one key stands for two approvals", Problem.REPEATED_APPROVAL)


def _enclosures(attached: tuple[Attached, ...], reader: Reader) -> tuple[Enclosed, ...]:
    if len(attached) > ATTACHED_MAX:
        _malformed(f"{len(attached)} attached acts are more than the {ATTACHED_MAX} allowed", Problem.MALFORMED)
    return tuple(_enclosed(item, reader) for item in attached)


def _enclosed(item: Attached, reader: Reader) -> Enclosed:
    if item.head is not None:
        return _under_head(item, item.head, reader)
    if not item.approvals:
        _refuse("an attached act comes with its head or with approvals, this one with neither", Problem.UNAPPROVED)
    salt, data = _named_act(item, None)
    named = act_hash(salt, data)
    _check_approvals(item.approvals, named, item.by, reader)
    act = read_act(data, reader.bodies)
    return Enclosed(item.by, act, data, salt, named, None, item.approvals)


def _under_head(item: Attached, jws: str, reader: Reader) -> Enclosed:
    head, kid = _signed_head(jws, reader)
    if head.sender != item.by or item.approvals:
        _refuse("an attached head is from another participant, or has approvals beside it", Problem.HEAD_MISMATCH)
    salt, data = _named_act(item, head.act_hash)
    act = _act_under(head, data, reader)
    return Enclosed(item.by, act, data, salt, head.act_hash, head, head.approvals, kid)
