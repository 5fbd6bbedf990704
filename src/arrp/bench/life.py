"""How long an officer waits: from the command that asks for a hold until it is confirmed, between four processes.

Cases come at a steady rate, whether or not the ones before are done (an open loop, so a node that is late does not
slow down who asks it), and a wait counts from when its case was to be asked. Its end is read from the requesting
node's own log. The floor is what the same machine needs at rest for the messages that one hold must wait for: each
verified, unsealed and durably inserted, nothing else.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from arrp.bench.node import measure
from arrp.cli.desk import Desk
from arrp.connectors.books import Order
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.account import institution_of
from arrp.core.crime import Crime
from arrp.core.deadline import Basis
from arrp.core.errors import Unreachable
from arrp.core.events import Decide
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.core.report import Party, Payment, Report
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.demo.scene import PASSPHRASE, found_nodes
from arrp.demo.story import Nodes
from arrp.node.clock import Clock
from arrp.node.keys import load_officer_key

ASKED = Amount(1_000_00, "EUR")
VICTIM = Party("Victim", "payto://iban/ES9121000418450200051332")
HOPS_TO_HOLD = 4  # bureau -> bureau -> bank, and the bank's answer back the same way
HOPS_TO_CONFIRM = 3  # the decision goes down to the bank; what it did comes up the same way
OFFICERS = {"NCB-ES": ("Ana", "Benito"), "NCB-PT": ("Rui", "Zoe")}
ASKS = ("NCB-ES", "Request")
WAIT_SECONDS = 120
LOOK_SECONDS = 0.05  # how often a console asks what is new
FLOOR_MESSAGES = 400
WARMING = 20  # cases that are asked first and not counted: connections, caches


@dataclass(frozen=True, slots=True)
class Waits:
    """Sorted waits in milliseconds, and how many messages the shortest way has."""

    ms: tuple[float, ...]
    hops: int

    def at(self, share: float) -> float:
        return self.ms[min(len(self.ms) - 1, int(len(self.ms) * share))]


@dataclass(frozen=True, slots=True)
class Life:
    """`held`: from the officer's command to the provisional hold, as the requester knows it. `confirmed`: from that
    same command, two officers of the requested bureau having signed their yes meanwhile. `floor_ms`: one message."""

    held: Waits
    confirmed: Waits
    floor_ms: float


def life(cases: int, rate: float) -> Life:
    """Ask for `cases` holds, `rate` of them a second. Raises Unreachable when a hold does not come."""
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder:
        floor, _ = measure(f"sqlite:///{Path(folder) / 'floor.db'}", messages=FLOOR_MESSAGES,
                           conversations=FLOOR_MESSAGES // 4, threads=1)
        with _running(Path(folder), cases + WARMING) as bench:
            asked = bench.ask(rate)
            told = bench.told(asked)
    return Life(_waits(asked, told["HoldPlaced"], HOPS_TO_HOLD),
                _waits(asked, told["HoldConfirmed"], HOPS_TO_HOLD + HOPS_TO_CONFIRM), floor.p50)


def _waits(asked: dict[str, datetime], came: dict[str, datetime], hops: int) -> Waits:
    return Waits(tuple(sorted((came[id] - at).total_seconds() * 1000 for id, at in asked.items())), hops)


def account_of(number: int) -> str:
    """An account at the bank of the scene, with its check digits (ISO 13616)."""
    bban = f"0002{number:017d}"
    return f"payto://iban/PT{98 - int(bban + '252900') % 97:02d}{bban}"


@contextmanager
def _running(root: Path, cases: int) -> Iterator[_Bench]:
    clock = Clock()
    found_nodes(root, clock.now() + timedelta(days=1))
    _fill(root, cases, clock.now())
    nodes = Nodes(root)
    for id in nodes.desks:
        nodes.start(id)
    try:
        nodes.wait_until_up()
        yield _Bench(root, nodes, cases)
    finally:
        nodes.stop()


def _fill(root: Path, cases: int, now: datetime) -> None:
    core = SimulatedCore(root / "BANK-PT" / "core.db", lambda: now)
    for number in range(cases):
        account = account_of(number)
        core.open_account(Account(f"A{number}", account, f"Holder {number}", "EUR"))
        core.book(Order(f"CT-{number}", ASKED, VICTIM, Party(f"Holder {number}", account)), now - timedelta(minutes=30))
    core.close()


class _Bench:
    """The officers of two bureaus, who never sleep."""

    def __init__(self, root: Path, nodes: Nodes, cases: int) -> None:
        self.root, self.nodes, self.clock = root, nodes, Clock()
        self.keys = {name: load_officer_key(root / bureau / f"{name}.pem", PASSPHRASE)
                     for bureau, names in OFFICERS.items() for name in names}
        self.cases = [self._open(number) for number in range(cases)]

    def _open(self, number: int) -> str:
        """One report and the signed mandate of its case, in peace; the case."""
        now, desk = self.clock.now(), self.nodes.desks["NCB-ES"]
        paid = Payment(ASKED, None, now - timedelta(minutes=31), VICTIM, Party(f"Holder {number}", account_of(number)),
                       references=(f"CT-{number}",))
        case = desk.wish("report", "Ana", Report(f"L{number}", "NCB-ES", (paid,), Crime.BEC, now))["case"]
        mandate = Mandate(f"L{number}", ASKED, ASKED, 0, (), ("hold",), (), now, now + timedelta(days=1))
        for draft in desk.wish("mandate", "Ana", mandate, case=case)["drafts"]:
            for name in ("Ana", "Benito"):
                desk.sign(desk.draft(draft["act"]), name, self.keys[name])
        return str(case)

    def ask(self, rate: float) -> dict[str, datetime]:
        """Every case asked at its time, and decided as soon as it is there; request -> when it was to be asked. Those
        that warm up are left out."""
        numbers, begin = range(len(self.cases)), self.clock.now()
        due = [begin + timedelta(seconds=number / rate) for number in numbers]
        with ThreadPoolExecutor(len(numbers)) as pool:  # an officer for each: nobody waits for somebody else's case
            asked = [pool.submit(self._at, at, number) for at, number in zip(due, numbers, strict=True)]
            here = (row["request"] for row in self._follow("NCB-PT") if (row["by"], row["kind"]) == ASKS)
            decided = [pool.submit(self._decide, request) for _, request in zip(numbers, here, strict=False)]
            requests = [one.result() for one in asked]
            for one in decided:
                one.result()
        return dict(zip(requests[WARMING:], due[WARMING:], strict=True))

    def _at(self, due: datetime, number: int) -> str:
        """An officer of the requesting bureau asks for one hold when its time has come; the request."""
        time.sleep(max(0.0, (due - self.clock.now()).total_seconds()))
        account, desk = account_of(number), Desk(self.root / "NCB-ES")
        body = Asked(ask=Ask.HOLD, institution=institution_of(account), asked=ASKED, claim=ASKED, loss="", stated_by="",
                     source=Source("payment", "0", None, ()), credit=Credit(amount=ASKED), crime="", account=account)
        return str(desk.wish("send", "Ana", body, case=self.cases[number])["requests"][0])

    def _decide(self, request: str) -> None:
        """Two officers of the requested bureau say yes, on a request that their screens show."""
        desk = Desk(self.root / "NCB-PT")
        said = Decide(True, None, Basis("demo-1", "PT", "article 1 of an invented law", "Bureau"),
                      self.clock.now() + timedelta(hours=48))
        for draft in desk.wish("decide", "Rui", said, request=request)["drafts"]:
            for name in ("Rui", "Zoe"):
                desk.sign(desk.draft(draft["act"]), name, self.keys[name])

    def told(self, asked: dict[str, datetime]) -> dict[str, dict[str, datetime]]:
        """Kind -> request -> when the requesting node knew it. Raises Unreachable when one does not come."""
        found: dict[str, dict[str, datetime]] = {"HoldPlaced": {}, "HoldConfirmed": {}}
        for row in self._follow("NCB-ES"):
            if row["kind"] in found:
                found[row["kind"]].setdefault(row["request"], datetime.fromisoformat(row["at"]))
            if all(asked.keys() <= came.keys() for came in found.values()):
                break
        return found

    def _follow(self, node: str) -> Iterator[dict[str, Any]]:
        """What a node writes, from its first row on, as a console sees it come (the change feed). Raises Unreachable
        when nothing comes any more."""
        after, end = 0, self.clock.seconds() + WAIT_SECONDS
        while self.clock.seconds() < end:
            rows = self.nodes.desks[node].get("/changes", after=after)
            yield from rows
            if rows:
                after, end = rows[-1]["position"] + 1, self.clock.seconds() + WAIT_SECONDS
            else:
                time.sleep(LOOK_SECONDS)
        raise Unreachable(f"{node} wrote nothing new in {WAIT_SECONDS} s, and not every hold was confirmed")
