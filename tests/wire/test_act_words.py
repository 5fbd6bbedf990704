"""R-23: an officer reads what is in the bytes, all of it, before signing them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arrp.core.errors import Malformed
from arrp.wire.act_words import act_words
from arrp.wire.json_text import json_text

REQUEST: dict[str, Any] = {
    "act": "a" * 32, "request": "b" * 32, "to": "NCB-PT", "kind": "Request", "handling": "H1",
    "use": {"onward": "yes", "court": "ask"}, "not_after": "2026-03-03T09:00:00.000000Z",
    "body": {"ask": "hold", "account": "payto://iban/PT50000201231234567890154",
             "asked": {"amount": "100000.00", "asset": "EUR"}, "keep": None, "documents": [], "instructs": None,
             "basis": {"power": "pt-1", "country": "PT", "article": "art. 1", "authority": "Bureau", "reference": ""},
             "until": "2026-03-04T09:00:00.000000Z", "source": {"kind": "payment", "coins": [[0, 100], [200, 300]]},
             "something_new": "that no label knows"},
}  # fmt: skip


def words(tree: Any) -> str:
    return "\n".join(act_words(json_text(tree), "c" * 64))


def test_r23_what_whom_amount_account_end_basis_and_hash_are_named() -> None:
    said = words(REQUEST)
    for line in ("Request (Request)", "asked of, told to: NCB-PT", "asked is to: hold money (hold)",
                 "amount, at most: 100000.00 EUR", "ends: 2026-03-04T09:00:00.000000Z", "basis: article: art. 1",
                 "account: IBAN PT50 0002 0123 1234 5678 9015 4 (payto://iban/PT50000201231234567890154)",
                 "body.something_new: that no label knows", f"act hash: {'c' * 64}",
                 "not stated: body.keep (null), body.documents (none), body.instructs (null), "
                 "body.basis.reference (no text)"):
        assert line in said, line


# A number and its digits as a text are read alike: of the two, the codec takes only what the field is.
LEAF = st.none() | st.sampled_from(["1", "a", "a a", "1 a", "1 a a", '"1 a"', "None"]) | st.text(
    'ab .:[]1\n"', max_size=4)
TREE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["ask", "amount", "asset", "text", "x"]), inner, max_size=3) | st.fixed_dictionaries(
    {"amount": inner, "asset": inner}), max_leaves=6)


def changed(tree: Any) -> Iterator[Any]:
    """The act with each of its values another one."""
    if isinstance(tree, dict):
        for name, item in tree.items():
            yield from ({**tree, name: other} for other in changed(item))
    elif isinstance(tree, list):
        for place, item in enumerate(tree):
            yield from ([*tree[:place], other, *tree[place + 1:]] for other in changed(item))
        yield [*tree, "more"]
    else:
        yield "another" if tree != "another" else "a third"


def test_r23_nothing_can_change_unread() -> None:
    every = list(changed(REQUEST))
    assert len(every) > 20
    assert [other for other in every if words(other) == words(REQUEST)] == []


def flat(tree: Any) -> Any:
    """The same with a text where an amount was."""
    if isinstance(tree, dict) and set(tree) == {"amount", "asset"}:
        return f"{tree['amount']} {tree['asset']}"
    if isinstance(tree, dict):
        return {name: flat(item) for name, item in tree.items()}
    return [flat(item) for item in tree] if isinstance(tree, list) else tree


@example(({"amount": "1", "asset": "EUR"}, "1 EUR"))
@example(({"amount": "1 a", "asset": "b"}, {"amount": "1", "asset": "a b"}))
@example(({"amount": "1", "asset": "EUR"}, {"amount": "1", "asset": "EUR", "x": "a"}))
@example(({"amount": None, "asset": "EUR"}, {"amount": "None", "asset": "EUR"}))
@example(('"1 EUR"', "1 EUR"))
@given(st.tuples(TREE, TREE) | TREE.map(lambda tree: (tree, flat(tree))))
def test_r23_acts_that_differ_are_read_differently(pair: tuple[Any, Any]) -> None:
    one, other = pair
    read = [act_words(json_text({**REQUEST, "body": {"it": tree}}), "c" * 64) for tree in (one, other)]
    assert read[0] != read[1] or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"kind":7}', b"nonsense"])
def test_what_is_no_act_is_not_read(data: bytes) -> None:
    with pytest.raises(Malformed):
        act_words(data, "c" * 64)
