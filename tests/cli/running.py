"""How tests run a command: inside this process, or as a process of its own."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from arrp.cli import app, desk

PASSPHRASE = "correct horse"


@contextmanager
def logging_kept() -> Iterator[None]:
    """A node that was started writes to what stood for its stderr: nobody may after the command is over."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def arrp(*words: object, typed: str | None = None, passphrase: str | None = PASSPHRASE) -> Result:
    """The command inside this process."""
    environment = {"ARRP_PASSPHRASE": passphrase}
    with logging_kept():
        result = CliRunner().invoke(app, [str(word) for word in words], input=typed, env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def ok(*words: object, typed: str | None = None) -> str:
    """What a command that must succeed prints."""
    result = arrp(*words, typed=typed)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def data(*words: object) -> Any:
    """The one JSON value that a command prints."""
    return json.loads(ok(*words, "--json"))


class _Door(httpx2.BaseTransport):
    """The socket of a node that lives in this process."""

    def __init__(self, app: FastAPI) -> None:
        self.desk = TestClient(app, "http://node")

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        found = self.desk.request(request.method, str(request.url), content=request.read(), headers=request.headers)
        return httpx2.Response(found.status_code, headers=found.headers, content=found.content)


def at_node(monkeypatch: pytest.MonkeyPatch, app: FastAPI) -> None:
    """From now on every command's `--home` is the node of that app."""
    monkeypatch.setattr(desk.httpx2, "HTTPTransport", lambda **_: _Door(app))


def process(*words: object, told: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command as people run it."""
    return subprocess.run(
        [sys.executable, "-m", "arrp", *map(str, words)],
        input=told,
        capture_output=True,
        timeout=60,
        start_new_session=True,  # without a terminal: nothing may wait for somebody to type
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
    )
