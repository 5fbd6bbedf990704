"""`arrp object`: the account holder is told, objects, and somebody who was not involved decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, Home, KeyFile, OfficerId, RequestId, wished
from arrp.cli.passphrase import PassphraseFile
from arrp.core.events import Objection, Told
from arrp.core.money import typed_amount
from arrp.core.returning import OBJECTION_GROUNDS
from arrp.node.clock import Clock


class Outcome(StrEnum):
    UPHELD = "upheld"
    PARTLY = "partly"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Telling:
    request: RequestId
    officer: OfficerId
    reference: Annotated[str, typer.Option(help="Your letter's reference.")]
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def tell(asked: Telling) -> None:
    """Note that the account holder was told of the hold: from here the time to object runs."""
    wished(asked, "tell-holder", Told(asked.reference), request=asked.request)


@dataclass(frozen=True, slots=True)
class Raising:
    request: RequestId
    officer: OfficerId
    ground: Annotated[str, typer.Option(help=f"{', '.join(OBJECTION_GROUNDS)}.")]
    text: Annotated[str, typer.Option(help="What the account holder says.")]
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def raise_objection(asked: Raising) -> None:
    """Lodge an objection against a hold, wherever it was brought."""
    clock = Clock()
    said = Objection(clock.new_id(), "", asked.ground, clock.now(), None, "raised", None, asked.text)
    wished(asked, "object", said, request=asked.request)


@dataclass(frozen=True, slots=True)
class Deciding:
    request: RequestId
    officer: OfficerId
    objection: Annotated[str, typer.Option(help="Which objection.")]
    outcome: Annotated[Outcome, typer.Option(help="upheld, partly, rejected.")]
    text: Annotated[str, typer.Option(help="Why, in words the account holder can read.")]
    free: Annotated[str, typer.Option(help="With partly: how much goes free, 500.00 EUR.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def decide(asked: Deciding) -> None:
    """Decide an objection, as an officer who neither asked, confirmed nor held."""
    free = typed_amount(asked.free) if asked.free else None
    said = Objection(asked.objection, "", "", Clock().now(), None, asked.outcome, free, asked.text)
    wished(asked, "decide-objection", said, request=asked.request)
