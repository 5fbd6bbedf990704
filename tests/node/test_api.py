"""`/v1`: who may call, what they see, and that saying it twice is saying it once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from arrp.core.events import Restricted
from arrp.node.api import desk_app
from arrp.node.callers import SCOPES, Keys, owner
from arrp.node.desk import BODIES
from tests.node.life import LIFE, live, the_loss
from tests.node.world import PT, World, payment


@pytest.fixture
def world(world: World) -> World:
    live(world, LIFE[:4])
    return world


def on_socket(world: World, id: str = "NCB-ES", officer: str = "") -> TestClient:
    return TestClient(desk_app(world.service(id), None, owner), "http://node/v1", headers={"arrp-officer": officer})


def over_network(world: World, key: str, id: str = "NCB-ES") -> TestClient:
    app = desk_app(world.service(id), None, Keys(world.service(id)).identify)
    return TestClient(app, "http://node/v1", headers={"authorization": f"Bearer {key}"} if key else {})


def key_of(world: World, officer: str = "Ana", *scopes: str, days: int = 30) -> str:
    return Keys(world.service("NCB-ES")).make(officer, scopes or SCOPES, days)["key"]


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["title"]


def hand_over(case: str, officer: str = "Ana", **more: Any) -> dict[str, Any]:
    body = {"to": "Ben", "note": ""}
    return {"verb": "hand-over", "officer": officer, "case": case, "request": None, "body": body, **more}


# --- who calls -------------------------------------------------------------------------------------------------


def test_without_a_key_that_counts_nothing_is_said(world: World) -> None:
    good = key_of(world)
    id = good.split("_")[1]
    for key in ("", "nonsense", "arrp__", f"arrp_{id}_{'0' * 64}", good[:-1], f"{good}_x"[:-2] + "y"):
        for path in ("/cases", "/status", "/openapi-not-this", "/keys"):
            answer = over_network(world, key).get(path)
            assert answer.status_code in (401, 404), (key, path)
            assert "Victim" not in answer.text
    assert problem(over_network(world, "").get("/cases")) == (401, "no-key")
    assert over_network(world, good).get("/cases").status_code == 200


def test_a_key_ends_by_its_date_by_revocation_and_with_its_officer(world: World) -> None:
    dated, revoked = key_of(world, days=1), key_of(world)
    Keys(world.service("NCB-ES")).revoke(revoked.split("_")[1])
    assert over_network(world, revoked).get("/cases").status_code == 401
    world.clock.at += timedelta(days=1, seconds=-1)
    assert over_network(world, dated).get("/cases").status_code == 200
    world.clock.at += timedelta(seconds=1)
    assert over_network(world, dated).get("/cases").status_code == 401
    gone = key_of(world)
    service = world.service("NCB-ES")
    me = replace(service.node.rules.me, officers=())
    service.node = replace(service.node, rules=replace(service.node.rules, me=me))
    assert problem(over_network(world, gone).get("/cases")) == (401, "no-key")


def test_a_key_does_what_its_scopes_say_and_no_more(world: World) -> None:
    reads = over_network(world, key_of(world, "Ana", "read"))
    case = the_loss(world).id
    assert reads.get(f"/cases/{case}").status_code == 200
    assert problem(reads.post("/commands", json=hand_over(case, id="h1"))) == (403, "scope")
    assert problem(reads.get("/tasks")) == (403, "scope")
    wishes = over_network(world, key_of(world, "Ana", "wish"))
    assert problem(wishes.get("/cases")) == (403, "scope")
    assert wishes.post("/commands", json=hand_over(case, id="h2")).status_code == 200


def test_r90_with_a_key_nobody_speaks_for_somebody_else(world: World) -> None:
    ana = over_network(world, key_of(world, "Ana"))
    case = the_loss(world).id
    assert problem(ana.post("/commands", json=hand_over(case, "Ben", id="h1"))) == (403, "not-yours")
    signed = {"act": "a" * 32, "approval": {"officer": "Ben", "key": "k", "algorithm": "Ed25519", "signature": "s"}}
    assert problem(ana.post("/approvals", json={"id": "s1", **signed})) == (403, "not-yours")
    assert problem(ana.post("/keys", json={"officer": "Ben", "scopes": ["read"], "days": 1})) == (403, "not-your-role")
    assert problem(ana.delete("/keys/x")) == (403, "not-your-role")


def test_keys_are_made_on_the_machine_and_shown_once(world: World) -> None:
    desk = on_socket(world)
    made = desk.post("/keys", json={"officer": "Ana", "scopes": ["read"], "days": 5}).json()
    assert over_network(world, made["key"]).get("/cases").status_code == 200
    (listed,) = desk.get("/keys").json()
    assert (listed["id"], listed["officer"], listed["scopes"]) == (made["id"], "Ana", ["read"])
    assert made["key"].split("_")[2] not in desk.get("/keys").text
    for wrong in ({"officer": "Nobody", "scopes": ["read"], "days": 5}, {"officer": "Ana", "scopes": [], "days": 5},
                  {"officer": "Ana", "scopes": ["king"], "days": 5}, {"officer": "Ana", "scopes": ["read"], "days": 0},
                  {"officer": "Ana", "scopes": "read", "days": 5}, {"officer": "Ana"}, [], None):
        assert desk.post("/keys", json=wrong).status_code in (400, 404), wrong
    assert desk.delete(f"/keys/{made['id']}").status_code == 204
    assert desk.delete(f"/keys/{made['id']}").status_code == 404
    assert over_network(world, made["key"]).get("/cases").status_code == 401


# --- who may know ------------------------------------------------------------------------------------------------


def test_r92_every_look_at_a_case_is_kept(world: World) -> None:
    case = the_loss(world).id
    over_network(world, key_of(world, "Ben")).get(f"/cases/{case}")
    on_socket(world).get(f"/cases/{case}")
    looks = on_socket(world, officer="Ana").get("/looks", params={"case": case}).json()
    assert [(look["officer"], look["what"]) for look in looks] == [("Ben", "case"), ("the node's own account", "case")]
    assert problem(on_socket(world).get("/looks", params={"case": case})) == (403, "not-your-role")


def test_r92_a_restricted_case_is_not_there_for_others(world: World) -> None:
    case = the_loss(world).id
    world.officer("NCB-ES", "restrict", Restricted(("Ana",)), case=case)
    for client in (over_network(world, key_of(world, "Ben")), on_socket(world), on_socket(world, officer="Ben")):
        assert problem(client.get(f"/cases/{case}")) == (404, "notfound")
        for path in ("/cases", "/holds", "/drafts", "/log", "/changes"):
            assert case not in client.get(path).text, path
    for client in (over_network(world, key_of(world, "Ana")), on_socket(world, officer="Ana")):
        assert client.get(f"/cases/{case}").json()["known_to"] == ["Ana"]
        assert case in client.get("/changes").text


def test_r65_everything_about_an_account_and_who_looked(world: World) -> None:
    desk = on_socket(world, officer="Ana")
    desk.get(f"/cases/{the_loss(world).id}")
    found = desk.get("/subject", params={"account": PT}).json()
    assert [one["case"] for one in found["cases"]] == [the_loss(world).id]
    assert found["cases"][0]["looks"][0]["officer"] == "Ana"
    assert all(PT in str(event) for event in found["cases"][0]["events"])
    assert desk.get("/subject", params={"account": "payto://iban/DE89370400440532013000"}).json()["cases"] == []
    assert desk.get("/subject", params={"account": "nonsense"}).status_code == 400
    assert problem(on_socket(world).get("/subject", params={"account": PT})) == (403, "not-your-role")


def test_letters_come_as_plain_text(world: World) -> None:
    desk = on_socket(world, officer="Ana")
    said = desk.get(f"/cases/{the_loss(world).id}/letter")
    assert said.headers["content-type"].startswith("text/plain")
    assert "You reported the loss of 100000.00 EUR" in said.text
    bank = on_socket(world, "BANK-PT", officer="Tom")
    request = next(r.id for c in world.cases("BANK-PT") for r in c.requests.values())
    assert "is being held" in bank.get(f"/requests/{request}/notice").text
    assert desk.get("/requests/nonsense/notice").status_code == 404


# --- said twice, seen before ----------------------------------------------------------------------------------------


def test_r02_an_idempotency_key_is_the_id_of_the_wish(world: World) -> None:
    desk, case = over_network(world, key_of(world)), the_loss(world).id
    before = desk.get(f"/cases/{case}").json()["version"]
    answers = [desk.post("/commands", json=hand_over(case), headers={"idempotency-key": "shift-7"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.text for answer in answers}) == 1
    assert desk.get(f"/cases/{case}").json()["version"] == before + 1
    other = {**hand_over(case), "body": {"to": "Ana", "note": ""}}
    assert problem(desk.post("/commands", json=other, headers={"idempotency-key": "shift-7"})) == (409, "equivocation")
    both = desk.post("/commands", json=hand_over(case, id="a"), headers={"idempotency-key": "b"})
    assert both.status_code == 400
    assert desk.post("/commands", json=hand_over(case)).status_code == 400, "an id is made before anything is sent"


def test_a_wish_on_an_old_version_is_refused(world: World) -> None:
    desk, case = over_network(world, key_of(world)), the_loss(world).id
    tag = desk.get(f"/cases/{case}").headers["etag"]
    assert desk.get(f"/cases/{case}", headers={"if-none-match": tag}).status_code == 304
    first = desk.post("/commands", json=hand_over(case, id="h1"), headers={"if-match": tag})
    late = desk.post("/commands", json=hand_over(case, id="h2"), headers={"if-match": tag})
    assert (first.status_code, late.status_code) == (200, 412)
    assert desk.get(f"/cases/{case}", headers={"if-none-match": tag}).status_code == 200
    assert desk.post("/commands", json=hand_over(case, id="h3"), headers={"if-match": "W/x"}).status_code == 400


def test_pages_follow_each_other_and_leave_nothing_out(world: World) -> None:
    desk = over_network(world, key_of(world))
    for loss in ("L7", "L8", "L9"):
        world.report(payment("5.00 EUR", PT, loss), loss=loss)
    everything, seen, path = [row["id"] for row in desk.get("/cases").json()], [], "/cases?limit=2"
    while path:
        answer = desk.get(path)
        seen += [row["id"] for row in answer.json()]
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("</v1")
    assert seen == everything
    assert len(seen) == 4


def test_the_change_feed_is_in_commit_order_and_says_nothing_private(world: World) -> None:
    desk = over_network(world, key_of(world))
    rows = desk.get("/changes").json()
    assert [row["position"] for row in rows] == sorted({row["position"] for row in rows})
    after = rows[len(rows) // 2]["position"]
    assert [row["position"] for row in desk.get(f"/changes?after={after + 1}").json()] == [
        row["position"] for row in rows if row["position"] > after]
    for private in ("Victim", PT, "invoice"):
        assert private not in desk.get("/changes").text


# --- the description -----------------------------------------------------------------------------------------------


def test_openapi_says_every_verb_and_its_body(world: World) -> None:
    said = on_socket(world).get("/openapi.json").json()
    assert said["openapi"].startswith("3.1")
    shapes = said["paths"]["/v1/commands"]["post"]["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert {shape["properties"]["verb"]["const"] for shape in shapes} == set(BODIES)
    back = next(shape for shape in shapes if shape["properties"]["verb"]["const"] == "return")
    assert set(back["properties"]["body"]["properties"]) == {"amount", "ground", "document"}
    assert all("summary" in way for path in said["paths"].values() for way in path.values())
