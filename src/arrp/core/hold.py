"""A hold: money kept where it is for a legal time. One id, one owner, one timer: the holder's.

The `Hold` value is what the holder states and what every mirror shows: each fact about a hold
carries it whole, so the last word is the whole truth (R-31). The arithmetic behind it — which coins
are pinned — is the holder's own `Book` and never leaves the node (R-62).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from arrp.core.deadline import Basis, earliest
from arrp.core.lifecycle import Lifecycle
from arrp.core.messages import PRIVATE
from arrp.core.money import Amount

IN_FORCE = ("provisional", "confirmed", "secured")

HOLD = Lifecycle(
    name="hold",
    start="placing",
    moves={
        ("placing", "HoldPlaced"): "provisional",
        ("placing", "HoldFailed"): "failed",
        **{
            (state, kind): state
            for state in IN_FORCE
            for kind in ("HoldRaised", "HoldReduced", "ReturnAnnounced", "ReturnSent", "ReturnFailed")
        },
        ("provisional", "HoldKept"): "provisional",
        ("provisional", "HoldDecided"): "provisional",
        ("provisional", "HoldConfirmed"): "confirmed",
        ("confirmed", "HoldKept"): "confirmed",
        ("secured", "HoldKept"): "secured",
        ("confirmed", "HoldExtended"): "confirmed",
        ("confirmed", "HoldSecured"): "secured",
        ("secured", "HoldSecured"): "secured",
        ("secured", "HoldHandedOver"): "handed_over",
        **{(state, "HoldReturned"): "returned" for state in ("confirmed", "secured")},
        **{(state, "HoldEnding"): "ending" for state in IN_FORCE},
        ("ending", "HoldReleased"): "released",
        ("ending", "HoldLapsed"): "lapsed",
        ("ending", "HoldReturned"): "returned",
    },
    ends=frozenset({"failed", "released", "lapsed", "returned", "handed_over"}),
    clocks={
        "placing": "the core's answer, escalated",
        "provisional": "keep_by and decide_by",
        "confirmed": "until",
        "secured": "review_at",
        "ending": "the core's answer, alarmed as held without basis",
    },
)


@dataclass(frozen=True, slots=True)
class Resting:
    """One ledger credit the hold rests on, with its part."""

    part: Amount
    amount: Amount
    booked_at: datetime
    reference: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held. `amount` is blocked in the core now; `wanted` is what law and wish still cover:
    amount above wanted is being let go, and past its end it is held without basis (shown red)."""

    id: str
    request: str
    holder: str
    state: str
    amount: Amount
    claim: Amount
    wanted: Amount
    kept: Amount | None
    decided: bool
    basis: Basis | None
    placed_at: datetime | None = None
    keep_by: datetime | None = None
    decide_by: datetime | None = None
    until: datetime | None = None
    review_at: datetime | None = None
    ended_at: datetime | None = None
    why: str | None = None
    reach: str = "amount"
    beyond: Amount | None = None
    credits: tuple[Resting, ...] = ()
    reference: str = field(default="", metadata=PRIVATE)

    @property
    def in_force(self) -> bool:
        return self.state in IN_FORCE

    @property
    def is_over(self) -> bool:
        return self.state in HOLD.ends

    @property
    def may_begin_again(self) -> bool:
        """Whether another hold of the same request may follow: this one was never placed, or its money
        went back and may bounce. Released or lapsed is for good (I4)."""
        return self.state in ("failed", "returned")

    @property
    def deadline(self) -> datetime | None:
        """The holder's one timer: the earliest live clock (R-42)."""
        if self.state == "secured":
            return self.review_at
        if self.state not in ("provisional", "confirmed"):
            return None
        return earliest(None if self.is_kept else self.keep_by, None if self.decided else self.decide_by, self.until)

    @property
    def is_kept(self) -> bool:
        """Whether nothing of it is surplus any more."""
        return self.kept is not None and self.kept.minor >= self.wanted.minor

    def moved(self, kind: str, **changes: object) -> Hold:
        """The hold after `kind`, along the owner's table. Raises Conflict for an illegal move (I10)."""
        return replace(self, state=HOLD.move(self.state, kind), **changes)  # type: ignore[arg-type]
