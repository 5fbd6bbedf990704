"""The network of a world: it loses, delays, doubles and reorders what it carries, and is cut, also one way.

An exchange is a call of the sender inside which the other side works. While it is on its way others may go on, so
what a node says is overtaken, crossed and doubled as between real machines; who dies meanwhile never hears the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from random import Random
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from arrp.core.errors import ArrpError, Unreachable
from arrp.node.documents import Documents
from arrp.node.hearing import Hearing
from arrp.node.http import problem
from arrp.sim.disk import Killed
from arrp.sim.process import Process
from arrp.sim.time import Time

ON_ITS_WAY = timedelta(seconds=2)  # as long others may go on while one exchange lasts


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of all exchanges that meet each fate, 0 to 1."""

    lost: float = 0.0  # it does not arrive
    unanswered: float = 0.0  # it arrives, and its answer does not
    late: float = 0.0  # it arrives when its sender no longer waits
    doubled: float = 0.0  # it arrives again, later, up to `copies` times
    crossed: float = 0.0  # others go on while it is on its way
    late_by: timedelta = timedelta(hours=2)  # at most
    copies: int = 3


CALM = Weather()


class Stage(Protocol):
    """What the network knows of the world it lies in."""

    time: Time

    def running(self, id: str) -> Process | None:
        """Who listens at that participant's address now."""

    def died(self, process: Process) -> None: ...

    def go_on(self, span: timedelta) -> None:
        """Let others do what is due within that time."""


class Network:
    """All lines of a world. `heard` is told each parcel on its way: who taps a line hears what it carries."""

    def __init__(self, stage: Stage, dice: Random, ids: tuple[str, ...]) -> None:
        self._stage, self._dice = stage, dice
        self._ids = {f"http://{id.lower()}": id for id in ids}
        self.weather = CALM
        self.cut: set[tuple[str, str]] = set()  # directed: nothing goes from the first to the second
        self.heard: Callable[[str, str, bytes], None] = lambda to, what, body: None
        self.answers: Callable[[str, str, bytes], bytes | None] | None = None  # somebody answers in another's place
        self.deliveries = self.exchanges = 0

    def line(self, process: Process) -> Line:
        return Line(self, process)

    def carry(self, process: Process, url: str, body: bytes) -> tuple[int, bytes]:
        """One exchange. Raises Unreachable when no answer comes back, Killed when nobody is there to hear it."""
        address, _, what = url.rpartition("/")
        to, fate = self._ids[address], self.weather
        self.exchanges += 1
        self.heard(to, what, body)
        if (process.id, to) in self.cut or self._happens(fate.lost):
            raise Unreachable("no answer in time")
        if self._happens(fate.late):
            self._again(to, what, body)
            raise Unreachable("no answer in time")
        self._cross()
        if self.answers is not None and (forged := self.answers(to, what, body)) is not None:
            return HTTPStatus.OK, forged
        status, said = self.deliver(to, what, body)
        if self._happens(fate.doubled):
            for _ in range(self._dice.randint(1, fate.copies)):
                self._again(to, what, body)
        self._cross()
        if not process.alive:
            raise Killed("while it waited for an answer")
        if (to, process.id) in self.cut or self._happens(fate.unanswered):
            raise Unreachable("no answer in time")
        self.deliveries += 1
        return status, said

    def deliver(self, to: str, what: str, body: bytes) -> tuple[int, bytes]:
        """Bytes reach a node; its answer, as its port for peers gives it. Raises Unreachable."""
        process = self._stage.running(to)
        if process is None:
            raise Unreachable("nobody listens there")
        self.deliveries += 1
        try:
            return 200, answer(process.hearing, what, body)
        except Killed:
            self._stage.died(process)
            raise Unreachable("the line went dead") from None
        except DBAPIError as error:
            raise Unreachable("503: the store of that node cannot be reached") from error
        except ArrpError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Unreachable(f"503: {error}") from error
            return error.status, bytes(problem(error).body)

    def _again(self, to: str, what: str, body: bytes) -> None:
        """It arrives some time later, and nobody waits for the answer."""
        after = self._dice.random() ** 3 * self.weather.late_by  # mostly soon
        self._stage.time.then(after, lambda: self.drop_in(to, what, body))

    def drop_in(self, to: str, what: str, body: bytes) -> int:
        """Bytes reach a node and nobody waits for an answer; the status, 503 for none."""
        try:
            return self.deliver(to, what, body)[0]
        except Unreachable:
            return HTTPStatus.SERVICE_UNAVAILABLE

    def _happens(self, share: float) -> bool:
        return share > 0 and self._dice.random() < share

    def _cross(self) -> None:
        if self._happens(self.weather.crossed):
            self._stage.go_on(ON_ITS_WAY)


class Line:
    """How one process reaches its peers (node/delivery.py: Transport)."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network, self._process = network, process

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        self._process.fuse.point("before post")
        found = self._network.carry(self._process, url, body)
        self._process.fuse.point("after post")
        return found

    def get(self, url: str, tag: str, most: int) -> tuple[int, bytes]:
        raise Unreachable(f"in this world nobody publishes {url}")


def answer(hearing: Hearing, what: str, body: bytes) -> bytes:
    """What a node says to a peer that calls one of its ways. Raises what the node raises."""
    if what == "state":
        return hearing.exchange.answer(body).encode()
    if what == "copies":
        return hearing.exchange.copies(body)
    if what == "documents":
        return Documents.of(hearing.service).give(body)
    return hearing.parcel(body).encode()
