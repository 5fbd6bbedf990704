"""What the law of one place lets whom do with somebody's money: values, each with where it stands and how sure it is.

A figure that nobody could find says `unknown`, and what is unknown allows no automatic act: an officer types the basis
and its end (R-40). Nothing here is legal advice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from arrp.core.period import Period

UNKNOWN = "unknown"
NONE = "none"
TOLD = ("country", "institution", "account", "time and amount", "holder")  # what a disclosure may tell
READERS = ("authority", "fiu", "institution", "account holder", "victim")  # whom: abroad or at home, as `way` says


class Form(StrEnum):
    """By which way a hold becomes lasting: what follows it before it lapses."""

    MLA = "mla"
    EIO = "eio"
    FIU = "fiu"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Source:
    """A text. `kind`: primary (the law itself), official (an authority about its law), secondary (others about it),
    memory (nobody looked it up). `checked_on`: when somebody last read it; None for memory."""

    id: str
    title: str
    url: str
    kind: str
    checked_on: date | None


@dataclass(frozen=True, slots=True)
class Cited:
    """Where a figure stands, and how sure it is: high (read in a primary or official text), medium, low."""

    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class LegalPower:
    """One power: who may hold what, when, how long, and what follows. `figures` are its other rows as the law file
    names them (docs/law.md lists them): a Period, a text, or texts; `unknown` and `none` are answers too."""

    id: str
    title: str
    article: str
    figures: Mapping[str, Period | str | tuple[str, ...]]
    cited: Cited
    exceptions: Mapping[str, Cited]
    counting: tuple[str, ...] = ()  # what is counted otherwise than elsewhere: core/deadline.py

    def cited_for(self, figure: str) -> Cited:
        return self.exceptions.get(figure, self.cited)

    def texts(self, figure: str) -> tuple[str, ...]:
        """What is known of a list of words."""
        found = self.figures[figure]
        return tuple(one for one in found if one != UNKNOWN) if isinstance(found, tuple) else ()

    def period(self, figure: str) -> Period | None:
        """A length of time; None where it is unknown or there is none."""
        found = self.figures[figure]
        return found if isinstance(found, Period) else None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Who may be told what, and by which way. `to` is one of READERS, `what` some of TOLD."""

    to: str
    what: tuple[str, ...]
    way: str
    cited: Cited


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One law file. `code`: ISO 3166-1, ISO 3166-2 where law is local, `EU`, or `issuer-NAME` for terms of an issuer.
    `zone` is the IANA zone of those who decide there; `calendar` names its working days."""

    code: str
    name: str
    zone: str
    calendar: str
    checked_on: date
    notes: str
    sources: Mapping[str, Source]
    powers: tuple[LegalPower, ...]
    disclosures: tuple[Disclosure, ...]

    def tells(self, reader: str) -> tuple[str, ...]:
        """What of TOLD such a reader may be told, as far as the file is sure of it."""
        sure = [one.what for one in self.disclosures if one.to == reader and one.cited.confidence != "low"]
        return tuple(word for word in TOLD if any(word in what for what in sure))
