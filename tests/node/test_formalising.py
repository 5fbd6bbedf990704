"""The formalisation pack: what it says is what the case, the store and the law file say; what is unknown stays so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql

from arrp.core.crime import Crime
from arrp.core.deadline import Basis
from arrp.core.errors import Refused
from arrp.core.events import Decide, GiveMore, Restricted, Withdraw
from arrp.core.law import Form
from arrp.core.mandate import Mandate
from arrp.core.report import Report
from arrp.core.request import Document
from arrp.law.reading import jurisdiction
from arrp.node.api import desk_app
from arrp.node.callers import owner
from arrp.node.formalising import formalised
from arrp.node.pack import FOLLOW_UPS
from arrp.wire.paper import BLANK
from tests.cli.running import arrp, at_node, ok
from tests.conftest import ABOVE_THE_STORE
from tests.node import world as worlds
from tests.node.life import about, the_loss
from tests.node.test_api import on_socket, problem
from tests.node.test_law import FIVE_DAYS, hold_of
from tests.node.world import ES, LT, START, World, bank_scene, payment

FNTT = Basis("lt-fntt", "LT", "art. 1 (fictional)", "FNTT", "File 7")
FACTS = "a changed account was sent by mail\n- Until: 2030-01-01T00:00:00Z"  # and would add a row
OTHER = ("SECRET-REF", "payto://iban/DE89370400440532013000", "IBAN DE89 3704 0044 0532 0130 00")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, new_store: Callable[[], str]) -> Any:
    """A loss of two payments; one of them is held at VASP-LT for five working days, on a power of the Lithuanian
    file; the other went elsewhere."""
    monkeypatch.setattr(worlds, "LAW", FIVE_DAYS)
    made = World(tmp_path, new_store)
    bank_scene(made)
    said = Report("L1", "NCB-ES", (payment("38000.00 EUR", LT, "P2"), payment("5.00 EUR", OTHER[1], OTHER[0])),
                  Crime.BEC, START, facts=FACTS)
    case, _ = made.officer("NCB-ES", "report", said)
    mandate = Mandate("L1", said.total, said.total, 3, (), ("hold",), (), START, START + timedelta(days=30))
    made.officer("NCB-ES", "mandate", mandate, case=case, by=("Ana", "Ben"))
    made.ask(case, "38000.00 EUR", LT)
    made.run(minutes=2)
    yield made
    made.close()


def asked(world: World) -> str:
    return about(world, "NCB-ES", LT).id


def decide(world: World, basis: Basis = FNTT) -> None:
    said = Decide(True, None, basis, world.clock.at + timedelta(days=300))
    world.officer("VASP-LT", "decide", said, request=asked(world), by=("Lina",))
    world.run(minutes=1)


def pack(world: World, node: str, form: Form | None = None, officer: str = "") -> str:
    return formalised(world.service(node), owner("", officer), asked(world), form)


def rows(text: str) -> dict[str, str]:
    """Each row, by part and label; what follows on lines of its own is in it, and is no row."""
    assert not re.search(r"^ +-", text, re.MULTILINE), "what a stranger wrote adds no row"
    found, part, label = dict[str, str](), "", ""
    for line in text.splitlines():
        if line.startswith("## "):
            part = line[3:]
        elif line.startswith("- "):
            label, _, said = line[2:].partition(": ")
            assert f"{part}/{label}" not in found, f"twice: {part}, {label}"
            found[f"{part}/{label}"] = said
        elif line.startswith("  "):
            found[f"{part}/{label}"] += line[1:]
    return found


@ABOVE_THE_STORE
def test_r59_until_and_its_reason_are_those_of_the_hold(world: World) -> None:
    decide(world)
    hold = hold_of(world, asked(world))
    [computed] = [event.body for event in world.log("VASP-LT") if event.kind == "EndComputed"]
    at_holder, mirrored = rows(pack(world, "VASP-LT")), rows(pack(world, "NCB-ES"))
    for found in (at_holder, mirrored):
        until, _, local = found["The hold/Until"].partition(" (")
        assert datetime.fromisoformat(until) == hold.until
        assert local == "2026-03-10T00:00:00+02:00 in Europe/Vilnius)", "five working days after Monday, 2 March"
        assert found["What is asked, of whom, by when/It must be there"] == f"before {until} ({local}"
        assert found["The hold/Amount"] == str(hold.amount)
        assert found["The hold/On the basis of"] == "art. 1 (fictional) (LT), FNTT, file File 7"
        assert found["Who asks whom/Its file"] == "File 7"
        assert found["Who asks whom/Hold"] == hold.id
    assert at_holder["The hold/Why until then"].startswith(computed.reason)
    assert mirrored["The hold/Why until then"] == ("stated by VASP-LT (VASP-LT); how it was found stands in the log "
                                                   "there (R-41)")


@ABOVE_THE_STORE
def test_r41_an_earlier_end_that_was_stated_is_not_told_as_the_laws(world: World) -> None:
    said = Decide(True, None, FNTT, world.clock.at + timedelta(hours=30))
    world.officer("VASP-LT", "decide", said, request=asked(world), by=("Lina",))
    world.run(minutes=1)
    why = rows(pack(world, "VASP-LT"))["The hold/Why until then"]
    assert why.startswith("stated with the decision; by the law it might last until 2026-03-09T22:00:00Z: ")


@ABOVE_THE_STORE
def test_an_undecided_hold_says_who_must_decide_before(world: World) -> None:
    hold = hold_of(world, asked(world))
    assert hold.decide_by is not None
    assert hold.until is not None
    found = rows(pack(world, "VASP-LT"))["What is asked, of whom, by when/It must be there"]
    assert found.startswith(f"before {hold.until.isoformat().replace('+00:00', 'Z')} (")
    assert f"somebody with the power decides, by {hold.decide_by.isoformat().replace('+00:00', 'Z')}" in found


def digests(text: str) -> set[str]:
    return set(re.findall("[0-9a-f]{64}", text.partition("## Evidence: acts")[2].partition("## Evidence: doc")[0]))


def kept(world: World, node: str) -> set[str]:
    """The acts of the conversation as the store has them; what they rest on; and what was decided here."""
    body = about(world, "NCB-ES", LT).body
    queries = ("SELECT act_hash FROM outbox WHERE request = :r", "SELECT act_hash FROM inbox WHERE request = :r",
               "SELECT act_hash FROM acts WHERE kind = 'Decide'")
    with world.service(node).node.store.reading() as connection:
        found = {hash_ for query in queries for (hash_,) in connection.execute(sql(query), {"r": asked(world)})}
    return found | {body.mandate_act or "", body.loss_act or ""}


def test_the_digests_are_those_of_the_acts_in_the_store_and_who_signed_them(world: World) -> None:
    decide(world)
    for node in ("NCB-ES", "VASP-LT"):
        text = pack(world, node)
        assert digests(text) == kept(world, node)
        assert len(digests(text)) >= 7
    assert "signed by Ana: Ana (" in text
    assert "signed by Ben: Ben (" in text
    assert re.search(r"Decide of VASP-LT, .*\n  signed by Lina: Lina ", text)
    assert "signed by Ona" not in text
    assert "Ona" not in text, "who did not sign is not named"


@ABOVE_THE_STORE
def test_what_was_refused_proves_nothing(world: World) -> None:
    with world.service("NCB-ES").node.store.writing() as connection:
        [(first,)] = connection.execute(sql("SELECT act_hash FROM inbox WHERE request = :r ORDER BY number LIMIT 1"),
                                        {"r": asked(world)})
        connection.execute(sql("UPDATE inbox SET outcome = 'refused' WHERE act_hash = :a"), {"a": first})
    assert digests(pack(world, "NCB-ES")) == kept(world, "NCB-ES") - {first}


@ABOVE_THE_STORE
def test_documents_are_named_by_their_digest(world: World) -> None:
    assert rows(pack(world, "NCB-ES"))["Evidence: documents/Document"] == "none was named in these acts"
    named = Document("cd" * 32, "police\n- Until: never", "application/pdf", 1000, "es")
    world.officer("NCB-ES", "give-more", GiveMore((named,), "see there"), request=asked(world))
    world.run(minutes=1)
    for node in ("NCB-ES", "VASP-LT"):
        found = rows(pack(world, node))["Evidence: documents/Document"]
        assert found == f"police - Until: never, application/pdf, es SHA-256 {named.digest}"


@ABOVE_THE_STORE
def test_facts_and_payments_are_those_of_this_money_alone(world: World) -> None:
    text = pack(world, "NCB-ES")
    found = rows(text)
    assert found["The facts/What happened"] == FACTS.replace("\n", " ")
    assert found["The payment that was lost/From"] == f"Victim Ltd IBAN ES91 2100 0418 4502 0005 1332 {ES}"
    assert found["The payment that was lost/To"].startswith("Trading Lda IBAN LT12 1000 0111 0100 1000")
    assert (found["The payment that was lost/Amount"], found["The payment that was lost/References"]) == (
        "38000.00 EUR", "P2")
    assert found["The payment that was lost/UETR"] == BLANK
    assert found["The facts/Lost in all"] == "38005.00 EUR"
    assert [secret for secret in OTHER if secret in text] == []
    at_holder = pack(world, "VASP-LT")
    assert "The payment that was lost" not in at_holder
    assert "Victim" not in at_holder, "the holder was never told"


@ABOVE_THE_STORE
@pytest.mark.parametrize(("power", "country", "form"), [
    ("gb-afo", "GB", Form.MLA), ("gb-daml", "GB", Form.FIU), ("gb-moratorium", "GB", Form.ORDER),
    ("gb-psp-delay", "GB", Form.MLA), ("pt-1", "PT", Form.MLA), ("xx-1", "XX", Form.MLA),
])
def test_the_form_follows_the_law_file_and_unknown_is_said(world: World, power: str, country: str, form: Form) -> None:
    decide(world, Basis(power, country, "art. 1", "Somebody"))
    text = pack(world, "NCB-ES")
    found, law = rows(text), jurisdiction(country) if country != "XX" else None
    one = next((one for one in law.powers if one.id == power), None) if law is not None else None
    wanted = one.texts("follow_up") if one is not None else ()
    assert f"Form: {form}. " in text
    assert ("What must follow is unknown" in text) == (wanted == ())
    assert all(FOLLOW_UPS[word] is form for word in wanted)
    if one is None or law is None:
        assert "what it asks for is unknown" in text
        return
    source = law.sources[one.cited_for("lowest_amount").source]
    lowest = one.figures["lowest_amount"]
    told = "unknown: nobody found it; ask VASP-LT" if lowest == "unknown" else (
        f"{lowest} ({one.cited_for('lowest_amount').confidence}) {source.title}, {source.url}")
    assert found["The law there/lowest_amount"] == told
    assert found["The law there/Power"].startswith(f"{power}: ")


@ABOVE_THE_STORE
@pytest.mark.parametrize("form", Form)
def test_an_officer_may_choose_the_form(world: World, form: Form) -> None:
    text = pack(world, "NCB-ES", form)
    assert f"Form: {form}. Chosen by an officer." in text
    assert len({pack(world, "NCB-ES", other).splitlines()[0] for other in Form}) == len(Form)


@ABOVE_THE_STORE
@pytest.mark.parametrize(("languages", "said"), [
    ((), "does not say which languages VASP-LT reads"), (("lt", "en"), "English, which VASP-LT reads (lt, en)"),
    (("lt",), "VASP-LT reads lt, and there is no translation here: have it translated"),
])
def test_a_language_that_is_not_there_is_said(world: World, languages: tuple[str, ...], said: str) -> None:
    service = world.service("NCB-ES")
    rules = service.node.rules
    other = replace(rules.participants["VASP-LT"], languages=languages)
    service.node = replace(service.node, rules=replace(rules, participants={**rules.participants, other.id: other}))
    assert said in pack(world, "NCB-ES")


@ABOVE_THE_STORE
def test_without_a_hold_in_force_there_is_nothing_to_formalise(world: World) -> None:
    request = asked(world)
    case = world.report(payment("7.00 EUR", LT, "P9"), loss="L9")
    nothing = world.ask(case, "7.00 EUR", LT)
    with pytest.raises(Refused, match="no hold in force") as caught:
        formalised(world.service("NCB-ES"), owner("", ""), nothing, None)
    assert caught.value.code == "ended"
    world.officer("NCB-ES", "withdraw", Withdraw("wrong"), request=request, by=("Ana",))
    world.run(minutes=2)
    assert hold_of(world, request).state == "released"
    for node in ("NCB-ES", "VASP-LT"):
        answer = on_socket(world, node).get(f"/requests/{request}/formalisation")
        assert problem(answer) == (422, "ended"), answer.text
        assert "it is released" in answer.json()["detail"]


@ABOVE_THE_STORE
def test_a_mirror_past_its_date_says_so(world: World) -> None:
    decide(world)
    assert "Do not overlook" not in pack(world, "NCB-ES")
    world.stop("VASP-LT")
    world.clock.at += timedelta(days=30)
    assert "Do not overlook: ended by its date, not yet confirmed." in pack(world, "NCB-ES")
    world.start("VASP-LT")


@ABOVE_THE_STORE
def test_r92_a_pack_is_a_look_and_only_for_who_may_know_the_case(world: World) -> None:
    case = the_loss(world).id
    path = f"/requests/{asked(world)}/formalisation"
    assert on_socket(world, officer="Ben").get(path).status_code == 200
    looks = on_socket(world, officer="Ana").get("/looks", params={"case": case}).json()
    assert [(look["officer"], look["what"]) for look in looks] == [("Ben", f"formalisation pack of {asked(world)}")]
    world.officer("NCB-ES", "restrict", Restricted(("Ana",)), case=case)
    gone = on_socket(world, officer="Ben").get(path)
    assert problem(gone) == (404, "notfound")
    assert gone.json()["detail"] == on_socket(world, officer="Ben").get(
        "/requests/nothing/formalisation").json()["detail"].replace("nothing", asked(world))
    assert on_socket(world, officer="Ana").get(path).status_code == 200


@ABOVE_THE_STORE
def test_the_command_gives_out_the_same(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(world)
    at_node(monkeypatch, desk_app(world.service("NCB-ES"), None, owner))
    there = ("hold", "formalise", asked(world), "--home", "x", "--officer", "Ana")
    assert ok(*there) == pack(world, "NCB-ES")
    out = tmp_path / "draft.md"
    assert ok(*there, "--as", "fiu", "--out", out) == ""
    assert out.read_text("utf-8") == pack(world, "NCB-ES", Form.FIU)
    assert out.stat().st_mode & 0o777 == 0o600
    assert arrp(*there, "--out", out).exit_code == 5, "nothing is overwritten"
    assert arrp(*there, "--as", "letter").exit_code == 2
    assert on_socket(world).get(f"/requests/{asked(world)}/formalisation?as=letter").status_code == 400
    world.officer("NCB-ES", "withdraw", Withdraw("wrong"), request=asked(world), by=("Ana",))
    world.run(minutes=2)
    assert arrp(*there).exit_code == 4
