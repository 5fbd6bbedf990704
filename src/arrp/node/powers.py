"""The powers a node may act on: those of law files that somebody here adopted, and those an operator typed.

rules.toml          default   unit, limits
[[adopted]]                   a power of src/arrp/law, on which this node may act alone (docs/law.md)
law, power          needed    file and id: "PT", "pt-…"
by                  needed    who adopted it here, by name: the legal officer
on                  needed    on which day: 2026-11-22
onward              ask       free | ask | we_do: what may be told of where money went
calendar            its own   whose working days, where they differ within the country: "GB-ENG", "CH-ZH"
[[day]]                       a day that the published calendar does not know, or not so
on                  needed    2026-11-22
why                 needed    in words
working             false     true: people do work on it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from arrp.core.calendar import DAY, Calendar
from arrp.core.deadline import Power
from arrp.core.errors import NotFound, Refused
from arrp.core.law import NONE, UNKNOWN, Jurisdiction, LegalPower
from arrp.core.money import typed_amount
from arrp.core.period import UNTIL_ORDER, Period
from arrp.core.policy import Participant
from arrp.core.stating import FOLLOWED_BY
from arrp.law.calendars import OwnDays, calendar, zone
from arrp.law.reading import jurisdiction

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)  # the same days, whoever counts when
ISSUER = "issuer-"
# Courts and prosecutors are missing: what is theirs no bureau adopts as its own.
_KINDS = {"police": "authority", "fiu": "authority", "central bank": "authority", "authority": "authority",
          "institution": "institution", "issuer": "issuer"}
_BOOKED = frozenset({"amount", "account", "wallet"})  # what a hold rests on; a power over payments in flight is another
_ELSEWHERE = frozenset({"receipt", "notice", "first hold"})  # a node counts from its own act: that would end too late


@dataclass(frozen=True, slots=True)
class Adopted:
    """What `[[adopted]]` says."""

    law: str
    power: str
    by: str
    on: str
    onward: str
    calendar: str = ""  # of a part of the country; empty: that of the law file


def own_days(rows: Iterable[Mapping[str, Any]]) -> OwnDays:
    """What the `[[day]]` tables say."""
    off = {date.fromisoformat(row["on"]): row["why"] for row in rows if not row["working"]}
    return OwnDays(off, frozenset(date.fromisoformat(row["on"]) for row in rows if row["working"]))


def adopted_power(adopted: Adopted, me: Participant, own: OwnDays) -> Power:
    """The power as the node lives by it. Raises NotFound; Refused where the file does not know what a node must."""
    law = jurisdiction(adopted.law)
    power = next((one for one in law.powers if one.id == adopted.power), None)
    if power is None:
        raise NotFound(f"law/{law.code}.toml has no power {adopted.power!r}; there are "
                       f"{', '.join(one.id for one in law.powers)}")
    _check_fits(law, power, adopted)
    longest = _longest(law, power)
    minor, asset = _protected(power)
    return Power(
        id=power.id, country=me.country if law.code.startswith(ISSUER) else law.code[:2], article=power.article,
        holders=_holders(power), provisional=_provisional(power), longest=longest, chain=_chain(power, longest),
        calendar=_calendar(adopted.calendar or law.calendar, law.zone, own), counting=power.counting,
        silence=_or(power, "silence", "free"), notice=_or(power, "notice", "free"),
        **_periods(power),
        reach="value" if power.figures["reach"] == "value" else "amount",
        protected_minor=minor, protected_asset=asset, onward=adopted.onward, tells=law.tells("authority"),
        source=law.sources[power.cited_for("longest").source].url, checked_on=law.checked_on.isoformat(),
        adopted=f"{adopted.by}, {adopted.on}",
    )  # fmt: skip


def _holders(power: LegalPower) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_KINDS[one] for one in power.texts("holder") if one in _KINDS))


def _check_fits(law: Jurisdiction, power: LegalPower, adopted: Adopted) -> None:
    """Raises Refused for a power that a node cannot live by as its file tells it."""
    where = f"law/{law.code}.toml: {power.id}"
    if law.code == "EU":
        raise Refused(f"{where} is a frame for national laws: adopt the power of a country", rule="R-40")
    if not _holders(power):
        raise Refused(f"{where} is for {', '.join(power.texts('holder')) or 'nobody knows whom'}: not for a node's "
                      "participant. Where an order names you, type a [[power]]", rule="R-40")
    if power.figures["counts_from"] in _ELSEWHERE:
        raise Refused(f"{where} counts from {power.figures['counts_from']}, and a node from when it holds: type a "
                      "[[power]] with a time that cannot end too late", rule="R-40")
    if adopted.calendar not in ("", law.calendar) and not adopted.calendar.startswith(f"{law.code[:2]}-"):
        raise Refused(f"{where} counts working days of {law.calendar}: calendar names a part of it, such as "
                      f"{law.code[:2]}-…, not {adopted.calendar!r}", rule="R-40")
    tells = law.tells("authority")
    if adopted.onward == "free" and not FOLLOWED_BY.issubset(tells):
        raise Refused(f"{where}: onward cannot be free. Of where money went the file is sure that an authority may be "
                      f"told: {', '.join(tells) or 'nothing'}. With ask an officer tells it, on a basis that they name",
                      rule="R-53")
    if date.fromisoformat(adopted.on) < law.checked_on:
        raise Refused(f"{where} was read on {law.checked_on}, and adopted before, on {adopted.on}: read it again",
                      rule="R-40")


def _provisional(power: LegalPower) -> Period | None:
    """How long it may be held before anybody decided. Only where the file is sure of all that an automatic act rests
    on: that booked money can be held, for a request from abroad, from the act on. Else an officer decides first."""
    sure = all(power.cited_for(name).confidence != "low" for name in ("provisional_max", "longest"))
    fits = (bool(_BOOKED & set(power.texts("reaches"))), power.figures["foreign"] == "yes",
            power.figures["counts_from"] == "act")
    found = power.period("provisional_max")
    return found if found is not None and found.unit != UNTIL_ORDER and sure and all(fits) else None


def _longest(law: Jurisdiction, power: LegalPower) -> Period:
    """Raises Refused: without an end there is no clock, and what is unknown allows no automatic act (R-40)."""
    found = power.period("longest")
    if found is None or found.unit == UNTIL_ORDER:
        raise Refused(f"law/{law.code}.toml: {power.id} lasts {power.figures['longest']}: a node cannot live by that. "
                      "Type a [[power]] with an end that your legal officer answers for", rule="R-40")
    return found


def _chain(power: LegalPower, longest: Period) -> Period:
    """With all extensions; where nobody knows, one decision and no more."""
    found = power.period("longest_chain")
    return longest if found is None or found.unit == UNTIL_ORDER else found


def _periods(power: LegalPower) -> dict[str, Any]:
    """The times that its file knows; the others are those of any power (core/deadline.Power)."""
    found = {name: power.period(name) for name in ("notice_within", "objection_within")}
    if "public notice" in power.texts("return_route"):
        found["return_notice"] = power.period("return_period")
    return {name: period for name, period in found.items() if period is not None and period.unit != UNTIL_ORDER}


def _or(power: LegalPower, figure: str, otherwise: str) -> str:
    found = power.figures[figure]
    return otherwise if found == UNKNOWN else str(found)


def _protected(power: LegalPower) -> tuple[int, str]:
    found = str(power.figures["protected"])
    if found in (UNKNOWN, NONE):
        return 0, "EUR"
    amount = typed_amount(found)
    return amount.minor, amount.asset


def _calendar(code: str, zone_name: str, own: OwnDays) -> Calendar:
    return _built(code, zone_name, tuple(sorted(own.off.items())), tuple(sorted(own.working)))


@cache
def _built(code: str, zone_name: str, off: tuple[tuple[date, str], ...], working: tuple[date, ...]) -> Calendar:
    """Made once for all powers of one place: twenty-five years of holidays take a while."""
    days = OwnDays(dict(off), frozenset(working))
    return calendar(code, zone(zone_name, FIRST, LAST), FIRST.date(), LAST.date() - DAY, days)
