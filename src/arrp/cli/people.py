"""`arrp case take|hand-over|restrict`, `arrp request call-back`: who works on what, and whom we spoke to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, CaseId, Home, KeyFile, OfficerId, RequestId, wished
from arrp.cli.passphrase import PassphraseFile
from arrp.core.correcting import WRONG
from arrp.core.events import CalledBack, Corrected, EraseAsked, HandedOver, Restricted


@dataclass(frozen=True, slots=True)
class Taking:
    case: CaseId
    officer: OfficerId
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def take(asked: Taking) -> None:
    """Say that you have the ball from now on."""
    wished(asked, "hand-over", HandedOver(asked.officer), case=asked.case)


@dataclass(frozen=True, slots=True)
class HandingOver:
    case: CaseId
    officer: OfficerId
    to: Annotated[str, typer.Option(help="The officer who goes on.")]
    note: Annotated[str, typer.Option(help="What is still to be done.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def hand_over(asked: HandingOver) -> None:
    """Give the case to a colleague at the end of a shift, with what is still to be done."""
    wished(asked, "hand-over", HandedOver(asked.to, asked.note), case=asked.case)


@dataclass(frozen=True, slots=True)
class Restricting:
    case: CaseId
    officer: OfficerId
    only: Annotated[list[str] | None, typer.Option(help="An officer who may know it; again for each.")] = None
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def restrict(asked: Restricting) -> None:
    """Let only named officers know a case; without names, everybody whose role reads."""
    wished(asked, "restrict", Restricted(tuple(asked.only or ())), case=asked.case)


@dataclass(frozen=True, slots=True)
class Calling:
    request: RequestId
    officer: OfficerId
    of_theirs: Annotated[str, typer.Option(help="Their officer, as the directory names them.")]
    number: Annotated[str, typer.Option(help="The number of the directory that was called.")]
    spoke_with: Annotated[str, typer.Option(help="Who answered.")] = ""
    denied: Annotated[bool, typer.Option("--denied", help="They know nothing of it.")] = False
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def call_back(asked: Calling) -> None:
    """Record that their officer was called back before anything is accepted from them."""
    said = CalledBack(asked.of_theirs, not asked.denied, asked.number, asked.spoke_with)
    wished(asked, "call-back", said, request=asked.request)


@dataclass(frozen=True, slots=True)
class Correcting:
    request: RequestId
    officer: OfficerId
    what: Annotated[str, typer.Option(help=f"{', '.join(WRONG)}.")]
    text: Annotated[str, typer.Option(help="What is right.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def correct(asked: Correcting) -> None:
    """Tell everybody who was told about this request's account that something was wrong."""
    wished(asked, "correct", Corrected("", asked.what, asked.text), request=asked.request)


@dataclass(frozen=True, slots=True)
class AskingErasure:
    request: RequestId
    officer: OfficerId
    basis: Annotated[str, typer.Option(help="The article on which it is asked.")]
    text: Annotated[str, typer.Option(help="For their data-protection officer.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def ask_erasure(asked: AskingErasure) -> None:
    """Ask everybody who was told about this request's account to erase what they need not keep."""
    wished(asked, "ask-erasure", EraseAsked("", asked.basis, asked.text), request=asked.request)
