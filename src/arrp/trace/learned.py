"""What answered requests taught: how long institutions take, whether they do as asked, how long money stays, where
it goes next. Plain counts of institutions and times; no name, no account, no amount.

Each figure is asked for one institution, channel and crime. Where little was seen of exactly that, it leans on what was
seen there on the channel, there at all, and anywhere, in this order (back-off): the mean of the coarser level counts as
`STRENGTH` observations of the finer one. With Gamma priors on rates and Dirichlet priors on shares that is their
posterior mean, so that every figure can be worked out by hand from counts (MacKay and Peto, A hierarchical Dirichlet
language model, 1995). Times in minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

LN2 = 0.6931471805599453  # the median of an exponential time is its mean times this

# An assumption. At least 1, or money that arrived long ago would count for more than money that arrived now.
STRENGTH = 2.0
# An assumption: half of the answers within 2 h 46 min. No distribution of answer times is public.
ANSWER_MINUTES = 240.0
# An assumption: half of the money has left after an hour. No distribution for bank accounts is public; in five thefts
# on chains, traced by Huo et al. (MFTracer, 2026), the medians of a stay lie between 1.4 and 223 minutes.
DWELL_MINUTES = 60.0 / LN2
# What the recovery team of the FBI held of what it was asked to hold (Internet Crime Reports 2018 and 2021: 74 and 75
# of 100).
COMPLIES = 0.75

# An assumption: what is watched for longer teaches no more, so that no date that somebody got wrong drowns the rest.
LONGEST = timedelta(days=30)

CASH = ""  # where money goes that leaves the accounts
WHERE = ("anywhere", "there", "there on this channel", "there on this channel for this crime")

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Of what a figure speaks: institution (bank code, BIC, chain), channel (currency or kind of chain), crime."""

    institution: str
    channel: str
    crime: str

    @property
    def levels(self) -> tuple[Key, ...]:
        """From the coarsest to the finest; as many as `WHERE` has words."""
        return (), (self.institution,), (self.institution, self.channel), (
            self.institution, self.channel, self.crime)


@dataclass(frozen=True, slots=True)
class Answering:
    """A request was asked and, at `until`, answered; or had no answer `until` then. `complied`: what was there was held
    or explained; None while nobody knows."""

    stage: Stage
    asked_at: datetime
    until: datetime
    answered: bool
    complied: bool | None


@dataclass(frozen=True, slots=True)
class Staying:
    """Money arrived and left at `until`; or was there still. `to`: where it went; `CASH`; None: nobody knows, or it had
    not left."""

    stage: Stage
    arrived_at: datetime
    until: datetime
    left: bool
    to: str | None


Observation = Answering | Staying


class Counted(NamedTuple):
    """How often something ended, and for how long it was watched: seconds are whole, so no order of adding matters."""

    ends: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Duration:
    """How long something takes: its rate is Gamma distributed with this shape, and this many minutes watched. `seen` of
    them `where`, the finest level of which anything is known."""

    shape: float
    minutes: float
    seen: int
    where: str

    @property
    def per_minute(self) -> float:
        """The mean of the rate, which is taken for the rate."""
        return self.shape / self.minutes

    @property
    def median(self) -> float:
        """Minutes until half of them are over."""
        return LN2 * self.minutes / self.shape

    def lasts(self, minutes: float) -> float:
        """The chance that it lasts longer than that (Lomax)."""
        return float((self.minutes / (self.minutes + minutes)) ** self.shape)

    def after(self, minutes: float) -> Duration:
        """What is known of one that has lasted that long already: such a one is likely to be slow."""
        return replace(self, minutes=self.minutes + minutes)


@dataclass(frozen=True, slots=True)
class Share:
    """A chance, and of how many observations, where."""

    chance: float
    seen: int
    where: str


@dataclass(frozen=True, slots=True)
class Learned:
    """Counts by key, of all levels. Immutable: `add` gives another one."""

    answers: Mapping[Key, Counted] = field(default_factory=dict)
    complied: Mapping[Key, tuple[int, int]] = field(default_factory=dict)  # how many did, of how many
    stays: Mapping[Key, Counted] = field(default_factory=dict)
    onward: Mapping[Key, Mapping[str, int]] = field(default_factory=dict)  # legs by where they went

    def add(self, *seen: Observation) -> Learned:
        return self.add_all(seen)

    def add_all(self, seen: Iterable[Observation]) -> Learned:
        """The same counts, with these; each once."""
        answers, complied, stays = dict(self.answers), dict(self.complied), dict(self.stays)
        onward = {key: dict(counts) for key, counts in self.onward.items()}
        for one in seen:
            for key in one.stage.levels:
                if isinstance(one, Answering):
                    answers[key] = _counted(answers.get(key, Counted()), one.until - one.asked_at, one.answered)
                    if one.complied is not None:
                        did, of = complied.get(key, (0, 0))
                        complied[key] = did + one.complied, of + 1
                else:
                    stays[key] = _counted(stays.get(key, Counted()), one.until - one.arrived_at, one.left)
                    if one.to is not None:
                        counts = onward.setdefault(key, {})
                        counts[one.to] = counts.get(one.to, 0) + 1
        return Learned(answers, complied, stays, onward)

    def answer(self, stage: Stage) -> Duration:
        """How long until an answer comes."""
        return _duration(self.answers, stage, ANSWER_MINUTES)

    def dwell(self, stage: Stage) -> Duration:
        """How long money stays."""
        return _duration(self.stays, stage, DWELL_MINUTES)

    def complies(self, stage: Stage) -> Share:
        """The chance that what is there is held when it is asked for."""
        chance, seen, where = COMPLIES, 0, ""
        for word, key in zip(WHERE, stage.levels, strict=True):
            did, of = self.complied.get(key, (0, 0))
            chance = (STRENGTH * chance + did) / (STRENGTH + of)
            if of:
                seen, where = of, word
        return Share(chance, seen, where)

    def next_of(self, stage: Stage) -> dict[str, float]:
        """The chance of each place that any leg ever went to, largest first; what is left of 1 is for places that
        nobody has seen yet."""
        shares = dict.fromkeys(self.onward.get((), {}), 0.0)
        for key in stage.levels:
            counts = self.onward.get(key, {})
            total = STRENGTH + sum(counts.values())
            shares = {to: (STRENGTH * share + counts.get(to, 0)) / total for to, share in shares.items()}
        return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))


def _counted(so_far: Counted, time: timedelta, ended: bool) -> Counted:
    """A clock that was set back makes no time negative."""
    watched = min(max(time, timedelta(0)), LONGEST)
    return Counted(so_far.ends + ended, so_far.seconds + watched // timedelta(seconds=1))


def _duration(table: Mapping[Key, Counted], stage: Stage, mean: float) -> Duration:
    found = Duration(STRENGTH, STRENGTH * mean, 0, "")
    for word, key in zip(WHERE, stage.levels, strict=True):
        counted = table.get(key, Counted())
        shape, minutes = STRENGTH + counted.ends, STRENGTH * mean + counted.seconds / 60
        mean = minutes / shape
        seen, where = (counted.ends, word) if counted.ends else (found.seen, found.where)
        found = Duration(shape, minutes, seen, where)
    return found
