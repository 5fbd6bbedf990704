"""`arrp core`: the books of a node's simulated core, kept by hand. A real core has its own ways.

The node may be running meanwhile: the file is the bank, and both are its clients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.connectors.books import MOST, Books, Order
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.account import parse_account
from arrp.core.errors import Malformed, NotFound, Refused
from arrp.core.money import Amount
from arrp.core.report import Party, Payment, parse_uetr
from arrp.node.clock import Clock
from arrp.node.config import load_config
from arrp.node.files import read_file
from arrp.wire.evidence import read_evidence

HomeArgument = Annotated[Path, typer.Argument(metavar="HOME", help="Home of a node with a simulated core.")]


@dataclass(frozen=True, slots=True)
class Opening:
    home: HomeArgument
    account: Annotated[str, typer.Option(help="The account: an IBAN, payto:, CAIP-10.")]
    holder: Annotated[str, typer.Option(help="The account holder's name.")]
    ref: Annotated[str, typer.Option(help="The core's own name for it; the account, if not said.")] = ""
    opening: Annotated[str, typer.Option(help="What is in it: 1250.00.")] = "0"
    overdraft: Annotated[str, typer.Option(help="How far below nothing it may go: 500.00.")] = "0"
    asset: Annotated[str, typer.Option(help="What it counts.")] = "EUR"
    as_json: AsJson = False


@command
def open_account(asked: Opening) -> None:
    """Open an account in a simulated core. The same again changes nothing."""
    account = parse_account(asked.account)
    opening, overdraft = (Amount.parse(number, asked.asset) for number in (asked.opening, asked.overdraft))
    _check_size(opening, overdraft)
    ref = asked.ref or account.rpartition("/")[2]
    core = _core(asked.home)
    core.open_account(Account(ref, account, asked.holder, asked.asset, opening.minor, overdraft.minor))
    core.close()
    if asked.as_json:
        show_json({"ref": ref, "account": account, "opening": opening.decimal, "asset": asked.asset})
    else:
        show(f"account {ref} is open: {account}, {opening}")


@dataclass(frozen=True, slots=True)
class Booking:
    home: HomeArgument
    evidence: Annotated[Path | None, typer.Option(help="File with the payment: what follows may then be left out.")] = (
        None
    )
    payment: Annotated[int, typer.Option(help="Which payment of that file, from 0.", min=0)] = 0
    amount: Annotated[str, typer.Option(help="How much: 38000.00.")] = ""
    asset: Annotated[str, typer.Option(help="Of what.")] = ""
    debtor: Annotated[str, typer.Option(help="Account it leaves.")] = ""
    debtor_name: Annotated[str, typer.Option(help="Whose that is.")] = ""
    creditor: Annotated[str, typer.Option(help="Account it reaches; neither account nor name = cash.")] = ""
    creditor_name: Annotated[str, typer.Option(help="Whose that is.")] = ""
    uetr: Annotated[str, typer.Option(help="Its UETR.")] = ""
    end_to_end: Annotated[str, typer.Option(help="Its end-to-end id.")] = ""
    ref: Annotated[str, typer.Option(help="The core's own name for the transfer; made, if not said.")] = ""
    at: Annotated[str, typer.Option(help="When it was booked: 2026-11-22T08:00Z; now, if not said.")] = ""
    as_json: AsJson = False


@command
def book(asked: Booking) -> None:
    """Book a transfer in a simulated core: in, out, or between two accounts there."""
    clock = Clock()
    order = _order(asked, clock)
    at = instant(asked.at) if asked.at else clock.now()
    core = _core(asked.home)
    sequence = core.book(order, at)
    core.close()
    if asked.as_json:
        show_json({"ref": order.ref, "sequence": sequence, "amount": order.amount.decimal, "asset": order.amount.asset,
                   "uetr": order.uetr or None})
    else:
        show(f"transfer {order.ref} is booked as number {sequence}: {order.amount}")


def _order(asked: Booking, clock: Clock) -> Order:
    """The order as the evidence has it, with what was typed in the place of what it says."""
    stated = _payment(asked.evidence, asked.payment) if asked.evidence else None
    amount = stated.amount if stated else None
    if asked.amount:
        amount = Amount.parse(asked.amount, asked.asset or (stated.amount.asset if stated else "EUR"))
    elif asked.asset and amount is not None and asked.asset != amount.asset:
        raise Malformed(f"the file says {amount}: for another asset type the --amount too")
    if amount is None:
        raise Malformed("say how much: --amount 38000.00, or --evidence FILE")
    _check_size(amount)
    debtor = _party(stated.debtor if stated else Party(), asked.debtor, asked.debtor_name)
    creditor = _party(stated.creditor if stated else Party(), asked.creditor, asked.creditor_name)
    uetr = parse_uetr(asked.uetr) if asked.uetr else (stated.uetr if stated else "")
    end_to_end = asked.end_to_end or (stated.end_to_end_id if stated else "")
    named = stated.references[0] if stated and stated.references else ""
    return Order(asked.ref or uetr or named or clock.new_id()[:12], amount, debtor, creditor, uetr, end_to_end)


def _payment(file: Path, place: int) -> Payment:
    evidence = read_evidence(str(file), read_file(file))
    for missed in evidence.not_understood:
        say(f"not understood: {missed.place}: {missed.what}")
    if place >= len(evidence.payments):
        raise NotFound(f"{file} has payments 0 to {len(evidence.payments) - 1}, not {place}")
    return evidence.payments[place]


def _party(stated: Party, account: str, name: str) -> Party:
    if account:
        stated = Party(stated.name, parse_account(account))
    return replace(stated, name=name) if name else stated


@dataclass(frozen=True, slots=True)
class Looking:
    home: HomeArgument
    as_json: AsJson = False


@command
def show_core(asked: Looking) -> None:
    """Show the accounts of a simulated core, what is booked, held and free, and the holds in force."""
    core = _core(asked.home)
    holds = core.holds()  # lets go first of what is past its end
    core.close()
    books = Books(load_config(asked.home).core_path)
    with books.transaction():
        accounts = [_account_row(row) for row in books.rows("SELECT * FROM accounts ORDER BY ref")]
        found = books.rows("SELECT h.ref, a.asset FROM holds h JOIN accounts a ON a.ref = h.account")
    books.close()
    counted_in = {row["ref"]: row["asset"] for row in found}
    held: list[dict[str, Any]] = [
        {"hold": hold.reference, "ref": hold.ref, "account": hold.account_ref or f"payment {hold.uetr}",
         "amount": str(Amount(hold.amount, counted_in[hold.ref])), "until": _instant(hold.until)}
        for hold in holds
    ]
    if asked.as_json:
        show_json({"accounts": accounts, "holds": held})
        return
    show_table(("ref", "account", "holder", "booked", "held", "free", "asset"), (
        (r["ref"], r["account"] or "", r["holder"], r["booked"], r["held"], r["free"], r["asset"]) for r in accounts
    ))
    show_table(("hold", "account", "amount", "until"), (
        (h["hold"], h["account"], h["amount"], h["until"] or "") for h in held
    ))


def _account_row(row: Any) -> dict[str, Any]:
    booked, held, asset = row["booked"], row["held"], row["asset"]
    sign = "-" if booked < 0 else ""
    return {"ref": row["ref"], "account": row["account"], "holder": row["holder"], "status": row["status"],
            "booked": sign + Amount(abs(booked), asset).decimal, "held": Amount(held, asset).decimal,
            "free": Amount(max(0, booked - held), asset).decimal, "asset": asset}


def _instant(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _check_size(*amounts: Amount) -> None:
    if any(amount.minor > MOST for amount in amounts):
        raise Malformed("a simulated core counts to 10^18 minor units: less, please")


def _core(home: Path) -> SimulatedCore:
    config = load_config(home)
    if config.core != "simulated":
        raise Refused(f"{config.id} has no simulated core ([core] kind = \"{config.core}\" in node.toml): "
                      "its money is booked where it is kept")
    return SimulatedCore(config.core_path, Clock().now)
