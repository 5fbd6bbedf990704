"""`arrp bench trace`: the index of a ledger beside memory, sorting, and tools that anybody can install."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arrp.bench.thefts import METHODS, mean, read_case, score
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


Folders = Annotated[list[Path], typer.Argument(metavar="FOLDER", help="NAME with NAME.csv, source_addresses.csv and "
                                               "terminal_addresses.csv.")]
Mix = Annotated[float, typer.Option(help="Which share of the accounts in between pass clean money.", min=0, max=1)]
Others = Annotated[int, typer.Option(help="Payments among other people.", min=10_000, max=10_000_000)]
Seeds = Annotated[int, typer.Option(help="How many times each is planted.", min=1, max=100)]


@command
def thefts(folders: Folders, mix: Mix = 0.5, others: Others = 200_000, seeds: Seeds = 1, as_json: AsJson = False
           ) -> None:
    """How much of published thefts each method finds again, planted among other people's money.

    The mean over all cases; how clean money mixes in is a model, so compare methods, not worlds."""
    planted = [score(read_case(folder), mix, others, seed + 1) for folder in folders for seed in range(seeds)]
    found = {method: mean([one[method] for one in planted]) for method in METHODS}
    if as_json:
        show_json({"cases": len(folders), "seeds": seeds, "mix": mix, "others": others,
                   "methods": {name: {what: round(value, 4) for what, value in asdict(one).items()}
                               for name, one in found.items()}})
        return
    show_table(("method", "accounts", "recall", "precision", "precision at 0.97", "misplaced", "innocent, asked",
                "innocent, whole"),
               ((name, str(one.named), *(f"{value:.2f}" for value in (
                   one.recall, one.precision, one.ranked, one.misplaced, one.asked, one.whole)))
                for name, one in found.items()))
