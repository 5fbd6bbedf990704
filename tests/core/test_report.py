"""A report says what was lost, once; what is personal in it may be erased."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime

import pytest

from arrp.core.crime import Crime
from arrp.core.errors import Malformed, Refused
from arrp.core.money import Amount
from arrp.core.report import Party, Payment, Place, Report, YesNo, parse_uetr

UETR = "174c245f-2682-4291-ad67-2a41e530cd27"
AT = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)


def payment(number: str, asset: str = "EUR", uetr: str = "") -> Payment:
    return Payment(Amount.parse(number, asset), settled_on=date(2026, 3, 5), uetr=uetr)


def report(*payments: Payment) -> Report:
    return Report("LOSS-1", "ncb-lu", payments, Crime.BEC, reported_at=AT)


def test_the_total_is_the_sum_of_the_payments() -> None:
    assert report(payment("62000.00"), payment("0.50")).total == Amount(6200050, "EUR")
    assert report(payment("1")).authorised is YesNo.UNKNOWN


def test_two_assets_have_no_total() -> None:
    with pytest.raises(Refused, match="two assets never mix"):
        _ = report(payment("1"), payment("1", "USD")).total


def test_one_payment_is_not_lost_twice() -> None:
    with pytest.raises(Malformed, match=f"UETR {UETR} 2 times"):
        report(payment("136500", uetr=UETR), payment("136490", uetr=UETR))
    report(payment("1"), payment("1"))  # without a UETR nobody can say that they are the same


def test_a_report_without_payments_is_refused() -> None:
    with pytest.raises(Malformed, match="names no payment"):
        report()


def test_a_uetr_is_a_uuid_of_version_4_in_lower_case() -> None:
    assert parse_uetr(f" {UETR.upper()} ") == UETR
    for wrong in (UETR.replace("4291", "1291"), UETR.replace("-ad67", "-cd67"), UETR.replace("-", ""), "", UETR + "0"):
        with pytest.raises(Malformed):
            parse_uetr(wrong)
    with pytest.raises(Malformed):
        payment("1", uetr=UETR.upper())


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(Malformed, match="no time zone"):
        replace(payment("1"), instructed_at=datetime(2026, 3, 5, 9, 0))  # noqa: DTZ001 - that is the point


def test_every_personal_field_may_be_erased() -> None:
    private = {
        f"{kind.__name__}.{field.name}": field.default
        for kind in (Party, Place, Payment, Report)
        for field in fields(kind)
        if field.metadata.get("private")
    }
    assert private == {
        "Party.name": "",
        "Party.account": "",
        "Place.file": "",
        "Place.place": "",
        "Payment.uetr": "",
        "Payment.end_to_end_id": "",
        "Payment.references": (),
        "Report.recall_reference": "",
        "Report.facts": "",
    }
