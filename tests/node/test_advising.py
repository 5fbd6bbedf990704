"""Before a request: whom it would go to, and what of the law there may serve it. It writes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from arrp.core.events import Restricted
from arrp.core.request import Ask
from arrp.law.serving import serving, wanted
from arrp.node.api import desk_app
from arrp.node.callers import owner
from tests.cli.running import arrp, at_node, data, ok
from tests.conftest import ABOVE_THE_STORE
from tests.node.test_api import on_socket, problem
from tests.node.world import PT, START, World, amount, payment

pytestmark = ABOVE_THE_STORE
ITS_DAY = START.isoformat().replace("+00:00", "Z")


@pytest.fixture
def case(world: World) -> str:
    return world.report(payment("100000.00 EUR", PT, "P1"))


@pytest.fixture
def desk(world: World) -> TestClient:
    return on_socket(world, officer="Ana")


def test_r41_the_powers_of_the_requested_country_are_told_before_anything_is_drafted(
    world: World, desk: TestClient, case: str
) -> None:
    before = world.log("NCB-ES")
    found = desk.get(f"/cases/{case}/powers").json()
    assert (found["case"], found["institution"]) == (case, "PT0002")
    assert found["whom"] == {"id": "NCB-PT", "name": "NCB-PT", "kind": "authority", "country": "PT", "channel": "node"}
    [law] = found["laws"]
    assert law == serving("PT", wanted(Ask.HOLD, False, amount("100000.00 EUR"), "ES", START))
    assert law["asked"] == {"ask": "hold", "on": "account", "from": "ES", "at": ITS_DAY, "amount": "100000.00 EUR"}
    assert world.log("NCB-ES") == before
    asked = world.ask(case, "100000.00 EUR", PT)
    assert world.request("NCB-ES", asked).body.basis is None, "the side whose power it is picks it"


def test_it_is_as_the_request_would_be(desk: TestClient, case: str) -> None:
    found = desk.get(f"/cases/{case}/powers", params={"ask": "stop", "amount": "5.00 EUR"}).json()
    [law] = found["laws"]
    assert (law["asked"]["on"], law["asked"]["amount"]) == ("payment in flight", "5.00 EUR")
    fits = {row["power"]: row["why"][0]["fits"] for row in law["powers"]}
    assert fits == {"pt-abstention": "yes", "pt-suspension": "yes", "pt-judge": "no", "pt-freezing": "no"}


@pytest.mark.parametrize(("asked", "status"), [
    ({"payment": "1"}, 400), ({"leg": "nothing"}, 404), ({"ask": "trace"}, 400), ({"amount": "5"}, 400),
    ({"account": "nonsense"}, 400), ({"account": "payto://iban/DE89370400440532013000"}, 422), ({"payment": "-1"}, 400),
])
def test_what_could_not_be_asked_says_so(desk: TestClient, case: str, asked: dict[str, str], status: int) -> None:
    assert problem(desk.get(f"/cases/{case}/powers", params=asked))[0] == status


def test_r92_it_is_a_look_at_the_case_and_only_for_who_may_know_it(
    world: World, desk: TestClient, case: str
) -> None:
    desk.get(f"/cases/{case}/powers")
    looks = desk.get("/looks", params={"case": case}).json()
    assert [(look["officer"], look["what"]) for look in looks] == [("Ana", "powers for a request")]
    world.officer("NCB-ES", "restrict", Restricted(("Ana",)), case=case)
    assert problem(on_socket(world, officer="Ben").get(f"/cases/{case}/powers")) == (404, "notfound")
    assert desk.get(f"/cases/{case}/powers").status_code == 200


def test_the_commands_show_the_same(
    world: World, desk: TestClient, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_node(monkeypatch, desk_app(world.service("NCB-ES"), None, owner))
    there = ("request", "powers", case, "--home", "x", "--officer", "Ana")
    assert data(*there) == desk.get(f"/cases/{case}/powers").json()
    told = ok(*there)
    assert told.startswith("asks NCB-PT (NCB-PT, authority in PT, node) about PT0002\n")
    for said in ("pt-judge: ", "perhaps: not all of it is known", "nobody found whether it may serve a request"):
        assert said in told
    assert arrp(*there, "--amount", "5").exit_code == 2
    alone = data("law", "powers", "--account", PT, "--amount", "100000.00 EUR", "--from", "ES")
    by_code = desk.get("/law/PT/powers", params={"amount": "100000.00 EUR", "from": "ES"}).json()
    assert without_instants(alone) == without_instants(by_code)
    assert by_code["asked"]["at"] == ITS_DAY
    assert datetime.fromisoformat(alone["asked"]["at"]) - START > timedelta(0)
    assert arrp("law", "powers").exit_code == 2
    assert arrp("law", "powers", "--account", "eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa96045").exit_code == 2


def test_r41_send_says_which_powers_may_serve_before_it_sends(
    world: World, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr: what stands on stdout stays the ids. Who cannot be asked is told so once, by the command itself."""
    at_node(monkeypatch, desk_app(world.service("NCB-ES"), None, owner))
    send = ("request", "send", case, "--home", "x", "--officer", "Ana")
    sent = arrp(*send, "--amount", "100000.00 EUR")
    assert sent.exit_code == 0, sent.stderr
    assert sent.stdout.splitlines()[0] == f"case {case}"
    said = sent.stderr.splitlines()
    asks = next(at for at, line in enumerate(said) if line.startswith("asks NCB-PT "))
    powers = [line for line in said if line.startswith("  pt-")]
    assert "3 of 4 powers may serve this hold" in said[asks + 1]
    assert [line.split(",")[0] for line in powers] == ["  pt-suspension", "  pt-judge", "  pt-freezing"]
    for told in ("nobody found whether it may serve a request from abroad", "Held by prosecutor", "documents unknown",
                 "Done now, until 20"):
        assert told in powers[0], told
    first = next(at for at, line in enumerate(said) if "asks NCB-PT to hold" in line)
    assert asks < first, "advice comes before it is sent"
    nobody = arrp(*send, "--amount", "1.00 EUR", "--account", "payto://iban/DE89370400440532013000")
    assert (nobody.exit_code, nobody.stderr.count("DE8937")) == (4, 0)
    assert "powers may serve" not in nobody.stderr
    trace = arrp(*send, "--amount", "100000.00 EUR", "--ask", "trace")
    assert "powers may serve" not in trace.stderr


def without_instants(found: dict[str, Any]) -> Any:
    """What does not move with the clock."""
    return [[(why["figure"], why["fits"], why["said"]) for why in row["why"]] + [row["power"], row["needs"]]
            for row in found["powers"]], {name: said for name, said in found["asked"].items() if name != "at"}
