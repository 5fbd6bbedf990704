"""What the account's ledger says about every request that stands there (R-45, R-52).

A trace is standing: each reading is as of the ledger's own booking sequence, legs only grow, and a
hold that covers more than what is traced here is cut.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from arrp.core.answers import Found
from arrp.core.book import Spent
from arrp.core.case import Case
from arrp.core.coins import Coins
from arrp.core.ending import cut
from arrp.core.events import Intent, LegsStated, Verb
from arrp.core.ledger import Ledger, Part, Transfer
from arrp.core.money import Amount
from arrp.core.policy import Rules
from arrp.core.request import Leg, Reason, Request
from arrp.core.stating import (
    book_of,
    claim_of,
    others_pins,
    restate,
    terms_of,
    told_onward,
    uncredited,
    write_book,
)
from arrp.core.step import CoreAnswer, Followed, Step, digest


def find(step: Step, request: Request) -> None:
    """Ask the core for the account, the credit, what is free, and the ledger."""
    step.note("Intended", Intent(step.new_id("find", request.id, step.because), Verb.FIND, request.id), request.id)


def is_looking(case: Case, request: Request) -> bool:
    """Whether the core was asked about this request and has not answered yet."""
    return any(intent.request == request.id and intent.verb is Verb.FIND for intent in case.intents.values())


def read_ledger(step: Step, given: CoreAnswer) -> None:
    """Re-read the books of every open request from the account's ledger, where it can be read."""
    found = given.answer
    if not isinstance(found, Found) or found.ledger is None or given.follow is None:
        return
    pins = [pin for book in step.case.books.values() for pin in book.stretches()]
    followed = given.follow(found.ledger.transfers, found.ledger.opening, pins)
    for request in step.case.standing:
        undecided = f"decide {request.id}" in step.case.escalated and request.answer != "accepted"
        if request.id in step.case.located and not undecided:
            _reread(step, request, found.ledger, followed)
    restate(step)


def _reread(step: Step, request: Request, ledger: Ledger, followed: Followed) -> None:
    before = book_of(step, request.id)
    coins, parts = traced(step, request, followed)
    parts = [part for part in parts if (part.took - before.returned).count]
    at = {(transfer.ref, transfer.incoming): transfer for transfer in ledger.transfers}
    legs = tuple(_leg(step, request, part, at.get((part.ref, False))) for part in parts)
    spent = tuple(Spent(leg.id, part.took, part.ends) for leg, part in zip(legs, parts, strict=True))
    bounced = before.returned - coins  # they came back, and have new numbers
    book = replace(before, coins=coins, spent=spent, returned=before.returned - bounced, is_read=True,
                   as_of=ledger.as_of)
    if request.hold is not None and book.blocks:
        book = book.pinning(book.here - others_pins(step, request.id))
    if book != before:
        write_book(step, book)
    known = {leg.id: leg.onward for leg in request.legs}
    if any(known.get(leg.id) != leg.onward for leg in legs):
        step.tell("MovedOn", LegsStated(legs, terms_of(step, request), book.as_of), request)
    if bounced.count:
        _bounced(step, step.case.request(request.id), bounced.count)
    request = step.case.request(request.id)
    if request.hold is not None and request.hold.in_force and book.pins.count < request.hold.wanted.minor:
        cut(step, request, book.pins.count, Reason.NOT_TRACED)


def _bounced(step: Step, request: Request, minor: int) -> None:
    """R-73: a return came back from the payee's institution: it is a new credit here, and held again
    under the same basis for the rest of its time."""
    newest = step.case.returns_of(request.id)[-1]
    assert request.hold is not None
    amount = Amount(minor, request.body.asked.asset)
    failed = replace(newest, hold=request.hold, terms=terms_of(step, request), return_at=None, amount=amount,
                     claim=claim_of(request, minor), reference="")
    step.tell("ReturnFailed", failed, request)
    step.escalate(f"return {newest.id}", "operator", request.id, "the payee's institution sent it back")


def traced(step: Step, request: Request, followed: Followed) -> tuple[Coins, list[Part]]:
    """The coins asked for — the credits', the intervals the source names, at most what is asked —
    and the parts of them that left. Coins that came back count under their new numbers."""
    coins = Coins()
    inside = Coins.of(request.body.source.inside)
    for credit in step.case.located[request.id].credits:
        coins |= followed.coins_of(credit.reference, inside if inside.count else None)
    coins = coins.lowest(request.body.asked.minor)
    parts: dict[tuple[str, int], Part] = {}
    fresh = coins - book_of(step, request.id).let_go  # where it goes after that is nobody's business here
    while fresh.count:
        came_back = Coins()
        for part in followed.spent(fresh):
            gone = part.took.highest(part.took.count - part.back.count)
            coins = (coins - part.took) | gone | part.back
            came_back |= part.back
            if gone.count:
                parts[part.ref, part.sequence] = replace(part, took=gone)
        fresh = came_back
    return coins, list(parts.values())


def _leg(step: Step, request: Request, part: Part, transfer: Transfer | None) -> Leg:
    """A leg as the requester may know it. A debt that was there when the ledger begins was made by no transfer: there
    is nowhere to follow."""
    amount = Amount(part.took.count, request.body.asked.asset)
    leg = Leg(
        id=digest(request.id, "leg", part.ref, str(part.sequence)), request=request.id, amount=amount,
        claim=claim_of(request, amount.minor), paid=amount, at=step.now, inside=part.inside.spans, ends=part.ends,
    )
    if transfer is not None:
        leg = replace(
            leg, paid=Amount(transfer.amount, amount.asset), at=transfer.at, account=transfer.other,
            ref=transfer.uetr or transfer.end_to_end or transfer.ref, name=transfer.other_name,
            institution=transfer.agent,
        )
    return told_onward(step, request, leg)


# --- looking again -------------------------------------------------------------------------------------


def _look_every(case: Case, request: Request, rules: Rules) -> timedelta | None:
    """How often to look again: traced coins that nobody holds may move on at any time, a hold on a
    ledger that could not be read is cut as soon as it can, and what was sent back may bounce."""
    hold = request.hold
    if request.id not in case.located:
        return None
    unread = hold is not None and hold.in_force and not case.books[request.id].is_read
    if request.terms.pending or unread:
        return rules.look_every
    return rules.look_for_bounce if uncredited(case, request.id) else None


def look_due(case: Case, rules: Rules) -> datetime | None:
    looking = any(intent.verb is Verb.FIND for intent in case.intents.values())
    if looking or case.looked_at is None:
        return None
    pauses = [pause for r in case.standing if (pause := _look_every(case, r, rules)) is not None]
    return case.looked_at + min(pauses) if pauses else None


def look(step: Step) -> None:
    """R-52: while traced coins are here and not held, look again."""
    due = look_due(step.case, step.rules)
    if due is not None and step.now >= due:
        find(step, next(r for r in step.case.standing if _look_every(step.case, r, step.rules) is not None))
