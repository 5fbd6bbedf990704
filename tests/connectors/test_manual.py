"""The manual core as a connector: nothing before a clerk did it, and nothing beyond what was asked (R-99)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrp.connectors import NotYet
from arrp.connectors.manual import CAN, ManualCore
from arrp.connectors.tasks import MINUTES, Line, Result
from arrp.core.answers import (
    AccountStatus,
    Cannot,
    ClaimedCredit,
    Gone,
    Held,
    HoldState,
    Landed,
    PayOut,
    Question,
    Released,
    Returned,
    Stopped,
    Why,
)
from arrp.core.errors import Conflict, Malformed, NotFound
from arrp.core.money import Amount

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UNTIL = START + timedelta(days=3)
QUESTION = Question("EUR", (ClaimedCredit(("P1",), 10000, START - timedelta(hours=1)),), "payto://iban/X", "Ana L")
CREDIT = Line(True, Amount(10000, "EUR"), START - timedelta(minutes=30), "P1")


class Clerk:
    """One core, one clock, one clerk who answers the only open task."""

    def __init__(self, path: Path) -> None:
        self.at, self.path = START, path
        self.core = ManualCore(path, lambda: self.at)

    def does(self, **said: Any) -> None:
        (task,) = self.core.tasks()
        self.core.done(task.id, Result(**{"clerk": "tom", "at": self.at, **said}))

    def found(self) -> None:
        asked(lambda: self.core.find(QUESTION))
        self.does(account_ref="7", holder="Ana L", booked=Amount(10000, "EUR"), free=Amount(10000, "EUR"),
                  credits=(CREDIT,))

    def held(self, minor: int = 10000) -> None:
        self.found()
        asked(lambda: self.core.hold("h", "7", minor, UNTIL))
        self.does(reference="B-1", amount=Amount(minor, "EUR"))


def asked(call: Callable[[], object]) -> NotYet:
    with pytest.raises(NotYet) as raised:
        call()
    return raised.value


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    made = Clerk(tmp_path / "tasks.db")
    yield made
    made.core.close()


def test_nothing_happens_before_a_clerk_did_it(clerk: Clerk) -> None:
    """Asked a hundred times it is one task, with one clock, also for the next process."""
    first = asked(lambda: clerk.core.find(QUESTION))
    clerk.at += timedelta(minutes=MINUTES["find"] - 1)
    clerk.core.close()
    clerk.core = ManualCore(clerk.path, lambda: clerk.at)
    again = asked(lambda: clerk.core.find(QUESTION))
    assert (again.task, again.overdue, first.overdue) == (first.task, False, False)
    clerk.at += timedelta(minutes=1)
    assert asked(lambda: clerk.core.find(QUESTION)).overdue
    assert len(clerk.core.tasks()) == 1
    assert CAN.seconds >= 3600


def test_found_held_extended_cut_and_sent_back(clerk: Clerk) -> None:
    """The whole life of one hold, each answer the same when it is asked for again."""
    clerk.held()
    found = clerk.core.find(QUESTION)
    assert (found.status, found.booked, found.free, found.account_ref) == (AccountStatus.OPEN, 10000, 0, "7")
    assert [credit.ref for credit in found.credits] == ["P1"]
    held = clerk.core.hold("h", "7", 10000, UNTIL)
    assert isinstance(held, Held)
    assert (held.reference, held.amount, held.until) == ("B-1", 10000, UNTIL)
    asked(lambda: clerk.core.extend("h", UNTIL + timedelta(days=1)))
    clerk.does(reference="B-1a")
    assert clerk.core.status("h").until == UNTIL + timedelta(days=1)
    asked(lambda: clerk.core.release("h", 4000))
    clerk.does(reference="B-2", amount=Amount(4000, "EUR"))
    assert clerk.core.release("h", 4000) == Released("B-1", 4000, clerk.core.status("h").sequence)
    assert clerk.core.hold("h", "7", 10000, UNTIL) == held
    payout = PayOut("r1", 4000, "consent", "payto://iban/Y", "Victim")
    asked(lambda: clerk.core.give_back("h", payout))
    clerk.does(reference="S-1", amount=Amount(4000, "EUR"))
    back = clerk.core.give_back("h", payout)
    assert isinstance(back, Returned)
    assert (back.amount, back.left, back.transfer) == (4000, 0, "r1")
    assert clerk.core.status("h").state is HoldState.RETURNED
    (sent,) = [t for t in clerk.core.transfers_since("7", 0).transfers if not t.incoming]
    assert (sent.ref, sent.hold, sent.other) == ("r1", "h", "payto://iban/Y")
    assert clerk.core.holds() == ()


def test_a_release_that_became_needless_is_no_task(clerk: Clerk) -> None:
    clerk.held()
    asked(lambda: clerk.core.release("h", 4000))
    asked(lambda: clerk.core.release("h", 0))
    high, low = (task.id for task in clerk.core.tasks())
    clerk.core.done(low, Result(clerk="tom", at=clerk.at, reference="B-2", amount=Amount(0, "EUR")))
    assert clerk.core.tasks() == []
    answer = clerk.core.release("h", 4000)
    assert isinstance(answer, Released)
    assert answer.amount == 0
    assert high != low


@pytest.mark.parametrize(
    ("said", "answer"),
    [({"amount": Amount(4000, "EUR"), "reference": "S"}, Stopped), ({"cannot": "NOT_FOUND"}, Gone),
     ({"account_ref": "7", "reference": "P1"}, Landed), ({"cannot": "REFUSED"}, Cannot)],
)
def test_a_payment_in_flight(clerk: Clerk, said: dict[str, Any], answer: type) -> None:
    """R-49: stopped, gone, landed, or no."""
    asked(lambda: clerk.core.stop("s", "174c245f-2682-4291-ad67-2a41e530cd27", 5000))
    clerk.does(**said)
    assert isinstance(clerk.core.stop("s", "174c245f-2682-4291-ad67-2a41e530cd27", 5000), answer)


def test_what_is_not_here_and_what_differs(clerk: Clerk) -> None:
    """The same ref with other content is refused; what no clerk placed is not found."""
    clerk.held()
    with pytest.raises(Conflict, match="hold h is known with other content"):
        clerk.core.hold("h", "7", 1, UNTIL)
    nothing = (clerk.core.release("x", 0), clerk.core.extend("x", UNTIL), clerk.core.give_back(
        "x", PayOut("r", 1, "order")))
    assert nothing == (Cannot(Why.NOT_FOUND),) * 3
    assert clerk.core.status("x").state is HoldState.UNKNOWN
    with pytest.raises(NotFound, match="no clerk has stated an account 8"):
        clerk.core.transfers_since("8", 0)
    with pytest.raises(NotFound, match="there is no task 99"):
        clerk.core.task(99)


def test_a_balance_must_be_what_the_transfers_leave(clerk: Clerk) -> None:
    """A second look at a known account adds up with the first, or says by how much not."""
    clerk.found()
    other = Question("EUR", (ClaimedCredit(("P2",), 500),), "payto://iban/X")
    asked(lambda: clerk.core.find(other))
    with pytest.raises(Malformed, match=r"leave 100\.00 EUR, not 105\.00 EUR: type those that are missing"):
        clerk.does(account_ref="7", booked=Amount(10500, "EUR"), free=Amount(10500, "EUR"))
    later = Line(True, Amount(500, "EUR"), START, "P2")
    clerk.does(account_ref="7", booked=Amount(10500, "EUR"), free=Amount(10500, "EUR"), credits=(later,))
    assert [credit.ref for credit in clerk.core.find(other).credits] == ["P2"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["release", "give_back"]), st.integers(0, 12000)), max_size=6))
def test_whatever_a_clerk_types_the_money_is_there(steps: list[tuple[str, int]]) -> None:
    """Σ held and sent never exceeds what was held; what stays held never grows."""
    clerk = Clerk(Path(":memory:"))
    clerk.held(9000)
    for number, (verb, minor) in enumerate(steps):
        before = clerk.core.status("h").amount
        try:
            if verb == "release":
                clerk.core.release("h", minor // 2)
            else:
                clerk.core.give_back("h", PayOut(f"r{number}", minor, "order", "payto://iban/Y"))
        except NotYet as waiting:
            try:
                clerk.core.done(int(waiting.task), Result(clerk="tom", at=clerk.at, reference="x",
                                                          amount=Amount(minor, "EUR")))
            except Malformed:
                assert clerk.core.status("h").amount == before
        sent = sum(t.amount for t in clerk.core.transfers_since("7", 0).transfers if not t.incoming)
        assert clerk.core.status("h").amount <= before
        assert sent + clerk.core.status("h").amount <= 9000
    clerk.core.close()
