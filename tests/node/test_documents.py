"""Documents go to those they were named to, whole or not at all, and go with their case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from arrp.core.errors import Malformed, NotFound, Refused
from arrp.core.events import Erased, GiveMore, Resolved, Withdraw
from arrp.core.messages import DOCUMENT_BYTES_MAX, PAGE_BYTES, DocumentAsk
from arrp.core.request import Document
from arrp.node import telemetry
from arrp.node.api import desk_app
from arrp.node.callers import owner
from arrp.node.documents import Documents
from arrp.node.files import Files
from arrp.node.store import documents
from arrp.node.store.documents import Needed
from arrp.wire.document import open_page
from arrp.wire.envelope import VERSION, sign
from tests.node.life import LIFE, live, the_loss
from tests.node.world import PT, World, payment

ORDER = b"%PDF-1.7 an order " * 70_000  # three pages


@pytest.fixture
def world(world: World, tmp_path: Path) -> World:
    """After the request was sent, with a folder for the files of each node."""
    live(world, LIFE[:4])
    for id, member in world.members.items():
        assert member.service is not None
        member.service.node = replace(member.service.node, files=Files(tmp_path / id / "documents"))
    return world


def desk(world: World, id: str) -> Documents:
    return Documents.of(world.service(id))


def asked(world: World) -> str:
    return next(r.id for r in the_loss(world).requests.values() if r.peer == "NCB-PT")


def give(world: World, data: bytes = ORDER) -> Document:
    """NCB-ES names a document to NCB-PT in its conversation."""
    added = desk(world, "NCB-ES").add(the_loss(world).id, data)
    named = Document(added["digest"], "order", "application/pdf", added["bytes"])
    world.officer("NCB-ES", "give-more", GiveMore((named,), "the order"), request=asked(world))
    return named


def has(world: World, id: str, digest: str) -> bool:
    with world.service(id).node.store.reading() as connection:
        here = documents.is_here(connection, digest)
    assert desk(world, id).files.path(digest).exists() == here, "a row without a file, or a file without a row"
    return here


def test_r58_it_goes_to_whom_it_was_named_and_down_to_the_bank(world: World) -> None:
    named = give(world)
    world.run(minutes=3)
    for id in ("NCB-ES", "NCB-PT", "BANK-PT"):
        assert has(world, id, named.digest), id
        assert desk(world, id).files.path(named.digest).read_bytes() == ORDER
    assert not desk(world, "VASP-LT").files.folder.exists()


def ask(world: World, by: str, digest: str, request: str, offset: int = 0) -> bytes:
    keys = world.service(by).node.keys
    said = DocumentAsk(VERSION, by, "NCB-ES", world.clock.now(), request, digest, offset)
    return desk(world, "NCB-ES").give(sign(said, keys.signing, keys.signing_id).encode())


def test_r58_nobody_else_is_given_it(world: World) -> None:
    named = give(world)
    for by, request in (("VASP-LT", asked(world)), ("BANK-PT", asked(world)), ("NCB-PT", "00" * 16)):
        with pytest.raises(NotFound, match="was named to") as refused:
            ask(world, by, named.digest, request)
        assert refused.value.code == "no-document"
    page = ask(world, "NCB-PT", named.digest, asked(world), PAGE_BYTES)
    key = world.service("NCB-PT").node.keys.sealing
    assert open_page(page, (key,), named.digest, PAGE_BYTES) == ORDER[PAGE_BYTES:2 * PAGE_BYTES]
    with pytest.raises(Refused):
        open_page(page, (key,), named.digest, 0)
    with pytest.raises(Refused):
        open_page(page, (world.service("VASP-LT").node.keys.sealing,), named.digest, PAGE_BYTES)


def test_r58_an_ask_that_was_overheard_is_of_no_use_later_or_elsewhere(world: World) -> None:
    named, keys = give(world), world.service("NCB-PT").node.keys
    said = DocumentAsk(VERSION, "NCB-PT", "NCB-ES", world.clock.now(), asked(world), named.digest, 0)
    jws = sign(said, keys.signing, keys.signing_id).encode()
    with pytest.raises(Refused, match="asked of NCB-ES"):
        desk(world, "BANK-PT").give(jws)
    world.run(minutes=6)
    with pytest.raises(Refused, match="asked of NCB-ES"):
        desk(world, "NCB-ES").give(jws)


def test_r58_other_bytes_than_the_digest_says_are_not_kept(world: World) -> None:
    named = give(world)
    desk(world, "NCB-ES").files.path(named.digest).write_bytes(b"something else")
    world.run(minutes=3)
    assert not has(world, "NCB-PT", named.digest)
    desk(world, "NCB-ES").files.path(named.digest).write_bytes(ORDER)
    world.run(minutes=70)
    assert has(world, "NCB-PT", named.digest), "it is asked for again"


def test_r58_a_document_that_is_not_here_is_not_named(world: World) -> None:
    missing = Document("ab" * 32, "order", "application/pdf", 10)
    with pytest.raises(Refused, match="is not on this node") as refused:
        world.officer("NCB-ES", "give-more", GiveMore((missing,), ""), request=asked(world))
    assert refused.value.code == "no-document"


def test_r58_a_row_whose_file_was_not_restored_is_said_to_be_missing(world: World) -> None:
    """A backup holds the store and no documents: who asks is told so, and no look is kept of what nobody saw."""
    named, service = give(world), world.service("NCB-ES")
    client = TestClient(desk_app(service, None, owner), headers={"arrp-officer": "Ana"}, raise_server_exceptions=False)
    assert client.get(f"/v1/documents/{named.digest}").content == ORDER
    before = looks(world)
    assert before > 0
    desk(world, "NCB-ES").files.path(named.digest).unlink()
    answer = client.get(f"/v1/documents/{named.digest}")
    assert (answer.status_code, answer.json()["title"]) == (404, "no-document")
    assert looks(world) == before
    with pytest.raises(NotFound, match="is not on this node"):
        ask(world, "NCB-PT", named.digest, asked(world))


def looks(world: World) -> int:
    with world.service("NCB-ES").node.store.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM looks")).scalar_one())


def test_t28_what_a_peer_answers_instead_of_a_document_is_logged_by_its_code(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Saying:
        def post(self, url: str, body: bytes) -> tuple[int, bytes]:
            return 404, b'{"title": "no-document", "detail": "Victim Ltd has none"}'

    desk(world, "NCB-PT").fetch(Needed("ab" * 32, "c", "NCB-ES", asked(world), 1, None, 0, world.clock.at), Saying())
    [line] = [telemetry.said(record) for record in caplog.records if record.name == "arrp.documents"]
    assert line.endswith("of NCB-ES: NCB-ES answers 404 no-document")


def test_r58_what_is_no_document(world: World) -> None:
    mine = desk(world, "NCB-ES")
    with pytest.raises(Malformed, match="empty"):
        mine.add(the_loss(world).id, b"")
    with pytest.raises(Malformed, match="at most") as refused:
        mine.files.take([b"x" * DOCUMENT_BYTES_MAX, b"x"])
    assert refused.value.code == "too-large"
    assert not list(mine.files.folder.iterdir()), "nothing half done stays"
    for name in ("../node.toml", "AB" * 32, "", "ab"):
        with pytest.raises(Malformed, match="no SHA-256"):
            mine.files.path(name)


def test_r58_r65_a_file_goes_with_the_last_case_that_needs_it(world: World) -> None:
    named = give(world)
    world.run(minutes=3)
    other = world.report(payment("5.00 EUR", PT, "P9"), loss="L9")
    desk(world, "NCB-ES").add(other, ORDER)
    for id, case in (("NCB-ES", the_loss(world).id), ("NCB-ES", other)):
        assert has(world, id, named.digest), "another case still needs it"
        end(world, case)
    assert not has(world, "NCB-ES", named.digest)
    with pytest.raises(NotFound):
        ask(world, "NCB-PT", named.digest, asked(world))


def end(world: World, case: str) -> None:
    """Withdraw what is open, close, erase."""
    for request in next(found for found in world.cases("NCB-ES") if found.id == case).wishes:
        world.officer("NCB-ES", "withdraw", Withdraw("wrong"), request=request.id, by=("Ana",))
    world.run(minutes=3)
    world.officer("NCB-ES", "resolve", Resolved("unfounded"), case=case)
    world.officer("NCB-ES", "close", Resolved("unfounded"), case=case)
    world.officer("NCB-ES", "erase", Erased("GDPR art. 17"), case=case)
