"""Nodes as plain values: `step` and nothing else, for stories whose transcript a person can review.

No bytes, no store, no network: what one node tells is heard by the other at once, and a core bank is
a list of transfers. Everything the rules decide is decided by `arrp.core` itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from arrp.core.account import institution_of
from arrp.core.answers import (
    AccountStatus,
    Cannot,
    Compared,
    Comparison,
    Found,
    Gone,
    Held,
    Landed,
    MatchedCredit,
    Released,
    Returned,
    Stopped,
    Why,
)
from arrp.core.by_hand import PAPER
from arrp.core.case import Case, apply
from arrp.core.coins import Coins
from arrp.core.deadline import Power
from arrp.core.errors import ArrpError
from arrp.core.events import KINDS, Event, Intent, Verb
from arrp.core.law import TOLD
from arrp.core.ledger import Ledger, Transfer
from arrp.core.mandate import Mandate
from arrp.core.messages import Approval
from arrp.core.money import Amount
from arrp.core.period import Period
from arrp.core.policy import Officer, Participant, Policy, Rules, Tally
from arrp.core.protocol import next_due, step
from arrp.core.report import Party, Payment, Report
from arrp.core.request import Ask, Asked, Credit, Request, Source
from arrp.core.sentences import sentence
from arrp.core.step import Approve, Command, CoreAnswer, Heard, Joined, Receipted, Tick
from arrp.trace.account import follow_account

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PT = "payto://iban/PT50000201231234567890154"
LT = "payto://iban/LT121000011101001000"
ES = "payto://iban/ES9121000418450200051332"
DE = "payto://iban/DE89370400440532013000"
LAW = Power("pt-1", "PT", "art. 1 (fictional)", ("institution",), Period(24, "hours"), Period(72, "hours"),
            Period(720, "hours"), onward="free", tells=TOLD)


def amount(text: str) -> Amount:
    number, asset = text.split()
    return Amount.parse(number, asset)


@dataclass
class Core:
    """One bank's ledger in memory: transfers per account, blocks by reference."""

    accounts: dict[str, list[Transfer]] = field(default_factory=dict)
    flights: dict[str, tuple[str, str]] = field(default_factory=dict)  # uetr: where it is, "" in flight; the amount
    refuses: set[Verb] = field(default_factory=set)
    blocks: dict[str, tuple[str, int]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    sequence: int = 0

    def book(
        self, account: str, text: str, ref: str, *, other: str = "", at: datetime, hold: str | None = None
    ) -> None:
        """`+100.00 EUR` comes in, `-40.00 EUR` goes out; to nobody it is cash."""
        self.sequence += 1
        ends = None if other or text[0] == "+" else "cash"
        self.accounts.setdefault(account, []).append(
            Transfer(self.sequence, ref, text[0] == "+", amount(text[1:]).minor, at, other=other, hold=hold, ends=ends)
        )

    def booked(self, account: str) -> int:
        return sum(t.amount if t.incoming else -t.amount for t in self.accounts.get(account, ()))

    def free(self, account: str) -> int:
        return max(0, self.booked(account) - sum(a for where, a in self.blocks.values() if where == account))

    def find(self, body: Asked) -> Found:
        account = body.account
        if account not in self.accounts:
            return Found(AccountStatus.NONE, self.sequence, comparisons=(Comparison("account", Compared.DIFFERS),))
        transfers = tuple(self.accounts[account])
        matches = [t for t in transfers if t.incoming and t.ref in body.credit.references]
        credits = tuple(MatchedCredit(t.ref, t.amount, body.asked.asset, t.sequence, t.at, 0, True) for t in matches)
        verdict = Compared.MATCH if matches else Compared.DIFFERS
        status = AccountStatus.CLOSED if account in self.closed else AccountStatus.OPEN
        return Found(status, self.sequence, self.booked(account), self.free(account),
                     (Comparison("amount", verdict),), credits, Ledger(0, transfers, self.sequence), account)

    def do(self, intent: Intent, body: Asked, at: datetime) -> Any:
        if intent.verb is Verb.FIND:
            return self.find(body)
        account = intent.account_ref
        if intent.verb in self.refuses:
            return Cannot(Why.REFUSED)
        if intent.verb is Verb.STOP:
            return self.stop(intent, body, at)
        if intent.verb is Verb.HOLD:
            if intent.amount > self.free(account):
                return Cannot(Why.NO_FUNDS, self.free(account))
            self.blocks[intent.block] = (account, intent.amount)
            return Held(f"C-{len(self.blocks)}", intent.amount, self.sequence, at, intent.until or at)
        if intent.verb is Verb.RELEASE:
            self.blocks[intent.block] = (account, intent.amount)
            return Released("C", intent.amount, self.sequence)
        if intent.verb is Verb.GIVE_BACK:
            where, blocked = self.blocks[intent.block]
            self.blocks[intent.block] = (where, blocked - intent.amount)
            number = f"-{Amount(intent.amount, body.asked.asset)}"
            self.book(where, number, f"return {intent.ref}", other=intent.payee, at=at, hold=intent.block)
            return Returned("R-1", f"return {intent.ref}", intent.amount, blocked - intent.amount, self.sequence)
        return Held("C", intent.amount, self.sequence, at, intent.until or at)


    def stop(self, intent: Intent, body: Asked, at: datetime) -> Any:
        if body.credit.uetr not in self.flights:
            return Gone()
        lands, text = self.flights[body.credit.uetr]
        if lands:
            return Landed(body.credit.uetr, lands)
        self.blocks[intent.block] = (f"flight {body.credit.uetr}", amount(text).minor)
        return Stopped("S-1", amount(text).minor, self.sequence, at)

    def bounce(self, account: str, at: datetime) -> None:
        """The newest payment out of the account comes back."""
        sent = next(t for t in reversed(self.accounts[account]) if not t.incoming)
        self.sequence += 1
        self.accounts[account].append(
            Transfer(self.sequence, f"bounced {sent.ref}", True, sent.amount, at, reverses=sent.ref,
                     carries=Coins.of([(0, sent.amount)]))
        )


@dataclass
class Node:
    """A participant with its cases. The key of a case is what the door would compute."""

    rules: Rules
    core: Core | None = None
    cases: dict[str, Case] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.rules.me.id

    def case(self, key: str) -> Case:
        return self.cases.setdefault(key, Case(self.id, key))


class World:
    """Plain nodes, one clock, instant and lossless conversation."""

    def __init__(self) -> None:
        self.now, self.lines, self.queue = START, list[str](), deque[tuple[str, str, Any]]()
        self.nodes: dict[str, Node] = {}
        self.count = 0
        self.strangers: tuple[str, ...] = ()  # officers whom no node has called back
        self.questions = 0  # how often every peer asked every other in the last day
        self.refused: list[str] = []  # codes with which peers refused an act
        self.prepare: Callable[[], object] = lambda: None

    # --- setting the scene ---

    def join(self, *members: Participant, policies: dict[str, Policy] | None = None, power: Power = LAW) -> None:
        directory = {member.id: member for member in members}
        for member in members:
            policy = (policies or {}).get(member.id, OPEN)
            standing = ((f"standing-{member.id}", STANDING),) if member.kind == "authority" else ()
            rules = Rules(member, directory, {power.id: power}, policy, standing)
            self.nodes[member.id] = Node(rules, Core() if member.kind == "institution" else None)

    def core(self, id: str) -> Core:
        core = self.nodes[id].core
        assert core is not None
        return core

    def new_id(self) -> str:
        self.count += 1
        return sha256(str(self.count).encode()).hexdigest()[:32]

    # --- what people do ---

    def officer(self, node: str, verb: str, body: Any = None, request: str | None = None, *,
                case: str = "loss", by: tuple[str, ...] = ()) -> None:
        """An officer's command, then the approvals of `by` over whatever draft it left."""
        owner = self.nodes[node]
        key = owner.routes.get(request or "", case)
        officer = by[0] if by else owner.rules.me.officers[0].id
        command = Command(self.new_id(), verb, officer, request, body, "00" * 16)
        before = set(owner.case(key).drafts)
        self.give(node, key, command)
        for officer in by:
            for act in [act for act in owner.case(key).drafts if act not in before]:
                self.give(node, key, Approve(self.new_id(), act, f"hash-{act}", Approval(officer, "k", "Ed25519", "s")))
        self.settle()

    def sign(self, node: str, key: str, act: str, *officers: str) -> None:
        """Officers sign a draft that lies ready."""
        for officer in officers:
            self.give(node, key, Approve(self.new_id(), act, f"hash-{act}", Approval(officer, "k", "Ed25519", "s")))
        self.settle()

    def report(self, node: str, *payments: Payment, loss: str = "L1") -> None:
        said = Report(loss, node, payments, "BEC", self.now, facts="invoice redirection")
        self.officer(node, "report", said)
        mandate = Mandate(loss, said.total, said.total, 3, (), ("hold", "stop"), (), START, START + timedelta(days=30))
        signers = tuple(officer.id for officer in self.nodes[node].rules.me.officers[:2])
        self.officer(node, "mandate", mandate, by=signers)

    def ask(self, node: str, asked: str, account: str, *, payment: int = 0, claim: str = "",
            by: tuple[str, ...] = (), ask: Ask = Ask.HOLD) -> str:
        body = Asked(
            ask=ask, institution=institution_of(account), asked=amount(asked), claim=amount(claim or asked),
            source=Source("payment", str(payment), None, ()), credit=Credit(amount=amount(asked)), loss="",
            stated_by="", crime="BEC", account=account,
        )
        known = set(self.nodes[node].case("loss").requests)
        self.officer(node, "send", body, by=by)
        return next(id for id, request in self.nodes[node].case("loss").requests.items()
                    if id not in known and not request.body.pursues)

    def requests(self, node: str) -> list[Request]:
        return [request for case in self.nodes[node].cases.values() for request in case.requests.values()
                if case.state != "joined"]

    # --- time and talk ---

    def run(self, **delta: float) -> None:
        """Let time pass; every tick comes exactly when it is due."""
        end = self.now + timedelta(**delta)
        while True:
            due = [(at, node.id, key) for node in self.nodes.values() for key, case in node.cases.items()
                   if (at := next_due(case, node.rules)) is not None and at <= end]
            if not due:
                break
            at, node_id, key = min(due)
            self.now = max(self.now, at)
            self.give(node_id, key, Tick(self.new_id()))
            self.settle()
        self.now = end

    def settle(self) -> None:
        while self.queue:
            node_id, key, given = self.queue.popleft()
            try:
                self.give(node_id, key, given)
            except ArrpError as error:
                self.refuse(given, error)

    def refuse(self, given: Any, error: ArrpError) -> None:
        """A command that a rule refuses goes back as a refused receipt; a fact is never refused."""
        if not isinstance(given, Heard) or not KINDS[given.kind].command:
            raise error
        self.refused.append(error.code)
        receipt = Receipted(f"no-{given.id}", given.id, "", given.kind, given.request, "refused", error.code, "")
        key = self.nodes[given.sender].routes.get(given.request, "loss")
        self.queue.append((given.sender, key, receipt))

    def give(self, node_id: str, key: str, given: Any) -> None:
        node = self.nodes[node_id]
        case = node.case(key)
        for event in step(case, given, self.now, node.rules):
            assert KINDS[event.kind].body is type(event.body)
            case = apply(case, event)
            node.cases[key] = case
            self.write(node, event)
            self.spread(node, key, event)

    def write(self, node: Node, event: Event) -> None:
        said = sentence(event) if event.by == node.id or event.act_hash == PAPER else None
        if said:
            line = f"{self.now:%d %b %H:%M}  {event.by:<8} {said}"
            self.lines.append(line)

    def spread(self, node: Node, key: str, event: Event) -> None:
        if event.kind == "Intended":
            core, body = node.core, node.cases[key].request(event.body.request).body
            assert core is not None
            done = core.do(event.body, body, self.now)
            self.queue.append((node.id, key, CoreAnswer(event.body.ref, done, follow_account)))
        elif event.kind == "CaseJoined":
            self.rejoin(node, key, event)
        elif event.by == node.id and event.to in self.nodes and event.to != node.id:
            self.carry(node, key, event)

    def tally(self) -> Tally:
        return Tally(strangers=self.strangers, questions=self.questions)

    def rejoin(self, node: Node, key: str, event: Event) -> None:
        request = node.cases[key].request(event.request or "")
        node.routes[request.id] = event.body.to or key
        assert node.core is not None
        answer = CoreAnswer("find", node.core.find(request.body), follow_account)
        loss = node.cases[key].loss_of(request.body)
        joined = Joined(self.new_id(), request, answer, loss, self.tally())
        self.queue.append((node.id, node.routes[request.id], joined))

    def carry(self, node: Node, key: str, event: Event) -> None:
        peer = self.nodes[event.to]
        assert event.request is not None
        loss, mandate, mandate_hash = None, None, None
        if event.kind == "Request":
            node.routes[event.request] = key
            loss_key = f"{event.body.stated_by} {event.body.loss}"
            fresh = loss_key if peer.rules.me.kind == "authority" else f"request:{event.request}"
            peer.routes.setdefault(event.request, fresh)
            loss = node.cases[key].loss_of(event.body)
            mandate_hash = event.body.mandate_act
            known = dict(node.rules.standing)
            if node.cases[key].mandate:
                known[node.cases[key].mandate[0]] = node.cases[key].mandate[1]
            mandate = known.get(mandate_hash or "")
        heard = Heard(f"hash-{event.act}", node.id, event.kind, event.request, event.body, event.officers, mandate,
                      mandate_hash, loss, event.not_after, self.tally())
        self.queue.append((peer.id, peer.routes[event.request], heard))
        receipt = Receipted(f"receipt-{event.act}", event.act, "", event.kind, event.request, "applied", None, None)
        self.queue.append((node.id, key, receipt))


def people(*names: str) -> tuple[Officer, ...]:
    return tuple(Officer(name, name, ("duty officer", "redress officer", "data-protection officer")) for name in names)


def payment(text: str, to: str, ref: str, at: datetime = START) -> Payment:
    return Payment(amount(text), None, at - timedelta(hours=1), Party("Victim Ltd", ES), Party("Trading Lda", to),
                   references=(ref,))


NCB_ES = Participant("NCB-ES", "Bureau ES", "authority", "ES", "", (), people("Ana", "Ben"))
NCB_DE = Participant("NCB-DE", "Bureau DE", "authority", "DE", "", (), people("Eva", "Fritz"))
NCB_PT = Participant("NCB-PT", "Bureau PT", "authority", "PT", "", (), people("Rui", "Zoe"), instructs=("BANK-PT",))
BANK_PT = Participant("BANK-PT", "Banco PT", "institution", "PT", "", (institution_of(PT),),
                      people("Tom", "Tim", "Redress"))
VASP_LT = Participant("VASP-LT", "Exchange LT", "institution", "LT", "", (institution_of(LT),), people("Lina", "Ona"))
BIG = 10**12
OPEN = Policy(("@authority",), (), "EUR", BIG, BIG, BIG, BIG, True, "pt-1")
ASLEEP = replace(OPEN, instant_from=())
STANDING = Mandate(None, Amount(BIG, "EUR"), Amount(BIG, "EUR"), 9, (), ("hold", "stop"), (), START - timedelta(days=1),
                   START + timedelta(days=90))
