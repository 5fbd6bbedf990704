"""F07–F10: whatever the network does to the messages of a life, both sides end where they would have.

Each message of the story is lost, doubled up to 50 times, overtaken or a day late; each receipt is lost.
A message that comes in time changes nothing: afterwards everything is equal — states, terms, money,
numbers, what the bank has booked (I1–I4, I9). One that comes a day late may find that its time is over:
then the two sides are compared with each other and with the rules (tests/node/fates.py: disagreements).

`make test` does some of it to each message, by turns; ARRP_FATES=all does all of it to each.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.account import institution_of
from arrp.core.crime import Crime
from arrp.core.errors import ArrpError
from arrp.core.mandate import Mandate
from arrp.core.report import Party, Report
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.core.wishes import Withdraw
from tests.node.fates import (
    Crossed,
    Doubled,
    Fate,
    Late,
    Lost,
    Message,
    Overtaken,
    ReceiptLost,
    Watching,
    disagreements,
    pass_time,
)
from tests.node.life import LIFE, Step, about, live, rest, say, the_loss, view, wish
from tests.node.shelf import Saved, Shelf
from tests.node.world import ACCEPTED, ES, LT, PT, START, World, amount, payment

EVERY = os.environ.get("ARRP_FATES") == "all"
TIMES = 50
PT2 = "payto://iban/PT93000200001234567890255"  # another account at the same bank


@dataclass(frozen=True)
class Chapter:
    """One step of a life: the world before it, what it comes to, the messages that are first sent in it."""

    step: Step
    before: Saved
    after: dict[str, Any]
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Trial:
    """One message, and what happens to it."""

    chapter: Chapter
    place: int
    fate: type[Fate]
    copies: int = 0

    @property
    def message(self) -> Message:
        return self.chapter.messages[self.place]

    def __str__(self) -> str:
        told = f"{self.message.number} of {self.message.sender} to {self.message.to} in {self.chapter.step.name!r}"
        return f"{told}, {self.fate.__name__.lower()}{f' {self.copies} times' if self.copies else ''}"


def chapters(world: World, shelf: Shelf, life: tuple[Step, ...]) -> list[Chapter]:
    """The life as it goes when nothing goes wrong."""
    found = []
    for number, step in enumerate(life):
        before, watching = shelf.save(f"before{number}"), Watching(world)
        live(world, (step,))
        found.append(Chapter(step, before, view(world), tuple(watching.seen.values())))
    assert disagreements(world) == [], "the judge is wrong about a life in which nothing happened"
    return found


def trials(story: list[Chapter], fates: tuple[type[Fate], ...]) -> list[Trial]:
    """Every message with every fate; doubled as often as its turn says, 1 to 50 times."""
    messages = [(chapter, place) for chapter in story for place in range(len(chapter.messages))]
    return [Trial(chapter, place, fate, (turn * 7) % TIMES + 1 if fate is Doubled else 0)
            for fate in fates for turn, (chapter, place) in enumerate(messages)]


def struck(world: World, shelf: Shelf, trial: Trial) -> tuple[bool, str | None]:
    """Whether the fate could strike at all, and what differs afterwards; None = nothing."""
    shelf.restore(trial.chapter.before)
    fate = trial.fate(world, trial.place)
    if isinstance(fate, Doubled):
        fate.copies = trial.copies
    late = isinstance(fate, Late)
    try:
        if late:
            trial.chapter.step.do(world)
            pass_time(world, fate)
        else:
            live(world, (trial.chapter.step,))
    except AssertionError as error:
        return True, str(error)
    finally:
        world.post.lose = lambda url, _: None
    assert fate.tries, "the message was never sent"
    wrong = disagreements(world) if late else differences(view(world), trial.chapter.after)
    return fate.met, "; ".join(wrong) or None


def differences(seen: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    return [f"{part}: {seen[part]} instead of {expected[part]}" for part in seen if seen[part] != expected[part]]


def judged(world: World, shelf: Shelf, chosen: list[Trial]) -> Counter[str]:
    """How often each fate struck; nothing may differ anywhere."""
    struck_by, wrong = Counter[str](), []
    for trial in chosen:
        met, difference = struck(world, shelf, trial)
        struck_by[trial.fate.__name__] += met
        if difference is not None:
            wrong.append(f"{trial}: {difference}")
    print(f"{len(chosen) - len(wrong)} of {len(chosen)}; struck: {dict(struck_by)}")
    assert wrong == []
    return struck_by


def by_turns(world: World, every: list[Trial], sqlite: int, postgresql: int) -> list[Trial]:
    """All of them where all are asked for; else every so many-th."""
    is_sqlite = world.service("NCB-ES").node.store.is_sqlite
    return every if EVERY else every[:: sqlite if is_sqlite else postgresql]


class ADayLate(Late):
    """Some of what it asks may be over by then."""


class VeryLate(Late):
    """Later than any command of that life may be applied: what was asked on Monday comes on Friday."""

    by = timedelta(hours=73)


FATES = (Lost, ReceiptLost, Doubled, Overtaken, Crossed, ADayLate, VeryLate)


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


@pytest.mark.parametrize("fates", [(fate,) for fate in FATES] if EVERY else [FATES],
                         ids=lambda fates: "+".join(fate.__name__ for fate in fates))
def test_f08_f09_f10_i7_i13_whatever_befalls_whichever_message(
    world: World, shelf: Shelf, fates: tuple[type[Fate], ...]
) -> None:
    """Lost, its receipt lost, doubled 1 to 50 times, overtaken in its conversation, crossed by another: the
    story ends the same. Late: commands whose time is over are refused, facts are kept, and all agree."""
    story = chapters(world, shelf, LIFE)
    assert sum(len(chapter.messages) for chapter in story) > 30, "the messages are not counted any more"
    every = [trial for trial in trials(story, fates) if trial.fate is not VeryLate or trial.message.apply_by]
    chosen = by_turns(world, every, 11, 61)
    found = judged(world, shelf, chosen)
    for fate in {Lost, ReceiptLost, Doubled, ADayLate, VeryLate} & set(fates):
        assert found[fate.__name__] == sum(trial.fate is fate for trial in chosen), f"{fate} did not always strike"
    assert not EVERY or all(found[fate.__name__] > 5 for fate in fates), found


# --- two conversations with one peer ------------------------------------------------------------------------


def _scene(world: World) -> None:
    bank = world.core("BANK-PT")
    for account, name in ((PT, "pt-1"), (PT2, "pt-2")):
        bank.open_account(Account(name, account, "Trading Lda", "EUR"))
        order = Order(f"P {name}", HALF, Party("Victim Ltd", ES), Party("Trading Lda", account))
        bank.book(order, START - timedelta(minutes=30))


def _report(world: World) -> None:
    payments = (payment(str(HALF), PT, "P pt-1"), payment(str(HALF), PT2, "P pt-2"))
    say(world, "NCB-ES", "report", "report", Report("L1", "NCB-ES", payments, Crime.BEC, START))
    whole = HALF + HALF
    mandate = Mandate("L1", whole, whole, 3, (), ("hold", "stop"), (), START, START + timedelta(days=30))
    say(world, "NCB-ES", "mandate", "mandate", mandate, case=the_loss(world).id, by=("Ana", "Ben"))


def _send_both(world: World) -> None:
    for place, account in enumerate((PT, PT2)):
        body = Asked(ask=Ask.HOLD, institution=institution_of(account), asked=HALF, claim=HALF, account=account,
                     source=Source("payment", str(place), None, ()), credit=Credit(amount=HALF), loss="",
                     stated_by="", crime="BEC")
        say(world, "NCB-ES", f"send {place}", "send", body, case=the_loss(world).id)


def _both(node: str, verb: str, body: Any, by: tuple[str, ...]) -> Step:
    """The same wish about both, said before anything of either has left."""
    def do(world: World) -> None:
        for account in (PT, PT2):
            say(world, node, f"{verb} {account}", verb, body, request=about(world, node, account).id, by=by)

    return Step(f"{verb} both", do)


HALF = amount("50000.00 EUR")
TWO = (Step("the scene", _scene), Step("report", _report), Step("send both", _send_both),
       _both("NCB-PT", "decide", ACCEPTED, ("Rui", "Zoe")),
       _both("NCB-ES", "withdraw", Withdraw("wrong report"), ("Ana",)))


class SamePeer(Crossed):
    """The next message of the same sender to the same peer, in another conversation, comes first."""

    def another(self, message: Message) -> None:
        mine = self.mine
        self.met = self.met or (mine is not None and bool(self.tries) and message.request != mine.request
                                and (message.sender, message.to) == (mine.sender, mine.to))


def test_f10_what_overtakes_in_another_conversation_with_the_same_peer_changes_nothing(
    world: World, shelf: Shelf
) -> None:
    every = trials(chapters(world, shelf, TWO), (SamePeer,))
    found = judged(world, shelf, by_turns(world, every, 5, 40))
    assert found["SamePeer"]


# --- the whole life at once ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the life comes to when nothing goes wrong; it names no ids and no engine."""
    folder: Path = tmp_path_factory.mktemp("undisturbed")
    numbers = count()
    world = World(folder, lambda: f"sqlite:///{folder / str(next(numbers))}.db")
    live(world, LIFE)
    yield view(world)
    world.close()


def same(world: World, expected: dict[str, Any]) -> None:
    seen = view(world)
    for part in expected:
        assert seen[part] == expected[part], part


class EachLost(Watching):
    """Every message is lost the first time, or its receipt is."""

    what = "parcel"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.met = set[str]()

    def meets(self, message: Message, url: str, body: bytes) -> str | None:
        if message.id in self.met:
            return None
        self.met.add(message.id)
        return self.what


@pytest.mark.parametrize("what", ["parcel", "receipt"])
def test_f08_each_message_lost_once(world: World, undisturbed: dict[str, Any], what: str) -> None:
    EachLost(world).what = what
    live(world, LIFE)
    same(world, undisturbed)


def again(world: World, url: str, body: bytes) -> None:
    """A copy arrives. How two nodes saw their conversations yesterday is of no use today, and refused (R-28)."""
    try:
        world.post.carry(url, body)
    except ArrpError as error:
        assert (url.rpartition("/")[2], error.code) == ("state", "stale")  # noqa: PT017


def test_f10_copies_of_every_message_a_day_and_a_month_late(world: World, undisturbed: dict[str, Any]) -> None:
    """I4: nothing that was said ever has a second effect."""
    live(world, LIFE)
    for late in (timedelta(days=1), timedelta(days=30)):
        world.clock.at += late
        for url, body in reversed(tuple(world.post.sent)):
            again(world, url, body)
        rest(world)
    same(world, undisturbed)


def test_i9_what_was_withdrawn_is_never_held_again_by_a_replay(world: World) -> None:
    live(world, (*LIFE[:6], wish("NCB-ES", "withdraw", PT, Withdraw("wrong report"), ("Ana",)),
                 wish("NCB-ES", "withdraw", LT, Withdraw("wrong report"), ("Ana",))))
    before = view(world)
    assert before["core"]["BANK-PT"][0] == [("pt-1", 0, "released")]
    assert {hold.state for hold in (about(world, "NCB-ES", a).hold for a in (PT, LT)) if hold} == {"released"}
    for late in (timedelta(0), timedelta(days=1)):
        world.clock.at += late
        for url, body in tuple(world.post.sent):
            again(world, url, body)
        rest(world)
    assert view(world) == before


def test_f07_a_peer_silent_for_most_of_an_hour_is_told_everything(world: World, undisturbed: dict[str, Any]) -> None:
    """The bureau that asked hears nothing for fifty minutes; then both sides agree."""
    live(world, LIFE[:4])
    world.post.lose = lambda url, _: "parcel" if "ncb-es" in url else None
    live_in_the_dark = partial(world.run, minutes=50)
    world.officer("NCB-PT", "see", request=about(world, "NCB-PT", PT).id)
    live_in_the_dark()
    assert about(world, "NCB-ES", PT).answer != "seen"
    world.post.lose = lambda url, _: None
    world.run(minutes=1)
    rest(world)
    assert about(world, "NCB-ES", PT).answer == "seen"
    live(world, LIFE[4:])
    assert view(world)["core"] == undisturbed["core"]
    assert view(world)["NCB-ES"][0][1] == undisturbed["NCB-ES"][0][1]
