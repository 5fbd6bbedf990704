"""`arrp bench trace`: the index of a ledger beside memory, sorting, and tools that anybody can install."""

from __future__ import annotations

from typing import Annotated

import typer

from arrp.bench.trace import BIG, SIZES, lines, measure
from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show_json, show_table

Largest = Annotated[int, typer.Option(help="Leave out ledgers with more transfers.", min=10_000)]
Big = Annotated[bool, typer.Option("--big", help="A ledger of 10^8 transfers as well: 15 GB of memory, minutes.")]


@command
def trace(largest: Largest = SIZES[-1], big: Big = False, as_json: AsJson = False) -> None:
    """One victim, all victims, building, start: ratios against floors and peers that gave the same answers."""
    sizes = [size for size in SIZES if size <= largest] or [largest]
    found = measure([*sizes, BIG] if big else sizes, say)
    if as_json:
        show_json(found)
        return
    show_table(("transfers", "what", "figure"), lines(found))
