"""Letters to people outside: the account holder whose money is held, and the victim. Templates in `en/`.

A language is a folder with the same files. What stands in `$…` is filled in here and nowhere else; a
letter never names who reported, nor anybody else's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from string import Template

from arrp.core.account import short_account
from arrp.core.case import Case
from arrp.core.deadline import Power
from arrp.core.deciding import check_may_tell
from arrp.core.errors import Refused
from arrp.core.hold import Hold
from arrp.core.money import Amount
from arrp.core.policy import Participant, Rules
from arrp.core.request import Request
from arrp.core.sums import money
from arrp.wire.reference import reference_of

# Each named ground in words that an account holder can use.
_GROUNDS = {
    "GOOD_FAITH": "I sold or did something for this money and knew nothing of a crime",
    "PROTECTED": "it is my wage, my pension, or what I live on",
    "WRONG_ACCOUNT": "it is the wrong account: this payment is not in it",
    "CIVIL_DISPUTE": "it is a quarrel about a contract, not a crime",
    "ALREADY_REPAID": "I have sent the money back already",
    "IDENTITY_MISUSED": "somebody opened or uses this account in my name",
    "COERCED": "somebody made me receive it",
}
_TERMS = {
    "held": "held", "secured": "secured by an order", "stopped": "stopped before it arrived",
    "restrained": "held for somebody else's request", "returned": "sent back to you", "handed_over": "handed over",
    "moved_on": "moved on, being followed", "cashed_out": "taken out in cash", "let_go": "not held any more",
    "not_found": "not found", "pending": "asked, no answer yet", "not_yet_asked": "not yet asked for",
    "rounding": "rounding",
}  # fmt: skip


def holder_notice(request: Request, rules: Rules, now: datetime, language: str = "en") -> str:
    """R-72: the letter that tells an account holder of a hold. Raises Refused where there is none in force, or
    where the law forbids telling."""
    hold = request.hold
    if hold is None or not hold.in_force:
        raise Refused(f"request {request.id} has no hold in force: there is nothing to tell the account holder",
                      rule="R-72", code="ended")
    check_may_tell(rules, hold)
    return _filled("holder", language, {
        **_opening(rules.me, hold.id, now), "amount": str(hold.amount), "account": short_account(request.body.account),
        **_hold(hold), **_objecting(rules.me, rules.own_power()),
    })


def victim_letter(case: Case, rules: Rules, now: datetime, language: str = "en") -> str:
    """How a loss stands, for whoever reported it. Raises Refused where the case is no loss."""
    counted = money(case)
    if counted is None:
        raise Refused(f"case {case.id} is an account, not a loss: there is no victim to write to", rule="R-72",
                      code="not-ours")
    lines = [f"  {Amount(units, counted.loss.asset)!s:>24}  {_TERMS[term]}" for term, units in counted.terms.items()]
    return _filled("victim", language, {
        **_opening(rules.me, case.id, now), "loss": str(counted.loss), "missing": str(counted.missing),
        "terms": "\n".join(lines),
    })


def _filled(name: str, language: str, values: Mapping[str, str]) -> str:
    return Template((files(__name__) / language / f"{name}.txt").read_text("utf-8")).substitute(values)


def _opening(me: Participant, id: str, now: datetime) -> dict[str, str]:
    return {"sender": me.name, "date": f"{now:%d %B %Y}", "reference": reference_of(id)}


def _hold(hold: Hold) -> dict[str, str]:
    basis, ends = hold.basis, hold.until or hold.decide_by
    return {
        "since": _when(hold.placed_at), "basis": f"{basis.article} ({basis.country})" if basis else "being decided",
        "authority": basis.authority if basis else "being decided",
        "until": _when(ends) if ends else "until an order is lifted",
    }


def _objecting(me: Participant, power: Power | None) -> dict[str, str]:
    contact = next(iter(me.contacts), None)
    kept = Amount(power.protected_minor, power.protected_asset) if power and power.protected_minor else None
    frees = power is not None and power.objection_silence == "release"
    return {
        "protected": str(kept) if kept else "nothing is set by the rules applied here; say what you live on",
        "grounds": "\n".join(f"  {code:<17} {words}" for code, words in _GROUNDS.items()),
        "redress": f"{contact.name}, {contact.telephone} ({contact.hours})" if contact else me.name,
        "hours": str(power.objection_hours) if power else "120",
        "silence": "the money is freed" if frees else "the matter goes to a superior officer at once",
    }


def _when(at: datetime | None) -> str:
    return f"{at:%d %B %Y, %H:%M} UTC" if at else "it is being placed"
