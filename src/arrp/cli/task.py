"""`arrp task`: what a bank's clerk is asked to do, and what they did. For a node whose core is `manual`."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.desk import ELSEWHERE, Desk, Home, Looking
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.connectors.tasks import Line, Result
from arrp.core.account import parse_account
from arrp.core.answers import AccountStatus, Why
from arrp.core.errors import Malformed
from arrp.core.money import Amount, typed_amount
from arrp.node.clock import Clock
from arrp.node.files import read_file
from arrp.node.tasks import Moved
from arrp.wire.codec import dumps, parse_json

TaskId = Annotated[int, typer.Argument(metavar="TASK", help="Number of the task.", min=0)]
Clerk = Annotated[str, typer.Option(help="Who did it: your id in the directory.")]
_COLUMNS = ("at", "direction", "amount", "asset", "reference", "account", "name", "ends")
_CSV_BYTES_MAX = 1 << 20


@command
def list_tasks(
    done: Annotated[bool, typer.Option("--done", help="Those that are done, the newest first.")] = False,
    officer: Looking = "", home: Home = ELSEWHERE, as_json: AsJson = False,
) -> None:
    """What is to be done, the most urgent first, with the time left."""
    rows = Desk(home, officer).get("/tasks", done=done)
    if as_json:
        show_json(rows)
        return
    show_table(("task", "do", "amount", "time left", "request"), (
        (str(r["id"]), r["verb"].replace("_", " "), r["amount"] or "", _left(r), r["request"] or "") for r in rows
    ))


def _left(row: Any) -> str:
    if row["done_at"]:
        return f"done {row['done_at'][:16]}"
    minutes = abs(row["seconds_left"]) // 60
    spoken = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    left = f"OVERDUE by {spoken}" if row["seconds_left"] < 0 else spoken
    return left if row["still_wanted"] in (None, True) else f"{left}; no longer wanted"


@command
def show_task(task: TaskId, officer: Looking = "", home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """One task: what to do in the core, for whom, until when."""
    found = Desk(home, officer).get(f"/tasks/{task}")
    if as_json:
        show_json(found)
        return
    show(f"task {found['id']}: {_DO[found['verb']].format(amount=found['amount'] or 'what is there')}")
    for label, value in found.items():
        if value not in (None, "", [], ()) and label in _SHOWN:
            show(f"  {label.replace('_', ' ')}: {_said(value)}")
    show(f"  time left: {_left(found)}")


def _said(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return "; ".join(f"{one['amount']} minor units, references {', '.join(one['refs']) or 'none'}, "
                     f"booked after {one['booked_from'] or 'unknown'}" for one in value)


_SHOWN = ("request", "account", "account_ref", "asset", "name", "credits", "uetr", "hold_reference", "until", "payee",
          "payee_name", "why", "done_at", "result")
_DO = {
    "find": "find the account, and the credit that fits; read the balance and every transfer since",
    "hold": "keep {amount}, or what is there of it, and nothing beyond it",
    "stop": "stop the payment in flight, up to {amount}",
    "release": "let go until no more than {amount} stays held",
    "extend": "let the hold last longer",
    "give_back": "send {amount} back to the payee", "hand_over": "hand {amount} over to the payee",
}


@dataclass(frozen=True, slots=True)
class Doing:
    task: TaskId
    clerk: Clerk
    core_reference: Annotated[str, typer.Option(help="What the core calls it.")] = ""
    amount: Annotated[str, typer.Option(help="Held, sent, or for a release what stays held: 62000.00 EUR.")] = ""
    at: Annotated[str, typer.Option(help="When it was done: 2026-11-22T08:00Z; now, if not said.")] = ""
    protected: Annotated[str, typer.Option(help="hold: what was left to the account holder.")] = ""
    cannot: Annotated[Why | None, typer.Option(help="It cannot be done, and why.")] = None
    there: Annotated[str, typer.Option(help="With --cannot NO_FUNDS: how much could have been had.")] = ""
    account: Annotated[str, typer.Option(help="find: the core's own name of the account.")] = ""
    status: Annotated[AccountStatus, typer.Option(help="find: of the account.")] = AccountStatus.OPEN
    holder: Annotated[str, typer.Option(help="find: its holder, as the core has it.")] = ""
    balance: Annotated[str, typer.Option(help="find: booked there now: 62000.00 EUR.")] = ""
    free: Annotated[str, typer.Option(help="find: of that not held by anybody, without overdraft.")] = ""
    credit: Annotated[list[str], typer.Option(help="find: a credit that fits, 'REFERENCE; AMOUNT; TIME'.")] = field(
        default_factory=list
    )
    transfers: Annotated[Path | None, typer.Option(
        help="find: all movements since the credit; hold: those since the last; a CSV file.")] = None
    home: Home = ELSEWHERE
    as_json: AsJson = False


@command
def done(asked: Doing) -> None:
    """Type what was done: the core's reference, how much, when, who. The node hears of it at once."""
    result = Result(
        clerk=asked.clerk, at=instant(asked.at) if asked.at else Clock().now(), reference=asked.core_reference,
        amount=_amount(asked.amount), protected=_amount(asked.protected), cannot=asked.cannot,
        there=_amount(asked.there), account_ref=asked.account, status=asked.status, holder=asked.holder,
        booked=_amount(asked.balance), free=_amount(asked.free), credits=tuple(map(_credit, asked.credit)),
        lines=read_lines(asked.transfers) if asked.transfers else (),
    )
    row = Desk(asked.home).post(f"/tasks/{asked.task}", parse_json(dumps(result)))
    if asked.as_json:
        show_json(row)
    else:
        show(f"task {row['id']} is done")


@dataclass(frozen=True, slots=True)
class Reading:
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The core's own name of the account.")]
    transfers: Annotated[Path, typer.Option(help=f"A CSV file: {', '.join(_COLUMNS)}.")]
    clerk: Clerk
    home: Home = ELSEWHERE
    as_json: AsJson = False


@command
def ledger(asked: Reading) -> None:
    """Type movements of an account since the last ones; what was typed before may be in the file again."""
    said = Moved(asked.clerk, read_lines(asked.transfers))
    found = Desk(asked.home).post(f"/ledgers/{asked.account}", parse_json(dumps(said)))
    if asked.as_json:
        show_json(found)
    else:
        show(f"account {found['account']}: {found['lines']} movements")
        say(f"booked there now: {found['booked']} minor units")


def _amount(said: str) -> Amount | None:
    return typed_amount(said) if said else None


def _credit(typed: str) -> Line:
    parts = [part.strip() for part in typed.split(";")]
    if len(parts) != 3:
        raise Malformed(f"--credit {typed!r} is not 'REFERENCE; AMOUNT; TIME'")
    return Line(True, typed_amount(parts[1]), instant(parts[2]), parts[0])


def read_lines(file: Path) -> tuple[Line, ...]:
    """The movements of a CSV file with a head. Raises NotFound, and Malformed naming the line."""
    try:
        text = read_file(file, _CSV_BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError as why:
        raise Malformed(f"{file} is not UTF-8: {why}") from None
    rows = csv.DictReader(StringIO(text), restkey="too many", strict=True)
    needed = {"at", "direction", "amount", "asset", "reference"}
    head = set(rows.fieldnames or ())
    if not needed <= head <= set(_COLUMNS):
        there = ", ".join(sorted(head)) or "none"
        raise Malformed(f"{file} has the columns {there}: it needs {', '.join(sorted(needed))}, and may have "
                        f"{', '.join(_COLUMNS)}")
    found = []
    try:
        for row in rows:
            found.append(_line(row))
    except (Malformed, csv.Error) as why:
        raise Malformed(f"{file}, line {rows.line_num}: {why}") from None
    return tuple(found)


def _line(row: dict[str, Any]) -> Line:
    if "too many" in row or None in row.values():
        raise Malformed("it has another number of columns than the head")
    if row["direction"] not in ("in", "out"):
        raise Malformed(f"direction is in or out, not {row['direction']!r}")
    if not row["reference"].strip():
        raise Malformed("a movement has a reference: by it the same one is known again")
    ends = row.get("ends") or None
    if ends not in (None, "cash", "fee", "overdraft", "good_faith"):
        raise Malformed(f"ends is cash, fee, overdraft or good_faith, not {ends!r}")
    account = row.get("account") or ""
    return Line(row["direction"] == "in", Amount.parse(row["amount"], row["asset"]), instant(row["at"]),
                row["reference"], parse_account(account) if account else "", row.get("name") or "", ends)
