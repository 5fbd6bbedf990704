"""What stands in front of one node: every exchange of a peer goes through here, and something may befall it.

A mishap befalls one exchange, a cut all of them for a while. Each has its twin: it never came there; and it came, was
done, and the answer was lost. What is drawn follows the seed; which exchange draws it is the machine's doing.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MISHAPS = ("delayed", "dropped", "reset", "duplicated", "replayed")
SHARE = 0.25  # of all exchanges that meet one
DELAYS, LONG_DELAYS = (0.1, 2.0), (10.0, 24.0)  # seconds; a long one is longer than a node waits for some answers
LONG_SHARE = 0.08
REPLAYED_AFTER = (0.5, 20.0)  # seconds
NODE_SECONDS = 30  # how long a node is given for an answer
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed so says RST, not FIN
QUEUE = 128


class Lost(Exception):
    """The line to whoever asked goes dead, now."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked, whole."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the node said, whole."""

    status: int
    headers: HTTPMessage
    body: bytes


class Proxy:
    """In front of one node, at `address`. `met` counts what befell how many exchanges; `at_peace`: nothing befalls any
    more."""

    def __init__(self, dice: random.Random) -> None:
        self.at_peace, self._behind = False, 0
        self.met = Counter[str]()
        self._dice, self._lock = dice, threading.Lock()
        self._cut_until, self._deck = 0.0, list[str]()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self, behind: int) -> None:
        """The node listens on that port of this machine."""
        self._behind = behind
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def cut(self, seconds: float) -> None:
        """From now on nobody reaches the node, for so long."""
        self._cut_until = time.monotonic() + seconds

    def count(self, what: str) -> None:
        with self._lock:
            self.met[what] += 1

    def between(self, bounds: tuple[float, float]) -> float:
        with self._lock:
            return self._dice.uniform(*bounds)

    def even(self, share: float = 0.5) -> bool:
        with self._lock:
            return self._dice.random() < share

    def carry(self, asked: Exchange) -> Answer:
        """The answer, after whatever befalls it. Raises Lost."""
        self.count("exchanges")
        if time.monotonic() < self._cut_until and not self.at_peace:
            self.count("cut off")
            if self.even():  # one half is refused at once, the other waits for an answer that does not come
                time.sleep(max(0.0, self._cut_until - time.monotonic()))
            raise Lost
        if self.at_peace or not self.even(SHARE):
            return self.post(asked)
        mishap = self._drawn()
        self.count(mishap)
        answer: Answer = getattr(self, f"_{mishap}")(asked)
        return answer

    def _drawn(self) -> str:
        """Each kind once before any comes again."""
        with self._lock:
            if not self._deck:
                self._deck = self._dice.sample(MISHAPS, len(MISHAPS))
            return self._deck.pop()

    def post(self, asked: Exchange) -> Answer:
        """To the node and back. Raises Lost when nothing answers there."""
        line = HTTPConnection("127.0.0.1", self._behind, timeout=NODE_SECONDS)
        try:
            line.request(asked.verb, asked.path, asked.body or None, asked.headers)
            answer = line.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (OSError, HTTPException) as error:
            raise Lost from error
        finally:
            line.close()

    # --- mishaps ---------------------------------------------------------------------------------------------

    def _delayed(self, asked: Exchange) -> Answer:
        seconds = self.between(LONG_DELAYS if self.even(LONG_SHARE) else DELAYS)
        return self._either(lambda: time.sleep(seconds), asked)

    def _dropped(self, asked: Exchange) -> Answer:
        return self._either(_lose, asked)

    def _either(self, befall: Callable[[], None], asked: Exchange) -> Answer:
        """It befalls the question, or its twin the answer."""
        if self.even():
            befall()
            return self.post(asked)
        answer = self.post(asked)
        befall()
        return answer

    def _reset(self, asked: Exchange) -> Answer:
        """The line breaks when half of the question, or half of the answer, is through."""
        if self.even():
            self._begin(asked)
            raise Lost
        answer = self.post(asked)
        return Answer(answer.status, answer.headers, answer.body[:len(answer.body) // 2])

    def _begin(self, asked: Exchange) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items())
        said = f"{asked.verb} {asked.path} HTTP/1.1\r\n{head}\r\n".encode() + asked.body
        try:
            with socket.create_connection(("127.0.0.1", self._behind), timeout=5) as line:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                line.sendall(said[:len(said) - max(1, len(asked.body) // 2)])
        except OSError as error:
            raise Lost from error

    def _duplicated(self, asked: Exchange) -> Answer:
        """Twice at the same moment; either answer is given."""
        found: list[Answer] = []

        def once_more() -> None:
            with suppress(Lost):
                found.append(self.post(asked))

        twin = threading.Thread(target=once_more, daemon=True)
        twin.start()
        answer = self.post(asked)
        twin.join()
        return found[0] if found and self.even() else answer

    def _replayed(self, asked: Exchange) -> Answer:
        """The same bytes again, some time later, when nobody waits for an answer any more."""
        timer = threading.Timer(self.between(REPLAYED_AFTER), self._again, (asked,))
        timer.daemon = True
        timer.start()
        return self.post(asked)

    def _again(self, asked: Exchange) -> None:
        with suppress(Lost):
            self.post(asked)


def _lose() -> None:
    raise Lost


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = Exchange(self.command, self.path, dict(self.headers.items()), body)
        try:
            answer = self.proxy.carry(asked)
        except Lost:
            self.abort()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        if len(answer.body) < int(answer.headers.get("content-length", 0)):
            self.abort()

    do_GET = do_POST

    def abort(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """What befell whom is counted, not told."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = QUEUE

    def shutdown_request(self, request: Any) -> None:
        """Closed as it was set to be: a farewell before it would turn an RST into an orderly end."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked is gone: killed, or tired of waiting."""
