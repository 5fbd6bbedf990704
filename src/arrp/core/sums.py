"""The money of a case: every unit of the loss once, at its furthest stated place (R-12).

A case sums sources, not requests: a source (a loss payment, or a leg of an answer) is filled up to
its claim from the terms of all requests that pursue it, furthest place first. What does not fit is
`surplus`, shown beside the sum, never in it; what stays empty is `not_yet_asked`. A leg that is
itself a source replaces its part of `moved_on`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from arrp.core.case import Case
from arrp.core.money import Amount
from arrp.core.request import TERMS, Leg, Request

# What no longer misses: DESIGN §2, on every page.
_SAFE = ("stopped", "held", "secured", "restrained", "returned", "handed_over")


@dataclass(frozen=True, slots=True)
class Money:
    """Where a loss is, in claim units: `terms` (with `not_yet_asked` and `rounding`) add up to `loss`."""

    loss: Amount
    terms: dict[str, int]
    surplus: int

    @property
    def missing(self) -> Amount:
        return Amount(self.loss.minor - sum(self.terms.get(term, 0) for term in _SAFE), self.loss.asset)

    def adds_up(self) -> bool:
        return sum(self.terms.values()) == self.loss.minor


def total(case: Case) -> Amount | None:
    """The loss of the case in its claim asset; None where the case is an account."""
    if case.loss_act:
        return case.loss_act[1].total
    return case.report.total if case.report else None


def money(case: Case) -> Money | None:
    """The case identity (R-12). None at a holder, whose case is an account."""
    loss = total(case)
    if loss is None:
        return None
    counted: Counter[str] = Counter()
    surplus = 0
    for ref, claim in _payments(case, loss):
        part, over = _fill(case, ("payment", ref), claim)
        counted += part
        surplus += over
    return Money(loss, dict(counted), surplus)


def _payments(case: Case, loss: Amount) -> list[tuple[str, int]]:
    """The loss payments with their claims; without a report (a mirror), the sources requests name."""
    if case.report:
        return [(str(place), payment.amount.minor) for place, payment in enumerate(case.report.payments)]
    refs = dict.fromkeys(r.body.source.ref for r in _pursuing(case) if r.body.source.kind == "payment")
    shares: list[tuple[str, int]] = []
    left = loss.minor
    for ref in refs:
        asked = max(r.body.claim.minor for r in _pursuing(case) if r.body.source.ref == ref)
        shares.append((ref, min(asked, left)))
        left -= shares[-1][1]
    return [*shares, ("", left)] if left else shares


def _pursuing(case: Case) -> list[Request]:
    """Requests that pursue money: ours, and on the requested side those we received."""
    wishes = list(case.wishes)
    return wishes or [r for r in case.requests.values() if r.side == "requested"]


def _fill(case: Case, source: tuple[str, str], claim: int) -> tuple[Counter[str], int]:
    """Fill one source up to `claim`; the second value is the surplus."""
    filled: Counter[str] = Counter()
    stated: Counter[str] = Counter()
    legs: list[Leg] = []
    for request in _pursuing(case):
        if (request.body.source.kind, request.body.source.ref) == source:
            stated.update(request.terms.claims(request.body.rate))
            legs.extend(request.legs)
    room, surplus = claim, 0
    for term in (*TERMS, "rounding"):
        part = min(room, stated[term])
        room -= part
        surplus += stated[term] - part
        filled[term] += part
    filled["not_yet_asked"] += room
    return _followed(case, filled, legs), surplus


def _followed(case: Case, filled: Counter[str], legs: list[Leg]) -> Counter[str]:
    """Replace in `moved_on` the part of each leg that is itself pursued."""
    pursued = {r.body.source.ref for r in _pursuing(case) if r.body.source.kind == "leg"}
    for leg in legs:
        part = min(leg.claim.minor, filled["moved_on"])
        if leg.id in pursued and part > 0:
            filled["moved_on"] -= part
            onward, _ = _fill(case, ("leg", leg.id), part)
            filled += onward
    return +filled


def reserved(request: Request) -> int:
    """What a request of ours may still bind of the loss: asked less what is known to be gone (R-16)."""
    terms = request.terms
    gone = terms.moved_on + terms.cashed_out + terms.let_go + terms.not_found
    if not request.is_open and request.hold is None:
        return 0
    return request.body.rate.claim_of(max(0, request.body.asked.minor - gone))
