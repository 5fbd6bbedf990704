"""Any sequence of verbs, faults and hours against a bank kept in three dictionaries (I1, I4, I9 at the core).

After every step: balances are the sum of their entries, what is held is the sum of the holds and never
above what is there, one journal numbers everything without a gap, and no money was made or lost.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from arrp.connectors import CoreDown, CoreUnclear
from arrp.connectors.books import Balance, Order
from arrp.connectors.faults import Fault
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.answers import Cannot, Held, HoldState, PayOut, Released, Returned, Stopped, Why
from arrp.core.errors import Refused
from arrp.core.money import Amount
from arrp.core.report import Party
from arrp.trace.account import follow_account

START = datetime(2022, 6, 28, 9, 0, tzinfo=UTC)
REFS = ["A", "B", "C"]
ELSEWHERE = Party("Else Where", "payto://iban/elsewhere")

refs = st.sampled_from(REFS)
amounts = st.one_of(st.integers(1, 12), st.integers(1, 60))
faults = st.sampled_from([None] * 8 + [Fault.DOWN, Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.LIE])


@dataclass
class ModelHold:
    place: str  # an account, or the UETR of a payment in flight
    amount: int
    until: datetime | None = None
    ended: HoldState = HoldState.RELEASED


class Bank(RuleBasedStateMachine):
    @initialize(openings=st.tuples(*[st.integers(20, 100)] * 3), limit=st.integers(0, 50))
    def open(self, openings: tuple[int, ...], limit: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now, self.count = START, 0
        self.core = SimulatedCore(self.folder / "core.db", lambda: self.now)
        self.raw = sqlite3.connect(self.folder / "core.db", isolation_level=None)
        self.opening = dict(zip(REFS, openings, strict=True))
        self.limit = {"A": 0, "B": limit, "C": 0}
        self.booked = dict(self.opening)
        self.held: dict[str, ModelHold] = {}
        self.flights: dict[str, tuple[str, int]] = {}  # UETR -> creditor, what waits
        self.came = 0  # from elsewhere, less what left
        for ref in REFS:
            account = Account(ref, f"payto://iban/{ref}", f"Holder {ref}", "EUR", self.opening[ref], self.limit[ref])
            self.core.open_account(account)

    def new(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def at(self, place: str) -> int:
        return sum(hold.amount for hold in self.held.values() if hold.place == place)

    def do(self, verb: str, fault: Fault | None, call: Callable[[], object]) -> tuple[bool, object]:
        """Call with a fault; answers whether it took effect, and the answer as finally known."""
        if fault is not None:
            self.core.faults.plant(verb, fault)
        try:
            return fault is not Fault.LIE, call()
        except CoreDown:
            return False, None
        except CoreUnclear:
            return fault is Fault.ANSWER_LOST, call() if fault is Fault.ANSWER_LOST else None

    @rule(source=st.sampled_from([*REFS, ""]), payee=st.sampled_from([*REFS, ""]), amount=amounts)
    def book(self, source: str, payee: str, amount: int) -> None:
        if source == payee:
            return
        debtor, creditor = (self.core.party(ref) if ref else ELSEWHERE for ref in (source, payee))
        try:
            self.core.book(Order(self.new("p"), Amount(amount, "EUR"), debtor, creditor), self.now)
        except Refused:
            assert source
            assert amount > self.booked[source] + self.limit[source] - self.at(source)
            return
        self.move(source, payee, amount)

    def move(self, source: str, target: str, amount: int) -> None:
        for ref, change in ((source, -amount), (target, amount)):
            if ref:
                self.booked[ref] += change
            else:
                self.came -= change

    @rule(ref=refs, amount=amounts, hours=st.one_of(st.none(), st.integers(1, 3)), fault=faults)
    def hold(self, ref: str, amount: int, hours: int | None, fault: Fault | None) -> None:
        until = None if hours is None else self.now + timedelta(hours=hours)
        name = self.new("h")
        free = max(0, self.booked[ref] - self.at(ref))
        done, answer = self.do("hold", fault, lambda: self.core.hold(name, ref, amount, until))
        if amount > free:
            assert answer in (Cannot(Why.NO_FUNDS, free), None)
        elif done:
            assert isinstance(answer, Held)
            self.held[name] = ModelHold(ref, amount, until)

    @rule(pick=st.integers(0, 9), to=st.integers(0, 20), fault=faults)
    def release(self, pick: int, to: int, fault: Fault | None) -> None:
        if not self.held:
            return
        name = list(self.held)[pick % len(self.held)]
        done, answer = self.do("release", fault, lambda: self.core.release(name, to))
        if done:
            hold = self.held[name]
            if to < hold.amount:
                hold.amount, hold.ended = to, HoldState.RELEASED
            assert isinstance(answer, Released)
            assert answer.amount == hold.amount

    @rule(pick=st.integers(0, 9), amount=amounts, payee=st.sampled_from([*REFS, ""]), fault=faults)
    def give_back(self, pick: int, amount: int, payee: str, fault: Fault | None) -> None:
        live = [name for name, hold in self.held.items() if hold.amount] or list(self.held)
        if not live:
            return
        name = live[pick % len(live)]
        hold = self.held[name]
        order = PayOut(self.new("r"), amount, "DEBTOR", f"payto://iban/{payee}" if payee else ELSEWHERE.account)
        done, answer = self.do("give_back", fault, lambda: self.core.give_back(name, order))
        if amount > hold.amount or payee == hold.place:
            assert answer is None or isinstance(answer, Cannot)
        elif done:
            assert isinstance(answer, Returned)
            assert answer.left == hold.amount - amount
            hold.amount, hold.ended = hold.amount - amount, HoldState.RETURNED
            self.leave(hold.place, payee, amount)

    def leave(self, place: str, target: str, amount: int) -> None:
        if place in self.flights:
            creditor, waiting = self.flights[place]
            self.flights[place] = (creditor, waiting - amount)
            if target:
                self.booked[target] += amount
            else:
                self.came -= amount
        else:
            self.move(place, target, amount)

    @rule(source=st.sampled_from([*REFS, ""]), payee=refs, amount=amounts)
    def put_in_flight(self, source: str, payee: str, amount: int) -> None:
        if source and amount > self.booked[source] + self.limit[source] - self.at(source):
            return
        uetr = self.new("u")
        debtor = self.core.party(source) if source else ELSEWHERE
        order = Order(self.new("p"), Amount(amount, "EUR"), debtor, self.core.party(payee), uetr)
        self.core.put_in_flight(order, self.now)
        self.flights[uetr] = (payee, amount)
        if source:
            self.booked[source] -= amount
        else:
            self.came += amount

    @rule(pick=st.integers(0, 9), amount=amounts, fault=faults)
    def stop(self, pick: int, amount: int, fault: Fault | None) -> None:
        if not self.flights:
            return
        uetr = list(self.flights)[pick % len(self.flights)]
        name, moving = self.new("s"), self.flights[uetr][1] - self.at(uetr)
        done, answer = self.do("stop", fault, lambda: self.core.stop(name, uetr, amount))
        if moving == 0:
            assert not isinstance(answer, Stopped)
        elif done:
            assert isinstance(answer, Stopped)
            assert answer.amount == min(amount, moving)
            self.held[name] = ModelHold(uetr, min(amount, moving))

    @rule(pick=st.integers(0, 9))
    def land(self, pick: int) -> None:
        if not self.flights:
            return
        uetr = list(self.flights)[pick % len(self.flights)]
        target, waiting = self.flights[uetr]
        if moving := waiting - self.at(uetr):
            self.core.land(uetr, self.now)
            self.flights[uetr] = (target, waiting - moving)
            self.booked[target] += moving

    @rule(minutes=st.integers(1, 120))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        for hold in self.held.values():
            if hold.until is not None and hold.until <= self.now and hold.amount:
                hold.amount, hold.ended = 0, HoldState.RELEASED
        self.core.holds()  # a core that is asked lets go

    @invariant()
    def the_bank_is_as_the_model_says(self) -> None:
        for ref in REFS:
            assert self.core.balance(ref) == Balance(self.booked[ref], self.at(ref))
            assert self.at(ref) <= self.booked[ref] + self.limit[ref]
        in_force = {hold.ref: (hold.uetr or hold.account_ref, hold.amount) for hold in self.core.holds()}
        assert in_force == {name: (hold.place, hold.amount) for name, hold in self.held.items() if hold.amount}
        waiting = sum(waiting for _, waiting in self.flights.values())
        assert sum(self.booked.values()) + waiting == sum(self.opening.values()) + self.came

    @invariant()
    def stored_balances_are_the_sums_of_their_entries(self) -> None:
        for ref, booked, held in self.raw.execute("SELECT ref, booked, held FROM accounts"):
            if ref in REFS:
                assert self.core.balance(ref) == Balance(booked, held)
        total = self.raw.execute("SELECT sum(booked), sum(opening) FROM accounts").fetchone()
        assert total[0] - total[1] == self.came

    @invariant()
    def one_journal_numbers_everything_without_a_gap(self) -> None:
        numbers = [row[0] for row in self.raw.execute("SELECT sequence FROM journal ORDER BY sequence")]
        used = self.raw.execute("SELECT sequence FROM transfers UNION SELECT sequence FROM hold_events").fetchall()
        assert numbers == list(range(1, len(numbers) + 1)) == sorted(row[0] for row in used)

    def teardown(self) -> None:
        for ref in REFS:
            followed = follow_account(self.core.transfers_since(ref, 0).transfers, self.opening[ref], [])
            assert followed.booked == self.booked[ref]
        for name, hold in self.held.items():
            assert self.core.status(name).state is (HoldState.HELD if hold.amount else hold.ended)
        self.raw.close()
        self.core.close()
        shutil.rmtree(self.folder)


TestBank = Bank.TestCase
TestBank.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
