"""How much of a real theft a method finds again, once it is hidden among other people's money.

A published case is a list of payments that people traced by hand, the addresses where the stolen
money first came, and the services where following ended. It is planted in a made-up ledger: its
services are busy with others, and a share of the accounts it passed through pass clean money, too.
What the published payments alone say, the stolen money first, is taken for the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from random import Random

import numpy as np

from arrp.bench.synthetic import DAY, DAYS, synthetic_ledger
from arrp.core.errors import NotFound
from arrp.node.ledger_reading import text_of
from arrp.trace.booking import book
from arrp.trace.follow import Answer, follow
from arrp.trace.found import Theft
from arrp.trace.ledger import Ledger
from arrp.trace.statement import Books
from arrp.wire.ledger_chain import ASSET, read_chain_csv
from arrp.wire.ledger_csv import Rows, read_terminals

METHODS = ("haircut", "fifo", "dirty-first", "libr")
LEAST = 100  # units, 1.00: who got less is not named
RECALL = 0.97  # how much of a theft a ranking has to show
_CHAIN = "eip155:1"
_VISITS = 20  # others' payments to each service, and as many from it

Payment = tuple[int, str, str, int, str]  # time, source, target, units, ref


@dataclass(frozen=True, slots=True)
class Case:
    """A published theft. `stolen` are the refs of the payments that were the theft itself."""

    name: str
    payments: tuple[Payment, ...]
    stolen: frozenset[str]
    services: frozenset[str]

    @property
    def passed(self) -> set[str]:
        """Every account that the stolen money came to."""
        return {target for _, _, target, _, _ in self.payments}


@dataclass(frozen=True, slots=True)
class Score:
    """recall, precision: of the accounts named. ranked: the precision of the accounts that got most, as many of them as
    give a recall of 0.97; 0 where none do. services: the recall of services alone. misplaced: half the difference of
    what lies where, over what was stolen. asked, whole: innocent money that is held if the amounts found are, or if
    whole balances are, over what was stolen."""

    recall: float
    precision: float
    ranked: float
    services: float
    named: int
    misplaced: float
    asked: float
    whole: float


def read_case(folder: Path) -> Case:
    """A folder NAME with NAME.csv (a chain's export), source_addresses.csv and terminal_addresses.csv. Raises NotFound,
    Malformed."""
    rows, first = Rows(), _listed(folder / "source_addresses.csv")
    with text_of(folder / f"{folder.name}.csv") as lines:
        read_chain_csv(lines, _CHAIN, rows)
    paid = list(zip(rows.times, rows.sources, rows.targets, rows.amounts, rows.refs, strict=True))
    if not paid:
        raise NotFound(f"{folder} tells of no payment")
    victims = {source for _, source, _, _, _ in paid} - {target for _, _, target, _, _ in paid} - first
    stolen = {ref for _, source, target, _, ref in paid if source in victims and target in first}
    lost = _unexplained(paid, first)
    before = min(time for time, *_ in paid) - 1
    sources = [(before, f"victim of {one}", one, units, f"theft of {one}") for one, units in lost.items()]
    return Case(folder.name, tuple(sources + paid), frozenset({*stolen, *(ref for *_, ref in sources)}),
                frozenset(_listed(folder / "terminal_addresses.csv")))


def _listed(path: Path) -> set[str]:
    with text_of(path) as lines:
        return {f"{_CHAIN}:{address}" for address in read_terminals(lines)}


def _unexplained(paid: Iterable[Payment], first: Collection[str]) -> dict[str, int]:
    """What the addresses of a theft paid beyond what is known to have come: it was stolen, too."""
    has, lacked = Counter[str](), dict[str, int]()
    for _, source, target, units, _ in paid:
        has[source] -= units
        if source in first and has[source] < 0:
            lacked[source] = lacked.get(source, 0) - has[source]
            has[source] = 0
        has[target] += units
    return lacked


def score(case: Case, mix: float, others: int, seed: int = 1) -> dict[str, Score]:
    """By method. `mix`: which share of the accounts in between pass clean money; `others`: payments of other people."""
    dice = Random(f"{case.name} {mix} {seed}")  # noqa: S311 - the same seed plants the same money
    paid = [*case.payments, *_background(case, others), *_visits(case, dice), *_mixed(case, mix, dice)]
    paid.sort(key=itemgetter(0))
    books = Books(_ledger(paid, case.services))
    truth = _held(_followed(Books(_ledger(case.payments, case.services)), case, "dirty-first"))
    balances = _balances(books.ledger)
    return {method: _scored(case, _followed(books, case, method), truth, balances) for method in METHODS}


def _followed(books: Books, case: Case, method: str) -> Sequence[Answer]:
    rows = [row for row, ref in enumerate(books.ledger.refs) if ref in case.stolen]
    return follow(books, [Theft(row) for row in rows], method).answers


def _ledger(paid: Iterable[Payment], services: Collection[str]) -> Ledger:
    times, sources, targets, amounts, refs = (list(column) for column in zip(*paid, strict=True))
    rows = Rows()
    rows.times, rows.sources, rows.targets, rows.amounts, rows.refs = times, sources, targets, amounts, refs
    rows.assets = rows.to_assets = [ASSET] * len(refs)
    rows.to_amounts, rows.batches = rows.amounts, [""] * len(refs)
    return book(rows, {}, services).ledger


# --- other people's money -----------------------------------------------------------------------------------


def _span(case: Case) -> tuple[int, int]:
    """The quarter that ends with the last payment of the case: then it is asked where the money is."""
    end = max(time for time, *_ in case.payments)
    return end - DAYS * DAY, end


def _background(case: Case, others: int) -> Iterable[Payment]:
    """Payments among people who have nothing to do with it."""
    made, begin = synthetic_ledger(others), _span(case)[0]
    for place, (time, source, target, units) in enumerate(zip(
            made.times.tolist(), made.sources.tolist(), made.targets.tolist(), made.amounts.tolist(), strict=True)):
        yield begin + time, f"other {source}", f"other {target}", units, f"b{place}"


def _other(dice: Random) -> str:
    return f"other {dice.randint(1, 10_000)}"


def _visits(case: Case, dice: Random) -> Iterable[Payment]:
    begin, end = _span(case)
    for service in sorted(case.services):
        for visit in range(_VISITS):
            units = dice.randint(10_00, 50_000_00)
            yield dice.randint(begin, end), _other(dice), service, units, f"to {service} {visit}"
            yield dice.randint(begin, end), service, _other(dice), units, f"from {service} {visit}"


def _mixed(case: Case, mix: float, dice: Random) -> Iterable[Payment]:
    """Clean money comes to an account while it has stolen money, about as much, and leaves it again."""
    income: dict[str, list[tuple[int, int]]] = {}
    for time, _, target, units, _ in case.payments:
        income.setdefault(target, []).append((time, units))
    _, end = _span(case)
    for account in sorted(income.keys() - case.services):
        if dice.random() >= mix:
            continue
        units = max(1, int(sum(units for _, units in income[account]) * dice.uniform(0.05, 0.5)))
        comes = income[account][0][0] + dice.randint(-3600_000_000, 3600_000_000)
        yield comes, _other(dice), account, units, f"clean to {account}"
        yield dice.randint(min(comes, end), end), account, _other(dice), units, f"clean from {account}"


# --- what was found -----------------------------------------------------------------------------------------


def _held(answers: Iterable[Answer]) -> Counter[str]:
    held = Counter[str]()
    for answer in answers:
        for place in (*answer.held, *answer.terminal):
            held[place.account] += place.claim
    return held


def _balances(ledger: Ledger) -> dict[str, int]:
    balance = ledger.opening.copy()
    np.subtract.at(balance, ledger.sources, ledger.amounts)
    np.add.at(balance, ledger.targets, ledger.arrived)
    return {pot.account: int(units) for pot, units in zip(ledger.pots, balance, strict=True)}


def _scored(case: Case, answers: Sequence[Answer], truth: Counter[str], balances: dict[str, int]) -> Score:
    came = Counter[str]()
    for answer in answers:
        for edge in answer.flows:
            came[edge.target] += edge.claim
    named = {account for account, units in came.items() if units >= LEAST}
    stolen = sum(answer.stolen for answer in answers)
    lies = _held(answers)
    held = {account: units for account, units in lies.items() if account not in case.services and units >= LEAST}
    apart = sum(abs(lies[one] - truth[one]) for one in lies.keys() | truth.keys())
    return Score(
        recall=len(named & case.passed) / len(case.passed),
        precision=len(named & case.passed) / len(named),
        ranked=_ranked([account for account, _ in came.most_common()], case.passed),
        services=len(named & case.services & case.passed) / len(case.services & case.passed),
        named=len(named),
        misplaced=apart / 2 / stolen,
        asked=sum(max(0, units - truth[one]) for one, units in held.items()) / stolen,
        whole=sum(max(0, balances[one] - truth[one]) for one in held) / stolen,
    )


def _ranked(ranking: Sequence[str], passed: Collection[str]) -> float:
    hits = 0
    for place, account in enumerate(ranking, 1):
        hits += account in passed
        if hits >= RECALL * len(passed):
            return hits / place
    return 0.0


def mean(scores: Sequence[Score]) -> Score:
    """Of several cases, each counting the same."""
    whole = replace(scores[0], **{
        name: sum(getattr(one, name) for one in scores) / len(scores) for name in Score.__dataclass_fields__})
    return replace(whole, named=round(whole.named))
