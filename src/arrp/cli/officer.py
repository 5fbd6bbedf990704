"""`arrp officer`: the key an officer approves with, and the line in the directory that makes it count."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.passphrase import PassphraseFile, ask_passphrase
from arrp.cli.speaking import say, show, show_json
from arrp.core.errors import Conflict, Malformed
from arrp.core.policy import Officer
from arrp.node.clock import Clock
from arrp.node.directory import read_entry, write_entry
from arrp.node.files import read_file
from arrp.node.keys import keep_officer_key, load_node_keys, new_officer_key, person_key
from arrp.wire.codec import dumps, loads, parse_json
from arrp.wire.entry import check_officer

_FRAGMENT_MAX = 1 << 16
_LEAST = timedelta(microseconds=1)  # no key ends before it begins


@dataclass(frozen=True, slots=True)
class NewKey:
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File to make; it belongs on the officer's own machine.")]
    id: Annotated[str, typer.Option(help="Letters and digits by which colleagues know the officer.")]
    name: Annotated[str, typer.Option(help="The officer's name.")]
    role: Annotated[list[str], typer.Option(help="What the officer is there, such as duty officer.")] = field(
        default_factory=list
    )
    passphrase_file: PassphraseFile = None


@command
def key(asked: NewKey) -> None:
    """Make an officer's key under a passphrase, and print what the directory needs to know of it, as JSON."""
    if asked.path.exists():
        raise Conflict(f"{asked.path} is there already: a key is never overwritten. Choose another name.")
    made = new_officer_key()
    officer = Officer(asked.id, asked.name, tuple(asked.role), (person_key(made, Clock().now()),))
    check_officer(officer)
    keep_officer_key(asked.path, made, ask_passphrase(asked.passphrase_file, again=True))
    show_json(parse_json(dumps(officer)))
    say(f"{asked.path} is the key: keep it. What was printed goes to your node: arrp officer add HOME FRAGMENT")


@dataclass(frozen=True, slots=True)
class Add:
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Home of the node.")]
    fragment: Annotated[
        Path, typer.Argument(metavar="FRAGMENT", help="What arrp officer key printed; - is stdin.", allow_dash=True)
    ]
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the officer of that id.")] = False
    as_json: AsJson = False


@command
def add(asked: Add) -> None:
    """Put an officer into the node's entry.json, which then goes to the keepers of the directory again."""
    path = asked.home / "entry.json"
    entry, officer = read_entry(path), _fragment(asked.fragment)
    same = [known for known in entry.officers if known.id == officer.id]
    if not asked.replace and same not in ([], [officer]):
        raise Conflict(f"{path} has another officer {officer.id}: to put this one in their place, say --replace")
    if same != [officer]:
        others = tuple(known for known in entry.officers if known.id != officer.id)
        entry = replace(entry, officers=(*others, _following(same, officer)))
        write_entry(path, entry, load_node_keys(asked.home), Clock().now())
    if asked.as_json:
        show_json(parse_json(dumps(entry)))
    else:
        show(str(path))
    say(f"{entry.id} has {len(entry.officers)} officers: hand in {path}")


def _following(before: list[Officer], officer: Officer) -> Officer:
    """With the keys that the officer had: what they signed before counts, they sign nothing new (R-36)."""
    fresh = {key.id for key in officer.keys}
    begins = min(key.since for key in officer.keys)
    old = (key for known in before for key in known.keys if key.id not in fresh)
    ended = (replace(key, until=min(key.until or begins, max(begins, key.since + _LEAST))) for key in old)
    return replace(officer, keys=(*officer.keys, *ended))


def _fragment(path: Path) -> Officer:
    data = sys.stdin.buffer.read(_FRAGMENT_MAX) if str(path) == "-" else read_file(path, _FRAGMENT_MAX)
    try:
        officer = loads(Officer, data)
        check_officer(officer)
    except Malformed as why:
        raise Malformed(f"{path}: {why}", code=why.code) from None
    return officer
