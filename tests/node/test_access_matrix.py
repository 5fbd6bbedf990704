"""R-92, T19: every way of `/v1` x every kind of object x every kind of caller, and what must come in each cell.

The ways are those that the app itself has: a new one without a row here fails. What somebody may not know
answers exactly like what is not there: the same status, the same words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient, Response

from arrp.connectors.tasks import Line, Result
from arrp.core.events import HandedOver, Release, Restricted
from arrp.core.facts import Corrected
from arrp.core.mandate import Mandate
from arrp.core.period import Period
from arrp.core.policy import Officer
from arrp.law.calendars import OwnDays, around
from arrp.node.api import desk_app
from arrp.node.callers import SCOPES, Keys, owner
from arrp.node.documents import Documents
from arrp.node.files import Files
from arrp.node.operating import operating
from arrp.node.papers import Papers
from arrp.node.tasks import Moved, Tasks
from arrp.wire.codec import dumps, parse_json
from tests.conftest import ABOVE_THE_STORE
from tests.node import world as worlds
from tests.node.life import say
from tests.node.test_paper import DE, NCB_DE, listed
from tests.node.world import START, World, amount, payment, restarted

NODES = ("NCB-ES", "BANK-PT")
PEOPLE = {"NCB-ES": ("Ana", "Ben"), "BANK-PT": ("Tom", "Ivo")}  # who is named in `mine`, and who in `theirs`
IBANS = ("PT50000201231234567890154", "PT41000201231234567810000", "PT57000201231234567810100")
GERMAN = (DE, "payto://iban/DE02120300000000202051", "payto://iban/DE75512108001245126199")
LEDGERS = ("001", "002", "003")
Door = Callable[..., Response]  # method, path, and what httpx2 calls what is said
BEFORE = START - timedelta(minutes=30)
LAW = replace(worlds.LAW, longest=Period(3, "working days"), calendar=around("PT", "Europe/Lisbon", START))
LATE = OwnDays({START.date() + timedelta(days=1): "announced late"})


@dataclass
class Thing:
    """A case, and one of everything that leads into it. `kind`: open | mine | theirs | missing."""

    kind: str
    case: str = "c" * 32
    request: str = "d" * 32
    draft: str = "e" * 32
    second: str = "f" * 32  # another draft
    digest: str = "ab" * 32
    reference: str = "U3F-5VR-JCW"
    account: str = "payto://iban/DE89370400440532013000"
    task: str = "77"
    ledger: str = "999"

    def names(self) -> list[str]:
        """Longest first: a digest is shown by how it begins."""
        return [self.case, self.request, self.draft, self.second, self.digest, self.digest[:12], self.reference]


@dataclass(frozen=True)
class Caller:
    """Who calls, and how. `person`: 0 is named in `mine`, 1 in `theirs`; else what they are."""

    name: str
    person: int | str
    door: str = "key"  # key | socket | stranger
    scopes: tuple[str, ...] = SCOPES


CALLERS = (
    *(Caller(name, 0, "stranger") for name in ("no key", "a revoked key", "a key that is none")),
    *(Caller(f"a key to {scope} only", 0, scopes=(scope,)) for scope in SCOPES),
    Caller("the first officer's key", 0), Caller("the other officer's key", 1), Caller("the operator's key", "Oli"),
    Caller("the socket, nobody named", "", "socket"), Caller("the socket, the first officer", 0, "socket"),
    Caller("the socket, the other officer", 1, "socket"), Caller("the socket, the operator", "Oli", "socket"),
    Caller("the socket, somebody unknown", "Zed", "socket"),
)  # fmt: skip


@dataclass
class Asking:
    """One caller at one node's door. Nothing in the scene changes what may be read: what is asked twice in the same
    words (a list, for each thing that may be in it) is answered once."""

    caller: Caller
    door: Door
    headers: dict[str, str]
    officer: str
    world: World
    node: str
    answered: dict[str, Response] = field(default_factory=dict)

    def get(self, path: str) -> Response:
        if path not in self.answered:
            self.answered[path] = self.door("GET", path, headers=self.headers)
        return self.answered[path]

    def post(self, path: str, said: Any = None, **headers: str) -> Response:
        what = {"content": said} if isinstance(said, bytes) else {"json": said}
        return self.door("POST", path, **what, headers={**self.headers, **headers})

    @property
    def speaker(self) -> str:
        """Who signs, wishes or types: on the socket somebody is named in what is said."""
        return self.officer or PEOPLE[self.node][0]


@dataclass(frozen=True)
class Row:
    """One way: which scope it needs, how it is called about a thing, what comes for one that may be known."""

    scope: str
    ask: Callable[[Asking, Thing], Response]
    at: str = "NCB-ES"
    ok: int = 200
    about: str = "object"  # object | list (of what may be known) | node (no case's) | owner (no case's, socket only)
    speaks: bool = False  # names an officer in what is said
    helpless: int = 403  # what comes for somebody whose role does not carry it, whatever is asked
    mark: Callable[[Thing], str] = field(default=lambda thing: thing.case)  # by what a list shows that it has it
    roles: bool = False  # only for a role that must be shown: on the socket, too, somebody is named


def get(path: str) -> Callable[[Asking, Thing], Response]:
    return lambda asking, thing: asking.get(path.format(thing=thing))


def wish(verb: str, body: Callable[[Asking], Any], *, by: str, at: str = "") -> Callable[[Asking, Thing], Response]:
    def ask(asking: Asking, thing: Thing) -> Response:
        said = {"id": f"{verb} {at} {by} {thing.kind} {asking.speaker}"[:64], "verb": verb, "officer": asking.speaker,
                "case": thing.case if by == "case" else None, "request": thing.request if by == "request" else None,
                "body": parse_json(dumps(body(asking)))}
        return asking.post("/v1/commands", said, **({"if-match": at} if at else {}))

    return ask


def sign(asking: Asking, thing: Thing) -> Response:
    people = PEOPLE["NCB-ES"]
    with asking.world.service("NCB-ES").node.store.reading() as connection:
        row = connection.exec_driver_sql(f"SELECT act_hash FROM acts WHERE act = '{thing.second}'").first()
    signer = asking.speaker if asking.speaker in people else people[0]
    made = asking.world.signature("NCB-ES", signer, row[0] if row else "0" * 64)
    said = parse_json(dumps(replace(made, officer=asking.speaker)))
    return asking.post("/v1/approvals", {"id": f"sign {thing.kind} {asking.speaker}", "act": thing.second,
                                         "approval": said})


def typed(asking: Asking, thing: Thing) -> Response:
    """Another result than the one that was typed: who may know the task learns that it is done."""
    result = Result(clerk=asking.speaker, at=START, reference="another")
    return asking.post(f"/v1/tasks/{thing.task}", parse_json(dumps(result)))


def movements(asking: Asking, thing: Thing) -> Response:
    line = Line(False, amount("1.00 EUR"), START, f"late {thing.kind}")
    said = parse_json(dumps(Moved(asking.speaker, (line,))))
    return asking.post(f"/v1/ledgers/{thing.ledger}", said)


def keep(where: str) -> Callable[[Asking, Thing], Response]:
    def ask(asking: Asking, thing: Thing) -> Response:
        return asking.post(f"/v1/documents?{where}={getattr(thing, where)}", b"a letter")

    return ask


def make_key(asking: Asking, _: Thing) -> Response:
    return asking.post("/v1/keys", {"officer": "Ana", "scopes": ["read"], "days": 1})


def revoke(asking: Asking, thing: Thing) -> Response:
    """A key of its own for each call: no other cell is without one afterwards."""
    made = Keys(asking.world.service("NCB-ES")).make("Ana", ("read",), 1)
    return asking.door("DELETE", f"/v1/keys/{made['id']}", headers=asking.headers)


HAND_OVER = lambda asking: HandedOver(PEOPLE["NCB-ES"][0])  # noqa: E731
CORRECT = lambda asking: Corrected("", "crime", "")  # noqa: E731

ROWS: dict[tuple[str, str], tuple[Row, ...]] = {
    ("GET", "/v1/cases"): (Row("read", get("/v1/cases"), about="list"),),
    ("GET", "/v1/cases/{case}"): (Row("read", get("/v1/cases/{thing.case}")),),
    ("GET", "/v1/cases/{case}/letter"): (Row("read", get("/v1/cases/{thing.case}/letter")),),
    ("GET", "/v1/cases/{case}/powers"): (Row("read", get("/v1/cases/{thing.case}/powers")),),
    ("GET", "/v1/cases/{case}/onward"): (Row("read", get("/v1/cases/{thing.case}/onward")),),
    ("GET", "/v1/drafts"): (Row("read", get("/v1/drafts"), about="list", mark=lambda thing: thing.draft),),
    ("GET", "/v1/drafts/{act}"): (Row("read", get("/v1/drafts/{thing.draft}")),),
    ("GET", "/v1/law"): (Row("read", get("/v1/law"), about="node"),),
    ("GET", "/v1/law/{code}"): (Row("read", get("/v1/law/PT"), about="node"),),
    ("GET", "/v1/law/{code}/until"): (
        Row("read", get("/v1/law/PT/until?power=pt-judge&at=2026-11-20T10:00Z"), about="node"),),
    ("GET", "/v1/law/{code}/powers"): (Row("read", get("/v1/law/PT/powers"), about="node"),),
    ("GET", "/v1/law/changes"): (Row("read", get("/v1/law/changes"), at="BANK-PT", about="list"),),
    ("GET", "/v1/holds"): (Row("read", get("/v1/holds"), at="BANK-PT", about="list"),),
    ("GET", "/v1/log"): (Row("read", get("/v1/log"), about="list"),),
    ("GET", "/v1/changes"): (
        Row("read", get("/v1/changes"), about="list"),
        Row("read", get("/v1/changes"), about="list", mark=lambda thing: thing.request),
    ),
    ("GET", "/v1/looks"): (Row("read", get("/v1/looks?case={thing.case}"), roles=True),),
    ("GET", "/v1/subject"): (Row("read", get("/v1/subject?account={thing.account}"), about="list", roles=True),),
    ("GET", "/v1/requests/{request}/notice"): (
        Row("read", get("/v1/requests/{thing.request}/notice"), at="BANK-PT"),),
    ("GET", "/v1/requests/{request}/formalisation"): (
        Row("read", get("/v1/requests/{thing.request}/formalisation"), at="BANK-PT"),),
    ("GET", "/v1/papers"): (Row("read", get("/v1/papers"), about="list", mark=lambda thing: thing.reference),),
    ("GET", "/v1/papers/{name}"): (
        Row("read", get("/v1/papers/{thing.request}")), Row("read", get("/v1/papers/{thing.reference}")),
    ),
    ("POST", "/v1/commands"): (
        Row("wish", wish("hand-over", HAND_OVER, by="case"), speaks=True, helpless=422),
        Row("wish", wish("correct", CORRECT, by="request"), speaks=True, helpless=422),
        Row("wish", wish("hand-over", HAND_OVER, by="case", at='"99"'), ok=412, speaks=True, helpless=422),
    ),
    ("POST", "/v1/approvals"): (Row("approve", sign, speaks=True),),
    ("GET", "/v1/documents"): (Row("document", get("/v1/documents?case={thing.case}")),),
    ("POST", "/v1/documents"): (Row("document", keep("case")), Row("document", keep("request"))),
    ("GET", "/v1/documents/{digest}"): (Row("document", get("/v1/documents/{thing.digest}")),),
    ("GET", "/v1/tasks"): (
        Row("task", get("/v1/tasks?done=true"), at="BANK-PT", about="list", mark=lambda thing: thing.request),
        Row("task", get("/v1/tasks"), at="BANK-PT", about="list", mark=lambda thing: thing.request),
    ),
    ("GET", "/v1/tasks/{id}"): (Row("task", get("/v1/tasks/{thing.task}"), at="BANK-PT"),),
    ("POST", "/v1/tasks/{id}"): (Row("task", typed, at="BANK-PT", ok=409, speaks=True, helpless=422),),
    ("POST", "/v1/ledgers/{ref}"): (Row("task", movements, at="BANK-PT", speaks=True, helpless=422),),
    ("GET", "/v1/status"): (Row("read", get("/v1/status"), about="node"),),
    ("GET", "/v1/checkpoints"): (Row("read", get("/v1/checkpoints"), about="node"),),
    ("GET", "/v1/directory"): (Row("read", get("/v1/directory"), about="node"),),
    ("GET", "/v1/openapi.json"): (Row("", get("/v1/openapi.json"), about="node"),),
    ("GET", "/v1/keys"): (Row("read", get("/v1/keys"), about="owner"),),
    ("POST", "/v1/keys"): (Row("read", make_key, about="owner"),),
    ("DELETE", "/v1/keys/{id}"): (Row("read", revoke, ok=204, about="owner"),),
    ("GET", "/metrics"): (Row("", get("/metrics"), about="socket"),),
    ("GET", "/v1/figures"): (Row("", get("/v1/figures"), about="socket"),),
    ("POST", "/v1/send-again"): (Row("", lambda asking, _: asking.post("/v1/send-again"), about="socket"),),
}  # fmt: skip


# --- the scene -------------------------------------------------------------------------------------------------


@pytest.fixture
def scene(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[World, dict[str, dict[str, Thing]]]:
    """Three cases at a bureau whose letters go on paper, three at a bank with clerks, and what is not there. After
    the bank held, a day of its calendar was announced as free."""
    monkeypatch.setattr(worlds, "LAW", LAW)
    world.with_clerks("BANK-PT")
    listed(world, NCB_DE)
    things = {"NCB-ES": at_the_bureau(world, tmp_path), "BANK-PT": at_the_bank(world)}
    late = around("PT", "Europe/Lisbon", START, own=LATE)
    monkeypatch.setattr(worlds, "LAW", replace(LAW, calendar=late))
    restarted(world, "BANK-PT")
    for node in NODES:
        for kind, named in zip(("mine", "theirs"), PEOPLE[node], strict=True):
            thing = things[node][kind]
            say(world, node, f"restrict {kind}", "restrict", Restricted((named,)), case=thing.case, by=(named,))
        things[node]["missing"] = Thing("missing")
        with_operator(world, node)
    return world, things


def at_the_bureau(world: World, folder: Path) -> dict[str, Thing]:
    service = world.service("NCB-ES")
    service.node = replace(service.node, files=Files(folder / "documents"))
    found = {}
    for number, kind in enumerate(("open", "mine", "theirs")):
        loss = f"ES-{number}"
        account = GERMAN[number]
        case = world.report(payment("5.00 EUR", account, f"P{number}"), loss=loss)
        request = world.ask(case, "5.00 EUR", account)
        said = Mandate(loss, amount("5.00 EUR"), amount("5.00 EUR"), 3, (), ("hold",), (), START,
                       START + timedelta(days=9))
        _, events = world.officer("NCB-ES", "mandate", said, case=case)
        drafts = [event.body.act for event in events if event.kind == "Drafted"]
        added = Documents.of(service).add(case, f"letter of {kind}".encode())
        paper = next(row for row in Papers(service).listed(owner("", "")) if row["request"] == request)
        found[kind] = Thing(kind, case, request, drafts[0], drafts[1], added["digest"], paper["reference"], account)
    return found


def at_the_bank(world: World) -> dict[str, Thing]:
    kinds, service = ("open", "mine", "theirs"), world.service("BANK-PT")
    for number, iban in enumerate(IBANS):
        case = world.report(payment("50.00 EUR", f"payto://iban/{iban}", f"B{number}"), loss=f"PT-{number}")
        world.ask(case, "50.00 EUR", f"payto://iban/{iban}")
    world.settle()
    core, clerk, found = Tasks(service, world.members["BANK-PT"].core), owner("", ""), {}
    for row in core.listed(clerk):
        number = IBANS.index(core.shown(clerk, row["id"])["account"].rpartition("/")[2])
        credit = Line(True, amount("50.00 EUR"), BEFORE, f"B{number}")
        result = Result(clerk="Tom", at=world.clock.now(), account_ref=LEDGERS[number], holder="T",
                        booked=amount("50.00 EUR"), free=amount("50.00 EUR"), credits=(credit,))
        core.done(clerk, row["id"], dumps(result))
        found[kinds[number]] = Thing(kinds[number], request=row["request"], task=str(row["id"]),
                                     account=f"payto://iban/{IBANS[number]}", ledger=LEDGERS[number])
    world.settle()
    for row in core.listed(clerk):
        core.done(clerk, row["id"], dumps(Result(clerk="Tom", at=world.clock.now(), reference=f"H{row['id']}",
                                                 amount=amount("40.00 EUR"))))
    world.settle()
    for thing in found.values():  # what is let go of it is a task that nobody has done
        world.officer("NCB-PT", "release", Release(amount("30.00 EUR")), request=thing.request, by=("Rui",))
        world.settle()
        with service.node.store.reading() as connection:
            thing.case = service.folds.of_request(connection, thing.request).id
    return found


def with_operator(world: World, node: str) -> None:
    """Somebody in the directory who reads no cases."""
    service = world.service(node)
    me = service.node.rules.me
    me = replace(me, officers=(*me.officers, Officer("Oli", "Oli", ("operator",), ())))
    service.node = replace(service.node, rules=replace(service.node.rules, me=me))


@contextmanager
def doors(world: World) -> Iterator[dict[tuple[str, str], Door]]:
    """The socket and the network of each node, by node and `socket` or `key`. All are served by one loop in this
    thread: a client with a loop of its own spends most of its time on being woken."""
    with asyncio.Runner() as loop:
        def opened(app: FastAPI) -> Door:
            client = AsyncClient(transport=ASGITransport(app), base_url="http://node")
            return lambda *what, **said: loop.run(client.request(*what, **said))

        found = {}
        for node in NODES:
            service, core = world.service(node), world.members[node].core
            found[node, "socket"] = opened(operating(desk_app(service, core, owner), service))
            found[node, "key"] = opened(desk_app(service, core, Keys(service).identify))
        yield found


def asking_as(world: World, node: str, caller: Caller, opened: dict[tuple[str, str], Door]) -> Asking:
    service = world.service(node)
    officer = PEOPLE[node][caller.person] if isinstance(caller.person, int) else caller.person
    if caller.door == "socket":
        return Asking(caller, opened[node, "socket"], {"arrp-officer": officer}, officer, world, node)
    made = Keys(service).make(officer, caller.scopes, 30)
    key = {"no key": "", "a key that is none": "arrp_x_y"}.get(caller.name, made["key"])
    if caller.name == "a revoked key":
        Keys(service).revoke(made["id"])
    shown = {"authorization": f"Bearer {key}"} if key else {}
    return Asking(caller, opened[node, "key"], shown, officer, world, node)


# --- what must come ----------------------------------------------------------------------------------------------


def expected(row: Row, asking: Asking, thing: Thing) -> int:
    """The one table: status by way, caller and object."""
    caller, who = asking.caller, asking.speaker if row.speaks else asking.officer
    if row.about == "socket":
        return row.ok if caller.door == "socket" else 404
    if row.scope == "":
        return row.ok
    if caller.door == "stranger":
        return 401
    if row.scope not in caller.scopes:
        return 403
    if row.about in ("node", "owner"):
        return row.ok if row.about == "node" or caller.door == "socket" else 403
    if who == "Zed" and row.speaks:
        return 404
    if who in ("Oli", "Zed") or (row.roles and who == ""):
        return row.helpless
    return row.ok if row.about == "list" or knows(asking, row, thing) else 404


def knows(asking: Asking, row: Row, thing: Thing) -> bool:
    first, other = PEOPLE[asking.node]
    named = {"open": {first, other, ""}, "mine": {first}, "theirs": {other}, "missing": set()}[thing.kind]
    return (asking.speaker if row.speaks else asking.officer) in named


def said_of(answer: Response, thing: Thing) -> tuple[int, str, str]:
    """An answer without the names that were asked about."""
    text = answer.text
    for name in (*thing.names(), f"task {thing.task}:", f"account {thing.ledger} "):
        text = text.replace(name, "…")
    return answer.status_code, answer.headers["content-type"], text


@ABOVE_THE_STORE
def test_r92_t19_every_way_every_object_every_caller(scene: tuple[World, dict[str, dict[str, Thing]]]) -> None:
    world, things = scene
    wrong, cells = [], 0
    with doors(world) as opened:
        for caller, node in product(CALLERS, NODES):
            asking = asking_as(world, node, caller, opened)
            for (method, path), rows in ROWS.items():
                for row, thing in product((row for row in rows if row.at == node), things[node].values()):
                    cells += 1
                    wrong += [f"{method} {path} of {thing.kind} by {caller.name}: {fault}"
                              for fault in faults(row, asking, thing, things[node])]
    assert wrong == []
    assert cells > 2500


def faults(row: Row, asking: Asking, thing: Thing, things: dict[str, Thing]) -> Iterator[str]:
    answer, must = row.ask(asking, thing), expected(row, asking, thing)
    if answer.status_code != must:
        yield f"{answer.status_code}, not {must}: {answer.text[:200]}"
    if must == 404 and row.about == "object" and thing.kind != "missing":
        gone = row.ask(asking, things["missing"])
        if said_of(answer, thing) != said_of(gone, things["missing"]):
            yield f"says {answer.text[:200]}, and of what is not there {gone.text[:200]}"
    if row.about == "list" and answer.status_code == 200:
        shown, may = row.mark(thing) in answer.text, knows(asking, row, thing) and thing.kind != "missing"
        if shown != may:
            yield f"the list {'shows' if shown else 'hides'} it"


def test_every_way_of_the_app_has_a_row(world: World) -> None:
    service = world.service("NCB-ES")
    app = operating(desk_app(service, None, owner), service)
    ways = {(method, route.path) for route in app.routes if isinstance(route, APIRoute) for method in route.methods}
    assert ways | {("GET", "/v1/openapi.json")} == set(ROWS)
    described = {(method.upper(), path) for path, ways in app.openapi()["paths"].items() for method in ways}
    assert described <= set(ROWS)
