"""docs/cli.md is what the tree of commands says of itself; the contract's commands are there; each explains itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from arrp.cli import COMMANDS, GROUPS, app
from tests.house.source import ROOT

PAGE = ROOT / "docs" / "cli.md"

# What is promised for one payment stopped end to end. What comes later is not here: law, trace, simulate, replay.
PROMISED = """
demo | read | node init | node serve | report | case list | case show | case resolve | case close | request send
request show | request see | request answer | request withdraw | hold list | hold release | hold extend | hold secure
object tell | object raise | object decide | payee | return | credited | approve | draft list | draft show | log
officer key | officer add | directory add | directory show | mandate open | mandate standing | mandate sign
mandate show | core open | core book | core show | audit verify | bench node
"""


def test_the_page_is_what_the_commands_say() -> None:
    made = [sys.executable, str(ROOT / "docs" / "make_cli.py")]
    printed = subprocess.run(made, capture_output=True, check=True, text=True, encoding="utf-8").stdout
    assert printed == PAGE.read_text(encoding="utf-8"), "python docs/make_cli.py > docs/cli.md"


def test_every_command_stands_on_the_page_with_its_help() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for words in COMMANDS:
        found = re.search(rf"^##+ arrp {words}(?: \[?[A-Z…]+\]?)*\n\n(.+)$", text, re.MULTILINE)
        assert found, words
        assert len(found[1]) > 10, words


def test_every_option_has_a_line() -> None:
    empty = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.fullmatch(r"\| `[^`]+` \| +\|", line)]
    assert empty == []


def test_the_promised_commands_exist() -> None:
    assert set(re.split(r"\s*[|\n]\s*", PROMISED.strip())) <= COMMANDS.keys()


@pytest.mark.parametrize("words", [*GROUPS, *COMMANDS])
def test_every_word_helps(words: str) -> None:
    result = CliRunner().invoke(app, [*words.split(), "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: arrp {words} ")


def test_what_the_pages_tell_people_to_type_exists() -> None:
    """Every `arrp …` in the README and in docs/operating.md begins with a command that there is."""
    for page in ("README.md", "docs/operating.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        typed = re.findall(r"(?:`|^\s*|\(|; do |&& |until )arrp ([a-z]+)(?: ([a-z-]+))?", text, re.MULTILINE)
        assert typed, page
        for first, second in typed:
            known = first in COMMANDS or (first in GROUPS and (not second or f"{first} {second}" in COMMANDS))
            later = (first, second) in {("node", "backup"), ("node", "restore")}
            assert known or later, f"{page}: arrp {first} {second}"
