"""The simulated bank verb by verb: holds, stops, returns, idempotence, and what it refuses by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arrp.connectors.books import Balance, Order
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.answers import (
    AccountStatus,
    Cannot,
    ClaimedCredit,
    Compared,
    Comparison,
    Gone,
    Held,
    HoldState,
    InForce,
    Landed,
    MatchedCredit,
    PayOut,
    Question,
    Released,
    Returned,
    Status,
    Stopped,
    Why,
)
from arrp.core.coins import Coins
from arrp.core.errors import Conflict, Corrupt, Malformed, NotFound, Refused
from arrp.core.ledger import End, Pin
from arrp.core.money import Amount
from arrp.core.report import Party
from arrp.trace.account import follow_account

START = datetime(2022, 6, 28, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANA = Account("A-1", "payto://iban/PT50000201231234567890154", "Ana Moreira", "EUR", 1_000)
RUI = Account("A-2", "payto://iban/PT50000201239876543210178", "Rui Costa", "EUR")
VICTIM = Party("Jan Bakker", "payto://iban/NL91ABNA0417164300", "ABNANL2A")
UETR = "174c245f-2682-4291-ad67-2a41e530cd27"


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> Iterator[SimulatedCore]:
    core = SimulatedCore(tmp_path / "core.db", clock)
    core.open_account(ANA)
    core.open_account(RUI)
    yield core
    core.close()


def euros(minor: int) -> Amount:
    return Amount(minor, "EUR")


def loss(ref: str = "P1", minor: int = 62_000, **more: object) -> Order:
    order = Order(ref, euros(minor), VICTIM, Party(RUI.holder, RUI.account), UETR, purpose="invoice 7")
    return replace(order, **more)  # type: ignore[arg-type]


def payout(ref: str, amount: int) -> PayOut:
    return PayOut(ref, amount, "DEBTOR", VICTIM.account, VICTIM.name)


# --- find ----------------------------------------------------------------------------------------


def test_find_says_what_matches_what_is_free_and_shows_the_ledger(bank: SimulatedCore) -> None:
    bank.book(loss(), START)
    bank.hold("other", "A-2", 2_000, None)
    claimed = ClaimedCredit((UETR,), 62_000, START - HOUR, START + HOUR)
    found = bank.find(Question("EUR", (claimed,), RUI.account, "Rui Costa"))
    assert (found.status, found.account_ref, found.booked, found.free) == (AccountStatus.OPEN, "A-2", 62_000, 60_000)
    assert {c.what: c.verdict for c in found.comparisons} == dict.fromkeys(
        ("account", "name", "amount", "time"), Compared.MATCH
    )
    assert found.credits == (MatchedCredit("P1", 62_000, "EUR", 1, START, 0, True),)
    assert found.ledger is not None
    assert [(t.ref, t.incoming, t.amount, t.other) for t in found.ledger.transfers] == [
        ("P1", True, 62_000, VICTIM.account)
    ]
    assert (found.ledger.opening, found.ledger.as_of, found.sequence) == (0, 2, 2)


def test_find_names_the_account_a_payment_reached_instead(bank: SimulatedCore) -> None:
    bank.book(loss(), START)
    found = bank.find(
        Question("EUR", (ClaimedCredit((UETR,), 62_000),), "payto://iban/PT50000201230000000000000", "Rui")
    )
    assert (found.status, found.account_ref, found.free) == (AccountStatus.NONE, "", 0)
    assert found.comparisons[0] == Comparison("account", Compared.DIFFERS, None, RUI.account)


def test_find_keeps_assets_apart(bank: SimulatedCore) -> None:
    assert bank.find(Question("USD", (), RUI.account)).status is AccountStatus.NONE


def test_a_closed_account_is_found_closed_and_holds_nothing(bank: SimulatedCore) -> None:
    bank.close_account("A-2")
    assert bank.find(Question("EUR", (), RUI.account)).status is AccountStatus.CLOSED
    assert bank.hold("H", "A-2", 1, None) == Cannot(Why.CLOSED)


# --- hold, release, extend -----------------------------------------------------------------------


def test_hold_keeps_the_money_where_it_is(bank: SimulatedCore) -> None:
    held = bank.hold("H", "A-1", 700, START + HOUR)
    assert held == Held("H1", 700, 1, START, START + HOUR)
    with pytest.raises(Refused, match="300 is available there"):
        bank.book(Order("out", euros(301), bank.party("A-1"), Party()), START)
    bank.book(Order("out", euros(300), bank.party("A-1"), Party(), ends=End.CASH), START)
    assert bank.balance("A-1") == Balance(700, 700)
    assert bank.holds() == (InForce("H", "H1", 700, 1, START + HOUR, "", "A-1"),)


@pytest.mark.parametrize(
    ("account", "amount", "until", "said"),
    [
        ("A-1", 1_001, None, Cannot(Why.NO_FUNDS, 1_000)),
        ("A-9", 1, None, Cannot(Why.NOT_FOUND)),
        ("A-1", 1, START, Cannot(Why.TOO_LATE)),
        ("transit EUR", 1, None, Cannot(Why.NOT_FOUND)),
    ],
)
def test_a_refusal_is_named_and_remembered(
    bank: SimulatedCore, account: str, amount: int, until: datetime | None, said: Cannot
) -> None:
    bank.put_in_flight(loss(), START)
    assert bank.hold("H", account, amount, until) == said
    assert bank.hold("H", account, amount, until) == said
    assert bank.status("H") == Status(HoldState.REFUSED)
    assert bank.release("H", 0) == Cannot(Why.NOT_FOUND)
    assert bank.holds() == ()


def test_a_refusal_stays_though_money_came_since(bank: SimulatedCore) -> None:
    assert bank.hold("H", "A-2", 5, None) == Cannot(Why.NO_FUNDS, 0)
    bank.book(loss(), START)
    assert bank.hold("H", "A-2", 5, None) == Cannot(Why.NO_FUNDS, 0)
    assert isinstance(bank.hold("H again", "A-2", 5, None), Held)


def test_an_overdraft_is_never_held(bank: SimulatedCore) -> None:
    bank.open_account(Account("A-3", "payto://iban/x", "X", "EUR", 100, overdraft_limit=500))
    assert bank.hold("H", "A-3", 101, None) == Cannot(Why.NO_FUNDS, 100)
    bank.book(Order("out", euros(300), Party("X", "payto://iban/x"), VICTIM), START)
    assert bank.find(Question("EUR", (), "payto://iban/x")).free == 0


def test_asked_again_a_hold_is_the_same_hold(bank: SimulatedCore) -> None:
    first = bank.hold("H", "A-1", 700, START + HOUR)
    bank.release("H", 100)
    assert bank.hold("H", "A-1", 700, START + HOUR) == first
    assert bank.status("H") == Status(HoldState.HELD, 100, "H1", 2, START + HOUR)
    with pytest.raises(Conflict, match="other content"):
        bank.hold("H", "A-1", 701, START + HOUR)
    with pytest.raises(Conflict, match="other content"):
        bank.stop("H", UETR, 700)


def test_release_states_what_stays_and_never_raises(bank: SimulatedCore) -> None:
    bank.hold("H", "A-1", 700, None)
    assert bank.release("H", 400) == Released("H1", 400, 2)
    assert bank.release("H", 400) == Released("H1", 400, 2)
    assert bank.release("H", 600) == Released("H1", 400, 2)
    assert bank.release("H", 0) == Released("H1", 0, 3)
    assert bank.status("H").state is HoldState.RELEASED
    assert bank.release("unknown", 0) == Cannot(Why.NOT_FOUND)


def test_the_core_lets_go_at_until_by_itself(bank: SimulatedCore, clock: Clock) -> None:
    bank.hold("H", "A-1", 700, START + HOUR)
    clock.now = START + HOUR - timedelta(microseconds=1)
    assert bank.status("H").state is HoldState.HELD
    clock.now = START + HOUR
    assert bank.status("H") == Status(HoldState.RELEASED, 0, "H1", 2, START + HOUR)
    assert bank.hold("H", "A-1", 700, START + HOUR) == Held("H1", 700, 1, START, START + HOUR)  # it stays ended
    assert bank.holds() == ()


def test_a_booking_after_until_finds_the_money_free(bank: SimulatedCore) -> None:
    bank.hold("H", "A-1", 700, START + HOUR)
    bank.book(Order("out", euros(1_000), bank.party("A-1"), VICTIM), START + HOUR)
    assert bank.balance("A-1") == Balance(0, 0)


def test_extend_moves_until_and_nothing_else(bank: SimulatedCore, clock: Clock) -> None:
    bank.hold("H", "A-1", 700, START + HOUR)
    extended = bank.extend("H", START + 3 * HOUR)
    assert extended == Held("H1", 700, 2, START, START + 3 * HOUR)
    assert bank.extend("H", START + 3 * HOUR) == extended
    clock.now = START + 2 * HOUR
    assert bank.status("H") == Status(HoldState.HELD, 700, "H1", 2, START + 3 * HOUR)
    assert bank.extend("H", START + HOUR) == Cannot(Why.TOO_LATE, 700)
    assert isinstance(bank.extend("H", None), Held)
    clock.now = START + 99 * HOUR
    assert bank.status("H").state is HoldState.HELD
    bank.release("H", 0)
    assert bank.extend("H", None) == Cannot(Why.TOO_LATE, 0)


# --- give back, hand over ------------------------------------------------------------------------


def test_give_back_sends_held_money_once(bank: SimulatedCore) -> None:
    bank.book(loss(), START)
    bank.hold("H", "A-2", 50_000, None)
    returned = bank.give_back("H", payout("R1", 30_000))
    assert returned == Returned("T3", "R1", 30_000, 20_000, 3)
    assert bank.give_back("H", payout("R1", 30_000)) == returned
    assert bank.balance("A-2") == Balance(32_000, 20_000)
    (sent,) = bank.transfers_since("A-2", 2).transfers
    assert (sent.ref, sent.incoming, sent.amount, sent.other, sent.hold) == ("R1", False, 30_000, VICTIM.account, "H")
    with pytest.raises(Conflict, match="other content"):
        bank.give_back("H", payout("R1", 30_001))
    with pytest.raises(Conflict, match="other content"):
        bank.hand_over("H", payout("R1", 30_000))
    assert bank.give_back("H", payout("R2", 20_001)) == Cannot(Why.NO_FUNDS, 20_000)
    bank.give_back("H", payout("R2", 20_000))
    assert bank.status("H").state is HoldState.RETURNED
    assert bank.give_back("H", payout("R3", 1)) == Cannot(Why.TOO_LATE, 0)
    assert bank.give_back("unknown", payout("R4", 1)) == Cannot(Why.NOT_FOUND)


def test_a_return_within_the_bank_credits_the_payee(bank: SimulatedCore) -> None:
    bank.hold("H", "A-1", 400, None)
    bank.give_back("H", PayOut("R1", 400, "DEBTOR", RUI.account, RUI.holder))
    assert bank.balance("A-2") == Balance(400, 0)
    assert bank.give_back("H", PayOut("R1", 400, "DEBTOR", RUI.account, RUI.holder)) == Returned("T2", "R1", 400, 0, 2)


def test_a_hold_is_not_paid_out_to_its_own_account(bank: SimulatedCore) -> None:
    bank.hold("H", "A-1", 400, None)
    assert bank.give_back("H", PayOut("R1", 400, "DEBTOR", ANA.account, ANA.holder)) == Cannot(Why.REFUSED, 400)
    assert bank.balance("A-1") == Balance(1_000, 400)


def test_handing_over_is_not_a_return(bank: SimulatedCore) -> None:
    bank.hold("H", "A-1", 400, None)
    bank.hand_over("H", payout("O1", 400))
    assert bank.status("H").state is HoldState.HANDED_OVER


# --- payments in flight --------------------------------------------------------------------------


def test_a_payment_in_flight_is_stopped_up_to_an_amount_and_the_rest_lands(bank: SimulatedCore) -> None:
    bank.put_in_flight(loss(minor=100), START)
    stopped = bank.stop("S", UETR, 60)
    assert stopped == Stopped("H2", 60, 2, START)
    assert bank.stop("S", UETR, 60) == stopped
    bank.land(UETR, START)
    assert bank.balance("A-2") == Balance(40, 0)
    assert bank.holds() == (InForce("S", "H2", 60, 2, None, UETR, ""),)
    assert bank.stop("S2", UETR, 10) == Cannot(Why.NO_FUNDS)
    bank.give_back("S", payout("R1", 50))
    bank.release("S", 0)
    bank.land(UETR, START)
    assert [(t.ref, t.amount) for t in bank.transfers_since("A-2", 0).transfers] == [("P1", 40), ("P1/3", 10)]
    with pytest.raises(Refused, match="nothing is in flight"):
        bank.land(UETR, START)


def test_too_late_to_stop_says_where_it_landed(bank: SimulatedCore) -> None:
    bank.put_in_flight(loss(), START)
    bank.land(UETR, START)
    assert bank.stop("S", UETR, 60) == Landed("P1", "A-2")
    assert bank.stop("S", "00000000-0000-4000-8000-000000000000", 60) == Gone()


def test_the_sending_bank_stops_what_has_not_left(bank: SimulatedCore) -> None:
    away = Order("P2", euros(600), bank.party("A-1"), VICTIM, UETR)
    bank.put_in_flight(away, START)
    assert bank.balance("A-1") == Balance(400, 0)
    bank.stop("S", UETR, 600)
    bank.give_back("S", PayOut("R1", 600, "DEBTOR", ANA.account, ANA.holder))
    assert bank.balance("A-1") == Balance(1_000, 0)
    bank.put_in_flight(replace(away, ref="P3", uetr=UETR[:-1] + "8"), START)
    bank.land(UETR[:-1] + "8", START)
    assert bank.stop("S2", UETR[:-1] + "8", 600) == Gone()


def test_a_payment_in_flight_is_one_payment(bank: SimulatedCore) -> None:
    assert bank.put_in_flight(loss(), START) == bank.put_in_flight(loss(), START) == 1
    with pytest.raises(Conflict, match="under another ref"):
        bank.put_in_flight(loss("P2"), START)
    with pytest.raises(Malformed, match="needs a UETR"):
        bank.put_in_flight(loss(uetr=""), START)


# --- the books -----------------------------------------------------------------------------------


def test_book_refuses_what_cannot_be(bank: SimulatedCore) -> None:
    assert bank.book(loss(), START) == bank.book(loss(), START) == 1
    with pytest.raises(Conflict, match="other content"):
        bank.book(loss(minor=1), START)
    with pytest.raises(NotFound, match="neither side"):
        bank.book(loss("P2", creditor=VICTIM), START)
    with pytest.raises(Refused, match="to itself"):
        bank.book(Order("P3", euros(1), bank.party("A-1"), bank.party("A-1")), START)
    with pytest.raises(Refused, match="empty it first"):
        bank.close_account("A-1")
    with pytest.raises(Conflict, match="open already"):
        bank.open_account(replace(ANA, opening=5))
    with pytest.raises(NotFound, match="A-9"):
        bank.transfers_since("A-9", 0)
    with pytest.raises(Malformed, match="time zone"):
        bank.book(loss("P4"), START.replace(tzinfo=None))


@pytest.mark.parametrize("minor", [0, 10**18 + 1])
def test_amounts_are_whole_and_not_beyond_what_is_counted(bank: SimulatedCore, minor: int) -> None:
    with pytest.raises(Malformed, match="whole minor units"):
        bank.hold("H", "A-1", minor, None)
    with pytest.raises(Malformed, match="whole minor units"):
        Order("P", euros(minor))


def test_any_earlier_balance_can_be_told(bank: SimulatedCore) -> None:
    bank.book(loss(), START)
    bank.hold("H", "A-2", 50_000, None)
    bank.give_back("H", payout("R1", 30_000))
    bank.release("H", 0)
    told = [bank.balance("A-2", sequence) for sequence in range(5)]
    assert told == [
        Balance(0, 0), Balance(62_000, 0), Balance(62_000, 50_000), Balance(32_000, 20_000), Balance(32_000, 0)
    ]  # fmt: skip


def test_a_reversal_keeps_the_coins_it_carries_back(bank: SimulatedCore) -> None:
    carries = Coins.of([(10, 20), (30, 40)])
    bank.book(loss(), START)
    undo = Order("U1", euros(20), Party(RUI.holder, RUI.account), VICTIM, reverses="P1", carries=carries)
    bank.book(undo, START)
    (transfer,) = bank.transfers_since("A-2", 1).transfers
    assert (transfer.reverses, transfer.carries) == ("P1", carries)
    with pytest.raises(Conflict):
        bank.book(replace(undo, carries=Coins.of([(10, 30)])), START)


def test_the_holds_of_the_core_are_the_pins_of_the_trace(bank: SimulatedCore) -> None:
    """What the core kept and sent back is, coin by coin, what was pinned: its sequence is the pin's."""
    bank.book(Order("own", euros(100), VICTIM, bank.party("A-2")), START)
    bank.book(loss(minor=500), START)
    held = bank.hold("H", "A-2", 400, None)
    assert isinstance(held, Held)
    bank.book(Order("out", euros(150), bank.party("A-2"), VICTIM), START)
    bank.give_back("H", payout("R1", 250))
    statement = bank.transfers_since("A-2", 0)
    followed = follow_account(statement.transfers, 0, [Pin(Coins.of([(100, 500)]), held.sequence, None, "H")])
    taken = {part.ref: part.took for part in followed.spent(followed.coins)}
    assert taken == {"out": Coins.of([(0, 100), (500, 550)]), "R1": Coins.of([(100, 350)])}
    assert followed.booked == bank.balance("A-2").booked


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE transfers SET amount = 1",
        "DELETE FROM transfers",
        "DELETE FROM hold_events",
        "UPDATE journal SET at = ''",
        "UPDATE accounts SET held = booked + 1",
        "INSERT INTO hold_events VALUES (3, 'H', 'held', 100000)",
        "INSERT INTO transfers VALUES (9, 'x', 1, 'A-1', NULL, '', '', NULL, '{}')",
    ],
)
def test_the_database_itself_refuses_what_must_never_be(bank: SimulatedCore, tmp_path: Path, sql: str) -> None:
    bank.book(loss(), START)
    bank.hold("H", "A-2", 50_000, None)
    other = sqlite3.connect(tmp_path / "core.db", isolation_level=None)
    other.execute("PRAGMA foreign_keys=ON")
    other.execute("INSERT INTO journal (at) VALUES ('now')")
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(sql)
    other.close()


def test_what_is_stored_is_there_for_the_next_process(tmp_path: Path, clock: Clock) -> None:
    first = SimulatedCore(tmp_path / "core.db", clock)
    first.open_account(ANA)
    first.hold("H", "A-1", 700, None)
    first.close()
    second = SimulatedCore(tmp_path / "core.db", clock)
    assert second.status("H").amount == 700
    second.close()


def test_a_file_that_is_no_bank_is_refused_by_name(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "core.db"
    path.write_bytes(b"this is no database at all " * 100)
    with pytest.raises(Corrupt, match="no core's file"):
        SimulatedCore(path, clock)
