"""What the network does to one message of a life, and how a world is judged that went another way.

The n-th message of a step is met again as the n-th in a copy of the world taken before that step
(tests/node/shelf.py): until something happens to it, everything is as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Row, select, text

from arrp.core.case import Case
from arrp.core.events import KINDS, Event
from arrp.core.request import ANSWER, WISH, Request
from arrp.core.sums import money, total
from arrp.node.store import talk
from arrp.node.store.tables import outbox
from arrp.wire.approvals import unb64
from arrp.wire.codec import parse_json
from arrp.wire.envelope import Content, open_parcel
from tests.node.life import is_at_rest, rest
from tests.node.test_verify import audited
from tests.node.world import START, World

PATIENCE = 4  # tries for which a message is kept back in wait of one that could overtake it
A_WHILE = timedelta(hours=2)


@dataclass(frozen=True)
class Message:
    """One act on its way, as its head says. `at` is when it was first sent."""

    id: str
    sender: str
    to: str
    request: str
    number: int
    apply_by: datetime | None
    at: datetime


def message_of(world: World, url: str, body: bytes) -> Message | None:
    """The message in a parcel on its way, opened with its reader's key; None for anything else."""
    if not url.endswith("/parcels"):
        return None
    member = next(m for m in world.members.values() if url.startswith(m.participant.address + "/"))
    opened = open_parcel(body, member.keys.sealing, member.id)
    assert isinstance(opened, Content)
    head: Any = parse_json(unb64(parse_json(opened.head.encode())["payload"]))  # type: ignore[index]
    until = head["apply_by"] and datetime.fromisoformat(head["apply_by"])
    return Message(head["id"], head["from"], head["to"], head["request"], head["number"], until, world.clock.at)


class Watching:
    """Nothing happens to any message; all are noted, in the order in which they are first sent."""

    def __init__(self, world: World) -> None:
        self.world, self.seen = world, dict[str, Message]()
        world.post.lose = self._on_its_way

    def _on_its_way(self, url: str, body: bytes) -> str | None:
        message = message_of(self.world, url, body)
        if message is None:
            return None
        self.seen.setdefault(message.id, message)
        return self.meets(message, url, body)

    def meets(self, message: Message, url: str, body: bytes) -> str | None:
        """What becomes of this attempt: "parcel" and "receipt" are lost; None: it arrives."""
        return None


class Fate(Watching):
    """Something happens to the message that is first sent as number `place`, from 0. `met`: whether it did."""

    def __init__(self, world: World, place: int) -> None:
        super().__init__(world)
        self.place, self.tries, self.met = place, 0, False

    @property
    def mine(self) -> Message | None:
        return next((one for place, one in enumerate(self.seen.values()) if place == self.place), None)

    def meets(self, message: Message, url: str, body: bytes) -> str | None:
        if self.mine is None or message.id != self.mine.id:
            self.another(message)
            return None
        self.tries += 1
        return self.strikes(message, url, body)

    def another(self, message: Message) -> None:
        """Another message is on its way."""

    def strikes(self, message: Message, url: str, body: bytes) -> str | None:
        raise NotImplementedError


class Lost(Fate):
    def strikes(self, message: Message, url: str, body: bytes) -> str | None:
        self.met = True
        return "parcel" if self.tries == 1 else None


class ReceiptLost(Fate):
    def strikes(self, message: Message, url: str, body: bytes) -> str | None:
        self.met = True
        return "receipt" if self.tries == 1 else None


class Doubled(Fate):
    """It arrives `copies` times before its sender hears of it, and again when its receipt is there."""

    copies = 1

    def strikes(self, message: Message, url: str, body: bytes) -> str | None:
        self.met = True
        receipts = {_outcome(self.world.post.carry(url, body)) for _ in range(self.copies)}
        assert len(receipts) == 1, "the same bytes had two answers"
        return None


class Overtaken(Fate):
    """The next act of its own conversation comes first. Its sender keeps that back, so we send it."""

    def strikes(self, message: Message, url: str, body: bytes) -> str | None:
        following = None if self.met else self._following(message)
        if following is not None:
            self.met = True
            worker = self.world.members[message.sender].worker
            assert worker is not None
            assert worker.delivery.send(following)
        return "parcel" if not self.met and self.tries < PATIENCE else None

    def _following(self, message: Message) -> talk.Unreceipted | None:
        queued = select(*talk._OUT).where(
            outbox.c.peer == message.to, outbox.c.request == message.request, outbox.c.state == "queued",
            outbox.c.number == message.number + 1)
        with self.world.service(message.sender).node.store.reading() as connection:
            row = connection.execute(queued).first()
        return talk._unreceipted(row) if row else None


class Crossed(Fate):
    """The next message to the same node, about something else, comes first."""

    to = ""

    def another(self, message: Message) -> None:
        self.met = self.met or (bool(self.to) and message.to == self.to)

    def strikes(self, message: Message, url: str, body: bytes) -> str | None:
        self.to = message.to
        return "parcel" if not self.met and self.tries < PATIENCE else None


class Late(Fate):
    """It does not arrive before `by` (after it was first sent)."""

    by = timedelta(days=1)

    def strikes(self, message: Message, url: str, body: bytes) -> str | None:
        assert self.mine is not None
        self.met = self.world.clock.at >= self.mine.at + self.by
        return None if self.met else "parcel"


def _outcome(receipt: bytes) -> str:
    return str(parse_json(unb64(parse_json(receipt)["payload"]))["outcome"])  # type: ignore[index]


def pass_time(world: World, fate: Fate) -> None:
    """Time passes until the message has met its fate; timers are two hours late at most, as at nodes that were
    down. Then everybody comes to rest: what is not urgent is tried again within ten minutes."""
    world.settle()
    while not fate.met:
        assert world.clock.at < START + timedelta(days=30), "it never arrived"
        world.clock.at += A_WHILE
        world.settle()
    for _ in range(12):
        if is_at_rest(world):
            return
        world.clock.at += timedelta(minutes=1)
        world.settle()
    rest(world)


# --- judging ----------------------------------------------------------------------------------------------


class Judged(Protocol):
    """What is judged: a world that stands still, or what processes left behind (tests/chaos/judge.py)."""

    members: Mapping[str, Any]
    clock: Any

    def service(self, id: str) -> Any: ...
    def cases(self, id: str) -> list[Case]: ...
    def log(self, id: str) -> list[Event]: ...


def disagreements(world: World) -> list[str]:
    """What is not as the rules say, whatever happened: both sides' views, numbers, money, core, audit."""
    checks: tuple[Callable[[World], Iterator[str]], ...] = (views, numbers, sums, cores, words, late, _audits)
    return [found for check in checks for found in check(world)]


def views(world: Judged) -> Iterator[str]:
    """I7: what the owner of an answer says of it is what the other side shows."""
    known = [(id, case, request) for id in world.members for case in world.cases(id)
             for request in case.requests.values()]
    owners = {request.id: (id, request) for id, _, request in known if request.side == "requested"}
    for id, _, mirror in known:
        if mirror.side != "requesting":
            continue
        if mirror.id not in owners:
            if not _was_refused(world, id, mirror):
                yield f"{id}: {mirror.id} never reached {mirror.peer}"
            continue
        owner, request = owners[mirror.id]
        for what, ours, theirs in zip(_COMPARED, _seen(mirror), _seen(request), strict=True):
            if ours != theirs:
                yield f"{mirror.id}: {what} is {ours} at {id}, {theirs} at {owner}"


def _was_refused(world: Judged, id: str, mirror: Request) -> bool:
    """R-33: it came too late, and an officer of the requesting side is told so."""
    with world.service(id).node.store.reading() as connection:
        acts = connection.execute(select(outbox.c.act_hash).where(
            outbox.c.request == mirror.id, outbox.c.kind == "Request", outbox.c.state == "refused")).scalars().all()
    told = [event.body for event in world.log(id) if event.kind == "ActRefused" and event.act_hash == ""]
    return bool(acts) and any(said.act_hash in acts and said.code == "expired" for said in told)


_COMPARED = ("answer", "terms", "hold", "legs", "keep", "withdrawn", "over")


def _seen(r: Request) -> tuple[object, ...]:
    hold = r.hold and (r.hold.id, r.hold.state, r.hold.amount, r.hold.wanted, r.hold.kept, r.hold.decided, r.hold.until)
    return (r.answer, r.terms, hold, {leg.id: leg.amount for leg in r.legs}, r.keep, r.wish == "withdrawn",
            r.wish in WISH.ends or r.answer in ANSWER.ends)


def numbers(world: Judged) -> Iterator[str]:
    """R-27: everything that was said was heard, without a gap."""
    talks = {}
    for id in world.members:
        with world.service(id).node.store.reading() as connection:
            rows = connection.execute(text("SELECT peer, request, sent, seen, heard FROM conversations")).all()
            queued = talk.queued(connection)
        talks.update({(id, row.peer, row.request): row for row in rows})
        if queued:
            yield f"{id} still has {queued} acts to send"
    for (id, peer, request), row in talks.items():
        other = talks.get((peer, id, request))
        if other is None or (row.sent, row.seen, row.heard) != (other.seen, other.sent, other.sent):
            yield f"{request}: numbers {row} at {id}, {other} at {peer}"


def sums(world: Judged) -> Iterator[str]:
    """I1, I21: both identities; the terms of a request check themselves (R-11)."""
    for id in world.members:
        for case in world.cases(id):
            counted, loss = money(case), total(case)
            if counted is not None and (not counted.adds_up() or counted.missing.minor < 0):
                yield f"{id}: {counted} does not add up"
            confirmed = sum(_confirmed(r) for r in case.wishes)
            if loss is not None and confirmed > loss.minor:
                yield f"{id}: {confirmed} confirmed of a loss of {loss}"


def _confirmed(r: Request) -> int:
    return r.hold.claim.minor if r.hold is not None and r.hold.state in ("confirmed", "secured") else 0


def cores(world: Judged) -> Iterator[str]:
    """What a bank blocks is what its node says it holds, and nothing is held past its end."""
    for id, member in world.members.items():
        if member.core is None:
            continue
        books = member.core._books
        with books.transaction():
            blocked = dict(map(tuple, books.rows("SELECT ref, amount FROM holds WHERE amount > 0")))
        holds = [r.hold for case in world.cases(id) for r in case.requests.values() if r.hold and not r.hold.is_over]
        stated = {hold.id: hold.amount.minor for hold in holds if hold.amount.minor}
        if blocked != stated:
            yield f"{id}: the core blocks {blocked}, the node says {stated}"
        for hold in holds:
            if hold.deadline is not None and hold.deadline <= world.clock.at:
                yield f"{id}: hold {hold.id} is {hold.state} after {hold.deadline}"


def words(world: Judged) -> Iterator[str]:
    """R-32: a fact is written down at whoever it was told, once; so is a command, but one that was refused."""
    for id, row, times, wanted in said(world):
        if times != wanted:
            yield f"{row.kind} of {id}, {row.state}, is written {times} times at {row.peer}"


def said(world: Judged) -> Iterator[tuple[str, Row[Any], int, int | None]]:
    """Each act that left: whose it is, its row, how often its peer wrote it down, how often it should have."""
    written = _written(world)
    for id in world.members:
        with world.service(id).node.store.reading() as connection:
            rows = connection.execute(text("SELECT peer, kind, act_hash, state FROM outbox")).all()
        for row in rows:
            wanted = {"receipted": 1} if not KINDS[row.kind].command else {"receipted": 1, "refused": 0}
            times = len([event for event in written[row.peer, id, row.act_hash] if event.kind == row.kind])
            yield id, row, times, wanted.get(row.state)


def late(world: Judged) -> Iterator[str]:
    """I13: a command was applied in time, or not at all; and nothing waits for a number that never came."""
    for (id, by, _), events in _written(world).items():
        for event in events:
            if KINDS[event.kind].command and event.not_after is not None and event.at >= event.not_after:
                yield f"{event.kind} of {by} was applied by {id} at {event.at}, after {event.not_after}"
    for id in world.members:
        with world.service(id).node.store.reading() as connection:
            waiting = connection.execute(text("SELECT count(*) FROM inbox WHERE outcome = 'waiting'")).scalar()
        if waiting:
            yield f"{waiting} acts still wait at {id}"


def _written(world: Judged) -> dict[tuple[str, str, str], list[Event]]:
    """What nodes wrote of others' words: (whose log, who said it, act hash) -> events."""
    found = defaultdict[tuple[str, str, str], list[Event]](list)
    for id in world.members:
        for event in world.log(id):
            if event.act_hash and event.by != id:
                found[id, event.by, event.act_hash].append(event)
    return found


def _audits(world: World) -> Iterator[str]:
    for id in world.members:
        yield from (f"{id}: {problem}" for problem in audited(world, id).problems)
