"""What our own officers and systems may see and say on this node, as JSON.

The node never signs for an officer: it gives out the exact bytes of a draft, and takes back signatures
over their hash. Who calls is node/callers' business, and over which door node/api's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arrp.core.approving import is_awaited
from arrp.core.case import Case
from arrp.core.deadline import Power
from arrp.core.errors import Malformed
from arrp.core.events import KINDS, Draft, Event
from arrp.core.hold import Hold
from arrp.core.messages import Approval
from arrp.core.notes import EndComputed
from arrp.core.protocol import COMMANDS
from arrp.core.request import Request
from arrp.core.roles import check_may_wish
from arrp.core.sentences import marks, sentence
from arrp.core.step import Command
from arrp.core.sums import money
from arrp.node.callers import Caller
from arrp.node.need_to_know import Known
from arrp.node.service import Node, Service
from arrp.node.store import audit, cases, directories, talk, work
from arrp.node.store.engine import retrying
from arrp.wire.approvals import b64
from arrp.wire.codec import dumps, parse_json, read

# The body of each verb, as the rules have it; null for those that need none.
BODIES = {verb: None if body is object else body for verb, (_, body) in COMMANDS.items()}


FEED_MAX = 1000  # rows of one answer
ID_MAX = 64  # of an id that an officer's side made: 32 hex digits as a rule, a few more are no harm



@dataclass(frozen=True, slots=True)
class Wish:
    """An officer's command without its body."""

    id: str
    verb: str
    officer: str
    case: str | None
    request: str | None


@dataclass(frozen=True, slots=True)
class Signature:
    """An officer's approval of draft `act`, made where the officer's key is."""

    id: str
    act: str
    approval: Approval


class Desk:
    """What an officer may see and say on this node, as JSON."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @property
    def node(self) -> Node:
        """As it is now: a newer directory may have taken effect since it was last asked for."""
        return self.service.node

    def command(self, caller: Caller, data: bytes, key: str = "", at: int | None = None) -> dict[str, Any]:
        """A wish. `key`: its id, when it does not stand in the body; `at`: the version of the case it was made on."""
        wish, body = _wished(parse_json(data), key)
        caller = caller.speaking_as(wish.officer)
        check_may_wish(self.node.rules.me, wish.officer, wish.verb)  # before any case: a role is nobody's secret
        self._check_known(caller, wish)
        secret = self.node.clock.salt().hex()
        given = Command(wish.id, wish.verb, wish.officer, wish.request, body, secret)
        case_id, events = retrying(lambda: self.service.command(given, wish.case, at))
        return self._done(case_id, events)

    def _check_known(self, caller: Caller, wish: Wish) -> None:
        """R-92: raises NotFound before anything of a case is compared, counted or refused. A report names no case."""
        known = Known(self.service, caller)
        if wish.verb == "report":
            return
        if wish.case is not None:
            known.case(wish.case)
        else:
            known.of_request(wish.request or "")

    def approve(self, caller: Caller, data: bytes, key: str = "") -> dict[str, Any]:
        said = read(Signature, _with_id(parse_json(data), key))
        _check_id(said.id)
        caller = caller.speaking_as(said.approval.officer)
        self.node.rules.me.officer(caller.officer)
        Known(self.service, caller).draft(said.act)
        case_id, events = retrying(lambda: self.service.approve(said.act, said.approval, said.id))
        return self._done(case_id, events)

    def _done(self, case_id: str, events: list[Event]) -> dict[str, Any]:
        with self.node.store.reading() as connection:
            case = self.service.folds.read(connection, case_id)
        drafted = [e.body.act for e in events if e.kind == "Drafted" and e.body.act in case.drafts]
        asked = [e.request for e in events if e.kind == "Request"]
        asked += [e.body.request for e in events if e.kind == "Drafted" and e.body.kind == "Request"]
        left = [request for e in events if e.kind == "Request" and (request := case.requests.get(e.request or ""))]
        return {
            "case": case_id,
            "requests": asked,
            "drafts": [*(self._draft_row(case.drafts[act], case) for act in drafted),
                       *(self._left_row(request, case) for request in left if is_awaited(request))],
            "said": [said for event in events if (said := sentence(event))],
        }

    def _draft_row(self, draft: Draft, case: Case) -> dict[str, Any]:
        signed = [approval.officer for approval in case.approvals.get(draft.act, ())]
        return {"act": draft.act, "kind": draft.kind, "to": draft.to, "request": draft.request, "needs": draft.needs,
                "signed": signed, "case": case.id, "second_by": None}

    def _left_row(self, request: Request, case: Case) -> dict[str, Any]:
        """What left with one officer's signature is signed like a draft, until `second_by` (R-94)."""
        with self.node.store.reading() as connection:
            kept = talk.act(connection, request.act_hash)
        return {"act": kept and kept.act, "kind": "Request", "to": request.peer, "request": request.id,
                "needs": KINDS["Request"].approvals, "signed": list(request.by_officers[:1]), "case": case.id,
                "second_by": request.second_by and request.second_by.isoformat()}

    def _draft_rows(self, case: Case) -> list[dict[str, Any]]:
        """What waits for a signature in a case; what must be signed soon comes first."""
        left = [self._left_row(request, case) for request in case.requests.values() if is_awaited(request)]
        return [*left, *(self._draft_row(draft, case) for draft in case.drafts.values())]

    def drafts(self, caller: Caller) -> list[dict[str, Any]]:
        """Acts that wait for officers' signatures."""
        return [row for case in Known(self.service, caller).cases() for row in self._draft_rows(case)]

    def draft(self, caller: Caller, act: str) -> dict[str, Any]:
        """The exact bytes to read and sign. Raises NotFound."""
        known = Known(self.service, caller)
        kept = known.draft(act)
        if kept.case_id is not None:
            known.look(known.case(kept.case_id), f"draft {act}")
        return {"act": act, "act_hash": kept.act_hash, "salt": b64(kept.salt), "bytes": b64(kept.data)}

    def cases(self, caller: Caller, after: str, most: int) -> list[dict[str, Any]]:
        """The cases after a case, in the order in which they were opened."""
        known = {case.id for case in Known(self.service, caller).cases()}
        with self.node.store.reading() as connection:
            rows = [row for row in cases.listed(connection) if row.id in known]
        first = next((place + 1 for place, row in enumerate(rows) if row.id == after), 0)
        return [{"id": row.id, "state": row.state, "title": row.title, "events": row.version,
                 "opened_at": row.opened_at.isoformat(), "due_at": row.due_at and row.due_at.isoformat()}
                for row in rows[first:first + most]]

    def case(self, caller: Caller, case_id: str) -> dict[str, Any]:
        """One case, whole. Raises NotFound."""
        known = Known(self.service, caller)
        case = known.case(case_id)
        known.look(case, "case")
        with self.node.store.reading() as connection:
            events = cases.log_of(connection, case_id, 1, case.version)
        counted, now = money(case), self.node.clock.now()
        return {
            "id": case.id, "state": case.state, "title": case.title, "loss": case.loss, "version": case.version,
            "ball": case.ball and {"officer": case.ball[0], "since": case.ball[1].isoformat()},
            "known_to": sorted(case.only),
            "money": None if counted is None else {
                "loss": str(counted.loss), "missing": str(counted.missing), "terms": counted.terms,
                "surplus": counted.surplus},
            "requests": [{**_object(dumps(request)), "marks": list(marks(request, now, case.calls.get(request.id, ())))}
                         for request in case.requests.values()],
            "objections": [parse_json(dumps(objection)) for _, objection in case.objections.values()],
            "drafts": self._draft_rows(case),
            "returns": [{"request": request, **_object(dumps(stated))} for request, stated in case.returns.values()],
            "needs_a_person": sorted(case.escalated), "anomalies": list(case.anomalies),
            "log": [{"at": e.at.isoformat(), "by": e.by, "kind": e.kind, "said": sentence(e)} for e in events],
        }

    def holds(self, caller: Caller) -> list[dict[str, Any]]:
        """What we hold and why, and what others hold for us."""
        known, now = Known(self.service, caller).cases(), self.node.clock.now()
        return [{"case": case.id, "request": request.id, "peer": request.peer, **_hold_row(request, now)}
                for case in known for request in case.requests.values() if request.hold is not None]

    def law_changes(self, caller: Caller) -> list[dict[str, Any]]:
        """Holds in force whose legal end would be another one by the law, calendar and zones of now (R-40). Nothing
        moves by itself: an officer extends or lets go."""
        found = []
        for case in Known(self.service, caller).cases():
            for id, computed in case.ends.items():
                hold = case.requests[id].hold
                if hold is None or not hold.in_force or hold.id != computed.hold or hold.until is None:
                    continue
                ends = _end_now(self.node.rules.powers.get(computed.power), computed, hold)
                if ends is None or ends < hold.until or hold.until == computed.until < ends:
                    found.append({"case": case.id, "request": id, "hold": hold.id, "power": computed.power,
                                  "until": hold.until.isoformat(), "computed_now": ends and ends.isoformat(),
                                  "reason": computed.reason, "calendar_version": computed.calendar_version,
                                  "zone_version": computed.zone_version})
        return found

    def log(self, caller: Caller, after: int) -> list[dict[str, Any]]:
        """What this node stated itself, in words, in commit order, after a position."""
        def told(event: Event) -> str | None:
            return sentence(event) if event.by == self.node.me else None

        return [{"position": at, "case": case_id, "at": event.at.isoformat(), "kind": event.kind, "said": said}
                for at, case_id, event, said in self._feed(caller, after, told)]

    def changes(self, caller: Caller, after: int) -> list[dict[str, Any]]:
        """The change feed: every event, in commit order, after a position, without anything private."""
        return [{"position": at, "case": case_id, "at": event.at.isoformat(), "kind": event.kind, "by": event.by,
                 "request": event.request} for at, case_id, event, _ in self._feed(caller, after, lambda _: "")]

    def _feed(self, caller: Caller, after: int, told: Callable[[Event], str | None]
              ) -> list[tuple[int, str, Event, str]]:
        """Rows that the caller may know and of which there is something told, with it. A page is empty only at the
        end: what is left out ends no feed. Raises Forbidden."""
        known, found = Known(self.service, caller), list[tuple[int, str, Event, str]]()
        while not found:
            with self.node.store.reading() as connection:
                page = cases.feed(connection, after, FEED_MAX)
            if not page:
                break
            mine = known.of({case_id for _, case_id, _ in page})
            found = [(at, case_id, event, said) for at, case_id, event in page
                     if case_id in mine and (said := told(event)) is not None]
            after = page[-1][0] + 1
        return found

    def checkpoints(self) -> list[dict[str, Any]]:
        """The largest checkpoint each peer has shown us, and one that contradicts it, if it showed two histories."""
        with self.node.store.reading() as connection:
            return [{"peer": peer, "jws": jws, "contradiction": other}
                    for peer, jws, other in work.kept_checkpoints(connection)]

    def directory(self) -> dict[str, Any]:
        """The version that counts, until when, and what it changed (R-34): announced to every officer."""
        directory, now = self.node.directory, self.node.clock.now()
        with self.node.store.reading() as connection:
            told = directories.newest_changes(connection)
        changed = [{"about": one.about, "said": one.said, "revoked": one.revoked and one.revoked.id} for one in told]
        end = directory.valid_until and directory.valid_until.isoformat()
        return {"version": directory.version, "digest": directory.digest, "valid_until": end,
                "stale": directory.is_stale(now), "changes": changed}

    def status(self) -> dict[str, Any]:
        with self.node.store.reading() as connection:
            newest = audit.newest(connection)
            return {"node": self.node.me, "name": self.node.rules.me.name, "country": self.node.rules.me.country,
                    "queued": talk.queued(connection), "unplaced": audit.unplaced(connection),
                    "intents": len(work.open_intents(connection)), "joins": work.open_joins(connection),
                    "cases": len(cases.listed(connection)), "checkpoint": newest[0] if newest else 0,
                    "rules": self.node.rules.digest}


def _end_now(power: Power | None, computed: EndComputed, hold: Hold) -> datetime | None:
    """The end as the law of today has it, of an extended hold that of the longest chain; None where the power is
    adopted no more."""
    if power is None:
        return None
    is_extended = hold.until is not None and hold.until > computed.until
    return power.end(power.chain if is_extended else power.longest, computed.began_at)


def _with_id(tree: object, key: str) -> object:
    """R-02: the id is in the body, or beside it as Idempotency-Key; one of the two, or the same twice."""
    if not key or not isinstance(tree, dict):
        return tree
    if tree.get("id", key) != key:
        raise Malformed("the Idempotency-Key and the id in the body differ: say one of them")
    return {**tree, "id": key}


def _wished(tree: object, key: str) -> tuple[Wish, Any]:
    """A command and its body, each of the class it must be. Raises Malformed."""
    tree = _with_id(tree, key)
    if not isinstance(tree, dict) or "body" not in tree:
        raise Malformed("a command has exactly id, verb, officer, case, request and body")
    wish = read(Wish, {name: item for name, item in tree.items() if name != "body"})
    _check_id(wish.id)
    if wish.verb not in BODIES:
        raise Malformed(f"there is no command {wish.verb[:64]!r}; there are {', '.join(sorted(BODIES))}")
    wanted = BODIES[wish.verb]
    if wanted is None and tree["body"] is not None:
        raise Malformed(f"{wish.verb} has no body: it is null")
    return wish, None if wanted is None else read(wanted, tree["body"])


def _check_id(id: str) -> None:
    if not 0 < len(id) <= ID_MAX:
        raise Malformed(f"an id has 1 to {ID_MAX} characters, not {len(id)}: 32 random hex digits are one (R-02)")


def _object(data: bytes) -> dict[str, Any]:
    tree = parse_json(data)
    assert isinstance(tree, dict)
    return tree


def _hold_row(request: Any, now: datetime) -> dict[str, Any]:
    hold = request.hold
    return {"hold": hold.id, "holder": hold.holder, "state": hold.state, "amount": str(hold.amount),
            "until": hold.until and hold.until.isoformat(), "why": hold.why,
            "marks": list(marks(request, now)),
            "basis": hold.basis and f"{hold.basis.article}, {hold.basis.authority}"}
