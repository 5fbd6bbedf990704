"""Federated = central (DESIGN §6): institutions that share nothing find, to the unit and in any order
of asking, what one ledger of all coins would have found; with holds, cuts, returns, reversals and debts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.coins import Coins
from arrp.core.ledger import End, Pin, Transfer
from arrp.trace.account import Followed, follow_account

AT = datetime(2022, 11, 23, 12, 0, tzinfo=UTC)
ACCOUNTS = 5
HOME = [0, 0, 1, 2, 2]  # which institution keeps the account: each numbers its own bookings
OUTSIDE = -1


def units(coins: Coins) -> list[int]:
    return [unit for low, high in coins for unit in range(low, high)]


def of_units(numbers: list[int]) -> Coins:
    return Coins.of((number, number + 1) for number in numbers)


@dataclass
class Central:
    """One list per account: cell n holds the coin that came n-th, until it leaves."""

    cells: list[list[int | None]] = field(default_factory=lambda: [[] for _ in range(ACCOUNTS)])
    pins: list[dict[int, str]] = field(default_factory=lambda: [{} for _ in range(ACCOUNTS)])
    debt: list[int] = field(default_factory=lambda: [0] * ACCOUNTS)
    moved: dict[str, list[int]] = field(default_factory=dict)  # transfer -> its coins, front first
    swallowed: list[int] = field(default_factory=list)
    coins: int = 0

    def fresh(self, count: int) -> list[int]:
        self.coins += count
        return list(range(self.coins - count, self.coins))

    def free(self, account: int) -> list[int]:
        pinned = self.pins[account]
        return [n for n, coin in enumerate(self.cells[account]) if coin is not None and n not in pinned]

    def pinned(self, account: int, hold: str) -> list[int]:
        return sorted(n for n, name in self.pins[account].items() if name == hold)

    def pay(self, ref: str, source: int, target: int, amount: int, first: list[int]) -> None:
        """`first` are the cells a hold or a reversal names; then the lowest free ones; then a debt."""
        carried = self.fresh(amount) if source == OUTSIDE else self.take(source, amount, first)
        self.moved[ref] = carried
        if target != OUTSIDE:
            self.cells[target] += carried
            self.repay(target)

    def take(self, account: int, amount: int, first: list[int]) -> list[int]:
        chosen = first[:amount]
        chosen += [n for n in self.free(account) if n not in chosen][: amount - len(chosen)]
        coins = [coin for n in sorted(chosen) if (coin := self.cells[account][n]) is not None]
        for n in chosen:
            self.cells[account][n] = None
            self.pins[account].pop(n, None)
        self.debt[account] += amount - len(coins)
        return coins + self.fresh(amount - len(coins))

    def repay(self, account: int) -> None:
        for n in self.free(account)[: self.debt[account]]:
            coin = self.cells[account][n]
            assert coin is not None
            self.swallowed.append(coin)
            self.cells[account][n] = None
            self.debt[account] -= 1


@dataclass
class World:
    """The same story twice: in `central`, and in ledgers of which each institution sees its own."""

    central: Central = field(default_factory=Central)
    ledgers: list[list[Transfer]] = field(default_factory=lambda: [[] for _ in range(ACCOUNTS)])
    pins: list[list[Pin]] = field(default_factory=lambda: [[] for _ in range(ACCOUNTS)])
    clocks: list[int] = field(default_factory=lambda: [0, 0, 0])
    ways: dict[str, tuple[int, int]] = field(default_factory=dict)
    loss: str = ""

    def tick(self, account: int) -> int:
        self.clocks[HOME[account]] += 1
        return self.clocks[HOME[account]]

    def pay(self, source: int, target: int, amount: int, **more: object) -> None:
        ref = f"t{len(self.ways)}"
        self.ways[ref] = (source, target)
        self.central.pay(ref, source, target, amount, self.named(source, amount, more))
        if source != OUTSIDE:
            end = End.CASH if target == OUTSIDE else None
            leaves = Transfer(self.tick(source), ref, False, amount, AT, str(target), ends=end, **more)  # type: ignore[arg-type]
            self.ledgers[source].append(leaves)
        if target != OUTSIDE:
            more.pop("hold", None)
            comes = Transfer(self.tick(target), ref, True, amount, AT, str(source), **more)  # type: ignore[arg-type]
            self.ledgers[target].append(comes)

    def named(self, account: int, amount: int, more: dict[str, object]) -> list[int]:
        if "hold" in more:
            return self.central.pinned(account, str(more["hold"]))[:amount]
        if "carries" in more:
            assert isinstance(more["carries"], Coins)
            return [self.first_cell(account, str(more["reverses"])) + inside for inside in units(more["carries"])]
        return []

    def first_cell(self, account: int, ref: str) -> int:
        before = 0
        for transfer in self.ledgers[account]:
            if transfer.incoming and transfer.ref == ref:
                return before
            before += transfer.amount if transfer.incoming else 0
        raise AssertionError(ref)

    def reverse(self, ref: str, most: int) -> None:
        """The bank that was paid sends back what of it is still here, and says which coins."""
        source, target = self.ways[ref]
        if OUTSIDE in (source, target):
            return
        base = self.first_cell(target, ref)
        there = [n - base for n in self.central.free(target) if 0 <= n - base < len(self.central.moved[ref])]
        carries = of_units(there[:most])
        if carries.count:
            self.pay(target, source, carries.count, reverses=ref, carries=carries)

    def hold(self, account: int, most: int, order: Random) -> None:
        """The institution pins the coins that its own ledger and the legs it was told lead to."""
        traced = self.trace(order)[account]
        pinned = self.answer(account).free(traced).lowest(most)
        hold = f"{account}:{len(self.pins[account])}"
        stolen = self.stolen()
        cells = self.central.cells[account]
        by_hand = [n for n in self.central.free(account) if cells[n] in stolen][:most]
        assert units(pinned) == by_hand
        self.central.pins[account].update(dict.fromkeys(by_hand, hold))
        self.pins[account].append(Pin(pinned, self.tick(account), None, hold))

    def live(self, pick: int) -> tuple[int, int] | None:
        """Some hold that still keeps coins, as (account, place of its pin)."""
        found = [
            (account, place)
            for account, pins in enumerate(self.pins)
            for place, pin in enumerate(pins)
            if pin.to_sequence is None and self.central.pinned(account, pin.hold)
        ]
        return found[pick % len(found)] if found else None

    def cut(self, pick: int, keep: int) -> None:
        """Release from the highest-numbered: the hold goes on in a second stretch."""
        if (live := self.live(pick)) is None:
            return
        account, place = live
        pin, now = self.pins[account][place], self.tick(account)
        held = self.central.pinned(account, pin.hold)
        for n in held[keep:]:
            del self.central.pins[account][n]
        self.central.repay(account)
        self.pins[account][place] = Pin(pin.coins, pin.from_sequence, now, pin.hold)
        self.pins[account].append(Pin(of_units(held[:keep]), now, None, pin.hold))

    def give_back(self, pick: int, target: int, amount: int) -> None:
        if (live := self.live(pick)) is None or live[0] == target:
            return
        hold = self.pins[live[0]][live[1]].hold
        self.pay(live[0], target, min(amount, len(self.central.pinned(live[0], hold))), hold=hold)

    def stolen(self) -> set[int]:
        return set(self.central.moved.get(self.loss, ()))

    def answer(self, account: int) -> Followed:
        return follow_account(self.ledgers[account], 0, self.pins[account])

    def trace(self, order: Random) -> list[Coins]:
        """Ask account by account. All that travels is `intervals inside a transfer`."""
        traced = [Coins() for _ in range(ACCOUNTS)]
        told = [(self.loss, of_units(list(range(len(self.stolen())))))] if self.loss else []
        while told:
            ref, inside = told.pop(order.randrange(len(told)))
            account = self.ways[ref][1]
            if account == OUTSIDE:
                continue
            followed = self.answer(account)
            new = followed.coins_of(ref, inside) - traced[account]
            traced[account] = traced[account] | new
            told += [(part.ref, part.inside) for part in followed.spent(new) if part.inside.count]
        return traced

    def check(self, order: Random) -> None:
        stolen, traced, found = self.stolen(), self.trace(order), 0
        for account, coins in enumerate(traced):
            followed = self.answer(account)
            cells = self.central.cells[account]
            assert units(followed.here(coins)) == [n for n, coin in enumerate(cells) if coin in stolen]
            found += followed.here(coins).count
            found += self.check_legs(followed, coins)
        assert found == len(stolen)

    def check_legs(self, followed: Followed, coins: Coins) -> int:
        """Each leg names the stolen coins' places inside the transfer; answers the count that ends here."""
        ended, stolen = 0, self.stolen()
        for part in followed.spent(coins):
            if not part.inside.count:
                ended += part.took.count
                continue
            assert units(part.inside) == [i for i, coin in enumerate(self.central.moved[part.ref]) if coin in stolen]
            assert part.back - coins == Coins()  # what came back is traced here again, under its new numbers
            ended += part.took.count if part.ends else 0
        return ended


account = st.integers(0, ACCOUNTS - 1)
amount = st.integers(0, 8)
KINDS = ["deposit", "pay", "pay", "pay", "cash", "hold", "hold", "cut", "give back", "reverse"]
steps = st.tuples(st.sampled_from(KINDS), account, account, amount)


def tell(world: World, step: tuple[str, int, int, int], order: Random) -> None:
    kind, one, other, count = step
    if kind == "deposit":
        world.pay(OUTSIDE, one, count)
    elif kind == "cash":
        world.pay(one, OUTSIDE, count)
    elif kind == "hold":
        traced = [a for a in range(ACCOUNTS) if world.stolen() & set(world.central.cells[a])]
        world.hold(traced[one % len(traced)] if traced else one, count, order)
    elif kind == "cut":
        world.cut(one, count)
    elif kind == "give back":
        world.give_back(one, other, count)
    elif kind == "reverse" and world.ways:
        world.reverse(f"t{order.randrange(len(world.ways))}", count)
    elif kind == "pay" and one != other:
        world.pay(one, other, count)


@settings(max_examples=400, deadline=None)
@given(st.lists(steps, max_size=8), st.lists(steps, min_size=1, max_size=22), account, st.integers(0, 3), st.randoms())
def test_institutions_that_share_nothing_find_what_a_central_ledger_would(
    before: list[tuple[str, int, int, int]],
    after: list[tuple[str, int, int, int]],
    victim: int,
    further: int,
    order: Random,
) -> None:
    world = World()
    for step in before:
        tell(world, step, order)
    world.loss = f"t{len(world.ways)}"
    world.pay(victim, (victim + 1 + further) % ACCOUNTS, 10)
    for step in after:
        tell(world, step, order)
        world.check(order)
