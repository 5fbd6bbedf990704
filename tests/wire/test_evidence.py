"""Evidence of any kind: recognised by what is in it, said in one shape; and tables as people save them."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.core.report import Evidence, Party
from arrp.wire.evidence import evidence_json, read_evidence

DATA = Path(__file__).resolve().parents[1] / "data" / "evidence"
HEADER = "amount,asset,creditor_account\n"
UETR = "3f1c5b1e-6d0a-4c57-9b1d-0d4a0e2f8a11"


def read(name: str) -> Evidence:
    return read_evidence(name, (DATA / name).read_bytes())


def table(*rows: str, header: str = HEADER) -> Evidence:
    return read_evidence("a.csv", (header + "\n".join(rows)).encode())


def said(evidence: Evidence) -> list[str]:
    return [f"{missed.place}: {missed.what}" for missed in evidence.not_understood]


def test_a_file_is_known_by_its_content() -> None:
    xml, fin, csv = ((DATA / name).read_bytes() for name in ("pacs008_one.xml", "mt103_one.fin", "payments.csv"))
    assert read_evidence("x.csv", b"\n  " + xml.partition(b"?>\n")[2]).payments[0].references[0] == "INSTR-77"
    assert read_evidence("x.xml", fin).payments[0].references[0] == "C2D0506272708"
    assert read_evidence("x.fin", csv).payments[0].references[0] == "TX-1"


def test_the_shape_of_the_contract() -> None:
    (first, *_) = printed = evidence_json(read("pacs008_wrapped_several.xml"))
    assert json.loads(json.dumps(printed)) == printed
    assert list(first) == [
        "uetr", "end_to_end_id", "references", "amount", "asset", "settled_on", "instructed_at",
        "debtor", "creditor", "source", "not_understood",
    ]  # fmt: skip
    assert first["uetr"] == "0b0f1a52-7c9e-4d39-8a35-6f0a4be0a001"
    assert first["end_to_end_id"] is None
    assert (first["amount"], first["asset"]) == ("136490.00", "USD")
    assert (first["settled_on"], first["instructed_at"]) == ("2026-03-06", "2026-03-06T10:00:00.000000Z")
    assert first["creditor"] == {
        "name": "US Trading",
        "account": "payto://ach/021000021/254178963",
        "agent": "021000021",
    }
    assert first["debtor"]["account"] == "payto://bic/CHASGB2L/96325874"
    assert first["source"]["file"] == "pacs008_wrapped_several.xml"
    assert all(list(left) == ["place", "what"] for left in first["not_understood"])
    assert all(payment["not_understood"] == first["not_understood"] for payment in printed)
    unknown = printed[2]
    assert (unknown["uetr"], unknown["settled_on"], unknown["instructed_at"]) == (None, None, None)
    assert unknown["creditor"] == {"name": "Mistyped Ltd", "account": None, "agent": "NWBKGB2LXXX"}


def test_a_table_is_read_whole() -> None:
    first, second, third, wallet = read("payments.csv").payments
    assert (first.uetr, first.end_to_end_id, first.references) == (UETR, "INVOICE-118", ("TX-1", "INSTR-2"))
    assert first.amount == Amount(6200000, "EUR")
    assert first.settled_on == date(2026, 3, 5)
    assert first.instructed_at == datetime(2026, 3, 5, 8, 11, 58, tzinfo=UTC)
    assert first.debtor == Party("Weber, Anna", "payto://iban/LU280019400644750000", "BCEELULL")
    assert first.creditor == Party("Moveis do Porto", "payto://iban/PT50000201231234567890154", "BCOMPTPL")
    assert second.amount == Amount(13649000, "USD")
    assert second.creditor.account == "payto://bic/HNBAUS51/254178963"
    assert third.creditor == Party("Mistyped", "", "COBADEFF")
    assert wallet.amount == Amount(1_500_000_000_000_000_000, "eip155:1/slip44:60")
    assert wallet.creditor.account == "eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa96045"
    assert [payment.source.place for payment in (first, second, third, wallet)] == [
        "line 2",
        "line 3",
        "line 7",
        "line 9",
    ]


def test_lines_that_cannot_be_read_are_named() -> None:
    lines = said(read("payments.csv"))
    for line in [
        "line 4 amount, left out: '1,234' is not one clear amount",
        "line 5 amount, left out: asset 'BTC-not-an-asset' is neither",
        "line 7 instructed_at: '2026-03-06T10:00:00' has no time zone",
        "line 7 creditor_account, left empty: check digits of IBAN DE89370400440532013001 are wrong",
        "line 8: left out: 5 cells where the header has 13",
    ]:
        assert any(found.startswith(line) for found in lines), line
    assert len(lines) == 5


def test_a_table_of_another_country() -> None:
    evidence = read("payments_semicolon.csv")  # with a byte order mark and \r\n
    assert [payment.amount for payment in evidence.payments] == [Amount(6200050, "EUR"), Amount(125050, "EUR")]
    assert evidence.payments[1].creditor.name == "Moveis; do Porto"
    assert said(evidence) == ["line 1: column 'Colour' is not used"]


def test_a_table_with_bare_carriage_returns() -> None:
    (payment,) = read("payments_mac.tsv").payments
    assert (payment.uetr, payment.amount, payment.source.place) == (UETR, Amount(1234567, "JPY"), "line 2")


def test_a_table_saved_as_unicode_text() -> None:
    text = "amount\tcurrency\tbeneficiary_iban\n10\tEUR\tDE89370400440532013000\n"
    assert read_evidence("a.txt", text.encode("utf-16")).payments[0].amount == Amount(1000, "EUR")


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        ("62000.00", 6200000),
        ("62000", 6200000),
        ("62000,5", 6200050),
        ("1,234.56", 123456),
        ("1.234,56", 123456),
        ("1,234,567", 123456700),
        ("1.234.567", 123456700),
        ("1.234.567,89", 123456789),
        ("1 234,56", 123456),
        ("1'234.56", 123456),
        ("1\u00a0234\u00a0567.00", 123456700),
        ("007.5", 750),
    ],
)
def test_an_amount_that_can_be_one_number_only(written: str, minor: int) -> None:
    assert table(f'"{written}",EUR,').payments[0].amount == Amount(minor, "EUR")


@pytest.mark.parametrize(
    "written",
    [
        "1,234",
        "1.234",
        "12.345,6.7",
        "1,23,456.00",
        "-5",
        "+5",
        "5 EUR",
        "€5",
        "1e3",
        "1,",
        ".5",
        "",
        "٥",
        "1 23",
        "0x10",
        "NaN",
    ],
)
def test_an_amount_that_is_not_clear_is_left_out(written: str) -> None:
    evidence = table("1,EUR,", f'"{written}",EUR,')
    assert len(evidence.payments) == 1
    assert said(evidence)[0].startswith("line 3 amount, left out: ")


@pytest.mark.parametrize("sign", ",;\t")
def test_the_sign_between_cells_is_found(sign: str) -> None:
    text = sign.join(("amount", "asset", "creditor_account", "note, with; signs")) + "\n"
    text += sign.join(("1.00", "EUR", "PT50000201231234567890154", "x"))
    if sign == "\t":
        assert read_evidence("a", text.encode()).payments[0].creditor.account.endswith("0154")
    else:  # the header holds more cells than the row, so the row is left out, and that is said
        with pytest.raises(Malformed, match="cells where the header has"):
            read_evidence("a", text.encode())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it has nothing"),
        (b"\xef\xbb\xbf\r\n", "it has nothing"),
        (b"amount,asset\n1,EUR\n", "lacks the columns"),
        (b"name,date\nx,y\n", "it has 'name', 'date'"),
        (b"amount,Amount,asset,uetr\n", "columns 'amount', 'Amount' all mean amount"),
        (b"amount,asset,ccy,uetr\n", "columns 'asset', 'ccy' all mean asset"),
        (b"amount,asset,creditor_account\n", "no payment can be read here. It is empty."),
        (b"amount,asset,creditor_account\nx,EUR,\n", "line 2 amount, left out: 'x' is not one clear amount"),
        (b'amount,asset,creditor_account\n1,EUR,"', "line 2: the CSV is broken"),
        (b'amount,asset,creditor_account\n1,EUR,"a"b\n', "line 2: the CSV is broken"),
        (b"amount,asset,creditor_account\n1,EUR,\n1,EUR,\xe9\n", "byte 43 (line 3) is not text in UTF-8"),
        (b"%PDF-1.7\n%\xe2\xe3", "neither pacs.008 or pacs.009 XML, nor FIN, nor CSV"),
        (b"PK\x03\x04\x14\x00\xff", "save the table as CSV UTF-8"),
        (b"Dear officer, please stop this payment.", "lacks the columns amount, asset"),
    ],
)
def test_a_file_that_is_no_evidence_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=r"a\.csv: ") as refused:
        read_evidence("a.csv", data)
    assert why in str(refused.value)


def test_a_quoted_cell_over_lines_keeps_the_line_numbers() -> None:
    evidence = table('1,EUR,"PT50 0002\n0123 1234 5678 9015 4"', "x,EUR,", "2,EUR,")
    assert [payment.source.place for payment in evidence.payments] == ["line 2", "line 5"]
    assert said(evidence)[0].startswith("line 4 amount")
    assert evidence.payments[0].creditor.account == "payto://iban/PT50000201231234567890154"


def test_a_row_with_a_cell_too_many_is_left_out() -> None:
    evidence = table("1,EUR,,x", "2,EUR,")
    assert [payment.amount for payment in evidence.payments] == [Amount(200, "EUR")]
    assert said(evidence) == ["line 2: left out: 4 cells where the header has 3"]


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00", "2026-03-05T25:00:00Z", "now"]
)
def test_an_instant_that_is_none_is_left_out(at: str) -> None:
    evidence = table(f"1,EUR,,{at}", header="amount,asset,creditor_account,instructed_at\n")
    assert evidence.payments[0].instructed_at is None
    assert said(evidence) == [f"line 2 instructed_at: {at!r} is not an instant written as 2026-11-22T09:30:00Z"]


def test_a_hundred_thousand_rows() -> None:
    evidence = table(*["1.00,EUR,"] * 99_999, "x,EUR,")
    assert len(evidence.payments) == 99_999
    assert evidence.payments[-1].source.place == "line 100000"
    assert said(evidence)[0].startswith("line 100001 amount")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Amount;Currency;Beneficiary Account", "1;EUR;PT50000201231234567890154"),
        ("amount,ccy,payee_iban,payee-name", "1,EUR,PT50000201231234567890154,X"),
        ("UETR,amount,asset,e2e_id,reference,value_date", f"{UETR},1,EUR,E,R,2026-03-05"),
        ("uetr,amount,asset,payer_name,sender_bic,originator_account", f"{UETR},1,EUR,X,BCEELULL,7"),
        ("uetr,EndToEndId,settlement date,amount,asset,creditor.agent", f"{UETR},E,2026-03-05,1,EUR,BCOMPTPL"),
    ],
)
def test_the_documented_columns_are_read(header: str, row: str) -> None:
    evidence = read_evidence("a", f"{header}\n{row}\n".encode())
    assert evidence.payments[0].amount == Amount(100, "EUR")
    assert said(evidence) == []


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    with suppress(Malformed):
        assert read_evidence("a", data).payments


BEGINNINGS = (b"<", b"<?xml version='1.0'?><Document>", b"{1:", b"{1:F01", HEADER.encode(), b"\xff\xfe", b"\xfe\xff<\0")


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_behind_a_known_beginning_are_read_or_malformed(beginning: bytes, rest: bytes) -> None:
    try:
        evidence = read_evidence("a", beginning + rest)
    except Malformed:
        return
    assert json.dumps(evidence_json(evidence))


CELLS = st.text(max_size=30)


@given(st.lists(st.lists(CELLS, min_size=13, max_size=13), min_size=1, max_size=4))
def test_any_cells_are_read_or_malformed(rows: list[list[str]]) -> None:
    header = (DATA / "payments.csv").read_text().splitlines()[0]
    body = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    try:
        evidence = read_evidence("a", f"{header}\n{body}".encode())
    except Malformed:
        return
    assert json.dumps(evidence_json(evidence))
