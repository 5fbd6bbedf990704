"""What an operator sees: figures without people, a doctor who says what to do, dead letters, logs (T28, F17)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from arrp.core.errors import Malformed, Unreachable
from arrp.node import telemetry
from arrp.node.delivery import PROBLEMS_MAX, title_of
from arrp.node.http import peers_app
from arrp.node.metrics import Metrics, prometheus, words
from arrp.node.operating import operating
from arrp.node.store import recovering
from arrp.wire.envelope import Content, open_parcel
from tests.cli.running import at_node, ok
from tests.node.life import LIFE, NODES, count, live, rest
from tests.node.world import PT, World, amount, bank_scene, payment

# Everything in this life that says who somebody is, or what somebody wrote; and how it looks inside bytes.
CANARIES = ("Victim Ltd", "Trading Lda", "invoice redirection", "PT50000201231234567890154", "LT121000011101001000",
            "ES9121000418450200051332", "pt-1'", "lt-1'", "payto:")

BAD = b'{"v":"Victim Ltd","to":"Victim Ltd","urgency":"Victim Ltd","drop_after":"Trading Lda","sealed":"payto:"}'


@pytest.fixture
def written() -> Iterator[StringIO]:
    """All telemetry of all nodes, at its most talkative, as text and as JSON."""
    stream, root = StringIO(), logging.getLogger()
    level, before = root.level, root.handlers[:]
    handlers = [logging.StreamHandler(stream), logging.StreamHandler(stream)]
    handlers[0].setFormatter(telemetry.Text())
    handlers[1].setFormatter(telemetry.Json())
    root.handlers = handlers
    root.setLevel(logging.DEBUG)
    yield stream
    root.handlers = before
    root.setLevel(level)


def asked(world: World, node: str, path: str) -> str:
    app = operating(FastAPI(), world.service(node))
    return TestClient(app).get(path).text


def test_t28_no_log_metric_url_or_health_names_anybody(world: World, written: StringIO) -> None:
    live(world, LIFE)
    told = [asked(world, node, path) for node in NODES for path in ("/metrics", "/v1/figures")]
    for node in NODES:
        hearing = world.members[node].hearing
        assert hearing is not None
        client = TestClient(peers_app(hearing), raise_server_exceptions=False)
        told += [client.get("/health").text, client.post("/parcels", content=BAD).text]
    told += [url for url, _ in world.post.sent]
    everything = "\n".join([written.getvalue(), *told])
    assert [canary for canary in CANARIES if canary in everything] == []
    assert "arrp_holds" in everything


def test_t28_an_error_is_logged_by_its_code_and_place_never_by_its_text(written: StringIO) -> None:
    log = logging.getLogger("arrp.test")
    log.warning("refused: %s", Malformed("the account of Victim Ltd", rule="R-10", code="malformed"))
    log.warning("peer: %s", Unreachable("http://peer does not answer"))
    try:
        raise ValueError("the account of Victim Ltd")
    except ValueError:
        log.exception("work %s failed", 7)
    text = written.getvalue()
    assert "Victim" not in text
    lines = text.splitlines()
    assert lines[0].endswith("WARNING arrp.test refused: Malformed R-10 malformed")
    assert "http://peer does not answer" in lines[2]
    found = json.loads(lines[5])
    assert (found["level"], found["from"], found["said"]) == ("error", "arrp.test", "work 7 failed")
    assert found["thrown"].endswith("ValueError")
    assert "test_operating.py" in found["thrown"]


def test_figures_say_what_waits(world: World) -> None:
    bank_scene(world)
    world.post.lose = lambda url, _: "parcel" if url.startswith("http://ncb-pt") else None
    world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.run(minutes=4)
    found = Metrics(world.service("NCB-ES")).figures()
    peer = next(one for one in found.peers if one.id == "NCB-PT")
    assert (found.queued, found.dead, peer.queued) == (1, 0, 1)
    assert found.oldest == peer.oldest == 240.0
    assert found.needs_a_person >= 1
    text = prometheus(found)
    assert 'arrp_outbox{state="queued"} 1' in text
    assert 'arrp_peer_oldest_seconds{peer="NCB-PT"} 240.0' in text
    assert any("NCB-PT is silent" in line for line in words(found))
    world.post.lose = lambda url, _: None
    world.run(minutes=1)
    rest(world)
    held = Metrics(world.service("BANK-PT")).figures()
    assert held.holds == {"ours provisional": 1}
    assert (held.queued, held.intents, held.joins, held.late) == (0, 0, 0, 0.0)


def test_metrics_are_what_prometheus_reads(world: World) -> None:
    live(world, LIFE[:4])
    text = prometheus(Metrics(world.service("BANK-PT")).figures())
    seen = set[str]()
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            name = line.split()[2]
            assert name not in seen
            seen.add(name)
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            float(value)
            assert name.partition("{")[0] in seen


def test_health_says_ready_and_nothing_else(world: World) -> None:
    service, hearing = world.service("BANK-PT"), world.members["BANK-PT"].hearing
    assert hearing is not None
    client = TestClient(peers_app(hearing))
    assert (client.get("/health").status_code, client.get("/health").json()) == (200, {"live": True, "ready": True})
    with service.node.store.writing() as connection:
        recovering.begin(connection, world.clock.at)
    assert (client.get("/health").status_code, client.get("/health").json()) == (503, {"live": True, "ready": False})


# --- dead letters (R-26) -------------------------------------------------------------------------------------


class Stubborn:
    """A peer that answers with a problem, until it does not."""

    def __init__(self, world: World, code: str) -> None:
        self.world, self.code, self.asked = world, code, 0
        self.post_ = world.post.post

    def minds(self, body: bytes) -> bool:
        return True

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        if self.code and url == "http://ncb-pt/parcels" and self.minds(body):
            self.asked += 1
            return 422, json.dumps({"title": self.code, "detail": "about Victim Ltd"}).encode()
        return self.post_(url, body)


def test_r26_what_a_peer_never_takes_ends_with_a_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Stubborn(world, "unknown-officer")
    world.members["NCB-ES"].worker.delivery.transport = peer  # type: ignore[union-attr]
    bank_scene(world)
    world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.run(minutes=6)
    assert peer.asked == PROBLEMS_MAX + 1, "the last time without its mandate"
    assert count(world, "NCB-ES", "SELECT count(*) FROM outbox WHERE state = 'dead'") == 1
    (case,) = world.cases("NCB-ES")
    assert [what for what in case.escalated if what.startswith("undeliverable")]
    world.run(minutes=2)
    assert peer.asked == PROBLEMS_MAX + 1, "nobody sends it again by himself"

    peer.code = ""
    at_node(monkeypatch, operating(FastAPI(), world.service("NCB-ES")))
    assert ok("node", "send-again", "--home", "x", "--peer", "BANK-PT") == "0 acts are sent again\n"
    assert ok("node", "send-again", "--home", "x", "--peer", "NCB-PT") == "1 acts are sent again\n"
    world.run(minutes=1)
    rest(world)
    assert count(world, "NCB-ES", "SELECT count(*) FROM outbox WHERE state = 'dead'") == 0
    assert world.core("BANK-PT").balance("pt-1").held == amount("62000.00 EUR").minor


class MindsAttached(Stubborn):
    """A peer whose directory says that who approved an attached act has lost that key."""

    def minds(self, body: bytes) -> bool:
        found = open_parcel(body, self.world.members["NCB-PT"].keys.sealing, "NCB-PT")
        return isinstance(found, Content) and bool(found.attached)


def test_r26_a_fault_in_what_is_attached_leaves_no_gap_for_ever(world: World) -> None:
    world.members["NCB-ES"].worker.delivery.transport = MindsAttached(world, "unknown-officer")  # type: ignore[union-attr]
    bank_scene(world)
    world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.run(minutes=6)
    assert count(world, "NCB-ES", "SELECT count(*) FROM outbox WHERE kind = 'Request' AND state = 'refused'") == 1
    assert count(world, "NCB-PT", "SELECT min(seen) FROM conversations WHERE peer = 'NCB-ES'") == 1
    (case,) = world.cases("NCB-ES")
    assert any(what.startswith("refused ") for what in case.escalated), "an officer is told"
    assert not world.core("BANK-PT").holds()


@pytest.mark.parametrize(("answer", "title"), [
    (b'{"title": "unknown-key"}', "unknown-key"), (b"<html>", "unreadable"), (b"[]", "unnamed"), (b"{}", "unnamed"),
    (b'{"title": "a\\nb"}', "unnamed"), (b'{"title": 7}', "unnamed"),
])
def test_of_a_problem_only_the_code_is_kept(answer: bytes, title: str) -> None:
    assert title_of(answer) == title


def test_nothing_is_dead_because_a_peer_is_silent(world: World) -> None:
    world.post.lose = lambda url, _: "parcel" if url == "http://ncb-pt/parcels" else None
    bank_scene(world)
    world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.run(minutes=8)
    assert count(world, "NCB-ES", "SELECT count(*) FROM outbox WHERE state = 'queued'") == 1
