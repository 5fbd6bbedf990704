"""pacs.008 and pacs.009 as banks write them, and XML as an attacker writes it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.core.report import Evidence, Party
from arrp.wire.evidence import read_evidence

DATA = Path(__file__).resolve().parents[1] / "data" / "evidence"
SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
ONE = (DATA / "pacs008_one.xml").read_bytes()


def read(name: str) -> Evidence:
    return read_evidence(name, (DATA / name).read_bytes())


def said(evidence: Evidence) -> list[str]:
    return [f"{missed.place}: {missed.what}" for missed in evidence.not_understood]


def test_one_customer_payment_is_read_whole() -> None:
    (payment,) = read("pacs008_one.xml").payments
    assert payment.uetr == "3f1c5b1e-6d0a-4c57-9b1d-0d4a0e2f8a11"
    assert payment.end_to_end_id == "INVOICE-2026-118"
    assert payment.references == ("INSTR-77", "TX-0001", "BANKLU-20260305-0001", "Order 118, first half")
    assert payment.amount == Amount(6200000, "EUR")
    assert payment.settled_on == date(2026, 3, 5)
    assert payment.instructed_at == datetime(2026, 3, 5, 8, 11, 58, 250000, tzinfo=UTC)
    assert payment.debtor == Party("Atelier Weber S.à r.l.", "payto://iban/LU280019400644750000", "BCEELULL")
    creditor = Party("Moveis do Porto Lda", "payto://iban/PT50000201231234567890154", "BCOMPTPLXXX")
    assert payment.creditor == creditor
    assert payment.source.file == "pacs008_one.xml"
    assert payment.source.place == "CdtTrfTxInf 1 (line 10), instructed_at from AccptncDtTm"


def test_what_is_not_used_is_said() -> None:
    assert said(read("pacs008_one.xml")) == ["CdtTrfTxInf 1 (line 10): not carried over: ChrgBr"]


def test_several_payments_in_a_wrapped_message() -> None:
    first, second, third = read("pacs008_wrapped_several.xml").payments
    assert first.creditor == Party("US Trading", "payto://ach/021000021/254178963", "021000021")
    assert first.debtor.account == "payto://bic/CHASGB2L/96325874"
    assert first.amount == Amount(13649000, "USD")
    assert first.end_to_end_id == ""  # NOTPROVIDED is how ISO 20022 says none
    assert first.instructed_at == datetime(2026, 3, 6, 10, tzinfo=UTC)
    assert first.source.place.endswith("instructed_at from GrpHdr/CreDtTm")
    assert second.amount == Amount(1234567, "KWD")
    assert second.creditor.account == "eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa96045"
    assert second.creditor.agent == ""
    assert third.amount == Amount(9950, "GBP")
    assert (third.uetr, third.settled_on, third.instructed_at, third.creditor.account) == ("", None, None, "")


def test_what_could_not_be_read_is_named_at_its_place() -> None:
    lines = said(read("pacs008_wrapped_several.xml"))
    for place, what in [
        ("CdtTrfTxInf 1 (line 18) InstdAmt", "136500.00 USD was instructed, 136490.00 USD was settled"),
        ("CdtTrfTxInf 2 (line 36)", "UltmtCdtr"),
        ("CdtTrfTxInf 2 (line 36) CdtrAgt", "'A bank without a code' is neither a BIC"),
        ("CdtTrfTxInf 3 (line 54) AccptncDtTm", "has no time zone"),
        ("CdtTrfTxInf 3 (line 54) IntrBkSttlmDt", "'2026-02-30' is not a day"),
        (
            "CdtTrfTxInf 3 (line 54) CdtrAcct, account left empty",
            "check digits of IBAN GB82WEST12345698765423 are wrong",
        ),
        ("CdtTrfTxInf 3 (line 54) PmtId/UETR", "is not a UETR"),
    ]:
        assert any(line.startswith(place) and what in line for line in lines), (place, what)


def test_a_message_of_2009_is_read_and_an_amount_with_three_decimals_is_left_out() -> None:
    evidence = read("pacs008_of_2009.xml")
    (payment,) = evidence.payments
    assert payment.amount == Amount(1050, "EUR")
    assert payment.settled_on == date(2026, 1, 15)  # of the group
    assert payment.instructed_at is None  # CreDtTm had no zone
    assert payment.creditor == Party("Erika Beispiel", "payto://iban/DE89370400440532013000", "COBADEFF")
    assert "RF18539007547034" in payment.references
    assert any("payment left out: 10.505 EUR has more than the 2 decimals" in line for line in said(evidence))


def test_a_cover_payment_names_its_customers_and_a_bank_transfer_its_banks() -> None:
    cover, own = read("pacs009_cover.xml").payments
    assert cover.amount == Amount(65784, "JPY")
    assert cover.debtor == Party("A Debtor", "payto://bic/CLYDGB2S/25698745", "CLYDGB2S")
    assert cover.creditor == Party("B Creditor Co", "payto://iban/ES9121000418450200051332", "CAIXESBB")
    assert own.debtor == Party("CLYDGB2S", "payto://bic/CLYDGB2S/NOSTRO1", "CLYDGB2S")
    assert own.creditor == Party("Caixa", "", "CAIXESBB")


def test_a_missing_transaction_is_noticed() -> None:
    evidence = read_evidence("a.xml", ONE.replace(b"<NbOfTxs>1<", b"<NbOfTxs>7<"))
    assert "GrpHdr/NbOfTxs: says 7, 1 are there: is the file whole?" in said(evidence)


@pytest.mark.parametrize("coding", ["utf-16", "utf-8-sig", "iso-8859-1"])
def test_xml_is_read_in_the_coding_it_declares(coding: str) -> None:
    text = ONE.decode().replace("UTF-8", "utf-8" if coding == "utf-8-sig" else coding)
    (payment,) = read_evidence("a.xml", text.encode(coding)).payments
    assert payment.debtor.name == "Atelier Weber S.à r.l."


@pytest.mark.parametrize(
    ("change", "to", "why"),
    [
        (b"62000.00", b"62,000.00", "not a plain decimal"),
        (b"62000.00", b"", "'nothing'"),
        (b"62000.00", b"-1", "not a plain decimal"),
        (b"62000.00", b"1e5", "not a plain decimal"),
        (b'Ccy="EUR"', b"", "neither an ISO 4217 code"),
        (b"IntrBkSttlmAmt", b"OtherAmt", "no IntrBkSttlmAmt: payment left out"),
        (b"</Document>", b"", "the XML is broken"),
        (b"FIToFICstmrCdtTrf", b"FIToFIPmtCxlReq", "pacs.008.001.08 is not a payment order"),
    ],
)
def test_without_an_amount_or_a_whole_file_there_is_no_payment(change: bytes, to: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=r"a\.xml: ") as refused:
        read_evidence("a.xml", ONE.replace(change, to))
    assert why in str(refused.value)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]><Document>&e;</Document>"""
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document><a>&x;</a></Document>'
PARAMETER = b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]><Document/>'


@pytest.mark.parametrize("attack", [BOMB, OUTSIDE, PARAMETER, b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>'])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-16-be"])
def test_a_document_type_is_refused_before_anything_is_read_from_it(attack: bytes, coding: str) -> None:
    mark = b"\xfe\xff" if coding == "utf-16-be" else b""
    text = attack.decode().replace('<?xml version="1.0"?>', "")
    with pytest.raises(Malformed, match="DTD"):
        read_evidence("a.xml", mark + text.encode(coding))


def test_a_document_type_hidden_in_another_coding_is_refused_too() -> None:
    hidden = (
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE a [<+ACE-ENTITY x "y">]><Document>+ACY-x;</Document>'
    )
    with pytest.raises(Malformed, match="DTD"):
        read_evidence("a.xml", hidden)


def test_a_document_type_is_refused_before_the_rest_is_parsed() -> None:
    with pytest.raises(Malformed, match="DTD"):
        read_evidence("a.xml", b'<!DOCTYPE a [<!ENTITY x "y">]><a>not even XML')


def test_an_iban_element_with_a_local_number_is_not_taken_for_an_account() -> None:
    evidence = read_evidence("a.xml", ONE.replace(b"PT50 0002 0123 1234 5678 9015 4", b"254178963"))
    assert evidence.payments[0].creditor.account == ""
    assert any("'254178963' is not an account by itself" in line for line in said(evidence))


@pytest.mark.parametrize("depth", [300, 100_000])
def test_deep_xml_is_refused(depth: int) -> None:
    with pytest.raises(Malformed, match="the XML is broken"):
        read_evidence("a.xml", b"<a>" * depth + b"</a>" * depth)


def test_no_file_of_this_machine_is_read_through_an_include() -> None:
    include = b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/hostname" parse="text"/></a>'
    evidence = read_evidence("a.xml", ONE.replace(b"<Nm>Atelier Weber S.\xc3\xa0 r.l.</Nm>", b"<Nm>%s</Nm>" % include))
    assert evidence.payments[0].debtor.name == ""


def test_many_transactions_take_no_more_than_their_share() -> None:
    begin, middle, end = ONE.partition(ONE[ONE.index(b"<CdtTrfTxInf>") : ONE.index(b"</FIToFI")])
    evidence = read_evidence("a.xml", begin.replace(b">1<", b">3000<") + middle * 3000 + end)
    assert len(evidence.payments) == 3000
    assert evidence.payments[-1].source.place.startswith("CdtTrfTxInf 3000 ")


@given(st.integers(0, len(ONE)))
def test_a_file_cut_anywhere_is_malformed(length: int) -> None:
    whole = len(ONE.rstrip())
    if length < whole:
        with pytest.raises(Malformed):
            read_evidence("a.xml", ONE[:length])


@given(st.integers(0, len(ONE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_file_is_read_or_malformed(place: int, put: bytes, gone: int) -> None:
    try:
        evidence = read_evidence("a.xml", ONE[:place] + put + ONE[place + gone :])
    except Malformed:
        return
    assert evidence.payments


def samples(pattern: str) -> list[Path]:
    return sorted((SAMPLES / "iso20022").glob(pattern))


@pytest.mark.skipif(not SAMPLES.exists(), reason="the published samples are not beside the project")
def test_every_published_payment_is_read_without_a_refusal() -> None:
    files = samples("*pacs.008*") + samples("*pacs.009*")
    assert len(files) == 14
    for file in files:
        evidence = read_evidence(file.name, file.read_bytes())
        (payment,) = evidence.payments
        assert payment.uetr
        assert payment.settled_on
        assert payment.instructed_at
        assert payment.debtor.agent
        assert payment.creditor.agent
        assert payment.amount.minor > 0
        if "pacs.008" in file.name:
            assert payment.creditor.account.startswith("payto://bic/")
        unread = [line for line in said(evidence) if "not carried over" not in line and "was settled" not in line]
        assert unread == []


@pytest.mark.skipif(not SAMPLES.exists(), reason="the published samples are not beside the project")
def test_every_other_published_message_is_refused_by_its_name() -> None:
    folders = (SAMPLES / "iso20022", SAMPLES / "iso20022-conversation")
    files = [file for folder in folders for file in sorted(folder.glob("*.xml"))]
    others = [file for file in files if "pacs.008" not in file.name and "pacs.009" not in file.name]
    assert len(others) == 23 + 13
    for file in others:
        kind = next(part for part in ("camt", "pacs", "auth") if f"{part}." in file.name)
        with pytest.raises(Malformed, match=rf"{kind}\.\d\d\d\.001\.\d\d is .*: payments are read from pacs.008"):
            read_evidence(file.name, file.read_bytes())
