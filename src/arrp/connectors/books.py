"""The simulated bank's books: double entry in one SQLite file that several processes may open.

Every booking and every change of a hold takes the next number of one journal, so balance and holds
can be told as of any sequence. Balances follow from the entries by triggers; what must never be
(Σ holds above what is there, an entry changed afterwards) the database itself refuses.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from arrp.connectors.file import CoreFile, to_text, to_time
from arrp.core.coins import Coins
from arrp.core.errors import Conflict, Malformed
from arrp.core.ledger import End, Transfer
from arrp.core.money import Amount
from arrp.core.report import Party

MOST = 10**18  # SQLite counts to 2^63, and sums must stay below it

_TABLES = """
CREATE TABLE IF NOT EXISTS journal (sequence INTEGER PRIMARY KEY, at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS accounts (
    ref TEXT PRIMARY KEY, account TEXT, holder TEXT NOT NULL, asset TEXT NOT NULL, opening INTEGER NOT NULL,
    overdraft_limit INTEGER NOT NULL CHECK (overdraft_limit >= 0),
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    booked INTEGER NOT NULL, held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    UNIQUE (account, asset), CHECK (booked + overdraft_limit >= held),
    CHECK (status = 'open' OR (booked = 0 AND held = 0))) STRICT;
CREATE TABLE IF NOT EXISTS holds (
    ref TEXT PRIMARY KEY, account TEXT REFERENCES accounts, flight TEXT NOT NULL, content TEXT NOT NULL, until TEXT,
    amount INTEGER NOT NULL DEFAULT 0 CHECK (amount >= 0),
    state TEXT NOT NULL CHECK (state IN ('held', 'released', 'returned', 'handed_over', 'refused')),
    why TEXT NOT NULL DEFAULT '', there INTEGER NOT NULL DEFAULT 0,
    CHECK (amount = 0 OR state = 'held')) STRICT;
CREATE TABLE IF NOT EXISTS hold_events (
    sequence INTEGER PRIMARY KEY REFERENCES journal, hold TEXT NOT NULL REFERENCES holds,
    what TEXT NOT NULL CHECK (what IN ('held', 'released', 'returned', 'handed_over')),
    change INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS transfers (
    sequence INTEGER PRIMARY KEY REFERENCES journal, ref TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount > 0),
    debit TEXT REFERENCES accounts, credit TEXT REFERENCES accounts,
    uetr TEXT NOT NULL, flight TEXT NOT NULL, hold TEXT REFERENCES holds, content TEXT NOT NULL,
    CHECK (debit IS NOT credit)) STRICT;
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, verb TEXT NOT NULL, kind TEXT NOT NULL, times INTEGER, seconds INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS transfers_debit ON transfers (debit);
CREATE INDEX IF NOT EXISTS transfers_credit ON transfers (credit);
CREATE INDEX IF NOT EXISTS transfers_uetr ON transfers (uetr);
CREATE INDEX IF NOT EXISTS transfers_flight ON transfers (flight);
CREATE INDEX IF NOT EXISTS hold_events_hold ON hold_events (hold);
CREATE INDEX IF NOT EXISTS holds_in_force ON holds (until) WHERE amount > 0;
"""
_TRIGGERS = """
CREATE TRIGGER IF NOT EXISTS transfer_moves_money AFTER INSERT ON transfers BEGIN
    UPDATE accounts SET booked = booked - NEW.amount WHERE ref = NEW.debit;
    UPDATE accounts SET booked = booked + NEW.amount WHERE ref = NEW.credit;
END;
CREATE TRIGGER IF NOT EXISTS event_changes_hold AFTER INSERT ON hold_events BEGIN
    UPDATE holds SET amount = amount + NEW.change,
        state = CASE WHEN amount + NEW.change > 0 THEN 'held' ELSE NEW.what END WHERE ref = NEW.hold;
    UPDATE accounts SET held = held + NEW.change WHERE ref = (SELECT account FROM holds WHERE ref = NEW.hold);
END;
"""
_FOR_EVER = """
CREATE TRIGGER IF NOT EXISTS {0}_{1} BEFORE {1} ON {0} BEGIN SELECT raise(ABORT, '{0} only grows'); END;
"""
_GROWING = [
    _FOR_EVER.format(table, verb) for table in ("journal", "transfers", "hold_events") for verb in ("UPDATE", "DELETE")
]


@dataclass(frozen=True, slots=True)
class Order:
    """Who pays whom. Sides that have an account here are booked here; an empty creditor is cash."""

    ref: str
    amount: Amount
    debtor: Party = field(default_factory=Party)
    creditor: Party = field(default_factory=Party)
    uetr: str = ""
    end_to_end: str = ""
    purpose: str = ""
    ends: End | None = None
    reverses: str = ""
    carries: Coins | None = None

    def __post_init__(self) -> None:
        check_amount(self.amount.minor)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the books: an order, its sides here, the payment in flight or the hold it touches."""

    order: Order
    debit: str | None
    credit: str | None
    flight: str = ""
    hold: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Of one account as of a sequence: `booked` may be an overdraft, `free` never is."""

    booked: int
    held: int

    @property
    def free(self) -> int:
        return max(0, self.booked - self.held)


def check_amount(minor: int) -> None:
    if not 0 < minor <= MOST:
        raise Malformed(f"the core moves whole minor units from 1 to 10^18, not {minor}")


class Books:
    """The file. Every method but `transaction` and `close` is called inside a transaction."""

    def __init__(self, path: Path) -> None:
        file = CoreFile(path, "".join((_TABLES, _TRIGGERS, *_GROWING)))
        self.close, self.transaction, self.write = file.close, file.transaction, file.write
        self.row, self.rows, self.number = file.row, file.rows, file.number

    # --- the journal ---------------------------------------------------------------------------

    @property
    def sequence(self) -> int:
        return self.number("SELECT max(sequence) FROM journal")

    def next(self, at: datetime) -> int:
        """No row ever leaves the journal, so the numbers are dense."""
        self.write("INSERT INTO journal (at) VALUES (?)", to_text(at))
        return self.sequence

    # --- accounts and transfers ------------------------------------------------------------------

    def account(self, ref: str) -> sqlite3.Row | None:
        return self.row("SELECT * FROM accounts WHERE ref = ?", ref)

    def account_of(self, party: Party, asset: str) -> sqlite3.Row | None:
        return self.row("SELECT * FROM accounts WHERE account = ? AND asset = ?", party.account, asset)

    def transit(self, asset: str) -> str:
        """The bank's own account on which payments in flight wait; no question finds it."""
        ref = f"transit {asset}"
        self.write("INSERT OR IGNORE INTO accounts (ref, holder, asset, opening, overdraft_limit, booked)"
                   " VALUES (?, '', ?, 0, 0, 0)", ref, asset)  # fmt: skip
        return ref

    def enter(self, entry: Entry, sequence: int) -> None:
        order = entry.order
        self.write(
            "INSERT INTO transfers (sequence, ref, amount, debit, credit, uetr, flight, hold, content)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(sequence, order.ref, order.amount.minor, entry.debit, entry.credit),
            *(order.uetr, entry.flight, entry.hold, _content(order)),
        )

    def entered(self, order: Order, hold: str | None = None) -> int | None:
        """The sequence at which this very order was booked. Raises Conflict for another under its ref."""
        known = self.row("SELECT sequence, content, hold FROM transfers WHERE ref = ?", order.ref)
        if known is None:
            return None
        if (known["content"], known["hold"]) != (_content(order), hold):
            raise Conflict(f"transfer {order.ref} is booked already, with other content: give this one its own ref")
        return int(known["sequence"])

    def in_flight(self, uetr: str) -> int:
        """How much of the payment waits on the transit account."""
        return self.number(
            "SELECT sum(iif(t.credit = a.ref, t.amount, -t.amount)) FROM transfers t"
            " JOIN accounts a ON a.account IS NULL AND a.ref IN (t.debit, t.credit) WHERE t.flight = ?",
            uetr,
        )

    def ledger(self, account_ref: str, after: int = 0) -> tuple[Transfer, ...]:
        rows = self.rows(
            "SELECT t.*, j.at FROM transfers t JOIN journal j USING (sequence)"
            " WHERE (t.debit = ?1 OR t.credit = ?1) AND sequence > ?2 ORDER BY sequence",
            account_ref, after,
        )  # fmt: skip
        return tuple(_transfer(row, incoming=row["credit"] == account_ref) for row in rows)

    def balance(self, account_ref: str, as_of: int) -> Balance:
        """Told from the entries alone, as the account stood at that sequence."""
        booked = self.number(
            "SELECT opening + coalesce((SELECT sum(iif(t.credit = a.ref, t.amount, -t.amount)) FROM transfers t"
            " WHERE a.ref IN (t.debit, t.credit) AND t.sequence <= ?2), 0) FROM accounts a WHERE a.ref = ?1",
            account_ref, as_of,
        )  # fmt: skip
        held = self.number(
            "SELECT sum(e.change) FROM hold_events e JOIN holds h ON h.ref = e.hold"
            " WHERE h.account = ? AND e.sequence <= ?",
            account_ref, as_of,
        )  # fmt: skip
        return Balance(booked, held)

    # --- holds -----------------------------------------------------------------------------------

    def hold(self, ref: str) -> sqlite3.Row | None:
        """The hold with its core reference, its first and its last change; none of them when refused."""
        return self.row(
            "SELECT h.*, e.change AS placed, e.sequence AS first, j.at AS first_at, k.sequence AS last, k.at AS last_at"
            " FROM holds h LEFT JOIN hold_events e ON e.sequence ="
            " (SELECT min(sequence) FROM hold_events WHERE hold = h.ref) LEFT JOIN journal j ON j.sequence = e.sequence"
            " LEFT JOIN journal k ON k.sequence = (SELECT max(sequence) FROM hold_events WHERE hold = h.ref)"
            " WHERE h.ref = ?",
            ref,
        )

    def change_hold(self, ref: str, what: str, change: int, at: datetime) -> int:
        sequence = self.next(at)
        self.write("INSERT INTO hold_events VALUES (?, ?, ?, ?)", sequence, ref, what, change)
        return sequence


def _content(order: Order) -> str:
    return json.dumps(asdict(order), sort_keys=True)


def order_of(content: str) -> Order:
    said = json.loads(content)
    parts = {
        "amount": Amount(**said["amount"]),
        "debtor": Party(**said["debtor"]),
        "creditor": Party(**said["creditor"]),
    }
    carries = Coins.of(map(tuple, said["carries"]["spans"])) if said["carries"] else None
    return Order(**{**said, **parts, "carries": carries, "ends": End(said["ends"]) if said["ends"] else None})


def _transfer(row: sqlite3.Row, *, incoming: bool) -> Transfer:
    order = order_of(row["content"])
    other = order.debtor if incoming else order.creditor
    return Transfer(
        sequence=row["sequence"],
        ref=order.ref,
        incoming=incoming,
        amount=order.amount.minor,
        at=to_time(row["at"]),
        other=other.account,
        other_name=other.name,
        agent=other.agent,
        purpose=order.purpose,
        uetr=order.uetr,
        end_to_end=order.end_to_end,
        reverses=order.reverses,
        carries=order.carries,
        ends=None if incoming else order.ends,
        hold=None if incoming else row["hold"],
    )
