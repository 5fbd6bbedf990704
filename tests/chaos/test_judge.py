"""The judge is not blind: of a sound world it says nothing, of each spoiled one what is wrong (I7, I8)."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from arrp.core.sentences import sentence
from arrp.node.directory import Directory, directory_of
from arrp.node.store import cases
from tests.chaos.judge import DISAGREE, DOUBLED, LOST, Found, Left, judge
from tests.chaos.people import Told
from tests.chaos.place import BANKS
from tests.node.life import LIFE, NODES, live
from tests.node.world import START, World

HELD = 6  # steps of the life after which the bank and the exchange hold, decided


@dataclass(frozen=True)
class Scene:
    """What a life left behind, in files that a test may spoil; what its officers were told."""

    folder: Path
    left: dict[str, Left]
    directories: dict[str, Directory]
    told: tuple[Told, ...]

    def judged(self) -> list[Found]:
        return judge(self.left, self.directories, self.told, START)

    def write(self, file: str, statement: str) -> int:
        """How many rows it changed."""
        with sqlite3.connect(self.folder / file) as connection:
            changed = connection.execute(statement).rowcount
        connection.close()
        return changed


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Scene]:
    """One life: up to the decisions, with two holds in force; and to the end, with two returns."""
    folder, numbers = tmp_path_factory.mktemp("lived"), count()
    world = World(folder, lambda: f"sqlite:///{folder / f'store{next(numbers)}.db'}")
    live(world, LIFE[:HELD])
    held = _scene(world, tmp_path_factory.mktemp("held"))
    live(world, LIFE[HELD:])
    ended = _scene(world, tmp_path_factory.mktemp("ended"))
    world.close()
    return held, ended


def _scene(world: World, folder: Path) -> Scene:
    """What the world would leave behind now."""
    told = tuple(one for id in NODES for one in _told(world, id))
    left = {id: Left(world.stores[id], world.folder / f"{id}.core" if id in BANKS else None) for id in NODES}
    for id in NODES:
        world.stop(id)  # the last to leave writes its journal into the file
    found = _copy(Scene(world.folder, left, dict.fromkeys(NODES, directory_of(world.edition)), told), folder)
    for id in NODES:
        world.start(id)
    return found


@pytest.fixture
def ended(scenes: tuple[Scene, Scene], tmp_path: Path) -> Scene:
    return _copy(scenes[1], tmp_path / "ended")


def _told(world: World, id: str) -> Iterator[Told]:
    """As an officer was told it, of each wish and signature."""
    with world.service(id).node.store.reading() as connection:
        for row in connection.exec_driver_sql("SELECT id, case_id, first, last FROM given").all():
            events = cases.log_of(connection, row.case_id, row.first, row.last)
            yield Told(id, row.id, row.case_id, tuple(said for event in events if (said := sentence(event))))


@pytest.fixture
def scene(scenes: tuple[Scene, Scene], tmp_path: Path) -> Scene:
    return _copy(scenes[0], tmp_path / "held")


def _copy(scene: Scene, folder: Path) -> Scene:
    """With files of its own."""
    shutil.copytree(scene.folder, folder, dirs_exist_ok=True)
    left = {id: Left(one.store.replace(str(scene.folder), str(folder)), one.books and folder / one.books.name)
            for id, one in scene.left.items()}
    return replace(scene, folder=folder, left=left)


def store_of(id: str) -> str:
    return f"store{NODES.index(id)}.db"


def found(scene: Scene, what: str, said: str) -> bool:
    return any(one.what == what and said in one.said for one in scene.judged())


def test_of_what_is_as_it_must_be_it_says_nothing(scene: Scene, ended: Scene) -> None:
    assert scene.told
    assert scene.judged() == []
    assert ended.judged() == []


def test_a_hold_that_the_bank_does_not_have(scene: Scene) -> None:
    assert scene.write("BANK-PT.core", "UPDATE holds SET amount = 0, state = 'released'") == 1
    assert found(scene, DISAGREE, "BANK-PT: the core blocks {}")


def test_a_hold_that_the_bank_has_twice(scene: Scene) -> None:
    again = "INSERT INTO holds SELECT 'again', account, flight, content, until, amount, state, why, there FROM holds"
    assert scene.write("BANK-PT.core", again) == 1
    assert found(scene, DOUBLED, "hold again of which the node knows nothing")
    assert found(scene, DISAGREE, "BANK-PT: the core blocks")


def test_a_hold_that_was_placed_twice_under_one_name(scene: Scene) -> None:
    assert scene.write("BANK-PT.core", "INSERT INTO journal VALUES (1000, '2026-03-02T09:00:00.000000+00:00')") == 1
    assert scene.write("BANK-PT.core", "UPDATE accounts SET booked = booked + 1, opening = opening + 1") == 1
    again = "INSERT INTO hold_events SELECT 1000, hold, what, 1 FROM hold_events WHERE what = 'held'"
    assert scene.write("BANK-PT.core", again) == 1
    assert found(scene, DOUBLED, "its bank placed hold")


def test_a_hold_of_another_amount(scene: Scene) -> None:
    assert scene.write("VASP-LT.core", "UPDATE holds SET amount = amount - 1") == 1
    assert found(scene, DISAGREE, "VASP-LT: the core blocks")


def test_a_hold_past_its_end(scene: Scene) -> None:
    late = judge(scene.left, scene.directories, scene.told, START.replace(year=START.year + 1))
    assert {one.said.split(":")[0] for one in late if " is confirmed after " in one.said} == set(BANKS)


def test_money_that_was_sent_back_twice(ended: Scene) -> None:
    assert ended.write("BANK-PT.core", "INSERT INTO journal VALUES (1000, '2026-03-02T09:00:00.000000+00:00')") == 1
    ended.write("BANK-PT.core", "DROP TRIGGER event_changes_hold")  # the books themselves would refuse it
    again = "INSERT INTO hold_events SELECT 1000, hold, what, change FROM hold_events WHERE what = 'returned'"
    assert ended.write("BANK-PT.core", again) == 1
    assert found(ended, DOUBLED, "BANK-PT: its bank sent back 12400000")


def test_a_balance_that_is_not_the_sum_of_its_entries(scene: Scene) -> None:
    assert scene.write("VASP-LT.core", "UPDATE accounts SET booked = booked + 1") == 1
    assert found(scene, DISAGREE, "VASP-LT: account lt-1 has 3800001")


def test_an_act_that_is_not_in_the_outbox(scene: Scene) -> None:
    assert scene.write(store_of("NCB-ES"), "DELETE FROM outbox WHERE peer = 'VASP-LT'") == 1
    assert found(scene, DISAGREE, "NCB-ES: audit: conversation with")


def test_an_act_that_never_left(scene: Scene) -> None:
    assert scene.write(store_of("BANK-PT"), "UPDATE outbox SET state = 'queued' WHERE kind = 'HoldPlaced'") == 1
    assert found(scene, LOST, "BANK-PT: HoldPlaced to NCB-PT is queued")


def test_a_dead_letter_of_which_nobody_was_told(scene: Scene) -> None:
    assert scene.write(store_of("BANK-PT"), "UPDATE outbox SET state = 'dead' WHERE kind = 'HoldPlaced'") == 1
    assert found(scene, LOST, "BANK-PT: HoldPlaced to NCB-PT is dead, and nobody was told")


def test_a_fact_that_its_peer_has_not_written_down(scene: Scene) -> None:
    assert _forget(scene, "NCB-PT", "kind = 'HoldPlaced'") == 2, "the bank's, and its own"
    assert found(scene, LOST, "HoldPlaced of BANK-PT, receipted, is written 0 times at NCB-PT")
    assert found(scene, DISAGREE, "NCB-PT: audit:")


def test_a_fact_that_is_written_twice(scene: Scene) -> None:
    assert _repeat(scene, "NCB-PT", "kind = 'HoldPlaced'") == 2
    assert found(scene, DOUBLED, "HoldPlaced of BANK-PT, receipted, is written 2 times at NCB-PT")
    assert found(scene, DOUBLED, "NCB-PT: HoldPlaced about")


def test_a_wish_that_was_answered_and_is_not_there(scene: Scene) -> None:
    assert scene.write(store_of("NCB-ES"), "DELETE FROM given WHERE id = 'report'") == 1
    assert found(scene, LOST, "NCB-ES: wish report was answered and is not in the log")


def test_a_wish_of_which_the_log_says_something_else(scene: Scene) -> None:
    assert scene.write(store_of("NCB-ES"), "UPDATE given SET first = first + 1, last = last + 1 WHERE id = 'report'")
    assert found(scene, LOST, "NCB-ES: of wish report an officer was told")


def test_one_event_for_two_wishes(scene: Scene) -> None:
    again = "INSERT INTO given SELECT 'again', case_id, mark, first, last FROM given WHERE id = 'report'"
    assert scene.write(store_of("NCB-ES"), again) == 1
    assert found(scene, DOUBLED, "is the answer to 2 wishes")


def test_a_wish_that_was_done_twice(scene: Scene) -> None:
    assert _repeat(scene, "NCB-ES", "kind = 'LossReported'") == 1
    assert found(scene, DOUBLED, "NCB-ES: LossReported about None is in the log 2 times")


def test_a_row_of_the_log_that_was_edited(scene: Scene) -> None:
    other = "CAST(replace(CAST(lasting AS TEXT), 'BANK-PT', 'BANK-XX') AS BLOB)"
    assert scene.write(store_of("NCB-PT"), f"UPDATE events SET lasting = {other} WHERE kind = 'MovedOn'") >= 1
    assert found(scene, DISAGREE, "its lasting half, its digest or its leaf was changed")


def test_a_row_of_the_log_that_nobody_can_read(scene: Scene) -> None:
    assert scene.write(store_of("NCB-PT"), "UPDATE events SET lasting = x'00' WHERE kind = 'MovedOn'") >= 1
    assert found(scene, DISAGREE, "its lasting half, its digest or its leaf was changed")
    assert found(scene, DISAGREE, "what is left cannot be read")


def test_a_log_that_was_cut_behind_a_checkpoint_that_a_peer_keeps(scene: Scene) -> None:
    """Whoever holds the node's key signs any log: only what others keep of it shows that it is shorter."""
    for statement in ("DELETE FROM events WHERE position >= 3", "DELETE FROM checkpoints WHERE size > 3"):
        assert scene.write(store_of("BANK-PT"), statement) >= 1
    assert found(scene, DISAGREE, "BANK-PT: audit: a peer keeps a checkpoint")


def test_a_store_that_cannot_be_read(scene: Scene) -> None:
    (scene.folder / store_of("VASP-LT")).write_bytes(b"no database" * 1000)
    assert [one.what for one in scene.judged()] == [DISAGREE]


def test_two_sides_that_see_another_number(scene: Scene) -> None:
    assert scene.write(store_of("NCB-PT"), "UPDATE conversations SET seen = seen + 1") >= 1
    assert found(scene, DISAGREE, "numbers")


def _forget(scene: Scene, node: str, where: str) -> int:
    """Rows that were never there, as far as the log's own numbers tell."""
    return scene.write(store_of(node), f"DELETE FROM events WHERE {where}")


def _repeat(scene: Scene, node: str, where: str) -> int:
    """The same rows once more, at the end of their cases."""
    columns = "kind, at, rules, lasting, private, salt, private_digest, leaf"
    return scene.write(store_of(node), (
        f"INSERT INTO events (case_id, number, {columns}) SELECT case_id, 1000 + number, {columns} FROM events "
        f"WHERE {where}"))


