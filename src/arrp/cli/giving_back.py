"""`arrp payee`, `arrp return`, `arrp credited`: the money goes back to whom it was taken from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, Home, KeyFile, OfficerId, RequestId, wished
from arrp.cli.document import MaybeDocument, document
from arrp.cli.passphrase import PassphraseFile
from arrp.core.account import parse_account
from arrp.core.events import Credited, NamePayee, Return
from arrp.core.money import typed_amount
from arrp.core.returning import PAYEE_GROUNDS


class ReturnGround(StrEnum):
    CONSENT = "consent"
    TOLD = "told"
    ORDER = "order"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True)
class Naming:
    request: RequestId
    officer: OfficerId
    ground: Annotated[str, typer.Option(help=f"{', '.join(PAYEE_GROUNDS)}.")] = "DEBTOR"
    account: Annotated[str, typer.Option(help="Only for another payee than the account it was taken from.")] = ""
    name: Annotated[str, typer.Option(help="That payee's name.")] = ""
    document: MaybeDocument = None
    called_back: Annotated[bool, typer.Option("--called-back", help="The payee was called at a known number.")] = False
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def payee(asked: Naming) -> None:
    """Tell the holder where the money goes back: the account it was taken from. Two officers sign."""
    proof = document(asked, asked.request, asked.document, "payee") if asked.document else None
    account = parse_account(asked.account) if asked.account else ""
    said = NamePayee(asked.ground, proof, asked.called_back, "", account, asked.name)
    wished(asked, "payee", said, request=asked.request)


@dataclass(frozen=True, slots=True)
class Returning:
    request: RequestId
    officer: OfficerId
    amount: Annotated[str, typer.Option(help="How much goes back, in all: 62000.00 EUR.")]
    ground: Annotated[ReturnGround, typer.Option(help="Why it may go.")]
    document: MaybeDocument = None
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def give_back(asked: Returning) -> None:
    """Send held money back to the named payee: announced first, then sent. Two officers sign."""
    proof = document(asked, asked.request, asked.document, asked.ground) if asked.document else None
    wished(asked, "return", Return(typed_amount(asked.amount), asked.ground, proof), request=asked.request)


@dataclass(frozen=True, slots=True)
class Crediting:
    request: RequestId
    officer: OfficerId
    return_id: Annotated[str, typer.Option(help="Which return.")]
    amount: Annotated[str, typer.Option(help="What the payee's institution credited: 62000.00 EUR.")]
    reference: Annotated[str, typer.Option(help="Its reference.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def credited(asked: Crediting) -> None:
    """State that the payee's institution credited a return."""
    said = Credited(asked.return_id, typed_amount(asked.amount), asked.reference)
    wished(asked, "credited", said, request=asked.request)
