"""States and legal moves as data, checked when the module is imported.

A table says, for each state and each kind of event, the next state. It is refused at import when a
state cannot be reached, when an end has a way out, or when a state could wait for ever: every
state that is not an end names the clock that will end it (R-30).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from arrp.core.errors import Conflict


@dataclass(frozen=True)
class Lifecycle:
    """`moves[(state, kind)]` is the next state; `clocks[state]` names what ends the waiting."""

    name: str
    start: str
    moves: Mapping[tuple[str, str], str]
    ends: frozenset[str]
    clocks: Mapping[str, str]

    def __post_init__(self) -> None:
        leaving = {state for state, _ in self.moves}
        if dead := leaving & self.ends:
            raise AssertionError(f"{self.name}: an end has a way out: {sorted(dead)}")
        if unreached := self.states - {self.start, *self.moves.values()}:
            raise AssertionError(f"{self.name}: nothing leads to {sorted(unreached)}")
        if waiting := self.states - self.ends - set(self.clocks):
            raise AssertionError(f"{self.name}: could wait for ever in {sorted(waiting)}")
        if stuck := self.states - self.ends - leaving:
            raise AssertionError(f"{self.name}: no way out of {sorted(stuck)}")

    @property
    def states(self) -> frozenset[str]:
        return frozenset({self.start, *self.moves.values(), *self.ends, *self.clocks})

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for _, kind in self.moves)

    def move(self, state: str, kind: str) -> str:
        """The owner's next state. Raises Conflict for a move the table does not have (I10)."""
        if (state, kind) not in self.moves:
            can = sorted(kind for at, kind in self.moves if at == state)
            raise Conflict(f"{self.name} is {state}: {kind} is not possible; what is: {can or 'nothing, it has ended'}",
                           rule="R-30")
        return self.moves[state, kind]

    def jumps(self, state: str, kind: str, stated: str) -> bool:
        """Whether a mirror that adopts `stated` on hearing `kind` leaves the table (R-32)."""
        return self.moves.get((state, kind)) != stated
