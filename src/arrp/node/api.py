"""The desk over HTTP: `/v1` for officers and systems, and the same thing on the owner-only socket.

One app, two doors: on the socket whoever may open it is the node's own account (callers.owner), over the
network a key says who calls (callers.Keys). OpenAPI 3.1 at /v1/openapi.json; refusals are problem
documents (RFC 9457). An id beside a wish (Idempotency-Key) makes saying it again harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

import arrp
from arrp.connectors import Connector
from arrp.core.errors import Forbidden, Malformed
from arrp.core.law import Form
from arrp.core.messages import DOCUMENT_BYTES_MAX
from arrp.core.money import typed_amount
from arrp.core.request import Ask
from arrp.core.requesting import typed_source
from arrp.law.serving import Wanted, serving, wanted
from arrp.law.telling import law_tree, laws, until_of_power
from arrp.node.access import Access
from arrp.node.advising import Sketch, powers_for
from arrp.node.callers import Caller, Identify, Keys
from arrp.node.desk import BODIES, ID_MAX, Desk, Signature
from arrp.node.documents import Documents
from arrp.node.formalising import formalised
from arrp.node.http import answer_problems, body_of
from arrp.node.need_to_know import Known
from arrp.node.onward import onward_for
from arrp.node.papers import Papers
from arrp.node.service import Service
from arrp.node.tasks import Number, Tasks
from arrp.wire.codec import parse_json
from arrp.wire.json_text import INTEGER_MAX
from arrp.wire.schema import schema_of

ROWS_MAX = 500

Id = Annotated[str, Path(pattern=f"^[!-~]{{1,{ID_MAX}}}$")]
Position = Annotated[int, Query(ge=0, lt=INTEGER_MAX, description="Answer what comes after this position.")]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]  # names a file: nothing else may
Said = Annotated[str, Query(max_length=256, pattern=r"^[^\x00]*$")]  # PostgreSQL has no such text
After = Annotated[str, Query(max_length=ID_MAX, description="Id of the last case of the page before.")]
Place = Annotated[int, Query(ge=0, lt=INTEGER_MAX, description="Which payment of the loss, from 0.")]
Most = Annotated[int, Query(ge=1, le=ROWS_MAX)]
Once = Annotated[str, Header(alias="Idempotency-Key", max_length=ID_MAX,
                             description="Under the same key a wish has the same answer, and no other effect.")]
OnVersion = Annotated[str, Header(alias="If-Match", description="The ETag of the case the wish was made on.")]
Seen = Annotated[str, Header(alias="If-None-Match")]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused: a problem document says what was asked, what is there, what to do next.",
            "content": {"application/problem+json": {"schema": {"type": "object"}}}},
    503: {"description": "The store cannot be reached: say the same again.",
          "content": {"application/problem+json": {"schema": {"type": "object"}}}},
}  # fmt: skip


def desk_app(service: Service, core: Connector | None, identify: Identify) -> FastAPI:
    """Everything the CLI can do, below /v1."""
    app = FastAPI(title="ARRP", version=arrp.__version__, docs_url=None, redoc_url=None,
                  openapi_url="/v1/openapi.json", responses=_PROBLEMS, redirect_slashes=False)
    answer_problems(app)
    desk, access, papers, tasks = Desk(service), Access(service), Papers(service), Tasks(service, core)
    _Door(app, identify).serve(desk, access, papers, tasks)
    return app


class _Door:
    """The routes of one app. Each says which scope it needs; the work is done in a thread."""

    def __init__(self, app: FastAPI, identify: Identify) -> None:
        self.app, self.identify = app, identify

    def needs(self, scope: str) -> Any:
        def caller(authorization: Annotated[str, Header()] = "",
                   arrp_officer: Annotated[str, Header(alias="Arrp-Officer")] = "") -> Caller:
            found = self.identify(authorization, arrp_officer)
            found.check(scope)
            return found

        return Depends(caller)

    def get(self, path: str, view: Callable[..., Any], summary: str) -> None:
        self.app.add_api_route(f"/v1{path}", view, methods=["GET"], response_model=None, summary=summary)

    def post(self, path: str, view: Callable[..., Any], summary: str, body: dict[str, Any]) -> None:
        self.app.add_api_route(f"/v1{path}", view, methods=["POST"], response_model=None, summary=summary,
                               openapi_extra={"requestBody": {"required": True, "content": body}})

    def serve(self, desk: Desk, access: Access, papers: Papers, tasks: Tasks) -> None:
        self._wishes(desk)
        self._views(desk)
        self._law(desk)
        self._access(access)
        self._documents(desk.service)
        self._by_hand(papers, tasks)
        self._keys(desk.service)

    def _wishes(self, desk: Desk) -> None:
        wish, approve = self.needs("wish"), self.needs("approve")

        async def commands(request: Request, key: Once = "", at: OnVersion = "", who: Caller = wish) -> Response:
            data = await body_of(request)
            return JSONResponse(await run_in_threadpool(desk.command, who, data, key, _version(at)))

        async def approvals(request: Request, key: Once = "", who: Caller = approve) -> Response:
            return JSONResponse(await run_in_threadpool(desk.approve, who, await body_of(request), key))

        self.post("/commands", commands, "An officer's wish", _json(_command_schema()))
        self.post("/approvals", approvals, "An officer's signature over a draft", _json(schema_of(Signature)))

    def _views(self, desk: Desk) -> None:
        read = self.needs("read")

        def cases(after: After = "", limit: Most = ROWS_MAX, who: Caller = read) -> Response:
            rows = desk.cases(who, after, limit)
            is_full = len(rows) == limit
            more = {"link": f'</v1/cases?after={rows[-1]["id"]}&limit={limit}>; rel="next"'} if is_full else {}
            return JSONResponse(rows, headers=more)

        def case(case: Id, seen: Seen = "", who: Caller = read) -> Response:
            found = desk.case(who, case)
            tag = f'"{found["version"]}"'
            return Response(status_code=304, headers={"etag": tag}) if seen == tag else JSONResponse(
                found, headers={"etag": tag})

        def powers(case: Id, said: Annotated[Sketch, Depends(_sketch)], who: Caller = read) -> Any:
            return powers_for(desk.service, who, case, said)

        def onward(case: Id, who: Caller = read) -> Any:
            return onward_for(desk.service, who, case)

        self.get("/cases", cases, "The cases of this node")
        self.get("/cases/{case}", case, "One case, whole")
        self.get("/cases/{case}/powers", powers, "Which powers of the requested country may serve a request")
        self.get("/cases/{case}/onward", onward, "Whom to ask next, and why")
        self._feeds(desk, read)

    def _feeds(self, desk: Desk, read: Any) -> None:
        def drafts(who: Caller = read) -> Any:
            return desk.drafts(who)

        def draft(act: Id, who: Caller = read) -> Any:
            return desk.draft(who, act)

        def holds(who: Caller = read) -> Any:
            return desk.holds(who)

        def log(after: Position = 0, who: Caller = read) -> Any:
            return desk.log(who, after)

        def changes(after: Position = 0, who: Caller = read) -> Any:
            return desk.changes(who, after)

        self.get("/drafts", drafts, "Acts that wait for signatures")
        self.get("/drafts/{act}", draft, "The bytes to sign")
        self.get("/holds", holds, "What is held, here and for us")
        self.get("/log", log, "What this node stated, in words")
        self.get("/changes", changes, "Every event in commit order, without anything private")
        for path, view, summary in (("/status", desk.status, "The node itself"),
                                    ("/checkpoints", desk.checkpoints, "Peers' checkpoints, kept as witness"),
                                    ("/directory", desk.directory, "The directory in force, and what it changed")):
            self.get(path, _plain(view, read), summary)

    def _law(self, desk: Desk) -> None:
        """The law files are secret to nobody; what they mean for a hold is its case's."""
        read = self.needs("read")

        def changes(who: Caller = read) -> Any:
            return desk.law_changes(who)

        def listed(seen: Seen = "", _who: Caller = read) -> Response:
            return _tagged(list(laws()), seen)

        def shown(code: Id, seen: Seen = "", _who: Caller = read) -> Response:
            return _tagged(law_tree(code), seen)

        def asked(ask: Ask = Ask.HOLD, amount: Said = "", wallet: bool = False,
                  requester: Annotated[Said, Query(alias="from")] = "") -> Wanted:
            most = typed_amount(amount) if amount else None
            return wanted(ask, wallet, most, requester, desk.node.clock.now())

        question: Any = Depends(asked)

        def powers(code: Id, said: Wanted = question, _who: Caller = read) -> Any:
            return serving(code, said)

        def until(code: Id, power: Said, at: Said, figure: Said = "longest", _who: Caller = read) -> Any:
            return until_of_power(code, power, at, figure)

        self.get("/law", listed, "Every jurisdiction there is a law file for")
        self.get("/law/changes", changes, "Holds whose legal end would be another one today")
        self.get("/law/{code}", shown, "The law of one place, each figure with its source")
        self.get("/law/{code}/powers", powers, "Which powers of one place may serve a request, and what they need")
        self.get("/law/{code}/until", until, "When a time of a power ends, and why then")

    def _access(self, access: Access) -> None:
        read = self.needs("read")

        def subject(account: Said, who: Caller = read) -> Any:
            return access.subject(who, account)

        def looks(case: Said, who: Caller = read) -> Any:
            return access.looks(who, case)

        def letter(case: Id, who: Caller = read) -> Response:
            return PlainTextResponse(access.victim_letter(who, case))

        def notice(request: Id, who: Caller = read) -> Response:
            return PlainTextResponse(access.holder_notice(who, request))

        def formalisation(request: Id, form: Annotated[Form | None, Query(alias="as")] = None, who: Caller = read
                          ) -> Response:
            return PlainTextResponse(formalised(access.service, who, request, form))

        self.get("/requests/{request}/formalisation", formalisation, "A draft of what must follow a hold, to be edited")
        self.get("/subject", subject, "Everything about one account, and who looked")
        self.get("/looks", looks, "Who looked at a case")
        self.get("/cases/{case}/letter", letter, "The letter to the victim")
        self.get("/requests/{request}/notice", notice, "The notice to the account holder")

    def _documents(self, service: Service) -> None:
        document = self.needs("document")

        async def take(request: Request, case: Said = "", about: Annotated[Said, Query(alias="request")] = "",
                       who: Caller = document) -> Response:
            data = await body_of(request, DOCUMENT_BYTES_MAX)
            return JSONResponse(await run_in_threadpool(added, who, (case, about), data))

        def added(who: Caller, where: tuple[str, str], data: bytes) -> Any:
            known = Known(service, who)
            found = known.case(where[0]) if where[0] else known.of_request(where[1])
            return Documents.of(service).add(found.id, data)

        def give(digest: Digest, who: Caller = document) -> Response:
            known = Known(service, who)
            cases, path = known.document(digest), Documents.of(service).files.here(digest)
            for case in cases:
                known.look(case, f"document {digest[:12]}")
            return FileResponse(path, media_type="application/octet-stream", filename=digest,
                                headers={"x-content-type-options": "nosniff"})

        def listed(case: Said, who: Caller = document) -> Any:
            return Documents.of(service).listed(Known(service, who).case(case).id)

        self.post("/documents", take, "A document of ours", {"application/octet-stream": {}})
        self.get("/documents", listed, "The documents of a case")
        self.get("/documents/{digest}", give, "A document as it came")

    def _by_hand(self, papers: Papers, tasks: Tasks) -> None:
        task, read = self.needs("task"), self.needs("read")

        async def do(request: Request, id: Number, who: Caller = task) -> Response:
            return JSONResponse(await run_in_threadpool(tasks.done, who, id, await body_of(request)))

        async def moved(request: Request, ref: Id, who: Caller = task) -> Response:
            return JSONResponse(await run_in_threadpool(tasks.moved, who, ref, await body_of(request)))

        def listed(done: bool = False, who: Caller = task) -> Any:
            return tasks.listed(who, done)

        def shown(id: Number, who: Caller = task) -> Any:
            return tasks.shown(who, id)

        def waiting(who: Caller = read) -> Any:
            return papers.listed(who)

        def letters(name: Id, who: Caller = read) -> Any:
            return papers.of(who, name)

        self.post("/tasks/{id}", do, "What a clerk did", _json({"type": "object"}))
        self.post("/ledgers/{ref}", moved, "What moved on an account", _json({"type": "object"}))
        self.get("/tasks", listed, "What clerks have to do")
        self.get("/tasks/{id}", shown, "One task")
        self.get("/papers", waiting, "What goes on paper")
        self.get("/papers/{name}", letters, "The letters of a request")

    def _keys(self, service: Service) -> None:
        keys, read = Keys(service), self.needs("read")

        async def make(request: Request, who: Caller = read) -> Response:
            officer, scopes, days = _key_wish(parse_json(await body_of(request)))
            _check_owner(who)
            return JSONResponse(await run_in_threadpool(keys.make, officer, scopes, days))

        def listed(who: Caller = read) -> Any:
            _check_owner(who)
            return keys.listed()

        def revoke(id: Id, who: Caller = read) -> Response:
            _check_owner(who)
            keys.revoke(id)
            return Response(status_code=204)

        self.post("/keys", make, "A new key, shown once", _json({"type": "object"}))
        self.get("/keys", listed, "The keys that were made")
        self.app.add_api_route("/v1/keys/{id}", revoke, methods=["DELETE"], response_model=None, status_code=204,
                               summary="A key counts no longer")


def _sketch(ask: Ask = Ask.HOLD, payment: Place = 0, leg: Said = "", account: Said = "", amount: Said = "") -> Sketch:
    """What `request send` would ask. Raises Malformed."""
    return Sketch(ask, typed_source(payment, leg), account, typed_amount(amount) if amount else None)


def _plain(view: Callable[[], Any], caller: Any) -> Callable[..., Any]:
    def answer(_who: Caller = caller) -> Any:
        return view()

    return answer


def _tagged(tree: Any, seen: str) -> Response:
    """What changes with the program only: under its own digest, so that who has it need not be given it again."""
    answer = JSONResponse(tree)
    tag = {"etag": f'"{sha256(bytes(answer.body)).hexdigest()[:32]}"'}
    if seen == tag["etag"]:
        return Response(status_code=304, headers=tag)
    answer.headers.update(tag)
    return answer


def _version(tag: str) -> int | None:
    """`"17"` of If-Match. Raises Malformed."""
    if not tag:
        return None
    digits = tag.strip('"')
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise Malformed(f"If-Match: {tag[:40]!r} is not the ETag of a case")
    return int(digits)


def _key_wish(tree: object) -> tuple[str, tuple[str, ...], int]:
    if not isinstance(tree, dict) or tree.keys() != {"officer", "scopes", "days"}:
        raise Malformed("a key is made for officer, scopes and days")
    officer, scopes, days = tree["officer"], tree["scopes"], tree["days"]
    if not isinstance(officer, str) or type(days) is not int or not isinstance(scopes, list) or not all(
            isinstance(scope, str) for scope in scopes):
        raise Malformed("officer is a text, scopes a list of texts, days a whole number")
    return officer, tuple(scopes), days


def _check_owner(who: Caller) -> None:
    if not who.is_owner:
        raise Forbidden("keys are made and revoked on the machine itself: arrp api", rule="R-90", code="not-your-role")


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _command_schema() -> dict[str, Any]:
    """One shape for each verb: its body is the one the rules want."""
    text: dict[str, Any] = {"type": "string"}
    maybe = {"anyOf": [text, {"type": "null"}]}
    rest = {"id": {**text, "minLength": 1, "maxLength": ID_MAX}, "officer": text, "case": maybe, "request": maybe}
    return {"oneOf": [
        {"type": "object", "additionalProperties": False, "required": ["verb", "officer", "case", "request", "body"],
         "properties": {**rest, "verb": {"const": verb}, "body": schema_of(body) if body else {"type": "null"}}}
        for verb, body in sorted(BODIES.items())
    ]}  # fmt: skip
