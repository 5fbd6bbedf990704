"""Telemetry without people: what the process writes to stderr, as text or as one JSON object per line.

Our messages name ids, peers, kinds and codes. What a library or an error says may hold what somebody typed
or sent, so of an exception only its type, code and place are written, never its text (reliability T28).
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import PurePath
from traceback import extract_tb
from types import TracebackType
from typing import Any

from arrp.core.errors import ArrpError, Unreachable


def start(level: str, form: str) -> None:
    """Write to stderr from now on; `form` is text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in ("alembic", "httpx2", "httpcore2", "uvicorn.access"):
        logging.getLogger(library).setLevel(logging.WARNING)


def plain(value: object) -> object:
    """A part of a message as it may be written: an error by its type, rule and code, or by its text if that names
    an address and nothing else."""
    if isinstance(value, Unreachable):
        return str(value)
    if isinstance(value, ArrpError):
        return " ".join(part for part in (type(value).__name__, value.rule, value.code) if part)
    return type(value).__name__ if isinstance(value, BaseException) else value


def said(record: logging.LogRecord) -> str:
    if not isinstance(record.args, tuple):
        return record.getMessage()
    return str(record.msg) % tuple(map(plain, record.args)) if record.args else str(record.msg)


def thrown(error: BaseException | None, trace: TracebackType | None) -> str:
    """Where and what, innermost last: files, lines and names of our own code."""
    places = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in extract_tb(trace)]
    return " > ".join([*places, str(plain(error))])


class Text(logging.Formatter):
    """One line for people."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line = f"{at:%Y-%m-%dT%H:%M:%S}Z {record.levelname} {record.name} {said(record)}"
        return f"{line} [{thrown(*record.exc_info[1:])}]" if record.exc_info else line


class Json(logging.Formatter):
    """One object for machines: at, level, from, said, and thrown where something was."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "from": record.name, "said": said(record),
        }
        if record.exc_info:
            line["thrown"] = thrown(*record.exc_info[1:])
        return json.dumps(line)
