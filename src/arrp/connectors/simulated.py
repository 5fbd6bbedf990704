"""A core bank for tests and demonstrations, on real books (connectors/books.py), that can be broken.

The verbs of `Connector` ask the clock they were given and let go of what is past its `until` first.
Scenes are set with `open_account`, `close_account`, `book`, `put_in_flight`, `land`;
`faults` makes the bank misbehave, in every process that has the file open.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from arrp.connectors import CoreDown, CoreUnclear
from arrp.connectors.books import MOST, Balance, Books, Entry, Order, check_amount, order_of
from arrp.connectors.faults import Fault, Faults
from arrp.connectors.file import to_text, to_time
from arrp.connectors.matching import compare, compare_names
from arrp.core.answers import (
    AccountStatus,
    Cannot,
    Capabilities,
    Compared,
    Comparison,
    Found,
    Gone,
    Held,
    HoldState,
    InForce,
    Landed,
    PayOut,
    Question,
    Reach,
    Released,
    Returned,
    Statement,
    Status,
    Stopped,
    Why,
)
from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.ledger import Ledger
from arrp.core.money import Amount
from arrp.core.report import Party

T = TypeVar("T")

CAN = Capabilities(Reach.AMOUNT, reversible=True, public=False, seconds=1, in_flight=True, arm=False, return_=True)


@dataclass(frozen=True, slots=True)
class Account:
    """An account to be opened. `ref` is the core's own stable name for it."""

    ref: str
    account: str
    holder: str
    asset: str
    opening: int = 0
    overdraft_limit: int = 0


class SimulatedCore:
    """One bank's core system; the file is the bank, this object one connection to it."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime],
        pause: Callable[[float], None] = time.sleep,
        can: Capabilities = CAN,
    ) -> None:
        self._clock, self._pause, self._can = clock, pause, can
        self._books = Books(path)
        self.faults = Faults(self._books)

    def close(self) -> None:
        self._books.close()

    # --- the contract --------------------------------------------------------------------------

    def can(self) -> Capabilities:
        return self._can

    def find(self, question: Question) -> Found:
        return self._call("find", lambda fault: self._find(question, fault))

    def hold(self, ref: str, account_ref: str, amount: int, until: datetime | None) -> Held | Cannot:
        check_amount(amount)
        wish = _Wish(ref, "hold", account_ref, amount, until)
        return self._call("hold", lambda fault: self._hold(wish, fault))

    def stop(self, ref: str, uetr: str, amount: int) -> Stopped | Landed | Gone | Cannot:
        check_amount(amount)
        if not uetr:
            raise Malformed("a payment in flight is known by its UETR: none was given")
        wish = _Wish(ref, "stop", uetr, amount, None)
        return self._call("stop", lambda fault: self._stop(wish, fault))

    def status(self, ref: str) -> Status:
        return self._call("status", lambda _: self._status(ref))

    def holds(self) -> tuple[InForce, ...]:
        return self._call("holds", lambda _: self._holds())

    def release(self, ref: str, to_amount: int) -> Released | Cannot:
        if to_amount < 0:
            raise Malformed(f"what stays held is zero or more, not {to_amount}")
        return self._call("release", lambda fault: self._release(ref, to_amount, fault))

    def extend(self, ref: str, until: datetime | None) -> Held | Cannot:
        return self._call("extend", lambda fault: self._extend(ref, until, fault))

    def give_back(self, ref: str, payout: PayOut) -> Returned | Cannot:
        return self._call("give_back", lambda fault: self._pay_out(ref, payout, HoldState.RETURNED, fault))

    def hand_over(self, ref: str, payout: PayOut) -> Returned | Cannot:
        return self._call("hand_over", lambda fault: self._pay_out(ref, payout, HoldState.HANDED_OVER, fault))

    def transfers_since(self, account_ref: str, sequence: int) -> Statement:
        return self._call("transfers_since", lambda fault: self._transfers(account_ref, sequence, fault))

    # --- setting scenes ------------------------------------------------------------------------

    def open_account(self, account: Account) -> None:
        if not -account.overdraft_limit <= account.opening <= MOST:
            raise Malformed(f"account {account.ref} cannot open with {account.opening}: its limit, or 10^18, is passed")
        with self._books.transaction():
            if (known := self._books.account(account.ref)) is not None:
                if any(known[name] != value for name, value in asdict(account).items()):
                    raise Conflict(f"account {account.ref} is open already, with other content")
                return
            self._books.write(
                "INSERT INTO accounts (ref, account, holder, asset, opening, overdraft_limit, booked)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(account.ref, account.account, account.holder, account.asset),
                *(account.opening, account.overdraft_limit, account.opening),
            )

    def close_account(self, account_ref: str) -> None:
        with self._books.transaction():
            account = self._account(account_ref)
            if account["booked"] or account["held"]:
                raise Refused(f"account {account_ref} has {account['booked']}, {account['held']} held: empty it first")
            self._books.write("UPDATE accounts SET status = 'closed' WHERE ref = ?", account_ref)

    def party(self, account_ref: str) -> Party:
        """The holder of an account here, to be put into an order."""
        with self._books.transaction():
            account = self._account(account_ref)
            return Party(account["holder"], account["account"])

    def book(self, order: Order, at: datetime) -> int:
        """Move money between accounts here, or in from or out to elsewhere. Answers the sequence.

        Raises Refused where more is asked than balance + limit − holds.
        """
        with self._books.transaction():
            self._let_go(at)
            if (known := self._books.entered(order)) is not None:
                return known
            debit, credit = self._side(order.debtor, order), self._side(order.creditor, order)
            if debit is None and credit is None:
                raise NotFound(f"order {order.ref}: neither side has an account in {order.amount.asset} here")
            if debit == credit:
                raise Refused(f"order {order.ref} pays from an account to itself: nothing to book")
            return self._enter(Entry(order, debit, credit), at)

    def put_in_flight(self, order: Order, at: datetime) -> int:
        """The payment left its debtor, or came from elsewhere, and has not reached its creditor yet."""
        if not order.uetr:
            raise Malformed(f"order {order.ref} needs a UETR: a payment in flight is known by it")
        with self._books.transaction():
            self._let_go(at)
            debit = self._side(order.debtor, order)
            order = order if debit else replace(order, ref=f"{order.ref}/in flight")
            if (known := self._books.entered(order)) is not None:
                return known
            if self._books.row("SELECT 1 FROM transfers WHERE flight = ?", order.uetr):
                raise Conflict(f"payment {order.uetr} is here already, under another ref")
            return self._enter(Entry(order, debit, self._books.transit(order.amount.asset), order.uetr), at)

    def land(self, uetr: str, at: datetime) -> int:
        """What is in flight and not stopped reaches the creditor's account, or leaves this bank."""
        with self._books.transaction():
            self._let_go(at)
            moving = self._books.in_flight(uetr) - self._stopped(uetr)
            first = self._books.row("SELECT * FROM transfers WHERE flight = ? ORDER BY sequence", uetr)
            if first is None or moving == 0:
                raise Refused(f"of payment {uetr} nothing is in flight that is not stopped")
            order = order_of(first["content"])
            parts = self._books.number("SELECT count(*) FROM transfers WHERE flight = ?", uetr)
            plain = order.ref.removesuffix("/in flight")
            ref = plain if plain != order.ref and parts == 1 else f"{plain}/{parts}"
            part = replace(order, ref=ref, amount=Amount(moving, order.amount.asset))
            return self._enter(Entry(part, first["credit"], self._side(order.creditor, order), uetr), at)

    def balance(self, account_ref: str, as_of: int | None = None) -> Balance:
        """The account as of a sequence (None: now), told from the entries."""
        with self._books.transaction():
            self._let_go(self._clock())
            self._account(account_ref)
            return self._books.balance(account_ref, self._books.sequence if as_of is None else as_of)

    def blocked(self, ref: str) -> int:
        """What stands blocked here under that reference, for whoever looks into the books: no call of the contract."""
        return self._books.number("SELECT sum(amount) FROM holds WHERE ref = ? AND (until IS NULL OR until > ?)", ref,
                                  to_text(self._clock()))

    # --- inside a call -------------------------------------------------------------------------

    def _call(self, verb: str, work: Callable[[Fault | None], T]) -> T:
        with self._books.transaction():  # used up in a commit of its own, even if the call comes to nothing
            fault, seconds = self.faults.next(verb)
        if fault is Fault.SLOW:
            self._pause(seconds)
        if fault is Fault.DOWN:
            raise CoreDown(f"{verb}: the core is not reached; nothing was done, try again later")
        if fault is Fault.REQUEST_LOST:
            raise self._unclear(verb)
        with self._books.transaction(keep=fault is not Fault.LIE):
            self._let_go(self._clock())
            answer = work(fault)
        if fault is Fault.ANSWER_LOST:
            raise self._unclear(verb)
        return answer

    def _unclear(self, verb: str) -> CoreUnclear:
        return CoreUnclear(f"{verb}: the core did not answer in time; ask it again with the same ref, or its status")

    def _let_go(self, now: datetime) -> None:
        """What is past its `until` went free at that instant, whenever the core is next asked."""
        due = self._books.rows(
            "SELECT ref, amount, until FROM holds WHERE amount > 0 AND until <= ? ORDER BY until", to_text(now)
        )
        if due and self.faults.next("let_go")[0] is None:
            for hold in due:
                self._books.change_hold(hold["ref"], HoldState.RELEASED, -hold["amount"], to_time(hold["until"]))

    def _account(self, account_ref: str) -> sqlite3.Row:
        account = self._books.account(account_ref)
        if account is None:
            raise NotFound(f"no account here has the reference {account_ref}")
        return account

    # --- looking -------------------------------------------------------------------------------

    def _find(self, question: Question, fault: Fault | None) -> Found:
        sequence = self._books.sequence
        row = self._books.account_of(Party(account=question.account), question.asset)
        if row is None:
            elsewhere = Comparison("account", Compared.DIFFERS, None, self._credited(question))
            name = compare_names(question.creditor_name, "")
            return Found(AccountStatus.NONE, sequence, comparisons=(elsewhere, name))
        ledger = None
        if fault is not Fault.LEDGER_UNREADABLE:
            ledger = Ledger(row["opening"], self._books.ledger(row["ref"]), sequence)
        matching = compare(question, row["holder"], ledger.transfers if ledger else None)
        balance = Balance(row["booked"], row["held"])
        return Found(
            AccountStatus(row["status"]), sequence, balance.booked, balance.free,
            matching.comparisons, matching.credits, ledger, row["ref"],
        )  # fmt: skip

    def _credited(self, question: Question) -> str:
        """The account the claimed payment reached, when it is not the one that was named."""
        for ref in (ref for claimed in question.credits for ref in claimed.refs if ref):
            row = self._books.row("SELECT a.account FROM transfers t JOIN accounts a ON a.ref = t.credit"
                                  " WHERE ? IN (t.ref, t.uetr) AND a.account IS NOT NULL", ref)  # fmt: skip
            if row is not None:
                return str(row["account"])
        return ""

    def _transfers(self, account_ref: str, sequence: int, fault: Fault | None) -> Statement:
        if fault is Fault.LEDGER_UNREADABLE:
            raise CoreDown(f"transfers_since: the ledger of {account_ref} cannot be read now, try again later")
        self._account(account_ref)
        return Statement(self._books.ledger(account_ref, sequence), self._books.sequence)

    def _status(self, ref: str) -> Status:
        hold = self._books.hold(ref)
        if hold is None:
            return Status(HoldState.UNKNOWN)
        if hold["state"] == HoldState.REFUSED:
            return Status(HoldState.REFUSED)
        until = to_time(hold["until"]) if hold["until"] else None
        return Status(HoldState(hold["state"]), hold["amount"], _reference(hold), hold["last"], until)

    def _holds(self) -> tuple[InForce, ...]:
        refs = self._books.rows("SELECT ref FROM holds WHERE amount > 0 ORDER BY ref")
        return tuple(self._in_force(ref["ref"]) for ref in refs)

    def _in_force(self, ref: str) -> InForce:
        hold, status = self._books.hold(ref), self._status(ref)
        assert hold is not None
        account = "" if hold["flight"] else hold["account"]
        return InForce(ref, status.reference, status.amount, status.sequence, status.until, hold["flight"], account)

    # --- holding -------------------------------------------------------------------------------

    def _hold(self, wish: _Wish, fault: Fault | None) -> Held | Cannot:
        if (known := self._known(wish)) is not None:
            return _held(known)
        account = self._books.account(wish.of)
        if (cannot := self._why_not(wish, account, fault)) is not None:
            self._remember(wish, cannot)
            return cannot
        return _held(self._place(wish, wish.of, wish.amount))

    def _known(self, wish: _Wish) -> sqlite3.Row | None:
        known = self._books.hold(wish.ref)
        if known is not None and known["content"] != wish.content:
            raise Conflict(f"hold {wish.ref} is known with other content: {known['content']}, not {wish.content}")
        return known

    def _why_not(self, wish: _Wish, account: sqlite3.Row | None, fault: Fault | None) -> Cannot | None:
        if fault is Fault.REFUSE:
            return Cannot(Why.REFUSED)
        if account is None or account["account"] is None:
            return Cannot(Why.NOT_FOUND)
        if account["status"] == AccountStatus.CLOSED:
            return Cannot(Why.CLOSED)
        if wish.until is not None and wish.until <= self._clock():
            return Cannot(Why.TOO_LATE)
        free = Balance(account["booked"], account["held"]).free
        return Cannot(Why.NO_FUNDS, free) if wish.amount > free else None

    def _remember(self, wish: _Wish, cannot: Cannot) -> None:
        self._books.write(
            "INSERT INTO holds (ref, flight, content, state, why, there) VALUES (?, '', ?, 'refused', ?, ?)",
            *(wish.ref, wish.content, cannot.why, cannot.there),
        )

    def _place(self, wish: _Wish, account: str, amount: int, flight: str = "") -> sqlite3.Row:
        self._books.write(
            "INSERT INTO holds (ref, account, flight, content, until, state) VALUES (?, ?, ?, ?, ?, 'held')",
            *(wish.ref, account, flight, wish.content, to_text(wish.until)),
        )
        self._books.change_hold(wish.ref, HoldState.HELD, amount, self._clock())
        placed = self._books.hold(wish.ref)
        assert placed is not None
        return placed

    def _stop(self, wish: _Wish, fault: Fault | None) -> Stopped | Landed | Gone | Cannot:
        if (known := self._known(wish)) is not None:
            return _stopped(known)
        if fault is Fault.REFUSE:
            self._remember(wish, Cannot(Why.REFUSED))
            return Cannot(Why.REFUSED)
        waiting, stopped = self._books.in_flight(wish.of), self._stopped(wish.of)
        if waiting > stopped:
            first = self._books.row("SELECT credit FROM transfers WHERE flight = ? ORDER BY sequence", wish.of)
            assert first is not None
            amount = min(wish.amount, waiting - stopped)
            return _stopped(self._place(wish, first["credit"], amount, wish.of))
        if waiting:
            return Cannot(Why.NO_FUNDS)
        landed = self._books.row(
            "SELECT t.ref, t.credit FROM transfers t JOIN accounts a ON a.ref = t.credit"
            " WHERE t.uetr = ? AND a.account IS NOT NULL ORDER BY t.sequence", wish.of,
        )  # fmt: skip
        return Gone() if landed is None else Landed(landed["ref"], landed["credit"])

    def _stopped(self, uetr: str) -> int:
        return self._books.number("SELECT sum(amount) FROM holds WHERE flight = ?", uetr)

    def _release(self, ref: str, to_amount: int, fault: Fault | None) -> Released | Cannot:
        hold = self._placed(ref)
        if hold is None:
            return Cannot(Why.NOT_FOUND)
        if fault is Fault.REFUSE:
            return Cannot(Why.REFUSED, hold["amount"])
        if hold["amount"] > to_amount:
            self._books.change_hold(ref, HoldState.RELEASED, to_amount - hold["amount"], self._clock())
        now = self._status(ref)
        return Released(now.reference, now.amount, now.sequence)

    def _placed(self, ref: str) -> sqlite3.Row | None:
        hold = self._books.hold(ref)
        return None if hold is None or hold["state"] == HoldState.REFUSED else hold

    def _extend(self, ref: str, until: datetime | None, fault: Fault | None) -> Held | Cannot:
        hold = self._placed(ref)
        if hold is None:
            return Cannot(Why.NOT_FOUND)
        if fault is Fault.REFUSE:
            return Cannot(Why.REFUSED, hold["amount"])
        if hold["amount"] == 0 or (until is not None and until <= self._clock()):
            return Cannot(Why.TOO_LATE, hold["amount"])
        if hold["until"] != to_text(until):
            self._books.write("UPDATE holds SET until = ? WHERE ref = ?", to_text(until), ref)
            self._books.change_hold(ref, HoldState.HELD, 0, self._clock())
        now = self._books.hold(ref)
        assert now is not None
        return Held(_reference(now), now["amount"], now["last"], to_time(now["last_at"]), until)

    def _pay_out(self, ref: str, payout: PayOut, what: HoldState, fault: Fault | None) -> Returned | Cannot:
        hold = self._placed(ref)
        if hold is None:
            return Cannot(Why.NOT_FOUND)
        account = self._account(hold["account"])
        order = Order(
            payout.ref, Amount(payout.amount, account["asset"]), Party(account["holder"], account["account"] or ""),
            Party(payout.payee_name, payout.payee), purpose=f"{what}: {payout.reason}",
        )  # fmt: skip
        sequence = self._books.entered(order, ref)
        if sequence is None:
            if fault is Fault.REFUSE:
                return Cannot(Why.REFUSED, hold["amount"])
            if hold["amount"] < payout.amount:
                return Cannot(Why.NO_FUNDS if hold["amount"] else Why.TOO_LATE, hold["amount"])
            payee = self._books.account_of(order.creditor, order.amount.asset)
            credit = payee["ref"] if payee is not None and payee["status"] == AccountStatus.OPEN else None
            if credit == hold["account"]:
                return Cannot(Why.REFUSED, hold["amount"])  # back to where it is: that is a release
            sequence = self._books.change_hold(ref, what, -payout.amount, self._clock())
            self._books.enter(Entry(order, hold["account"], credit, hold["flight"], ref), sequence)
        return Returned(f"T{sequence}", payout.ref, payout.amount, self._status(ref).amount, sequence)

    # --- booking -------------------------------------------------------------------------------

    def _side(self, party: Party, order: Order) -> str | None:
        """The party's account here, if it has one."""
        account = self._books.account_of(party, order.amount.asset) if party.account else None
        if account is None:
            return None
        if account["status"] == AccountStatus.CLOSED:
            raise Refused(f"order {order.ref}: account {account['ref']} is closed")
        return str(account["ref"])

    def _enter(self, entry: Entry, at: datetime) -> int:
        order = entry.order
        if entry.debit is not None:
            account = self._account(entry.debit)
            available = account["booked"] + account["overdraft_limit"] - account["held"]
            if order.amount.minor > available:
                raise Refused(
                    f"order {order.ref} asks {order.amount.minor} of account {entry.debit}: "
                    f"{available} is available there ({account['held']} held). Ask for that"
                )
        sequence = self._books.next(at)
        self._books.enter(entry, sequence)
        return sequence


@dataclass(frozen=True, slots=True)
class _Wish:
    """A hold or a stop as it was asked: the same ref must come with the same content."""

    ref: str
    verb: str
    of: str
    amount: int
    until: datetime | None

    @property
    def content(self) -> str:
        return json.dumps([self.verb, self.of, self.amount, to_text(self.until)])


def _reference(hold: sqlite3.Row) -> str:
    return f"H{hold['first']}"


def _held(hold: sqlite3.Row) -> Held | Cannot:
    """The answer as it was given first."""
    if hold["state"] == HoldState.REFUSED:
        return Cannot(Why(hold["why"]), hold["there"])
    until = json.loads(hold["content"])[3]
    at = to_time(hold["first_at"])
    return Held(_reference(hold), hold["placed"], hold["first"], at, to_time(until) if until else None)


def _stopped(hold: sqlite3.Row) -> Stopped | Cannot:
    held = _held(hold)
    return held if isinstance(held, Cannot) else Stopped(held.reference, held.amount, held.sequence, held.at)
