"""The files behind the digests: taken in, given to those they were named to, fetched, erased (R-58).

A file is streamed in and out and never read for what it says (node/files.Files). A row says which case
needs it (store/documents), so that it goes with the case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from arrp.core.errors import ArrpError, NotFound, Refused, Unreachable
from arrp.core.messages import PAGE_BYTES, DocumentAsk
from arrp.node.delivery import Transport, title_of
from arrp.node.files import Files
from arrp.node.service import Node, Service
from arrp.node.store import documents
from arrp.node.store.documents import Needed
from arrp.wire.document import open_page, seal_page
from arrp.wire.envelope import VERSION, sign, verify

log = logging.getLogger("arrp.documents")

LEASE = timedelta(minutes=5)
WAIT_MINUTES_MAX = 60
FRESH = timedelta(minutes=5)  # an ask that was overheard is of no use later


class Documents:
    """What one node does with documents."""

    def __init__(self, service: Service, files: Files) -> None:
        self.service, self.files = service, files

    @classmethod
    def of(cls, service: Service) -> Documents:
        """Those of a running node. Raises NotFound for one that has no home to keep files in."""
        if service.node.files is None:
            raise NotFound(f"{service.node.me} keeps no documents", rule="R-58", code="no-document")
        return cls(service, service.node.files)

    @property
    def node(self) -> Node:
        return self.service.node

    # --- our own -------------------------------------------------------------------------------------------

    def add(self, case: str, data: bytes) -> dict[str, Any]:
        """A document of ours, for a case that is known. The file first: a row without one would lie. Raises
        Malformed."""
        self.node.check_room("add the document")
        digest, size = self.files.take([data])
        now = self.node.clock.now()
        with self.node.store.writing() as connection:
            documents.keep(connection, Needed(digest, case, "", "", size, None, 0, now))
        return {"digest": digest, "bytes": size, "case": case}

    def listed(self, case_id: str) -> list[dict[str, Any]]:
        """The documents of a case, here or on their way."""
        with self.node.store.reading() as connection:
            rows = documents.of_case(connection, case_id)
        return [{"digest": row.digest, "bytes": row.bytes, "peer": row.peer, "request": row.request,
                 "here_at": row.here_at and row.here_at.isoformat()} for row in rows]

    # --- others' -------------------------------------------------------------------------------------------

    def give(self, jws: bytes) -> bytes:
        """A page of a document, sealed for who asks, if an act of ours named it to them."""
        asked = verify(DocumentAsk, jws, self.service.key_now)
        now = self.node.clock.now()
        if asked.to != self.node.me or abs(now - asked.at) > FRESH:
            raise Refused(f"this was asked of {asked.to} at {asked.at:%Y-%m-%dT%H:%M:%SZ}", rule="R-58",
                          code="wrong-addressee")
        with self.node.store.reading() as connection:
            named = documents.may_have(connection, asked.digest, asked.sender, asked.request)
        if not named or self.node.rules.participant(asked.sender).suspended:
            raise NotFound(f"no document {asked.digest[:12]} was named to {asked.sender} in {asked.request}",
                           rule="R-58", code="no-document")
        page = self.files.page(asked.digest, asked.offset)
        return seal_page(page, self.node.directory.sealing_of(asked.sender, now), asked.digest, asked.offset)

    def fetch(self, needed: Needed, transport: Transport) -> None:
        """One document from who named it. What does not come is asked for again, ever more rarely."""
        try:
            self.node.check_room("fetch it")
            digest, _ = self.files.take(self._pages(needed, transport))
            if digest != needed.digest:
                self.files.remove([digest])
                raise Refused(f"{needed.peer} sent other bytes than document {needed.digest[:12]} has", rule="R-58",
                              code="hash-mismatch")
        except ArrpError as error:
            log.warning("document %s of %s: %s", needed.digest[:12], needed.peer, error)
            wait = timedelta(minutes=min(2**min(needed.tries, 10), WAIT_MINUTES_MAX))
            with self.node.store.writing() as connection:
                documents.later(connection, needed, self.node.clock.now() + wait)
            return
        with self.node.store.writing() as connection:
            documents.arrived(connection, needed.digest, self.node.clock.now())

    def _pages(self, needed: Needed, transport: Transport) -> Iterator[bytes]:
        address, offset = self.node.rules.participant(needed.peer).address, 0
        while True:
            now = self.node.clock.now()
            asked = DocumentAsk(VERSION, self.node.me, needed.peer, now, needed.request, needed.digest, offset)
            jws = sign(asked, self.node.keys.signing, self.node.keys.signing_id)
            status, answer = transport.post(f"{address}/documents", jws.encode())
            if status != HTTPStatus.OK:
                raise Unreachable(f"{needed.peer} answers {status} {title_of(answer)}")
            page = open_page(answer, (self.node.keys.sealing, *self.node.keys.other_sealing), needed.digest, offset)
            yield page
            offset += len(page)
            if len(page) < PAGE_BYTES:
                return
