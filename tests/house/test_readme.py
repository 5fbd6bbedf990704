"""The README says what is so: its table is that of the package, its transcript one that the demonstration printed."""

from __future__ import annotations

import re

import arrp
from tests.demo.transcript import COMMITTED, masked
from tests.house.source import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def of_the_package() -> list[tuple[str, str, str, str]]:
    """The rows of arrp.__doc__: number, step, what happens, where to read."""
    assert arrp.__doc__ is not None
    found: list[list[str]] = []
    for line in arrp.__doc__.splitlines():
        row = re.fullmatch(r"    ([ \d]\d) (.{17})(.{63})(.*)", line)
        if row:
            found.append([part.strip() for part in row.groups()])
        elif found and line.startswith(" " * 24) and line.strip():
            found[-1][2] += f" {line.strip()}"
        elif found:
            break
    return [(number, step, what, read) for number, step, what, read in found]


def of_the_readme() -> list[tuple[str, str, str, str]]:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", README, re.MULTILINE)
    return [(number, step, what, re.sub(r"[`\[\]]|\([^)]*\)", "", read)) for number, step, what, read in rows]


def test_the_table_is_that_of_the_package() -> None:
    rows = of_the_package()
    assert [int(row[0]) for row in rows] == list(range(1, 16))
    assert of_the_readme() == rows


def test_the_transcript_is_one_that_was_printed() -> None:
    """tests/demo/test_demo.py runs the demonstration and compares it with the same file."""
    [block] = re.findall(r"^```text\n(Four participants.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert masked(block) == COMMITTED.read_text(encoding="utf-8")


def test_the_first_screen() -> None:
    """One sentence, whose name this is not, the table, and what to type: before anything else."""
    order = ["# ARRP", "not affiliated", "not endorsed", "| 1 | report |", "| 15 |", "make demo", "Four participants"]
    places = [README.index(part) for part in order]
    assert places == sorted(places)
    assert len(README[: README.index("| # |")].splitlines()) <= 12


def test_every_example_is_linked_and_every_page_leads_on() -> None:
    for example in sorted((ROOT / "examples").glob("[0-9]*.py")):
        assert f"(examples/{example.name})" in README, example.name
    for page in ("ARCHITECTURE.md", "docs/operating.md", "docs/protocol.md", "docs/cli.md", "docs/glossary.md",
                 "docs/states.md", "docs/holes.md", "docs/adr/README.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"):
        assert f"({page})" in README, page
