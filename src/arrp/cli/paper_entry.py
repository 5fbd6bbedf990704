"""`arrp directory paper`: an entry for a participant that has no node, made by a keeper who telephoned it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.node import Kind, contact
from arrp.cli.speaking import say, show, show_json
from arrp.core.policy import Participant
from arrp.node.clock import Clock
from arrp.node.files import write_new
from arrp.wire.codec import dumps, parse_json
from arrp.wire.entry import VERSION, Entry, entry_text
from arrp.wire.signed_text import SignedText


@dataclass(frozen=True, slots=True)
class Written:
    entry: Annotated[Path, typer.Argument(metavar="ENTRY", help="File to make.")]
    id: Annotated[str, typer.Option(help="Capitals, digits, dashes: NCB-DE.")]
    name: Annotated[str, typer.Option(help="Its name, for people.")]
    kind: Annotated[Kind, typer.Option(help="What it is.")]
    country: Annotated[str, typer.Option(help="Two letters: DE.")]
    contact: Annotated[list[str], typer.Option(help='Duty desk: "Name, +49 30 000000, always".')]
    answers_for: Annotated[list[str], typer.Option(help="Start of a bank code, BIC or chain it keeps.")] = field(
        default_factory=list
    )
    instructs: Annotated[list[str], typer.Option(help="Institution it may instruct.")] = field(default_factory=list)
    language: Annotated[list[str], typer.Option(help="Language it is written to in, best first: de.")] = field(
        default_factory=list
    )
    as_json: AsJson = False


@command
def paper(asked: Written) -> None:
    """Make the entry of a participant that has no node: it is written to on paper. It has no key and signs nothing, so
    the keepers put it in on their own word: arrp directory add … --reissue."""
    who = Participant(
        id=asked.id, name=asked.name, kind=asked.kind.value, country=asked.country, address="",
        answers_for=tuple(asked.answers_for), officers=(), instructs=tuple(asked.instructs), channel="paper",
        languages=tuple(asked.language), contacts=tuple(map(contact, asked.contact)),
    )  # fmt: skip
    write_new(asked.entry, SignedText(entry_text(Entry(VERSION, Clock().now(), who))).file())
    if asked.as_json:
        show_json(parse_json(dumps(who)))
    else:
        show(str(asked.entry))
    say(f"next: telephone it, then arrp directory add DRAFT {asked.entry} --reissue")
