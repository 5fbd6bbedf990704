"""The pursuit of legs: which of them becomes a request by itself, in which order, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from arrp.core.account import country_of, institution_of
from arrp.core.case import Case
from arrp.core.covering import covering, is_half_signed, used
from arrp.core.deadline import hours_after
from arrp.core.errors import ArrpError, Malformed, Refused
from arrp.core.mandate import check_mandate, check_signers
from arrp.core.policy import Participant, Rules, check_entitled
from arrp.core.request import Ask, Asked, Leg, Request, Source
from arrp.core.requesting import (
    amount_of,
    answering,
    check_source,
    following,
    typed_asked,
    with_keep,
    would_ask,
)
from arrp.core.step import Step


def heard_legs(step: Step, request: Request, legs: tuple[Leg, ...]) -> None:
    """Step 11: each leg that may be followed becomes a request under the same mandate, as far as it reaches."""
    known = {r.body.source.ref for r in step.case.wishes}
    for leg in in_order((leg for leg in legs if leg.id not in known and leg.ends is None), step.rules.ask_first):
        pursue(step, request, leg)


def in_order(legs: Iterable[Leg], ask_first: tuple[str, ...]) -> list[Leg]:
    """R-53: institutions in the order that the node was told; the others after them. Within each, and where nothing
    was told, the largest claim first; then as they were stated."""
    places = {institution: place for place, institution in reversed(tuple(enumerate(ask_first)))}
    return sorted(legs, key=lambda leg: (places.get(where(leg), len(places)), -leg.claim.minor))


def where(leg: Leg) -> str:
    """The institution of a leg's account; as the holder named it, or nothing, where the account is not told or cannot
    be read (R-32)."""
    try:
        return institution_of(leg.account) if leg.account else leg.institution
    except Malformed:
        return leg.institution


def pursue(step: Step, request: Request, leg: Leg) -> None:
    """R-53: automatic pursuit only of a `free` leg, only under a mandate; else an officer is asked."""
    if leg.onward != "free" or not leg.account:
        step.escalate(f"leg {leg.id}", "duty officer", request.id, f"onward is {leg.onward}: not by the node alone")
        return
    try:
        institution = institution_of(leg.account)
    except Malformed:  # a fact is never refused for what it says
        step.escalate(f"leg {leg.id}", "duty officer", request.id, "the account it went to cannot be read")
        return
    body = following(step, request, leg, institution)
    peer = answering(step, institution, leg.account)
    covered = covering(step, body, peer) if peer is not None else None
    if peer is None or covered is None:
        country = country_of(leg.account) or institution
        why = f"nobody to ask in {country}, or no mandate covers it"
        step.escalate(f"leg {leg.id}", "duty officer", request.id, why)
        return
    asked = with_keep(step, replace(body, mandate_act=covered))
    not_after = hours_after(step.now, step.rules.request_hours_max)
    step.ask(step.new_id("pursue", leg.id), peer.id, asked, not_after)


# --- what an officer is told beforehand ------------------------------------------------------------------


def against(case: Case, source: Source, now: datetime, rules: Rules) -> tuple[Participant | None, tuple[str, ...]]:
    """Whom a request after a source would go to, and all that stands against sending it, or against the node's doing
    so alone; nothing where the node would send it by itself. Nothing is written."""
    step = Step(case, "", now, rules)
    said: list[str] = []
    try:
        if source.kind == "leg" and (leg := case.leg(source.ref)).onward != "free":
            said.append(f"onward is {leg.onward}: {_OFFICERS.get(leg.onward, _OFFICERS['ask'])} (R-53)")
        claim = case.leg(source.ref).claim if source.kind == "leg" else None
        asked, peer = would_ask(case, typed_asked(Ask.HOLD, source, "", amount_of(case, source), claim), now, rules)
    except ArrpError as why:
        return None, (*said, str(why))
    if peer.channel == "paper":
        said.append(f"{peer.id} has no node: it goes on paper, and an officer sends it (R-97)")
    for check in (partial(check_entitled, rules.me, peer, Ask.HOLD), partial(check_source, step, asked)):
        try:
            check()
        except ArrpError as why:
            said.append(str(why))
    return peer, (*said, *_uncovered(step, asked, peer))


_OFFICERS = {"ask": "an officer decides whether it may be followed", "we_do": "its own authority follows it"}


def _uncovered(step: Step, asked: Asked, peer: Participant) -> list[str]:
    """R-15: why no mandate lets the node ask that alone."""
    if covering(step, asked, peer) is not None:
        return []
    if is_half_signed(step.case):
        return ["one officer signed the loss act, and a second has yet to (R-94)"]
    candidates = [*([step.case.mandate] if step.case.mandate else []), *step.rules.standing]
    said = []
    for act_hash, mandate in candidates:
        try:
            check_signers(mandate, asked, 0)
            check_mandate(mandate, asked, peer.country, used(step, act_hash), step.now)
        except Refused as why:
            said.append(str(why))
    return said or ["there is no mandate: two officers sign the request (R-15)"]
