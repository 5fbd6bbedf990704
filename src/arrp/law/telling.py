"""What a law file says, as JSON: whole, and as the end of one of its times. CLI and `/v1` tell the same from here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from arrp.core.calendar import Calendar, typed_instant
from arrp.core.deadline import Deadline, deadline
from arrp.core.errors import Malformed, NotFound, Refused
from arrp.core.law import UNKNOWN, Cited, Jurisdiction, LegalPower
from arrp.core.period import Period
from arrp.law.calendars import around
from arrp.law.reading import Figure, codes, jurisdiction


@cache
def laws() -> tuple[dict[str, Any], ...]:
    """Every jurisdiction, shortly: code, name, checked_on, powers (how many). Read once: the files come with the
    program."""
    return tuple({"code": law.code, "name": law.name, "checked_on": law.checked_on.isoformat(),
                  "powers": len(law.powers)} for law in map(jurisdiction, codes()))


@cache
def untold() -> tuple[str, ...]:
    """The powers under which nobody may tell the account holder (R-72)."""
    return tuple(power.id for law in map(jurisdiction, codes()) for power in law.powers
                 if power.figures["notice"] == "forbidden")


def law_tree(code: str) -> dict[str, Any]:
    """One law file: code, name, zone, calendar, notes, checked_on, powers, disclosures, sources. Raises NotFound."""
    law = jurisdiction(code)
    return {
        "code": law.code, "name": law.name, "zone": law.zone, "calendar": law.calendar, "notes": law.notes,
        "checked_on": law.checked_on.isoformat(),
        "powers": [{"id": power.id, "title": power.title, "article": power.article, "counting": list(power.counting),
                    "figures": {name: figure_tree(power, name) for name in power.figures}} for power in law.powers],
        "disclosures": [{"to": told.to, "what": list(told.what), "way": told.way, **_cited(told.cited)}
                        for told in law.disclosures],
        "sources": [{"id": one.id, "title": one.title, "url": one.url, "kind": one.kind,
                     "checked_on": one.checked_on and one.checked_on.isoformat()} for one in law.sources.values()],
    }  # fmt: skip


def figure_tree(power: LegalPower, name: str) -> dict[str, Any]:
    """One figure: says (a text, or a list of them), source, confidence."""
    said = power.figures[name]
    return {"says": list(said) if isinstance(said, tuple) else str(said), **_cited(power.cited_for(name))}


def cited_figure(law: Jurisdiction, power: LegalPower, name: str) -> dict[str, Any]:
    """The same with its source in words: title and address."""
    source = law.sources[power.cited_for(name).source]
    return {**figure_tree(power, name), "source": f"{source.title}, {source.url}"}


def figure_words(figure: Figure) -> str:
    return ", ".join(figure) if isinstance(figure, tuple) else str(figure)


def _cited(cited: Cited) -> dict[str, str]:
    return {"source": cited.source, "confidence": cited.confidence}


def power_of(law: Jurisdiction, id: str) -> LegalPower:
    """Raises NotFound, naming those there are."""
    for power in law.powers:
        if power.id == id:
            return power
    raise NotFound(f"{law.code} has no power {id[:60]!r}; there are {', '.join(one.id for one in law.powers)}")


# --- when a time ends --------------------------------------------------------------------------------------


def until_of_power(code: str, id: str, at: str, figure: str = "longest") -> dict[str, Any]:
    """When a time of a power ends that began with an act at `at`, and why then: country, power, act_at, until,
    until_local, unit, reason, source, confidence, calendar_version, zone_version. Raises NotFound; Malformed for what
    is no instant or figure; Refused where the file does not know, or there is no end (R-40)."""
    law = jurisdiction(code)
    power = power_of(law, id)
    period = _period(power, figure)
    act, found = _computed(period, at, law.zone, law.calendar, power.counting)
    cited = cited_figure(law, power, figure)
    return {**_end(act, found, period), "country": law.code, "power": power.id,
            "reason": f"{law.code} {power.article}: {found.reason}", "source": cited["source"],
            "confidence": cited["confidence"]}


def until_of_rule(rule: str, at: str, zone: str, calendar: str) -> dict[str, Any]:
    """The clock alone: the same answer for `24 hours` or `3 working days` in a zone and a calendar."""
    period = Period.parse(rule)
    if period.unit == "working days" and not calendar:
        raise Malformed("working days of which country? say --calendar CC")
    act, found = _computed(period, at, zone, calendar)
    return {**_end(act, found, period), "country": calendar}


def reaching(periods: Iterable[Period], at: datetime, law: Jurisdiction) -> Calendar:
    """Its calendar, as far ahead as the longest of these periods can reach."""
    return _calendar(max(periods, key=_days, default=Period(0, "hours")), at, law.zone, law.calendar)


def _end(act: datetime, found: Deadline, period: Period) -> dict[str, Any]:
    return {"country": "", "power": "", "act_at": utc(act), "until": utc(found.until),
            "until_local": found.until_local.isoformat(), "unit": period.unit, "reason": found.reason, "source": "",
            "confidence": "", "calendar_version": found.calendar_version, "zone_version": found.zone_version}


def utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _period(power: LegalPower, figure: str) -> Period:
    """Raises Refused where the law file does not know, or there is none: nothing is computed from a guess."""
    if figure not in power.figures:
        raise Malformed(f"{figure[:40]!r} is no figure of a power; there are {', '.join(power.figures)}")
    said = power.figures[figure]
    if isinstance(said, Period):
        return said
    why = "nobody could say it" if said == UNKNOWN else f"it says {figure_words(said)!r}"
    raise Refused(f"{figure} of {power.id} has no end to compute: {why}. An officer types basis and until", rule="R-40")


def _computed(period: Period, at: str, zone: str, code: str, counting: tuple[str, ...] = ()
              ) -> tuple[datetime, Deadline]:
    """The act as an instant, and the end. A local time is read in that zone, and refused where it is none."""
    typed = typed_instant(at)
    guess = typed if typed.utcoffset() is not None else typed.replace(tzinfo=UTC)
    known = _calendar(period, guess, zone, code)
    act = typed if typed.utcoffset() is not None else known.zone.instant(typed)
    return act, deadline(period, act.astimezone(UTC), known, counting)


def _calendar(period: Period, at: datetime, zone: str, code: str) -> Calendar:
    """As far ahead as the period can reach, and a year."""
    return around(code, zone, at, years=int(_days(period) / 365) + 1)


def _days(period: Period) -> float:
    """At most so many, working days among holidays too."""
    return {"hours": 1 / 24, "working days": 3.0, "months": 31.0}.get(period.unit, 1.0) * period.count
