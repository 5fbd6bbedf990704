"""`arrp ledger`: from files of transfers to a ledger on disk that `arrp trace` opens at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show_json, show_table
from arrp.node.ledger_reading import book_rows, read_opening, read_rows, read_terminal_accounts
from arrp.node.ledgers import Manifest, Outcome, append_ledger, check_files, open_ledger, read_manifest, write_ledger

Files = Annotated[list[Path], typer.Argument(help="CSV (time,from,to,amount,asset,ref) in booking order; Parquet; camt.053; a chain's export.")]
Chain = Annotated[str, typer.Option(metavar="CAIP-2", help="Of which chain the exports among the files are: eip155:1.")]
Folder = Annotated[Path, typer.Argument(help="The folder of the ledger.")]


@dataclass(frozen=True, slots=True)
class Building:
    files: Files
    out: Annotated[Path, typer.Option(help="The folder of the ledger; one that is there is replaced in a moment.")]
    opening: Annotated[Path | None, typer.Option(help="CSV account,amount,asset: what accounts had before.")] = None
    terminals: Annotated[Path | None, typer.Option(help="Accounts to tell and never to follow, one a line.")] = None
    chain: Chain = ""
    as_json: AsJson = False


@command
def build(asked: Building) -> None:
    """Build a ledger from all its files; a row that cannot stand is refused with its number, and nothing is built."""
    opening, terminals = read_opening(asked.opening), read_terminal_accounts(asked.terminals)
    if asked.chain:  # lists of addresses do not name their chain
        terminals |= {f"{asked.chain}:{address}" for address in terminals}
    rows = read_rows(asked.files, say, asked.chain)
    booked = book_rows(rows, opening, terminals)
    _tell(write_ledger(asked.out, booked, sum(map(bool, rows.reverses)), say), as_json=asked.as_json)


@command
def append(folder: Folder, files: Files, chain: Chain = "", as_json: AsJson = False) -> None:
    """Book what came since behind what is there; costs what the new rows cost."""
    stored = open_ledger(folder)
    rows = read_rows(files, say, chain)
    rows_before = stored.manifest.rows
    say(f"{len(rows.refs)} rows behind {rows_before}")
    booked = book_rows(rows, {}, set())
    _tell(append_ledger(folder, booked, sum(map(bool, rows.reverses))), as_json=as_json)


@command
def info(
    folder: Folder,
    check: Annotated[bool, typer.Option("--check", help="Read every file and compare its SHA-256.")] = False,
    as_json: AsJson = False,
) -> None:
    """What a ledger is made of."""
    if check:
        check_files(folder)
    manifest = read_manifest(folder)
    if as_json:
        show_json(_facts(manifest) | {"parts": [{"rows": one.rows, "new_pots": one.pots} for one in manifest.parts]})
        return
    facts = _facts(manifest).items()
    show_table(("what", "how many"), ((name.replace("_", " "), _text(value)) for name, value in facts))


def _facts(manifest: Manifest) -> dict[str, Any]:
    return {
        "transfers": manifest.rows,
        "pots": manifest.pots,
        "assets": list(manifest.assets),
        "implied_openings": manifest.implied,
        "reversing": manifest.reversing,
        "parts": len(manifest.parts),
        "bytes": manifest.bytes,
        "wide": manifest.wide,
    }


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        show_json({"rows": outcome.rows, **_facts(outcome.manifest)})
        return
    say(f"{outcome.rows} rows booked; the ledger has {outcome.manifest.rows}, between {outcome.manifest.pots} pots")
    if outcome.implied:
        say(f"{outcome.implied} pots have an implied opening balance: the least that covers what they paid")
