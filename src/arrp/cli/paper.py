"""`arrp request paper`, `sent-by-hand`, `answer --source`: a participant that has no node, served by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, Desk, Home, KeyFile, Looking, OfficerId, wished
from arrp.cli.passphrase import PassphraseFile
from arrp.cli.speaking import say, show_json, show_table
from arrp.core.by_hand import SentByHand, Way
from arrp.core.errors import Conflict, NotFound
from arrp.node.files import write_new
from arrp.node.paper import pdf
from arrp.wire.codec import read
from arrp.wire.sheet import Sheet, text

REFERENCED = "Id of the request, or the reference on paper."


@dataclass(frozen=True, slots=True)
class Printing:
    request: Annotated[str, typer.Argument(metavar="REQUEST", help=f"{REFERENCED} None: a list.")] = ""
    act: Annotated[str, typer.Option(help="Which act of it, if several wait.")] = ""
    again: Annotated[bool, typer.Option("--again", help="Also what was sent already.")] = False
    pdf: Annotated[Path | None, typer.Option(help="Write the PDF here.")] = None
    officer: Looking = ""
    home: Home = ELSEWHERE
    as_json: AsJson = False


@command
def paper(asked: Printing) -> None:
    """Print what goes on paper: the act as a letter, with a form for the answer. Without REQUEST: what waits."""
    desk = Desk(asked.home, asked.officer)
    if not asked.request:
        _list(desk.get("/papers"), asked)
        return
    found = desk.get(f"/papers/{asked.request}")["letters"]
    chosen = [one for one in found if (asked.again or one["state"] == "paper") and asked.act in ("", one["act"])]
    if not chosen:
        raise NotFound(f"nothing of {asked.request} waits to be sent; --again prints what was sent already")
    if asked.as_json:
        show_json(chosen)
        return
    sheets = [read(Sheet, one["sheet"]) for one in chosen]
    if asked.pdf is None:
        typer.echo("\f".join(map(text, sheets)), nl=False)
        return
    if len(sheets) > 1:
        acts = ", ".join(f"{one['kind']} {one['act']}" for one in chosen)
        raise Conflict(f"several acts wait; a PDF is of one: say --act ({acts})")
    write_new(asked.pdf, pdf(sheets[0]), mode=0o600)
    say(f"{sheets[0].reference} is in {asked.pdf}. When it was sent: arrp request sent-by-hand {asked.request} …")


def _list(rows: Any, asked: Printing) -> None:
    rows = [row for row in rows if asked.again or row["state"] == "paper"]
    if asked.as_json:
        show_json(rows)
        return
    show_table(("reference", "request", "kind", "to", "written", "state"), (
        (r["reference"], r["request"], r["kind"], r["to"], r["written_at"][:16],
         "to be sent" if r["state"] == "paper" else "sent") for r in rows
    ))


@dataclass(frozen=True, slots=True)
class Posted:
    request: Annotated[str, typer.Argument(metavar="REQUEST", help=REFERENCED)]
    officer: OfficerId
    how: Annotated[Way, typer.Option(help="How it was sent.")]
    reference: Annotated[str, typer.Option(help="Number of the message, or of the posting.")]
    act: Annotated[str, typer.Option(help="Which act; all that wait, if not said.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def sent_by_hand(asked: Posted) -> None:
    """Record that a letter was sent. Its clocks run on as for a node that is silent."""
    found = Desk(asked.home, asked.officer).get(f"/papers/{asked.request}")
    acts = [one["act"] for one in found["letters"] if one["state"] == "paper" and asked.act in ("", one["act"])]
    if not acts:
        raise Conflict(f"nothing of {asked.request} waits to be sent: arrp request paper lists what does")
    for act in acts:
        wished(asked, "sent-by-hand", SentByHand(act, asked.how, asked.officer, asked.reference),
               request=found["request"])
