"""`arrp case`, `arrp draft`, `arrp approve`, `arrp log`: what there is on a node, what waits, what was said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, CaseId, Desk, Home, KeyFile, Looking, OfficerId, need_more, wished
from arrp.cli.passphrase import PassphraseFile, ask_passphrase
from arrp.cli.speaking import noted, say, say_whole, show, show_json, show_table
from arrp.core.events import Erased, Outcome, Resolved
from arrp.node.keys import load_officer_key

Exact = Annotated[bool, typer.Option("--bytes", help="Its exact bytes, too.")]
ActId = Annotated[str, typer.Argument(metavar="ACT", help="Id of the draft.")]


@command
def list_cases(home: Home = ELSEWHERE, officer: Looking = "", as_json: AsJson = False) -> None:
    """The cases of this node: a loss each, or at a holder an account each."""
    rows = Desk(home, officer).get("/cases")
    if as_json:
        show_json(rows)
    else:
        show_table(("case", "state", "opened", "next due", "title"), (
            (r["id"], r["state"], r["opened_at"], r["due_at"] or "", r["title"]) for r in rows
        ))


@command
def show_case(case: CaseId, home: Home = ELSEWHERE, officer: Looking = "", as_json: AsJson = False) -> None:
    """One case: where the money is, its requests and holds, what waits, and its whole log."""
    found = Desk(home, officer).get(f"/cases/{case}")
    if as_json:
        show_json(found)
        return
    if found["money"]:
        show(f"lost {found['money']['loss']}, missing {found['money']['missing']}: {found['money']['terms']}")
    if found["ball"]:
        show(f"{found['ball']['officer']} has the ball since {found['ball']['since'][:19]}")
    for request in found["requests"]:
        hold = request["hold"]
        held = f", hold {hold['state']} {hold['amount']['amount']}" if hold else ""
        stands = f"{request['wish']}, {request['answer']}{held}{noted(request['marks'])}"
        show(f"request {request['id']} with {request['peer']}: {stands}")
    for row in found["log"]:
        if row["said"]:
            show(f"{row['at'][:19]}  {row['by']}  {row['said']}")
    for what in (*found["needs_a_person"], *found["anomalies"]):
        say(f"a person must look: {what}")


@command
def onward(case: CaseId, home: Home = ELSEWHERE, officer: Looking = "", as_json: AsJson = False) -> None:
    """Whom to ask next, the best first: what a request is expected to save, and what stands against it."""
    found = Desk(home, officer).get(f"/cases/{case}/onward")
    if as_json:
        show_json(found)
        return
    for place, choice in enumerate(found["choices"], 1):
        show(f"{place}. {choice['ask']}: {choice['whom'] or 'nobody'} for {choice['institution']}, "
             f"{choice['value']} a minute")
        for line in _reasons(choice):
            show(f"   {line}")
    for request in found["asked"]:
        show(f"asked already: {request['amount']} at {request['institution']}, request {request['ref']}")
    for leg in found["unplaced"]:
        show(f"nobody said where: {leg['amount']}, {leg['source']} {leg['ref']}")
    if not found["choices"]:
        say("there is nobody to ask next: no money of this case is known to be anywhere that was not asked")
    if not found["whole"]:
        say("the log of this node is still being read: ask again for figures that rest on all of it")


def _reasons(choice: dict[str, Any]) -> list[str]:
    """What speaks for a choice, number by number, and what against it."""
    lines = [*choice["said"], *(f"against: {why}" for why in choice["against"])]
    for request in choice["requests"]:
        lines.append(f"{request['source']} {request['ref']}: {request['amount']}, there since {request['since'][:19]}")
        lines += [f"  against: {why}" for why in request["against"]] or ["  nothing is against it: a mandate covers it"]
    return lines


@dataclass(frozen=True, slots=True)
class Ending:
    case: CaseId
    officer: OfficerId
    outcome: Annotated[Outcome, typer.Option(help="How it ended.")]
    text: Annotated[str, typer.Option(help="In words.")] = ""
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def resolve(asked: Ending) -> None:
    """The matter is decided; the case stays open until every unit is accounted for."""
    wished(asked, "resolve", Resolved(asked.outcome, asked.text), case=asked.case)


@command
def close(asked: Ending) -> None:
    """Close a case; refused while a unit is unaccounted for or a hold stands."""
    wished(asked, "close", Resolved(asked.outcome, asked.text), case=asked.case)


@dataclass(frozen=True, slots=True)
class Erasing:
    case: CaseId
    officer: OfficerId
    basis: Annotated[str, typer.Option(help="The article, or the decision, on which it is erased.")]
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def erase(asked: Erasing) -> None:
    """Erase what is private in a closed case, for ever: names, accounts, texts, bytes. The log still verifies."""
    wished(asked, "erase", Erased(asked.basis), case=asked.case)


@command
def list_drafts(home: Home = ELSEWHERE, officer: Looking = "", as_json: AsJson = False) -> None:
    """Acts that wait for officers' signatures; one that left with a single signature, and when it is withdrawn, too."""
    rows = Desk(home, officer).get("/drafts")
    if as_json:
        show_json(rows)
    else:
        show_table(("act", "kind", "to", "request", "signed", "withdrawn at"), (
            (r["act"], r["kind"], r["to"] or "", r["request"] or "", f"{len(r['signed'])} of {r['needs']}",
             f"{(r['second_by'] or '')[:16]}")
            for r in rows
        ))


@command
def show_draft(act: ActId, home: Home = ELSEWHERE, officer: Looking = "", exact: Exact = False, as_json: AsJson = False
               ) -> None:
    """What an officer would sign: each of its fields in words, read from the exact bytes."""
    drafted = Desk(home, officer).draft(act)
    if as_json:
        show_json(drafted.tree)
        return
    for line in [*drafted.lines, *([drafted.data.decode()] if exact else [])]:
        show(line)


@dataclass(frozen=True, slots=True)
class Approving:
    act: ActId
    officer: OfficerId
    key: Annotated[Path, typer.Option(help="Your key file.")]
    exact: Exact = False
    home: Home = ELSEWHERE
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def approve(asked: Approving) -> None:
    """Sign a draft; the last signature that is needed lets it leave. What is signed is shown first, in words."""
    desk = Desk(asked.home, asked.officer)
    drafted = desk.draft(asked.act)
    say_whole([*drafted.lines, *([drafted.data.decode()] if asked.exact else [])])
    key = load_officer_key(asked.key, ask_passphrase(asked.passphrase_file))
    done = desk.sign(drafted, asked.officer, key)
    if asked.as_json:
        show_json({**done, "signed": drafted.tree})
    else:
        show(f"case {done['case']}")
        for line in done["said"]:
            say(line)
    need_more([draft for draft in desk.get("/drafts") if draft["act"] == asked.act])


@command
def log(home: Home = ELSEWHERE, after: Annotated[int, typer.Option(help="Position to begin at.", min=0)] = 0,
        as_json: AsJson = False) -> None:
    """What this node stated, in the order of its log."""
    rows = Desk(home).get("/log", after=after)
    if as_json:
        show_json(rows)
        return
    for row in rows:
        show(f"{row['position']:6}  {row['at'][:19]}  {row['said']}")
