"""Real nodes in one process: real stores, real keys, real cores; bytes go by hand and time is given.

What this world does not do is threads and sockets; tests/demo and the chaos tests have those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy.exc import DBAPIError

from arrp.connectors.books import Order
from arrp.connectors.manual import ManualCore
from arrp.connectors.simulated import Account, SimulatedCore
from arrp.core.account import institution_of
from arrp.core.case import Case
from arrp.core.crime import Crime
from arrp.core.deadline import Basis, Power
from arrp.core.errors import ArrpError, Unreachable
from arrp.core.events import Decide, Event
from arrp.core.law import TOLD
from arrp.core.mandate import Mandate
from arrp.core.messages import Approval
from arrp.core.money import Amount
from arrp.core.period import Period
from arrp.core.policy import Officer, Participant, Policy, Rules
from arrp.core.report import Party, Payment, Report
from arrp.core.request import Ask, Asked, Credit, Request, Source
from arrp.core.step import Command
from arrp.node.clock import Clock
from arrp.node.delivery import Delivery
from arrp.node.directory import directory_of
from arrp.node.hearing import Hearing
from arrp.node.home import Found, fitted
from arrp.node.http import problem
from arrp.node.keys import NodeKeys, OfficerKey, fresh_keys, key_id, person_key
from arrp.node.ledger_settings import LedgerSettings
from arrp.node.own_ledger import ledger_core
from arrp.node.service import Node, Service
from arrp.node.standing import Standing, draft_standing
from arrp.node.store import cases, talk
from arrp.node.store.engine import Store
from arrp.node.worker import Worker
from arrp.sim.keepers import entry_of, first_edition, following
from arrp.sim.network import answer
from arrp.wire.approvals import approve

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FOUNDED = START - timedelta(days=30)
PT, LT, ES = ("payto://iban/PT50000201231234567890154", "payto://iban/LT121000011101001000",
              "payto://iban/ES9121000418450200051332")
LAW = Power("pt-1", "PT", "art. 1 (fictional)", ("institution",), Period(24, "hours"), Period(72, "hours"),
            Period(720, "hours"), onward="free", tells=TOLD)
BIG = 10**12
ROLES = ("duty officer", "redress officer", "data-protection officer")
OPEN = Policy(("@authority",), (), "EUR", BIG, BIG, BIG, BIG, True, "pt-1", call_back_first=False)
BASIS = Basis("pt-1", "PT", "art. 1 (fictional)", "Bureau PT")
ACCEPTED = Decide(True, None, BASIS, START + timedelta(hours=48))


class Killed(BaseException):
    """The process of `node` is gone, between two of its instructions: nothing of it tidies up."""

    def __init__(self, node: str, where: str) -> None:
        super().__init__(f"{node} was killed {where}")
        self.node = node


def amount(text: str) -> Amount:
    number, asset = text.split()
    return Amount.parse(number, asset)


class Time(Clock):
    """A clock that stands still until it is told, and dice that fall the same way each time."""

    def __init__(self) -> None:
        self.at, self.count = START, 0
        self._lock = Lock()

    def now(self) -> datetime:
        return self.at

    def new_id(self) -> str:
        return f"{self._next():032x}"

    def salt(self) -> bytes:
        return self._next().to_bytes(16, "big")

    def _next(self) -> int:
        with self._lock:
            self.count += 1
            return self.count


@dataclass
class Member:
    """One participant: its keys, its officers' keys, and its running node."""

    participant: Participant
    keys: NodeKeys
    officers: dict[str, Ed25519PrivateKey]
    url: str
    core: SimulatedCore | None
    service: Service | None = None
    worker: Worker | None = None
    hearing: Hearing | None = None

    @property
    def id(self) -> str:
        return self.participant.id


class Post:
    """The network: parcels are carried by hand, and a test may lose, double or hold back any of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: list[tuple[str, bytes]] = []
        self.lose: Callable[[str, bytes], str | None] = lambda url, body: None  # "parcel" | "receipt" | None

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        self.sent.append((url, body))
        fate = self.lose(url, body)
        if fate == "parcel":
            raise Unreachable("lost on the way")
        status, answer = self._answered(url, body)
        if fate == "receipt":
            raise Unreachable("the receipt was lost")
        return status, answer

    def _answered(self, url: str, body: bytes) -> tuple[int, bytes]:
        """As the peers' port answers: a refusal is a problem document, a store that is away is a 503."""
        try:
            return 200, self.carry(url, body)
        except DBAPIError as error:
            raise Unreachable("503: the store of that node cannot be reached") from error
        except ArrpError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return error.status, bytes(problem(error).body)

    def carry(self, url: str, body: bytes) -> bytes:
        address, _, what = url.rpartition("/")
        member = next(m for m in self.world.members.values() if m.participant.address == address)
        hearing = member.hearing
        if hearing is None:
            raise Unreachable("nobody listens there")
        try:
            return answer(hearing, what, body)
        except Killed:
            self.world.stop(member.id)
            raise Unreachable("the line went dead") from None


def _key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"\0")[:32])


class World:
    """Members with stores made by `new_store`, one clock, one post."""

    def __init__(self, folder: Path, new_store: Callable[[], str]) -> None:
        self.folder, self.clock, self.post = folder, Time(), Post(self)
        self.stores = {id: new_store() for id in ("NCB-ES", "NCB-PT", "BANK-PT", "VASP-LT")}
        self.members = {member.id: member for member in (
            self._member("NCB-ES", "authority", "ES", (), ("Ana", "Ben")),
            self._member("NCB-PT", "authority", "PT", (), ("Rui", "Zoe"), ("BANK-PT",)),
            self._member("BANK-PT", "institution", "PT", (institution_of(PT),), ("Tom", "Ivo")),
            self._member("VASP-LT", "institution", "LT", (institution_of(LT),), ("Lina", "Ona")),
        )}
        self.edition = first_edition({id: (m.participant, m.keys) for id, m in self.members.items()}, FOUNDED)
        for id in self.members:
            self.start(id)

    def _member(self, id: str, kind: str, country: str, answers_for: tuple[str, ...], people: tuple[str, ...],
                instructs: tuple[str, ...] = ()) -> Member:
        signing = _key(f"node {id}")
        keys = NodeKeys(signing, key_id(signing.public_key()),
                        X25519PrivateKey.from_private_bytes(f"seal {id}".encode().ljust(32, b"\0")))
        officers = {name: _key(f"officer {name}") for name in people}
        listed = tuple(
            Officer(name, name, ROLES, (person_key(OfficerKey(key, key_id(key.public_key())), FOUNDED),))
            for name, key in officers.items()
        )
        signing, sealing = fresh_keys(keys, FOUNDED)
        participant = Participant(id, id, kind, country, f"http://{id.lower()}", answers_for, listed, (signing,),
                                  (sealing,), instructs)
        core = self.open_core(id) if kind == "institution" else None
        return Member(participant, keys, officers, self.stores[id], core)

    # --- nodes --------------------------------------------------------------------------------------

    def start(self, id: str, store: Store | None = None) -> None:
        """Open the node's store, if it is not, and let it work: a new process, as far as the node can tell."""
        member = self.members[id]
        directory = directory_of(self.edition)
        standing = (self._standing(member),) if member.participant.kind == "authority" else ()
        rules = Rules(member.participant, directory.participants, {LAW.id: LAW}, OPEN,
                      tuple((s.act_hash, s.mandate) for s in standing), digest="rules")
        node = Node(store or Store(member.url), rules, directory, member.keys, self.clock, standing,
                    renew=lambda node: self._renewed(member, node, standing))
        member.service = Service(node)
        member.hearing = Hearing(member.service)
        member.worker = Worker(member.service, Delivery(member.service, member.hearing, self.post, member.core))

    def _renewed(self, member: Member, node: Node, standing: tuple[Standing, ...]) -> Node | None:
        """What the home of a real node does when somebody has put a newer directory in force there."""
        found = Found(directory_of(self.edition), member.keys, OPEN, standing)
        return fitted(node, found, self.clock.now())

    def publish(self, id: str, participant: Participant, keys: NodeKeys, *, reissued: bool = False) -> None:
        """The keepers take a changed entry into the next version; every node finds it within a minute."""
        now = self.clock.now()
        self.edition = following(self.edition, entry_of(participant, keys, now), now, reissued=reissued)
        self.members[id].participant, self.members[id].keys = participant, keys

    def stop(self, id: str) -> None:
        member = self.members[id]
        if member.service is not None:
            member.service.node.store.close()
        member.service, member.hearing, member.worker = None, None, None

    def open_core(self, id: str) -> SimulatedCore:
        return SimulatedCore(self.folder / f"{id}.core", self.clock.now)

    def with_clerks(self, id: str) -> None:
        """From now on the core of that institution is people: each wish is a task of theirs (R-99)."""
        self.core(id).close()
        self.members[id].core = ManualCore(self.folder / f"{id}.tasks", self.clock.now)  # type: ignore[assignment]
        restarted(self, id)

    def with_ledger(self, id: str, settings: LedgerSettings) -> None:
        """From now on the ledger of that institution is read, and its clerks hold."""
        self.core(id).close()
        hands = ManualCore(self.folder / f"{id}.tasks", self.clock.now)
        self.members[id].core = ledger_core(settings, hands)  # type: ignore[assignment]
        restarted(self, id)

    def close(self) -> None:
        for member in self.members.values():
            self.stop(member.id)
            if member.core is not None:
                member.core.close()

    def _standing(self, member: Member) -> Standing:
        mandate = Mandate(None, Amount(BIG, "EUR"), Amount(BIG, "EUR"), 9, (), ("hold", "stop"), (),
                          START - timedelta(days=1), START + timedelta(days=90))
        standing = draft_standing(member.id, mandate, "0" * 32, b"0" * 16)
        for name in member.officers:
            standing = standing.signed(self.signature(member.id, name, standing.act_hash))
        return standing

    def run(self, **delta: float) -> None:
        """Let time pass in steps of at most a minute, everybody working off what is due."""
        end = self.clock.at + timedelta(**delta)
        while True:
            self.settle()
            if self.clock.at >= end:
                return
            self.clock.at = min(end, self.clock.at + timedelta(seconds=30))

    def settle(self) -> None:
        """Until nobody has anything to do."""
        for _ in range(1000):
            workers = [member.worker for member in self.members.values() if member.worker is not None]
            if not any([worker.once() for worker in workers]):
                return
        raise AssertionError("the nodes never come to rest")

    # --- people ----------------------------------------------------------------------------------------

    def signature(self, member: str, officer: str, act_hash: str) -> Approval:
        key = self.members[member].officers[officer]
        return approve(key, officer, key_id(key.public_key()), act_hash)

    def officer(self, member: str, verb: str, body: object = None, *, request: str | None = None,
                case: str | None = None, by: tuple[str, ...] = ()) -> tuple[str, list[Event]]:
        """A command, then the signatures of `by` over every draft it left. The case, and all events."""
        service = self.service(member)
        officer = by[0] if by else next(iter(self.members[member].officers))
        command = Command(self.clock.new_id(), verb, officer, request, body, self.clock.salt().hex())
        case_id, events = service.command(command, case)
        drafts = [event.body.act for event in events if event.kind == "Drafted"]
        for act in drafts:
            for name in by:
                with service.node.store.reading() as connection:
                    kept = talk.own_act(connection, member, act)
                assert kept is not None
                signed = self.signature(member, name, kept.act_hash)
                events = [*events, *service.approve(act, signed, self.clock.new_id())[1]]
        return case_id, events

    def report(self, *payments: Payment, loss: str = "L1") -> str:
        said = Report(loss, "NCB-ES", payments, Crime.BEC, self.clock.at, facts="invoice redirection")
        case_id, _ = self.officer("NCB-ES", "report", said)
        mandate = Mandate(loss, said.total, said.total, 3, (), ("hold", "stop"), (), START, START + timedelta(days=30))
        self.officer("NCB-ES", "mandate", mandate, case=case_id, by=("Ana", "Ben"))
        return case_id

    def ask(self, case: str, asked: str, account: str) -> str:
        body = Asked(
            ask=Ask.HOLD, institution=institution_of(account), asked=amount(asked), claim=amount(asked),
            source=Source("payment", "0", None, ()), credit=Credit(amount=amount(asked)), loss="", stated_by="",
            crime="BEC", account=account,
        )
        _, events = self.officer("NCB-ES", "send", body, case=case)
        return next(event.request for event in events if event.kind == "Request") or ""

    # --- looking -------------------------------------------------------------------------------------------

    def service(self, id: str) -> Service:
        service = self.members[id].service
        assert service is not None, f"{id} is down"
        return service

    def core(self, id: str) -> SimulatedCore:
        core = self.members[id].core
        assert core is not None
        return core

    def cases(self, id: str) -> list[Case]:
        service = self.service(id)
        with service.node.store.reading() as connection:
            rows = [row for row in cases.listed(connection) if row.state != "joined"]
            return [service.folds.read(connection, row.id) for row in rows]

    def request(self, id: str, request: str | None = None) -> Request:
        found = [r for case in self.cases(id) for r in case.requests.values() if request in (None, r.id)]
        assert len(found) == 1, found
        return found[0]

    def log(self, id: str) -> list[Event]:
        service = self.service(id)
        with service.node.store.reading() as connection:
            return [event for row in cases.listed(connection) for event in cases.log_of(connection, row.id)]


def payment(text: str, to: str, ref: str) -> Payment:
    return Payment(amount(text), None, START - timedelta(hours=1), Party("Victim Ltd", ES), Party("Trading Lda", to),
                   references=(ref,))


def bank_scene(world: World, *, moved: str | None = "38000.00 EUR") -> None:
    """100,000 EUR came to PT; part of it went on to LT before anybody asked."""
    bank, vasp = world.core("BANK-PT"), world.core("VASP-LT")
    bank.open_account(Account("pt-1", PT, "Trading Lda", "EUR"))
    vasp.open_account(Account("lt-1", LT, "Trading Lda", "EUR"))
    before = START - timedelta(minutes=30)
    bank.book(Order("P1", amount("100000.00 EUR"), Party("Victim Ltd", ES), Party("Trading Lda", PT)), before)
    if moved:
        order = Order("P2", amount(moved), Party("Trading Lda", PT), Party("Trading Lda", LT))
        bank.book(order, before)
        vasp.book(order, before)


def restarted(world: World, id: str) -> None:
    world.stop(id)
    world.start(id)


__all__ = ["ACCEPTED", "BASIS", "World", "amount", "bank_scene", "payment", "replace", "restarted"]
