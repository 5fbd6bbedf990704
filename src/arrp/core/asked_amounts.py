"""How much one request may ask for, and that it is the money it counts for (R-10)."""

from __future__ import annotations

from arrp.core.errors import Refused
from arrp.core.money import Amount
from arrp.core.request import Asked

MINOR_MAX = 2**63 - 1  # units of one request: what the store and the wire count with


def check_amounts(body: Asked) -> None:
    """R-10: what is asked and what it counts for are above zero and the same money in the same asset;
    the caps of mandate and policy count the claim, so it must not be smaller than what is held."""
    for amount in (body.asked, body.claim):
        if amount.minor == 0:
            raise Refused(f"{amount} is nothing: say how much is asked", rule="R-10", code="wrong-amount")
        if amount.minor > MINOR_MAX:
            most = Amount(MINOR_MAX, amount.asset)
            raise Refused(f"{amount} is more than the {most} of one request: ask in several", rule="R-10",
                          code="wrong-amount")
    if body.asked.asset == body.claim.asset and body.asked != body.claim:
        raise Refused(f"{body.asked} counts for {body.asked}, not for {body.claim}", rule="R-10", code="wrong-amount")
