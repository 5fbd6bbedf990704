"""`arrp mandate`: a standing mandate, drafted and signed by two officers, for the node's directory mandates/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.passphrase import PassphraseFile, ask_passphrase
from arrp.cli.speaking import say, say_whole, show, show_json
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.node.clock import Clock
from arrp.node.files import replace_file, write_new
from arrp.node.keys import load_officer_key
from arrp.node.standing import Standing, draft_standing, read_standing
from arrp.wire.act_words import act_words
from arrp.wire.approvals import approve, unb64
from arrp.wire.codec import dumps, parse_json

StandingFile = Annotated[Path, typer.Argument(metavar="FILE", help="The standing mandate.")]


@dataclass(frozen=True, slots=True)
class Terms:
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to make.")]
    by: Annotated[str, typer.Option(help="The participant whose officers sign it.")]
    total: Annotated[str, typer.Option(help="Most that is asked under it, in all: 500000.00.")]
    per_request: Annotated[str, typer.Option(help="Most that one request asks: 100000.00.")]
    valid_until: Annotated[str, typer.Option(help="Instant at which it ends: 2026-12-31T23:00Z.")]
    valid_from: Annotated[str, typer.Option(help="Instant at which it begins; now, if not said.")] = ""
    asset: Annotated[str, typer.Option(help="What the amounts count.")] = "EUR"
    hops_max: Annotated[int, typer.Option(help="How many transfers onward it follows.", min=0, max=99)] = 3
    country: Annotated[list[str], typer.Option(help="Country it may ask in; none named = any.")] = field(
        default_factory=list
    )
    ask: Annotated[list[str], typer.Option(help="What it may ask: hold, stop …; if not said, both.")] = field(
        default_factory=lambda: ["hold", "stop"]
    )
    crime: Annotated[list[str], typer.Option(help="Crime code it covers; none named = all.")] = field(
        default_factory=list
    )
    night_approvals: Annotated[int, typer.Option(
        help="1: one officer sends under it, a second signs within 4 hours; 2: the node asks alone.", min=1, max=2
    )] = 2
    as_json: AsJson = False


@command
def standing(asked: Terms) -> None:
    """Draft a standing mandate. It counts when two officers signed it and it lies in the node's mandates/."""
    clock = Clock()
    mandate = Mandate(
        loss=None,
        total=Amount.parse(asked.total, asked.asset),
        per_request=Amount.parse(asked.per_request, asked.asset),
        hops_max=asked.hops_max,
        countries=tuple(asked.country),
        asks=tuple(asked.ask),
        crimes=tuple(asked.crime),
        valid_from=instant(asked.valid_from) if asked.valid_from else clock.now(),
        valid_until=instant(asked.valid_until),
        night_approvals=asked.night_approvals,
    )
    draft = draft_standing(asked.by, mandate, clock.new_id(), clock.salt())
    write_new(asked.file, dumps(draft.attached))
    _show(draft, asked.as_json)
    say(f"next: two officers run arrp mandate sign {asked.file} --key KEY --officer ID")


@dataclass(frozen=True, slots=True)
class Signing:
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The standing mandate.")]
    key: Annotated[Path, typer.Option(help="The officer's key file.")]
    officer: Annotated[str, typer.Option(help="The officer's id in the directory.")]
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def sign(asked: Signing) -> None:
    """Sign a standing mandate as one of its two officers. What is signed is shown first."""
    found = read_standing(asked.file)
    say_whole(act_words(unb64(found.attached.act), found.act_hash))
    key = load_officer_key(asked.key, ask_passphrase(asked.passphrase_file))
    found = found.signed(approve(key.signing, asked.officer, key.key_id, found.act_hash))
    replace_file(asked.file, dumps(found.attached))
    _show(found, asked.as_json)


@command
def show_mandate(file: StandingFile, as_json: AsJson = False) -> None:
    """Show what a standing mandate allows, and who signed it. The signatures are checked by the node that takes it."""
    _show(read_standing(file), as_json)


def _show(found: Standing, as_json: bool) -> None:
    if as_json:
        show_json(_terms(found))
        return
    for line in _lines(found):
        show(line)


def _terms(found: Standing) -> dict[str, Any]:
    mandate: Any = parse_json(dumps(found.mandate))
    signed_by = [approval.officer for approval in found.attached.approvals]
    return {"by": found.attached.by, "act_hash": found.act_hash, "signed_by": signed_by, **mandate}


def _lines(found: Standing) -> Iterator[str]:
    """The terms for people: an empty list of countries or crimes allows all of them."""
    for name, value in _terms(found).items():
        if isinstance(value, list):
            value = ", ".join(value) or ("nobody yet" if name == "signed_by" else "any")
        elif name in ("total", "per_request"):
            value = f"{value['amount']} {value['asset']}"
        if name != "loss":
            yield f"{name}: {value}"
