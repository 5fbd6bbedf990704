"""Many institutions, each with its own ledger: put together they are one ledger of all; who lies leaves a gap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.coins import Coins
from arrp.core.ledger import End, Pin, Transfer
from arrp.trace.account import Followed, follow_account
from arrp.trace.asked import with_returns
from arrp.trace.follow import Answer, follow
from arrp.trace.found import Theft
from arrp.trace.ledger import OUTSIDE, Ledger
from arrp.trace.stitch import Onward, Stitched, Told, stitch, tell
from tests.trace.random_ledgers import ledger_of, told

AT = datetime(2022, 11, 23, 12, 0, tzinfo=UTC)

Step = tuple[str, int, int, int, bool]
steps = st.lists(
    st.tuples(
        st.sampled_from(["in", "pay", "pay", "pay", "cash"]),
        st.integers(0, 4), st.integers(0, 4), st.integers(1, 64), st.booleans(),
    ),
    min_size=2, max_size=22,
)  # fmt: skip


def world(moves: list[Step], picks: list[int]) -> Ledger:
    """A ledger some of whose payments are returned at its end, as far as the money is there, and with a hold."""
    ledger = told(moves, 3, False, False)
    lines = [
        (ledger.pots[s].account, ledger.pots[t].account, int(a))
        for s, t, a in zip(ledger.sources, ledger.targets, ledger.amounts, strict=True)
    ]
    opening = {"A": 60, "B": 21}
    balances = dict(opening)
    for source, target, units in lines:
        balances[source] = balances.get(source, 0) - units
        balances[target] = balances.get(target, 0) + units
    reverses = [""] * len(lines)
    carries: dict[int, Coins] = {}
    for pick in dict.fromkeys(pick % len(lines) for pick in picks):
        source, target, units = lines[pick]
        back = min(units, balances[target] if target else 0) * (1 + pick % 4) // 4
        if back and source and source != target:
            first = pick % (units - back + 1)
            carries[len(lines)] = Coins(((first, first + back),))
            lines.append((target, source, back))
            reverses.append(f"t{pick}")
            balances[target] -= back
            balances[source] += back
    return replace(with_returns(ledger_of(lines, opening), reverses), carries=carries)


class Institution:
    """Keeps one account, or more; numbers its own bookings; shows nobody anything but answers."""

    def __init__(self, name: str, ledger: Ledger, pots: set[int]) -> None:
        self.name, self.ledger, self.pots = name, ledger, pots
        self.walks = {pot: self._walk(pot) for pot in pots}

    def _walk(self, pot: int) -> Followed:
        ledger, rows = self.ledger, []
        for row in range(len(ledger.amounts)):
            source, target = int(ledger.sources[row]), int(ledger.targets[row])
            if source == target or pot not in (source, target):
                continue
            before = ledger.reverses.get(row)
            more: dict[str, object] = {}
            if before is not None:
                more = {"reverses": ledger.refs[before], "carries": ledger.carries[row]}
            if target == OUTSIDE:
                more["ends"] = End.CASH
            amount = int(ledger.amounts[row])
            rows.append(Transfer(row, ledger.refs[row], pot == target, amount, AT, **more))  # type: ignore[arg-type]
        return follow_account(rows, int(ledger.opening[pot]), ledger.pins.get(pot, ()))

    def answer(self, asked: Onward, homes: dict[int, str]) -> Told:
        rows = {ref: row for row, ref in enumerate(self.ledger.refs)}
        pot = int(self.ledger.targets[rows[asked.ref]])
        return tell(self.walks[pot], self.name, asked, lambda ref: homes[int(self.ledger.targets[rows[ref]])])


def ask(
    ledger: Ledger, institutions: list[Institution], homes: dict[int, str], dice: Random
) -> tuple[Onward, list[Told]]:
    """Messages get lost and are asked again, answers come twice and in any order."""
    by_name = {one.name: one for one in institutions}
    loss = Onward(ledger.refs[0], Coins(((0, int(ledger.amounts[0])),)), homes[int(ledger.targets[0])])
    waiting, answers = [loss], list[Told]()
    while waiting:
        asked = waiting.pop(dice.randrange(len(waiting)))
        if dice.random() < 0.3:
            waiting.append(asked)
            continue
        said = by_name[asked.to].answer(asked, homes)
        if said not in answers:
            waiting += said.legs
        answers += [said] * dice.randint(1, 3)
    dice.shuffle(answers)
    return loss, answers


def stitched(ledger: Ledger, dice: Random, spoil: str = "") -> tuple[Stitched, dict[int, str]]:
    homes = {pot: f"bank {dice.randrange(50)}" for pot in range(len(ledger.pots))}
    pots = {name: {pot for pot in homes if pot != OUTSIDE and homes[pot] == name} for name in sorted(homes.values())}
    institutions = [Institution(name, ledger, kept) for name, kept in pots.items()]
    loss, answers = ask(ledger, institutions, homes, dice)
    return stitch(loss, (one for one in answers if one.by != spoil)), homes


def by_home(ledger: Ledger, answer: Answer, homes: dict[int, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    names = {pot.account: homes[number] for number, pot in enumerate(ledger.pots)}
    for place in answer.held:
        found[names[place.account]] = found.get(names[place.account], 0) + place.units
    return found


def stolen_first(moves: list[Step], picks: list[int]) -> Ledger:
    """The first payment is the theft, between two accounts."""
    return world([("pay", 0, 1, 40, False), *moves], picks)


picks = st.lists(st.integers(0, 99), max_size=4)


@settings(max_examples=150, deadline=None)
@given(steps, picks, st.integers(0, 2**32))
def test_federated_is_central_to_the_unit(moves: list[Step], picks: list[int], seed: int) -> None:
    """First in first out with returns and a hold: each institution from its own ledger, and one ledger of all."""
    ledger, dice = stolen_first(moves, picks), Random(seed)
    pot = int(ledger.targets[0])
    kept = Coins(((21, 21 + dice.randint(1, 9)),))  # of the coins stolen, as long as nothing takes more than is free
    if min(_balances(ledger, pot)) >= kept.count:
        ledger = replace(ledger, pins={pot: (Pin(kept, 0, None, "H"),)})
    [central] = follow(ledger, [Theft(0)], "fifo").answers
    found, homes = stitched(ledger, dice)
    assert found.whole
    assert {home: units for home, units in found.here.items() if units} == by_home(ledger, central, homes)
    assert sum(found.ended.values()) == sum(place.units for place in central.terminal)


def _balances(ledger: Ledger, pot: int) -> list[int]:
    balance, found = int(ledger.opening[pot]), []
    for row in range(len(ledger.amounts)):
        balance += int(ledger.amounts[row]) * (int(ledger.targets[row] == pot) - int(ledger.sources[row] == pot))
        found.append(balance)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_fifty_institutions_with_a_hundred_accounts(seed: int) -> None:
    dice = Random(seed)
    names = [f"a{n}" for n in range(100)]
    has = {name: dice.randint(0, 9) for name in names} | {"a0": 2**61}
    opening, lines = dict(has), [("a0", "a1", 2**60 + seed)]
    has["a0"], has["a1"] = has["a0"] - lines[0][2], has["a1"] + lines[0][2]
    for _ in range(300):
        source = dice.choice([name for name in names if has[name]])
        target, units = dice.choice([*names, ""]), dice.choice([1, has[source], 1 + has[source] // 3])
        lines.append((source, target, min(units, has[source])))
        if source != target:
            has[source] -= lines[-1][2]
            has[target] = has.get(target, 0) + lines[-1][2]
    ledger = ledger_of(lines, opening)
    [central] = follow(ledger, [Theft(0)], "fifo").answers
    found, homes = stitched(ledger, dice)
    assert found.whole
    assert {home: units for home, units in found.here.items() if units} == by_home(ledger, central, homes)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(0, 2**32))
def test_who_says_nothing_is_named_with_the_units(moves: list[Step], seed: int) -> None:
    ledger, dice = stolen_first(moves, []), Random(seed)
    silent = f"bank {dice.randrange(50)}"
    found, _ = stitched(ledger, dice, silent)
    assert {gap.institution for gap in found.gaps} <= {silent}
    assert silent not in found.here
    assert sum(found.here.values()) + sum(found.ended.values()) + sum(g.units for g in found.gaps) == found.stolen


# --- those who lie ------------------------------------------------------------------------------------

LOSS = Onward("t0", Coins(((0, 10),)), "north")
NORTH = Told("north", "t0", LOSS.inside, 4, 0, (Onward("t1", Coins(((0, 6),)), "south"),))
SOUTH = Told("south", "t1", Coins(((0, 6),)), 6)


@pytest.mark.parametrize(
    ("answers", "gap"),
    [
        ([NORTH], "south, 6 units of t1: it did not answer"),
        ([replace(NORTH, here=1), SOUTH], "north, 3 units of t0: it accounts for fewer coins than came"),
        ([replace(NORTH, here=9), SOUTH], "north, 5 units of t0: it accounts for more coins than came"),
        ([NORTH, SOUTH, replace(SOUTH, here=0, ended=6)], "south, 6 units of t1: it said two different things"),
        ([replace(NORTH, here=0, ended=1, legs=(NORTH.legs[0], Onward("t1", Coins(((3, 6),)), "south"))), SOUTH],
         "north, 3 units of t1: it told of the same coins before"),
    ],
)  # fmt: skip
def test_a_lie_is_a_gap_with_a_name(answers: list[Told], gap: str) -> None:
    found = stitch(LOSS, answers)
    assert [str(one) for one in found.gaps] == [gap]
    assert not found.whole


def test_answers_add_up_in_any_order_and_repeated() -> None:
    found = stitch(LOSS, [SOUTH, NORTH, SOUTH, NORTH])
    assert found.whole
    assert (found.here, found.ended) == ({"north": 4, "south": 6}, {"north": 0, "south": 0})
