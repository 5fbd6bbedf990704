"""A sheet of paper as a value, and as plain text: titled parts of labelled rows, the same in text and PDF.

The text is the authoritative form: it has every character, whatever a printer's font lacks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from textwrap import wrap
from typing import TypeVar

T = TypeVar("T")

WIDTH = 78
LABEL = 24


@dataclass(frozen=True, slots=True)
class Row:
    """`label` on the left, `value` beside it; a value may have several lines."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Part:
    """`said` are paragraphs above the rows. A form is filled in by hand: it stays together on a page."""

    title: str
    rows: tuple[Row, ...] = ()
    said: tuple[str, ...] = ()
    is_form: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that stands on the paper. `case` and `reference` stand on each page."""

    title: str
    case: str
    reference: str
    written_at: datetime
    parts: tuple[Part, ...]


def text(sheet: Sheet) -> str:
    """The sheet as UTF-8 text, at most 78 columns wide; no control character survives in it."""
    head = [sheet.title.upper(), "=" * WIDTH, f"Reference {sheet.reference}".ljust(34) + f"Case {sheet.case}"]
    lines = [*head, *(line for part in sheet.parts for line in _part(part))]
    foot = f"End of {sheet.reference}"
    return "\n".join([*lines, "", foot, ""])


def draft(sheet: Sheet) -> str:
    """The sheet as Markdown to be edited: nothing is wrapped, so that a digest stays whole; no control character."""
    lines = [f"# {printable(sheet.title)}", "", f"Reference {sheet.reference}, case {sheet.case}"]
    for part in sheet.parts:
        lines += ["", f"## {printable(part.title)}"]
        lines += [line for said in part.said for line in ("", printable(said))]
        lines += ["", *(line for row in part.rows for line in _item(row))] if part.rows else []
    return "\n".join([*lines, ""])


def _item(row: Row) -> Iterator[str]:
    first, *rest = [printable(said) for said in row.value.split("\n")]
    yield f"- {printable(row.label)}: {first}"
    yield from (f"  {said}" for said in rest)


def _part(part: Part) -> Iterator[str]:
    yield ""
    yield part.title.upper()
    yield "-" * WIDTH
    for said in part.said:
        yield from wrap(printable(said), WIDTH)
    for row in part.rows:
        yield from _row(row)


def _row(row: Row) -> Iterator[str]:
    label = printable(row.label)
    shown = [line for said in row.value.split("\n") for line in wrap(printable(said), WIDTH - LABEL) or [""]]
    if len(label) >= LABEL:
        yield label
        label = ""
    for place, line in enumerate(shown):
        yield f"{label if place == 0 else '':{LABEL}}{line}".rstrip()


def printable(said: str) -> str:
    """One line, without control characters: names and facts come from strangers. Marks that turn the direction
    of writing, by which a text can be made to show another one, are taken out too."""
    return "".join(" " if sign in "\t\n" else sign for sign in said if not _steers(sign))


def cleaned(value: T) -> T:
    """The same value with every text in it as `printable` has it: nothing that a stranger wrote adds a line."""
    found: object = value
    if isinstance(value, str) and type(value) is str:
        found = printable(value)
    elif isinstance(value, tuple):
        found = tuple(map(cleaned, value))
    elif is_dataclass(value) and not isinstance(value, type):
        found = replace(value, **{field.name: cleaned(getattr(value, field.name)) for field in fields(value)})
    return found  # type: ignore[return-value]


def _steers(sign: str) -> bool:
    category = unicodedata.category(sign)
    joins = sign in "\u200c\u200d"  # needed to write Persian and Indic names
    return category in ("Cc", "Cf", "Cs", "Zl", "Zp") and not joins and sign not in "\t\n"
