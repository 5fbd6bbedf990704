"""The law over `/v1` is what `arrp law` says, from the same place."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from arrp.law.reading import codes
from tests.cli.running import ok
from tests.conftest import ABOVE_THE_STORE
from tests.node.test_api import on_socket, problem
from tests.node.world import World

pytestmark = ABOVE_THE_STORE


@pytest.fixture
def desk(world: World) -> TestClient:
    return on_socket(world)


def test_every_law_file_is_listed(desk: TestClient) -> None:
    rows = desk.get("/law").json()
    assert [row["code"] for row in rows] == list(codes())
    counted = {row["code"]: row["powers"] for row in json.loads(ok("law", "check", "--json"))}
    assert {row["code"]: row["powers"] for row in rows} == counted
    portugal = next(row for row in rows if row["code"] == "PT")
    assert portugal == {"code": "PT", "name": "Portugal", "checked_on": "2026-11-22", "powers": 4}


@pytest.mark.parametrize("code", ["PT", "EU", "issuer-tether"])
def test_a_law_is_what_the_command_shows(desk: TestClient, code: str) -> None:
    answer = desk.get(f"/law/{code}")
    assert answer.json() == json.loads(ok("law", "show", code, "--json"))
    same = desk.get(f"/law/{code}", headers={"if-none-match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert desk.get("/law/GB", headers={"if-none-match": answer.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(("code", "asked"), [
    ("CH", {"power": "ch-mros-block", "at": "2026-12-22T10:00"}),
    ("GB", {"power": "gb-moratorium", "at": "2026-11-20T10:00+01:00", "figure": "extension"}),
])
def test_r40_an_end_is_what_the_command_computes(desk: TestClient, code: str, asked: dict[str, str]) -> None:
    words = [word for name, said in asked.items() for word in (f"--{name}", said)]
    found = desk.get(f"/law/{code}/until", params=asked).json()
    assert found == json.loads(ok("law", "until", code, *words, "--json"))
    assert found["until"].endswith("Z")


@pytest.mark.parametrize(("path", "asked", "status", "exit_code"), [
    ("/law/XX", {}, 404, 3), ("/law/changes/until", {"power": "x", "at": "2026-01-01"}, 404, 3),
    ("/law/CH/until", {"power": "nothing", "at": "2026-01-01T00:00Z"}, 404, 3),
    ("/law/CH/until", {"power": "ch-mros-block"}, 400, 2),
    ("/law/CH/until", {"power": "ch-mros-block", "at": "tomorrow"}, 400, 2),
    ("/law/CH/until", {"power": "ch-mros-block", "at": "2026-01-01", "figure": "colour"}, 400, 2),
    ("/law/CH/until", {"power": "ch-mros-block", "at": "2026-01-01", "figure": "return_period"}, 422, 4),
])
def test_what_cannot_be_told_is_a_problem(
    desk: TestClient, path: str, asked: dict[str, str], status: int, exit_code: int
) -> None:
    answer = desk.get(path, params=asked)
    assert (problem(answer)[0], answer.json()["exit"]) == (status, exit_code), answer.text
