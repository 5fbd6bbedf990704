"""The exact bytes of an act in the words of its fields: what an officer reads before signing them (R-23).

Every value in the bytes is printed, under a label where there is one and under its own name where there is none;
what is empty is named at the end. So two acts that differ are read differently, and nothing hidden is signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from arrp.core.errors import Malformed
from arrp.wire.json_text import parse_json

_KINDS: Mapping[str, str] = {
    "Request": "Request", "Mandate": "Mandate: what this node may ask for without a further signature",
    "Loss": "Loss: what was lost in all, without a name", "Keep": "Keep: how much of the hold is claimed",
    "Withdraw": "Withdraw: the wish ends, what is held goes free", "Release": "Release: hold less from now on",
    "Decide": "Decision on a request", "Extend": "Extend: hold for longer", "Secure": "Secure: an order holds it now",
    "NamePayee": "Payee: to whom the money goes back", "Return": "Return: send the money back",
    "Object": "Objection of the account holder", "DecideObjection": "Decision on an objection",
}
_ASKS: Mapping[str, str] = {
    "stop": "stop a payment in flight", "hold": "hold money", "arm": "hold money on arrival",
    "trace": "tell where money went, hold nothing", "preserve": "keep records, hold nothing",
}

_AMOUNT = re.compile(r"-?[0-9.]+ \S+")  # as amount and asset are printed in one
_EMPTY: Mapping[type, str] = {type(None): "null", str: "no text", list: "none", dict: "nothing"}

# By path in the act; what is not here is printed under its path.
_LABELS: Mapping[str, str] = {
    "to": "asked of, told to", "not_after": "may be applied until", "request": "request", "act": "act",
    "handling": "handling", "use.onward": "may be pursued onward", "use.court": "may be shown in court",
    "body.ask": "asked is to", "body.account": "account", "body.institution": "kept by",
    "body.asked": "amount, at most", "body.claim": "counts for, of the loss", "body.keep": "claimed at once",
    "body.until": "ends", "body.amount": "amount", "body.total": "in all, at most", "body.to": "hold at most",
    "body.per_request": "one request, at most", "body.valid_from": "counts from", "body.valid_until": "ends",
    "body.hops_max": "transfers onward, at most", "body.countries": "countries", "body.asks": "may ask to",
    "body.crimes": "crimes", "body.night_approvals": "officers who sign at night", "body.basis.power": "basis: power",
    "body.basis.country": "basis: country", "body.basis.article": "basis: article",
    "body.basis.authority": "basis: authority", "body.basis.reference": "basis: file", "body.accepted": "accepted",
    "body.reason": "reason", "body.ground": "ground", "body.name": "name", "body.text": "in words",
    "body.facts": "facts", "body.crime": "crime", "body.loss": "loss", "body.stated_by": "loss stated by",
    "body.review_at": "reviewed at", "body.free": "goes free", "body.state": "the objection is",
    "body.credit.amount": "credit: amount", "body.credit.references": "credit: references",
    "body.credit.name": "credit: to the name of", "body.instructs": "instructs for request",
}  # fmt: skip


def act_words(data: bytes, act_hash: str) -> list[str]:
    """The act, line by line; `act_hash` is what is signed over it. Raises Malformed for what is no act."""
    tree = parse_json(data)
    if not isinstance(tree, dict) or not isinstance(tree.get("kind"), str):
        raise Malformed("these bytes are no act: sign nothing, ask the operator")
    kind = tree["kind"]
    rows, empty = list(_leaves(tree, "")), list(_empty(tree, ""))
    lines = [f"{_KINDS[kind]} ({kind})" if kind in _KINDS else kind]
    lines += [f"  {_label(path)}: {_worded(path, value)}" for path, value in sorted(rows, key=_place) if path != "kind"]
    lines += [f"  not stated: {', '.join(empty)}"] if empty else []
    return [*lines, f"  act hash: {act_hash}"]


def _leaves(tree: object, path: str) -> Iterator[tuple[str, str]]:
    """(path, value as text) of everything that says something."""
    if (amount := _amount(tree)) is not None:
        yield path, amount
    elif isinstance(tree, dict):
        for name, item in tree.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(tree, list):
        for place, item in enumerate(tree, 1):
            yield from _leaves(item, f"{path}[{place}]")
    elif tree not in (None, ""):
        yield path, _text(tree) if not isinstance(tree, bool) else ("yes" if tree else "no")


def _amount(tree: object) -> str | None:
    """`100.00 EUR` for an amount and its asset; None for what is anything else, or more."""
    if not isinstance(tree, dict) or tree.keys() != {"amount", "asset"}:
        return None
    said = f"{tree['amount']} {tree['asset']}"
    return said if all(isinstance(part, str) for part in tree.values()) and _AMOUNT.fullmatch(said) else None


def _text(leaf: object) -> str:
    """A text as it is; in quotes where it would read like an amount, or like a text in quotes."""
    said = str(leaf)
    return json.dumps(said, ensure_ascii=False) if _AMOUNT.fullmatch(said) or said.startswith('"') else said


def _empty(tree: object, path: str) -> Iterator[str]:
    if isinstance(tree, dict | list) and tree:
        items = tree.items() if isinstance(tree, dict) else ((f"[{place}]", one) for place, one in enumerate(tree, 1))
        for name, item in items:
            joint = "" if not path or name.startswith("[") else "."
            yield from _empty(item, f"{path}{joint}{name}")
    elif tree in (None, "", [], {}):
        yield f"{path} ({_EMPTY[type(tree)]})"


def _plain(path: str) -> str:
    """The path without places in lists."""
    return "".join(part.partition("]")[2] if place else part for place, part in enumerate(path.split("[")))


def _label(path: str) -> str:
    label = _LABELS.get(_plain(path), _plain(path))
    places = [part.partition("]")[0] for part in path.split("[")[1:]]
    return f"{label} {'.'.join(places)}" if places else label


def _place(row: tuple[str, str]) -> int:
    """In the order of the labels; what has none comes after."""
    order = list(_LABELS)
    return order.index(_plain(row[0])) if _plain(row[0]) in order else len(order)


def _worded(path: str, value: str) -> str:
    if path == "body.ask" and value in _ASKS:
        return f"{_ASKS[value]} ({value})"
    if value.startswith("payto://iban/"):
        number = value.removeprefix("payto://iban/")
        return f"IBAN {' '.join(number[place:place + 4] for place in range(0, len(number), 4))} ({value})"
    return value
