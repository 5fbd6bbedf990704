"""What is true in the end: read from what the processes left behind, the stores and the banks' own books.

Nobody's word is taken: cases are folded anew from the logs, holds counted in the books, the tree hashed again. A row
that says `lost`: something was said, told to an officer or held, and is not there; `doubled`: it is there twice;
`disagreement`: two that must agree do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from arrp.connectors.simulated import SimulatedCore
from arrp.core.case import Case
from arrp.core.errors import ArrpError
from arrp.core.events import Event
from arrp.core.hold import Hold
from arrp.core.sentences import sentence
from arrp.node.directory import Directory
from arrp.node.store import cases, work
from arrp.node.store.engine import Store
from arrp.node.verify import verify
from arrp.wire.codec import dumps
from tests.chaos.people import Told
from tests.node import fates

LOST, DOUBLED, DISAGREE = "lost", "doubled", "disagreement"
# What a node states of one request at most once, however often it is asked, killed or told; and what in the same words
# at most once. An officer may well order a return again that the bank has refused.
OF_A_REQUEST = ("Request", "HoldPlaced", "HoldReleased", "HoldLapsed", "HoldReturned", "RequestEnded", "Withdraw")
OF_ITS_BODY = ("LossReported", "ActApproved", "MandateSigned", "LossSigned", "ReturnAnnounced", "ReturnSent",
               "MoneyReturned", "NamePayee", "Decide", "Release")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is not as it must be."""

    what: str
    said: str


@dataclass(frozen=True, slots=True)
class Left:
    """What one process left behind: the URL of its store, and the books of its bank."""

    store: str
    books: Path | None


class Remains:
    """What all of them left behind, as of an instant: tests/node/fates.py judges it like a world that stands still."""

    def __init__(self, left: Mapping[str, Left], at: datetime) -> None:
        """Raises Corrupt."""
        self.left, self.clock = left, SimpleNamespace(at=at)
        self._stores = {id: Store(one.store) for id, one in left.items()}
        self._folds = {id: cases.Folds(id) for id in left}
        cores = {id: one.books and SimulatedCore(one.books, lambda: at) for id, one in left.items()}
        self.members = {id: SimpleNamespace(core=core) for id, core in cores.items()}
        self.cases, self.log = cache(self._cases), cache(self._log)

    def close(self) -> None:
        for id, member in self.members.items():
            self._stores[id].close()
            if member.core is not None:
                member.core.close()

    def service(self, id: str) -> Any:
        return SimpleNamespace(node=SimpleNamespace(store=self._stores[id]))

    def rows(self, id: str, query: str) -> list[Any]:
        with self._stores[id].reading() as connection:
            return list(connection.execute(text(query)))

    def _cases(self, id: str) -> list[Case]:
        with self._stores[id].reading() as connection:
            rows = [row for row in cases.listed(connection) if row.state != "joined"]
            return [self._folds[id].read(connection, row.id) for row in rows]

    def _log(self, id: str) -> list[Event]:
        with self._stores[id].reading() as connection:
            return [event for row in cases.listed(connection) for event in cases.log_of(connection, row.id)]

    def holds(self, id: str) -> dict[str, Hold]:
        """What the node ever held, by the reference its bank knows it by."""
        found = [r.hold for case in self.cases(id) for r in case.requests.values() if r.side == "requested"]
        return {hold.id: hold for hold in found if hold is not None}


@contextmanager
def remains(left: Mapping[str, Left], at: datetime) -> Iterator[Remains]:
    found = Remains(left, at)
    try:
        yield found
    finally:
        found.close()


def judge(left: Mapping[str, Left], directories: Mapping[str, Directory], told: Iterable[Told], at: datetime
          ) -> list[Found]:
    """Everything that is not as it must be, of nodes that have come to rest."""
    found = list[Found]()
    try:
        with remains(left, at) as world:
            found += _audited(world, directories)  # first: it reads whatever there is
            found += [*agreed(world), *_sent(world), *_acknowledged(world, told), *_stated(world), *_books(world)]
    except (ArrpError, DBAPIError) as error:
        found.append(Found(DISAGREE, f"what is left cannot be read: {error}"))
    return found


def agreed(world: Remains) -> list[Found]:
    """Whether both sides of everything say the same, every sum adds up, and banks hold what their nodes say."""
    checks = (fates.views, fates.numbers, fates.sums, fates.cores, fates.late)
    return [Found(DISAGREE, said) for check in checks for said in check(world)]


def _sent(world: Remains) -> Iterator[Found]:
    """Every act that left was written down by its peer, once; of one that could not be delivered somebody was told."""
    for id, row, times, wanted in fates.said(world):
        if row.state in ("queued", "dead"):
            known = any(event.kind == "ActRefused" and event.body.act_hash == row.act_hash for event in world.log(id))
            if not (row.state == "dead" and known):
                yield Found(LOST, f"{id}: {row.kind} to {row.peer} is {row.state}, and nobody was told")
        elif times != wanted:
            what = LOST if times < (wanted or 0) else DOUBLED
            yield Found(what, f"{row.kind} of {id}, {row.state}, is written {times} times at {row.peer}")


def _acknowledged(world: Remains, told: Iterable[Told]) -> Iterator[Found]:
    """What an officer was told stands in the log in the same words; and no event is the answer to two wishes."""
    given = {id: {row.id: row for row in world.rows(id, "SELECT * FROM given")} for id in world.members}
    for one in told:
        row = given[one.node].get(one.id)
        if row is None:
            yield Found(LOST, f"{one.node}: wish {one.id} was answered and is not in the log: {'; '.join(one.said)}")
            continue
        with world.service(one.node).node.store.reading() as connection:
            events = cases.log_of(connection, row.case_id, row.first, row.last)
        said = tuple(words for event in events if (words := sentence(event)))
        if (row.case_id, said) != (one.case, one.said):
            yield Found(LOST, f"{one.node}: of wish {one.id} an officer was told {one.said}, the log says {said}")
    for id, rows in given.items():
        numbers = Counter((row.case_id, n) for row in rows.values() for n in range(row.first, row.last + 1))
        for (case, number), times in numbers.items():
            if times > 1:
                yield Found(DOUBLED, f"{id}: event {number} of case {case} is the answer to {times} wishes")


def _stated(world: Remains) -> Iterator[Found]:
    """What a node states itself, and what is stated once in a life, is in its log once."""
    for id in world.members:
        stated = Counter[Any]()
        for event in world.log(id):
            if event.by == id and event.kind in OF_A_REQUEST:
                stated[event.kind, event.request, b""] += 1
            elif event.by == id and event.kind in OF_ITS_BODY:
                stated[event.kind, event.request, dumps(event.body)] += 1
        for (kind, request, _), times in stated.items():
            if times > 1:
                yield Found(DOUBLED, f"{id}: {kind} about {request} is in the log {times} times")


def _books(world: Remains) -> Iterator[Found]:
    """In a bank: no hold that its node does not know, none placed twice, as much sent back as is stated, and every
    balance the sum of its entries."""
    for id, member in world.members.items():
        if member.core is None:
            continue
        books, known = member.core._books, world.holds(id)
        with books.transaction():
            held = books.rows("SELECT ref FROM holds WHERE state <> 'refused'")
            changes = books.rows("SELECT hold, what, change FROM hold_events")
            drawn = {row["ref"]: (row["booked"], row["held"], books.balance(row["ref"], books.sequence))
                     for row in books.rows("SELECT ref, booked, held FROM accounts")}
        yield from (Found(DOUBLED, f"{id}: its bank has a hold {row['ref']} of which the node knows nothing")
                    for row in held if row["ref"] not in known)
        yield from (Found(DOUBLED, f"{id}: its bank placed hold {ref} {times} times")
                    for ref, times in Counter(row["hold"] for row in changes if row["change"] > 0).items() if times > 1)
        yield from _returned(world, id, changes)
        yield from (Found(DISAGREE, f"{id}: account {ref} has {booked}, {kept} held; its entries say {told}")
                    for ref, (booked, kept, told) in drawn.items() if (told.booked, told.held) != (booked, kept))


def _returned(world: Remains, id: str, changes: list[Any]) -> Iterator[Found]:
    sent = Counter[str]()
    for row in changes:
        sent[row["hold"]] -= row["change"] if row["what"] == "returned" else 0
    stated = {r.hold.id: r.terms.returned for case in world.cases(id) for r in case.requests.values()
              if r.side == "requested" and r.hold is not None}
    for ref in {*sent, *stated}:
        if sent[ref] != stated.get(ref, 0):
            what = DOUBLED if sent[ref] > stated.get(ref, 0) else LOST
            yield Found(what, f"{id}: its bank sent back {sent[ref]} of {ref}, the node says {stated.get(ref, 0)}")


def _audited(world: Remains, directories: Mapping[str, Directory]) -> Iterator[Found]:
    """`arrp audit verify` for each, against every checkpoint that a peer keeps of it."""
    kept: list[tuple[str, str, str]] = []
    for id in world.members:
        with world.service(id).node.store.reading() as connection:
            for peer, jws, contradiction in work.kept_checkpoints(connection):
                kept.append((id, peer, jws))
                if contradiction:
                    yield Found(DISAGREE, f"{id} was shown two histories by {peer}")
    for id, one in world.left.items():
        witnesses = [jws for _, peer, jws in kept if peer == id]
        report = verify(one.store, directories[id], id, witnesses)
        yield from (Found(DISAGREE, f"{id}: audit: {problem}") for problem in report.problems)
