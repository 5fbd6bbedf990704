"""Every hostile object is refused with its code, and nothing but an ArrpError ever comes out (R-20)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arrp.core.errors import ArrpError
from arrp.core.messages import Approval, Checkpoint, Head, Receipt
from arrp.wire import Problem, approvals, envelope
from arrp.wire.codec import dumps, loads, parse_json
from arrp.wire.envelope import Unacceptable, Unpacked, open_parcel, unpack
from tests.wire.hostile import TABLE
from tests.wire.hostile_json import Row
from tests.wire.samples import ACT_HASH, BANK_SEAL, HEAD, NODES, OFFICERS, PARCEL, READER, SALT, carrying, parcel


def _approval(data: bytes) -> None:
    approval = loads(Approval, data)
    named = ACT_HASH if approval.key != "no hash" else ACT_HASH.upper()
    approvals.check_approval(approval, named, OFFICERS["ncb-fr", "ana", "a1"])


def _key_of(sender: str, kid: str) -> Ed25519PublicKey | None:
    return NODES.get((sender, kid))


DOORS: dict[str, Callable[[bytes], object]] = {
    "JSON": parse_json,
    "OPEN": lambda data: unpack(data, READER),
    "HEARD": lambda data: unpack(data, READER),
    "HEAD": lambda data: envelope.verify(Head, data, _key_of),
    "RECEIPT": lambda data: envelope.verify(Receipt, data, _key_of),
    "CHECKPOINT": lambda data: envelope.verify(Checkpoint, data, _key_of),
    "APPROVAL": _approval,
    "KEY": lambda data: approvals.signing_public(data.decode()),
    "SEALING": lambda data: approvals.sealing_public(data.decode()),
}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[1]}: {row[0]}")
def test_hostile_bytes_are_refused_with_their_code(row: Row) -> None:
    _name, door, make, code = row
    with pytest.raises(ArrpError) as refusal:
        DOORS[door](make())
    assert refusal.value.code == code, str(refusal.value)
    assert isinstance(refusal.value, Unacceptable) == (door == "HEARD")
    if door == "HEAD":
        with pytest.raises(ArrpError) as carried:
            unpack(carrying(make().decode()), READER)
        assert (carried.value.code, type(carried.value)) == (code, type(refusal.value))
    assert len(str(refusal.value)) < 500, "what a stranger sends is not repeated to him at length"


def test_the_table_is_long_and_no_row_is_there_twice() -> None:
    names = [(row[1], row[0]) for row in TABLE]
    assert len(names) == len(set(names)) >= 120
    assert {row[3] for row in TABLE} == {str(problem) for problem in Problem} - {"bad-proof"}


def test_the_object_they_are_all_made_from_is_accepted() -> None:
    """Otherwise the table would prove nothing."""
    unpacked = unpack(PARCEL, READER)
    assert isinstance(unpacked, Unpacked)
    assert unpacked.head == HEAD


def test_r24_an_act_that_is_refused_says_whose_it_was() -> None:
    """The door answers it with a signed refusal that fills the number."""
    make = next(row[2] for row in TABLE if row[0] == "an unknown kind")
    with pytest.raises(Unacceptable) as refusal:
        unpack(make(), READER)
    assert (refusal.value.head.sender, refusal.value.head.number) == ("ncb-fr", 1)
    assert refusal.value.salt == SALT
    assert approvals.act_hash(SALT, refusal.value.act_bytes) == refusal.value.head.act_hash


# --- fuzz: any change of any byte ----------------------------------------------------------------


def mutations(valid: bytes) -> st.SearchStrategy[bytes]:
    """`valid` with one to four pieces replaced, removed, doubled or put in."""
    piece = st.tuples(st.integers(0, len(valid)), st.integers(0, 3), st.binary(max_size=3))

    def mutated(pieces: list[tuple[int, int, bytes]]) -> bytes:
        data = valid
        for at, length, new in pieces:
            data = data[:at] + new + data[at + length :]
        return data

    return st.lists(piece, min_size=1, max_size=4).map(mutated).filter(lambda data: data != valid)


def same_meaning(data: bytes, valid: bytes) -> bool:
    """Whether only white space differs, which says nothing."""
    try:
        return parse_json(data) == parse_json(valid)
    except ArrpError:
        return False


@settings(max_examples=300)
@given(mutations(PARCEL))
def test_no_changed_parcel_is_accepted(data: bytes) -> None:
    assume(not same_meaning(data, PARCEL))
    with pytest.raises(ArrpError) as refusal:
        unpack(data, READER)
    assert refusal.value.code in set(Problem)


CONTENT = dumps(open_parcel(PARCEL, BANK_SEAL, "bank-pt"))


def refusal_or_meaning(door: Callable[[bytes], object], data: bytes) -> object:
    try:
        return door(data)
    except ArrpError as refusal:
        return refusal


@settings(max_examples=500)
@given(mutations(CONTENT))
def test_no_changed_content_says_anything_else(plain: bytes) -> None:
    """Everybody may seal for us and change what is sealed, but never what was signed."""
    heard = refusal_or_meaning(DOORS["OPEN"], parcel(plain))
    if isinstance(heard, ArrpError):
        assert heard.code in set(Problem)
        assert not isinstance(heard, Unacceptable), "a stranger cannot make us refuse in the sender's name"
        return
    known = unpack(PARCEL, READER)
    assert isinstance(known, Unpacked)
    assert isinstance(heard, Unpacked)
    assert replace(heard, head_jws="") == replace(known, head_jws=""), "white space inside the JWS may differ"


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for name in DOORS.keys() - {"KEY", "SEALING"}:
        heard = refusal_or_meaning(DOORS[name], data)
        assert name == "JSON" or (isinstance(heard, ArrpError) and heard.code in set(Problem))


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_refused_as_a_key(text: str) -> None:
    for name in ("KEY", "SEALING"):
        heard = refusal_or_meaning(DOORS[name], text.encode("utf-8", "replace"))
        assert isinstance(heard, ArrpError) or len(text) == 43
