"""`arrp replay`: a whole operation told again by real nodes, and what it saves under other ways of working."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.core.errors import Corrupt
from arrp.node.clock import Clock
from arrp.sim.haechi.comparing import HEAD, cells, chart, disordered, notes, over_seeds, rows
from arrp.sim.haechi.operation import operate
from arrp.sim.haechi.page import faults, figures, page, timeline
from arrp.sim.haechi.picture import over_time


@dataclass(frozen=True, slots=True)
class Replaying:
    seed: Annotated[int, typer.Option(help="Another seed tells another story with the same totals.", min=0)] = 1
    svg: Annotated[Path | None, typer.Option(help="Write a picture of the money over time there.")] = None
    timeline: Annotated[Path | None, typer.Option(help="Write what happened, hour by hour, as JSON there.")] = None
    ways: Annotated[bool, typer.Option("--ways", help="Compare ways of working instead, on a sample.")] = False
    seeds: Annotated[int, typer.Option(help="With --ways: how many samples.", min=1, max=100)] = 10
    cases: Annotated[int, typer.Option(help="With --ways: cases of each sample.", min=2, max=1000)] = 40
    as_json: AsJson = False


@command
def haechi3(asked: Replaying) -> None:
    """The five months of HAECHI III: thirty countries' nodes, counted from their logs to the published totals.

    --ways asks what it saves: samples of its cases by mail, by recall, with ARRP, and as a clairvoyant would."""
    if asked.ways:
        _ways(asked)
        return
    clock = Clock()
    begin = clock.seconds()
    counted = operate(asked.seed, say=say)
    found = figures(counted, asked.seed, clock.seconds() - begin)
    if asked.svg is not None:
        asked.svg.write_text(over_time(counted), encoding="utf-8")
    if asked.timeline is not None:
        asked.timeline.write_text(json.dumps(timeline(counted), indent=1), encoding="utf-8")
    _shown(found, asked.as_json)
    wrong = [*counted.violations, *faults(found)]
    for line in wrong:
        say(line)
    if wrong:
        raise Corrupt(f"{len(wrong)} things are not as they must be: see above, and keep the seed {asked.seed}")


def _ways(asked: Replaying) -> None:
    """One table, one chart: what each way of working saves of the same losses."""
    seeds = range(asked.seed, asked.seed + asked.seeds)
    found = over_seeds(seeds, asked.cases, say)
    table = rows(found)
    if asked.svg is not None:
        asked.svg.write_text(chart(found), encoding="utf-8")
    if asked.as_json:
        show_json({"cases": asked.cases, "seeds": list(seeds), "ways": table, "disordered": len(disordered(found))})
    else:
        show_table(HEAD, map(cells, table))
        for line in notes(asked.cases, asked.seeds):
            show(line)
    for place in disordered(found):
        say(f"seed {seeds[place]}: a later way saves less than an earlier one")


def _shown(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    for line in page(found):
        show(line)
