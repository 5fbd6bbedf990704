"""What the description of `/v1` promises, tried by Schemathesis against the app itself: no 5xx, no way of answering
that it does not say. Values are made from the description, valid and invalid."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, openapi
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    status_code_conformance,
)

from arrp.node.api import desk_app
from arrp.node.callers import owner
from tests.node.life import LIFE, live
from tests.node.world import World

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance]
EXAMPLES = 6
QUIET = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def described(world: World) -> schemathesis.BaseSchema:
    live(world, LIFE[:4])
    return openapi.from_asgi("/v1/openapi.json", desk_app(world.service("NCB-ES"), None, owner))


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)  # the description does not know the store
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_way_answers_as_it_is_described(described: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    ways = [found.ok() for found in described.get_all_operations()]
    assert len(ways) > 25
    for way in ways:

        @QUIET
        @given(case=way.as_strategy(generation_mode=mode))
        def answers(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, headers={"arrp-officer": "Ana"})

        try:
            answers()
        except Unsatisfiable:
            asked = [*way.body, *way.query, *way.path_parameters]
            assert asked == [], f"nothing was tried on {way.label}"
