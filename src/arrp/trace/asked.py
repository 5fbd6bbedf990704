"""Which payment of a ledger is meant, by its ref or by what a victim knows of it; and which rows are returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from arrp.core.errors import ArrpError, Malformed, NotFound, Refused
from arrp.core.money import Amount
from arrp.trace.found import Theft
from arrp.trace.ledger import OUTSIDE, Ledger


@dataclass(frozen=True, slots=True)
class Asked:
    """A payment by its `ref`; or by who paid (`source`), when and how much, and `target` if it is known.

    at: microseconds since 1970. amount: a decimal number in the asset of the payment.
    """

    ref: str = ""
    source: str = ""
    at: int = 0
    amount: str = ""
    target: str = ""


def theft_asked(ledger: Ledger, asked: Asked, known: Sequence[int] | None = None) -> Theft:
    """`known`: the pots of the payer, where they need not be looked for.

    Raises NotFound where no payment is such, Refused (with their refs) where several are.
    """
    if asked.ref:
        if asked.ref not in ledger.refs:
            raise NotFound(f"no transfer of this ledger has the ref {asked.ref}: name one of its {len(ledger.refs)}")
        return Theft(list(ledger.refs).index(asked.ref))
    if known is None:
        known = [place for place, pot in enumerate(ledger.pots) if pot.account == asked.source]
    pots = set(known)
    if not pots:
        raise NotFound(f"account {asked.source!r} is not in this ledger: write it as the ledger does")
    paid = np.flatnonzero(np.isin(ledger.sources, list(pots))).tolist()
    there = [row for row in paid if ledger.times[row] == asked.at]
    same = [row for row in there if _pays(ledger, row, asked)]
    if not same:
        raise NotFound(_no_such(ledger, asked, there, len(paid)))
    if len(same) > 1:
        refs = ", ".join(ledger.refs[row] for row in same)
        raise Refused(f"{len(same)} transfers of {asked.source} are like that: {refs}. Say which with --transfer REF")
    return Theft(same[0])


def _pays(ledger: Ledger, row: int, asked: Asked) -> bool:
    source, target = ledger.pots[ledger.sources[row]], ledger.pots[ledger.targets[row]]
    try:
        units = Amount.parse(asked.amount, source.asset or target.asset).minor
    except ArrpError:
        return False
    return units == ledger.amounts[row] and asked.target in ("", target.account)


def _no_such(ledger: Ledger, asked: Asked, there: Sequence[int], paid: int) -> str:
    wanted = f"{asked.amount} from {asked.source}{asked.target and ' to ' + asked.target}"
    if not there:
        return f"no transfer of {wanted} at that instant: {asked.source} paid {paid} times, never then"
    amounts = ", ".join(
        f"{Amount(int(ledger.amounts[row]), ledger.pots[ledger.sources[row]].asset)} by {ledger.refs[row]}"
        for row in there[:5]
        if ledger.sources[row] != OUTSIDE
    )
    return f"no transfer of {wanted} at that instant: there is {amounts or 'another one from outside'}"


def with_returns(ledger: Ledger, reverses: Sequence[str]) -> Ledger:
    """The ledger with the rows that give back an earlier one; `reverses` is its ref, "" where a row is no return.

    Raises Malformed where there is no such earlier payment to the account that returns it, or more is
    returned than was paid.
    """
    places = {ref: row for row, ref in enumerate(ledger.refs)}
    found: dict[int, int] = {}
    left: dict[int, int] = {}
    for row, ref in enumerate(reverses):
        if not ref:
            continue
        before = places.get(ref, row)
        if before >= row:
            raise Malformed(f"transfer {ledger.refs[row]} reverses {ref}: no earlier transfer has that ref")
        if ledger.targets[before] != ledger.sources[row] or ledger.targets[row] != ledger.sources[before]:
            raise Malformed(f"transfer {ledger.refs[row]} reverses {ref}: it does not go the same way back")
        left[before] = left.get(before, int(ledger.arrived[before])) - int(ledger.amounts[row])
        if left[before] < 0:
            raise Malformed(f"transfer {ledger.refs[row]} reverses {ref}: more goes back than was paid by it")
        found[row] = before
    return replace(ledger, reverses=found) if found else ledger
