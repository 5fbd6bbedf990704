"""Who is calling the desk: the owner of the socket, or whoever shows a key over the network (`/v1`).

A key is `arrp_ID_SECRET`, shown once when it is made. It belongs to one officer and says nothing else
than who calls: what that officer may wish and read is the directory's (R-90). Its scopes only narrow
it: a system that feeds a dashboard needs `read`, not `wish`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from arrp.core.errors import Forbidden, Malformed, NotFound, Unauthenticated
from arrp.node.service import Service
from arrp.node.store import callers
from arrp.node.store.callers import ApiKey

SCOPES = ("read", "wish", "approve", "task", "document", "metrics")
DAYS_MAX = 366


@dataclass(frozen=True, slots=True)
class Caller:
    """`officer` is "" on the socket while nobody said who they are there."""

    officer: str
    scopes: frozenset[str]
    is_owner: bool = False

    def check(self, scope: str) -> None:
        """Raises Forbidden."""
        if scope not in self.scopes:
            raise Forbidden(f"this key is for {', '.join(sorted(self.scopes))}; this needs {scope}", code="scope")

    def speaking_as(self, officer: str) -> Caller:
        """R-90: with a key nobody speaks for somebody else; on the socket people say who they are. Raises Forbidden."""
        if not self.is_owner and officer != self.officer:
            raise Forbidden(f"this key is {self.officer}'s: {officer[:64]} uses another", rule="R-90", code="not-yours")
        return replace(self, officer=officer)


Identify = Callable[[str, str], Caller]  # the headers `authorization` and `arrp-officer` -> who calls


def owner(_authorization: str, officer: str) -> Caller:
    """On the socket: whoever may open it is the node's own account, and says which officer sits there."""
    return Caller(officer, frozenset(SCOPES), is_owner=True)


class Keys:
    """The keys of one node."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def make(self, officer: str, scopes: tuple[str, ...], days: int) -> dict[str, str]:
        """A new key, whole, for the only time. Raises NotFound, Malformed."""
        self.service.node.rules.me.officer(officer)
        if not scopes or set(scopes) - set(SCOPES):
            raise Malformed(f"a key has one or more of the scopes {', '.join(SCOPES)}")
        if not 0 < days <= DAYS_MAX:
            raise Malformed(f"a key lasts 1 to {DAYS_MAX} days, not {days}")
        clock = self.service.node.clock
        now, secret = clock.now(), (clock.salt() + clock.salt()).hex()
        made = ApiKey(clock.new_id()[-12:], _digest(secret), officer, tuple(sorted(set(scopes))), now,
                      now + timedelta(days=days))
        with self.service.node.store.writing() as connection:
            callers.keep(connection, made)
        return {"id": made.id, "key": f"arrp_{made.id}_{secret}", "until": made.until.isoformat()}

    def listed(self) -> list[dict[str, Any]]:
        with self.service.node.store.reading() as connection:
            return [{"id": key.id, "officer": key.officer, "scopes": list(key.scopes),
                     "made_at": key.made_at.isoformat(), "until": key.until.isoformat(),
                     "revoked_at": key.revoked_at and key.revoked_at.isoformat()} for key in callers.keys(connection)]

    def revoke(self, id: str) -> None:
        """Raises NotFound."""
        with self.service.node.store.writing() as connection:
            if not callers.revoke(connection, id, self.service.node.clock.now()):
                raise NotFound(f"there is no key {id[:64]} that still counts: arrp api list")

    def identify(self, authorization: str, _officer: str) -> Caller:
        """Over the network: whoever the key belongs to. Raises Unauthenticated, and says to all of them the same."""
        scheme, _, text = authorization.partition(" ")
        _, id, secret = (*text.split("_"), "", "")[:3]
        with self.service.node.store.reading() as connection:
            found = callers.key(connection, id)
        known = found.digest if found is not None else bytes(32)
        fits = hmac.compare_digest(known, _digest(secret))
        if scheme.lower() != "bearer" or found is None or not fits or not _counts(found, self.service.node.clock.now()):
            raise Unauthenticated("show a key that still counts: Authorization: Bearer arrp_…", code="no-key")
        if not self.service.node.rules.me.has_officer(found.officer):
            raise Unauthenticated("the officer of this key is no longer in the directory", code="no-key")
        return Caller(found.officer, frozenset(found.scopes))


def _digest(secret: str) -> bytes:
    return sha256(b"arrp api key v1\0" + secret.encode()).digest()


def _counts(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and now < key.until
