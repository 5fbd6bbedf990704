"""A bureau of the scene in a bench: officers with their keys, who type at the desk of its running node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from arrp.cli.desk import Desk
from arrp.connectors.books import Order
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.account import institution_of
from arrp.core.crime import Crime
from arrp.core.errors import Unreachable
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.core.report import Party, Payment, Report
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.demo.scene import PASSPHRASE
from arrp.node.clock import Clock
from arrp.node.keys import OfficerKey, load_officer_key

ASKED = Amount(1_000_00, "EUR")
VICTIM = Party("Victim", "payto://iban/ES9121000418450200051332")
PAID_BEFORE = timedelta(minutes=30)
WAIT_SECONDS = 120
LOOK_SECONDS = 0.1  # how often a console asks what is new: four times a second something may have got a position


def account_of(number: int, bank: str = "PT0002", digits: int = 17) -> str:
    """An account at a bank of the scene, with its check digits (ISO 13616)."""
    country, bban = bank[:2], f"{bank[2:]}{number:0{digits}d}"
    check = 98 - int(bban + "".join(str(int(letter, 36)) for letter in country) + "00") % 97
    return f"payto://iban/{country}{check:02d}{bban}"


def fill(core: SimulatedCore, account: str, *refs: str, amount: Amount = ASKED) -> None:
    """Half an hour ago a payment of each ref came to an account."""
    holder = Party("Holder", account)
    core.open_account(Account(account[-12:], account, holder.name, "EUR"))
    for ref in refs:
        core.book(Order(ref, amount, VICTIM, holder), Clock().now() - PAID_BEFORE)


def asked(account: str, amount: Amount = ASKED) -> Asked:
    """A hold of all of it."""
    return Asked(ask=Ask.HOLD, institution=institution_of(account), asked=amount, claim=amount, loss="", stated_by="",
                 source=Source("payment", "0", None, ()), credit=Credit(amount=amount), crime="", account=account)


class Bureau:
    """`officers` are two: the first types, both sign."""

    def __init__(self, root: Path, id: str, officers: tuple[str, str]) -> None:
        self.id, self.home, self.officers, self.clock = id, root / id, officers, Clock()
        self.keys: dict[str, OfficerKey] = {
            name: load_officer_key(self.home / f"{name}.pem", PASSPHRASE) for name in officers}

    def open(self, loss: str, account: str, ref: str) -> str:
        """One report and the signed mandate of its case, in peace; the case."""
        now, desk = self.clock.now(), Desk(self.home)
        paid = Payment(ASKED, None, now - PAID_BEFORE - timedelta(minutes=1), VICTIM, Party("Holder", account),
                       references=(ref,))
        case = desk.wish("report", self.officers[0], Report(loss, self.id, (paid,), Crime.BEC, now))["case"]
        mandate = Mandate(loss, ASKED, ASKED, 0, (), ("hold",), (), now, now + timedelta(days=1))
        self.sign(desk, desk.wish("mandate", self.officers[0], mandate, case=case))
        return str(case)

    def ask(self, case: str, account: str) -> str:
        """A hold under the mandate of the case; the request."""
        return str(Desk(self.home).wish("send", self.officers[0], asked(account), case=case)["requests"][0])

    def sign(self, desk: Desk, wished: Any) -> None:
        """Both officers sign whatever was drafted."""
        for draft in wished["drafts"]:
            for name in self.officers:
                desk.sign(desk.draft(draft["act"]), name, self.keys[name])

    def follow(self) -> Iterator[dict[str, Any]]:
        """What its node writes, from its first row on, as a console sees it come (the change feed). Raises Unreachable
        when nothing comes any more."""
        desk, after, end = Desk(self.home), 0, self.clock.seconds() + WAIT_SECONDS
        while self.clock.seconds() < end:
            rows = desk.get("/changes", after=after)
            yield from rows
            if rows:
                after, end = rows[-1]["position"] + 1, self.clock.seconds() + WAIT_SECONDS
            else:
                time.sleep(LOOK_SECONDS)
        raise Unreachable(f"{self.id} wrote nothing new in {WAIT_SECONDS} s, and not every hold was there")
