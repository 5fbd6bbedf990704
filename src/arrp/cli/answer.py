"""`arrp request answer`: what we say to a request that came in, or what came back on paper to one of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.desk import ELSEWHERE, Desk, Home, KeyFile, OfficerId, wished
from arrp.cli.document import document
from arrp.cli.paper import REFERENCED
from arrp.cli.passphrase import PassphraseFile
from arrp.core.account import parse_account
from arrp.core.by_hand import AnsweredByHand, ToldLeg, Way
from arrp.core.deadline import Basis
from arrp.core.errors import Malformed
from arrp.core.events import Answered, Decide
from arrp.core.money import Amount, typed_amount
from arrp.core.request import Condition, Reason, Terms


class Told(StrEnum):
    """What a letter may say became of a hold."""

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    SECURED = "secured"
    RELEASED = "released"
    LAPSED = "lapsed"
    RETURNED = "returned"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True)
class Answering:
    request: Annotated[str, typer.Argument(metavar="REQUEST", help=REFERENCED)]
    officer: OfficerId
    source: Annotated[Way | None, typer.Option(help="Types what came back on paper: how it came.")] = None
    document: Annotated[Path | None, typer.Option(help="With --source: the letter, as a file.")] = None
    held: Annotated[str, typer.Option(help="With --source: all that is held: 62000.00 EUR.")] = ""
    hold: Annotated[Told | None, typer.Option(help="With --source: what became of the hold, if it is said.")] = None
    moved: Annotated[list[str], typer.Option(
        help="With --source: a transfer out, 'AMOUNT; ACCOUNT or cash or fee; TIME; REFERENCE; NAME'; all, or none.",
    )] = field(default_factory=list)
    returned: Annotated[str, typer.Option(help="With --source: the sum of all that was sent back.")] = ""
    not_found: Annotated[str, typer.Option(help="With --source: what never came there.")] = ""
    review_at: Annotated[str, typer.Option(help="With --source: when an order is reviewed.")] = ""
    ended: Annotated[Reason | None, typer.Option(help="With --source: it stands no longer, and why.")] = None
    accept: Annotated[bool, typer.Option("--accept", help="Yes.")] = False
    refuse: Annotated[Reason | None, typer.Option(help="No, with a named reason.")] = None
    condition: Annotated[Condition | None, typer.Option(help="Yes, once this is there.")] = None
    more: Annotated[str, typer.Option(help="Ask for more: what.")] = ""
    until: Annotated[str, typer.Option(help="The end of the hold, 2026-11-24T17:00Z; with --accept.")] = ""
    power: Annotated[str, typer.Option(help="On which power; with --accept.")] = ""
    article: Annotated[str, typer.Option(help="Its article; with --accept.")] = ""
    reference: Annotated[str, typer.Option(help="The file it is in.")] = ""
    text: Annotated[str, typer.Option(help="For the other side.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def answer(asked: Answering) -> None:
    """Answer a request that came in: --accept, --refuse, --condition or --more; exactly one. With --source:
    type what came back on paper to a request of ours; what the letter does not say stays as it was."""
    if asked.source is not None:
        type_answer(asked)
        return
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


# --- what came on paper ---------------------------------------------------------------------------------------


def type_answer(asked: Answering) -> None:
    """Type a letter: what it says is heard as its sender's word, marked unsigned."""
    if asked.document is None:
        raise Malformed("an answer on paper is a document: --document FILE; a note of a call is one, too")
    found = Desk(asked.home, asked.officer).get(f"/papers/{asked.request}")
    answers = [("accepted", asked.accept), ("refused", asked.refuse), ("conditional", asked.condition),
               ("more_asked", asked.more), ("ended", asked.ended)]
    given = [word for word, said in answers if said]
    if len(given) > 1:
        raise Malformed("one letter, one answer: say one of --accept, --refuse, --condition, --more, --ended")
    assert asked.source is not None
    said = AnsweredByHand(
        source=asked.source, by=asked.officer,
        document=document(asked, found["request"], asked.document, "answer on paper"),
        answer=given[0] if given else None,
        reason=asked.refuse or asked.ended, condition=asked.condition, hold=asked.hold,
        held=_amount(asked.held), returned=_amount(asked.returned), not_found=_amount(asked.not_found),
        legs=_legs(asked.moved), basis=_basis(asked, found),
        until=instant(asked.until) if asked.until else None,
        review_at=instant(asked.review_at) if asked.review_at else None, reference=asked.reference,
        text=asked.text or asked.more,
    )
    wished(asked, "answered-by-hand", said, request=found["request"])


def _amount(said: str) -> Any:
    return typed_amount(said) if said else None


def _basis(asked: Answering, found: Any) -> Basis | None:
    if not asked.article:
        return None
    return Basis(asked.power, found["country"], asked.article, found["name"], asked.reference)


def _legs(typed: list[str]) -> tuple[ToldLeg, ...] | None:
    if typed == ["none"]:
        return ()
    return tuple(map(_leg, typed)) if typed else None


def _leg(typed: str) -> ToldLeg:
    """`38000.00 EUR; LT121000011101001000; 2026-03-02T08:30Z; P2; Trading Lda`. Raises Malformed."""
    parts = [part.strip() for part in typed.split(";")]
    if not 3 <= len(parts) <= 5:
        raise Malformed(f"--moved {typed!r} is not 'AMOUNT; ACCOUNT or cash or fee; TIME; REFERENCE; NAME'")
    number, where, at, reference, name = [*parts, "", ""][:5]
    ends = where if where in ("cash", "fee") else None
    return ToldLeg(amount=typed_amount(number), at=instant(at), ends=ends, ref=reference, name=name,
                   account="" if ends else parse_account(where))
