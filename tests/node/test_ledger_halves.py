"""A ledger cut into parts, each read by the node of one institution: put together they are the whole, to the unit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from arrp.connectors.manual import ManualCore
from arrp.core.coins import Coins
from arrp.node.ledger_feeds import FileFeed
from arrp.node.ledger_reading import read_ledger
from arrp.node.ledger_settings import LedgerSettings
from arrp.node.own_ledger import ledger_core
from arrp.trace.account import follow_account
from arrp.trace.follow import follow
from arrp.trace.found import Theft
from arrp.trace.stitch import Onward, Told, stitch, tell
from arrp.wire.ledger_own import OwnRow
from tests.node.world import START

CHAINS = ("eip155:1", "eip155:56", "tron:0x2b6653dc", "eip155:10", "eip155:137")
ACCOUNTS = [f"{CHAINS[n % 4]}:0x{n:040x}" for n in range(12) if CHAINS[n % 4] != "tron:0x2b6653dc"]
HEADER = "time,from,to,amount,asset,ref,reverses"

Lots = dict[str, list[tuple[str, int]]]  # by account: of which payment its coins are, the oldest first


def take(lots: Lots, account: str, units: int, of: str = "") -> None:
    """The oldest coins; of a return those of the payment it reverses."""
    left, kept = units, []
    for ref, there in lots[account]:
        used = min(left, there) if of in ("", ref) else 0
        left -= used
        kept += [(ref, there - used)] if there > used else []
    assert left == 0
    lots[account] = kept


def common(dice: Random) -> list[str]:
    """Rows of a ledger of all; returns are inside one institution, of coins that are still there."""
    lots: Lots = {account: [] for account in ACCOUNTS}
    rows, payments = [], list[tuple[str, str, str]]()

    def book(source: str, target: str, units: int, of: str = "") -> None:
        ref = f"t{len(rows)}"
        rows.append(f"{START.isoformat()},{source},{target},{units / 100:.2f},EUR,{ref},{of}")
        if source:
            take(lots, source, units, of)
        if target:
            lots[target].append((ref, units))
            payments.append((ref, source, target))

    book("", ACCOUNTS[0], 90_000)
    for _ in range(120):
        source, target = dice.sample(ACCOUNTS, 2)
        ref, payer, payee = dice.choice(payments)
        there = sum(units for of, units in lots[payee] if of == ref)
        if dice.random() < 0.3 and payer and there and payer.split(":0x")[0] == payee.split(":0x")[0]:
            book(payee, payer, dice.randint(1, there), ref)
        elif has := sum(units for _, units in lots[source]):
            book(source, target if dice.random() < 0.95 else "", dice.randint(1, has))
        else:
            book("", source, dice.randint(1, 500))
    return rows


class Institution:
    """Answers from the file it has, and no other."""

    def __init__(self, folder: Path, chain: str, rows: list[str]) -> None:
        file = folder / f"{chain.replace(':', '-')}.csv"
        mine = [row for row in rows if any(cell.startswith(f"{chain}:") for cell in row.split(",")[1:3])]
        file.write_text("\n".join([HEADER, *mine, ""]))
        hands = ManualCore(Path(":memory:"), lambda: START)
        self.chain, self.core = chain, ledger_core(LedgerSettings("csv", str(file), accounts=(f"{chain}",)), hands)

    def answer(self, asked: Onward) -> Told:
        reached = self.core.ledger.credited((asked.ref,))
        assert reached is not None
        kept = self.core.ledger.by_ref(reached[1])
        assert kept is not None
        went = {each.ref: each.other.rpartition(":")[0] for each in kept.ledger.transfers}
        return tell(follow_account(kept.ledger.transfers, kept.ledger.opening, ()), self.chain, asked, went.__getitem__)


@pytest.mark.parametrize("seed", range(40))
def test_answers_of_parts_are_the_answer_of_the_whole(tmp_path: Path, seed: int) -> None:
    rows = common(Random(seed))
    whole = tmp_path / "all.csv"
    whole.write_text("\n".join([HEADER, *rows, ""]))
    (central,) = follow(read_ledger([whole], None, None), [Theft(0)], "fifo").answers
    institutions = {chain: Institution(tmp_path, chain, rows) for chain in {a.rpartition(":")[0] for a in ACCOUNTS}}
    loss = Onward("t0", Coins(((0, 90_000),)), ACCOUNTS[0].rpartition(":")[0])
    waiting, answers = [loss], list[Told]()
    while waiting:
        asked = waiting.pop()
        answers.append(institutions[asked.to].answer(asked))
        waiting += answers[-1].legs
    found, held = stitch(loss, answers), Counter[str]()
    for place in central.held:
        held[place.account.rpartition(":")[0]] += place.units
    assert found.whole
    assert {by: units for by, units in found.here.items() if units} == dict(held)
    assert sum(found.ended.values()) == sum(place.units for place in central.terminal)
    for one in institutions.values():
        one.core.close()


def test_a_file_read_as_it_grows_is_the_file_read_at_once(tmp_path: Path) -> None:
    """Whatever piece of it is there when somebody looks."""
    dice, rows = Random(5), common(Random(5))
    data = "\n".join([HEADER, *rows, ""]).encode()
    file, feed, found = tmp_path / "l.csv", FileFeed(tmp_path / "l.csv"), list[OwnRow]()
    end = len(HEADER) + 1
    while True:
        file.write_bytes(data[:end])
        batch = feed.read()
        found = batch.rows if batch.anew else [*found, *batch.rows]
        if end >= len(data):
            break
        end += dice.randint(1, 400)
    assert found == FileFeed(file).read().rows
    assert len(found) == len(rows)
