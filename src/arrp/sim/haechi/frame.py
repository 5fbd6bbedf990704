"""What is public about HAECHI III, and what is invented around it.

Public (INTERPOL, 24 November 2022): 28 June to 23 November 2022, 30 countries, more than 1,600 cases resolved, almost
2,800 bank and virtual-asset accounts, virtual assets of 129,975,440 USD, the five crimes. Everything else here (which
countries play, who banks where, what their laws allow, each loss) is fiction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from arrp.core.crime import Crime
from arrp.core.money import Amount

NAME = "HAECHI III"
BEGIN, END = datetime(2022, 6, 28, tzinfo=UTC), datetime(2022, 11, 23, 18, tzinfo=UTC)
FICTION = ("Names, accounts, laws and single cases are invented, and so is the casting of the thirty countries. "
           "The totals of the frame are those that INTERPOL published.")

USD = "USD"
USDT = "eip155:1/erc20:0xdac17f958d2ee523a2206206994597c13d831ec7"  # six decimals, counted 1:1 in USD: one rate
UNITS = {USD: 1, USDT: 10**4}  # minor units of the asset that count for one cent


@dataclass(frozen=True, slots=True)
class Country:
    """One country of the casting. `instructs`: foreign requests go to its bureau, which instructs the bank;
    `at_once`: its law lets money be held before an officer decided; `exchange`: a VASP is seated there."""

    code: str
    name: str
    instructs: bool = False
    at_once: bool = True
    exchange: bool = False
    issuer: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The totals that a rehearsal is drawn to: of the operation, or of a smaller one in the same proportions."""

    accounts: int
    seized: Amount
    resolved: int
    unresolved: int

    @property
    def cases(self) -> int:
        return self.resolved + self.unresolved

    def share(self, part: int, parts: int) -> Frame:
        """What falls to part number `part` of so many, the first takes what division leaves."""
        def of(whole: int) -> int:
            return whole // parts + (whole % parts if part == 0 else 0)

        return Frame(of(self.accounts), Amount(of(self.seized.minor), USD), of(self.resolved), of(self.unresolved))


# "More than 1,600" is read as 1,601. How many cases found nothing is not public: thirty-nine are told.
PUBLISHED = Frame(2800, Amount(12_997_544_000, USD), 1601, 39)

# Two regions, each with corridors of its own: they meet in the totals only, so each is a world for itself.
REGIONS: tuple[tuple[Country, ...], ...] = (
    (
        Country("KR", "Korea", exchange=True), Country("JP", "Japan", at_once=False), Country("HK", "Hong Kong, China"),
        Country("SG", "Singapore", exchange=True), Country("TH", "Thailand", exchange=True), Country("MY", "Malaysia"),
        Country("ID", "Indonesia", instructs=True), Country("PH", "Philippines", at_once=False),
        Country("KH", "Cambodia", instructs=True), Country("LA", "Laos", at_once=False), Country("IN", "India"),
        Country("BN", "Brunei"), Country("MV", "Maldives"), Country("AU", "Australia", exchange=True),
        Country("KG", "Kyrgyzstan", at_once=False, issuer=True),
    ),
    (
        Country("US", "United States", at_once=False, exchange=True, issuer=True),
        Country("GB", "United Kingdom", exchange=True), Country("IE", "Ireland"), Country("FR", "France"),
        Country("ES", "Spain", instructs=True), Country("AT", "Austria"), Country("PL", "Poland", exchange=True),
        Country("RO", "Romania"), Country("SI", "Slovenia"), Country("SE", "Sweden", at_once=False),
        Country("AE", "United Arab Emirates", exchange=True), Country("ZA", "South Africa"),
        Country("NG", "Nigeria", instructs=True), Country("GH", "Ghana"), Country("CI", "Côte d'Ivoire", at_once=False),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One crime of the operation: how often, how much, how soon it is reported, how often paid in virtual assets."""

    crime: Crime
    weight: int
    cents: int  # median of one payment
    reported: timedelta  # median from payment to report
    virtual: float


# Weights and medians are assumptions; that virtual assets prevail in investment fraud is what every source says.
KINDS = (
    Kind(Crime.VISH, 32, 1_800_000, timedelta(minutes=45), 0.10),
    Kind(Crime.ROMC, 16, 2_500_000, timedelta(hours=20), 0.40),
    Kind(Crime.SEXT, 18, 250_000, timedelta(hours=2), 0.35),
    Kind(Crime.INVT, 24, 6_000_000, timedelta(hours=30), 0.70),
    Kind(Crime.GAMB, 10, 4_000_000, timedelta(hours=12), 0.40),
)  # fmt: skip
