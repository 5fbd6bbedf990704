"""The specification says what the code does: its tables are read from the Markdown and compared, cell by cell.

A table is found by its header. What a stranger would build from must not be a copy that has aged.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import types
import typing
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from arrp.core import messages
from arrp.core.coins import Coins
from arrp.core.events import ATTACHED, KINDS, Kind
from arrp.core.money import Amount, Rate
from arrp.core.policy import ENTITLED, Participant
from arrp.core.request import Condition, Reason, Terms
from arrp.wire import Problem, approvals, codec, copies, directory, entry, envelope, signed_text
from tests.house.source import ROOT, modules

DOCS = ROOT / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
HOLES = (DOCS / "holes.md").read_text(encoding="utf-8")

# Signed objects, the parcel and what it seals: they travel, but are the body of no kind.
COVERS = (
    messages.Act, messages.Head, messages.Receipt, messages.Checkpoint, messages.StateExchange,
    envelope.Parcel, envelope.Routing, envelope.Content, envelope.Note, envelope.Attached, copies.Copies,
    directory.Edition, entry.Entry, signed_text.TextSignature, Participant,
)  # fmt: skip
PARTICIPANTS = ("authority", "institution", "issuer", "coordinator")
NONE = "–"

# --- reading -----------------------------------------------------------------------------------------


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows(text: str, *header: str) -> list[list[str]]:
    """The body rows of the one table with exactly this header."""
    found: list[list[str]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("|") and cells(line) == list(header):
            assert not found, f"two tables are headed {header}"
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                found.append(cells(row))
    assert found, f"no table is headed {header}"
    assert {len(row) for row in found} == {len(header)}
    return found


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def rules_in(text: str) -> list[str]:
    return re.findall(r"\bR-\d{2,3}\b", text)


def defined() -> list[str]:
    """Rules in the order in which they are stated: a paragraph that begins with the bold number."""
    return re.findall(r"^\*\*(R-\d{2,3}) [^*]+\.\*\*", PROTOCOL, re.MULTILINE)


# --- dataclasses ---------------------------------------------------------------------------------------


@cache
def reached(cls: type) -> tuple[type, ...]:
    """The dataclass and all that its fields hold, in order; amounts and coins have a form of their own."""
    found: dict[type, None] = {}
    waiting: list[Any] = [cls]
    while waiting:
        hint = waiting.pop(0)
        waiting += typing.get_args(hint)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in (Amount, Coins, *found):
            found[hint] = None
            waiting += typing.get_type_hints(hint).values()
    return tuple(found)


def spoken() -> dict[str, type]:
    """Every dataclass that is part of what is said to a peer, by its name."""
    bodies = [kind.body for kind in KINDS.values() if kind.writer != "local"]
    return {cls.__name__: cls for body in bodies for cls in reached(body)}


def members(cls: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.metadata.get("name", field.name): field for field in dataclasses.fields(cls)}


_WORDS = {str: "text", int: "integer", bool: "boolean", datetime: "instant", date: "day", Amount: "amount",
          Coins: "intervals", Any: "body"}  # fmt: skip


def form(hint: Any) -> str:
    """An annotation as the table of bodies writes it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in _WORDS:
        return _WORDS[hint]
    if origin in (typing.Union, types.UnionType):
        return f"{form(inner[0])}?"
    if origin is tuple and typing.get_origin(inner[0]) is tuple:
        return "intervals"
    if origin is tuple:
        return f"[{form(inner[0])}]"
    if origin is dict:
        return f"{{{form(inner[0])}: {form(inner[1])}}}"
    name: str = hint.__name__
    return name


def written(cls: type) -> str:
    hints = typing.get_type_hints(cls)
    return ", ".join(f"`{name}` {form(hints[field.name])}" for name, field in members(cls).items())


# --- the tables --------------------------------------------------------------------------------------------


def kind_row(name: str, kind: Kind) -> list[str]:
    local, attached = kind.writer == "local", name in ATTACHED
    sort = "attached" if attached else "command" if kind.command else "fact"
    needs = [NONE, NONE] if local else [str(kind.approvals), str(kind.own)]
    waits = NONE if local or attached else "yes" if kind.waits else "no"
    number = "none" if local or attached else "yes"
    return [f"`{name}`", f"`{kind.body.__name__}`", sort, kind.writer, *needs, number, waits]


def test_the_table_of_kinds_is_the_code() -> None:
    found = rows(PROTOCOL, "Kind", "Body", "Command or fact", "Writer", "Approvals", "Own", "Number", "Waits")
    assert found == [kind_row(name, kind) for name, kind in KINDS.items()]


def test_the_table_of_bodies_is_the_code() -> None:
    """Members in their order, with their types: what a stranger writes to the byte."""
    wanted = {f"`{name}`": written(cls) for name, cls in spoken().items()}
    wanted |= {f"`{cls.__name__}`": written(cls) for cover in COVERS for cls in reached(cover)}
    found = rows(PROTOCOL, "Body", "Members")
    assert dict(found) == wanted
    assert len(found) == len(wanted)


def test_closed_lists_are_told_whole() -> None:
    enums = {hint for cls in (*spoken().values(), *(c for cover in COVERS for c in reached(cover)))
             for hint in typing.get_type_hints(cls).values() if isinstance(hint, type) and issubclass(hint, StrEnum)}
    text = " ".join(PROTOCOL.split())
    for enum in enums:
        assert f"`{enum.__name__}` {', '.join(enum)}" in text, f"closed list of {enum.__name__}"


def test_who_may_ask_whom_is_the_code() -> None:
    found = {row[0]: row[1:] for row in rows(PROTOCOL, "Asks", *PARTICIPANTS)}
    asked = {(who, whom): set(cell.split(", ")) - {"nothing"}
             for who, line in found.items() for whom, cell in zip(PARTICIPANTS, line, strict=True)}
    assert {pair: asks for pair, asks in asked.items() if asks} == {k: {str(a) for a in v} for k, v in ENTITLED.items()}
    assert set(found) == set(PARTICIPANTS)


def test_every_reason_and_condition_is_explained() -> None:
    found = rows(PROTOCOL, "Code", "ISO 20022", "Meaning", "What to do next")
    assert [row[0] for row in found] == [str(reason) for reason in Reason]
    for code, iso, meaning, following in found:
        assert iso == (code if re.fullmatch(r"[A-Z]{2}\d{2}|[A-Z]{4}", code) else NONE)
        assert meaning
        assert following
    assert [row[0] for row in rows(PROTOCOL, "Code", "Meaning")] == [str(condition) for condition in Condition]


def test_every_code_of_a_refusal_is_explained() -> None:
    """Literal codes in the source, the problems of the wire, and no row that nobody answers with."""
    refused = {row[0] for row in rows(PROTOCOL, "Code", "Rule", "Meaning")}
    problems = {row[0] for row in rows(PROTOCOL, "Code", "HTTP", "Receipt", "Meaning")}
    literal = {code for module in modules() for code in re.findall(r'\bcode="([^"]+)"', module.text)}
    assert sorted((literal | set(Problem)) - refused - problems) == []
    assert sorted((refused | problems) - literal - set(Problem)) == []
    assert refused & problems == set()


def test_no_problem_is_a_fault_of_the_server() -> None:
    for code, status, _, _ in rows(PROTOCOL, "Code", "HTTP", "Receipt", "Meaning"):
        assert status in ("400", "401", "403", "409", "422") or (status, code) == (NONE, "bad-proof")


def test_the_private_fields_are_the_code() -> None:
    classes = {cls.__name__: cls for kind in KINDS.values() for cls in reached(kind.body)}
    private = {f"`{name}`": [field.name for field in dataclasses.fields(cls) if field.metadata.get("private")]
               for name, cls in classes.items()}
    found = {body: codes(fields) for body, fields in rows(PROTOCOL, "Body", "Private fields")}
    assert found == {body: fields for body, fields in private.items() if fields}


# --- who may know what -----------------------------------------------------------------------------------

RECIPIENTS = ("requesting authority", "requested authority", "holder institution", "another institution", "issuer",
              "relay", "coordinator")  # fmt: skip


def recipients() -> Iterator[tuple[str, str, dict[str, str]]]:
    """(class, member or *, recipient -> yes, no, law or party) of every entry of the table."""
    for names, *may in rows(PROTOCOL, "Fields", *RECIPIENTS):
        for name in codes(names):
            cls, member = name.split(".")
            yield cls, member, dict(zip(RECIPIENTS, may, strict=True))


def test_every_field_says_whom_it_may_reach() -> None:
    named = Counter((cls, member) for cls, member, _ in recipients())
    assert set(named.values()) == {1}, "a field stands in one row"
    bodies = {**spoken(), "Parcel": envelope.Parcel}
    assert {cls for cls, _ in named} <= set(bodies)
    for name, cls in bodies.items():
        for member, field in members(cls).items():
            is_named = (name, member) in named
            assert is_named or ((name, "*") in named and not field.metadata.get("private")), f"{name}.{member}"
    for name, member in named:
        assert member == "*" or member in members(bodies[name]), f"{name} has no {member}"


def test_the_relay_sees_the_parcel_and_the_coordinator_nothing() -> None:
    for cls, member, may in recipients():
        assert set(may.values()) <= {"yes", "no", "law", "party"}
        assert may["relay"] == ("yes" if cls == "Parcel" else "no"), f"{cls}.{member}"
        assert may["coordinator"] == "no", f"{cls}.{member}"


def test_what_identifies_the_next_account_needs_a_law() -> None:
    may = {(cls, member): to for cls, member, to in recipients()}
    for member in ("account", "name", "ref", "institution"):
        assert may["Leg", member]["requesting authority"] == "law"
        assert may["Leg", member]["another institution"] == "no"


# --- rules, examples, holes, states ------------------------------------------------------------------------------


def test_rules_are_stated_once_in_order_and_with_a_reason() -> None:
    stated = defined()
    assert stated == sorted(stated, key=lambda rule: int(rule[2:]))
    assert len(stated) == len(set(stated))
    for rule in re.split(r"^(?=\*\*R-\d)", PROTOCOL, flags=re.MULTILINE)[1:]:
        assert re.search(r"^\*Why", rule.split("\n## ")[0], re.MULTILINE), rule[:60]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_every_rule_that_a_page_names_is_stated(page: Path) -> None:
    assert sorted(set(rules_in(page.read_text(encoding="utf-8"))) - set(defined())) == []


def test_the_example_of_rounding_adds_up() -> None:
    found = {term: (amount, claim) for term, amount, claim in rows(PROTOCOL, "Term", "Amount", "Claim")}
    total, loss = map(int, found.pop("sum"))
    parts = {term: int(amount) for term, (amount, _) in found.items() if amount}
    terms = Terms(Amount(total, "XXX"), **parts)
    claims = terms.claims(Rate(Amount(total, "XXX"), Amount(loss, "EUR")))
    assert claims == {term: int(claim) for term, (_, claim) in found.items()}
    assert sum(claims.values()) == loss


def test_the_example_of_an_act_is_read_and_written_to_the_byte() -> None:
    """What a stranger compares first: the bytes of an act, its hash, the payload of its head."""
    block = re.search(r"^\*Example\.\* An act.*\n\n((?:    .+\n)+)", PROTOCOL, re.MULTILINE)
    assert block is not None
    act, salt, named, head = (line.strip() for line in block[1].splitlines())
    bodies = {name: kind.body for name, kind in KINDS.items()}
    assert codec.act_bytes(codec.read_act(act.encode(), bodies)) == act.encode()
    assert approvals.act_hash(bytes.fromhex(salt), act.encode()) == named
    covers = codec.loads(messages.Head, head.encode())
    assert codec.dumps(covers) == head.encode()
    assert covers.act_hash == named


@pytest.mark.parametrize("place", [0, 1], ids=["protocol", "users"])
def test_every_hole_says_how_it_is_closed(place: int) -> None:
    part = HOLES.split("\n## ")[1 + place]
    found = rows(part, "#", "Hole", "Closed by", "In the code")
    assert [row[0] for row in found] == [str(number) for number in range(1, 26)]
    for number, _, closed, built in found:
        assert rules_in(closed) or "later: " in closed or number == "23", f"hole {number}"
        assert re.match(r"yes|partly: |later", built), f"hole {number}"


def test_the_page_of_states_is_what_its_maker_prints() -> None:
    """After a change of the tables: python docs/make_states.py > docs/states.md"""
    spec = importlib.util.spec_from_file_location("make_states", DOCS / "make_states.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (DOCS / "states.md").read_text(encoding="utf-8") == maker.states()


def test_a_table_is_read_by_its_header() -> None:
    text = "| A | B |\n|---|---|\n| 1 | `x` |\n\n| A | C |\n|---|---|\n| 2 | 3 |\n"
    assert rows(text, "A", "C") == [["2", "3"]]
    assert codes(rows(text, "A", "B")[0][1]) == ["x"]
    with pytest.raises(AssertionError, match="no table"):
        rows(text, "A")
    assert rules_in("R-1 R-10 XR-11 R-012") == ["R-10", "R-012"]
