"""A world: real nodes on their machines, one time, one network, one witness. Everything that happens follows from its
seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory, gettempdir, mkdtemp
from typing import Any

from arrp.connectors.simulated import SimulatedCore
from arrp.core.case import Case
from arrp.core.errors import NotFound
from arrp.core.events import Event
from arrp.core.step import Command
from arrp.node.service import Service
from arrp.node.store import talk
from arrp.node.store.engine import Store
from arrp.node.worker import Pace
from arrp.sim.cast import Cast, Customs, Member, Seat
from arrp.sim.disk import Killed, Strike, spared
from arrp.sim.network import Network
from arrp.sim.process import Machine, Process
from arrp.sim.time import Time, Watch

_ELSE = "ab" * 32  # the hash of another act
DEPTH = 2  # so deep may one thing happen inside another
CROSSING = 3  # as many things may happen while one exchange is on its way


@dataclass(slots=True)
class Host:
    """The machine of one participant: what outlives its processes."""

    member: Member
    watch: Watch
    core: SimulatedCore | None
    processes: list[Process] = field(default_factory=list)
    restarts: int = 0


class World:
    """Members on hosts, from `start` on. `wrote` is told which cases of a node a commit changed; `struck` what
    struck a node, and where."""

    def __init__(self, seed: int, seats: Sequence[Seat], start: datetime, customs: Customs | None = None,
                 pace: Pace | None = None) -> None:
        self.seed, self.pace = seed, pace or Pace()
        self.idle = self.pace.compare_every
        self.time = Time(start)
        self.cast = Cast(seats, start, customs or Customs())
        self.folder = Path(mkdtemp(prefix="arrp-sim-", dir=_memory()))
        self.network = Network(self, self.dice("network"), tuple(self.cast.members))
        self.wrote: Callable[[str, list[str]], None] = lambda id, changed: None
        self.struck: Callable[[str, Strike, str], None] = lambda id, strike, where: None
        self.restarted: Callable[[str], None] = lambda id: None
        self.asked: Callable[[str, str, tuple[Any, ...]], None] = lambda id, verb, words: None
        self.crashes = 0
        self._depth = 0
        self._rebooting = self.dice("reboots")
        self.hosts = {id: self._host(member) for id, member in self.cast.members.items() if not member.seat.hostile}
        for id in self.hosts:
            self.start(id)

    def dice(self, name: str) -> Random:
        """Dice of their own for each thing, so that one thing more does not change all others."""
        return Random(f"{self.seed} {name}")

    def _host(self, member: Member) -> Host:
        shutil.copy(_empty(self.folder.parent), self.folder / f"{member.id}.db")
        core = None
        if member.seat.kind != "authority":
            core = SimulatedCore(self.folder / f"{member.id}.core", lambda: self.time.at, pause=lambda _: None)
        return Host(member, Watch(self.time, self.dice(f"machine {member.id}")), core)

    # --- processes ---------------------------------------------------------------------------------------

    def start(self, id: str) -> Process:
        """A process more on that host; the second is there by mistake."""
        host = self.hosts[id]
        machine = Machine(f"sqlite:///{self.file(id)}", host.watch, host.core, self.network.line,
                          lambda node, changed: self.wrote(node, changed),
                          lambda node, strike, where: self.struck(node, strike, where),
                          lambda node, verb, words: self.asked(node, verb, words), self.idle, self.pace)
        process = Process(id, self.cast, self.time, machine)
        host.processes.append(process)
        return process

    def file(self, id: str) -> Path:
        """The store of a node."""
        return self.folder / f"{id}.db"

    def running(self, id: str) -> Process | None:
        found = self.hosts[id].processes if id in self.hosts else ()
        return found[-1] if found else None

    def service(self, id: str) -> Service:
        """Raises NotFound for a node that is down."""
        process = self.running(id)
        if process is None:
            raise NotFound(f"{id} is down")
        return process.service

    def died(self, process: Process) -> None:
        """The process is gone; somebody starts it again."""
        if not process.alive:
            return
        self.stop(process)
        self.crashes += 1
        self.time.then(timedelta(seconds=self._rebooting.expovariate(1 / 60)), lambda: self.restart(process.id))

    def stop(self, process: Process) -> None:
        process.die()
        self.hosts[process.id].processes.remove(process)

    def stop_all(self, id: str) -> None:
        for process in list(self.hosts[id].processes):
            self.stop(process)

    def restart(self, id: str) -> None:
        """Unless it runs. Its machine was rebooted, and set by the time of the others."""
        host = self.hosts[id]
        if not host.processes:
            host.watch = host.watch.rebooted()
            host.restarts += 1
            self.start(id)
            self.restarted(id)

    # --- time ----------------------------------------------------------------------------------------------

    def next(self, until: datetime) -> bool:
        """The next thing that is due by then. Whether there was one."""
        return self._survived(lambda: self.time.next(until))

    def run(self, until: datetime) -> None:
        while self.next(until):
            pass

    @property
    def is_busy(self) -> bool:
        """Whether something happens inside something else: then nobody's disk can be exchanged."""
        return self._depth > 0

    def go_on(self, span: timedelta) -> None:
        if self._depth >= DEPTH:
            return
        self._depth += 1
        try:
            end = self.time.at + span
            for _ in range(CROSSING):
                due = self.time.peek()
                if due is None or due > end or not self.next(end):
                    break
        finally:
            self._depth -= 1

    def _survived(self, happen: Callable[[], bool]) -> bool:
        """Whatever dies in it dies alone."""
        before = [process for host in self.hosts.values() for process in host.processes]
        try:
            return happen()
        except Killed:
            return True
        finally:
            for process in before:
                if process.alive and (process.dying or process.store.broken.is_set()):
                    self.died(process)

    def close(self) -> None:
        for host in self.hosts.values():
            for process in list(host.processes):
                self.stop(process)
            if host.core is not None:
                host.core.close()
        shutil.rmtree(self.folder)

    # --- people ----------------------------------------------------------------------------------------------

    def say(self, id: str, command: Command, case: str | None = None, by: Sequence[str] = (), astray: str = ""
            ) -> tuple[str, list[Event]]:
        """A command at a node, and the signatures of `by` over each draft it left; the case, and what followed. Who
        goes `astray` hands in a signature over something else. Raises what the node raises."""
        service = self.service(id)
        case_id, events = service.command(command, case)
        for act in [event.body.act for event in events if event.kind == "Drafted"]:
            for place, name in enumerate(by):
                events = [*events, *self.sign(id, act, name, str(place), _ELSE if name == astray else "")]
        return case_id, events

    def sign(self, id: str, act: str, officer: str, place: str = "", instead: str = "") -> list[Event]:
        """One officer's signature over a draft, as the command line makes it: over the bytes the node shows, or over
        those of another hash."""
        service = self.service(id)
        with service.node.store.reading() as connection:
            kept = talk.own_act(connection, id, act)
        if kept is None:
            raise NotFound(f"{id} has no draft {act}")
        signed = self.cast.members[id].signature(officer, instead or kept.act_hash)
        return service.approve(act, signed, f"{act} {officer} {place}")[1]

    # --- looking ---------------------------------------------------------------------------------------------

    def cases(self, id: str) -> list[Case]:
        service = self.service(id)
        with spared(), service.node.store.reading() as connection:
            return [service.folds.at(connection, *row) for row in connection.exec_driver_sql(_CASES)]


_CASES = "SELECT id, version FROM cases WHERE state != 'joined' ORDER BY opened_at, id"


def _memory() -> str:
    """Where files are that no disk has to keep, if there is such a place: a simulated disk fails when it is told to."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return str(shared) if shared.is_dir() else gettempdir()


@cache
def _empty(folder: Path) -> Path:
    """A store with all tables and no row, to be copied: to make one takes longer than most histories' first day."""
    _KEPT.append(TemporaryDirectory(prefix="arrp-empty-", dir=folder))
    path = Path(_KEPT[-1].name) / "empty.db"
    Store(f"sqlite:///{path}").close()
    return path


_KEPT: list[TemporaryDirectory[str]] = []  # they go with the process
