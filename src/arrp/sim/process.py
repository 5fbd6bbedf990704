"""One running node of a world: the real service, ear, worker and store, from start to death.

It has no threads: its worker looks when there is something to do, or when its next timer is due, and works off what
it finds one after another. While it asks somebody outside, others may go on (network.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from arrp.connectors import Connector
from arrp.node.delivery import Delivery, Transport
from arrp.node.hearing import Hearing
from arrp.node.service import Node, Service, Transaction
from arrp.node.store.due import next_look
from arrp.node.store.engine import Store
from arrp.node.worker import PAUSE_SECONDS, Pace, Worker
from arrp.sim.cast import Cast
from arrp.sim.disk import Fuse, Strike, driver
from arrp.sim.time import Time, Watch

AT_ONCE = timedelta(milliseconds=5)  # from a commit to the worker's next look
_ASKED = ("find", "hold", "stop", "status", "holds", "release", "extend", "give_back", "transfers_since")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a process runs: its store's URL, its clock, its bank, its line to the others; who is told what it did."""

    url: str
    watch: Watch
    core: Connector | None
    line: Callable[[Process], Transport]
    wrote: Callable[[str, list[str]], None]  # the node, and the cases of one commit
    struck: Callable[[str, Strike, str], None]  # the node, by what, and where it was
    asked: Callable[[str, str, tuple[Any, ...]], None]  # the node, what it asks its bank, and in which words
    idle: timedelta  # a node at rest looks this often
    pace: Pace


class Process:
    """A node while it runs."""

    def __init__(self, id: str, cast: Cast, time: Time, machine: Machine) -> None:
        self.id, self.alive, self.dying = id, True, False
        self._time, self._machine = time, machine
        self._next: datetime | None = None
        self._in_vain = 0
        self.fuse = Fuse(self._struck)
        self.store = Store(machine.url, driver(self.fuse))
        member = cast.members[id]
        node = Node(self.store, cast.rules(id), cast.directory, member.keys, machine.watch, cast.mandates(id),
                    wake=self.wake, renew=lambda node: cast.renewed(node, machine.watch.now()))
        self.service = _Told(node, lambda cases: machine.wrote(id, cases))
        self.hearing = Hearing(self.service)
        core: Any = machine.core and Watched(machine.core, _ASKED, self.fuse, self._asks)
        delivery = Delivery(self.service, self.hearing, machine.line(self), core)
        self.worker = Worker(self.service, delivery, pace=machine.pace)
        self.wake()

    def wake(self) -> None:
        self.look_at(self._time.at + AT_ONCE)

    def look_at(self, at: datetime) -> None:
        """Let the worker look then, unless it looks before."""
        if self._next is None or at < self._next:
            self._next = at
            self._time.when(at, lambda: self._look(at))

    def _look(self, at: datetime) -> None:
        if not self.alive or self._next != at:
            return  # it died meanwhile, or looked before
        self._next = None
        found = self.worker.look()
        self._in_vain = 0 if found else self._in_vain + 1
        if self.alive:
            self.look_at(self._time.at + (AT_ONCE if found else self._rest()))

    def _rest(self) -> timedelta:
        """How long nothing is to be done, as far as the store says."""
        try:
            with self.store.reading() as connection:
                due = next_look(connection)
        except DBAPIError:
            due = None
        rest = self._machine.idle if due is None else min(due - self._machine.watch.now(), self._machine.idle)
        pause = timedelta(seconds=PAUSE_SECONDS * 2 ** min(self._in_vain, 6))  # a real one looks twice a second
        return max(rest, pause)

    def _struck(self, strike: Strike, where: str) -> None:
        self.dying = strike is Strike.KILL
        self._machine.struck(self.id, strike, where)

    def _asks(self, verb: str, words: tuple[Any, ...]) -> None:
        self._machine.asked(self.id, verb, words)

    def die(self) -> None:
        """Nothing of it is left but what was committed."""
        self.alive = False
        self.fuse.put_out()
        self.store.close()


class _Told(Service):
    """The door, with a witness: who watches the world hears which cases each commit changed."""

    def __init__(self, node: Node, told: Callable[[list[str]], None]) -> None:
        super().__init__(node)
        self._told = told

    def committed(self, door: Transaction) -> None:
        super().committed(door)
        if door.after:
            self._told(list(door.after))


class Watched:
    """Something outside that is asked: a point before, and one after, its answer unread."""

    def __init__(self, asked: Any, verbs: tuple[str, ...], fuse: Fuse,
                 told: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._asked, self._verbs, self._fuse, self._told = asked, verbs, fuse, told

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._asked, name)
        if name not in self._verbs:
            return found

        def ask(*words: Any) -> Any:
            self._fuse.point(f"before {name}")
            self._told(name, words)
            answer = found(*words)
            self._fuse.point(f"after {name}")
            return answer

        return ask
