"""A letter, as an officer typed it, turned into the facts that its sender's node would have said (R-96).

Pure arithmetic over what is known of the request: what the letter leaves out stays as it was, the terms
add up, and a hold goes along the holder's own table where the table has a way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from arrp.core.by_hand import PAPER, AnsweredByHand, ToldLeg
from arrp.core.deciding import known_reason
from arrp.core.errors import Malformed
from arrp.core.events import HOLD_FACTS, Answered, HoldStated, LegsStated, ReturnStated
from arrp.core.hold import HOLD, Hold
from arrp.core.money import Amount
from arrp.core.request import ANSWER, Ask, Condition, Leg, Request, Terms
from arrp.core.stating import NEVER_HERE
from arrp.core.step import digest

Fact = tuple[str, Any]  # kind, body

_ANSWERS = {"accepted": "RequestAccepted", "conditional": "RequestAcceptedOnCondition", "more_asked": "MoreAsked",
            "refused": "RequestRefused", "ended": "RequestEnded"}
_ENDS = ("refused", "ended")
_HOLDS = {"provisional": "HoldPlaced", "confirmed": "HoldConfirmed", "secured": "HoldSecured",
          "released": "HoldReleased", "lapsed": "HoldLapsed", "returned": "HoldReturned",
          "handed_over": "HoldHandedOver"}
_LEG_ENDS = ("cash", "fee", "overdraft", "good_faith")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_letter(request: Request, said: AnsweredByHand) -> None:
    """What a letter can say. Raises Malformed, with what may stand there."""
    if not _DIGEST.fullmatch(said.document.digest):
        raise Malformed("R-96 the letter is known by its SHA-256, 64 hex digits: an answer without one is a rumour")
    for word, words in ((said.answer, _ANSWERS), (said.hold, _HOLDS)):
        if word is not None and word not in words:
            raise Malformed(f"R-96 {word!r} is not one of {', '.join(words)}")
    if said.answer == "refused":
        known_reason(said.reason)
    if said.answer == "conditional" and said.condition not in {known.value for known in Condition}:
        raise Malformed(f"{said.condition} is not a condition; there are {', '.join(Condition)}")
    asset = request.body.asked.asset
    for amount in (said.held, said.returned, said.not_found, *(leg.amount for leg in said.legs or ())):
        if amount is not None and amount.asset != asset:
            raise Malformed(f"R-10 {amount}: the request is in {asset}")
    for leg in said.legs or ():
        if leg.ends not in (None, *_LEG_ENDS):
            raise Malformed(f"R-52 a leg ends in {', '.join(_LEG_ENDS)}, not in {leg.ends!r}")


def facts_of(request: Request, said: AnsweredByHand, now: datetime) -> Iterator[Fact]:
    """The facts that its node would have said, in the order in which it would have."""
    terms = terms_of(request, said)
    answer = Answered(terms, reason=said.reason, condition=said.condition, basis=said.basis, until=said.until,
                      text=said.text)
    facts: list[Fact] = []
    if said.answer is not None and said.answer not in (request.answer, *_ENDS):
        facts.append((_ANSWERS[said.answer], answer))
    if said.legs is not None:
        legs = tuple(_leg(request, told) for told in said.legs)
        facts.append(("MovedOn", LegsStated(legs, terms, 0)))
    facts += _about_hold(request, said, terms, now)
    if said.answer in _ENDS and request.answer not in ANSWER.ends:
        facts.append((_ANSWERS[said.answer], answer))
    if not facts and terms != request.terms:
        facts.append(("RequestStands", answer))
    yield from facts


def terms_of(request: Request, said: AnsweredByHand) -> Terms:
    """R-11: all terms as the letter leaves them. What it does not explain stays pending while the
    request is open, and is let go after. Raises Malformed where it says more than was asked."""
    now, asked = request.terms, request.body.asked
    moved, cashed = now.moved_on, now.cashed_out
    if said.legs is not None:
        moved = sum(leg.amount.minor for leg in said.legs if leg.ends is None)
        cashed = sum(leg.amount.minor for leg in said.legs if leg.ends is not None)
    held, returned, handed = _kept(request, said)
    not_found = said.not_found.minor if said.not_found is not None else now.not_found
    rest = asked.minor - (held + moved + cashed + returned + handed + not_found + now.restrained)
    if rest < 0:
        more = Amount(-rest, asked.asset)
        raise Malformed(f"R-11 held, moved on, returned and the rest are together {more} more than the {asked} asked: "
                        "read the letter again")
    went = (moved + cashed - now.moved_on - now.cashed_out, returned - now.returned, handed - now.handed_over)
    freed = now.let_go + _held(now) - held - sum(max(0, part) for part in went)
    let_go = min(rest, max(0, freed))
    if said.answer in _ENDS or (said.answer is None and request.answer in ANSWER.ends):
        never = rest - let_go if said.reason in NEVER_HERE else 0
        let_go, not_found = rest - never, not_found + never
    pending = asked.minor - (held + moved + cashed + returned + handed + not_found + now.restrained + let_go)
    return Terms(asked, pending=pending, restrained=now.restrained, moved_on=moved, cashed_out=cashed,
                 returned=returned, handed_over=handed, let_go=let_go, not_found=not_found,
                 **{_term(request, said): held})


def _held(terms: Terms) -> int:
    return terms.held + terms.secured + terms.stopped


def _term(request: Request, said: AnsweredByHand) -> str:
    state = said.hold or (request.hold.state if request.hold is not None else "")
    if state == "secured":
        return "secured"
    return "stopped" if request.body.ask is Ask.STOP else "held"


def _kept(request: Request, said: AnsweredByHand) -> tuple[int, int, int]:
    """(held, returned, handed over) after the letter."""
    now = request.terms
    held = _held(now)
    returned = said.returned.minor if said.returned is not None else now.returned
    handed = now.handed_over
    if said.hold == "returned" and said.returned is None:
        returned += said.held.minor if said.held is not None else held
    if said.hold == "handed_over":
        handed += said.held.minor if said.held is not None else held
    if _ended(said):
        return 0, returned, handed
    if said.held is not None:
        return said.held.minor, returned, handed
    return max(0, held - max(0, returned - now.returned)), returned, handed


def _ended(said: AnsweredByHand) -> bool:
    return said.hold in HOLD.ends or said.answer in _ENDS


# --- the hold -------------------------------------------------------------------------------------------------


def _about_hold(request: Request, said: AnsweredByHand, terms: Terms, now: datetime) -> list[Fact]:
    """Along the holder's own table from the state known here to the one the letter tells. Where the
    table has no way, as when a typed word is corrected, the state is stated at once and marked (R-32)."""
    before, after = request.hold, _hold(request, said, terms, now)
    paid = terms.returned - request.terms.returned
    if after is None:
        return []
    at = before.state if before is not None else HOLD.start
    path = _way(at, after.state)
    facts: list[Fact] = [(kind, HoldStated(replace(after, state=state), terms, said.reason)) for kind, state in path]
    if not path and replace(after, state=at) != before:
        facts = [(_same(before, after), HoldStated(after, terms, said.reason))]
    if paid > 0:
        sent = _returned(request, after, terms, paid)
        last = len(facts) - 1 if facts and facts[-1][0] == "HoldReturned" else len(facts)
        standing = facts[last - 1][1].hold.state if last else at
        facts.insert(last, ("ReturnSent", replace(sent, hold=replace(after, state=standing))))
    return facts


def _hold(request: Request, said: AnsweredByHand, terms: Terms, now: datetime) -> Hold | None:
    """The hold as the letter tells it; None where it tells of none."""
    known, asset = request.hold, request.body.asked.asset
    held = _held(terms)
    if known is None and said.hold is None and not held and terms.returned == request.terms.returned:
        return None
    if known is not None and known.is_over and not held and said.hold in (None, known.state):
        return known
    amount = Amount(held, asset)
    zero = Amount(0, asset)
    start = known or Hold(digest(request.id, "hold"), request.id, request.peer, HOLD.start, zero, zero, zero, None,
                          False, None, placed_at=now)
    decided = start.decided or "accepted" in (said.answer, request.answer)
    kept = min(request.keep, amount) if request.keep is not None else start.kept
    over = held == 0 or said.hold in HOLD.ends
    state = _stated(start, said, over, confirmed=decided and kept is not None and kept.minor > 0)
    return replace(
        start, state=state, amount=amount, wanted=amount, claim=Amount(request.body.rate.claim_of(held),
        request.body.claim.asset), kept=kept, decided=decided, basis=said.basis or start.basis,
        until=None if state == "secured" else said.until or start.until, review_at=said.review_at or start.review_at,
        ended_at=(start.ended_at or now) if over else None, why=said.reason if over else start.why,
        reference=said.reference or start.reference,
    )  # fmt: skip


def _stated(known: Hold, said: AnsweredByHand, over: bool, *, confirmed: bool) -> str:
    """The state that the letter leads to, where it does not name one."""
    if said.hold is not None:
        return said.hold
    if over:
        if known.is_over:
            return known.state
        return "returned" if said.returned is not None and said.answer not in _ENDS else "released"
    if known.state == "secured":
        return "secured"
    return "confirmed" if confirmed or known.state == "confirmed" else "provisional"


def _way(start: str, end: str) -> Sequence[tuple[str, str]]:
    """The shortest way through the holder's table, each step with the state it leads to."""
    if start == end:
        return ()
    ways: list[tuple[tuple[str, str], ...]] = [()]
    seen = {start}
    while ways:
        way = ways.pop(0)
        at = way[-1][1] if way else start
        for (state, kind), to in HOLD.moves.items():
            if state == at and to not in seen and kind in HOLD_FACTS:
                if to == end:
                    return (*way, (kind, to))
                seen.add(to)
                ways.append((*way, (kind, to)))
    return ((_HOLDS[end], end),)


def _same(before: Hold | None, after: Hold) -> str:
    """What a change that leaves the state as it is is called."""
    if before is None or after.amount < before.amount:
        return "HoldReduced"
    if after.amount > before.amount:
        return "HoldRaised"
    later = after.state == "confirmed" and after.until != before.until
    return "HoldExtended" if later else "HoldKept"


def _returned(request: Request, hold: Hold, terms: Terms, minor: int) -> ReturnStated:
    id = digest(request.id, "return by hand", str(terms.returned))
    claim = Amount(request.body.rate.claim_of(minor), request.body.claim.asset)
    return ReturnStated(id, hold, terms, Amount(minor, request.body.asked.asset), claim, None, PAPER,
                        reference=hold.reference)


def _leg(request: Request, told: ToldLeg) -> Leg:
    """R-53: what was told on paper is followed by an officer, never by the node alone."""
    amount = told.amount
    return Leg(
        id=digest(request.id, "leg by hand", told.ref, told.account, told.at.isoformat()), request=request.id,
        amount=amount, claim=Amount(request.body.rate.claim_of(amount.minor), request.body.claim.asset), paid=amount,
        at=told.at, ref=told.ref, account=told.account, name=told.name, ends=told.ends, onward="ask",
    )  # fmt: skip
