"""`arrp law`: what the law of a place says, with where it stands, and when a term of it ends. No node is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, Desk, Home, Looking
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.core.calendar import Calendar
from arrp.core.deadline import Deadline, deadline
from arrp.core.errors import ArrpError, Malformed, NotFound, Refused
from arrp.core.law import UNKNOWN, Cited, Jurisdiction, LegalPower
from arrp.core.term import Term
from arrp.law.calendars import around
from arrp.law.reading import codes, jurisdiction
from arrp.node.clock import Clock

Code = Annotated[str, typer.Argument(metavar="CC", help="Jurisdiction: PT, EU, issuer-tether.")]
STALE = timedelta(days=365)


@command
def show_law(code: Code, as_json: AsJson = False) -> None:
    """What the law of one place lets whom hold, how long, and what must follow; each figure with its source."""
    law = jurisdiction(code)
    if as_json:
        show_json(_tree(law))
        return
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
    return (figure, _said(power.figures[figure]), cited.confidence, cited.source)


def _said(figure: Term | str | tuple[str, ...]) -> str:
    return ", ".join(figure) if isinstance(figure, tuple) else str(figure)


def _tree(law: Jurisdiction) -> dict[str, Any]:
    return {
        "code": law.code, "name": law.name, "zone": law.zone, "calendar": law.calendar, "notes": law.notes,
        "checked_on": law.checked_on.isoformat(),
        "powers": [{"id": power.id, "title": power.title, "article": power.article, "counting": list(power.counting),
                    "figures": {name: {"says": list(said) if isinstance(said, tuple) else str(said),
                                       **_cited(power.cited_for(name))} for name, said in power.figures.items()}}
                   for power in law.powers],
        "disclosures": [{"to": told.to, "what": list(told.what), "way": told.way, **_cited(told.cited)}
                        for told in law.disclosures],
        "sources": [{"id": one.id, "title": one.title, "url": one.url, "kind": one.kind,
                     "checked_on": one.checked_on and one.checked_on.isoformat()} for one in law.sources.values()],
    }  # fmt: skip


def _cited(cited: Cited) -> dict[str, str]:
    return {"source": cited.source, "confidence": cited.confidence}


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
    law = jurisdiction(asked.code)
    power = _power(law, asked.power)
    term = _term(power, asked.figure)
    act, found = _computed(term, asked.at, law.zone, law.calendar, power.counting)
    cited = power.cited_for(asked.figure)
    source = law.sources[cited.source]
    return {**_answer(act, found, term), "country": law.code, "power": power.id,
            "reason": f"{law.code} {power.article}: {found.reason}", "source": f"{source.title}, {source.url}",
            "confidence": cited.confidence}


def _of_the_clock(asked: Until) -> dict[str, Any]:
    if not (asked.zone and asked.rule) or asked.code or asked.power:
        raise Malformed("the clock alone needs --zone and --rule, and no jurisdiction")
    term = Term.parse(asked.rule)
    if term.unit == "working days" and not asked.calendar:
        raise Malformed("working days of which country? say --calendar CC")
    act, found = _computed(term, asked.at, asked.zone, asked.calendar)
    return {**_answer(act, found, term), "country": asked.calendar}


def _answer(act: datetime, found: Deadline, term: Term) -> dict[str, Any]:
    return {"country": "", "power": "", "act_at": _utc(act), "until": _utc(found.until),
            "until_local": found.until_local.isoformat(), "unit": term.unit, "reason": found.reason, "source": "",
            "confidence": "", "calendar": found.calendar, "zone": found.zone}


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _power(law: Jurisdiction, id: str) -> LegalPower:
    for power in law.powers:
        if power.id == id:
            return power
    raise NotFound(f"{law.code} has no power {id[:60]!r}; there are {', '.join(one.id for one in law.powers)}")


def _term(power: LegalPower, figure: str) -> Term:
    """Raises Refused where the law file does not know, or there is none: nothing is computed from a guess."""
    if figure not in power.figures:
        raise Malformed(f"{figure[:40]!r} is no figure of a power; there are {', '.join(power.figures)}")
    said = power.figures[figure]
    if isinstance(said, Term):
        return said
    why = "nobody could say it" if said == UNKNOWN else f"it says {_said(said)!r}"
    raise Refused(f"{figure} of {power.id} has no end to compute: {why}. An officer types basis and until", rule="R-40")


def _computed(term: Term, at: str, zone: str, code: str, counting: tuple[str, ...] = ()) -> tuple[datetime, Deadline]:
    """The act as an instant, and the end. A local time is read in that zone, and refused where it is none."""
    try:
        typed = datetime.fromisoformat(at)
    except ValueError:
        raise Malformed(f"{at[:40]!r} is not an instant, such as 2026-11-22T08:00Z") from None
    guess = typed if typed.utcoffset() is not None else typed.replace(tzinfo=UTC)
    known = _calendar(term, guess, zone, code)
    act = typed if typed.utcoffset() is not None else known.zone.instant(typed)
    return act, deadline(term, act.astimezone(UTC), known, counting)


def _calendar(term: Term, at: datetime, zone: str, code: str) -> Calendar:
    """As far ahead as the term can reach, and a year."""
    days = {"hours": 1 / 24, "working days": 3.0, "months": 31.0}.get(term.unit, 1.0) * term.count
    return around(code, zone, at, years=int(days / 365) + 1)


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
    """Every law file: read, its sources, its terms computed once, and what nobody has looked at for a year."""
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
    """That zone and calendar are known, and that each power names terms that can be counted."""
    noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    known = around(law.calendar, law.zone, noon)
    for power in law.powers:
        for name in power.figures:
            term = power.term(name)
            if term is not None and term.count and term.unit != "months":
                deadline(term, noon, known if term.count < 400 else _calendar(term, noon, law.zone, law.calendar))
