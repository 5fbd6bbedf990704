"""Every file and every name of ARCHITECTURE.md is there, so that a reader who follows it arrives."""

from __future__ import annotations

import re
from pkgutil import resolve_name

import pytest

from tests.house.source import ROOT, SRC

PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
MENTION = re.compile(r"`([a-z_/]+\.py)(?::\s+([A-Za-z_.]+))?`")
LINES_PER_SECTION = 90  # two screens


def mentions() -> list[tuple[str, str]]:
    return sorted(set(MENTION.findall(PAGE)))


def resolve(file: str, name: str) -> object:
    """What a mention means. Raises AttributeError or ImportError."""
    module = ".".join(("arrp", *file.removesuffix(".py").split("/"))).removesuffix(".__init__")
    return resolve_name(f"{module}:{name}" if name else module)


@pytest.mark.parametrize(("file", "name"), mentions())
def test_every_file_and_name_is_there(file: str, name: str) -> None:
    if file.startswith("tests/"):
        assert (ROOT / file).is_file()
        return
    assert (SRC / file).is_file(), file
    assert resolve(file, name) is not None


def test_enough_is_found_and_a_wrong_name_is_seen() -> None:
    assert len(mentions()) > 50
    assert ("node/config.py", "load_rules") in mentions(), "a mention may be broken over two lines"
    with pytest.raises(AttributeError):
        resolve("core/protocol.py", "stride")


def test_no_section_is_longer_than_two_screens() -> None:
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE):
        assert len(section.splitlines()) <= LINES_PER_SECTION, section.splitlines()[0]
