"""How a bug is planted: real code replaced while a block lasts, by code that a programmer could have written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

_MISSING = object()


class Patch(ExitStack):
    """Replacements; what was there before is back when the block ends."""

    def put(self, owner: Any, name: str, instead: Any) -> Any:
        """`owner.name` becomes `instead`; what it was."""
        before = vars(owner)[name]
        self.callback(setattr, owner, name, before)
        setattr(owner, name, instead)
        return before

    def wrap(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """`owner.name` becomes `around(what it was, ...)`."""
        before = vars(owner)[name]
        self.put(owner, name, lambda *words, **named: around(before, *words, **named))

    def entry(self, table: dict[Any, Any], key: Any, instead: Any) -> Any:
        """The same for an entry of a table."""
        before = table.get(key, _MISSING)
        self.callback(table.__setitem__, key, before) if before is not _MISSING else self.callback(table.pop, key)
        table[key] = instead
        return before


@dataclass(frozen=True, slots=True)
class Plant:
    """One bug. `caught_by`: the invariants of DESIGN §8 of which any one is to name it; `faults`: what has to go on
    in a history so that it shows."""

    name: str
    says: str
    caught_by: tuple[str, ...]
    faults: tuple[str, ...]
    plant: Callable[[Patch], None]

    def planted(self) -> AbstractContextManager[Patch]:
        """The bug is in the code while the block lasts."""
        patch = Patch()
        self.plant(patch)
        return patch


class Bugs(dict[str, Plant]):
    """Bugs by name."""

    def bug(self, name: str, says: str, caught_by: str, faults: str = "") -> Callable[[Callable[[Patch], None]], None]:
        """The function below it plants it."""

        def known(plant: Callable[[Patch], None]) -> None:
            assert name not in self, f"two bugs are called {name}"
            self[name] = Plant(name, says, tuple(caught_by.split()), tuple(faults.split()), plant)

        return known
