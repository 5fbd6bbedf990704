"""`arrp directory`: entries into a directory, and who is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.node.directory import add_entries, load_directory, read_entry
from arrp.wire.codec import dumps, parse_json

DirectoryFile = Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The file directory.json.")]
Entries = Annotated[list[Path], typer.Argument(metavar="ENTRY", help="Files entry.json, as participants hand them in.")]
Replace = Annotated[bool, typer.Option("--replace", help="Put them in the place of what is there.")]


@command
def add(directory: DirectoryFile, entries: Entries, replace: Replace = False, as_json: AsJson = False) -> None:
    """Put entries into a directory: all of them, or none. The file is made where there is none."""
    add_entries(directory, [read_entry(path) for path in entries], replace)
    members = load_directory(directory).participants
    if as_json:
        show_json([parse_json(dumps(who)) for who in members.values()])
    else:
        show(str(directory))
    say(f"{directory} has {len(members)} participants")


@command
def show_directory(directory: DirectoryFile, as_json: AsJson = False) -> None:
    """Check a directory, and show who is in it."""
    members = load_directory(directory).participants
    if as_json:
        show_json([parse_json(dumps(who)) for who in members.values()])
    else:
        show_table(
            ("id", "kind", "country", "address", "answers for", "instructs", "officers", "name"),
            (
                (
                    who.id + (" (suspended)" if who.suspended else ""), who.kind, who.country, who.address,
                    " ".join(who.answers_for), " ".join(who.instructs), str(len(who.officers)), who.name,
                )
                for who in members.values()
            ),
        )  # fmt: skip
    for who in members.values():
        if missing := [id for id in who.instructs if id not in members]:
            say(f"{who.id} instructs {', '.join(missing)}, which the directory does not have")
        if not who.officers:
            say(f"{who.id} has no officers: nobody can approve anything there")
