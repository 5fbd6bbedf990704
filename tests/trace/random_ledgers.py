"""Random ledgers: few accounts, two assets, empties, payments to oneself, batches, conversions, amounts to 2^62."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from arrp.trace.booking import book
from arrp.trace.ledger import Ledger

AT = 1_669_161_600_000_000  # every payment at one instant: only the row orders
Line = tuple[str, str, int]


@dataclass
class Lines:
    """Columns as wire/ledger_csv makes them, in minor units."""

    times: list[int] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    to_amounts: list[int] = field(default_factory=list)
    to_assets: list[str] = field(default_factory=list)
    refs: list[str] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)

    def pay(self, line: Line, asset: str = "EUR", gives: tuple[int, str] | None = None, batch: str = "") -> None:
        source, target, amount = line
        self.refs.append(f"t{len(self.refs)}")
        self.times.append(AT)
        self.sources.append(source)
        self.targets.append(target)
        self.amounts.append(amount)
        self.assets.append(asset)
        self.to_amounts.append(gives[0] if gives else amount)
        self.to_assets.append(gives[1] if gives else asset)
        self.batches.append(batch)

    def ledger(self, opening: dict[str, int] | None = None, terminals: Iterable[str] = ()) -> Ledger:
        given = {(account, "EUR"): units for account, units in (opening or {}).items()}
        booked = book(self, given, set(terminals))
        assert booked.uncovered == ()
        return booked.ledger


def ledger_of(lines: Sequence[Line], opening: dict[str, int] | None = None, terminals: Iterable[str] = ()) -> Ledger:
    """Payments in euro cents, by hand."""
    columns = Lines()
    for line in lines:
        columns.pay(line)
    return columns.ledger(opening, terminals)


ACCOUNTS = "ABCDE"
HIGH = 2**62

# (kind, source, target, how much): the part of the balance that moves is told in 64ths, 64 empties the pot.
_steps = st.lists(
    st.tuples(
        st.sampled_from(["in", "pay", "pay", "pay", "pay", "cash", "swap", "self"]),
        st.integers(0, 4), st.integers(0, 4), st.integers(1, 64), st.booleans(),
    ),
    min_size=1, max_size=24,
)  # fmt: skip


@st.composite
def ledgers(draw: st.DrawFn, assets: bool = True, batched: bool = True) -> Ledger:
    """No pot ever pays what it has not; often it pays all it has."""
    scale = draw(st.sampled_from([1, 3, 100, HIGH // 64]))
    return told(draw(_steps), scale, assets, batched, terminal=draw(st.booleans()))


def told(
    steps: Sequence[tuple[str, int, int, int, bool]], scale: int, assets: bool, batched: bool, terminal: bool = False
) -> Ledger:
    story = _Story(scale, assets, batched)
    for step in steps:
        story.step(*step)
    if not story.lines.refs:
        story.lines.pay(("", "A", scale))
    return story.lines.ledger({"A": 20 * scale, "B": 7 * scale}, {"E"} if terminal else ())


@dataclass
class _Story:
    scale: int
    assets: bool
    batched: bool
    lines: Lines = field(default_factory=Lines)
    batch: int = 0

    def __post_init__(self) -> None:
        self.has = {("A", "EUR"): 20 * self.scale, ("B", "EUR"): 7 * self.scale}

    def step(self, kind: str, one: int, other: int, part: int, more: bool) -> None:
        source, target, asset = ACCOUNTS[one], ACCOUNTS[other], "USD" if more and self.assets else "EUR"
        units = self.has.get((source, asset), 0) * part // 64
        if kind == "in":
            source, units = "", min(part * self.scale, HIGH)
        elif kind in ("cash", "self"):
            target = "" if kind == "cash" else source
        elif source == target:
            return
        if 0 < units <= HIGH and sum(self.has.get((target, held), 0) for held in ("EUR", "USD")) <= HIGH:
            gives = self.gives(kind, asset, min(HIGH, max(1, units * (one + 1) // (other + 2))))
            self.batch += more
            batch = f"{source}{self.batch}" if self.batched and self.batch % 2 else ""
            self.lines.pay((source, target, units), asset, gives, batch)
            self.move((source, asset), -units)
            self.move((target, gives[1] if gives else asset), gives[0] if gives else units)

    def gives(self, kind: str, asset: str, comes: int) -> tuple[int, str] | None:
        return (comes, "USD" if asset == "EUR" else "EUR") if kind == "swap" and self.assets else None

    def move(self, pot: tuple[str, str], units: int) -> None:
        if pot[0]:
            self.has[pot] = self.has.get(pot, 0) + units


def thefts_of(ledger: Ledger, picks: Sequence[int]) -> list[int]:
    """Distinct rows that moved something."""
    real = [row for row in range(len(ledger.amounts)) if ledger.sources[row] != ledger.targets[row]]
    return list(dict.fromkeys(real[pick % len(real)] for pick in picks)) if real else []
