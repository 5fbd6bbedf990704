"""A node as a process: the peers' port, the officers' socket, and the worker, until it is told to stop.

`kill -9` at any moment is safe: what was receipted is in the log, the rest is asked again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from arrp.connectors import Connector
from arrp.core.errors import Conflict, Corrupt
from arrp.node.api import desk_app
from arrp.node.callers import Keys, owner
from arrp.node.calling import EXCHANGE_SECONDS, PUBLIC, HttpTransport, Reach
from arrp.node.delivery import Delivery
from arrp.node.hearing import Hearing
from arrp.node.http import peers_app
from arrp.node.operating import operating
from arrp.node.service import Node, Service
from arrp.node.worker import Worker

log = logging.getLogger("arrp.server")

THREADS = 12


def owner_only(path: Path) -> socket.socket:
    """A listening Unix socket that only its owner may open. Raises Conflict when a node listens there."""
    if path.exists():
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise Conflict(f"another node already listens on {path}: stop it first")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    listening.listen(128)
    return listening


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a node is reached: by peers, by its own officers on a socket, and by their systems with a key; and what
    it reaches itself."""

    host: str
    port: int
    officers: Path
    api: tuple[str, int] | None = None
    reach: Reach = PUBLIC


def serve(node: Node, core: Connector | None, doors: Doors) -> None:
    """Run until SIGTERM or SIGINT. Raises Corrupt when the disk failed under a commit (F04): whoever supervises the
    process starts it anew, and what was receipted is read from what is truly there."""
    awake = threading.Event()
    node = replace(node, wake=awake.set)
    service = Service(node)
    hearing = Hearing(service)
    transport = HttpTransport(node.clock, doors.reach.from_(node.rules.me.address))
    with ThreadPoolExecutor(THREADS, "arrp") as executor:
        worker = Worker(service, Delivery(service, hearing, transport, core), executor, awake)
        apps = [
            server_of(peers_app(hearing), doors.host, doors.port, doors.reach.seconds),
            server_of(operating(desk_app(service, core, owner), service), "", 0),
        ]
        if doors.api is not None:
            apps.append(server_of(desk_app(service, core, Keys(service).identify), *doors.api))
        listening = owner_only(doors.officers)
        threads = [
            threading.Thread(target=worker.run, name="worker"),
            threading.Thread(target=apps[0].run, name="peers"),
            threading.Thread(target=apps[1].run, kwargs={"sockets": [listening]}, name="officers"),
        ]
        threads += [threading.Thread(target=app.run, name="/v1") for app in apps[2:]]
        for thread in threads:
            thread.start()
        log.info("%s serves peers on %s:%d and officers on %s", node.me, doors.host, doors.port, doors.officers)
        signal.signal(signal.SIGHUP, lambda *_: worker.look_again())
        _until_told(node.store.broken)
        worker.stop()
        for app in apps:
            app.should_exit = True
        for thread in threads:
            thread.join()
    transport.close()
    node.store.close()
    if node.store.broken.is_set():
        raise Corrupt("the disk failed under a write: look at it (dmesg, smartctl), then start the node again")


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Patient(H11Protocol):
    """uvicorn waits for ever for a request to be whole, and for its answer to be read (reliability T23). Here a
    connection has so many seconds from its first moment, or its next request, until the answer has left."""

    seconds: float
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        self._begin()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Complete is what was handed over, not what was read; and the next request may lie here already."""
        if not self.transport.get_write_buffer_size():
            self._stop()
        super().on_response_complete()
        if self.cycle is not None and not self.cycle.response_complete:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _begin(self) -> None:
        if self._end is None:
            self._end = self.loop.call_later(self.seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None


def server_of(app: FastAPI, host: str, port: int, seconds: float = EXCHANGE_SECONDS) -> uvicorn.Server:
    """A server on which nobody holds a connection longer than twice what one exchange may take."""
    protocol = type("Patient", (_Patient,), {"seconds": 2 * seconds})
    return _Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, http=protocol,
                                  timeout_keep_alive=30))


def _until_told(broken: threading.Event) -> None:
    told = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: told.set())
    while not (told.wait(1) or broken.is_set()):
        pass
