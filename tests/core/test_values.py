"""Money, coins, tables of moves, clocks, mandates, policies, books: the values every rule stands on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrp.core.book import Block, Book, Spent
from arrp.core.coins import Coins
from arrp.core.deadline import earliest, hours_after
from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.lifecycle import Lifecycle
from arrp.core.mandate import LossAct, Mandate, check_loss, check_mandate
from arrp.core.money import Amount, Rate, split
from arrp.core.policy import Participant, Policy, Rules, Tally, beyond_policy, check_entitled
from arrp.core.request import Ask, Asked, Credit, Source, Terms

T0 = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # an hour before clocks in Europe go forward
USDT = "eip155:1/erc20:0xdac17f958d2ee523a2206206994597c13d831ec7"
MINOR = st.integers(0, 10**18)


def eur(minor: int) -> Amount:
    return Amount(minor, "EUR")


# --- money ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "asset", "minor"),
    [("62000.00", "EUR", 6_200_000), ("62000", "EUR", 6_200_000), ("0.5", "EUR", 50), ("7", "JPY", 7),
     ("1.234", "KWD", 1234), ("0.000001", USDT, 1), ("1.10000", "EUR", 110)],
)
def test_r10_a_decimal_is_read_in_the_digits_of_its_asset(text: str, asset: str, minor: int) -> None:
    assert Amount.parse(text, asset).minor == minor


@pytest.mark.parametrize(
    ("text", "asset"),
    [("0.001", "EUR"), ("1.5", "JPY"), ("-1", "EUR"), ("1e3", "EUR"), ("01", "EUR"), ("1,00", "EUR"), ("", "EUR"),
     ("٣", "EUR"), ("1", "eur"), ("1", "eip155:1/erc20:0x00")],
)
def test_r10_what_is_not_a_plain_amount_is_refused(text: str, asset: str) -> None:
    with pytest.raises(Malformed):
        Amount.parse(text, asset)


@given(MINOR, st.sampled_from(["EUR", "JPY", "KWD", USDT]))
def test_r10_an_amount_is_read_as_it_is_written(minor: int, asset: str) -> None:
    there = Amount(minor, asset)
    assert Amount.parse(there.decimal, asset) == there


def test_r10_two_assets_never_mix_and_nothing_is_negative() -> None:
    with pytest.raises(Refused):
        eur(1) + Amount(1, "USD")
    with pytest.raises(Malformed):
        eur(1) - eur(2)
    with pytest.raises(TypeError):
        bool(eur(0))


@given(MINOR, st.lists(st.integers(0, 10**9), min_size=1, max_size=9).filter(any))
def test_r10_a_split_adds_up_and_is_fair_to_a_unit(minor: int, weights: list[int]) -> None:
    shares = split(minor, weights)
    assert sum(shares) == minor
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - minor * weight) < sum(weights)
        assert weight or not share


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.data())
def test_r10_a_rate_never_counts_more_than_it_was_given(amount: int, claim: int, data: st.DataObject) -> None:
    rate = Rate(Amount(amount, USDT), eur(claim))
    part = data.draw(st.integers(0, claim))
    units = rate.amount_of(part)
    assert rate.claim_of(units) <= part
    assert units == amount or rate.claim_of(units + 1) > part
    assert rate.amount_of(claim) == amount
    assert rate.claim_of(amount) == claim


# --- coins and books -----------------------------------------------------------------------------------------

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def as_set(coins: Coins) -> set[int]:
    return {number for low, high in coins for number in range(low, high)}


@given(SPANS, SPANS, st.integers(0, 40))
def test_r11_coins_are_a_set_of_numbers(one: list, two: list, count: int) -> None:
    a, b = Coins.of(one), Coins.of(two)
    assert as_set(a | b) == as_set(a) | as_set(b)
    assert as_set(a & b) == as_set(a) & as_set(b)
    assert as_set(a - b) == as_set(a) - as_set(b)
    assert as_set(a.lowest(count)) == set(sorted(as_set(a))[:count])
    assert as_set(a.highest(count)) == set(sorted(as_set(a))[max(0, len(as_set(a)) - count):])
    assert a.shifted(3).shifted(-3) == a
    assert a.count == len(as_set(a))


def test_coins_are_written_in_one_way() -> None:
    for spans in (((0, 0),), ((2, 1),), ((0, 2), (2, 3)), ((3, 4), (0, 1)), ((-1, 1),)):
        with pytest.raises(Malformed):
            Coins(spans)


def test_r11_r45_the_terms_of_a_book_add_up_whatever_its_parts() -> None:
    coins = Coins.of([(10, 110)])
    book = Book("r", coins, blocks=(Block("b", 30, Coins.of([(10, 40)]), 5),), let_go=Coins.of([(40, 45)]),
                returned=Coins.of([(45, 50)]), spent=(Spent("l", Coins.of([(50, 60)]), None),
                                                      Spent("c", Coins.of([(60, 67)]), "cash")), is_read=True)
    terms = book.terms(eur(120), Coins.of([(67, 70)]), secured=False, is_open=True)
    assert terms == Terms(eur(120), pending=40, held=30, restrained=3, moved_on=10, cashed_out=7, returned=5, let_go=5,
                          not_found=20)
    ended = book.terms(eur(120), Coins(), secured=True, is_open=False)
    assert (ended.secured, ended.held, ended.let_go, ended.pending) == (30, 0, 48, 0)
    with pytest.raises(Malformed):
        replace(terms, held=31)


def test_r45_a_cut_keeps_the_lowest_coins_and_remembers_the_stretch() -> None:
    book = Book("r", Coins.of([(0, 10)]), is_read=True).with_block("b", 10, Coins.of([(0, 10)]), 3)
    cut = book.with_block("b", 4, Coins.of([(0, 4)]), 7)
    assert [(pin.coins, pin.from_sequence, pin.to_sequence) for pin in cut.stretches()] == [
        (Coins.of([(0, 10)]), 3, 7), (Coins.of([(0, 4)]), 7, None)]
    gone = cut.with_block("b", 0, Coins(), 9)
    assert (gone.blocks, gone.pins) == ((), Coins())


def test_r45_a_hold_placed_before_the_ledger_was_read_pins_as_of_its_answer() -> None:
    unread = Book("r").with_block("b", 6, Coins(), 4)
    read = replace(unread, coins=Coins.of([(0, 10)]), is_read=True).pinning(Coins.of([(2, 10)]))
    assert read.blocks == (Block("b", 6, Coins.of([(2, 8)]), 4),)
    assert Coins.of([(2, 8)]) == read.pinning(Coins.of([(0, 10)])).pins, "what is pinned stays pinned"


# --- tables of moves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moves", "ends", "clocks", "fault"),
    [
        ({("a", "Go"): "b"}, {"b"}, {}, "for ever"),
        ({("a", "Go"): "b", ("b", "Back"): "a"}, {"b"}, {"a": "tick"}, "way out"),
        ({("a", "Go"): "b"}, {"b", "c"}, {"a": "tick"}, "nothing leads to"),
        ({("a", "Go"): "b"}, set(), {"a": "tick", "b": "tick"}, "no way out"),
    ],
)
def test_r30_a_table_that_could_wait_for_ever_is_refused_at_import(moves, ends, clocks, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        Lifecycle("thing", "a", moves, frozenset(ends), clocks)


def test_r30_r32_an_owner_moves_along_the_table_and_a_mirror_sees_a_jump() -> None:
    table = Lifecycle("thing", "a", {("a", "Go"): "b"}, frozenset({"b"}), {"a": "tick"})
    assert table.move("a", "Go") == "b"
    with pytest.raises(Conflict, match="R-30"):
        table.move("b", "Go")
    assert not table.jumps("a", "Go", "b")
    assert table.jumps("b", "Go", "b")


# --- clocks --------------------------------------------------------------------------------------------------


def test_r40_hours_are_counted_in_utc_and_need_a_zone() -> None:
    assert hours_after(T0, 24) - T0 == timedelta(hours=24)
    with pytest.raises(Refused, match="R-40"):
        hours_after(datetime(2026, 3, 29), 24)  # noqa: DTZ001


def test_r42_the_first_of_the_clocks_that_run() -> None:
    assert earliest(None, T0 + timedelta(hours=72), T0) == T0
    assert earliest(None, None) is None


# --- mandates and policies -----------------------------------------------------------------------------------

ASKED = Asked(ask=Ask.HOLD, institution="PT0002", asked=eur(100), claim=eur(100),
              source=Source("payment", "0", None, ()), credit=Credit(amount=eur(100)), loss="L1",
              stated_by="NCB-ES", crime="BEC", hops=1)
MANDATE = Mandate("L1", eur(1000), eur(100), 1, ("PT",), ("hold",), ("BEC",), T0, T0 + timedelta(days=1))


@pytest.mark.parametrize(
    ("body", "country", "used", "at"),
    [
        (replace(ASKED, loss="L2"), "PT", 0, T0),
        (replace(ASKED, claim=eur(101), asked=eur(101)), "PT", 0, T0),
        (replace(ASKED, hops=2), "PT", 0, T0),
        (replace(ASKED, ask=Ask.STOP), "PT", 0, T0),
        (replace(ASKED, crime="ROMANCE"), "PT", 0, T0),
        (replace(ASKED, claim=Amount(100, "USD")), "PT", 0, T0),
        (ASKED, "LT", 0, T0),
        (ASKED, "PT", 901, T0),
        (ASKED, "PT", 0, T0 - timedelta(seconds=1)),
        (ASKED, "PT", 0, T0 + timedelta(days=1)),
    ],
)
def test_r15_a_mandate_has_limits(body: Asked, country: str, used: int, at: datetime) -> None:
    check_mandate(MANDATE, ASKED, "PT", 900, T0)
    with pytest.raises(Refused, match="R-15"):
        check_mandate(MANDATE, body, country, used, at)


def test_r14_no_more_is_asked_of_one_receiver_than_was_lost() -> None:
    loss = LossAct("L1", "NCB-ES", eur(150), (), "ab")
    check_loss(loss, ASKED, 50)
    for wrong, used in ((ASKED, 51), (replace(ASKED, stated_by="NCB-DE"), 0), (replace(ASKED, loss="L2"), 0),
                        (replace(ASKED, claim=Amount(1, "USD")), 0)):
        with pytest.raises(Refused, match="R-14"):
            check_loss(loss, wrong, used)
    check_loss(loss, replace(ASKED, pursues="r0"), 150)


AUTHORITY = Participant("NCB-ES", "ES", "authority", "ES", "", (), ())
BANK = Participant("BANK-PT", "PT", "institution", "PT", "", ("PT0002",), ())
NCB = Participant("NCB-PT", "PT", "authority", "PT", "", (), (), instructs=("BANK-PT",))
AT_ONCE = Policy(("@authority",), ("BEC",), "EUR", 100, 200, 300, 400)


@pytest.mark.parametrize(
    ("policy", "body", "tally"),
    [
        (replace(AT_ONCE, instant_from=()), ASKED, Tally()),
        (replace(AT_ONCE, crimes=("ROMANCE",)), ASKED, Tally()),
        (replace(AT_ONCE, mandate_issued=False), ASKED, Tally()),
        (AT_ONCE, replace(ASKED, claim=Amount(1, "USD")), Tally()),
        (AT_ONCE, replace(ASKED, claim=eur(101)), Tally()),
        (AT_ONCE, ASKED, Tally(hour=101)),
        (AT_ONCE, ASKED, Tally(day=201)),
        (AT_ONCE, ASKED, Tally(account=301)),
        (AT_ONCE, ASKED, Tally(questions=100)),
        (Policy(), ASKED, Tally()),
    ],
)
def test_r17_beyond_the_policy_an_officer_looks_first(policy: Policy, body: Asked, tally: Tally) -> None:
    assert beyond_policy(AT_ONCE, AUTHORITY, ASKED, Tally(hour=100, day=200, account=300, questions=99), True) is None
    assert beyond_policy(policy, AUTHORITY, body, tally, True)


def test_r13_who_may_ask_whom() -> None:
    check_entitled(AUTHORITY, BANK, Ask.HOLD)
    for requester, requested, ask in ((BANK, BANK, Ask.TRACE), (BANK, AUTHORITY, Ask.STOP),
                                      (AUTHORITY, replace(BANK, kind="coordinator"), Ask.HOLD),
                                      (replace(AUTHORITY, suspended=True), BANK, Ask.HOLD)):
        with pytest.raises(Refused, match="R-13"):
            check_entitled(requester, requested, ask)


def test_r18_abroad_the_authority_that_instructs_is_asked_at_home_the_institution() -> None:
    known = {who.id: who for who in (AUTHORITY, BANK, NCB)}
    abroad, home = Rules(AUTHORITY, known, {}, Policy()), Rules(NCB, known, {}, Policy())
    assert abroad.to_ask("PT0002") is NCB
    assert home.to_ask("PT0002") is BANK
    assert abroad.to_ask("LT1") is None
    alone = Rules(AUTHORITY, {"NCB-ES": AUTHORITY, "BANK-PT": BANK}, {}, Policy())
    assert alone.to_ask("PT0002") is BANK
    with pytest.raises(NotFound):
        alone.participant("NCB-PT")
