"""`make bench`: every figure this project promises, as a ratio against a floor of the same run.

SQLite in a passing file, and a throwaway PostgreSQL with fsync as in production.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from arrp.bench.node import Figures, measure
from tests.postgres import running

MESSAGES = 2000


def told(store: str, floor: Figures, node: Figures) -> None:
    print(f"{store:<10} floor {floor.rate:6.0f}/s  p99 {floor.p99:6.1f} ms    "
          f"node {node.rate:6.0f}/s  p99 {node.p99:6.1f} ms    ratio {node.over(floor):.2f}")


def main() -> None:
    print(f"accepted messages, 8 at once, {MESSAGES} of them; floor = verify + unseal + one durable insert")
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        told("sqlite", *measure(f"sqlite:///{Path(folder) / 'bench.db'}", messages=MESSAGES))
    with running(fsync=True) as server:
        told("postgresql", *measure(server.create("bench"), messages=MESSAGES))


if __name__ == "__main__":
    main()
