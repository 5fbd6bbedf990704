"""Swarms of histories, and what is said of one that fails: replayed from its plan, made smaller, told as a story."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from arrp.cli import app
from arrp.core.errors import Corrupt
from arrp.sim.disk import Fuse, Killed, Strike
from arrp.sim.faults import NAMES, NETWORK, Faults
from arrp.sim.history import History, seats
from arrp.sim.plants import plan_for, planted
from arrp.sim.simulate import simulate, smaller

SWARMS = int(os.environ.get("ARRP_SWARMS", "4"))  # each of them is deliveries to thousands, on a core of its own
EACH = 5_000


@pytest.mark.parametrize("seed", range(SWARMS))
def test_no_invariant_breaks_whatever_goes_wrong(seed: int) -> None:
    totals = simulate(seed, EACH)
    assert totals.violations == [], totals.worst
    assert totals.deliveries >= EACH
    assert totals.fresh > 0, "nothing was ever said in it"
    assert totals.commands > 0


def said(*words: str, hashes: str = "0") -> Any:
    """What a new process prints, in which sets have another order."""
    environment = {**os.environ, "PYTHONHASHSEED": hashes}
    ran = subprocess.run([sys.executable, "-m", "arrp", "simulate", *words, "--json"], env=environment, check=True,
                         capture_output=True, text=True)
    return json.loads(ran.stdout)


def test_the_same_seed_is_the_same_simulation_anywhere() -> None:
    words = ("--deliveries", "600", "--faults", "loss,duplicates,crashes,clock_skew,careless,adversary")
    first, again = said("--seed", "8", *words, hashes="1"), said("--seed", "8", *words, hashes="2")
    for name in ("seconds",):
        del first[name], again[name]
    assert first == again
    assert said("--seed", "9", *words)["state_hash"] != first["state_hash"]


def test_json_has_the_names_that_others_read() -> None:
    found = said("--deliveries", "300", "--faults", "none")
    assert {"seed", "deliveries", "crashes", "violations", "state_hash", "planted", "caught_by", "caught_after"} <= set(
        found)
    assert (found["planted"], found["caught_by"], found["violations"]) == (None, None, [])


def test_what_fails_is_made_smaller_and_told() -> None:
    """The seed of a history in which the bug shows early; another would show it later."""
    plan = plan_for("withdraw ignored", 1)
    with planted("withdraw ignored"):
        failed = History(plan).run()
        assert failed.violations, "the bug does not show in this history any more: find another seed"
        small = smaller(failed)
        assert small.violations[0].invariant == failed.violations[0].invariant
        assert set(small.plan.faults) <= set(failed.plan.faults)
        assert small.deliveries <= failed.deliveries
    assert any("asks" in line for line in small.story), small.story
    assert History(small.plan).run().violations == [], "it is the bug that was found, nothing else"


def test_a_violation_ends_the_command_with_the_code_of_a_broken_log() -> None:
    with planted("leaf hash missing"):
        ran = CliRunner().invoke(app, ["simulate", "--deliveries", "400", "--faults", "none"])
    assert ran.exit_code == Corrupt.exit_code
    assert "I8" in ran.output


@pytest.mark.parametrize(("words", "code", "told"), [
    (("--faults", "weather"), 2, "partitions"), (("--plant", "a rose"), 3, "no dedupe"), (("--nodes", "2"), 2, "4"),
])
def test_what_is_not_there_is_said_and_what_is_there(words: tuple[str, ...], code: int, told: str) -> None:
    ran = CliRunner().invoke(app, ["simulate", *words])
    assert ran.exit_code == code
    assert told in ran.output


def test_every_fault_strikes_somewhere() -> None:
    """A fault that never happens finds nothing: each is either of the network, or thrown, or of people."""
    assert set(NAMES) - set(NETWORK) - Faults.STRIKING == {"clock_skew", "careless", "adversary"}


def test_a_world_has_as_many_nodes_as_asked_and_nobody_instructs_who_is_not_there() -> None:
    for nodes in range(4, 11):
        there = seats(nodes, hostile=False)
        assert len(there) == nodes
        assert {id for seat in there for id in seat.instructs} <= {seat.id for seat in there}


def test_a_fuse_strikes_once_and_only_a_disk_fails_like_one() -> None:
    struck: list[tuple[Strike, str]] = []
    fuse = Fuse(lambda strike, where: struck.append((strike, where)))
    fuse.light(2, Strike.FULL)
    fuse.point("before post")
    fuse.point("INSERT", in_store=True)
    with pytest.raises(Exception, match="full"):
        fuse.point("UPDATE", in_store=True)
    fuse.point("UPDATE", in_store=True)
    fuse.light(1, Strike.KILL)
    with pytest.raises(Killed):
        fuse.point("before find")
    assert struck == [(Strike.FULL, "UPDATE"), (Strike.KILL, "before find")]
