"""The requesting side: the report, the mandate, the request, silence, closing.

What leaves without a further signature leaves under a mandate that officers signed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from arrp.core.account import country_of, institution_of
from arrp.core.asked_amounts import check_amounts
from arrp.core.case import Case
from arrp.core.commitment import commit
from arrp.core.covering import check_loss_act, covering
from arrp.core.deadline import hours_after
from arrp.core.errors import Conflict, Malformed, Refused
from arrp.core.events import CaseOpened
from arrp.core.mandate import LossAct, Mandate
from arrp.core.money import Amount
from arrp.core.policy import Participant, Rules, check_entitled
from arrp.core.report import Report
from arrp.core.request import Ask, Asked, Credit, Leg, Request, Source
from arrp.core.step import Command, Step, draft_of
from arrp.core.sums import money, reserved, total


def report(step: Step, command: Command) -> None:
    """Steps 1 and 2: what the victim's side states opens a case."""
    said: Report = command.body
    if step.case.report is not None:
        raise Conflict(f"loss {said.loss} is already a case: {step.case.id}", rule="R-19", code="DUPLICATE")
    if len({payment.amount.asset for payment in said.payments}) > 1:
        raise Refused(f"loss {said.loss} was paid in two assets, which are never added: report a loss for each",
                      rule="R-10", code="wrong-amount")
    step.note("LossReported", said)
    step.note("CaseOpened", CaseOpened(said.loss, step.me, said.facts[:80], command.secret))


def open_mandate(step: Step, command: Command) -> None:
    """Step 3: draft the mandate and the loss act; two officers sign the exact bytes of each."""
    said: Mandate = command.body
    found = step.case.report
    if found is None:
        raise Refused("a mandate needs a reported loss first: arrp report FILE", rule="R-15")
    loss = LossAct(
        found.loss, step.me, found.total,
        tuple(commit(step.case.secret, _name(place, found)) for place in range(len(found.payments))),
        commit(step.case.secret, found.payments[0].debtor.account),
    )
    until = said.valid_until
    step.draft(command, draft_of(step, replace(command, body=loss), "Loss", None, until))
    step.draft(command, draft_of(step, command, "Mandate", None, until))


def _name(place: int, found: Report) -> str:
    payment = found.payments[place]
    return payment.uetr or payment.end_to_end_id or (payment.references or (str(place),))[0]


def send(step: Step, command: Command) -> None:
    """Step 4: draft one request. Under a mandate that covers it, it leaves at once, or when one officer signed (R-94);
    else two sign."""
    body: Asked = command.body
    asked = complete(step, body)
    check_amounts(asked)
    peer = whom(step, asked)
    check_entitled(step.rules.me, peer, asked.ask)
    check_source(step, asked)
    request_id = step.new_id(command.id, "request")
    not_after = hours_after(step.now, step.rules.request_hours_max)
    alone = covering(step, asked, peer)
    by_one = covering(step, asked, peer, officers=1) if alone is None else None
    asked = with_keep(step, replace(asked, mandate_act=alone or by_one, loss_act=loss_act_of(step)))
    if alone:
        step.ask(request_id, peer.id, asked, not_after)
        return
    draft = draft_of(step, replace(command, request=request_id, body=asked), "Request", peer.id, not_after)
    check_loss_act(step, by_one)
    step.draft(command, replace(draft, needs=1) if by_one else draft)


def typed_source(payment: int, leg: str) -> Source:
    """As an officer names it: the number of a payment of the loss, or the id of a leg."""
    return Source("leg", leg, None, ()) if leg else Source("payment", str(payment), None, ())


def typed_asked(ask: Ask, source: Source, account: str, asked: Amount, claim: Amount | None = None) -> Asked:
    """What an officer types of a request; the rest is what the case knows."""
    return Asked(
        ask=ask, institution=institution_of(account) if account else "", asked=asked,
        claim=asked if claim is None else claim, source=source, credit=Credit(amount=asked), loss="", stated_by="",
        crime="", account=account,
    )


def would_ask(case: Case, body: Asked, now: datetime, rules: Rules) -> tuple[Asked, Participant]:
    """What `send` would ask, and whom, before anything is written. Raises Malformed, NotFound, Refused."""
    step = Step(case, "", now, rules)
    asked = complete(step, body)
    return asked, whom(step, asked)


def amount_of(case: Case, source: Source) -> Amount:
    """What came from a source, in its own asset. Raises Malformed, NotFound, Refused."""
    return case.leg(source.ref).amount if source.kind == "leg" else _payment_amount(case, source)


def complete(step: Step, body: Asked) -> Asked:
    """Fill in what the case knows: loss, credit, and the account a loss payment went to."""
    found = step.case.report
    body = replace(body, loss=step.case.loss, stated_by=step.me)
    if body.source.kind == "leg":
        return _complete_leg(step, body)
    if body.source.kind != "payment" or found is None:
        return body
    payment = found.payments[_place(found, body.source)]
    account = body.account or payment.creditor.account
    if not account:
        raise Malformed("the payment names no creditor account: type it with the request")
    stated = (payment.uetr, payment.end_to_end_id, *payment.references, *body.credit.references)
    converted = payment.amount.asset != body.asked.asset  # then an officer typed what should be found there
    credit = Credit(
        references=tuple(dict.fromkeys(ref for ref in stated if ref)),
        amount=body.credit.amount if converted else payment.amount, booked_from=payment.instructed_at,
        name=payment.creditor.name, uetr=payment.uetr,
    )
    institution = body.institution or institution_of(account)
    return replace(body, account=account, credit=credit, institution=institution, crime=body.crime or found.crime)


def _complete_leg(step: Step, body: Asked) -> Asked:
    """An officer asks after a leg: the same request the node would make, with what the officer typed."""
    leg = step.case.leg(body.source.ref)
    account = body.account or leg.account
    if not account:
        raise Malformed("the leg names no account: type it with the request")
    made = following(step, step.case.request(leg.request), leg, body.institution or institution_of(account))
    return replace(made, ask=body.ask, account=account, asked=body.asked, claim=body.claim)


def _place(found: Report, source: Source) -> int:
    if not source.ref.isdigit() or int(source.ref) >= len(found.payments):
        raise Malformed(f"the loss has payments 0 to {len(found.payments) - 1}, not {source.ref}")
    return int(source.ref)


def whom(step: Step, body: Asked) -> Participant:
    peer = answering(step, body.institution, body.account)
    if peer is None:
        raise Refused(
            f"nobody in the directory answers for {body.institution}, and its country has no authority on paper there: "
            "ask the keepers of the directory for one",
            rule="R-18", code="no-node",
        )
    if peer.id == step.me:
        raise Refused(f"{body.institution} is kept here: a request goes to somebody else. Ask the authority of this "
                      "country to instruct you, or report it there", rule="R-18", code="our-own")
    return peer


def answering(step: Step, institution: str, account: str) -> Participant | None:
    """R-18: who keeps the account, or the authority over them; else its country's authority, on paper."""
    return step.rules.to_ask(institution) or step.rules.on_paper(country_of(account) if account else "")


def check_source(step: Step, body: Asked) -> None:
    """R-12: what is asked fits its source; the same source is not asked twice of one participant."""
    source = body.source
    limit = _leg_claim(step, source) if source.kind == "leg" else _payment_amount(step.case, source)
    if body.claim.asset != limit.asset or body.claim.minor > limit.minor:
        raise Refused(f"{body.claim} is more than the {limit} of its source", rule="R-12", code="beyond-source")
    for other in step.case.wishes:
        theirs = other.body.source  # what it rests on is the newest act that was heard: it says nothing of the coins
        same = (theirs.kind, theirs.ref, other.body.account) == (source.kind, source.ref, body.account)
        if same and other.is_open and other.body.ask is body.ask:
            raise Conflict(f"request {other.id} already asks that of {other.peer}", rule="R-19", code="DUPLICATE")


def _leg_claim(step: Step, source: Source) -> Amount:
    return step.case.leg(source.ref).claim


def _payment_amount(case: Case, source: Source) -> Amount:
    found = case.report
    if found is None:
        raise Refused("there is no reported loss in this case", rule="R-12")
    return found.payments[_place(found, source)].amount


def loss_act_of(step: Step) -> str | None:
    return step.case.loss_act[0] if step.case.loss_act else None


def with_keep(step: Step, body: Asked) -> Asked:
    """R-16: while Σ asked ≤ loss a request carries its first Keep, its claim reserved at drafting."""
    loss = total(step.case)
    bound = sum(reserved(request) for request in step.case.wishes)
    if loss is None or bound + body.claim.minor > loss.minor:
        return body
    return replace(body, keep=body.asked)


def following(step: Step, request: Request, leg: Leg, institution: str) -> Asked:
    """A request for the coins of a leg: those intervals inside that transfer, one hop further."""
    return Asked(
        ask=Ask.HOLD, account=leg.account, institution=institution, asked=leg.amount, claim=leg.claim,
        source=Source("leg", leg.id, step.case.last_act.get(request.id), leg.inside),
        credit=Credit(amount=leg.paid, references=(leg.ref,), booked_from=leg.at, name=leg.name),
        loss=step.case.loss, stated_by=step.case.stated_by, crime=request.body.crime, facts=request.body.facts,
        hops=request.body.hops + 1, pursues=request.id, loss_act=loss_act_of(step),
    )


# --- time and closing --------------------------------------------------------------------------------


def _silences(request: Request, rules: Rules) -> list[tuple[str, datetime]]:
    """What silence becomes, and when (R-33). An instruction is executed, not looked at: no officer
    of the institution has to see it."""
    found: list[tuple[str, datetime]] = []
    if not request.is_open:
        return found
    if request.side == "requesting" and request.wish == "sent":
        found.append((f"deliver {request.id}", request.at + rules.patience))
    if request.side == "requesting" and request.terms.pending and request.not_after is not None:
        found.append((f"answer {request.id}", request.not_after + rules.patience))
    if request.answer in ("none", "received") and request.relation != "instructs":
        found.append((f"see {request.id}", request.at + rules.policy.seen_within))
    return found


def watch(step: Step) -> None:
    """R-33: silence escalates to a person, once."""
    for request in tuple(step.case.requests.values()):
        for what, at in _silences(request, step.rules):
            if step.now >= at:
                step.escalate(what, "second contact", request.id)


def dues(case: Case, rules: Rules) -> list[datetime | None]:
    return [at for r in case.requests.values() for what, at in _silences(r, rules) if what not in case.escalated]


def may_close(step: Step) -> None:
    """R-80: every unit accounted for and nothing running, or it does not close. Raises Refused."""
    for request in step.case.requests.values():
        hold = request.hold
        if hold is not None and not hold.is_over:
            raise Refused(f"hold {hold.id} is {hold.state}: return, release or hand it over first", rule="R-80")
        if request.is_open and request.terms.pending:
            raise Refused(f"request {request.id} is unanswered: withdraw it first", rule="R-80")
    found = money(step.case)
    if found is not None and not found.adds_up():
        raise Refused(f"the sum {found.terms} is not the loss of {found.loss}", rule="R-80")
    if step.case.intents:
        raise Refused("the core has not answered everything it was asked", rule="R-80")
