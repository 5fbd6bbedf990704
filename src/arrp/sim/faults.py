"""What can go wrong in a world, by name; which of it does in one history is thrown with dice (swarm testing: a history
with all faults at once never reaches what a history with two of them does).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from arrp.connectors.faults import FAULTS, Fault
from arrp.node.store import recovering
from arrp.sim.disk import Strike, spared
from arrp.sim.judge import Judge
from arrp.sim.network import CALM, Weather
from arrp.sim.process import Process
from arrp.sim.world import World

NETWORK = {
    "loss": Weather(lost=0.1, unanswered=0.1),
    "delay": Weather(late=0.1),
    "duplicates": Weather(doubled=0.2),
    "reorder": Weather(crossed=0.3, late=0.05),
    "slow": Weather(unanswered=0.3),
}
OTHERS = ("partitions", "one_way", "crashes", "disk_full", "io_errors", "clock_skew", "clock_steps", "old_backups",
          "two_workers", "core_down", "core_refuses", "core_lies", "newer_directory",
          "careless", "adversary")
NAMES = (*NETWORK, *OTHERS)
_DOWN = (Fault.DOWN, Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.SLOW, Fault.LEDGER_UNREADABLE)
_POINTS = 80  # a process is struck within so many of its statements
_DOWNTIME = timedelta(minutes=3)


def chosen(dice: Random, among: Collection[str]) -> tuple[str, ...]:
    """Some of them; each history has others."""
    return tuple(name for name in NAMES if name in among and dice.random() < 0.5)


class Faults:
    """The faults of one history. `strike` lets one of them happen; `heal` ends them all."""

    def __init__(self, world: World, judge: Judge, dice: Random, names: Collection[str]) -> None:
        self._world, self._judge, self._dice, self.names = world, judge, dice, tuple(names)
        self.counts: dict[str, int] = dict.fromkeys(names, 0)
        self.strikes: dict[str, int] = {}
        self.told: list[tuple[datetime, str]] = []  # what struck whom, for the story
        self._backups: dict[str, Path] = {}
        self._unlucky = dice.choice(list(world.hosts))
        self._kinds = [name for name in self.names if name in self._TABLE]
        world.struck = self._struck
        world.network.weather = self._weather()
        if "clock_skew" in self.names:
            for host in world.hosts.values():
                host.watch.wrong_by = timedelta(milliseconds=dice.randint(-900, 900))

    def _weather(self) -> Weather:
        found = CALM
        for name in self.names:
            for part, share in _shares(NETWORK.get(name, CALM)).items():
                found = replace(found, **{part: max(share, getattr(found, part))})
        return found

    def strike(self) -> None:
        """One fault, somewhere, now."""
        if self._kinds:
            name = self._dice.choice(self._kinds)
            self.counts[name] += 1
            # What two that spoke with each other have both forgotten, nobody can give back: one node loses its disk.
            id = self._unlucky if name == "old_backups" else self._dice.choice(list(self._world.hosts))
            self.told.append((self._world.time.at, f"* {name.replace('_', ' ')}: {id}"))
            self._TABLE[name](self, id)

    def heal(self) -> None:
        """No more faults; what was broken is mended, who is down is started."""
        self._kinds = []
        self._world.network.weather = CALM
        self._world.network.cut.clear()
        for id, host in self._world.hosts.items():
            host.watch.wrong_by = timedelta(0) if "clock_steps" in self.names else host.watch.wrong_by
            if host.core is not None:
                host.core.faults.mend()
            for process in host.processes:
                process.fuse.put_out()
            for extra in host.processes[:-1]:
                self._world.stop(extra)
            if not host.processes:
                self._world.restart(id)

    # --- processes and disks ---------------------------------------------------------------------------------

    def _struck(self, id: str, strike: Strike, where: str) -> None:
        self.told.append((self._world.time.at, f"* {id} is struck: {strike} at {where}"))
        self.strikes[f"{strike} {where.split()[0]}"] = self.strikes.get(f"{strike} {where.split()[0]}", 0) + 1
        self._trouble(id)

    def _trouble(self, id: str) -> None:
        """What the node should do meanwhile may come so much later (I6: downtime)."""
        self._judge.troubled[id] = self._world.time.at + _DOWNTIME

    def _light(self, id: str, strike: Strike) -> None:
        process = self._world.running(id)
        if process is not None:
            process.fuse.light(self._dice.randint(1, _POINTS), strike)

    def _crash(self, id: str) -> None:
        self._light(id, Strike.KILL)

    def _full(self, id: str) -> None:
        self._light(id, Strike.FULL)

    def _io_error(self, id: str) -> None:
        self._light(id, Strike.IO_ERROR)

    def _second(self, id: str) -> None:
        """Somebody starts the same node twice; minutes later somebody notices."""
        if len(self._world.hosts[id].processes) == 1:
            extra = self._world.start(id)
            after = timedelta(minutes=self._dice.randint(1, 60))
            self._world.time.then(after, lambda: self._alone(id, extra))

    def _alone(self, id: str, extra: Process) -> None:
        if extra.alive:
            self._world.stop(extra)
            self._world.restart(id)

    def _old_backup(self, id: str) -> None:
        """A copy is made; the next time, the disk is gone and the copy is all there is, brought back as `arrp node
        restore` does: a disk that somebody puts back in silence is not noticed where all that it forgot is closed."""
        if self._world.is_busy:
            return
        self._world.stop_all(id)
        is_lost = id in self._backups
        if is_lost:
            _copy(self._backups.pop(id), self._world.file(id))
            self._judge.forget(id)
        else:
            self._backups[id] = _copy(self._world.file(id), self._world.folder / f"{id}.backup")
        self._trouble(id)
        self._world.restart(id)
        if is_lost:
            service = self._world.service(id)
            with spared(), service.node.store.writing() as connection:
                recovering.begin(connection, self._world.time.at)
            service.look_back()


    # --- lines and clocks --------------------------------------------------------------------------------------

    def _cut(self, id: str, *, both: bool) -> None:
        other = self._dice.choice([one for one in self._world.hosts if one != id])
        lines = {(id, other), (other, id)} if both else {(id, other)}
        self._world.network.cut |= lines
        after = timedelta(minutes=self._dice.expovariate(1 / 30))
        self._world.time.then(after, lambda: self._world.network.cut.difference_update(lines))

    def _partition(self, id: str) -> None:
        self._cut(id, both=True)

    def _one_way(self, id: str) -> None:
        self._cut(id, both=False)

    def _step(self, id: str) -> None:
        """Somebody sets the clock of a machine, and sets it right later; its node believes neither."""
        watch = self._world.hosts[id].watch
        watch.wrong_by = timedelta(hours=self._dice.choice((-24, -2, 2, 24)))
        self._world.time.then(timedelta(minutes=self._dice.randint(5, 90)), lambda: self._set_right(id))

    def _set_right(self, id: str) -> None:
        self._world.hosts[id].watch.wrong_by = timedelta(0)

    # --- the directory -----------------------------------------------------------------------------------------

    def _newer_directory(self, id: str) -> None:
        """Once in a history the keepers suspend a participant, and once an officer of another loses a key."""
        now, known = self._world.time.at, self._judge
        if not known.suspended:
            self._world.cast.suspend(id, now)
            known.suspended[id] = now
        elif not known.revoked and id not in known.suspended:
            officer = self._world.cast.members[id].seat.people[-1]
            self._world.cast.revoke(id, officer, now)
            known.revoked[id, officer] = now

    # --- banks ---------------------------------------------------------------------------------------------------

    def _plant(self, id: str, among: Collection[Fault]) -> None:
        core = self._world.hosts[id].core
        if core is None:
            self._plant(self._dice.choice([one for one, host in self._world.hosts.items() if host.core]), among)
        else:
            able = [verb for verb, known in FAULTS.items() if known & set(among) and verb != "let_go"]
            verb = self._dice.choice(able)
            fault = self._dice.choice([one for one in among if one in FAULTS[verb]])
            core.faults.plant(verb, fault, times=self._dice.randint(1, 4))
            self._trouble(id)
            if fault is Fault.LIE:
                self._judge.liars.add(id)

    def _core_down(self, id: str) -> None:
        self._plant(id, _DOWN)

    def _core_refuses(self, id: str) -> None:
        self._plant(id, (Fault.REFUSE,))

    def _core_lies(self, id: str) -> None:
        self._plant(id, (Fault.LIE,))

    _TABLE: dict[str, Callable[[Faults, str], None]] = {  # noqa: RUF012 - a table of methods
        "partitions": _partition, "one_way": _one_way, "crashes": _crash, "disk_full": _full, "io_errors": _io_error,
        "clock_steps": _step, "old_backups": _old_backup, "two_workers": _second, "core_down": _core_down,
        "core_refuses": _core_refuses, "core_lies": _core_lies,
        "newer_directory": _newer_directory,
    }  # fmt: skip

    STRIKING = frozenset(_TABLE)  # those that happen at an instant, and are counted


def _shares(weather: Weather) -> dict[str, float]:
    return {name: getattr(weather, name) for name in ("lost", "unanswered", "late", "doubled", "crossed")}


def _copy(origin: Path, target: Path) -> Path:
    """A store that nobody has open."""
    for ending in ("", "-wal", "-shm"):
        Path(f"{target}{ending}").unlink(missing_ok=True)
        found = Path(f"{origin}{ending}")
        if found.exists():
            shutil.copyfile(found, f"{target}{ending}")
    return target
