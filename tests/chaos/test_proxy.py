"""The faults are real ones: what a proxy says befell an exchange is what both of its ends see."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import proxy as proxies
from tests.chaos.place import Disk
from tests.chaos.proxy import Proxy

BODY, SAID = b"a parcel" * 500, b"a receipt" * 500
TIMES = 12  # exchanges: enough for both twins of a mishap


class Node:
    """Takes whole bodies and answers; `arrived` are those."""

    def __init__(self) -> None:
        arrived = self.arrived = list[bytes]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if len(body) < len(BODY):
                    return
                arrived.append(body)
                self.send_response(200)
                self.send_header("content-length", str(len(SAID)))
                self.end_headers()
                self.wfile.write(SAID)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a line that broke is what is tested
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def node() -> Iterator[Node]:
    found = Node()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def proxy(node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(proxies, "SHARE", 1.0)
    monkeypatch.setattr(proxies, "DELAYS", (0.2, 0.2))
    monkeypatch.setattr(proxies, "LONG_DELAYS", (0.2, 0.2))
    monkeypatch.setattr(proxies, "REPLAYED_AFTER", (0.05, 0.1))
    found = Proxy(random.Random(1))
    found.start(node.server.server_address[1])
    yield found
    found.stop()


def asked(proxy: Proxy) -> bytes | None:
    """The answer, or None when the line broke before all of it was there."""
    line = HTTPConnection("127.0.0.1", int(proxy.address.rpartition(":")[2]), timeout=5)
    try:
        line.request("POST", "/parcels", BODY)
        return line.getresponse().read()
    except (OSError, HTTPException):
        return None
    finally:
        line.close()


def befallen(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, kind: str) -> list[bytes | None]:
    monkeypatch.setattr(proxies, "MISHAPS", (kind,))
    answers = [asked(proxy) for _ in range(TIMES)]
    assert proxy.met == {"exchanges": TIMES, kind: TIMES}
    return answers


def test_nothing_befalls_at_peace(node: Node, proxy: Proxy) -> None:
    proxy.at_peace = True
    assert [asked(proxy) for _ in range(TIMES)] == [SAID] * TIMES
    assert node.arrived == [BODY] * TIMES


def test_what_is_delayed_comes_later(node: Node, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    assert befallen(proxy, monkeypatch, "delayed") == [SAID] * TIMES
    assert time.monotonic() - began >= 0.2 * TIMES
    assert node.arrived == [BODY] * TIMES


@pytest.mark.parametrize("kind", ["dropped", "reset"])
def test_what_is_dropped_or_reset_is_never_answered_and_has_come_or_not(
    node: Node, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    assert befallen(proxy, monkeypatch, kind) == [None] * TIMES
    assert 0 < len(node.arrived) < TIMES, "both twins"


def test_what_is_duplicated_comes_twice_and_is_answered_once(
    node: Node, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert befallen(proxy, monkeypatch, "duplicated") == [SAID] * TIMES
    assert len(node.arrived) == 2 * TIMES


def test_what_is_replayed_comes_again_afterwards(node: Node, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert befallen(proxy, monkeypatch, "replayed") == [SAID] * TIMES
    end = time.monotonic() + 5
    while len(node.arrived) < 2 * TIMES and time.monotonic() < end:
        time.sleep(0.02)
    assert len(node.arrived) == 2 * TIMES


def test_nobody_gets_through_a_cut(node: Node, proxy: Proxy) -> None:
    proxy.cut(0.3)
    assert asked(proxy) is None
    assert proxy.met == {"exchanges": 1, "cut off": 1}
    assert node.arrived == []
    time.sleep(0.3)
    proxy.at_peace = True
    assert asked(proxy) == SAID


def test_a_node_that_is_down_answers_nothing(node: Node, proxy: Proxy) -> None:
    node.server.shutdown()
    node.server.server_close()
    proxy.at_peace = True
    assert asked(proxy) is None


def test_where_no_disk_may_be_mounted_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mount").write_text("#!/bin/sh\necho 'mount: permission denied' >&2\nexit 1\n")
    (programs / "mount").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    disk = Disk(tmp_path / "home")
    with disk.mounted():
        assert disk.why_not == "mount: permission denied"
        assert disk.home.is_dir()


def test_a_disk_that_is_filled_takes_nothing(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "home")
    with disk.mounted():
        if disk.why_not:
            pytest.skip(f"no small disk can be had here: {disk.why_not}")
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.home / "more").write_bytes(bytes(4096))
        disk.empty()
        (disk.home / "more").write_bytes(bytes(4096))
    assert not (disk.home / "more").exists()
