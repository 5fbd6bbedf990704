"""A rule stands in three places: docs/protocol.md says it, a comment under src obeys it, a test proves it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import pytest

from tests.house.source import ROOT, Function, Module, modules

PROTOCOL = ROOT / "docs" / "protocol.md"
RULE = re.compile(r"\bR-(\d{2,3})\b")
IN_A_NAME = re.compile(r"(?<![a-z])r_?(\d{2,3})(?![0-9])")


def in_text(text: str) -> set[str]:
    return {f"R-{number}" for number in RULE.findall(text)}


def in_source(house: Iterable[Module]) -> set[str]:
    """Rules that a comment or a docstring cites."""
    said = (text for module in house for text in (*module.docstrings(), *(c for _, c in module.comments())))
    return {rule for text in said for rule in in_text(text)}


def in_tests(house: Iterable[Module]) -> set[str]:
    """Rules that a test's name (`test_r17_…`) or the docstring of a test, its class or its file cites."""
    found: set[str] = set()
    for module in house:
        if not module.name.split("/")[-1].startswith("test_") or module.name.startswith("house/"):
            continue
        found |= {rule for text in module.docstrings() for rule in in_text(text)}
        tests = (node.name for node in ast.walk(module.tree) if isinstance(node, Function))
        found |= {f"R-{number}" for name in tests if name.startswith("test_") for number in IN_A_NAME.findall(name)}
    return found


def anywhere(house: Iterable[Module]) -> set[str]:
    """Rules that are cited at all: in an error's `rule=` as well."""
    return {rule for module in house for rule in in_text(module.text)}


@pytest.fixture
def specified() -> set[str]:
    if not PROTOCOL.exists():
        pytest.skip("docs/protocol.md is not written yet")
    return in_text(PROTOCOL.read_text(encoding="utf-8"))


def test_every_rule_is_obeyed_somewhere(specified: set[str]) -> None:
    assert sorted(specified - in_source(modules())) == []


def test_every_rule_is_proved_somewhere(specified: set[str]) -> None:
    assert sorted(specified - in_tests(modules(ROOT / "tests"))) == []


def test_no_code_obeys_a_rule_that_nobody_wrote(specified: set[str]) -> None:
    assert sorted(anywhere(modules()) - specified) == []


def test_no_test_proves_a_rule_that_nobody_wrote(specified: set[str]) -> None:
    assert sorted(in_tests(modules(ROOT / "tests")) - specified) == []


def test_a_rule_is_read_from_comments_docstrings_and_names() -> None:
    source = Module("core/a.py", "'''Obeys R-10.'''\nx = 1  # R-11 says so\nraise Refused('no', rule='R-12')\n")
    assert in_source([source]) == {"R-10", "R-11"}
    assert anywhere([source]) == {"R-10", "R-11", "R-12"}
    test = Module("core/test_a.py", "def test_r20_holds(): ...\ndef test_it():\n    '''R-21'''\ndef helper_r22(): ...")
    assert in_tests([test]) == {"R-20", "R-21"}
    assert in_tests([Module("core/a.py", "def test_r20(): ...")]) == set()
    assert in_text("R-1 and R-1234 and XR-10 are no rules, R-050 is") == {"R-050"}
