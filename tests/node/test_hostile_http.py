"""Every hostile object of tests/wire, and hostile HTTP, at the port for peers: the right problem, never a 5xx.

What may be anybody's doing is a problem document (RFC 9457) and leaves nothing behind; what its sender
truly signed is a signed refusal that fills its number. After each the next good parcel is applied.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import Message

from arrp.core.errors import Corrupt, Unreachable
from arrp.core.messages import ConversationState, Outcome, StateExchange
from arrp.node import http
from arrp.wire import envelope
from arrp.wire.codec import dumps
from arrp.wire.json_text import BYTES_MAX
from tests.house.test_docs_protocol import PROTOCOL, rows
from tests.node.mouth import receipt_of
from tests.node.target import GOOD, ME, Target, target
from tests.wire.forging import note
from tests.wire.hostile import TABLE
from tests.wire.hostile_json import Row
from tests.wire.samples import FIU, HEAD, NCB, PARCEL, STATE, STRANGER, carrying, jws

STATUS = {code: int(status) for code, status, _, _ in rows(PROTOCOL, "Code", "HTTP", "Receipt", "Meaning")
          if status.isdigit()}
ANY = "any"
PATHS = ("/parcels", "/state", "/copies", "/documents")


@pytest.fixture
def node(store_url: str, tmp_path: Path) -> Iterator[Target]:
    made = target(store_url, tmp_path / "files")
    assert made.accepts()
    yield made
    made.close()


@dataclass(frozen=True)
class Attempt:
    """Where a hostile object is posted, and the code that must come back (`any`: one of the table)."""

    path: str
    body: bytes
    code: str


def attempts(row: Row) -> list[Attempt]:
    """Every way in that the object can take."""
    _name, door, make, code = row
    data = make()
    text = data.decode("utf-8", "replace")
    found = [(path, data, code if door == "JSON" else ANY) for path in PATHS]
    if door == "OPEN":
        found[0] = ("/parcels", data, code)
    elif door == "HEAD":
        found.append(("/parcels", carrying(text), code))
    elif door == "RECEIPT":
        found = [("/parcels", data, ANY), ("/parcels", note(text), ANY), ("/documents", data, ANY)]
    return [Attempt(path, body, "too-large" if len(body) > BYTES_MAX else code) for path, body, code in found]


def fault(answer: Any, code: str) -> str | None:
    """What is wrong with a refusal; None when it is a problem document with that code."""
    if answer.headers["content-type"] != "application/problem+json":
        return f"{answer.status_code} {answer.headers['content-type']}: {answer.text[:80]}"
    said = answer.json()
    known = said["title"] == code or (code == ANY and said["title"] in STATUS)
    whole = (said["type"], said["status"]) == (f"urn:arrp:problem:{said['title']}", answer.status_code)
    if not known or not whole or answer.status_code != STATUS[said["title"]] or not 0 < len(said["detail"]) < 500:
        return f"{answer.status_code} {said}"
    return None


def refused(node: Target, *attempted: Attempt) -> str | None:
    """Post them. What is wrong with an answer, or with what was left behind; None = nothing."""
    before = node.rows()
    answers = ((one, node.peers.post(one.path, content=one.body)) for one in attempted)
    found = [f"{one.path}: {wrong}" for one, answer in answers if (wrong := fault(answer, one.code)) is not None]
    found += [f"{table} has other rows" for table, count in node.rows().items() if count != before[table]]
    return "; ".join(found) or (None if node.accepts() else "the next good parcel was not applied")


def test_every_hostile_object_is_a_problem_and_leaves_nothing(node: Target) -> None:
    table = [row for row in TABLE if row[1] != "HEARD"][:: 1 if node.service.node.store.is_sqlite else 6]
    wrong = [f"{row[1]}: {row[0]}: {found}" for row in table
             if (found := refused(node, *attempts(row))) is not None]
    assert wrong == []


def test_r24_every_object_that_is_truly_its_senders_is_a_signed_refusal(node: Target) -> None:
    wrong = []
    for name, _, make, code in (row for row in TABLE if row[1] == "HEARD"):
        before = node.rows()
        answer = node.peers.post("/parcels", content=make())
        receipt = receipt_of(answer.text)
        found = (answer.status_code, receipt.outcome, receipt.code, receipt.seen, receipt.id)
        wrote = {table: count - before[table] for table, count in node.rows().items() if count != before[table]}
        again = receipt_of(node.peers.post("/parcels", content=make()).text)
        if found != (200, Outcome.REFUSED, code, 1, HEAD.id) or again != receipt:
            wrong.append(f"{name}: {found}")
        if wrote != {"cases": 1, "events": 1, "inbox": 1, "conversations": 1}:
            wrong.append(f"{name} wrote {wrote}")
        node.forget()
        if not node.accepts():
            wrong.append(f"{name}: the next good parcel was not applied")
    assert wrong == []


def test_the_object_they_are_all_made_from_is_heard(node: Target) -> None:
    """Otherwise the tables would prove nothing: it is read, and refused by a rule only."""
    receipt = receipt_of(node.peers.post("/parcels", content=PARCEL).text)
    assert (receipt.outcome, receipt.code) == (Outcome.REFUSED, "unknown-request")


# --- state exchanges ---------------------------------------------------------------------------------------


def stated(**changed: Any) -> bytes:
    return envelope.sign(replace(STATE, **changed), FIU, "k1").encode()


HUGE = tuple(ConversationState(GOOD, 2**63 - 1, -(2**63)) for _ in range(300))
STATES: dict[str, tuple[Callable[[], bytes], str]] = {
    "signed by nobody": (lambda: envelope.sign(STATE, STRANGER, "k1").encode(), "bad-signature"),
    "signed by another": (lambda: envelope.sign(STATE, NCB, "k1").encode(), "bad-signature"),
    "under another key id": (lambda: envelope.sign(STATE, FIU, "k9").encode(), "unknown-key"),
    "from nobody": (lambda: stated(sender="ncb-xx"), "unknown-key"),
    "for another node": (lambda: stated(to="bank-es"), "wrong-addressee"),
    "of another version": (lambda: stated(v=2), "unsupported-version"),
    "of no version": (lambda: stated(v=-1), "unsupported-version"),
    "a head": (lambda: envelope.sign(HEAD, NCB, "k1").encode(), "wrong-type"),
    "a parcel": (lambda: PARCEL, "bad-jws"),
    "the type of a head": (lambda: jws(dumps(STATE), {"alg": "Ed25519", "kid": "k1", "typ": "arrp-head+jws"},
                                       FIU).encode(), "wrong-type"),
    "two texts": (lambda: stated() + stated(), "malformed"),
    "cut short": (lambda: stated()[:-1], "malformed"),
    "no text": (lambda: stated() + b"\xff", "malformed"),
}


@pytest.mark.parametrize("name", STATES)
def test_r28_a_hostile_state_exchange_is_a_problem(node: Target, name: str) -> None:
    make, code = STATES[name]
    assert refused(node, Attempt("/state", make(), code)) is None


@pytest.mark.parametrize("said", [(), HUGE, (ConversationState("", 1, 1), ConversationState("ü" * 5000, -1, 0))])
def test_r28_a_state_exchange_may_say_anything_and_changes_nothing_of_ours(
    node: Target, said: tuple[ConversationState, ...]
) -> None:
    before = node.rows()
    answer = node.peers.post("/state", content=stated(conversations=said))
    assert answer.status_code == 200
    theirs = envelope.verify(StateExchange, answer.content, node.service.node.directory.key_of)
    assert (theirs.sender, theirs.to) == (ME, "fiu-pt")
    assert node.rows() == before
    assert node.accepts()


# --- HTTP itself ---------------------------------------------------------------------------------------------

PLAIN = "about:blank"  # RFC 9457: what is not in the bytes is called what HTTP calls it


def plain_fault(answer: Any, status: int) -> str | None:
    """What is wrong with a refusal that HTTP itself has a word for; None = nothing."""
    if answer.headers["content-type"] != "application/problem+json":
        return f"{answer.status_code} {answer.headers['content-type']}: {answer.text[:80]}"
    said = answer.json()
    if (said["type"], said["title"], said["status"]) != (PLAIN, HTTPStatus(status).phrase, status):
        return str(said)
    return None if answer.status_code == status and said["detail"] else f"{answer.status_code} {said}"


@pytest.mark.parametrize("path", ["/", "/parcel", "/parcels/", "/parcels/1", "/state/x", "/docs", "/openapi.json",
                                  "/commands", "/../node.toml", "/%00", "/%ff", "/\u00e9", "/" + "x" * 5000])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_there_is_not_found(node: Target, path: str, method: str) -> None:
    answer = node.peers.request(method, path, content=PARCEL, follow_redirects=False)
    assert plain_fault(answer, 404) is None


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/parcels"), ("PUT", "/parcels"), ("DELETE", "/parcels"), ("PATCH", "/state"), ("GET", "/state"),
    ("OPTIONS", "/parcels"), ("TRACE", "/state"), ("POST", "/health"), ("BREW", "/parcels"),
])
def test_a_wrong_method_is_told_which_one_is_right(node: Target, method: str, path: str) -> None:
    answer = node.peers.request(method, path, content=PARCEL)
    assert plain_fault(answer, 405) is None
    assert answer.headers["allow"] in ("POST", "GET")


@pytest.mark.parametrize("headers", [
    {"content-type": "text/html"}, {"content-type": "multipart/form-data; boundary=x"}, {"content-type": ""},
    {"content-type": "application/json; charset=utf-16"}, {"content-encoding": "gzip"}, {"expect": "100-continue"},
    {"x-forwarded-for": "127.0.0.1", "x-http-method-override": "DELETE", "host": "bank-es"},
])
def test_bytes_are_judged_by_what_they_are_and_not_by_what_is_said_about_them(
    node: Target, headers: dict[str, str]
) -> None:
    answer = node.peers.post("/parcels", content=node.good(), headers=headers)
    assert (answer.status_code, receipt_of(answer.text).outcome) == (200, Outcome.APPLIED)
    bad = node.peers.post("/parcels", content=gzip.compress(node.good()), headers=headers)
    assert fault(bad, "malformed") is None


def test_a_parcel_of_one_mebibyte_is_read_and_one_byte_more_is_not(node: Target) -> None:
    for size, code in ((BYTES_MAX, "malformed"), (BYTES_MAX + 1, "too-large"), (9 * BYTES_MAX, "too-large")):
        for path in ("/parcels", "/state"):
            assert refused(node, Attempt(path, b'"' + b"a" * (size - 1), code)) is None


def test_what_never_ends_is_read_no_further_than_it_may_be(node: Target) -> None:
    taken = []

    def endless() -> Iterator[bytes]:
        for number in count():
            taken.append(number)
            yield b"a" * 65536

    # The body as the server hands it over, piece by piece: no more of it is asked for than is allowed.
    pieces = endless()

    async def receive() -> Message:
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    status, said = asyncio.run(asked(node, "/parcels", receive))
    assert (status, said["title"]) == (400, "too-large")
    assert len(taken) == BYTES_MAX // 65536 + 1
    assert node.accepts()


def test_a_body_that_does_not_come_is_waited_for_only_so_long(node: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is kept by a peer that sends a byte and then nothing."""
    monkeypatch.setattr(http, "BODY_SECONDS", 0.01)
    pieces = iter([b"{"])

    async def receive() -> Message:
        for piece in pieces:
            return {"type": "http.request", "body": piece, "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError("nothing more ever comes")

    status, said = asyncio.run(asked(node, "/parcels", receive))
    assert (status, said["type"], said["title"]) == (408, PLAIN, "Request Timeout")
    assert node.accepts()


def test_who_leaves_in_the_middle_of_a_body_leaves_nothing(node: Target) -> None:
    before = node.rows()
    for piece in (b"", PARCEL[:100], PARCEL):
        pieces = iter([{"type": "http.request", "body": piece, "more_body": True}, {"type": "http.disconnect"}])

        async def receive(left: Iterator[Message] = pieces) -> Message:
            return next(left)

        status, said = asyncio.run(asked(node, "/parcels", receive))
        assert (status, said["type"]) == (400, PLAIN)
    assert node.rows() == before
    assert node.accepts()


async def asked(node: Target, path: str, receive: Callable[[], Awaitable[Message]]) -> tuple[int, Any]:
    """The app itself, given a body piece by piece."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
             "raw_path": path.encode(), "query_string": b"", "headers": [], "scheme": "http", "server": ("x", 1)}
    await node.peers.app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), path=st.sampled_from(["/parcels", "/state"]))
def test_any_bytes_at_all_are_a_problem(node: Target, data: bytes, path: str) -> None:
    assert fault(node.peers.post(path, content=data), ANY) is None


# --- what is out of order here -------------------------------------------------------------------------------


def test_f12_a_store_that_cannot_be_reached_is_503_and_says_when_to_come_again(
    node: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it was applied, or nobody knows: the sender keeps it and says it again."""
    store = node.service.node.store
    for error in (OperationalError("SELECT secret", {}, Exception("no route to 10.0.0.7")), PoolTimeout("31 in use"),
                  InterfaceError("", {}, Exception("closed")), Unreachable("the store could not commit")):
        monkeypatch.setattr(store, "writing", partial(_fails, error))
        monkeypatch.setattr(store, "reading", partial(_fails, error))
        for answer in (node.peers.post("/parcels", content=PARCEL), node.peers.post("/state", content=stated()),
                       node.officers.get("/cases")):
            assert plain_fault(answer, 503) is None
            assert int(answer.headers["retry-after"]) > 0
            assert "10.0.0.7" not in answer.text
            assert "secret" not in answer.text
        monkeypatch.undo()
    assert node.accepts()


def test_a_bug_of_ours_is_500_and_says_nothing_of_what_is_inside(
    node: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (KeyError("Victim Ltd"), Corrupt("/srv/node.db: Victim Ltd"), AssertionError("Victim Ltd"),
                  DataError("SELECT", {}, Exception("Victim Ltd"))):
        monkeypatch.setattr(node.service.node.store, "writing", partial(_fails, error))
        monkeypatch.setattr(node.service.node.store, "reading", partial(_fails, error))
        for answer in (node.peers.post("/parcels", content=PARCEL), node.officers.get("/cases")):
            assert plain_fault(answer, 500) is None
            assert "Victim" not in answer.text
        monkeypatch.undo()
    assert node.accepts()


@contextmanager
def _fails(error: Exception) -> Iterator[None]:
    raise error
    yield
