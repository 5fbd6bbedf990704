"""Two state machines that drive whole cases at random: one account with many requesters, one loss with
many holders. What is checked after every event and whenever all is said stands in driven.py
(I1, I2, I3, I4, I6, I7, I9, I10, I11, I21; R-11, R-12, R-30, R-31, R-45, R-46).
"""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from arrp.core.coins import Coins
from arrp.core.deadline import Basis
from arrp.core.events import (
    Answered,
    Credited,
    Decide,
    Extend,
    NamePayee,
    Objection,
    Release,
    Return,
    Secure,
    Told,
    Verb,
    Withdraw,
)
from arrp.core.ledger import Transfer
from arrp.core.money import Amount
from arrp.core.policy import Participant
from arrp.core.request import Document, Request, Terms
from tests.core.driven import Driven, MoodyCore
from tests.stories.plain import BANK_PT, ES, LT, NCB_DE, NCB_ES, NCB_PT, PT, VASP_LT, payment, people

NCB_FR = Participant("NCB-FR", "Bureau FR", "authority", "FR", "", (), people("Ana", "Ben"))
BASIS = Basis("pt-1", "PT", "art. 1 (fictional)", "an authority")
PAPER = Document("ab" * 32, "order", "application/pdf", 1000)
SIGNERS = {"NCB-ES": ("Ana", "Ben"), "NCB-DE": ("Eva", "Fritz"), "NCB-FR": ("Ana", "Ben"), "NCB-PT": ("Rui", "Zoe"),
           "VASP-LT": ("Lina", "Ona"), "BANK-PT": ("Tom", "Tim")}
PLACE = st.integers(0, 11)
MINOR = st.integers(1, 900)


def eur(minor: int) -> Amount:
    return Amount(minor, "EUR")


class Scenes(RuleBasedStateMachine):
    """What may happen in either world. Whatever the rules refuse is refused; nothing may break."""

    accounts: dict[str, str]  # account -> node
    asking: tuple[str, ...]
    deciding: dict[str, str]  # holder -> who decides for it

    def __init__(self) -> None:
        super().__init__()
        self.world = Driven()
        self.number = 0

    def ref(self, word: str) -> str:
        self.number += 1
        return f"{word}{self.number}"

    def requests(self, node: str, side: str) -> list[Request]:
        found = [r for case in self.world.nodes[node].cases.values() if case.state != "joined"
                 for r in case.requests.values() if r.side == side]
        return [r for r in found if r.relation == "pursues"] if side == "requesting" else found

    def chosen(self, node: str, side: str, place: int) -> str:
        """One with a hold first, then one that is open, then any."""
        known = self.requests(node, side)
        live = [r for r in known if r.hold is not None and r.hold.in_force]
        found = (live if place % 4 else []) or [r for r in known if r.is_open] or known
        return found[place // 4 % len(found)].id if found else "none"

    def node_of(self, place: int, nodes: tuple[str, ...]) -> str:
        return nodes[place % len(nodes)]

    def core(self, account: str) -> MoodyCore:
        return self.world.core(self.accounts[account])

    def account(self, place: int) -> str:
        return tuple(self.accounts)[place % len(self.accounts)]

    # --- money moves ---

    @rule(place=PLACE, minor=MINOR)
    def salary(self, place: int, minor: int) -> None:
        account = self.account(place)
        self.core(account).book(account, f"+{eur(minor)}", self.ref("SALARY"), other=ES, at=self.world.now)

    @rule(place=PLACE, minor=MINOR, cash=st.booleans())
    def outflow(self, place: int, minor: int, cash: bool) -> None:
        account, to = self.account(place), self.account(place + 1)
        minor = min(minor, self.core(account).free(account))
        if minor == 0:
            return
        ref = self.ref("OUT")
        self.core(account).book(account, f"-{eur(minor)}", ref, other="" if cash else to, at=self.world.now)
        if not cash and to != account:
            self.core(to).book(to, f"+{eur(minor)}", ref, other=account, at=self.world.now)

    @rule(place=PLACE)
    def bounce(self, place: int) -> None:
        """The newest return of an account comes back."""
        account = self.account(place)
        core = self.core(account)
        back = {t.reverses for t in core.accounts.get(account, ())}
        sent = [t for t in core.accounts.get(account, ()) if t.ref.startswith("return ") and t.ref not in back]
        if sent:
            core.sequence += 1
            core.accounts[account].append(
                Transfer(core.sequence, self.ref("BOUNCE"), True, sent[-1].amount, self.world.now,
                         reverses=sent[-1].ref, carries=Coins.of([(0, sent[-1].amount)]))
            )

    @rule(place=PLACE, verb=st.sampled_from([Verb.HOLD, Verb.RELEASE, Verb.EXTEND, Verb.GIVE_BACK]))
    def core_will_refuse(self, place: int, verb: Verb) -> None:
        self.core(self.account(place)).mood[verb] = "refuse"

    @rule(place=PLACE)
    def ledger_will_be_unreadable(self, place: int) -> None:
        self.core(self.account(place)).mood[Verb.FIND] = "unreadable"

    # --- officers of the requesting side ---

    @rule(who=PLACE, pay=st.integers(0, 1), place=PLACE, minor=MINOR)
    def ask(self, who: int, pay: int, place: int, minor: int) -> None:
        node = self.node_of(who, self.asking)
        known = self.world.nodes[node].cases["loss"].report.payments
        sent = known[pay % len(known)]
        minor = min(minor, sent.amount.minor)
        account = sent.creditor.account if place % 3 else self.account(place)
        try:
            self.world.ask(node, str(eur(minor)), account, payment=pay % len(known))
        except (StopIteration, self.world.refusals):
            return

    @rule(who=PLACE, place=PLACE)
    def withdraw(self, who: int, place: int) -> None:
        node = self.node_of(who, self.asking)
        self.world.wish(node, "withdraw", Withdraw("wrong"), self.chosen(node, "requesting", place),
                        by=SIGNERS[node][:1])

    @rule(who=PLACE, place=PLACE, minor=MINOR)
    def release(self, who: int, place: int, minor: int) -> None:
        node = self.node_of(who, self.asking)
        self.world.wish(node, "release", Release(eur(minor - 1), "less"), self.chosen(node, "requesting", place),
                        by=SIGNERS[node][:1])

    # --- officers of the requested side ---

    def decider(self, who: int) -> tuple[str, str]:
        holder = self.node_of(who, tuple(self.deciding))
        return holder, self.deciding[holder]

    @rule(who=PLACE, place=PLACE, hours=st.integers(1, 100))
    def accept(self, who: int, place: int, hours: int) -> None:
        self.decide(who, place, True, hours)

    @rule(hours=st.integers(1, 100))
    def accept_all(self, hours: int) -> None:
        for node in set(self.deciding.values()):
            said = Decide(True, None, BASIS, self.world.now + timedelta(hours=hours))
            for request in self.requests(node, "requested"):
                self.world.wish(node, "decide", said, request.id, by=SIGNERS[node])

    @rule(who=PLACE, place=PLACE, accepted=st.booleans(), hours=st.integers(1, 100))
    def decide(self, who: int, place: int, accepted: bool, hours: int) -> None:
        _, node = self.decider(who)
        ends = self.world.now + timedelta(hours=hours)
        said = Decide(accepted, None if accepted else "LEGL", BASIS, ends if accepted else None)
        self.world.wish(node, "decide", said, self.chosen(node, "requested", place), by=SIGNERS[node])

    @rule(who=PLACE, place=PLACE, verb=st.sampled_from(["condition", "ask-more", "see"]))
    def say(self, who: int, place: int, verb: str) -> None:
        _, node = self.decider(who)
        body = None if verb == "see" else Answered(Terms.unanswered(eur(0)), condition="INDM")
        self.world.wish(node, verb, body, self.chosen(node, "requested", place))

    @rule(who=PLACE, place=PLACE, hours=st.integers(1, 900))
    def extend(self, who: int, place: int, hours: int) -> None:
        _, node = self.decider(who)
        said = Extend(BASIS, self.world.now + timedelta(hours=hours), PAPER)
        self.world.wish(node, "extend", said, self.chosen(node, "requested", place), by=SIGNERS[node])

    @rule(who=PLACE, place=PLACE, days=st.integers(1, 100))
    def secure(self, who: int, place: int, days: int) -> None:
        _, node = self.decider(who)
        said = Secure(BASIS, PAPER, self.world.now + timedelta(days=days))
        self.world.wish(node, "secure", said, self.chosen(node, "requested", place), by=SIGNERS[node])

    @rule(who=PLACE, place=PLACE, to=MINOR)
    def lower(self, who: int, place: int, to: int) -> None:
        _, node = self.decider(who)
        self.world.wish(node, "release", Release(eur(to - 1), "less"), self.chosen(node, "requested", place),
                        by=SIGNERS[node])

    # --- fairness and return ---

    @rule(who=PLACE, place=PLACE)
    def object(self, who: int, place: int) -> None:
        holder, _ = self.decider(who)
        request = self.chosen(holder, "requested", place)
        self.world.wish(holder, "tell-holder", Told("letter"), request)
        said = Objection(self.ref("o"), "", "GOOD_FAITH", self.world.now, None, "raised", None)
        self.world.wish(holder, "object", said, request)

    @rule(who=PLACE, place=PLACE, how=st.sampled_from(["upheld", "partly", "rejected"]), minor=MINOR)
    def decide_objection(self, who: int, place: int, how: str, minor: int) -> None:
        holder, _ = self.decider(who)
        case = self.world.nodes[holder].cases.get(self.world.nodes[holder].routes.get(
            self.chosen(holder, "requested", place), ""))
        for _, known in tuple(case.objections.values())[-1:] if case else ():
            request = case.objections[known.id][0]
            said = Objection(known.id, "", known.ground, self.world.now, None, how, eur(minor))
            self.world.wish(holder, "decide-objection", said, request, by=("Redress",))

    @rule(who=PLACE, place=PLACE, minor=MINOR, all_of_it=st.booleans(), decided=st.booleans())
    def give_back(self, who: int, place: int, minor: int, all_of_it: bool, decided: bool) -> None:
        node = self.node_of(who, self.asking)
        request = self.chosen(node, "requesting", place)
        if request == "none":
            return
        asked = self.world.nodes[node].cases["loss"].request(request)
        decider = asked.peer
        if decided:
            said = Decide(True, None, BASIS, self.world.now + timedelta(hours=60))
            self.world.wish(decider, "decide", said, request, by=SIGNERS[decider])
        self.world.wish(node, "payee", NamePayee("DEBTOR", None, False, "00" * 16, ES, "Victim"), request,
                        by=SIGNERS[node])
        wanted = asked.terms.held + asked.terms.returned if all_of_it else minor
        self.world.wish(decider, "return", Return(eur(wanted), "consent", PAPER), request, by=SIGNERS[decider])
        self.world.run(minutes=1)

    @rule(who=PLACE, place=PLACE)
    def credited(self, who: int, place: int) -> None:
        node = self.node_of(who, self.asking)
        request = self.chosen(node, "requesting", place)
        if request != "none":
            for stated in self.world.nodes[node].cases["loss"].returns_of(request):
                self.world.wish(node, "credited", Credited(stated.id, stated.amount), request)

    # --- talk and time ---

    @rule(slow=st.booleans())
    def talk(self, slow: bool) -> None:
        self.world.slow = slow
        self.world.settle()

    @precondition(lambda self: self.world.busy())
    @rule(place=st.integers(0, 30))
    def deliver(self, place: int) -> None:
        lanes = self.world.busy()
        self.world.deliver(lanes[place % len(lanes)])

    @rule(minutes=st.sampled_from([0, 1, 10, 10, 50, 50, 70, 600, 3000, 20000]))
    def wait(self, minutes: int) -> None:
        self.world.run(minutes=minutes)

    @rule(place=PLACE)
    def tick_for_nothing(self, place: int) -> None:
        self.world.tick(self.node_of(place, tuple(self.world.nodes)))

    @invariant()
    def all_is_said(self) -> None:
        if not self.world.slow and not self.world.busy():
            self.world.settled()

    def teardown(self) -> None:
        self.world.slow = False
        if self.world.nodes:
            self.world.drain()
            self.world.run(minutes=1)
            self.world.settled()
            self.world.run(days=40)
            self.world.settled()


class OneAccount(Scenes):
    """Several requesters, one account: shared credits, salaries, outflows, take-overs."""

    accounts = {LT: "VASP-LT"}  # noqa: RUF012
    asking = ("NCB-ES", "NCB-DE", "NCB-FR")
    deciding = {"VASP-LT": "VASP-LT"}  # noqa: RUF012

    @initialize(sizes=st.lists(MINOR, min_size=3, max_size=3), opening=st.integers(0, 300), first=st.integers(0, 4),
                spent=st.sampled_from([1, 1, 400, 900]))
    def begin(self, sizes: list[int], opening: int, first: int, spent: int) -> None:
        self.world.join(NCB_ES, NCB_DE, NCB_FR, VASP_LT)
        self.world.nodes["VASP-LT"].core = MoodyCore()
        now = self.world.now
        self.core(LT).book(LT, f"+{eur(opening)}", "OPENING", other=ES, at=now)
        for place, size in enumerate(sizes):
            self.core(LT).book(LT, f"+{eur(size)}", f"P{place}", other=ES, at=now)
        made = [payment(str(eur(size)), LT, f"P{place}", now) for place, size in enumerate(sizes)]
        for loss, (node, mine) in enumerate({"NCB-ES": made[:2], "NCB-DE": made[::2], "NCB-FR": made[2:]}.items()):
            self.world.report(node, *mine, loss=f"L{loss % 2}")
        self.outflow(0, spent, spent == 1)
        for place in range(first):
            self.ask(place, place, 1, 900)


class OneLoss(Scenes):
    """One loss of two payments, a bank behind its authority and an exchange, money moving between them."""

    accounts = {PT: "BANK-PT", LT: "VASP-LT"}  # noqa: RUF012
    asking = ("NCB-ES",)
    deciding = {"BANK-PT": "NCB-PT", "VASP-LT": "VASP-LT"}  # noqa: RUF012

    @initialize(sizes=st.lists(MINOR, min_size=2, max_size=2), opening=st.integers(0, 300), first=st.integers(0, 4),
                spent=st.sampled_from([1, 1, 400, 900]))
    def begin(self, sizes: list[int], opening: int, first: int, spent: int) -> None:
        self.world.join(NCB_ES, NCB_PT, BANK_PT, VASP_LT)
        now = self.world.now
        for node, account, ref, size in (("BANK-PT", PT, "P0", sizes[0]), ("VASP-LT", LT, "P1", sizes[1])):
            self.world.nodes[node].core = MoodyCore()
            self.core(account).book(account, f"+{eur(opening)}", "OPENING", other=ES, at=now)
            self.core(account).book(account, f"+{eur(size)}", ref, other=ES, at=now)
        self.core(LT).book(LT, f"+{eur(sizes[0])}", "P0", other=ES, at=now)
        made = (payment(str(eur(sizes[0])), PT, "P0", now), payment(str(eur(sizes[1])), LT, "P1", now))
        self.world.report("NCB-ES", *made)
        self.outflow(0, spent, spent == 1)
        for place in range(first):
            self.ask(0, place % 2, 1 if place < 2 else 3, 900)  # the third asks at another place as well


EFFORT = settings(
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "40")),
    stateful_step_count=35,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # shrinking a story of fifty events takes longer than reading it
    suppress_health_check=list(HealthCheck),
)


class TestOneAccount(OneAccount.TestCase):
    """Several requesters and one account."""

    settings = EFFORT


class TestOneLoss(OneLoss.TestCase):
    """One loss and several holders."""

    settings = EFFORT
