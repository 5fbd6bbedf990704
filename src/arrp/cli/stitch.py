"""`arrp stitch`: do the answers of many institutions about one theft add up, and who leaves a gap?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.node.files import read_file
from arrp.trace.stitch import Heard, Stitched
from arrp.trace.stitch import stitch as put_together
from arrp.wire.codec import loads

Answers = Annotated[Path, typer.Argument(metavar="FILE", help="JSON: loss and answers, as docs/trace.md shows.")]


@command
def stitch(file: Answers, as_json: AsJson = False) -> None:
    """Put together what institutions answered about one theft, each from its own ledger.

    Amounts are minor units. Where the answers do not add up, the gap has a name."""
    heard = loads(Heard, read_file(file))
    found = put_together(heard.loss, heard.answers)
    if as_json:
        gaps = [{"institution": g.institution, "ref": g.ref, "units": g.units, "why": g.why} for g in found.gaps]
        whole = {"stolen": found.stolen, "here": found.here, "ended": found.ended, "gaps": gaps, "whole": found.whole}
        show_json(whole)
        return
    _tell(found)


def _tell(found: Stitched) -> None:
    rows = [(name, str(units), str(found.ended[name])) for name, units in found.here.items()]
    show_table(("institution", "here", "ended"), rows)
    for gap in found.gaps:
        show(f"gap: {gap}")
    say(f"{found.stolen} units stolen; {'every one is accounted for' if found.whole else 'not all are accounted for'}")
