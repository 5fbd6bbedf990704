"""F06, F09, F11, F26: many threads, two workers by mistake, and a peer that swallows everything."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import text

from arrp.core.account import institution_of
from arrp.core.errors import Unreachable
from arrp.core.messages import Outcome, Urgency
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.core.step import Command
from arrp.core.wishes import Keep
from arrp.node import hearing
from arrp.node.delivery import Delivery
from arrp.node.hearing import Hearing
from arrp.node.service import Service
from arrp.node.store.engine import Store
from arrp.node.verify import verify
from arrp.node.worker import SENDS_PER_PEER, Worker
from arrp.wire.approvals import act_hash, b64, sealing_public, unb64
from arrp.wire.codec import act_bytes
from arrp.wire.envelope import Content, Routing, seal, sign
from tests.node import world as worlds
from tests.node.life import LIFE, SECRET, count, live, rest
from tests.node.mouth import ASKED, Mouth, asked_on_paper_only, hold_of, opened, receipt_of
from tests.node.world import LT, PT, World, amount, payment, restarted

THREADS = 8
PART = amount("100.00 EUR")


def at_once(work: Iterable[Callable[[], object]], threads: int = THREADS) -> list[object]:
    with ThreadPoolExecutor(threads) as pool:
        return [done.result() for done in [pool.submit(one) for one in work]]


def many_requests(world: World, mouth: Mouth, parcel: bytes, number: int) -> list[bytes]:
    """Copies of a request under other ids, each for a hundredth, with the same mandate and loss."""
    whole = opened(world, mouth, parcel)
    ear = world.members[mouth.to].hearing
    assert ear is not None
    heard = ear._unpacked(parcel, world.clock.at).heard
    assert heard is not None
    return [_copy(world, mouth, whole, replace(heard.act, request=f"{n:032x}", act=f"{n:032d}", body=replace(
        heard.act.body, asked=PART, claim=PART, keep=PART))) for n in range(1, number + 1)]


def _copy(world: World, mouth: Mouth, whole: Content, act) -> bytes:  # type: ignore[no-untyped-def]
    data, salt = act_bytes(act), unb64(whole.salt)
    one = Mouth(world, mouth.sender, mouth.to, act.request, said=1, ids=int(act.request, 16) * 1000)
    head = replace(one.head(act, data, salt, ()), mandate=act.body.mandate_act)
    assert head.act_hash == act_hash(salt, data)
    keys = world.members[mouth.sender].keys
    content = replace(whole, head=sign(head, keys.signing, keys.signing_id), act=b64(data))
    routing = Routing(mouth.to, Urgency.URGENT, act.not_after)
    return seal(content, routing, sealing_public(world.members[mouth.to].keys.sealing_public))


def test_f06_two_hundred_requests_by_eight_threads_some_of_them_twice(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That each of so many is heard is what is asked here, not how many of one peer are heard (T02, T05)."""
    monkeypatch.setattr(hearing, "BACKLOG", 1000)
    monkeypatch.setattr(worlds, "OPEN", replace(worlds.OPEN, questions_per_day=1000))
    restarted(world, "VASP-LT")
    mouth, parcel = asked_on_paper_only(world)
    ear = world.members["VASP-LT"].hearing
    assert ear is not None
    parcels = many_requests(world, mouth, parcel, 200)
    doubled = [*parcels, *parcels[::5]]
    receipts = at_once([lambda p=p: receipt_of(ear.parcel(p)) for p in doubled])  # type: ignore[misc]
    assert Counter(r.outcome for r in receipts) == {Outcome.APPLIED: 240}  # type: ignore[attr-defined]
    for table, rows in (("inbox", 200), ("intents", 200), ("asked", 200), ("conversations", 200), ("cases", 200)):
        assert count(world, "VASP-LT", f"SELECT count(*) FROM {table}") == rows, table
    worker = world.members["VASP-LT"].worker
    assert worker is not None
    worker._sequence()
    report = verify(world.stores["VASP-LT"], world.service("VASP-LT").node.directory, "VASP-LT")
    assert report.problems == ()
    assert report.leaves == count(world, "VASP-LT", "SELECT count(*) FROM events") == 800


def test_f10_one_conversation_shuffled_by_eight_threads(world: World) -> None:
    mouth, parcel = asked_on_paper_only(world)
    ear = world.members["VASP-LT"].hearing
    assert ear is not None
    parcels = [parcel, *(mouth.parcel("Keep", Keep(ASKED, False)) for _ in range(16))]
    shuffled = parcels * 3
    Random(7).shuffle(shuffled)
    at_once([lambda p=p: ear.parcel(p) for p in shuffled])  # type: ignore[misc]
    receipts = [receipt_of(ear.parcel(p)) for p in parcels]
    assert {(r.outcome, r.seen) for r in receipts} == {(Outcome.APPLIED, 17)}
    heard = [e for e in world.log("VASP-LT") if e.by == "NCB-ES"]
    assert [e.act_hash for e in heard] == [r.act_hash for r in receipts]
    world.settle()
    assert hold_of(world, mouth).amount == ASKED


def test_f26_two_workers_do_everything_once(world: World) -> None:
    """Two processes on one PostgreSQL, two loops in one process on SQLite: the same one node by mistake."""
    live(world, LIFE[:3])
    with ExitStack() as stack:
        seconds = {id: _second_worker(world, id, stack) for id in world.members}
        LIFE[3].do(world)
        for _ in range(40):
            at_once([worker.once for pair in ((m.worker, seconds[id]) for id, m in world.members.items())
                     for worker in pair if worker is not None])
    rest(world)
    for node in world.members:
        assert count(world, node, "SELECT count(*) FROM outbox WHERE tries > 1") == 0, node
        assert count(world, node, "SELECT count(*) FROM intents WHERE tries > 1") == 0, node
        assert count(world, node, "SELECT count(*) FROM joins WHERE tries > 1") == 0, node
    assert world.core("BANK-PT").balance("pt-1").held == amount("62000.00 EUR").minor
    assert world.core("VASP-LT").balance("lt-1").held == amount("38000.00 EUR").minor
    live(world, LIFE[4:])


def test_i6_five_workers_fire_a_deadline_once(world: World) -> None:
    """Whoever of them comes first: the hold lapses once, and the core is asked once to let go."""
    live(world, LIFE[:6])
    with ExitStack() as stack:
        first = world.members["VASP-LT"].worker
        workers = [first, *(_second_worker(world, "VASP-LT", stack) for _ in range(4))]
        world.clock.at += timedelta(hours=49)
        for _ in range(8):
            at_once([worker.once for worker in workers if worker is not None], threads=5)
    assert Counter(event.kind for event in world.log("VASP-LT"))["HoldLapsed"] == 1
    assert count(world, "VASP-LT", "SELECT count(*) FROM intents WHERE verb = 'release'") == 1
    assert world.core("VASP-LT").balance("lt-1").held == 0


def _second_worker(world: World, id: str, stack: ExitStack) -> Worker:
    member = world.members[id]
    assert member.service is not None
    node = member.service.node
    if not node.store.is_sqlite:
        store = Store(member.url)
        stack.callback(store.close)
        node = replace(node, store=store)
    service = Service(node)
    ear = Hearing(service)
    return Worker(service, Delivery(service, ear, world.post, member.core))


class BlackHole:
    """One peer never answers, until it is let go; the others are served."""

    def __init__(self, world: World, swallowed: str) -> None:
        self.world, self.swallowed = world, swallowed
        self.inside, self.most = 0, 0
        self.let_go, self._lock = threading.Event(), threading.Lock()

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        if self.swallowed in url:
            with self._lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            self.let_go.wait(60)
            raise Unreachable("it swallowed it")
        return self.world.post.post(url, body)


def test_f11_a_peer_that_swallows_everything_delays_nobody_else(world: World) -> None:
    """25 requests to each of two peers; one hangs. The other gets all of its own meanwhile."""
    number = 25
    world.post.lose = lambda url, _: "parcel"
    case = world.report(*(payment("10.00 EUR", PT if n % 2 else LT, f"P{n}") for n in range(2 * number)))
    for n in range(2 * number):
        account = PT if n % 2 else LT
        body = Asked(ask=Ask.HOLD, institution=institution_of(account), asked=amount("10.00 EUR"),
                     claim=amount("10.00 EUR"), source=Source("payment", str(n), None, ()), account=account,
                     credit=Credit(amount=amount("10.00 EUR")), loss="", stated_by="", crime="BEC")
        world.service("NCB-ES").command(Command(f"send {n}", "send", "Ana", None, body, SECRET), case)
    world.post.lose = lambda url, _: None
    hole = BlackHole(world, "ncb-pt")
    member = world.members["NCB-ES"]
    assert member.service is not None
    assert member.hearing is not None
    with ThreadPoolExecutor(12) as pool:
        worker = Worker(member.service, Delivery(member.service, member.hearing, hole, None), pool)
        loop = threading.Thread(target=worker.run)
        loop.start()
        try:
            patience = iter(range(1200))  # each a twentieth of a second: a busy machine may be slow, not stuck
            while states(member.service).get(("VASP-LT", "receipted"), 0) < number:
                assert next(patience, None) is not None, states(member.service)
                hole.let_go.wait(0.05)
        finally:
            hole.let_go.set()
            worker.stop()
            loop.join()
    assert 0 < hole.most <= 2 * SENDS_PER_PEER
    assert states(member.service) == {("NCB-PT", "queued"): number, ("VASP-LT", "receipted"): number}


def states(service: Service) -> dict[tuple[str, str], int]:
    """How many acts of ours are how far, by peer."""
    with service.node.store.reading() as connection:
        rows = connection.execute(text("SELECT peer, state, count(*) FROM outbox GROUP BY peer, state"))
        return {(peer, state): number for peer, state, number in rows}
