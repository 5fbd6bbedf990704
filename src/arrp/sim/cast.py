"""Who takes part in a world: participants, their keys, their officers, the directory they are in.

Keys follow from names, so that the same seed has the same bytes; nobody may use them for anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from arrp.core.deadline import Power
from arrp.core.law import TOLD
from arrp.core.mandate import Mandate
from arrp.core.messages import Approval
from arrp.core.money import Amount
from arrp.core.period import Period
from arrp.core.policy import Officer, Participant, Policy, Rules
from arrp.node.directory import Directory, directory_of
from arrp.node.home import Found, fitted
from arrp.node.keys import NodeKeys, OfficerKey, fresh_keys, key_id, person_key
from arrp.node.service import Node
from arrp.node.standing import Standing, draft_standing
from arrp.sim.keepers import changed, entry_of, first_edition, following
from arrp.wire.approvals import approve
from arrp.wire.directory import Opened, Wanted

ROLES = ("duty officer", "redress officer", "data-protection officer")
BIG = 10**12
OPEN = Policy(("@authority",), (), "EUR", BIG, BIG, BIG, BIG, True, "law", call_back_first=False,
              questions_per_day=10**6)
_POWER, _PROVISIONAL, _CHAIN = Period(72, "hours"), Period(24, "hours"), Period(720, "hours")
VALID = timedelta(days=200)


@dataclass(frozen=True, slots=True)
class Seat:
    """One participant before it has keys. `answers_for`: the institutions it holds money of."""

    id: str
    kind: str
    country: str
    people: tuple[str, ...]
    answers_for: tuple[str, ...] = ()
    instructs: tuple[str, ...] = ()
    hostile: bool = False  # it runs no node of ours: the adversary has its keys


@dataclass(frozen=True, slots=True)
class Customs:
    """How everybody in this world decides: the power that each has in its country, and the policy."""

    power: Period = _POWER
    provisional: Period | None = _PROVISIONAL
    chain: Period = _CHAIN
    policy: Policy = OPEN
    look_every: timedelta = timedelta(minutes=10)
    request_hours: int = 72  # a wish may be applied this long after it was made
    standing: bool = True  # whether bureaus have a standing mandate

    def law(self, country: str) -> Power:
        return Power("law", country, "article 1 of an invented law", ("authority", "institution"), self.provisional,
                     self.power, self.chain, onward="free", tells=TOLD, source="invented", checked_on="2026-11-22")


@dataclass(frozen=True, slots=True)
class Member:
    """One participant with everything it owns but its node."""

    seat: Seat
    participant: Participant
    keys: NodeKeys
    officers: dict[str, Ed25519PrivateKey]

    @property
    def id(self) -> str:
        return self.seat.id

    def signature(self, officer: str, act_hash: str) -> Approval:
        key = self.officers[officer]
        return approve(key, officer, key_id(key.public_key()), act_hash)


class Cast:
    """All members and the first edition of their directory, published a month before `start`."""

    def __init__(self, seats: Sequence[Seat], start: datetime, customs: Customs) -> None:
        self.start, self.customs = start, customs
        self.founded = start - timedelta(days=30)
        self.members = {seat.id: self._member(seat) for seat in seats}
        self.edition: Opened = first_edition({id: (m.participant, m.keys) for id, m in self.members.items()},
                                             self.founded)
        self.directory: Directory = directory_of(self.edition)
        self.standing = {id: self._standing(m) for id, m in self.members.items()
                         if m.seat.kind == "authority" and customs.standing}

    def rules(self, id: str) -> Rules:
        standing = self.mandates(id)
        law = self.customs.law(self.members[id].seat.country)
        return Rules(self.members[id].participant, self.directory.participants, {law.id: law}, self.customs.policy,
                     tuple((one.act_hash, one.mandate) for one in standing), look_every=self.customs.look_every,
                     request_hours_max=self.customs.request_hours, digest="rules")

    def suspend(self, id: str, at: datetime) -> None:
        """The keepers' word; every node takes it up within a minute of its next look (R-34)."""
        self._follow(changed(self.edition, Wanted(suspended=(id,)), at))

    def revoke(self, id: str, officer: str, at: datetime) -> None:
        """The key of that officer is lost: what is signed with it counts no more (R-37)."""
        who = self.directory.participant(id)
        lost = tuple(replace(one, keys=tuple(replace(key, revoked_at=at, compromised_from=at) for key in one.keys))
                     if one.id == officer else one for one in who.officers)
        entry = entry_of(replace(who, officers=lost), self.members[id].keys, at)
        self._follow(following(self.edition, entry, at))

    def _follow(self, edition: Opened) -> None:
        self.edition, self.directory = edition, directory_of(edition)

    def renewed(self, node: Node, at: datetime) -> Node | None:
        """What the home of a real node does when somebody has put a newer directory in force there."""
        found = Found(self.directory, self.members[node.me].keys, self.customs.policy, self.mandates(node.me))
        return fitted(node, found, at)

    def mandates(self, id: str) -> tuple[Standing, ...]:
        return (self.standing[id],) if id in self.standing else ()

    def _member(self, seat: Seat) -> Member:
        signing = Ed25519PrivateKey.from_private_bytes(_secret(f"node {seat.id}"))
        keys = NodeKeys(signing, key_id(signing.public_key()),
                        X25519PrivateKey.from_private_bytes(_secret(f"seal {seat.id}")))
        officers = {name: Ed25519PrivateKey.from_private_bytes(_secret(f"officer {seat.id} {name}"))
                    for name in seat.people}
        listed = tuple(
            Officer(name, name, ROLES, (person_key(OfficerKey(key, key_id(key.public_key())), self.founded),))
            for name, key in officers.items()
        )
        signs, opens = fresh_keys(keys, self.founded)
        participant = Participant(seat.id, seat.id, seat.kind, seat.country, f"http://{seat.id.lower()}",
                                  seat.answers_for, listed, (signs,), (opens,), seat.instructs)
        return Member(seat, participant, keys, officers)

    def _standing(self, member: Member) -> Standing:
        most = Amount(BIG, self.customs.policy.asset)
        mandate = Mandate(None, most, most, 9, (), ("hold", "stop"), (), self.start - timedelta(days=1),
                          self.start + VALID)
        drafted = draft_standing(member.id, mandate, sha256(member.id.encode()).hexdigest()[:32],
                                 sha256(member.id.encode()).digest()[:16])
        for name in member.seat.people[:2]:
            drafted = drafted.signed(member.signature(name, drafted.act_hash))
        return drafted


def _secret(name: str) -> bytes:
    return sha256(f"a simulated world: {name}".encode()).digest()
