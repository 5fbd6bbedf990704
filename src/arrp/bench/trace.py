"""How fast the index answers: beside what memory and sorting cost, and beside tools that anybody can install.

One run, one made-up ledger for each size, and every answer of every peer compared with ours.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np

from arrp.bench.peers import HOPS, Answer, peers
from arrp.bench.synthetic import DAYS, synthetic_ledger
from arrp.core.errors import Corrupt, Refused
from arrp.node.clock import Clock
from arrp.node.ledgers import write_ledger
from arrp.trace.booking import Booked
from arrp.trace.index import Index, build_index
from arrp.trace.kernels import COMPILED
from arrp.trace.ledger import Ledger
from arrp.trace.segment import Budget, Starts

T = TypeVar("T")
Told = Callable[[str], None]

SIZES = (1_000_000, 10_000_000)
BIG = 100_000_000
PEERS_MOST = 10_000_000
WINDOW_DAYS = 9
ASKED = 2000  # FIFO questions
HARD = range(100, 20_001)  # pots that a hard victim's money could have come to
HARD_ASKED, PEER_ASKED = 40, 12
VICTIMS = (10, 1000, 100_000)

_COLD = (
    "import sys; from pathlib import Path; from arrp.node.ledgers import open_ledger\n"
    "stored = open_ledger(Path(sys.argv[1])); row = stored.row_of(sys.argv[2])\n"
    "print(len(stored.index.follow_pieces([stored.index.piece_of(stored.source_of(row), row)]).pot))\n"
)


class _Watch:
    """How long things take, in seconds."""

    def __init__(self) -> None:
        self._clock = Clock()

    def timed(self, do: Callable[[], T]) -> tuple[T, float]:
        start = self._clock.seconds()
        found = do()
        return found, self._clock.seconds() - start

    def each(self, do: Callable[[Any], T], asked: Sequence[Any]) -> tuple[list[T], list[float]]:
        both = [self.timed(lambda one=one: do(one)) for one in asked]  # type: ignore[misc]
        return [found for found, _ in both], [seconds for _, seconds in both]


def measure(sizes: Sequence[int] = SIZES, told: Told = lambda _: None) -> dict[str, Any]:
    """Figures by size, and how the one-victim latency grows. Raises Refused without compiled kernels, Corrupt where a
    peer's answer is another than ours."""
    if COMPILED is None:
        raise Refused("the package was built without a compiler, so there are no kernels to measure: install one, "
                      "and install arrp again")  # fmt: skip
    found = {str(size): _of_size(size, told) for size in sizes}
    first, last = found[str(sizes[0])]["fifo"], found[str(sizes[-1])]["fifo"]
    growth = {"ledger": sizes[-1] / sizes[0], "fifo_p50": round(last["p50_us"] / first["p50_us"], 2),
              "fifo_p99": round(last["p99_us"] / first["p99_us"], 2)}  # fmt: skip
    return {"sizes": found, "growth": growth, "cold": _cold(sizes[0], told)}


def _of_size(size: int, told: Told) -> dict[str, Any]:
    watch = _Watch()
    told(f"{size} transfers: making them")
    ledger = synthetic_ledger(size)
    _, sorting = watch.timed(lambda: np.argsort(ledger.sources, kind="stable"))
    (index, _), building = watch.timed(lambda: build_index(ledger))
    told(f"{size} transfers: asking")
    found: dict[str, Any] = {
        "index": {"build_ns": _ns(building, size), "sort_ns": _ns(sorting, size), "ratio": round(building / sorting, 2),
                  "bytes_per_transfer": round(index.bytes / size, 1)},
        "fifo": _fifo(watch, ledger, index),
        "haircut": _haircut(watch, ledger, index),
        "pass": _pass(watch, ledger, index),
    }  # fmt: skip
    if size <= PEERS_MOST:
        found["reach"] = _reach(watch, ledger, index, told)
    return found


def _ns(seconds: float, size: int) -> float:
    return round(seconds / size * 1e9, 2)


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{share}_us": round(float(np.percentile(seconds, share)) * 1e6, 1) for share in (50, 99)}


def _victims(ledger: Ledger, many: int) -> list[int]:
    """Rows spread over the first eight tenths of the ledger, always the same ones."""
    return [int(row) for row in np.linspace(1, len(ledger.sources) * 0.8, many).astype(np.int64)]


def _fifo(watch: _Watch, ledger: Ledger, index: Index) -> dict[str, float]:
    asked = [index.piece_of(int(ledger.sources[row]), row) for row in _victims(ledger, ASKED)]
    watch.each(lambda one: index.follow_pieces([one]), asked[::20])
    found, seconds = watch.each(lambda one: index.follow_pieces([one]), asked)
    return {**_spread(seconds), "pieces_median": median(len(one.pot) for one in found)}


def _haircut(watch: _Watch, ledger: Ledger, index: Index) -> dict[str, float]:
    """Only transfers that carry 1.00 or more are followed, as one looks for accounts; the rest is told."""
    asked = [_starts(ledger, [row]) for row in _victims(ledger, 200)]
    found, seconds = watch.each(lambda one: index.follow_shares(one, Budget(), 100), asked)
    moved = sum(len(one.flow_row) for one in found)
    return {**_spread(seconds), "us_per_moved_transfer": round(sum(seconds) / max(1, moved) * 1e6, 2)}


def _starts(ledger: Ledger, rows: Sequence[int]) -> Starts:
    return Starts(np.array(rows, np.uint32), ledger.targets[rows], ledger.arrived[rows])


def _pass(watch: _Watch, ledger: Ledger, index: Index) -> dict[str, Any]:
    assert COMPILED is not None
    size = len(ledger.sources)
    columns = (ledger.sources, ledger.targets, index.shares(size))
    scans = [watch.timed(lambda: COMPILED.scan(columns))[1] for _ in range(3)]
    found: dict[str, Any] = {"scan_ns": _ns(min(scans), size)}
    for many in VICTIMS:
        starts = _starts(ledger, _victims(ledger, many))
        seconds = min(watch.timed(lambda: COMPILED.screen_everyone(columns, index.stops, starts))[1]  # noqa: B023
                      for _ in range(2))  # fmt: skip
        found[f"{many}_victims_ns"] = _ns(seconds, size)
        found[f"{many}_victims_ratio"] = round(seconds / min(scans), 1)
    return found


def _reach(watch: _Watch, ledger: Ledger, index: Index, told: Told) -> dict[str, Any]:
    window = len(ledger.sources) * WINDOW_DAYS // DAYS

    def ask(row: int) -> Answer:
        reached = index.reach_pots((int(ledger.targets[row]), row), row + window, HOPS)
        return dict(zip(reached.pot.tolist(), reached.row.tolist(), strict=True))

    def ask_arrays(row: int) -> Any:
        return index.reach_pots((int(ledger.targets[row]), row), row + window, HOPS)

    hard = [row for row in _victims(ledger, ASKED) if len(ask_arrays(row).pot) in HARD][:: 5][:HARD_ASKED]
    reached, seconds = watch.each(ask_arrays, hard)
    ours = median(seconds)
    found: dict[str, Any] = {"hard_victims": len(hard), "pots_median": median(len(one.pot) for one in reached),
                             "p50_us": round(ours * 1e6, 1), "peers": {}}  # fmt: skip
    asked = hard[:: max(1, len(hard) // PEER_ASKED)][:PEER_ASKED]
    mine = median(watch.each(ask_arrays, asked)[1])
    told(f"{len(ledger.sources)} transfers: asking peers")
    for name, peer in peers(ledger):
        answers, took = watch.each(lambda row: peer(int(ledger.targets[row]), row, row + window), asked)  # noqa: B023
        for row, answer in zip(asked, answers, strict=True):
            if answer != ask(row):
                raise Corrupt(f"{name} answers another thing for row {row}: one of the two is wrong")
        found["peers"][name] = {"p50_ms": round(median(took) * 1e3, 2), "slower_by": round(median(took) / mine, 1),
                                "same_answers": len(answers)}  # fmt: skip
    return found


def _cold(size: int, told: Told) -> dict[str, Any]:
    """A new process opens a ledger of `size` transfers on disk and answers once, beside Python that does nothing."""
    told(f"{size} transfers: on disk, for a new process")
    ledger = synthetic_ledger(size)
    ledger = replace(ledger, refs=[f"t{row}" for row in range(size)])
    watch = _Watch()
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        place = Path(folder) / "ledger"
        write_ledger(place, Booked(ledger, ledger.opening > 0, ()))
        asked = [sys.executable, "-c", _COLD, str(place), f"t{size // 3}"]
        seconds = [watch.timed(lambda: _run(asked))[1] for _ in range(5)]
        empty = [watch.timed(lambda: _run([sys.executable, "-c", "import numpy"]))[1] for _ in range(5)]
    return {"transfers": size, "first_answer_s": round(median(seconds), 2), "numpy_alone_s": round(median(empty), 2)}


def _run(words: Sequence[str]) -> None:
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603 - this Python, and words of our own


def lines(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What was measured as (size, what, figure)."""
    for size, figures in found["sizes"].items():
        for what, values in figures.items():
            for name, value in values.items():
                if name != "peers":
                    yield size, f"{what} {name.replace('_', ' ')}", str(value)
            for name, value in values.get("peers", {}).items():
                yield size, f"{what}: {name}", f"{value['slower_by']} times as long, {value['p50_ms']} ms"
    for name, value in found["growth"].items():
        yield "growth", name.replace("_", " "), str(value)
    for name, value in found["cold"].items():
        yield "cold start", name.replace("_", " "), str(value)
