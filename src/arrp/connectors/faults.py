"""What can be wrong with the simulated bank: rows in its file, used up one call at a time.

Each fault has its twin in `answer_lost`: it was done, and nobody was told.
"""

from __future__ import annotations

from enum import StrEnum

from arrp.connectors.books import Books
from arrp.core.errors import Malformed


class Fault(StrEnum):
    """What can be wrong with one call."""

    SLOW = "slow"
    DOWN = "down"  # not reached: nothing happened
    REQUEST_LOST = "request_lost"  # no answer, and nothing happened
    ANSWER_LOST = "answer_lost"  # no answer, and it happened
    REFUSE = "refuse"  # says no, for reasons of its own; `let_go`: holds on past `until`
    LIE = "lie"  # says yes, and does nothing
    LEDGER_UNREADABLE = "ledger_unreadable"


_ANY = frozenset({Fault.SLOW, Fault.DOWN, Fault.REQUEST_LOST, Fault.ANSWER_LOST})
_READING = _ANY | {Fault.LEDGER_UNREADABLE}
_ACTING = _ANY | {Fault.REFUSE, Fault.LIE}
FAULTS = {
    **dict.fromkeys(("status", "holds"), _ANY),
    **dict.fromkeys(("find", "transfers_since"), _READING),
    **dict.fromkeys(("hold", "stop", "release", "extend", "give_back", "hand_over"), _ACTING),
    "let_go": frozenset({Fault.REFUSE}),
}


class Faults:
    """The faults of one bank, planted and mended by any process that has its file open."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def plant(self, verb: str, fault: Fault, times: int | None = 1, seconds: int = 0) -> None:
        """Let the next `times` calls of the verb go wrong; None: until mended."""
        if fault not in FAULTS.get(verb, ()):
            raise Malformed(f"{verb} cannot be {fault}: it knows {sorted(FAULTS.get(verb, ())) or 'no fault'}")
        with self._books.transaction():
            self._books.write(
                "INSERT INTO faults (verb, kind, times, seconds) VALUES (?, ?, ?, ?)", verb, fault, times, seconds
            )

    def mend(self) -> None:
        """Take all faults away."""
        with self._books.transaction():
            self._books.write("DELETE FROM faults")

    def next(self, verb: str) -> tuple[Fault | None, int]:
        """The oldest fault planted for the verb, one time less of it, and its seconds. In a transaction."""
        row = self._books.row("SELECT * FROM faults WHERE verb = ? ORDER BY id", verb)
        if row is None:
            return None, 0
        self._books.write("UPDATE faults SET times = times - 1 WHERE id = ?", row["id"])
        self._books.write("DELETE FROM faults WHERE times <= 0")
        return Fault(row["kind"]), row["seconds"]
