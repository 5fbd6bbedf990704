"""What of a law file a node may live by: what fits is adopted as it stands, what does not is refused by its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from arrp.core.calendar import Calendar
from arrp.core.deadline import Power
from arrp.core.errors import NotFound, Refused
from arrp.core.law import Cited, Disclosure
from arrp.core.period import Period
from arrp.core.policy import Participant
from arrp.law import reading
from arrp.law.calendars import OwnDays
from arrp.node import powers
from arrp.node.powers import Adopted, adopted_power
from tests.node.entries import BANK


def adopted(law: str, power: str, on: str = "2026-11-22", me: Participant = BANK) -> Power:
    return adopted_power(Adopted(law, power, "A. Lawyer", on, "ask"), me, OwnDays())


@pytest.mark.parametrize(("law", "power", "said"), [
    ("EU", "eu-fiu-transaction", "is a frame for national laws"),
    ("TW", "tw-prosecutor-prohibition", "is for court, prosecutor"),
    ("CH", "ch-mros-block", "counts from notice"),
    ("HK", "hk-letter-of-no-consent", "lasts until order: a node cannot live by that"),
])  # fmt: skip
def test_r40_what_a_node_cannot_live_by_is_refused(law: str, power: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        adopted(law, power)


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="se-disposition-ban"):
        adopted("SE", "se-nothing")


def test_nobody_adopts_what_was_not_read_yet() -> None:
    with pytest.raises(Refused, match="read it again"):
        adopted("SE", "se-disposition-ban", on="2026-11-21")


def test_r40_days_are_those_of_its_country_and_of_its_operator() -> None:
    found = adopted("SE", "se-disposition-ban")
    assert found.calendar is not None
    assert (found.country, found.holders, found.provisional) == ("SE", ("authority",), None)
    assert not found.calendar.is_working(date(2027, 1, 6)), "Epiphany, a free day in Sweden and not in Portugal"
    assert found.calendar.is_working(date(2026, 11, 25))
    own = OwnDays({date(2026, 11, 25): "announced"})
    other = adopted_power(Adopted("SE", "se-disposition-ban", "A. Lawyer", "2026-11-22", "ask"), BANK, own)
    assert other.calendar is not None
    assert other.calendar.off[date(2026, 11, 25)] == "announced"
    assert other.calendar.digest != found.calendar.digest


def test_r40_a_part_of_a_country_has_its_own_days() -> None:
    """Easter Monday: a bank holiday of England, not of the whole of the United Kingdom."""

    def its_days(part: str) -> Calendar:
        found = adopted_power(Adopted("GB", "gb-psp-delay", "A. Lawyer", "2026-11-22", "ask", part), BANK, OwnDays())
        assert found.calendar is not None
        return found.calendar

    easter = date(2026, 4, 6)
    assert [its_days(part).is_working(easter) for part in ("", "GB", "GB-SCT", "GB-ENG")] == [True, True, True, False]
    with pytest.raises(Refused, match="a part of it, such as GB-"):
        its_days("DE-BY")


def test_r53_nothing_is_told_freely_that_the_file_is_not_sure_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row counts by its reader, its words and how sure it is."""
    law = reading.jurisdiction("SE")
    sure = Cited(next(iter(law.sources)), "medium")

    def told(*rows: Disclosure) -> Power:
        monkeypatch.setattr(powers, "jurisdiction", lambda _: replace(law, disclosures=rows))
        return adopted_power(Adopted("SE", "se-disposition-ban", "A. Lawyer", "2026-11-22", "free"), BANK, OwnDays())

    follow = ("institution", "account", "time and amount")
    assert told(Disclosure("authority", follow, "by the police", sure)).tells == follow
    assert told(Disclosure("authority", follow, "", sure), Disclosure("authority", ("holder",), "", sure)).tells == (
        *follow, "holder")
    for rows in ((), (Disclosure("fiu", follow, "", sure),), (Disclosure("authority", follow[:2], "", sure),),
                 (Disclosure("authority", ("unknown",), "", sure),),
                 (Disclosure("authority", follow, "", replace(sure, confidence="low")),)):
        with pytest.raises(Refused, match="onward cannot be free"):
            told(*rows)


@pytest.mark.parametrize("figure", ["foreign", "counts_from", "reaches", "provisional_max", "confidence"])
def test_r40_a_node_acts_alone_only_where_the_file_is_sure_of_everything(
    figure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of what an automatic act rests on in its turn unknown, remembered or another."""
    law = reading.jurisdiction("SE")
    [power] = [one for one in law.powers if one.id == "se-disposition-ban"]
    good = {**power.figures, "foreign": "yes", "counts_from": "act", "reaches": ("amount",),
            "provisional_max": power.figures["longest"]}
    sure = replace(power, figures=good, cited=replace(power.cited, confidence="medium"), exceptions={})
    wrong = {"foreign": "unknown", "counts_from": "unknown", "reaches": ("payment in flight",),
             "provisional_max": "unknown"}
    less = (replace(sure, cited=replace(sure.cited, confidence="low")) if figure == "confidence"
            else replace(sure, figures={**good, figure: wrong[figure]}))
    monkeypatch.setattr(powers, "jurisdiction", lambda _: replace(law, powers=(sure,)))
    assert adopted("SE", sure.id).provisional == power.figures["longest"]
    monkeypatch.setattr(powers, "jurisdiction", lambda _: replace(law, powers=(less,)))
    assert adopted("SE", sure.id).provisional is None


def test_r72_notice_and_objection_take_the_times_that_the_file_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = adopted("AT", "at-fiu-order")
    assert (found.notice, str(found.notice_within)) == ("required", "5 working days")
    assert (str(found.objection_within), str(found.return_notice)) == ("120 hours", "24 hours"), "unknown there"
    law = reading.jurisdiction("AT")
    figures = {"objection_within": Period(2, "months"), "return_period": Period(60, "calendar days"),
               "return_route": ("public notice",)}
    changed = replace(law, powers=tuple(replace(one, figures={**one.figures, **figures}) for one in law.powers))
    monkeypatch.setattr(powers, "jurisdiction", lambda code: changed)
    found = adopted("AT", "at-fiu-order")
    assert (str(found.objection_within), str(found.return_notice)) == ("2 months", "60 calendar days")
