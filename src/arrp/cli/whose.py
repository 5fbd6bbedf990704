"""Whose money lies in an account: its coins traced back, first in first out, as a table or JSON."""

from __future__ import annotations

from arrp.cli.speaking import show_json, show_table
from arrp.core.errors import NotFound
from arrp.core.money import Amount
from arrp.trace.back import Origin, trace_back
from arrp.trace.ledger import OUTSIDE, Ledger

Row = dict[str, str | None]


def show_whose(ledger: Ledger, account: str, as_json: bool) -> None:
    """Where all that lies on the account came from. Raises NotFound, and Refused where the ledger has returns."""
    pots = [number for number, pot in enumerate(ledger.pots) if pot.account == account and number != OUTSIDE]
    if not pots:
        raise NotFound(f"account {account!r} is not in this ledger: write it as the ledger does")
    rows = [_row(ledger, pot, origin) for pot in pots for origin in trace_back(ledger, pot)]
    if as_json:
        show_json({"account": account, "method": "fifo", "origins": rows})
    else:
        shown = [(row["from"] or "outside", row["ref"] or "opening balance", f"{row['amount']} {row['asset']}")
                 for row in rows]  # fmt: skip
        show_table(("from", "by", "amount"), shown)


def _row(ledger: Ledger, pot: int, origin: Origin) -> Row:
    """Amounts are in the asset they came in; from outside, in the asset of the account paid."""
    source, ref = ledger.pots[origin.pot], None
    if origin.row is not None:
        ref = ledger.refs[origin.row]
    counted = source.asset or ledger.pots[int(ledger.targets[origin.row or 0])].asset
    return {"from": source.account, "ref": ref, "amount": Amount(origin.units, counted).decimal, "asset": counted}
