"""Hostile bytes, one row each: what it is, where it arrives, the bytes, the code of the refusal.

Where it arrives:  JSON      parse_json: text alone
                   HEAD      verify(Head), and unpack of a parcel that carries it
                   OPEN      unpack: refused without taking a number, it may be anybody's doing
                   HEARD     unpack: truly from its sender, refused with a number (Unacceptable)
                   RECEIPT   verify(Receipt) · CHECKPOINT verify(Checkpoint) · APPROVAL check_approval over ACT_HASH
                   KEY       signing_public · SEALING sealing_public
Unless a row says otherwise the attacker holds a real key of ncb-fr and signs what he sends.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from arrp.wire import approvals, envelope
from arrp.wire.codec import dumps
from tests.wire.forging import (
    HEADER,
    PAYLOAD,
    act,
    amount,
    approval,
    approved,
    attach,
    body,
    checkpoint,
    edited,
    flipped,
    head,
    hmac_with_public_key,
    mandate,
    members,
    note,
    parts,
    raw_header,
    receipt,
    resealed,
    same_signature_twice,
    says,
    sealed_bytes,
    under,
)
from tests.wire.hostile_json import JSON, Row
from tests.wire.samples import (
    ACT_BYTES,
    ACT_HASH,
    ANA,
    ANA_TOO,
    APPROVALS,
    ATTACHED_FACT,
    ATTACHED_MANDATE,
    BEN,
    CHECKPOINT,
    FACT_HEAD,
    FIU,
    HEAD,
    MANDATE_APPROVALS,
    MANDATE_BYTES,
    NCB,
    OTHER_SEAL,
    PARCEL,
    RECEIPT,
    ROUTING,
    SALT,
    STATE,
    STRANGER,
    carrying,
    jws,
    parcel,
    plain64,
    sealed,
    signed_act,
)

HEADERS: list[Row] = [
    ("alg none", "HEAD", lambda: under(alg="none"), "bad-algorithm"),
    ("alg none, no signature", "HEAD", lambda: jws(PAYLOAD, {**HEADER, "alg": "none"}, signature="").encode(),
     "bad-algorithm"),
    ("alg nOnE", "HEAD", lambda: under(alg="nOnE"), "bad-algorithm"),
    ("alg empty", "HEAD", lambda: under(alg=""), "bad-algorithm"),
    ("alg HS256 keyed with the public key", "HEAD", hmac_with_public_key, "bad-algorithm"),
    ("alg EdDSA, whose curve the key chooses", "HEAD", lambda: under(alg="EdDSA"), "bad-algorithm"),
    ("alg Ed448", "HEAD", lambda: under(alg="Ed448"), "bad-algorithm"),
    ("alg ES256", "HEAD", lambda: under(alg="ES256"), "bad-algorithm"),
    ("alg RS256", "HEAD", lambda: under(alg="RS256"), "bad-algorithm"),
    ("alg in lower case", "HEAD", lambda: under(alg="ed25519"), "bad-algorithm"),
    ("alg with a space", "HEAD", lambda: under(alg="Ed25519 "), "bad-algorithm"),
    ("alg a list", "HEAD", lambda: under(alg=["Ed25519"]), "bad-algorithm"),
    ("alg null", "HEAD", lambda: under(alg=None), "bad-algorithm"),
    ("no alg", "HEAD", lambda: under(alg=...), "bad-jws"),
    ("alg twice", "HEAD", lambda: raw_header(b'{"alg":"none","kid":"k1","typ":"arrp-head+jws","alg":"Ed25519"}'),
     "malformed"),
    ("crit empty", "HEAD", lambda: under(crit=[]), "bad-jws"),
    ("crit unknown", "HEAD", lambda: under(crit=["exp"], exp=1), "bad-jws"),
    ("b64 false", "HEAD", lambda: under(b64=False, crit=["b64"]), "bad-jws"),
    ("b64 true", "HEAD", lambda: under(b64=True), "bad-jws"),
    ("jwk with a key of the attacker's", "HEAD", lambda: jws(PAYLOAD, {**HEADER, "jwk": {
        "kty": "OKP", "crv": "Ed25519", "x": plain64(STRANGER.public_key().public_bytes_raw())}}, STRANGER).encode(),
     "bad-jws"),
    ("jku", "HEAD", lambda: under(jku="https://keys.example/jwks"), "bad-jws"),
    ("x5u", "HEAD", lambda: under(x5u="https://keys.example/cert"), "bad-jws"),
    ("x5c", "HEAD", lambda: under(x5c=["MIIB"]), "bad-jws"),
    ("x5t", "HEAD", lambda: under(**{"x5t#S256": "aaaa"}), "bad-jws"),
    ("zip", "HEAD", lambda: under(zip="DEF"), "bad-jws"),
    ("cty", "HEAD", lambda: under(cty="JWT"), "bad-jws"),
    ("a member nobody knows", "HEAD", lambda: under(iat=1), "bad-jws"),
    ("no kid", "HEAD", lambda: under(kid=...), "bad-jws"),
    ("kid a number", "HEAD", lambda: under(kid=1), "bad-jws"),
    ("kid null", "HEAD", lambda: under(kid=None), "bad-jws"),
    ("kid empty", "HEAD", lambda: under(kid=""), "unknown-key"),
    ("kid a path", "HEAD", lambda: under(kid="../../k1"), "unknown-key"),
    ("kid an injection", "HEAD", lambda: under(kid="k1' OR '1'='1"), "unknown-key"),
    ("kid that only another participant has", "HEAD", lambda: under(kid="k2"), "unknown-key"),
    ("kid of an officer", "HEAD", lambda: jws(PAYLOAD, {**HEADER, "kid": "a1"}, ANA).encode(), "unknown-key"),
    ("kid longer than any", "HEAD", lambda: under(kid="k" * 5000), "unknown-key"),
    ("no typ", "HEAD", lambda: under(typ=...), "bad-jws"),
    ("typ JWT", "HEAD", lambda: under(typ="JWT"), "wrong-type"),
    ("typ with its media type", "HEAD", lambda: under(typ="application/arrp-head+jws"), "wrong-type"),
    ("typ in capitals", "HEAD", lambda: under(typ="ARRP-HEAD+JWS"), "wrong-type"),
    ("typ a list", "HEAD", lambda: under(typ=["arrp-head+jws"]), "bad-jws"),
    ("a receipt's type over a head", "HEAD", lambda: under(typ="arrp-receipt+jws"), "wrong-type"),
    ("a header that is a list", "HEAD", lambda: raw_header(b'["alg","kid","typ"]'), "bad-jws"),
    ("a header with much room in it", "HEAD", lambda: raw_header(json.dumps(HEADER).encode() + b" " * 400), "bad-jws"),
    ("a header that is a text", "HEAD", lambda: raw_header(b'"alg"'), "bad-jws"),
    ("a header that is no JSON", "HEAD", lambda: raw_header(b"alg=Ed25519"), "malformed"),
    ("an empty header", "HEAD", lambda: raw_header(b""), "malformed"),
    ("a header with a float", "HEAD", lambda: raw_header(b'{"alg":"Ed25519","kid":1.0,"typ":"arrp-head+jws"}'),
     "malformed"),
]

FORMS: list[Row] = [
    ("an unprotected header", "HEAD", lambda: members(header={"kid": "k1"}), "bad-jws"),
    ("an empty unprotected header", "HEAD", lambda: members(header={}), "bad-jws"),
    ("alg and kid in the unprotected header", "HEAD", lambda: members(header=HEADER, protected=...), "bad-jws"),
    ("general JSON", "HEAD", lambda: json.dumps({"payload": plain64(PAYLOAD), "signatures": [
        {"protected": parts()["protected"], "signature": parts()["signature"]}]}).encode(), "bad-jws"),
    ("flattened and general at once", "HEAD", lambda: members(signatures=[]), "bad-jws"),
    ("compact", "HEAD", lambda: ".".join(parts()[name] for name in ("protected", "payload", "signature")).encode(),
     "malformed"),
    ("a JWS in a list", "HEAD", lambda: f"[{jws(PAYLOAD)}]".encode(), "bad-jws"),
    ("a JWS in a text", "HEAD", lambda: json.dumps(jws(PAYLOAD)).encode(), "bad-jws"),
    ("a JWS that is null", "HEAD", lambda: b"null", "bad-jws"),
    ("a JWE", "HEAD", lambda: b'{"protected":"e30","iv":"","ciphertext":"","tag":""}', "bad-jws"),
    ("two payloads", "HEAD", lambda: jws(PAYLOAD).encode()[:-1] + b',"payload":"e30"}', "malformed"),
    ("no payload", "HEAD", lambda: members(payload=...), "bad-jws"),
    ("a detached payload", "HEAD", lambda: members(payload=""), "malformed"),
    ("a payload that is null", "HEAD", lambda: members(payload=None), "malformed"),
    ("a payload in clear", "HEAD", lambda: members(payload=PAYLOAD.decode()), "bad-jws"),
    ("no signature", "HEAD", lambda: members(signature=...), "bad-jws"),
    ("an empty signature", "HEAD", lambda: members(signature=""), "bad-signature"),
    ("a signature of zeros", "HEAD", lambda: members(signature=plain64(bytes(64))), "bad-signature"),
    ("a signature that is a number", "HEAD", lambda: members(signature=1), "malformed"),
    ("a signature cut short", "HEAD", lambda: members(signature=plain64(approvals.unb64(
        parts()["signature"])[:-1])), "bad-signature"),
    ("a signature with more", "HEAD", lambda: members(signature=parts()["signature"][:-2] + "AAAA"), "bad-signature"),
    ("a signature of 20,000 bytes", "HEAD", lambda: members(signature="AAAA" * 6667), "bad-jws"),
    ("a malleable signature (S + order)", "HEAD", lambda: members(
        signature=same_signature_twice(parts()["signature"])), "bad-signature"),
    ("padding after the signature", "HEAD", lambda: members(signature=parts()["signature"] + "=="), "bad-jws"),
    ("padding after the header", "HEAD", lambda: members(protected=parts()["protected"] + "="), "bad-jws"),
    ("stray bits after the signature", "HEAD", lambda: members(signature=parts()["signature"][:-1] + "_"), "bad-jws"),
    ("the alphabet of plain base64", "HEAD", lambda: members(signature="++++" + parts()["signature"][4:]), "bad-jws"),
    ("a line feed in the payload", "HEAD", lambda: members(payload=plain64(PAYLOAD)[:8] + "\n" + plain64(PAYLOAD)[8:]),
     "bad-jws"),
    ("a space after the payload", "HEAD", lambda: members(payload=plain64(PAYLOAD) + " "), "bad-jws"),
    ("letters outside ASCII", "HEAD", lambda: members(payload="é" + plain64(PAYLOAD)[1:]), "bad-jws"),
    ("one character left over", "HEAD", lambda: members(payload=plain64(PAYLOAD)[:-1][: len(PAYLOAD) // 3 * 4] + "A"),
     "bad-jws"),
    ("signed by a stranger", "HEAD", lambda: says(PAYLOAD, STRANGER), "bad-signature"),
    ("signed by another participant", "HEAD", lambda: says(PAYLOAD, FIU), "bad-signature"),
    ("signed by an officer", "HEAD", lambda: says(PAYLOAD, ANA), "bad-signature"),
    ("the signature of another head", "HEAD", lambda: members(
        signature=json.loads(jws(dumps(replace(HEAD, number=2))))["signature"]), "bad-signature"),
    ("the payload of another head", "HEAD", lambda: members(payload=plain64(dumps(replace(HEAD, number=2)))),
     "bad-signature"),
    ("the header of another key", "HEAD", lambda: json.dumps({**json.loads(jws(
        dumps(replace(HEAD, sender="fiu-pt")), key=FIU)), "protected": plain64(json.dumps(
            {**HEADER, "kid": "k2"}).encode())}).encode(), "bad-signature"),
    ("an officer's approval as the node's signature", "HEAD", lambda: members(signature=APPROVALS[0].signature),
     "bad-signature"),
]

HEADS: list[Row] = [
    ("a payload that is a list", "HEAD", lambda: says(b"[1]"), "malformed"),
    ("a payload that is no JSON", "HEAD", lambda: says(b"from=ncb-fr"), "malformed"),
    ("a payload with a key twice", "HEAD", lambda: says(PAYLOAD[:-1] + b',"from":"ncb-fr"}'), "malformed"),
    ("from nobody", "HEAD", lambda: head(**{"from": ...}), "malformed"),
    ("from a number", "HEAD", lambda: head(**{"from": 7}), "malformed"),
    ("from null", "HEAD", lambda: head(**{"from": None}), "malformed"),
    ("from a stranger", "HEAD", lambda: head(**{"from": "ncb-xx"}), "unknown-key"),
    ("from another participant", "HEAD", lambda: head(**{"from": "fiu-pt"}), "bad-signature"),
    ("with an origin beside from", "HEAD", lambda: head(origin="fiu-pt"), "malformed"),
    ("an unknown field", "HEAD", lambda: head(priority="high"), "malformed"),
    ("a missing field", "HEAD", lambda: head(mandate=...), "malformed"),
    ("a field of Python's name", "HEAD", lambda: head(sender="ncb-fr"), "malformed"),
    ("v a text", "HEAD", lambda: head(v="1"), "malformed"),
    ("v true", "HEAD", lambda: head(v=True), "malformed"),
    ("number null", "HEAD", lambda: head(number=None), "malformed"),
    ("id a number", "HEAD", lambda: head(id=33), "malformed"),
    ("urgency in capitals", "HEAD", lambda: head(urgency="URGENT"), "malformed"),
    ("urgency null", "HEAD", lambda: head(urgency=None), "malformed"),
    ("sent_at without zone", "HEAD", lambda: head(sent_at="2026-11-22T08:00:00.000000"), "malformed"),
    ("sent_at without fraction", "HEAD", lambda: head(sent_at="2026-11-22T08:00:00Z"), "malformed"),
    ("sent_at with an offset", "HEAD", lambda: head(sent_at="2026-11-22T08:00:00.000000+00:00"), "malformed"),
    ("sent_at with a space", "HEAD", lambda: head(sent_at="2026-11-22 08:00:00.000000Z"), "malformed"),
    ("sent_at on 30 February", "HEAD", lambda: head(sent_at="2026-02-30T08:00:00.000000Z"), "malformed"),
    ("sent_at at 24:00", "HEAD", lambda: head(sent_at="2026-11-22T24:00:00.000000Z"), "malformed"),
    ("sent_at in a leap second", "HEAD", lambda: head(sent_at="2026-12-31T23:59:60.000000Z"), "malformed"),
    ("sent_at before year 1", "HEAD", lambda: head(sent_at="0001-01-01T00:00:00.000000+01:00"), "malformed"),
    ("sent_at a number", "HEAD", lambda: head(sent_at=1795334400), "malformed"),
    ("approvals null", "HEAD", lambda: head(approvals=None), "malformed"),
    ("approvals an object", "HEAD", lambda: head(approvals={}), "malformed"),
    ("an approval with an unknown field", "HEAD", lambda: head(approvals=[{**json.loads(dumps(
        APPROVALS[0])), "at": 1}]), "malformed"),
    ("act_hash in capitals", "OPEN", lambda: carrying(head(act_hash=ACT_HASH.upper()).decode()), "hash-mismatch"),
    ("act_hash of another act", "OPEN", lambda: carrying(head(act_hash="00" * 32).decode()), "hash-mismatch"),
    ("for another node", "OPEN", lambda: carrying(head(to="bank-es").decode()), "wrong-addressee"),
    ("for this node in capitals", "OPEN", lambda: carrying(head(to="BANK-PT").decode()), "wrong-addressee"),
]

PARCELS: list[Row] = [
    ("no JSON", "OPEN", lambda: b"\x00\x01\x02", "malformed"),
    ("a list", "OPEN", lambda: b"[]", "malformed"),
    ("a parcel in a parcel", "OPEN", lambda: parcel(PARCEL), "malformed"),
    ("a parcel with a key twice", "OPEN", lambda: PARCEL[:-1] + b',"to":"bank-pt"}', "malformed"),
    ("a parcel with an unknown member", "OPEN", lambda: edited(PARCEL, hops=[]), "malformed"),
    ("a parcel without urgency", "OPEN", lambda: edited(PARCEL, urgency=...), "malformed"),
    ("a parcel of 1 MiB and more", "OPEN", lambda: edited(PARCEL, sealed="A" * (1 << 20)), "malformed"),
    ("another version", "OPEN", lambda: edited(PARCEL, v=2), "unsupported-version"),
    ("version 0", "OPEN", lambda: edited(PARCEL, v=0), "unsupported-version"),
    ("version true", "OPEN", lambda: edited(PARCEL, v=True), "malformed"),
    ("routed to another node", "OPEN", lambda: edited(PARCEL, to="bank-es"), "wrong-addressee"),
    ("sealed for another node, routed here", "OPEN", lambda: resealed(to="bank-es"), "unsealable"),
    ("urgency changed on the way", "OPEN", lambda: edited(PARCEL, urgency="routine"), "unsealable"),
    ("urgency nobody knows", "OPEN", lambda: edited(PARCEL, urgency="asap"), "malformed"),
    ("drop_after changed on the way", "OPEN", lambda: edited(PARCEL, drop_after="2027-11-23T08:00:00.000000Z"),
     "unsealable"),
    ("drop_after null", "OPEN", lambda: edited(PARCEL, drop_after=None), "malformed"),
    ("drop_after written otherwise", "OPEN", lambda: edited(PARCEL, drop_after="2026-11-23T08:00:00Z"), "malformed"),
    ("sealed with another key", "OPEN", lambda: parcel(b"", sealed=sealed(b"{}", ROUTING, OTHER_SEAL)), "unsealable"),
    ("sealed without routing", "OPEN", lambda: parcel(b"", sealed=plain64(envelope._SUITE.encrypt(
        b"{}", approvals.sealing_public(plain64(OTHER_SEAL.public_key().public_bytes_raw()))))), "unsealable"),
    ("nothing sealed", "OPEN", lambda: edited(PARCEL, sealed=""), "unsealable"),
    ("less than a key sealed", "OPEN", lambda: edited(PARCEL, sealed=plain64(bytes(31))), "unsealable"),
    ("only a key sealed", "OPEN", lambda: edited(PARCEL, sealed=plain64(sealed_bytes()[:32])), "unsealable"),
    ("cut short", "OPEN", lambda: edited(PARCEL, sealed=plain64(sealed_bytes()[:-1])), "unsealable"),
    ("a bit of the ephemeral key", "OPEN", lambda: edited(PARCEL, sealed=plain64(flipped(sealed_bytes(), 0))),
     "unsealable"),
    ("a bit of the text", "OPEN", lambda: edited(PARCEL, sealed=plain64(flipped(sealed_bytes(), 40))), "unsealable"),
    ("a bit of the tag", "OPEN", lambda: edited(PARCEL, sealed=plain64(flipped(sealed_bytes(), len(
        sealed_bytes()) - 1))), "unsealable"),
    ("an ephemeral key of zeros", "OPEN", lambda: edited(PARCEL, sealed=plain64(bytes(32) + sealed_bytes()[32:])),
     "unsealable"),
    ("an ephemeral key of order 1", "OPEN", lambda: edited(
        PARCEL, sealed=plain64(b"\1" + bytes(31) + sealed_bytes()[32:])), "unsealable"),
    ("sealed with padding", "OPEN", lambda: edited(PARCEL, sealed=plain64(sealed_bytes()) + "="), "malformed"),
    ("sealed a list of numbers", "OPEN", lambda: edited(PARCEL, sealed=[1, 2]), "malformed"),
    ("content that is no JSON", "OPEN", lambda: parcel(b"hello"), "malformed"),
    ("content that is empty", "OPEN", lambda: parcel(b"{}"), "malformed"),
    ("content with an unknown member", "OPEN", lambda: parcel(
        b'{"head":"","salt":"","act":"","attached":[],"bcc":1}'), "malformed"),
    ("act and note at once", "OPEN", lambda: parcel(
        b'{"head":"","salt":"","act":"","attached":[],"jws":""}'), "malformed"),
    ("another act", "OPEN", lambda: carrying(envelope.sign(HEAD, NCB, "k1"), MANDATE_BYTES), "hash-mismatch"),
    ("one byte of the act", "OPEN", lambda: carrying(envelope.sign(HEAD, NCB, "k1"), flipped(ACT_BYTES, 12)),
     "hash-mismatch"),
    ("the act with white space", "OPEN", lambda: carrying(envelope.sign(HEAD, NCB, "k1"), ACT_BYTES + b" "),
     "hash-mismatch"),
    ("another salt", "OPEN", lambda: carrying(envelope.sign(HEAD, NCB, "k1"), salt=bytes(16)), "hash-mismatch"),
    ("a byte moved from act to salt", "OPEN", lambda: carrying(
        envelope.sign(HEAD, NCB, "k1"), ACT_BYTES[1:], SALT + ACT_BYTES[:1]), "malformed"),
    ("no salt", "OPEN", lambda: carrying(envelope.sign(HEAD, NCB, "k1"), SALT + ACT_BYTES, b""), "malformed"),
]

ACTS: list[Row] = [
    ("an act that is no JSON", "HEARD", lambda: signed_act(b"hold everything"), "malformed"),
    ("an act with a key twice", "HEARD", lambda: signed_act(ACT_BYTES[:-1] + b',"kind":"Keep"}'), "malformed"),
    ("an unknown kind", "HEARD", lambda: act(kind="SeizeEverything"), "unknown-kind"),
    ("a kind that is a list", "HEARD", lambda: act(kind=["Keep"]), "malformed"),
    ("a kind with another's body", "HEARD", lambda: act(kind="Withdraw"), "malformed"),
    ("no body", "HEARD", lambda: act(body=None), "malformed"),
    ("a body with an unknown field", "HEARD", lambda: body(also="this"), "malformed"),
    ("a body without a field", "HEARD", lambda: act(body={"rest_free": True}), "malformed"),
    ("another request than the head", "HEARD", lambda: act(request="99" * 16), "head-mismatch"),
    ("no request under a head with one", "HEARD", lambda: act(request=None), "head-mismatch"),
    ("for another node than the head", "HEARD", lambda: act(to="bank-es"), "head-mismatch"),
    ("for nobody", "HEARD", lambda: act(to=None), "head-mismatch"),
    ("an amount that is a float", "HEARD", lambda: amount(62000.5), "malformed"),
    ("an amount that is a number", "HEARD", lambda: amount(62000), "malformed"),
    ("an amount below zero", "HEARD", lambda: amount("-62000.00"), "malformed"),
    ("an amount with an exponent", "HEARD", lambda: amount("6e4"), "malformed"),
    ("an amount with a comma", "HEARD", lambda: amount("62000,00"), "malformed"),
    ("an amount without its decimals", "HEARD", lambda: amount("62000"), "malformed"),
    ("an amount with more decimals", "HEARD", lambda: amount("62000.000"), "malformed"),
    ("an amount with a leading zero", "HEARD", lambda: amount("062000.00"), "malformed"),
    ("an amount in digits of another script", "HEARD", lambda: amount("٦٢٠٠٠.٠٠"), "malformed"),
    ("an amount with a line feed", "HEARD", lambda: amount("62000.00\n"), "malformed"),
    ("an amount of 60 digits", "HEARD", lambda: amount("9" * 60 + ".00"), "malformed"),
    ("an asset in lower case", "HEARD", lambda: amount("62000.00", "eur"), "malformed"),
    ("an asset nobody declared", "HEARD", lambda: amount("1", "eip155:1/erc20:0x00"), "malformed"),
    ("an asset null", "HEARD", lambda: amount("62000.00", None), "malformed"),
    ("an amount with an unknown member", "HEARD", lambda: body(
        amount={"amount": "62000.00", "asset": "EUR", "x": 1}), "malformed"),
    ("an amount in the old manner", "HEARD", lambda: body(amount="62000.00 EUR"), "malformed"),
    ("a truth that is a text", "HEARD", lambda: body(rest_free="true"), "malformed"),
    ("a truth that is a number", "HEARD", lambda: body(rest_free=1), "malformed"),
    ("a truth that is null", "HEARD", lambda: body(rest_free=None), "malformed"),
    ("handling nobody knows", "HEARD", lambda: act(handling="H9"), "malformed"),
    ("use a text", "HEARD", lambda: act(use="yes"), "malformed"),
    ("not_after without zone", "HEARD", lambda: act(not_after="2026-11-22T20:00:00.000000"), "malformed"),
]

APPROVED: list[Row] = [
    ("approval of another act", "HEARD", lambda: approved(MANDATE_APPROVALS[0]), "bad-approval"),
    ("approval with another officer's key", "HEARD", lambda: approved(approvals.approve(BEN, "ana", "a1", ACT_HASH)),
     "bad-approval"),
    ("approval under another officer's name", "HEARD", lambda: approved(replace(APPROVALS[0], officer="ben", key="b1")),
     "bad-approval"),
    ("approval by the node itself", "HEARD", lambda: approved(approvals.approve(NCB, "ana", "a1", ACT_HASH)),
     "bad-approval"),
    ("officer nobody knows", "HEARD", lambda: approved(replace(APPROVALS[0], officer="eve")), "unknown-officer"),
    ("key nobody knows", "HEARD", lambda: approved(replace(APPROVALS[0], key="a9")), "unknown-officer"),
    ("officer and key crossed", "HEARD", lambda: approved(replace(APPROVALS[0], key="b1")), "unknown-officer"),
    ("officer with an empty name", "HEARD", lambda: approved(replace(APPROVALS[0], officer="")), "unknown-officer"),
    ("signature over the bare hash", "HEARD", lambda: approved(approval(bytes.fromhex(ACT_HASH))), "bad-approval"),
    ("signature over the hash in hex", "HEARD", lambda: approved(approval(b"arrp approval v1\0" + ACT_HASH.encode())),
     "bad-approval"),
    ("signature under another tag", "HEARD", lambda: approved(approval(b"arrp approval v2\0" + bytes.fromhex(
        ACT_HASH))), "bad-approval"),
    ("signature over the act itself", "HEARD", lambda: approved(approval(b"arrp approval v1\0" + ACT_BYTES)),
     "bad-approval"),
    ("signature over the hash without salt", "HEARD", lambda: approved(approval(
        b"arrp approval v1\0" + hashlib.sha256(ACT_BYTES).digest())), "bad-approval"),
    ("the signature of a head as approval", "HEARD", lambda: approved(replace(
        APPROVALS[0], signature=json.loads(jws(PAYLOAD, key=ANA))["signature"])), "bad-approval"),
    ("algorithm none", "HEARD", lambda: approved(replace(APPROVALS[0], algorithm="none")), "bad-approval"),
    ("algorithm EdDSA", "HEARD", lambda: approved(replace(APPROVALS[0], algorithm="EdDSA")), "bad-approval"),
    ("empty signature", "HEARD", lambda: approved(replace(APPROVALS[0], signature="")), "bad-approval"),
    ("signature with padding", "HEARD", lambda: approved(replace(
        APPROVALS[0], signature=APPROVALS[0].signature + "==")), "bad-approval"),
    ("malleable signature", "HEARD", lambda: approved(replace(
        APPROVALS[0], signature=same_signature_twice(APPROVALS[0].signature))), "bad-approval"),
    ("one approval twice", "HEARD", lambda: approved(APPROVALS[0], APPROVALS[0]), "repeated-approval"),
    ("one key under two names", "HEARD", lambda: approved(APPROVALS[0], replace(APPROVALS[0], officer="ana-again")),
     "repeated-approval"),
    ("one officer with two keys", "HEARD", lambda: approved(APPROVALS[0], approvals.approve(
        ANA_TOO, "ana", "a2", ACT_HASH)), "repeated-approval"),
    ("one good, one bad", "HEARD", lambda: approved(APPROVALS[1], MANDATE_APPROVALS[0]), "bad-approval"),
    ("nine approvals", "HEARD", lambda: approved(*[APPROVALS[0]] * 9), "malformed"),
    ("approval of a hash that is none", "APPROVAL", lambda: dumps(replace(APPROVALS[0], key="no hash")), "malformed"),
    ("approval by a key of order 1", "KEY", lambda: plain64(b"\1" + bytes(31)).encode(), "bad-key"),
    ("approval by a key of order 8", "KEY", lambda: plain64(bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")).encode(), "bad-key"),
    ("the same key with its sign", "KEY", lambda: plain64(bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")).encode(), "bad-key"),
    ("a key of 31 bytes", "KEY", lambda: plain64(bytes(range(31))).encode(), "bad-key"),
    ("a key in hex", "KEY", lambda: (b"5f" * 32), "bad-key"),
    ("a key with padding", "KEY", lambda: (plain64(ANA.public_key().public_bytes_raw()) + "=").encode(), "malformed"),
    ("a sealing key of zeros", "SEALING", lambda: plain64(bytes(32)).encode(), "bad-key"),
    ("a sealing key of order 8", "SEALING", lambda: plain64(bytes.fromhex(
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")).encode(), "bad-key"),
    ("a sealing key of 33 bytes", "SEALING", lambda: plain64(bytes(33)).encode(), "bad-key"),
]

ATTACHMENTS: list[Row] = [
    ("neither head nor approvals", "OPEN", lambda: attach(replace(ATTACHED_MANDATE, approvals=())), "unapproved"),
    ("a mandate of another participant", "OPEN", lambda: attach(replace(ATTACHED_MANDATE, by="fiu-pt")),
     "unknown-officer"),
    ("a mandate changed after approval", "OPEN", lambda: attach(replace(ATTACHED_MANDATE, act=plain64(
        edited(MANDATE_BYTES, handling="H0")))), "bad-approval"),
    ("a mandate under another salt", "OPEN", lambda: attach(replace(ATTACHED_MANDATE, salt=plain64(bytes(16)))),
     "bad-approval"),
    ("a mandate under the approvals of the request", "OPEN", lambda: attach(replace(
        ATTACHED_MANDATE, approvals=APPROVALS)), "bad-approval"),
    ("a mandate approved twice by one", "OPEN", lambda: attach(replace(
        ATTACHED_MANDATE, approvals=(MANDATE_APPROVALS[0],) * 2)), "repeated-approval"),
    ("a mandate of an unknown kind", "OPEN", lambda: attach(mandate(edited(MANDATE_BYTES, kind="Carte blanche"))),
     "unknown-kind"),
    ("a mandate that is no JSON", "OPEN", lambda: attach(mandate(b"anything")), "malformed"),
    ("a fact under another's name", "OPEN", lambda: attach(replace(ATTACHED_FACT, by="ncb-fr")), "head-mismatch"),
    ("a fact with approvals beside its head", "OPEN", lambda: attach(replace(
        ATTACHED_FACT, approvals=MANDATE_APPROVALS)), "head-mismatch"),
    ("a fact with another act", "OPEN", lambda: attach(replace(ATTACHED_FACT, act=plain64(ACT_BYTES))),
     "hash-mismatch"),
    ("a fact signed by whoever attaches it", "OPEN", lambda: attach(replace(
        ATTACHED_FACT, head=envelope.sign(FACT_HEAD, NCB, "k1"))), "bad-signature"),
    ("a fact with the request of another", "OPEN", lambda: attach(replace(ATTACHED_FACT, head=envelope.sign(
        replace(FACT_HEAD, request=None), FIU, "k1"))), "head-mismatch"),
    ("a fact with a receipt as its head", "OPEN", lambda: attach(replace(
        ATTACHED_FACT, head=envelope.sign(RECEIPT, FIU, "k1"))), "wrong-type"),
    ("a fact with an empty head", "OPEN", lambda: attach(replace(ATTACHED_FACT, head="")), "malformed"),
    ("seventeen attached acts", "OPEN", lambda: attach(*[ATTACHED_FACT] * 17), "malformed"),
    ("a good one and a bad one", "OPEN", lambda: attach(ATTACHED_FACT, replace(ATTACHED_MANDATE, approvals=())),
     "unapproved"),
]

RECEIPTS: list[Row] = [
    ("a receipt signed by another", "RECEIPT", lambda: receipt(dumps(RECEIPT), key=NCB), "bad-signature"),
    ("a receipt from a stranger", "RECEIPT", lambda: receipt(edited(dumps(RECEIPT), **{"from": "x"})), "unknown-key"),
    ("a head as a receipt", "RECEIPT", lambda: jws(PAYLOAD).encode(), "wrong-type"),
    ("a head under the type of a receipt", "RECEIPT", lambda: receipt(PAYLOAD, key=NCB), "malformed"),
    ("a state exchange as a receipt", "RECEIPT", lambda: receipt(dumps(STATE), "arrp-state+jws"), "wrong-type"),
    ("a receipt that says it was seen by a float", "RECEIPT", lambda: receipt(edited(dumps(RECEIPT), seen=1.5)),
     "malformed"),
    ("an outcome nobody knows", "RECEIPT", lambda: receipt(edited(dumps(RECEIPT), outcome="ok")), "malformed"),
    ("a receipt with an unknown field", "RECEIPT", lambda: receipt(edited(dumps(RECEIPT), paid=True)), "malformed"),
    ("a receipt without its outcome", "RECEIPT", lambda: receipt(edited(dumps(RECEIPT), outcome=...)), "malformed"),
    ("a receipt in text that is none", "RECEIPT", lambda: b"\xff", "malformed"),
    ("a receipt changed", "RECEIPT", lambda: edited(receipt(dumps(RECEIPT)), payload=plain64(
        edited(dumps(RECEIPT), outcome="refused"))), "bad-signature"),
    ("a receipt for another node", "OPEN", lambda: note(envelope.sign(replace(RECEIPT, to="bank-es"), FIU, "k1")),
     "wrong-addressee"),
    ("a state exchange for another node", "OPEN", lambda: note(envelope.sign(replace(STATE, to="x"), FIU, "k1")),
     "wrong-addressee"),
    ("a receipt by a stranger, sealed", "OPEN", lambda: note(envelope.sign(RECEIPT, STRANGER, "k1")), "bad-signature"),
    ("a head in a note", "OPEN", lambda: note(jws(PAYLOAD)), "wrong-type"),
    ("a checkpoint in a note", "OPEN", lambda: note(envelope.sign(CHECKPOINT, NCB, "k1")), "wrong-type"),
    ("a receipt where a head belongs", "OPEN", lambda: carrying(envelope.sign(RECEIPT, FIU, "k1")), "wrong-type"),
    ("a note that is empty", "OPEN", lambda: note(""), "malformed"),
    ("a checkpoint of another origin", "CHECKPOINT", lambda: checkpoint(edited(dumps(CHECKPOINT), origin="fiu-pt")),
     "bad-signature"),
    ("a checkpoint with from for origin", "CHECKPOINT", lambda: checkpoint(edited(
        dumps(CHECKPOINT), origin=..., **{"from": "ncb-fr"})), "malformed"),
    ("a checkpoint of two origins", "CHECKPOINT", lambda: checkpoint(edited(
        dumps(CHECKPOINT), **{"from": "fiu-pt"})), "malformed"),
    ("a receipt as a checkpoint", "CHECKPOINT", lambda: receipt(dumps(RECEIPT)), "wrong-type"),
    ("a checkpoint of a size that is a text", "CHECKPOINT", lambda: checkpoint(edited(dumps(CHECKPOINT), size="7")),
     "malformed"),
]


TABLE: list[Row] = [
    *JSON, *HEADERS, *FORMS, *HEADS, *PARCELS, *ACTS, *APPROVED, *ATTACHMENTS, *RECEIPTS
]  # fmt: skip
