"""A request made by hand, with the mandate and the loss that travel with it: truly signed by those who are named, and
altered where a test says so. For tests of what a thief can send (tests/node/test_forged.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.account import institution_of
from arrp.core.errors import ArrpError
from arrp.core.events import CalledBack, Decide
from arrp.core.mandate import LossAct, Mandate
from arrp.core.messages import Act, Approval, Handling, Urgency, Uses
from arrp.core.report import Party
from arrp.core.request import Ask, Asked, Credit, Source
from arrp.wire.approvals import act_hash, b64, sealing_public, unb64
from arrp.wire.codec import act_bytes
from arrp.wire.envelope import Attached, Routing, content, seal, sign
from tests.node.mouth import Mouth, receipt_of
from tests.node.world import BASIS, ES, LT, PT, START, World, amount, payment

SALT, WHOLE, FORGED, BOTH = b"f" * 16, "100000.00 EUR", "f0" * 16, ("Ana", "Ben")
HOLDERS = {"BANK-PT": ("pt-1", PT), "VASP-LT": ("lt-1", LT)}
ATTACHED_ID = {"Loss": "10" * 16, "Mandate": "3a" * 16}


@dataclass(frozen=True)
class Forgery:
    """A request with what travels with it. Who is named signs truly; `spoil` alters the act after they did."""

    by: tuple[str, ...] = BOTH
    mandate_by: tuple[str, ...] = ()
    loss_by: tuple[str, ...] = BOTH
    sender: str = "NCB-ES"
    to: str = "VASP-LT"
    body: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)  # of its mandate
    lasts: timedelta = timedelta(hours=24)
    approvals: tuple[Approval, ...] | None = None  # instead of those of `by`
    spoil: Callable[[bytes], bytes] = bytes
    head: dict[str, Any] = field(default_factory=dict)
    request: str = FORGED

    def loss(self, world: World) -> Attached:
        said = LossAct("F1", self.sender, amount(WHOLE), ("c" * 64,), "d" * 64)
        return self._attached(world, "Loss", said, self.loss_by)

    def mandate(self, world: World) -> Attached:
        whole, at = amount(WHOLE), world.clock.at
        said = Mandate("F1", whole, whole, 3, (), ("hold", "stop"), (), at, at + timedelta(days=1))
        return self._attached(world, "Mandate", replace(said, **self.terms), self.mandate_by)

    def _attached(self, world: World, kind: str, said: Mandate | LossAct, by: tuple[str, ...]) -> Attached:
        until = START + timedelta(days=60)
        data = act_bytes(Act(ATTACHED_ID[kind], None, None, kind, Handling.H1, Uses(), said, until))
        signed = tuple(world.signature(self.sender, name, act_hash(SALT, data)) for name in by)
        return Attached(self.sender, b64(data), b64(SALT), signed, None)

    def asked(self, loss: Attached, mandate: Attached | None) -> Asked:
        account = HOLDERS[self.to][1] if self.to in HOLDERS else PT
        plain = Asked(
            ask=Ask.HOLD, institution=institution_of(account), asked=amount(WHOLE), claim=amount(WHOLE),
            source=Source("payment", "0", None, ()), credit=Credit(references=("P1",), amount=amount(WHOLE)),
            loss="F1", stated_by=self.sender, crime="BEC", account=account, loss_act=named(loss),
            mandate_act=named(mandate) if mandate else None,
        )  # fmt: skip
        return replace(plain, **self.body)

    def sent(self, world: World, attached: tuple[Attached, ...] | None = None) -> str:
        """Deliver it; how it was answered."""
        return answered(world, self.to, self.parcel(world, attached))

    def parcel(self, world: World, attached: tuple[Attached, ...] | None = None) -> bytes:
        """`attached`: loss and mandate to send instead of its own."""
        loss, *others = attached or (self.loss(world), *([self.mandate(world)] if self.mandate_by else []))
        mouth = Mouth(world, self.sender, self.to, self.request, said=1, ids=700 + 10 * int(self.request[-1], 16))
        asked = self.asked(loss, others[0] if others else None)
        act = mouth.act("Request", asked, not_after=world.clock.at + self.lasts)
        data = act_bytes(act)
        head = mouth.head(act, data, SALT, () if self.approvals else self.by)
        spoiled = self.spoil(data)
        head = replace(head, act_hash=act_hash(SALT, spoiled), approvals=self.approvals or head.approvals, **self.head)
        keys = world.members[self.sender].keys
        jws = sign(head, keys.signing, keys.signing_id)
        return sealed(world, self.to, content(jws, SALT, spoiled, (loss, *others)))


def named(attached: Attached) -> str:
    return act_hash(unb64(attached.salt), unb64(attached.act))


def sealed(world: World, to: str, whole: Any) -> bytes:
    routing = Routing(to, Urgency.URGENT, world.clock.at + timedelta(days=7))
    return seal(whole, routing, sealing_public(world.members[to].keys.sealing_public))


def answered(world: World, to: str, parcel: bytes) -> str:
    """The code of the refusal, signed or not; `waits` when an officer is asked first; else `held` or `applied`."""
    hearing = world.members[to].hearing
    assert hearing is not None
    try:
        receipt = receipt_of(hearing.parcel(parcel))
    except ArrpError as refused:
        return refused.code if refused.status < 500 else "out of order"
    world.run(minutes=2)
    if receipt.code is not None:
        assert any(e.kind == "ActRefused" and e.body.code == receipt.code for e in world.log(to))
        return receipt.code
    return "waits" if waiting(world, to) and not in_force(world) else f"{receipt.outcome}"


def waiting(world: World, at: str) -> bool:
    """R-91: somebody there is told to call an officer of the requester before anything happens."""
    return any(what.startswith("call-back ") for case in world.cases(at) for what in case.escalated)


def in_force(world: World) -> list[str]:
    """Every hold that counts at a holder, in its log or in its core."""
    held = [f"{id}: {hold.amount} in the core" for id in HOLDERS for hold in world.core(id).holds()]
    for id, (ref, _) in HOLDERS.items():
        if blocked := world.core(id).balance(ref).held:
            held.append(f"{id}: {blocked} blocked")
        held += [f"{id}: request {request.id}" for case in world.cases(id) for request in case.requests.values()
                 if request.hold is not None and request.hold.in_force]
    return held


def scene(world: World) -> None:
    """At each holder 100,000 EUR have come in, which a true request could be about."""
    for id, (ref, account) in HOLDERS.items():
        world.core(id).open_account(Account(ref, account, "Trading Lda", "EUR"))
        order = Order("P1", amount(WHOLE), Party("Victim Ltd", ES), Party("Trading Lda", account))
        world.core(id).book(order, START - timedelta(minutes=30))


def call_back(world: World, request: str) -> None:
    for officer in BOTH:
        world.officer("VASP-LT", "call-back", CalledBack(officer, True), request=request)


def true_request(world: World) -> None:
    """The same bureau, its true officers, called back: the money is held, and no unit more."""
    request = world.ask(world.report(payment(WHOLE, LT, "P1"), loss="TRUE"), WHOLE, LT)
    world.run(minutes=1)
    assert in_force(world) == [], "nobody was called yet"
    call_back(world, request)
    accepted = Decide(True, None, BASIS, world.clock.at + timedelta(hours=24))
    world.officer("VASP-LT", "decide", accepted, request=request, by=("Lina",))
    world.run(minutes=1)
    assert world.core("VASP-LT").balance("lt-1").held == amount(WHOLE).minor
