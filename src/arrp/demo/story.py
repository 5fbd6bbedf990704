"""The story: what officers in three countries do, between four processes that are really there."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from arrp.cli.desk import Desk
from arrp.cli.speaking import show
from arrp.core.errors import ArrpError, Unreachable
from arrp.demo.scene import MEMBERS, Member, arrp, fill_books, found_nodes
from arrp.node.clock import Clock

WAIT_SECONDS = 60
SETTLED = timedelta(seconds=1)
WIDTH = 110
CONSENT = "I agree that the money goes back.\n"


def consent_in(root: Path) -> Path:
    """The account holder's consent, as a file in the folder of the demo."""
    file = root / "consent.txt"
    file.write_text(CONSENT)
    return file


class Nodes:
    """`arrp node serve` processes, one a member, and one transcript of what they write in their logs."""

    def __init__(self, root: Path, members: Sequence[Member] = MEMBERS) -> None:
        self.root = root
        self.clock = Clock()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.desks = {member.id: Desk(root / member.id) for member in members}
        self._shown = {member.id: 0 for member in members}
        self._sums = {member.id: "" for member in members}
        self._lines: list[tuple[str, str, str]] = []

    def start(self, id: str) -> None:
        log = (self.root / id / "node.log").open("ab")
        words = [sys.executable, "-m", "arrp", "node", "serve", str(self.root / id)]
        self.running[id] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603
        log.close()

    def wait_until_up(self) -> None:
        for id in self.running:
            up = partial(self._is_up, id, self.desks[id])
            self._until(up, f"{id} does not start: see {self.root / id / 'node.log'}")

    def _is_up(self, id: str, desk: Desk) -> bool:
        if self.running[id].poll() is not None:
            said = (self.root / id / "node.log").read_text().strip().splitlines()
            raise Unreachable(f"{id} stopped: {said[-1] if said else 'it said nothing'}")
        try:
            return bool(desk.get("/status"))
        except ArrpError:
            return False

    def kill(self, id: str) -> None:
        """As a power cut would: no warning, no clean-up."""
        self.running[id].kill()
        self.running[id].wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait()

    def until(self, seen: Callable[[], Any], what: str) -> Any:
        """Show what the nodes say until `seen` is there."""
        def told_and_seen() -> Any:
            self.tell()
            return seen()

        return self._until(told_and_seen, f"{what} did not come; the logs are in {self.root}")

    def _until(self, seen: Callable[[], Any], otherwise: str) -> Any:
        end = self.clock.seconds() + WAIT_SECONDS
        while self.clock.seconds() < end:
            found = seen()
            if found:
                return found
            time.sleep(0.05)
        raise Unreachable(otherwise)

    def tell(self, *, everything: bool = False) -> None:
        """Show what was written, in the order in which it was written: a line waits a moment, because
        another node may have written an earlier one that has no position in its log yet."""
        for id, desk in self.desks.items():
            try:
                rows = desk.get("/log", after=self._shown[id])
            except ArrpError:
                continue  # just killed: it is asked again when it is back
            if rows:
                self._shown[id] = rows[-1]["position"] + 1
            self._lines += [(row["at"], id, row["said"]) for row in rows]
        self._lines.sort(key=lambda line: line[0])  # what one node wrote stays in its order
        last = (Clock().now() - SETTLED).isoformat()
        while self._lines and (everything or self._lines[0][0] < last):
            self._show(*self._lines.pop(0))

    def _show(self, at: str, id: str, said: str) -> None:
        """What happened; below it where every unit is, when that is not what this node said last."""
        said, _, counted = said.partition(" — ")
        begin, after = f"{at[11:19]}  {id:<8} ", " " * 19
        for line in textwrap.wrap(said, WIDTH, initial_indent=begin, subsequent_indent=after):
            show(line)
        if counted and counted != self._sums[id]:
            show(f"{after}{counted}")
            self._sums[id] = counted

    def settle(self) -> None:
        """Until every node has delivered and placed what it wrote; then show all of it."""
        self._until(lambda: all(_is_settled(desk) for desk in self.desks.values()), "the nodes do not come to rest")
        self.tell(everything=True)

    def request(self, id: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first request on a node that is as wanted, None while there is none."""
        try:
            cases = [self.desks[id].get(f"/cases/{row['id']}") for row in self.desks[id].get("/cases")]
        except ArrpError:
            return None
        return next((r for case in cases for r in case["requests"] if wanted(r)), None)


def _is_settled(desk: Desk) -> bool:
    try:
        status = desk.get("/status")
    except ArrpError:
        return False
    return bool(status["queued"] == 0 and status["unplaced"] == 0)


class Story:
    """The officers of the demonstration. Each act is a command that anybody can type."""

    def __init__(self, root: Path) -> None:
        self.root, self.nodes, self.clock = root, Nodes(root), Clock()

    def play(self) -> None:
        show("Four participants are founded: keys, officers, a directory, two standing mandates.")
        found_nodes(self.root, self.clock.now() + timedelta(days=30))
        evidence = fill_books(self.root, self.clock.now())
        for member in MEMBERS:
            self.nodes.start(member.id)
        self.nodes.wait_until_up()
        began = self.clock.seconds()
        case, request = self._ask(evidence)
        self._held(request, began)
        self._decided(request)
        self._given_back(request)
        self._closed(case)

    def _ask(self, evidence: Path) -> tuple[str, str]:
        self._scene("Ana reports what the victim's bank sent, and two officers sign what the node may do alone.")
        case = self._do("NCB-ES", "Ana", "report", str(evidence), "--crime", "BEC", "--facts",
                        "invoice with a changed account")["case"]
        opened = self._do("NCB-ES", "Ana", "mandate", "open", case, "--total", "100000.00 EUR")
        for draft in opened["drafts"]:
            self._do("NCB-ES", "Benito", "approve", draft["act"])
        show("Ana asks for all of it. The mandate covers that, so it leaves at once.")
        sent = self._do("NCB-ES", "Ana", "request", "send", case, "--amount", "100000.00 EUR")
        return case, sent["requests"][0]

    def _held(self, request: str, began: float) -> None:
        held = self.nodes.until(
            partial(self.nodes.request, "NCB-ES", lambda r: r["id"] == request and r["hold"] is not None),
            "the first hold")
        seconds = self.clock.seconds() - began
        self.nodes.until(lambda: self.nodes.request("NCB-ES", _is_onward_hold), "the hold in the third country")
        self.nodes.settle()
        show(f"--- {seconds:.1f} s after the report {_money(held['hold']['amount'])} were held in another country, "
             "provisionally.")
        show("--- What had moved on is held in a third country, under the same mandate. First in, first out: the")
        show("    1250.00 EUR that were in the account before left first, so they are not counted as stolen.")
        self._scene("The bank's node is killed, as a power cut would, and started again. Nothing is lost or doubled.")
        self.nodes.kill("BANK-PT")
        self.nodes.start("BANK-PT")
        self.nodes.wait_until_up()

    def _decided(self, request: str) -> None:
        self._scene("Two officers of the requested bureau decide; the exchange's officer decides on its own power.")
        until = (self.clock.now() + timedelta(hours=48)).isoformat(timespec="seconds")
        yes = ("--accept", "--power", "demo-1", "--article", "article 1 of an invented law", "--until", until)
        self._do("NCB-PT", "Rui", "request", "see", request)
        done = self._do("NCB-PT", "Rui", "request", "answer", request, *yes)
        self._do("NCB-PT", "Zoe", "approve", done["drafts"][0]["act"])
        onward = self.nodes.request("VASP-LT")["id"]
        self._do("VASP-LT", "Lina", "request", "answer", onward, *yes)
        for wanted in (request, onward):
            self.nodes.until(partial(self.nodes.request, "NCB-ES", partial(_is_confirmed, wanted)), "the confirmation")
        self.nodes.settle()
        show("--- Both holds are kept and decided: confirmed.")

    def _given_back(self, request: str) -> None:
        self._scene("The account holder consents. The payee is the account it was taken from; two officers sign.")
        onward = self.nodes.request("VASP-LT")["id"]
        for id, member, first, second in ((request, "NCB-PT", "Rui", "Zoe"), (onward, "VASP-LT", "Lina", "Ona")):
            held = self.nodes.request(member, partial(_is, id))["hold"]["amount"]
            named = self._do("NCB-ES", "Ana", "payee", id)
            self._do("NCB-ES", "Benito", "approve", named["drafts"][0]["act"])
            self.nodes.settle()  # the payee reached whoever keeps the money: only then is the return ordered
            back = self._do(member, first, "return", id, "--amount", _money(held), "--ground", "consent",
                            "--document", str(consent_in(self.root)))
            self._do(member, second, "approve", back["drafts"][0]["act"])
            self.nodes.until(partial(self.nodes.request, "NCB-ES", partial(_is_returned, id)), "the return")
        self._credited(request, onward)

    def _credited(self, *requests: str) -> None:
        """The victim's bank states the credits; until then the money is sent, not returned."""
        self._scene("The victim's bank states both credits.")
        case = self.nodes.desks["NCB-ES"].get("/cases")[0]["id"]
        for back in self.nodes.desks["NCB-ES"].get(f"/cases/{case}")["returns"]:
            self._do("NCB-ES", "Ana", "credited", back["request"], "--return-id", back["id"], "--amount",
                     _money(back["amount"]))
        for id in requests:
            self.nodes.until(partial(self.nodes.request, "NCB-ES", partial(_has_ended, id)), "the end of the request")

    def _closed(self, case: str) -> None:
        self._scene("Every unit is accounted for: the case is resolved, and closes.")
        for verb in ("resolve", "close"):
            self._do("NCB-ES", "Ana", "case", verb, case, "--outcome", "returned")
        counted = self.nodes.desks["NCB-ES"].get(f"/cases/{case}")["money"]
        self.nodes.settle()
        show(f"--- lost {counted['loss']}, missing {counted['missing']}.")

    def _scene(self, text: str) -> None:
        self.nodes.settle()
        show("")
        show(text)

    def _do(self, member: str, officer: str, *words: str) -> Any:
        """One command of an officer, signed with that officer's key where it needs a signature."""
        home = self.root / member
        done = arrp(*words, "--officer", officer, "--home", str(home), "--key", str(home / f"{officer}.pem"),
                    "--passphrase-file", str(self.root / "passphrase"), "--json")
        self.nodes.tell()
        return json.loads(done)


def _is_onward_hold(request: Any) -> bool:
    return request["body"]["pursues"] is not None and request["hold"] is not None


def _is_confirmed(id: str, request: Any) -> bool:
    return bool(request["id"] == id and request["hold"]["state"] == "confirmed")


def _is(id: str, request: Any) -> bool:
    return bool(request["id"] == id)


def _has_ended(id: str, request: Any) -> bool:
    return bool(request["id"] == id and request["answer"] == "ended")


def _is_returned(id: str, request: Any) -> bool:
    return bool(request["id"] == id and request["hold"]["state"] == "returned")


def _money(tree: dict[str, str]) -> str:
    return f"{tree['amount']} {tree['asset']}"
