"""What peers call: parcels in, receipts out. Identity is the signature inside, never the connection.

Refusals are problem documents (RFC 9457), logged, never a 5xx. The handlers do their work in a
thread, because storage is synchronous; what they read is bounded before it is read.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from arrp.core.errors import ArrpError, Malformed
from arrp.node.hearing import Hearing
from arrp.wire.json_text import BYTES_MAX

log = logging.getLogger("arrp.http")


def problem(error: ArrpError) -> JSONResponse:
    """RFC 9457: what was asked, what is there, what to do next."""
    code = error.code or type(error).__name__.lower()
    said = {"type": f"urn:arrp:problem:{code}", "title": code, "status": error.status, "detail": str(error),
            "exit": error.exit_code}
    return JSONResponse({**said, "rule": error.rule} if error.rule else said, error.status,
                        media_type="application/problem+json")


async def body_of(request: Request, most: int = BYTES_MAX) -> bytes:
    """The body, read no further than `most` bytes. Raises Malformed."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise Malformed(f"more than {most} bytes: a parcel is smaller; documents are fetched apart",
                            code="too-large")
    return bytes(data)


def peers_app(hearing: Hearing) -> FastAPI:
    """POST /parcels, POST /state, GET /health."""
    app = FastAPI(title="ARRP peers", docs_url=None, redoc_url=None, openapi_url=None)
    _answer_problems(app)

    async def parcels(request: Request) -> Response:
        data = await body_of(request)
        receipt = await run_in_threadpool(hearing.parcel, data)
        return Response(receipt, media_type="application/jose+json")

    async def state(request: Request) -> Response:
        data = await body_of(request)

        def compared() -> str:
            theirs = hearing.compare(data.decode("utf-8", "replace"))
            return hearing.state(theirs.sender)

        return Response(await run_in_threadpool(compared), media_type="application/jose+json")

    app.add_api_route("/parcels", parcels, methods=["POST"])
    app.add_api_route("/state", state, methods=["POST"])
    app.add_api_route("/health", lambda: {"node": hearing.node.me, "ok": True}, methods=["GET"])
    return app


def _answer_problems(app: FastAPI) -> None:
    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ArrpError)
        log.warning("refused: %s", error)
        return problem(error)

    handler: Callable[[Request, Exception], Awaitable[Response]] = refused
    app.add_exception_handler(ArrpError, handler)
