"""`arrp node backup`, `arrp node restore`: the store as one sealed file, and a node made from it again (R-29)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.passphrase import PassphraseFile, ask_passphrase
from arrp.cli.speaking import say, show, show_json
from arrp.core.errors import Conflict, Corrupt
from arrp.node.backup import Known, backup, erased_before, restore, wipe
from arrp.node.clock import Clock
from arrp.node.config import Config, load_config
from arrp.node.directory import trusted_directory
from arrp.node.files import Files
from arrp.node.keys import load_node_keys
from arrp.node.verify import verify

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
HomeArgument = Annotated[Path, typer.Argument(metavar="HOME", help="Home of the node; it may be running.")]


@dataclass(frozen=True, slots=True)
class BackingUp:
    home: HomeArgument
    file: BackupFile
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def make(asked: BackingUp) -> None:
    """Write the store, as it is at this moment, into one sealed file; the node may be running. Keys, settings, the
    directory and documents are files of the home: copy them apart."""
    config = load_config(asked.home)
    passphrase = ask_passphrase(asked.passphrase_file, again=True)
    coming = asked.file.with_name(f".{asked.file.name}.coming")
    if asked.file.exists():
        raise Conflict(f"{asked.file} is there already: a backup replaces none, choose another name")
    handle = os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            manifest = backup(config.store, config.id, file, passphrase, Clock())
            file.flush()
            os.fsync(file.fileno())
        coming.replace(asked.file)
    finally:
        coming.unlink(missing_ok=True)
    if asked.as_json:
        show_json({"node": manifest.node, "at": manifest.at, "checkpoint": manifest.checkpoint,
                   "file": str(asked.file)})
    else:
        show(f"{asked.file}: {manifest.node} as of {manifest.at}")


@dataclass(frozen=True, slots=True)
class Restoring:
    file: BackupFile
    into: Annotated[Path, typer.Option(help="Home with keys, settings and directory, whose store is empty.")]
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def bring_back(asked: Restoring) -> None:
    """Fill the empty store of a home from a backup, and verify it. The node then starts as one that is recovering: it
    asks its peers what it said since, and its core what it holds, before it places anything."""
    config = load_config(asked.into)
    directory = trusted_directory(config.home, load_node_keys(config.home))
    files = Files(config.home / "documents")
    known = Known(config.id, tuple(peer for peer in directory.participants if peer != config.id),
                  erased_before(files.erased), Clock().now())
    with asked.file.open("rb") as file:
        found = restore(file, config.store, ask_passphrase(asked.passphrase_file), known)
    files.remove(found.documents)
    problems = verify(config.store, directory, config.id).problems
    for problem in problems:
        say(problem)
    if problems:
        wipe(config.store)
        raise Corrupt(f"the log in {asked.file} is not what was written: nothing was restored, take an older backup")
    _say_what_is_next(config, found.still_open)
    said = {"node": found.manifest.node, "at": found.manifest.at, "rows": found.rows,
            "erased_again": list(found.erased), "still_open": list(found.still_open)}
    if asked.as_json:
        show_json(said)
    else:
        show(f"{found.rows} rows of {found.manifest.at}, {len(found.erased)} cases erased again")


def _say_what_is_next(config: Config, still_open: tuple[str, ...]) -> None:
    for case in still_open:
        say(f"case {case} was erased after this backup and is open in it: close it, and it is erased again")
    say(f"next: arrp node serve {config.home}; it asks its peers what it said since, see arrp node status")
