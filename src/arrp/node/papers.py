"""What officers must send on paper, as sheets: the acts in the outbox to participants without a node (R-95).

A letter is found by its request or by the reference that stands on it; a mistyped reference is noticed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from arrp.core.errors import NotFound
from arrp.core.mandate import Mandate
from arrp.node.callers import Caller
from arrp.node.need_to_know import Known
from arrp.node.service import Service
from arrp.node.store import posting, talk
from arrp.node.store.cases import BODIES
from arrp.wire.codec import dumps, parse_json, read_act
from arrp.wire.paper import Cover, letter
from arrp.wire.reference import LENGTH, read_reference, reference_of
from arrp.wire.sheet import Sheet

_REFERENCE_MAX = LENGTH + 5  # longer than any reference with its dashes, shorter than an id


class Papers:
    """The letters of one node, as JSON."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """Everything that goes or went on paper, oldest first."""
        return [_row(found) for found in self._postings(Known(self.service, caller))]

    def _postings(self, known: Known) -> list[posting.Posting]:
        """Those that who calls may know (R-92)."""
        mine = {case.id for case in known.cases()}
        with self.service.node.store.reading() as connection:
            return [found for found in posting.postings(connection) if found.case_id in mine]

    def of(self, caller: Caller, name: str) -> dict[str, Any]:
        """The letters of one request, by its id or a reference on paper. Raises NotFound, Malformed."""
        known = Known(self.service, caller)
        every = self._postings(known)
        request = name if len(name) > _REFERENCE_MAX else _referenced(every, name)
        found = [one for one in every if one.head.request == request]
        if not found:
            raise NotFound(f"request {request} has no letters: it goes to a node, or nothing was said yet")
        known.look(known.case(found[0].case_id), f"letters of {request}")
        return self._letters(request, found)

    def _letters(self, request: str, found: list[posting.Posting]) -> dict[str, Any]:
        with self.service.node.store.reading() as connection:
            about = next((reference_of(one.head.act_hash) for one in found if one.kind == "Request"), "")
            peer = self.service.node.rules.participant(found[0].head.to)
            letters = [{**_row(one), "sheet": parse_json(dumps(self._sheet(connection, one, about)))} for one in found]
        return {"request": request, "case": found[0].case_id, "to": peer.id, "name": peer.name,
                "country": peer.country, "letters": letters}

    def _sheet(self, connection: Connection, one: posting.Posting, about: str) -> Sheet:
        kept = talk.act(connection, one.head.act_hash)
        if kept is None or not kept.data:
            raise NotFound(f"the bytes of act {one.head.act_hash[:12]} were erased with their case")
        rules, mandate = self.service.node.rules, talk.act(connection, one.head.mandate or "")
        return letter(read_act(kept.data, BODIES), Cover(
            case=one.case_id, act_hash=one.head.act_hash, sender=rules.me, to=rules.participant(one.head.to),
            written_at=one.head.sent_at, approvals=kept.approvals,
            mandate=read_act(mandate.data, {"Mandate": Mandate}).body if mandate is not None else None,
            mandate_approvals=mandate.approvals if mandate is not None else (),
            about="" if one.kind == "Request" else about,
        ))  # fmt: skip


def _referenced(every: list[posting.Posting], name: str) -> str:
    reference = read_reference(name)
    for one in every:
        if reference_of(one.head.act_hash) == reference:
            return str(one.head.request)
    raise NotFound(f"no letter of this node has the reference {reference}")


def _row(one: posting.Posting) -> dict[str, Any]:
    return {"reference": reference_of(one.head.act_hash), "request": one.head.request, "kind": one.kind,
            "to": one.head.to, "state": one.state, "act_hash": one.head.act_hash, "act": one.act,
            "written_at": one.head.sent_at.isoformat()}
