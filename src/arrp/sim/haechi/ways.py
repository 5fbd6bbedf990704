"""How much is saved under other ways of working: the same plots, the same nodes, other people's habits.

    recall           the bank that was paid to is asked (typed at the victim's bureau); nobody follows what moved on
    mail             bureaus write to each other, hop by hop; each letter takes hours, and nothing is held undecided
    without mandate  messages take seconds, but two officers sign each request and an officer decides each hold
    ARRP             with a mandate and provisional holds: nodes follow and hold at once, officers decide afterwards
    clairvoyant      the same, told every next account at once, at the moment the money is there: the ceiling

Plots are drawn without looking at what would be found (plot.py), so none is chosen because ARRP does well in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from arrp.core.case import Case
from arrp.core.hold import Hold
from arrp.core.request import Request
from arrp.sim.haechi.frame import BEGIN, KINDS, REGIONS, UNITS, Country
from arrp.sim.haechi.people import People, Script, paid_to
from arrp.sim.haechi.plot import Pen, Plot, Stay
from arrp.sim.haechi.stage import Laws, Money, laws, world_of
from arrp.sim.haechi.story import places
from arrp.sim.world import World

SPAN = timedelta(days=60)  # in which the losses of a sample happen
AFTER = timedelta(days=20)  # so long after the last report it is counted what is held
PARTS = max(UNITS.values())  # of one cent
EARLY = timedelta(hours=2)  # from the first payment to the report
AHEAD = timedelta(minutes=1)
SIGNATURE_MINUTES = 5.0  # of an officer: to read an act and sign it (assumed)
LETTER_MINUTES = 20.0  # more, where a request is written and posted (assumed)
# Hours: INTERPOL's record case of 2024 took two days from the police report to the confirmed hold, one hop away.
MAIL, RECALL = (10.0, 0.6), (20.0, 0.8)


@dataclass(frozen=True, slots=True)
class Way:
    """One way of working. `letters`: requests are written by hand."""

    name: str
    plain: str
    laws: Callable[[Laws], Laws]
    script: Callable[[datetime], Script]
    letters: bool = False


def _hours(stay: Stay, what: str, of: tuple[float, float]) -> timedelta:
    """So many hours, the same for the same stay whoever asks."""
    median, sigma = of
    return timedelta(hours=median * min(Random(f"{what} {stay.ref}").lognormvariate(0, sigma), 20.0))


def _by_mail(stay: Stay) -> timedelta:
    """A letter there, and an officer's time."""
    return _hours(stay, "letter", MAIL) + stay.decides


def _answered(stay: Stay) -> timedelta:
    """The answer comes back by mail, and the next letter is written."""
    return _hours(stay, "answer", MAIL) + stay.decides / 2


def _signed(stay: Stay) -> timedelta:
    return stay.decides / 2


def _unfollowed(_stay: Stay) -> timedelta:
    return timedelta(days=1000)


def _recalled(stay: Stay) -> timedelta:
    return _hours(stay, "recall", RECALL) + stay.decides


def _in_money(plot: Plot) -> list[tuple[datetime, int, Stay]]:
    """Tokens cannot be recalled."""
    return [one for one in paid_to(plot) if UNITS[one[2].asset] == 1]


def _foreseen(plot: Plot) -> list[tuple[datetime, int, Stay]]:
    """Wherever the money is or will be, at the moment it is there, but for who has it in good faith."""
    return [
        (max(plot.asked_at, stay.arrives + AHEAD), place, stay)
        for place, first in enumerate(plot.paid) for stay in first.all()
        if not stay.in_good_faith and (stay.rest or any(move.at > plot.asked_at for move in stay.moves))
    ]


WAYS = (
    Way("recall", "recall only", Laws.decided_first,
        lambda end: Script(end, decides=_recalled, follows=_unfollowed, asks=_in_money), letters=True),
    Way("mail", "hop by hop, by mail", Laws.decided_first,
        lambda end: Script(end, decides=_by_mail, follows=_answered), letters=True),
    Way("signed", "ARRP without mandate", Laws.decided_first, lambda end: Script(end, follows=_signed)),
    Way("arrp", "ARRP, mandate and provisional holds", lambda laws: laws, lambda end: Script(end)),
    Way("clairvoyant", "clairvoyant", lambda laws: laws, lambda end: Script(end, asks=_foreseen)),
)


@dataclass(slots=True)
class Found:
    """What the logs say after one way was tried: cents, hours, counts."""

    way: str
    cases: int = 0
    lost: int = 0
    saved: int = 0  # parts of a cent that tokens were split into are added up first
    saved_early: int = 0  # of losses that were reported soon
    innocent: int = 0  # accounts held of people in good faith
    innocent_cents: int = 0
    innocent_hours: list[float] = field(default_factory=list)
    requests: int = 0
    signatures: int = 0
    first_hold_hours: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        """Of officers, in all: what they signed, and what they wrote by hand."""
        letters = next(way.letters for way in WAYS if way.name == self.way)
        return SIGNATURE_MINUTES * self.signatures + (LETTER_MINUTES * self.requests if letters else 0.0)


def sample(seed: int, cases: int, countries: tuple[Country, ...]) -> list[Plot]:
    """So many plots of one region, drawn blindly."""
    dice = Random(f"{seed} ways")
    pen = Pen(places(countries), dice, (BEGIN, BEGIN + SPAN))
    plots = list[Plot]()
    while len(plots) < cases:
        [kind] = dice.choices(KINDS, [kind.weight for kind in KINDS])
        plot = pen.plot(kind)
        if plot.reported < BEGIN + SPAN + timedelta(days=10):
            plots.append(plot)
    return plots


def tried(way: Way, plots: Sequence[Plot], countries: tuple[Country, ...]) -> Found:
    """These plots under that way, counted from the logs."""
    end = max(plot.asked_at for plot in plots) + AFTER
    world = world_of(0, places(countries), BEGIN, way.laws(laws(countries)))
    try:
        Money(world, list(plots))
        people = People(world, list(plots), way.script(end))
        world.run(end)
        found = Found(way.name, len(plots), sum(plot.cents for plot in plots), refused=people.refused)
        _count(found, world, plots, end)
        return found
    finally:
        world.close()


def _count(found: Found, world: World, plots: Sequence[Plot], end: datetime) -> None:
    stays = {stay.account: stay for plot in plots for stay in plot.stays()}
    early = {plot.loss for plot in plots if plot.reported - plot.paid[0].arrives <= EARLY}
    reported, first = dict[str, datetime](), dict[str, datetime]()
    for id in world.hosts:
        for case in world.cases(id):
            if case.report is not None:
                reported[case.loss] = case.report.reported_at
            found.requests += sum(request.side == "requesting" for request in case.requests.values())
            for request, hold in _holds(case):
                loss = request.body.loss
                saved = _hold(found, stays[request.body.account], hold, end)
                found.saved += saved
                found.saved_early += saved if loss in early else 0
                if hold.placed_at is not None:
                    first[loss] = min(first.get(loss, hold.placed_at), hold.placed_at)
        found.signatures += _signatures(world, id)
    found.saved, found.saved_early = found.saved // PARTS, found.saved_early // PARTS
    found.first_hold_hours = sorted((first[loss] - reported[loss]).total_seconds() / 3600 for loss in first)


def _holds(case: Case) -> Iterator[tuple[Request, Hold]]:
    """Those that this node has placed."""
    for request in case.requests.values():
        if request.hold is not None and request.hold.holder == case.me and request.hold.placed_at is not None:
            yield request, request.hold


def _hold(found: Found, stay: Stay, hold: Hold, end: datetime) -> int:
    """What is saved there, in parts of a cent; what is held of somebody in good faith is none of it."""
    parts = hold.amount.minor * PARTS // UNITS[stay.asset]
    if not stay.in_good_faith:
        return parts if hold.in_force else 0
    assert hold.placed_at is not None
    found.innocent += 1
    found.innocent_cents += sum(credit.part.minor for credit in hold.credits) // UNITS[stay.asset] or parts // PARTS
    found.innocent_hours.append(((hold.ended_at or end) - hold.placed_at).total_seconds() / 3600)
    return 0


def _signatures(world: World, id: str) -> int:
    with world.service(id).node.store.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM events WHERE kind = 'ActApproved'").scalar() or 0)


def compared(seed: int, cases: int, countries: tuple[Country, ...] = ()) -> list[Found]:
    """Every way on the same plots, the ceiling last; in one region and the other by turns, if none is named."""
    countries = countries or REGIONS[seed % len(REGIONS)]
    plots = sample(seed, cases, countries)
    return [tried(way, plots, countries) for way in WAYS]
