"""Where the five live: homes, proxies before them, a PostgreSQL, and a disk that is small enough to be filled."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from arrp.demo.scene import MEMBERS, Member, found_nodes
from arrp.demo.story import Nodes
from arrp.node.clock import Clock
from arrp.node.config import load_config
from tests.chaos.proxy import Proxy
from tests.postgres import Server, running

SECOND = Member("NCB-FR", "Bureau of France (fictional)", ("Luc", "Eve"), ("--kind", "authority", "--country", "FR"))
FIVE = (*MEMBERS, SECOND)
ON_POSTGRESQL = ("NCB-PT", "NCB-FR")
BANKS = ("BANK-PT", "VASP-LT")
SMALL, SMALL_BYTES = "BANK-PT", 192 << 20
WATCHED_SECONDS = 0.3


class Disk:
    """The small disk under one home. `why_not`: why there is none, and it cannot be filled."""

    def __init__(self, home: Path) -> None:
        self.home, self.why_not, self._filler = home, "", home / "filler"

    @contextmanager
    def mounted(self) -> Iterator[None]:
        self.home.mkdir()
        asked = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES},mode=700", "tmpfs", str(self.home)]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            self.why_not = done.stderr.strip() if done.returncode else ""
        except OSError as error:
            self.why_not = str(error)
        try:
            yield
        finally:
            if not self.why_not:
                subprocess.run(["umount", "--lazy", str(self.home)], check=True)

    def fill(self) -> None:
        """To the last block."""
        with self._filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)


class Processes:
    """The nodes, kept running: who ends is started again, as whoever supervises real ones would."""

    def __init__(self, nodes: Nodes, members: tuple[Member, ...]) -> None:
        self.nodes, self.ids = nodes, [member.id for member in members]
        self.ended = Counter[str]()  # by themselves: node and exit code
        self._locks = {id: threading.Lock() for id in self.ids}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._supervise, daemon=True)

    def start(self) -> None:
        for id in self.ids:
            self.nodes.start(id)
        self.nodes.wait_until_up()
        self._watch.start()

    def kill(self, id: str, seconds: float) -> None:
        """As a power cut would; back after so many seconds."""
        with self._locks[id]:
            self.nodes.kill(id)
            time.sleep(seconds)
            self.nodes.start(id)

    def freeze(self, id: str, seconds: float) -> None:
        """Nothing of it runs, and everything of it stays open."""
        with self._locks[id]:
            process = self.nodes.running[id]
            process.send_signal(SIGSTOP)
            try:
                time.sleep(seconds)
            finally:
                process.send_signal(SIGCONT)

    def _supervise(self) -> None:
        while not self._over.wait(WATCHED_SECONDS):
            for id in self.ids:
                with self._locks[id]:
                    code = self.nodes.running[id].poll()
                    if code is not None:
                        self.ended[f"{id} with {code}"] += 1
                        self.nodes.start(id)

    def stop(self) -> dict[str, int]:
        """An orderly end of all; with which code each ended."""
        self._over.set()
        self._watch.join()
        self.nodes.stop()
        return {id: process.returncode for id, process in self.nodes.running.items()}


    def end(self) -> None:
        """Whoever still runs, because something was not expected, runs no more."""
        self._over.set()
        for process in self.nodes.running.values():
            process.kill()
            process.wait()


class Place:
    """Everything that can be made to fail."""

    def __init__(self, root: Path, server: Server, disk: Disk, seed: int) -> None:
        self.root, self.server, self.disk = root, server, disk
        # The port of a node is known once it has a home, that of its proxy has to stand in it: the proxy comes first.
        self.proxies = {member.id: Proxy(random.Random(f"{seed}/{member.id}")) for member in FIVE}
        self.members = tuple(replace(member, options=(*member.options, "--address", self.proxies[member.id].address))
                             for member in FIVE)
        found_nodes(root, Clock().now() + timedelta(days=2), self.members)
        for id, proxy in self.proxies.items():
            proxy.start(load_config(root / id).port)
        self.nodes = Nodes(root, self.members)
        self.processes = Processes(self.nodes, self.members)

    def move(self, ids: Collection[str]) -> None:
        """From SQLite to PostgreSQL, before they are started."""
        for id in ids:
            settings, url = self.root / id / "node.toml", self.server.create(id.lower().replace("-", "_"))
            settings.write_text(settings.read_text().replace("# store = ", f'store = "{url}" # ', 1))

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.stop()


@contextmanager
def place(seed: int, on_postgresql: Collection[str]) -> Iterator[Place]:
    """For the length of the block. The name is short: the kernel allows a socket's path about a hundred bytes."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arrp-", dir="/tmp")))
        os.chmod(root, 0o700)
        disk = Disk(root / SMALL)
        stack.enter_context(disk.mounted())
        found = Place(root, stack.enter_context(running(fsync=True)), disk, seed)
        found.move(on_postgresql)
        stack.callback(found.close)
        stack.callback(found.processes.end)
        yield found
