"""A peer's mouth, by hand: acts that its own node would not say, or not in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from arrp.connectors.books import Order
from arrp.connectors.simulated import Account
from arrp.core.hold import Hold
from arrp.core.messages import Act, Approval, Checkpoint, Handling, Head, Receipt, Urgency, Uses
from arrp.core.report import Party
from arrp.core.request import Request
from arrp.wire.approvals import act_hash, sealing_public, unb64
from arrp.wire.codec import act_bytes, parse_json, read
from arrp.wire.envelope import VERSION, Content, Routing, open_parcel, seal, sign
from arrp.wire.envelope import content as content_of
from tests.node.world import LT, START, World, amount, payment

ASKED = amount("100000.00 EUR")


@dataclass
class Mouth:
    """What `sender` says to `to` about one request. `number` counts by itself unless it is given."""

    world: World
    sender: str
    to: str
    request: str
    said: int = 0
    ids: int = field(default=0)

    def act(self, kind: str, body: Any, **other: Any) -> Act:
        self.ids += 1
        fresh = Act(f"{self.ids:032d}", self.request, self.to, kind, Handling.H1, Uses(), body, None)
        return replace(fresh, **other)

    def head(self, act: Act, data: bytes, salt: bytes, by: tuple[str, ...], **other: Any) -> Head:
        hash_ = act_hash(salt, data)
        approvals: tuple[Approval, ...] = tuple(self.world.signature(self.sender, name, hash_) for name in by)
        self.ids += 1
        return replace(Head(
            v=VERSION, id=f"{self.ids:032x}", sender=self.sender, epoch=1, to=self.to, request=self.request,
            number=self.said, seen=0, answers=None, urgency=Urgency.URGENT, sent_at=self.world.clock.at,
            apply_by=act.not_after, act_hash=hash_, approvals=approvals, mandate=None), **other)

    def parcel(self, kind: str, body: Any, *, by: tuple[str, ...] = (), number: int | None = None,
               until: datetime | None = None, data: Callable[[bytes], bytes] = bytes, **head: Any) -> bytes:
        """A sealed parcel. `data` may spoil the bytes of the act before they are signed."""
        self.said = self.said + 1 if number is None else number
        act = self.act(kind, body, not_after=until)
        salt, bytes_ = b"s" * 16, data(act_bytes(act))
        signed = self.head(act, bytes_, salt, by, **head)
        keys = self.world.members[self.sender].keys
        routing = Routing(self.to, Urgency.URGENT, self.world.clock.at + timedelta(days=7))
        jws = sign(signed, keys.signing, keys.signing_id)
        reader = sealing_public(self.world.members[self.to].keys.sealing_public)
        return seal(content_of(jws, salt, bytes_), routing, reader)

    def say(self, kind: str, body: Any, **how: Any) -> Receipt:
        return self.deliver(self.parcel(kind, body, **how))

    def deliver(self, parcel: bytes) -> Receipt:
        hearing = self.world.members[self.to].hearing
        assert hearing is not None
        return receipt_of(hearing.parcel(parcel))


def receipt_of(jws: str) -> Receipt:
    tree = parse_json(jws.encode())
    assert isinstance(tree, dict)
    return read(Receipt, parse_json(unb64(str(tree["payload"]))))


def signed_by(world: World, node: str, value: Receipt | Checkpoint) -> str:
    keys = world.members[node].keys
    return sign(value, keys.signing, keys.signing_id)


def asked_on_paper_only(world: World) -> tuple[Mouth, bytes]:
    """NCB-ES asks VASP-LT to hold 100,000 EUR that are there; the parcel is taken out of the post. The
    mouth goes on after it, and the bureau's own node says nothing more."""
    vasp = world.core("VASP-LT")
    vasp.open_account(Account("lt-1", LT, "Trading Lda", "EUR"))
    order = Order("P1", ASKED, Party("Victim Ltd", "payto://iban/ES9121000418450200051332"), Party("Trading Lda", LT))
    vasp.book(order, START - timedelta(minutes=30))
    world.post.lose = lambda url, _: "parcel"
    case = world.report(payment(str(ASKED), LT, "P1"))
    request = world.ask(case, str(ASKED), LT)
    world.settle()
    parcel = next(body for url, body in world.post.sent if url == "http://vasp-lt/parcels")
    world.stop("NCB-ES")
    return Mouth(world, "NCB-ES", "VASP-LT", request, said=1), parcel


def hold_of(world: World, mouth: Mouth) -> Hold:
    hold = held(world, mouth).hold
    assert hold is not None
    return hold


def held(world: World, mouth: Mouth) -> Request:
    (found,) = [r for case in world.cases(mouth.to) for r in case.requests.values() if r.id == mouth.request]
    return found


def opened(world: World, mouth: Mouth, parcel: bytes) -> Content:
    found = open_parcel(parcel, world.members[mouth.to].keys.sealing, mouth.to)
    assert isinstance(found, Content)
    return found
