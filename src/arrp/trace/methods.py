"""The methods, in one table: how each finds stolen money in a mixed account, what courts call it, where it is from.

Which one counts is a question of law and never of this file: a method finds money, it decides no claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from arrp.core.errors import NotFound
from arrp.core.money import split
from arrp.trace.coin_by_coin import fifo_by_coin, lifo_by_coin
from arrp.trace.found import Found, Meter, Theft
from arrp.trace.intervals import fifo_intervals, lifo_intervals
from arrp.trace.poison import poison
from arrp.trace.pools import dirty_first, haircut, lowest_balance, run_pools
from arrp.trace.statement import Books

Search = Callable[[Books, Sequence[Theft], Meter], list[Found]]


@dataclass(frozen=True, slots=True)
class Method:
    """`legal` is what a court would call it, `source` where it is set out. A `flag` tells no amounts."""

    name: str
    search: Search
    legal: str
    source: str
    says: str
    flag: bool = False


def fifo(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """First in, first out: a payment takes the oldest coins. By intervals, but for a ledger with holds or returns."""
    return (fifo_by_coin if _has_history(books) else fifo_intervals)(books, thefts, meter)


def lifo(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """Last in, first out: a payment takes the newest coins."""
    return (lifo_by_coin if _has_history(books) else lifo_intervals)(books, thefts, meter)


def _has_history(books: Books) -> bool:
    return bool(books.ledger.reverses or books.ledger.pins)


def pro_rata(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """Each payment takes the same share of the stolen money as of the balance; each victim alone."""
    return [found for theft in thefts for found in run_pools(books, [theft], meter, haircut)]


METHODS = {
    method.name: method
    for method in (
        Method(
            "fifo", fifo, "first in, first out (Clayton's case)",
            "Devaynes v Noble 1816; Anderson, Shumailov, Ahmed, Making Bitcoin Legal, 2018",
            "a payment takes the oldest coins in the account",
        ),
        Method(
            "lifo", lifo, "last in, first out",
            "Tironsakkul, Maarek, Eross, Just, Probing the Mystery of Cryptocurrency Theft, 2019",
            "a payment takes the newest coins in the account",
        ),
        Method(
            "haircut", pro_rata, "rolling pro rata (rolling charge)",
            "Ontario Securities Commission v Greymac Credit 1986; Möser, Böhme, Breuker 2014",
            "a payment takes the same share of the stolen money as of the balance, rounded down",
        ),
        Method(
            "dirty-first", partial(run_pools, rule=dirty_first), "stolen money is spent first",
            "Tironsakkul and others 2019 (taint-in, first-out)",
            "a payment takes stolen money as long as there is any",
        ),
        Method(
            "libr", partial(run_pools, rule=lowest_balance), "lowest intermediate balance",
            "Re Hallett's Estate 1880; Roscoe v Winder 1915",
            "a payment takes stolen money only when nothing else is left, and later income restores none",
        ),
        Method(
            "poison", poison, "",
            "Möser, Böhme, Breuker, Towards Risk Scoring of Bitcoin Transactions, 2014",
            "whoever was paid from an account reached is reached: for screening, it names no amounts",
            flag=True,
        ),
        Method(
            "tiho", partial(run_pools, rule=dirty_first, batches=True), "taint in, highest out",
            "Tironsakkul, Maarek, Eross, Just 2019, 2020",
            "as dirty-first; of payments made by one order the highest takes stolen money first",
        ),
    )
}  # fmt: skip

_ALSO = {
    "clayton": "fifo", "claytons-case": "fifo", "clayton's-case": "fifo", "first-in-first-out": "fifo",
    "last-in-first-out": "lifo",
    "pro-rata": "haircut", "rolling-pro-rata": "haircut", "rolling-charge": "haircut", "proportional": "haircut",
    "tfo": "dirty-first", "taint-first": "dirty-first", "taint-in-first-out": "dirty-first",
    "hallett": "libr", "re-hallett": "libr", "lowest-intermediate-balance": "libr",
    "lowest-intermediate-balance-rule": "libr",
    "taint-in-highest-out": "tiho",
}  # fmt: skip


def method_named(text: str) -> Method:
    """By its name or a legal one, in any case, with spaces, hyphens or underscores. Raises NotFound."""
    name = "-".join(text.lower().replace("_", " ").replace("-", " ").replace(",", " ").split())
    name = _ALSO.get(name, name)
    if name not in METHODS:
        raise NotFound(f"there is no method {text!r}: {', '.join(METHODS)}")
    return METHODS[name]


def pari_passu(pool: int, losses: Sequence[int]) -> list[int]:
    """Not tracing: what is left is shared in proportion to what each lost, exactly and never above it.

    Barlow Clowes v Vaughan 1992. In minor units; the shares add up to the pool, or to the losses where
    more is left than was lost. Raises Refused where nobody lost anything.
    """
    return split(min(pool, sum(losses)), losses)
