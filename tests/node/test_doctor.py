"""The doctor: each thing that can be wrong is found, named, and said what to do about; nothing is written."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from arrp.connectors.books import Order
from arrp.connectors.manual import ManualCore
from arrp.core.errors import Unreachable
from arrp.core.report import Party
from arrp.node import doctor
from arrp.node.config import Config
from arrp.node.doctor import FAILING, OK, WARNING, Finding, Patient
from arrp.node.ledger_settings import LedgerSettings
from arrp.node.own_ledger import OnlyLooking, ledger_core
from tests.node.life import LIFE, live
from tests.node.world import ES, PT, START, World, amount


@pytest.fixture
def patient(world: World, tmp_path: Path) -> Patient:
    live(world, LIFE[:4])
    world.run(minutes=6)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    store = world.stores["BANK-PT"]
    config = Config(home, "BANK-PT", "127.0.0.1", 1, store, "info", "text", "simulated", home / "core.db")
    return Patient(config, world.clock, world.core("BANK-PT"), lambda url: None)


def seen(world: World, patient: Patient) -> dict[str, list[Finding]]:
    """What is found about store, peers and core, by what was looked at."""
    directory = world.service("BANK-PT").node.directory
    found = [*doctor._store(patient, directory), *doctor._core(patient), *doctor._reachable(patient, directory),
             *doctor._files(patient.config), *doctor._disk(patient.config.home),
             *doctor._directory(patient, directory, world.members["BANK-PT"].keys)]
    return {what: [one for one in found if one.what == what] for what in {one.what for one in found}}


def change(world: World, statement: str, node: str = "BANK-PT") -> None:
    engine = create_engine(world.stores[node])
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def states(found: dict[str, list[Finding]]) -> dict[str, str]:
    worst = {OK: 0, WARNING: 1, FAILING: 2}
    return {what: max((one.state for one in each), key=worst.__getitem__) for what, each in found.items()}


def test_a_healthy_node_is_well(world: World, patient: Patient) -> None:
    found = seen(world, patient)
    well = {what: state for what, state in states(found).items() if what not in ("disk", "directory")}
    assert set(well.values()) == {OK}, found
    assert set(well) == {"store", "recovery", "timers", "outbox", "clock", "log", "core", "peers", "permissions",
                         "keys"}


@pytest.mark.parametrize(("statement", "what", "state", "do"), [
    ("UPDATE events SET lasting = private WHERE number = 2", "log", FAILING, "arrp audit verify"),
    ("UPDATE cases SET due_at = 0 WHERE due_at IS NOT NULL", "timers", WARNING, "start it now"),
    ("UPDATE outbox SET state = 'dead'", "outbox", WARNING, "send-again"),
    ("UPDATE outbox SET state = 'queued', tries = 9", "outbox", WARNING, "operators"),
    ("UPDATE checkpoints SET at = at + 3600000000", "clock", FAILING, "synchronisation"),
    ("UPDATE peers SET apart = apart + 6000000", "clock", WARNING, "synchronisation"),
    ("UPDATE peers SET anomaly = 'it claims'", "peers", WARNING, "operator"),
    ("UPDATE peers SET copies = 'silent' WHERE id = 'NCB-ES'", "recovery", WARNING, "telephone"),
    ("UPDATE alembic_version SET version_num = '0000'", "store", WARNING, "migrates"),
])  # fmt: skip
def test_what_is_wrong_is_named(world: World, patient: Patient, statement: str, what: str, state: str, do: str) -> None:
    change(world, statement)
    found = seen(world, patient)[what]
    assert states({what: found}) == {what: state}, found
    assert any(do in one.do for one in found if one.state == state)
    assert any(one.breaks_integrity for one in found) == (what == "log")


def test_a_hold_that_no_case_knows_is_found(world: World, patient: Patient) -> None:
    core = world.core("BANK-PT")
    core.book(Order("P9", amount("500.00 EUR"), Party("Somebody", ES), Party("Trading Lda", PT)), world.clock.at)
    core.hold("nobody's", "pt-1", 100, world.clock.at + timedelta(hours=1))
    (known,) = [one for one in seen(world, patient)["core"] if "no case knows" in one.seen]
    assert "nobody's" in known.seen
    assert known.state == WARNING


def test_a_store_that_cannot_be_read_is_a_finding(world: World, patient: Patient, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"SQLite format 3\0" + b"x" * 8192)
    config = Config(**{**{name: getattr(patient.config, name) for name in Config.__slots__},
                       "store": f"sqlite:///{broken}"})
    (found,) = doctor._store(Patient(config, world.clock, None, patient.reach), None)
    assert found.breaks_integrity
    assert "restore" in found.do


def test_a_home_that_others_can_read_and_silent_peers_are_found(world: World, patient: Patient) -> None:
    def nobody(url: str) -> None:
        raise Unreachable(url)

    patient.config.home.chmod(0o755)
    found = seen(world, Patient(patient.config, world.clock, None, nobody))
    assert states(found)["permissions"] == WARNING
    assert [one.seen for one in found["peers"] if one.state == WARNING] == ["no answer from NCB-ES, NCB-PT, VASP-LT"]
    assert states(found)["core"] == FAILING, "one is set, and it is not connected"


def test_a_home_without_keys_is_told_what_to_bring(patient: Patient) -> None:
    found = doctor.examine(patient)
    assert [one.state for one in found if one.what == "keys"] == [FAILING]
    assert not any(one.breaks_integrity for one in found)


@pytest.mark.parametrize(
    ("rows", "minutes", "state", "said"),
    [
        ("", 0, WARNING, "it has no row yet"),
        ("2026-03-02T09:00:00Z,,A,1.00,EUR,T1\n", 5, OK, "its newest row, 1, is 5 min old"),
        ("2026-03-02T09:00:00Z,,A,1.00,EUR,T1\n", 90, WARNING, "its newest row, 1, is 90 min old"),
        ("2026-03-02,,A,1.00,EUR,T1\n", 5, FAILING, "row 1: time '2026-03-02' has no time zone"),
    ],
)
def test_a_ledger_that_stands_still_or_cannot_be_read(
    patient: Patient, tmp_path: Path, rows: str, minutes: int, state: str, said: str
) -> None:
    """It is looked at, and how far it was read is not written down."""
    file = tmp_path / "ledger.csv"
    file.write_text("time,from,to,amount,asset,ref\n" + rows)
    hands = ManualCore(tmp_path / "tasks.db", patient.clock.now)
    core = ledger_core(LedgerSettings("csv", str(file)), hands, OnlyLooking(hands))
    (found,) = doctor._ledger(core.ledger, START + timedelta(minutes=minutes))
    assert (found.what, found.state) == ("ledger", state)
    assert said in found.seen
    assert [one.what for one in doctor._core(Patient(patient.config, patient.clock, core, patient.reach))] == [
        "ledger", "core"]
    assert hands.reading() == (0, "")
    core.close()
