"""Evidence: any file with payments in it, recognised by its content, never by its name.

XML is pacs.008 or pacs.009 (`iso20022`), `{1:` is FIN or RJE (`swift_mt`), everything else must be
CSV with a header, in UTF-8 (or UTF-16 with its mark), between `,` `;` or tabs. Columns, in any order:

    amount, asset (currency, ccy)          needed; a decimal point, or a comma where nothing else is possible
    creditor_account, uetr                 one of them needed
    creditor_name, creditor_agent          beneficiary_… and payee_… are read as creditor_…,
    debtor_account, debtor_name, …_agent   payer_…, sender_… and originator_… as debtor_…, …_bic as …_agent
    end_to_end_id (endtoendid, e2e_id)     references (reference): several between |
    settled_on (settlement_date, value_date)   2026-11-22
    instructed_at                          2026-11-22T09:30:00+01:00, with its offset

A line that cannot be read is left out and named; a header that cannot be read refuses the file.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from arrp.core.errors import Malformed
from arrp.core.money import Amount
from arrp.core.report import Evidence, Party, Payment, Place
from arrp.wire.iso20022 import read_pacs
from arrp.wire.reading import Reading
from arrp.wire.swift_mt import read_fin

_COLUMNS = (
    "uetr", "end_to_end_id", "references", "amount", "asset", "settled_on", "instructed_at",
    "debtor_name", "debtor_account", "debtor_agent", "creditor_name", "creditor_account", "creditor_agent",
)  # fmt: skip
_ALIASES = {
    "currency": "asset",
    "ccy": "asset",
    "endtoendid": "end_to_end_id",
    "e2e_id": "end_to_end_id",
    "reference": "references",
    "settlement_date": "settled_on",
    "value_date": "settled_on",
}
_ROLES = {"beneficiary": "creditor", "payee": "creditor", "payer": "debtor", "sender": "debtor", "originator": "debtor"}
_PARTS = {"iban": "account", "bic": "agent"}

# Shapes of a number and its decimal sign. A comma is decimal only where it cannot be anything else.
_NUMBERS = tuple(
    (re.compile(shape), point)
    for shape, point in (
        (r"[0-9]+(\.[0-9]+)?", "."),
        (r"[0-9]+,[0-9]{1,2}", ","),
        (r"[0-9]{1,3}(,[0-9]{3})+\.[0-9]+", "."),
        (r"[0-9]{1,3}(\.[0-9]{3})+,[0-9]+", ","),
        (r"[0-9]{1,3}(,[0-9]{3}){2,}", "."),
        (r"[0-9]{1,3}(\.[0-9]{3}){2,}", ","),
    )
)
_SPACED = re.compile(r"(?<=[0-9])[\s'’](?=[0-9]{3}(?:[\s'’.,]|$))")


def read_evidence(name: str, data: bytes) -> Evidence:
    """The payments of a file, and what of it was not understood. Raises Malformed naming the file."""
    start = data[:4096].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    reader = read_pacs if start.startswith(b"<") else read_fin if b"{1:" in start else _read_csv
    try:
        return reader(name, data)
    except Malformed as why:
        raise Malformed(f"{name}: {why}") from None


def evidence_json(evidence: Evidence) -> list[dict[str, Any]]:
    """The payments as `arrp read --json` prints them: what is not known is null."""
    left = [{"place": missed.place, "what": missed.what} for missed in evidence.not_understood]
    return [{**_payment_json(payment), "not_understood": left} for payment in evidence.payments]


def _payment_json(payment: Payment) -> dict[str, Any]:
    at = payment.instructed_at
    return {
        "uetr": payment.uetr or None,
        "end_to_end_id": payment.end_to_end_id or None,
        "references": list(payment.references),
        "amount": payment.amount.decimal,
        "asset": payment.amount.asset,
        "settled_on": payment.settled_on.isoformat() if payment.settled_on else None,
        "instructed_at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" if at else None,
        "debtor": _party_json(payment.debtor),
        "creditor": _party_json(payment.creditor),
        "source": {"file": payment.source.file, "place": payment.source.place},
    }


def _party_json(party: Party) -> dict[str, str | None]:
    return {"name": party.name or None, "account": party.account or None, "agent": party.agent or None}


def _read_csv(file: str, data: bytes) -> Evidence:
    reading = Reading(file)
    text = _decoded(data)
    rows = _rows(text, _delimiter(text))
    line, header = next(rows, (1, []))
    columns = _columns(reading, f"line {line}", header)
    for line, cells in rows:
        if len(cells) != len(columns):
            reading.miss(f"line {line}", f"left out: {len(cells)} cells where the header has {len(columns)}")
        else:
            _add(reading, f"line {line}", {name: cell for name, cell in zip(columns, cells, strict=True) if name})
    return reading.evidence()


def _decoded(data: bytes) -> str:
    coding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(coding)
    except UnicodeDecodeError as why:
        line = 1 + data.count(b"\n", 0, why.start)
        raise Malformed(
            f"byte {why.start} (line {line}) is not text in UTF-8: this is neither pacs.008 or pacs.009 XML, nor FIN, "
            "nor CSV in UTF-8. Export the payment message, or save the table as CSV UTF-8."
        ) from None


def _delimiter(text: str) -> str:
    """The one that makes the first line a header we know most of."""
    first = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]
    return max(",;\t", key=lambda sign: sum(_column(cell.strip('"')) != "" for cell in first.split(sign)))


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as why:
        raise Malformed(f"line {line}: the CSV is broken ({why}); nothing behind it can be trusted") from None


def _column(name: str) -> str:
    """Our name for a column; empty when we know none."""
    plain = re.sub(r"[\s_.-]+", "_", name.strip().lower()).strip("_")
    role, _, part = plain.rpartition("_")
    ours = _ALIASES.get(plain, f"{_ROLES.get(role, role)}_{_PARTS.get(part, part)}" if role else plain)
    return ours if ours in _COLUMNS else ""


def _columns(reading: Reading, place: str, header: list[str]) -> list[str]:
    """Our name of every column. Raises Malformed when two mean the same or a needed one is missing."""
    columns = [_column(name) for name in header]
    for name, column in zip(header, columns, strict=True):
        if column and columns.count(column) > 1:
            same = [other for other, ours in zip(header, columns, strict=True) if ours == column]
            raise Malformed(f"{place}: columns {', '.join(map(repr, same))} all mean {column}: keep one of them")
        if not column:
            reading.miss(place, f"column {name!r} is not used")
    if not {"amount", "asset"} <= set(columns) or not {"creditor_account", "uetr"} & set(columns):
        raise Malformed(
            "this is neither XML (pacs.008, pacs.009) nor FIN (MT103), and as CSV its first line lacks the columns "
            f"amount, asset and creditor_account (or uetr): it has {', '.join(map(repr, header[:12])) or 'nothing'}"
        )
    return columns


def _add(reading: Reading, line: str, cells: dict[str, str]) -> None:
    """The payment of one row, unless its amount cannot be read."""
    asset = cells["asset"].upper() if len(cells["asset"]) == 3 else cells["asset"]
    said = cells["amount"] or "nothing"
    amount = reading.attempt(f"{line} amount, left out", lambda text: Amount.parse(_number(text), asset), said, None)
    if amount is None:
        return
    reading.payments.append(
        Payment(
            amount=amount,
            settled_on=reading.day(f"{line} settled_on", cells.get("settled_on", "")),
            instructed_at=reading.instant(f"{line} instructed_at", cells.get("instructed_at", "")),
            debtor=_party(reading, line, cells, "debtor"),
            creditor=_party(reading, line, cells, "creditor"),
            uetr=reading.uetr(f"{line} uetr", cells.get("uetr", "")),
            end_to_end_id=cells.get("end_to_end_id", ""),
            references=tuple(part.strip() for part in cells.get("references", "").split("|") if part.strip()),
            source=Place(reading.file, line),
        )
    )


def _party(reading: Reading, line: str, cells: dict[str, str], role: str) -> Party:
    agent = reading.agent(f"{line} {role}_agent", cells.get(f"{role}_agent", ""))
    account = cells.get(f"{role}_account", "")
    return Party(
        cells.get(f"{role}_name", ""), reading.account(f"{line} {role}_account, left empty", agent, account), agent
    )


def _number(text: str) -> str:
    """The decimal number people wrote, with a point. Raises Malformed where it could be two numbers."""
    plain = _SPACED.sub("", text)
    point = next((point for shape, point in _NUMBERS if shape.fullmatch(plain)), None)
    if point:
        whole, _, fraction = plain.partition(point)
        return (re.sub("[.,]", "", whole).lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    raise Malformed(f"{text!r} is not one clear amount: write it with a decimal point and nothing else, as 62000.00")
