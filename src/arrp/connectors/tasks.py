"""What a clerk is asked and what a clerk answers: tasks with a clock, in a file of their own (R-99).

The file also keeps what clerks stated of each account: the ledger from the credit on, and the holds.
Booking sequences are those of this file, in the order in which things were typed. Where the ledger is
read (connectors/reading.py), the file keeps how far, and where in it each thing that was typed stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Row
from typing import Any

from arrp.connectors.file import CoreFile, to_text, to_time
from arrp.core.errors import Conflict, NotFound
from arrp.core.ledger import End, Transfer
from arrp.core.money import Amount

# How long a clerk has, by what money may do meanwhile.
MINUTES = {"stop": 10, "hold": 15, "find": 20, "release": 30, "extend": 240, "give_back": 1440, "hand_over": 1440}

_TABLES = """
CREATE TABLE IF NOT EXISTS journal (sequence INTEGER PRIMARY KEY, at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, verb TEXT NOT NULL, wish TEXT NOT NULL,
    asked_at TEXT NOT NULL, due_at TEXT NOT NULL, done_at TEXT, result TEXT, answer TEXT,
    CHECK ((done_at IS NULL) = (result IS NULL))) STRICT;
CREATE TABLE IF NOT EXISTS accounts (
    ref TEXT PRIMARY KEY, asset TEXT NOT NULL, holder TEXT NOT NULL, status TEXT NOT NULL,
    opening INTEGER NOT NULL CHECK (opening >= 0), reserved INTEGER NOT NULL CHECK (reserved >= 0)) STRICT;
CREATE TABLE IF NOT EXISTS transfers (
    sequence INTEGER PRIMARY KEY REFERENCES journal, account TEXT NOT NULL REFERENCES accounts, ref TEXT NOT NULL,
    incoming INTEGER NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), line TEXT NOT NULL, hold TEXT,
    UNIQUE (account, ref, incoming)) STRICT;
CREATE TABLE IF NOT EXISTS holds (
    ref TEXT PRIMARY KEY, account TEXT NOT NULL, flight TEXT NOT NULL, reference TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0), state TEXT NOT NULL, until TEXT,
    last INTEGER NOT NULL REFERENCES journal) STRICT;
CREATE TABLE IF NOT EXISTS places (
    sequence INTEGER PRIMARY KEY REFERENCES journal, booked INTEGER NOT NULL CHECK (booked >= 0)) STRICT;
CREATE TABLE IF NOT EXISTS readings (
    id INTEGER PRIMARY KEY CHECK (id = 1), rows INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One movement of an account as a clerk reads it in the core: `account` is the other side, empty for cash."""

    incoming: bool
    amount: Amount
    at: datetime
    ref: str
    account: str = ""
    name: str = ""
    ends: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a clerk did, or found. `reference` is the core's own; `cannot` says why nothing was done.

    To `find`: `account_ref`, `status`, `holder`, `booked`, `free`, and in `credits` what fits what was asked.
    To `hold`, `stop`: `amount` is what is held; to `release`: what stays held; to `give_back`: what was sent.
    `lines` are movements since the credit, or since the last ones that were typed.
    """

    clerk: str
    at: datetime
    reference: str = ""
    amount: Amount | None = None
    protected: Amount | None = None
    cannot: str | None = None
    there: Amount | None = None
    account_ref: str = ""
    status: str = "open"
    holder: str = ""
    booked: Amount | None = None
    free: Amount | None = None
    credits: tuple[Line, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """`wish` is what is asked, in plain values; amounts are minor units of `asset` ("" where the core alone knows)."""

    id: int
    verb: str
    ref: str
    wish: dict[str, Any]
    asset: str
    asked_at: datetime
    due_at: datetime
    done_at: datetime | None
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Sending:
    """Held money that a clerk is to send, or sent: `payout` is our name of the transfer, `reference` the core's.

    sequence: of this file, 0 until it is done. is_told: the node knows where in the ledger it stands.
    """

    payout: str
    reference: str
    amount: int
    payee: str
    hold: str
    asked_at: datetime
    sequence: int
    is_told: bool


def no_task(id: int) -> NotFound:
    return NotFound(f"there is no task {id}: arrp task list")


def no_account(ref: str) -> NotFound:
    return NotFound(f"no clerk has stated an account {ref or '(none named)'} here: arrp task list")


class TaskBook(CoreFile):
    """Tasks and what was stated by them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _TABLES)

    def next(self, at: datetime) -> int:
        self.write("INSERT INTO journal (at) VALUES (?)", to_text(at))
        return self.sequence

    @property
    def sequence(self) -> int:
        return self.number("SELECT max(sequence) FROM journal")

    # --- tasks --------------------------------------------------------------------------------------

    def ask(self, verb: str, key: str, wish: dict[str, Any], now: datetime) -> Row:
        """The task that is known by `key`, made when there is none. Raises Conflict for another wish under it."""
        content = json.dumps(wish, sort_keys=True)
        known = self.row("SELECT * FROM tasks WHERE key = ?", f"{verb} {key}")
        if known is None:
            due = now + timedelta(minutes=MINUTES[verb])
            self.write("INSERT INTO tasks (key, verb, wish, asked_at, due_at) VALUES (?, ?, ?, ?, ?)",
                       f"{verb} {key}", verb, content, to_text(now), to_text(due))  # fmt: skip
            known = self.row("SELECT * FROM tasks WHERE key = ?", f"{verb} {key}")
            assert known is not None
        if known["wish"] != content:
            raise Conflict(f"{verb} {wish['ref']} is known with other content")
        return known

    def task(self, id: int) -> Row:
        found = self.row("SELECT * FROM tasks WHERE id = ?", id)
        if found is None:
            raise no_task(id)
        return found

    def shown(self, row: Row) -> Task:
        wish = json.loads(row["wish"])
        account = self.row("SELECT asset FROM accounts WHERE ref = ?", wish.get("account_ref", ""))
        asset = account["asset"] if account is not None else wish.get("asset", "")
        return Task(
            row["id"], row["verb"], wish["ref"], wish, asset, to_time(row["asked_at"]), to_time(row["due_at"]),
            to_time(row["done_at"]) if row["done_at"] else None, json.loads(row["result"]) if row["result"] else None,
        )  # fmt: skip

    def close_task(self, id: int, result: Result, answer: dict[str, Any], now: datetime) -> None:
        self.write("UPDATE tasks SET done_at = ?, result = ?, answer = ? WHERE id = ?",
                   to_text(now), content_of(result), json.dumps(answer, default=_plain), id)  # fmt: skip

    # --- accounts -----------------------------------------------------------------------------------

    def booked(self, account: str) -> int:
        return self.number(
            "SELECT opening + coalesce((SELECT sum(iif(incoming, amount, -amount)) FROM transfers"
            " WHERE account = ?1), 0) FROM accounts WHERE ref = ?1", account,
        )  # fmt: skip

    def held(self, account: str) -> int:
        return self.number("SELECT sum(amount) FROM holds WHERE account = ?", account)

    def ledger(self, account: str, after: int = 0) -> tuple[Transfer, ...]:
        rows = self.rows("SELECT * FROM transfers WHERE account = ? AND sequence > ? ORDER BY sequence", account, after)
        return tuple(_transfer(row) for row in rows)

    def enter(self, account: str, line: Line, hold: str | None = None) -> None:
        """One movement, once. Raises Conflict for another under its reference."""
        content = json.dumps(asdict(line), default=_plain, sort_keys=True)
        known = self.row("SELECT line FROM transfers WHERE account = ? AND ref = ? AND incoming = ?",
                         account, line.ref, line.incoming)  # fmt: skip
        if known is not None and known["line"] != content:
            raise Conflict(f"transfer {line.ref} of account {account} is known with other content: look at both again")
        if known is None:
            self.write("INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?)", self.next(line.at), account, line.ref,
                       line.incoming, line.amount.minor, content, hold)  # fmt: skip

    # --- holds --------------------------------------------------------------------------------------

    def hold(self, ref: str) -> Row | None:
        return self.row("SELECT * FROM holds WHERE ref = ?", ref)

    def change_hold(self, ref: str, amount: int, state: str, at: datetime) -> int:
        """What stays held, and how the hold stands when that is nothing. Answers the sequence."""
        sequence = self.next(at)
        self.write("UPDATE holds SET amount = ?, state = ?, last = ? WHERE ref = ?",
                   amount, "held" if amount else state, sequence, ref)  # fmt: skip
        return sequence

    # --- beside a ledger that is read ---------------------------------------------------------------

    def learn(self, account: str, asset: str, holder: str, booked: int) -> None:
        """What a ledger says is booked there now, so that a clerk's answer can be checked against it."""
        self.write("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, 'open', 0, 0)", account, asset, holder)
        typed = self.booked(account) - self.number("SELECT opening FROM accounts WHERE ref = ?", account)
        self.write("UPDATE accounts SET holder = ?, opening = ? WHERE ref = ?", holder, max(0, booked - typed), account)

    def place(self, sequence: int, booked_by: Callable[[datetime], int]) -> int:
        """Where in the ledger that is read the line `sequence` of this file stands; asked once, kept for ever."""
        known = self.row("SELECT booked FROM places WHERE sequence = ?", sequence)
        if known is not None:
            return int(known["booked"])
        at = self.row("SELECT at FROM journal WHERE sequence = ?", sequence)
        assert at is not None
        booked = booked_by(to_time(at["at"]))
        self.write("INSERT INTO places VALUES (?, ?)", sequence, booked)
        return booked

    def sendings(self, account: str) -> list[Sending]:
        """Returns and handings over of the account that were not refused, as they were asked."""
        rows = self.rows("SELECT * FROM tasks WHERE verb IN ('give_back', 'hand_over') ORDER BY id")
        found = [_sending(json.loads(row["wish"]), row) for row in rows
                 if json.loads(row["wish"])["account_ref"] == account]
        told = {row["sequence"] for row in self.rows("SELECT sequence FROM places")}
        return [replace(one, is_told=one.sequence in told) for one in found if one is not None]

    @property
    def reading(self) -> tuple[int, str]:
        """How many rows of the ledger were read, and their digest."""
        row = self.row("SELECT rows, digest FROM readings")
        return (row["rows"], row["digest"]) if row is not None else (0, "")

    def keep_reading(self, rows: int, digest: str) -> None:
        self.write("INSERT OR REPLACE INTO readings VALUES (1, ?, ?)", rows, digest)


def _sending(wish: dict[str, Any], row: Row) -> Sending | None:
    answer = json.loads(row["answer"]) if row["answer"] else {"kind": ""}
    if answer["kind"] == "Cannot":
        return None
    return Sending(wish["payout"], answer.get("reference", ""), answer.get("amount", wish["amount"]), wish["payee"],
                   wish["ref"], to_time(row["asked_at"]), int(answer.get("sequence", 0)), is_told=False)


def content_of(result: Result) -> str:
    """By what the same result is known again."""
    return json.dumps(asdict(result), default=_plain, sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return to_text(value)
    raise TypeError(f"{value!r} has no place in a task")


def _transfer(row: Row) -> Transfer:
    line = json.loads(row["line"])
    return Transfer(
        row["sequence"], row["ref"], bool(row["incoming"]), row["amount"], to_time(line["at"]), other=line["account"],
        other_name=line["name"], hold=row["hold"], ends=End(line["ends"]) if line["ends"] else None,
    )  # fmt: skip
