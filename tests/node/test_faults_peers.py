"""T13, T23, F11: peers that are slow, silent, endless or elsewhere than a peer may be. Nobody else waits for them."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpcore2
import pytest
import uvicorn

from arrp.core.account import institution_of
from arrp.core.errors import Malformed, Unreachable
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.core.step import Command
from arrp.node import calling
from arrp.node.calling import LOOPBACK, PUBLIC, HttpTransport, Reach, is_loopback, is_public
from arrp.node.clock import Clock
from arrp.node.config import load_config
from arrp.node.delivery import Delivery
from arrp.node.http import peers_app
from arrp.node.server import server_of
from arrp.node.worker import SENDS_PER_PEER, Worker
from tests.conftest import ABOVE_THE_STORE
from tests.node import hostile_lines
from tests.node.hostile_lines import BAD, ENDLESS, Line, line
from tests.node.life import SECRET
from tests.node.target import Target, target
from tests.node.world import LT, PT, World, amount, payment

LONG = 120.0  # seconds; longer than any test: what ends before did not wait for it
OURS = Reach(LOOPBACK, LONG)


@contextmanager
def transport(reach: Reach) -> Iterator[HttpTransport]:
    made = HttpTransport(Clock(), reach)
    try:
        yield made
    finally:
        made.close()


# --- we call them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behave", BAD, ids=lambda behave: behave.__name__)
def test_t23_a_peer_that_does_not_come_to_an_end_is_left(behave: Callable[[Line, socket.socket], None]) -> None:
    """The whole exchange has one end, whatever comes meanwhile."""
    with line(behave) as bad, transport(Reach(LOOPBACK, 0.2)) as calls:
        with pytest.raises(Unreachable):
            calls.post(f"{bad.url}/parcels", b"x" * (8 << 20))
        assert bad.taken == 1


def test_t23_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    with line(hostile_lines.answers_without_end) as bad, transport(OURS) as calls, \
            pytest.raises(Unreachable, match="more than"):
        calls.post(bad.url, b"x")


@pytest.mark.parametrize("behave", ENDLESS, ids=lambda behave: behave.__name__)
def test_f11_a_hostile_line_to_one_peer_delays_nobody_else(world: World, behave: Callable[[Line, socket.socket], None]
                                                           ) -> None:
    """Everything for the other peer is delivered while not one call to the bad one has come to an end."""
    number = 6
    _asked(world, number)
    member = world.members["NCB-ES"]
    assert member.service is not None
    assert member.hearing is not None
    with line(behave) as bad, transport(OURS) as calls, ThreadPoolExecutor(12) as pool:
        post = _Mixed(world, bad, calls, number)
        worker = Worker(member.service, Delivery(member.service, member.hearing, post, None), pool)
        loop = threading.Thread(target=worker.run)
        loop.start()
        try:
            assert post.done.wait(60), f"{post.good} of {number} arrived"
            assert post.ended == 0
            assert 0 < post.begun <= 2 * SENDS_PER_PEER
        finally:
            bad.close()
            worker.stop()
            loop.join()


class _Mixed:
    """What goes to NCB-PT goes to the bad line; the rest is carried by hand."""

    def __init__(self, world: World, bad: Line, calls: HttpTransport, wanted: int) -> None:
        self.world, self.bad, self.calls, self.wanted = world, bad, calls, wanted
        self.begun, self.ended, self.good = 0, 0, 0
        self.done, self._lock = threading.Event(), threading.Lock()

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        if "ncb-pt" in url:
            with self._lock:
                self.begun += 1
            try:
                return self.calls.post(f"{self.bad.url}/parcels", body)
            finally:
                with self._lock:
                    self.ended += not self.done.is_set()
        answer = self.world.post.post(url, body)
        with self._lock:
            self.good += url.endswith("/parcels")
            if self.good == self.wanted:
                self.done.set()
        return answer


def _asked(world: World, number: int) -> None:
    """So many requests to each of two peers, none of which has left."""
    whole = amount("10.00 EUR")
    case = world.report(*(payment("10.00 EUR", PT if n % 2 else LT, f"P{n}") for n in range(2 * number)))
    for n in range(2 * number):
        account = PT if n % 2 else LT
        body = Asked(ask=Ask.HOLD, institution=institution_of(account), asked=whole, claim=whole, account=account,
                     source=Source("payment", str(n), None, ()), credit=Credit(amount=whole), loss="", stated_by="",
                     crime="BEC")
        world.service("NCB-ES").command(Command(f"send {n}", "send", "Ana", None, body, SECRET), case)


# --- where a peer may be (T13) --------------------------------------------------------------------------------

INSIDE = (
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1",
    "172.31.255.254", "192.168.0.1", "192.168.255.1", "169.254.0.1", "169.254.169.254", "100.64.0.1",
    "100.127.255.254", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1:7f00:1::", "2002:7f00:1::", "2002:a00:1::",
    "2002:c0a8:1::", "2002:a9fe:a9fe::", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:2::1",
    "2001:db8::1", "3fff::1", "5f00::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "feff::1", "fc00::1",
    "fd00::1", "fdff::1", "ff02::1", "ff0e::1", "100::1", "4000::1", "::2",
)
OUTSIDE = (
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "193.0.0.1", "::ffff:8.8.8.8",
    "64:ff9b::808:808", "2002:808:808::", "2606:4700::1111", "2a00:1450:4001::1",
)


@pytest.mark.parametrize("address", INSIDE)
def test_t13_no_peer_is_at_an_address_inside(address: str) -> None:
    assert not PUBLIC.allows(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_t13_a_peer_may_be_at_a_global_address(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert PUBLIC.allows(address)


def test_t13_the_operator_names_the_networks_of_his_peers(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text('id = "X"\nnetworks = ["10.8.0.0/16", "fd00::/8"]\nexchange_seconds = 5\n')
    reach = load_config(tmp_path).reach
    assert reach.seconds == 5
    assert (reach.allows("10.8.1.1"), reach.allows("fd00::1"), reach.allows("10.9.0.1")) == (True, True, False)
    (tmp_path / "node.toml").write_text('id = "X"\nnetworks = ["10.8.0.1/16"]\n')
    with pytest.raises(Malformed, match=r"networks: '10\.8\.0\.1/16' is no network"):
        load_config(tmp_path)


def test_t13_who_is_on_one_machine_may_speak_to_itself() -> None:
    addresses = ("http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "https://node.example", "http://10.0.0.1")
    assert [is_loopback(address) for address in addresses] == [True, True, True, False, False]


class _Net(httpcore2.SyncBackend):
    """Nothing is connected to; what would have been is written down."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore2.NetworkStream:
        self.connected.append(host)
        raise httpcore2.ConnectError("refused")


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> tuple[_Net, list[str]]:
    """A name server that answers in turn, and the network behind it."""
    net, asked, left = _Net(), list[str](), list(answers)

    def found(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(calling.socket, "getaddrinfo", found)
    monkeypatch.setattr(calling.httpcore2, "SyncBackend", lambda: net)
    return net, asked


def test_t13_a_name_that_means_an_address_inside_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    net, _ = _resolving(monkeypatch, ["127.0.0.1", "169.254.169.254", "64:ff9b::7f00:1"])
    with transport(PUBLIC) as calls, pytest.raises(Unreachable, match="no address at which a peer may be"):
        calls.post("http://peer.example/parcels", b"x")
    assert net.connected == []


def test_t13_a_name_is_looked_up_once_and_what_was_looked_at_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the second answer would be inside. It is never asked for within a connection, and refused in the
    next one."""
    net, asked = _resolving(monkeypatch, ["93.184.216.34", "10.0.0.1"], ["10.0.0.1"])
    with transport(PUBLIC) as calls:
        for _ in range(2):
            with pytest.raises(Unreachable):
                calls.post("http://peer.example/parcels", b"x")
    assert net.connected == ["93.184.216.34"]
    assert asked == ["peer.example"] * 2


def test_t23_a_name_server_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(calling.socket, "getaddrinfo", lambda *_, **__: answers.wait(PATIENCE) and [])
    try:
        with transport(Reach(LOOPBACK, 0.2)) as calls, pytest.raises(Unreachable, match="nobody said in time"):
            calls.post("http://peer.example/parcels", b"x")
        assert not answers.is_set()
    finally:
        answers.set()


def test_t28_what_is_no_answer_is_not_repeated() -> None:
    def says(of: Line, to: socket.socket) -> None:
        to.recv(1 << 16)
        to.sendall(b"Victim Ltd\r\n\r\n")

    with line(says) as bad, transport(OURS) as calls, pytest.raises(Unreachable, match="ProtocolError") as caught:
        calls.post(f"{bad.url}/parcels", b"x")
    assert "Victim" not in str(caught.value)


def test_t13_nobody_is_led_on_by_a_redirect() -> None:
    def leads_on(of: Line, to: socket.socket) -> None:
        to.recv(1 << 16)
        to.sendall(f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {inner.url}/x\r\ncontent-length: 0\r\n\r\n".encode())

    with line(hostile_lines.says_nothing) as inner, line(leads_on) as outer, transport(OURS) as calls:
        assert calls.post(f"{outer.url}/parcels", b"x") == (307, b"")
        assert (outer.taken, inner.taken) == (1, 0)


# --- they call us -------------------------------------------------------------------------------------------------


@pytest.fixture
def node(store_url: str, tmp_path: Path) -> Iterator[Target]:
    made = target(store_url, tmp_path / "files")
    yield made
    made.close()


@contextmanager
def served(node: Target, seconds: float) -> Iterator[tuple[str, int]]:
    """The peers' port of that node, on a socket of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening, running(node, seconds, listening):
        yield listening.getsockname()


@contextmanager
def running(node: Target, seconds: float, listening: socket.socket) -> Iterator[uvicorn.Server]:
    server = server_of(peers_app(node.hearing), "127.0.0.1", 0, seconds)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield server
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


SLOW = (b"", b"POST /par", b"POST /parcels HTTP/1.1\r\nhost: a\r\nx-slow: ",
        b"POST /parcels HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nhalf",
        b"POST /parcels HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab")
LOOK = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"
ANSWERS = 150  # more than the system keeps of them, and less than the server waits with
PATIENCE = 15.0  # seconds; less than a connection on which nobody asks is kept


def _slow(stack: ExitStack, where: tuple[str, int], each: int, slow: tuple[bytes, ...] = SLOW) -> list[socket.socket]:
    lines = [(stack.enter_context(socket.create_connection(where)), said) for said in slow for _ in range(each)]
    for opened, said in lines:
        opened.sendall(said)
    return [opened for opened, _ in lines]


@ABOVE_THE_STORE
def test_t23_slow_callers_delay_nobody_else(node: Target) -> None:
    """A hundred of them hold their connections; a good parcel is receipted meanwhile, and they are still there."""
    with served(node, LONG) as where, ExitStack() as stack, transport(OURS) as calls:
        lines = _slow(stack, where, 20)
        for _ in range(3):
            status, _answer = calls.post(f"http://127.0.0.1:{where[1]}/parcels", node.good())
            assert status == 200
        for opened in lines:
            opened.setblocking(False)
            with pytest.raises(BlockingIOError):
                opened.recv(1)


@ABOVE_THE_STORE
def test_t23_who_never_comes_to_an_end_is_put_out(node: Target) -> None:
    """Each byte does not begin the time anew: the connection has one end. Nor does a whole request, with the first
    half of another in its shadow; and who is silent from then on is put out as well."""
    with served(node, 0.1) as where, ExitStack() as stack:
        lines = _slow(stack, where, 2, (*SLOW, LOOK + SLOW[3]))
        for number, opened in enumerate(lines):
            assert _is_put_out(opened, drips=number % 2 == 0), number


@contextmanager
def unread(node: Target, seconds: float) -> Iterator[tuple[uvicorn.Server, socket.socket]]:
    """A connection on which answers wait in the server's memory for somebody to take them."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as opened:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with running(node, seconds, listening) as server:
            opened.connect(listening.getsockname())
            yield server, opened


@ABOVE_THE_STORE
def test_t23_who_does_not_read_the_answers_is_put_out(node: Target) -> None:
    """All of them are written, as far as the server knows."""
    with unread(node, 0.1) as (server, opened):
        opened.sendall(LOOK * ANSWERS)
        assert comes_true(lambda: server.server_state.total_requests > 0)
        assert comes_true(lambda: not server.server_state.connections), "it is still held"


@ABOVE_THE_STORE
def test_t23_who_reads_them_late_may_ask_again(node: Target) -> None:
    """On one connection, for longer than one exchange may take."""
    with unread(node, 2) as (server, opened):
        end, asked = time.monotonic() + 6, 0
        while time.monotonic() < end:
            opened.sendall(LOOK * ANSWERS)
            asked += ANSWERS
            assert comes_true(lambda asked=asked: server.server_state.total_requests == asked)
            said = b""
            while said.count(b"}") < ANSWERS:
                said += opened.recv(1 << 16)


def comes_true(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < end:
        time.sleep(hostile_lines.GAP_SECONDS)
    return holds()


def _is_put_out(opened: socket.socket, *, drips: bool) -> bool:
    """Whether it ends, though a byte comes now and then, or though none does."""
    opened.settimeout(hostile_lines.GAP_SECONDS)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if not opened.recv(1 << 16):
                return True
        except TimeoutError:
            with suppress(ConnectionError):
                opened.sendall(b"a" if drips else b"")
        except ConnectionError:
            return True
    return False
