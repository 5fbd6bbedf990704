"""Officers who go on working while everything fails: each says the same under the same id until it is answered.

What they were told is kept as they were told it: afterwards it must stand in the log, once (tests/chaos/judge.py).
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from arrp.cli.desk import Said
from arrp.core.errors import ArrpError, Conflict, NotFound, Refused, Unreachable
from arrp.demo.scene import PASSPHRASE, Member
from arrp.demo.story import Nodes
from arrp.node.clock import Clock
from arrp.node.keys import load_officer_key
from arrp.wire.approvals import act_hash, approve, unb64
from arrp.wire.codec import dumps, parse_json

REFUSALS = (Refused.exit_code, Conflict.exit_code, NotFound.exit_code, 2)  # whatever else it says, it is said again
PAUSE_SECONDS = 0.4
LOOK_SECONDS = 0.7
MISSED = 0.1  # of all answers an officer does not hear
PATIENCE_SECONDS = 180.0  # after the last fault: who still waits then waits for something that was lost


class Stuck(Exception):
    """Something never came, though nothing has failed for long."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an officer was told came of a wish: which case it is in, and what was written there in words."""

    node: str
    id: str
    case: str
    said: tuple[str, ...]


class Peace:
    """Since when nothing fails any more."""

    def __init__(self) -> None:
        self._since: float | None = None

    def begin(self) -> None:
        self._since = time.monotonic()

    def give_up(self) -> None:
        """Nobody waits for anything any more."""
        self._since = float("-inf")

    @property
    def seconds(self) -> float:
        return 0.0 if self._since is None else time.monotonic() - self._since


class Officers:
    """All officers of all members at their desks. Threads share them."""

    def __init__(self, nodes: Nodes, members: Iterable[Member], peace: Peace, dice: random.Random) -> None:
        self.nodes, self.members, self.peace = nodes, {member.id: member for member in members}, peace
        self._dice = dice
        self.clock, self.count = Clock(), Counter[str]()
        self.told: list[Told] = []
        self.out_of_order: list[str] = []  # answers that are no answer: a fault of the node
        self._keys = {(member.id, name): load_officer_key(nodes.root / member.id / f"{name}.pem", PASSPHRASE)
                      for member in self.members.values() for name in member.officers}
        self._lock = threading.Lock()

    # --- wishes ----------------------------------------------------------------------------------------------

    def wish(self, node: str, verb: str, body: Any = None, *, request: str | None = None, case: str | None = None
             ) -> Any:
        """What came of it, every draft of it signed. Raises Said for a refusal, Stuck."""
        tree = None if body is None else parse_json(dumps(body))
        officer = self.members[node].officers[0]
        done = self._say(node, "/commands", {"id": self.clock.new_id(), "verb": verb, "officer": officer, "case": case,
                                             "request": request, "body": tree})
        for draft in done["drafts"]:
            for name in self.members[node].officers[:draft["needs"]]:
                self._sign(node, draft["act"], name)
        return done

    def _sign(self, node: str, act: str, officer: str) -> None:
        draft = self.ask(node, f"/drafts/{act}")
        data = unb64(draft["bytes"])
        found = act_hash(unb64(draft["salt"]), data)
        assert found == draft["act_hash"], f"{node} shows other bytes than it wants signed"
        key = self._keys[node, officer]
        approval = parse_json(dumps(approve(key.signing, officer, key.key_id, found)))
        self._say(node, "/approvals", {"id": self.clock.new_id(), "act": act, "approval": approval})

    def upload(self, node: str, data: bytes, request: str) -> Any:
        return self._until_answered(node, lambda: self.nodes.desks[node].upload("/documents", data, request=request))

    def _say(self, node: str, path: str, tree: dict[str, Any]) -> Any:
        done = self._until_answered(node, lambda: self.nodes.desks[node].post(path, tree))
        if self._is_missed():  # on the line to the officer, too, an answer is lost
            self._add("answers missed")
            again = self._until_answered(node, lambda: self.nodes.desks[node].post(path, tree))
            if any(again[what] != done[what] for what in ("case", "requests", "said")):
                self._note(node, Said(f"wish {tree['id']} had two answers: {done} and {again}", ArrpError.exit_code))
        with self._lock:
            self.told.append(Told(node, tree["id"], done["case"], tuple(done["said"])))
        return done

    def _until_answered(self, node: str, say: Callable[[], Any]) -> Any:
        while True:
            try:
                return say()
            except Said as error:
                if error.exit_code in REFUSALS:
                    self._add("refused")
                    raise
                self._note(node, error)
            except Unreachable:
                pass
            self._add("said again")
            self._wait(f"an answer of {node}")

    def _note(self, node: str, error: Said) -> None:
        if error.exit_code != Unreachable.exit_code:
            with self._lock:
                self.out_of_order.append(f"{node}: {error}")

    # --- looking ---------------------------------------------------------------------------------------------

    def ask(self, node: str, path: str) -> Any:
        return self._until_answered(node, lambda: self.nodes.desks[node].get(path))

    def until(self, node: str, case: str, seen: Callable[[Any], Any], what: str) -> Any:
        """Look at a case until what is looked for is there. Raises Stuck."""
        while not (found := seen(self.ask(node, f"/cases/{case}"))):
            self._wait(f"{what} at {node}, case {case}", LOOK_SECONDS)
        return found

    def again(self, node: str, verb: str, body: Any, request: str) -> Any:
        """A wish that is refused until something has arrived: each time a new one. Raises Stuck."""
        while True:
            try:
                return self.wish(node, verb, body, request=request)
            except Said as error:
                self._wait(f"{verb} of {request} at {node}: {error}", LOOK_SECONDS)

    def _wait(self, what: str, seconds: float = PAUSE_SECONDS) -> None:
        if self.peace.seconds > PATIENCE_SECONDS:
            raise Stuck(f"{what} never came")
        time.sleep(seconds)

    def _is_missed(self) -> bool:
        with self._lock:
            return self._dice.random() < MISSED

    def _add(self, what: str) -> None:
        with self._lock:
            self.count[what] += 1


def settled(nodes: Nodes) -> bool:
    """Whether every node has said, asked and placed all it had to."""
    try:
        found = [desk.get("/status") for desk in nodes.desks.values()]
    except ArrpError:
        return False
    return not any(status[what] for status in found for what in ("queued", "unplaced", "intents", "joins"))

