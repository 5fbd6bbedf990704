"""`make bench`: every figure this project promises, as a ratio against a floor of the same run.

SQLite in a passing file, and a throwaway PostgreSQL with fsync as in production.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from arrp.bench.deadlines import Fired, measure_deadlines
from arrp.bench.flood import CAP, Flood, flood
from arrp.bench.life import Waits, life
from arrp.bench.node import Figures, measure
from tests.postgres import running

MESSAGES = 2000
HOLDS, A_SECOND = 200, 10
FLOOD, STEADY, IN_PEACE = 2000, 1, 30
PENDING, DUE = 1_000_000, 10_000


def told(store: str, floor: Figures, node: Figures) -> None:
    print(f"{store:<10} floor {floor.rate:6.0f}/s  p99 {floor.p99:6.1f} ms    "
          f"node {node.rate:6.0f}/s  p99 {node.p99:6.1f} ms    ratio {node.over(floor):.2f}")


def waited(what: str, waits: Waits, floor_ms: float) -> None:
    floors = waits.at(0.5) / (waits.hops * floor_ms)
    print(f"{what:<10} p50 {waits.at(0.5):6.0f} ms  p90 {waits.at(0.9):6.0f} ms  p99 {waits.at(0.99):6.0f} ms    "
          f"{waits.hops} messages on the way, floor {floor_ms:.1f} ms each: p50 = {floors:.0f} floors")


def fired(store: str, found: Fired) -> None:
    print(f"{store:<10} floor {found.floor:6.1f} s    node {found.node:6.1f} s    ratio {found.ratio:.2f}")


def flooded(found: Flood) -> None:
    print(f"taken      {found.accepted} in {found.seconds:.0f} s, {found.later} times told to come later, "
          f"{found.refused} refused; {found.held} held of at most {CAP}, {found.waiting} wait for an officer")
    print(f"the other  p50 {found.peace.at(0.5):6.0f} ms  p99 {found.peace.at(0.99):6.0f} ms in peace; in the flood "
          f"{found.ratio(0.5):.1f} and {found.ratio(0.99):.1f} times as long")


def main() -> None:
    print(f"accepted messages, 8 at once, {MESSAGES} of them; floor = verify + unseal + one durable insert")
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        told("sqlite", *measure(f"sqlite:///{Path(folder) / 'bench.db'}", messages=MESSAGES))
    with running(fsync=True) as server:
        told("postgresql", *measure(server.create("bench"), messages=MESSAGES))
    print(f"{DUE} deadlines come due at once, {PENDING} others wait; floor = find, move, one durable transaction each")
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        fired("sqlite", measure_deadlines(f"sqlite:///{Path(folder) / 'bench.db'}", pending=PENDING, due=DUE))
    with running(fsync=True) as server:
        fired("postgresql", measure_deadlines(server.create("deadlines"), pending=PENDING, due=DUE))
    print(f"from an officer's command, four processes, {HOLDS} holds, {A_SECOND} a second")
    found = life(HOLDS, A_SECOND)
    waited("held", found.held, found.floor_ms)
    waited("confirmed", found.confirmed, found.floor_ms)
    print(f"one peer floods a running node with {FLOOD} valid requests, another asks {STEADY} a second")
    flooded(flood(FLOOD, STEADY, IN_PEACE))


if __name__ == "__main__":
    main()
