"""The methods as their definitions read: all rows in order, one dictionary per account, Python's whole numbers.

Slow and plain on purpose. It shares no search, no index and no state with the methods it checks; first and last in
first out have theirs in trace/coin_by_coin. Without budgets, holds and returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arrp.core.money import split
from arrp.trace.ledger import OUTSIDE, Ledger

Claims = dict[int, int]  # victim -> claim
Pool = dict[tuple[int, ...], tuple[int, Claims]]  # whose -> units, and what they are worth to each


@dataclass
class Reference:
    """What each victim has where: `held` by (victim, pot) is (units, claim), `flows` by (victim, row) are units."""

    held: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    terminal: dict[int, int] = field(default_factory=dict)  # victim -> claim
    rounding: dict[int, int] = field(default_factory=dict)  # victim -> claim
    flows: dict[tuple[int, int], int] = field(default_factory=dict)


def pooled(ledger: Ledger, rows: Sequence[int], rule: str) -> Reference:
    """`rule`: haircut, dirty-first, libr or tiho. All thefts (`rows`) in one pool: for haircut ask one at a time."""
    told = Reference()
    balances = dict(enumerate(ledger.opening.tolist()))
    pools: dict[int, Pool] = {pot: {} for pot in balances}
    kept: dict[int, Pool] = {}
    for row in range(len(ledger.amounts)):
        source, target = int(ledger.sources[row]), int(ledger.targets[row])
        if source == target:
            continue
        pays = int((ledger.arrived if source == OUTSIDE else ledger.amounts)[row])
        if rule == "tiho" and ledger.batches[row] >= 0 and row not in kept:
            _allot(ledger, row, pools[source], kept)
        moved = kept.pop(row) if row in kept else _leave(pools[source], balances[source], pays, rule)
        if row in rows:
            moved = _mark(moved, rows.index(row), pays)
        for whose, (units, _) in moved.items():
            for victim in whose:
                told.flows[victim, row] = told.flows.get((victim, row), 0) + units
        balances[source] -= pays
        balances[target] += int((ledger.amounts if target == OUTSIDE else ledger.arrived)[row])
        _come(ledger, row, moved, (pools[target], told))
    _hold(told, [*pools.items(), *((int(ledger.sources[row]), pool) for row, pool in kept.items())])
    return told


def _hold(told: Reference, pools: list[tuple[int, Pool]]) -> None:
    for pot, pool in pools:
        for whose, (units, claims) in pool.items():
            for victim in whose:
                before = told.held.get((victim, pot), (0, 0))
                told.held[victim, pot] = (before[0] + units, before[1] + claims[victim])


def _leave(pool: Pool, balance: int, pays: int, rule: str) -> Pool:
    stolen = sum(units for units, _ in pool.values())
    if not stolen:
        out = 0
    elif rule == "haircut":
        out = stolen * pays // balance
    elif rule == "libr":
        out = max(0, stolen - (balance - pays))
    else:
        out = min(stolen, pays)
    moved: Pool = {}
    order = sorted(pool)
    for whose, share in zip(order, split(out, [pool[whose][0] for whose in order]) if out else [], strict=False):
        units, claims = pool.pop(whose)
        gone = {victim: claim * share // units for victim, claim in claims.items()}
        if share:
            moved[whose] = (share, gone)
        if share < units:
            pool[whose] = (units - share, {victim: claims[victim] - gone[victim] for victim in claims})
    return moved


def _allot(ledger: Ledger, first: int, pool: Pool, kept: dict[int, Pool]) -> None:
    """One transaction with many outputs, up to another booking: the highest is filled first."""
    pot, outputs = int(ledger.sources[first]), [first]
    for row in range(first + 1, len(ledger.amounts)):
        source, target = int(ledger.sources[row]), int(ledger.targets[row])
        if source == target or pot not in (source, target):
            continue
        if source != pot or ledger.batches[row] != ledger.batches[first]:
            break
        outputs.append(row)
    for row in sorted(outputs, key=lambda row: (-int(ledger.amounts[row]), row)):
        kept[row] = _leave(pool, 0, int(ledger.amounts[row]), "dirty-first")


def _mark(moved: Pool, victim: int, pays: int) -> Pool:
    rest = pays - sum(units for units, _ in moved.values())
    marked: Pool = {}
    for whose, (units, claims) in [*moved.items(), ((), (rest, {}))]:
        if units:
            marked[tuple(sorted((*whose, victim)))] = (units, {**claims, victim: units})
    return marked


def _come(ledger: Ledger, row: int, moved: Pool, at: tuple[Pool, Reference]) -> None:
    pool, told = at
    target = int(ledger.targets[row])
    leaves = int((ledger.arrived if ledger.sources[row] == OUTSIDE else ledger.amounts)[row])
    comes = int((ledger.amounts if target == OUTSIDE else ledger.arrived)[row])
    below = 0
    for whose in sorted(moved):
        gone, claims = moved[whose]
        units = (below + gone) * comes // leaves - below * comes // leaves
        below += gone
        if target == OUTSIDE or ledger.terminal[target] or not units:
            ends = told.terminal if units else told.rounding
            for victim, claim in claims.items():
                ends[victim] = ends.get(victim, 0) + claim
        else:
            before, had = pool.get(whose, (0, {}))
            pool[whose] = (before + units, {victim: had.get(victim, 0) + claim for victim, claim in claims.items()})
