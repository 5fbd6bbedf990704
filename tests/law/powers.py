"""Law files with other figures in them, for one test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from arrp.core.law import Jurisdiction
from arrp.law.reading import jurisdiction


def changed(id: str, **figures: Any) -> Callable[[str], Jurisdiction]:
    """`jurisdiction`, with these figures in the power `id` instead of the file's own."""

    def read(code: str) -> Jurisdiction:
        law = jurisdiction(code)
        powers = tuple(replace(power, figures={**power.figures, **figures}) if power.id == id else power
                       for power in law.powers)
        return replace(law, powers=powers)

    return read
