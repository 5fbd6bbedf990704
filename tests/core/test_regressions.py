"""What the machines found once, as small as it could be made: each of these was wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arrp.core.deciding import decided
from arrp.core.errors import Refused
from arrp.core.events import Decide, Release, Verb, Withdraw
from arrp.core.money import Rate
from arrp.core.request import Source, Terms
from arrp.core.step import Heard, Step
from tests.core.driven import Driven, MoodyCore
from tests.core.test_machines import BASIS, NCB_FR
from tests.stories.plain import BANK_PT, ES, LT, NCB_ES, NCB_PT, PT, VASP_LT, amount, payment


def world(*texts: str, asked: str = "") -> tuple[Driven, MoodyCore, str]:
    """One credit of the first text at an account, asked for by ES (and by FR)."""
    made = Driven()
    made.join(NCB_ES, NCB_FR, VASP_LT)
    core = made.nodes["VASP-LT"].core = MoodyCore()
    core.book(LT, f"+{texts[0]}", "P", other=ES, at=made.now)
    for place, text in enumerate(texts[1:]):
        core.book(LT, text, f"T{place}", at=made.now)
    made.report("NCB-ES", payment(texts[0], LT, "P", made.now))
    made.report("NCB-FR", payment(texts[0], LT, "P", made.now))
    return made, core, made.ask("NCB-ES", asked or texts[0], LT)


def test_r46_coins_that_the_core_already_lets_go_are_not_taken_over() -> None:
    """A cut is on its way to the core when the hold ends: the next in line gets what stays blocked."""
    made, _, first = world("7.03 EUR")
    second = made.ask("NCB-FR", "7.03 EUR", LT)
    made.slow = True
    made.wish("VASP-LT", "release", Release(amount("1.09 EUR"), "less"), first, by=("Lina",))
    made.wish("VASP-LT", "release", Release(amount("0.00 EUR"), "nothing"), first, by=("Lina",))
    made.slow = False
    made.settle()
    held = made.nodes["NCB-FR"].case("loss").request(second).hold
    assert held.amount == amount("1.09 EUR")
    made.settled()
    made.run(hours=2)
    assert made.nodes["NCB-FR"].case("loss").request(second).hold.amount == amount("7.03 EUR"), "raised when free"
    made.settled()


def test_r45_r52_what_was_let_go_and_then_left_is_counted_once() -> None:
    """Coins that were let go are free: where they go later is no leg of the request."""
    made, core, request = world("4.22 EUR")
    made.wish("NCB-ES", "release", Release(amount("0.74 EUR"), "less"), request, by=("Ana",))
    core.book(LT, "-3.48 EUR", "ATM", at=made.now)
    made.ask("NCB-FR", "4.22 EUR", LT)
    mine = made.nodes["NCB-ES"].case("loss").request(request)
    assert mine.terms == Terms(amount("4.22 EUR"), held=74, let_go=348)
    made.settled()


def test_r43_what_nobody_kept_of_a_confirmed_hold_ends_in_an_hour_too() -> None:
    """The loss is kept elsewhere in part; the requester is cut off before it can let the rest go."""
    made = Driven()
    made.join(NCB_ES, VASP_LT)
    core = made.nodes["VASP-LT"].core = MoodyCore()
    core.book(LT, "+6.00 EUR", "P", other=ES, at=made.now)
    made.report("NCB-ES", payment("6.00 EUR", LT, "P", made.now))
    request = made.ask("NCB-ES", "6.00 EUR", LT)
    key = made.nodes["VASP-LT"].routes[request]
    made.slow = True
    made.wish("VASP-LT", "decide", Decide(True, None, BASIS, made.now + timedelta(hours=40)), request, by=("Lina",),
              case=key)
    made.drain()
    hold = made.nodes["VASP-LT"].case(key).request(request).hold
    assert hold.deadline == hold.until
    half = type(hold)(**{name: getattr(hold, name) for name in hold.__slots__} | {"kept": amount("2.00 EUR")})
    assert half.state == "confirmed"
    assert half.deadline == half.keep_by


def test_i7_a_receipt_that_comes_after_the_withdrawal_is_heard() -> None:
    """R-32: the mirror says `received` even when it had withdrawn before it knew."""
    made, core, _ = world("1.00 EUR")
    core.mood[Verb.RELEASE] = "refuse"
    made.slow = True
    request = made.ask("NCB-FR", "1.00 EUR", LT)
    made.wish("NCB-FR", "withdraw", Withdraw("wrong"), request, by=("Ana",))
    made.drain()
    made.settled()


def test_r10_a_keep_never_counts_more_than_its_part_of_the_loss() -> None:
    """One unit of the asset is worth more than one of the claim: rounding up would pass the loss."""
    rate = Rate(amount("3 JPY"), amount("1.00 EUR"))
    assert (rate.amount_of(99), rate.amount_of(34), rate.amount_of(100)) == (2, 1, 3)


def test_r43_i1_a_requester_that_is_cut_off_before_it_kept_loses_the_hold_after_an_hour() -> None:
    """The surplus clock is the holder's own: it needs no word of the requester."""
    made, core, _ = world("3.00 EUR", "-3.00 EUR")
    core.book(LT, "+5.00 EUR", "Q", other=ES, at=made.now)
    mine = made.nodes["NCB-ES"].case("loss")
    known = next(iter(mine.requests.values())).body
    body = replace(known, keep=None, asked=amount("3.00 EUR"), source=Source("payment", "1", None, ()),
                   credit=replace(known.credit, references=("Q",)))
    made.nodes["VASP-LT"].routes["r9"], made.nodes["NCB-ES"].routes["r9"] = "request:r9", "loss"
    heard = Heard("a", "NCB-ES", "Request", "r9", body, ("Ana", "Ben"), None, None, mine.loss_of(body),
                  made.now + timedelta(hours=72))
    made.slow = True
    made.give("VASP-LT", "request:r9", heard)
    made.deliver_core()
    placed = made.nodes["VASP-LT"].case(LT).request("r9").hold
    assert (placed.state, placed.kept) == ("provisional", None)
    made.run(minutes=59)
    assert made.nodes["VASP-LT"].case(LT).request("r9").hold.in_force
    made.run(minutes=1)
    made.deliver_core()
    ended = made.nodes["VASP-LT"].case(LT).request("r9").hold
    assert (ended.state, ended.why, ended.ended_at) == ("lapsed", "NOT_KEPT", made.now)


def test_r24_who_was_instructed_does_not_withdraw_the_instruction() -> None:
    """The wish is its maker's: the bank may not end it in its name, with one signature."""
    made = Driven()
    made.join(NCB_ES, NCB_PT, BANK_PT)
    core = made.nodes["BANK-PT"].core = MoodyCore()
    core.book(PT, "+7.03 EUR", "P", other=ES, at=made.now)
    made.report("NCB-ES", payment("7.03 EUR", PT, "P", made.now))
    made.ask("NCB-ES", "7.03 EUR", PT)
    ((key, instructed),) = [(key, r) for key, case in made.nodes["BANK-PT"].cases.items() if case.state != "joined"
                            for r in case.requests.values()]
    assert not made.wish("BANK-PT", "withdraw", Withdraw("not mine"), instructed.id, by=("Tom",), case=key)
    assert made.nodes["BANK-PT"].case(key).request(instructed.id).hold.state == "provisional"
    made.settled()


def test_r18_nobody_asks_itself() -> None:
    """A request about an account that its sender keeps was taken, and broke when the second officer signed."""
    made = Driven()
    made.join(NCB_ES, VASP_LT)
    made.nodes["VASP-LT"].core = MoodyCore()
    made.report("VASP-LT", payment("7.03 EUR", LT, "P", made.now))
    with pytest.raises(Refused, match="kept here") as refused:
        made.ask("VASP-LT", "7.03 EUR", LT)
    assert (refused.value.rule, refused.value.code) == ("R-18", "our-own")


def instructed() -> tuple[Driven, str]:
    """NCB-ES has asked for an account in PT; its bureau has instructed the bank, and nothing of that has come there."""
    made = Driven()
    made.join(NCB_ES, NCB_PT, BANK_PT)
    core = made.nodes["BANK-PT"].core = MoodyCore()
    core.book(PT, "+7.03 EUR", "P", other=ES, at=made.now)
    made.report("NCB-ES", payment("7.03 EUR", PT, "P", made.now))
    made.slow = True
    request = made.ask("NCB-ES", "7.03 EUR", PT)
    made.settle()
    made.deliver(("NCB-ES", "NCB-PT"))
    made.settle()
    return made, request


def test_r27_a_withdrawal_that_is_passed_on_counts_before_its_instruction() -> None:
    """It has no officer's signature: it was refused when it overtook what it withdraws, and the hold stood."""
    made, request = instructed()
    assert made.wish("NCB-ES", "withdraw", Withdraw("a mistake"), request, by=("Ana",))
    made.deliver(("NCB-ES", "NCB-PT"))
    made.settle()
    lane = made.lanes["NCB-PT", "BANK-PT"]
    assert [given.kind for _, given in lane] == ["Request", "Withdraw"]
    lane.rotate()
    made.slow = False
    made.settle()
    core = made.nodes["BANK-PT"].core
    assert [minor for _, minor in core.blocks.values() if minor] == []
    made.settled()


def test_r03_a_decision_between_finding_an_account_and_joining_its_case_asks_nothing_again() -> None:
    """The second answer would have joined it once more, which no store takes: the core was asked for ever."""
    made, _ = instructed()
    made.deliver(("NCB-PT", "BANK-PT"))
    ((key, waiting),) = made.nodes["BANK-PT"].cases.items()
    (request,) = waiting.requests.values()
    for state, asked in (("open", ["Intended"]), ("joined", [])):
        found = replace(waiting, state=state, intents={})  # the core has answered
        step = Step(found, "decide", made.now, made.nodes["BANK-PT"].rules)
        decided(step, request, Decide(True, None, BASIS, made.now + timedelta(hours=5)), ())
        assert [event.kind for event in step.events if event.kind == "Intended"] == asked, (key, state)
