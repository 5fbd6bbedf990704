"""The holder's side: finding the money, and holding it at once or on decision.

A holder's case is one account. Everything it states follows from its books (core/book.py); every
effect outside is an `Intended` row first and a `CoreAnswered` row after (I14).
"""

from __future__ import annotations

from dataclasses import replace

from arrp.core.answers import AccountStatus, Cannot, Found, Gone, Held, Landed, Stopped
from arrp.core.book import Book
from arrp.core.coins import Coins
from arrp.core.ending import confirm, end
from arrp.core.events import Answered, CaseJoined, HoldStated, Intent, Located, RequestJoined, Verb
from arrp.core.hold import Hold, Resting
from arrp.core.money import Amount
from arrp.core.policy import Tally
from arrp.core.reading import find, read_ledger
from arrp.core.request import Ask, Reason, Request
from arrp.core.starting import core_until, may_hold, not_at_once, protected, starting
from arrp.core.stating import book_of, claim_of, finish, others_pins, refuse, state_hold, terms_of, write_book
from arrp.core.step import CoreAnswer, Joined, Step, digest


def receive(step: Step, request: Request, tally: Tally) -> None:
    """R-44: a request came in; ask the core which account and credit it is about, or stop the payment."""
    step.note("RequestReceived", Answered(request.terms), request.id)
    if request.body.ask is Ask.STOP:
        why = not_at_once(step, request, tally)
        if why is not None:
            step.escalate(f"decide {request.id}", why, request.id)
        stop(step, request)
    else:
        find(step, request)


def join(step: Step, given: Joined) -> None:
    """R-03: the request arrives in its account's case with what `find` answered."""
    step.note("RequestJoined", RequestJoined(given.request, given.loss), given.request.id)
    request = step.case.request(given.request.id)
    found = given.answer.answer
    assert isinstance(found, Found)
    if not _is_answered_no(step, request, found):
        step.note("Located", located(request, found), request.id)
        why = None if request.answer == "accepted" else not_at_once(step, request, given.tally)
        if why is not None or request.body.ask is not Ask.HOLD:
            step.escalate(f"decide {request.id}", why or "an officer decides", request.id)
        look_at(step, request, given.answer)
    if request.wish == "withdrawn":  # while `find` ran: nothing was placed
        finish(step, request, Reason.WITHDRAWN)


def _is_answered_no(step: Step, request: Request, found: Found) -> bool:
    """R-44, R-50: what the core says by itself: no such account, no such credit, asked before."""
    same = next((other for other in step.case.standing if _is_duplicate(other, request)), None)
    if same is not None:
        refuse(step, request, Reason.DUPLICATE, (f"request {same.id} stands",))
    elif found.status is AccountStatus.CLOSED:
        refuse(step, request, Reason.AC04)
    elif found.status is AccountStatus.NONE or (found.ledger is not None and not found.credits):
        refuse(step, request, Reason.NO_MATCHING_CREDIT, differences(found))
    else:
        return False
    return True


def _is_duplicate(other: Request, request: Request) -> bool:
    """R-19: the same participant asks again for the same money here."""
    ours, theirs = request.body, other.body
    same = (other.peer, theirs.loss, theirs.source) == (request.peer, ours.loss, ours.source)
    return same and other.id != request.id


def differences(found: Found) -> tuple[str, ...]:
    """What of name, account, amount and time matches or differs; never what is there (R-62)."""
    return tuple(f"{c.what} {c.verdict}" for c in found.comparisons)


def located(request: Request, found: Found) -> Located:
    asset = request.body.asked.asset
    credits = tuple(Resting(Amount(0, asset), Amount(c.amount, asset), c.booked_at, c.ref) for c in found.credits)
    return Located(request.id, found.status, differences(found), credits, found.account_ref)


def look_at(step: Step, request: Request, given: CoreAnswer) -> None:
    """Read what `find` answered into the books, and hold what may be held."""
    found = given.answer
    assert isinstance(found, Found)
    if found.credits and not step.case.located[request.id].credits:
        step.note("Located", located(request, found), request.id)
    read_ledger(step, given)
    request = step.case.request(request.id)
    if request.id in step.case.books or found.ledger is None:
        place(step, request, found.free)


def place(step: Step, request: Request, free: int) -> None:
    """R-44: hold = min(asked, traced here and nobody's, free after protected money). A hold in force
    is raised when traced coins came back; I3: one request has one hold, I4: once ended, none."""
    hold = request.hold
    if not may_hold(step, request) or (hold is not None and not hold.in_force):
        return
    if hold is not None and hold.amount != hold.wanted:
        return  # a cut is under way
    book = book_of(step, request.id)
    cap = request.body.asked.minor
    if request.keep is not None and (hold is not None or request.rest_free):
        cap = min(cap, request.keep.minor)
    want = cap - book.blocked
    traced = (book.here - others_pins(step, request.id) - book.pins).count if book.is_read else want
    amount = min(want, traced, free - protected(step, request))
    if amount <= 0 or any(i.verb is Verb.HOLD and i.request == request.id for i in step.case.intents.values()):
        return
    number = str(len(book.past) + len(book.blocks))
    block = digest(request.id, "hold") if hold is None else digest(request.id, "hold", number)
    intent = Intent(digest(block, "place"), Verb.HOLD, request.id, block, amount, core_until(step, request), "",
                    step.case.located[request.id].account_ref)
    step.note("Intended", intent, request.id)


def placed(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    """The core answered to `hold`: it stands from now, with both clocks running (R-42)."""
    answer, hold = given.answer, request.hold
    assert hold is not None
    if not isinstance(answer, Held):
        _not_placed(step, request, hold, answer)
        return
    book = book_of(step, request.id)
    free = book.here - others_pins(step, request.id) - book.pins
    write_book(step, book.with_block(intent.block, answer.amount, free.lowest(answer.amount), answer.sequence))
    if hold.state == "placing":
        stated = replace(starting(step, request, hold, answer.amount), reference=answer.reference)
        state_hold(step, request, "HoldPlaced", stated)
    else:
        held = Amount(book_of(step, request.id).blocked, hold.amount.asset)
        raised = replace(hold, amount=held, wanted=held, claim=claim_of(request, held.minor))
        state_hold(step, request, "HoldRaised", raised.moved("HoldRaised"))
    request = step.case.request(request.id)
    if request.wish == "withdrawn":  # withdrawn while the core was placing it
        end(step, request, Reason.WITHDRAWN)
    else:
        confirm(step, request)
    find(step, request)  # what left between the first look and the core's answer is a leg


def _not_placed(step: Step, request: Request, hold: Hold, answer: object) -> None:
    """The core said no: say so, and have a clerk look; a raise that failed changes nothing."""
    if hold.state != "placing":
        return
    there = answer.there if isinstance(answer, Cannot) else 0
    failed = hold.moved("HoldFailed", why=Reason.AM04, wanted=Amount(0, hold.wanted.asset))
    step.tell("HoldFailed", HoldStated(failed, terms_of(step, request), f"AM04 {there}"), request)
    step.escalate(f"hold {hold.id} failed", "bank clerk", request.id)


# --- a payment in flight ------------------------------------------------------------------------------------


def stop(step: Step, request: Request) -> None:
    """R-49: keep a payment that has not arrived; from then on it is a hold like any other."""
    if not may_hold(step, request):
        return
    block = digest(request.id, "hold")
    intent = Intent(digest(block, "stop"), Verb.STOP, request.id, block, request.body.asked.minor,
                    core_until(step, request))
    step.note("Intended", intent, request.id)


def stopped(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    answer = given.answer
    if isinstance(answer, Stopped):
        coins = Coins.of([(0, answer.amount)])
        book = Book(request.id, coins, is_read=True, in_flight=True, as_of=answer.sequence)
        write_book(step, book.with_block(intent.block, answer.amount, coins, answer.sequence))
        hold = request.hold
        assert hold is not None
        stated = replace(starting(step, request, hold, answer.amount), reference=answer.reference)
        state_hold(step, request, "HoldPlaced", stated)
        confirm(step, step.case.request(request.id))
    elif isinstance(answer, Landed):
        step.note("CaseJoined", CaseJoined(answer.account_ref), request.id)
    elif isinstance(answer, Gone):
        refuse(step, request, Reason.PTNA)
    else:
        refuse(step, request, Reason.AGNT)
