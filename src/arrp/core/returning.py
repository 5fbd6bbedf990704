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
from arrp.core.deadline import Power, hours_after
from arrp.core.ending import cut
from arrp.core.errors import Conflict, NotFound, Refused
from arrp.core.events import Intent, NamePayee, Objection, ObjectionStated, Return, ReturnStated, Verb
from arrp.core.hold import Hold
from arrp.core.money import Amount
from arrp.core.request import Reason, Request
from arrp.core.requesting import commit
from arrp.core.stating import account_of, book_of, claim_of, finish, state_hold, terms_of, write_book
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
    loss = step.case.losses.get(request.body.loss)
    if said.ground != "DEBTOR":
        if said.document is None or not said.called_back:
            raise Refused("another payee needs the document that names it and a call-back", rule="R-70")
        return
    if loss is None or commit(said.salt, said.account) != loss[1].return_account:
        raise Refused("that is not the account the money was taken from", rule="R-70", code="wrong-payee")


def announce(step: Step, request: Request, said: Return) -> None:
    """R-71: a return is announced first, then sent; until then an objection stops it."""
    hold = in_force(request)
    check_return(step, request, hold, said)
    notice = 0 if said.ground in ("consent", "in_flight") else _power(step).return_notice_hours
    amount = Amount(said.amount.minor - request.terms.returned, hold.amount.asset)
    stated = ReturnStated(
        step.new_id("return", request.id, str(said.amount.minor)), hold, request.terms, amount,
        claim_of(request, amount.minor), hours_after(step.now, notice), said.ground,
    )
    step.tell("ReturnAnnounced", stated, request)


def check_return(step: Step, request: Request, hold: Hold, said: Return) -> None:
    told_at = step.case.told.get(request.id)
    heard = told_at is not None and step.now >= hours_after(told_at, _power(step).objection_hours)
    grounds = {
        "consent": (said.document is not None, "the account holder's consent is a document: name it"),
        "told": (heard, "the account holder must be told, and the time to object must be over"),
        "order": (hold.state == "secured" or said.document is not None, "an order must be named"),
        "in_flight": (request.body.ask.value == "stop", "only a stopped payment goes back unheard"),
    }
    holds, wanted = grounds.get(said.ground, (False, f"the ground is one of {', '.join(grounds)}"))
    due = said.amount.minor - request.terms.returned
    checks = [
        (hold.state in ("confirmed", "secured"), f"the hold is {hold.state}: it must be decided and kept first"),
        (request.id in step.case.payees, "no payee is named yet"),
        (step.case.open_objection(hold.id) is None, "an objection is open"),
        (0 < due <= hold.amount.minor, f"{hold.amount} is held, {request.terms.returned} units went back before"),
        (holds, wanted),
    ]
    for good, why in checks:
        if not good:
            raise Refused(f"{said.amount} cannot go back: {why}", rule="R-71", code="return-not-allowed")


def send_back(step: Step) -> None:
    """R-71: at `return_at` the intent row is the point of no return."""
    for request_id, stated in step.case.returns.values():
        if stated.return_at is None or step.now < stated.return_at or stated.reference:
            continue
        request = step.case.request(request_id)
        hold = request.hold
        busy = any(intent.verb is Verb.GIVE_BACK for intent in step.case.intents.values())
        if hold is None or not hold.in_force or busy or step.case.open_objection(hold.id):
            continue
        book, payee = step.case.books[request_id], step.case.payees[request_id]
        block = book.blocks[0]
        amount = min(stated.amount.minor, block.amount)
        step.note(
            "Intended",
            Intent(stated.id, Verb.GIVE_BACK, request_id, block.ref, amount, None, stated.ground,
                   account_of(step, request), payee.account, payee.name),
            request_id,
        )


def sent_back(step: Step, request: Request, intent: Intent, given: CoreAnswer) -> None:
    """The core sent it: the term `returned` counts from here; credited is stated later by the payee's side."""
    answer, (_, stated) = given.answer, step.case.returns[given.ref]
    hold = request.hold
    assert hold is not None
    if not isinstance(answer, Returned):
        step.tell("ReturnFailed", replace(stated, hold=hold, terms=terms_of(step, request), return_at=None), request)
        return
    book = step.case.books[request.id]
    block = book.block(intent.block)
    coins = block.coins.lowest(answer.amount)
    book = book.with_block(block.ref, block.amount - answer.amount, block.coins - coins, answer.sequence)
    write_book(step, replace(book, returned=book.returned | coins))
    book = book_of(step, request.id)
    left = Amount(book.blocked, hold.amount.asset)
    now = replace(hold, amount=left, wanted=min(left, hold.wanted), claim=claim_of(request, left.minor))
    step.tell("ReturnSent", replace(stated, hold=now, terms=terms_of(step, request), return_at=None,
                                    reference=answer.reference), request)
    if left.minor == 0:
        ended = replace(now.moved("HoldReturned"), ended_at=step.now)
        state_hold(step, step.case.request(request.id), "HoldReturned", ended)
        finish(step, step.case.request(request.id), "RETURNED")


def watch(step: Step) -> None:
    """Objections have a clock; what silence means is the law's (R-72). Announced returns leave."""
    for request_id, objection in step.case.objections.values():
        if objection.state != "raised" or objection.decide_by is None or step.now < objection.decide_by:
            continue
        request = step.case.request(request_id)
        if request.side != "requested" or request.hold is None or request.hold.holder != step.me:
            continue
        if _power(step).objection_silence == "release":
            decide_objection(step, request, replace(objection, state="upheld", text="silence"), ())
        else:
            step.escalate(f"decide objection {objection.id}", "redress officer", request_id)
    send_back(step)


def dues(case: Case, me: str) -> list[datetime | None]:
    """When an objection or an announced return needs us."""
    found: list[datetime | None] = []
    for request_id, objection in case.objections.values():
        hold = case.request(request_id).hold
        waits = f"decide objection {objection.id}" not in case.escalated
        if objection.state == "raised" and waits and hold is not None and hold.holder == me:
            found.append(objection.decide_by)
    for request_id, stated in case.returns.values():
        hold = case.request(request_id).hold
        if hold is None or hold.holder != me or not hold.in_force or case.open_objection(hold.id):
            continue
        if stated.id not in case.intents:
            found.append(stated.return_at)
    return found
