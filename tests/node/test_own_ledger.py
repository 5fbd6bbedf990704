"""A bank's own ledger, read from CSV or SQL, or a chain's transfers: legs are what `arrp trace` finds in it (R-52).

Nobody types a movement: the clerks of these institutions only hold.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from arrp.connectors.reading import CAN_ON_CHAIN
from arrp.connectors.tasks import Result
from arrp.core.account import institution_of
from arrp.core.events import NamePayee, Return
from arrp.core.money import Amount
from arrp.core.request import Document, Terms
from arrp.node.callers import owner
from arrp.node.ledger_reading import book_rows, read_rows
from arrp.node.ledger_settings import LedgerSettings
from arrp.node.tasks import Tasks
from arrp.trace.follow import follow
from arrp.trace.found import Theft
from arrp.wire.codec import dumps
from tests.cli.running import ok
from tests.conftest import ABOVE_THE_STORE
from tests.node.world import ACCEPTED, ES, LT, PT, START, World, amount, payment, restarted

pytestmark = ABOVE_THE_STORE
OWNER = owner("", "")
NOBODY = "payto://iban/PT41000201231234567810000"
OTHER = "payto://iban/FR1420041010050500013M02606"  # at a bank that has no node
HEADER = "time,from,to,amount,asset,ref,from_name,to_name"
OPENING = f"account,amount,asset\n{PT},1250.00,EUR\n"


@dataclass(frozen=True)
class Row:
    """One row of a ledger."""

    at: datetime
    source: str
    target: str
    amount: str
    ref: str

    @property
    def line(self) -> str:
        return f"{self.at.isoformat()},{self.source},{self.target},{self.amount},EUR,{self.ref},,"


BEFORE = START - timedelta(minutes=50)
SCENE = [
    Row(BEFORE, ES, PT, "100000.00", "P1"),
    Row(BEFORE + timedelta(minutes=1), PT, LT, "20000.00", "P2"),
    Row(BEFORE + timedelta(minutes=2), "", PT, "500.00", "P3"),
    Row(BEFORE + timedelta(minutes=3), PT, OTHER, "18000.00", "P4"),
    Row(BEFORE + timedelta(minutes=4), PT, "", "400.00", "P5"),
]
LATER = [Row(START, PT, LT, "61000.00", "P6"), Row(START, "", PT, "9000.00", "P7"),
         Row(START, PT, LT, "700.00", "P8")]


def written(file: Path, rows: list[Row]) -> None:
    file.write_text("\n".join([HEADER, *(row.line for row in rows), ""]))


class Csv:
    """The bank appends to a file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "bank.csv"
        self.opening = folder / "opening.csv"
        self.opening.write_text(OPENING)
        written(self.file, [])

    @property
    def settings(self) -> LedgerSettings:
        return LedgerSettings("csv", str(self.file), "", self.opening, ("PT0002",))

    def book(self, rows: list[Row]) -> None:
        with self.file.open("a") as file:
            file.writelines(f"{row.line}\n" for row in rows)


class Sql(Csv):
    """The bank's database, and the same rows as a file for `arrp trace`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.database = folder / "bank.db"
        with sqlite3.connect(self.database) as db:
            db.execute("CREATE TABLE movements (id INTEGER PRIMARY KEY, at TEXT, payer TEXT, payee TEXT, cents INTEGER,"
                       " reference TEXT)")

    @property
    def settings(self) -> LedgerSettings:
        query = """SELECT id AS sequence, at AS time, payer AS "from", payee AS "to", 'EUR' AS asset, reference AS ref,
                   printf('%d.%02d', cents / 100, cents % 100) AS amount, NULL AS uetr FROM movements"""
        return LedgerSettings("sql", f"sqlite:///{self.database}", query, self.opening, ("PT0002",))

    def book(self, rows: list[Row]) -> None:
        super().book(rows)
        with sqlite3.connect(self.database) as db:
            db.executemany("INSERT INTO movements (at, payer, payee, cents, reference) VALUES (?, ?, ?, ?, ?)", [
                (row.at.isoformat(), row.source or None, row.target, int(row.amount.replace(".", "")), row.ref)
                for row in rows])


@pytest.fixture(params=[Csv, Sql])
def bank(world: World, tmp_path: Path, request: pytest.FixtureRequest) -> Csv:
    """BANK-PT has that ledger, and is asked for 100,000 EUR."""
    found: Csv = request.param(tmp_path)
    found.book(SCENE)
    world.with_ledger("BANK-PT", found.settings)
    return found


def desk(world: World, id: str = "BANK-PT") -> Tasks:
    return Tasks(world.service(id), world.members[id].core)


def todo(world: World, id: str = "BANK-PT") -> list[tuple[str, str | None]]:
    return [(row["verb"], row["amount"]) for row in desk(world, id).listed(OWNER)]


def do(world: World, verb: str, id: str = "BANK-PT", **said: Any) -> None:
    (task,) = [row["id"] for row in desk(world, id).listed(OWNER) if row["verb"] == verb]
    clerk = next(iter(world.members[id].officers))
    desk(world, id).done(OWNER, task, dumps(Result(**{"clerk": clerk, "at": world.clock.now(), **said})))
    world.settle()


def asked(world: World) -> str:
    request = world.ask(world.report(payment("100000.00 EUR", PT, "P1")), "100000.00 EUR", PT)
    world.settle()
    return request


def in_spain(world: World, request: str):
    return next(r for case in world.cases("NCB-ES") for r in case.requests.values() if r.id == request)


def legs(world: World, request: str) -> dict[str, int]:
    """What Spain was told: each transfer and what of it is traced."""
    return {leg.ref: leg.amount.minor for leg in in_spain(world, request).legs}


def traced(file: Path, *opening: object, ref: str = "P1") -> Any:
    return json.loads(ok("trace", file, "--transfer", ref, "--method", "fifo", *opening, "--json"))


def from_account(found: Any, account: str) -> dict[str, int]:
    return {flow["ref"]: minor(flow) for flow in found["flows"] if flow["from"] == account}


def minor(one: Any) -> int:
    return Amount.parse(one["amount"], "EUR").minor


def test_legs_are_what_arrp_trace_finds_in_the_same_ledger(world: World, bank: Csv) -> None:
    """R-52: from CSV and from SQL; and again when more was booked, though nobody held. Legs only grow."""
    request = asked(world)
    assert todo(world) == [("hold", "62850.00 EUR")]
    central = traced(bank.file, "--opening", bank.opening)
    first = legs(world, request)
    assert first == from_account(central, PT) == {"P2": 1875000, "P4": 1800000, "P5": 40000}
    cash = next(leg for leg in in_spain(world, request).legs if leg.ref == "P5")
    assert (cash.ends, in_spain(world, request).terms.cashed_out) == ("cash", 40000)
    do(world, "hold", cannot="REFUSED")
    bank.book(LATER)
    world.run(minutes=3)
    assert legs(world, request) == from_account(traced(bank.file, "--opening", bank.opening), PT)
    assert first.items() <= legs(world, request).items()
    held = {one["account"]: one["amount"] for one in traced(bank.file, "--opening", bank.opening)["held"]}
    assert Amount(in_spain(world, request).terms.pending, "EUR").decimal == held[PT]


def test_a_hold_keeps_its_coins_and_goes_back(world: World, bank: Csv) -> None:
    """Held by a clerk, decided, and sent back: the export shows the return, which is no leg."""
    request = asked(world)
    do(world, "hold", reference="BLK-7", amount=amount("62850.00 EUR"))
    terms = Terms(amount("100000.00 EUR"), held=6285000, moved_on=3675000, cashed_out=40000)
    assert in_spain(world, request).terms == terms
    told = legs(world, request)
    bank.book([Row(world.clock.at, PT, LT, "100.00", "P6")])  # of the 500.00 that nobody asked for
    world.officer("NCB-PT", "decide", ACCEPTED, request=request, by=("Rui", "Zoe"))
    world.settle()
    world.officer("NCB-ES", "payee", NamePayee("DEBTOR", None, False, "00" * 16, ES, "Victim Ltd"), request=request,
                  by=("Ana", "Ben"))
    world.settle()
    consent = Document("ab" * 32, "consent", "application/pdf", 1000)
    world.officer("NCB-PT", "return", Return(amount("62850.00 EUR"), "consent", consent), request=request,
                  by=("Rui", "Zoe"))
    world.run(minutes=1)
    bank.book([Row(world.clock.at, PT, ES, "62850.00", "SEPA-9")])
    world.run(minutes=2)
    assert todo(world) == [("give_back", "62850.00 EUR")]
    assert in_spain(world, request).terms == terms
    do(world, "give_back", reference="SEPA-9", amount=amount("62850.00 EUR"))
    world.run(minutes=2)
    assert in_spain(world, request).terms == replace(terms, held=0, returned=6285000)
    assert (in_spain(world, request).hold.state, legs(world, request)) == ("returned", told)
    assert not [event.body for event in world.log("BANK-PT") if event.kind == "Anomaly"]


def test_a_ledger_that_was_changed_says_nothing_more(
    world: World, bank: Csv, caplog: pytest.LogCaptureFixture
) -> None:
    """T39: no leg is added or taken back; it goes on when what was read stands there again."""
    request = asked(world)
    do(world, "hold", cannot="REFUSED")
    told = legs(world, request)
    if isinstance(bank, Sql):
        with sqlite3.connect(bank.database) as db:
            db.execute("DELETE FROM movements WHERE reference = 'P4'")
    else:
        whole = bank.file.read_text()
        bank.file.write_text(whole.replace("18000.00", "8000.00"))
    restarted(world, "BANK-PT")
    world.run(minutes=3)
    assert legs(world, request) == told
    assert "alarm: the ledger" in caplog.text
    if isinstance(bank, Sql):
        with sqlite3.connect(bank.database) as db:
            row = SCENE[3]
            db.execute("INSERT INTO movements VALUES (4, ?, ?, ?, 1800000, ?)", (row.at.isoformat(), PT, OTHER, "P4"))
    else:
        bank.file.write_text(whole)
    bank.book(LATER)
    world.run(minutes=3)
    assert legs(world, request) == from_account(traced(bank.file, "--opening", bank.opening), PT)


def test_no_such_account_or_credit(world: World, bank: Csv) -> None:
    """R-44, R-50: compared as any other core does, and said at once."""
    for loss, account in (("L1", NOBODY), ("L2", PT)):
        case = world.report(payment("5.00 EUR", account, "P9"), loss=loss)
        request = world.ask(case, "5.00 EUR", account)
        world.settle()
        assert (in_spain(world, request).answer, in_spain(world, request).reason) == ("refused", "NO_MATCHING_CREDIT")
    assert todo(world) == []


# --- two banks, one ledger cut in two --------------------------------------------------------------------


def iban(country: str, bank: str, number: int, size: int) -> str:
    bban = bank + f"{number:0{size - len(bank)}}"
    digits = "".join(str(int(letter, 36)) for letter in f"{bban}{country}00")
    return f"payto://iban/{country}{98 - int(digits) % 97:02}{bban}"


LAYERS = [
    [PT], [iban("LT", "10000", n, 16) for n in range(3)], [iban("PT", "0002", n, 21) for n in range(3)],
    [iban("LT", "10000", n, 16) for n in range(5, 7)],
]


def common(dice: Random) -> tuple[list[Row], dict[str, int]]:
    """Money that goes on layer by layer, mixed with what others paid in; nobody pays what is not there."""
    opening = {account: dice.randint(0, 300) for layer in LAYERS for account in layer}
    has, rows, at = dict(opening), list[Row](), BEFORE

    def book(source: str, target: str, units: int) -> None:
        rows.append(Row(at + timedelta(seconds=dice.randint(0, 2)), source, target, f"{units // 100}.{units % 100:02}",
                        f"T{len(rows)}"))
        for account, sign in ((source, -1), (target, 1)):
            if account in has:
                has[account] += sign * units

    book(ES, PT, 10_000)
    for _ in range(40):
        level = dice.choice([0, 0, 0, 1, 1, 2, 3])
        source = dice.choice(LAYERS[level])
        if not has[source] or dice.random() < 0.2:
            book("", source, dice.randint(1, 900))
            continue
        target = dice.choice(LAYERS[level + 1]) if level < 3 and dice.random() < 0.9 else ""
        book(source, target, dice.choice([1, has[source], 1 + has[source] // 2]))
    return rows, opening


@pytest.mark.parametrize("seed", range(4))
def test_two_banks_with_half_a_ledger_each_find_what_one_ledger_would(world: World, tmp_path: Path, seed: int) -> None:
    """Federated is central, to the unit: what is here, what ended, and each transfer on the way."""
    rows, opening = common(Random(seed))
    everything = tmp_path / "all.csv"
    written(everything, rows)
    opened = tmp_path / "opening.csv"
    opened.write_text("account,amount,asset\n" + "".join(
        f"{account},{units // 100}.{units % 100:02},EUR\n" for account, units in opening.items()))
    for id, bank in (("BANK-PT", "PT0002"), ("VASP-LT", "LT10000")):
        mine = [row for row in rows if any(a and institution_of(a) == bank for a in (row.source, row.target))]
        written(tmp_path / f"{id}.csv", mine)
        world.with_ledger(id, LedgerSettings("csv", str(tmp_path / f"{id}.csv"), "", opened, (bank,)))
    world.ask(world.report(payment("100.00 EUR", PT, "T0")), "100.00 EUR", PT)
    world.run(minutes=2)
    found, central = Counter[str](), traced(everything, "--opening", opened, ref="T0")
    flows, ended = Counter[str](), 0
    for case in world.cases("NCB-ES"):
        for request in case.requests.values():
            found[request.body.account] += request.terms.pending
            ended += request.terms.cashed_out
            flows.update({leg.ref: leg.amount.minor for leg in request.legs})
    assert {account: units for account, units in found.items() if units} == {
        one["account"]: minor(one) for one in central["held"]}
    assert ended == sum(map(minor, central["terminal"]))
    assert flows == {one["ref"]: minor(one) for one in central["flows"] if one["ref"] != "T0"}


# --- a chain ---------------------------------------------------------------------------------------------

CHAIN = "eip155:1"
MINED = "Timestamp,Block,Tx_hash,From,To,Value_in_USD"
STEPS = [(12, "b", "", "9.00"), (11, "a", "b", "100.00"), (13, "b", "c", "60.00"), (12, "d", "c", "5.00"),
         (14, "c", "d", "45.00"), (13, "b", "c", "1.00")]


def address(letter: str) -> str:
    return f"0x{letter * 40}" if letter else ""


def test_the_trail_of_one_address_of_a_chain(world: World, tmp_path: Path) -> None:
    """R-44: everybody would see a hold, so nothing is held or told before an officer decided; then the legs are what
    first in first out finds in the same export, and a clerk is to hold what is here."""
    export = tmp_path / "transfers.csv"
    export.write_text("\n".join([MINED, *(
        f"2026-03-02 08:{block}:00,{block},0x{place},{address(source)},{address(target)},{value}"
        for place, (block, source, target, value) in enumerate(STEPS)), ""]))
    member = world.members["VASP-LT"]
    world.publish("VASP-LT", replace(member.participant, answers_for=(CHAIN,), can=CAN_ON_CHAIN), member.keys)
    world.with_ledger("VASP-LT", LedgerSettings("chain", str(export), "", None, (CHAIN,)))
    world.run(minutes=2)
    wallet = f"{CHAIN}:{address('b')}"
    request = world.ask(world.report(payment("100.00 USD", wallet, f"{CHAIN}/tx:0x1")), "100.00 USD", wallet)
    world.settle()
    assert (legs(world, request), todo(world, "VASP-LT")) == ({}, [])
    assert "a hold here is seen by everybody" in [
        event.body.why for event in world.log("VASP-LT") if event.kind == "Escalated"]
    world.officer("VASP-LT", "decide", ACCEPTED, request=request, by=("Lina",))
    world.settle()
    assert todo(world, "VASP-LT") == [("hold", "30.00 USD")]
    rows = read_rows([export], chain=CHAIN)
    ledger = book_rows(rows, {}, set()).ledger
    (answer,) = follow(ledger, [Theft(ledger.refs.index(f"{CHAIN}/tx:0x1"))], "fifo").answers
    assert legs(world, request) == {edge.ref: edge.units for edge in answer.flows if edge.source == wallet}
    assert legs(world, request) == {f"{CHAIN}/tx:0x0": 900, f"{CHAIN}/tx:0x2": 6000, f"{CHAIN}/tx:0x5": 100}
