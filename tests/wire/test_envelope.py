"""Acts, approvals, signed objects and parcels, as honest nodes make and read them (R-20)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as jose
from joserfc.jwk import OKPKey

from arrp.core.errors import Malformed, Refused
from arrp.core.messages import Checkpoint, ConversationState, Head, Receipt, StateExchange
from arrp.wire import approvals, envelope
from arrp.wire.codec import dumps
from arrp.wire.envelope import Content, Note, Unpacked, open_parcel, seal, sign, unpack, verify
from tests.wire import hpke
from tests.wire.samples import (
    ACT,
    ACT_BYTES,
    ACT_HASH,
    ANA,
    ATTACHED,
    ATTACHED_FACT,
    BANK_SEAL,
    BEN,
    CHECKPOINT,
    EPHEMERAL,
    FACT,
    FACT_BYTES,
    FACT_HEAD,
    FIU,
    HEAD,
    MANDATE,
    MANDATE_APPROVALS,
    MANDATE_BYTES,
    MANDATE_HASH,
    NCB,
    NODES,
    PARCEL,
    READER,
    RECEIPT,
    ROUTING,
    SALT,
    STATE,
    plain64,
)

SIGNED: list[tuple[Any, str]] = [
    (HEAD, "arrp-head+jws"),
    (RECEIPT, "arrp-receipt+jws"),
    (CHECKPOINT, "arrp-checkpoint+jws"),
    (STATE, "arrp-state+jws"),
]
KEYS = {"ncb-fr": NCB, "fiu-pt": FIU}


def signer(value: Any) -> str:
    name: str = value.origin if isinstance(value, Checkpoint) else value.sender
    return name


def key_of(sender: str, kid: str) -> Ed25519PublicKey | None:
    return NODES.get((sender, kid))


# --- hashes and approvals ------------------------------------------------------------------------


def test_an_act_hash_is_sha_256_of_salt_and_act() -> None:
    assert hashlib.sha256(SALT + ACT_BYTES).hexdigest() == ACT_HASH


def test_r61_a_commitment_never_equals_an_act_hash() -> None:
    account = "payto://iban/PT50000201231234567890154"
    assert approvals.salted(SALT, account) == approvals.salted(SALT, account)
    assert approvals.salted(SALT, account) != approvals.salted(bytes(16), account)
    assert approvals.salted(SALT, account) != approvals.act_hash(SALT, account.encode())


@pytest.mark.parametrize("salt", [b"", bytes(15), bytes(17)])
def test_a_salt_has_sixteen_bytes(salt: bytes) -> None:
    """Otherwise a byte could move from the salt to the act and leave the hash as it was."""
    with pytest.raises(Malformed, match="16 bytes"):
        approvals.act_hash(salt, b"act")
    with pytest.raises(Malformed, match="16 bytes"):
        approvals.salted(salt, "account")


def test_an_approval_fits_one_act_and_one_key() -> None:
    approval = approvals.approve(ANA, "ana", "a1", ACT_HASH)
    approvals.check_approval(approval, ACT_HASH, ANA.public_key())
    for named, key in ((MANDATE_HASH, ANA), (ACT_HASH, BEN)):
        with pytest.raises(Refused, match="does not fit this act"):
            approvals.check_approval(approval, named, key.public_key())


# --- signed objects ------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "typ"), SIGNED, ids=[typ for _, typ in SIGNED])
def test_what_is_signed_is_read_again(value: Any, typ: str) -> None:
    signed = sign(value, KEYS[signer(value)], "k1")
    assert verify(type(value), signed, key_of) == value
    assert verify(type(value), signed.encode(), key_of) == value
    assert json.loads(plain(json.loads(signed)["protected"])) == {"alg": "Ed25519", "kid": "k1", "typ": typ}


@pytest.mark.parametrize(("value", "typ"), SIGNED, ids=[typ for _, typ in SIGNED])
def test_any_jose_library_can_check_it(value: Any, typ: str) -> None:
    signed = json.loads(sign(value, KEYS[signer(value)], "k1"))
    key = OKPKey.import_key(KEYS[signer(value)].public_key())
    read = jose.deserialize_json(signed, key, algorithms=["Ed25519"])
    assert read.payload == dumps(value)
    assert read.headers() == {"alg": "Ed25519", "kid": "k1", "typ": typ}


@pytest.mark.parametrize(
    ("value", "cls"), [(value, type(other)) for value, _ in SIGNED for other, _ in SIGNED if other is not value]
)
def test_no_object_passes_for_another(value: Any, cls: Any) -> None:
    with pytest.raises(Refused) as refusal:
        verify(cls, sign(value, KEYS[signer(value)], "k1"), key_of)
    assert refusal.value.code == "wrong-type"


def test_the_key_is_looked_up_by_who_signed_and_which_key() -> None:
    asked: list[tuple[str, str]] = []

    def watched(sender: str, kid: str) -> Ed25519PublicKey | None:
        asked.append((sender, kid))
        return key_of(sender, kid)

    verify(Receipt, sign(RECEIPT, FIU, "k2"), watched)
    verify(Checkpoint, sign(CHECKPOINT, NCB, "k1"), watched)
    assert asked == [("fiu-pt", "k2"), ("ncb-fr", "k1")]


def test_the_key_is_never_looked_up_for_another_algorithm() -> None:
    """The header is refused before anything else is believed or done."""

    def never(_sender: str, _kid: str) -> Ed25519PublicKey | None:
        raise AssertionError("asked")

    tree = json.loads(sign(RECEIPT, FIU, "k1"))
    tree["protected"] = plain64(b'{"alg":"none","kid":"k1","typ":"arrp-receipt+jws"}')
    with pytest.raises(Refused, match="only algorithm"):
        verify(Receipt, json.dumps(tree), never)


def test_r29_a_head_signed_again_by_a_new_key_says_the_same() -> None:
    first, again = sign(RECEIPT, FIU, "k1"), sign(RECEIPT, FIU, "k2")
    assert first != again
    assert json.loads(first)["payload"] == json.loads(again)["payload"]
    assert verify(Receipt, first, key_of) == verify(Receipt, again, key_of)


def test_a_state_exchange_of_three_thousand_conversations_is_read() -> None:
    many = replace(STATE, conversations=tuple(ConversationState(f"{n:032x}", n, n) for n in range(3000)))
    assert verify(StateExchange, sign(many, FIU, "k1"), key_of) == many


def plain(text: str) -> bytes:
    return approvals.unb64(text)


# --- keys and bytes as text ----------------------------------------------------------------------


@given(st.binary(max_size=70))
def test_bytes_have_one_spelling(data: bytes) -> None:
    text = approvals.b64(data)
    assert text == plain64(data)
    assert approvals.unb64(text) == data


@given(st.text("AQgw09-_+/= é\n", max_size=9))
def test_every_other_spelling_is_refused(text: str) -> None:
    try:
        data = approvals.unb64(text)
    except Malformed:
        return
    assert plain64(data) == text


def test_public_keys_are_read_as_they_are_written() -> None:
    assert approvals.signing_public(plain64(NCB.public_key().public_bytes_raw())) == NCB.public_key()
    sealing = plain64(BANK_SEAL.public_key().public_bytes_raw())
    assert approvals.sealing_public(sealing).public_bytes_raw() == BANK_SEAL.public_key().public_bytes_raw()


@pytest.mark.parametrize("y", sorted(approvals._SMALL_ORDER))
def test_a_key_that_fits_every_signature_is_refused(y: bytes) -> None:
    """Each refused key is one: some message passes under it with a signature that nobody made."""
    forged = b"\1" + bytes(63)
    key = Ed25519PublicKey.from_public_bytes(y)

    def passes(message: bytes) -> bool:
        try:
            key.verify(forged, message)
        except InvalidSignature:
            return False
        return True

    canonical = int.from_bytes(y, "little") < 2**255 - 19
    assert any(passes(bytes([n])) for n in range(256)) or not canonical
    for sign_bit in (0, 0x80):
        with pytest.raises(Malformed) as refusal:
            approvals.signing_public(plain64(y[:31] + bytes([y[31] | sign_bit])))
        assert refusal.value.code == "bad-key"


# --- parcels -------------------------------------------------------------------------------------


def test_a_parcel_brings_head_act_and_what_is_attached() -> None:
    unpacked = unpack(PARCEL, READER)
    assert isinstance(unpacked, Unpacked)
    assert (unpacked.head, unpacked.kid) == (HEAD, "k1")
    assert (unpacked.act, unpacked.act_bytes, unpacked.salt) == (ACT, ACT_BYTES, SALT)
    assert verify(Head, unpacked.head_jws, key_of) == HEAD
    mandate, fact = unpacked.attached
    assert (mandate.by, mandate.act, mandate.head, mandate.approvals) == ("ncb-fr", MANDATE, None, MANDATE_APPROVALS)
    assert (fact.by, fact.act, fact.head, fact.approvals) == ("fiu-pt", FACT, FACT_HEAD, ())
    assert (mandate.act_hash, mandate.act_bytes) == (MANDATE_HASH, MANDATE_BYTES)
    assert (fact.act_hash, fact.act_bytes) == (approvals.act_hash(SALT, FACT_BYTES), FACT_BYTES)


@pytest.mark.parametrize("value", [RECEIPT, STATE])
def test_a_receipt_travels_as_a_parcel_too(value: Receipt | StateExchange) -> None:
    data = seal(Note(sign(value, FIU, "k1")), ROUTING, BANK_SEAL.public_key())
    assert unpack(data, READER) == value


def test_the_same_content_is_never_sealed_the_same() -> None:
    content = envelope.content(sign(HEAD, NCB, "k1"), SALT, ACT_BYTES, ATTACHED)
    first, again = (seal(content, ROUTING, BANK_SEAL.public_key()) for _ in range(2))
    assert first != again
    assert open_parcel(first, BANK_SEAL, "bank-pt") == open_parcel(again, BANK_SEAL, "bank-pt") == content


def test_a_relay_sees_the_routing_and_nothing_else() -> None:
    assert json.loads(PARCEL).keys() == {"v", "to", "urgency", "drop_after", "sealed"}
    for secret in (b"ncb-fr", ACT_BYTES, ACT_HASH.encode(), b"62000.00"):
        assert secret not in PARCEL
        assert secret not in approvals.unb64(json.loads(PARCEL)["sealed"])


def test_a_relay_may_write_the_routing_its_own_way() -> None:
    """The seal is bound to what the routing says, not to its white space or the order of its keys."""
    rewritten = json.dumps(dict(reversed(json.loads(PARCEL).items())), indent=2).encode()
    assert rewritten != PARCEL
    assert unpack(rewritten, READER) == unpack(PARCEL, READER)


def test_the_exact_bytes_of_the_act_count_and_not_their_meaning() -> None:
    """An implementation may write its acts with white space: what officers approved is what is hashed."""
    spaced = json.dumps(json.loads(ACT_BYTES), indent=1).encode()
    named = approvals.act_hash(SALT, spaced)
    head = replace(HEAD, act_hash=named, approvals=(approvals.approve(ANA, "ana", "a1", named),))
    content = envelope.content(sign(head, NCB, "k1"), SALT, spaced)
    unpacked = unpack(seal(content, ROUTING, BANK_SEAL.public_key()), READER)
    assert isinstance(unpacked, Unpacked)
    assert (unpacked.act, unpacked.act_bytes) == (ACT, spaced)


def test_an_act_without_approvals_is_unpacked_for_the_rules_to_judge() -> None:
    """A fact needs none, and a command may be covered by a mandate: that is not for bytes to say."""
    content = envelope.content(sign(replace(HEAD, approvals=()), NCB, "k1"), SALT, ACT_BYTES)
    unpacked = unpack(seal(content, ROUTING, BANK_SEAL.public_key()), READER)
    assert isinstance(unpacked, Unpacked)
    assert unpacked.head.approvals == ()


def test_what_is_too_large_is_not_sealed() -> None:
    with pytest.raises(Malformed, match="more than the 1048576 allowed"):
        seal(Content("", "", "A" * 900_000, ()), ROUTING, BANK_SEAL.public_key())


def test_an_approval_of_the_request_does_not_approve_what_is_attached() -> None:
    content = envelope.content(sign(HEAD, NCB, "k1"), SALT, ACT_BYTES, (replace(ATTACHED_FACT, head=None),))
    with pytest.raises(Refused, match="with neither"):
        unpack(seal(content, ROUTING, BANK_SEAL.public_key()), READER)


# --- the seal against RFC 9180 --------------------------------------------------------------------


def test_the_published_vector_of_hpke() -> None:
    """RFC 9180 A.2.1: our second implementation makes it, byte for byte."""
    recipient = X25519PublicKey.from_public_bytes(
        bytes.fromhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
    )
    ephemeral = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600")
    )
    sealed = hpke.seal(
        b"Beauty is truth, truth beauty", recipient, b"Ode on a Grecian Urn", ephemeral, aad=b"Count-0"
    )
    assert sealed.hex() == (
        "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    )


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_what_the_second_implementation_seals_the_library_opens(text: bytes, info: bytes) -> None:
    sealed = hpke.seal(text, BANK_SEAL.public_key(), info, EPHEMERAL)
    assert envelope._SUITE.decrypt(sealed, BANK_SEAL, info) == text
