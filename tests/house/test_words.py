"""One word for one thing: names under src keep to docs/glossary.md, and to the words that say nothing.

The column *Do not say* of the glossary is the list: a word in `code` may not be part of a name, `core:` limits it to
the rules. What a library calls its own things (`jws.payload`) is not ours to name and is not looked at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.source import ROOT, Module, modules

GLOSSARY = ROOT / "docs" / "glossary.md"

# Names that could stand on any file. What a thing is called when nobody asked what it is for.
SAYS_NOTHING = {"helper", "util", "utility", "manager", "misc", "dto"}
# Whole names that others spell, and the rooms where they do: a crime code; a member of a JWS (RFC 7515).
SPELLED_BY_OTHERS = {"MULE": {"core", "wire"}, "payload": {"wire"}}


def rows(text: str, columns: int) -> Iterator[list[str]]:
    """The body rows of all tables that have this many columns."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == columns and not set(line) <= set("|-") and cells[0] != "Word":
            yield cells


def refused(text: str) -> dict[str, str | None]:
    """word -> the room it is refused in; None for everywhere."""
    found: dict[str, str | None] = {}
    for _, _, unwanted in rows(text, 3):
        for word in re.findall(r"`([^`]+)`", unwanted):
            room, _, name = word.rpartition(":")
            found[name.replace("_", " ")] = room or None
    return found | dict.fromkeys(SAYS_NOTHING)


def words(name: str) -> str:
    """`HoldsReapportioned` and `holds_reapportioned` as ` holds reapportioned `."""
    return " " + " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)).lower() + " "


def names(module: Module) -> Iterator[tuple[int, str]]:
    """Every name the module itself gives: to files, classes, functions, arguments, variables, fields."""
    for part in module.name.removesuffix(".py").split("/"):
        yield 1, part
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield getattr(node, "lineno", 1), node.asname


def _is_self(node: ast.expr) -> bool:
    """An attribute set on anything else is that thing's name, not ours."""
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def unwanted_names(module: Module, vocabulary: dict[str, str | None]) -> Iterator[str]:
    for line, name in names(module):
        if module.room in SPELLED_BY_OTHERS.get(name, ()):
            continue
        for word, room in vocabulary.items():
            if room in (None, module.room) and re.search(f" {word}s? ", words(name)):
                yield f"{module.name}:{line} {name}: the glossary has another word for {word}"


def glossary() -> str:
    return GLOSSARY.read_text(encoding="utf-8")


def test_names_keep_to_the_glossary() -> None:
    vocabulary = refused(glossary())
    assert [fault for module in modules() for fault in unwanted_names(module, vocabulary)] == []


def test_the_glossary_refuses_what_would_hurt_most() -> None:
    vocabulary = refused(glossary())
    everywhere = {word for word, room in vocabulary.items() if room is None}
    assert {"freeze", "seize", "suspect", "fraudster", "mule", "payload", "ttl", "helper", "manager"} <= everywhere
    assert vocabulary["response"] == "core"


def test_no_word_is_defined_twice() -> None:
    """The same word may be a command and a request, but within one table it has one line."""
    for section in glossary().split("\n## ")[1:]:
        columns = 3 if "Do not say" in section else 2
        defined = [word for cells in rows(section, columns) for word in re.findall(r"`([^`]+)`", cells[0])]
        assert sorted(defined) == sorted(set(defined)), section.splitlines()[0]
        assert defined, section.splitlines()[0]


def test_every_meaning_is_a_sentence() -> None:
    for columns in (2, 3):
        for cells in rows(glossary(), columns):
            assert cells[1].endswith("."), cells
            assert cells[1][0].isupper() or cells[1].startswith("`"), cells


def test_no_wanted_word_is_refused() -> None:
    text = glossary()
    wanted = {word.replace("_", " ").lower() for cells in rows(text, 3) for word in re.findall(r"`([^`]+)`", cells[0])}
    everywhere = {word for word, room in refused(text).items() if room is None}
    assert wanted & everywhere == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/a.py", "def freeze_account(): ..."),
        ("node/a.py", "class AccountFreeze: ..."),
        ("node/a.py", "mules = []"),
        ("core/a.py", "class A:\n    suspect: str"),
        ("node/a.py", "def f(payload): ..."),
        ("wire/a.py", "def read_payload(): ..."),
        ("console/a.py", "MULE = 1"),
        ("node/a.py", "self.ttl = 5"),
        ("node/a.py", "import arrp.core.money as moneyHelper"),
        ("node/peer_manager.py", ""),
        ("core/a.py", "def f(response): ..."),
        ("node/a.py", "risk_score = 1"),
    ],
)
def test_a_planted_word_is_found(name: str, text: str) -> None:
    assert list(unwanted_names(Module(name, text), refused(glossary())))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/a.py", "class Crime:\n    MULE = 'MULE'"),
        ("wire/a.py", "x = jws.payload\njws.max_payload_length = 9"),
        ("wire/a.py", "class Jws:\n    payload: str"),
        ("node/http.py", "response = 1"),
        ("core/a.py", "@dataclass(frozen=True)\nclass A:\n    suspended: bool"),
        ("core/a.py", "acknowledged = 1"),
        ("node/a.py", "'''We never say freeze.'''"),
    ],
)
def test_an_honest_name_passes(name: str, text: str) -> None:
    assert list(unwanted_names(Module(name, text), refused(glossary()))) == []
