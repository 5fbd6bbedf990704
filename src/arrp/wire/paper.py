"""An act as a letter: what its bytes say, for a desk that has no node, with a form to answer on (R-95).

Nothing is decided or left out here that the act says to its addressee; nothing is added but the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arrp.core.crime import Crime
from arrp.core.deadline import Basis
from arrp.core.events import KINDS, Event
from arrp.core.mandate import SECOND_WITHIN, Mandate
from arrp.core.messages import Act, Approval
from arrp.core.policy import Participant
from arrp.core.request import Asked, Condition, Document, Reason
from arrp.core.sentences import sentence
from arrp.wire.reference import reference_of
from arrp.wire.sheet import Part, Row, Sheet

BLANK = "_" * 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What stands on the paper beside the act: whose it is, who signed, under what. `about` is the reference of
    the request that a later act belongs to."""

    case: str
    act_hash: str
    sender: Participant
    to: Participant
    written_at: datetime
    approvals: tuple[Approval, ...] = ()
    mandate: Mandate | None = None
    mandate_approvals: tuple[Approval, ...] = ()
    about: str = ""


def letter(act: Act, cover: Cover) -> Sheet:
    """The act on paper."""
    reference = reference_of(cover.act_hash)
    is_request = isinstance(act.body, Asked)
    body = _BODIES[act.kind](act.body) if act.kind in _BODIES else _stated(act, cover)
    parts = [_heading(act, cover, reference), *body, _signed(cover), _call_back(cover)]
    parts += [_reply(reference, act.body), *_codes()] if is_request else [_short_reply(reference)]
    return Sheet(_title(act), cover.case, reference, cover.written_at, (*parts, _about(cover)))


_TITLES = {
    "Approved": "A second officer has signed our request",
    "Keep": "How much of the hold we claim", "Withdraw": "Withdrawal of our request",
    "Release": "Release of held money", "Decide": "Decision on the hold", "Extend": "Extension of the hold",
    "Secure": "Order that secures the hold", "NamePayee": "To whom the money goes back",
    "Return": "Return of the money", "Object": "Objection of the account holder",
    "DecideObjection": "Decision on the objection", "MoreGiven": "What you asked for",
    "MoneyReturned": "The money has been credited", "Corrected": "Correction", "EraseAsked": "Please erase",
}


def _title(act: Act) -> str:
    if not isinstance(act.body, Asked):
        return _TITLES.get(act.kind, "How your request stands")
    how = "Instruction" if act.body.instructs else "Urgent request"
    what = {"hold": "to hold money", "stop": "to stop a payment", "arm": "to hold money on arrival",
            "trace": "to say where money went", "preserve": "to keep records"}[act.body.ask]
    return f"{how} {what}"


def _heading(act: Act, cover: Cover, reference: str) -> Part:
    rows = [
        Row("From", who_words(cover.sender)), Row("To", who_words(cover.to)),
        Row("Our reference", f"{reference}   (quote it in every answer)"),
        Row("Written", instant_words(cover.written_at)),
    ]
    if act.not_after is not None:
        rows.append(Row("Valid until", f"{instant_words(act.not_after)}; do not act on it later, ask us"))
    if cover.about:
        rows.append(Row("About our request", cover.about))
    rows.append(Row("Handling", f"{act.handling}; use as evidence: ask us first"))
    return Part("This letter", tuple(rows))


def who_words(who: Participant) -> str:
    spoken = f"\nLanguages: {', '.join(who.languages)}" if who.languages else ""
    return f"{who.name}, {who.country}\n{who.kind}, {who.id} in the directory{spoken}"


def instant_words(at: datetime) -> str:
    return f"{at:%d %B %Y, %H:%M} UTC"


# --- what each kind says --------------------------------------------------------------------------------------


def _asked(body: Asked) -> Iterator[Part]:
    yield Part("What we ask", (
        Row("Account", account_words(body.account)), Row("Kept by", body.institution),
        Row("Amount, at most", str(body.asked)), *_claim(body),
        Row("Please", _PLEASE[body.ask]), *basis_rows("On the basis of", body.basis),
        *([Row("Until", instant_words(body.until))] if body.until else []),
    ))
    credit = body.credit
    yield Part("The payment that came to this account", tuple(row for row in (
        Row("Amount", str(credit.amount)), Row("References", "\n".join(credit.references) or "not known"),
        Row("UETR", credit.uetr) if credit.uetr else None,
        Row("To the name of", credit.name or "not known"),
        Row("Booked after", instant_words(credit.booked_from) if credit.booked_from else "not known"),
        Row("Booked before", instant_words(credit.booked_to)) if credit.booked_to else None,
    ) if row is not None), said=(
        "Compare name, account, amount and time. Where they do not match, hold nothing and answer "
        "NO_MATCHING_CREDIT with what differs.",))
    crime = Crime(body.crime).plain if body.crime in set(Crime) else "not coded"
    yield Part("Why", (
        Row("Crime", f"{body.crime}: {crime}"), Row("Facts", body.facts or "none stated"),
        Row("Loss", f"{body.loss}, stated by {body.stated_by}"),
        Row("Where it comes from", source_words(body)), *document_rows(body.documents),
    ))


_PLEASE = {
    "hold": "hold this amount, or what is there of it, and nothing beyond it; tell us what you hold and until "
            "when, and where the rest went",
    "stop": "stop the payment before it arrives; if it has arrived, hold it on the account",
    "arm": "hold what arrives, up to this amount", "trace": "tell us where it went; hold nothing",
    "preserve": "keep the records; hold nothing",
}


def _claim(body: Asked) -> list[Row]:
    kept = [Row("Of which we claim", str(body.keep))] if body.keep is not None else []
    return kept if body.claim == body.asked else [Row("Counts for", f"{body.claim} of the loss"), *kept]


def source_words(body: Asked) -> str:
    if body.source.kind == "payment":
        return f"payment {body.source.ref} of the loss, in the victim's country"
    return f"a transfer out of another account, {body.hops} transfers after the loss"


def account_words(account: str) -> str:
    scheme, _, number = account.removeprefix("payto://").partition("/")
    if scheme == "iban":
        return f"IBAN {' '.join(number[place:place + 4] for place in range(0, len(number), 4))}\n{account}"
    return account


def basis_rows(label: str, basis: Basis | None) -> list[Row]:
    if basis is None:
        return []
    reference = f", file {basis.reference}" if basis.reference else ""
    return [Row(label, f"{basis.article} ({basis.country}), {basis.authority}{reference}")]


def document_rows(documents: tuple[Document, ...]) -> list[Row]:
    return [Row("Document", f"{d.kind}, {d.media_type}, {d.language}\nSHA-256 {d.digest}") for d in documents]


def _one(title: str, *rows: Row | None) -> tuple[Part]:
    return (Part(title, tuple(row for row in rows if row is not None)),)


def _decided(body: Any) -> tuple[Part]:
    rows = [Row("Decision", "accepted" if body.accepted else f"refused: {body.reason}")]
    rows += basis_rows("On the basis of", body.basis)
    rows += [Row("Hold until", instant_words(body.until))] if body.until else []
    return _one("What we tell you", *rows, Row("In words", body.text) if body.text else None)


_BODIES: dict[str, Callable[[Any], Any]] = {
    "Request": _asked,
    "Approved": lambda body: _one("What we tell you", Row("Our request", "a second officer has signed it: it stands"),
                                  Row("Officer", body.approval.officer), Row("Over act hash", body.act_hash)),
    "Keep": lambda body: _one("What we tell you", Row("We claim of the hold", str(body.amount)), Row(
        "The rest", "may go free now" if body.rest_free else "stays held until you hear from us, or its time ends")),
    "Withdraw": lambda body: _one("What we tell you", Row("We no longer ask for", "any hold: let it go now, unless an "
                                                          "order of your country holds it"), Row("Why", body.reason)),
    "Release": lambda body: _one("What we tell you", Row("Hold from now on", f"at most {body.to}; let the rest go"),
                                 Row("Why", body.reason)),
    "Decide": _decided,
    "Extend": lambda body: _one("What we ask", Row("Hold it until", instant_words(body.until)),
                                *basis_rows("On the basis of", body.basis), *document_rows((body.document,))),
    "Secure": lambda body: _one("What we tell you", *basis_rows("An order holds it now", body.basis),
                                *document_rows((body.order,)), Row("Reviewed on", instant_words(body.review_at))),
    "NamePayee": lambda body: _one("What we tell you", Row("Account", account_words(body.account)),
                                   Row("Name", body.name), Row("Ground", body.ground),
                                   *document_rows((body.document,) if body.document else ())),
    "Return": lambda body: _one("What we ask", Row("Send back, all in all", str(body.amount)),
                                Row("Ground", body.ground), *document_rows((body.document,) if body.document else ())),
    "Object": lambda body: _one("What we tell you", Row("Ground", body.ground), Row("In words", body.text)),
    "DecideObjection": lambda body: _one("What we tell you", Row("The objection is", body.state),
                                         Row("Goes free", str(body.free)) if body.free else None),
    "MoreGiven": lambda body: _one("What we tell you", Row("In words", body.text), *document_rows(body.documents)),
    "MoneyReturned": lambda body: _one("What we tell you", Row("Credited to the payee", str(body.amount)),
                                       Row("Reference", body.reference or "none")),
    "Corrected": lambda body: _one("What we tell you", Row("We were wrong about", f"the {body.what}"), Row(
        "Please", "correct it wherever you passed it on"), Row("In words", body.text)),
    "EraseAsked": lambda body: _one("What we ask", Row("Please", "erase what we told you, as far as your law does not "
                                                       "make you keep it"), Row("Because", body.basis),
                                    Row("In words", body.text)),
}  # fmt: skip


def _stated(act: Act, cover: Cover) -> tuple[Part]:
    """A fact of the requested side, for a requester whose node is gone: the sentence that its log would show."""
    event = Event(act.kind, cover.sender.id, cover.written_at, act.request, "", act.body, to=cover.to.id)
    return _one("What we tell you", Row("Your request", act.request or ""), Row("We say", sentence(event) or act.kind))


# --- who, and how to answer -----------------------------------------------------------------------------------


def _signed(cover: Cover) -> Part:
    """R-22: the persons behind it, by name and key."""
    signed = tuple(approval_row(cover.sender, one) for one in cover.approvals)
    if cover.mandate is not None and len(signed) < KINDS["Request"].approvals:
        until = f"up to {cover.mandate.total} in all, valid until {instant_words(cover.mandate.valid_until)}"
        signers = tuple(approval_row(cover.sender, one) for one in cover.mandate_approvals)
        return Part("Sent under a mandate", (Row("Mandate", until), *signers, *signed), (_without(signed, cover),))
    if signed:
        return Part("Approved by", signed)
    return Part("Approved by", said=("This kind of letter needs no officer's signature.",))


def _without(signed: tuple[Row, ...], cover: Cover) -> str:
    """What the mandate lets go without: any signature, or for four hours the second one (R-94)."""
    if not signed:
        return "Two officers signed in advance what may be asked without a further signature."
    by = instant_words(cover.written_at + SECOND_WITHIN)
    return ("Two officers signed in advance what one officer, the last named here, may ask alone. "
            f"A second signs by {by} and we write to you; without that letter let the money go then, unless an order "
            "of your country holds it.")


def approval_row(sender: Participant, approval: Approval) -> Row:
    officer = sender.officer(approval.officer) if sender.has_officer(approval.officer) else None
    name = f"{officer.name} ({', '.join(officer.roles)})" if officer else "no longer in the directory"
    return Row(approval.officer, f"{name}\nkey {approval.key}, {approval.algorithm}")


def _call_back(cover: Cover) -> Part:
    rows = tuple(Row(one.name, f"{one.telephone}, {one.hours}") for one in cover.sender.contacts)
    return Part("Whom to call back", rows, (
        "Before you act on a first letter of ours, call a number that you had before this letter came: your list of "
        "national central bureaus, not this page. Whoever forges a letter forges its telephone number too.",
    ))


def _reply(reference: str, asked: Asked) -> Part:
    asset = asked.asked.asset
    rows = (
        Row("Reference", reference), Row("[ ] received", f"by {BLANK} on __________ at _______ UTC"),
        Row("[ ] accepted", f"on the basis of (article, file) {BLANK}"),
        Row("[ ] on a condition", "code ________________ (list below)"), Row("[ ] we need more", f"namely {BLANK}"),
        Row("[ ] held", f"{asset} ______________ until __________ _______ UTC\nreference of the hold {BLANK}"),
        Row("[ ] not found", f"{asset} ______________ what differs {BLANK}"),
        Row("[ ] moved on", "\n".join(
            f"{number}. {asset} ____________ on ________ at _____ UTC\n   to {BLANK}\n   reference / name {BLANK}"
            for number in (1, 2, 3)) + "\n(or: cash, fee. More transfers on another sheet)"),
        Row("[ ] refused", "code ________________ (list below)"), Row("[ ] released", "on __________ at _______ UTC"),
        Row("[ ] returned", f"{asset} ______________ on __________ reference __________"),
        Row("Name, function", BLANK), Row("Telephone", BLANK), Row("Date, signature", BLANK),
    )
    return Part("Reply form", rows, (
        "Tick what is so and fill in; send it back the way it came. State all that is held and all that moved on each "
        "time, not what changed. Times in UTC.",), is_form=True)


def _short_reply(reference: str) -> Part:
    rows = (Row("Reference", reference), Row("[ ] done", "on __________ at _______ UTC; held now ______________"),
            Row("[ ] cannot be done", f"because {BLANK}"), Row("Name, signature", BLANK))
    return Part("Reply form", rows, is_form=True)


# What a reply form offers: the reasons that a requested side has, and its conditions.
_REASONS = {
    Reason.AC04: "the account is closed", Reason.AM04: "no money is left", Reason.ARDT: "already returned",
    Reason.NOOR: "the payment was never received", Reason.PTNA: "passed on to the next agent",
    Reason.CUST: "the account holder refuses", Reason.LEGL: "the law does not allow it",
    Reason.AGNT: "the institution refuses", Reason.RR04: "a regulatory reason",
    Reason.NOT_COMPETENT: "not ours to decide; say whose", Reason.ARTICLE_3: "political, military, religious or racial",
    Reason.DISPROPORTIONATE: "too much for too little", Reason.CIVIL_DISPUTE: "a quarrel between parties, no crime",
    Reason.TOO_LITTLE_FACT: "the facts do not carry a hold",
    Reason.NO_MATCHING_CREDIT: "no credit fits; say what differs",
    Reason.ALREADY_RESTRAINED: "another hold has this money; say whose", Reason.DUPLICATE: "asked already",
    Reason.OBJECTION: "an objection was upheld", Reason.LAPSED: "the time of the hold is over",
    Reason.PROTECTED: "the law leaves it to the account holder",
}
_CONDITIONS = {
    Condition.INDM: "an indemnity first", Condition.DEBIT_AUTHORITY: "the account holder's consent to the debit",
    Condition.ORDER: "an order of our country", Condition.CALL_BACK: "we call you back first",
    Condition.TRANSLATION: "a translation",
}


def _codes() -> tuple[Part, Part]:
    return (Part("Codes: why not", tuple(Row(code, said) for code, said in _REASONS.items())),
            Part("Codes: conditions", tuple(Row(code, said) for code, said in _CONDITIONS.items())))


def _about(cover: Cover) -> Part:
    return Part("About this paper", (Row("Act hash, SHA-256", cover.act_hash),), (
        "This letter says what an act in our node says; the act's bytes, their salt and the signatures are kept there "
        "and can be shown. The last sign of the reference is a check sign (ISO/IEC 7064, MOD 37-2). Where a printed "
        "page shows a character as its code, such as [U+738B], the text version of this letter has the character, and "
        "is authoritative.",))
