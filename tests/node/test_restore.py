"""F23, R-28, R-29: a node that lost its last rows is told again what it had said and heard; nothing is doubled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arrp.core.errors import Refused, Unreachable
from arrp.core.messages import ConversationState, Outcome, StateExchange
from arrp.core.wishes import Keep, NamePayee, Withdraw
from arrp.node.files import Files
from arrp.node.verify import verify
from arrp.wire.codec import loads
from arrp.wire.copies import Copies
from arrp.wire.envelope import Content, open_parcel, sign
from tests.conftest import ABOVE_THE_STORE
from tests.node.life import LIFE, NODES, SECRET, about, count, live, rest, view
from tests.node.mouth import ASKED, asked_on_paper_only
from tests.node.restored import Cell, Lives, cells, plain, told
from tests.node.shelf import Shelf
from tests.node.world import ES, PT, World


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


def test_r28_what_was_receipted_and_lost_is_sent_again(world: World, shelf: Shelf) -> None:
    """The exchange is restored to the day before the payee was named."""
    live(world, LIFE[:7])
    old = shelf.save("old", ["VASP-LT"])
    live(world, LIFE[7:8])
    after = view(world)
    shelf.restore(old, ["VASP-LT"])
    assert view(world) != after
    world.run(minutes=6)
    rest(world)
    assert view(world) == after
    live(world, LIFE[8:])
    assert view(world)["core"]["VASP-LT"][0] == [("lt-1", 0, "returned")]


def test_r28_a_refused_act_fills_its_number_again(world: World, shelf: Shelf) -> None:
    """What was refused was heard too: without it the restored node would wait for ever."""
    live(world, LIFE[:7])
    old = shelf.save("old", ["VASP-LT"])
    live(world, LIFE[7:8])
    with world.service("NCB-ES").node.store.writing() as connection:
        connection.exec_driver_sql("UPDATE outbox SET state = 'refused' WHERE kind = 'NamePayee' AND peer = 'VASP-LT'")
    shelf.restore(old, ["VASP-LT"])
    world.run(minutes=6)
    assert count(world, "VASP-LT", "SELECT count(*) FROM inbox WHERE number = 2 AND outcome = 'applied'") == 1


@ABOVE_THE_STORE
def test_r28_no_peer_is_doubled_when_states_are_compared_all_the_time(world: World) -> None:
    live(world, LIFE[:6])
    before = view(world)
    for _ in range(3):
        for node in NODES:
            for peer in NODES:
                if peer != node:
                    world.members[node].worker.delivery.compare(peer)  # type: ignore[union-attr]
        rest(world)
    assert view(world) == before


def test_f23_a_restored_holder_holds_nothing_twice(world: World, shelf: Shelf) -> None:
    """The bank's node goes back to before it placed the hold; its core did not."""
    live(world, LIFE[:3])
    old = shelf.save("old", ["BANK-PT"])
    live(world, LIFE[3:4])
    held = world.core("BANK-PT").balance("pt-1").held
    shelf.restore(old, ["BANK-PT"])
    world.run(minutes=6)
    assert world.core("BANK-PT").balance("pt-1").held == held
    assert len(world.core("BANK-PT").holds()) == 1


def test_f23_a_restored_holder_goes_on_where_it_was(world: World, shelf: Shelf) -> None:
    live(world, LIFE[:3])
    old = shelf.save("old", ["BANK-PT"])
    live(world, LIFE[3:4])
    shelf.restore(old, ["BANK-PT"])
    world.run(minutes=6)
    live(world, LIFE[4:])
    assert view(world)["core"]["BANK-PT"][0] == [("pt-1", 0, "returned")]


@ABOVE_THE_STORE
def test_r28_a_stale_or_misdirected_exchange_changes_nothing(world: World) -> None:
    mouth, parcel = asked_on_paper_only(world)
    assert mouth.deliver(parcel).outcome is Outcome.APPLIED
    world.settle()
    hearing = world.members["VASP-LT"].hearing
    assert hearing is not None
    stale = hearing.exchange.ask("NCB-PT")
    with pytest.raises(Exception, match="for NCB-PT"):
        world.members["BANK-PT"].hearing.exchange.hear(stale)  # type: ignore[union-attr]
    assert mouth.say("Keep", Keep(ASKED, True)).outcome is Outcome.APPLIED


# --- a whole rehearsal: yesterday's backup, whichever node, whatever was lost (R-29) ---------------------

@pytest.fixture(scope="module")
def sample() -> list[Cell]:
    """A few of what `make kills ARGS=--restored` takes whole: each node, short losses and long ones."""
    return cells(*NODES)[::37]


def test_r29_a_node_from_an_old_backup_goes_on_as_if_nothing_had_been(world: World, shelf: Shelf, sample: list[Cell]
                                                                      ) -> None:
    """No released hold comes back, nothing is said twice, what is missing returns, both sides and the bank agree:
    the same states, sums, numbers and books as in the life in which nothing was lost; one of them lives to its end."""
    lives = Lives(world, shelf)
    last = sample[len(sample) // 2]
    assert {cell.node for cell in sample} == set(NODES)
    assert {str(cell): found for cell in sample
            if (found := lives.differs(cell, to_the_end=cell is last)) is not None} == {}


def test_r28_who_forgot_what_it_said_takes_it_back_before_it_hears_more(world: World, shelf: Shelf) -> None:
    """The other side has closed its case, and so names no conversation: it still does not speak on into a gap."""
    assert Lives(world, shelf).differs(Cell("VASP-LT", 8, 14, is_told=False)) is None


def test_r29_what_was_released_is_not_held_again(world: World, shelf: Shelf) -> None:
    """The bank held, was told to let go and did; its backup knows that it held."""
    live(world, LIFE[:4])
    old = shelf.save("old", ["BANK-PT"])
    world.officer("NCB-ES", "withdraw", Withdraw("a mistake"), request=about(world, "NCB-ES", PT).id, by=("Ana",))
    rest(world)
    after = plain(world)
    assert world.core("BANK-PT").holds() == ()
    shelf.restore(old, ["BANK-PT"])
    world.run(minutes=90)
    assert world.core("BANK-PT").holds() == ()
    assert plain(world)["talks"] == after["talks"]
    assert [r.hold and r.hold.state for case in world.cases("BANK-PT") for r in case.requests.values()] == ["released"]


@ABOVE_THE_STORE
def test_r29_a_silent_peer_delays_nobody_and_is_asked_when_it_is_back(world: World, shelf: Shelf) -> None:
    live(world, LIFE[:4])
    old = shelf.save("old", ["NCB-ES"])
    live(world, LIFE[4:6])
    after = plain(world)
    world.stop("VASP-LT")
    shelf.restore(old, ["NCB-ES"])
    told(world, "NCB-ES")
    world.run(minutes=14)
    with pytest.raises(Unreachable, match="R-29"):
        _payee(world)
    world.run(minutes=2)
    assert world.service("NCB-ES").recovering.owing == {"VASP-LT"}
    _payee(world)
    world.start("VASP-LT")
    world.run(minutes=6)
    assert not world.service("NCB-ES").recovering.owing
    assert plain(world)["talks"]["VASP-LT"] == after["talks"]["VASP-LT"]


def _payee(world: World) -> None:
    body = NamePayee("DEBTOR", None, False, SECRET, ES, "Victim Ltd")
    world.officer("NCB-ES", "payee", body, request=about(world, "NCB-ES", PT).id, by=("Ana", "Ben"))


@ABOVE_THE_STORE
def test_r29_while_it_recovers_only_what_gives_back_is_heard(world: World) -> None:
    mouth, parcel = asked_on_paper_only(world)
    assert mouth.deliver(parcel).outcome is Outcome.APPLIED
    world.settle()
    told(world, "VASP-LT")
    with pytest.raises(Unreachable, match="recovering"):
        mouth.say("Keep", Keep(ASKED, True))
    mouth.said -= 1
    assert mouth.say("Withdraw", Withdraw("it was a mistake"), by=("Ana",)).outcome is Outcome.APPLIED
    world.run(minutes=16)
    assert world.core("VASP-LT").holds() == ()


@ABOVE_THE_STORE
def test_r29_a_bare_number_is_only_an_anomaly_of_the_peer(world: World) -> None:
    live(world, LIFE[:4])
    exchange = world.members["BANK-PT"].hearing.exchange  # type: ignore[union-attr]
    claimed = StateExchange(1, "NCB-PT", "BANK-PT", world.clock.at, "", "", (
        ConversationState(about(world, "BANK-PT", PT).id, 1, 99),))
    keys = world.members["NCB-PT"].keys
    exchange.hear(sign(claimed, keys.signing, keys.signing_id))
    world.run(minutes=1)
    lost = world.service("BANK-PT").recovering
    assert (lost.is_on, lost.epoch, lost.owing) == (False, 1, frozenset())
    assert count(world, "BANK-PT", "SELECT count(*) FROM peers WHERE anomaly IS NOT NULL") == 1


@ABOVE_THE_STORE
def test_r28_an_old_exchange_is_not_heard_again(world: World) -> None:
    live(world, LIFE[:4])
    old = world.members["NCB-PT"].hearing.exchange.ask("BANK-PT")  # type: ignore[union-attr]
    world.run(minutes=6)
    with pytest.raises(Refused, match="newer"):
        world.members["BANK-PT"].hearing.exchange.hear(old)  # type: ignore[union-attr]


def test_r28_a_conversation_that_is_not_named_is_not_sent_again(world: World) -> None:
    """Its case is closed there: that is no loss."""
    live(world, LIFE)
    nothing = StateExchange(1, "NCB-ES", "NCB-PT", world.clock.at, "", "", ())
    keys = world.members["NCB-ES"].keys
    world.members["NCB-PT"].hearing.exchange.hear(sign(nothing, keys.signing, keys.signing_id))  # type: ignore[union-attr]
    assert count(world, "NCB-PT", "SELECT count(*) FROM outbox WHERE state = 'queued'") == 0


@ABOVE_THE_STORE
def test_r29_copies_go_to_whom_they_were_said_and_open_for_nobody_else(world: World) -> None:
    live(world, LIFE[:4])
    asked = StateExchange(1, "NCB-ES", "NCB-PT", world.clock.at, "", "", ())
    keys = world.members["NCB-ES"].keys
    hearing = world.members["NCB-PT"].hearing
    assert hearing is not None
    page = loads(Copies, hearing.exchange.copies(sign(asked, keys.signing, keys.signing_id)))
    assert page.done
    assert len(page.copies) >= 1
    for copy in page.copies:
        assert isinstance(open_parcel(copy.act.encode(), keys.sealing, "NCB-ES"), Content)
        with pytest.raises(Refused):
            open_parcel(copy.act.encode(), world.members["BANK-PT"].keys.sealing, "NCB-ES")
    other = world.members["BANK-PT"].keys
    with pytest.raises(Refused):
        hearing.exchange.copies(sign(asked, other.signing, other.signing_id))


def test_r60_what_was_erased_after_the_backup_is_erased_again_as_soon_as_it_is_closed(
    world: World, shelf: Shelf, tmp_path: Path
) -> None:
    """The list beside the store is all that knows of it. An open case is a person's first; nothing of it is torn."""
    files = Files(tmp_path / "home" / "documents")
    files.folder.mkdir(parents=True)
    live(world, LIFE[:6])
    open_, (case,) = shelf.save("open", ["NCB-ES"]), world.cases("NCB-ES")
    live(world, LIFE[6:])
    closed = shelf.save("closed", ["NCB-ES"])
    files.note_erased([case.id, "unknown"])
    for saved, steps in ((closed, ()), (open_, LIFE[12:])):
        shelf.restore(saved, ["NCB-ES"])
        service = world.service("NCB-ES")
        service.node = replace(service.node, files=files)
        told(world, "NCB-ES")
        world.run(minutes=3)
        if steps:
            (again,) = world.cases("NCB-ES")
            assert (again.state, f"erased before {case.id}" in again.escalated) == ("open", True)
            live(world, steps)
        world.run(minutes=2)
        private = f"SELECT count(*) FROM events WHERE case_id = '{case.id}' AND private IS NOT NULL"
        assert (world.cases("NCB-ES")[0].state, count(world, "NCB-ES", private)) == ("erased", 0)
        assert verify(world.stores["NCB-ES"], service.node.directory, "NCB-ES").problems == ()
