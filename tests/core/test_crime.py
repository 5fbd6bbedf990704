"""Sixteen crimes, each with plain words and a recall reason that banks know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arrp.core.crime import Crime

CODE_SETS = Path(__file__).resolve().parents[2] / "../shared/samples/iso20022_external_code_sets_2025-11.json"


def test_there_are_sixteen_codes_of_four_letters_at_most() -> None:
    assert len(Crime) == 16
    assert all(crime.value == crime.name and 3 <= len(crime) <= 4 for crime in Crime)


def test_every_crime_has_words_of_its_own() -> None:
    assert len({crime.plain for crime in Crime}) == 16
    assert Crime.BEC.plain == "business e-mail compromise or invoice redirection"


def test_only_a_payment_nobody_authorised_has_its_own_reason() -> None:
    assert Crime("ATOX").recall_reason == "UAPA"
    assert {crime.recall_reason for crime in Crime if crime is not Crime.ATOX} == {"FRAD"}


def test_the_reasons_are_in_the_official_code_set() -> None:
    if not CODE_SETS.exists():
        pytest.skip("the ISO external code sets are not beside the project")
    official = {row[1] for row in json.loads(CODE_SETS.read_text())["ExternalCancellationReason1Code"]}
    assert {crime.recall_reason for crime in Crime} <= official
