"""Letters, access to data, who looked; and the keys with which systems call `/v1`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.desk import ELSEWHERE, CaseId, Desk, Home, Looking, OfficerId, RequestId
from arrp.cli.speaking import show, show_json, show_table
from arrp.core.account import parse_account
from arrp.node.files import write_new
from arrp.wire.json_text import json_text


@command
def letter(case: CaseId, home: Home = ELSEWHERE, officer: Looking = "") -> None:
    """The letter that tells a victim how their loss stands."""
    show(Desk(home, officer).download(f"/cases/{case}/letter").decode())


@command
def notice(request: RequestId, home: Home = ELSEWHERE, officer: Looking = "") -> None:
    """The letter that tells an account holder of a hold, and how to object. Then: arrp object tell."""
    show(Desk(home, officer).download(f"/requests/{request}/notice").decode())


@command
def looks(case: CaseId, officer: OfficerId, home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """Who looked at a case, and when. For auditors and data-protection officers."""
    rows = Desk(home, officer).get("/looks", case=case)
    if as_json:
        show_json(rows)
    else:
        show_table(("at", "officer", "what"), ((row["at"][:19], row["officer"], row["what"]) for row in rows))


@command
def subject(account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As payto: or CAIP-10, or an IBAN.")],
            officer: OfficerId, out: Annotated[Path, typer.Option(help="A new file for it.")], home: Home = ELSEWHERE
            ) -> None:
    """Everything this node has about an account, and who looked, into one file. Read it before you give it out."""
    found = Desk(home, officer).get("/subject", account=parse_account(account))
    write_new(out, json_text(found), 0o600)
    show(f"{len(found['cases'])} cases: {out}")


@command
def make_key(officer: OfficerId,
             scope: Annotated[list[str], typer.Option(help="read, wish, approve, task, document, metrics; for each.")],
             days: Annotated[int, typer.Option(help="How long it counts.", min=1, max=366)] = 90,
             home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """Make a key for an officer's system. It is shown once, and kept by whoever uses it."""
    made = Desk(home).post("/keys", {"officer": officer, "scopes": scope, "days": days})
    if as_json:
        show_json(made)
    else:
        show(made["key"])


@command
def list_keys(home: Home = ELSEWHERE, as_json: AsJson = False) -> None:
    """The keys that were made: whose, for what, until when."""
    rows = Desk(home).get("/keys")
    if as_json:
        show_json(rows)
    else:
        show_table(("key", "officer", "scopes", "until", "revoked"), (
            (row["id"], row["officer"], " ".join(row["scopes"]), row["until"][:19], (row["revoked_at"] or "")[:19])
            for row in rows
        ))


@command
def revoke_key(key: Annotated[str, typer.Argument(metavar="KEY", help="Its id: arrp api list.")], home: Home = ELSEWHERE
               ) -> None:
    """Let a key count no longer, from now on."""
    Desk(home).delete(f"/keys/{key}")
    show(f"{key} counts no longer")
