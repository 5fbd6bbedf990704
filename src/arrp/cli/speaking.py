"""What a command says: data on stdout, talk on stderr, nothing that a terminal could take for a command.

Names and references come from files of strangers: a control character in one of them is shown, not sent.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import typer

LINE_MAX = 900  # characters: what stands in a file may be repeated in what is said about it


def say(text: str) -> None:
    """One line of talk: of what is very long, how it begins and how it ends."""
    line = plain(text)
    typer.echo(line if len(line) <= LINE_MAX else f"{line[:LINE_MAX - 300]} … {line[-250:]}", err=True)


def say_whole(lines: Iterable[str]) -> None:
    """Talk of which nothing may be left out: what somebody is about to sign."""
    for line in lines:
        typer.echo(plain(line), err=True)


def show(text: str) -> None:
    """One line of data."""
    typer.echo(plain(text))


def show_json(value: Any) -> None:
    """One JSON value; in ASCII, so that every pipe and terminal takes it."""
    typer.echo(json.dumps(value, indent=2))


def show_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns side by side, at any width: nothing is cut or folded when it goes into a file."""
    lines = [tuple(map(str.upper, head)), *(tuple(map(plain, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def noted(marks: Sequence[str]) -> str:
    """What must not be overlooked, behind a line."""
    return f" — {'; '.join(marks)}" if marks else ""


def plain(text: str) -> str:
    """The text on one line, its control characters and what is no character at all as escapes."""
    return "".join(_escaped(sign) if unicodedata.category(sign)[0] in "CZ" and sign != " " else sign for sign in text)


def _escaped(sign: str) -> str:
    return sign.encode("ascii", "backslashreplace").decode() if ord(sign) > 126 else repr(sign)[1:-1]
