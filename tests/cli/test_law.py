"""`arrp law`: the names of its answers are kept, and what cannot be computed is said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from arrp.core.law import Jurisdiction
from arrp.core.period import Period
from arrp.law.reading import jurisdiction
from tests.cli.running import arrp, ok

NAMES = {"country", "power", "act_at", "until", "until_local", "unit", "reason", "source", "confidence"}


def until(*words: str) -> Any:
    return json.loads(ok("law", "until", *words, "--json"))


def test_r40_the_end_of_a_power_says_why_and_where_it_stands() -> None:
    found = until("CH", "--power", "ch-mros-block", "--at", "2026-12-22T10:00")
    assert found.keys() >= NAMES
    assert (found["country"], found["power"], found["unit"]) == ("CH", "ch-mros-block", "working days")
    assert found["act_at"] == "2026-12-22T09:00:00Z"
    assert found["until"] == "2026-12-30T23:00:00Z"
    assert found["until_local"] == "2026-12-31T00:00:00+01:00"
    assert "Christmas" in found["reason"]
    assert found["source"].partition(", http")[1]
    assert found["confidence"] in ("high", "medium", "low")


def test_r40_the_clock_alone() -> None:
    found = until("--zone", "Asia/Dhaka", "--rule", "1 working day", "--calendar", "BD", "--at", "2026-11-19T17:00")
    assert found.keys() >= NAMES
    assert found["until"] == "2026-11-22T18:00:00Z"
    found = until("--zone", "Europe/Paris", "--rule", "24 hours", "--at", "2026-10-24T12:00+02:00")
    assert found["until_local"] == "2026-10-25T11:00:00+01:00"
    found = until("--zone", "Europe/Paris", "--rule", "400 working days", "--calendar", "FR", "--at", "2026-01-05")
    assert found["until"] == "2027-08-05T22:00:00Z", "250 working days from 6 January 2026 on, and 150 of 2027"


@pytest.mark.parametrize(("words", "code", "said"), [
    (("CH", "--power", "nothing", "--at", "2026-01-01T00:00Z"), 3, "ch-mros-block"),
    (("XX", "--power", "x", "--at", "2026-01-01T00:00Z"), 3, "there is no law file"),
    (("CH", "--at", "2026-01-01T00:00Z"), 2, "say a jurisdiction and --power"),
    (("HK", "--power", "hk-letter-of-no-consent", "--at", "2026-01-01T00:00Z"), 4, "until an order"),
    (("--zone", "Europe/Paris", "--rule", "24 hours", "--at", "2026-03-29T02:30"), 2, "did not exist"),
    (("--zone", "Europe/Paris", "--rule", "24 hours", "--at", "2026-10-25T02:30"), 2, "came twice"),
    (("--zone", "Europe/Paris", "--rule", "soon", "--at", "2026-10-25T12:30"), 2, "no length of time"),
    (("--zone", "Europe/Paris", "--rule", "2 working days", "--at", "2026-10-25T12:30"), 2, "--calendar"),
    (("--zone", "Mars/Base", "--rule", "2 hours", "--at", "2026-10-25T12:30"), 3, "no time zone"),
    (("--zone", "Europe/Paris", "--rule", "2 hours", "--at", "0001-01-01T00:00Z"), 2, "knows nothing about"),
    (("--zone", "Europe/Paris", "--rule", "99999 months", "--at", "2026-01-01T00:00Z"), 2, "knows nothing about"),
    (("CH", "--power", "ch-mros-block", "--figure", "return_period", "--at", "2026-01-01T00:00Z"), 4, "types basis"),
    (("CH", "--power", "ch-mros-block", "--figure", "colour", "--at", "2026-01-01T00:00Z"), 2, "is no figure"),
])
def test_what_cannot_be_computed_is_one_line(words: tuple[str, ...], code: int, said: str) -> None:
    result = arrp("law", "until", *words)
    assert "Traceback" not in result.stderr
    assert (result.exit_code, len(result.stderr.splitlines())) == (code, 1)
    assert said in result.stderr


def test_a_law_is_shown_with_its_sources() -> None:
    told = ok("law", "show", "GB")
    assert "gb-moratorium" in told
    assert "first day counts" in told
    tree = json.loads(ok("law", "show", "GB", "--json"))
    longest = next(power for power in tree["powers"] if power["id"] == "gb-moratorium")["figures"]["longest"]
    assert longest["says"] == "31 calendar days"
    assert longest["source"] in {source["id"] for source in tree["sources"]}


def test_every_file_is_checked() -> None:
    """Each can be read, and each of its times be counted."""
    rows = json.loads(ok("law", "check", "--json"))
    assert [row["fault"] for row in rows if row["fault"]] == []
    assert all(row["powers"] for row in rows)
    assert len(rows) >= 45


def _lasting(law: Jurisdiction, text: str) -> Jurisdiction:
    power = law.powers[0]
    return replace(law, powers=(replace(power, figures={**power.figures, "longest": Period.parse(text)}),))


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda law: replace(law, calendar="ZZ"), "nobody keeps a calendar of 'ZZ'"),
    (lambda law: replace(law, zone="Mars/Base"), "no time zone 'Mars/Base'"),
    (lambda law: _lasting(law, "99999 months"), "knows nothing about"),
    (lambda law: _lasting(law, "9999 calendar days"), ""),
    (lambda law: _lasting(law, "120 months"), ""),
])
def test_a_file_whose_times_cannot_be_counted_is_named(
    wrong: Callable[[Jurisdiction], Jurisdiction], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long they are."""
    monkeypatch.setattr("arrp.cli.law.codes", lambda: ("CH",))
    monkeypatch.setattr("arrp.cli.law.jurisdiction", lambda code: wrong(jurisdiction(code)))
    result = arrp("law", "check")
    assert (result.exit_code, said in result.stderr) == (2 if said else 0, True)
