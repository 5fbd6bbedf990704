"""The whole operation: both regions side by side, each in a process of its own, and their logs added up."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from queue import Empty
from typing import Any

from arrp.core.errors import Unreachable
from arrp.sim.haechi.count import Counted
from arrp.sim.haechi.frame import PUBLISHED, REGIONS, Frame
from arrp.sim.haechi.rehearse import rehearse

WAIT_SECONDS = 2.0  # between two looks whether a region still works


def operate(seed: int, frame: Frame = PUBLISHED, say: Callable[[str], None] = lambda _: None) -> Counted:
    """Both regions at once. Raises Unreachable when one of them ended without an answer."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    parts = [context.Process(target=_region, args=(frame, seed, number, answers), daemon=True)
             for number in range(len(REGIONS))]
    for part in parts:
        part.start()
    return _gathered(answers, parts, say)


def _region(frame: Frame, seed: int, number: int, answers: Any) -> None:
    """One region, in a process that does nothing else: what is built stays, so that looking for garbage is rare."""
    gc.set_threshold(200_000, 20, 100)
    counted = rehearse(frame.share(number, len(REGIONS)), seed, REGIONS[number],
                       lambda line: answers.put((number, line)))
    answers.put((number, counted))


def _gathered(answers: Any, parts: list[Any], say: Callable[[str], None]) -> Counted:
    found = dict[int, Counted]()
    while len(found) < len(parts):
        try:
            number, said = answers.get(timeout=WAIT_SECONDS)
        except Empty:
            lost = [number for number, part in enumerate(parts) if number not in found and not part.is_alive()]
            if lost:
                raise Unreachable(f"region {lost[0] + 1} ended without an answer: see what it said above") from None
            continue
        if isinstance(said, Counted):
            found[number] = said
        else:
            say(f"region {number + 1}: {said}")
    counted = Counted()
    for number in sorted(found):
        counted.add(found[number])
    return counted
