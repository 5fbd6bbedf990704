"""How bytes leave for a peer: only to where a peer may be, and for no longer than one exchange may take.

A name in the directory is resolved here, each of its addresses is looked at, and the connection goes to the very
address that was looked at (reliability T13: a name may mean another address the second time). TLS still wants a
certificate for the name. Looking up the name, every read and every write have what is left of one deadline, so that a
peer that sends its header byte by byte holds a thread no longer than one that is silent (T23, F11).
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import httpcore2

from arrp.core.errors import Unreachable
from arrp.node.clock import Clock
from arrp.wire.json_text import BYTES_MAX

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

EXCHANGE_SECONDS = 20  # less than a lease: nobody else has begun to send the same meanwhile
LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOBODY = tuple(map(ipaddress.ip_network, (
    "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")))  # relays, protocols and books: no node lives there


def is_public(address: _Address) -> bool:
    """Whether an address is global unicast, once what wraps an IPv4 address is taken off: mapped, 6to4, NAT64."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST:
            return False
    is_nobodys = any(address in network for network in _NOBODY if network.version == address.version)
    return address.is_global and not address.is_multicast and not is_nobodys


@dataclass(frozen=True, slots=True)
class Reach:
    """Where peers may be: on the public internet, and in the `networks` that the operator names. One exchange takes
    `seconds` at most."""

    networks: tuple[Network, ...] = ()
    seconds: float = EXCHANGE_SECONDS

    def from_(self, address: str) -> Reach:
        """As a node at that address has it: whom the keepers let stand at a loopback address, so are its peers."""
        return replace(self, networks=(*self.networks, *LOOPBACK)) if is_loopback(address) else self

    def allows(self, text: str) -> bool:
        """Whether a peer may be at that address; a scope (`%eth0`) only a link-local one has."""
        address = ipaddress.ip_address(text.partition("%")[0])
        named = (network for network in self.networks if network.version == address.version)
        return any(address in network for network in named) or is_public(address)


PUBLIC = Reach()


def is_loopback(address: str) -> bool:
    """Whether a node that has this address in the directory is reached from its own machine only."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Getting(Protocol):
    """How a file that is secret to nobody is fetched (HttpTransport.get)."""

    def get(self, url: str, tag: str, most: int) -> tuple[int, bytes]: ...


class HttpTransport:
    """HTTP to the addresses of the directory: no redirects, no proxy of the environment, nothing read beyond what an
    answer may be."""

    def __init__(self, clock: Clock, reach: Reach = PUBLIC) -> None:
        self._clock, self._reach, self._until = clock, reach, threading.local()
        self._pool = httpcore2.ConnectionPool(ssl.create_default_context(), max_connections=100,
                                              max_keepalive_connections=20, keepalive_expiry=5,
                                              network_backend=_Checked(reach, self._left))

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Raises Unreachable for whatever keeps the whole answer from being here in time."""
        headers = [("content-type", "application/arrp"), ("content-length", str(len(body)))]
        return self._exchange("POST", url, headers, body, BYTES_MAX)

    def get(self, url: str, tag: str, most: int) -> tuple[int, bytes]:
        """What lies there, of at most so many bytes; 304 when its entity tag is still `tag`. Raises Unreachable."""
        return self._exchange("GET", url, [("if-none-match", tag)] if tag else [], None, most)

    def _exchange(self, verb: str, url: str, headers: list[tuple[str, str]], body: bytes | None, most: int
                  ) -> tuple[int, bytes]:
        self._until.end = self._clock.seconds() + self._reach.seconds
        waits = dict.fromkeys(("connect", "read", "write", "pool"), self._reach.seconds)
        try:
            with self._pool.stream(verb, url, headers=[("host", urlsplit(url).netloc), *headers], content=body,
                                   extensions={"timeout": waits}) as answer:
                return answer.status, self._read(url, answer, most)
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError,
                httpcore2.UnsupportedProtocol) as error:
            why = type(error).__name__ if isinstance(error, httpcore2.ProtocolError) else error  # it quotes them (T28)
            raise Unreachable(f"{url} does not answer: {why}") from error

    def _left(self) -> float:
        left: float = self._until.end - self._clock.seconds()
        return left

    def _read(self, url: str, answer: httpcore2.Response, most: int) -> bytes:
        data = bytearray()
        for chunk in answer.iter_stream():
            data += chunk
            if len(data) > most:
                raise Unreachable(f"{url} answers more than {most} bytes")
        return bytes(data)

    def close(self) -> None:
        self._pool.close()


class _Checked(httpcore2.NetworkBackend):
    """Connects to addresses that were looked at, and to nothing else."""

    def __init__(self, reach: Reach, left: Callable[[], float]) -> None:
        self._reach, self._left, self._plain = reach, left, httpcore2.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore2.NetworkStream:
        refused = httpcore2.ConnectError(f"{host} has no address at which a peer may be: networks in node.toml")
        for address in self._addresses(host, port):
            try:
                plain = self._plain.connect_tcp(address, port, _some(self._left()), local_address, socket_options)
                return _Bounded(plain, self._left)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refused = httpcore2.ConnectError(str(error))
        raise refused

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = _looked_up(host, port).result(_some(self._left()))
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"nobody said in time where {host} is") from error
        except (OSError, ValueError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        return [address for address in dict.fromkeys(str(one[4][0]) for one in found) if self._reach.allows(address)]


def _looked_up(host: str, port: int) -> Future[list[Any]]:
    """The system has no time limit for it: a thread of its own waits, and is left behind if nobody waits for it."""
    found = Future[list[Any]]()

    def look() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            found.set_exception(error)

    threading.Thread(target=look, name="look up", daemon=True).start()
    return found


class _Bounded(httpcore2.NetworkStream):
    """A connection on which each wait is as long as what is left of the exchange that waits."""

    def __init__(self, plain: httpcore2.NetworkStream, left: Callable[[], float]) -> None:
        self._plain, self._left = plain, left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _some(self._left()))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        line: socket.socket = self._plain.get_extra_info("socket")
        view = memoryview(buffer)
        with _as_written():
            while view:
                line.settimeout(_some(self._left()))
                view = view[line.send(view):]

    def close(self) -> None:
        self._plain.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
                  ) -> httpcore2.NetworkStream:
        return _Bounded(self._plain.start_tls(ssl_context, server_hostname, _some(self._left())), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


@contextmanager
def _as_written() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpcore2.WriteTimeout("it does not read what is sent") from error
    except OSError as error:
        raise httpcore2.WriteError(str(error)) from error


def _some(left: float) -> float:
    """Raises TimeoutException when nothing is left: a socket would take 0 for `do not wait`."""
    if left <= 0:
        raise httpcore2.TimeoutException("the exchange took too long")
    return left
