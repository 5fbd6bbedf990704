"""How a hold is kept, confirmed, cut and ended. The holder's commit order decides every race.

Law and core are two words: `wanted` is what law and wish still cover, `amount` what the core still
blocks. A fact says both; what is blocked beyond its end is held without basis, and alarmed (R-47).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from arrp.core.answers import Cannot, Held, Released, Why
from arrp.core.book import Book
from arrp.core.case import Case
from arrp.core.coins import Coins
from arrp.core.deadline import earliest
from arrp.core.events import Intent, Keep, Verb, Withdraw
from arrp.core.hold import Hold
from arrp.core.money import Amount
from arrp.core.policy import Rules
from arrp.core.request import ANSWER, Reason, Request
from arrp.core.starting import Placing, core_until, empty, may_hold, starting
from arrp.core.stating import account_of, book_of, claim_of, finish, restate, state_hold, write_book
from arrp.core.step import CoreAnswer, Step

# Why a hold ended by its own clock; anything else is a release.
LAPSES = frozenset({Reason.NOT_KEPT, Reason.NOT_DECIDED, Reason.NOT_SIGNED, Reason.LAPSED})


def keep(step: Step, request: Request, said: Keep) -> None:
    """R-43: the requester's allocation. A Keep that comes after the end changes nothing: the end was told."""
    hold = request.hold
    if hold is None or not hold.in_force:
        return
    kept = Amount(min(said.amount.minor, hold.wanted.minor), hold.wanted.asset)
    state_hold(step, request, "HoldKept", hold.moved("HoldKept", kept=kept))
    confirm(step, step.case.request(request.id))
    if said.rest_free and hold.state != "secured":  # then an order of this country holds the rest
        cut(step, step.case.request(request.id), kept.minor, Reason.NOT_KEPT)


def confirm(step: Step, request: Request) -> None:
    """R-43: confirmed = kept and decided, in either order."""
    hold = request.hold
    if hold is None or hold.state != "provisional" or not hold.decided or hold.kept is None or hold.kept.minor == 0:
        return
    state_hold(step, request, "HoldConfirmed", hold.moved("HoldConfirmed", decide_by=None))


def withdraw(step: Step, request: Request, said: Withdraw) -> None:
    """R-47: withdrawing ends the wish and releases, unless the basis is by then an order."""
    hold = request.hold
    if hold is not None and hold.state == "secured":
        step.anomaly("withdrawn-but-secured", "withdrawn, but an order of this country holds the money", request.id)
    elif hold is None or hold.is_over:
        finish(step, request, Reason.WITHDRAWN)
    elif hold.in_force:
        end(step, request, Reason.WITHDRAWN)


def cut(step: Step, request: Request, to: int, why: str) -> None:
    """Hold at most `to` from now on (a wanted end). The core is asked; a second fact follows its answer."""
    hold = request.hold
    if hold is None or not hold.in_force or to >= hold.wanted.minor:
        return
    if to <= 0:
        end(step, request, why)
        return
    wanted = Amount(to, hold.wanted.asset)
    kept = min(hold.kept, wanted) if hold.kept is not None else None
    state_hold(step, request, "HoldReduced", hold.moved("HoldReduced", wanted=wanted, kept=kept, why=why), why)
    unblock(step, step.case.request(request.id), to, why)


def end(step: Step, request: Request, why: str) -> None:
    """R-47: the hold ends now in law; who stands next takes the coins over, the rest is let go."""
    hold = request.hold
    if hold is None or not hold.in_force:
        return
    ending = hold.moved("HoldEnding", wanted=Amount(0, hold.wanted.asset), why=why)
    state_hold(step, request, "HoldEnding", ending, why)
    take_over(step, step.case.request(request.id))
    unblock(step, step.case.request(request.id), 0, why)


# --- the core's blocks -----------------------------------------------------------------------------------


def shared(step: Step, request: str, ref: str) -> int:
    """What other requests' holds have in the core's block `ref`."""
    return sum(book.block(ref).amount for book in step.case.books.values() if book.request != request)


def unblock(step: Step, request: Request, to: int, why: str) -> None:
    """Ask the core to lower this hold's blocks until `to` is left, the newest block first."""
    book = book_of(step, request.id)
    excess = book.blocked - to
    account_ref = account_of(step, request)
    for block in reversed(book.blocks):
        part = min(excess, block.amount)
        excess -= part
        if part > 0:
            left = shared(step, request.id, block.ref) + block.amount - part
            ref = step.new_id("release", request.id, block.ref, step.because, str(left))
            intent = Intent(ref, Verb.RELEASE, request.id, block.ref, left, None, why, account_ref)
            step.note("Intended", intent, request.id)
    if not book.blocks:
        state_blocked(step, request)


def released(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    """The core let go: the highest-numbered coins are unpinned first, and let go in our terms too."""
    answer, book = given.answer, book_of(step, request.id)
    unknown = isinstance(answer, Cannot) and answer.why is Why.NOT_FOUND  # then nothing of it is blocked
    if not isinstance(answer, Released) and not unknown:
        step.escalate(f"release {request.id}", "operator", request.id, "the core refuses to let go")
        return
    block = book.block(intent.block)
    left, at = (answer.amount, answer.sequence) if isinstance(answer, Released) else (0, book.as_of)
    left = min(block.amount, max(0, left - shared(step, request.id, intent.block)))
    stay = block.coins.lowest(left)
    book = book.with_block(block.ref, left, stay, at)
    write_book(step, replace(book, let_go=book.let_go | (block.coins - stay)))
    state_blocked(step, request)
    restate(step)


def state_blocked(step: Step, request: Request) -> None:
    """R-47: state the hold as the core now has it; an ending hold with nothing blocked has ended."""
    hold = step.case.request(request.id).hold
    assert hold is not None
    if hold.is_over:
        return
    blocked = Amount(book_of(step, request.id).blocked, hold.amount.asset)
    now = replace(hold, amount=blocked, claim=claim_of(request, blocked.minor))
    if hold.state != "ending":
        state_hold(step, request, "HoldReduced", now.moved("HoldReduced"), hold.why)
    elif blocked.minor == 0:
        kind = "HoldLapsed" if hold.why in LAPSES else "HoldReleased"
        state_hold(step, request, kind, now.moved(kind, ended_at=step.now), hold.why)
        finish(step, request, hold.why or "")


def extend_blocks(step: Step, request: Request) -> None:
    """R-47: the core's own end must not come before that of a hold: it is told the last end of those in a block."""
    for block in book_of(step, request.id).blocks:
        within = (step.case.request(book.request) for book in step.case.books.values() if book.block(block.ref).amount)
        until = max(core_until(step, other) for other in within if other.hold is not None and other.hold.in_force)
        ref = step.new_id("extend", block.ref, until.isoformat(), step.because)
        intent = Intent(ref, Verb.EXTEND, request.id, block.ref, block.amount, until, "",
                        account_of(step, request))
        step.note("Intended", intent, request.id)


def extended(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    if not isinstance(given.answer, Held):
        step.escalate(f"extend {request.id}", "operator", request.id, "the core refuses the later end")


# --- the next in line --------------------------------------------------------------------------------------


def take_over(step: Step, ended: Request) -> None:
    """R-46: in the commit in which a hold ends otherwise than by return, requests that stand for the
    same coins take them over with the core's block as it is: nothing is free in between."""
    for other in step.case.standing:
        book, hold = step.case.books.get(other.id), other.hold
        able = hold is None or hold.in_force or hold.state == "failed"
        if other.id == ended.id or book is None or not book.is_read or not able or not may_hold(step, other):
            continue
        cap = other.keep.minor if other.keep is not None else other.body.asked.minor
        coins = (book.here & _certain(step, ended.id)).lowest(max(0, cap - book.blocked))
        if coins.count:
            _hand_on(step, ended, other, coins)


def raised_to(request: Request, hold: Hold, minor: int) -> Hold:
    """R-46: the same hold, larger; what the requester keeps of it is still its last Keep."""
    held = Amount(minor, hold.amount.asset)
    kept = min(request.keep, held) if request.keep is not None else hold.kept
    return hold.moved("HoldRaised", amount=held, wanted=held, claim=claim_of(request, minor), kept=kept)


def _certain(step: Step, request: str) -> Coins:
    """Coins that stay blocked whatever the core still answers: it lets the highest-numbered go first."""
    spans: list[tuple[int, int]] = []
    for block in book_of(step, request).blocks:
        open_intents = [intent for intent in step.case.intents.values() if intent.block == block.ref]
        if any(intent.verb is Verb.GIVE_BACK for intent in open_intents):
            continue
        left = [intent.amount for intent in open_intents if intent.verb is Verb.RELEASE]
        stays = min(left) - shared(step, request, block.ref) if left else block.amount
        spans += block.coins.lowest(max(0, stays))
    return Coins.of(spans)


def _hand_on(step: Step, ended: Request, other: Request, coins: Coins) -> None:
    mine, book = _move_blocks(book_of(step, ended.id), book_of(step, other.id), coins)
    write_book(step, mine)
    write_book(step, book)
    if other.hold is None or not other.hold.in_force:
        started = starting(step, other, empty(step, other), Placing(coins.count, step.now, step.now))
        state_hold(step, other, "HoldPlaced", started, "TAKEN_OVER")
    else:
        raised = raised_to(other, other.hold, book.blocked)
        state_hold(step, other, "HoldRaised", raised, "TAKEN_OVER")
    confirm(step, step.case.request(other.id))
    extend_blocks(step, step.case.request(other.id))


def _move_blocks(mine: Book, book: Book, coins: Coins) -> tuple[Book, Book]:
    """Pinned coins change hands on paper; the core's blocks stay as they are."""
    for block in mine.blocks:
        moving, has = block.coins & coins, book.block(block.ref)
        at = max(mine.as_of, block.since, has.since)  # from one pin to the next without a gap
        if moving.count:
            mine = mine.with_block(block.ref, block.amount - moving.count, block.coins - moving, at)
            book = book.with_block(block.ref, has.amount + moving.count, has.coins | moving, at)
    return mine, book


# --- time ------------------------------------------------------------------------------------------------------


def clocks(step: Step) -> None:
    """R-42: every hold whose time has come ends or shrinks by itself; what the core was asked to let
    go and did not is asked again; a request that never got a hold ends at its `not_after` (R-48)."""
    for request in tuple(step.case.requests.values()):
        at, hold = due(step.case, request, step.rules), request.hold
        if at is None or step.now < at:
            continue
        if hold is None or hold.may_begin_again:
            finish(step, request, why_over(request))
        elif hold.deadline is not None and step.now >= hold.deadline:
            _clock(step, request, hold)
        else:
            unblock(step, request, hold.wanted.minor, hold.why or "")


def why_over(request: Request) -> str:
    if request.hold is not None and request.hold.state == "returned":
        return "RETURNED"
    return Reason.LAPSED if request.answer == "accepted" else Reason.NOAS


def _clock(step: Step, request: Request, hold: Hold) -> None:
    if hold.state == "secured":
        step.escalate(review(hold), "prosecutor", request.id)
    elif not hold.decided and hold.decide_by is not None and step.now >= hold.decide_by:
        end(step, request, Reason.NOT_DECIDED)
    elif hold.until is not None and step.now >= hold.until:
        end(step, request, Reason.LAPSED)
    elif not hold.is_kept and hold.keep_by is not None and step.now >= hold.keep_by:
        cut(step, request, hold.kept.minor if hold.kept is not None else 0, Reason.NOT_KEPT)


def review(hold: Hold) -> str:
    """What is waited for at a secured hold's review; each date is called once."""
    return f"review {hold.id} {hold.review_at:%Y-%m-%d}" if hold.review_at else f"review {hold.id}"


def dues(case: Case, rules: Rules) -> list[datetime | None]:
    return [due(case, request, rules) for request in case.requests.values()]


def due(case: Case, request: Request, rules: Rules) -> datetime | None:
    """When time next changes a request to us, or its hold; None where it is not ours to end."""
    hold = request.hold
    if request.side != "requested":
        return None
    if hold is None or hold.state == "failed":
        if not request.is_open or request.not_after is None:
            return None
        instruction = case.instruction_of(request.id)  # then its end is told to us first, and passed on
        executed = instruction is not None and instruction.answer not in ANSWER.ends
        return request.not_after + rules.patience if executed else request.not_after
    if hold.holder != case.me:
        return None
    if hold.state == "returned":
        return _credit_due(request, hold, rules)
    if hold.state == "secured" and review(hold) in case.escalated:
        return None
    if hold.state == "ending" or (hold.in_force and hold.amount.minor > hold.wanted.minor):
        asked = any(i.verb is Verb.RELEASE and i.request == request.id for i in case.intents.values())
        again = None if asked or case.looked_at is None else case.looked_at + rules.look_every
        return earliest(again, hold.deadline if hold.state != "ending" else None)
    return hold.deadline


def _credit_due(request: Request, hold: Hold, rules: Rules) -> datetime | None:
    """A return may bounce: the request stands until it is credited, or this long (R-73)."""
    if request.answer in ANSWER.ends or hold.ended_at is None:
        return None
    return hold.ended_at + rules.credited_within
