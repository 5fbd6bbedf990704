"""What was counted, as one page of text, as JSON, and hour by hour for whoever plays it later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from arrp.core.money import Amount
from arrp.sim.haechi.count import Counted, total
from arrp.sim.haechi.frame import BEGIN, END, FICTION, NAME, PUBLISHED, REGIONS, USD, Frame

HOUR = timedelta(hours=1)
COUNTRIES = {one.code: one.name for region in REGIONS for one in region}


def usd(cents: int) -> str:
    return Amount(cents, USD).decimal


def figures(counted: Counted, seed: int, seconds: float) -> dict[str, Any]:
    """All totals, under the names that programs read."""
    active = {*counted.cases, *(hold.country for hold in counted.holds.values())}
    return {
        "operation": NAME,
        "seed": seed,
        "countries": len(active),
        "cases": sum(counted.cases.values()),
        "cases_resolved": sum(counted.resolved.values()),
        "accounts_frozen": len(counted.accounts),
        "virtual_assets_seized_usd": usd(total(counted.secured(), False)),
        "fiat_held_usd": usd(total(counted.in_force(), True)),
        "messages": counted.messages,
        "events": counted.events,
        "violations": len(counted.violations),
        "seconds": round(seconds, 1),
        "by_country": [_country(counted, code) for code in sorted(COUNTRIES)],
        "fiction": FICTION,
    }


def _country(counted: Counted, code: str) -> dict[str, Any]:
    here = [hold for hold in counted.holds.values() if hold.country == code]
    return {
        "country": code,
        "name": COUNTRIES[code],
        "cases": counted.cases.get(code, 0),
        "cases_resolved": counted.resolved.get(code, 0),
        "accounts_frozen": counted.accounts_of(code),
        "virtual_assets_seized_usd": usd(total((h for h in here if h.state == "secured"), False)),
        "fiat_held_usd": usd(total((h for h in here if h.is_in_force), True)),
    }


def faults(found: dict[str, Any], frame: Frame = PUBLISHED) -> list[str]:
    """What the logs say otherwise than the frame."""
    wanted = {"cases": frame.cases, "cases_resolved": frame.resolved, "accounts_frozen": frame.accounts,
              "virtual_assets_seized_usd": frame.seized.decimal}
    return [f"{name} is {found[name]} in the logs, {value} in the frame" for name, value in wanted.items()
            if found[name] != value]


def page(found: dict[str, Any]) -> Iterator[str]:
    """One page for people."""
    yield f"{found['operation']}, {BEGIN:%d %B} to {END:%d %B %Y}, seed {found['seed']}"
    yield ""
    for name, what in _LINES.items():
        yield f"{found[name]:>18}  {what}" if not isinstance(found[name], int) else f"{found[name]:>18,}  {what}"
    yield ""
    yield "      cases  resolved  accounts       virtual USD          fiat USD"
    for row in found["by_country"]:
        yield (f"{row['country']}{row['cases']:>9}{row['cases_resolved']:>10}{row['accounts_frozen']:>10}"
               f"{row['virtual_assets_seized_usd']:>18}{row['fiat_held_usd']:>18}  {row['name']}")
    yield ""
    yield "Counted from the logs and books of the nodes: a case where it was reported, an account where it is kept."
    yield "The story is drawn to the published totals of accounts and virtual assets: cases are drawn until the"
    yield "accounts are as many, virtual amounts are scaled by one factor, and the largest takes the remainder."
    yield FICTION


_LINES = {
    "countries": "countries",
    "cases": "cases reported",
    "cases_resolved": "cases resolved",
    "accounts_frozen": "accounts at which money was held",
    "virtual_assets_seized_usd": "USD of virtual assets held, then secured by seizure orders",
    "fiat_held_usd": "USD of money still held at the end",
    "messages": "messages between nodes",
    "violations": "violations",
}


def timeline(counted: Counted) -> dict[str, Any]:
    """Hour by hour: what happened in it, and how much is lost and held since the beginning, without quiet hours."""
    hours, sums = list[dict[str, Any]](), Running()
    for at, told in _by_hour(counted):
        happened = dict[str, int]()
        for one in told:
            happened[one.what] = happened.get(one.what, 0) + 1
            sums.add(one)
        hours.append({"at": f"{at:%Y-%m-%dT%H:00Z}", "happened": happened, **sums.stated()})
    return {"operation": NAME, "from": f"{BEGIN:%Y-%m-%dT%H:00Z}", "until": f"{END:%Y-%m-%dT%H:00Z}", "hours": hours,
            "fiction": FICTION}


def _by_hour(counted: Counted) -> Iterator[tuple[datetime, list[Any]]]:
    hours = dict[datetime, list[Any]]()
    for one in counted.told:
        hours.setdefault(one.at.replace(minute=0, second=0, microsecond=0), []).append(one)
    yield from sorted(hours.items())


class Running:
    """Sums since the beginning, in cents: reported lost, money held, tokens held, tokens secured."""

    def __init__(self) -> None:
        self.lost = self.fiat = self.tokens = self.secured = 0

    def add(self, one: Any) -> None:
        """A hold counts from when it is placed until it ends; secured tokens are no longer counted as held."""
        sign = {"held": 1, "let go": -1}.get(one.what, 0)
        if one.what == "reported":
            self.lost += one.cents
        elif one.asset == USD:
            self.fiat += sign * one.cents
        elif one.what == "secured":
            self.tokens, self.secured = self.tokens - one.cents, self.secured + one.cents
        else:
            self.tokens += sign * one.cents

    def stated(self) -> dict[str, str]:
        return {"lost_usd": usd(self.lost), "fiat_held_usd": usd(self.fiat), "virtual_held_usd": usd(self.tokens),
                "virtual_secured_usd": usd(self.secured)}
