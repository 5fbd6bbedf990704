"""What this node's own requests taught it, and the order in which it asks after legs by itself (R-53).

Counts of institutions, channels, crimes and times (trace/learned), read from the log of this node, so only ever of its
own cases; kept in memory and read again after a start. No account and no name is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from arrp.core.account import institution_of
from arrp.core.case import Case
from arrp.core.errors import Malformed
from arrp.core.events import ANSWER_FACTS, HOLD_FACTS, Event
from arrp.core.policy import Rules
from arrp.core.pursuing import where
from arrp.core.request import Ask, Asked, Leg, Reason, Request
from arrp.core.step import Given, Heard, Reconciled
from arrp.node.store import cases
from arrp.node.store.engine import Store
from arrp.trace.learned import CASH, Answering, Learned, Observation, Stage, Staying
from arrp.trace.onward import Frontier, Piece, ranked

PAGE, PAGES = 1000, 20  # events of one page, pages of one look

# Said of the money, not of the will: whoever says so would have held what was there.
_OF_THE_MONEY = frozenset({
    Reason.AC04, Reason.AM04, Reason.ARDT, Reason.NOOR, Reason.PTNA, Reason.NO_MATCHING_CREDIT,
    Reason.ALREADY_RESTRAINED, Reason.DUPLICATE, Reason.NOT_TRACED,
})
_NO = ("RequestRefused", "RequestEnded")
_TEACHING = ("Request", "Withdraw", "MovedOn", "CaseClosed", "CaseErased", *ANSWER_FACTS, *HOLD_FACTS)


def stage_of(body: Asked) -> Stage:
    """The institution; on which channel, a currency or a kind of chain; for which crime."""
    return Stage(body.institution, channel_of(body.asked.asset), body.crime)


def channel_of(asset: str) -> str:
    return asset.partition(":")[0] if "/" in asset else asset


# --- what the log taught ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request of ours, as far as something is learned from it."""

    stage: Stage
    asked_at: datetime
    not_after: datetime | None
    arrived_at: datetime | None  # when the money came to the account, as far as anybody said
    is_answered: bool = False
    is_held: bool = False
    legs: frozenset[str] = frozenset()


class Experience:
    """What the requests of one node taught it. Threads share it; `learned` is swapped whole."""

    def __init__(self, me: str) -> None:
        self.me, self.learned = me, Learned()
        self._next, self._lock = 0, Lock()
        self._sent: dict[str, dict[str, _Sent]] = {}  # by case, so that it can be forgotten with it

    def read(self, store: Store, pages: int = PAGES) -> bool:
        """Go on where the last look ended. Whether all of the log was read."""
        with self._lock:
            for _ in range(pages):
                with store.reading() as connection:
                    page = cases.feed(connection, self._next, PAGE, _TEACHING)
                found = [seen for _, case, event in page for seen in self._taught(case, event)]
                if found:
                    self.learned = self.learned.add_all(found)
                if page:
                    self._next = page[-1][0] + 1
                if len(page) < PAGE:
                    return True
        return False

    def so_far(self, now: datetime) -> Learned:
        """With the requests that wait for an answer: their silence tells how long answers take, and after their last
        day that none comes."""
        with self._lock:
            waiting = [sent for of in self._sent.values() for sent in of.values() if not sent.is_answered]
            return self.learned.add_all(_silence(sent, now) for sent in waiting)

    def _taught(self, case: str, event: Event) -> Iterable[Observation]:
        sent = self._sent.get(case, {})
        known = sent.get(event.request or "")
        if event.kind == "Request" and event.by == self.me != event.to and event.body.ask in (Ask.HOLD, Ask.STOP):
            self._sent.setdefault(case, {})[event.request or ""] = _Sent(
                stage_of(event.body), event.at, event.not_after, event.body.credit.booked_from)
        elif event.kind in ("CaseClosed", "CaseErased"):
            self._sent.pop(case, None)
        elif known is not None and event.by == self.me and event.kind == "Withdraw":
            if not known.is_answered:
                yield _silence(replace(known, not_after=None), event.at)
                sent[event.request or ""] = replace(known, is_answered=True)
        elif known is not None and event.by != self.me:
            seen, sent[event.request or ""] = _heard(known, event)
            yield from seen

    def order(self, rules: Rules, case: Case, given: Given, now: datetime) -> Rules:
        """The rules with the order in which legs that are given now are pursued (R-53): what is known to have come
        somewhere, without what may go on from there."""
        if isinstance(given, Heard) and given.kind == "MovedOn" and given.request in case.requests:
            pieces = [_piece_of(case.requests[given.request], leg) for leg in given.body.legs if leg.ends is None]
        elif isinstance(given, Reconciled):
            pieces = frontier_of(case)
        else:
            return rules
        frontier = Frontier([piece for piece in pieces if piece.stage.institution and not piece.upstream], now)
        if len(frontier.pieces) < 2:
            return rules
        best = ranked(frontier, self.learned, hops=0)
        return replace(rules, ask_first=tuple(choice.institution for choice in best))


def _silence(sent: _Sent, now: datetime) -> Answering:
    is_over = sent.not_after is not None and now >= sent.not_after
    until = min(now, sent.not_after) if sent.not_after is not None else now
    return Answering(sent.stage, sent.asked_at, until, False, False if is_over else None)


def _heard(sent: _Sent, event: Event) -> tuple[list[Observation], _Sent]:
    """What an act of the requested side teaches, and the request after it."""
    seen: list[Observation] = []
    body, terms = event.body, getattr(event.body, "terms", None)
    tells = event.kind in (*HOLD_FACTS, *_NO) or (terms is not None and terms.pending < terms.asked.minor)
    if tells and not sent.is_answered:
        is_no = event.kind in _NO and getattr(body, "reason", None) not in _OF_THE_MONEY
        did = None if event.kind == "HoldFailed" else not is_no  # what could not be done says nothing of the will
        seen.append(Answering(sent.stage, sent.asked_at, event.at, True, did))
        sent = replace(sent, is_answered=True)
    if event.kind == "HoldPlaced" and not sent.is_held:
        if sent.arrived_at is not None:
            seen.append(Staying(sent.stage, sent.arrived_at, event.at, False, None))
        sent = replace(sent, is_held=True)
    legs: tuple[Leg, ...] = body.legs if event.kind == "MovedOn" else ()
    for leg in (leg for leg in legs if leg.id not in sent.legs):
        to = CASH if leg.ends else where(leg) or None
        if sent.arrived_at is not None:
            seen.append(Staying(sent.stage, sent.arrived_at, min(leg.at, event.at), True, to))
    return seen, replace(sent, legs=sent.legs | {leg.id for leg in legs})


# --- where the money of a case is ------------------------------------------------------------------------------


def frontier_of(case: Case) -> list[Piece]:
    """Payments and legs that nobody was asked about, and, as upstream, what is asked and not answered."""
    asked = {(request.body.source.kind, request.body.source.ref) for request in case.wishes}
    found = []
    for place, payment in enumerate(case.report.payments if case.report is not None else ()):
        if ("payment", str(place)) not in asked and case.report is not None:
            stage = Stage(_institution(payment.creditor.account), channel_of(payment.amount.asset), case.report.crime)
            since = payment.instructed_at or case.report.reported_at
            found.append(Piece(payment.amount.minor, stage, since, ref=f"payment {place}"))
    for request in case.wishes:
        found += [_piece_of(request, leg) for leg in request.legs
                  if leg.ends is None and ("leg", leg.id) not in asked]
        pending = request.body.rate.claim_of(request.terms.pending)
        if request.is_open and pending:
            since = request.body.credit.booked_from or request.at
            found.append(Piece(pending, stage_of(request.body), since, True, f"request {request.id}"))
    return found


def _piece_of(request: Request, leg: Leg) -> Piece:
    stage = Stage(where(leg), channel_of(leg.amount.asset), request.body.crime)
    return Piece(leg.claim.minor, stage, leg.at, ref=f"leg {leg.id}")


def _institution(account: str) -> str:
    try:
        return institution_of(account) if account else ""
    except Malformed:
        return ""
