"""The story of one region: plots drawn until they are the frame's share of cases, accounts and virtual assets.

How both meet: cases are drawn one by one, and drawn again one by one until the accounts at which something would be
found (outcome.py) are as many as published; then all virtual amounts are scaled by one factor, and the largest account
takes the remainder. What is reported afterwards is counted from the nodes' logs, which know nothing of this file.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from arrp.core.errors import Refused
from arrp.sim.haechi.frame import BEGIN, END, KINDS, USDT, Country, Frame
from arrp.sim.haechi.outcome import Caught, Unclear, found
from arrp.sim.haechi.plot import Keeper, Pen, Places, Plot

LAST_PAID, LAST_REPORT = END - timedelta(days=12), END - timedelta(days=9)
TRIES = 200_000  # plots drawn for one story, at most
_BANKS = {"AT": "19999", "PL": "99990000", "SI": "99999", "SE": "999", "AE": "999", "GB": "BANK", "IE": "BANK",
          "RO": "BANK"}  # bank codes of IBANs; elsewhere accounts are a BIC and a number


def places(countries: tuple[Country, ...]) -> Places:
    """Who keeps accounts there: a bank in each country, exchanges, one issuer."""
    banks = tuple(Keeper(f"BANK-{one.code}", one.code, _prefix(one.code)) for one in countries)
    virtual = [Keeper(f"XCHG-{one.code}", one.code, f"XCHG{one.code}22") for one in countries if one.exchange]
    virtual += [Keeper(f"ISSUER-{one.code}", one.code, "eip155:1") for one in countries if one.issuer]
    return Places(countries, banks, tuple(virtual))


def _prefix(country: str) -> str:
    return f"{country}{_BANKS[country]}" if country in _BANKS else f"BANK{country}22"


def waiting(countries: tuple[Country, ...]) -> frozenset[str]:
    """Who may hold only what an officer decided."""
    slow = {one.code for one in countries if not one.at_once}
    found = places(countries)
    return frozenset(one.id for one in (*found.banks, *found.virtual) if one.country in slow)


class Story:
    """All plots of one region, in the order in which they are reported."""

    def __init__(self, frame: Frame, seed: int, countries: tuple[Country, ...]) -> None:
        self.frame, self.countries = frame, countries
        self.places, self._waits = places(countries), waiting(countries)
        self._dice = Random(f"{seed} story {countries[0].code}")
        self._pen = Pen(self.places, self._dice, (BEGIN, LAST_PAID))
        self._left = TRIES
        self.plots = self._cast()
        _scale([one for plot in self.plots for one in found(plot, self._waits)], self.plots, frame.seized.minor)
        self.plots.sort(key=lambda plot: plot.reported)

    def _cast(self) -> list[Plot]:
        """As many plots in which something is found, and in which nothing is, as the frame says."""
        hits, misses = list[tuple[int, Plot]](), list[Plot]()
        while len(hits) < self.frame.resolved or len(misses) < self.frame.unresolved:
            count, plot = self._drawn()
            if count and len(hits) < self.frame.resolved:
                hits.append((count, plot))
            elif not count and len(misses) < self.frame.unresolved:
                misses.append(plot)
        return [plot for _, plot in self._with_accounts(hits)] + misses

    def _with_accounts(self, hits: list[tuple[int, Plot]]) -> list[tuple[int, Plot]]:
        """Draw single plots again until the accounts of all are as many as they must be."""
        gap = self.frame.accounts - sum(count for count, _ in hits)
        while gap:
            place, (count, plot) = self._dice.randrange(len(hits)), self._drawn()
            closer = gap - (count - hits[place][0])
            if count and abs(closer) < abs(gap):
                hits[place], gap = (count, plot), closer
        return hits

    def _drawn(self) -> tuple[int, Plot]:
        """A plot whose races are clear, and the accounts at which it is caught. Raises Refused."""
        while self._left:
            self._left -= 1
            [kind] = self._dice.choices(KINDS, [kind.weight for kind in KINDS])
            plot = self._pen.plot(kind)
            if plot.reported > LAST_REPORT:
                continue
            try:
                caught = found(plot, self._waits)
            except Unclear:
                continue
            if not caught or any(not one.stay.in_good_faith for one in caught):
                return len(caught), plot
        raise Refused("no story was found that fits this frame: change the frame")


def _scale(caught: list[Caught], plots: list[Plot], target: int) -> None:
    """Virtual amounts times one factor, so that what is caught of them is `target`; the largest takes the rest."""
    virtual = [one for one in caught if one.stay.asset == USDT and not one.stay.in_good_faith]
    total = sum(one.cents for one in virtual)
    if not total:
        raise Refused("a story without virtual assets cannot be drawn to this frame")
    for stay in (stay for plot in plots for stay in plot.stays() if stay.asset == USDT):
        stay.rest = stay.rest and max(1, stay.rest * target // total)
        for move in stay.moves:
            move.cents = move.cents and max(1, move.cents * target // total)
    largest = max(virtual, key=lambda one: one.cents)
    largest.stay.rest += target - sum(_now(one) for one in virtual)


def _now(one: Caught) -> int:
    """What is caught there, of the amounts as they are now."""
    return one.stay.amount - sum(move.amount for move in one.stay.moves if move.at < one.at)
