"""What holds for every method on every ledger: conservation, causality, splitting, independence, bounds, duality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.core.errors import Malformed, Refused
from arrp.trace.back import trace_back
from arrp.trace.follow import SENTENCES, Answer, bounds, explain, follow
from arrp.trace.found import Budget, Theft
from arrp.trace.ledger import OUTSIDE, Ledger, Pot
from arrp.trace.methods import METHODS
from tests.trace.random_ledgers import HIGH, Line, ledger_of, ledgers, thefts_of

AMOUNTS = [name for name, method in METHODS.items() if not method.flag]
POOLS = ["dirty-first", "libr", "tiho"]
ALONE = ["fifo", "lifo", "haircut"]
picks = st.lists(st.integers(0, 99), min_size=1, max_size=3)
pick = st.integers(0, 99)
quick = settings(max_examples=60, deadline=None)


def answers(ledger: Ledger, rows: Sequence[int], name: str) -> tuple[Answer, ...]:
    return follow(ledger, [Theft(row) for row in rows], name).answers


def held(answer: Answer) -> dict[tuple[str, str], tuple[int, int]]:
    return {(place.account, place.asset): (place.units, place.claim) for place in answer.held}


def first(ledger: Ledger, rows: int) -> Ledger:
    """The ledger as it was when only so many rows were booked."""
    cut = slice(0, rows)
    return replace(
        ledger, sources=ledger.sources[cut], targets=ledger.targets[cut], amounts=ledger.amounts[cut],
        arrived=ledger.arrived[cut], times=ledger.times[cut], batches=ledger.batches[cut], refs=ledger.refs[:rows],
    )  # fmt: skip


def closing(ledger: Ledger) -> dict[int, int]:
    balances = dict(enumerate(ledger.opening.tolist()))
    for row in range(len(ledger.amounts)):
        balances[int(ledger.sources[row])] -= int(ledger.amounts[row])
        balances[int(ledger.targets[row])] += int(ledger.arrived[row])
    return balances


@pytest.mark.parametrize("name", AMOUNTS)
@quick
@given(ledgers(), picks)
def test_p1_p4_nothing_stolen_is_lost_from_sight(name: str, ledger: Ledger, picks: list[int]) -> None:
    rows = thefts_of(ledger, picks)
    for answer in answers(ledger, rows, name):
        places = [*answer.held, *answer.terminal]
        assert sum(place.claim for place in places) + answer.unfollowed == answer.stolen
        assert all(place.units >= 0 and place.claim >= 0 for place in places)
        for edge in answer.flows:
            assert 0 <= edge.units <= max(ledger.amounts[edge.row], ledger.arrived[edge.row])


@pytest.mark.parametrize("name", AMOUNTS)
@quick
@given(ledgers(assets=False), picks)
def test_p2_what_came_to_an_account_left_it_or_is_there(name: str, ledger: Ledger, picks: list[int]) -> None:
    for answer in answers(ledger, thefts_of(ledger, picks), name):
        net: dict[str, int] = {}
        for edge in answer.flows:
            net[edge.target] = net.get(edge.target, 0) + edge.units
            if edge.ref != answer.ref:
                net[edge.source] = net.get(edge.source, 0) - edge.units
        there = {place.account: place.units for place in answer.held}
        ended = {place.account: place.units for place in answer.terminal}
        for account, units in net.items():
            assert units == there.get(account, 0) + ended.get(account, 0)


@pytest.mark.parametrize("name", AMOUNTS)
@quick
@given(ledgers(), pick)
def test_p3_nowhere_is_more_stolen_money_than_money(name: str, ledger: Ledger, pick: int) -> None:
    names = dict(zip(ledger.pots, closing(ledger).values(), strict=True))
    for answer in answers(ledger, thefts_of(ledger, [pick]), name):
        for place in answer.held:
            assert place.units <= names[Pot(place.account, place.asset)]


@pytest.mark.parametrize("name", POOLS)
@quick
@given(ledgers(), picks)
def test_p3_one_pool_never_claims_more_than_there_is(name: str, ledger: Ledger, picks: list[int]) -> None:
    traced = follow(ledger, [Theft(row) for row in thefts_of(ledger, picks)], name)
    if traced.shared:
        return
    names = dict(zip(ledger.pots, closing(ledger).values(), strict=True))
    claimed: dict[Pot, int] = {}
    for answer in traced.answers:
        for place in answer.held:
            pot = Pot(place.account, place.asset)
            claimed[pot] = claimed.get(pot, 0) + place.units
    assert all(units <= names[place] for place, units in claimed.items())


@pytest.mark.parametrize("name", METHODS)
@quick
@given(ledgers(batched=False), pick, pick)
def test_p5_later_rows_change_nothing_that_was(name: str, ledger: Ledger, pick: int, cut: int) -> None:
    for row in thefts_of(ledger, [pick]):
        rows = row + 1 + cut % (len(ledger.amounts) - row)
        [whole], [early] = answers(ledger, [row], name), answers(first(ledger, rows), [row], name)
        assert early.flows == tuple(edge for edge in whole.flows if edge.row < rows)


@pytest.mark.parametrize("name", METHODS)
@quick
@given(ledgers(), pick)
def test_p5_what_was_before_a_theft_is_only_its_balances(name: str, ledger: Ledger, pick: int) -> None:
    for row in thefts_of(ledger, [pick]):
        before = closing(first(ledger, row))
        opening = ledger.opening.copy()
        opening[:] = [0 if pot == OUTSIDE else balance for pot, balance in before.items()]
        late = slice(row, None)
        rest = replace(
            ledger, sources=ledger.sources[late], targets=ledger.targets[late], amounts=ledger.amounts[late],
            arrived=ledger.arrived[late], times=ledger.times[late], batches=ledger.batches[late],
            refs=ledger.refs[row:], opening=opening,
        )  # fmt: skip
        [whole] = answers(ledger, [row], name)
        [alone] = answers(rest, [0], name)
        assert (alone.held, alone.terminal, alone.unfollowed) == (whole.held, whole.terminal, whole.unfollowed)


@pytest.mark.parametrize("name", ["fifo", "lifo", "dirty-first", "libr", "tiho"])
@quick
@given(ledgers(assets=False, batched=False), pick, pick, st.integers(1, HIGH))
def test_p6_a_payment_in_two_parts_is_the_same(name: str, ledger: Ledger, pick: int, where: int, part: int) -> None:
    """Pro rata is so in exact arithmetic; in whole units each part is rounded down by itself."""
    for row in thefts_of(ledger, [pick]):
        lines = [
            (ledger.pots[ledger.sources[k]].account, ledger.pots[ledger.targets[k]].account, int(ledger.amounts[k]))
            for k in range(len(ledger.amounts))
        ]
        k = where % len(lines)
        if k == row or lines[k][2] == 1:
            continue
        source, target, units = lines[k]
        one = 1 + part % (units - 1)
        parted: list[Line] = [*lines[:k], (source, target, one), (source, target, units - one), *lines[k + 1 :]]
        opening = {pot.account: int(ledger.opening[n]) for n, pot in enumerate(ledger.pots) if pot.account}
        ends = {pot.account for n, pot in enumerate(ledger.pots) if ledger.terminal[n]}
        [whole] = answers(ledger, [row], name)
        [same] = answers(ledger_of(parted, opening, ends), [row + (k < row)], name)
        assert held(same) == held(whole)


@pytest.mark.parametrize("name", ALONE)
@quick
@given(ledgers(), picks)
def test_p7_victims_do_not_change_each_others_answers(name: str, ledger: Ledger, picks: list[int]) -> None:
    rows = thefts_of(ledger, picks)
    assert answers(ledger, rows, name) == tuple(answer for row in rows for answer in answers(ledger, [row], name))


one_account = st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=12)


@quick
@given(one_account, st.integers(1, 40), st.integers(0, 40))
def test_p8_in_one_account_every_method_lies_between(moves: list[tuple[bool, int]], stolen: int, own: int) -> None:
    lines: list[Line] = [("V", "T", stolen)]
    balance = stolen + own
    for comes, units in moves:
        if comes or balance:
            lines.append(("", "T", units) if comes else ("T", "", min(units, balance)))
            balance += units if comes else -min(units, balance)
    ledger = ledger_of(lines, {"V": stolen, "T": own})
    low, high = bounds(ledger, [Theft(0)])[0].get("T", (0, 0))
    for name in AMOUNTS:
        [answer] = answers(ledger, [0], name)
        assert low <= held(answer).get(("T", "EUR"), (0, 0))[0] <= high


@quick
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 64)), max_size=15), st.integers(1, HIGH))
def test_p9_without_clean_money_all_methods_agree(moves: list[tuple[int, int, int]], stolen: int) -> None:
    has = {"A": stolen}
    lines: list[Line] = [("V", "A", stolen)]
    for one, other, part in moves:
        source, target = "ABCDE"[one], "ABCD"[other] if other < 4 else ""
        units = has.get(source, 0) * part // 64
        if units and source != target:
            lines.append((source, target, units))
            has[source] -= units
            has[target] = has.get(target, 0) + units
    ledger = ledger_of(lines, {"V": stolen})
    found = [held(answers(ledger, [0], name)[0]) for name in AMOUNTS]
    assert all(one == found[0] for one in found)
    assert sum(units for units, _ in found[0].values()) == stolen - has.get("", 0)


@pytest.mark.parametrize("name", ["fifo", "lifo", "dirty-first", "libr", "tiho"])
@quick
@given(ledgers(assets=False), pick, st.integers(2, 1000))
def test_p10_a_thousand_times_as_much_is_a_thousand_times_as_much(name: str, ledger: Ledger, pick: int, k: int) -> None:
    if int(max(ledger.amounts.max(), ledger.opening.max())) * k > HIGH:
        return
    more = replace(ledger, amounts=ledger.amounts * k, arrived=ledger.arrived * k, opening=ledger.opening * k)
    for row in thefts_of(ledger, [pick]):
        [one], [many] = answers(ledger, [row], name), answers(more, [row], name)
        assert {place: units * k for place, (units, _) in held(one).items()} == {
            place: units for place, (units, _) in held(many).items()
        }


@quick
@given(ledgers(assets=False), pick)
def test_p11_back_from_an_account_is_as_much_as_forward_to_it(ledger: Ledger, pick: int) -> None:
    for row in thefts_of(ledger, [pick]):
        [answer] = answers(ledger, [row], "fifo")
        for pot, name in enumerate(ledger.pots):
            if pot == OUTSIDE or ledger.terminal[pot]:
                continue
            origins = trace_back(ledger, pot, {row})
            assert sum(origin.units for origin in origins) == closing(ledger)[pot]
            back = sum(origin.units for origin in origins if origin.row == row)
            assert back == held(answer).get((name.account, name.asset), (0, 0))[0]


# --- budgets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
@quick
@given(ledgers(), picks, st.integers(0, 3), st.integers(0, 3), st.integers(0, 9))
def test_a_budget_leaves_what_it_did_not_follow_in_the_sum(
    name: str, ledger: Ledger, picks: list[int], hops: int, accounts: int, ticks: int
) -> None:
    thefts = [Theft(row) for row in thefts_of(ledger, picks)]
    ticking = iter(range(10_000))
    for budget in (Budget(hops), Budget(None, accounts), Budget(ms=ticks, clock=lambda: float(next(ticking)))):
        for answer in follow(ledger, thefts, name, budget).answers:
            if name != "poison":
                claims = [place.claim for place in (*answer.held, *answer.terminal)]
                assert sum(claims) + answer.unfollowed == answer.stolen
                assert answer.partial or answer.unfollowed == 0 or "conversion" in answer.why[0]
            assert len(answer.opened) <= (accounts if budget.accounts is not None else 5)
            assert bool(answer.why) >= answer.partial


def test_a_chain_is_followed_as_many_hops_as_asked() -> None:
    ledger = ledger_of([("V", "A", 9), ("A", "B", 9), ("B", "C", 9)], {"V": 9})
    for hops, left in ((0, 9), (1, 9), (2, 0)):
        for name in AMOUNTS:
            [answer] = follow(ledger, [Theft(0)], name, Budget(hops)).answers
            assert (answer.unfollowed, answer.partial) == (left, left > 0)
            assert len(answer.opened) == hops + 1


def test_budgets_and_thefts_that_are_none_are_refused() -> None:
    ledger = ledger_of([("V", "A", 9), ("A", "A", 9)], {"V": 9})
    with pytest.raises(Malformed):
        Budget(hops=-1)
    with pytest.raises(Malformed):
        Budget(ms=5)
    with pytest.raises(Refused, match="to itself"):
        follow(ledger, [Theft(1)])
    with pytest.raises(Refused, match="twice"):
        follow(ledger, [Theft(0), Theft(0)])


def test_what_an_account_never_had_it_cannot_pay() -> None:
    ledger = ledger_of([("V", "A", 9), ("A", "B", 12)], {"V": 9})
    short = replace(ledger, opening=ledger.opening * 0)
    with pytest.raises(Malformed, match=r"account A pays 0\.12 EUR by t1 and has 0\.09 EUR"):
        follow(short, [Theft(0)])


def test_a_thousand_places_are_told_in_a_few_sentences() -> None:
    lines: list[Line] = [("V", "A", 10_000)]
    lines += [("A", f"B{n}", n + 1) for n in range(100)]
    traced = follow(ledger_of(lines, {"V": 10_000}), [Theft(0)], "dirty-first")
    said = explain(traced.method, traced.answers[0])
    assert len(said) == SENTENCES + 1
    assert said[0].startswith("49.50 EUR of your 100.00 EUR lies in account A")
    assert "B99" in said[-2]
    assert said[-1] == "33.21 EUR of your 100.00 EUR is in 81 more places with less in each."
