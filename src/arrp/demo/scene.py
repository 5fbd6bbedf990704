"""The scene: four participants with homes, keys and officers, and two banks with a payment in their books."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from arrp.cli import app
from arrp.connectors.books import Order
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.errors import ArrpError, NeedsApproval
from arrp.core.money import Amount
from arrp.core.report import Party

PT, LT, ES = ("payto://iban/PT50000201231234567890154", "payto://iban/LT121000011101001000",
              "payto://iban/ES9121000418450200051332")
UETR = "3f1c2a7e-5b0d-4c6e-9a41-7d2e8f90b1c5"
ONWARD = "8d5e0b42-1c9f-4f7a-b3d6-20a94c7e51f8"
PASSPHRASE = "correct horse battery staple"  # noqa: S105  invented people, on this machine only
VICTIM, HOLDER = Party("Talleres Ficticios SL", ES), Party("Comércio Inventado Lda", PT)
ONWARD_HOLDER = Party("Comércio Inventado Lda", LT)


@dataclass(frozen=True, slots=True)
class Member:
    """A participant of the demonstration. `options` are those of `arrp node init`."""

    id: str
    name: str
    officers: tuple[str, str]
    options: tuple[str, ...]


MEMBERS = (
    Member("NCB-ES", "Bureau of Spain (fictional)", ("Ana", "Benito"), ("--kind", "authority", "--country", "ES")),
    Member("NCB-PT", "Bureau of Portugal (fictional)", ("Rui", "Zoe"),
           ("--kind", "authority", "--country", "PT", "--instructs", "BANK-PT")),
    Member("BANK-PT", "Banco Inventado (fictional)", ("Tomas", "Ines"),
           ("--kind", "institution", "--country", "PT", "--answers-for", "PT0002", "--core", "simulated")),
    Member("VASP-LT", "Imaginary Exchange (fictional)", ("Lina", "Ona"),
           ("--kind", "institution", "--country", "LT", "--answers-for", "LT10000", "--core", "simulated")),
)

KEEPERS = ("Kim", "Lee", "Mia")  # of the directory: two of them sign it

_RULES = """\
# An invented law, for the demonstration only.
[policy]
instant_from = ["@authority"]
per_request = "500000.00"
per_hour = "1000000.00"
per_day = "5000000.00"
per_account = "500000.00"
power = "demo-1"
questions_per_day = 100000  # a bench asks more than a bureau
first_contact = "at-once"  # the demonstration has nobody to telephone

[[power]]
id = "demo-1"
country = "{country}"
article = "article 1 of an invented law"
holders = ["authority", "institution"]
provisional_hours_max = 24
hold_hours_max = 72
chain_hours_max = 720
onward = "free"
source = "invented for the demonstration"
checked_on = 2026-11-22
"""

_PACS008 = """\
<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"><FIToFICstmrCdtTrf>
  <GrpHdr><MsgId>DEMO-1</MsgId><CreDtTm>{at}</CreDtTm><NbOfTxs>1</NbOfTxs>
    <SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>
  <CdtTrfTxInf>
    <PmtId><InstrId>DEMO-1</InstrId><EndToEndId>INVOICE-4711</EndToEndId><UETR>{uetr}</UETR></PmtId>
    <IntrBkSttlmAmt Ccy="EUR">100000.00</IntrBkSttlmAmt><IntrBkSttlmDt>{day}</IntrBkSttlmDt>
    <AccptncDtTm>{at}</AccptncDtTm><ChrgBr>SLEV</ChrgBr>
    <Dbtr><Nm>Talleres Ficticios SL</Nm></Dbtr>
    <DbtrAcct><Id><IBAN>ES9121000418450200051332</IBAN></Id></DbtrAcct>
    <DbtrAgt><FinInstnId><BICFI>CAIXESBBXXX</BICFI></FinInstnId></DbtrAgt>
    <CdtrAgt><FinInstnId><BICFI>BESCPTPLXXX</BICFI></FinInstnId></CdtrAgt>
    <Cdtr><Nm>Comércio Inventado Lda</Nm></Cdtr>
    <CdtrAcct><Id><IBAN>PT50000201231234567890154</IBAN></Id></CdtrAcct>
  </CdtTrfTxInf>
</FIToFICstmrCdtTrf></Document>
"""


def arrp(*words: str) -> str:
    """Run one `arrp` command here, as somebody at a keyboard would; what it printed as data.

    A command that waits for another officer is no failure. Raises the command's own error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = app(list(words), standalone_mode=False) or 0
    if code not in (0, NeedsApproval.exit_code):
        raise ArrpError(f"arrp {' '.join(words)}: {err.getvalue().strip()}")
    return out.getvalue()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on at this moment."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def found_nodes(root: Path, until: datetime, members: Sequence[Member] = MEMBERS) -> None:
    """Homes, keys, officers, one directory for all, and a standing mandate for each authority."""
    (root / "passphrase").write_text(PASSPHRASE)
    words = ("--passphrase-file", str(root / "passphrase"))
    for member, port in zip(members, free_ports(len(members)), strict=True):
        home = str(root / member.id)
        arrp("node", "init", home, "--id", member.id, "--name", member.name, "--listen", f"127.0.0.1:{port}",
             *member.options)
        (root / member.id / "rules.toml").write_text(_RULES.format(country=member.options[3]))
        for officer in member.officers:
            key = root / member.id / f"{officer}.pem"
            fragment = root / member.id / f"{officer}.json"
            fragment.write_text(arrp("officer", "key", str(key), "--id", officer, "--name", officer, "--role",
                                    "duty officer", *words))
            arrp("officer", "add", home, str(fragment))
    directory, digest = _publish(root, members, words)
    for member in members:
        arrp("directory", "publish", str(root / member.id), directory, "--keepers-digest", digest)
        if "authority" in member.options:
            _sign_standing(root / member.id, member, until, words)


def _publish(root: Path, members: Sequence[Member], words: tuple[str, ...]) -> tuple[str, str]:
    """A directory of all, signed by two of its three keepers; its file, and the digest that is told by telephone."""
    folder = root / "keepers"
    folder.mkdir()
    directory, named = str(folder / "directory.json"), list[str]()
    for name in KEEPERS:
        made = arrp("directory", "keeper", str(folder / f"{name}.pem"), "--name", name, *words)
        (folder / f"{name}.json").write_text(made)
        named += ["--keeper", str(folder / f"{name}.json")]
    entries = [str(root / member.id / "entry.json") for member in members]
    arrp("directory", "add", directory, *entries, *named, "--threshold", "2")
    for name in KEEPERS[:2]:
        arrp("directory", "sign", directory, "--key", str(folder / f"{name}.pem"), *words)
    return directory, str(json.loads(arrp("directory", "show", directory, "--json"))["keepers_digest"])


def _sign_standing(home: Path, member: Member, until: datetime, words: tuple[str, ...]) -> None:
    file = str(home / "mandates" / "standing.json")
    arrp("mandate", "standing", file, "--by", member.id, "--total", "1000000.00", "--per-request", "500000.00",
         "--valid-until", until.isoformat())
    for officer in member.officers:
        arrp("mandate", "sign", file, "--key", str(home / f"{officer}.pem"), "--officer", officer, *words)


def fill_books(root: Path, now: datetime) -> Path:
    """Half an hour ago 100,000.00 EUR reached an account in Portugal; 38,000.00 of it went on to an
    exchange in Lithuania. The victim's bank wrote a pacs.008: its file."""
    at = now - timedelta(minutes=30)
    bank = SimulatedCore(root / "BANK-PT" / "core.db", lambda: now)
    vasp = SimulatedCore(root / "VASP-LT" / "core.db", lambda: now)
    bank.open_account(Account("0001-23", PT, HOLDER.name, "EUR", opening=1_250_00))
    vasp.open_account(Account("EUR-77", LT, HOLDER.name, "EUR"))
    bank.book(Order("CT-1", Amount.parse("100000.00", "EUR"), VICTIM, HOLDER, uetr=UETR, end_to_end="INVOICE-4711"), at)
    onward = Order("CT-2", Amount.parse("38000.00", "EUR"), HOLDER, ONWARD_HOLDER, uetr=ONWARD)
    bank.book(onward, at + timedelta(minutes=4))
    vasp.book(onward, at + timedelta(minutes=5))
    bank.close()
    vasp.close()
    evidence = root / "evidence" / "payment.pacs008.xml"
    evidence.parent.mkdir()
    written = (at - timedelta(minutes=2)).isoformat(timespec="seconds")
    evidence.write_text(_PACS008.format(at=written, day=at.date().isoformat(), uetr=UETR))
    return evidence
