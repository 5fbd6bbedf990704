"""F07–F10: whatever the network does to the messages of a life, both sides end where they would have.

Each message of the story is lost, doubled up to 50 times, overtaken or a day late; each receipt is lost.
Afterwards everything is equal: states, terms, money, numbers, what the bank has booked (I1–I4, I9).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from arrp.core.wishes import Withdraw
from arrp.wire.codec import parse_json
from arrp.wire.envelope import Content, open_parcel, unb64
from tests.node.life import LIFE, about, live, rest, view, wish
from tests.node.world import LT, PT, World

TIMES = 50


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


def head_of(world: World, url: str, body: bytes) -> dict[str, Any] | None:
    """The head of a parcel on its way, opened with its reader's key; None for anything else."""
    if not url.endswith("/parcels"):
        return None
    member = next(m for m in world.members.values() if url.startswith(m.participant.address + "/"))
    opened = open_parcel(body, member.keys.sealing, member.id)
    assert isinstance(opened, Content)
    head = parse_json(unb64(parse_json(opened.head.encode())["payload"]))  # type: ignore[index]
    assert isinstance(head, dict)
    return head


def _first_time(world: World, fate: str) -> Callable[[str, bytes], str | None]:
    """Every message meets its fate the first time it is sent."""
    met = set[str]()

    def lose(url: str, body: bytes) -> str | None:
        head = head_of(world, url, body)
        if head is None or head["id"] in met:
            return None
        met.add(head["id"])
        return fate

    return lose


def _again_and_again(world: World, sent: Counter[int]) -> Callable[[str, bytes], str | None]:
    """The n-th message arrives n times before its sender hears of it, at most 50 times."""

    def lose(url: str, body: bytes) -> str | None:
        head = head_of(world, url, body)
        if head is not None:
            sent[head["number"]] += 1
            receipts = {world.post.carry(url, body) for _ in range(min(sent.total(), TIMES))}
            assert len({parse_json(unb64(parse_json(r)["payload"]))["outcome"] for r in receipts}) == 1  # type: ignore[index]
        return None

    return lose


@pytest.mark.parametrize("fate", ["parcel", "receipt"])
def test_f08_each_message_lost_once(world: World, undisturbed: dict[str, Any], fate: str) -> None:
    world.post.lose = _first_time(world, fate)
    live(world, LIFE)
    same(world, undisturbed)


def test_f09_each_message_doubled_up_to_fifty_times(world: World, undisturbed: dict[str, Any]) -> None:
    sent = Counter[int]()
    world.post.lose = _again_and_again(world, sent)
    live(world, LIFE)
    assert sent.total() > 30
    same(world, undisturbed)


def test_f10_copies_of_every_message_a_day_and_a_month_late(world: World, undisturbed: dict[str, Any]) -> None:
    """I4: nothing that was said ever has a second effect."""
    live(world, LIFE)
    for late in (timedelta(days=1), timedelta(days=30)):
        world.clock.at += late
        for url, body in reversed(tuple(world.post.sent)):
            world.post.carry(url, body)
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
            world.post.carry(url, body)
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
