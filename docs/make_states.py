"""Prints docs/states.md from the tables of core: who may be in which state, what ends the waiting, what moves it.

    python docs/make_states.py > docs/states.md
"""

from __future__ import annotations

from collections.abc import Iterator

from arrp.core.events import KINDS
from arrp.core.hold import HOLD
from arrp.core.lifecycle import Lifecycle
from arrp.core.request import ANSWER, WISH

_HEAD = """# States

Printed by `docs/make_states.py` from the tables of the code; a test compares. Change the tables, never this page.
Every state that is not an end names the clock that ends the waiting: nothing may wait for ever (R-30). Only the owner
moves along its table, and a move that is not in it is refused (R-30). What the words mean is in the
[glossary](glossary.md), who owns what in the [protocol](protocol.md)."""

_OWNERS = {
    "wish": ("The wish", "Owned by the requesting side: what it asks for, and whether it still does."),
    "answer": ("The answer", "Owned by the requested side: what it says to the request."),
    "hold": ("The hold", "Owned by the holder alone, whoever stands between it and the requesting side."),
}

_MIRROR = """## The mirror

The other side keeps the same three states as a mirror. A mirror has no clocks: it adopts what the owner's newest fact
states, whatever state it was in, and a step that the owner's table does not have is marked as a jump (R-32). Past a
hold's `until` a mirror shows "ended by its date, not yet confirmed" and changes nothing.

| Heard | Of | The mirror is then |
|---|---|---|"""


def states() -> str:
    """The whole page."""
    tables = "\n\n".join(_table(lifecycle) for lifecycle in (WISH, ANSWER, HOLD))
    heard = "\n".join(row for lifecycle in (WISH, ANSWER, HOLD) for row in _mirrored(lifecycle))
    return f"{_HEAD}\n\n{tables}\n\n{_MIRROR}\n{heard}\n"


def _table(lifecycle: Lifecycle) -> str:
    title, owner = _OWNERS[lifecycle.name]
    rows = "\n".join(_row(lifecycle, state) for state in _in_order(lifecycle))
    return f"## {title}\n\n{owner}\n\n| State | Ended by this clock | Moves |\n|---|---|---|\n{rows}"


def _in_order(lifecycle: Lifecycle) -> list[str]:
    """Every state, as a life reaches them."""
    return list(dict.fromkeys((lifecycle.start, *lifecycle.moves.values())))


def _row(lifecycle: Lifecycle, state: str) -> str:
    if state in lifecycle.ends:
        return f"| `{state}` | an end | none |"
    leaving = [f"`{kind}` → {to}" for (at, kind), to in lifecycle.moves.items() if at == state != to]
    staying = [f"`{kind}`" for (at, kind), to in lifecycle.moves.items() if at == state == to]
    moves = "; ".join([*leaving, *([f"stays at {', '.join(staying)}"] if staying else [])])
    return f"| `{state}`{' (start)' if state == lifecycle.start else ''} | {lifecycle.clocks[state]} | {moves} |"


def _mirrored(lifecycle: Lifecycle) -> Iterator[str]:
    for kind in dict.fromkeys(kind for _, kind in lifecycle.moves if KINDS[kind].writer != "local"):
        stated = dict.fromkeys(to for (_, said), to in lifecycle.moves.items() if said == kind)
        yield f"| `{kind}` | {lifecycle.name} | {', '.join(stated)} |"


if __name__ == "__main__":
    print(states(), end="")
