"""`arrp request`: ask a participant, see what came in, answer it, withdraw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.desk import ELSEWHERE, CaseId, Desk, Home, KeyFile, OfficerId, RequestId, wished
from arrp.cli.passphrase import PassphraseFile
from arrp.cli.report import amount
from arrp.cli.speaking import show, show_json, show_table
from arrp.core.account import institution_of, parse_account
from arrp.core.deadline import Basis
from arrp.core.errors import Malformed, NotFound
from arrp.core.events import Answered, Decide, GiveMore, Withdraw
from arrp.core.money import Amount
from arrp.core.request import Ask, Asked, Condition, Credit, Reason, Source, Terms
from arrp.core.sentences import terms
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
    """Ask whoever answers for an account. Under a mandate that covers it, it leaves at once; else two sign."""
    asked_amount = amount(asked.amount)
    account = parse_account(asked.account) if asked.account else ""
    source = Source("leg", asked.leg, None, ()) if asked.leg else Source("payment", str(asked.payment), None, ())
    body = Asked(
        ask=asked.ask, institution=institution_of(account) if account else "", asked=asked_amount,
        claim=amount(asked.claim) if asked.claim else asked_amount, source=source, credit=Credit(amount=asked_amount),
        loss="", stated_by="", crime="", account=account,
    )
    wished(asked, "send", body, case=asked.case)


@command
def show_request(request: RequestId, home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """Show one request: what was asked, how it stands, where every unit of it is."""
    found = find(home, request)
    if as_json:
        show_json(found)
        return
    body, hold = found["body"], found["hold"]
    show(f"{body['ask']} up to {_money(body['asked'])}, {found['side']} side, with {found['peer']}")
    show(f"wish {found['wish']}, answer {found['answer']}{', ' + found['reason'] if found['reason'] else ''}")
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
class Answering:
    request: RequestId
    officer: OfficerId
    accept: Annotated[bool, typer.Option("--accept", help="Yes.")] = False
    refuse: Annotated[Reason | None, typer.Option(help="No, with a named reason.")] = None
    condition: Annotated[Condition | None, typer.Option(help="Yes, once this is there.")] = None
    more: Annotated[str, typer.Option(help="Ask for more: what.")] = ""
    until: Annotated[str, typer.Option(help="With --accept: the end of the hold, 2026-11-24T17:00Z.")] = ""
    power: Annotated[str, typer.Option(help="With --accept: on which power.")] = ""
    article: Annotated[str, typer.Option(help="With --accept: its article.")] = ""
    reference: Annotated[str, typer.Option(help="With --accept: the file it is in.")] = ""
    text: Annotated[str, typer.Option(help="For the other side.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def answer(asked: Answering) -> None:
    """Answer a request that came in: --accept, --refuse, --condition or --more; exactly one."""
    said = [asked.accept, asked.refuse is not None, asked.condition is not None, bool(asked.more)]
    if sum(said) != 1:
        raise Malformed("say one of --accept, --refuse REASON, --condition CONDITION, --more TEXT")
    nothing = Terms.unanswered(Amount(0, "EUR"))
    if asked.condition is not None:
        wished(asked, "condition", Answered(nothing, condition=asked.condition, text=asked.text), request=asked.request)
    elif asked.more:
        wished(asked, "ask-more", Answered(nothing, text=asked.more), request=asked.request)
    else:
        wished(asked, "decide", _decision(asked), request=asked.request)


def _decision(asked: Answering) -> Decide:
    if asked.refuse is not None:
        return Decide(False, asked.refuse, None, None, asked.text)
    if not (asked.until and asked.power and asked.article):
        raise Malformed("an acceptance says its basis and its end: --power, --article and --until")
    status = Desk(asked.home).get("/status")
    basis = Basis(asked.power, status["country"], asked.article, status["name"], asked.reference)
    return Decide(True, None, basis, instant(asked.until), asked.text)


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
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def give(asked: Giving) -> None:
    """Give the other side more, when it asked for more."""
    wished(asked, "give-more", GiveMore((), asked.text), request=asked.request)

