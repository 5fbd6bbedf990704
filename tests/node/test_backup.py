"""A store as one sealed file and back, on either engine and across them; nothing half, nothing unseen (R-29, R-60)."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from arrp.core.errors import ArrpError, Conflict, Corrupt, Malformed, Refused
from arrp.node.backup import Known, backup, erased_before, restore
from arrp.node.files import Files
from arrp.node.store import erasing, recovering
from arrp.node.store.engine import Store
from arrp.node.store.tables import schema
from arrp.node.verify import verify
from tests.node.life import LIFE, live
from tests.node.world import World

PASSPHRASE = "correct horse"
MARKS = ("peers", "meta")  # a restored store is marked there: it has to ask what it said


def taken(world: World, node: str = "BANK-PT") -> bytes:
    file = BytesIO()
    backup(world.stores[node], node, file, PASSPHRASE, world.clock)
    return file.getvalue()


def known(world: World, node: str = "BANK-PT", erased: tuple[str, ...] = ()) -> Known:
    return Known(node, tuple(peer for peer in world.members if peer != node), erased, world.clock.at)


def rows(url: str) -> dict[str, list[Any]]:
    store = Store(url)
    with store.reading() as connection:
        found = {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                 for table in schema.sorted_tables if table.name not in MARKS}
    store.close()
    return found


def test_every_row_comes_back_and_the_log_verifies(world: World, new_store: Callable[[], str]) -> None:
    live(world, LIFE[:6])
    data, url = taken(world), new_store()
    found = restore(BytesIO(data), url, PASSPHRASE, known(world))
    assert rows(url) == rows(world.stores["BANK-PT"])
    assert verify(url, world.service("BANK-PT").node.directory, "BANK-PT").problems == ()
    assert found.manifest.node == "BANK-PT"
    assert found.manifest.checkpoint is not None


def test_a_backup_of_one_engine_goes_into_the_other(world: World, tmp_path: Path, postgres_url: str,
                                                    request: pytest.FixtureRequest) -> None:
    live(world, LIFE[:4])
    server = request.getfixturevalue("postgres")
    is_sqlite = world.stores["BANK-PT"].startswith("sqlite")
    url = server.create("other") if is_sqlite else f"sqlite:///{tmp_path / 'other.db'}"
    try:
        restore(BytesIO(taken(world)), url, PASSPHRASE, known(world))
        assert rows(url) == rows(world.stores["BANK-PT"])
        store = Store(url)  # it can be written to: PostgreSQL goes on numbering where the rows end
        with store.writing() as connection:
            connection.exec_driver_sql(
                "INSERT INTO outbox (peer, request, number, act_hash, kind, urgency, head, attached, state, due_at,"
                " tries, problems) SELECT peer, request, 99, act_hash, kind, urgency, head, attached, state, due_at,"
                " tries, problems FROM outbox LIMIT 1")
        store.close()
    finally:
        if is_sqlite:
            server.drop("other")


def test_r29_a_restored_store_starts_as_recovering(world: World, new_store: Callable[[], str]) -> None:
    live(world, LIFE[:4])
    url = new_store()
    restore(BytesIO(taken(world)), url, PASSPHRASE, known(world))
    store = Store(url)
    with store.reading() as connection:
        state = recovering.state(connection)
    store.close()
    assert state.is_on
    assert (state.epoch, state.due) == (2, {"NCB-ES", "NCB-PT", "VASP-LT"})


@pytest.mark.parametrize(("place", "why"), [(-1, Refused), (200, ArrpError), (5000, ArrpError)])
def test_one_changed_byte_and_nothing_is_restored(world: World, new_store: Callable[[], str], place: int,
                                                  why: type[ArrpError]) -> None:
    live(world, LIFE[:4])
    data, url = bytearray(taken(world)), new_store()
    data[place] ^= 1
    with pytest.raises(why):
        restore(BytesIO(bytes(data)), url, PASSPHRASE, known(world))
    assert not any(rows(url).values())


def test_what_is_cut_foreign_or_not_a_backup_is_refused(world: World, new_store: Callable[[], str]) -> None:
    live(world, LIFE[:4])
    data, url = taken(world), new_store()
    header = data.index(b"\n") + 1
    for broken, why in ((data[:-40], Refused), (data[:header], Corrupt), (b"{}\n", Malformed), (b"", Malformed)):
        with pytest.raises(why):
            restore(BytesIO(broken), url, PASSPHRASE, known(world))
    with pytest.raises(Refused, match="passphrase"):
        restore(BytesIO(data), url, "another", known(world))
    with pytest.raises(Refused, match="of BANK-PT, the home is of VASP-LT"):
        restore(BytesIO(data), url, PASSPHRASE, known(world, "VASP-LT"))
    with pytest.raises(Refused, match="needs a passphrase"):
        backup(world.stores["BANK-PT"], "BANK-PT", BytesIO(), " ", world.clock)
    assert not any(rows(url).values())


def test_a_store_that_is_not_empty_is_left_alone(world: World) -> None:
    live(world, LIFE[:4])
    before = rows(world.stores["VASP-LT"])
    with pytest.raises(Conflict, match="not empty"):
        restore(BytesIO(taken(world)), world.stores["VASP-LT"], PASSPHRASE, known(world))
    assert rows(world.stores["VASP-LT"]) == before


def test_a_backup_holds_nothing_in_clear(world: World) -> None:
    live(world, LIFE[:6])
    data = taken(world)
    for told in (b"Trading", b"Victim", b"PT50000201231234567890154", b"HoldPlaced", b"NCB-ES", b"BANK-PT"):
        assert told not in data


def test_r60_what_was_erased_since_is_erased_again(world: World, new_store: Callable[[], str], tmp_path: Path) -> None:
    """The backup knows the loss by name; the list beside the store knows that it was erased."""
    live(world, LIFE)
    data, url = taken(world, "NCB-ES"), new_store()
    (case,) = world.cases("NCB-ES")
    files = Files(tmp_path / "documents")
    store = world.service("NCB-ES").node.store
    with store.writing() as connection:
        files.note_erased(erasing.erase(connection, case.id, case.requests).cases)
    assert erased_before(files.erased) == (case.id,)
    found = restore(BytesIO(data), url, PASSPHRASE, known(world, "NCB-ES", (*erased_before(files.erased), "unknown")))
    assert (found.erased, found.still_open) == ((case.id,), ())
    stored = rows(url)
    assert not [row for row in stored["events"] if b"Victim" in repr(row).encode() or b"Trading" in repr(row).encode()]
    assert stored["events"] == rows(world.stores["NCB-ES"])["events"]


def test_r60_what_is_open_in_the_backup_is_told_and_not_torn(world: World, new_store: Callable[[], str]) -> None:
    live(world, LIFE[:6])
    (case,) = world.cases("NCB-ES")
    found = restore(BytesIO(taken(world, "NCB-ES")), new_store(), PASSPHRASE, known(world, "NCB-ES", (case.id,)))
    assert (found.erased, found.still_open) == ((), (case.id,))
