"""`arrp trace`: where stolen money is in a ledger, to the unit, by which payments, and what was not followed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.speaking import say, show, show_json, show_table
from arrp.cli.whose import show_whose
from arrp.core.errors import Malformed, Refused
from arrp.core.money import Amount
from arrp.node.clock import Clock
from arrp.node.files import replace_file
from arrp.node.ledger_reading import read_ledger, text_of
from arrp.node.ledgers import Stored, open_ledger
from arrp.trace.asked import Asked, theft_asked
from arrp.trace.drawing import draw
from arrp.trace.follow import Answer, Edge, Place, Traced, bounds, explain, follow
from arrp.trace.found import Budget, Theft
from arrp.trace.indexed import IndexedBooks
from arrp.trace.ledger import Ledger
from arrp.trace.methods import METHODS, Method, method_named
from arrp.trace.statement import Books
from arrp.wire.ledger_csv import microseconds
from arrp.wire.victims_csv import read_victims


@dataclass(frozen=True, slots=True)
class Trace:
    """What is asked for."""

    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="CSV, Parquet, camt.053; or a folder of arrp ledger build.")]
    transfer: Annotated[str, typer.Option(metavar="REF", help="The payment that was lost.")] = ""
    source: Annotated[str, typer.Option("--from", metavar="ACCOUNT", help="Or: who paid it,")] = ""
    at: Annotated[str, typer.Option(metavar="INSTANT", help="when, as 2026-11-22T08:00:00Z,")] = ""
    amount: Annotated[str, typer.Option(metavar="N", help="how much,")] = ""
    to: Annotated[str, typer.Option(metavar="ACCOUNT", help="and to whom, if that is known.")] = ""
    victims: Annotated[Path | None, typer.Option(metavar="FILE", help="Many: CSV of ref, or of from,at,amount.")] = None
    method: Annotated[str, typer.Option(metavar="METHOD", help=f"{', '.join(METHODS)}; or its legal name.")] = "fifo"
    opening: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV: account,amount,asset before it.")] = None
    terminals: Annotated[Path | None, typer.Option(metavar="FILE", help="Accounts told, never followed.")] = None
    whose: Annotated[str, typer.Option(metavar="ACCOUNT", help="Instead: whose money lies in this account?")] = ""
    hops: Annotated[int | None, typer.Option(metavar="N", help="Follow so many steps at most.")] = None
    accounts: Annotated[int | None, typer.Option(metavar="N", help="Open so many accounts at most.")] = None
    ms: Annotated[int | None, typer.Option(metavar="N", help="Take so many milliseconds at most.")] = None
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it.")] = None
    as_json: AsJson = False


@command
def trace(asked: Trace) -> None:
    """Say where stolen money is now: held, at a terminal, or not followed; the three add up to what was stolen.

    A method finds money and decides no claim: docs/trace.md says what each means."""
    method = method_named(asked.method)
    if asked.whose:
        show_whose(_books(asked)[0].ledger, asked.whose, asked.as_json)
        return
    wanted = _wanted(asked)
    books, stored = _books(asked)
    ledger = books.ledger
    thefts = [_theft(ledger, stored, one) for one in wanted]
    budget = Budget(asked.hops, asked.accounts, asked.ms, lambda: Clock().seconds() * 1000.0)
    traced = follow(books, thefts, method.name, budget)
    if asked.svg:
        replace_file(asked.svg, draw(ledger, traced).encode())
        say(f"drawn: {asked.svg}")
    if asked.as_json:
        show_json(_json(traced, bool(asked.victims)))
        return
    for answer, theft in zip(traced.answers, thefts, strict=True):
        _tell(traced.method, answer, books, (theft, budget))
    if traced.shared:
        say("one of these payments was itself made with money stolen before: its coins are claimed by both victims")


def _books(asked: Trace) -> tuple[Books, Stored | None]:
    """Of a CSV, or of a folder that `arrp ledger build` made."""
    if not asked.ledger.is_dir():
        return Books(read_ledger([asked.ledger], asked.opening, asked.terminals)), None
    if asked.opening or asked.terminals:
        raise Malformed(f"{asked.ledger} has its opening balances and terminals: name them when you build it")
    stored = open_ledger(asked.ledger)
    if stored.manifest.reversing:
        returns = stored.manifest.reversing
        raise Refused(f"{asked.ledger} has {returns} returns and does not keep of which payments: trace the CSV itself")
    index = stored.index
    return (Books(stored.ledger) if index.wide else IndexedBooks(stored.ledger, index)), stored


def _theft(ledger: Ledger, stored: Stored | None, one: Asked) -> Theft:
    if stored is None:
        return theft_asked(ledger, one)
    return Theft(stored.row_of(one.ref)) if one.ref else theft_asked(ledger, one, stored.pots.of_account(one.source))


def _wanted(asked: Trace) -> list[Asked]:
    """The payments asked for. Raises Malformed where none, or one in two ways, is named."""
    ways = [bool(asked.transfer), bool(asked.source or asked.at or asked.amount), bool(asked.victims)]
    if sum(ways) != 1:
        raise Malformed("say which payment was lost: --transfer REF, or --from --at --amount, or --victims FILE")
    if asked.transfer:
        return [Asked(ref=asked.transfer)]
    if asked.victims:
        with text_of(asked.victims) as lines:
            payments = read_victims(lines)
        if not payments:
            raise Malformed(f"{asked.victims} names no payment")
        return [_asked(one) for one in payments]
    if not (asked.at and asked.amount):
        raise Malformed("a payment without its ref is known by --from, --at and --amount together")
    at = (instant(asked.at)).isoformat()
    return [_asked({"ref": "", "from": asked.source, "at": at, "amount": asked.amount, "to": asked.to})]


def _asked(one: dict[str, str]) -> Asked:
    if one["ref"]:
        return Asked(ref=one["ref"])
    return Asked("", one["from"], microseconds(one["at"]), one["amount"].split(" ")[0], one["to"])


# --- JSON -----------------------------------------------------------------------------------------


def _json(traced: Traced, many: bool) -> dict[str, Any]:
    answers = [_answer_json(traced.method, answer) for answer in traced.answers]
    if not many:
        return answers[0]
    return {
        "method": traced.method.name,
        "victims": answers,
        "together": _together(traced),
        "claimed_by_several": traced.shared,
    }


def _answer_json(method: Method, answer: Answer) -> dict[str, Any]:
    def decimal(units: int, asset: str) -> str | None:
        return None if method.flag else Amount(units, asset).decimal

    def place(one: Place | Edge) -> dict[str, Any]:
        return {
            "amount": decimal(one.units, one.asset),
            "asset": one.asset,
            "claim": decimal(one.claim, answer.asset),
        }

    return {
        "method": method.name,
        "legal_name": method.legal,
        "ref": answer.ref,
        "stolen": Amount(answer.stolen, answer.asset).decimal,
        "asset": answer.asset,
        "held": [{"account": one.account, **place(one)} for one in answer.held],
        "terminal": [{"account": one.account, **place(one)} for one in answer.terminal],
        "unfollowed": decimal(answer.unfollowed, answer.asset),
        "flows": [{"ref": e.ref, "from": e.source, "to": e.target, **place(e)} for e in answer.flows],
        "accounts_visited": len(answer.opened),
        "accounts": list(answer.opened),
        "partial": answer.partial,
        "why": list(answer.why),
        "sentences": explain(method, answer),
    }


def _together(traced: Traced) -> dict[str, Any] | None:
    """All victims in one sum; null where they lost different assets, which no sum can hold."""
    if len({answer.asset for answer in traced.answers}) > 1:
        return None
    whole = _sum(traced.answers)
    found = _answer_json(traced.method, whole)
    del found["ref"], found["sentences"]
    return found


def _sum(answers: tuple[Answer, ...]) -> Answer:
    return Answer(
        ref="",
        asset=answers[0].asset,
        stolen=sum(answer.stolen for answer in answers),
        held=_places([place for answer in answers for place in answer.held]),
        terminal=_places([place for answer in answers for place in answer.terminal]),
        unfollowed=sum(answer.unfollowed for answer in answers),
        flows=_edges([edge for answer in answers for edge in answer.flows]),
        opened=tuple(dict.fromkeys(account for answer in answers for account in answer.opened)),
        why=tuple(sorted({why for answer in answers for why in answer.why})),
        partial=any(answer.partial for answer in answers),
    )


def _places(places: list[Place]) -> tuple[Place, ...]:
    found: dict[tuple[str, str], Place] = {}
    for one in places:
        before = found.get((one.account, one.asset), Place(one.account, one.asset, 0, 0))
        added = Place(one.account, one.asset, before.units + one.units, before.claim + one.claim)
        found[one.account, one.asset] = added
    return tuple(found.values())


def _edges(edges: list[Edge]) -> tuple[Edge, ...]:
    found: dict[int, Edge] = {}
    for one in edges:
        before = found.get(one.row)
        more = asdict(one) | {"units": one.units + before.units, "claim": one.claim + before.claim} if before else {}
        found[one.row] = Edge(**more) if more else one
    return tuple(found[row] for row in sorted(found))


# --- for people -----------------------------------------------------------------------------------


def _tell(method: Method, answer: Answer, books: Books, asked: tuple[Theft, Budget]) -> None:
    legal = f" ({method.legal})" if method.legal else ""
    show(f"{answer.ref}: {Amount(answer.stolen, answer.asset)} stolen, {method.name}{legal}")
    rows = [("held", place) for place in answer.held] + [("terminal", place) for place in answer.terminal]
    table = [(state, place.account or "outside", *_amounts(method, place, answer)) for state, place in rows]
    if answer.unfollowed or answer.partial:
        left = "" if method.flag else str(Amount(answer.unfollowed, answer.asset))
        table.append(("unfollowed", "; ".join(answer.why), left, left))
    show_table(("state", "account", "amount", "of what was stolen"), table)
    for sentence in explain(method, answer):
        show(sentence)
    if not method.flag:
        theft, budget = asked
        _tell_range(answer, bounds(books, [theft], budget)[0])


def _amounts(method: Method, place: Place, answer: Answer) -> tuple[str, str]:
    if method.flag:
        return "", ""
    return str(Amount(place.units, place.asset)), str(Amount(place.claim, answer.asset))


def _tell_range(answer: Answer, ranges: dict[str, tuple[int, int]]) -> None:
    if not ranges:
        return
    show("Between lowest balance and dirty-first, if a court looks at it otherwise:")
    for account, (low, high) in ranges.items():
        show(f"    {account}  {Amount(low, answer.asset)} … {Amount(high, answer.asset)}")
