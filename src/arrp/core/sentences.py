"""Each event as one plain sentence, for transcripts that a police officer can review.

Names of people and whole account numbers do not occur: a transcript may be shown to anybody in the case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from arrp.core.account import short_account
from arrp.core.by_hand import is_unsigned
from arrp.core.case import Call, Case
from arrp.core.changes import second_by
from arrp.core.events import Event, Verb
from arrp.core.hold import Hold
from arrp.core.request import Leg, Request, Terms

# What each fact about a hold says happened; the figures follow.
_HOLD = {
    "HoldPlaced": "hold placed", "HoldKept": "hold kept", "HoldDecided": "hold decided", "HoldRaised": "hold raised",
    "HoldConfirmed": "hold confirmed", "HoldReduced": "hold reduced", "HoldExtended": "hold extended",
    "HoldSecured": "hold secured by order", "HoldEnding": "hold ending", "HoldReleased": "hold released",
    "HoldLapsed": "hold lapsed", "HoldReturned": "hold returned", "HoldHandedOver": "hold handed over",
    "HoldFailed": "hold not placed",
}


def _hold(event: Event) -> str:
    hold: Hold = event.body.hold
    words = [f"{_HOLD[event.kind]}: {hold.amount} in force"]
    if hold.wanted != hold.amount:
        words.append(f"{hold.wanted} wanted")
    if hold.state == "provisional":
        kept, decided = hold.kept if hold.kept is not None else "nothing", "decided" if hold.decided else "undecided"
        words.append(f"provisional, {kept} kept, {decided}")
    if hold.until and hold.state == "confirmed":
        words.append(f"until {hold.until:%d %b %H:%M} UTC")
    if event.body.why:
        words.append(f"why: {event.body.why}")
    return "; ".join(words) + f" — {terms(event.body.terms)}"


def terms(stated: Terms) -> str:
    """`62000.00 EUR held + 38000.00 EUR moved on = 100000.00 EUR asked`."""
    parts = [f"{amount.decimal} {term.replace('_', ' ')}" for term, amount in stated.stated().items()]
    return f"{' + '.join(parts)} = {stated.asked} asked"


def _legs(event: Event) -> str:
    return f"says where it went: {'; '.join(map(leg, event.body.legs))} — {terms(event.body.terms)}"


def leg(told: Leg) -> str:
    where = short_account(told.account) if told.account else (told.ends or "an account it may not name")
    return f"{told.amount} to {where}"


def _answer(verb: str) -> Callable[[Event], str]:
    def say(event: Event) -> str:
        why = f": {event.body.reason}" if event.body.reason else ""
        differs = f" ({', '.join(event.body.differs)})" if event.body.differs else ""
        condition = f", once {event.body.condition} is there" if event.body.condition else ""
        return f"{verb}{why}{differs}{condition} — {terms(event.body.terms)}"

    return say


def _request(event: Event) -> str:
    body = event.body
    how = "instructs" if body.instructs else "asks"
    keep = f", keeping {body.keep} at once" if body.keep is not None else ""
    signed = f"signed by {' and '.join(event.officers)}" if event.officers else "under its mandate"
    if (by := second_by(event)) is not None:
        signed = f"{signed} alone, under its standing mandate; a second officer signs by {by:%d %b %H:%M} UTC"
    return f"{how} {event.to} to {body.ask} up to {body.asked} at {short_account(body.account)}{keep} ({signed})"


def _intended(event: Event) -> str | None:
    """What the core is asked to do; the figures follow with the fact that its answer leads to."""
    asked = {
        Verb.HOLD: "asks its core to hold the money",
        Verb.STOP: "asks its core to stop the payment in flight",
        Verb.RELEASE: "asks its core to let go" if event.body.amount == 0 else "asks its core to hold less",
        Verb.GIVE_BACK: "asks its core to send the money back",
    }
    return asked.get(event.body.verb)


# What a person is called for, by the first word of what is waited for.
_AWAITED = {
    "decide": "a decision on the request", "see": "an officer to have seen the request",
    "deliver": "a receipt for the request", "answer": "an answer to the request", "leg": "an officer to follow a leg",
    "place": "a look at a hold the core did not place", "release": "the core to let go",
    "extend": "the core to hold for longer", "return": "a look at a return that did not succeed",
    "refused": "a look at what the other side refused", "review": "the review of a secured hold",
    "objection": "a decision on an objection", "call-back": "a call-back",
    "uncalled": "a call-back that nobody made",
    "correct": "what was told to be corrected", "erase": "what was told to be erased",
    "post": "an act to be sent by hand", "task": "its clerk",
    "sign": "a signature on what the other side wishes", "second": "a second officer's signature",
}  # fmt: skip


def _escalated(event: Event) -> str:
    said = event.body
    awaited = _AWAITED.get(said.what.partition(" ")[0], said.what)
    why = f" ({said.why})" if said.why else ""
    return f"calls the {said.to}: waits for {awaited}{why}"


def _keep(event: Event) -> str:
    rest = "; the rest may go" if event.body.rest_free else ""
    return f"keeps {event.body.amount} of the loss here{rest}"


def _return(event: Event) -> str:
    body = event.body
    said = {"ReturnAnnounced": f"announces the return of {body.amount} ({body.ground})",
            "ReturnSent": f"sends {body.amount} back; sent, not yet credited",
            "ReturnFailed": f"could not send {body.amount} back"}
    return f"{said[event.kind]} — {terms(body.terms)}"


def _objection(event: Event) -> str:
    objection = event.body.objection
    free = f", {objection.free} goes free" if objection.free is not None and objection.free.minor else ""
    return f"records an objection on {objection.ground}: {objection.state}{free}"


_SENTENCES: dict[str, Callable[[Event], str | None]] = {
    **dict.fromkeys(_HOLD, _hold),
    "Request": _request,
    "MovedOn": _legs,
    "Approved": lambda event: f"{event.body.approval.officer} signs it too: two officers stand behind it",
    "Keep": _keep,
    "Withdraw": lambda event: f"withdraws: {event.body.reason}",
    "Release": lambda event: f"asks to hold at most {event.body.to}: {event.body.reason}",
    "Decide": lambda event: "decides: accepted" if event.body.accepted else f"decides: refused, {event.body.reason}",
    "RequestStands": _answer("says how it stands"),
    "RequestSeen": lambda event: "an officer has seen it",
    "RequestAccepted": _answer("accepts"),
    "RequestAcceptedOnCondition": _answer("accepts on a condition"),
    "MoreAsked": _answer("asks for more"),
    "RequestRefused": _answer("refuses"),
    "RequestEnded": _answer("says the request stands no longer"),
    "Intended": _intended,
    "LossReported": lambda event: f"records a report: {event.body.total} lost in {len(event.body.payments)} payment(s)",
    "MandateSigned": lambda event: f"mandate signed by {' and '.join(a.officer for a in event.body.approvals)}",
    "Escalated": _escalated,
    "SentByHand": lambda event: f"sends it by hand: {event.body.how}",
    "AnsweredByHand": lambda event: f"types an answer that came by {event.body.source}",
    "Corrected": lambda event: f"corrects what was said: the {event.body.what} was wrong",
    "EraseAsked": lambda event: f"asks to erase what is no longer needed: {event.body.basis}",
    "CallBackMade": lambda event: (f"called {event.body.officer} back: "
                                   + ("confirmed" if event.body.confirmed else "it was not theirs")),
    "HandedOver": lambda event: f"hands the case over to {event.body.to}",
    "CaseRestricted": lambda event: f"lets {len(event.body.officers) or 'all its'} officers know the case",
    "Anomaly": lambda event: f"marks an anomaly: {event.body.code}",
    "ObjectionRaised": _objection,
    "ObjectionDecided": _objection,
    "HolderTold": lambda event: "tells the account holder",
    "LegDisclosed": lambda event: f"tells where leg {event.body.leg[:8]} went, on a basis of their own",
    "EndComputed": lambda event: f"may hold until {event.body.until:%Y-%m-%dT%H:%MZ}: {event.body.reason}",
    "NamePayee": lambda event: f"names the payee ({event.body.ground})",
    "Return": lambda event: f"orders the return of {event.body.amount}",
    **dict.fromkeys(("ReturnAnnounced", "ReturnSent", "ReturnFailed"), _return),
    "MoneyReturned": lambda event: f"states {event.body.amount} credited to the payee",
    "CaseResolved": lambda event: f"resolves the case: {event.body.outcome}",
    "CaseClosed": lambda event: "closes the case",
    "CaseErased": lambda event: f"erases what was private: {event.body.basis}",
}


def sentence(event: Event) -> str | None:
    """What happened, without names; None for bookkeeping nobody needs to read."""
    say = _SENTENCES.get(event.kind)
    said = say(event) if say else None
    return f"{said} — unsigned, from paper" if said and is_unsigned(event) else said


def marks(request: Request, now: datetime, calls: Iterable[Call] = ()) -> tuple[str, ...]:
    """What a reader of a request must not overlook: money blocked without basis (R-47), a mirror past its date (R-42),
    a second signature that is due (R-94), who is to be called back (R-91), answers that nobody's node signed (R-97)."""
    hold, found = request.hold, []
    if hold is not None and hold.state == "ending" and hold.amount.minor:
        found.append("HELD WITHOUT BASIS")
    if request.side == "requesting" and hold is not None and hold.in_force and hold.until and now >= hold.until:
        found.append("ended by its date, not yet confirmed")
    if request.second_by is not None and request.is_open:
        found.append(f"a second officer signs by {request.second_by:%Y-%m-%dT%H:%MZ}, or it ends")
    if request.is_undecided:
        found += [f"waits for a call-back to {call.officer} of {request.peer} since {call.since:%Y-%m-%dT%H:%MZ}"
                  for call in calls if not call.confirmed]
    return (*found, "unsigned, from paper") if request.unsigned else tuple(found)


def status(case: Case) -> str:
    """One sentence on where a case stands."""
    live = [r.hold for r in case.requests.values() if r.hold is not None and r.hold.in_force]
    return f"{case.state}; {len(case.requests)} request(s), {len(live)} hold(s) in force"
