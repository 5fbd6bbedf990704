"""How a holder states things: the book of a request, its terms, a hold with all of them (R-31)."""

from __future__ import annotations

from dataclasses import replace

from arrp.core.book import Book, pinned_together
from arrp.core.case import Case
from arrp.core.coins import Coins
from arrp.core.deadline import Power
from arrp.core.events import Answered, Booked, HoldStated
from arrp.core.hold import Hold, Resting
from arrp.core.money import Amount
from arrp.core.policy import Rules
from arrp.core.request import Leg, Reason, Request, Terms
from arrp.core.step import Step

# Reasons that say the money never came here; after any other, what is not held was let go.
NEVER_HERE = frozenset({Reason.NO_MATCHING_CREDIT, Reason.NOOR, Reason.AC04, Reason.PTNA})


def book_of(step: Step, request: str) -> Book:
    return step.case.books.get(request, Book(request))


def write_book(step: Step, book: Book) -> None:
    step.note("Booked", Booked(book), book.request)


def account_of(step: Step, request: Request) -> str:
    """The core's own name of the account; empty for a payment in flight."""
    located = step.case.located.get(request.id)
    return located.account_ref if located else ""


def others_pins(step: Step, request: str) -> Coins:
    """Coins that other requests' holds pin in this account."""
    return pinned_together(book for book in step.case.books.values() if book.request != request)


def claim_of(request: Request, minor: int) -> Amount:
    return Amount(request.body.rate.claim_of(minor), request.body.claim.asset)


def terms_of(step: Step, request: Request, *, is_open: bool | None = None, secured: bool | None = None) -> Terms:
    """All terms of a request to us, from its book; `is_open`, `secured` as they will be, else as they are."""
    request = step.case.request(request.id)
    is_open = request.is_open if is_open is None else is_open
    if secured is None:
        secured = request.hold is not None and request.hold.state == "secured"
    if request.id not in step.case.books:
        terms = request.terms
        return terms if is_open else replace(terms, pending=0, let_go=terms.let_go + terms.pending)
    others = others_pins(step, request.id)
    return step.case.books[request.id].terms(request.body.asked, others, secured=secured, is_open=is_open)


FOLLOWED_BY = frozenset({"institution", "account", "time and amount"})  # who may not be told these cannot go on


def is_authority(rules: Rules, id: str) -> bool:
    """Whoever the directory has no more is none."""
    found = rules.participants.get(id)
    return found is not None and found.kind == "authority"


def told_onward(step: Step, request: Request, leg: Leg) -> Leg:
    """R-53: a leg as the other side of `request` may know it. Our own authority knows all of it, another one what our
    law lets it be told, or what an officer told it on a basis of their own; nobody else knows where it went. What is
    left out is an officer's to decide."""
    if request.body.instructs:
        return leg
    power, to_authority = step.rules.own_power(), is_authority(step.rules, request.peer)
    if to_authority and leg.id in step.case.disclosed:
        return replace(leg, onward="free")
    tells = power.tells if power is not None and to_authority else ()
    onward = power.onward if power is not None and to_authority else "ask"
    if onward == "free" and set(tells) >= FOLLOWED_BY:
        return replace(leg, onward="free", name=leg.name if "holder" in tells else "")
    if to_authority and leg.account:
        step.escalate(f"tell {leg.id}", "duty officer", request.id, _not_told(power))
    return replace(leg, onward="ask" if onward == "free" else onward, ref="", account="", name="", institution="",
                   inside=(), paid=leg.amount)


def _not_told(power: Power | None) -> str:
    law = (f"by {power.id} ({power.country}) an authority may be told {', '.join(power.tells) or 'nothing'} of where "
           f"money went, and onward is {power.onward}" if power is not None else
           "no law adopted here says who may be told where money went")
    return f"the account it went to was not told: {law}. Tell it on a basis that you name, or leave it (R-53)"


def state_hold(step: Step, request: Request, kind: str, hold: Hold, why: str | None = None) -> None:
    """Tell a fact about a hold: the hold, what it rests on, and all terms, whole."""
    hold = replace(hold, credits=resting(step, request, hold.amount.minor))
    terms = terms_of(step, request, secured=hold.state == "secured")
    step.tell(kind, HoldStated(hold, terms, why), request)


def resting(step: Step, request: Request, amount: int) -> tuple[Resting, ...]:
    """R-44: the credits the hold rests on, each with its part, earliest first; Σ parts on one credit ≤
    the credit, whoever asks."""
    here = step.case.located.get(request.id)
    parts: list[Resting] = []
    for credit in here.credits if here else ():
        others = sum(_rests_on(step, other, credit.reference) for other in step.case.requests if other != request.id)
        part = max(0, min(credit.amount.minor - others, amount))
        amount -= part
        if part:
            parts.append(replace(credit, part=Amount(part, credit.amount.asset)))
    return tuple(parts)


def _rests_on(step: Step, request: str, reference: str) -> int:
    """What another hold has of one credit: as it stated, and no more than it still blocks."""
    hold, left = step.case.requests[request].hold, book_of(step, request).blocked
    for on in hold.credits if hold is not None else ():
        part = min(on.part.minor, left)
        if on.reference == reference:
            return part
        left -= part
    return 0


def refuse(step: Step, request: Request, reason: str, differs: tuple[str, ...] = ()) -> None:
    """R-50: no, with a named reason. What was accepted is not refused any more: it ends (R-30)."""
    if reason in NEVER_HERE:
        terms = replace(request.terms, pending=0, not_found=request.terms.not_found + request.terms.pending)
    else:
        terms = terms_of(step, request, is_open=False)
    kind = "RequestEnded" if request.answer == "accepted" else "RequestRefused"
    step.tell(kind, Answered(terms, reason=reason, differs=differs), request)


def restate(step: Step) -> None:
    """R-46: what one hold changes for the others here is told to each; the desks are introduced."""
    for request in step.case.standing:
        terms = terms_of(step, request)
        if request.id in step.case.books and terms != request.terms:
            said = Answered(terms)
            if terms.restrained:
                said = replace(said, reason=Reason.ALREADY_RESTRAINED, restrained_by=_restrainer(step, request))
            step.tell("RequestStands", said, request)


def _restrainer(step: Step, request: Request) -> str:
    """Whose hold has the coins: a participant, so that the two desks can speak."""
    here = step.case.books[request.id].here
    return next(
        step.case.request(book.request).peer
        for book in step.case.books.values()
        if book.request != request.id and (book.pins & here).count
    )


def finish(step: Step, request: Request, why: str) -> None:
    """R-48: a request whose hold has ended stands no longer."""
    request = step.case.request(request.id)
    if request.answer not in ("refused", "ended"):
        step.tell("RequestEnded", Answered(terms_of(step, request, is_open=False), reason=why), request)


def uncredited(case: Case, request_id: str) -> bool:
    """Whether something sent back may still bounce."""
    sent = (stated for stated in case.returns_of(request_id) if stated.reference)
    return any(stated.id not in case.credited for stated in sent)
