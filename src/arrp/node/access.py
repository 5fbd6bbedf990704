"""What people outside have a right to: letters, everything about one account, and who looked (R-65, R-72, R-92)."""

from __future__ import annotations

from typing import Any

from arrp.core.account import parse_account
from arrp.core.case import Case
from arrp.core.errors import Forbidden
from arrp.core.roles import holds_role
from arrp.node import notices
from arrp.node.callers import Caller
from arrp.node.need_to_know import Known
from arrp.node.service import Service
from arrp.node.store import callers, cases
from arrp.wire.codec import dumps, parse_json

PROTECTING = "data-protection officer"

# Said whether there is any or not: who reads it must not learn that from it.
WITHOUT = "cases that are known to named officers only, if you are not one of them (R-92): they answer for those"


class Access:
    """The doors of one node for the people its cases are about."""

    def __init__(self, service: Service) -> None:
        self.service = service

    # --- letters -------------------------------------------------------------------------------------------

    def victim_letter(self, caller: Caller, case_id: str) -> str:
        known = Known(self.service, caller)
        case = known.case(case_id)
        known.look(case, "letter to the victim")
        return notices.victim_letter(case, self.service.node.rules, self.service.node.clock.now())

    def holder_notice(self, caller: Caller, request: str) -> str:
        """Raises NotFound, Refused where there is no hold in force."""
        known = Known(self.service, caller)
        case = known.of_request(request)
        known.look(case, f"notice of {request}")
        return notices.holder_notice(case.request(request), self.service.node.rules, self.service.node.clock.now())

    # --- access to data ------------------------------------------------------------------------------------

    def subject(self, caller: Caller, account: str) -> dict[str, Any]:
        """Everything this node has about an account, and who looked at it, for a person to go through: what the
        law withholds is left out by them, not by a machine. Raises Forbidden, Malformed."""
        self._check_role(caller, PROTECTING)
        account, known = parse_account(account), Known(self.service, caller)
        found = [self._about(known, case, account) for case in known.every_case()]
        return {"account": account, "node": self.service.node.me, "at": self.service.node.clock.now().isoformat(),
                "without": WITHOUT, "cases": [one for one in found if one is not None]}

    def _about(self, known: Known, case: Case, account: str) -> dict[str, Any] | None:
        with self.service.node.store.reading() as connection:
            events = cases.log_of(connection, case.id)
            looks = callers.looks_at(connection, case.id)
        said = [parse_json(dumps(event)) for event in events if account.encode() in dumps(event)]
        if not said:
            return None
        known.look(case, "access to data")
        return {"case": case.id, "state": case.state, "events": said,
                "looks": [{"at": look.at.isoformat(), "officer": look.officer, "what": look.what} for look in looks]}

    def looks(self, caller: Caller, case_id: str) -> list[dict[str, Any]]:
        """Who looked at a case. For auditors and data-protection officers; looking here is no look at the case."""
        self._check_role(caller, PROTECTING, "auditor")
        case = Known(self.service, caller).case(case_id)
        with self.service.node.store.reading() as connection:
            return [{"at": look.at.isoformat(), "officer": look.officer, "what": look.what}
                    for look in callers.looks_at(connection, case.id)]

    def _check_role(self, caller: Caller, *roles: str) -> None:
        if not any(holds_role(self.service.node.rules.me, caller.officer, role) for role in roles):
            raise Forbidden(f"this is for a {' or '.join(roles)}: say who you are with --officer", rule="R-90",
                            code="not-your-role")
