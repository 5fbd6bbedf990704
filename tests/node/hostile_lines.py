"""Peers that speak TCP and mean no good: each takes every connection and does one bad thing with it, for ever."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

GAP_SECONDS = 0.01
_HEADER = b"HTTP/1.1 200 OK\r\ncontent-type: application/jose+json\r\n"


class Line:
    """One port of this machine. `behave` has each connection to itself, in a thread of its own, until `ended`."""

    def __init__(self, behave: Callable[[Line, socket.socket], None]) -> None:
        self.ended, self.taken, self._behave = threading.Event(), 0, behave
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._take, daemon=True)]
        self._threads[0].start()

    def _take(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            self.taken += 1
            self._threads.append(threading.Thread(target=self._run, args=(line,), daemon=True))
            self._threads[-1].start()

    def _run(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            self._behave(self, line)

    def close(self) -> None:
        self.ended.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)


@contextmanager
def line(behave: Callable[[Line, socket.socket], None]) -> Iterator[Line]:
    made = Line(behave)
    try:
        yield made
    finally:
        made.close()


def says_nothing(of: Line, line: socket.socket) -> None:
    line.recv(1 << 16)
    of.ended.wait()


def never_reads(of: Line, line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    of.ended.wait()


def drips_its_header(of: Line, line: socket.socket) -> None:
    line.recv(1 << 16)
    line.sendall(_HEADER + b"x-more: ")
    _drip(of, line, b"a")


def drips_its_body(of: Line, line: socket.socket) -> None:
    line.recv(1 << 16)
    line.sendall(_HEADER + b"transfer-encoding: chunked\r\n\r\n")
    _drip(of, line, b"1\r\na\r\n")


def answers_without_end(of: Line, line: socket.socket) -> None:
    line.recv(1 << 16)
    line.sendall(_HEADER + b"transfer-encoding: chunked\r\n\r\n")
    while not of.ended.is_set():
        line.sendall(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")


def resets_in_the_middle(of: Line, line: socket.socket) -> None:
    line.recv(1 << 16)
    line.sendall(_HEADER + b"content-length: 1000\r\n\r\nhalf")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _drip(of: Line, line: socket.socket, drop: bytes) -> None:
    """Something often enough that whoever waits for each byte alone waits for ever."""
    while not of.ended.wait(GAP_SECONDS):
        line.sendall(drop)


BAD = (says_nothing, never_reads, drips_its_header, drips_its_body, answers_without_end, resets_in_the_middle)
ENDLESS = (says_nothing, drips_its_header, drips_its_body)
