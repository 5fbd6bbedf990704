"""`arrp node init`: a home directory for a new node. Nothing in it lets the node act by itself yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import AsJson, command
from arrp.cli.speaking import say, show, show_json
from arrp.cli.templates import NO_LEDGER, NODE, RULES
from arrp.connectors.manual import CAN as CLERKS
from arrp.connectors.reading import CAN_ON_CHAIN
from arrp.connectors.simulated import CAN
from arrp.core.errors import Conflict, Malformed
from arrp.core.policy import Contact, Participant
from arrp.node.clock import Clock
from arrp.node.config import load_config, parse_listen
from arrp.node.directory import write_entry
from arrp.node.files import write_new
from arrp.node.keys import NodeKeys, fresh_keys, keep_node_keys, new_node_keys
from arrp.wire.codec import dumps, parse_json
from arrp.wire.entry import check_entry


class Kind(StrEnum):
    AUTHORITY = "authority"
    INSTITUTION = "institution"
    ISSUER = "issuer"
    COORDINATOR = "coordinator"


class CoreKind(StrEnum):
    NONE = "none"
    SIMULATED = "simulated"
    MANUAL = "manual"
    LEDGER = "ledger"


_CAN = {CoreKind.SIMULATED: CAN, CoreKind.MANUAL: CLERKS, CoreKind.LEDGER: CLERKS}


@dataclass(frozen=True, slots=True)
class Init:
    home: Annotated[Path, typer.Argument(metavar="HOME", help="Directory to make.")]
    id: Annotated[str, typer.Option(help="Capitals, digits, dashes: BANK-PT.")]
    name: Annotated[str, typer.Option(help="Its name, for people.")]
    kind: Annotated[Kind, typer.Option(help="What it is.")]
    country: Annotated[str, typer.Option(help="Two letters: PT.")]
    listen: Annotated[str, typer.Option(help="host:port where it listens.")] = "127.0.0.1:8443"
    address: Annotated[str, typer.Option(help="Where peers reach it; if not said, http:// and --listen.")] = ""
    answers_for: Annotated[list[str], typer.Option(help="Start of a bank code, BIC or chain it keeps: PT0002.")] = (
        field(default_factory=list)
    )
    instructs: Annotated[list[str], typer.Option(help="Institution it may instruct.")] = field(default_factory=list)
    language: Annotated[list[str], typer.Option(help="Language it is written to in, best first: pt.")] = field(
        default_factory=list
    )
    contact: Annotated[list[str], typer.Option(help='Duty desk: "Name, +351 210 000 000, always".')] = field(
        default_factory=list
    )
    asset: Annotated[list[str], typer.Option(help="Token it issues, CAIP-19.")] = field(default_factory=list)
    core: Annotated[CoreKind, typer.Option(help="The core it speaks to.")] = CoreKind.NONE
    ledger: Annotated[str, typer.Option(help="With --core ledger: csv:PATH, sql:URL or chain:PATH.")] = ""
    as_json: AsJson = False


@command
def init(asked: Init) -> None:
    """Make a node: its keys, node.toml, rules.toml, and entry.json to hand to the keepers of the directory."""
    home = asked.home.absolute()
    parse_listen(asked.listen)
    if (home / "node.toml").exists():
        raise Conflict(f"{home} is the home of a node already: choose another directory")
    for text in (str(home), asked.ledger):
        if not text.isprintable() or set(text) & set('"\\'):
            raise Malformed(f"{text!r} cannot be written into a settings file: choose another directory")
    _check_ledger(asked)
    keys, now = new_node_keys(), Clock().now()
    entry = _entry(asked, keys, now)
    check_entry(entry)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_node_keys(home, keys)
    write_entry(home / "entry.json", entry, keys, now)
    (home / "mandates").mkdir(exist_ok=True)
    write_new(home / "rules.toml", RULES.encode())
    settings = NODE.format(id=asked.id, listen=asked.listen, home=home, core=asked.core, ledger=_ledger(asked))
    write_new(home / "node.toml", settings.encode(), mode=0o600)
    load_config(home)
    if asked.as_json:
        show_json(parse_json(dumps(entry)))
    else:
        show(str(home / "entry.json"))
    say(f"next: arrp officer key, arrp officer add {asked.home} FRAGMENT; hand in entry.json; arrp directory publish")


def _check_ledger(asked: Init) -> None:
    if (asked.core is CoreKind.LEDGER) != bool(asked.ledger):
        raise Malformed("--core ledger and --ledger go together: csv:PATH, sql:URL or chain:PATH")
    if asked.ledger.startswith("chain:") and len(asked.answers_for) != 1:
        raise Malformed("--ledger chain:PATH: of which chain? Say --answers-for eip155:1")


def _ledger(asked: Init) -> str:
    """The lines of node.toml that say which ledger is read; as comments where none is."""
    if not asked.ledger:
        return NO_LEDGER
    accounts = ", ".join(f'"{prefix}"' for prefix in asked.answers_for)
    query = 'query = """SELECT …"""\n' if asked.ledger.startswith("sql:") else ""
    return f'ledger = "{asked.ledger}"\n{query}accounts = [{accounts}]'


def contact(text: str) -> Contact:
    """Name, telephone, hours. Raises Malformed."""
    parts = [part.strip() for part in text.split(",", 2)]
    if len(parts) != 3:
        raise Malformed(f'{text!r} is not "name, telephone, hours", such as "Duty desk, +351 210 000 000, always"')
    return Contact(*parts)


def _entry(asked: Init, keys: NodeKeys, now: datetime) -> Participant:
    signing, sealing = fresh_keys(keys, now)
    return Participant(
        id=asked.id,
        name=asked.name,
        kind=asked.kind.value,
        country=asked.country,
        address=asked.address or f"http://{asked.listen}",
        answers_for=tuple(asked.answers_for),
        officers=(),
        signing=(signing,),
        sealing=(sealing,),
        instructs=tuple(asked.instructs),
        languages=tuple(asked.language),
        contacts=tuple(map(contact, asked.contact)),
        assets=tuple(asked.asset),
        can=CAN_ON_CHAIN if asked.ledger.startswith("chain:") else _CAN.get(asked.core),
    )
