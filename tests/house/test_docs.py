"""What the documents say about the project is so: links lead somewhere, commands exist, decisions are complete."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.house.source import ROOT, texts

CHANGELOG = ROOT / "CHANGELOG.md"
ADRS = ROOT / "docs" / "adr"
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    return [path for path in texts() if path.suffix == ".md"]


def headings(page: Path) -> Iterator[str]:
    """Headings outside code blocks, without their marks."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            yield line.lstrip("#").strip()


def anchor(heading: str) -> str:
    """The name by which a heading is linked."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def dead_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, place = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            yield f"{page.relative_to(ROOT)} → {target}: there is no such file"
        elif place and file.suffix == ".md" and place not in map(anchor, headings(file)):
            yield f"{page.relative_to(ROOT)} → {target}: there is no such heading"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert list(dead_links(page)) == []


def test_a_dead_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.test_docs.ROOT", tmp_path)
    page = tmp_path / "a.md"
    page.write_text("# One two\n[good](a.md#one-two) [out](https://example.org/x) [no](b.md) [nor](#three)\n")
    assert [fault.split(": ")[0] for fault in dead_links(page)] == ["a.md → b.md", "a.md → #three"]


def make(*arguments: str) -> str:
    """What make prints. `make test` runs us too: what it was told must not reach the make that we ask."""
    told = {name: value for name, value in os.environ.items() if not re.match(r"(MAKE|MFLAGS|ARGS|ONCE)", name)}
    command = ["make", "--no-print-directory", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=told).stdout


def targets() -> set[str]:
    return set(re.findall(r"^make (\w+)", make("help"), re.MULTILINE))


def test_make_explains_its_targets() -> None:
    assert targets() == {"demo", "test", "check", "bench", "simulate", "kills", "chaos"}
    assert make() == make("help"), "a bare make explains itself and does nothing"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_command_in_the_documents_exists(page: Path) -> None:
    named = set(re.findall(r"(?:`|^\s*|\$ )make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets()


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        (["demo"], r"run .*arrp demo *$"),
        (["demo", "ONCE=1"], r"run .*arrp demo --once *$"),
        (["bench"], r"run .*python -m bench.run *$"),
        (["kills", "ARGS=sqlite"], r"run .*python -m tests.node.kills sqlite *$"),
        (["chaos", "ARGS=--seed 7"], r"run .*python -m tests.chaos.run --seed 7 *$"),
        (["test"], r"run .*pytest -n \S+ "),
        (["test", "ARGS=-k hold"], r"run .*pytest -n \S+ .*-k hold *$"),
        (["check"], r"run .*ruff check(.|\n)*run .*mypy"),
    ],
)
def test_make_runs_what_it_says(asked: list[str], runs: str) -> None:
    assert re.search(runs, make("-n", *asked), re.MULTILINE)


def test_ci_stops_at_the_first_failure() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert script.stat().st_mode & 0o111, "it can be run"
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert [line for line in text.splitlines() if line.startswith("make ")] == ["make check", "make test"]
    assert "|| true" not in text


def test_the_changelog_keeps_its_form() -> None:
    """Newest first, `Unreleased` on top, versions with their day, and only the sections everybody knows."""
    text = CHANGELOG.read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})", version) for version in versions[1:]]
    assert None not in released
    numbers = [tuple(int(part) for part in found.groups()[:3]) for found in released if found]
    assert numbers == sorted(numbers, reverse=True)
    days = [date.fromisoformat(found[4]) for found in released if found]
    assert days == sorted(days, reverse=True)
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= SECTIONS


def test_the_licence_is_the_one_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "9. Accepting Warranty or Additional Liability." in text


def adrs() -> list[Path]:
    return sorted(ADRS.glob("[0-9]*.md"))


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in adrs()] == list(range(1, len(adrs()) + 1))


@pytest.mark.parametrize("page", adrs(), ids=lambda page: page.stem)
def test_a_decision_says_what_it_costs(page: Path) -> None:
    """One page: the sections of the template, in its order, at least two options, each with its good and its bad."""
    wanted = [heading for heading in headings(ADRS / "template.md")][1:]
    title, *found = headings(page)
    assert title.startswith(f"{int(page.name[:4])}. ")
    assert found == wanted
    text = page.read_text(encoding="utf-8")
    options = text.split("\n## Options\n")[1].split("\n## ")[0].split("\n- **")[1:]
    assert len(options) >= 2
    for option in options:
        assert "Good:" in option, option
        assert "Bad:" in option, option
    assert re.search(r"^Status: (proposed|accepted|superseded by \[\d{4}\])", text, re.MULTILINE)
    assert len(text.splitlines()) <= 70, "one page"


def test_every_decision_is_listed() -> None:
    index = (ADRS / "README.md").read_text(encoding="utf-8")
    assert [name for name in LINK.findall(index) if name[0].isdigit()] == [path.name for path in adrs()]
