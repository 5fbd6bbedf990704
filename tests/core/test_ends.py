"""The end of a hold: computed once, and the same in law, at the node and in the core (R-40, R-41, R-47).

A core may answer later than it was asked, on another day, or after its first answer was lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arrp.core.answers import Held
from arrp.core.deadline import Basis, Power
from arrp.core.errors import Malformed
from arrp.core.events import Decide, Extend, Intent, Secure, Verb, Withdraw
from arrp.core.hold import Hold
from arrp.core.period import Period
from arrp.core.request import Ask, Asked, Document
from arrp.law.calendars import around
from tests.core.driven import Driven, MoodyCore
from tests.core.test_machines import NCB_FR
from tests.stories.plain import ES, LAW, LT, NCB_DE, NCB_ES, START, VASP_LT, amount, payment

THURSDAY = datetime(2026, 3, 5, 23, 59, tzinfo=UTC)  # in Lisbon too
END_OF_FRIDAY, END_OF_MONDAY = datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)
WORKING_DAY = replace(LAW, longest=Period(1, "working days"), chain=Period(20, "working days"),
                      calendar=around("PT", "Europe/Lisbon", START))
ORDER = Document("ab" * 32, "order", "application/pdf", 1000)
BASIS = Basis("pt-1", "PT", "art. 1", "Court")


class LateCore(MoodyCore):
    """It holds, or stops, `late` after it was asked, and says so; it may do so for a shorter time than it was asked."""

    late, most = timedelta(0), datetime.max.replace(tzinfo=UTC)

    def do(self, intent: Intent, body: Asked, at: datetime) -> Any:
        answer = super().do(intent, body, at + self.late)
        if isinstance(answer, Held) and answer.until is not None:
            return replace(answer, until=min(answer.until, self.most))
        return answer


class Bank(Driven):
    """One bank under one law, whose core answers when the test says so."""

    def __init__(self, power: Power, now: datetime = START) -> None:
        super().__init__()
        self.join(NCB_ES, NCB_DE, NCB_FR, VASP_LT, power=power)
        self.now, self.power = now, power
        self.bank = self.nodes["VASP-LT"].core = LateCore()
        self.bank.book(LT, "+50.00 EUR", "P", other=ES, at=now)
        for node in ("NCB-ES", "NCB-DE", "NCB-FR"):
            self.report(node, payment("50.00 EUR", LT, "P", now))

    def hold(self, request: str) -> Hold:
        case = next(case for case in self.nodes["VASP-LT"].cases.values()
                    if request in case.requests and case.state != "joined")
        found = case.request(request).hold
        assert found is not None
        return found

    def asks(self, *, late: timedelta = timedelta(0), heard: timedelta = timedelta(0), ask: Ask = Ask.HOLD) -> str:
        """A request whose money is held `late` after the core was asked; its answer is heard after `heard`."""
        self.slow, self.bank.late = True, late
        request = self.ask("NCB-ES", "50.00 EUR", LT, ask=ask)
        while not set(self.bank.blocks) - {"its own"}:
            self.deliver(self.busy()[0])
        self.now += max(late, heard)
        self.slow, self.bank.late = False, timedelta(0)
        self.settle()
        return request

    def decide(self, request: str, until: datetime) -> None:
        self.officer("VASP-LT", "decide", Decide(True, None, BASIS, until), request, by=("Lina",), case=LT)

    def told(self, verb: Verb) -> list[datetime | None]:
        """The ends that the core was told with that verb."""
        return [event.body.until for (node, _), events in self.log.items() for event in events
                if node == "VASP-LT" and event.kind == "Intended" and event.body.verb is verb]


def test_r47_a_core_that_answers_on_the_next_day_is_told_the_end_that_follows_from_it() -> None:
    """Asked on Thursday a minute before midnight, held on Friday: one working day ends on Monday, for both."""
    made = Bank(WORKING_DAY, THURSDAY)
    request = made.asks(late=timedelta(minutes=2))
    assert (made.hold(request).until, made.told(Verb.HOLD)) == (END_OF_MONDAY, [END_OF_FRIDAY])
    assert list(made.bank.until.values()) == [END_OF_MONDAY]
    assert made.nodes["VASP-LT"].case(LT).ends[request].until == END_OF_MONDAY


def test_r41_an_answer_that_was_lost_makes_no_hold_longer() -> None:
    """It was held on Thursday, though the node heard it only on Friday: the law counts from Thursday."""
    made = Bank(WORKING_DAY, THURSDAY)
    request = made.asks(heard=timedelta(hours=6))
    assert (made.hold(request).until, made.hold(request).placed_at) == (END_OF_FRIDAY, THURSDAY)
    assert made.hold(request).decide_by == THURSDAY + timedelta(hours=24)
    assert made.told(Verb.EXTEND) == []


@pytest.mark.parametrize(("late", "longer"), [(10, False), (3600, False), (3601, True), (-7200, False)])
def test_r47_for_seconds_a_core_is_not_asked_twice_and_has_the_same_end(late: int, longer: bool) -> None:
    """Nor does a core whose watch is behind shorten the hold: it did not begin before it was asked."""
    made = Bank(LAW)
    request = made.asks(late=timedelta(seconds=late), heard=timedelta(hours=2))
    ends = START + timedelta(hours=72, seconds=late if longer else 0)
    assert made.hold(request).until == ends
    assert list(made.bank.until.values()) == [ends]
    assert made.told(Verb.EXTEND) == ([ends] if longer else [])


def test_r47_a_core_that_holds_for_less_than_it_was_asked_sets_the_end() -> None:
    made = Bank(LAW)
    made.bank.most = START + timedelta(hours=30)
    request = made.asks()
    assert (made.hold(request).until, made.told(Verb.EXTEND)) == (START + timedelta(hours=30), [])


def test_r47_r49_who_stops_a_payment_is_told_when_to_let_go() -> None:
    """To stop says no end: without a word more a dead node would keep the payment for ever."""
    made = Bank(LAW)
    made.bank.flights[""] = ("", 5000)
    made.slow = True
    request = made.ask("NCB-ES", "50.00 EUR", LT, ask=Ask.STOP)
    made.drain()
    key = made.nodes["VASP-LT"].routes[request]
    made.slow = False
    made.officer("VASP-LT", "decide", Decide(True, None, BASIS, START + timedelta(hours=40)), request, by=("Lina",),
                 case=key)
    assert made.hold(request).until == START + timedelta(hours=40)
    assert list(made.bank.until.values()) == [START + timedelta(hours=72)], "the legal end; its own is the node's timer"


@pytest.mark.parametrize("secured", [False, True])
def test_r47_what_is_added_to_a_longer_hold_lasts_as_long(secured: bool) -> None:
    """More of the coins came free: their block has the end of the hold, not of a new one."""
    made = Bank(LAW)
    made.bank.book(LT, "+1.00 EUR", "Q", at=START)
    made.bank.blocks["its own"] = (LT, 2100)
    request = made.asks()
    assert made.hold(request).amount == amount("30.00 EUR")
    made.decide(request, START + timedelta(hours=72))
    later = START + timedelta(hours=700)
    if secured:
        made.officer("VASP-LT", "secure", Secure(BASIS, ORDER, later), request, by=("Lina", "Ona"), case=LT)
    else:
        made.officer("VASP-LT", "extend", Extend(BASIS, later, ORDER), request, by=("Lina", "Ona"), case=LT)
    del made.bank.blocks["its own"]
    made.run(hours=3)
    assert made.hold(request).amount == amount("50.00 EUR")
    assert len(made.bank.until) == 2
    assert min(made.bank.until.values()) >= later


def test_r46_r47_a_block_in_common_lasts_as_long_as_the_longest_hold_in_it() -> None:
    made = Bank(LAW)
    first = made.asks()
    second, third = made.ask("NCB-DE", "20.00 EUR", LT), made.ask("NCB-FR", "30.00 EUR", LT)
    made.officer("NCB-ES", "withdraw", Withdraw("wrong"), first, by=("Ana",))
    for request, hours in ((second, 500), (third, 300)):
        made.decide(request, START + timedelta(hours=72))
        made.officer("VASP-LT", "extend", Extend(BASIS, START + timedelta(hours=hours), ORDER), request,
                     by=("Lina", "Ona"), case=LT)
        assert made.hold(request).until == START + timedelta(hours=hours)
    assert list(made.bank.until.values()) == [START + timedelta(hours=500)]


def test_r40_a_power_that_counts_days_has_a_calendar() -> None:
    for name in ("provisional", "longest", "chain"):
        with pytest.raises(Malformed, match="5 working days"):
            replace(LAW, **{name: Period(5, "working days")})
        replace(WORKING_DAY, **{name: Period(5, "working days")})
