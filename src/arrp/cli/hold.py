"""`arrp hold`: what is held and why, and what officers may do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.desk import ELSEWHERE, Desk, Home, KeyFile, Looking, OfficerId, RequestId, wished
from arrp.cli.document import DocumentFile, document
from arrp.cli.passphrase import PassphraseFile
from arrp.cli.speaking import say, show_json, show_table
from arrp.core.deadline import Basis
from arrp.core.events import Extend, Release, Secure
from arrp.core.law import Form
from arrp.core.money import typed_amount
from arrp.node.files import write_new


@command
def list_holds(home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """What this node holds, and what others hold for it: amount, state, end, basis."""
    rows = Desk(home).get("/holds")
    if as_json:
        show_json(rows)
        return
    show_table(("request", "holder", "state", "amount", "until", "basis", "why", "note"), (
        (r["request"], r["holder"], r["state"], r["amount"], r["until"] or "", r["basis"] or "", r["why"] or "",
         "; ".join(r["marks"]))
        for r in rows
    ))


@dataclass(frozen=True, slots=True)
class Releasing:
    request: RequestId
    officer: OfficerId
    to: Annotated[str, typer.Option(help="Hold at most this from now on: 0.00 EUR frees all of it.")]
    reason: Annotated[str, typer.Option(help="Why.")]
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def release(asked: Releasing) -> None:
    """Let go, down to an amount. One officer signs."""
    wished(asked, "release", Release(typed_amount(asked.to), asked.reason), request=asked.request)


@dataclass(frozen=True, slots=True)
class Extending:
    request: RequestId
    officer: OfficerId
    until: Annotated[str, typer.Option(help="New end: 2026-11-30T17:00Z.")]
    power: Annotated[str, typer.Option(help="On which power.")]
    article: Annotated[str, typer.Option(help="Its article.")]
    document: DocumentFile
    reference: Annotated[str, typer.Option(help="The file it is in.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def extend(asked: Extending) -> None:
    """Extend a confirmed hold before its end, with a document, within what the law allows. Two officers sign."""
    said = Extend(_basis(asked.home, asked.power, asked.article, asked.reference), instant(asked.until),
                  document(asked, asked.request, asked.document, "extension"))
    wished(asked, "extend", said, request=asked.request)


@dataclass(frozen=True, slots=True)
class Formalising:
    request: RequestId
    form: Annotated[Form | None, typer.Option("--as", help="By which way; that of the law there, if not said.")] = None
    out: Annotated[Path | None, typer.Option(help="A new file for it.")] = None
    officer: Looking = ""
    home: Home = ELSEWHERE


@command
def formalise(asked: Formalising) -> None:
    """A draft of what must follow a hold before it lapses, as Markdown: facts, payments, hold, law, evidence."""
    chosen = {"as": asked.form.value} if asked.form is not None else {}
    found = Desk(asked.home, asked.officer).download(f"/requests/{asked.request}/formalisation", **chosen)
    if asked.out is None:
        typer.echo(found.decode(), nl=False)
        return
    write_new(asked.out, found, mode=0o600)
    say(f"the draft is in {asked.out}: fill in what is left open, have it checked, and send it; nobody else does")


@dataclass(frozen=True, slots=True)
class Securing:
    request: RequestId
    officer: OfficerId
    order: DocumentFile
    review_at: Annotated[str, typer.Option(help="When it is looked at again: 2027-03-01T09:00Z.")]
    power: Annotated[str, typer.Option(help="On which power.")]
    article: Annotated[str, typer.Option(help="Its article.")]
    reference: Annotated[str, typer.Option(help="The order's number.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def secure(asked: Securing) -> None:
    """An order of this country holds the money from here. Two officers sign."""
    order = document(asked, asked.request, asked.order, "order")
    said = Secure(_basis(asked.home, asked.power, asked.article, asked.reference), order, instant(asked.review_at))
    wished(asked, "secure", said, request=asked.request)


def _basis(home: Path, power: str, article: str, reference: str) -> Basis:
    status = Desk(home).get("/status")
    return Basis(power, status["country"], article, status["name"], reference)
