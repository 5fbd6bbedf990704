"""Money: whole minor units of one asset, split exactly, never rounded in silence.

An asset is an ISO 4217 code (`EUR`) or a CAIP-19 name (`eip155:1/erc20:0x…`). An `Amount` counts
its minor units. A `Claim rate` says what the asset of a request is worth in the asset of the loss;
it is written down once and never changes (R-10), so a hold in bitcoin stays lawful next week.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from arrp.core.errors import Malformed, Refused

# ISO 4217 currencies whose minor unit is not the hundredth (list one, 2026).
_DECIMALS = {
    code: places
    for places, codes in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for code in codes.split()
}

# Tokens whose decimals a node may rely on. An unknown token is refused, never guessed.
_TOKEN_DECIMALS = {
    "bip122:000000000019d6689c085ae165831e93/slip44:0": 8,
    "eip155:1/slip44:60": 18,
    "eip155:1/erc20:0xdac17f958d2ee523a2206206994597c13d831ec7": 6,
    "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48": 6,
    "tron:0x2b6653dc/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t": 6,
}

_CURRENCY = re.compile(r"[A-Z]{3}")
_CAIP19 = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}/[-a-z0-9]{3,8}:[-.%a-zA-Z0-9]{1,128}(/[-.%a-zA-Z0-9]{1,78})?")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,37})(?:\.([0-9]{1,18}))?")


def decimals(asset: str) -> int:
    """Digits after the point of one unit of `asset`. Raises Malformed for an asset nobody declared."""
    if _CURRENCY.fullmatch(asset):
        return _DECIMALS.get(asset, 2)
    if asset in _TOKEN_DECIMALS:
        return _TOKEN_DECIMALS[asset]
    if _CAIP19.fullmatch(asset):
        raise Malformed(f"asset {asset} is not in the table of known tokens: add its decimals to core/money.py")
    raise Malformed(f"asset {asset!r} is neither an ISO 4217 code nor a CAIP-19 name")


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """`minor` minor units of `asset`, never negative. Amounts of two assets do not mix."""

    minor: int
    asset: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int or self.minor < 0:
            raise Malformed(f"an amount is a whole number of minor units, zero or more: not {self.minor!r}")
        decimals(self.asset)

    def __bool__(self) -> bool:
        raise TypeError("say amount.minor > 0: an amount of zero is still an amount")

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.minor + self._same(other), self.asset)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.minor - self._same(other), self.asset)

    def _same(self, other: Amount) -> int:
        if other.asset != self.asset:
            raise Refused(f"{other} cannot be added to {self}: two assets never mix", rule="R-10")
        return other.minor

    def __str__(self) -> str:
        return f"{self.decimal} {self.asset}"

    @property
    def decimal(self) -> str:
        """The number as written on the wire: `62000.00`."""
        places = decimals(self.asset)
        whole, rest = divmod(self.minor, 10**places)
        return f"{whole}.{rest:0{places}d}" if places else str(whole)

    @classmethod
    def parse(cls, number: str, asset: str) -> Amount:
        """Read a decimal string with at most the asset's digits. Raises Malformed."""
        found = _DECIMAL.fullmatch(number)
        if not found:
            raise Malformed(f"{number!r} is not a plain decimal number such as 62000.00")
        places, fraction = decimals(asset), found[2] or ""
        if len(fraction.rstrip("0")) > places:
            raise Malformed(f"{number} {asset} has more than the {places} decimals that {asset} knows")
        return cls(int(found[1]) * 10**places + int(fraction[:places].ljust(places, "0") or 0), asset)


def typed_amount(text: str) -> Amount:
    """`100000.00 EUR`. Raises Malformed."""
    number, _, asset = text.strip().partition(" ")
    if not asset:
        raise Malformed(f"{text[:60]!r} names no asset: say 100000.00 EUR")
    return Amount.parse(number, asset)


def split(minor: int, weights: Sequence[int]) -> list[int]:
    """Share `minor` in proportion to `weights`, exactly: the shares add up to `minor`.

    Each share is rounded down; the remainder goes, one unit each, to the largest fractions, the
    earlier place first (largest remainder method), so equal claims differ by one unit at most.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise Refused("money cannot be split over weights that sum to nothing", rule="R-10")
    shares = [minor * weight // total for weight in weights]
    by_fraction = sorted(range(len(weights)), key=lambda i: (-(minor * weights[i] % total), i))
    for i in by_fraction[: minor - sum(shares)]:
        shares[i] += 1
    return shares


@dataclass(frozen=True, slots=True)
class Rate:
    """What `amount` of a request counts for in the asset of the loss, fixed when first stated (R-10)."""

    amount: Amount
    claim: Amount

    def __post_init__(self) -> None:
        if self.amount.minor == 0 or self.claim.minor == 0:
            raise Malformed("a rate needs an amount and a claim above zero")

    def claim_of(self, minor: int) -> int:
        """The claim of `minor` units of the request's asset, rounded down."""
        return minor * self.claim.minor // self.amount.minor

    def amount_of(self, claim: int) -> int:
        """The most units that count for no more than `claim` (never more than was asked)."""
        return min(self.amount.minor, ((claim + 1) * self.amount.minor - 1) // self.claim.minor)
