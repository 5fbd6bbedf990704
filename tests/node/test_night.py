"""R-94 through real nodes: one officer acts alone under a standing mandate, and a second signs in time, or it ends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from arrp.core.errors import Conflict, NeedsApproval, Refused
from arrp.core.events import Withdraw
from arrp.core.request import Reason
from arrp.node.api import desk_app
from arrp.node.callers import SCOPES, Keys, owner
from arrp.node.keys import OfficerKey, keep_officer_key, key_id
from tests.cli.running import PASSPHRASE, arrp, at_node, data, ok
from tests.conftest import ABOVE_THE_STORE
from tests.node.mouth import receipt_of
from tests.node.night import WHOLE, alone, asked, blocked, came, falls, mine, reported, signs_too
from tests.node.world import LT, PT, START, World, amount, restarted

pytestmark = ABOVE_THE_STORE
ALL = amount(WHOLE).minor


def said_by(world: World, node: str, kind: str) -> list[object]:
    return [event.body for event in world.log(node) if event.kind == kind and event.by == node]


@pytest.mark.parametrize(("to", "holder"), [(LT, "VASP-LT"), (PT, "BANK-PT")], ids=["a holder", "through an authority"])
def test_r94_what_one_officer_sent_is_held_and_stays_when_a_second_signs(world: World, to: str, holder: str) -> None:
    request = alone(world, to)
    assert blocked(world, to) == ALL
    due = mine(world, request).second_by
    assert due == START + timedelta(hours=4)
    world.run(hours=3)
    signs_too(world, request)
    world.run(hours=3)
    assert blocked(world, to) == ALL
    asked_there = mine(world, request, "VASP-LT" if to == LT else "NCB-PT")
    assert (asked_there.by_officers, asked_there.second_by) == (("Ana", "Ben"), None)
    assert not said_by(world, "NCB-ES", "Withdraw")


@pytest.mark.parametrize(("to", "holder"), [(LT, "VASP-LT"), (PT, "BANK-PT")], ids=["a holder", "through an authority"])
def test_r94_nobody_signs_and_it_is_withdrawn_once(world: World, to: str, holder: str) -> None:
    """Not a second early; somebody is called two hours before and again half an hour before; all of it goes free."""
    request = alone(world, to)
    world.run(hours=3, minutes=58)
    assert blocked(world, to) == ALL
    warned = [e.body.to for e in world.log("NCB-ES") if e.kind == "Escalated" and e.body.what.startswith("second ")]
    assert warned == ["duty officer", "second contact"]
    world.run(minutes=3)
    (why,) = said_by(world, "NCB-ES", "Withdraw")
    assert "no second officer" in why.reason  # type: ignore[attr-defined]
    world.run(hours=5)
    assert len(said_by(world, "NCB-ES", "Withdraw")) == 1
    assert blocked(world, to) == 0
    assert mine(world, request).hold.state == "released"  # type: ignore[union-attr]
    with pytest.raises(Refused, match="R-94") as late:
        signs_too(world, request)
    assert late.value.code == "ended"


def test_r94_the_holder_ends_it_when_it_hears_nothing(world: World) -> None:
    """The bureau's node is away when its four hours are over: what it asked does not stand for ever."""
    request = alone(world)
    world.stop("NCB-ES")
    world.run(hours=3, minutes=58)
    assert blocked(world) == ALL
    world.run(minutes=5)
    assert blocked(world) == 0
    there = mine(world, request, "VASP-LT")
    assert (there.hold.state, there.hold.why, there.answer) == ("lapsed", Reason.NOT_SIGNED, "ended")  # type: ignore[union-attr]
    world.start("NCB-ES")
    world.run(minutes=10)
    assert mine(world, request).answer == "ended"


def test_r94_what_could_not_be_delivered_for_four_hours_holds_nothing(world: World) -> None:
    """Both acts wait for a peer that is away; whichever comes first there, nothing is held."""
    falls(world)
    came(world, LT)
    case = reported(world, LT)
    world.post.lose = lambda url, _: "parcel" if "vasp-lt" in url else None
    asked(world, case, LT)
    world.run(hours=5)
    world.post.lose = lambda url, _: None
    world.run(minutes=20)
    assert blocked(world) == 0
    assert not [event for event in world.log("VASP-LT") if event.kind == "HoldPlaced"]


def test_r94_what_comes_after_four_hours_is_not_applied(world: World) -> None:
    """Its act may be applied for three days; its head says four hours, for nobody has signed it a second time."""
    falls(world)
    came(world, LT)
    world.post.lose = lambda url, _: "parcel"
    request = asked(world, reported(world, LT), LT)
    world.settle()
    parcel = next(body for url, body in world.post.sent if url == "http://vasp-lt/parcels")
    assert mine(world, request).not_after == START + timedelta(hours=72)
    world.stop("NCB-ES")
    world.clock.at = START + timedelta(hours=4)
    hearing = world.members["VASP-LT"].hearing
    assert hearing is not None
    assert receipt_of(hearing.parcel(parcel)).code == "expired"
    world.run(minutes=5)
    assert blocked(world) == 0


def test_r94_the_second_signature_survives_a_restart_and_is_not_counted_twice(world: World) -> None:
    request = alone(world)
    restarted(world, "NCB-ES")
    restarted(world, "VASP-LT")
    signs_too(world, request)
    with pytest.raises((Conflict, Refused)):
        signs_too(world, request)
    world.run(minutes=2)
    assert mine(world, request, "VASP-LT").by_officers == ("Ana", "Ben")


def test_r94_r23_the_officer_who_sent_it_is_not_the_second(world: World) -> None:
    request = alone(world)
    with pytest.raises(Refused, match="another officer must") as twice:
        signs_too(world, request, "Ana")
    assert twice.value.code == "four-eyes"
    assert mine(world, request).second_by is not None


def test_r94_r14_the_loss_act_counts_with_one_signature_under_it(world: World) -> None:
    """Without a standing mandate that lets one act, one signature over the loss act opens nothing."""
    came(world, LT)
    asked(world, reported(world, LT), LT)
    world.run(minutes=2)
    assert [e.body.code for e in world.log("VASP-LT") if e.kind == "ActRefused"] == ["no-loss"]
    assert blocked(world) == 0


def test_r94_r47_an_officer_withdraws_what_waits_for_a_signature(world: World) -> None:
    request = alone(world)
    world.officer("NCB-ES", "withdraw", Withdraw("wrong report"), request=request, by=("Ana",))
    world.run(minutes=2)
    assert blocked(world) == 0
    world.run(hours=5)
    assert len(said_by(world, "NCB-ES", "Withdraw")) == 1


# --- as officers do it ------------------------------------------------------------------------------------------


@pytest.fixture
def keys(world: World, tmp_path: Path) -> dict[str, Path]:
    """Each officer's own key file."""
    found = {name: tmp_path / f"{name}.pem" for name in ("Ana", "Ben")}
    for name, path in found.items():
        key = world.members["NCB-ES"].officers[name]
        keep_officer_key(path, OfficerKey(key, key_id(key.public_key())), PASSPHRASE)
    return found


def test_r94_on_the_command_line(world: World, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana sends alone: it leaves, and she is told who must do what by when (exit code 7). Ben finds it and signs."""
    falls(world)
    came(world, LT)
    case = reported(world, LT)
    at_node(monkeypatch, desk_app(world.service("NCB-ES"), None, owner))
    monkeypatch.setenv("ARRP_HOME", str(world.folder))
    ana, ben = (("--officer", name, "--key", keys[name]) for name in ("Ana", "Ben"))
    sent = arrp("request", "send", case, "--amount", WHOLE, *ana)
    assert sent.exit_code == NeedsApproval.exit_code, sent.stderr
    assert "signed by Ana alone, under its standing mandate; a second officer signs by 02 Mar 13:00 UTC" in sent.stderr
    assert "has 1 of 2 signatures, has left, and is withdrawn at 2026-03-02T13:00Z" in " ".join(sent.stderr.split())
    request = next(line.split()[1] for line in sent.stdout.splitlines() if line.startswith("request "))
    world.run(minutes=1)
    assert blocked(world) == ALL
    assert "a second officer signs by 2026-03-02T13:00Z, or it ends" in ok("request", "show", request)
    assert "a second officer signs by 2026-03-02T13:00Z, or it ends" in ok("case", "show", case)
    waiting = next(row for row in data("draft", "list") if row["request"] == request)
    assert (waiting["signed"], waiting["needs"], waiting["second_by"][:16]) == (["Ana"], 2, "2026-03-02T13:00")
    assert "2026-03-02T13:00" in ok("draft", "list")
    assert "Request (Request)" in ok("draft", "show", waiting["act"])
    assert arrp("approve", waiting["act"], *ana).exit_code == Refused.exit_code
    ok("approve", waiting["act"], *ben)
    assert [row for row in data("draft", "list") if row["request"] == request] == []
    assert "a second officer" not in ok("request", "show", request)
    world.run(hours=5)
    assert blocked(world) == ALL


def test_r94_over_v1(world: World) -> None:
    """The same for officers' own systems: what waits is a draft like any other, with its instant."""
    request = alone(world)
    key = Keys(world.service("NCB-ES")).make("Ben", SCOPES, 30)["key"]
    app = desk_app(world.service("NCB-ES"), None, Keys(world.service("NCB-ES")).identify)
    ben = TestClient(app, "http://node/v1", headers={"authorization": f"Bearer {key}"})
    first = ben.get("/drafts").json()[0]
    assert (first["request"], first["needs"], first["signed"]) == (request, 2, ["Ana"])
    assert first["second_by"] == (START + timedelta(hours=4)).isoformat()
    draft = ben.get(f"/drafts/{first['act']}").json()
    signed = world.signature("NCB-ES", "Ben", draft["act_hash"])
    said = {"officer": "Ben", "key": signed.key, "algorithm": signed.algorithm, "signature": signed.signature}
    answer = ben.post("/approvals", json={"id": "b1", "act": first["act"], "approval": said})
    assert answer.status_code == 200
    assert ben.post("/approvals", json={"id": "b1", "act": first["act"], "approval": said}).json() == answer.json()
    assert "two officers stand behind it" in " ".join(answer.json()["said"])
    assert request not in {row["request"] for row in ben.get("/drafts").json()}
    world.run(minutes=1)
    assert mine(world, request, "VASP-LT").second_by is None
