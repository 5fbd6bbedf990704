"""How many messages a node accepts in a second, beside a floor: the least that any node must do.

The floor verifies one Ed25519 signature, opens one sealed parcel and inserts its bytes in one durable
transaction, with the same parcels, the same store and the same number of threads. A node does all
of that, and keeps the case, the log, its leaf hashes, the numbers and a signed receipt as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import LargeBinary, column, insert, table, text

from arrp.core.crime import Crime
from arrp.core.events import Answered, Event
from arrp.core.mandate import Mandate
from arrp.core.messages import Act, Handling, Head, Urgency, Uses
from arrp.core.money import Amount
from arrp.core.policy import Key, Officer, Participant, Policy, Rules
from arrp.core.report import Party, Payment, Report
from arrp.core.request import Ask, Asked, Credit, Source, Terms
from arrp.core.step import Command
from arrp.node.clock import Clock
from arrp.node.directory import Directory
from arrp.node.hearing import Hearing
from arrp.node.keys import fresh_keys, key_id, new_node_keys
from arrp.node.service import Node, Service
from arrp.node.store import talk
from arrp.node.store.engine import Store
from arrp.wire.approvals import act_hash, approve, b64
from arrp.wire.codec import act_bytes
from arrp.wire.envelope import VERSION, Content, Routing, content, open_parcel, seal, sign, verify

ACCOUNT = "payto://iban/PT50000201231234567890154"
ASKED = Amount(1_000_00, "EUR")


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages per second, and how long one took, in milliseconds."""

    rate: float
    p50: float
    p99: float

    def over(self, floor: Figures) -> float:
        return self.rate / floor.rate


def measure(store_url: str, *, messages: int = 2000, conversations: int = 100, threads: int = 8
            ) -> tuple[Figures, Figures]:
    """(floor, node) on the store at `store_url`, which must be empty."""
    bench = Bench(store_url)
    requests = [bench.ask(number) for number in range(conversations)]
    parcels = [bench.fact(requests[n % conversations], n // conversations + 1) for n in range(messages)]
    floor = _timed(bench.floor, parcels, threads)
    node = _timed(bench.hearing.parcel, parcels, threads)
    bench.close()
    return floor, node


def _timed(act: Callable[[bytes], object], parcels: Sequence[bytes], threads: int) -> Figures:
    clock = Clock()

    def one(parcel: bytes) -> float:
        begin = clock.seconds()
        act(parcel)
        return clock.seconds() - begin

    with ThreadPoolExecutor(threads) as pool:
        begin = clock.seconds()
        took = sorted(pool.map(one, parcels))
        seconds = clock.seconds() - begin
    return Figures(len(parcels) / seconds, took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000)


_KEEP = insert(table("floor", column("parcel", LargeBinary)))


class Bench:
    """A bureau that has asked a bank many things, and the bank's answers, ready to be delivered."""

    def __init__(self, store_url: str, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.bank, self.bureau = new_node_keys(), new_node_keys()
        officers = {name: Ed25519PrivateKey.generate() for name in ("A", "B")}
        self.officers = officers
        people = tuple(
            Officer(name, name, ("duty officer",), (_key(key, self.clock),)) for name, key in officers.items()
        )
        me = _participant("BUREAU", "authority", (), people, fresh_keys(self.bureau, self.clock.now()))
        bank = _participant("BANK", "institution", ("PT0002",), (), fresh_keys(self.bank, self.clock.now()))
        directory = Directory((me, bank))
        self.store = Store(store_url)
        rules = Rules(me, directory.participants, {}, Policy(), digest="bench")
        self.service = Service(Node(self.store, rules, directory, self.bureau, self.clock))
        self.hearing = Hearing(self.service)
        self.directory = directory
        self.ids = count()
        self._lock = Lock()  # SQLite has one writer: without a lock the others poll, and the floor would be lower
        with self.store.writing() as connection:
            connection.execute(text("CREATE TABLE floor (parcel "
                                    + ("BLOB" if self.store.is_sqlite else "BYTEA") + ")"))

    def ask(self, number: int) -> str:
        """One case with one request under its mandate; its id."""
        now = self.clock.now()
        paid = Payment(ASKED, None, now, Party("V", ACCOUNT), Party("H", ACCOUNT), references=(f"P{number}",))
        case, _ = self._command("report", Report(f"L{number}", "BUREAU", (paid,), Crime.BEC, now), None)
        mandate = Mandate(f"L{number}", ASKED, ASKED, 0, (), ("hold",), (), now, now + timedelta(days=1))
        _, events = self._command("mandate", mandate, case)
        for act in [event.body.act for event in events if event.kind == "Drafted"]:
            for name, key in self.officers.items():
                with self.store.reading() as connection:
                    kept = talk.own_act(connection, "BUREAU", act)
                assert kept is not None
                signed = approve(key, name, key_id(key.public_key()), kept.act_hash)
                self.service.approve(act, signed, f"g{next(self.ids)}")
        body = Asked(ask=Ask.HOLD, institution="PT0002", asked=ASKED, claim=ASKED, credit=Credit(amount=ASKED), loss="",
                     source=Source("payment", "0", None, ()), stated_by="", crime="BEC", account=ACCOUNT)
        _, events = self._command("send", body, case)
        return next(event.request or "" for event in events if event.kind == "Request")

    def _command(self, verb: str, body: object, case: str | None) -> tuple[str, list[Event]]:
        return self.service.command(Command(f"c{next(self.ids)}", verb, "A", None, body, "00" * 16), case)

    def fact(self, request: str, number: int) -> bytes:
        """A sealed fact of the bank: how the request stands."""
        body = Answered(Terms(ASKED, pending=ASKED.minor - number, let_go=number))
        act = Act(self.clock.new_id(), request, "BUREAU", "RequestStands", Handling.H1, Uses(), body, None)
        data, salt = act_bytes(act), self.clock.salt()
        now = self.clock.now()
        head = Head(VERSION, self.clock.new_id(), "BANK", 1, "BUREAU", request, number, 1, None, Urgency.URGENT, now,
                    None, act_hash(salt, data), (), None)
        jws = sign(head, self.bank.signing, self.bank.signing_id)
        routing = Routing("BUREAU", Urgency.URGENT, now + timedelta(days=1))
        return seal(content(jws, salt, data), routing, self.directory.sealing_of("BUREAU", now))

    def floor(self, parcel: bytes) -> None:
        opened = open_parcel(parcel, self.bureau.sealing, "BUREAU")
        assert isinstance(opened, Content)
        verify(Head, opened.head, self.directory.key_of)
        with self._lock if self.store.is_sqlite else nullcontext(), self.store.engine.begin() as connection:
            connection.execute(_KEEP, {"parcel": parcel})

    def close(self) -> None:
        self.store.close()


def _key(key: Ed25519PrivateKey, clock: Clock) -> Key:
    return Key(key_id(key.public_key()), b64(key.public_key().public_bytes_raw()), clock.now())


def _participant(id: str, kind: str, answers_for: tuple[str, ...], people: tuple[Officer, ...], keys: tuple[Key, Key]
                 ) -> Participant:
    signing, sealing = keys
    return Participant(id, id, kind, "PT", f"http://{id.lower()}", answers_for, people, (signing,), (sealing,))
