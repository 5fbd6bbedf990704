"""docs/operating.md from top to bottom: its shell blocks in one shell, in an empty directory, on free ports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from arrp.connectors.simulated import SimulatedCore
from arrp.demo.scene import free_ports
from arrp.node.clock import Clock
from tests.demo.quick import quick_command

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operating.md"
SHELL = """
set -u
trap 'kill -9 $(cat nodes/*/node.pid) 2>/dev/null || true' EXIT
trap 'echo "$? $BASH_COMMAND" >> failures' ERR
set -E
"""


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def script() -> str:
    """All blocks, each on ports of its own, what it prints under a heading of its own."""
    text = SHELL + "\n".join(f"echo '## {place}'\n{block}" for place, block in enumerate(blocks()))
    ports = dict(zip(("9101", "9102", "9103", "9104"), map(str, free_ports(4)), strict=True))
    return re.sub(r"127\.0\.0\.1:(910\d)", lambda found: f"127.0.0.1:{ports[found[1]]}", text)


def test_the_page_does_what_it_says(place: Path) -> None:
    (place / "examples").symlink_to(ROOT / "examples")
    environment = {**os.environ, "HOME": str(place / "home"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with quick_command(place / "bin") as folder:
        environment["PATH"] = f"{folder}:{environment['PATH']}"
        done = subprocess.run(["bash", "-c", script()], cwd=place, env=environment, capture_output=True, text=True,
                              encoding="utf-8", timeout=600, start_new_session=True)  # fmt: skip
    failures = (place / "failures").read_text().splitlines() if (place / "failures").exists() else []
    assert {line.split()[0] for line in failures} <= {"7"}, f"{failures}\n{done.stderr}"
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    _check_told(done.stdout)
    _check_cores(place)
    for log in place.glob("nodes/*/node.log"):
        assert "Traceback" not in log.read_text(), log


def _check_told(told: str) -> None:
    shown = told.split("\n## ")
    held, killed = (_holds(part) for part in shown if re.search(r"^REQUEST  ", part, re.MULTILINE))
    assert sorted(held) == ["3250.00 EUR", "36750.00 EUR", "60000.00 EUR"]
    assert sorted(killed) == ["3250.00 EUR", "60000.00 EUR"], "after kill -9 the bank's node says the same"
    assert "lost 100000.00 EUR, missing 0.00 EUR" in told
    assert re.search(r"NCB-ES  closes the case", told)
    assert "first_contact" not in script(), "the page runs with the policy that a new node has"


def _holds(part: str) -> list[str]:
    return re.findall(r"(?:provisional|confirmed) +(\d+\.\d\d EUR) ", part)


def _check_cores(place: Path) -> None:
    """All that was held is gone back, each part once."""
    for id, ref, returned in (("BANK-PT", "PT50000201231234567890154", [325000, 6000000]),
                              ("VASP-LT", "LT121000011101001000", [3675000])):  # fmt: skip
        core = SimulatedCore(place / "nodes" / id / "core.db", Clock().now)
        assert core.holds() == ()
        left = [t for t in core.transfers_since(ref, 0).transfers if not t.incoming and t.amount != 3800000]
        core.close()
        assert sorted(transfer.amount for transfer in left) == returned
