"""docs/threats.md names each threat and fault once, and only tests and places that are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.source import ROOT, SRC, Function
from tests.house.test_architecture import MENTION, resolve

PAGE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
TEST = re.compile(r"`([a-z_/0-9]+\.py)::(\w+)`")
ROW = re.compile(r"^\| ([TF]\d\d) \| (.+) \|$", re.MULTILINE)
WANTED = [*(f"T{number:02}" for number in range(1, 40)), *(f"F{number:02}" for number in range(1, 13))]


def rows() -> list[tuple[str, list[str]]]:
    return [(number, rest.split(" | ")) for number, rest in ROW.findall(PAGE)]


def found_in(file: str) -> Iterator[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return (node.name for node in ast.walk(tree) if isinstance(node, Function) and node.name.startswith("test_"))


def test_every_threat_and_fault_stands_there_once() -> None:
    assert [number for number, _ in rows()] == WANTED
    assert [number for number, cells in rows() if len(cells) != 3 or not all(cells)] == []


@pytest.mark.parametrize(("number", "cells"), rows(), ids=[number for number, _ in rows()])
def test_each_is_shown_by_a_test_or_is_not_yet(number: str, cells: list[str]) -> None:
    assert TEST.search(cells[-1]) or "Not yet: " in cells[-1], number


@pytest.mark.parametrize(("file", "test"), sorted(set(TEST.findall(PAGE))))
def test_every_test_it_names_is_there(file: str, test: str) -> None:
    assert (ROOT / "tests" / file).is_file(), file
    assert test in set(found_in(file))


@pytest.mark.parametrize(("file", "name"), sorted(set(MENTION.findall(PAGE))))
def test_every_place_it_names_is_there(file: str, name: str) -> None:
    assert (SRC / file).is_file(), file
    assert resolve(file, name) is not None


def test_enough_is_found() -> None:
    assert len(set(TEST.findall(PAGE))) > 60
    assert len(set(MENTION.findall(PAGE))) > 40
    assert "test_every_threat_and_fault_stands_there_once" in set(found_in("house/test_threats.py"))
