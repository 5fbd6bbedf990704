"""The formalisation pack: what must follow a hold before it lapses, as a draft that an officer edits and sends.

All it says is in the case, the directory or the law file; what the node does not know is left as a line to fill in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from arrp.core.calendar import Zone
from arrp.core.case import Case
from arrp.core.crime import Crime
from arrp.core.errors import Refused
from arrp.core.hold import Hold
from arrp.core.law import UNKNOWN, Form, Jurisdiction, LegalPower
from arrp.core.policy import Participant
from arrp.core.report import Party, Payment
from arrp.core.request import Document, Leg, Request
from arrp.core.sentences import marks
from arrp.core.sums import money
from arrp.law.telling import cited_figure, figure_words, utc
from arrp.node.store.talk import KeptAct
from arrp.wire.paper import BLANK, account_words, approval_row, basis_rows, document_rows, source_words, who_words
from arrp.wire.reference import reference_of
from arrp.wire.sheet import Part, Row, Sheet

# What a law file calls it, in `follow_up`.
FOLLOW_UPS: Mapping[str, Form] = {"order": Form.ORDER, "mla": Form.MLA, "eio": Form.EIO, "fiu decision": Form.FIU}

_TITLES = {
    Form.MLA: "Draft request for mutual legal assistance", Form.EIO: "Draft European Investigation Order",
    Form.FIU: "Draft request for a decision of the financial intelligence unit",
    Form.ORDER: "Draft application for an order",
}
_BY_WAY = {
    Form.MLA: "by way of mutual legal assistance, the measure of your law that keeps this money where it is",
    Form.EIO: "by European Investigation Order, as a provisional measure (Directive 2014/41/EU, article 32), that this "
              "money is not moved. Such an order secures evidence; to secure money for confiscation between Member "
              "States there is the certificate of Regulation (EU) 2018/1805: the legal officer chooses",
    Form.FIU: "through the channel of the financial intelligence units, a decision that suspends or withholds consent "
              "to any transaction with this money",
    Form.ORDER: "of the court or prosecutor who may order it, an order that keeps this money where it is",
}
_FIGURES = ("follow_up", "documents", "foreign", "foreign_through", "lowest_amount", "indemnity", "extension",
            "extended_by", "longest_chain", "next", "at_lapse")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """An act of the conversation, when it came or left, and the documents that it names."""

    at: datetime
    kept: KeptAct
    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What is known of one hold in force; what strangers wrote is `cleaned` (wire/sheet.py). `why` says why this form;
    `law` is that of the country whose power it is, `power` the one the hold rests on: None where there is no such
    file, or no such power in it."""

    form: Form
    why: str
    case: Case
    request: Request
    hold: Hold
    me: Participant
    requesting: Participant
    requested: Participant
    participants: Mapping[str, Participant]
    law: Jurisdiction | None
    power: LegalPower | None
    zone: Zone | None
    said: tuple[Said, ...]
    at: datetime

    @property
    def there(self) -> str:
        """Whose law it is."""
        return self.law.name if self.law is not None else country_of_basis(self.hold, self.requested)


def country_of_basis(hold: Hold, requested: Participant) -> str:
    return hold.basis.country if hold.basis is not None else requested.country


def hold_in_force(request: Request) -> Hold:
    """Raises Refused where there is none: nothing lapses."""
    if request.hold is None or not request.hold.in_force:
        state = f": it is {request.hold.state}" if request.hold is not None else ""
        raise Refused(f"request {request.id} has no hold in force{state}: there is nothing to formalise", rule="R-59",
                      code="ended")
    return request.hold


def sheet(pack: Pack) -> Sheet:
    """The whole draft. The reference is that of the hold, the same on both sides."""
    parts = (_about(pack), _who(pack), _asked(pack), _hold(pack), _facts(pack), *_money(pack), _law(pack),
             *_evidence(pack), _to_fill_in(pack))
    return Sheet(_TITLES[pack.form], pack.case.id, reference_of(pack.hold.id), pack.at, parts)


# --- what it is, and who ---------------------------------------------------------------------------------------


def _about(pack: Pack) -> Part:
    noted = marks(pack.request, pack.at)
    return Part("About this draft", said=(
        f"Written by the node of {pack.me.id} on {utc(pack.at)} from what its case knows; nobody has signed or sent "
        "it. It is a draft and no legal advice: an officer reads, edits and answers for it. What the node does not "
        f"know is left as {BLANK}.",
        f"Form: {pack.form}. {pack.why}",
        _language(pack),
        *(f"Do not overlook: {mark}." for mark in noted),
    ))  # fmt: skip


def _language(pack: Pack) -> str:
    """A translation is somebody's work, and said where it is missing."""
    other = pack.requested if pack.me.id == pack.requesting.id else pack.requesting
    if not other.languages:
        return f"Language: English. The directory does not say which languages {other.id} reads: ask, and translate."
    if "en" in other.languages:
        return f"Language: English, which {other.id} reads ({', '.join(other.languages)})."
    return (f"Language: English. {other.id} reads {', '.join(other.languages)}, and there is no translation here: have "
            "it translated.")


def _who(pack: Pack) -> Part:
    basis = pack.hold.basis
    return Part("Who asks whom", (
        Row("Asked by", _party(pack.requesting)), Row("Asked of", _party(pack.requested)),
        Row("Court or authority that decides", f"{BLANK} in {pack.there}"),
        Row("Its file", _or_blank(basis.reference if basis is not None else "")), Row("File of whoever asks", BLANK),
        Row("Request", pack.request.id), Row("Hold", pack.hold.id),
    ))  # fmt: skip


def _party(who: Participant) -> str:
    contacts = "".join(f"\n{one.name}, {one.telephone} ({one.hours})" for one in who.contacts)
    node = f"\nnode {who.address}" if who.address else f"\nchannel {who.channel}"
    return f"{who_words(who)}{node}{contacts or chr(10) + 'no contact in the directory: ' + BLANK}\npost {BLANK}"


def _asked(pack: Pack) -> Part:
    hold, ends = pack.hold, pack.hold.until or pack.hold.deadline
    before = f"before {_when(ends, pack.zone)}" if ends else f"by {BLANK}"
    if hold.decide_by is not None and not hold.decided:
        before += f"\nand before that somebody with the power decides, by {_when(hold.decide_by, pack.zone)}"
    return Part("What is asked, of whom, by when", (
        Row("Asked is", f"{_BY_WAY[pack.form]}: {hold.amount} at {_name(pack, hold.holder)}, and nothing beyond it"),
        Row("Of", f"the authorities of {pack.there}, through {pack.requested.name}"),
        Row("It must be there", before),
        Row("Otherwise", _lapse(pack)),
    ))  # fmt: skip


def _lapse(pack: Pack) -> str:
    hold = pack.hold
    if hold.state == "secured":
        return "the hold rests on an order and stays; it is reviewed on its date, and nothing goes by itself"
    told = _figure(pack, "at_lapse")
    return f"the hold ends by itself at that instant and {hold.amount} goes free (R-42). at_lapse there: {told}"


def _name(pack: Pack, id: str) -> str:
    found = pack.participants.get(id)
    return f"{found.name} ({id})" if found is not None else id


# --- the hold ---------------------------------------------------------------------------------------------------


def _hold(pack: Pack) -> Part:
    hold, account = pack.hold, pack.request.body.account
    return Part("The hold", tuple(row for row in (
        Row("Amount", str(hold.amount)), Row("Of which we claim", str(hold.kept)) if hold.kept is not None else None,
        Row("State", f"{hold.state}, {'decided' if hold.decided else 'nobody has decided yet'}"),
        Row("Kept by", _name(pack, hold.holder)), Row("Account", account_words(account) if account else BLANK),
        Row("Reach", hold.reach), Row("Beyond what was asked", str(hold.beyond)) if hold.beyond is not None else None,
        Row("Since", _when(hold.placed_at, pack.zone)),
        *basis_rows("On the basis of", hold.basis),
        Row("Until", _when(hold.until, pack.zone)) if hold.until else None,
        Row("Why until then", _reason(pack)) if hold.until else None,
        Row("To be decided by", _when(hold.decide_by, pack.zone)) if hold.decide_by and not hold.decided else None,
        Row("To be reviewed", _when(hold.review_at, pack.zone)) if hold.review_at else None,
        Row("Reference at the institution", _or_blank(hold.reference)),
    ) if row is not None))  # fmt: skip


def _reason(pack: Pack) -> str:
    """How the end was found: the holder's own node knows; a mirror knows who stated it."""
    computed = pack.case.ends.get(pack.request.id)
    known = computed is not None and computed.hold == pack.hold.id
    if not known and pack.hold.holder == pack.me.id:
        return "the earlier of what the decision stated and of what the power allows, counted in hours (R-41)"
    if computed is None or not known:
        return f"stated by {_name(pack, pack.hold.holder)}; how it was found stands in the log there (R-41)"
    if computed.until == pack.hold.until:
        return f"{computed.reason} (calendar {computed.calendar_version}; zone {computed.zone_version})"
    return f"stated with the decision; by the law it might last until {utc(computed.until)}: {computed.reason}"


def _when(at: datetime | None, zone: Zone | None) -> str:
    """In UTC, and as the wall clock shows it there."""
    if at is None:
        return "not yet known"
    if zone is None:
        return f"{utc(at)} (local time there: no law file says which zone)"
    try:
        there = at.astimezone(timezone(zone.offset_at(at)))
    except Refused as beyond:
        return f"{utc(at)} (local time there: {beyond})"
    return f"{utc(at)} ({there.isoformat()} in {zone.name})"


def _or_blank(text: str) -> str:
    """A line to fill in where there is nothing."""
    return text or BLANK


# --- what happened ----------------------------------------------------------------------------------------------


def _facts(pack: Pack) -> Part:
    body, report = pack.request.body, pack.case.report
    crime = f"{body.crime}: {Crime(body.crime).plain}" if body.crime in set(Crime) else "not coded"
    told = [text for text in (body.facts, report.facts if report is not None else "") if text]
    rows = [Row("Loss", f"{body.loss}, stated by {_name(pack, body.stated_by)}"), Row("Crime", crime),
            Row("What happened", "\n".join(dict.fromkeys(map(_or_blank, told))) or BLANK)]
    if report is not None:
        rows += [Row("Lost in all", str(report.total)), Row("Reported", utc(report.reported_at)),
                 Row("Noticed", utc(report.discovered_at) if report.discovered_at else BLANK),
                 Row("Ordered by the victim", report.authorised.value),
                 Row("Victim still in contact with them", report.still_in_contact.value),
                 Row("Recall", f"since {utc(report.recall_started_at)} {report.recall_reference}".rstrip()
                     if report.recall_started_at else "not started, as far as is known")]
    counted = money(pack.case)
    if counted is not None:
        rows.append(Row("Not yet found or safe", str(counted.missing)))
    rows += [Row("Persons charged, their defence", BLANK), Row("Offence in the law of whoever asks", BLANK)]
    return Part("The facts", tuple(rows))


def _money(pack: Pack) -> Iterator[Part]:
    """How it came to this account: the payment of the loss, each transfer on the way, the credit there."""
    payment, legs = _way(pack.case, pack.request)
    if payment is not None:
        yield Part("The payment that was lost", _payment(payment))
    for number, leg in enumerate(legs, 1):
        yield Part(f"Transfer {number} after it", _leg(leg))
    body, credit = pack.request.body, pack.request.body.credit
    yield Part("The credit that is held", (
        Row("Asked for", f"{body.asked}, which counts for {body.claim} of the loss"),
        Row("Where it comes from", source_words(body)),
        Row("Account", account_words(body.account) if body.account else BLANK), Row("Amount", str(credit.amount)),
        Row("To the name of", _or_blank(credit.name)), Row("UETR", _or_blank(credit.uetr)),
        Row("References", "\n".join(map(_or_blank, credit.references)) or BLANK),
        Row("Booked after", utc(credit.booked_from) if credit.booked_from else BLANK),
        *(Row("Rests on", f"{one.part} of a credit of {one.amount}, booked {utc(one.booked_at)}")
          for one in pack.hold.credits),
    ))  # fmt: skip


def _way(case: Case, request: Request) -> tuple[Payment | None, list[Leg]]:
    """From the loss to this account, as far as who asks knows it: nothing of payments that others are about. Each leg
    is taken once, whatever its holder said."""
    source, legs = request.body.source, list[Leg]()
    stated = {leg.id: (leg, one) for one in case.requests.values() for leg in one.legs}
    if request.side != "requesting":
        return None, legs
    while source.kind == "leg" and source.ref in stated:
        leg, one = stated.pop(source.ref)
        legs.insert(0, leg)
        source = one.body.source
    if case.report is None or source.kind != "payment":
        return None, legs
    return case.report.payments[int(source.ref)], legs


def _payment(payment: Payment) -> tuple[Row, ...]:
    return (
        Row("Amount", str(payment.amount)), Row("Settled on", str(payment.settled_on or BLANK)),
        Row("Ordered", utc(payment.instructed_at) if payment.instructed_at else BLANK),
        Row("From", _customer(payment.debtor)), Row("To", _customer(payment.creditor)),
        Row("UETR", _or_blank(payment.uetr)), Row("End-to-end id", _or_blank(payment.end_to_end_id)),
        Row("References", "\n".join(map(_or_blank, payment.references)) or BLANK),
    )  # fmt: skip


def _customer(party: Party) -> str:
    account = account_words(party.account) if party.account else f"account {BLANK}"
    return f"{_or_blank(party.name)}\n{account}" + (f"\nat {party.agent}" if party.agent else "")


def _leg(leg: Leg) -> tuple[Row, ...]:
    return (
        Row("Amount", f"{leg.amount} of a transfer of {leg.paid}"), Row("Booked", utc(leg.at)),
        Row("Reference", _or_blank(leg.ref)), Row("To", _or_blank(leg.name)),
        Row("Account", account_words(leg.account) if leg.account else BLANK),
    )


# --- the law ----------------------------------------------------------------------------------------------------


def _law(pack: Pack) -> Part:
    law, power = pack.law, pack.power
    if law is None:
        return Part("The law there", said=(f"There is no law file for {pack.there}: what it asks for is unknown. Ask "
                                           f"{pack.requested.name}.",))
    read = f"The law file of {law.name} was last read on {law.checked_on}. {law.notes}"
    if power is None:
        named = pack.hold.basis.power if pack.hold.basis is not None else "none"
        rows = tuple(Row(one.id, f"{one.title} ({one.article}); held by {_shortly(law, one, 'holder')}; what must "
                                 f"follow: {_shortly(law, one, 'follow_up')}") for one in law.powers)
        return Part("The law there", rows, (f"The hold rests on a power that the law file does not have ({named}): "
                                            "what it asks for is unknown. Those it has are below.", read))
    rows = (Row("Power", f"{power.id}: {power.title} ({power.article})"), *(
        Row(name, _figure(pack, name)) for name in _FIGURES))
    return Part("The law there", rows, (read,))


def _shortly(law: Jurisdiction, power: LegalPower, name: str) -> str:
    found = cited_figure(law, power, name)
    said = found["says"]
    return f"{figure_words(tuple(said) if isinstance(said, list) else said)} ({found['confidence']})"


def _figure(pack: Pack, name: str) -> str:
    """What the file says, how sure it is, and where it stands; unknown stays unknown."""
    if pack.law is None or pack.power is None:
        return f"{UNKNOWN}: no law file has it"
    if pack.power.figures[name] in (UNKNOWN, (UNKNOWN,)):
        return f"{UNKNOWN}: nobody found it; ask {pack.requested.name}"
    return f"{_shortly(pack.law, pack.power, name)}\n{cited_figure(pack.law, pack.power, name)['source']}"


# --- what proves it ---------------------------------------------------------------------------------------------


def _evidence(pack: Pack) -> Iterator[Part]:
    yield Part("Evidence: acts", tuple(_act(pack, one) for one in pack.said), (
        "Each act is named by the SHA-256 of its salt and bytes, as its officers signed it; bytes, salt and signatures "
        "are kept where it was written and where it was heard, and can be shown.",))
    named = {document.digest: document for one in pack.said for document in one.documents}
    yield Part("Evidence: documents", tuple(document_rows(tuple(named.values()))) or (
        Row("Document", "none was named in these acts"),))


def _act(pack: Pack, said: Said) -> Row:
    kept = said.kept
    author = pack.participants.get(kept.by)
    signers = [approval_row(author, one) for one in kept.approvals] if author is not None else []
    signed = [f"signed by {row.label}: {row.value.replace(chr(10), ', ')}" for row in signers]
    under = ", under the mandate above" if kept.kind == "Request" and pack.request.body.mandate_act else ""
    return Row(f"{kept.kind} of {kept.by}, {utc(said.at)}", "\n".join((
        kept.act_hash, *(signed or [f"signed by the node of {kept.by}{under}; no officer's signature stands on it"]))))


def _to_fill_in(pack: Pack) -> Part:
    rows = tuple(Row(label, BLANK) for label in (
        f"Officer of {pack.me.name} who answers for this draft", "Function, telephone", "Court or authority",
        "File number", "Place, date, signature"))
    return Part("To fill in", rows)
