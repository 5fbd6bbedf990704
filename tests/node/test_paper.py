"""Paper between real nodes and stores: the outbox waits for an officer, answers are typed (R-95 to R-98)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arrp.connectors.books import Order
from arrp.core.by_hand import PAPER, AnsweredByHand, SentByHand, ToldLeg, Way
from arrp.core.deadline import Basis
from arrp.core.errors import Malformed, NotFound
from arrp.core.events import Withdraw
from arrp.core.policy import Contact, Participant
from arrp.core.report import Party
from arrp.core.request import Document, Terms
from arrp.core.sums import money
from arrp.node.callers import owner
from arrp.node.paper import pdf
from arrp.node.papers import Papers
from arrp.node.store import posting
from arrp.node.verify import verify
from arrp.sim.keepers import following
from arrp.wire.codec import read
from arrp.wire.entry import VERSION, Entry, entry_text
from arrp.wire.sheet import Sheet, text
from arrp.wire.signed_text import SignedText
from tests.node.world import ES, LT, START, World, amount, bank_scene, payment

DE = "payto://iban/DE89370400440532013000"
NCB_DE = Participant(
    "NCB-DE", "Bundesbüro (fictional)", "authority", "DE", "", (), (), channel="paper", languages=("de", "en"),
    contacts=(Contact("Duty desk", "+49 30 000000", "always"),),
)  # fmt: skip
OWNER = owner("", "")
LETTER = Document("ab" * 32, "letter", "application/pdf", 1000)
GERMAN = Basis("de-1", "DE", "section 1 (fictional)", "Bundesbüro", "7 Js 1/26")
UNTIL = START + timedelta(days=3)


def listed(world: World, participant: Participant) -> None:
    """The keepers take in somebody who has no keys; every node knows within a minute."""
    now = world.clock.now()
    world.edition = following(world.edition, SignedText(entry_text(Entry(VERSION, now, participant))), now,
                              reissued=True)
    world.run(minutes=2)


def papers(world: World) -> Papers:
    return Papers(world.service("NCB-ES"))


def asked(world: World) -> tuple[str, str]:
    listed(world, NCB_DE)
    case = world.report(payment("100000.00 EUR", DE, "P1"))
    return case, world.ask(case, "100000.00 EUR", DE)


def typed(world: World, request: str, **said: Any) -> None:
    body = AnsweredByHand(**{"source": Way.MAIL, "by": "", "document": LETTER, **said})
    world.officer("NCB-ES", "answered-by-hand", body, request=request)


def post(world: World, request: str) -> None:
    for one in papers(world).of(OWNER, request)["letters"]:
        if one["state"] == "paper":
            world.officer("NCB-ES", "sent-by-hand", SentByHand(one["act"], Way.MAIL, "", "RR 1"), request=request)


def test_an_act_to_paper_waits_and_is_never_posted_to_a_wire(world: World) -> None:
    """R-95: no byte leaves for it, however long we wait; its letter says what the act says."""
    _, request = asked(world)
    before = len(world.post.sent)
    world.run(minutes=6)
    assert not [url for url, _ in world.post.sent[before:] if "/parcels" in url]
    (row,) = papers(world).listed(OWNER)
    assert (row["request"], row["kind"], row["to"], row["state"]) == (request, "Request", "NCB-DE", "paper")
    found = papers(world).of(OWNER, row["reference"])
    assert (found["request"], found["country"]) == (request, "DE")
    said = text(read(Sheet, found["letters"][0]["sheet"]))
    for stated in (row["reference"], "DE89 3704 0044 0532 0130 00", "100000.00 EUR", "Trading Lda", "BEC",
                   "Ana (duty officer", "Ben (duty officer", row["act_hash"][:52]):
        assert stated in said, stated
    assert "Victim" not in said


def test_a_mistyped_reference_finds_nothing_else(world: World) -> None:
    """R-95: the check sign finds the slip before a wrong letter is opened."""
    asked(world)
    reference = papers(world).listed(OWNER)[0]["reference"]
    wrong = ("X" if reference[0] != "X" else "Y") + reference[1:]
    with pytest.raises(Malformed, match="mistyped"):
        papers(world).of(OWNER, wrong)
    with pytest.raises(NotFound, match="no letter of this node"):
        papers(world).of(OWNER, "U3F-5VR-JCW")


def test_sent_answered_withdrawn_and_verified(world: World) -> None:
    """R-95, R-96, R-97: the life of a request on paper; later acts wait as letters too; the log verifies."""
    case, request = asked(world)
    post(world, request)
    assert [row["state"] for row in papers(world).listed(OWNER)] == ["by_hand"]
    leg = ToldLeg(amount=amount("38000.00 EUR"), at=START, ref="P2", account=LT, name="Trading Lda")
    typed(world, request, answer="accepted", held=amount("62000.00 EUR"), basis=GERMAN, until=UNTIL, legs=(leg,),
          reference="H 12")
    mine = world.request("NCB-ES", request)
    assert (mine.hold.state, mine.unsigned, mine.hold.reference) == ("confirmed", True, "H 12")
    assert mine.terms == Terms(amount("100000.00 EUR"), held=6200000, moved_on=3800000)
    assert [event.kind for event in world.log("NCB-ES") if event.act_hash == PAPER] == [
        "RequestAccepted", "MovedOn", "HoldPlaced", "HoldConfirmed"]
    world.officer("NCB-ES", "withdraw", Withdraw("settled"), request=request, by=("Ana",))
    waiting = [row for row in papers(world).listed(OWNER) if row["state"] == "paper"]
    assert [row["kind"] for row in waiting] == ["Withdraw"]
    letters = papers(world).of(OWNER, request)["letters"]
    said = text(read(Sheet, letters[-1]["sheet"]))
    assert letters[0]["reference"] in said, "a later letter names the request it is about"
    assert "settled" in said
    post(world, request)
    typed(world, request, hold="released", reason="WITHDRAWN", answer="ended")
    (found,) = [found for found in world.cases("NCB-ES") if found.id == case]
    assert money(found).adds_up()
    assert found.anomalies == ()
    world.run(minutes=1)
    member = world.members["NCB-ES"]
    assert verify(member.url, world.service("NCB-ES").node.directory, "NCB-ES").problems == ()


def test_the_participant_gets_a_node_and_the_conversation_goes_on_there(world: World) -> None:
    """R-98: everything said is sent again in order; a signed word takes the mark away."""
    bank_scene(world, moved=None)
    vasp = world.members["VASP-LT"]
    world.core("VASP-LT").book(Order("P1", amount("100.00 EUR"), Party("V", ES), Party("T", LT)), START)
    listed(world, replace(vasp.participant, channel="paper"))
    case = world.report(payment("100.00 EUR", LT, "P1"))
    request = world.ask(case, "100.00 EUR", LT)
    post(world, request)
    typed(world, request, held=amount("40.00 EUR"))
    assert world.request("NCB-ES", request).unsigned
    world.publish("VASP-LT", vasp.participant, vasp.keys, reissued=True)
    world.run(minutes=7)
    mine = world.request("NCB-ES", request)
    assert (mine.terms.held, mine.unsigned, mine.wish) == (10000, False, "delivered")
    assert mine.hold.id == world.request("VASP-LT", request).hold.id
    assert papers(world).listed(OWNER) == []


def test_the_same_sheet_is_the_same_file(world: World) -> None:
    """R-95: rendered twice, on two days, by two processes: the same bytes; each page names case and reference."""
    _, request = asked(world)
    sheet = read(Sheet, papers(world).of(OWNER, request)["letters"][0]["sheet"])
    first = pdf(sheet)
    world.clock.at += timedelta(hours=30)
    again = read(Sheet, papers(world).of(OWNER, request)["letters"][0]["sheet"])
    assert pdf(again) == first
    assert first.startswith(b"%PDF-")
    assert pdf(replace(sheet, reference="U3F-5VR-JCW")) != first


def test_postings_follow_the_channel(world: World) -> None:
    """R-98: a node that is gone leaves its queue to officers; one that came gets what had waited."""
    world.post.lose = lambda url, body: "parcel"
    bank_scene(world, moved=None)
    vasp = world.members["VASP-LT"]
    case = world.report(payment("100.00 EUR", LT, "P1"))
    request = world.ask(case, "100.00 EUR", LT)
    world.run(minutes=1)
    assert papers(world).listed(OWNER) == []
    listed(world, replace(vasp.participant, channel="paper"))
    assert [(row["request"], row["state"]) for row in papers(world).listed(OWNER)] == [(request, "paper")]
    with world.service("NCB-ES").node.store.writing() as connection:
        posting.follow_channels(connection, [])
    assert papers(world).listed(OWNER) == []
