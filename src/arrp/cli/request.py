"""`arrp request`: ask a participant, see what came in, answer it, withdraw."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, CaseId, Desk, Home, KeyFile, Looking, OfficerId, RequestId, Said, wished
from arrp.cli.document import document
from arrp.cli.passphrase import PassphraseFile
from arrp.cli.serving import no_law_file, say_serving, show_serving, whom_said
from arrp.cli.speaking import noted, show, show_json, show_table
from arrp.core.account import parse_account
from arrp.core.errors import NotFound
from arrp.core.events import Disclosed, GiveMore, Withdraw
from arrp.core.money import typed_amount
from arrp.core.request import Ask, Terms
from arrp.core.requesting import typed_asked, typed_source
from arrp.core.sentences import terms
from arrp.law.serving import HOLDS
from arrp.wire.codec import read


@dataclass(frozen=True, slots=True)
class Sending:
    case: CaseId
    officer: OfficerId
    amount: Annotated[str, typer.Option(help="At most this much: 100000.00 EUR.")]
    claim: Annotated[str, typer.Option(help="What that counts for in the loss's asset, if it is another.")] = ""
    payment: Annotated[int, typer.Option(help="Which payment of the loss, from 0.", min=0)] = 0
    leg: Annotated[str, typer.Option(help="Or which leg of an answer.")] = ""
    account: Annotated[str, typer.Option(help="The account; that of the payment or leg, if not said.")] = ""
    ask: Annotated[Ask, typer.Option(help="hold, stop, trace, preserve.")] = Ask.HOLD
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def send(asked: Sending) -> None:
    """Ask whoever answers for an account. Under a mandate that covers it, it leaves at once; at night with one
    signature, and a second within four hours; else two sign.

    Before it is sent it says which powers there may serve it, why, what each needs, and until when."""
    account = parse_account(asked.account) if asked.account else ""
    body = typed_asked(asked.ask, typed_source(asked.payment, asked.leg), account, typed_amount(asked.amount),
                       typed_amount(asked.claim) if asked.claim else None)
    if asked.ask in HOLDS:
        with suppress(Said):  # whoever cannot be asked is told so by the command itself
            say_serving(_powers(asked, asked.officer))
    wished(asked, "send", body, case=asked.case)


@dataclass(frozen=True, slots=True)
class Sketching:
    case: CaseId
    amount: Annotated[str, typer.Option(help="At most this much; all of it, if not said.")] = ""
    payment: Annotated[int, typer.Option(help="Which payment of the loss, from 0.", min=0)] = 0
    leg: Annotated[str, typer.Option(help="Or which leg of an answer.")] = ""
    account: Annotated[str, typer.Option(help="The account; that of the payment or leg, if not said.")] = ""
    ask: Annotated[Ask, typer.Option(help="hold, stop, arm.")] = Ask.HOLD
    officer: Looking = ""
    home: Home = ELSEWHERE
    as_json: AsJson = False


@command
def powers(asked: Sketching) -> None:
    """Before a request: whom it would go to, and which powers there may serve it, why, and what each needs.

    Advice: the request names none, and the side whose power it is picks it."""
    found = _powers(asked, asked.officer)
    if asked.as_json:
        show_json(found)
        return
    show(whom_said(found))
    for law in found["laws"]:
        show_serving(law)
    if not found["laws"]:
        show(no_law_file(found))


def _powers(asked: Sending | Sketching, officer: str) -> Any:
    """Raises Said."""
    return Desk(asked.home, officer).get(f"/cases/{asked.case}/powers", ask=asked.ask.value, leg=asked.leg,
                                         payment=asked.payment, account=asked.account, amount=asked.amount)


@command
def show_request(request: RequestId, home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """Show one request: what was asked, how it stands, where every unit of it is."""
    found = find(home, request)
    if as_json:
        show_json(found)
        return
    body, hold = found["body"], found["hold"]
    show(f"{body['ask']} up to {_money(body['asked'])}, {found['side']} side, with {found['peer']}")
    because = f", {found['reason']}" if found['reason'] else ""
    show(f"wish {found['wish']}, answer {found['answer']}{because}{noted(found['marks'])}")
    show(terms(read(Terms, found["terms"])))
    if hold:
        show(f"hold {hold['state']}: {_money(hold['amount'])} until {hold['until'] or 'decided'}")
    show_table(("leg", "amount", "to", "ends"),
               ((leg["id"], _money(leg["amount"]), leg["account"], leg["ends"] or "") for leg in found["legs"]))


def find(home: Path, request: str) -> Any:
    """One request as its case shows it. Raises NotFound."""
    desk = Desk(home)
    for row in desk.get("/cases"):
        for found in desk.get(f"/cases/{row['id']}")["requests"]:
            if found["id"] == request:
                return found
    raise NotFound(f"there is no request {request} on this node: arrp case list")


def _money(tree: dict[str, str]) -> str:
    return f"{tree['amount']} {tree['asset']}"


@dataclass(frozen=True, slots=True)
class Seeing:
    request: RequestId
    officer: OfficerId
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def see(asked: Seeing) -> None:
    """Say that an officer has seen a request."""
    wished(asked, "see", None, request=asked.request)


@dataclass(frozen=True, slots=True)
class Withdrawing:
    request: RequestId
    officer: OfficerId
    reason: Annotated[str, typer.Option(help="Why.")]
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def withdraw(asked: Withdrawing) -> None:
    """End the wish: what is held for it goes free, unless an order of the other country holds it by now."""
    wished(asked, "withdraw", Withdraw(asked.reason), request=asked.request)


@dataclass(frozen=True, slots=True)
class Giving:
    request: RequestId
    officer: OfficerId
    text: Annotated[str, typer.Option(help="What was asked for.")]
    document: Annotated[list[Path] | None, typer.Option(help="A file that goes with it; again for each.")] = None
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def give(asked: Giving) -> None:
    """Give the other side more, when it asked for more."""
    files = tuple(document(asked, asked.request, file, "more") for file in asked.document or ())
    wished(asked, "give-more", GiveMore(files, asked.text), request=asked.request)


@dataclass(frozen=True, slots=True)
class Disclosing:
    request: RequestId
    officer: OfficerId
    leg: Annotated[str, typer.Option(help="Which leg: as `arrp request show` names it.")]
    basis: Annotated[str, typer.Option(help="On which basis: an article, a consent, an order.")]
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def disclose(asked: Disclosing) -> None:
    """Tell an authority where the coins of a leg went, which the law adopted here does not let a node tell."""
    wished(asked, "disclose", Disclosed(asked.leg, asked.basis), request=asked.request)
