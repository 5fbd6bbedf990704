"""`arrp read`: what payments are in these files, and what was not understood of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show, show_json
from arrp.core.errors import ArrpError
from arrp.core.report import Evidence, Party, Payment
from arrp.node.files import read_file
from arrp.wire.evidence import evidence_json, read_evidence

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Evidence: pacs.008, pacs.009, FIN, RJE or CSV.")]


@command
def read(files: Files, as_json: AsJson = False) -> None:
    """Read evidence files: each payment in one form, and what was not understood.

    A file that cannot be read does not hide the others; the exit code is that of the first such file."""
    found: dict[Path, Evidence] = {}
    failed: list[ArrpError] = []
    for file in files:
        try:
            found[file] = read_evidence(str(file), read_file(file))
        except ArrpError as why:
            failed.append(why)
    if as_json:
        show_json([payment for evidence in found.values() for payment in evidence_json(evidence)])
    else:
        for payment in (payment for evidence in found.values() for payment in evidence.payments):
            _show(payment)
    _say_left_out(files, found)
    for other in failed[1:]:
        say(str(other))
    if failed:
        raise failed[0]


def _say_left_out(files: list[Path], found: dict[Path, Evidence]) -> None:
    for file, evidence in found.items():
        for missed in evidence.not_understood:
            say(f"{file}: not understood: {missed.place}: {missed.what}")
    payments = sum(len(evidence.payments) for evidence in found.values())
    say(f"{payments} payments in {len(found)} of {len(files)} files")


def _show(payment: Payment) -> None:
    """A payment as a few lines that begin alike."""
    when = payment.instructed_at or payment.settled_on
    ids = [payment.uetr and f"UETR {payment.uetr}", payment.end_to_end_id, *payment.references]
    show(f"{payment.amount}  {when.isoformat() if when else 'no date'}  {payment.source.file}, {payment.source.place}")
    show(f"    from  {_party(payment.debtor)}")
    show(f"    to    {_party(payment.creditor)}")
    show(f"    ids   {', '.join(filter(None, ids)) or 'none'}")


def _party(party: Party) -> str:
    return "  ".join(filter(None, (party.name, party.account, party.agent))) or "not said"
