"""T28: personal values in every place that a report, a request, an objection, a letter, a document or a paper has;
and the places where none of them may ever stand: telemetry, addresses, figures, health, problem documents of both
doors, for what is refused and for what cannot be read, the tables that remember what was said, texts of exceptions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from io import StringIO
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from arrp.core.events import HandedOver, Withdraw
from arrp.core.facts import Corrected
from arrp.node import telemetry
from arrp.node.api import desk_app
from arrp.node.callers import owner
from arrp.node.desk import BODIES
from arrp.node.files import Files
from arrp.node.http import peers_app
from arrp.node.operating import operating
from arrp.wire.approvals import unb64
from arrp.wire.schema import schema_of
from tests.conftest import ABOVE_THE_STORE
from tests.node.life import LIFE, NODES, live, the_loss
from tests.node.mouth import Mouth
from tests.node.world import World

WORD = "Kanarienvogel"
ACCOUNT = "payto://iban/DE75512108001245126199"
MAIL = "kanarienvogel@example.org"
# What says who somebody is or what somebody wrote: planted by these tests, or by the life they live through.
CANARIES = (WORD, "kanarienvogel", "DE755121", "Victim Ltd", "Trading Lda", "invoice redirection", "PT5000020123",
            "LT1210000111", "ES91210004")


@pytest.fixture
def written() -> Iterator[StringIO]:
    """All telemetry of all nodes, at its most talkative, as text and as JSON."""
    stream, root = StringIO(), logging.getLogger()
    level, before = root.level, root.handlers[:]
    root.handlers = [logging.StreamHandler(stream), logging.StreamHandler(stream)]
    root.handlers[0].setFormatter(telemetry.Text())
    root.handlers[1].setFormatter(telemetry.Json())
    root.setLevel(logging.DEBUG)
    yield stream
    root.handlers = before
    root.setLevel(level)


# Not yet: what cannot be an account, and the name of a field that does not exist, is repeated to who sent it.
REPEATED = ("is not a field of this object", "names no account we know how to find", "is not an account by itself")


def named(told: str) -> list[str]:
    """Persons in what was told."""
    return [canary for canary in CANARIES if canary in told]


def leaks(answer: str) -> list[str]:
    """Persons in one answer, but for lines in which something is only said back to who sent it (REPEATED)."""
    return [canary for line in answer.splitlines() if not any(said in line for said in REPEATED)
            for canary in named(line)]


def desk(world: World, node: str) -> TestClient:
    service = world.service(node)
    app: FastAPI = operating(desk_app(service, None, owner), service)
    officer = next(iter(world.members[node].officers))
    return TestClient(app, headers={"arrp-officer": officer}, raise_server_exceptions=False)


def peers(world: World, node: str) -> TestClient:
    hearing = world.members[node].hearing
    assert hearing is not None
    return TestClient(peers_app(hearing), raise_server_exceptions=False)


# --- everything that can be typed, wrongly -------------------------------------------------------------------------

BAD: tuple[Any, ...] = (WORD, MAIL, ACCOUNT, f"payto://iban/{WORD}", {WORD: MAIL}, [WORD, [MAIL]])


def planted(hint: Any, private: bool = False) -> Iterator[Any]:
    """Values of a body with a person in one private place (R-60) after another, whether it can be read there or not.
    What stands in the other places are codes, ids and sums: what is wrong there may be repeated to who typed it."""
    inner = [part for part in get_args(hint) if part not in (NoneType, ...)]
    if inner:
        for part in inner:
            many = get_origin(hint) is tuple
            yield from ([value] if many else value for value in planted(part, private))
    elif is_dataclass(hint):
        plain, hints = example(schema_of(hint)), get_type_hints(hint)
        for part in fields(hint):
            name = part.metadata.get("name", part.name)
            for value in planted(hints[part.name], private or bool(part.metadata.get("private"))):
                yield {**plain, name: value}
    if private:
        yield from BAD


def example(schema: dict[str, Any]) -> Any:
    if "anyOf" in schema:
        return None
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: example(part) for name, part in schema.get("properties", {}).items()}
    return {"array": [], "integer": 0, "boolean": False, "string": ""}.get(str(kind))


@ABOVE_THE_STORE
def test_t28_no_problem_document_of_v1_repeats_a_person(world: World, written: StringIO) -> None:
    """Each verb, with a person in each of its private places: refused, unread or taken, its problem names nobody."""
    live(world, LIFE[:4])
    found, refused = set(), 0
    for node in ("NCB-ES", "VASP-LT"):
        client, officer = desk(world, node), next(iter(world.members[node].officers))
        case = next(case for case in world.cases(node) if case.requests)
        request = next(iter(case.requests))
        for verb, body in BODIES.items():
            for number, value in enumerate(planted(body) if body else [WORD]):
                said = {"id": f"{verb} {number}"[:64], "verb": verb, "officer": officer, "case": None,
                        "request": request, "body": value}
                answer = client.post("/v1/commands", json=said)
                assert answer.status_code < 500, (verb, value, answer.text)
                if answer.status_code >= 400:
                    refused += 1
                    found |= {(verb, answer.json()["detail"]) for _ in leaks(answer.text)}
    assert sorted(found) == []
    assert refused > 100
    assert "refused: Malformed" in written.getvalue()
    assert named(written.getvalue()) == []


# --- what peers send, and what we answer them ----------------------------------------------------------------------


@pytest.mark.parametrize("spoilt", [
    lambda data: data.replace(b'"wrong report"', b'{"%s":"%s"}' % (WORD.encode(), MAIL.encode())),
    lambda data: data.replace(b'"wrong report"', b'["%s"]' % ACCOUNT.encode()),
    lambda data: data[:-1] + b',"kind":"%s"}' % WORD.encode(),
    lambda data: data.replace(b"wrong report", f"{WORD} {MAIL} {ACCOUNT}".encode()),
])
def test_t28_no_answer_to_a_peer_and_no_log_repeats_a_person(world: World, written: StringIO, spoilt: Any) -> None:
    """Sealed and signed, but wrong inside: the receipt says what is wrong and repeats nobody; in clear: the same."""
    live(world, LIFE[:4])
    request = next(r.id for r in the_loss(world).requests.values() if r.peer == "NCB-PT")
    mouth = Mouth(world, "NCB-ES", "NCB-PT", request, said=9, ids=700)
    parcel = mouth.parcel("Withdraw", Withdraw("wrong report"), by=("Ana",), data=spoilt)
    client = peers(world, "NCB-PT")
    told = [client.post("/parcels", content=parcel)]
    for path in ("/parcels", "/state", "/copies", "/documents"):
        for body in (WORD.encode(), f'{{"{WORD}":"{MAIL}","to":"{ACCOUNT}"}}'.encode(),
                     f'{{"v":"{WORD}","to":"{WORD}","urgency":"{MAIL}","drop_after":"{WORD}","sealed":""}}'.encode(),
                     f'{{"payload":"{WORD}","protected":"{WORD}","signature":"{WORD}"}}'.encode()):
            told.append(client.post(path, content=body))
    assert [answer.status_code for answer in told if answer.status_code >= 500] == []
    clear = [unb64(answer.json()["payload"]).decode() if "jose" in answer.headers["content-type"] else answer.text
             for answer in told]
    assert [leaks(one) for one in clear if leaks(one)] == []
    assert "refused: Malformed" in written.getvalue()
    assert named(written.getvalue()) == []


# --- what a story leaves behind ------------------------------------------------------------------------------------


def test_t28_a_life_leaves_persons_only_where_they_belong(world: World, written: StringIO, tmp_path: Path) -> None:
    """After a life with a person in each field that people type, they stand in no log, address, figure, health, nor
    in a table that outlives the erasure of the case or is read by machines."""
    live(world, LIFE[:4])
    for id in NODES:
        service = world.service(id)
        service.node = replace(service.node, files=Files(tmp_path / id))
    case, client = the_loss(world).id, desk(world, "NCB-ES")
    request = next(r.id for r in the_loss(world).requests.values() if r.peer == "NCB-PT")
    world.officer("NCB-ES", "hand-over", HandedOver("Ben", f"{WORD} {MAIL}"), case=case)
    world.officer("NCB-ES", "correct", Corrected("", "person", f"{WORD}, {ACCOUNT}"), request=request)
    assert client.post("/v1/documents", params={"case": case}, content=f"{WORD} {MAIL}".encode()).status_code == 200
    world.run(minutes=2)
    told = [world_answer(world, node, path) for node in NODES for path in ("/metrics", "/v1/figures", "/v1/status",
                                                                          "/v1/changes", "/v1/directory")]
    told += [peers(world, node).get("/health").text for node in NODES] + [url for url, _ in world.post.sent]
    assert [one for one in told if named(one)] == []
    assert named(written.getvalue()) == []
    for node in NODES:
        for table in ("given", "looks", "intents", "cases", "conversations", "asked", "peers", "documents", "inbox"):
            assert named(rows(world, node, table)) == [], (node, table)


def world_answer(world: World, node: str, path: str) -> str:
    answer = desk(world, node).get(path)
    assert answer.status_code == 200, path
    return answer.text


def rows(world: World, node: str, table: str) -> str:
    """A table as text, but for the title by which people know a case: it is erased with the case."""
    with world.service(node).node.store.reading() as connection:
        found = connection.execute(text(f"SELECT * FROM {table}")).mappings()
        return "\n".join(str({name: value for name, value in row.items() if (table, name) != ("cases", "title")})
                         for row in found)
