"""One loss after another, from the payment to whatever end was drawn for it, while everything fails.

A payment reaches an account in Portugal; often part of it goes on to an exchange in Lithuania. A bureau asks, the
bureau of Portugal instructs its bank, the requesting node pursues what went on by its mandate; officers decide, let go,
withdraw, send back, or wait until the law does.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from arrp.bench.bureau import VICTIM, account_of, asked
from arrp.cli.desk import Said
from arrp.connectors.books import Order
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.crime import Crime
from arrp.core.deadline import Basis
from arrp.core.errors import ArrpError
from arrp.core.events import Resolved
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.core.report import Party, Payment, Report
from arrp.core.request import Document
from arrp.core.wishes import Credited, Decide, NamePayee, Release, Return, Withdraw
from arrp.node.clock import Clock
from tests.chaos.people import LOOK_SECONDS, PATIENCE_SECONDS, Officers, Stuck

ASKING, ASKED, BANK, EXCHANGE = ("NCB-ES", "NCB-FR"), "NCB-PT", "BANK-PT", "VASP-LT"
ENDS = ("kept", "refused", "lapsed", "released", "cut", "withdrawn", "returned", "returned")
AGO = timedelta(minutes=30)
LONG, SHORT = timedelta(hours=48), (8, 30)  # until when a hold is accepted; a short one lapses while we look, seconds
CONSENT = b"I agree that the money goes back.\n"
SHARED = 4  # one loss of so many reaches the account of the one before: two bureaus, perhaps, and one account


class Losses:
    """Several teams of officers, each with one loss at a time, until they are told to begin no more."""

    def __init__(self, officers: Officers, seed: int, teams: int) -> None:
        self.officers, self.seed = officers, seed
        self.ends, self.stuck = Counter[str](), list[str]()
        self._over, self._lock, self._number = threading.Event(), threading.Lock(), 0
        self._pool = ThreadPoolExecutor(teams, "team")
        self._teams = [self._pool.submit(self._work) for _ in range(teams)]

    def finish(self) -> None:
        """No new loss; those that are open come to their end, or are stuck. Raises what a team did not expect."""
        self._over.set()
        for team in self._teams:
            team.result()
        self._pool.shutdown()

    def _work(self) -> None:
        while not self._over.is_set():
            with self._lock:
                number, self._number = self._number, self._number + 1
            loss = Loss(self.officers, number, random.Random(f"{self.seed}/{number}"))
            try:
                self._count(loss.live())
            except Stuck as error:
                self.stuck.append(f"loss {number} ({loss.end}): {error}")
            except Said as error:
                self.stuck.append(f"loss {number} ({loss.end}) was refused: {error}")

    def _count(self, end: str) -> None:
        with self._lock:
            self.ends[end] += 1


class Loss:
    """One loss and what is to become of it."""

    def __init__(self, officers: Officers, number: int, dice: random.Random) -> None:
        self.officers, self.number, self.dice, self.clock = officers, number, dice, Clock()
        self.bureau, self.end = dice.choice(ASKING), dice.choice(ENDS)
        self.amount = Amount(dice.randrange(200_00, 900_00), "EUR")
        place = number % SHARED
        stays = place >= SHARED - 2 or dice.random() < 0.4  # what is shared does not go on: whose coins would it be?
        self.onward = 0 if stays else self.amount.minor // dice.choice((2, 3))
        self.account = account_of(number - (place == SHARED - 1))
        self.next_account = account_of(number, "LT10000", 11)
        self.case, self.request = "", ""

    def live(self) -> str:
        """From the payment to its end; which one."""
        self._pay()
        self._ask()
        if not self._is_held(self.request):
            return "nothing held"
        if self.onward:
            pursued = self._pursued()
            self._decide(EXCHANGE, pursued, self.dice.choice(("kept", "refused", "lapsed")))
        self._come_to_its_end()
        return self.end

    # --- the money -------------------------------------------------------------------------------------------

    def _pay(self) -> None:
        """Half an hour ago: booked now, by whoever keeps the bank's books, until the books take it."""
        holder = Party("Holder", self.account)
        came = Order(f"P{self.number}", self.amount, VICTIM, holder)
        self._book(BANK, self.account, came)
        if self.onward:
            left = Order(f"Q{self.number}", Amount(self.onward, "EUR"), holder, Party("Holder", self.next_account))
            self._book(BANK, self.account, left)
            self._book(EXCHANGE, self.next_account, left)

    def _book(self, bank: str, account: str, order: Order) -> None:
        while True:
            try:
                _booked(self.officers.nodes.root / bank / "core.db", account, order)
                return
            except (ArrpError, sqlite3.Error):  # its disk is full
                if self.officers.peace.seconds > PATIENCE_SECONDS:
                    raise Stuck(f"{bank} books nothing") from None
                time.sleep(LOOK_SECONDS)

    # --- who asks --------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        now, loss = self.clock.now(), f"L{self.number}"
        paid = Payment(self.amount, None, now - AGO, VICTIM, Party("Holder", self.account),
                       references=(f"P{self.number}",))
        said = Report(loss, self.bureau, (paid,), Crime.BEC, now)
        self.case = self.officers.wish(self.bureau, "report", said)["case"]
        mandate = Mandate(loss, self.amount, self.amount, 2, (), ("hold",), (), now, now + timedelta(days=1))
        self.officers.wish(self.bureau, "mandate", mandate, case=self.case)
        sent = self.officers.wish(self.bureau, "send", asked(self.account, self.amount), case=self.case)
        (self.request,) = sent["requests"]

    def _until(self, seen: Callable[[Any], Any], what: str) -> Any:
        return self.officers.until(self.bureau, self.case, seen, what)

    def _is_held(self, request: str) -> bool:
        """Whether anything is; both is an answer."""
        found = self._until(partial(_answered, request), "an answer")
        return bool(found["hold"]) and found["hold"]["state"] != "failed"

    def _pursued(self) -> str:
        """The request that the node itself sent after the money."""
        found = self._until(lambda case: [r["id"] for r in case["requests"] if r["peer"] == EXCHANGE and r["hold"]],
                            "the hold in the third country")
        return str(found[0])

    # --- who decides -----------------------------------------------------------------------------------------

    def _come_to_its_end(self) -> None:
        if self.end == "withdrawn" and self.dice.random() < 0.5:  # before anybody has decided
            self._withdraw()
            return
        self._decide(ASKED, self.request, self.end)
        if self.end in ("released", "cut"):
            self._release()
        elif self.end == "withdrawn":
            self._withdraw()
        elif self.end == "returned":
            self._give_back()

    def _decide(self, node: str, request: str, end: str) -> None:
        if end == "refused":
            self.officers.wish(node, "decide", Decide(False, "CIVIL_DISPUTE", None, None), request=request)
            self._becomes(request, "released")
            return
        ends = timedelta(seconds=self.dice.uniform(*SHORT)) if end == "lapsed" else LONG
        basis = Basis("demo-1", self.officers.members[node].options[3], "article 1 of an invented law", node)
        self.officers.wish(node, "decide", Decide(True, None, basis, self.clock.now() + ends), request=request)
        self._becomes(request, "lapsed" if end == "lapsed" else "confirmed")

    def _becomes(self, request: str, *states: str) -> Any:
        def seen(case: Any) -> Any:
            found = _of(case, request)
            return found if found["hold"]["state"] in states else None

        return self._until(seen, f"{' or '.join(states)} for {request}")

    def _withdraw(self) -> None:
        self.officers.wish(self.bureau, "withdraw", Withdraw("settled"), request=self.request)
        self._becomes(self.request, "released")

    def _release(self) -> None:
        held = _of(self.officers.ask(self.bureau, f"/cases/{self.case}"), self.request)["hold"]
        to = Amount(_minor(held) // 2 if self.end == "cut" else 0, "EUR")
        self.officers.wish(ASKED, "release", Release(to, "half of it is a salary"), request=self.request)
        if self.end == "released":
            self._becomes(self.request, "released")
        else:
            self._until(lambda case: _minor(_of(case, self.request)["hold"]) <= to.minor, "the cut")

    def _give_back(self) -> None:
        self.officers.wish(self.bureau, "payee", NamePayee("DEBTOR", None, False), request=self.request)
        held = self._becomes(self.request, "confirmed")["hold"]
        kept = self.officers.upload(ASKED, CONSENT, self.request)
        proof = Document(kept["digest"], "consent", "text/plain", kept["bytes"])
        back = Return(Amount(_minor(held), "EUR"), "consent", proof)
        self._order(back)
        self._becomes(self.request, "returned")
        (sent,) = self.officers.ask(self.bureau, f"/cases/{self.case}")["returns"]
        said = Credited(sent["id"], Amount(_minor(sent), "EUR"), "CREDIT")
        self.officers.wish(self.bureau, "credited", said, request=self.request)
        if not self.onward:
            self._until(lambda case: _of(case, self.request)["answer"] == "ended", "the end of the request")
            for verb in ("resolve", "close"):
                self.officers.wish(self.bureau, verb, Resolved("returned"), case=self.case)


    def _order(self, back: Return, refused: int = 0) -> None:
        """The bank refuses what comes before the payee's name; then it is ordered again."""
        case = self.officers.again(ASKED, "return", back, self.request)["case"]
        found = self.officers.until(ASKED, case, lambda case: case["returns"] or _refusals(case) > refused or None,
                                    "what the bank says to a return")
        if found is True:
            self._order(back, refused + 1)


def _refusals(case: Any) -> int:
    return sum(row["kind"] == "ActRefused" for row in case["log"])


def _booked(path: Path, account: str, order: Order) -> None:
    core = SimulatedCore(path, Clock().now)
    try:
        core.open_account(Account(account[-12:], account, "Holder", "EUR"))
        core.book(order, Clock().now() - AGO)
    finally:
        core.close()


def _of(case: Any, request: str) -> Any:
    return next(r for r in case["requests"] if r["id"] == request)


def _answered(request: str, case: Any) -> Any:
    found = _of(case, request)
    return found if found["hold"] or found["answer"] in ("refused", "ended") else None


def _minor(held: Any) -> int:
    return Amount.parse(held["amount"]["amount"], "EUR").minor

