"""One region from the first day to the last: a world is built, the plots happen, everybody acts, logs are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256

from arrp.core.case import Case
from arrp.core.money import Amount
from arrp.core.sums import money
from arrp.node.verify import verify
from arrp.sim.haechi.count import Counted
from arrp.sim.haechi.frame import BEGIN, END, Country, Frame
from arrp.sim.haechi.people import People, Script
from arrp.sim.haechi.plot import Stay
from arrp.sim.haechi.stage import WEEK, Money, laws, world_of
from arrp.sim.haechi.story import Story
from arrp.sim.world import World

DAY = timedelta(days=1)
Say = Callable[[str], None]


def rehearse(frame: Frame, seed: int, countries: tuple[Country, ...], say: Say = lambda _: None) -> Counted:
    """The operation in one region: what its logs say in the end."""
    with played(frame, seed, countries, say) as (world, people):
        counted = count(world)
        counted.violations += [f"refused: {why}" for why in people.refused]
        return counted


@contextmanager
def played(frame: Frame, seed: int, countries: tuple[Country, ...], say: Say = lambda _: None
           ) -> Iterator[tuple[World, People]]:
    """The world of the region after its last day."""
    story = Story(frame, seed, countries)
    world = world_of(seed, story.places, BEGIN, laws(countries))
    try:
        money = Money(world, story.plots)
        people = People(world, story.plots, Script(END, _orders))
        _days(world, say)
        say(f"{money.moved} transfers, {money.blocked} refused by banks")
        yield world, people
    finally:
        world.close()


def _orders(stay: Stay, confirmed: datetime) -> datetime:
    """A court orders the tokens seized some days after the hold was confirmed, and before the operation ends."""
    days = 2 + int.from_bytes(sha256(stay.ref.encode()).digest()[:2], "big") % 20
    return min(confirmed + days * DAY, END - timedelta(hours=6))


def _days(world: World, say: Say) -> None:
    at = BEGIN
    while at < END:
        at = min(at + DAY, END)
        world.run(at)
        if at == END or at.day % 14 == 1:
            say(f"{at:%d %B}")
    _placed(world)


def _placed(world: World) -> None:
    """A week later every node wakes once: then each event has its position in the tree."""
    world.run(END + WEEK)
    for host in world.hosts.values():
        for process in host.processes:
            process.wake()
    world.run(END + WEEK + timedelta(minutes=1))


def count(world: World) -> Counted:
    """Every log read, every log verified, both identities of money checked."""
    counted = Counted()
    for id, host in world.hosts.items():
        counted.violations += wrong(world, id)
        counted.read(f"sqlite:///{world.file(id)}", id, host.member.seat.country)
    counted.violations += differing(world)
    return counted


def differing(world: World) -> list[str]:
    """I7: what a mirror shows otherwise than the holder states."""
    stated, mirrored = dict[str, tuple[str, Amount]](), list[tuple[str, str, tuple[str, Amount]]]()
    for id in world.hosts:
        for case in world.cases(id):
            for hold in (request.hold for request in case.requests.values() if request.hold is not None):
                if hold.holder == id:
                    stated[hold.id] = (hold.state, hold.amount)
                else:
                    mirrored.append((id, hold.id, (hold.state, hold.amount)))
    return [f"I7 {id} shows hold {hold} as {' '.join(map(str, shown))}, its holder {stated.get(hold)}"
            for id, hold, shown in mirrored if stated.get(hold) != shown]


def wrong(world: World, id: str) -> list[str]:
    """What is not as it must be at one node."""
    found = list(verify(f"sqlite:///{world.file(id)}", world.cast.directory, id).problems)
    held = 0
    for case in world.cases(id):
        counted = money(case)
        if counted is not None and not counted.adds_up():
            found.append(f"I21 the sum of case {case.id} is not its loss")
        if counted is not None and (counted.surplus or _claimed(case) > counted.loss.minor):
            found.append(f"I1 case {case.id} holds more than its loss")
        held += sum(r.hold.amount.minor for r in case.requests.values()
                    if r.hold is not None and r.hold.holder == id and not r.hold.is_over)
        found += [f"case {case.id}: {what}" for what in case.anomalies]
    core = world.hosts[id].core
    if core is not None and sum(hold.amount for hold in core.holds()) != held:
        found.append(f"I9 the books of {id} hold other than its log says")
    return [f"{id}: {what}" for what in found]


def _claimed(case: Case) -> int:
    """What all holds of a loss count for together."""
    return sum(r.hold.claim.minor for r in case.wishes if r.hold is not None and not r.hold.is_over)
