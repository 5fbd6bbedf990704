"""Whoever taps the lines and has the keys of one participant: replays, alters, misdirects, forges, floods.

Everything it sends is to be refused or answered as if it had not come; nothing of it may move money or end a hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from arrp.core.account import institution_of
from arrp.core.events import Answered, Decide
from arrp.core.messages import Act, Handling, Head, Outcome, Receipt, Urgency, Uses
from arrp.core.money import Amount
from arrp.core.request import Ask, Asked, Credit, Source, Terms
from arrp.core.wishes import Keep, Release, Withdraw
from arrp.node.exchange import said_in
from arrp.sim.disk import spared
from arrp.sim.world import World
from arrp.wire.approvals import act_hash
from arrp.wire.codec import act_bytes, loads
from arrp.wire.envelope import VERSION, Content, Routing, content, open_parcel, seal, sign

TAPPED = 400  # parcels that are kept, to come again at any later time
SELF = "MALLORY"


class Adversary:
    """`attack` does one thing; `counts` says how often each was done."""

    def __init__(self, world: World, dice: Random) -> None:
        self._world, self._dice = world, dice
        self._tapped: list[tuple[str, str, bytes]] = []
        self._count = 0
        self.requests: list[str] = []  # ids of requests that it has overheard, as an insider would
        self.counts: Counter[str] = Counter()
        world.network.heard = self._tap

    def _tap(self, to: str, what: str, body: bytes) -> None:
        if len(self._tapped) < TAPPED:
            self._tapped.append((to, what, body))
        elif self._dice.random() < 0.3:
            self._tapped[self._dice.randrange(TAPPED)] = (to, what, body)

    def attack(self) -> None:
        name = self._dice.choice(list(self._TABLE))
        if self._tapped:
            self.counts[name] += 1
            self._TABLE[name](self)

    # --- what was overheard ----------------------------------------------------------------------------------

    def _replay(self) -> None:
        """A burst of what was ever said, in any order, now."""
        for to, what, body in self._dice.sample(self._tapped, min(40, len(self._tapped))):
            self._world.network.drop_in(to, what, body)

    def _alter(self) -> None:
        to, what, body = self._dice.choice(self._tapped)
        place = self._dice.randrange(len(body))
        altered = bytearray(body)
        altered[place] ^= 1 << self._dice.randrange(8)
        self._world.network.drop_in(to, what, bytes(altered))

    def _truncate(self) -> None:
        to, what, body = self._dice.choice(self._tapped)
        self._world.network.drop_in(to, what, body[: self._dice.randrange(len(body))])

    def _misdirect(self) -> None:
        """To somebody else, or to another door."""
        _, what, body = self._dice.choice(self._tapped)
        to = self._dice.choice(list(self._world.hosts))
        self._world.network.drop_in(to, self._dice.choice((what, "state", "parcels", "copies")), body)

    # --- what it signs itself ----------------------------------------------------------------------------------

    def _forge(self) -> None:
        """In another's name, with its own key."""
        to, sender = self._dice.sample(list(self._world.hosts), 2)
        self._post(to, sender, self._act(to))

    def _flood(self) -> None:
        """Validly signed: requests, wishes and facts about what is others'."""
        to = self._dice.choice(list(self._world.hosts))
        for _ in range(5):
            self._post(to, SELF, self._act(to))

    def _twist(self) -> None:
        """An honest node's signed head, sealed again beside another act."""
        to, what, body = self._dice.choice(self._tapped)
        if what != "parcels":
            return
        member = self._world.cast.members[to]
        opened = open_parcel(body, member.keys.sealing, to)
        assert isinstance(opened, Content)
        salt = self._dice.getrandbits(128).to_bytes(16, "big")
        twisted = content(opened.head, salt, act_bytes(self._act(to)))
        self._world.network.drop_in(to, "parcels", self._sealed(to, twisted))

    def _act(self, to: str) -> Act:
        request = self._dice.choice(self._known() or [self._id()])
        kind, body = self._dice.choice(self._bodies(to, request))
        if kind == "Request":
            request = self._id()
        until = self._world.time.at + timedelta(hours=10)
        return Act(self._id(), request, to, kind, Handling.H1, Uses(), body, None if kind == "RequestStands" else until)

    def _bodies(self, to: str, request: str) -> list[tuple[str, Any]]:
        some = Amount(self._dice.randint(1, 100_000), "EUR")
        account = "payto://iban/PT50000200000000000000313"
        return [
            ("Keep", Keep(some, rest_free=True)), ("Withdraw", Withdraw("")),
            ("Release", Release(Amount(0, "EUR"), "")), ("Decide", Decide(False, "LEGL", None, None)),
            ("RequestStands", Answered(Terms(some, let_go=some.minor))),
            ("Request", Asked(ask=Ask.HOLD, institution=institution_of(account), asked=some, claim=some,
                              source=Source("payment", "0", None, ()), credit=Credit(amount=some), loss="stolen",
                              stated_by=SELF, crime="BEC", account=account)),
        ]

    def _answer(self) -> None:
        """In the place of whoever is asked next: a receipt for what it never sees, in its name."""
        self._world.network.answers = self._receipt

    def _receipt(self, to: str, what: str, body: bytes) -> bytes | None:
        if what != "parcels" or to not in self._world.hosts:
            return None
        self._world.network.answers = None
        member = self._world.cast.members[to]
        opened = open_parcel(body, member.keys.sealing, to)  # how it is numbered an insider may well know
        assert isinstance(opened, Content)
        head = loads(Head, said_in(opened.head))
        receipt = Receipt(VERSION, to, head.sender, head.id, head.act_hash, head.request, head.number, Outcome.APPLIED,
                          head.number, self._world.time.at, None, None, None)
        return sign(receipt, self._world.cast.members[SELF].keys.signing, member.keys.signing_id).encode()

    def _post(self, to: str, sender: str, act: Act) -> None:
        keys, now = self._world.cast.members[SELF].keys, self._world.time.at
        data, salt = act_bytes(act), self._dice.getrandbits(128).to_bytes(16, "big")
        head = Head(VERSION, self._id(), sender, 1, to, act.request, self._dice.randint(1, 4), 0, None, Urgency.URGENT,
                    now, act.not_after, act_hash(salt, data), (), None)
        named = self._world.cast.members[self._dice.choice((SELF, sender))].keys  # whose key it says it is
        jws = sign(head, keys.signing, named.signing_id)
        self._world.network.drop_in(to, "parcels", self._sealed(to, content(jws, salt, data)))

    def _sealed(self, to: str, inside: Any) -> bytes:
        now = self._world.time.at
        routing = Routing(to, Urgency.URGENT, now + timedelta(days=1))
        return seal(inside, routing, self._world.cast.directory.sealing_of(to, now))

    def _known(self) -> list[str]:
        """What an insider knows: the requests there are."""
        for id in self._world.hosts:
            if self._world.running(id) and self._dice.random() < 0.5:
                with spared():
                    return [request for case in self._world.cases(id) for request in case.requests]
        return []

    def _id(self) -> str:
        return f"{self._dice.getrandbits(128):032x}"

    _TABLE: dict[str, Callable[[Adversary], None]] = {  # noqa: RUF012 - a table of methods
        "replay": _replay, "replay again": _replay, "alter": _alter, "truncate": _truncate, "misdirect": _misdirect,
        "forge": _forge, "flood": _flood, "twist": _twist, "answer": _answer,
    }  # fmt: skip
