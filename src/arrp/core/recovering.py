"""After a node lost its memory and its peers gave back what was said (R-29): its own half is made anew.

What only this node knew — which coins a hold pins, which block of the core is whose — follows again
from its own last word, the core's ledger and the core's holds. What it had heard and not yet passed on
is passed on. Nothing here places or returns money; what is not in the core any more is stated as ended.
"""

from __future__ import annotations

from dataclasses import replace

from arrp.core.allocating import allocate
from arrp.core.answers import Found, InForce
from arrp.core.book import Block, Book
from arrp.core.case import Case
from arrp.core.coins import Coins
from arrp.core.ending import cut, end, keep, state_blocked, unblock, withdraw
from arrp.core.events import HoldStated
from arrp.core.hold import Hold
from arrp.core.ledger import Pin
from arrp.core.people import awaited
from arrp.core.pursuing import heard_legs
from arrp.core.reading import find, is_looking, read_ledger, traced
from arrp.core.request import Reason, Request
from arrp.core.stating import book_of, others_pins, write_book
from arrp.core.step import CoreAnswer, Reconciled, Step
from arrp.core.wishes import Keep, Withdraw

# The fact that states the end of a hold. What comes before an end the holder says again by itself.
_ENDS = {"released": "HoldReleased", "lapsed": "HoldLapsed", "returned": "HoldReturned", "failed": "HoldFailed",
         "handed_over": "HoldHandedOver"}  # fmt: skip


def reconcile(step: Step, given: Reconciled) -> None:
    """R-29: each side of a case goes on from what is now known again."""
    for id in tuple(step.case.requests):
        request = step.case.request(id)
        if request.side == "requesting":
            heard_legs(step, request, request.legs if request.relation == "pursues" else ())
        elif step.rules.me.kind == "authority":
            _pass_on(step, request)
        elif is_unfinished(request):
            _hold_again(step, request, given)
    allocate(step)


def is_unfinished(request: Request) -> bool:
    return request.is_open or (request.hold is not None and not request.hold.is_over)


# --- the authority in the middle -----------------------------------------------------------------------------


def _pass_on(step: Step, up: Request) -> None:
    """What went in at one side and, as far as anybody knows, never out at the other."""
    down = step.case.instruction_of(up.id)
    if down is None:
        return
    if up.wish == "withdrawn" and down.is_open:
        step.tell("Withdraw", Withdraw(), down)
    elif up.keep is not None and down.is_open and (down.keep, down.rest_free) != (up.keep, up.rest_free):
        step.tell("Keep", Keep(up.keep, up.rest_free), down)
    if up.id in step.case.payees and down.id not in step.case.payees and down.is_open:
        step.tell("NamePayee", step.case.payees[up.id], down)
    if down.hold is not None and down.hold.state in _ENDS and (up.hold is None or not up.hold.is_over):
        hold = replace(down.hold, request=up.id)
        step.tell(_ENDS[hold.state], HoldStated(hold, down.terms, hold.why, step.case.last_act.get(down.id)), up)


# --- the holder ------------------------------------------------------------------------------------------------


def _hold_again(step: Step, request: Request, given: Reconciled) -> None:
    """A request whose account is known again at once; any other asks the core whose it is, and joins."""
    answer = given.found.get(request.id)
    if request.id in step.case.located and answer is not None:
        rebuild(step, request, answer, given.in_force)
    elif not awaited(step, request) and not is_looking(step.case, request):
        find(step, request)
    request = step.case.request(request.id)
    if request.wish == "withdrawn":
        withdraw(step, request, Withdraw())
    elif request.keep is not None and request.hold is not None and request.hold.in_force:
        wanted = min(request.keep, request.hold.wanted)
        if request.hold.kept != wanted:
            keep(step, request, Keep(request.keep, request.rest_free))


def rebuild(step: Step, request: Request, given: CoreAnswer, in_force: tuple[InForce, ...]) -> None:
    """R-29: the book of a request from our own last word about it and what the core says; where the core
    holds less than we said, that is stated."""
    hold, found = request.hold, given.answer
    if hold is None or not isinstance(found, Found) or hold.state in ("placing", "failed"):
        return
    blocks = _blocks(step, request, hold, in_force)
    if not _agrees(step, request, blocks):
        write_book(step, _rebuilt(step, request, given, blocks))
    read_ledger(step, given)
    _state_what_is(step, step.case.request(request.id))


def _blocks(step: Step, request: Request, hold: Hold, in_force: tuple[InForce, ...]) -> tuple[InForce, ...]:
    """The core's blocks of this request: by its hold's id, by its old book, and of those on its account that
    nobody claims as many as its hold needs. While a return is under way the core is not asked what is left."""
    mine = {hold.id, *(block.ref for block in book_of(step, request.id).blocks)}
    others = _refs(step.case, request.id)
    account = step.case.located[request.id].account_ref if request.id in step.case.located else ""
    found = tuple(block for block in in_force if block.ref in mine)
    for block in in_force:
        missing = hold.amount.minor - sum(one.amount for one in found)
        if block.ref not in mine | others and account and block.account_ref == account and block.amount <= missing:
            found += (block,)
    if any(stated.return_at for stated in step.case.returns_of(request.id)) and hold.in_force:
        known = book_of(step, request.id).blocks or (Block(hold.id, hold.amount.minor),)
        found = tuple(InForce(block.ref, "", block.amount, block.since, None) for block in known)
    return found


def _refs(case: Case, but: str) -> set[str]:
    """References of blocks that other requests of the case have."""
    refs = {block.ref for book in case.books.values() if book.request != but for block in book.blocks}
    return refs | {r.hold.id for r in case.requests.values() if r.id != but and r.hold is not None}


def _agrees(step: Step, request: Request, blocks: tuple[InForce, ...]) -> bool:
    """Whether the book that was in the backup is still what we said and what the core holds."""
    book = step.case.books.get(request.id)
    if book is None:
        return False
    same = {block.ref: block.amount for block in book.blocks} == {block.ref: block.amount for block in blocks}
    terms = request.terms
    return same and (book.returned.count, book.handed_over.count) == (terms.returned, terms.handed_over)


def _rebuilt(step: Step, request: Request, given: CoreAnswer, blocks: tuple[InForce, ...]) -> Book:
    """Coins as they were when the hold was placed: those that went back first, then those that are held, then
    those that were let go, which is the order in which they were unpinned (R-45)."""
    assert isinstance(given.answer, Found)
    hold, ledger, terms = request.hold, given.answer.ledger, request.terms
    assert hold is not None
    if ledger is None or given.follow is None or request.id not in step.case.located:
        return Book(request.id, blocks=tuple(Block(block.ref, block.amount) for block in blocks))
    before = [t for t in ledger.transfers if hold.placed_at is not None and t.at <= hold.placed_at]
    since = max((transfer.sequence for transfer in before), default=0)
    pins = [pin for book in step.case.books.values() if book.request != request.id for pin in book.stretches()]
    followed = given.follow(before, ledger.opening, pins)
    coins, _ = traced(step, request, followed)
    here = followed.here(coins) - others_pins(step, request.id)
    returned = here.lowest(terms.returned)
    left, placed = here - returned, list[Block]()
    for block in blocks:
        part = left.lowest(block.amount)
        placed.append(Block(block.ref, block.amount, part, since))
        left -= part
    gone = left.highest(terms.let_go) if hold.is_over or terms.let_go else Coins()
    back = max((t.sequence for t in ledger.transfers if t.hold == hold.id), default=since)
    past = (Pin(returned, since, back, hold.id),) if returned.count else ()
    return Book(request.id, coins, tuple(placed), past, gone, returned, is_read=True, as_of=ledger.as_of,
                in_flight=book_of(step, request.id).in_flight)


def _state_what_is(step: Step, request: Request) -> None:
    hold, blocked = request.hold, book_of(step, request.id).blocked
    assert hold is not None
    if hold.state == "ending":
        unblock(step, request, 0, hold.why or "")
    elif hold.in_force and blocked < hold.amount.minor:
        why = Reason.LAPSED if hold.until is not None and step.now >= hold.until else Reason.AGNT
        step.escalate(f"recovered {hold.id}", "bank clerk", request.id, "the core holds less than was stated")
        if blocked == 0:
            end(step, request, why)
        else:
            cut(step, request, blocked, why)
            state_blocked(step, step.case.request(request.id))
