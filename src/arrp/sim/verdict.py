"""What must be true when the faults are over and everybody has come to rest: both sides agree, nothing is lost,
nothing is there twice, every log verifies.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from arrp.core.events import KINDS, Event
from arrp.core.request import ANSWER, WISH, Request
from arrp.node.store import cases
from arrp.node.verify import verify
from arrp.sim.judge import SLACK, Judge
from arrp.sim.people import Said
from arrp.sim.world import World

HEALING = timedelta(minutes=15)  # I7: so soon after the last fault both sides agree

# Rows that say that somebody still has something to do now.
_RESTLESS = (
    "SELECT count(*) FROM outbox WHERE state = 'queued'",
    "SELECT count(*) FROM intents WHERE answered_at IS NULL",
    "SELECT count(*) FROM joins WHERE done_at IS NULL",
    "SELECT count(*) FROM events WHERE position IS NULL",
    "SELECT count(*) FROM peers WHERE copies IS NOT NULL AND id != 'MALLORY'",
)
_COMPARED = ("answer", "terms", "hold", "legs", "keep", "withdrawn", "over")


def restless(world: World) -> list[str]:
    """Nodes that have something to do, with what."""
    found = []
    for id in world.hosts:
        with world.service(id).node.store.reading() as connection:
            for query in _RESTLESS:
                if count := connection.execute(text(query)).scalar():
                    found.append(f"{id}: {count} rows of {query.split(' FROM ')[1]}")
    return found


def judge_the_end(world: World, judge: Judge, said: list[Said]) -> None:
    """Everything that can be said once nobody has anything left to do. Adds to the judge's violations."""
    for waits in restless(world):
        judge.accuse("I20" if "outbox" in waits else "I5", waits.partition(":")[0], f"never comes to rest: {waits}")
    logs = {id: log_of(world, id) for id in world.hosts}
    apart = set(judge.suspended)
    past = _past(world, set(judge.forgot))
    views = _views(world, apart)
    for invariant, node, told in (*views, *_numbers(world, past), *_written(world, logs, past),
                                  *_kept(world, said, judge),
                                  *_people(world), *_withdrawn(world, apart)):
        judge.accuse(invariant, node, told)
    for id in world.hosts:
        if id not in judge.liars:
            for told in _banks(world, id):
                judge.accuse("I9", id, told)
            for told in _unintended(world, id):
                judge.accuse("I14", id, told)
        for problem in audited(world, id, rewritten=id in judge.forgot):
            judge.accuse("I8", id, problem)


def audited(world: World, id: str, *, rewritten: bool = False) -> tuple[str, ...]:
    """I8: the log as a separate program reads it, beside what its peers kept of it. One that was put together again
    from copies is another log, and its peers can show it."""
    kept = []
    for other in () if rewritten else world.hosts:
        with world.service(other).node.store.reading() as connection:
            row = connection.execute(text("SELECT checkpoint FROM peers WHERE id = :id"), {"id": id}).first()
        if row is not None and row.checkpoint:
            kept.append(row.checkpoint)
    return verify(f"sqlite:///{world.file(id)}", world.cast.directory, id, kept).problems


def log_of(world: World, id: str) -> list[Event]:
    """Everything that a node wrote, case by case."""
    with world.service(id).node.store.reading() as connection:
        return [event for row in cases.listed(connection) for event in cases.log_of(connection, row.id)]


Told = Iterator[tuple[str, str, str]]


def _views(world: World, unheard: set[str]) -> Told:
    """I7: what the owner of an answer says of it is what the other side shows; who is suspended is not heard."""
    known = [(id, r) for id in world.hosts for case in world.cases(id) for r in case.requests.values()]
    owners = {request.id: (id, request) for id, request in known if request.side == "requested"}
    for id, mirror in known:
        if mirror.side != "requesting" or mirror.peer not in world.hosts or _rests_on(world, id, mirror, unheard):
            continue
        if mirror.id not in owners:
            if not _was_refused(world, id, mirror):
                yield "I7", id, f"{mirror.id[:8]} never reached {mirror.peer}"
            continue
        owner, request = owners[mirror.id]
        for what, ours, theirs in zip(_COMPARED, _seen(mirror), _seen(request), strict=True):
            if ours != theirs:
                yield "I7", id, f"{mirror.id[:8]}: {what} is {ours} here, {theirs} at {owner}"


def _rests_on(world: World, id: str, request: Request, apart: set[str]) -> bool:
    """Whether somebody who is suspended asked, was asked, or keeps the account: what it says is not heard, also by
    whoever stands in the middle and waits for it."""
    keepers = {who for who in apart if request.body.institution in world.cast.members[who].seat.answers_for}
    return bool({id, request.peer} & apart or keepers)


def _was_refused(world: World, id: str, mirror: Request) -> bool:
    """R-33: it was refused, and an officer of the requesting side is told so."""
    query = text("SELECT count(*) FROM outbox WHERE request = :request AND kind = 'Request' AND state != 'receipted'")
    with world.service(id).node.store.reading() as connection:
        return bool(connection.execute(query, {"request": mirror.id}).scalar())


def _seen(r: Request) -> tuple[object, ...]:
    hold = r.hold and (r.hold.id, r.hold.state, r.hold.amount, r.hold.wanted, r.hold.kept, r.hold.decided, r.hold.until)
    return (r.answer, r.terms, hold, {leg.id: leg.amount for leg in r.legs}, r.keep, r.wish == "withdrawn",
            r.wish in WISH.ends or r.answer in ANSWER.ends)


Talk = tuple[str, str, str]  # a node, its peer, the request


def _past(world: World, forgot: set[str]) -> set[Talk]:
    """R-28: what was said in a case that is closed since is not said again to a peer that lost its disk."""
    query = text("SELECT peer, request FROM conversations JOIN cases ON cases.id = case_id WHERE state = 'closed'")
    found = set[Talk]()
    for id in world.hosts:
        with world.service(id).node.store.reading() as connection:
            found |= {(id, row.peer, row.request) for row in connection.execute(query) if row.peer in forgot}
    return found


def _numbers(world: World, past: set[Talk]) -> Told:
    """R-27: everything that was said was heard, without a gap."""
    talks: dict[Talk, Any] = {}
    for id in world.hosts:
        with world.service(id).node.store.reading() as connection:
            rows = connection.execute(text("SELECT peer, request, sent, seen, heard FROM conversations")).all()
        talks.update({(id, row.peer, row.request): row for row in rows})
    for (id, peer, request), row in talks.items():
        other = talks.get((peer, id, request))
        if past & {(id, peer, request), (peer, id, request)}:
            continue
        if peer in world.hosts and (other is None or row.sent != other.seen or row.seen != other.sent):
            yield "I7", id, f"numbers of {request[:8]} with {peer}: {row}, there {other}"


def _written(world: World, logs: dict[str, list[Event]], past: set[Talk]) -> Told:
    """R-32: a fact is written down at whoever it was told, once; a command once, or it was refused."""
    heard: dict[tuple[str, str, str], int] = {}
    for id, log in logs.items():
        for event in log:
            if event.act_hash and event.by != id:
                key = (id, event.act_hash, event.kind)
                heard[key] = heard.get(key, 0) + 1
    superseded = {act for id in world.hosts for act in _superseded(world, id)}
    for id in world.hosts:
        with world.service(id).node.store.reading() as connection:
            sent = connection.execute(text("SELECT peer, request, kind, act_hash, state FROM outbox")).all()
        for row in sent:
            count = heard.get((row.peer, row.act_hash, row.kind), 0)
            is_sure = row.state == "receipted" and row.act_hash not in superseded
            wanted = (1,) if is_sure and (id, row.peer, row.request) not in past else (0, 1)
            if row.peer in world.hosts and row.kind in KINDS and count not in wanted:
                yield "I3", row.peer, f"{row.kind} of {id}, {row.state}, is written {count} times"


def _superseded(world: World, id: str) -> list[str]:
    """R-27: commands that a later one overtook, which ended what they were about."""
    with world.service(id).node.store.reading() as connection:
        return list(connection.execute(text("SELECT act_hash FROM inbox WHERE outcome = 'superseded'")).scalars())


def _kept(world: World, said: list[Said], judge: Judge) -> Told:
    """What an officer was told is written down, is: once, under its id; unless the disk was lost since."""
    for one in (one for one in said if one.node not in judge.forgot):
        with world.service(one.node).node.store.reading() as connection:
            before = cases.given_before(connection, one.command.id)
        if before is None or before.case_id != one.case:
            yield "I5", one.node, f"{one.command.verb} ({one.command.id}) was promised and is not there"


def _people(world: World) -> Told:
    """I5: where money waits for an answer there is a next action with a time, or a person was called. Who asked waits
    for the other side's clock, and who passed it on for that of whoever holds."""
    for id in world.hosts:
        with world.service(id).node.store.reading() as connection:
            due = {row.id: row.due_at for row in cases.listed(connection)}
        for case in world.cases(id):
            asked = [r for r in case.requests.values() if r.side == "requested" and r.is_open]
            waits = any(r.terms.pending or (r.hold and r.hold.in_force and r.hold.holder == id) for r in asked)
            if waits and due[case.id] is None and not case.escalated:
                yield "I5", id, f"money of case {case.id[:8]} waits, no timer runs, and nobody was called"


def _withdrawn(world: World, apart: set[str]) -> Told:
    """I5: what nobody wishes any more is not held, but for an order of the country where it is. Where somebody is
    suspended the hold's own clock runs."""
    for id in world.hosts:
        for case in world.cases(id):
            for request in (one for one in case.requests.values() if not _rests_on(world, id, one, apart)):
                hold = request.hold
                if request.wish == "withdrawn" and hold and hold.in_force and hold.state != "secured":
                    yield "I5", id, f"{request.id[:8]} is withdrawn, and hold {hold.id[:8]} is {hold.state}"


def _banks(world: World, id: str) -> Iterator[str]:
    """I9: what a bank blocks is what its node says it holds; nothing is held past its end."""
    core = world.hosts[id].core
    if core is None:
        return
    blocked = sum(one.amount for one in core.holds())
    holds = [r.hold for case in world.cases(id) for r in case.requests.values() if r.hold and not r.hold.is_over]
    if blocked != sum(hold.amount.minor for hold in holds):
        yield f"the core blocks {blocked}, the node says {[(hold.state, str(hold.amount)) for hold in holds]}"
    for hold in holds:
        if hold.deadline is not None and hold.deadline + SLACK <= world.time.at and hold.state != "secured":
            yield f"hold {hold.id[:8]} is {hold.state} after {hold.deadline}"


def _unintended(world: World, id: str) -> Iterator[str]:
    """I14: a row before each effect."""
    core = world.hosts[id].core
    if core is None:
        return
    with world.service(id).node.store.reading() as connection:
        intended = {intent.block for _, intent in cases.intents(connection)}
    for one in core.holds():
        if one.ref not in intended:
            yield f"the core holds {one.amount} as {one.ref}, which this node never intended"


