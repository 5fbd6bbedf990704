"""Values <-> JSON: one text for one value (R-20), and halves that are the value again (R-60)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.coins import Coins
from arrp.core.errors import Corrupt, Malformed
from arrp.core.events import KINDS
from arrp.core.messages import PRIVATE, Act, Head
from arrp.core.money import Amount, Rate
from arrp.wire import codec
from arrp.wire.codec import act_bytes, dumps, halves, joined, loads, parse_json, read_act
from tests.wire.samples import ACT, ACT_BYTES, BODIES, HEAD, T0, Ask, Colour, Draft, Everything, Logged, Party

# --- strategies ----------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
integers = st.integers(-(2**63), 2**63 - 1)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8))])
instants = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001
amounts = st.builds(Amount, st.integers(0, 10**30), st.sampled_from(["EUR", "JPY", "KWD", "eip155:1/slip44:60"]))
positive = amounts.filter(lambda amount: amount.minor > 0)
spans = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))
parties = st.builds(Party, texts, texts, st.none() | texts)
values = st.builds(
    Everything,
    text=texts,
    number=integers,
    yes=st.booleans(),
    colour=st.sampled_from(Colour),
    at=instants,
    on=st.dates(),
    amount=amounts,
    coins=st.lists(spans, max_size=5).map(Coins.of),
    rate=st.builds(Rate, positive, positive),
    pair=st.tuples(integers, texts),
    perhaps=st.none() | texts,
    names=st.lists(texts, max_size=3).map(tuple),
    parties=st.lists(parties, max_size=3).map(tuple),
    maybe=st.none() | parties,
    by_name=st.dictionaries(texts, parties, max_size=3),
    sender=texts,
    secret=parties,
    texts=st.lists(texts, max_size=3).map(tuple),
)

MARK = "NOBODY MAY SEE THIS"
MARKED = Everything(
    text="said",
    number=7,
    yes=True,
    colour=Colour.RED,
    at=T0,
    on=date(2026, 11, 22),
    amount=Amount(6_200_000, "EUR"),
    coins=Coins(((0, 5), (7, 9))),
    rate=Rate(Amount(100_000_000, "bip122:000000000019d6689c085ae165831e93/slip44:0"), Amount(8_000_000, "EUR")),
    pair=(1, "one"),
    perhaps=None,
    names=("a", "b"),
    parties=(Party("FR", MARK, None), Party("PT", MARK, MARK)),
    maybe=Party("ES", MARK),
    by_name={"x": Party("IT", MARK)},
    sender="ncb-fr",
    secret=Party(MARK, MARK, MARK),
    texts=(MARK, MARK),
)


# --- one text for one value ----------------------------------------------------------------------


@given(values)
def test_reading_is_the_inverse_of_writing(value: Everything) -> None:
    data = dumps(value)
    assert loads(Everything, data) == value
    assert dumps(loads(Everything, data)) == data, "also an instant said in another time zone has one spelling"


def test_the_form_of_each_type() -> None:
    assert dumps(MARKED).decode() == (
        '{"text":"said","number":7,"yes":true,"colour":"red","at":"2026-11-22T08:00:00.000000Z","on":"2026-11-22",'
        '"amount":{"amount":"62000.00","asset":"EUR"},"coins":[[0,5],[7,9]],'
        '"rate":{"amount":{"amount":"1.00000000","asset":"bip122:000000000019d6689c085ae165831e93/slip44:0"},'
        '"claim":{"amount":"80000.00","asset":"EUR"}},"pair":[1,"one"],"perhaps":null,"names":["a","b"],'
        f'"parties":[{{"country":"FR","name":"{MARK}","note":null}},{{"country":"PT","name":"{MARK}",'
        f'"note":"{MARK}"}}],"maybe":{{"country":"ES","name":"{MARK}","note":null}},'
        f'"by_name":{{"x":{{"country":"IT","name":"{MARK}","note":null}}}},"from":"ncb-fr",'
        f'"secret":{{"country":"{MARK}","name":"{MARK}","note":"{MARK}"}},"texts":["{MARK}","{MARK}"]}}'
    )


def test_a_head_and_an_act_are_what_they_were() -> None:
    assert loads(Head, dumps(HEAD)) == HEAD
    assert b'"from":"ncb-fr"' in dumps(HEAD)
    assert read_act(ACT_BYTES, BODIES) == ACT
    assert act_bytes(read_act(ACT_BYTES, BODIES)) == ACT_BYTES


def test_text_is_written_as_it_is_read_by_people() -> None:
    assert dumps(Party("PT", 'João "Zé" 👍')) == '{"country":"PT","name":"João \\"Zé\\" 👍","note":null}'.encode()


NO_CLAIM = {"amount": {"amount": "1.00", "asset": "EUR"}, "claim": {"amount": "0.00", "asset": "EUR"}}
WHOLE, CUT = {"country": "FR", "name": "", "note": None}, {"country": "PT", "name": ""}
PATHS: list[tuple[str, Any, str]] = [
    ("text", 1, "text: is a whole number, not a text"),
    ("number", True, "number: is true or false, not a whole number"),
    ("number", None, "number: is null, not a whole number"),
    ("at", "2026-11-22T09:00:00.000000+01:00", "at: is not an instant as 2026-11-22T08:00:00.000000Z"),
    ("at", "2026-11-22T08:00:00.000000", "at: is not an instant"),
    ("on", "20261122", "on: is not a day as 2026-11-22"),
    ("on", "2026-W47-7", "on: is not a day as 2026-11-22"),
    ("colour", "blue", "colour: is a text, not one of red, green"),
    ("amount", {"amount": "62000.0", "asset": "EUR"}, "amount: is written with all decimals of its asset, as 62000.00"),
    ("amount", {"amount": "1.00"}, "amount.asset: is missing"),
    ("amount", {"amount": "1.00", "asset": "XYZW"}, "amount: asset 'XYZW' is neither"),
    ("coins", [[5, 5]], "coins: coins must be sorted"),
    ("coins", [[0, 5, 6]], "coins.0: is a list, not a list of the right length"),
    ("coins", [[0, "5"]], "coins.0.1: is a text"),
    ("rate", NO_CLAIM, "rate: a rate needs an amount and a claim above zero"),
    ("pair", [1], "pair: is a list, not a list of the right length"),
    ("pair", ["one", 1], "pair.0: is a text, not a whole number"),
    ("names", "ab", "names: is a text, not a list"),
    ("names", ["a", None], "names.1: is null"),
    ("parties", [WHOLE, CUT], "parties.1.note: is missing"),
    ("parties", [{**WHOLE, "age": 1}], "parties.0.age: is not a field"),
    ("parties", [None], "parties.0: is null, not an object"),
    ("by_name", {"x": {"country": 1, "name": "", "note": None}}, "by_name.x.country: is a whole number"),
    ("by_name", [], "by_name: is a list, not an object"),
    ("maybe", [], "maybe: is a list, not an object"),
    ("also", 1, "also: is not a field of this object"),
    ("from", ..., "from: is missing"),
    ("secret", ..., "secret: is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "item", "why"), PATHS, ids=[f"{name} {item}"[:40] for name, item, _ in PATHS])
def test_what_does_not_fit_is_named_by_its_path(name: str, item: object, why: str) -> None:
    tree = {**json.loads(dumps(MARKED)), name: item}
    data = json.dumps({key: node for key, node in tree.items() if node is not ...}).encode()
    with pytest.raises(Malformed) as refusal:
        loads(Everything, data)
    assert str(refusal.value).startswith(f"Everything: {why}")
    assert refusal.value.code == "malformed"


def test_the_path_leads_through_the_body_of_an_act() -> None:
    data = ACT_BYTES.replace(b'"62000.00"', b'"62000.0"')
    with pytest.raises(Malformed, match=r"Act: body\.amount: is written with all decimals"):
        read_act(data, BODIES)


def test_an_act_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Malformed, match="Act: kind: is not a kind that this node knows") as refusal:
        read_act(ACT_BYTES, {})
    assert refusal.value.code == "unknown-kind"


def test_an_unknown_kind_deep_inside_is_named_by_its_path() -> None:
    data = dumps(Logged("Draft", Draft("Nobody", 2, Ask(Amount(1, "EUR"), 1))))
    with pytest.raises(Malformed, match=r"Logged: body\.kind: is not a kind"):
        loads(Logged, data, BODIES)


BEYOND: list[tuple[str, Any]] = [
    ("an instant without zone", replace(MARKED, at=datetime(2026, 11, 22))),  # noqa: DTZ001
    ("a day that is an instant", replace(MARKED, on=T0)),
    ("a number of 65 bits", replace(MARKED, number=2**63)),
    ("a number that is true", replace(MARKED, number=True)),
    ("a number that is a float", replace(MARKED, number=7.0)),  # type: ignore[arg-type]
    ("a text that is null", replace(MARKED, text=None)),  # type: ignore[arg-type]
    ("half a surrogate pair", replace(MARKED, text="\ud83d")),
    ("U+0000", replace(MARKED, text="a\0b")),
    ("a list for a tuple", replace(MARKED, names=["a"])),  # type: ignore[arg-type]
    ("a tuple of the wrong length", replace(MARKED, pair=(1, "a", 2))),  # type: ignore[arg-type]
    ("a text for a colour", replace(MARKED, colour="red")),  # type: ignore[arg-type]
    ("a number for an amount", replace(MARKED, amount=62000)),  # type: ignore[arg-type]
    ("coins beyond 64 bits", replace(MARKED, coins=Coins(((0, 2**63),)))),
    ("keys that are no text", replace(MARKED, by_name={1: Party("FR")})),  # type: ignore[dict-item]
    ("another class", replace(MARKED, maybe=Ask(Amount(1, "EUR"), 1))),  # type: ignore[arg-type]
    ("more than 1 MiB", replace(MARKED, text="a" * (1 << 20))),
]


@pytest.mark.parametrize("value", [value for _, value in BEYOND], ids=[name for name, _ in BEYOND])
def test_what_no_peer_would_read_is_not_written(value: Everything) -> None:
    with pytest.raises(Malformed):
        dumps(value)


# --- JSON text -----------------------------------------------------------------------------------

TAKEN: list[tuple[str, bytes, object]] = [
    ("lists 32 deep", b"[" * 32 + b"]" * 32, ...),
    ("lists 32 deep beside others", b"[[]," + b"[" * 31 + b"]" * 32, ...),
    ("brackets in a text", b'["' + b"[{" * 100 + b'"]', ["[{" * 100]),
    ("brackets behind an escaped quote", rb'["\"' + b"[" * 100 + b'"]', ['"' + "[" * 100]),
    ("many lists side by side", b"[" + b"[]," * 5000 + b"[]]", [[]] * 5001),
    ("the largest numbers", b"[9223372036854775807,-9223372036854775808]", [2**63 - 1, -(2**63)]),
    ("a surrogate pair", rb'["\ud83d\udc4d"]', ["👍"]),
    ("an escaped backslash before u0000", rb'["\\u0000"]', ["\\u0000"]),
    ("white space of JSON", b" \t\r\n[ 1 ] \n", [1]),
    ("exactly 1 MiB", b'"' + b"a" * ((1 << 20) - 2) + b'"', "a" * ((1 << 20) - 2)),
    ("an empty key", b'{"":null}', {"": None}),
]


@pytest.mark.parametrize(("data", "tree"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_good_json_is_read(data: bytes, tree: object) -> None:
    assert parse_json(data) == (json.loads(data) if tree is ... else tree)


def trees(keys: st.SearchStrategy[str], leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=12)


@given(trees(texts, st.none() | st.booleans() | integers | texts), st.booleans(), st.sampled_from([None, 2]))
def test_all_that_json_says_in_one_way_is_read(tree: Any, ascii_only: bool, indent: int | None) -> None:
    assert parse_json(json.dumps(tree, ensure_ascii=ascii_only, indent=indent).encode()) == tree


@given(st.text('[]{}",:\\u0019dDeE.-+ tnrlNaI\n"', max_size=24))
def test_what_is_read_is_read_as_others_read_it(text: str) -> None:
    """Never more generous than Python's own parser, and never to another value."""
    try:
        tree = parse_json(text.encode())
    except Malformed:
        return
    assert json.loads(text) == tree


# --- halves --------------------------------------------------------------------------------------


@given(values)
def test_r60_two_halves_are_the_value_again(value: Everything) -> None:
    lasting, private = halves(value)
    assert joined(Everything, lasting, private) == value
    assert halves(joined(Everything, lasting, private)) == (lasting, private)


@given(values)
def test_r60_after_erasure_the_private_fields_have_their_defaults(value: Everything) -> None:
    lasting, _ = halves(value)
    left = joined(Everything, lasting, None)
    assert left == replace(
        value,
        parties=tuple(Party(party.country) for party in value.parties),
        maybe=value.maybe and Party(value.maybe.country),
        by_name={name: Party(party.country) for name, party in value.by_name.items()},
        secret=Party("ZZ"),
        texts=(),
    )
    assert halves(left)[0] == lasting, "the lasting half stays byte for byte: the leaf still verifies"


def test_r60_nothing_private_is_in_the_lasting_half() -> None:
    lasting, private = halves(MARKED)
    assert MARK.encode() not in lasting
    assert private.count(MARK.encode()) == dumps(MARKED).count(MARK.encode()) == 10
    assert json.loads(private) == {
        "parties": [{"name": MARK, "note": None}, {"name": MARK, "note": MARK}],
        "maybe": {"name": MARK, "note": None},
        "by_name": {"x": {"name": MARK, "note": None}},
        "secret": {"country": MARK, "name": MARK, "note": MARK},
        "texts": [MARK, MARK],
    }


def test_r60_without_private_fields_the_private_half_is_empty() -> None:
    assert halves(HEAD) == (dumps(HEAD), b"{}")
    assert joined(Head, dumps(HEAD), b"{}") == HEAD
    assert joined(Head, dumps(HEAD), None) == HEAD


@pytest.mark.parametrize(
    "value",
    [
        Logged("Ask", Ask(Amount(1, "EUR"), 2, MARK)),
        Logged("Party", Party("FR")),
        Logged("Draft", Draft("Ask", 2, Ask(Amount(1, "EUR"), 2, MARK))),
        Logged("Everything", MARKED),
    ],
    ids=["a body", "a body with defaults", "a body in a body", "a body with lists"],
)
def test_r60_halves_reach_into_a_body_of_any_kind(value: Logged) -> None:
    lasting, private = halves(value)
    assert MARK.encode() not in lasting
    assert joined(Logged, lasting, private, BODIES) == value
    assert halves(joined(Logged, lasting, None, BODIES))[0] == lasting


MIXED_UP: list[tuple[str, bytes | None, bytes | None]] = [
    ("the private half of another value", None, halves(replace(MARKED, parties=()))[1]),
    ("a private half with a longer list", None, halves(replace(MARKED, parties=(Party("FR"),) * 3))[1]),
    ("a private half that says something lasting", None, b'{"number":8}'),
    ("an empty private half", None, b"{}"),
    ("a private half that is no JSON", None, b""),
    ("a lasting half with private fields", dumps(MARKED), None),
    ("a lasting half of another class", dumps(HEAD), None),
]


@pytest.mark.parametrize(("lasting", "private"), [row[1:] for row in MIXED_UP], ids=[row[0] for row in MIXED_UP])
def test_halves_that_do_not_belong_together_are_corrupt(lasting: bytes | None, private: bytes | None) -> None:
    with pytest.raises(Corrupt, match="do not fit each other"):
        joined(Everything, lasting or halves(MARKED)[0], private)


# --- classes that cannot be written: bugs of ours, found at the first use -------------------------


@dataclass(frozen=True)
class Homeless:
    name: str = field(metadata=PRIVATE)


@dataclass
class Loose:
    name: str


@dataclass(frozen=True)
class Inexact:
    ratio: float


@dataclass(frozen=True)
class Vague:
    either: int | str


@dataclass(frozen=True)
class Nameless:
    body: Any


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Homeless("x"), "has no default to take after erasure"),
        (Loose("x"), "is not frozen"),
        (Inexact(1.5), "has no form on the wire"),
        (Vague(1), "has no form on the wire"),
        (Nameless(HEAD), "no text field `kind`"),
    ],
)
def test_a_class_that_cannot_travel_is_refused_at_once(value: object, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        dumps(value)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_event_can_be_written_and_erased(kind: str) -> None:
    for part in codec._Part:
        codec._form(KINDS[kind].body, part)


def test_r25_every_field_of_an_act_is_on_the_wire() -> None:
    assert list(json.loads(ACT_BYTES)) == [one.name for one in fields(Act)]
