"""Mandates: what officers allow the node to do alone, in this case or standing, signed by two.

A mandate is itself an act; its bytes travel with the first request to each peer, and the receiver
enforces what it sees (R-15). The `Loss` act travels with it: what was lost, without any person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from arrp.core.errors import Refused
from arrp.core.money import Amount
from arrp.core.request import Asked, Request

SECOND_WITHIN = timedelta(hours=4)  # in which a second officer signs what one let leave


@dataclass(frozen=True, slots=True)
class Mandate:
    """`loss` is null in a standing mandate. `countries` empty = any. Σ claims under it ≤ `total`."""

    loss: str | None
    total: Amount
    per_request: Amount
    hops_max: int
    countries: tuple[str, ...]
    asks: tuple[str, ...]
    crimes: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    night_approvals: int = 2

    @property
    def signers(self) -> int:
        """Officers who sign a request under it before it leaves: nobody, or at night one (R-94)."""
        return 1 if self.loss is None and self.night_approvals == 1 else 0


@dataclass(frozen=True, slots=True)
class LossAct:
    """The loss without a person: salted commitments to its payments and to the return account."""

    loss: str
    stated_by: str
    total: Amount
    payments: tuple[str, ...]
    return_account: str


def check_mandate(mandate: Mandate, body: Asked, country: str, used: int, now: datetime) -> None:
    """R-15: what the mandate allows. `used` = Σ claims already asked under it. Raises Refused."""
    limits = [
        (mandate.valid_from <= now < mandate.valid_until, f"it is valid until {mandate.valid_until:%Y-%m-%dT%H:%M}Z"),
        (mandate.loss in (None, body.loss), f"it is for loss {mandate.loss}"),
        (body.ask.value in mandate.asks, f"it allows {', '.join(mandate.asks)}"),
        (not mandate.crimes or body.crime in mandate.crimes, f"it covers {', '.join(mandate.crimes)}"),
        (not mandate.countries or country in mandate.countries, f"it covers {', '.join(mandate.countries)}"),
        (body.hops <= mandate.hops_max, f"it follows {mandate.hops_max} hops"),
        (body.claim.asset == mandate.total.asset, f"it counts in {mandate.total.asset}"),
        (body.claim.minor <= mandate.per_request.minor, f"it allows {mandate.per_request} per request"),
        (used + body.claim.minor <= mandate.total.minor, f"of its {mandate.total}, {used} units are used"),
    ]
    for holds, limit in limits:
        if not holds:
            raise Refused(
                f"the mandate does not cover {body.ask} of {body.claim} in {country}: {limit}. "
                "Have two officers approve this request itself.",
                rule="R-15",
                code="beyond-mandate",
            )


def check_signers(mandate: Mandate, body: Asked, officers: int) -> None:
    """R-94: so many officers signed a request under the mandate as it wants, and one alone instructs nobody. Raises
    Refused."""
    if officers != mandate.signers or (officers and body.instructs):
        kind = "standing" if mandate.loss is None else "of one loss"
        raise Refused(
            f"{officers} officers signed this request, its mandate is {kind} and wants {mandate.signers}"
            f"{'; one officer alone instructs nobody' if body.instructs else ''}. Have two officers sign it.",
            rule="R-94",
            code="approvals",
        )


def is_by_mandate(request: Request) -> bool:
    """R-17: whether a mandate stands behind a request that comes in, where two officers do not."""
    return not request.by_officers or request.second_by is not None


def loss_signers(mandate: Mandate | None, body: Asked, sender: str, needed: int) -> int:
    """R-14: how many officers signed the loss act that comes with a request: `needed`; one where one may act (R-94), or
    where an authority hands on what another stated, whose signatures it has counted (R-22)."""
    handed_on = body.instructs is not None and body.stated_by != sender
    return 1 if handed_on or (mandate is not None and mandate.signers) else needed


def check_loss(loss: LossAct, body: Asked, used: int) -> None:
    """R-14: Σ claims asked of one receiver for a loss ≤ its total. Raises Refused."""
    if loss.loss != body.loss or loss.stated_by != body.stated_by:
        raise Refused(f"the loss act is for {loss.loss}, the request for {body.loss}", rule="R-14", code="wrong-loss")
    if body.instructs or body.pursues:
        used = 0  # moved money is the same loss asked again further on: each act is bounded by the total
    if loss.total.asset != body.claim.asset or used + body.claim.minor > loss.total.minor:
        raise Refused(
            f"{body.claim} on top of {used} units already asked is more than the loss of {loss.total}. "
            "Withdraw a request first, or ask for less.",
            rule="R-14",
            code="beyond-loss",
        )


