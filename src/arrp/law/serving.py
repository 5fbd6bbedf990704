"""Which powers of a country may serve a request, why, and what each needs: advice to who drafts it, never a refusal.

A request carries no foreign basis: the side whose power it is picks it (R-41). What the file does not know is unknown
here too, and what does not fit is shown as well, with why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arrp.core.calendar import Calendar
from arrp.core.deadline import deadline
from arrp.core.errors import Malformed, Refused
from arrp.core.law import NONE, UNKNOWN, Jurisdiction, LegalPower
from arrp.core.money import Amount, typed_amount
from arrp.core.period import UNTIL_ORDER
from arrp.core.request import Ask
from arrp.law.reading import jurisdiction
from arrp.law.telling import cited_figure, figure_words, reaching, utc

HOLDS = (Ask.HOLD, Ask.STOP, Ask.ARM)
FLIGHT, ACCOUNT, WALLET = "payment in flight", "account", "wallet"
NEEDS = ("documents", "follow_up", "lowest_amount", "indemnity")
TIMES = ("provisional_max", "longest")
_FITS = ("yes", UNKNOWN, "no")  # in this order: the worst of a power's answers is the power's

Why = tuple[str, str, str]  # figure, fits, said


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked, as far as a law file can tell one request from another. `on`: payment in flight, account, wallet;
    `amount` None: not said; `country`: the requester's, "" where nobody said it; `at`: when the end is counted from."""

    ask: Ask
    on: str
    amount: Amount | None
    country: str
    at: datetime


def is_wallet(account: str) -> bool:
    """Of an account in normal form; not said is none."""
    return bool(account) and not account.startswith("payto://")


def wanted(ask: Ask, of_wallet: bool, amount: Amount | None, country: str, at: datetime) -> Wanted:
    """Raises Malformed for what holds nothing."""
    if ask not in HOLDS:
        raise Malformed(f"{ask} holds nothing: law files say who may hold; arrp law show CC lists who may be told what")
    on = FLIGHT if ask is Ask.STOP else WALLET if of_wallet else ACCOUNT
    return Wanted(ask, on, amount, country, at)


def serving(code: str, asked: Wanted) -> dict[str, Any]:
    """The powers of one law file, those that fit best first: code, name, checked_on, notes, asked, powers, each of
    them with power, title, article, holder, trigger, fits (yes | unknown | no), why, through, needs, ends. Raises
    NotFound."""
    law = jurisdiction(code)
    periods = [period for power in law.powers for name in TIMES if (period := power.period(name)) is not None]
    known = reaching(periods, asked.at, law)
    rows = [_row(law, power, asked, known) for power in law.powers]
    return {"code": law.code, "name": law.name, "checked_on": law.checked_on.isoformat(), "notes": law.notes,
            "asked": {"ask": asked.ask.value, "on": asked.on, "from": asked.country, "at": utc(asked.at),
                      "amount": None if asked.amount is None else str(asked.amount)},
            "powers": sorted(rows, key=lambda row: _FITS.index(row["fits"]))}


def _row(law: Jurisdiction, power: LegalPower, asked: Wanted, known: Calendar) -> dict[str, Any]:
    why = [_reaches(power, asked), _foreign(law, power, asked), _amount(power, asked)]
    return {
        "power": power.id, "title": power.title, "article": power.article,
        "holder": cited_figure(law, power, "holder"), "trigger": cited_figure(law, power, "trigger"),
        "fits": max((fits for _, fits, _ in why), key=_FITS.index),
        "why": [{"figure": figure, "fits": fits, "said": said, **_where(law, power, figure)}
                for figure, fits, said in why],
        "through": cited_figure(law, power, "foreign_through"),
        "needs": {name: cited_figure(law, power, name) for name in NEEDS},
        "ends": {name: _end(law, power, name, asked, known) for name in TIMES},
    }  # fmt: skip


def _where(law: Jurisdiction, power: LegalPower, figure: str) -> dict[str, str]:
    cited = cited_figure(law, power, figure)
    return {"source": cited["source"], "confidence": cited["confidence"]}


# --- why -----------------------------------------------------------------------------------------------------


def _reaches(power: LegalPower, asked: Wanted) -> Why:
    known = set(power.texts("reaches"))
    said = f"it reaches {figure_words(power.figures['reaches'])}; asked is to {asked.ask} on {_with_article(asked.on)}"
    if not known:
        return "reaches", UNKNOWN, f"nobody found what it reaches; asked is to {asked.ask} on {_with_article(asked.on)}"
    if asked.ask is Ask.ARM:
        return "reaches", UNKNOWN if known - {FLIGHT} else "no", f"{said}, and no file says what of later credits"
    fitting = {FLIGHT: {FLIGHT}, WALLET: {WALLET}, ACCOUNT: {"amount", ACCOUNT}}[asked.on]
    if known & fitting:
        return "reaches", "yes", said
    perhaps = {FLIGHT: {"amount"}, WALLET: {"amount", ACCOUNT}, ACCOUNT: set[str]()}[asked.on]
    before = "; it serves before the payment has arrived" if known == {FLIGHT} else ""
    return "reaches", UNKNOWN if known & perhaps else "no", f"{said}{before}"


def _with_article(thing: str) -> str:
    return f"{'an' if thing == ACCOUNT else 'a'} {thing}"


def _foreign(law: Jurisdiction, power: LegalPower, asked: Wanted) -> Why:
    if asked.country == law.code[:2]:
        return "foreign", "yes", "asked for at home"
    found = str(power.figures["foreign"])
    if found == UNKNOWN:
        return "foreign", UNKNOWN, "nobody found whether it may serve a request from abroad"
    if found == "no":
        return "foreign", "no", "it serves no request from abroad"
    through = power.texts("foreign_through")
    by = f"through {' or '.join(through)}" if through else "by which way nobody found"
    return "foreign", "yes", f"it may serve a request from abroad, {by}"


def _amount(power: LegalPower, asked: Wanted) -> Why:
    lowest = str(power.figures["lowest_amount"])
    if lowest == NONE:
        return "lowest_amount", "yes", "there is no lowest amount"
    if lowest == UNKNOWN:
        return "lowest_amount", UNKNOWN, "nobody found whether there is a lowest amount"
    if asked.amount is None:
        return "lowest_amount", UNKNOWN, f"not below {lowest}; no amount was said"
    least = typed_amount(lowest)
    said = f"not below {lowest}; asked is {asked.amount}"
    if least.asset != asked.amount.asset:
        return "lowest_amount", UNKNOWN, f"{said}, another asset"
    return "lowest_amount", "yes" if asked.amount.minor >= least.minor else "no", said


# --- how long ------------------------------------------------------------------------------------------------


def _end(law: Jurisdiction, power: LegalPower, name: str, asked: Wanted, known: Calendar) -> dict[str, Any]:
    """The figure, and its end if the act were done then; until null where there is none to compute, with why."""
    none = {"until": None, "until_local": None}
    told, period = cited_figure(law, power, name), power.period(name)
    if period is None or period.unit == UNTIL_ORDER:
        return {**told, **none, "reason": _no_end(power, name)}
    try:
        found = deadline(period, asked.at, known, power.counting)
    except Refused as why:
        return {**told, **none, "reason": str(why)}
    return {**told, "until": utc(found.until), "until_local": found.until_local.isoformat(),
            "reason": f"{found.reason}{''.join(_counted_otherwise(power))}"}


def _no_end(power: LegalPower, name: str) -> str:
    found = power.figures[name]
    if found == UNKNOWN:
        return "nobody found it: ask there"
    if found == NONE and name == "provisional_max":
        return "nothing is held before somebody with the power decided"
    if found == NONE:
        return "there is none"
    return "it lasts until an order, and is reviewed: there is no end to compute"


def _counted_otherwise(power: LegalPower) -> Iterator[str]:
    found = power.figures["counts_from"]
    if found == UNKNOWN:
        yield "; counted from now, and nobody found from when the law counts"
    elif found != "act":
        yield f"; counted from now, and the law counts from the {found}"
