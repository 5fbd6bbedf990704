"""A core of two halves: a ledger that is read, and clerks who hold (R-45, R-99).

Finding and tracing need nobody: the bank's own ledger, or a chain's transfers, say what came and what
went. What takes or moves money stays a task for a clerk. All sequences are the ledger's: what a clerk
did stands behind the last row booked by then, which is fixed when the node first hears of it.

Money that a clerk sent back counts as sent once the ledger shows it. Until the node was told of that,
the ledger is read up to the row before it: a return is no leg, and takes the very coins of its hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from arrp.connectors.manual import CAN as CLERKS
from arrp.connectors.manual import ManualCore
from arrp.connectors.matching import compare, compare_names
from arrp.connectors.tasks import Line, Result, Sending, Task
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
from arrp.core.errors import Malformed, NotFound, Refused
from arrp.core.ledger import Ledger, Transfer

CAN = CLERKS
# A chain stops a whole address, before everybody's eyes, and has nothing in flight.
CAN_ON_CHAIN = replace(CLERKS, reach=Reach.ADDRESS, public=True, in_flight=False)
_SOONER = timedelta(days=1)  # a transfer may be booked with a date before the clerk was asked

Answer = TypeVar("Answer", Held, Stopped, Released)


@dataclass(frozen=True, slots=True)
class Kept:
    """One account in one asset as the ledger has it: all its transfers, in booking order."""

    ref: str
    asset: str
    holder: str
    ledger: Ledger

    @property
    def booked(self) -> int:
        """Minor units; below zero is an overdraft."""
        moved = sum(each.amount if each.incoming else -each.amount for each in self.ledger.transfers)
        return self.ledger.opening + moved

    def before(self, sequence: int) -> Kept:
        """As it stood just before that row."""
        earlier = tuple(each for each in self.ledger.transfers if each.sequence < sequence)
        return replace(self, ledger=Ledger(self.ledger.opening, earlier, min(self.ledger.as_of, sequence - 1)))


class AccountLedger(Protocol):
    """The half that is read. All raise CoreDown where it cannot be, or is not what was read before."""

    def newest(self) -> tuple[int, datetime | None]:
        """Sequence and time of the newest row; (0, None) where there is none."""

    def account(self, account: str, asset: str) -> Kept | None:
        """The account, if it is one that is kept here."""

    def by_ref(self, ref: str) -> Kept | None:
        """The same by the name that the ledger gave it: `Kept.ref`."""

    def credited(self, refs: tuple[str, ...]) -> tuple[str, str, str] | None:
        """Where a payment of one of these names arrived here: account, its `Kept.ref`, the transfer's ref."""

    def booked_by(self, at: datetime) -> int:
        """Sequence of the last row booked at that instant or before; 0 before the first."""


class LedgerCore:
    """The ledger of one institution, and the hands that hold for it."""

    def __init__(self, ledger: AccountLedger, hands: ManualCore, can: Capabilities = CAN) -> None:
        self.ledger, self.hands, self._can = ledger, hands, can

    def close(self) -> None:
        self.hands.close()

    # --- read -----------------------------------------------------------------------------------------

    def can(self) -> Capabilities:
        return self._can

    def find(self, question: Question) -> Found:
        kept = self.ledger.account(question.account, question.asset)
        if kept is None:
            return self._elsewhere(question)
        kept, sent = self._as_told(kept)
        matching = compare(question, kept.holder, kept.ledger.transfers)
        free = max(0, kept.booked - self._held(kept.ref) - sent)
        return Found(AccountStatus.OPEN, kept.ledger.as_of, kept.booked, free, matching.comparisons,
                     matching.credits, kept.ledger, kept.ref)

    def transfers_since(self, account_ref: str, sequence: int) -> Statement:
        kept, _ = self._as_told(self._kept(account_ref))
        after = tuple(each for each in kept.ledger.transfers if each.sequence > sequence)
        return Statement(after, kept.ledger.as_of)

    def status(self, ref: str) -> Status:
        found = self.hands.status(ref)
        return found if found.state is HoldState.UNKNOWN else replace(found, sequence=self._place(found.sequence))

    def holds(self) -> tuple[InForce, ...]:
        return tuple(replace(each, sequence=self._place(each.sequence)) for each in self.hands.holds())

    # --- done by clerks -------------------------------------------------------------------------------

    def hold(self, ref: str, account_ref: str, amount: int, until: datetime | None) -> Held | Cannot:
        try:
            self._learn(account_ref)
        except NotFound:
            return Cannot(Why.NOT_FOUND)
        return self._placed(self.hands.hold(ref, account_ref, amount, until))

    def stop(self, ref: str, uetr: str, amount: int) -> Stopped | Landed | Gone | Cannot:
        """What has arrived by the ledger needs no clerk to say so."""
        landed = self.ledger.credited((uetr,)) if uetr else None
        if landed is not None:
            return Landed(landed[2], landed[1])
        if not self._can.in_flight:
            return Gone()
        answer = self.hands.stop(ref, uetr, amount)
        return self._placed(answer) if isinstance(answer, Stopped) else answer

    def release(self, ref: str, to_amount: int) -> Released | Cannot:
        return self._placed(self.hands.release(ref, to_amount))

    def extend(self, ref: str, until: datetime | None) -> Held | Cannot:
        return self._placed(self.hands.extend(ref, until))

    def give_back(self, ref: str, payout: PayOut) -> Returned | Cannot:
        return self._sent("give_back", payout, self.hands.give_back(ref, payout))

    def hand_over(self, ref: str, payout: PayOut) -> Returned | Cannot:
        return self._sent("hand_over", payout, self.hands.hand_over(ref, payout))

    # --- the clerk's side -----------------------------------------------------------------------------

    def tasks(self, *, done: bool = False) -> list[Task]:
        return self.hands.tasks(done=done)

    def task(self, id: int) -> Task:
        """Raises NotFound."""
        return self.hands.task(id)

    def done(self, id: int, result: Result) -> Task:
        """What the clerk did. Raises NotFound, Malformed, and Conflict where another result was typed before."""
        if result.lines or result.credits:
            raise Malformed("the ledger is read here, and nobody types it: leave out transfers and credits")
        account = self.hands.task(id).wish.get("account_ref", "")
        if account:
            self._learn(account)
        return self.hands.done(id, result)

    def add_lines(self, account_ref: str, lines: tuple[Line, ...]) -> int:
        """Raises Refused, always."""
        raise Refused(f"{len(lines)} movements of {account_ref}: the ledger is read here, nobody types it", rule="R-99")

    # --- inside ---------------------------------------------------------------------------------------

    def _elsewhere(self, question: Question) -> Found:
        """No such account here; where the claimed payment went instead, if it came here at all."""
        refs = tuple(ref for claimed in question.credits for ref in claimed.refs if ref)
        reached = self.ledger.credited(refs)
        differs = Comparison("account", Compared.DIFFERS, None, reached[0] if reached else "")
        name = compare_names(question.creditor_name, "")
        return Found(AccountStatus.NONE, self.ledger.newest()[0], comparisons=(differs, name))

    def _kept(self, account_ref: str) -> Kept:
        kept = self.ledger.by_ref(account_ref)
        if kept is None:
            raise NotFound(f"the ledger has no account {account_ref or '(none named)'} that is kept here")
        return kept

    def _as_told(self, kept: Kept) -> tuple[Kept, int]:
        """The account with each return marked by its hold, up to the first that the node was not told of; and
        how much left by those a clerk has done and this ledger does not show."""
        with self.hands.book.transaction():
            sendings = self.hands.book.sendings(kept.ref)
        rows = _rows_of(sendings, kept.ledger.transfers)
        holds = {row.sequence: one.hold for one, row in rows}
        marked = tuple(replace(each, hold=holds.get(each.sequence)) for each in kept.ledger.transfers)
        kept = replace(kept, ledger=replace(kept.ledger, transfers=marked))
        untold = [row.sequence for one, row in rows if not one.is_told]
        if untold:
            kept = kept.before(min(untold))
        shown = {one.payout for one, row in rows if row.sequence <= kept.ledger.as_of}
        return kept, sum(one.amount for one in sendings if one.sequence and one.payout not in shown)

    def _held(self, account_ref: str) -> int:
        with self.hands.book.transaction():
            return self.hands.book.held(account_ref)

    def _learn(self, account_ref: str) -> None:
        """Raises NotFound."""
        kept, sent = self._as_told(self._kept(account_ref))
        with self.hands.book.transaction():
            self.hands.book.learn(kept.ref, kept.asset, kept.holder, kept.booked - sent)

    def _place(self, sequence: int) -> int:
        with self.hands.book.transaction():
            return self.hands.book.place(sequence, self.ledger.booked_by)

    def _placed(self, answer: Answer | Cannot) -> Answer | Cannot:
        return answer if isinstance(answer, Cannot) else replace(answer, sequence=self._place(answer.sequence))

    def _sent(self, verb: str, payout: PayOut, answer: Returned | Cannot) -> Returned | Cannot:
        """Sent, once the ledger shows it. A payment that was stopped in flight stands on no account here."""
        account = next((each.wish["account_ref"] for each in self.tasks(done=True)
                        if each.verb == verb and each.wish["payout"] == payout.ref), "")
        if isinstance(answer, Cannot) or not account:
            return answer if isinstance(answer, Cannot) else replace(answer, sequence=self._place(answer.sequence))
        kept = self._kept(account)
        with self.hands.book.transaction():
            rows = _rows_of(self.hands.book.sendings(account), kept.ledger.transfers)
            row = next((row for one, row in rows if one.payout == payout.ref), None)
            if row is not None:
                return replace(answer, sequence=self.hands.book.place(answer.sequence, lambda _: row.sequence))
        raise self.hands.not_yet(verb, payout.ref)


def _rows_of(sendings: list[Sending], transfers: tuple[Transfer, ...]) -> list[tuple[Sending, Transfer]]:
    """The row of each, as far as there is one: the first of that amount, not before it was asked, that has one of
    its names or goes to its payee. The first stays the first, however the ledger grows."""
    taken: dict[int, tuple[Sending, Transfer]] = {}
    for one in sendings:
        names = {one.payout, one.reference} - {""}
        for each in transfers:
            mine = names & {each.ref, each.uetr, each.end_to_end} or (one.payee and each.other == one.payee)
            fits = not each.incoming and each.amount == one.amount and each.at > one.asked_at - _SOONER
            if mine and fits and each.sequence not in taken:
                taken[each.sequence] = (one, each)
                break
    return list(taken.values())
