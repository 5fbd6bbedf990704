"""A bureau at night: a standing mandate under which one officer may act, and Ana alone at the desk (R-94)."""

from __future__ import annotations

from datetime import timedelta

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.account import institution_of
from arrp.core.crime import Crime
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.core.report import Party, Report
from arrp.core.request import Ask, Request
from arrp.core.requesting import typed_asked, typed_source
from arrp.node.standing import Standing, draft_standing
from arrp.node.store import talk
from arrp.wire.approvals import act_hash, unb64
from tests.node.world import BIG, ES, LT, PT, START, Member, World, amount, payment, replace, restarted

WHOLE = "100000.00 EUR"
NIGHT = Mandate(None, Amount(BIG, "EUR"), Amount(BIG, "EUR"), 9, (), ("hold", "stop"), (), START - timedelta(days=1),
                START + timedelta(days=60), night_approvals=1)
HOLDERS = {PT: ("BANK-PT", "pt-1"), LT: ("VASP-LT", "lt-1")}


def standing(world: World, id: str, mandate: Mandate, act: str = "1" * 32) -> Standing:
    """Signed by the first two officers of that member."""
    found = draft_standing(id, mandate, act, b"1" * 16)
    for name in tuple(world.members[id].officers)[:2]:
        found = found.signed(world.signature(id, name, found.act_hash))
    return found


def falls(world: World, mandate: Mandate = NIGHT, at: str = "NCB-ES") -> None:
    """From now on that bureau has that standing mandate, and no other; everybody else has what they had."""
    by_day = world._standing

    def by_night(member: Member) -> Standing:
        return standing(world, at, mandate) if member.id == at else by_day(member)

    world._standing = by_night  # type: ignore[method-assign]
    restarted(world, at)


def came(world: World, to: str, whole: str = WHOLE) -> None:
    holder, ref = HOLDERS[to]
    world.core(holder).open_account(Account(ref, to, "Trading Lda", "EUR"))
    order = Order("P1", amount(whole), Party("Victim Ltd", ES), Party("Trading Lda", to))
    world.core(holder).book(order, START - timedelta(minutes=30))


def reported(world: World, to: str, *, loss: str = "N1", by: tuple[str, ...] = ("Ana",)) -> str:
    """The case of a report, its loss act and its own mandate signed by whoever is there."""
    said = Report(loss, "NCB-ES", (payment(WHOLE, to, "P1"),), Crime.BEC, world.clock.at, facts="invoice redirection")
    case, _ = world.officer("NCB-ES", "report", said)
    whole = amount(WHOLE)
    mandate = Mandate(loss, whole, whole, 3, (), ("hold", "stop"), (), world.clock.at,
                      world.clock.at + timedelta(days=3))
    world.officer("NCB-ES", "mandate", mandate, case=case, by=by)
    return case


def asked(world: World, case: str, to: str, *, whole: str = WHOLE, by: tuple[str, ...] = ("Ana",)) -> str:
    body = typed_asked(Ask.HOLD, typed_source(0, ""), to, amount(whole))
    body = replace(body, institution=institution_of(to))
    _, events = world.officer("NCB-ES", "send", body, case=case, by=by)
    return next(event.request for event in events if event.kind == "Request") or ""


def alone(world: World, to: str = LT) -> str:
    """Ana alone has asked for all of it, and it has arrived."""
    falls(world)
    came(world, to)
    request = asked(world, reported(world, to), to)
    world.run(minutes=1)
    return request


def mine(world: World, request: str, at: str = "NCB-ES") -> Request:
    return next(found for case in world.cases(at) for found in case.requests.values() if found.id == request)


def act_of(world: World, request: str) -> talk.KeptAct:
    with world.service("NCB-ES").node.store.reading() as connection:
        kept = talk.act(connection, mine(world, request).act_hash)
    assert kept is not None
    return kept


def signs_too(world: World, request: str, officer: str = "Ben") -> None:
    kept = act_of(world, request)
    signed = world.signature("NCB-ES", officer, kept.act_hash)
    world.service("NCB-ES").approve(kept.act, signed, world.clock.new_id())


def blocked(world: World, to: str = LT) -> int:
    holder, ref = HOLDERS[to]
    return world.core(holder).balance(ref).held


def hash_of(found: Standing) -> str:
    return act_hash(unb64(found.attached.salt), unb64(found.attached.act))
