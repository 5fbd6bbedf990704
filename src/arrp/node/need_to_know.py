"""Which cases whoever calls may know (R-92): every way of `/v1` comes to a case, or to anything in one, through here.

What somebody may not know is not there for them: a case, a request, a draft, a document or a task of it answers like
a name that nobody ever gave, with the same words.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from arrp.core.case import Case
from arrp.core.errors import Forbidden, NotFound
from arrp.core.roles import may_read, reads_cases
from arrp.node.callers import Caller
from arrp.node.service import Service
from arrp.node.store import callers, cases, documents, talk
from arrp.node.store.callers import Look


class Known:
    """The cases of one node, as far as `caller` may know them. On the socket nobody need be named, except for a case
    that is known to named officers only. Raises Forbidden for who reads no cases at all, whatever is asked."""

    def __init__(self, service: Service, caller: Caller) -> None:
        self.service, self.caller = service, caller
        self._me, self._names_nobody = service.node.rules.me, caller.is_owner and not caller.officer
        if not self._names_nobody and not reads_cases(self._me, caller.officer):
            raise Forbidden(f"{caller.officer[:64]} reads no cases: no role does that the directory gives them",
                            rule="R-90", code="not-your-role")

    # --- one of them -----------------------------------------------------------------------------------------

    def case(self, id: str) -> Case:
        """Raises NotFound."""
        with self.service.node.store.reading() as connection:
            return self.service.folds.read(connection, id, self._may)

    def of_request(self, request: str) -> Case:
        """Raises NotFound."""
        with self.service.node.store.reading() as connection:
            return self.service.folds.of_request(connection, request, self._may)

    def draft(self, act: str) -> talk.KeptAct:
        """An act of ours; a standing mandate is no case's. Raises NotFound."""
        with self.service.node.store.reading() as connection:
            kept = talk.own_act(connection, self._me.id, act)
            if kept is None or not (kept.case_id is None or self._has(connection, kept.case_id)):
                raise NotFound(f"there is no draft {act} on this node")
        return kept

    def document(self, digest: str) -> list[Case]:
        """The cases that need a document which is here. Raises NotFound."""
        with self.service.node.store.reading() as connection:
            here = documents.cases_of(connection, digest) if documents.is_here(connection, digest) else []
            every = [self.service.folds.read(connection, id) for id in here]
            found = [case for case in every if self._may(connection, case)]
        if not found:
            raise NotFound(f"document {digest[:12]} is not on this node", rule="R-58", code="no-document")
        return found

    # --- all of them -----------------------------------------------------------------------------------------

    def every_case(self) -> list[Case]:
        """In the order in which they were opened; those too that went on in another (R-03)."""
        with self.service.node.store.reading() as connection:
            found = [self.service.folds.at(connection, row.id, row.version) for row in cases.listed(connection)]
            return [case for case in found if self._may(connection, case)]

    def cases(self) -> list[Case]:
        """Those that are not gone on in another."""
        return [case for case in self.every_case() if case.state != "joined"]

    def of(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of these cases that who calls may know."""
        with self.service.node.store.reading() as connection:
            return frozenset(id for id in ids if self._has(connection, id))

    def has(self, id: str) -> bool:
        with self.service.node.store.reading() as connection:
            return self._has(connection, id)

    def _has(self, connection: Connection, id: str) -> bool:
        return self._may(connection, self.service.folds.read(connection, id))

    def _may(self, connection: Connection, case: Case) -> bool:
        """A case that went on in others (R-03) is known to whom they are known."""
        went_on = [self.service.folds.of_request(connection, id) for id in case.requests if case.state == "joined"]
        return all(self._is_named(one) for one in (case, *went_on))

    def _is_named(self, case: Case) -> bool:
        return not case.only if self._names_nobody else may_read(self._me, self.caller.officer, case.only)

    # --- looking ---------------------------------------------------------------------------------------------

    def look(self, case: Case, what: str) -> None:
        """Whoever looks at what is private in a case is written down."""
        clock, who = self.service.node.clock, self.caller.officer or "the node's own account"
        with self.service.node.store.writing() as connection:
            callers.note_look(connection, Look(clock.now(), who, case.id, what))
