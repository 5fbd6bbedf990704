"""What goes when a case is erased (R-60): in the store, wherever one of its requests ever waited.

Written here once, because a restored backup brings it back, and it is erased again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from arrp.node.store import cases, documents, talk, work


@dataclass(frozen=True, slots=True)
class Gone:
    """Cases whose private halves are gone, and digests of documents that no case needs any more."""

    cases: tuple[str, ...]
    documents: tuple[str, ...]


def erase(connection: Connection, case_id: str, requests: Iterable[str]) -> Gone:
    gone = Gone((case_id, *work.waited_in(connection, requests)), tuple(documents.erase(connection, case_id)))
    for id in gone.cases:
        cases.erase(connection, id)
        talk.erase_acts(connection, id)
        work.erase_joins(connection, id)
    return gone
