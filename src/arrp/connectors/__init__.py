"""The one small contract between a node and the system that keeps the money.

Every acting verb is idempotent by the `ref` its originator made beforehand: asked again, it gives
the same answer; the same ref with other content raises Conflict. Wishes state the wanted end
("10000 stays held", "until X"), never a difference. A core says no with `Cannot`, as a value; what
it raises is one of the two errors below.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from arrp.core.answers import (
    Cannot,
    Capabilities,
    Found,
    Gone,
    Held,
    InForce,
    Landed,
    PayOut,
    Question,
    Released,
    Returned,
    Statement,
    Status,
    Stopped,
)
from arrp.core.errors import ArrpError


class CoreDown(ArrpError):
    """The core was not reached: nothing happened, try again later."""

    exit_code = 6
    status = 503


class CoreUnclear(ArrpError):
    """No answer in time: it may have happened or not. Ask `status`, or the same verb with the same ref."""

    exit_code = 6
    status = 503


class NotYet(CoreDown):
    """A person has to do it, as task `task`, and has not yet: ask again. `overdue`: their time is over (R-99)."""

    def __init__(self, task: str, *, overdue: bool) -> None:
        super().__init__(f"task {task} is not done yet")
        self.task, self.overdue = task, overdue


class Connector(Protocol):
    """What a node may ask of a core. All may raise CoreDown and CoreUnclear."""

    def can(self) -> Capabilities:
        """What this core is able to do. Never fails."""

    def find(self, question: Question) -> Found:
        """The account as the core knows it, and the credits the question claims."""

    def hold(self, ref: str, account_ref: str, amount: int, until: datetime | None) -> Held | Cannot:
        """Keep exactly `amount` of what is free, or nothing. The core lets go at `until` where it can;
        None = it waits to be told.

        A refusal is remembered under its ref; to try again takes a new one.
        """

    def stop(self, ref: str, uetr: str, amount: int) -> Stopped | Landed | Gone | Cannot:
        """Keep up to `amount` of a payment in flight; from then on `ref` is a hold like any other."""

    def status(self, ref: str) -> Status:
        """How the hold stands now."""

    def holds(self) -> tuple[InForce, ...]:
        """Every hold in force, to find those nobody knows of."""

    def release(self, ref: str, to_amount: int) -> Released | Cannot:
        """Let no more than `to_amount` stay held. Never raises a hold."""

    def extend(self, ref: str, until: datetime | None) -> Held | Cannot:
        """The core lets go at `until`, sooner or later than before. A hold that ended stays ended."""

    def give_back(self, ref: str, payout: PayOut) -> Returned | Cannot:
        """Pay held money back to the payee."""

    def hand_over(self, ref: str, payout: PayOut) -> Returned | Cannot:
        """Pay held money to an authority or another lawful payee."""

    def transfers_since(self, account_ref: str, sequence: int) -> Statement:
        """The account's transfers booked after `sequence`. Raises NotFound for an unknown account."""
