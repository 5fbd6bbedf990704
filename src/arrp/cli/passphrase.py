"""Where an officer's passphrase comes from: a file, ARRP_PASSPHRASE, or the person at the keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arrp.core.errors import Malformed
from arrp.node.environment import passphrase_from_environment
from arrp.node.files import read_file

PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the passphrase; without it ARRP_PASSPHRASE, else it is asked for."),
]


def ask_passphrase(file: Path | None, again: bool = False) -> str:
    """From the file, the environment, or the person; `again`: typed twice. Raises Malformed when nobody answers."""
    if file is not None:
        return _text(read_file(file, 4096)).partition("\n")[0].rstrip("\r")
    found = passphrase_from_environment()
    if found is not None:
        return found
    try:
        answer: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=again, err=True)
    except typer.Abort:
        raise Malformed("no passphrase was typed: for a script, set ARRP_PASSPHRASE or say --passphrase-file") from None
    return answer


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("the passphrase file is not text in UTF-8") from None
