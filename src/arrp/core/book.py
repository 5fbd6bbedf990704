"""A holder's arithmetic for one request: a partition of the coins traced to it (R-11, R-45).

Coin numbers tell an account's turnover, so a book never leaves the node (R-62); what is told is the
sum of each part. Because the parts are sets of the same numbered coins, they add up by construction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from arrp.core.coins import Coins
from arrp.core.ledger import Pin
from arrp.core.money import Amount
from arrp.core.request import Terms


@dataclass(frozen=True, slots=True)
class Block:
    """One reservation in the core, by our reference, and the coins it pins since booking sequence
    `since`. A hold may rest on several, and two holds on one (R-46)."""

    ref: str
    amount: int
    coins: Coins = Coins()
    since: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """Traced coins that left in one transfer, and why nothing can be followed there, if so."""

    leg: str
    coins: Coins
    ends: str | None


@dataclass(frozen=True, slots=True)
class Book:
    """`coins` are traced to the request; its hold's `blocks` pin some of them; `past` are earlier
    stretches of pins, because an earlier outflow went round them. Until the ledger `is_read` a hold
    pins nothing and the blocks alone say what is held. `as_of` is the sequence read up to."""

    request: str
    coins: Coins = Coins()
    blocks: tuple[Block, ...] = ()
    past: tuple[Pin, ...] = ()
    let_go: Coins = Coins()
    returned: Coins = Coins()
    handed_over: Coins = Coins()
    spent: tuple[Spent, ...] = ()
    is_read: bool = False
    in_flight: bool = False  # a stopped payment: what is pinned is `stopped`, not `held`
    as_of: int = 0

    @property
    def blocked(self) -> int:
        return sum(block.amount for block in self.blocks)

    @property
    def pins(self) -> Coins:
        return Coins.of(span for block in self.blocks for span in block.coins)

    @property
    def here(self) -> Coins:
        """Traced coins still in the account, pinned or not, and not let go."""
        left = Coins.of(span for part in self.spent for span in part.coins)
        return self.coins - (self.let_go | self.returned | self.handed_over | left)

    def block(self, ref: str) -> Block:
        """The reservation `ref`, empty when this hold has no part in it."""
        return next((block for block in self.blocks if block.ref == ref), Block(ref, 0))

    def stretches(self) -> tuple[Pin, ...]:
        """All pins this hold has or had, for `follow`."""
        now = tuple(Pin(b.coins, b.since, None, b.ref) for b in self.blocks if b.coins.count)
        return (*self.past, *now)

    def with_block(self, ref: str, amount: int, coins: Coins, at: int) -> Book:
        """The same book from booking sequence `at` on: `ref` at `amount`, pinning `coins`; zero drops it."""
        old = self.block(ref)
        at = max(at, old.since)  # answers may come in another order than they were given
        ended = (Pin(old.coins, old.since, at, ref),) if old.coins.count and old.coins != coins else ()
        since = old.since if old.coins == coins and old.amount else at
        others = tuple(block for block in self.blocks if block.ref != ref)
        kept = (*others, Block(ref, amount, coins, since)) if amount else others
        return replace(self, blocks=kept, past=(*self.past, *ended))

    def pinning(self, free: Coins) -> Book:
        """The same blocks pinning the lowest-numbered of `free` coins, each from when the core answered.

        What a block already pins it keeps, as far as it is among `free`: coins that had left before
        the block stood (between `find` and the core's answer) make place for the next ones.
        """
        blocks: list[Block] = []
        for block in self.blocks:
            stay = (block.coins & free).lowest(block.amount)
            taken = Coins.of(s for other in self.blocks if other.ref != block.ref for s in other.coins)
            coins = stay | (free - stay - taken).lowest(block.amount - stay.count)
            free -= coins
            blocks.append(replace(block, coins=coins))
        return replace(self, blocks=tuple(blocks))

    def terms(self, asked: Amount, others: Coins, *, secured: bool, is_open: bool) -> Terms:
        """The request's terms: the sums of the parts. `others` are coins pinned by other holds here.

        What is here and not held waits for an answer while the request is open, and is let go after.
        """
        if not self.is_read:
            held, idle, restrained, not_found = min(self.blocked, asked.minor), asked.minor - self.blocked, 0, 0
        else:
            free = self.here - self.pins
            restrained = (free & others).count
            held, idle, not_found = self.pins.count, free.count - restrained, asked.minor - self.coins.count
        return Terms(
            asked,
            pending=idle if is_open else 0,
            stopped=held if self.in_flight and not secured else 0,
            held=0 if secured or self.in_flight else held,
            secured=held if secured else 0,
            restrained=restrained,
            moved_on=sum(part.coins.count for part in self.spent if part.ends is None),
            cashed_out=sum(part.coins.count for part in self.spent if part.ends is not None),
            returned=self.returned.count,
            handed_over=self.handed_over.count,
            let_go=self.let_go.count + (0 if is_open else idle),
            not_found=not_found,
        )


def pinned_together(books: Iterable[Book]) -> Coins:
    """All coins any of `books` pins now."""
    return Coins.of(span for book in books for span in book.pins)
