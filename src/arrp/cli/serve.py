"""`arrp node serve`: run a node until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import command
from arrp.connectors import Connector
from arrp.connectors.manual import ManualCore
from arrp.connectors.simulated import SimulatedCore
from arrp.node import telemetry
from arrp.node.clock import Clock
from arrp.node.config import Config, load_config
from arrp.node.home import Home
from arrp.node.own_ledger import OnlyLooking, ledger_core
from arrp.node.server import Doors
from arrp.node.server import serve as run
from arrp.node.service import Node

HomeArgument = Annotated[Path, typer.Argument(metavar="HOME", help="Home of the node.")]


@command
def serve(home: HomeArgument) -> None:
    """Run the node: peers on its port, its own officers on HOME/node.sock. SIGTERM or Ctrl-C stops it."""
    config = load_config(home)
    telemetry.start(config.log_level, config.log_format)
    run(node_at(config), core_of(config),
        Doors(config.host, config.port, config.home / "node.sock", config.api, config.reach))


def node_at(config: Config) -> Node:
    """Everything a node is made of, from its home. Raises NotFound, Malformed, Refused, Corrupt."""
    return Home(config).open(Clock())


def core_of(config: Config, *, looking: bool = False) -> Connector | None:
    """What keeps the money: a simulated bank, clerks, clerks beside a ledger that is read, or nothing. Who is only
    `looking` makes none, and does not say how far a ledger was read. Raises NotFound, Malformed."""
    if looking and not config.core_path.exists() and config.ledger is None:
        return None
    if config.core == "simulated":
        return SimulatedCore(config.core_path, Clock().now)
    if config.core == "none":
        return None
    is_new = looking and not config.core_path.exists()
    hands = ManualCore(Path(":memory:") if is_new else config.core_path, Clock().now)
    if config.ledger is None:
        return hands
    return ledger_core(config.ledger, hands, OnlyLooking(hands) if looking else None)
