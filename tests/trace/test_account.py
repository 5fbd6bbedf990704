"""One-account FIFO with pins against an oracle that moves every coin by hand (I17, DESIGN §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.coins import Coins
from arrp.core.errors import Malformed
from arrp.core.ledger import End, Part, Pin, Transfer
from arrp.trace.account import follow_account

AT = datetime(2022, 6, 28, 9, 0, tzinfo=UTC)  # every transfer at the same instant: only the sequence orders


def into(sequence: int, amount: int, ref: str = "", **more: object) -> Transfer:
    return Transfer(sequence, ref or f"t{sequence}", True, amount, AT, **more)  # type: ignore[arg-type]


def out(sequence: int, amount: int, ref: str = "", **more: object) -> Transfer:
    return Transfer(sequence, ref or f"t{sequence}", False, amount, AT, **more)  # type: ignore[arg-type]


def coins(*spans: tuple[int, int]) -> Coins:
    return Coins.of(spans)


def units(some: Coins) -> list[int]:
    return [unit for low, high in some for unit in range(low, high)]


def of_units(numbers: Sequence[int]) -> Coins:
    return Coins.of((number, number + 1) for number in numbers)


# --- by hand -------------------------------------------------------------------------------------


def test_claytons_case_first_in_is_first_out() -> None:
    """Paul 10, Michael 10, spend 10, Karen 10, spend 10: nothing of Paul or Michael is left, all of Karen."""
    followed = follow_account(
        [into(1, 10, "paul"), into(2, 10, "michael"), out(3, 10), into(4, 10, "karen"), out(5, 10)], 0, []
    )
    here = {name: followed.here(followed.coins_of(name)).count for name in ("paul", "michael", "karen")}
    assert here == {"paul": 0, "michael": 0, "karen": 10}


def test_the_opening_balance_leaves_first() -> None:
    followed = follow_account([into(1, 100, "loss"), out(2, 80)], 50, [])
    assert followed.coins_of("loss") == coins((50, 150))
    assert followed.spent(followed.coins_of("loss")) == (Part("t2", 2, coins((50, 80)), coins((50, 80))),)
    assert followed.here(followed.coins_of("loss")) == coins((80, 150))


def test_a_pinned_coin_stays_and_younger_ones_leave() -> None:
    followed = follow_account([into(1, 100, "loss"), into(3, 50), out(4, 60)], 0, [Pin(coins((0, 90)), 1, None, "H")])
    assert followed.here(followed.coins_of("loss")) == coins((0, 90))
    assert followed.spent(followed.coins) == (Part("t4", 4, coins((90, 150)), coins((0, 60))),)
    assert followed.free(followed.coins) == Coins()


def test_a_pin_binds_after_its_sequence_and_up_to_its_end() -> None:
    pin = Pin(coins((0, 10)), 2, 4, "H")
    ledger = [into(1, 20), out(2, 3), out(4, 3), out(5, 3)]
    taken = {part.ref: part.took for part in follow_account(ledger, 0, [pin]).spent(coins((0, 20)))}
    assert taken == {"t2": coins((0, 3)), "t4": coins((10, 13)), "t5": coins((3, 6))}


def test_a_transfer_of_a_hold_takes_its_pinned_coins_lowest_first() -> None:
    pins = [Pin(coins((10, 30)), 1, None, "A"), Pin(coins((30, 40)), 1, None, "B")]
    followed = follow_account([into(1, 50), out(2, 15, hold="A")], 0, pins)
    assert followed.spent(followed.coins) == (Part("t2", 2, coins((10, 25)), coins((0, 15))),)
    assert followed.pinned == coins((25, 40))


def test_a_cut_hold_is_two_stretches_and_the_surplus_may_leave() -> None:
    pins = [Pin(coins((0, 100)), 1, 2, "H"), Pin(coins((0, 60)), 2, None, "H")]
    followed = follow_account([into(1, 100), out(3, 30)], 0, pins)
    assert followed.spent(followed.coins)[0].took == coins((60, 90))


def test_coins_before_an_overdraft_repay_it_and_are_not_in_the_earlier_transfer() -> None:
    """Bishopsgate v Homan: what was bought on the overdraft was not bought with the later money."""
    followed = follow_account([into(1, 10), out(2, 25, "boat"), into(3, 40, "loss")], 0, [])
    assert followed.spent(followed.coins_of("loss")) == (Part("boat", 3, coins((10, 25)), Coins(), End.OVERDRAFT),)
    assert followed.here(followed.coins_of("loss")) == coins((25, 50))
    assert followed.spent(coins((0, 10))) == (Part("boat", 2, coins((0, 10)), coins((0, 10))),)


def test_an_account_that_opens_overdrawn_swallows_what_comes_first() -> None:
    followed = follow_account([into(1, 40, "loss")], -15, [])
    assert followed.here(followed.coins_of("loss")) == coins((15, 40))
    assert followed.booked == 25


def test_released_coins_repay_a_debt_made_while_they_were_pinned() -> None:
    followed = follow_account([into(1, 10), out(2, 4)], 0, [Pin(coins((0, 10)), 1, 5, "H")])
    assert followed.spent(followed.coins) == (Part("t2", 5, coins((0, 4)), Coins(), End.OVERDRAFT),)


def test_a_hold_taken_over_in_one_commit_leaves_no_gap_for_a_debt() -> None:
    pins = [Pin(coins((0, 10)), 1, 5, "H"), Pin(coins((0, 10)), 5, None, "I")]
    followed = follow_account([into(1, 10), out(2, 4)], 0, pins)
    assert (followed.pinned, followed.owed) == (coins((0, 10)), 4)


def test_a_return_brings_the_same_coins_back_under_new_numbers() -> None:
    ledger = [
        into(1, 30, "loss"),
        out(2, 20, "paid"),
        into(3, 8, "back", reverses="paid", carries=coins((5, 9), (12, 16))),
    ]
    (part,) = follow_account(ledger, 0, []).spent(coins((6, 14)))
    assert part.inside == coins((6, 14))
    assert part.came_back == coins((6, 9), (12, 14))
    assert part.back == coins((31, 34), (34, 36))  # 6..9 are places 1..4 of what came back, 12..14 places 4..6


def test_a_coin_comes_back_only_once() -> None:
    twice = [into(n, 4, f"back{n}", reverses="paid", carries=coins((0, 4))) for n in (3, 4)]
    (part,) = follow_account([into(1, 10), out(2, 10, "paid"), *twice], 0, []).spent(coins((0, 10)))
    assert part.back == coins((10, 14))


def test_nothing_comes_back_before_it_left() -> None:
    early = into(1, 4, reverses="paid", carries=coins((0, 4)))
    (part,) = follow_account([early, out(2, 4, "paid")], 0, []).spent(coins((0, 4)))
    assert part.back == Coins()


def test_a_hold_on_arrival_comes_after_the_debt_is_repaid() -> None:
    followed = follow_account([out(1, 4), into(2, 10)], 0, [Pin(coins((0, 10)), 2, None, "H")])
    assert (followed.pinned, followed.owed) == (coins((4, 10)), 0)


def test_a_reversal_takes_the_very_coins_it_reverses() -> None:
    """Not the account holder's older money: only the wrongly booked coins that are still here."""
    ledger = [into(1, 10), into(2, 10, "wrong"), out(3, 10, "undo", reverses="wrong", carries=coins((0, 10)))]
    assert follow_account(ledger, 0, []).spent(coins((0, 20))) == (Part("undo", 3, coins((10, 20)), coins((0, 10))),)


def test_what_has_not_arrived_occupies_nothing() -> None:
    followed = follow_account([into(1, 10), into(2, 10, "late")], 0, [], as_of=1)
    assert followed.coins_of("late") == Coins()
    assert followed.coins_of("t1", coins((4, 99))) == coins((4, 10))


@pytest.mark.parametrize(
    ("ledger", "says"),
    [
        ([into(1, 1, "a"), into(1, 1, "b")], "booking sequence 1"),
        ([into(1, 1, "a"), into(2, 1, "a")], "ref a"),
    ],
)
def test_contradictions_are_refused_by_name(ledger: list[Transfer], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        follow_account(ledger, 0, [])


def test_a_coin_two_holds_name_passes_to_the_later_one_when_the_first_ends() -> None:
    pins = [Pin(coins((0, 6)), 1, 4, "H"), Pin(coins((4, 9)), 2, None, "I")]
    ledger = [into(1, 10), out(3, 1), out(5, 4), out(6, 2, hold="I")]
    taken = {part.ref: part.took for part in follow_account(ledger, 0, pins).spent(coins((0, 10)))}
    assert taken == {"t3": coins((9, 10)), "t5": coins((0, 4)), "t6": coins((4, 6))}


def test_a_transfer_refuses_what_cannot_be() -> None:
    with pytest.raises(Malformed, match="time zone"):
        Transfer(1, "a", True, 1, AT.replace(tzinfo=None))
    with pytest.raises(Malformed, match="zero or more"):
        into(1, -1)
    with pytest.raises(Malformed, match="of which transfer"):
        into(1, 1, carries=coins((0, 1)))


def test_a_busy_account_is_read_in_one_pass() -> None:
    """60,000 transfers past 500 pinned coins: an O(n²) rescan would not end."""
    ledger = [into(1, 1000)]
    ledger += [(into if n % 2 else out)(n, 3) for n in range(2, 60_000)]
    followed = follow_account(ledger, 0, [Pin(of_units(range(0, 1000, 2)), 1, None, "H")])
    assert followed.here(coins((0, 1000))) == of_units(range(0, 1000, 2))


# --- the oracle: every coin is a cell, moved by hand ---------------------------------------------


@dataclass
class Cell:
    """Where one coin is."""

    line: list[int] = field(default_factory=list)  # places of the pins that name it; the first keeps it
    left: tuple[str, int, int | None] | None = None  # ref, sequence, place inside (None: repaid a debt)


@dataclass
class ByHand:
    cells: list[Cell] = field(default_factory=list)
    debts: list[list[object]] = field(default_factory=list)
    first: dict[str, tuple[int, int]] = field(default_factory=dict)
    back: dict[tuple[str, int], int] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    pins: list[Pin] = field(default_factory=list)

    def run(self, ledger: Sequence[Transfer], opening: int, pins: Sequence[Pin], as_of: int) -> ByHand:
        self.cells += [Cell() for _ in range(opening)]
        if opening < 0:
            self.debts.append(["", -opening])
        for now in range(as_of + 1):
            for transfer in ledger:
                if transfer.sequence == now:
                    self.book(transfer)
            self.change_pins(pins, now)
            self.repay(now)
        return self

    def change_pins(self, pins: Sequence[Pin], now: int) -> None:
        self.pins = sorted(pins, key=lambda pin: (pin.from_sequence, pin.hold, pin.coins.spans))
        for place, pin in enumerate(self.pins):
            for cell in self.cells:
                if pin.to_sequence == now and place in cell.line:
                    cell.line.remove(place)
        for place, pin in enumerate(self.pins):
            for number, cell in enumerate(self.cells):
                if pin.from_sequence == now != pin.to_sequence and cell.left is None and number in units(pin.coins):
                    cell.line.append(place)

    def book(self, transfer: Transfer) -> None:
        if transfer.incoming:
            self.first[transfer.ref] = (len(self.cells), transfer.amount)
            for place, inside in enumerate(units(transfer.carries or Coins())[: transfer.amount]):
                if transfer.reverses in self.paid:
                    self.back.setdefault((transfer.reverses, inside), len(self.cells) + place)
            self.cells += [Cell() for _ in range(transfer.amount)]
            self.repay(transfer.sequence)
            return
        chosen = sorted(self.choose(transfer))
        for place, number in enumerate(chosen):
            self.cells[number].left = (transfer.ref, transfer.sequence, place)
            self.cells[number].line = []
        self.paid.add(transfer.ref)
        if transfer.amount > len(chosen):
            self.debts.append([transfer.ref, transfer.amount - len(chosen)])

    def choose(self, transfer: Transfer) -> list[int]:
        first, size = self.first.get(transfer.reverses, (0, 0))
        chosen = [n for n, cell in enumerate(self.cells) if cell.line and self.pins[cell.line[0]].hold == transfer.hold]
        chosen = chosen[: transfer.amount]
        named = [first + n for n in units(transfer.carries or Coins())[: transfer.amount - len(chosen)] if n < size]
        free = [n for n, cell in enumerate(self.cells) if cell.left is None and not cell.line]
        chosen += [number for number in named if number in free]
        chosen += [number for number in free if number not in chosen][: transfer.amount - len(chosen)]
        return chosen

    def repay(self, now: int) -> None:
        for cell in self.cells:
            while self.debts and self.debts[0][1] == 0:
                self.debts.pop(0)
            if self.debts and cell.left is None and not cell.line:
                cell.left = (str(self.debts[0][0]), now, None)
                self.debts[0][1] -= 1  # type: ignore[operator]
        while self.debts and self.debts[0][1] == 0:
            self.debts.pop(0)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Transfer], int, list[Pin]]:
    """A random ledger with pins placed and released at any time, over any coins, spent or yet to come."""
    opening = draw(st.integers(-6, 12))
    ledger: list[Transfer] = []
    pins: list[Pin] = []
    for sequence in range(1, draw(st.integers(1, 14)) + 1):
        kind = draw(st.sampled_from(["in", "in", "out", "out", "pin", "hold out", "undo", "back"]))
        amount = draw(st.integers(0, 9))
        if kind == "pin":
            pins.append(draw(a_pin(sequence)))
            continue
        earlier = [t.ref for t in ledger if t.incoming == (kind == "undo")]
        more: dict[str, object] = {"hold": draw(st.sampled_from(["H0", "H1", "H2"]))} if kind == "hold out" else {}
        if kind in ("undo", "back") and earlier:
            carries = of_units(sorted(draw(st.sets(st.integers(0, 8)))))
            more = {"reverses": draw(st.sampled_from(earlier)), "carries": carries}
        ledger.append((into if kind in ("in", "back") else out)(sequence, amount, **more))
    return draw(st.permutations(ledger)), opening, pins


@st.composite
def a_pin(draw: st.DrawFn, sequence: int) -> Pin:
    start = sequence - draw(st.integers(0, 1))  # a core may answer with the last booking's number or with its own
    end = draw(st.one_of(st.none(), st.integers(start, 16)))
    wanted = draw(st.sets(st.integers(0, 25), max_size=12))
    return Pin(of_units(sorted(wanted)), start, end, draw(st.sampled_from(["H0", "H1", "H2"])))


@settings(max_examples=400, deadline=None)
@given(histories(), st.integers(0, 16), st.sets(st.integers(0, 40)))
def test_every_coin_is_where_the_oracle_put_it(
    history: tuple[list[Transfer], int, list[Pin]], as_of: int, asked: set[int]
) -> None:
    ledger, opening, pins = history
    followed, hand = follow_account(ledger, opening, pins, as_of), ByHand().run(ledger, opening, pins, as_of)
    assert followed.coins.count == len(hand.cells)
    assert followed.owed == sum(int(str(debt)) for _, debt in hand.debts)
    some = [number for number in sorted(asked) if number < len(hand.cells)]
    assert units(followed.here(of_units(sorted(asked)))) == [n for n in some if hand.cells[n].left is None]
    assert units(followed.pinned & of_units(some)) == [n for n in some if hand.cells[n].line]
    gone = {}
    for part in followed.spent(of_units(sorted(asked))):
        inside = units(part.inside) or [None] * part.took.count
        gone.update({n: (part.ref, part.sequence, place) for n, place in zip(units(part.took), inside, strict=True)})
        back = [hand.back[part.ref, place] for place in units(part.inside) if (part.ref, place) in hand.back]
        assert units(part.back) == sorted(back)
        came_back = [n for n, place in zip(units(part.took), inside, strict=True) if (part.ref, place) in hand.back]
        assert units(part.came_back) == came_back
    assert gone == {n: hand.cells[n].left for n in some if hand.cells[n].left is not None}


@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_later_answer_only_adds(history: tuple[list[Transfer], int, list[Pin]]) -> None:
    """DESIGN §6: legs only grow; what was said as of n is still true as of n + 1."""
    ledger, opening, pins = history
    answers = [follow_account(ledger, opening, pins, as_of) for as_of in range(17)]
    for earlier, later in pairwise(answers):
        said = [replace(part, came_back=Coins(), back=Coins()) for part in earlier.spent(earlier.coins)]
        now = [replace(part, came_back=Coins(), back=Coins()) for part in later.spent(earlier.coins)]
        assert [part for part in now if part in said] == said


@settings(max_examples=100, deadline=None)
@given(histories(), st.data())
def test_splitting_a_transfer_into_consecutive_parts_moves_nothing(
    history: tuple[list[Transfer], int, list[Pin]], data: st.DataObject
) -> None:
    ledger, opening, pins = history
    ledger = [replace(t, sequence=t.sequence * 2, reverses="", carries=None) for t in ledger]
    pins = [
        replace(p, from_sequence=p.from_sequence * 2, to_sequence=p.to_sequence and p.to_sequence * 2) for p in pins
    ]
    parts: list[Transfer] = []
    for transfer in ledger:
        first = data.draw(st.integers(0, transfer.amount))
        parts.append(replace(transfer, sequence=transfer.sequence - 1, ref=transfer.ref + "a", amount=first))
        parts.append(replace(transfer, amount=transfer.amount - first))
    whole, split = follow_account(ledger, opening, pins), follow_account(parts, opening, pins)
    assert (whole.here(whole.coins), whole.owed) == (split.here(split.coins), split.owed)
