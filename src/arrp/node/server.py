"""A node as a process: the peers' port, the officers' socket, and the worker, until it is told to stop.

`kill -9` at any moment is safe: what was receipted is in the log, the rest is asked again.
"""

from __future__ import annotations

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

from arrp.connectors import Connector
from arrp.core.errors import Conflict
from arrp.node.api import desk_app
from arrp.node.callers import Keys, owner
from arrp.node.delivery import Delivery, HttpTransport
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
    """Where a node is reached: by peers, by its own officers on a socket, and by their systems with a key."""

    host: str
    port: int
    officers: Path
    api: tuple[str, int] | None = None


def serve(node: Node, core: Connector | None, doors: Doors) -> None:
    """Run until SIGTERM or SIGINT."""
    awake = threading.Event()
    node = replace(node, wake=awake.set)
    service = Service(node)
    hearing = Hearing(service)
    transport = HttpTransport(node.clock)
    with ThreadPoolExecutor(THREADS, "arrp") as executor:
        worker = Worker(service, Delivery(service, hearing, transport, core), executor, awake)
        apps = [
            _server(peers_app(hearing), doors.host, doors.port),
            _server(operating(desk_app(service, core, owner), service), "", 0),
        ]
        if doors.api is not None:
            apps.append(_server(desk_app(service, core, Keys(service).identify), *doors.api))
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
        _until_told()
        worker.stop()
        for app in apps:
            app.should_exit = True
        for thread in threads:
            thread.join()
    transport.close()
    node.store.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: FastAPI, host: str, port: int) -> _Server:
    return _Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False,
                                  timeout_keep_alive=30))


def _until_told() -> None:
    told = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: told.set())
    while not told.wait(1):
        pass
