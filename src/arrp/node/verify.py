"""`arrp audit verify`: is the stored log what was once written? Read with plain SQL, hashed anew.

Nothing here is shared with what writes the log: not the tree, not the queries, not the codec. A row is
what its leaf says, a tree is what RFC 9162 defines, a checkpoint is what the node's key signed, and a
checkpoint that a peer kept is what this node can no longer take back (R-64).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from arrp.core.by_hand import PAPER
from arrp.core.errors import ArrpError, NotFound
from arrp.core.messages import Approval, Checkpoint, Receipt
from arrp.node.directory import Directory
from arrp.wire.approvals import check_approval
from arrp.wire.envelope import verify as verify_jws

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACED_WITHIN = timedelta(minutes=1)
_ERASABLE = ("closed", "joined", "erased")


@dataclass(frozen=True, slots=True)
class Report:
    """How much was verified, and each thing that is wrong: what, where, what to do."""

    leaves: int
    checkpoints: int
    problems: tuple[str, ...]


def verify(url: str, directory: Directory, me: str, witnesses: Iterable[str] = ()) -> Report:
    """Check everything; never raises for what is wrong with the log. `witnesses` are signed checkpoints
    of this node that its peers kept. Raises NotFound where there is no store."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite" and not Path(where.database or "").is_file():
        raise NotFound(f"there is no store {where.database}")
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            _at_one_moment(connection)
            audit = _Audit(connection, directory, me)
            problems = [*audit.events(), *audit.tree(witnesses), *audit.acts(), *audit.conversations()]
            return Report(len(audit.leaves), audit.checkpoints, tuple(problems))
    except DBAPIError as error:
        return Report(0, 0, (f"the store cannot be read: {error.orig}. Restore a backup, then compare with peers.",))
    finally:
        engine.dispose()


def _at_one_moment(connection: Connection) -> None:
    """All that follows sees one state, though the node may be running."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


class _Tree:
    """RFC 9162 §2.1.1, as it is defined: the root of the leaves from `first` to `last`."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves, self._full = leaves, dict[tuple[int, int], bytes]()

    def root(self, first: int, last: int) -> bytes:
        size = last - first
        if size == 0:
            return sha256(b"").digest()
        if size == 1:
            return self.leaves[first]
        known = self._full.get((first, last))
        if known is None:
            left = 1
            while left * 2 < size:
                left *= 2
            known = sha256(b"\x01" + self.root(first, first + left) + self.root(first + left, last)).digest()
            if left * 2 == size:  # a full subtree is part of every later tree
                self._full[first, last] = known
        return known


class _Audit:
    """One reading of one store."""

    def __init__(self, connection: Connection, directory: Directory, me: str) -> None:
        self.connection, self.directory, self.me = connection, directory, me
        self.leaves: list[bytes] = []
        self.checkpoints = 0
        self.act_hashes = {row.act_hash for row in self._rows("SELECT act_hash FROM acts")}

    def _rows(self, statement: str) -> Sequence[Row[Any]]:
        return self.connection.execute(text(statement)).all()

    # --- the log ---------------------------------------------------------------------------------------

    def events(self) -> Iterator[str]:
        cases = {row.id: row for row in self._rows("SELECT id, state, version FROM cases")}
        newest = self._rows("SELECT max(at) AS at FROM checkpoints")[0].at or 0
        last, placed = defaultdict[str, int](int), 0
        for row in self._rows(
            "SELECT id, case_id, number, kind, at, lasting, private, salt, private_digest, leaf, position FROM events"
            " ORDER BY position IS NULL, position, id"
        ):
            where = f"event {row.number} of case {row.case_id} (row {row.id})"
            yield from (f"{where}: {what}" for what in self._event(row, cases.get(row.case_id)))
            if row.number != last[row.case_id] + 1:
                yield (f"{where}: it should be number {last[row.case_id] + 1}: an event was deleted, added or moved. "
                       "Restore a backup.")
            last[row.case_id] = row.number
            if row.position is None:
                if newest - row.at > _PLACED_WITHIN // timedelta(microseconds=1):
                    yield f"{where}: it was never placed in the tree. Was it added by hand? Is the worker running?"
            else:
                if row.position != placed:
                    yield f"{where}: position {row.position} follows {placed - 1}: rows are missing. Restore a backup."
                placed = row.position + 1
                self.leaves.append(bytes(row.leaf))
        for case in cases.values():
            if case.version != last[case.id]:
                yield (f"case {case.id} has {last[case.id]} events, its row says {case.version}: the last ones are "
                       "missing. Restore a backup.")

    def _event(self, row: Row[Any], case: Row[Any] | None) -> Iterator[str]:
        """One row: its leaf, its halves, its columns."""
        if case is None:
            yield "it belongs to no case. Restore a backup."
        elif row.private is None and case.state not in _ERASABLE:
            yield f"its private half was erased though the case is {case.state}. Restore a backup."
        if (row.private is None) != (row.salt is None):
            yield "only one of private half and salt was erased. Restore a backup, or erase the case again."
        elif row.private is not None and sha256(bytes(row.salt) + bytes(row.private)).digest() != row.private_digest:
            yield "its private half was changed. Restore a backup."
        if sha256(b"\0" + bytes(row.lasting) + bytes(row.private_digest)).digest() != row.leaf:
            yield "its lasting half, its digest or its leaf was changed. Restore a backup."
        said = _parsed(row.lasting)
        if (said.get("kind"), _micros(said.get("at"))) != (row.kind, row.at):
            yield "its kind or instant is not what its lasting half says. Restore a backup."
        act_hash = said.get("act_hash")
        if act_hash and act_hash != PAPER and act_hash not in self.act_hashes:
            yield f"the act {act_hash[:12]} it came in is gone. Restore a backup, or fetch the act from its peer."

    # --- the tree --------------------------------------------------------------------------------------

    def tree(self, witnesses: Iterable[str]) -> Iterator[str]:
        tree = _Tree(self.leaves)
        newest, before = 0, 0
        for row in self._rows("SELECT size, root, at, jws FROM checkpoints ORDER BY size"):
            self.checkpoints += 1
            where = f"checkpoint of size {row.size}"
            shown = self._signed(row.jws)
            if isinstance(shown, str):
                yield f"{where}: {shown}"
                continue
            if (shown.size, shown.root, _micros_of(shown.at)) != (row.size, row.root, row.at):
                yield f"{where}: its columns are not what was signed. Restore a backup."
            yield from (f"{where}: {what}" for what in self._fits(tree, shown))
            if row.at < before:
                yield f"{where}: it is older than the one before it. Look at the clock of this node."
            newest, before = row.size, row.at
        if newest < len(self.leaves):
            yield (f"{len(self.leaves) - newest} events were placed after the newest checkpoint, which nobody signed. "
                   "Restore a backup.")
        yield from self._frontier(tree)
        for jws in witnesses:
            shown = self._signed(jws)
            what = [shown] if isinstance(shown, str) else [
                f"a peer keeps a checkpoint of size {shown.size} of {shown.at:%Y-%m-%dT%H:%MZ}: {why}"
                for why in self._fits(tree, shown)
            ]
            yield from what

    def _fits(self, tree: _Tree, shown: Checkpoint) -> Iterator[str]:
        if shown.size > len(tree.leaves):
            yield (f"the log has only {len(tree.leaves)} events: it was cut, or this is an old backup. Let the peers "
                   "send again what is missing, and tell them.")
        elif tree.root(0, shown.size).hex() != shown.root:
            yield "the log is not the one that was signed: it was rewritten. Restore a backup; both are evidence."

    def _signed(self, jws: str) -> Checkpoint | str:
        """A checkpoint truly signed by this node, or what is wrong with it."""
        try:
            shown = verify_jws(Checkpoint, jws, self.directory.key_of)
        except ArrpError as error:
            return f"it cannot be believed: {error}. If the key was retired, verify with the directory of that time."
        return shown if shown.origin == self.me else f"it is of {shown.origin}, not of {self.me}"

    def _frontier(self, tree: _Tree) -> Iterator[str]:
        """What the writer goes on from: the roots of the full subtrees, largest first."""
        kept = self._rows("SELECT value FROM meta WHERE name = 'frontier'")
        size, first, peaks = len(tree.leaves), 0, list[str]()
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                peaks.append(tree.root(first, first + (1 << bit)).hex())
                first += 1 << bit
        if kept and kept[0].value.split(" ") != [str(size), *peaks]:
            yield "what the writer of the tree goes on from is not this log. Restore a backup; do not start the node."

    # --- what was said and heard -------------------------------------------------------------------------

    def acts(self) -> Iterator[str]:
        for row in self._rows("SELECT act_hash, act, by, kind, bytes, salt, approvals FROM acts ORDER BY act_hash"):
            where = f"act {row.act_hash[:12]} ({row.kind} of {row.by})"
            if (row.bytes is None) != (row.salt is None):
                yield f"{where}: only one of bytes and salt was erased. Restore a backup, or erase the case again."
            elif row.bytes is not None:
                if sha256(bytes(row.salt) + bytes(row.bytes)).hexdigest() != row.act_hash:
                    yield f"{where}: its bytes were changed. Restore a backup, or fetch the act from its peer."
                said = _parsed(row.bytes)
                if (said.get("act"), said.get("kind")) != (row.act, row.kind):
                    yield f"{where}: its columns are not what its bytes say. Restore a backup."
            yield from (f"{where}: {what}" for what in self._approvals(row))

    def _approvals(self, row: Row[Any]) -> Iterator[str]:
        officers = set[str]()
        for said in _parsed(row.approvals).get("approvals", ()):
            try:
                approval = Approval(**said)
                key = self.directory.officer_key_of(row.by, approval.officer, approval.key)
                if key is None:
                    yield f"{approval.officer} signed with a key nobody knows now. Verify with that time's directory."
                else:
                    check_approval(approval, row.act_hash, key)
            except (ArrpError, TypeError) as error:
                yield f"an approval does not hold: {error}. Restore a backup."
                continue
            if approval.officer in officers:
                yield f"{approval.officer} stands for two approvals. Restore a backup."
            officers.add(approval.officer)

    def conversations(self) -> Iterator[str]:
        talks = {(row.peer, row.request): row for row in self._rows("SELECT * FROM conversations")}
        sent, heard = defaultdict[Any, list[int]](list), defaultdict[Any, list[int]](list)
        for row in self._rows("SELECT * FROM outbox ORDER BY peer, request, number"):
            sent[row.peer, row.request].append(row.number)
            yield from self._sent(row)
        for row in self._rows("SELECT peer, request, number FROM inbox ORDER BY peer, request, number"):
            heard[row.peer, row.request].append(row.number)
        for key in {*talks, *sent, *heard}:
            where, talk = f"conversation with {key[0]} about {key[1][:12]}", talks.get(key)
            if talk is None:
                yield f"{where}: its row is gone. Restore a backup."
                continue
            if sent[key] != list(range(1, talk.sent + 1)):
                yield f"{where}: {talk.sent} acts were sent, {len(sent[key])} are here. Restore a backup."
            if heard[key][:talk.seen] != list(range(1, talk.seen + 1)):
                yield f"{where}: {talk.seen} acts were heard, not all of them are here. Restore a backup."

    def _sent(self, row: Row[Any]) -> Iterator[str]:
        where = f"act number {row.number} to {row.peer} about {row.request[:12]}"
        head = _parsed(row.head)
        if (head.get("number"), head.get("act_hash"), head.get("to")) != (row.number, row.act_hash, row.peer):
            yield f"{where}: its head says something else. Restore a backup."
        if row.act_hash not in self.act_hashes:
            yield f"{where}: the act is gone. Restore a backup."
        if row.receipt is None:
            if row.state not in ("queued", "dead", "paper", "by_hand"):
                yield f"{where}: it is {row.state}, but there is no receipt. Restore a backup; it will be sent again."
            return
        try:
            receipt = verify_jws(Receipt, row.receipt, self.directory.key_of)
        except ArrpError as error:
            yield f"{where}: its receipt cannot be believed: {error}. Was the key retired? Use that time's directory."
            return
        if (receipt.sender, receipt.number, receipt.act_hash) != (row.peer, row.number, row.act_hash):
            yield f"{where}: its receipt is for another act. Restore a backup."


def _parsed(data: Any) -> dict[str, Any]:
    """A stored JSON text as far as it can be read; what cannot is found by its hash."""
    try:
        tree = json.loads(bytes(data))
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) else {}


def _micros(said: Any) -> int | None:
    try:
        return _micros_of(datetime.fromisoformat(said))
    except (TypeError, ValueError):
        return None


def _micros_of(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
