"""The whole life of a loss on four nodes, as steps that can be taken again after any of them died.

Each step is a wish under a fixed id: said again (its answer was lost with the process), it has the same
answer and no other effect. `view` is what must be equal at the end, whatever happened on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from arrp.core.account import institution_of
from arrp.core.case import Case
from arrp.core.crime import Crime
from arrp.core.events import Resolved
from arrp.core.hold import Hold
from arrp.core.mandate import Mandate
from arrp.core.report import Report
from arrp.core.request import Ask, Asked, Credit, Document, Request, Source
from arrp.core.step import Command
from arrp.core.sums import money
from arrp.core.wishes import Credited, NamePayee, Return
from arrp.node.delivery import LEASE
from arrp.node.store import talk
from tests.node.world import ACCEPTED, ES, LT, PT, START, Killed, World, amount, bank_scene, payment

NODES = ("NCB-ES", "NCB-PT", "BANK-PT", "VASP-LT")
SECRET = "ab" * 16
LOSS = amount("100000.00 EUR")
CONSENT = Document("ab" * 32, "consent", "application/pdf", 1000)
REST_WITHIN = timedelta(minutes=4)
TRIES = 5  # of one wish; a disturbance is one

# Rows that say that somebody still has something to do.
_RESTLESS = (
    "SELECT count(*) FROM outbox WHERE state = 'queued'",
    "SELECT count(*) FROM intents WHERE answered_at IS NULL",
    "SELECT count(*) FROM joins WHERE done_at IS NULL",
    "SELECT count(*) FROM events WHERE position IS NULL",
)


@dataclass(frozen=True)
class Step:
    """What one person does; everything that follows from it is the nodes' own work."""

    name: str
    do: Callable[[World], object]


def live(world: World, steps: tuple[Step, ...]) -> None:
    """Take the steps, each until the nodes have come to rest; whoever dies is started again."""
    for step in steps:
        assert any(_survived(world, step.do) for _ in range(TRIES)), f"{step.name}: nobody can say it"
        rest(world)


def rest(world: World) -> None:
    """Let time pass until nobody has anything left to do."""
    end = world.clock.at + REST_WITHIN
    while not (_survived(world, World.settle) and is_at_rest(world)):
        assert world.clock.at < end, "the nodes do not come to rest"
        world.clock.at += timedelta(seconds=5)


def _survived(world: World, do: Callable[[World], object]) -> bool:
    for id, member in world.members.items():
        if member.worker is None:
            world.start(id)
    try:
        do(world)
    except Killed as killed:
        world.stop(killed.node)
    except OperationalError:
        return False  # to a person this is a 503: the same is said again
    return all(member.worker is not None for member in world.members.values())


def is_at_rest(world: World) -> bool:
    soon = int((world.clock.at + LEASE + timedelta(seconds=1)).timestamp()) * 1_000_000
    queries = (*_RESTLESS, f"SELECT count(*) FROM cases WHERE due_at <= {soon}")
    return not any(count(world, node, query) for node in world.members for query in queries)


def count(world: World, node: str, query: str) -> int:
    with world.service(node).node.store.reading() as connection:
        return int(connection.execute(text(query)).scalar() or 0)


def say(world: World, member: str, id: str, verb: str, body: Any = None, *, request: str | None = None,
        case: str | None = None, by: tuple[str, ...] = ()) -> str:
    """A command under a fixed id, and the signatures of `by` over each draft it left."""
    service = world.service(member)
    officer = by[0] if by else next(iter(world.members[member].officers))
    case_id, events = service.command(Command(id, verb, officer, request, body, SECRET), case)
    for act in [event.body.act for event in events if event.kind == "Drafted"]:
        with service.node.store.reading() as connection:
            kept = talk.own_act(connection, member, act)
        assert kept is not None
        for name in by:
            service.approve(act, world.signature(member, name, kept.act_hash), f"{id} {act} {name}")
    return case_id


# --- the steps -------------------------------------------------------------------------------------------


def the_loss(world: World) -> Case:
    return next(case for case in world.cases("NCB-ES") if case.loss == "L1")


def about(world: World, node: str, account: str) -> Request:
    """The node's one request about an account: its own at NCB-ES, elsewhere the one that came to it."""
    side = "requesting" if node == "NCB-ES" else "requested"
    every = [r for case in world.cases(node) for r in case.requests.values()]
    (found,) = [r for r in every if (r.side, r.body.account) == (side, account)]
    return found


def _report(world: World) -> None:
    said = Report("L1", "NCB-ES", (payment(str(LOSS), PT, "P1"),), Crime.BEC, START, facts="invoice redirection")
    say(world, "NCB-ES", "report", "report", said)


def _mandate(world: World) -> None:
    said = Mandate("L1", LOSS, LOSS, 3, (), ("hold", "stop"), (), START, START + timedelta(days=30))
    say(world, "NCB-ES", "mandate", "mandate", said, case=the_loss(world).id, by=("Ana", "Ben"))


def _send(world: World) -> None:
    body = Asked(ask=Ask.HOLD, institution=institution_of(PT), asked=LOSS, claim=LOSS, account=PT, crime="BEC",
                 source=Source("payment", "0", None, ()), credit=Credit(amount=LOSS), loss="", stated_by="")
    say(world, "NCB-ES", "send", "send", body, case=the_loss(world).id)


def wish(node: str, verb: str, account: str, body: Any, by: tuple[str, ...]) -> Step:
    name = f"{verb} {node} {account[13:15]}"
    return Step(name, lambda world: say(world, node, name, verb, body, request=about(world, node, account).id, by=by))


def _credited(account: str) -> Step:
    def do(world: World) -> None:
        asked = about(world, "NCB-ES", account)
        (stated,) = the_loss(world).returns_of(asked.id)
        said = Credited(stated.id, stated.amount, "CREDIT-1")
        say(world, "NCB-ES", f"credited {account[13:15]}", "credited", said, request=asked.id)

    return Step(f"credited {account[13:15]}", do)


def _of_the_case(verb: str) -> Step:
    return Step(verb, lambda world: say(world, "NCB-ES", verb, verb, Resolved("returned"), case=the_loss(world).id))


def _payee(account: str) -> Step:
    return wish("NCB-ES", "payee", account, NamePayee("DEBTOR", None, False, SECRET, ES, "Victim Ltd"), ("Ana", "Ben"))


LIFE = (
    Step("the scene", bank_scene),
    Step("report", _report),
    Step("mandate", _mandate),
    Step("send", _send),
    wish("NCB-PT", "decide", PT, ACCEPTED, ("Rui", "Zoe")),
    wish("VASP-LT", "decide", LT, ACCEPTED, ("Lina",)),
    _payee(PT),
    _payee(LT),
    wish("NCB-PT", "return", PT, Return(amount("62000.00 EUR"), "consent", CONSENT), ("Rui", "Zoe")),
    wish("VASP-LT", "return", LT, Return(amount("38000.00 EUR"), "consent", CONSENT), ("Lina", "Ona")),
    _credited(PT),
    _credited(LT),
    _of_the_case("resolve"),
    _of_the_case("close"),
)


# --- what must be equal ------------------------------------------------------------------------------------


def view(world: World) -> dict[str, Any]:
    """Everything that must not depend on who died when: all but ids, instants and how often was tried."""
    seen: dict[str, Any] = {node: sorted(map(_case, world.cases(node)), key=repr) for node in world.members}
    seen["talks"] = {node: _talks(world, node) for node in world.members}
    seen["core"] = {node: _core(world, node) for node in ("BANK-PT", "VASP-LT")}
    seen["kinds"] = {node: sorted(event.kind for event in world.log(node)) for node in world.members}
    return seen


def _case(case: Case) -> Any:
    counted = money(case)
    requests = sorted((_request(r) for r in case.requests.values()), key=repr)
    escalated = sorted(what.split()[0] for what in case.escalated)
    return case.state, counted and (counted.terms, counted.surplus), requests, escalated, case.anomalies


def _request(r: Request) -> Any:
    legs = [(leg.amount, leg.claim, leg.account, leg.inside) for leg in r.legs]
    return r.side, r.peer, r.body.account, r.relation, r.wish, r.answer, r.terms, r.keep, r.reason, _hold(r.hold), legs


def _hold(hold: Hold | None) -> Any:
    return hold and (hold.state, hold.amount, hold.claim, hold.wanted, hold.kept, hold.decided, hold.why, hold.basis)


def _talks(world: World, node: str) -> Any:
    """Numbers of each conversation, without the ids of requests; and what became of each act."""
    with world.service(node).node.store.reading() as connection:
        rows = connection.execute(text("SELECT peer, sent, seen, jumped FROM conversations")).all()
        out = connection.execute(text("SELECT peer, kind, number, state FROM outbox")).all()
        heard = connection.execute(text("SELECT peer, number, outcome, code FROM inbox")).all()
    return [sorted(map(tuple, rows), key=repr) for rows in (rows, out, heard)]


def _core(world: World, node: str) -> Any:
    """The bank's own books: what was booked, what is held."""
    books = world.core(node)._books
    with books.transaction():
        holds = books.rows("SELECT account, amount, state FROM holds ORDER BY account, state, amount")
        moved = books.rows("SELECT debit, credit, amount FROM transfers ORDER BY sequence")
    return [tuple(row) for row in holds], [tuple(row) for row in moved]
