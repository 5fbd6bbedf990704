"""Fairness and return: the account holder is heard, then the money goes back to whom it was taken from.

Nothing returns before the account holder consented, or was told and the time to object is over, or
an order says so; never while an objection is open; only to the committed account or a payee whom
somebody other than the requester names (R-70 … R-73).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from arrp.core.answers import Returned
from arrp.core.case import Case
from arrp.core.commitment import commit
from arrp.core.correcting import after_objection
from arrp.core.deadline import Power, hours_after
from arrp.core.ending import cut
from arrp.core.errors import Conflict, NotFound, Refused
from arrp.core.events import Credited, Intent, NamePayee, Objection, ObjectionStated, Return, ReturnStated, Verb
from arrp.core.hold import Hold
from arrp.core.money import Amount
from arrp.core.policy import Rules
from arrp.core.request import Reason, Request
from arrp.core.stating import (
    account_of,
    book_of,
    claim_of,
    finish,
    resting,
    state_hold,
    terms_of,
    uncredited,
    write_book,
)
from arrp.core.step import CoreAnswer, Step

OBJECTION_GROUNDS = ("GOOD_FAITH", "PROTECTED", "WRONG_ACCOUNT", "CIVIL_DISPUTE", "ALREADY_REPAID",
                     "IDENTITY_MISUSED", "COERCED")
PAYEE_GROUNDS = ("DEBTOR", "ACCOUNT_CLOSED", "COMPROMISED", "REIMBURSED", "OMNIBUS", "COURT")


def in_force(request: Request) -> Hold:
    if request.hold is None or not request.hold.in_force:
        state = request.hold.state if request.hold else "never placed"
        raise Conflict(f"the hold of request {request.id} is {state}", rule="R-71", code="ended")
    return request.hold


def _power(step: Step) -> Power:
    power = step.rules.own_power()
    if power is None:
        raise Refused("no adopted law says how long the account holder may object", rule="R-72")
    return power


# --- objections ------------------------------------------------------------------------------------------


def object_to(step: Step, request: Request, said: Objection) -> None:
    """R-72: an objection may be lodged anywhere; it counts when the holder commits it."""
    hold = in_force(request)
    if said.ground not in OBJECTION_GROUNDS:
        raise Refused(f"{said.ground} is not a ground; there are {', '.join(OBJECTION_GROUNDS)}", rule="R-72")
    if said.id in step.case.objections:
        raise Conflict(f"objection {said.id} is already recorded", rule="R-72")
    decide_by = hours_after(step.now, _power(step).objection_hours)
    raised = replace(said, hold=hold.id, raised_at=step.now, decide_by=decide_by, state="raised", free=None)
    step.tell("ObjectionRaised", ObjectionStated(raised), request)


def decide_objection(step: Step, request: Request, said: Objection, officers: tuple[str, ...]) -> None:
    """R-72, I12: decided by somebody who did not ask, confirm or hold."""
    known = step.case.objections.get(said.id)
    if known is None or known[1].state != "raised":
        raise NotFound(f"there is no open objection {said.id}")
    if involved := set(officers) & set(request.by_officers):
        raise Refused(f"{', '.join(sorted(involved))} asked or decided here: another officer must", rule="R-72",
                      code="four-eyes")
    if said.state not in ("upheld", "partly", "rejected"):
        raise Refused("an objection is upheld, partly upheld, or rejected", rule="R-72")
    hold = in_force(request)
    free = _freed(hold, said)
    decided = replace(known[1], state=said.state, free=free, text=said.text, officer=", ".join(officers))
    step.tell("ObjectionDecided", ObjectionStated(decided), request)
    after_objection(step, request, decided)
    if free.minor:
        cut(step, step.case.request(request.id), hold.wanted.minor - free.minor, Reason.OBJECTION)


def _freed(hold: Hold, said: Objection) -> Amount:
    if said.state == "upheld":
        return hold.wanted
    if said.state == "rejected":
        return Amount(0, hold.wanted.asset)
    if said.free is None or not 0 < said.free.minor < hold.wanted.minor or said.free.asset != hold.wanted.asset:
        raise Refused(f"partly upheld: say how much of {hold.wanted} goes free", rule="R-72")
    return said.free


# --- return ------------------------------------------------------------------------------------------------


def name_payee(step: Step, request: Request, said: NamePayee) -> None:
    """R-70: opens the commitment of the loss act; another payee needs a document and a call-back."""
    if said.ground not in PAYEE_GROUNDS:
        raise Refused(f"{said.ground} is not a ground; there are {', '.join(PAYEE_GROUNDS)}", rule="R-70")
    loss = step.case.loss_of(request.body)
    if said.ground != "DEBTOR":
        if said.document is None or not said.called_back:
            raise Refused("another payee needs the document that names it and a call-back", rule="R-70")
        return
    if loss is None or commit(said.salt, said.account) != loss.return_account:
        raise Refused("that is not the account the money was taken from", rule="R-70", code="wrong-payee")


def announce(step: Step, request: Request, said: Return) -> None:
    """R-71: a return is announced first, then sent; until then an objection stops it."""
    hold = in_force(request)
    check_return(step, request, hold, said)
    power = _power(step)
    at = step.now if said.ground in ("consent", "in_flight") else power.end(power.return_notice, step.now)
    amount = Amount(said.amount.minor - request.terms.returned, hold.amount.asset)
    _announce(step, request, amount, at, said.ground)


def _announce(step: Step, request: Request, amount: Amount, at: datetime, ground: str) -> None:
    hold = in_force(request)
    id = step.new_id("return", request.id, str(len(step.case.returns_of(request.id))))
    stated = ReturnStated(id, hold, request.terms, amount, claim_of(request, amount.minor), at, ground)
    step.tell("ReturnAnnounced", stated, request)


def check_return(step: Step, request: Request, hold: Hold, said: Return) -> None:
    told_at, power = step.case.told.get(request.id), _power(step)
    heard = told_at is not None and step.now >= power.end(power.objection_within, told_at)
    grounds = {
        "consent": (said.document is not None, "the account holder's consent is a document: name it"),
        "told": (heard, "the account holder must be told, and the time to object must be over"),
        "order": (hold.state == "secured" or said.document is not None, "an order must be named"),
        "in_flight": (book_of(step, request.id).in_flight, "only a stopped payment goes back unheard"),
    }
    holds, wanted = grounds.get(said.ground, (False, f"the ground is one of {', '.join(grounds)}"))
    due = said.amount.minor - request.terms.returned
    checks = [
        (hold.state in ("confirmed", "secured"), f"the hold is {hold.state}: it must be decided and kept first"),
        (request.id in step.case.payees, "no payee is named yet"),
        (step.case.open_objection(hold.id) is None, "an objection is open"),
        (not any(r.return_at for r in step.case.returns_of(request.id)), "a return is announced already"),
        (hold.amount == hold.wanted, "part of the hold is being let go"),
        (0 < due <= hold.amount.minor, f"{hold.amount} is held, {request.terms.returned} units went back before"),
        (holds, wanted),
    ]
    for good, why in checks:
        if not good:
            raise Refused(f"{said.amount} cannot go back: {why}", rule="R-71", code="return-not-allowed")


def send_back(step: Step) -> None:
    """R-71: at `return_at` the intent row is the point of no return."""
    for request_id, stated in tuple(step.case.returns.values()):
        if not _can_leave(step.case, request_id, stated) or stated.return_at is None or step.now < stated.return_at:
            continue
        request, payee = step.case.request(request_id), step.case.payees[request_id]
        block = book_of(step, request_id).blocks[0]
        intent = Intent(stated.id, Verb.GIVE_BACK, request_id, block.ref, min(stated.amount.minor, block.amount), None,
                        stated.ground, account_of(step, request), payee.account, payee.name)
        step.note("Intended", intent, request_id)


def _can_leave(case: Case, request_id: str, stated: ReturnStated) -> bool:
    """Announced, not yet sent, the hold is ours and in force, and nobody objects."""
    hold = case.request(request_id).hold
    if stated.return_at is None or hold is None or hold.holder != case.me or not hold.in_force:
        return False
    asked = any(i.verb is Verb.GIVE_BACK and i.request == request_id for i in case.intents.values())
    blocked = request_id in case.books and case.books[request_id].blocked > 0
    return blocked and not asked and case.open_objection(hold.id) is None


def sent_back(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    """The core sent it: the term `returned` counts from here; credited is stated later by the payee's side."""
    answer, (_, stated) = given.answer, step.case.returns[given.ref]
    if not isinstance(answer, Returned):
        _not_sent(step, request, stated)
        return
    book = book_of(step, request.id)
    block = book.block(intent.block)
    coins = block.coins.lowest(answer.amount)
    book = book.with_block(block.ref, block.amount - answer.amount, block.coins - coins, answer.sequence)
    write_book(step, replace(book, returned=book.returned | coins))
    now = _less(step, request, book.blocked)
    sent = Amount(answer.amount, now.amount.asset)
    step.tell("ReturnSent", replace(stated, hold=now, terms=terms_of(step, request), return_at=None, amount=sent,
                                    claim=claim_of(request, sent.minor), reference=answer.reference), request)
    if now.amount.minor == 0:
        ended = replace(now.moved("HoldReturned"), ended_at=step.now, why=None)
        state_hold(step, step.case.request(request.id), "HoldReturned", ended)
        if not step.case.request(request.id).is_open:  # withdrawn meanwhile: nothing will be held again
            finish(step, request, "RETURNED")
    elif sent.minor < stated.amount.minor and now.in_force:  # the hold rests on several blocks
        _announce(step, step.case.request(request.id), stated.amount - sent, step.now, stated.ground)


def _less(step: Step, request: Request, blocked: int) -> Hold:
    hold = request.hold
    assert hold is not None
    left = Amount(blocked, hold.amount.asset)
    return replace(hold, amount=left, wanted=min(left, hold.wanted), claim=claim_of(request, left.minor),
                   credits=resting(step, request, left.minor))


def _not_sent(step: Step, request: Request, stated: ReturnStated) -> None:
    """The core refused: nothing left, the hold stands as it was, a person looks."""
    step.escalate(f"return {stated.id}", "operator", request.id, "the core refuses to send it back")
    if request.hold is not None and request.hold.in_force:
        failed = replace(stated, hold=request.hold, terms=terms_of(step, request), return_at=None)
        step.tell("ReturnFailed", failed, request)
    else:
        step.anomaly("return-after-end", f"return {stated.id} was refused after the hold had ended", request.id)


def credited(step: Step, request: Request, said: Credited) -> None:
    """R-73: the payee's institution states the credit; when all is credited the request stands no longer."""
    mine = step.case.returns_of(request.id)
    if said.return_id not in {stated.id for stated in mine}:
        step.anomaly("credit-of-nothing", f"return {said.return_id} is not known", request.id)
    elif request.hold is not None and request.hold.state == "returned" and not uncredited(step.case, request.id):
        finish(step, request, "RETURNED")


def watch(step: Step) -> None:
    """Objections have a clock; what silence means is the law's (R-72). Announced returns leave."""
    for request_id, objection in tuple(step.case.objections.values()):
        at = _objection_due(step.case, request_id, objection)
        if at is None or step.now < at:
            continue
        power = step.rules.own_power()
        if power is not None and power.objection_silence == "release":
            upheld = replace(objection, state="upheld", text="silence")
            decide_objection(step, step.case.request(request_id), upheld, ())
        else:
            step.escalate(f"objection {objection.id}", "redress officer", request_id)
    send_back(step)


def _objection_due(case: Case, request_id: str, objection: Objection) -> datetime | None:
    request = case.requests.get(request_id)
    hold = request.hold if request is not None and request.side == "requested" else None
    if hold is None or hold.holder != case.me or not hold.in_force or objection.state != "raised":
        return None
    return None if f"objection {objection.id}" in case.escalated else objection.decide_by


def dues(case: Case, rules: Rules) -> list[datetime | None]:
    """When an objection or an announced return needs us."""
    found = [_objection_due(case, request_id, objection) for request_id, objection in case.objections.values()]
    return found + [s.return_at for request_id, s in case.returns.values() if _can_leave(case, request_id, s)]
