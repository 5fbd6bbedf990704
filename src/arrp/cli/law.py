"""`arrp law`: what the law of a place says, with where it stands, and when a period of it ends. No node is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, Desk, Home, Looking
from arrp.cli.serving import show_serving
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.core.account import country_of, parse_account
from arrp.core.deadline import deadline
from arrp.core.errors import ArrpError, Malformed
from arrp.core.law import UNKNOWN, Jurisdiction, LegalPower
from arrp.core.money import typed_amount
from arrp.core.request import Ask
from arrp.law.reading import codes, jurisdiction
from arrp.law.serving import is_wallet, serving, wanted
from arrp.law.telling import figure_words, law_tree, reaching, until_of_power, until_of_rule
from arrp.node.clock import Clock

Code = Annotated[str, typer.Argument(metavar="CC", help="Jurisdiction: PT, EU, issuer-tether.")]
STALE = timedelta(days=365)


@command
def show_law(code: Code, as_json: AsJson = False) -> None:
    """What the law of one place lets whom hold, how long, and what must follow; each figure with its source."""
    if as_json:
        show_json(law_tree(code))
        return
    law = jurisdiction(code)
    show(f"{law.name} ({law.code}), {law.zone}, read on {law.checked_on}. Not legal advice.")
    show(f"{law.notes}")
    for power in law.powers:
        show("")
        show(f"{power.id}: {power.title} ({power.article})")
        show_table(("figure", "says", "sure", "source"), [_row(power, figure) for figure in power.figures])
        if power.counting:
            show(f"counted otherwise than elsewhere: {', '.join(power.counting)}")
    for told in law.disclosures:
        show("")
        show(f"{told.to} may be told {', '.join(told.what)}: {told.way} ({told.cited.confidence}, {told.cited.source})")
    show("")
    show_table(("source", "kind", "read on", "title", "where"),
               [(one.id, one.kind, str(one.checked_on or "never"), one.title, one.url)
                for one in law.sources.values()])


def _row(power: LegalPower, figure: str) -> tuple[str, ...]:
    cited = power.cited_for(figure)
    return (figure, figure_words(power.figures[figure]), cited.confidence, cited.source)


# --- until -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Until:
    at: Annotated[str, typer.Option(help="The act: 2026-11-22T08:00Z; without a zone it is local time there.")]
    code: Annotated[str, typer.Argument(metavar="[CC]", help="Jurisdiction whose power it is.")] = ""
    power: Annotated[str, typer.Option(help="Which power of it; its longest time counts.")] = ""
    figure: Annotated[str, typer.Option(help="Which time of that power.")] = "longest"
    zone: Annotated[str, typer.Option(help="For the clock alone: an IANA zone, such as Europe/Lisbon.")] = ""
    rule: Annotated[str, typer.Option(help='For the clock alone: "24 hours", "3 calendar days", "1 month".')] = ""
    calendar: Annotated[str, typer.Option(help="For the clock alone: whose working days, such as PT.")] = ""
    as_json: AsJson = False


@command
def until(asked: Until) -> None:
    """When a hold under a power ends, and why then. With --zone and --rule: the clock alone."""
    answer = _of_the_clock(asked) if asked.zone or asked.rule else _of_a_power(asked)
    if asked.as_json:
        show_json(answer)
        return
    show(f"{answer['until']}  ({answer['until_local']})")
    show(answer["reason"])
    if answer["source"]:
        show(f"{answer['source']} ({answer['confidence']})")
        say("the law as data is no legal advice: an officer answers for the basis")


def _of_a_power(asked: Until) -> dict[str, Any]:
    if not asked.code or not asked.power:
        raise Malformed("say a jurisdiction and --power, or for the clock alone --zone and --rule")
    return until_of_power(asked.code, asked.power, asked.at, asked.figure)


def _of_the_clock(asked: Until) -> dict[str, Any]:
    if not (asked.zone and asked.rule) or asked.code or asked.power:
        raise Malformed("the clock alone needs --zone and --rule, and no jurisdiction")
    return until_of_rule(asked.rule, asked.at, asked.zone, asked.calendar)


# --- powers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Serving:
    code: Annotated[str, typer.Argument(metavar="[CC]", help="Jurisdiction; that of the account, if not said.")] = ""
    account: Annotated[str, typer.Option(help="The account, if there is one; it goes nowhere.")] = ""
    amount: Annotated[str, typer.Option(help="At most this much: 100000.00 EUR.")] = ""
    ask: Annotated[Ask, typer.Option(help="hold, stop, arm.")] = Ask.HOLD
    requester: Annotated[str, typer.Option("--from", metavar="CC", help="Country that asks; else any other.")] = ""
    as_json: AsJson = False


@command
def powers(asked: Serving) -> None:
    """Which powers of a country may serve a request, why, what each needs, and when it would end if it were done now.

    Advice to whoever drafts: the side whose power it is picks it."""
    account = parse_account(asked.account) if asked.account else ""
    code = asked.code or (country_of(account) if account else "")
    if not code:
        raise Malformed("say whose law: a jurisdiction, or --account of a bank; a wallet has no country")
    amount = typed_amount(asked.amount) if asked.amount else None
    found = serving(code, wanted(asked.ask, is_wallet(account), amount, asked.requester, Clock().now()))
    if asked.as_json:
        show_json(found)
    else:
        show_serving(found)


# --- changes -----------------------------------------------------------------------------------------------


@command
def changes(home: Home = ELSEWHERE, officer: Looking = "", as_json: AsJson = False) -> None:
    """Holds of a running node whose legal end would be another one by today's law, calendars and zones.

    Nothing moves by itself: an officer extends, or lets go."""
    found = Desk(home, officer).get("/law/changes")
    if as_json:
        show_json(found)
        return
    show_table(("request", "power", "until", "computed now", "was computed with"),
               [(row["request"], row["power"], row["until"], row["computed_now"] or "no more adopted",
                 f"{row['calendar']}, {row['zone']}") for row in found])
    say(f"{len(found)} holds would end at another instant")


# --- check -------------------------------------------------------------------------------------------------


@command
def check(as_json: AsJson = False) -> None:
    """Every law file: read, its sources, its periods computed once, and what nobody has looked at for a year."""
    today = Clock().now().date()
    rows = [_checked(code, today) for code in codes()]
    if as_json:
        show_json(rows)
    else:
        show_table(("code", "powers", "unknown", "low", "stale", "fault"),
                   [(row["code"], str(row["powers"]), str(row["unknown"]), str(row["low"]), str(len(row["stale"])),
                     row["fault"]) for row in rows])
    if faults := [row["fault"] for row in rows if row["fault"]]:
        raise Malformed(f"{len(faults)} of {len(rows)} law files: {faults[0]}")
    say(f"{len(rows)} jurisdictions, {sum(row['powers'] for row in rows)} powers")


def _checked(code: str, today: date) -> dict[str, Any]:
    row: dict[str, Any] = {"code": code, "powers": 0, "unknown": 0, "low": 0, "stale": [], "fault": ""}
    try:
        law = jurisdiction(code)
        _compute_once(law, today)
    except ArrpError as error:
        return {**row, "fault": str(error)}
    figures = [(power, name) for power in law.powers for name in power.figures]
    row["powers"] = len(law.powers)
    row["unknown"] = sum(power.figures[name] in (UNKNOWN, (UNKNOWN,)) for power, name in figures)
    row["low"] = sum(power.cited_for(name).confidence == "low" for power, name in figures)
    row["stale"] = [one.id for one in law.sources.values() if one.checked_on and today - one.checked_on > STALE]
    return row


def _compute_once(law: Jurisdiction, today: date) -> None:
    """That zone and calendar are known, and that each power names periods that can be counted."""
    noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    periods = [(power, period) for power in law.powers for name in power.figures
               if (period := power.period(name)) is not None and period.count]
    known = reaching((period for _, period in periods), noon, law)
    for power, period in periods:
        deadline(period, noon, known, power.counting)
