"""`arrp bench`: figures as ratios against a floor measured in the same run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from arrp.bench.node import Figures, measure
from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show_json, show_table

Messages = Annotated[int, typer.Option(help="How many messages.", min=100, max=1_000_000)]
StoreUrl = Annotated[str, typer.Option(help="An empty store: postgresql+psycopg://…; else a passing SQLite file.")]


@command
def node(messages: Messages = 2000, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """Messages a node accepts in a second, beside the floor: one verify, one unseal, one durable insert."""
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        url = store or f"sqlite:///{Path(folder) / 'bench.db'}"
        floor, found = measure(url, messages=messages)
    ratio = found.over(floor)
    if as_json:
        show_json({"store": url.partition(":")[0], "messages": messages, "ratio": round(ratio, 3),
                   "floor": _row(floor), "node": _row(found)})
        return
    show_table(("what", "per second", "p50 ms", "p99 ms"), (_cells("floor", floor), _cells("node", found)))
    say(f"the node does {ratio:.2f} of the floor")


def _row(found: Figures) -> dict[str, float]:
    return {"per_second": round(found.rate, 1), "p50_ms": round(found.p50, 2), "p99_ms": round(found.p99, 2)}


def _cells(what: str, found: Figures) -> tuple[str, ...]:
    return (what, f"{found.rate:.0f}", f"{found.p50:.1f}", f"{found.p99:.1f}")
