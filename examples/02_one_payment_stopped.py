"""One payment stopped: four nodes on this machine, a pacs.008, and a hold in another country seconds later.

The nodes are processes of their own; this file is an officer who speaks to one of them through its socket.
Everybody is invented, and so is the law.

    python examples/02_one_payment_stopped.py
"""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from arrp.demo.scene import MEMBERS, arrp, fill_books, found_nodes
from arrp.demo.story import Nodes
from arrp.node.clock import Clock


def officer(home: Path, name: str, *words: str) -> Any:
    """One command of an officer, signed with the officer's key; what it prints as JSON."""
    who = ("--officer", name, "--key", str(home / f"{name}.pem"), "--passphrase-file", str(home.parent / "passphrase"))
    return json.loads(arrp(*words, *who, "--home", str(home), "--json"))


def main(root: Path) -> None:
    now = Clock().now()
    found_nodes(root, now + timedelta(days=1))
    evidence = fill_books(root, now)
    nodes, madrid = Nodes(root), root / "NCB-ES"
    for member in MEMBERS:
        nodes.start(member.id)
    try:
        nodes.wait_until_up()
        case = officer(madrid, "Ana", "report", str(evidence), "--crime", "BEC")["case"]
        for draft in officer(madrid, "Ana", "mandate", "open", case, "--total", "100000.00 EUR")["drafts"]:
            officer(madrid, "Benito", "approve", draft["act"])
        officer(madrid, "Ana", "request", "send", case, "--amount", "100000.00 EUR")
        nodes.until(lambda: len(nodes.desks["NCB-ES"].get("/holds")) == 2, "the holds")
        nodes.settle()
        for hold in nodes.desks["NCB-ES"].get("/holds"):
            print(f"{hold['holder']} holds {hold['amount']}: {hold['state']}")
    finally:
        nodes.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="arrp-") as place:
        main(Path(place))
