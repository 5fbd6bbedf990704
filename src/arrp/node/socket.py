"""What our own officers and systems call, over an owner-only Unix socket.

The same verbs, words and bodies that `/v1` will publish. The node never signs for an officer: it
gives out the exact bytes of a draft, and takes back signatures over their hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from arrp.core.errors import ArrpError, Malformed, NotFound
from arrp.core.events import Event
from arrp.core.messages import Approval
from arrp.core.protocol import COMMANDS
from arrp.core.sentences import sentence
from arrp.core.step import Command
from arrp.core.sums import money
from arrp.node.http import body_of, problem
from arrp.node.service import Service, retrying
from arrp.node.store import audit, cases, talk, work
from arrp.wire.codec import dumps, parse_json, read
from arrp.wire.envelope import b64

# The body of each verb, as the rules have it; null for those that need none.
BODIES = {verb: None if body is object else body for verb, (_, body) in COMMANDS.items()}


@dataclass(frozen=True, slots=True)
class Signature:
    """An officer's approval of draft `act`, made where the officer's key is."""

    id: str
    act: str
    approval: Approval


def officers_app(service: Service) -> FastAPI:
    """POST /commands, POST /approvals, GET /cases, /cases/{id}, /drafts/{act}, /holds, /log, /status."""
    app = FastAPI(title="ARRP officers", docs_url=None, redoc_url=None, openapi_url=None)
    desk = Desk(service)

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ArrpError)
        return problem(error)

    async def commands(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(desk.command, await body_of(request)))

    async def approvals(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(desk.approve, await body_of(request)))

    app.add_exception_handler(ArrpError, refused)
    app.add_api_route("/commands", commands, methods=["POST"])
    app.add_api_route("/approvals", approvals, methods=["POST"])
    for path, view in (("/cases", desk.cases), ("/cases/{case_id}", desk.case), ("/drafts", desk.drafts),
                       ("/drafts/{act}", desk.draft), ("/holds", desk.holds), ("/log", desk.log),
                       ("/status", desk.status), ("/checkpoints", desk.checkpoints)):
        app.add_api_route(path, view, methods=["GET"], response_model=None)
    return app


class Desk:
    """What an officer may see and say on this node, as JSON."""

    def __init__(self, service: Service) -> None:
        self.service, self.node = service, service.node

    def command(self, data: bytes) -> dict[str, Any]:
        tree = parse_json(data)
        if not isinstance(tree, dict) or tree.keys() != {"id", "verb", "officer", "case", "request", "body"}:
            raise Malformed("a command has exactly id, verb, officer, case, request and body")
        verb = tree["verb"]
        if verb not in BODIES:
            raise Malformed(f"there is no command {verb!r}; there are {', '.join(sorted(BODIES))}")
        wanted = BODIES[verb]
        body = None if wanted is None else read(wanted, tree["body"])
        self.node.rules.me.officer(str(tree["officer"]))
        secret = self.node.clock.salt().hex()
        given = Command(str(tree["id"]), verb, str(tree["officer"]), tree["request"], body, secret)
        case_id, events = retrying(lambda: self.service.command(given, tree["case"]))
        return self._done(case_id, events)

    def approve(self, data: bytes) -> dict[str, Any]:
        said = read(Signature, parse_json(data))
        case_id, events = retrying(lambda: self.service.approve(said.act, said.approval, said.id))
        return self._done(case_id, events)

    def _done(self, case_id: str, events: list[Event]) -> dict[str, Any]:
        with self.node.store.reading() as connection:
            case = self.service.folds.read(connection, case_id)
        drafted = [e.body.act for e in events if e.kind == "Drafted" and e.body.act in case.drafts]
        asked = [e.request for e in events if e.kind == "Request"]
        asked += [e.body.request for e in events if e.kind == "Drafted" and e.body.kind == "Request"]
        return {
            "case": case_id,
            "requests": asked,
            "drafts": [self._draft_row(case.drafts[act], case) for act in drafted],
            "said": [said for event in events if (said := sentence(event))],
        }

    def _draft_row(self, draft: Any, case: Any) -> dict[str, Any]:
        signed = [approval.officer for approval in case.approvals.get(draft.act, ())]
        return {"act": draft.act, "kind": draft.kind, "to": draft.to, "request": draft.request, "needs": draft.needs,
                "signed": signed, "case": case.id}

    def drafts(self) -> list[dict[str, Any]]:
        """Acts that wait for officers' signatures."""
        with self.node.store.reading() as connection:
            found = [self.service.folds.read(connection, row.id) for row in cases.listed(connection)]
        return [self._draft_row(draft, case) for case in found for draft in case.drafts.values()]

    def draft(self, act: str) -> dict[str, Any]:
        """The exact bytes to read and sign."""
        with self.node.store.reading() as connection:
            kept = talk.own_act(connection, self.node.me, act)
        if kept is None:
            raise NotFound(f"there is no draft {act} on this node")
        return {"act": act, "act_hash": kept.act_hash, "salt": b64(kept.salt), "bytes": b64(kept.data)}

    def cases(self) -> list[dict[str, Any]]:
        with self.node.store.reading() as connection:
            return [{"id": row.id, "state": row.state, "title": row.title, "events": row.version,
                     "opened_at": row.opened_at.isoformat(), "due_at": row.due_at and row.due_at.isoformat()}
                    for row in cases.listed(connection) if row.state != "joined"]

    def case(self, case_id: str) -> dict[str, Any]:
        with self.node.store.reading() as connection:
            case = self.service.folds.read(connection, case_id)
            events = cases.log_of(connection, case_id)
        counted = money(case)
        return {
            "id": case.id, "state": case.state, "title": case.title, "loss": case.loss,
            "money": None if counted is None else {
                "loss": str(counted.loss), "missing": str(counted.missing), "terms": counted.terms,
                "surplus": counted.surplus},
            "requests": [parse_json(dumps(request)) for request in case.requests.values()],
            "objections": [parse_json(dumps(objection)) for _, objection in case.objections.values()],
            "drafts": [self._draft_row(draft, case) for draft in case.drafts.values()],
            "returns": [{"request": request, **_object(dumps(stated))} for request, stated in case.returns.values()],
            "needs_a_person": sorted(case.escalated), "anomalies": list(case.anomalies),
            "log": [{"at": e.at.isoformat(), "by": e.by, "kind": e.kind, "said": sentence(e)} for e in events],
        }

    def holds(self) -> list[dict[str, Any]]:
        """What we hold and why, and what others hold for us."""
        with self.node.store.reading() as connection:
            found = [self.service.folds.read(connection, row.id) for row in cases.listed(connection)
                     if row.state != "joined"]
        return [
            {"case": case.id, "request": request.id, "peer": request.peer, **_hold_row(request.hold)}
            for case in found for request in case.requests.values() if request.hold is not None
        ]

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """The change feed: what this node stated itself, in commit order, after a position."""
        with self.node.store.reading() as connection:
            rows = cases.feed(connection, after, 1000)
        return [{"position": at, "case": case_id, "at": event.at.isoformat(), "kind": event.kind, "said": said}
                for at, case_id, event in rows if event.by == self.node.me and (said := sentence(event))]

    def checkpoints(self) -> list[dict[str, Any]]:
        """The largest checkpoint each peer has shown us, and one that contradicts it, if it showed two histories."""
        with self.node.store.reading() as connection:
            return [{"peer": peer, "jws": jws, "contradiction": other}
                    for peer, jws, other in work.kept_checkpoints(connection)]

    def status(self) -> dict[str, Any]:
        with self.node.store.reading() as connection:
            newest = audit.newest(connection)
            return {"node": self.node.me, "name": self.node.rules.me.name, "country": self.node.rules.me.country,
                    "queued": talk.queued(connection), "unplaced": audit.unplaced(connection),
                    "cases": len(cases.listed(connection)), "checkpoint": newest[0] if newest else 0,
                    "rules": self.node.rules.digest}


def _object(data: bytes) -> dict[str, Any]:
    tree = parse_json(data)
    assert isinstance(tree, dict)
    return tree


def _hold_row(hold: Any) -> dict[str, Any]:
    return {"hold": hold.id, "holder": hold.holder, "state": hold.state, "amount": str(hold.amount),
            "until": hold.until and hold.until.isoformat(), "why": hold.why,
            "basis": hold.basis and f"{hold.basis.article}, {hold.basis.authority}"}
