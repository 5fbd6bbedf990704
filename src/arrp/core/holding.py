"""The holder's side: finding the money, and holding it at once or on decision.

A holder's case is one account. Everything it states follows from its books (core/book.py); every
effect outside is an `Intended` row first and a `CoreAnswered` row after (I14).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from arrp.core.answers import AccountStatus, Cannot, Found, Gone, Held, Landed, Stopped, Why
from arrp.core.book import Book
from arrp.core.coins import Coins
from arrp.core.ending import confirm, end, extend_blocks, raised_to, unblock
from arrp.core.events import KINDS, Answered, HoldStated, Intent, Located, RequestJoined, Verb
from arrp.core.hold import Hold, Resting
from arrp.core.money import Amount
from arrp.core.people import awaited, call_back, call_strangers
from arrp.core.policy import Tally, asks_too_much, strangers
from arrp.core.reading import find, is_looking, read_ledger
from arrp.core.recovering import rebuild
from arrp.core.request import Ask, Reason, Request
from arrp.core.starting import block_of, core_until, may_hold, not_at_once, placing, protected, starting
from arrp.core.stating import (
    account_of,
    book_of,
    finish,
    others_pins,
    refuse,
    state_hold,
    terms_of,
    write_book,
)
from arrp.core.step import Command, CoreAnswer, Joined, Step, digest


def receive(step: Step, request: Request, tally: Tally) -> None:
    """R-44: a request came in; ask the core which account and credit it is about, or stop the payment. For
    somebody nobody has spoken to, or who asks too much, the core is not even asked: an answer, or its haste,
    would tell (R-17, R-91)."""
    step.note("RequestReceived", Answered(request.terms), request.id)
    if _are_strangers(step, request, tally):
        wait_for_decision(step, request, tally)
        return
    if _is_decided(request):
        request = _accept(step, request)
    elif asks_too_much(step.rules.policy, tally):
        wait_for_decision(step, request, tally)
        return
    if request.body.ask is Ask.STOP:
        wait_for_decision(step, request, tally)
        stop(step, request)
    else:
        find(step, request)


def _are_strangers(step: Step, request: Request, tally: Tally) -> bool:
    return bool(strangers(step.rules.policy, step.rules.participant(request.peer), tally))


def _is_decided(request: Request) -> bool:
    """R-54: an instruction that carries the decision of the authority whose power it is."""
    signed = len(request.by_officers) >= KINDS["Request"].approvals
    return request.relation == "instructs" and request.body.until is not None and signed


def _accept(step: Step, request: Request) -> Request:
    body = request.body
    step.tell("RequestAccepted", Answered(request.terms, basis=body.basis, until=body.until), request)
    return step.case.request(request.id)


def called_back(step: Step, command: Command) -> None:
    """R-91: once all of them were spoken to, what waited for it goes on: the core is asked, and what its
    authority had decided is done."""
    waited = awaited(step, step.case.request(command.request or ""))
    call_back(step, command)
    request = step.case.request(command.request or "")
    if step.rules.me.kind == "authority" or not waited or awaited(step, request) or not request.is_undecided:
        return
    if _is_decided(request):
        request = _accept(step, request)
    if request.body.ask is Ask.STOP:
        stop(step, request)
    elif not is_looking(step.case, request):
        find(step, request)


def wait_for_decision(step: Step, request: Request, tally: Tally) -> None:
    """R-17: what policy or law does not let the node do at once, an officer decides first."""
    if request.answer == "accepted":
        return
    why = not_at_once(step, request, tally)
    if why is not None or request.body.ask not in (Ask.HOLD, Ask.STOP):
        step.escalate(f"decide {request.id}", "duty officer", request.id, why or f"{request.body.ask} is an officer's")
        call_strangers(step, request, tally)


def join(step: Step, given: Joined) -> None:
    """R-03: the request arrives in its account's case with what `find` answered."""
    step.note("RequestJoined", RequestJoined(given.request, given.loss, given.beside), given.request.id)
    request = step.case.request(given.request.id)
    found = given.answer.answer
    assert isinstance(found, Found)
    if request.hold is not None:  # only peers' copies bring a hold along that no book knows (R-29)
        step.note("Located", located(request, found), request.id)
        rebuild(step, request, given.answer, given.in_force)
    elif request.wish == "withdrawn" or not request.is_open:  # while `find` ran: nothing was placed
        finish(step, request, Reason.WITHDRAWN)
    elif _waits_for_a_call(step, request, given.tally) or not _is_answered_no(step, request, found):
        step.note("Located", located(request, found), request.id)
    request = step.case.request(request.id)
    if request.is_open and request.id in step.case.located:
        wait_for_decision(step, request, given.tally)
        if f"decide {request.id}" not in step.case.escalated:  # before a decision nothing is told either
            look_at(step, request, given.answer)


def _waits_for_a_call(step: Step, request: Request, tally: Tally) -> bool:
    """R-91: a call-back was taken back while the core looked: nothing is told of what it found."""
    return request.is_undecided and _are_strangers(step, request, tally)


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
    same_loss = (other.peer, theirs.stated_by, theirs.loss) == (request.peer, ours.stated_by, ours.loss)
    return same_loss and theirs.source == ours.source and other.id != request.id


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
    if not may_hold(step, request) or not _may_grow(hold):
        return
    if any(i.verb is Verb.HOLD and i.request == request.id for i in step.case.intents.values()):
        return
    book = book_of(step, request.id)
    cap = request.body.asked.minor
    if request.keep is not None and (hold is not None or request.rest_free):
        cap = min(cap, request.keep.minor)
    want = cap - book.blocked - book.returned.count - book.handed_over.count
    traced = (book.here - others_pins(step, request.id) - book.pins).count if book.is_read else want
    amount = min(want, traced, free - protected(step, request))
    if amount > 0:
        _intend(step, request, block_of(step, request), amount)


def _may_grow(hold: Hold | None) -> bool:
    """A first hold; a raise of one in force, unless a cut is under way; a new one where the money was
    not there yet, or bounced. What a core refused by its own rule a clerk looks at first."""
    if hold is None:
        return True
    if hold.in_force:
        return hold.amount == hold.wanted
    return hold.may_begin_again and hold.why in (None, Reason.AM04)


def _intend(step: Step, request: Request, block: str, amount: int) -> None:
    intent = Intent(digest(block, "place"), Verb.HOLD, request.id, block, amount, core_until(step, request), "",
                    account_of(step, request), at=step.now)
    step.note("Intended", intent, request.id)


def placed(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    """The core answered to `hold`: it stands from now, with both clocks running (R-42)."""
    answer, hold = given.answer, request.hold
    assert hold is not None
    if not isinstance(answer, Held):
        _not_placed(step, request, intent, answer)
        return
    book = book_of(step, request.id)
    free = book.here - others_pins(step, request.id) - book.pins
    write_book(step, book.with_block(intent.block, answer.amount, free.lowest(answer.amount), answer.sequence))
    if hold.state == "placing":
        started = starting(step, request, hold, placing(step, intent, answer))
        state_hold(step, request, "HoldPlaced", replace(started, reference=answer.reference))
    elif hold.in_force:
        blocked = book_of(step, request.id).blocked
        state_hold(step, request, "HoldRaised", raised_to(request, hold, blocked))
    _begun(step, step.case.request(request.id))
    if answer.until is not None:
        _let_core_follow(step, step.case.request(request.id), answer.until)
    if request.id in step.case.located:
        find(step, request)  # what left between the first look and the core's answer is a leg


def _begun(step: Step, request: Request) -> None:
    """Withdrawn or refused while the core was placing it, it ends at once; else it may be confirmed."""
    hold = request.hold
    assert hold is not None
    if hold.is_over or hold.state == "ending":  # it ended while the core was raising it
        unblock(step, request, 0, hold.why or Reason.WITHDRAWN)
    elif not request.is_open and hold.state != "secured":
        end(step, request, request.reason or Reason.WITHDRAWN)
    else:
        confirm(step, request)


def _let_core_follow(step: Step, request: Request, core_end: datetime) -> None:
    """R-47: the core may not let go before the hold ends: it answered on another day than it was asked, or the hold
    that it raised had been extended or secured."""
    if request.hold is not None and request.hold.in_force and core_until(step, request) > core_end:
        extend_blocks(step, request)


def _not_placed(step: Step, request: Request, intent: Intent, answer: object) -> None:
    """The core said no. What is there, less than asked, is asked for at once; else say so, and have a
    clerk look. A raise that failed changes nothing."""
    assert request.hold is not None
    if request.hold.state != "placing":
        return
    why = answer.why if isinstance(answer, Cannot) else Why.REFUSED
    there = answer.there - protected(step, request) if isinstance(answer, Cannot) else 0
    if why is Why.NO_FUNDS and 0 < there < intent.amount and may_hold(step, request):
        _intend(step, request, digest(request.id, "hold", step.because), there)
        return
    reason = {Why.NO_FUNDS: Reason.AM04, Why.CLOSED: Reason.AC04}.get(why, Reason.AGNT)
    failed = request.hold.moved("HoldFailed", why=reason, wanted=Amount(0, request.hold.wanted.asset))
    step.tell("HoldFailed", HoldStated(failed, terms_of(step, request), reason), request)
    step.escalate(f"place {request.hold.id}", "bank clerk", request.id, f"the core says {why}")
    if not request.is_open:
        finish(step, request, request.reason or Reason.WITHDRAWN)


# --- a payment in flight ------------------------------------------------------------------------------------


def stop(step: Step, request: Request) -> None:
    """R-49: keep a payment that has not arrived; from then on it is a hold like any other."""
    if not may_hold(step, request) or request.hold is not None:
        return
    block = block_of(step, request)
    intent = Intent(digest(block, "stop"), Verb.STOP, request.id, block, request.body.asked.minor,
                    core_until(step, request), at=step.now)
    step.note("Intended", intent, request.id)


def stopped(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    """R-49: it stays where it is; or it landed, and the account's case takes it on; or it is gone."""
    answer, hold = given.answer, request.hold
    assert hold is not None
    if isinstance(answer, Stopped):
        coins = Coins.of([(0, answer.amount)])
        book = Book(request.id, coins, is_read=True, in_flight=True, as_of=answer.sequence)
        write_book(step, book.with_block(intent.block, answer.amount, coins, answer.sequence))
        started = starting(step, request, hold, placing(step, intent, answer))
        state_hold(step, request, "HoldPlaced", replace(started, reference=answer.reference))
        _begun(step, step.case.request(request.id))
        _let_core_follow(step, step.case.request(request.id), step.now)  # to stop says no end: it is told now
    elif isinstance(answer, Landed):
        find(step, request)
    else:
        reason = Reason.PTNA if isinstance(answer, Gone) else Reason.AGNT
        failed = hold.moved("HoldFailed", why=reason, wanted=Amount(0, hold.wanted.asset))
        step.tell("HoldFailed", HoldStated(failed, request.terms, reason), request)
        if request.is_open:
            refuse(step, step.case.request(request.id), reason)
        else:
            finish(step, request, reason)
