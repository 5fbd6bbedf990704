"""The law files: each can be read, each figure has its source, nothing remembered is sure; a wrong one is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from arrp.core.errors import Malformed, NotFound
from arrp.core.law import UNKNOWN
from arrp.law.reading import codes, jurisdiction, read

ROOT = Path(__file__).resolve().parents[2]
HAECHI = (
    "AU", "AT", "BN", "KH", "CI", "FR", "GH", "HK", "IN", "ID", "IE", "JP", "KR", "KG", "LA", "MY", "MV", "NG", "PH",
    "PL", "RO", "SG", "SI", "ZA", "ES", "SE", "TH", "AE", "GB", "US")
ALSO = ("CN", "CH", "DE", "IT", "NL", "PT", "GR", "BR", "CA", "VN", "EU", "GI", "MO", "issuer-tether", "issuer-circle")


def swiss() -> str:
    return (ROOT / "src/arrp/law/CH.toml").read_text("utf-8")


def test_the_thirty_of_the_operation_and_more_are_there() -> None:
    assert len(HAECHI) == 30
    assert {*HAECHI, *ALSO} <= set(codes())
    assert len(codes()) >= 45


@pytest.mark.parametrize("code", codes())
def test_what_is_sure_was_read_somewhere(code: str) -> None:
    """High: in a primary or official text. What somebody remembers is low, and nobody checked it on any day."""
    law = jurisdiction(code)
    for power in law.powers:
        for name, said in power.figures.items():
            cited = power.cited_for(name)
            kind = law.sources[cited.source].kind
            if said not in (UNKNOWN, (UNKNOWN,)):
                assert (cited.confidence, kind) not in (("high", "secondary"), ("high", "memory"), ("medium", "memory"))
    for source in law.sources.values():
        assert (source.checked_on is None) == (source.kind == "memory")
        assert source.url.startswith(("http://", "https://"))


@pytest.mark.parametrize(("old", "new", "said"), [
    ('code = "CH"', 'code = "XX"', "says that it is about 'XX'"),
    ('name = "Switzerland"', "", "'name' is missing"),
    ('holder = ["institution"]', 'holder = ["uncle"]', "holder holds 'uncle'"),
    ('holder = ["institution"]', "holder = []", "at least one"),
    ('longest = "5 working days"', 'longest = "about a week"', "no length of time"),
    ('longest = "5 working days"', "longest = 5", "must be a text"),
    ('at_lapse = "free"', 'at_lapse = "maybe"', "at_lapse is 'maybe'"),
    ('checked_on = 2026-11-22\nnotes', 'checked_on = "2026-11-22"\nnotes', "must be a day"),
    ("[[power]]", "[[power]]\nhandsome = true", "'handsome' is no key"),
    ("[[power]]", "[power]", "law/CH.toml"),
    ("[[power]]", '[[power]]\ncounting = ["on fingers"]', "'on fingers'"),
])
def test_a_wrong_file_is_told_where_it_is_wrong(old: str, new: str, said: str) -> None:
    text = swiss()
    assert old in text
    with pytest.raises(Malformed, match=r"law/CH\.toml") as caught:
        read("CH", text.replace(old, new, 1))
    assert said in str(caught.value)


def test_nobody_is_sure_of_what_they_remember() -> None:
    with pytest.raises(Malformed, match="confidence high on a secondary source: at most medium"):
        read("CH", swiss().replace('kind = "primary"', 'kind = "secondary"').replace('kind = "official"',
                                                                                     'kind = "secondary"'))


def test_a_country_without_a_file_is_named() -> None:
    for wrong in ("XX", "../../etc/passwd", "", "ch"):
        with pytest.raises(NotFound):
            jurisdiction(wrong)


def test_the_page_is_what_the_files_say() -> None:
    made = [sys.executable, str(ROOT / "docs" / "make_law.py")]
    printed = subprocess.run(made, capture_output=True, check=True, text=True, encoding="utf-8").stdout
    assert printed == (ROOT / "docs" / "law.md").read_text("utf-8"), "python docs/make_law.py > docs/law.md"
