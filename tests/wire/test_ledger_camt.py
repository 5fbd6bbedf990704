"""camt.053 statements as one ledger: what two accounts tell of one payment is one transfer, in an order of both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from arrp.core.errors import Malformed
from arrp.wire.ledger_camt import is_statement, read_camt
from arrp.wire.ledger_csv import Rows

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/iso20022"
ES, PT = "ES9121000418450200051332", "PT50000201231234567890154"
A, B = f"payto://iban/{ES}", f"payto://iban/{PT}"


def entry(
    way: str, amount: str, ref: str, other: str = "", *, day: str = "2026-11-20", status: str = "<Cd>BOOK</Cd>"
) -> str:
    side = "Cdtr" if way == "DBIT" else "Dbtr"
    party = f"<RltdPties><{side}Acct><Id><IBAN>{other}</IBAN></Id></{side}Acct></RltdPties>" if other else ""
    refs = f"<Refs><EndToEndId>{ref}</EndToEndId></Refs>" if ref else ""
    return (f"<Ntry><Amt Ccy='EUR'>{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd><Sts>{status}</Sts><BookgDt><Dt>{day}</Dt>"
            f"</BookgDt><NtryDtls><TxDtls>{refs}{party}</TxDtls></NtryDtls></Ntry>")


def statement(iban: str, *entries: str, opening: str = "0.00", way: str = "CRDT") -> str:
    return (f"<Stmt><Acct><Id><IBAN>{iban}</IBAN></Id></Acct><Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>"
            f"<Amt Ccy='EUR'>{opening}</Amt><CdtDbtInd>{way}</CdtDbtInd></Bal>{''.join(entries)}</Stmt>")


def rows_of(*files: str) -> Rows:
    begin, end = "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.08'><BkToCstmrStmt>", "</BkToCstmrStmt>"
    texts = [f"{begin}{text}{end}</Document>" for text in files]
    return read_camt([(f"{number}.xml", text.encode()) for number, text in enumerate(texts)])


def told(rows: Rows) -> Sequence[tuple[str, str, int, str]]:
    assert rows.refused == []
    return list(zip(rows.sources, rows.targets, rows.amounts, rows.refs, strict=True))


def test_a_payment_that_both_accounts_tell_is_one_transfer() -> None:
    rows = rows_of(statement(ES, entry("DBIT", "40.00", "E1", PT), opening="100.00"),
                   statement(PT, entry("CRDT", "40.00", "E1", ES), opening="5.00"))
    assert told(rows) == [(A, B, 4000, "E1")]
    assert rows.opening == {(A, "EUR"): 10000, (B, "EUR"): 500}


def test_each_side_names_who_the_other_side_left_out() -> None:
    unnamed, named = entry("CRDT", "40.00", "E1"), entry("DBIT", "40.00", "E1", PT)
    for files in ((statement(PT, unnamed), statement(ES, named)), (statement(ES, named), statement(PT, unnamed))):
        assert told(rows_of(*files)) == [(A, B, 4000, "E1")]


def test_two_accounts_that_were_both_paid_under_one_reference_are_not_one_transfer() -> None:
    rows = rows_of(statement(ES, entry("CRDT", "40.00", "E1")), statement(PT, entry("CRDT", "40.00", "E1")))
    assert "E1" in rows.refused[0].why


def test_the_order_is_that_of_every_statement_and_not_of_the_dates() -> None:
    """The second account books the day after: what it paid on from E1 still comes behind it."""
    rows = rows_of(statement(PT, entry("DBIT", "10.00", "E0", day="2026-11-19"),
                             entry("CRDT", "40.00", "E1", ES, day="2026-11-21"), entry("DBIT", "40.00", "E2")),
                   statement(ES, entry("CRDT", "40.00", "P1"), entry("DBIT", "40.00", "E1", PT, day="2026-11-20")))
    assert [ref for *_, ref in told(rows)] == ["E0", "P1", "E1", "E2"]


def test_an_entry_of_many_is_a_batch_and_adds_up() -> None:
    part = "<TxDtls><Refs><EndToEndId>E{0}</EndToEndId></Refs><Amt Ccy='EUR'>{0}.00</Amt></TxDtls>"
    parts = "".join(map(part.format, (1, 2)))
    both = entry("DBIT", "3.00", "").replace("<TxDtls></TxDtls>", parts)
    rows = rows_of(statement(ES, both))
    assert [row[2:] for row in told(rows)] == [(100, "E1"), (200, "E2")]
    assert rows.batches == [f"{A} entry 1"] * 2
    with pytest.raises(Malformed, match="do not add up"):
        rows_of(statement(ES, both.replace("3.00", "4.00")))


def test_what_is_not_booked_is_no_part_of_it_and_cash_is_from_outside() -> None:
    waits, booked = entry("CRDT", "9.00", "", status="PDNG"), entry("CRDT", "7.00", "NOTPROVIDED", status="BOOK")
    rows = rows_of(statement(ES, waits, booked))
    assert told(rows) == [("", A, 700, f"{A} entry 2")]


def test_one_reference_twice_in_one_account_is_refused() -> None:
    rows = rows_of(statement(ES, entry("DBIT", "1.00", "E1"), entry("DBIT", "1.00", "E1")))
    assert "E1" in rows.refused[0].why


def test_contrary_orders_an_overdraft_and_what_is_no_statement_are_named() -> None:
    pays, gets = [entry("DBIT", "1.00", ref, PT) for ref in "ab"], [entry("CRDT", "1.00", ref, ES) for ref in "ba"]
    with pytest.raises(Malformed, match="in contrary orders"):
        rows_of(statement(ES, *pays, opening="9.00"), statement(PT, *gets))
    with pytest.raises(Malformed, match=r"begins overdrawn by 12\.00 EUR"):
        rows_of(statement(ES, opening="12.00", way="DBIT"))
    with pytest.raises(Malformed, match=r"0\.xml: no camt\.053"):
        read_camt([("0.xml", b"<Document/>")])
    assert is_statement(b"\xef\xbb\xbf <?xml")
    assert not is_statement(b"time,from")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published samples are not part of the project")
@pytest.mark.parametrize("file", ["CBPRplus_c.56.4.1_camt.053-DtoE.xml", "CBPRplus_p.2.3.1.a_camt.053-CtoD.xml"])
def test_a_published_statement_is_read_once_it_does_not_begin_with_a_debt(file: str) -> None:
    data = (SAMPLES / file).read_bytes()
    with pytest.raises(Malformed, match="begins overdrawn"):
        read_camt([(file, data)])
    assert len(told(read_camt([(file, data.replace(b"DBIT", b"CRDT", 1))]))) == 1
