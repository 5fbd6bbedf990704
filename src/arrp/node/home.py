"""A node as its home says it is, at start and each minute after: directory, keys and mandates that fit each other.

What may change while it runs is the directory (somebody put a newer version in force), which key is in use (one
begins, one ends), whether the directory is still valid (R-38), and with all three which standing mandates count.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from arrp.core.errors import Conflict
from arrp.core.policy import Policy
from arrp.node.calling import Getting
from arrp.node.clock import Clock
from arrp.node.config import Config, load_rules, rules_digest
from arrp.node.directory import Directory, trusted_directory
from arrp.node.fetching import ask_in_turn, sources
from arrp.node.files import Files, is_nearly_full
from arrp.node.keys import NodeKeys, load_node_keys
from arrp.node.service import Node
from arrp.node.standing import Standing, load_standing
from arrp.node.store.engine import Store

log = logging.getLogger("arrp.home")


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a home: `keys` are all that are there, `policy` and `standing` what was read at start."""

    directory: Directory
    keys: NodeKeys
    policy: Policy
    standing: tuple[Standing, ...]


class Home:
    """The home of one running node. `open` makes the node; it asks `renewed` each minute."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._found: Found | None = None
        self._seen: object = None
        self._turn = 0

    def open(self, clock: Clock) -> Node:
        """Raises NotFound, Malformed, Refused, Conflict: a node that nobody would believe does not start."""
        config = self.config
        self._seen = self._looks()
        keys = load_node_keys(config.home)
        directory = trusted_directory(config.home, keys)
        rules = load_rules(config, directory)
        standing = load_standing(config.mandates, config.id, directory)
        self._found = Found(directory, keys, rules.policy, standing)
        in_use = keys.in_use(rules.me, clock.now())
        node = Node(Store(config.store), rules, directory, in_use, clock, standing, renew=self.renewed,
                    fetch=self.fetched, files=Files(config.home / "documents"),
                    is_nearly_full=lambda: is_nearly_full(config.home))
        return fitted(node, self._found, clock.now()) or node

    def renewed(self, node: Node) -> Node | None:
        """The node as it shall go on; None when nothing has changed. Raises what `open` raises: then it goes on as
        it is, and looks again in a minute."""
        assert self._found is not None, "a home is opened before it is looked at again"
        looks = self._looks()
        if looks != self._seen:
            keys = load_node_keys(self.config.home)
            self._found = replace(self._found, directory=trusted_directory(self.config.home, keys), keys=keys)
            self._seen = looks
        return fitted(node, self._found, node.clock.now())

    def fetched(self, node: Node, transport: Getting) -> bool:
        """Ask the configured addresses, or some peers, for the version after the one that counts, and put it in
        force here; `renewed` takes it up. Whether there was one: then there may be more."""
        urls = sources(self.config.sources, node.directory, node.me, self._turn)
        self._turn += 1
        return ask_in_turn(self.config.home, transport, urls, node.clock.now())

    def _looks(self) -> object:
        """What changes when somebody writes to the directory or the keys."""
        files = [self.config.directory, *sorted((self.config.home / "keys").glob("*.pem"))]
        return tuple(_stamp(path) for path in files)


def fitted(node: Node, found: Found, now: datetime) -> Node | None:
    """The node with what was found, as far as it counts now; None when that is what it already has.

    It takes up a directory that no longer knows its keys, too: that others were revoked counts all the same."""
    directory = found.directory
    me = directory.participants.get(node.me, node.rules.me)
    try:
        keys = found.keys.in_use(me, now)
    except Conflict as error:
        log.error("%s", error)
        keys = node.keys
    stale = directory.is_stale(now)
    policy = replace(found.policy, instant_from=()) if stale else found.policy
    standing = tuple(one for one in found.standing if _counts(one, me.id, directory, now))
    signed = tuple((one.act_hash, one.mandate) for one in standing)
    rules = replace(node.rules, me=me, participants=directory.participants, policy=policy, standing=signed)
    if (rules, keys, directory.digest) == (node.rules, node.keys, node.directory.digest):
        return None
    if stale:
        log.error("the directory ended on %s: nothing is held or instructed before an officer looked (R-38); get the "
                  "newest version from its keepers", directory.valid_until)
    return replace(node, rules=replace(rules, digest=rules_digest(rules)), directory=directory, keys=keys,
                   standing=standing)


def _counts(standing: Standing, me: str, directory: Directory, now: datetime) -> bool:
    """R-37: a standing mandate whose signers' keys were revoked or are long retired allows nothing more."""
    for approval in standing.attached.approvals:
        if directory.officer_key_at(me, approval.officer, approval.key, now) is None:
            log.error("standing mandate %s counts no more: the key of %s does not. Have it signed again",
                      standing.act_hash[:12], approval.officer)
            return False
    return True


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return path.name, seen.st_ino, seen.st_size, seen.st_mtime_ns
