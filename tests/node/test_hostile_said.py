"""Officers and peers who may speak, and say anything that can be said: never a 5xx, never a node that stops.

What is no JSON, what is JSON of another shape, and every body that its class lets through: of a command
at the officers' socket, of an act from a peer with a true key. Whatever is refused is a problem document;
afterwards every page still opens, and the worker has nothing that fails again and again.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from starlette.testclient import TestClient

from arrp.core.errors import ArrpError
from arrp.core.events import KINDS
from arrp.core.messages import Urgency
from arrp.core.wishes import Keep, Secure
from arrp.node.api import desk_app
from arrp.node.callers import owner
from arrp.node.desk import BODIES, Signature
from arrp.node.http import peers_app
from arrp.node.store import talk
from arrp.wire.approvals import unb64
from arrp.wire.codec import dumps, parse_json
from arrp.wire.envelope import Routing, seal
from tests.conftest import ENGINES, ON_POSTGRESQL
from tests.node.anything import FIRST, LAST, NO_INDEX_TAKES_IT, anything, spoiled
from tests.node.life import LIFE, about, live
from tests.node.mouth import Mouth, opened, receipt_of
from tests.node.world import BASIS, LT, PT, World, amount
from tests.wire.hostile_json import JSON
from tests.wire.samples import jws

ID = "c" * 32
TIMES = 60  # every verb at least twice, every kind once, for each member or pair


@pytest.fixture(scope="module", params=ENGINES)
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which money is held and one request is decided. What is refused leaves it as it is."""
    folder, numbers = tmp_path_factory.mktemp("held"), count()
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None

    def new_store() -> str:
        name = f"held{next(numbers)}"
        return str(server.create(name)) if server else f"sqlite:///{folder / name}.db"

    made = World(folder, new_store)
    live(made, LIFE[:5])
    yield made
    made.close()
    for number in range(next(numbers) if server else 0):
        server.drop(f"held{number}")


def officers(world: World, member: str) -> TestClient:
    """The owner-only socket, where one of its officers sits."""
    app = desk_app(world.service(member), None, owner)
    who = {"arrp-officer": next(iter(world.members[member].officers))}
    return TestClient(app, "http://node/v1", headers=who, raise_server_exceptions=False)


def is_problem(answer: Any) -> bool:
    return (400 <= answer.status_code < 500 and answer.headers["content-type"] == "application/problem+json"
            and bool(answer.json()["detail"]) and answer.json()["exit"] in (1, 2, 3, 4, 5, 7))


def pages(world: World, member: str) -> list[str]:
    cases = [f"/cases/{case.id}" for case in world.cases(member)]
    acts = [f"/drafts/{draft.act}" for case in world.cases(member) for draft in case.drafts.values()]
    return ["/cases", "/drafts", "/holds", "/log", "/log?after=1", "/status", "/checkpoints", *cases, *acts]


def closed(world: World, member: str) -> list[str]:
    """Pages that do not open."""
    client = officers(world, member)
    return [f"{page}: {answer.text[:200]}" for page in pages(world, member)
            if (answer := client.get(page)).status_code != 200]


def wish(**changed: Any) -> dict[str, Any]:
    whole = {"id": ID, "verb": "see", "officer": "Lina", "case": None, "request": "f" * 32, "body": None}
    return {name: item for name, item in {**whole, **changed}.items() if item is not ...}


# --- the officers' socket ---------------------------------------------------------------------------------


def test_what_is_no_json_is_a_problem_at_the_socket_too(held: World) -> None:
    client = officers(held, "VASP-LT")
    wrong = [f"{path} {name}" for name, _, make, _ in JSON for path in ("/commands", "/approvals")
             if not is_problem(answer := client.post(path, content=make())) or answer.json()["exit"] != 2]
    assert wrong == []


VALUES = (None, True, 0, -1, 2**62, "", "x" * 5000, NO_INDEX_TAKES_IT, "\u202e", [], {}, [["see"]], {"see": 1})


@pytest.mark.parametrize("member", ["id", "verb", "officer", "case", "request", "body"])
def test_a_command_of_another_shape_is_a_problem(held: World, member: str) -> None:
    client = officers(held, "VASP-LT")
    for value in (*VALUES, ...):
        answer = client.post("/commands", content=json.dumps(wish(**{member: value})).encode())
        assert is_problem(answer), f"{value!r}: {answer.status_code} {answer.text[:200]}"
    assert is_problem(client.post("/commands", json=wish(also=1)))
    assert closed(held, "VASP-LT") == []


@pytest.mark.parametrize("member", ["id", "act", "approval"])
def test_an_approval_of_another_shape_is_a_problem(held: World, member: str) -> None:
    client = officers(held, "VASP-LT")
    approval = {"officer": "Lina", "key": "0" * 16, "algorithm": "Ed25519", "signature": "AAAA"}
    whole = {"id": ID, "act": "f" * 32, "approval": approval}
    assert client.post("/approvals", json=whole).status_code == 404
    tried = [{**whole, member: value} for value in VALUES] + [{**whole, "approval": {**approval, name: value}}
                                                              for name in approval for value in VALUES]
    for tree in tried:
        assert is_problem(client.post("/approvals", content=json.dumps(tree).encode())), tree


ACCEPT = {"accepted": True, "reason": None, "basis": None, "until": None, "text": ""}
KEPT = {"amount": "62000.00", "asset": "EUR"}


@pytest.mark.parametrize(("verb", "body"), [
    *(("release", {"to": {**KEPT, "amount": text}, "reason": ""}) for text in (
        "-1.00", "1e3", "1,00", "NaN", "Infinity", "0x10", " 1.00", "1.00 ", "01.00", "1", "1.000", "٦٢.٠٠", "")),
    ("release", {"to": {**KEPT, "amount": 62000}, "reason": ""}),
    ("release", {"to": {**KEPT, "asset": "BTC-ish"}, "reason": ""}),
    ("release", {"to": {**KEPT, "asset": "USD"}, "reason": "", "also": 1}),
    ("release", {"to": KEPT}),
    *(("decide", {**ACCEPT, "until": text}) for text in (
        "2026-03-04", "2026-03-04T09:00:00.000000", "2026-03-04T09:00:00Z", "2026-02-30T09:00:00.000000Z",
        "10000-01-01T00:00:00.000000Z", "0000-01-01T00:00:00.000000Z", "tomorrow", 1772614800, "")),
    ("decide", {**ACCEPT, "accepted": "yes"}),
    ("decide", {**ACCEPT, "accepted": 1}),
    ("decide", {**ACCEPT, "accepted": False, "reason": "BECAUSE"}),
    ("see", {}),
    ("see", {"officer": "Ona"}),
    ("no-such-verb", None),
    ("", None),
])
def test_a_body_that_nobody_could_mean_is_a_problem(held: World, verb: str, body: Any) -> None:
    client, request = officers(held, "VASP-LT"), about(held, "VASP-LT", LT).id
    before = len(held.log("VASP-LT"))
    answer = client.post("/commands", json=wish(verb=verb, request=request, body=body))
    assert is_problem(answer), answer.text
    assert len(held.log("VASP-LT")) == before


@pytest.mark.parametrize("officer", ["Ana", "Rui", "lina", "Lina ", "", "operator", "VASP-LT", "Lina\u200b"])
def test_who_is_not_our_officer_wishes_nothing(held: World, officer: str) -> None:
    answer = officers(held, "VASP-LT").post("/commands", json=wish(officer=officer))
    assert is_problem(answer)
    assert answer.status_code in (404, 422)


def test_one_id_has_one_content(held: World) -> None:
    client, request = officers(held, "VASP-LT"), about(held, "VASP-LT", LT).id
    first = client.post("/commands", json=wish(id="d" * 32, request=request))
    assert first.status_code == 200
    assert client.post("/commands", json=wish(id="d" * 32, request=request)).json() == first.json()
    release = {"verb": "release", "body": {"to": KEPT, "reason": ""}}
    for more in ({"officer": "Ona"}, release):
        answer = client.post("/commands", json=wish(id="d" * 32, request=request, **more))
        assert (answer.status_code, answer.json()["title"]) == (409, "equivocation")
    answer = client.post("/commands", json=wish(id="d" * 32, request=request, case=ID))
    assert (answer.status_code, answer.json()["title"]) == (404, "notfound"), "what is not there is said first (R-92)"


@pytest.mark.parametrize("id", ["x", "0" * 32, "0" * 5000, "%00", "%ff", "..", "a%20b", "%E2%80%AE", "'", "{case}",
                                NO_INDEX_TAKES_IT])
def test_what_no_page_shows_is_not_found(held: World, id: str) -> None:
    client = officers(held, "VASP-LT")
    routes = [route.path for route in client.app.routes if "GET" in route.methods]  # type: ignore[attr-defined]
    assert "/v1/cases/{case}" in routes
    for path in (route.removeprefix("/v1") for route in routes if "{" in route):
        answer = client.get(f"{path.partition('{')[0]}{id}{path.partition('}')[2]}")
        assert is_problem(answer), f"{path}: {answer.status_code} {answer.text[:200]}"


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=9223372036854775808", f"after={10**40}", "after=1.5",
                                   "after=", "after=%00"])
def test_a_position_that_is_none_is_a_problem(held: World, query: str) -> None:
    answer = officers(held, "VASP-LT").get(f"/log?{query}")
    assert is_problem(answer), answer.text
    assert answer.json()["exit"] == 2


@pytest.mark.parametrize("value", ["%00", "x" * 5000, "", "..", "%F0%9F"])
def test_what_a_query_names_need_not_be_there(held: World, value: str) -> None:
    client = officers(held, "VASP-LT")
    for method, path in (("GET", "/documents?case="), ("POST", "/documents?case="), ("POST", "/documents?request=")):
        answer = client.request(method, path + value, content=b"x" if method == "POST" else None)
        assert answer.status_code == 200 or is_problem(answer), f"{method} {path}: {answer.status_code} {answer.text}"


@ON_POSTGRESQL
def test_whatever_an_officer_wishes_the_node_goes_on(world: World, faults: Counter[str]) -> None:
    live(world, LIFE[:5])
    for member in ("VASP-LT", "NCB-ES", "NCB-PT"):
        told = wished_anything(world, member)
        assert min(told[200], told.total() - told[200]) > TIMES // 10, told
        assert closed(world, member) == []
    goes_on(world, faults)


def wished_anything(world: World, member: str) -> Counter[int]:
    """Every verb with any body its class lets through, each draft signed: how often which status came."""
    client, dice, told = officers(world, member), Random(member), Counter[int]()
    cases = [None, ID, *6 * [case.id for case in world.cases(member)]]  # most of them true, or nothing is reached
    requests = [None, ID, *6 * [request for case in world.cases(member) for request in case.requests]]
    for turn in range(TIMES):
        verb = sorted(BODIES)[turn % len(BODIES)]
        wanted = BODIES[verb]
        said = wish(id=f"{turn:032x}", verb=verb, officer=dice.choice(list(world.members[member].officers)),
                    case=dice.choice(cases), request=dice.choice(requests),
                    body=None if wanted is None else sayable(anything(wanted, dice)))
        answer = client.post("/commands", json=said)
        told[answer.status_code] += 1
        assert answer.status_code == 200 or is_problem(answer), f"{said}: {answer.text}"
        for draft in answer.json()["drafts"] if answer.status_code == 200 else ():
            sign(world, client, member, draft["act"])
    return told


def sayable(value: Any) -> Any:
    """Its tree; of what cannot even be written, nothing."""
    try:
        return parse_json(dumps(value))
    except ArrpError:
        return None


def sign(world: World, client: TestClient, member: str, act: str) -> None:
    named = client.get(f"/drafts/{act}").json()["act_hash"]
    for officer in world.members[member].officers:
        signed = Signature(f"{act} {officer}"[-64:], act, world.signature(member, officer, named))
        answer = client.post("/approvals", content=dumps(signed))
        assert answer.status_code == 200 or is_problem(answer), answer.text


class Faults(logging.Handler):
    """What the worker could not do: it says so and goes on, and a test must not miss it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.met = Counter[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.met[f"{record.exc_info[0]} {record.exc_info[1]}"[:300]] += 1


@pytest.fixture
def faults() -> Iterator[Counter[str]]:
    found = Faults()
    logging.getLogger("arrp").addHandler(found)
    yield found.met
    logging.getLogger("arrp").removeHandler(found)


def goes_on(world: World, faults: Counter[str]) -> None:
    """Time passes, and nothing fails for its own reasons."""
    for _ in range(4):
        world.clock.at += timedelta(minutes=20)
        world.settle()
    assert faults == {}


def test_r57_a_review_that_no_calendar_has_is_refused(world: World) -> None:
    """The core would have to be told a day after the last one."""
    live(world, LIFE[:6])
    client, request = officers(world, "VASP-LT"), about(world, "VASP-LT", LT).id
    for at in (LAST, FIRST, world.clock.at + timedelta(days=3651)):
        said = Secure(BASIS, anything(Secure, Random(1)).order, at)
        answer = client.post("/commands", json=wish(id=f"{at.year:032x}", verb="secure", request=request,
                                                    body=sayable(said)))
        assert answer.status_code == 200, answer.text
        (draft,) = answer.json()["drafts"]
        sign(world, client, "VASP-LT", draft["act"])
    hold = about(world, "VASP-LT", LT).hold
    assert hold is not None
    assert hold.state != "secured"


# --- peers -------------------------------------------------------------------------------------------------

PAIRS = (("NCB-ES", "VASP-LT"), ("VASP-LT", "NCB-ES"), ("BANK-PT", "NCB-PT"), ("NCB-PT", "NCB-ES"),
         ("NCB-PT", "BANK-PT"), ("NCB-ES", "NCB-PT"))


def test_whatever_a_peer_says_the_node_goes_on(world: World, faults: Counter[str]) -> None:
    live(world, LIFE[:5])
    told = Counter[str]()
    for sender, to in PAIRS:
        told += said_anything(world, sender, to)
        assert closed(world, to) == []
    assert told["refused"] > len(PAIRS) * TIMES // 3
    assert told["applied"] > len(PAIRS)
    goes_on(world, faults)


def said_anything(world: World, sender: str, to: str) -> Counter[str]:
    """True bodies with fields put in their place, and any body of every kind; signed or not, dated or not."""
    client = TestClient(peers_app(hearing_of(world, to)), raise_server_exceptions=False)
    dice, told = Random(f"{sender} {to}"), Counter[str]()
    with world.service(to).node.store.reading() as connection:
        (conversation,) = talk.with_peer(connection, sender)
    true = {event.kind: event.body for id in world.members for event in world.log(id)}
    mouth = Mouth(world, sender, to, conversation.request, said=conversation.seen, ids=10**9)
    kinds = [kind for kind in KINDS if kind != "Withdraw"]  # which would end the conversation
    for turn in range(TIMES):
        kind = kinds[turn % len(kinds)]
        is_near = kind in true and dice.random() < 0.7
        body = spoiled(true[kind], dice) if is_near else anything(KINDS[kind].body, dice)
        by = tuple(world.members[sender].officers)[: dice.choice((0, 1, 2, 2))]
        until = dice.choice((None, world.clock.at + timedelta(hours=1), FIRST, LAST))
        try:
            parcel = mouth.parcel(kind, body, by=by, until=until)
        except ArrpError:  # it cannot even be written
            mouth.said -= 1
            continue
        answer = client.post("/parcels", content=parcel)
        assert answer.status_code == 200 or is_problem(answer), f"{kind} {body}: {answer.text}"
        told[receipt_of(answer.text).outcome if answer.status_code == 200 else answer.json()["title"]] += 1
        mouth.said -= answer.status_code != 200
    return told


def hearing_of(world: World, id: str) -> Any:
    hearing = world.members[id].hearing
    assert hearing is not None
    return hearing


@pytest.mark.parametrize("changed", [
    {"number": 0}, {"number": -1}, {"number": 2**31}, {"number": 2**62}, {"id": ""}, {"id": "0" * 33}, {"id": "G" * 32},
    {"id": "A" * 32}, {"id": NO_INDEX_TAKES_IT}, {"request": ""}, {"request": NO_INDEX_TAKES_IT},
    {"request": "0" * 31}, {"request": None},
])
def test_r02_a_name_that_no_store_takes_is_a_problem(held: World, changed: dict[str, Any]) -> None:
    """Truly signed by a peer, and of no use: it takes no number, and nobody fails over it."""
    mouth = Mouth(held, "NCB-ES", "VASP-LT", about(held, "VASP-LT", LT).id, said=1)
    keys = held.members["NCB-ES"].keys
    good = mouth.parcel("Keep", Keep(amount("38000.00 EUR"), False))
    whole = opened(held, mouth, good)
    head = {**json.loads(unb64(json.loads(whole.head)["payload"])), **changed}
    header = {"alg": "Ed25519", "kid": keys.signing_id, "typ": "arrp-head+jws"}
    forged = replace(whole, head=jws(json.dumps(head).encode(), header, keys.signing))
    routing = Routing("VASP-LT", Urgency.URGENT, held.clock.at + timedelta(days=7))
    client = TestClient(peers_app(hearing_of(held, "VASP-LT")), raise_server_exceptions=False)
    before = len(held.log("VASP-LT"))
    answer = client.post("/parcels", content=seal(forged, routing, held.members["VASP-LT"].keys.sealing.public_key()))
    assert is_problem(answer), answer.text
    assert len(held.log("VASP-LT")) == before
    assert receipt_of(client.post("/parcels", content=good).text).outcome == "applied"


@pytest.mark.parametrize("name", ["loss", "stated_by"])
def test_r03_a_loss_whose_name_no_index_takes_is_refused(held: World, name: str) -> None:
    asked = replace(about(held, "NCB-PT", PT).body, **{name: NO_INDEX_TAKES_IT})  # type: ignore[arg-type]
    mouth = Mouth(held, "NCB-ES", "NCB-PT", "e" * 32)
    client = TestClient(peers_app(hearing_of(held, "NCB-PT")), raise_server_exceptions=False)
    answer = client.post("/parcels", content=mouth.parcel("Request", asked, by=("Ana", "Ben"), until=LAST))
    assert answer.status_code == 200 or is_problem(answer), answer.text
