"""One peer floods a running node with requests, each truly signed; how long another peer's requests wait meanwhile.

A bureau whose node key is in wrong hands sends what its officers' mandate covers, to one holder, on more connections
than it has shares there, and goes on as fast as it is taken: whoever is told to come later waits that long. Another
bureau asks the same holder at a steady rate, first in peace, then during the flood. Its waits in the flood stand beside
those in peace, of the same run and the same machine; what the flooding side itself takes of that machine makes them
longer, never shorter. What is held for the flood stands beside the cap of the holder's policy.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from urllib.parse import urlsplit

from arrp.bench.bureau import WAIT_SECONDS, Bureau, account_of, asked, fill
from arrp.bench.life import Waits
from arrp.cli.desk import Desk
from arrp.connectors.simulated import SimulatedCore
from arrp.core.errors import Unreachable
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import Act, Approval, Handling, Head, Outcome, Receipt, Urgency, Uses
from arrp.core.money import Amount, typed_amount
from arrp.demo.scene import found_nodes
from arrp.demo.story import Nodes
from arrp.node.clock import Clock
from arrp.node.directory import trusted_directory
from arrp.node.hearing import AT_ONCE
from arrp.node.keys import load_node_keys
from arrp.node.standing import Standing, draft_standing
from arrp.wire.approvals import act_hash, approve, b64, unb64
from arrp.wire.codec import act_bytes, loads, parse_json
from arrp.wire.envelope import VERSION, Attached, Routing, content, seal, sign

FLOODS, OTHER, HOLDER = "NCB-ES", "NCB-PT", "VASP-LT"
CAP = Amount(1_000_000_00, "EUR")  # per hour and peer, in the policy of the scene
TIMES = 2  # so many times the cap is what the flood asks for, all together
CONNECTIONS = 2 * AT_ONCE
ACCOUNTS = 100  # that the flood is about, again and again
OTHERS_MAX = 400  # requests of the other peer during a flood
WARMING = 5  # requests in peace that are not counted: connections, caches
HOPS = 2  # bureau -> holder, and its answer back
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Flood:
    """`accepted` of the flood, after so many answers of "come `later`"; `refused`: any other answer. `held` for it, how
    many holds that is, and how many wait for an officer. The other peer's waits, before and meanwhile."""

    accepted: int
    later: int
    refused: int
    seconds: float
    held: Amount
    holds: int
    waiting: int
    peace: Waits
    meanwhile: Waits

    def ratio(self, share: float) -> float:
        return self.meanwhile.at(share) / self.peace.at(share)


def flood(requests: int, rate: float, others: int) -> Flood:
    """`requests` of one peer, as fast as they are taken; another asks `rate` a second, `others` in peace and then as
    many as fit into the flood. Raises Unreachable when one of those is not held."""
    with tempfile.TemporaryDirectory(prefix="arrp-bench-") as folder, _running(Path(folder), requests, others) as nodes:
        flooding, steady = _Flooding(nodes.root, requests), _Steady(nodes.root)
        before = steady.ask(rate, others + WARMING)
        peace = steady.waits(dict(list(before.items())[WARMING:]))
        begin = nodes.clock.seconds()
        with flooding.begun() as going_on:
            during = steady.ask(rate, OTHERS_MAX, going_on)
        seconds = nodes.clock.seconds() - begin
        meanwhile = steady.waits(during)
        _wait_until_settled(nodes.desks[HOLDER])
        held, waiting = _came_of_it(nodes.desks[HOLDER])
    said = flooding.said
    return Flood(said["accepted"], said["later"], said["refused"], seconds, Amount(sum(held), CAP.asset), len(held),
                 waiting, peace, meanwhile)


@contextmanager
def _running(root: Path, requests: int, others: int) -> Iterator[Nodes]:
    """The holder and the other peer; the peer that floods has no node: it never answers what it is told."""
    found_nodes(root, Clock().now() + DAY)
    core = SimulatedCore(root / HOLDER / "core.db", Clock().now)
    for number in range(min(ACCOUNTS, requests)):
        refs = [f"F-{one}" for one in range(number, requests, ACCOUNTS)]
        fill(core, _flooded(number), *refs, amount=part_of(requests))
    for number in range(others + WARMING + OTHERS_MAX):
        fill(core, _others(number), f"CT-{number}")
    core.close()
    nodes = Nodes(root)
    for id in (HOLDER, OTHER):
        nodes.start(id)
    try:
        nodes.wait_until_up()
        yield nodes
    finally:
        nodes.stop()


def part_of(requests: int) -> Amount:
    """What one request of a flood asks for."""
    return Amount(TIMES * CAP.minor // requests, CAP.asset)


def _flooded(number: int) -> str:
    return account_of(number % ACCOUNTS, "LT10000", 11)


def _others(number: int) -> str:
    return account_of(ACCOUNTS + number, "LT10000", 11)


# --- who floods ------------------------------------------------------------------------------------------------


class _Flooding:
    """Every parcel is signed and sealed in peace, so that sending them is all there is to do."""

    def __init__(self, root: Path, requests: int) -> None:
        self.clock, home = Clock(), root / FLOODS
        self.officers = Bureau(root, FLOODS, ("Ana", "Benito")).keys
        self.keys = load_node_keys(home)
        self.directory = trusted_directory(home, self.keys)
        self.part, self.now = part_of(requests), self.clock.now()
        self.mandate = self._mandate()
        self.parcels: SimpleQueue[bytes] = SimpleQueue()
        for number in range(requests):
            self.parcels.put(self._parcel(number))
        self.said, self._lock = Counter[str](), Lock()

    @contextmanager
    def begun(self) -> Iterator[Callable[[], bool]]:
        """Sends until all of it was taken; gives whether it goes on."""
        with ThreadPoolExecutor(CONNECTIONS, "flood") as pool:
            lines = [pool.submit(self._send) for _ in range(CONNECTIONS)]
            yield lambda: any(not line.done() for line in lines)
        for line in lines:
            line.result()

    def _send(self) -> None:
        address = urlsplit(self.directory.participant(HOLDER).address)
        line = HTTPConnection(address.hostname or "", address.port, timeout=WAIT_SECONDS)
        while True:
            try:
                parcel = self.parcels.get_nowait()
            except Empty:
                break
            while (later := self._post(line, parcel)) is not None:
                time.sleep(later)
        line.close()

    def _post(self, line: HTTPConnection, parcel: bytes) -> float | None:
        """In how many seconds to come again; None when it was answered."""
        try:
            line.request("POST", "/parcels", parcel, {"content-type": "application/arrp"})
            answer = line.getresponse()
            data = answer.read()
        except (OSError, HTTPException):
            line.close()
            return self._count("later", 1.0)
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return self._count("later", float(answer.getheader("retry-after", "1")))
        is_taken = answer.status == HTTPStatus.OK and _outcome(data) is Outcome.APPLIED
        return self._count("accepted" if is_taken else "refused")

    def _count(self, what: str, later: float | None = None) -> float | None:
        with self._lock:
            self.said[what] += 1
        return later

    def _mandate(self) -> Standing:
        total = Amount(TIMES * CAP.minor, CAP.asset)
        said = Mandate(None, total, self.part, 0, (), ("hold",), (), self.now - DAY, self.now + DAY)
        drafted = draft_standing(FLOODS, said, self.clock.new_id(), self.clock.salt())
        for approval in self._signed(drafted.act_hash):
            drafted = drafted.signed(approval)
        return drafted

    def _loss(self, number: int) -> Attached:
        """What was lost, signed by two: a loss of its own for each request."""
        committed = sha256(str(number).encode()).hexdigest()
        said = LossAct(f"F{number}", FLOODS, self.part, (committed,), committed)
        act = Act(self.clock.new_id(), None, None, "Loss", Handling.H1, Uses(), said, self.now + DAY)
        data, salt = act_bytes(act), self.clock.salt()
        return Attached(FLOODS, b64(data), b64(salt), self._signed(act_hash(salt, data)), None)

    def _signed(self, hash_: str) -> tuple[Approval, ...]:
        return tuple(approve(key.signing, name, key.key_id, hash_) for name, key in self.officers.items())

    def _parcel(self, number: int) -> bytes:
        loss, request, end = self._loss(number), self.clock.new_id(), self.now + DAY
        body = replace(asked(_flooded(number), self.part), loss=f"F{number}", stated_by=FLOODS, crime="BEC",
                       loss_act=act_hash(unb64(loss.salt), unb64(loss.act)), mandate_act=self.mandate.act_hash)
        body = replace(body, credit=replace(body.credit, references=(f"F-{number}",)))
        act = Act(self.clock.new_id(), request, HOLDER, "Request", Handling.H1, Uses(), body, end)
        data, salt = act_bytes(act), self.clock.salt()
        head = Head(VERSION, self.clock.new_id(), FLOODS, 1, HOLDER, request, 1, 0, None, Urgency.URGENT, self.now, end,
                    act_hash(salt, data), (), self.mandate.act_hash)
        jws = sign(head, self.keys.signing, self.keys.signing_id)
        whole = content(jws, salt, data, (loss, self.mandate.attached))
        return seal(whole, Routing(HOLDER, Urgency.URGENT, end), self.directory.sealing_of(HOLDER, self.now))


def _outcome(jws: bytes) -> str:
    tree = parse_json(jws)
    assert isinstance(tree, dict)
    return loads(Receipt, unb64(str(tree["payload"]))).outcome


# --- who asks meanwhile, and what became of it -------------------------------------------------------------------


class _Steady:
    """The other peer: a report, a mandate that two sign, and then the request that counts, one after the other."""

    def __init__(self, root: Path) -> None:
        self.bureau, self.clock, self.asked = Bureau(root, OTHER, ("Rui", "Zoe")), Clock(), 0

    def ask(self, rate: float, most: int, going_on: Callable[[], bool] = lambda: True) -> dict[str, datetime]:
        """At least one; request -> when its officer asked."""
        begin, asked = self.clock.now(), list[tuple[Future[str], datetime]]()
        with ThreadPoolExecutor(most) as pool:  # an officer for each: nobody waits for somebody else's case
            for number in range(most):
                account = _others(self.asked)
                case = self.bureau.open(f"L{self.asked}", account, f"CT-{self.asked}")
                self.asked += 1
                time.sleep(max(0.0, (begin + timedelta(seconds=number / rate) - self.clock.now()).total_seconds()))
                if number and not going_on():
                    break
                asked.append((pool.submit(self.bureau.ask, case, account), self.clock.now()))
        return {request.result(): at for request, at in asked}

    def waits(self, asked: dict[str, datetime]) -> Waits:
        """From when an officer asked until the requesting node knew of the hold."""
        came = dict[str, datetime]()
        for row in self.bureau.follow():
            if row["kind"] == "HoldPlaced" and row["request"] in asked:
                came.setdefault(row["request"], datetime.fromisoformat(row["at"]))
            if came.keys() == asked.keys():
                break
        return Waits(tuple(sorted((came[id] - at).total_seconds() * 1000 for id, at in asked.items())), HOPS)


def _wait_until_settled(holder: Desk) -> None:
    """Until the holder's core was asked about everything that came. Raises Unreachable when that takes for ever."""
    newest, end = -1, Clock().seconds() + WAIT_SECONDS
    while Clock().seconds() < end:
        status = holder.get("/status")
        left = status["intents"] + status["joins"] + status["unplaced"]
        if not left:
            return
        if left != newest:
            newest, end = left, Clock().seconds() + WAIT_SECONDS
        time.sleep(1)
    raise Unreachable(f"{HOLDER} asks its core nothing new, and {newest} things wait")


def _came_of_it(holder: Desk) -> tuple[list[int], int]:
    """What each hold of the flood keeps, and how many of its requests wait for an officer."""
    held = [typed_amount(row["amount"]).minor for row in holder.get("/holds") if row["peer"] == FLOODS]
    waiting, after = set[str](), 0
    while rows := holder.get("/changes", after=after):
        waiting |= {row["request"] for row in rows if row["kind"] == "Escalated"}
        after = rows[-1]["position"] + 1
    return held, len(waiting)
