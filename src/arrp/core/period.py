"""How long, as a law says it: `24 hours`, `3 calendar days`, `5 working days`, `1 month`, `until order` (R-40)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from arrp.core.errors import Malformed

UNITS = ("hours", "calendar days", "working days", "months")
UNTIL_ORDER = "until order"

_TEXT = re.compile(r"([1-9][0-9]{0,4}) (hour|calendar day|working day|month)s?")


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time in a law's own unit. `until order` (count 0) has no end of its own: it is reviewed."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Period:
        """Raises Malformed for what is no such text."""
        if text == UNTIL_ORDER:
            return cls(0, UNTIL_ORDER)
        found = _TEXT.fullmatch(text)
        if found is None:
            raise Malformed(f"{text[:40]!r} is no length of time: say 24 hours, 3 calendar days, 5 working days, "
                            f"1 month, or {UNTIL_ORDER}")
        return cls(int(found[1]), f"{found[2]}s")

    def __str__(self) -> str:
        if self.unit == UNTIL_ORDER:
            return UNTIL_ORDER
        return f"{self.count} {self.unit if self.count != 1 else self.unit.removesuffix('s')}"
