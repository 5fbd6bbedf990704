"""Which powers of the requested country may serve a request, before it is drafted: advice, which decides nothing.

The request carries no foreign basis: the side whose power it is picks it (R-41).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arrp.core.account import parse_account
from arrp.core.money import Amount
from arrp.core.policy import Participant
from arrp.core.request import Ask, Source
from arrp.core.requesting import amount_of, typed_asked, would_ask
from arrp.law.reading import codes
from arrp.law.serving import is_wallet, serving, wanted
from arrp.node.callers import Caller
from arrp.node.need_to_know import Known
from arrp.node.powers import ISSUER
from arrp.node.service import Service


@dataclass(frozen=True, slots=True)
class Sketch:
    """A request as `arrp request send` would ask it. `account` "": that of its source; `amount` None: all of it."""

    ask: Ask
    source: Source
    account: str = ""
    amount: Amount | None = None


def powers_for(service: Service, caller: Caller, case_id: str, sketch: Sketch) -> dict[str, Any]:
    """Whom such a request would go to, and what the law files say of their powers: case, institution, whom, laws (as
    law/serving.serving has them; none where there is no file). Raises NotFound, Malformed, Refused."""
    known = Known(service, caller)
    case, now, rules = known.case(case_id), service.node.clock.now(), service.node.rules
    known.look(case, "powers for a request")
    amount = amount_of(case, sketch.source) if sketch.amount is None else sketch.amount
    account = parse_account(sketch.account) if sketch.account else ""
    asked, whom = would_ask(case, typed_asked(sketch.ask, sketch.source, account, amount), now, rules)
    question = wanted(asked.ask, is_wallet(asked.account), asked.asked, rules.me.country, now)
    return {"case": case.id, "institution": asked.institution,
            "whom": {"id": whom.id, "name": whom.name, "kind": whom.kind, "country": whom.country,
                     "channel": whom.channel},
            "laws": [serving(code, question) for code in law_codes(whom)]}


def law_codes(whom: Participant) -> list[str]:
    """The law files about a participant: its country, parts of that where law is local, and an issuer's own terms."""
    named = f"{whom.id} {whom.name}".lower()
    return [code for code in codes() if code == whom.country or code.startswith(f"{whom.country}-")
            or (code.startswith(ISSUER) and whom.kind == "issuer" and code.removeprefix(ISSUER) in named)]
