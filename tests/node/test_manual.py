"""A bank with nothing but a clerk: tasks through hold, keep, decision, lapse and return (R-99)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from arrp.connectors.manual import to_find
from arrp.connectors.tasks import Line, Result
from arrp.core.case import fold
from arrp.core.errors import Conflict, Malformed, NotFound, Refused
from arrp.core.events import NamePayee, Release, Return
from arrp.core.request import Document, Terms
from arrp.core.sentences import marks
from arrp.node import tasks
from arrp.node.callers import owner
from arrp.node.service import Service
from arrp.node.store import cases
from arrp.node.tasks import Moved, Tasks
from arrp.wire.codec import dumps
from tests.conftest import ABOVE_THE_STORE
from tests.node.world import ACCEPTED, ES, LT, PT, START, World, amount, payment

OWNER = owner("", "")
CONSENT = Document("ab" * 32, "consent", "application/pdf", 1000)
OTHER = "payto://iban/PT41000201231234567810000"
BEFORE = START - timedelta(minutes=30)
CREDIT = Line(True, amount("100000.00 EUR"), BEFORE, "P1")
SPENT = Line(False, amount("38000.00 EUR"), BEFORE + timedelta(minutes=5), "P2", LT, "Trading Lda")


@pytest.fixture
def bank(world: World) -> World:
    """The bank's core is a clerk, and the bank is asked for 100,000 EUR."""
    world.with_clerks("BANK-PT")
    world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.settle()
    return world


def desk(world: World) -> Tasks:
    return Tasks(world.service("BANK-PT"), world.members["BANK-PT"].core)


def todo(world: World) -> list[tuple[str, str | None]]:
    return [(row["verb"], row["amount"]) for row in desk(world).listed(OWNER)]


def do(world: World, verb: str, **said: Any) -> dict[str, Any]:
    (id,) = [row["id"] for row in desk(world).listed(OWNER) if row["verb"] == verb]
    row = desk(world).done(OWNER, id, dumps(Result(**{"clerk": "Tom", "at": world.clock.now(), **said})))
    world.settle()
    return row


FOUND = {"account_ref": "00123", "holder": "TRADING LDA", "booked": amount("62000.00 EUR"),
         "free": amount("62000.00 EUR"), "credits": (CREDIT,), "lines": (SPENT,)}


def held(world: World) -> None:
    do(world, "find", **FOUND)
    do(world, "hold", reference="BLK-7", amount=amount("62000.00 EUR"))


def seen_in_spain(world: World):
    return next(r for r in world.cases("NCB-ES")[0].requests.values() if not r.body.pursues)


def test_hold_keep_decide_return(bank: World) -> None:
    """The clerk finds, holds, sends back; everybody sees what the clerk typed, and the log has the references."""
    assert todo(bank) == [("find", None)]
    assert seen_in_spain(bank).hold is None
    do(bank, "find", **FOUND)
    assert todo(bank) == [("hold", "62000.00 EUR")]
    do(bank, "hold", reference="BLK-7", amount=amount("62000.00 EUR"), protected=amount("0.00 EUR"))
    mine = seen_in_spain(bank)
    assert mine.terms == Terms(amount("100000.00 EUR"), held=6200000, moved_on=3800000)
    assert (mine.hold.state, mine.hold.reference) == ("provisional", "BLK-7")
    bank.officer("NCB-PT", "decide", ACCEPTED, request=mine.id, by=("Rui", "Zoe"))
    bank.settle()
    assert seen_in_spain(bank).hold.state == "confirmed"
    payee = NamePayee("DEBTOR", None, False, "00" * 16, ES, "Victim Ltd")
    bank.officer("NCB-ES", "payee", payee, request=mine.id, by=("Ana", "Ben"))
    bank.settle()
    back = Return(amount("62000.00 EUR"), "consent", CONSENT)
    bank.officer("NCB-PT", "return", back, request=mine.id, by=("Rui", "Zoe"))
    bank.run(minutes=1)
    assert todo(bank) == [("give_back", "62000.00 EUR")]
    (row,) = desk(bank).listed(OWNER)
    shown = desk(bank).shown(OWNER, row["id"])
    assert (shown["payee"], shown["hold_reference"]) == (ES, "BLK-7")
    do(bank, "give_back", reference="SEPA-9", amount=amount("62000.00 EUR"))
    bank.run(minutes=1)
    assert (seen_in_spain(bank).hold.state, seen_in_spain(bank).terms.returned) == ("returned", 6200000)
    assert todo(bank) == []
    assert bank.members["BANK-PT"].core.holds() == ()


def test_a_hold_that_lapses_is_a_task_and_without_basis_until_it_is_done(bank: World) -> None:
    """R-47, R-99: nobody keeps more than the law; what the clerk has not let go yet is shown, the clock is short."""
    held(bank)
    bank.clock.at = START + timedelta(hours=25)
    bank.run(minutes=1)
    assert todo(bank) == [("release", "0.00 EUR")]
    request = bank.request("BANK-PT")
    assert (request.hold.state, request.hold.amount) == ("ending", amount("62000.00 EUR"))
    assert marks(request, bank.clock.now()) == ("HELD WITHOUT BASIS",)
    assert marks(seen_in_spain(bank), bank.clock.now()) == ("HELD WITHOUT BASIS",)
    with pytest.raises(Malformed, match="no other no than NOT_FOUND"):
        do(bank, "release", cannot="REFUSED")
    bank.run(minutes=31)
    assert [row["seconds_left"] < 0 for row in desk(bank).listed(OWNER)] == [True]
    assert [e.body.why for e in bank.log("BANK-PT") if e.kind == "Escalated" and e.body.what.startswith("task")] == [
        "release is overdue"]
    do(bank, "release", reference="UNB-7", amount=amount("0.00 EUR"))
    bank.settle()
    assert bank.request("BANK-PT").hold.state == "lapsed"
    assert marks(seen_in_spain(bank), bank.clock.now()) == ()


@ABOVE_THE_STORE
def test_a_clerk_who_does_not_come_is_noticed_once(bank: World, caplog: pytest.LogCaptureFixture) -> None:
    """R-33, R-99: overdue is somebody's business; waiting is no error in the telemetry."""
    bank.run(minutes=25)
    called = [e for e in bank.log("BANK-PT") if e.kind == "Escalated" and e.body.what.startswith("task")]
    assert [(e.body.to, e.body.why) for e in called] == [("second contact", "find is overdue")]
    assert "core, find" not in caplog.text


@ABOVE_THE_STORE
def test_less_is_there_than_asked(bank: World) -> None:
    """The clerk blocks what is there; what left since the look is typed with it and becomes a leg."""
    do(bank, "find", **FOUND)
    late = Line(False, amount("12000.00 EUR"), START, "P3", LT, "Trading Lda")
    bank.clock.at += timedelta(minutes=10)
    do(bank, "hold", reference="BLK-7", amount=amount("50000.00 EUR"), lines=(late,))
    bank.run(minutes=2)
    mine = seen_in_spain(bank)
    assert mine.terms == Terms(amount("100000.00 EUR"), held=5000000, moved_on=5000000)
    assert [leg.amount for leg in mine.legs] == [amount("38000.00 EUR"), amount("12000.00 EUR")]


@ABOVE_THE_STORE
def test_no_such_account_no_such_credit(bank: World) -> None:
    """R-44, R-50: what does not fit is not held."""
    do(bank, "find", status="none")
    assert (seen_in_spain(bank).answer, seen_in_spain(bank).reason) == ("refused", "NO_MATCHING_CREDIT")


@ABOVE_THE_STORE
def test_a_credit_that_does_not_fit(bank: World) -> None:
    do(bank, "find", **{**FOUND, "credits": (), "lines": (Line(True, amount("62000.00 EUR"), BEFORE, "SALARY"),)})
    assert (seen_in_spain(bank).answer, seen_in_spain(bank).reason) == ("refused", "NO_MATCHING_CREDIT")


def test_done_tasks_are_found_by_what_they_were_for(bank: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-92, R-99: one look at each wish and each case, however many tasks there are; the log is read by its index."""
    held(bank)
    mine = bank.request("BANK-PT").id
    bank.officer("NCB-PT", "release", Release(amount("30000.00 EUR")), request=mine, by=("Rui",))
    bank.settle()
    do(bank, "release", reference="UNB-7", amount=amount("30000.00 EUR"))
    bank.ask(bank.report(payment("5.00 EUR", OTHER, "P7"), loss="L2"), "5.00 EUR", OTHER)
    bank.settle()
    other = do(bank, "find", status="none")["request"]
    service, asked, folded = Service(bank.service("BANK-PT").node), [], []
    monkeypatch.setattr(tasks, "to_find", lambda question: asked.append(question) or to_find(question))
    monkeypatch.setattr(cases, "fold", lambda me, id, said: folded.append(id) or fold(me, id, said))
    rows = Tasks(service, bank.members["BANK-PT"].core).listed(OWNER, done=True)
    assert [(row["verb"], row["request"]) for row in rows] == [
        ("find", other), ("release", mine), ("hold", mine), ("find", mine)]
    wishes = [event for event in bank.log("BANK-PT") if event.kind == "Intended" and event.body.verb == "find"]
    assert len(asked) == len(wishes)
    assert len(folded) == len(set(folded))
    with service.node.store.reading() as connection:
        if service.node.store.is_sqlite:
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN SELECT case_id, lasting, private FROM events "
                                              "WHERE kind = 'Intended' ORDER BY id DESC").all()
            assert [row[-1] for row in plan] == ["SEARCH events USING INDEX events_kind (kind=?)"]


def test_the_same_result_again_and_another(bank: World) -> None:
    """R-99: idempotent by task; a second, different result is refused."""
    done = do(bank, "find", **FOUND)
    result = Result(clerk="Tom", at=bank.clock.now(), **FOUND)  # type: ignore[arg-type]
    assert desk(bank).done(OWNER, done["id"], dumps(result))["id"] == done["id"]
    other = Result(**{**{"clerk": "Tom", "at": bank.clock.now()}, **FOUND, "holder": "SOMEBODY ELSE"})
    with pytest.raises(Conflict, match="with another result"):
        desk(bank).done(OWNER, done["id"], dumps(other))


def test_movements_typed_later_are_legs_and_come_once(bank: World) -> None:
    """R-52: what leaves an account that is not held in full is told when it is typed."""
    do(bank, "find", **FOUND)
    do(bank, "hold", cannot="REFUSED")
    assert seen_in_spain(bank).terms.pending == 6200000
    out = Line(False, amount("2000.00 EUR"), bank.clock.now(), "P9", LT, "T")
    said = dumps(Moved("Tom", (SPENT, out)))
    assert desk(bank).moved(OWNER, "00123", said)["booked"] == 6000000
    assert desk(bank).moved(OWNER, "00123", said)["booked"] == 6000000
    bank.run(minutes=2)
    assert seen_in_spain(bank).terms.moved_on == 4000000
    with pytest.raises(Conflict, match="P9 of account 00123 is known with other content"):
        desk(bank).moved(OWNER, "00123", dumps(Moved("Tom", (Line(False, amount("1.00 EUR"), START, "P9"),))))
    with pytest.raises(NotFound, match="no clerk has stated an account 999"):
        desk(bank).moved(OWNER, "999", said)


EUR: Callable[[str], Any] = lambda number: amount(f"{number} EUR")  # noqa: E731
LONG_AGO: datetime = START - timedelta(days=30)


@ABOVE_THE_STORE
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"clerk": "Nobody"}, "has no officer Nobody"),
        ({"account_ref": ""}, "has a reference, a balance and what is free"),
        ({"booked": None}, "has a reference, a balance and what is free"),
        ({"free": EUR("62000.01")}, "62000.01 EUR cannot be free of 62000.00 EUR"),
        ({"booked": amount("1.00 USD"), "free": amount("1.00 USD")}, "an account in EUR"),
        ({"lines": ()}, "38000.00 EUR of what came in is not there any more: type the transfers out"),
        ({"lines": (Line(False, amount("5.00 USD"), START, "X"),)}, "is in USD, the account in EUR"),
        ({"at": START + timedelta(days=1)}, "is not when task 1 was done"),
        ({"at": LONG_AGO}, "is not when task 1 was done"),
        ({"cannot": "BECAUSE"}, "BECAUSE is not a reason; there are NO_FUNDS"),
        ({"cannot": "REFUSED"}, "no other no than NOT_FOUND"),
    ],
)
def test_what_cannot_be_found_like_that(bank: World, said: dict[str, Any], why: str) -> None:
    """R-99: refused with what is missing; the task stays open, nothing is written."""
    with pytest.raises((Malformed, NotFound), match=why):
        do(bank, "find", **{**FOUND, **said})
    assert todo(bank) == [("find", None)]


@ABOVE_THE_STORE
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"amount": EUR("62000.01")}, "62000.01 EUR is more than the 62000.00 EUR that may be done"),
        ({"amount": amount("5.00 USD")}, "5.00 USD: task 2 is in EUR"),
        ({"amount": EUR("0.00")}, "nothing was done\\? say why: --cannot"),
        ({"amount": None}, "hold says how much: --amount"),
        ({"reference": " "}, "the core's own reference: --core-reference"),
        ({"clerk": ""}, "has no officer"),
        ({"lines": (Line(False, amount("62000.00 EUR"), START, "P3"),)}, "leave 0.00 EUR that no hold has"),
    ],
)
def test_what_cannot_be_held_like_that(bank: World, said: dict[str, Any], why: str) -> None:
    """R-99: amounts are checked against what was asked and what is there."""
    do(bank, "find", **FOUND)
    with pytest.raises((Malformed, NotFound), match=why):
        do(bank, "hold", **{"reference": "BLK-7", "amount": amount("62000.00 EUR"), **said})
    assert todo(bank) == [("hold", "62000.00 EUR")]
    assert bank.members["BANK-PT"].core.holds() == ()


@ABOVE_THE_STORE
def test_only_a_manual_core_has_tasks(world: World) -> None:
    with pytest.raises(Refused, match="kind = \"manual\""):
        Tasks(world.service("VASP-LT"), world.members["VASP-LT"].core).listed(OWNER)
    with pytest.raises(Refused, match="gives no tasks"):
        Tasks(world.service("NCB-ES"), None).shown(OWNER, 1)


def test_a_node_that_restarts_asks_for_the_same_tasks(bank: World) -> None:
    """I14: the tasks are in their file; a restarted node makes no second one."""
    do(bank, "find", **FOUND)
    before = [(row["id"], row["verb"], row["due_at"]) for row in desk(bank).listed(OWNER)]
    bank.stop("BANK-PT")
    bank.start("BANK-PT")
    bank.run(minutes=2)
    assert [(row["id"], row["verb"], row["due_at"]) for row in desk(bank).listed(OWNER)] == before
