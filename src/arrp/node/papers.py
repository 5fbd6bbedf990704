"""What officers must send on paper, as sheets: the acts in the outbox to participants without a node (R-95).

A letter is found by its request or by the reference that stands on it; a mistyped reference is noticed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from arrp.core.errors import NotFound
from arrp.core.mandate import Mandate
from arrp.node.callers import Caller, looked
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

    def listed(self) -> list[dict[str, Any]]:
        """Everything that goes or went on paper, oldest first."""
        with self.service.node.store.reading() as connection:
            return [_row(found) for found in posting.postings(connection)]

    def of(self, caller: Caller, name: str) -> dict[str, Any]:
        """The letters of one request, by its id or a reference on paper. Raises NotFound, Malformed, and
        Refused where the case is known to others only (R-92)."""
        found = self._of(name)
        with self.service.node.store.reading() as connection:
            case = self.service.folds.read(connection, found["case"])
        looked(self.service, caller, case, f"letters of {found['request']}")
        return found

    def _of(self, name: str) -> dict[str, Any]:
        with self.service.node.store.reading() as connection:
            request = self._request(connection, name)
            found = posting.postings(connection, request)
            if not found:
                raise NotFound(f"request {request} has no letters: it goes to a node, or nothing was said yet")
            about = next((reference_of(one.head.act_hash) for one in found if one.kind == "Request"), "")
            peer = self.service.node.rules.participant(found[0].head.to)
            letters = [{**_row(one), "sheet": parse_json(dumps(self._sheet(connection, one, about)))} for one in found]
        return {"request": request, "case": found[0].case_id, "to": peer.id, "name": peer.name,
                "country": peer.country, "letters": letters}

    def _request(self, connection: Connection, name: str) -> str:
        if len(name) > _REFERENCE_MAX:
            return name
        reference = read_reference(name)
        for one in posting.postings(connection):
            if reference_of(one.head.act_hash) == reference:
                return str(one.head.request)
        raise NotFound(f"no letter of this node has the reference {reference}")

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


def _row(one: posting.Posting) -> dict[str, Any]:
    return {"reference": reference_of(one.head.act_hash), "request": one.head.request, "kind": one.kind,
            "to": one.head.to, "state": one.state, "act_hash": one.head.act_hash, "act": one.act,
            "written_at": one.head.sent_at.isoformat()}
