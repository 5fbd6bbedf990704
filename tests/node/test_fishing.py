"""T05: a peer that asks about account after account learns of as many as the policy allows in a day; then a person is
called, and nothing tells one account from another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.case import Case
from arrp.core.events import Verb
from arrp.core.report import Party
from tests.node import world as worlds
from tests.node.world import ACCEPTED, ES, START, World, amount, payment, restarted

QUOTA = 3
CENT = "0.01 EUR"


def account_of(number: int) -> str:
    """One of the accounts of VASP-LT that there could be, with its check digits."""
    bban = f"10000{number:011d}"
    return f"payto://iban/LT{98 - int(bban + '212900') % 97:02d}{bban}"


@pytest.fixture
def fished(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Every second account is there, and has what the peer asks after."""
    monkeypatch.setattr(worlds, "OPEN", replace(worlds.OPEN, questions_per_day=QUOTA))
    restarted(world, "VASP-LT")
    for number in range(0, 12, 2):
        account = account_of(number)
        world.core("VASP-LT").open_account(Account(f"A{number}", account, "Somebody", "EUR"))
        order = Order(f"F{number}", amount(CENT), Party("Victim Ltd", ES), Party("Somebody", account))
        world.core("VASP-LT").book(order, START - timedelta(minutes=30))
    return world


def ask(world: World, *numbers: int) -> list[str]:
    """One cent from each account, within every cap on money; the requests."""
    asked = []
    for number in numbers:
        account = account_of(number)
        case = world.report(payment(CENT, account, f"F{number}"), loss=f"L{number}")
        asked.append(world.ask(case, CENT, account))
        world.settle()
    return asked


def looked_up(world: World) -> set[str]:
    """The requests for which the core was asked about an account."""
    return {event.request or "" for event in world.log("VASP-LT")
            if event.kind == "Intended" and event.body.verb is Verb.FIND}


def learned(world: World, request: str) -> tuple[str, str | None, bool]:
    """What the asking side knows of its request: the answer, why, and whether something is held."""
    known = world.request("NCB-ES", request)
    return known.answer, known.reason, known.hold is not None


def case_of(world: World, request: str) -> Case:
    return next(case for case in world.cases("VASP-LT") if request in case.requests)


def test_t05_r17_beyond_the_quota_nothing_is_looked_up_and_all_accounts_look_alike(fished: World) -> None:
    within = ask(fished, 0, 1, 2)
    assert [learned(fished, request)[2] for request in within] == [True, False, True]
    beyond = ask(fished, *range(3, 12))
    fished.run(minutes=5)
    assert {learned(fished, request) for request in beyond} == {("received", None, False)}
    assert looked_up(fished) == set(within)
    for request in beyond:
        said = {event.body.what: event.body for event in fished.log("VASP-LT")
                if event.kind == "Escalated" and event.request == request}
        assert said[f"decide {request}"].to == "duty officer"
        assert f"more than {QUOTA} requests of this peer in a day" in said[f"decide {request}"].why


def test_t05_r17_an_officer_decides_and_the_next_day_the_quota_is_whole_again(fished: World) -> None:
    *_, there, nowhere = ask(fished, 1, 3, 5, 4, 7)
    for request in (there, nowhere):
        fished.officer("VASP-LT", "decide", ACCEPTED, request=request, by=("Lina",))
    fished.settle()
    assert learned(fished, there) == ("accepted", None, True)
    assert learned(fished, nowhere) == ("ended", "NO_MATCHING_CREDIT", False)
    (waiting,) = ask(fished, 6)
    assert f"decide {waiting}" in case_of(fished, waiting).escalated
    fished.clock.at += timedelta(days=1)
    (tomorrow,) = ask(fished, 8)
    assert learned(fished, tomorrow)[2]


def test_r17_what_came_within_the_quota_is_held_whatever_comes_before_the_core_answers(fished: World) -> None:
    """A flood stands in the way of nothing that came before it."""
    core, fished.members["VASP-LT"].core = fished.core("VASP-LT"), None
    restarted(fished, "VASP-LT")
    first = ask(fished, 0, 2)
    fished.clock.at += timedelta(seconds=1)
    ask(fished, *range(3, 9))
    fished.members["VASP-LT"].core = core
    restarted(fished, "VASP-LT")
    fished.run(minutes=5)
    assert [learned(fished, request)[2] for request in first] == [True, True]
