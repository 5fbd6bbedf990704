"""`arrp node serve`: run a node until it is told to stop."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from arrp.cli.asking import command
from arrp.connectors import Connector
from arrp.connectors.simulated import SimulatedCore
from arrp.node.clock import Clock
from arrp.node.config import Config, load_config, load_rules
from arrp.node.directory import check_own_keys, load_directory
from arrp.node.keys import load_node_keys
from arrp.node.server import serve as run
from arrp.node.service import Node
from arrp.node.standing import load_standing
from arrp.node.store.engine import Store

HomeArgument = Annotated[Path, typer.Argument(metavar="HOME", help="Home of the node.")]


@command
def serve(home: HomeArgument) -> None:
    """Run the node: peers on its port, its own officers on HOME/node.sock. SIGTERM or Ctrl-C stops it."""
    config = load_config(home)
    logging.basicConfig(level=config.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    run(node_at(config), core_of(config), config.host, config.port, config.home / "node.sock")


def node_at(config: Config) -> Node:
    """Everything a node is made of, from its home. Raises NotFound, Malformed, Refused, Corrupt."""
    directory = load_directory(config.directory)
    rules = load_rules(config, directory)
    standing = load_standing(config.mandates, config.id, directory)
    keys = load_node_keys(config.home)
    check_own_keys(directory, config.id, keys)
    return Node(Store(config.store), rules, directory, keys, Clock(), standing)


def core_of(config: Config) -> Connector | None:
    return SimulatedCore(config.core_path, Clock().now) if config.core == "simulated" else None
