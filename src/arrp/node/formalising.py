"""Gathers a formalisation pack (node/pack.py): case, conversation and law file of one hold, for who may know them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from arrp.core.case import Case
from arrp.core.hold import Hold
from arrp.core.law import NONE, UNKNOWN, Form, Jurisdiction, LegalPower
from arrp.core.policy import Participant
from arrp.core.request import Document, Request
from arrp.law.calendars import zone
from arrp.law.reading import codes, jurisdiction
from arrp.node.callers import Caller
from arrp.node.need_to_know import Known
from arrp.node.pack import FOLLOW_UPS, Pack, Said, country_of_basis, hold_in_force, sheet
from arrp.node.powers import FIRST, ISSUER, LAST
from arrp.node.service import Service
from arrp.node.store import cases, talk
from arrp.node.store.cases import BODIES
from arrp.wire.codec import read_act
from arrp.wire.document import documents_of
from arrp.wire.sheet import cleaned, draft


def formalised(service: Service, caller: Caller, request_id: str, form: Form | None) -> str:
    """The draft of what must follow the hold of a request, as text; without `form`, as its law asks for. It is a look
    at the case (R-92). Raises NotFound; Refused where no hold is in force."""
    known = Known(service, caller)
    case = known.of_request(request_id)
    known.look(case, f"formalisation pack of {request_id}")
    case = replace(case, report=cleaned(case.report),
                   requests={id: cleaned(request) for id, request in case.requests.items()})
    request, rules = case.request(request_id), service.node.rules
    hold, peer = hold_in_force(request), rules.participant(request.peer)
    requesting, requested = (rules.me, peer) if request.side == "requesting" else (peer, rules.me)
    law, power = _law_of(hold, requested)
    asked = power.texts("follow_up") if power is not None else ()
    chosen, why = (form, "Chosen by an officer.") if form is not None else _form_for(
        asked, requesting.country != requested.country)
    with service.node.store.reading() as connection:
        said = _said(connection, rules.me.id, case, request)
    return draft(sheet(Pack(
        form=chosen, why=why, case=case, request=request, hold=hold, me=rules.me, requesting=requesting,
        requested=requested, participants=rules.participants, law=law, power=power,
        zone=zone(law.zone, FIRST, LAST) if law is not None else None, said=said, at=service.node.clock.now(),
    )))  # fmt: skip


def _law_of(hold: Hold, requested: Participant) -> tuple[Jurisdiction | None, LegalPower | None]:
    """The file that has the power the hold rests on; else that of its country, without one."""
    country = country_of_basis(hold, requested)
    near = [code for code in codes() if code == country or code.startswith((f"{country}-", ISSUER))]
    for code in near:
        law = jurisdiction(code)
        for power in law.powers:
            if hold.basis is not None and power.id == hold.basis.power:
                return law, power
    return (jurisdiction(country) if country in near else None), None


def _form_for(asked: Collection[str], abroad: bool) -> tuple[Form, str]:
    """What the law file says must follow; where it does not say, the general way, and that nobody knows better."""
    for word in asked:
        if word in FOLLOW_UPS:
            return FOLLOW_UPS[word], f"The law file asks for: {', '.join(asked)}."
    form = Form.MLA if abroad else Form.ORDER
    found = "The law file says that nothing need follow" if NONE in asked else f"What must follow is {UNKNOWN}"
    return form, f"{found}; this is the general way, and --as chooses another: ask there."


def _said(connection: Connection, me: str, case: Case, request: Request) -> tuple[Said, ...]:
    """The acts this request rests on, those between the two about it, and what our own officers signed of it."""
    body, down = request.body, case.instruction_of(request.id)
    under = [talk.act(connection, act_hash) for act_hash in (body.mandate_act, body.loss_act) if act_hash]
    spoken = [(request.at, kept) for kept in under if kept is not None]
    spoken += talk.said_in(connection, request.peer, request.id)
    about, listed = {request.id, down.id if down is not None else request.id}, {kept.act_hash for _, kept in spoken}
    for event in cases.log_of(connection, case.id):
        if event.by == me and event.officers and event.request in about and event.act_hash not in listed:
            kept = talk.act(connection, event.act_hash)
            spoken += [(event.at, kept)] if kept is not None else []
    return tuple(Said(at, kept, _named(kept)) for at, kept in spoken)


def _named(kept: talk.KeptAct) -> tuple[Document, ...]:
    """Nothing is left of an act whose case was erased."""
    return cleaned(tuple(documents_of(read_act(kept.data, BODIES).body))) if kept.data else ()
