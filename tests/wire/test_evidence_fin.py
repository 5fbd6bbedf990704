"""MT103 as banks export it: one message, a file of them, cut, refused by the network, or junk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.core.report import Evidence, Party
from arrp.wire.evidence import read_evidence

DATA = Path(__file__).resolve().parents[1] / "data" / "evidence"
SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/mt"
ONE = (DATA / "mt103_one.fin").read_bytes()
MANY = (DATA / "mt103_many.rje").read_bytes()

SHORT = """{1:F01BCEELULLAXXX0000000000}{2:I103BCOMPTPLXXXXN}{4:
:20:REF
:32A:%s
:50K:/LU280019400644750000
ATELIER WEBER
:59:/PT50000201231234567890154
MOVEIS
%s-}"""


def short(settled: str = "260305EUR62000,", more: str = "") -> bytes:
    return (SHORT % (settled, more)).encode()


def said(evidence: Evidence) -> list[str]:
    return [f"{missed.place}: {missed.what}" for missed in evidence.not_understood]


def test_one_message_is_read_whole() -> None:
    (payment,) = read_evidence("mt103_one.fin", ONE).payments
    assert payment.uetr == "174c245f-2682-4291-ad67-2a41e530cd27"
    assert payment.end_to_end_id == "E2E04044506271305"
    assert payment.references == ("C2D0506272708", "MUR-1", "/ROC/E2E04044506271305//INVOICE 12")
    assert payment.amount == Amount(13648000, "USD")
    assert payment.settled_on == date(2026, 5, 11)
    assert payment.instructed_at is None
    assert payment.debtor == Party("GB Instruments and Partners", "payto://bic/CHASGB2L/96325874", "CHASGB2LXXX")
    assert payment.creditor == Party("US Trading", "payto://bic/HNBAUS51/254178963", "HNBAUS51XXX")
    assert (payment.source.file, payment.source.place) == ("mt103_one.fin", "message 1 (line 1)")


def test_what_is_not_used_or_not_known_is_said() -> None:
    assert said(read_evidence("mt103_one.fin", ONE)) == [
        "message 1 :77X: (line 22): unknown field in MT103: 'SOMETHING NEW'",
        "message 1 :33B: (line 6): 136500.00 USD was instructed, 136480.00 USD was settled: the settled one is used",
        "message 1 (line 1): not carried over: the time in block 2 (it has no zone), :13C:, :23B:, "
        "other lines of :50F:, other lines of :59F:, :71A:, :71F:, :72:",
        "message 1 (line 1): block 5 says TNG: a training message, not a payment",
    ]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_line_ends_make_no_difference(newline: bytes) -> None:
    other = ONE.replace(b"\r\n", newline)
    assert read_evidence("mt103_one.fin", other) == read_evidence("mt103_one.fin", ONE)


def test_a_file_of_many_messages() -> None:
    evidence = read_evidence("mt103_many.rje", MANY)
    first, second, returned = evidence.payments
    assert first.debtor == Party("ATELIER WEBER", "payto://iban/LU280019400644750000", "AAAAUSLAXXX")  # the sender
    assert first.creditor == Party("MOVEIS DO PORTO", "payto://iban/PT50000201231234567890154", "BCOMPTPLXXX")
    assert second.amount == Amount(1321125, "KWD")
    assert second.settled_on == date(1980, 2, 29)
    assert second.debtor == Party("CLYDGB2S", "payto://ach/021000021/25698745", "021000021")
    assert second.creditor == Party("BENEFICIARY", "", "")
    assert returned.references == ("RETURN",)


def test_what_was_refused_returned_cut_or_no_payment_is_said() -> None:
    lines = said(read_evidence("mt103_many.rje", MANY))
    for line in [
        "message 2 :59: (line 24), account left empty: check digits of IBAN ES9121000418450200051323 are wrong",
        "message 2 :57D: (line 22): left empty: 'SOME BANK SOME STREET' is neither a BIC",
        "message 3 (line 29), left out: the network refused it ({177:2604260718}{451:1}{405:H50})",
        "message 4 (line 36), left out: MT202 is a transfer between banks: payments are read from MT103",
        "message 5 :72: (line 51): this gives an earlier payment back, so it is no loss: /RETN/99 /AC04/",
        "message 6 (line 56), left out: block 4 is missing or does not end with -}: is the file whole?",
    ]:
        assert any(found.startswith(line) for found in lines), line


@pytest.mark.parametrize(("written", "year"), [("00", 2000), ("26", 2026), ("79", 2079), ("80", 1980), ("99", 1999)])
def test_the_century_rule(written: str, year: int) -> None:
    (payment,) = read_evidence("a", short(f"{written}0101EUR1,")).payments
    assert payment.settled_on == date(year, 1, 1)


def test_a_day_that_does_not_exist_is_left_out_and_the_payment_stays() -> None:
    evidence = read_evidence("a", short("260230EUR1,"))
    assert evidence.payments[0].settled_on is None
    assert any("'2026-02-30' is not a day" in line for line in said(evidence))


@pytest.mark.parametrize(
    ("settled", "amount"),
    [("260305EUR0000001,5", Amount(150, "EUR")), ("260305JPY12,", Amount(12, "JPY")), ("260305EUR,", None)]
    + [(f"260305{wrong}", None) for wrong in ("EUR12", "EUR1.000,00", "EUR12,345", "eur12,", "JPY1,5", "", "EUR1,2,3")],
)
def test_amounts_have_a_comma_and_no_more_decimals_than_the_currency(settled: str, amount: Amount | None) -> None:
    if amount is None:
        with pytest.raises(Malformed, match="32A"):
            read_evidence("a", short(settled))
    else:
        assert read_evidence("a", short(settled)).payments[0].amount == amount


@pytest.mark.parametrize(
    ("more", "end_to_end_id", "line"),
    [
        (":70:/ROC/ABC\n", "ABC", ""),
        (":70:/ROC/ABC//INVOICE 1\n", "ABC", ""),
        (":70:INVOICE 1\n/ROC/ABC\n", "ABC", ""),
        (f":70:/ROC/{'A' * 30}\nB\n", "", "where /ROC/ ends is not clear"),
        (":70:INVOICE 1\n", "", ""),
    ],
)
def test_the_end_to_end_id_stands_behind_roc(more: str, end_to_end_id: str, line: str) -> None:
    evidence = read_evidence("a", short(more=more))
    assert evidence.payments[0].end_to_end_id == end_to_end_id
    assert line in " ".join(said(evidence))


def test_a_wrong_uetr_is_said_and_left_out() -> None:
    evidence = read_evidence("a", ONE.replace(b"174c245f-2682-4291", b"174c245f-2682-1291"))
    assert evidence.payments[0].uetr == ""
    assert any(line.startswith("message 1 (line 1) {121:}") for line in said(evidence))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (short(more=":32A:260305EUR1,\n"), ":32A: stands twice"),
        (short(more=":50A:/1\nBCEELULL\n"), ":50A: stands twice"),
        (short().replace(b":20:REF\n", b"REF\n"), "block 4 begins with 'REF'"),
        (short().replace(b":32A:", b":32B:"), "no :32A:"),
        (short().replace(b"{2:I103", b"{2:X103"), "block 2 is missing"),
        (b"{1:", "block 1 is missing or cut off"),
        (short().replace(b"REF", b"R\xe9F"), "is no text in UTF-8"),
        (
            b"{1:F21AAAAUSLAAXXX5195167828}{4:{177:2604260717}{451:0}}",
            "end of file: no message stands behind the last acknowledgement",
        ),
    ],
)
def test_a_message_without_a_clear_payment_is_malformed(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=r"a\.fin: ") as refused:
        read_evidence("a.fin", data)
    assert why in str(refused.value)


def test_the_sender_and_the_receiver_stand_in_for_banks_that_are_not_named() -> None:
    as_sent = read_evidence("a", short()).payments[0]
    arrived = short().replace(b"{1:F01BCEELULLAXXX", b"{1:F01BCOMPTPLAXXX")
    arrived = arrived.replace(b"{2:I103BCOMPTPLXXXXN}", b"{2:O1030905260305BCEELULLAXXX00000000002603050905N}")
    assert as_sent.debtor.agent == "BCEELULLXXX"
    assert as_sent.creditor.agent == "BCOMPTPLXXX"
    (payment,) = read_evidence("a", arrived).payments
    assert (payment.debtor, payment.creditor) == (as_sent.debtor, as_sent.creditor)


def test_a_field_that_is_missing_is_said() -> None:
    data = short().replace(b":59:/PT50000201231234567890154\nMOVEIS\n", b"")
    assert "message 1 (line 1): no :59: field: creditor not known" in said(read_evidence("a", data))


@pytest.mark.parametrize("data", [ONE, MANY, short()])
def test_a_file_cut_at_any_byte_is_read_in_part_or_malformed(data: bytes) -> None:
    whole = read_evidence("a", data)
    for length in range(len(data)):
        try:
            evidence = read_evidence("a", data[:length])
        except Malformed:
            continue
        assert 0 < len(evidence.payments) <= len(whole.payments)
        assert evidence.payments == whole.payments[: len(evidence.payments)]


def test_nothing_of_a_cut_message_is_believed() -> None:
    body_ends = ONE.index(b"-}") + 2
    for length in range(body_ends):
        with pytest.raises(Malformed):
            read_evidence("a", ONE[:length])


@given(st.integers(0, len(MANY) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_file_is_read_or_malformed(place: int, put: bytes, gone: int) -> None:
    try:
        evidence = read_evidence("a", MANY[:place] + put + MANY[place + gone :])
    except Malformed:
        return
    assert evidence.payments


TAGS = "20 13C 23B 32A 33B 50A 50F 50K 52A 52D 57A 57C 57D 59 59A 59F 70 72 77X 99Z"
LINES = st.text(st.characters(codec="ascii", exclude_characters="{}"), max_size=40)


@given(
    st.lists(st.tuples(st.sampled_from(TAGS.split()), LINES), max_size=8),
    st.sampled_from(["", "{3:{121:x}}", "{3:{108:}}", "{3:"]),
)
def test_any_fields_are_read_or_malformed(fields: list[tuple[str, str]], codes: str) -> None:
    body = "".join(f":{tag}:{line}\n" for tag, line in fields)
    data = f"{{1:F01BCEELULLAXXX0000000000}}{{2:I103BCOMPTPLXXXXN}}{codes}{{4:\n:32A:260305EUR1,\n{body}-}}"
    try:
        evidence = read_evidence("a", data.encode())
    except Malformed:
        return
    assert evidence.payments[0].amount == Amount(100, "EUR")


def test_many_messages_take_no_more_than_their_share() -> None:
    evidence = read_evidence("a", b"\n$\n".join([short()] * 5000))
    assert len(evidence.payments) == 5000
    assert evidence.payments[-1].source.place == "message 5000 (line 44992)"


@pytest.mark.skipif(not SAMPLES.exists(), reason="the published samples are not beside the project")
def test_every_published_mt103_is_read() -> None:
    files = sorted(SAMPLES.glob("MT103*"))
    counts = {file.name: len(read_evidence(file.name, file.read_bytes()).payments) for file in files}
    assert len(counts) == 23
    assert counts.pop("MT103-bulk-with-ack.rje") == 3
    assert counts.pop("MT103-out-ack.rje") == 13
    assert set(counts.values()) == {1}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the published samples are not beside the project")
def test_a_published_mt103_agrees_with_its_pacs_008() -> None:
    fin = SAMPLES / "MT103_mx2mt_p2_1_2_finMessage_212_C_D.fin"
    xml = SAMPLES / "../iso20022/CBPRplus_p.2.1.2_pacs.008-CtoD.xml"
    (ours,), (theirs,) = (read_evidence(file.name, file.read_bytes()).payments for file in (fin, xml))
    assert ours.debtor == theirs.debtor
    assert ours.creditor == theirs.creditor
    assert (ours.uetr, ours.end_to_end_id, ours.amount) == (theirs.uetr, theirs.end_to_end_id, theirs.amount)
    assert (ours.settled_on, ours.references) == (theirs.settled_on, theirs.references)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the published samples are not beside the project")
def test_every_other_published_message_is_refused_by_its_type() -> None:
    others = [file for file in sorted(SAMPLES.iterdir()) if not file.name.startswith("MT103")]
    assert len(others) == 36
    for file in others:
        with pytest.raises(Malformed, match=rf"{file.name[:5]} is .*: payments are read from MT103"):
            read_evidence(file.name, file.read_bytes())
