"""A ledger as bank statements: camt.053 of every version, one account or many, in one file or many.

A statement tells only its own account's side, and in its own order. A payment between two accounts
of which both are told stands in both, under one reference (UETR, else AcctSvcrRef, else EndToEndId),
and is one transfer; where it stands in one, it ties the two orders together. What nothing ties is
booked by date. What is not booked yet (PDNG, INFO) is no part of a ledger. Times are those of the
booking; where there is only a date, its midnight in UTC, for the order decides and never the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from lxml import etree

from arrp.core.account import account_at, parse_account
from arrp.core.errors import Malformed
from arrp.wire.iso20022 import at, parse_xml, plain_number, text_of
from arrp.wire.ledger_csv import Rows, units_of

_NO_REFERENCE = {"", "NOTPROVIDED"}
_OPENING = {"OPBD", "PRCD"}  # opening, or the last closing before it


@dataclass(slots=True)
class _Entry:
    """One transfer as statements tell it; `after` are those that one of them has before it."""

    time: str
    source: str
    target: str
    amount: str
    asset: str
    ref: str
    batch: str
    sides: set[str] = field(default_factory=set)
    after: set[int] = field(default_factory=set)

    def is_other_side_of(self, other: _Entry) -> bool:
        """Of one payment, whose two ends agree as far as each statement names them."""
        ends = ((self.source, other.source), (self.target, other.target))
        same = all(one == another or not one or not another for one, another in ends)
        return same and not self.sides & other.sides and (self.amount, self.asset) == (other.amount, other.asset)

    def join(self, other: _Entry) -> None:
        self.source, self.target = self.source or other.source, self.target or other.target
        self.sides |= other.sides


def is_statement(data: bytes) -> bool:
    """Whether a file begins like XML."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_camt(files: Sequence[tuple[str, bytes]]) -> Rows:
    """All statements of all files (name, bytes) as one ledger; `opening` is what they say was there before. Raises
    Malformed where a file is no statement, or two statements contradict each other's order."""
    rows, entries, known = Rows(), list[_Entry](), dict[str, int]()
    for name, data in files:
        try:
            for statement in _statements(data):
                _take(statement, rows, entries, known)
        except Malformed as why:
            raise Malformed(f"{name}: {why}") from None
    for place in _booked(entries):
        one = entries[place]
        rows.take([one.time, one.source, one.target, one.amount, one.asset, one.ref, "", "", one.batch, ""])
    return rows


def _statements(data: bytes) -> Iterator[etree._Element]:
    found = [element for element in parse_xml(data).iter("{*}Stmt")]
    if not found:
        raise Malformed("no camt.053 statement (BkToCstmrStmt/Stmt) is in it")
    yield from found


def _take(statement: etree._Element, rows: Rows, entries: list[_Entry], known: dict[str, int]) -> None:
    account = _account(at(statement, "Acct"), "Acct")
    if not account:
        raise Malformed(f"line {statement.sourceline}: the statement names no account")
    _open(statement, account, rows)
    before: int | None = None
    for place, entry in enumerate(statement.iterfind("{*}Ntry"), 1):
        if (text_of(entry, "Sts/Cd") or text_of(entry, "Sts")) != "BOOK":
            continue
        for one in _told(entry, account, f"{account} entry {place}"):
            number = known.get(one.ref)
            if number is None or not entries[number].is_other_side_of(one):
                number = len(entries)
                entries.append(one)
                known.setdefault(one.ref, number)
            entries[number].join(one)
            if before is not None:
                entries[number].after.add(before)
            before = number


def _open(statement: etree._Element, account: str, rows: Rows) -> None:
    """The first statement of an account says what was there before all of them."""
    for balance in statement.iterfind("{*}Bal"):
        if text_of(balance, "Tp/CdOrPrtry/Cd") not in _OPENING:
            continue
        amount, asset = _amount(balance)
        units = units_of(amount, asset, 0)
        if text_of(balance, "CdtDbtInd") == "DBIT" and units:
            raise Malformed(f"line {balance.sourceline}: {account} begins overdrawn by {amount} {asset}. Money that "
                            "repays a debt ends there, and a ledger has no debts: leave this account out")
        rows.opening.setdefault((account, asset), units)


def _told(entry: etree._Element, account: str, place: str) -> Iterator[_Entry]:
    """The transfers of one entry: itself, or each of those it adds up. Raises Malformed where they are another sum."""
    details, whole = list(entry.iterfind("{*}NtryDtls/{*}TxDtls")), _amount(entry)
    leaves, time = text_of(entry, "CdtDbtInd") == "DBIT", _time(entry)
    for number, one in enumerate(details or [entry], 1):
        is_part = len(details) > 1
        other = _account(at(one, f"RltdPties/{'Cdtr' if leaves else 'Dbtr'}Acct"), place)
        source, target = (account, other) if leaves else (other, account)
        ref = _reference(one, "" if is_part else text_of(entry, "AcctSvcrRef")) or (
            f"{place}.{number}" if is_part else place)
        amount, asset = _amount(one) if is_part else whole
        yield _Entry(time, source, target, amount, asset, ref, place if is_part else "", {account})
    if len(details) > 1 and sum(units_of(*_amount(one)) for one in details) != units_of(*whole):
        raise Malformed(f"line {entry.sourceline}: the transfers of {place} do not add up to its amount")


def _reference(details: etree._Element, of_entry: str) -> str:
    names = (text_of(details, "Refs/UETR"), text_of(details, "Refs/AcctSvcrRef"), of_entry,
             text_of(details, "Refs/EndToEndId"))
    return next((name for name in names if name not in _NO_REFERENCE), "")


def _time(entry: etree._Element) -> str:
    for name in ("BookgDt", "ValDt"):
        if instant := text_of(entry, f"{name}/DtTm"):
            return instant if instant[-1] == "Z" or "+" in instant[10:] or "-" in instant[10:] else f"{instant}Z"
        if day := text_of(entry, f"{name}/Dt"):
            return f"{day[:10]}T00:00:00Z"
    raise Malformed(f"line {entry.sourceline}: the entry has no booking date")


def _amount(element: etree._Element) -> tuple[str, str]:
    found = at(element, "Amt")
    if found is None:
        found = at(element, "AmtDtls/TxAmt/Amt")
    if found is None:
        raise Malformed(f"line {element.sourceline}: there is no amount")
    return plain_number(text_of(found)), str(found.get("Ccy", ""))


def _account(element: etree._Element | None, place: str) -> str:
    """A DESIGN string where the account is one; else the number as the statement writes it; "" where there is none."""
    iban, other = text_of(element, "Id/IBAN"), text_of(element, "Id/Othr/Id")
    bank = text_of(element, "Svcr/FinInstnId/BICFI") or text_of(element, "Svcr/FinInstnId/BIC")
    if iban:
        try:
            return parse_account(iban)
        except Malformed as why:
            raise Malformed(f"{place}: {why}") from None
    return account_at(bank, other) if bank and other else other


def _booked(entries: Sequence[_Entry]) -> Iterator[int]:
    """Places in an order that every statement agrees with, the earlier date first. Raises Malformed for none."""
    behind: defaultdict[int, list[int]] = defaultdict(list)
    waits = [len(one.after) for one in entries]
    for place, one in enumerate(entries):
        for earlier in one.after:
            behind[earlier].append(place)
    ready = [(one.time, place) for place, one in enumerate(entries) if not one.after]
    heapify(ready)
    told = 0
    while ready:
        _, place = heappop(ready)
        told += 1
        yield place
        for later in behind[place]:
            waits[later] -= 1
            if not waits[later]:
                heappush(ready, (entries[later].time, later))
    if told < len(entries):
        stuck = next(one.ref for one, left in zip(entries, waits, strict=True) if left)
        raise Malformed(f"two statements tell {stuck} and others in contrary orders: one of them is wrong")
