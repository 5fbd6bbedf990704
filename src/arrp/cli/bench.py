"""`arrp bench`: figures as ratios against a floor measured in the same run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from arrp.bench.deadlines import measure_deadlines
from arrp.bench.flood import CAP
from arrp.bench.flood import flood as measure_flood
from arrp.bench.life import Waits
from arrp.bench.life import life as measure_life
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


Cases = Annotated[int, typer.Option(help="How many holds are asked for.", min=20, max=300)]
Rate = Annotated[float, typer.Option(help="How many of them a second.", min=0.1, max=100)]


@command
def life(cases: Cases = 200, rate: Rate = 10, as_json: AsJson = False) -> None:
    """How long an officer waits for a hold between four processes, beside the floor of the messages it takes."""
    found = measure_life(cases, rate)
    ways = {"held": found.held, "confirmed": found.confirmed}
    if as_json:
        show_json({"cases": cases, "rate": rate, "floor_ms": round(found.floor_ms, 2),
                   **{name: _wait(waits, found.floor_ms) for name, waits in ways.items()}})
        return
    rows = ((name, str(waits.hops), *(f"{waits.at(share):.0f}" for share in (0.5, 0.9, 0.99)),
             f"{waits.at(0.5) / (waits.hops * found.floor_ms):.0f}") for name, waits in ways.items())
    show_table(("from the command", "messages", "p50 ms", "p90 ms", "p99 ms", "p50 in floors"), rows)
    say(f"{cases} holds, {rate:g} a second; floor = {found.floor_ms:.1f} ms a message")


Pending = Annotated[int, typer.Option(help="How many deadlines wait for days and years.", min=0, max=10_000_000)]
Due = Annotated[int, typer.Option(help="How many come due at once.", min=10, max=100_000)]


@command
def deadlines(pending: Pending = 100_000, due: Due = 1000, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """How long until each deadline that came due has fired, once, while very many others wait."""
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        url = store or f"sqlite:///{Path(folder) / 'bench.db'}"
        found = measure_deadlines(url, pending=pending, due=due)
    if as_json:
        show_json({"store": url.partition(":")[0], "pending": pending, "due": due, "seconds": round(found.node, 2),
                   "floor_seconds": round(found.floor, 2), "ratio": round(found.ratio, 3)})
        return
    show_table(("what", "seconds", "per second"), (
        ("floor", f"{found.floor:.1f}", f"{due / found.floor:.0f}"),
        ("node", f"{found.node:.1f}", f"{due / found.node:.0f}")))
    say(f"{due} of {pending + due} deadlines fired, each once, at {found.ratio:.2f} of the floor")


Requests = Annotated[int, typer.Option(help="How many requests the one peer sends.", min=20, max=100_000)]
Steady = Annotated[float, typer.Option(help="How many the other peer asks a second.", min=0.1, max=20)]
Others = Annotated[int, typer.Option(help="How many it asks in peace, before the flood.", min=2, max=300)]


@command
def flood(requests: Requests = 2000, rate: Steady = 1, others: Others = 30, as_json: AsJson = False) -> None:
    """How long one peer's requests wait while another floods the same running node, beside their wait in peace."""
    found = measure_flood(requests, rate, others)
    waits = {"in peace": found.peace, "meanwhile": found.meanwhile}
    if as_json:
        show_json({"requests": requests, "accepted": found.accepted, "come_later": found.later,
                   "refused": found.refused, "seconds": round(found.seconds, 1), "held": str(found.held),
                   "cap": str(CAP), "holds": found.holds, "waiting": found.waiting,
                   "asked_meanwhile": len(found.meanwhile.ms),
                   "ratio_p50": round(found.ratio(0.5), 2), "ratio_p99": round(found.ratio(0.99), 2)})
        return
    show_table(("another peer waits", "requests", "p50 ms", "p99 ms"),
               ((name, str(len(one.ms)), f"{one.at(0.5):.0f}", f"{one.at(0.99):.0f}") for name, one in waits.items()))
    say(f"{found.accepted} of {requests} taken in {found.seconds:.0f} s, {found.later} times told to come later, "
        f"{found.refused} refused; {found.held} held of at most {CAP} ({found.holds} holds), {found.waiting} wait for "
        f"an officer; the other peer waits {found.ratio(0.5):.1f} times as long (p99: {found.ratio(0.99):.1f})")


def _wait(waits: Waits, floor_ms: float) -> dict[str, float]:
    return {"messages": waits.hops, "p50_ms": round(waits.at(0.5), 1), "p90_ms": round(waits.at(0.9), 1),
            "p99_ms": round(waits.at(0.99), 1), "in_floors": round(waits.at(0.5) / (waits.hops * floor_ms), 1)}


def _row(found: Figures) -> dict[str, float]:
    return {"per_second": round(found.rate, 1), "p50_ms": round(found.p50, 2), "p99_ms": round(found.p99, 2)}


def _cells(what: str, found: Figures) -> tuple[str, ...]:
    return (what, f"{found.rate:.0f}", f"{found.p50:.1f}", f"{found.p99:.1f}")
