"""T18, R-60, R-64: what was done to a stored log is found, by a reader that shares nothing with its writer."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from arrp.core.errors import Refused
from arrp.core.events import Erased
from arrp.core.messages import Checkpoint
from arrp.core.step import Command
from arrp.core.sums import money
from arrp.node import verify as verify_module
from arrp.node.directory import Directory
from arrp.node.store import work
from arrp.node.verify import Report, verify
from arrp.wire.audit import root
from arrp.wire.envelope import sign
from tests.node.life import LIFE, NODES, count, live, the_loss, view
from tests.node.shelf import Shelf
from tests.node.world import World

ME = "BANK-PT"
Harm = Callable[[World, Connection], object]


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


def audited(world: World, node: str = ME, witnesses: tuple[str, ...] = ()) -> Report:
    directory = Directory(member.participant for member in world.members.values())
    return verify(world.stores[node], directory, node, witnesses)


def kept_of(world: World, node: str) -> tuple[str, ...]:
    """The checkpoints of `node` that its peers keep."""
    found = []
    for peer in NODES:
        if peer != node:
            with world.service(peer).node.store.reading() as connection:
                found += [jws for of, jws, _ in work.kept_checkpoints(connection) if of == node]
    assert found
    return tuple(found)


def sql(*statements: str) -> Harm:
    def harm(_: World, connection: Connection) -> None:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement

    return harm


def _resigned(world: World, connection: Connection) -> None:
    """The newest half of the events goes, and the node's own key signs a tree that fits what is left."""
    cut = sql(
        "DELETE FROM events WHERE position >= (SELECT max(position) / 2 FROM events)",
        "UPDATE cases SET version = (SELECT count(*) FROM events WHERE case_id = cases.id)",
        "DELETE FROM checkpoints WHERE size > (SELECT count(*) FROM events)",
        "UPDATE meta SET value = value WHERE name = 'frontier'",
    )
    cut(world, connection)
    leaves = [bytes(r.leaf) for r in connection.execute(text("SELECT leaf FROM events ORDER BY position"))]
    keys = world.members[ME].keys
    at = connection.execute(text("SELECT max(at) FROM checkpoints")).scalar()
    shown = Checkpoint(ME, len(leaves), root(leaves).hex(), world.clock.at)
    micros = int((world.clock.at.timestamp()) * 1_000_000)
    assert at is not None
    connection.execute(text("DELETE FROM checkpoints WHERE size = :size"), {"size": shown.size})
    connection.execute(text("INSERT INTO checkpoints VALUES (:size, :root, :at, :jws)"), {
        "size": shown.size, "root": shown.root, "at": micros, "jws": sign(shown, keys.signing, keys.signing_id)})
    connection.execute(text("DELETE FROM meta WHERE name = 'frontier'"))


def _leaf_fitted(world: World, connection: Connection) -> None:
    """An edit by somebody who knows how leaves are made."""
    row = connection.execute(text("SELECT id, lasting, private_digest FROM events WHERE kind = 'HoldPlaced'")).one()
    lasting = bytes(row.lasting).replace(b"62000.00", b"02000.00")
    assert lasting != bytes(row.lasting)
    leaf = sha256(b"\0" + lasting + bytes(row.private_digest)).digest()
    connection.execute(text("UPDATE events SET lasting = :lasting, leaf = :leaf WHERE id = :id"),
                       {"lasting": lasting, "leaf": leaf, "id": row.id})


def _bytes_changed(column: str, table: str, where: str) -> Harm:
    def harm(_: World, connection: Connection) -> None:
        row = connection.execute(text(f"SELECT {column} AS data FROM {table} WHERE {where} LIMIT 1")).one()
        data = bytes(row.data)
        changed = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]
        connection.execute(text(f"UPDATE {table} SET {column} = :new WHERE {column} = :old"),
                           {"new": changed, "old": data})

    return harm


# What is done to the store, and a part of what must be said about it.
HARMS: dict[str, tuple[Harm, str]] = {
    "edit the lasting half": (_bytes_changed("lasting", "events", "kind = 'HoldPlaced'"), "was changed"),
    "edit it, and the leaf to fit": (_leaf_fitted, "not the one that was signed"),
    "edit the private half": (_bytes_changed("private", "events", "kind = 'Request'"), "private half was changed"),
    "edit the leaf": (_bytes_changed("leaf", "events", "number = 2"), "leaf was changed"),
    "edit the instant": (sql("UPDATE events SET at = at - 1 WHERE kind = 'HoldPlaced'"), "not what its lasting half"),
    "delete in the middle": (sql("DELETE FROM events WHERE kind = 'HoldPlaced'"), "rows are missing"),
    "delete, and close the gap": (
        sql("DELETE FROM events WHERE kind = 'HoldConfirmed'",
            "UPDATE events SET position = -position - 1 WHERE position > (SELECT count(*) FROM events) / 2"),
        "Restore a backup"),
    "swap two events": (
        sql("UPDATE events SET position = -1 WHERE position = 3", "UPDATE events SET position = 3 WHERE position = 4",
            "UPDATE events SET position = 4 WHERE position = -1"), "not the one that was signed"),
    "cut the end": (sql("DELETE FROM events WHERE position >= (SELECT max(position) FROM events)"), "has only"),
    "cut the end and its checkpoint": (
        sql("DELETE FROM events WHERE position >= (SELECT max(position) FROM events)",
            "DELETE FROM checkpoints WHERE size > (SELECT count(*) FROM events)"), "the last ones are missing"),
    "exchange the root": (sql("UPDATE checkpoints SET root = 'ab' WHERE size = (SELECT max(size) FROM checkpoints)"),
                          "not what was signed"),
    "forge a checkpoint": (sql("UPDATE checkpoints SET jws = (SELECT jws FROM checkpoints ORDER BY size LIMIT 1) WHERE"
                               " size = (SELECT max(size) FROM checkpoints)"), "not what was signed"),
    "take a checkpoint away": (sql("DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)"),
                               "nobody signed"),
    "edit an act": (_bytes_changed("bytes", "acts", "kind = 'Request'"), "its bytes were changed"),
    "edit an approval": (sql("UPDATE acts SET approvals = (SELECT approvals FROM acts WHERE kind = 'Loss' LIMIT 1)"
                             " WHERE kind = 'Decide'"), "nobody knows now"),
    "take a sent act away": (sql("DELETE FROM outbox WHERE number = 2"), "acts were sent"),
    "take a heard act away": (sql("DELETE FROM inbox WHERE number = 1"), "acts were heard"),
    "exchange a receipt": (sql("UPDATE outbox SET receipt = (SELECT receipt FROM outbox WHERE number = 1)"
                               " WHERE number = 2"), "receipt is for another act"),
    "pretend delivery": (sql("UPDATE outbox SET receipt = NULL WHERE number = 2"), "there is no receipt"),
    "erase an open case": (sql("UPDATE events SET private = NULL, salt = NULL"), "was erased though"),
    "break the writer's memory": (sql("UPDATE meta SET value = '1 ' || value WHERE name = 'frontier'"), "goes on from"),
}


def harmed(world: World, harm: Harm) -> None:
    """By somebody who can write to the database and knows nothing of our code."""
    engine = create_engine(world.stores[ME])
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        harm(world, connection)
    engine.dispose()


def test_t18_whatever_is_done_to_the_log_is_found(world: World, shelf: Shelf) -> None:
    live(world, LIFE[:8])
    for node in NODES:
        report = audited(world, node, kept_of(world, node))
        assert report.problems == (), node
        assert report.leaves == count(world, node, "SELECT count(*) FROM events")
        assert report.checkpoints > 3
    saved = shelf.save("good", [ME])
    for name, (harm, said) in HARMS.items():
        harmed(world, harm)
        problems = audited(world).problems
        assert any(said in problem for problem in problems), f"{name}: {problems}"
        shelf.restore(saved, [ME])
        assert audited(world).problems == (), f"after {name}"


def test_t18_a_tree_that_was_cut_and_signed_again_is_caught_by_what_peers_keep(world: World) -> None:
    live(world, LIFE[:6])
    witnesses = kept_of(world, ME)
    harmed(world, _resigned)
    assert audited(world).problems == (), "the node's own word is worth little"
    assert any("was cut" in problem or "rewritten" in problem for problem in audited(world, ME, witnesses).problems)


def test_t18_an_old_backup_is_caught_by_what_peers_keep(world: World, shelf: Shelf) -> None:
    live(world, LIFE[:4])
    old = shelf.save("old", [ME])
    live(world, LIFE[4:7])
    witnesses = kept_of(world, ME)
    shelf.restore(old, [ME])
    assert audited(world).problems == ()
    assert any("old backup" in problem for problem in audited(world, ME, witnesses).problems)


def test_a_checkpoint_that_is_not_ours_is_no_witness(world: World) -> None:
    live(world, LIFE[:4])
    others = kept_of(world, "NCB-PT")
    assert any("it is of NCB-PT" in problem for problem in audited(world, ME, others).problems)


def test_r60_an_erased_case_folds_to_the_same_and_verifies(world: World) -> None:
    live(world, LIFE)
    before = view(world)
    case = the_loss(world)
    erase(world, case.id)
    world.stop("NCB-ES")
    world.start("NCB-ES")
    (after,) = world.cases("NCB-ES")
    assert after.state == "erased"
    assert money(after) == replace(money(case))  # type: ignore[type-var]
    assert {r.id: (r.terms, r.hold and r.hold.state) for r in after.requests.values()} == {
        r.id: (r.terms, r.hold and r.hold.state) for r in case.requests.values()}
    assert view(world)["talks"] == before["talks"]
    assert audited(world, "NCB-ES", kept_of(world, "NCB-ES")).problems == ()
    for column, table in (("private", "events"), ("salt", "events"), ("bytes", "acts"), ("waiting", "inbox")):
        only = " AND kind NOT IN ('Mandate', 'Loss')" if table == "acts" else ""
        assert count(world, "NCB-ES", f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL{only}") == 0
    for secret in ("Victim Ltd", "ES9121000418450200051332", "PT50000201231234567890154"):
        assert secret not in _everything(world, "NCB-ES"), secret


def test_r60_an_open_case_is_not_erased(world: World) -> None:
    live(world, LIFE[:6])
    with pytest.raises(Refused, match="only a closed case is erased"):
        erase(world, the_loss(world).id)


def erase(world: World, case: str) -> None:
    world.service("NCB-ES").command(Command("erase it", "erase", "Ana", None, Erased("GDPR art. 17")), case)


def _everything(world: World, node: str) -> str:
    """All rows of all tables as one text."""
    said: list[object] = []
    with world.service(node).node.store.reading() as connection:
        for table in ("events", "acts", "inbox", "outbox", "cases", "conversations", "joins", "given", "meta"):
            rows = connection.execute(text(f"SELECT * FROM {table}")).all()
            said += [value for row in rows for value in row]
    return "\n".join(bytes(v).decode("latin-1") if isinstance(v, bytes | memoryview) else str(v) for v in said)


def test_the_verifier_shares_nothing_with_the_writer() -> None:
    tree = ast.parse(Path(verify_module.__file__).read_text())
    asked = {f"{node.module}.{name.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             for name in node.names}
    assert not {name for name in asked if name.startswith(("arrp.wire.audit", "arrp.node.store", "arrp.wire.codec"))}
