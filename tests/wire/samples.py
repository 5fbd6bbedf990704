"""A small world for the tests of wire and for vectors/: three participants, two officers, one act.

Everything here is in order: the tests of refusal change one thing at a time. All keys and salts are
fixed, so that everything made of them is the same bytes each time.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from arrp.core.coins import Coins
from arrp.core.events import KINDS, Credited, Keep
from arrp.core.mandate import Mandate
from arrp.core.messages import (
    PRIVATE,
    Act,
    Approval,
    Checkpoint,
    ConversationState,
    Handling,
    Head,
    Outcome,
    Receipt,
    StateExchange,
    Urgency,
    Use,
    Uses,
)
from arrp.core.money import Amount, Rate
from arrp.wire import approvals, envelope
from arrp.wire.approvals import act_hash, approve
from arrp.wire.codec import act_bytes, dumps
from arrp.wire.envelope import Attached, Content, Note, Reader, Routing
from tests.wire import hpke

T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class Party:
    """One public field, one private, one private and nullable."""

    country: str
    name: str = field(default="", metadata=PRIVATE)
    note: str | None = field(default=None, metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Ask:
    """A body with one private field."""

    amount: Amount
    hops: int
    account: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Everything:
    """A body with each type of field that the wire knows."""

    text: str
    number: int
    yes: bool
    colour: Colour
    at: datetime
    on: date
    amount: Amount
    coins: Coins
    rate: Rate
    pair: tuple[int, str]
    perhaps: str | None
    names: tuple[str, ...]
    parties: tuple[Party, ...]
    maybe: Party | None
    by_name: dict[str, Party]
    sender: str = field(metadata={"name": "from"})
    secret: Party = field(default=Party("ZZ"), metadata=PRIVATE)
    texts: tuple[str, ...] = field(default=(), metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Draft:
    """A body inside a body, and private."""

    kind: str
    needs: int
    body: Any = field(default=None, metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of a log: a public body of any kind."""

    kind: str
    body: Any


BODIES: Mapping[str, type] = {
    **{kind: row.body for kind, row in KINDS.items()},
    **{cls.__name__: cls for cls in (Ask, Everything, Draft, Party)},
}


def node_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(f"signing key of {name}".encode()).digest())


def sealing_key(name: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(sha256(f"sealing key of {name}".encode()).digest())


NCB, FIU, STRANGER = node_key("ncb-fr"), node_key("fiu-pt"), node_key("nobody")
ANA, ANA_TOO, BEN = node_key("officer ana"), node_key("officer ana, second key"), node_key("officer ben")
BANK_SEAL, OTHER_SEAL = sealing_key("bank-pt"), sealing_key("bank-es")
EPHEMERAL = sealing_key("one parcel")  # a node takes a new one each time

NODES: Mapping[tuple[str, str], Ed25519PublicKey] = {
    ("ncb-fr", "k1"): NCB.public_key(),
    ("fiu-pt", "k1"): FIU.public_key(),
    ("fiu-pt", "k2"): FIU.public_key(),
}
OFFICERS: Mapping[tuple[str, str, str], Ed25519PublicKey] = {
    ("ncb-fr", "ana", "a1"): ANA.public_key(),
    ("ncb-fr", "ana", "a2"): ANA_TOO.public_key(),
    ("ncb-fr", "ben", "b1"): BEN.public_key(),
    ("ncb-fr", "ana-again", "a1"): ANA.public_key(),  # a directory that forgot to look
}
READER = Reader(
    "bank-pt", BANK_SEAL, lambda *asked: NODES.get(asked), lambda *asked: OFFICERS.get(asked), BODIES
)

SALT = bytes(range(16))
ACT = Act(
    act="11" * 16,
    request="22" * 16,
    to="bank-pt",
    kind="Keep",
    handling=Handling.H1,
    use=Uses(Use.YES, Use.ASK),
    body=Keep(Amount(6_200_000, "EUR"), True),
    not_after=datetime(2026, 11, 22, 20, 0, tzinfo=UTC),
)
ACT_BYTES = act_bytes(ACT)
ACT_HASH = act_hash(SALT, ACT_BYTES)
APPROVALS = (
    approve(ANA, "ana", "a1", ACT_HASH),
    approve(BEN, "ben", "b1", ACT_HASH),
)
HEAD = Head(
    v=1,
    id="33" * 16,
    sender="ncb-fr",
    epoch=1,
    to="bank-pt",
    request="22" * 16,
    number=1,
    seen=0,
    answers=None,
    urgency=Urgency.URGENT,
    sent_at=T0,
    apply_by=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
    act_hash=ACT_HASH,
    approvals=APPROVALS,
    mandate=None,
)
RECEIPT = Receipt(
    v=1,
    sender="fiu-pt",
    to="bank-pt",
    id="44" * 16,
    act_hash=ACT_HASH,
    request="22" * 16,
    number=1,
    outcome=Outcome.APPLIED,
    seen=1,
    received_at=T0,
    code=None,
    reason=None,
    checkpoint=None,
)
STATE = StateExchange(1, "fiu-pt", "bank-pt", T0, "", "", (ConversationState("22" * 16, 3, 2),))
CHECKPOINT = Checkpoint("ncb-fr", 7, "55" * 32, T0)
ROUTING = Routing("bank-pt", Urgency.URGENT, datetime(2026, 11, 23, 8, 0, tzinfo=UTC))

MANDATE = replace(  # an act that travels attached, without a head
    ACT,
    act="66" * 16,
    request=None,
    to=None,
    kind="Mandate",
    body=Mandate(
        loss=None,
        total=Amount(10_000_000, "EUR"),
        per_request=Amount(6_200_000, "EUR"),
        hops_max=2,
        countries=("ES", "PT"),
        asks=("hold", "stop"),
        crimes=("bec",),
        valid_from=T0,
        valid_until=datetime(2026, 11, 25, 8, 0, tzinfo=UTC),
    ),
)
MANDATE_BYTES = act_bytes(MANDATE)
MANDATE_HASH = act_hash(SALT, MANDATE_BYTES)
MANDATE_APPROVALS = (
    approve(ANA, "ana", "a1", MANDATE_HASH),
    approve(BEN, "ben", "b1", MANDATE_HASH),
)
FACT = replace(  # what fiu-pt once told ncb-fr
    ACT, act="77" * 16, to="ncb-fr", kind="MoneyReturned", body=Credited("88" * 16, Amount(1, "EUR")), not_after=None
)
FACT_BYTES = act_bytes(FACT)
FACT_HEAD = replace(
    HEAD,
    sender="fiu-pt",
    to="ncb-fr",
    act_hash=act_hash(SALT, FACT_BYTES),
    approvals=(),
)

ROW = Logged("Ask", Ask(Amount(3_800_000, "EUR"), 2, "payto://iban/ES9121000418450200051332"))

ATTACHED_MANDATE = Attached("ncb-fr", approvals.b64(MANDATE_BYTES), approvals.b64(SALT), MANDATE_APPROVALS, None)
ATTACHED_FACT = Attached(
    "fiu-pt", approvals.b64(FACT_BYTES), approvals.b64(SALT), (), envelope.sign(FACT_HEAD, FIU, "k1")
)
ATTACHED = (ATTACHED_MANDATE, ATTACHED_FACT)


def amount_of(minor: int) -> Amount:
    return Amount(minor, "EUR")


def plain64(data: bytes) -> str:
    """base64url without padding, written apart from the code under test."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def jws(payload: bytes, /, header: object = None, key: Ed25519PrivateKey = NCB, **members: object) -> str:
    """A flattened JWS made by hand, truly signed over whatever it says, with members changed afterwards."""
    header = {"alg": "Ed25519", "kid": "k1", "typ": "arrp-head+jws"} if header is None else header
    protected = plain64(header if isinstance(header, bytes) else json.dumps(header).encode())
    signed = f"{protected}.{plain64(payload)}".encode()
    whole = {"payload": plain64(payload), "protected": protected, "signature": plain64(key.sign(signed))}
    return json.dumps({name: item for name, item in {**whole, **members}.items() if item is not ...})


def sealed(plain: bytes, routing: Routing = ROUTING, key: X25519PrivateKey = BANK_SEAL) -> str:
    """The member `sealed` of a parcel, around any bytes."""
    bound = b"arrp parcel v1\0" + dumps(routing)
    return plain64(hpke.seal(plain, key.public_key(), bound, EPHEMERAL))


def parcel(content: Content | Note | bytes, **members: object) -> bytes:
    """A parcel for bank-pt, with members changed after sealing."""
    plain = content if isinstance(content, bytes) else dumps(content)
    whole = {
        "v": 1,
        "to": "bank-pt",
        "urgency": "urgent",
        "drop_after": "2026-11-23T08:00:00.000000Z",
        "sealed": sealed(plain),
    }
    return json.dumps({name: item for name, item in {**whole, **members}.items() if item is not ...}).encode()


def carrying(head: str, act: bytes = ACT_BYTES, salt: bytes = SALT, attached: tuple[Attached, ...] = ()) -> bytes:
    """The parcel of a head and an act."""
    return parcel(envelope.content(head, salt, act, attached))


def signed_act(act: Act | bytes, approvals: tuple[Approval, ...] | None = None, **head: Any) -> bytes:
    """The parcel of an act of one's own, with a head and approvals that fit it."""
    data = act if isinstance(act, bytes) else act_bytes(act)
    named = act_hash(SALT, data)
    if approvals is None:
        approvals = (approve(ANA, "ana", "a1", named), approve(BEN, "ben", "b1", named))
    cover = replace(HEAD, **{"act_hash": named, "approvals": approvals, **head})
    return carrying(envelope.sign(cover, NCB, "k1"), data)


PARCEL = carrying(envelope.sign(HEAD, NCB, "k1"), attached=ATTACHED)
