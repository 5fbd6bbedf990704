"""The ways of working over several seeds: one row each, with ranges."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from statistics import mean, median
from typing import Any

from arrp.sim.haechi.picture import Bar, ranges
from arrp.sim.haechi.ways import EARLY, LETTER_MINUTES, SIGNATURE_MINUTES, WAYS, Found, compared

PROCESSES = 2
CEILING = "clairvoyant"
Seeds = Sequence[Sequence[Found]]  # of each seed, each way


def over_seeds(seeds: Sequence[int], cases: int, say: Callable[[str], None] = lambda _: None) -> list[list[Found]]:
    """Every way for every seed, two seeds at a time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        found = []
        for seed, one in zip(seeds, pool.map(compared, seeds, [cases] * len(seeds)), strict=True):
            say(f"seed {seed}: " + ", ".join(f"{way.way} {_share(one, way):.2f}" for way in one))
            found.append(one)
        return found


def _share(one: Sequence[Found], found: Found) -> float:
    """Of what the clairvoyant saves in the same plots."""
    ceiling = next(each.saved for each in one if each.way == CEILING)
    return found.saved / ceiling if ceiling else 0.0


def rows(seeds: Seeds) -> list[dict[str, Any]]:
    """A row for each way, in the order in which they save."""
    found = []
    for place, way in enumerate(WAYS):
        mine = [one[place] for one in seeds]
        shares = [_share(one, one[place]) for one in seeds]
        cases = sum(each.cases for each in mine)
        hours = sorted(hour for each in mine for hour in each.first_hold_hours)
        innocent = sorted(hour for each in mine for hour in each.innocent_hours)
        found.append({
            "way": way.name,
            "plain": way.plain,
            "saved_of_clairvoyant": round(sum(e.saved for e in mine) / max(1, _ceiling(seeds)), 3),
            "lowest": round(min(shares), 3),
            "mean": round(mean(shares), 3),
            "highest": round(max(shares), 3),
            "early_of_clairvoyant": round(sum(e.saved_early for e in mine) / max(1, _early_ceiling(seeds)), 3),
            "saved_of_lost": round(sum(e.saved for e in mine) / sum(e.lost for e in mine), 3),
            "innocent_accounts_per_100_cases": round(100 * sum(e.innocent for e in mine) / cases, 1),
            "innocent_usd_per_100_cases": round(sum(e.innocent_cents for e in mine) / cases),
            "innocent_hours": round(median(innocent), 1) if innocent else 0.0,
            "requests_per_case": round(sum(e.requests for e in mine) / cases, 1),
            "officer_minutes_per_case": round(sum(e.minutes for e in mine) / cases),
            "cases_with_a_hold": round(len(hours) / cases, 2),
            "first_hold_hours_p50": _at(hours, 0.5),
            "first_hold_hours_p90": _at(hours, 0.9),
        })
    return found


def _ceiling(seeds: Seeds) -> int:
    return sum(each.saved for one in seeds for each in one if each.way == CEILING)


def _early_ceiling(seeds: Seeds) -> int:
    return sum(each.saved_early for one in seeds for each in one if each.way == CEILING)


def _at(hours: list[float], share: float) -> float:
    return round(hours[min(len(hours) - 1, int(len(hours) * share))], 1) if hours else 0.0


def disordered(seeds: Seeds) -> list[int]:
    """The places of those seeds in which a later way saves less than an earlier one."""
    return [place for place, one in enumerate(seeds)
            if any(after.saved < before.saved for before, after in pairwise(one))]


HEAD = ("way", "of clairvoyant", "range", "early", "of lost", "innocent/100", "hours", "requests", "minutes", "held",
        "p50 h", "p90 h")


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row for the table people read."""
    return (
        row["plain"], f"{row['saved_of_clairvoyant']:.2f}", f"{row['lowest']:.2f} to {row['highest']:.2f}",
        f"{row['early_of_clairvoyant']:.2f}", f"{row['saved_of_lost']:.2f}",
        f"{row['innocent_accounts_per_100_cases']:.1f}", f"{row['innocent_hours']:.1f}",
        f"{row['requests_per_case']:.1f}", f"{row['officer_minutes_per_case']}", f"{row['cases_with_a_hold']:.2f}",
        f"{row['first_hold_hours_p50']:.1f}", f"{row['first_hold_hours_p90']:.1f}",
    )


def notes(cases: int, seeds: int) -> Iterator[str]:
    """What the columns are."""
    yield f"{cases} cases for each of {seeds} seeds, drawn blindly, the same under every way; counted from nodes' logs."
    yield "of clairvoyant, of lost: money still held at the end, as a share; range: lowest and highest of all seeds."
    yield f"early: the same of losses reported within {EARLY.total_seconds() / 3600:g} hours of the first payment."
    yield "innocent: accounts held of people in good faith in 100 cases, and the median hours until they were let go."
    yield (f"requests and officers' minutes for one case: {SIGNATURE_MINUTES:g} minutes for each signature, "
           f"{LETTER_MINUTES:g} more for what is written by hand (assumed).")
    yield "held: cases in which anything was held; p50, p90: hours from the report to the first hold, of those."


def chart(seeds: Seeds) -> str:
    """Each way's share of the clairvoyant's, as a bar with its range."""
    bars = [Bar(row["plain"], row["lowest"], row["mean"], row["highest"]) for row in rows(seeds)]
    return ranges("What each way of working saves, of what a clairvoyant would", bars)
