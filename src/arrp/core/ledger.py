"""One account as its own ledger tells it: transfers, the coins a hold pins, the parts that left.

The order is the ledger's booking sequence, never the time. A ledger only grows: a reversal or a
return is a new transfer that says which coins of the earlier one it carries back (DESIGN §6).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from arrp.core.coins import Coins
from arrp.core.errors import Malformed
from arrp.core.messages import PRIVATE


class End(StrEnum):
    """Where following stops because no account comes after it."""

    CASH = "cash"
    FEE = "fee"
    OVERDRAFT = "overdraft"  # repaid a debt that was there before the coins were
    GOOD_FAITH = "good_faith"  # a recipient in good faith for value


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement into or out of one account, as that account's ledger shows it.

    `other` is the account on the other side ("" for cash), `agent` its institution. `reverses` and
    `carries` belong together: this transfer brings back the coins at `carries` inside the transfer
    `reverses`. `hold` names the hold whose pinned coins this outgoing transfer takes.
    """

    sequence: int
    ref: str
    incoming: bool
    amount: int
    at: datetime
    other: str = field(default="", metadata=PRIVATE)
    other_name: str = field(default="", metadata=PRIVATE)
    agent: str = ""
    purpose: str = field(default="", metadata=PRIVATE)
    uetr: str = ""
    end_to_end: str = ""
    reverses: str = ""
    carries: Coins | None = None
    ends: End | None = None
    hold: str | None = None

    def __post_init__(self) -> None:
        if self.sequence < 0 or self.amount < 0:
            raise Malformed(f"transfer {self.ref}: sequence and amount are whole numbers, zero or more")
        if self.at.tzinfo is None:
            raise Malformed(f"transfer {self.ref}: its time {self.at} names no time zone")
        if self.carries is not None and not self.reverses:
            raise Malformed(f"transfer {self.ref} carries coins back but does not say of which transfer")


@dataclass(frozen=True, slots=True)
class Ledger:
    """An account's transfers up to the booking sequence `as_of`; `opening` is what was there before."""

    opening: int
    transfers: tuple[Transfer, ...]
    as_of: int


@dataclass(frozen=True, slots=True)
class Pin:
    """Coins a hold keeps where they are.

    In force for every transfer booked after `from_sequence`, up to and with `to_sequence` (None:
    still); it keeps those of `coins` that are here then. A hold that is cut or raised has one pin
    per stretch.
    """

    coins: Coins
    from_sequence: int
    to_sequence: int | None = None
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """The coins asked about that left by one transfer: (`ref`, `sequence`) names it.

    `took` are coins of this account, `inside` the same coins counted inside that transfer, in the
    same order. `came_back` are those of them that came back to this account since, `back` the new
    numbers they have here.
    With `ends` = overdraft and nothing `inside`, the coins repaid, at `sequence`, a debt that the
    earlier transfer `ref` had made: they are not in that transfer.
    """

    ref: str
    sequence: int
    took: Coins
    inside: Coins
    ends: End | None = None
    came_back: Coins = field(default_factory=Coins)
    back: Coins = field(default_factory=Coins)
