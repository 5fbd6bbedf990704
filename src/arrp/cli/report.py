"""`arrp report` and `arrp mandate open`: what the victim's side states, and what the node may do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command, instant
from arrp.cli.desk import ELSEWHERE, CaseId, Desk, Home, KeyFile, OfficerId, wished
from arrp.cli.passphrase import PassphraseFile
from arrp.cli.speaking import say
from arrp.core.crime import Crime
from arrp.core.mandate import Mandate
from arrp.core.money import typed_amount
from arrp.core.report import Report, YesNo
from arrp.node.clock import Clock
from arrp.node.files import read_file
from arrp.wire.evidence import read_evidence


@dataclass(frozen=True, slots=True)
class Reporting:
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Evidence of the payments that were lost.")]
    officer: OfficerId
    crime: Annotated[Crime, typer.Option(help="Crime code, such as BEC.")]
    facts: Annotated[str, typer.Option(help="What happened, shortly.")] = ""
    loss: Annotated[str, typer.Option(help="Your number for this loss; made if not said.")] = ""
    discovered_at: Annotated[str, typer.Option(help="When it was noticed: 2026-11-22T08:00Z.")] = ""
    recall_started_at: Annotated[str, typer.Option(help="When the sending bank began to recall it.")] = ""
    recall_reference: Annotated[str, typer.Option(help="Under which reference.")] = ""
    authorised: Annotated[YesNo, typer.Option(help="Did the victim order the payment?")] = YesNo.UNKNOWN
    still_in_contact: Annotated[YesNo, typer.Option(help="Does the victim still speak with them?")] = YesNo.UNKNOWN
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def report(asked: Reporting) -> None:
    """Open a case from evidence files. What was not understood of them is said."""
    found = [read_evidence(str(file), read_file(file)) for file in asked.files]
    for missed in (missed for evidence in found for missed in evidence.not_understood):
        say(f"not understood: {missed.place}: {missed.what}")
    clock = Clock()
    said = Report(
        loss=asked.loss or clock.new_id()[:16],
        stated_by=Desk(asked.home).get("/status")["node"],
        payments=tuple(payment for evidence in found for payment in evidence.payments),
        crime=asked.crime,
        reported_at=clock.now(),
        discovered_at=instant(asked.discovered_at) if asked.discovered_at else None,
        recall_started_at=instant(asked.recall_started_at) if asked.recall_started_at else None,
        authorised=asked.authorised,
        still_in_contact=asked.still_in_contact,
        recall_reference=asked.recall_reference,
        facts=asked.facts,
    )
    wished(asked, "report", said)


@dataclass(frozen=True, slots=True)
class Opening:
    case: CaseId
    officer: OfficerId
    total: Annotated[str, typer.Option(help="Most that is asked under it: 100000.00 EUR.")]
    per_request: Annotated[str, typer.Option(help="Most per request; the total, if not said.")] = ""
    hours: Annotated[int, typer.Option(help="How long it is valid, in hours.", min=1, max=2160)] = 72
    hops_max: Annotated[int, typer.Option(help="How many transfers onward it follows.", min=0, max=99)] = 3
    country: Annotated[list[str], typer.Option(help="Country it may ask in; none named = any.")] = field(
        default_factory=list
    )
    home: Home = ELSEWHERE
    key: KeyFile = None
    passphrase_file: PassphraseFile = None
    as_json: AsJson = False


@command
def open_mandate(asked: Opening) -> None:
    """Draft the mandate of a case, and its loss act; two officers sign both. At night one signature over the loss act
    is enough for what one officer may send."""
    now, total = Clock().now(), typed_amount(asked.total)
    case = Desk(asked.home).get(f"/cases/{asked.case}")
    mandate = Mandate(
        loss=case["loss"], total=total, per_request=typed_amount(asked.per_request) if asked.per_request else total,
        hops_max=asked.hops_max, countries=tuple(asked.country), asks=("hold", "stop"), crimes=(),
        valid_from=now, valid_until=now + timedelta(hours=asked.hours),
    )
    wished(asked, "mandate", mandate, case=asked.case)
