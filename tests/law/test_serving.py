"""Which powers may serve a request: each figure of the file decides as it says, and what is unknown stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from arrp.core.errors import Malformed
from arrp.core.money import typed_amount
from arrp.core.policy import Participant
from arrp.core.request import Ask
from arrp.law import serving as asking
from arrp.law.reading import codes, jurisdiction
from arrp.law.serving import serving, wanted
from arrp.law.telling import until_of_power
from arrp.node.advising import law_codes
from tests.law.powers import changed

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def rows(code: str, ask: Ask = Ask.HOLD, amount: str = "", country: str = "", *, wallet: bool = False
         ) -> dict[str, Any]:
    typed = typed_amount(amount) if amount else None
    return {row["power"]: row for row in serving(code, wanted(ask, wallet, typed, country, AT))["powers"]}


def why(row: dict[str, Any], figure: str) -> tuple[str, str]:
    [found] = [one for one in row["why"] if one["figure"] == figure]
    return found["fits"], found["said"]


@pytest.mark.parametrize(("amount", "fits"), [
    ("999.99 GBP", "no"), ("1000.00 GBP", "yes"), ("5000.00 EUR", "unknown"), ("", "unknown"),
])
def test_a_lowest_amount_is_of_its_own_asset(amount: str, fits: str) -> None:
    row = rows("GB", amount=amount)["gb-afo"]
    assert why(row, "lowest_amount")[0] == fits
    assert row["fits"] == fits
    assert row["needs"]["lowest_amount"]["says"] == "1000.00 GBP"


@pytest.mark.parametrize(("ask", "wallet", "reaches", "fits"), [
    (Ask.HOLD, False, ("account",), "yes"), (Ask.HOLD, False, ("amount",), "yes"),
    (Ask.HOLD, False, ("payment in flight",), "no"), (Ask.HOLD, False, ("wallet",), "no"),
    (Ask.HOLD, False, ("unknown",), "unknown"), (Ask.HOLD, False, ("unknown", "amount"), "yes"),
    (Ask.STOP, False, ("payment in flight", "account"), "yes"), (Ask.STOP, False, ("account",), "no"),
    (Ask.STOP, False, ("amount",), "unknown"), (Ask.HOLD, True, ("wallet",), "yes"),
    (Ask.HOLD, True, ("account",), "unknown"), (Ask.HOLD, True, ("payment in flight",), "no"),
    (Ask.ARM, False, ("account",), "unknown"), (Ask.ARM, False, ("payment in flight",), "no"),
])
def test_what_a_power_reaches(
    ask: Ask, wallet: bool, reaches: tuple[str, ...], fits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "jurisdiction", changed("gb-afo", reaches=reaches))
    row = rows("GB", ask, "5000.00 GBP", wallet=wallet)["gb-afo"]
    assert why(row, "reaches")[0] == fits


@pytest.mark.parametrize(("foreign", "through", "country", "fits", "said"), [
    ("yes", ("fiu", "police"), "ES", "yes", "through fiu or police"), ("yes", ("unknown",), "", "yes", "by which way"),
    ("no", ("unknown",), "ES", "no", "serves no request"), ("no", ("unknown",), "GB", "yes", "at home"),
    ("unknown", ("unknown",), "ES", "unknown", "nobody found"), ("unknown", ("unknown",), "GB", "yes", "at home"),
])
def test_whether_a_power_serves_a_request_from_abroad(
    foreign: str, through: tuple[str, ...], country: str, fits: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "jurisdiction", changed("gb-afo", foreign=foreign, foreign_through=through))
    found = why(rows("GB", amount="5000.00 GBP", country=country)["gb-afo"], "foreign")
    assert (found[0], said in found[1]) == (fits, True), found


def test_what_fits_best_stands_first_and_nothing_is_left_out() -> None:
    found = list(rows("GB", amount="5000.00 GBP").values())
    assert [row["fits"] for row in found] == sorted((row["fits"] for row in found), key=["yes", "unknown", "no"].index)
    assert found[0]["power"] == "gb-afo"
    assert {row["power"] for row in found} == {power.id for power in jurisdiction("GB").powers}


@pytest.mark.parametrize("code", codes())
def test_r40_each_end_is_that_of_the_clock_and_what_has_none_says_why(code: str) -> None:
    """The same end as `arrp law until` computes alone, whatever other powers the file has."""
    for id, row in rows(code).items():
        for figure, end in row["ends"].items():
            period = next(power for power in jurisdiction(code).powers if power.id == id).period(figure)
            assert end["reason"], (id, figure)
            if end["until"] is None:
                assert period is None or not period.count, (id, figure)
            else:
                alone = until_of_power(code, id, AT.isoformat(), figure)
                assert [end[name] for name in ("until", "until_local", "source", "confidence")] == [
                    alone[name] for name in ("until", "until_local", "source", "confidence")], (id, figure)


def test_who_counts_otherwise_than_from_the_act_is_named() -> None:
    assert "the law counts from the notice" in rows("CH")["ch-mros-block"]["ends"]["longest"]["reason"]
    assert "nobody found from when" in rows("PT")["pt-judge"]["ends"]["longest"]["reason"]
    assert rows("PT")["pt-judge"]["ends"]["provisional_max"]["reason"].startswith("nothing is held before")
    assert rows("PT")["pt-freezing"]["ends"]["longest"]["reason"] == "nobody found it: ask there"


@pytest.mark.parametrize("ask", [Ask.TRACE, Ask.PRESERVE])
def test_what_holds_nothing_needs_no_power_to_hold(ask: Ask) -> None:
    with pytest.raises(Malformed, match="holds nothing"):
        rows("GB", ask)


def test_which_law_files_are_about_somebody() -> None:
    def somebody(kind: str, country: str, name: str) -> Participant:
        return Participant(name, name, kind, country, "", (), ())

    assert law_codes(somebody("authority", "PT", "NCB-PT")) == ["PT"]
    assert law_codes(somebody("issuer", "US", "Tether")) == ["US", "issuer-tether"]
    assert law_codes(somebody("institution", "US", "Tether Bank")) == ["US"]
    assert law_codes(somebody("authority", "KP", "NCB-KP")) == []
