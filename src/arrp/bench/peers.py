"""What `arrp bench trace` measures itself against: the same question asked of tools that anybody can install.

Money leaves a pot at a row; which pots could it have come to within three transfers, each later than
the one before, until a last row? Every peer answers {pot: earliest row}. One that is not installed is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from arrp.trace.ledger import Ledger

try:
    import polars
except ImportError:
    polars = None
try:
    import duckdb
except ImportError:
    duckdb = None
try:
    import networkx
except ImportError:
    networkx = None

HOPS = 3
NETWORKX_MOST = 1_000_000  # it takes some 700 bytes a transfer

Answer = dict[int, int]
Peer = Callable[[int, int, int], Answer]  # pot, after row, before row

_SQL = (
    "select e.target as pot, min(e.row) as row from edges e join front f on e.source = f.pot"
    " where e.row > f.row and e.row < ? group by e.target"
)


def peers(ledger: Ledger) -> Iterator[tuple[str, Peer]]:
    """One after the other, each with its own copy of the ledger."""
    if polars is not None:
        yield "polars, join per hop", _polars(ledger, by_source=True)
        yield "polars, rows of the window, join per hop", _polars(ledger, by_source=False)
    if duckdb is not None:
        yield "DuckDB, sorted by source", _duckdb(ledger, "source, row")
        yield "DuckDB, in booking order", _duckdb(ledger, "row")
    if networkx is not None and len(ledger.sources) <= NETWORKX_MOST:
        yield "networkx", _networkx(ledger)


def _merged(best: Answer, found: Iterator[tuple[int, int]]) -> Answer:
    """Take what is earlier than known; what was, is the next front."""
    front = {pot: row for pot, row in found if row < best.get(pot, row + 1)}
    best |= front
    return front


def _polars(ledger: Ledger, *, by_source: bool) -> Peer:
    rows = np.arange(len(ledger.sources), dtype=np.uint32)
    edges = polars.DataFrame({"source": ledger.sources, "row": rows, "target": ledger.targets})
    if by_source:
        edges = edges.sort("source", "row")

    def ask(pot: int, after: int, before: int) -> Answer:
        best = front = {pot: after}
        within = edges if by_source else edges[after + 1 : before]
        for _ in range(HOPS):
            schema = {"source": polars.UInt32, "from": polars.UInt32}
            asked = polars.DataFrame({"source": list(front), "from": list(front.values())}, schema=schema)
            found = (
                within.lazy().join(asked.lazy(), on="source")
                .filter((polars.col("row") > polars.col("from")) & (polars.col("row") < before))
                .group_by("target").agg(polars.col("row").min()).collect()
            )  # fmt: skip
            front = _merged(best, zip(found["target"].to_list(), found["row"].to_list(), strict=True))
        return best

    return ask


def _duckdb(ledger: Ledger, order: str) -> Peer:
    store = duckdb.connect()
    columns: dict[str, Any] = {"source": ledger.sources, "target": ledger.targets}
    columns["row"] = np.arange(len(ledger.sources), dtype=np.uint32)
    store.register("given", columns)
    store.execute(f"create table edges as select * from given order by {order}")  # noqa: S608 - one of the two above
    store.unregister("given")

    def ask(pot: int, after: int, before: int) -> Answer:
        best = front = {pot: after}
        for _ in range(HOPS):
            asked = {"pot": np.array(list(front), np.uint32), "row": np.array(list(front.values()), np.uint32)}
            store.register("front", asked)
            found = store.execute(_SQL + f" having min(e.row) > {after}", [before]).fetchnumpy()
            front = _merged(best, zip(found["pot"].tolist(), found["row"].tolist(), strict=True))
        return best

    return ask


def _networkx(ledger: Ledger) -> Peer:
    graph = networkx.MultiDiGraph()
    ends = zip(ledger.sources.tolist(), ledger.targets.tolist(), strict=True)
    graph.add_edges_from((source, target, row) for row, (source, target) in enumerate(ends))

    def ask(pot: int, after: int, before: int) -> Answer:
        best = front = {pot: after}
        for _ in range(HOPS):
            found: Answer = {}
            for source, start in front.items():
                for _, target, row in graph.out_edges(source, keys=True):
                    if start < row < before:
                        found[target] = min(row, found.get(target, row))
            front = _merged(best, iter(found.items()))
        return best

    return ask
