"""What an operator asks of the running node, on the owner-only socket: figures, metrics, dead letters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import DBAPIError

from arrp.node.metrics import Metrics, prometheus, words
from arrp.node.service import Service
from arrp.node.store import recovering, talk


def operating(app: FastAPI, service: Service) -> FastAPI:
    """GET /metrics, GET /v1/figures, POST /v1/send-again, beside what officers call."""
    counted = Metrics(service)

    def metrics() -> PlainTextResponse:
        return PlainTextResponse(prometheus(counted.figures()), media_type="text/plain; version=0.0.4; charset=utf-8")

    def figures() -> dict[str, Any]:
        found = counted.figures()
        with service.node.store.reading() as connection:
            anomalies = dict(recovering.anomalies(connection))
        return {**asdict(found), "anomalies": anomalies, "words": words(found)}

    def send_again(peer: str = "") -> dict[str, int]:
        with service.node.store.writing() as connection:
            count = talk.send_again(connection, peer or None, service.node.clock.now())
        service.node.wake()
        return {"queued": count}

    app.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)
    app.add_api_route("/v1/figures", figures, methods=["GET"], include_in_schema=False)
    app.add_api_route("/v1/send-again", send_again, methods=["POST"], include_in_schema=False)
    return app


def is_ready(service: Service) -> bool:
    """Whether a request would be taken now: the store answers, and the node knows what it said (R-29)."""
    try:
        with service.node.store.reading() as connection:
            return not recovering.state(connection).is_on
    except DBAPIError:
        return False
