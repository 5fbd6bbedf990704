"""A broken bank: each fault once, and its twin "done, but the answer was lost"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arrp.connectors import CoreDown, CoreUnclear
from arrp.connectors.books import Order
from arrp.connectors.faults import FAULTS, Fault
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.answers import Cannot, Held, HoldState, PayOut, Question, Released, Returned, Stopped, Why
from arrp.core.errors import ArrpError, Malformed
from arrp.core.money import Amount
from arrp.core.report import Party

START = datetime(2022, 6, 28, 9, 0, tzinfo=UTC)
UETR = "174c245f-2682-4291-ad67-2a41e530cd27"
PAYEE = "payto://iban/NL91ABNA0417164300"


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[SimulatedCore]:
    core = SimulatedCore(tmp_path / "core.db", lambda: START, pause=lambda _: None)
    core.open_account(Account("A-1", "payto://iban/PT50000201231234567890154", "Ana Moreira", "EUR", 1_000))
    order = Order("P1", Amount(500, "EUR"), Party(account=PAYEE), core.party("A-1"), UETR)
    core.put_in_flight(order, START)
    assert isinstance(core.hold("H", "A-1", 700, None), Held)
    yield core
    core.close()


# Each acting verb: the call, the answer it gives when all is well, and how one sees that it was done.
Verb = tuple[Callable[[SimulatedCore], object], type, Callable[[SimulatedCore], bool]]
ACTING: dict[str, Verb] = {
    "hold": (lambda b: b.hold("N", "A-1", 100, None), Held, lambda b: b.status("N").amount == 100),
    "stop": (lambda b: b.stop("N", UETR, 100), Stopped, lambda b: b.status("N").amount == 100),
    "release": (lambda b: b.release("H", 300), Released, lambda b: b.status("H").amount == 300),
    "extend": (lambda b: b.extend("H", START + timedelta(1)), Held, lambda b: b.status("H").until is not None),
    "give_back": (
        lambda b: b.give_back("H", PayOut("R", 700, "DEBTOR", PAYEE)), Returned,
        lambda b: b.status("H").state is HoldState.RETURNED and b.balance("A-1").booked == 300,
    ),
    "hand_over": (
        lambda b: b.hand_over("H", PayOut("R", 700, "ORDER", PAYEE)), Returned,
        lambda b: b.status("H").state is HoldState.HANDED_OVER and b.balance("A-1").booked == 300,
    ),
}  # fmt: skip
READING: dict[str, Callable[[SimulatedCore], object]] = {
    "find": lambda b: b.find(Question("EUR", (), "payto://iban/PT50000201231234567890154")),
    "status": lambda b: b.status("H"),
    "holds": lambda b: b.holds(),
    "transfers_since": lambda b: b.transfers_since("A-1", 0),
}


def test_every_verb_of_the_bank_can_be_broken() -> None:
    assert set(ACTING) | set(READING) | {"let_go"} == set(FAULTS)


@pytest.mark.parametrize("verb", ACTING)
def test_answer_lost_it_was_done_and_asking_again_tells(bank: SimulatedCore, verb: str) -> None:
    call, answer, is_done = ACTING[verb]
    bank.faults.plant(verb, Fault.ANSWER_LOST)
    with pytest.raises(CoreUnclear, match="ask it again"):
        call(bank)
    assert is_done(bank)
    before = bank.balance("A-1")
    assert isinstance(call(bank), answer)
    assert bank.balance("A-1") == before


@pytest.mark.parametrize("verb", ACTING)
def test_request_lost_looks_the_same_and_was_not_done(bank: SimulatedCore, verb: str) -> None:
    call, answer, is_done = ACTING[verb]
    bank.faults.plant(verb, Fault.REQUEST_LOST)
    with pytest.raises(CoreUnclear, match="ask it again"):
        call(bank)
    assert not is_done(bank)
    assert isinstance(call(bank), answer)
    assert is_done(bank)


@pytest.mark.parametrize("verb", ACTING)
def test_down_nothing_was_done(bank: SimulatedCore, verb: str) -> None:
    call, answer, is_done = ACTING[verb]
    bank.faults.plant(verb, Fault.DOWN, times=2)
    for _ in range(2):
        with pytest.raises(CoreDown, match="nothing was done"):
            call(bank)
    assert not is_done(bank)
    assert isinstance(call(bank), answer)


@pytest.mark.parametrize("verb", ACTING)
def test_a_refusal_names_no_reason_and_changes_nothing(bank: SimulatedCore, verb: str) -> None:
    call, _, is_done = ACTING[verb]
    bank.faults.plant(verb, Fault.REFUSE)
    said = call(bank)
    assert isinstance(said, Cannot)
    assert said.why is Why.REFUSED
    assert not is_done(bank)


@pytest.mark.parametrize("verb", ACTING)
def test_a_lie_says_yes_and_does_nothing(bank: SimulatedCore, verb: str) -> None:
    call, answer, is_done = ACTING[verb]
    sequence = bank.find(Question("EUR")).sequence
    bank.faults.plant(verb, Fault.LIE)
    assert isinstance(call(bank), answer)
    assert not is_done(bank)
    assert bank.find(Question("EUR")).sequence == sequence


@pytest.mark.parametrize("verb", [*ACTING, *READING])
def test_slow_waits_and_then_answers(tmp_path: Path, bank: SimulatedCore, verb: str) -> None:
    waited: list[float] = []
    slow = SimulatedCore(tmp_path / "core.db", lambda: START, pause=waited.append)
    slow.faults.plant(verb, Fault.SLOW, seconds=30)
    answer = (ACTING[verb][0] if verb in ACTING else READING[verb])(slow)
    slow.close()
    assert waited == [30]
    assert not isinstance(answer, Cannot)


@pytest.mark.parametrize("verb", READING)
@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.DOWN, CoreDown), (Fault.REQUEST_LOST, CoreUnclear), (Fault.ANSWER_LOST, CoreUnclear)]
)
def test_reading_fails_too(bank: SimulatedCore, verb: str, fault: Fault, error: type[ArrpError]) -> None:
    bank.faults.plant(verb, fault)
    with pytest.raises(error):
        READING[verb](bank)
    READING[verb](bank)


def test_an_unreadable_ledger_still_tells_the_balance(bank: SimulatedCore) -> None:
    bank.land(UETR, START)
    bank.faults.plant("find", Fault.LEDGER_UNREADABLE)
    found = bank.find(Question("EUR", (), "payto://iban/PT50000201231234567890154"))
    assert (found.ledger, found.booked, found.free) == (None, 1_500, 800)
    bank.faults.plant("transfers_since", Fault.LEDGER_UNREADABLE)
    with pytest.raises(CoreDown, match="cannot be read now"):
        bank.transfers_since("A-1", 0)


def test_a_bank_that_does_not_let_go_holds_without_basis(tmp_path: Path, bank: SimulatedCore) -> None:
    bank.extend("H", START + timedelta(hours=1))
    bank.faults.plant("let_go", Fault.REFUSE, times=None)
    late = SimulatedCore(tmp_path / "core.db", lambda: START + timedelta(hours=2))
    assert [hold.ref for hold in late.holds()] == ["H"]
    assert late.release("H", 0).amount == 0  # type: ignore[union-attr]
    late.close()


def test_faults_come_in_the_order_planted_and_go_when_mended(bank: SimulatedCore) -> None:
    bank.faults.plant("status", Fault.DOWN)
    bank.faults.plant("status", Fault.ANSWER_LOST, times=None)
    with pytest.raises(CoreDown):
        bank.status("H")
    for _ in range(3):
        with pytest.raises(CoreUnclear):
            bank.status("H")
    bank.faults.mend()
    assert bank.status("H").amount == 700


def test_another_process_can_break_the_bank(tmp_path: Path, bank: SimulatedCore) -> None:
    other = SimulatedCore(tmp_path / "core.db", lambda: START)
    other.faults.plant("status", Fault.DOWN)
    with pytest.raises(CoreDown):
        bank.status("H")
    assert other.status("H").amount == 700  # used up by the other one
    other.close()


@pytest.mark.parametrize(("verb", "fault"), [("find", Fault.LIE), ("can", Fault.DOWN), ("let_go", Fault.SLOW)])
def test_a_verb_only_breaks_in_ways_it_can(bank: SimulatedCore, verb: str, fault: Fault) -> None:
    with pytest.raises(Malformed, match=f"{verb} cannot be {fault}"):
        bank.faults.plant(verb, fault)


def test_a_refused_hold_is_known_as_refused_though_the_answer_was_lost(bank: SimulatedCore) -> None:
    bank.faults.plant("hold", Fault.ANSWER_LOST)
    with pytest.raises(CoreUnclear):
        bank.hold("N", "A-1", 5_000, None)
    assert bank.status("N").state is HoldState.REFUSED
    assert bank.hold("N", "A-1", 5_000, None) == Cannot(Why.NO_FUNDS, 300)
