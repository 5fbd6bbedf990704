"""Officers who find out for themselves what became of a wish whose answer was lost, and repeat only what is not there.

They speak to real processes that somebody kills meanwhile: a wish may fail at any moment, done or not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from arrp.core.errors import ArrpError
from arrp.demo.scene import arrp
from arrp.demo.story import Nodes, consent_in
from arrp.node.clock import Clock

OFFICERS = {"NCB-ES": ("Ana", "Benito"), "NCB-PT": ("Rui", "Zoe"), "VASP-LT": ("Lina", "Ona")}


class Officers:
    """The officers of the story, one step after another; each step is taken until it is seen to be done."""

    def __init__(self, root: Path, nodes: Nodes, during: Callable[[], None] = lambda: None) -> None:
        self.root, self.nodes, self.during = root, nodes, during

    def live(self, evidence: Path) -> None:
        """The whole life of a loss."""
        self._asked(evidence)
        self._decided()
        self._given_back()
        self._closed()

    def _asked(self, evidence: Path) -> None:
        self._take("NCB-ES", ("report", str(evidence), "--crime", "BEC", "--loss", "LOSS-1"), lambda: self._case())
        case = self._case()["id"]
        self._signed("NCB-ES", ("mandate", "open", case, "--total", "100000.00 EUR"), "MandateSigned")
        self._take("NCB-ES", ("request", "send", case, "--amount", "100000.00 EUR"),
                   lambda: self._case()["requests"])
        self._until(lambda: self._holds("provisional") == 2)

    def _decided(self) -> None:
        until = (Clock().now() + timedelta(hours=48)).isoformat(timespec="seconds")
        for member in ("NCB-PT", "VASP-LT"):
            request = self._came_in(member)["id"]
            if member == "NCB-PT":
                self._take(member, ("request", "see", request), partial(self._has_said, member, "RequestSeen", 1))
            yes = ("request", "answer", request, "--accept", "--power", "demo-1", "--article", "article 1", "--until",
                   until)
            self._signed(member, yes, "RequestAccepted")
        self._until(lambda: self._holds("confirmed") == 2)

    def _given_back(self) -> None:
        for count, member in enumerate(("NCB-PT", "VASP-LT"), 1):
            self._gives_back(member, count)

    def _gives_back(self, member: str, count: int) -> None:
        request, held = self._came_in(member)["id"], self._came_in(member)["hold"]["amount"]
        self._signed("NCB-ES", ("payee", request), "NamePayee", count)
        back = ("return", request, "--amount", f"{held['amount']} {held['asset']}", "--ground", "consent",
                "--document", str(consent_in(self.root)))
        keeper = "BANK-PT" if member == "NCB-PT" else member
        self._until(lambda: self._said(keeper, "NamePayee"))
        self._signed(member, back, "ReturnAnnounced")
        self._until(lambda: self._holds("returned") == count)

    def _closed(self) -> None:
        case = self._case()
        for number, back in enumerate(case["returns"], 1):
            stated = f"{back['amount']['amount']} {back['amount']['asset']}"
            words = ("credited", back["request"], "--return-id", back["id"], "--amount", stated)
            self._take("NCB-ES", words, partial(self._has_said, "NCB-ES", "MoneyReturned", number))
        self._until(lambda: all(r["answer"] == "ended" for r in self._case()["requests"]))
        end = ("--outcome", "returned")
        self._take("NCB-ES", ("case", "resolve", case["id"], *end), lambda: self._case()["state"] != "open")
        self._take("NCB-ES", ("case", "close", case["id"], *end), lambda: self._case()["state"] == "closed")

    # --- one wish ------------------------------------------------------------------------------------

    def _take(self, member: str, words: tuple[str, ...], done: Callable[[], Any]) -> None:
        """Say it until it is there. What is refused or lost shows in what is not there."""
        def tried() -> Any:
            if not done():
                self._say(member, OFFICERS[member][0], words)
            return done()

        self._until(tried)

    def _signed(self, member: str, words: tuple[str, ...], kind: str, count: int = 1) -> None:
        """Draft it once, sign it by both; done when the node wrote `kind` for the `count`th time."""
        self._take(member, words, lambda: self._said(member, kind) >= count or self.nodes.desks[member].get("/drafts"))
        self._until(lambda: self._sign_all(member) and self._said(member, kind) >= count)

    def _sign_all(self, member: str) -> bool:
        for draft in self.nodes.desks[member].get("/drafts"):
            for officer in OFFICERS[member]:
                if officer not in draft["signed"]:
                    self._say(member, officer, ("approve", draft["act"]))
        return not self.nodes.desks[member].get("/drafts")

    def _say(self, member: str, officer: str, words: tuple[str, ...]) -> None:
        home = self.root / member
        try:
            arrp(*words, "--officer", officer, "--home", str(home), "--key", str(home / f"{officer}.pem"),
                 "--passphrase-file", str(self.root / "passphrase"), "--json")
        except ArrpError as error:
            print(f"          {officer}: {error}")  # what became of the wish is seen afterwards
        finally:
            self.during()

    def _until(self, seen: Callable[[], Any]) -> Any:
        def found() -> Any:
            try:
                return seen()
            except (ArrpError, json.JSONDecodeError):
                return None  # somebody was killed just now

        return self.nodes.until(found, "the next step")

    # --- what is there ---------------------------------------------------------------------------------

    def _case(self) -> Any:
        desk = self.nodes.desks["NCB-ES"]
        rows = desk.get("/cases")
        return desk.get(f"/cases/{rows[0]['id']}") if rows else None

    def _came_in(self, member: str) -> Any:
        found = self._until(lambda: self.nodes.request(member, lambda r: r["side"] == "requested"))
        return found

    def _said(self, member: str, kind: str) -> int:
        """How often a node wrote an event of that kind, whoever said it."""
        desk = self.nodes.desks[member]
        logs = [desk.get(f"/cases/{row['id']}")["log"] for row in desk.get("/cases")]
        return sum(row["kind"] == kind for log in logs for row in log)

    def _has_said(self, member: str, kind: str, count: int) -> bool:
        return self._said(member, kind) >= count

    def _holds(self, state: str) -> int:
        return sum(bool(r["hold"]) and r["hold"]["state"] == state for r in self._case()["requests"])
