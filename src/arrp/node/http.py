"""What peers call: parcels in, receipts out. Identity is the signature inside, never the connection.

Refusals are problem documents (RFC 9457), logged, never a 5xx: that is kept for a store that cannot be
reached (503: send again) and for bugs of ours (500, without internals). The handlers do their work in a
thread, because storage is synchronous; what they read is bounded, in size and time, before it is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from arrp.core.errors import ArrpError, Malformed, NotFound, Unreachable
from arrp.node.documents import Documents
from arrp.node.fetching import NEWEST, PATH, given, tag_of
from arrp.node.hearing import Hearing
from arrp.node.operating import is_ready
from arrp.wire.json_text import BYTES_MAX

log = logging.getLogger("arrp.http")

BODY_SECONDS = 20  # whoever needs longer for a parcel holds a connection, and is told to come again
RETRY_SECONDS = 5


def problem(error: ArrpError) -> JSONResponse:
    """RFC 9457: what was asked, what is there, what to do next. What is wrong inside stays in the log."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _out_of_order(error)
    code = error.code or type(error).__name__.lower()
    said = {"type": f"urn:arrp:problem:{code}", "title": code, "detail": str(error), "exit": error.exit_code}
    return _document(error.status, {**said, "rule": error.rule} if error.rule else said)


async def body_of(request: Request, most: int = BYTES_MAX) -> bytes:
    """The body, read no further than `most` bytes. Raises Malformed, and HTTPException (408) for one that
    does not come in time."""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > most:
                    raise Malformed(f"more than {most} bytes: a parcel is smaller; documents are fetched apart",
                                    code="too-large")
    except TimeoutError:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT,
                            f"not all of it was here within {BODY_SECONDS} seconds: send it again") from None
    return bytes(data)


def peers_app(hearing: Hearing) -> FastAPI:
    """POST /parcels, POST /state, POST /copies, POST /documents, GET /directory/…, GET /health."""
    app = FastAPI(title="ARRP peers", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    answer_problems(app)

    async def parcels(request: Request) -> Response:
        data = await body_of(request)
        receipt = await run_in_threadpool(hearing.parcel, data)
        return Response(receipt, media_type="application/jose+json")

    async def state(request: Request) -> Response:
        data = await body_of(request)

        def compared() -> str:
            return hearing.exchange.answer(data)

        return Response(await run_in_threadpool(compared), media_type="application/jose+json")

    async def documents(request: Request) -> Response:
        given = await run_in_threadpool(Documents.of(hearing.service).give, await body_of(request))
        return Response(given, media_type="application/octet-stream")

    async def copies(request: Request) -> Response:
        data = await body_of(request)
        return Response(await run_in_threadpool(hearing.exchange.copies, data), media_type="application/json")

    def newest(request: Request) -> Response:
        return _directory(hearing, request, None)

    def edition(request: Request, version: Annotated[int, Path(ge=1, lt=1 << 31)]) -> Response:
        return _directory(hearing, request, version)

    def health() -> JSONResponse:
        """Live as long as it answers; ready when it would take a parcel. Nothing else is anybody's business."""
        ready = is_ready(hearing.service)
        return JSONResponse({"live": True, "ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    app.add_api_route("/parcels", parcels, methods=["POST"])
    app.add_api_route("/state", state, methods=["POST"])
    app.add_api_route("/copies", copies, methods=["POST"])
    app.add_api_route("/documents", documents, methods=["POST"])
    app.add_api_route(f"{PATH}/{NEWEST}", newest, methods=["GET"])
    app.add_api_route(f"{PATH}/{{version}}", edition, methods=["GET"])
    app.add_api_route("/health", health, methods=["GET"])
    return app


def _directory(hearing: Hearing, request: Request, version: int | None) -> Response:
    """R-34: signed by its keepers, and secret to nobody."""
    found = given(hearing.service.node.store, version)
    tag = {"etag": tag_of(found.digest)}
    if tag["etag"] in request.headers.get("if-none-match", ""):
        return Response(None, HTTPStatus.NOT_MODIFIED, tag)
    return Response(found.file(), headers=tag, media_type="application/arrp-directory")


# --- one way to fail, for both apps --------------------------------------------------------------------


def answer_problems(app: FastAPI) -> None:
    """Every failure of `app` is a problem document."""
    for error, answer in _ANSWERS.items():
        app.add_exception_handler(error, answer)


def _document(status: int, said: Mapping[str, object], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"status": status, **said}, status, headers, media_type="application/problem+json")


def _of_http(status: int, detail: str, exit_code: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A fault that is not in the bytes has no code of ours: RFC 9457 calls it by what HTTP calls it."""
    title = HTTPStatus(status).phrase
    return _document(status, {"type": "about:blank", "title": title, "detail": detail, "exit": exit_code}, headers)


def _later(detail: str) -> JSONResponse:
    return _of_http(HTTPStatus.SERVICE_UNAVAILABLE, detail, Unreachable.exit_code, {"retry-after": str(RETRY_SECONDS)})


def _out_of_order(error: Exception) -> JSONResponse:
    if isinstance(error, Unreachable):
        return _later(str(error))
    exit_code = error.exit_code if isinstance(error, ArrpError) else ArrpError.exit_code
    return _of_http(HTTPStatus.INTERNAL_SERVER_ERROR, "this node is out of order here: its log says why", exit_code)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ArrpError)
    said = log.warning if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else log.error
    said("refused: %s", error)
    return problem(error)


async def _mistyped(_request: Request, error: Exception) -> Response:
    """What stands in the address itself: an id that cannot be one is not found."""
    assert isinstance(error, RequestValidationError)
    where, name, *_ = error.errors()[0]["loc"]
    wrong = f"{name}: {error.errors()[0]['msg']}"
    return problem(NotFound(wrong) if where == "path" else Malformed(wrong))


async def _not_served(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    missing = error.status_code == HTTPStatus.NOT_FOUND
    return _of_http(error.status_code, error.detail, (NotFound if missing else Malformed).exit_code, error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Whoever sent half a body and left reads no answer."""
    return _of_http(HTTPStatus.BAD_REQUEST, "the connection ended before the body did", Malformed.exit_code)


async def _no_store(_request: Request, error: Exception) -> Response:
    """Nothing of it is written, or nobody knows: said again under the same id it is done once."""
    log.error("the store cannot be reached: %s", error)
    return _later("the store of this node cannot be reached: send the same again")


async def _bug(_request: Request, error: Exception) -> Response:
    """The server writes it into its log, with the way it took."""
    return _out_of_order(error)


_ANSWERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    ArrpError: _refused,
    HTTPException: _not_served,
    RequestValidationError: _mistyped,
    ClientDisconnect: _gone,
    OperationalError: _no_store,
    InterfaceError: _no_store,
    PoolTimeout: _no_store,
    Exception: _bug,
}
