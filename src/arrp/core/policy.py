"""Who is who, who may ask whom for what, and the receiving side's standing rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from arrp.core.deadline import Power
from arrp.core.errors import NotFound, Refused
from arrp.core.mandate import Mandate
from arrp.core.request import Ask, Asked


@dataclass(frozen=True, slots=True)
class Officer:
    """A person of a participant: `key` is the base64url Ed25519 public key of `key_id`."""

    id: str
    name: str
    roles: tuple[str, ...]
    key_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Participant:
    """Who runs a node. `answers_for`: prefixes of institutions (IBAN country + bank code, BIC, CAIP-2)."""

    id: str
    name: str
    kind: str  # authority | institution | issuer | coordinator
    country: str
    address: str
    answers_for: tuple[str, ...]
    officers: tuple[Officer, ...]
    signing: dict[str, str] = field(default_factory=dict)  # key id -> public key
    sealing: str = ""
    instructs: tuple[str, ...] = ()  # institutions an authority may instruct
    suspended: bool = False

    def officer(self, id: str) -> Officer:
        for officer in self.officers:
            if officer.id == id:
                return officer
        raise NotFound(f"{self.id} has no officer {id}; there are {', '.join(o.id for o in self.officers) or 'none'}")


# Who may ask whom for what. A bank may ask a bank, on the holder's own power; nobody asks a coordinator.
ENTITLED: Mapping[tuple[str, str], frozenset[Ask]] = {
    ("authority", "authority"): frozenset(Ask),
    ("authority", "institution"): frozenset(Ask),
    ("authority", "issuer"): frozenset({Ask.HOLD, Ask.TRACE, Ask.PRESERVE}),
    ("institution", "institution"): frozenset({Ask.STOP, Ask.HOLD}),
    ("institution", "authority"): frozenset({Ask.HOLD, Ask.TRACE}),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """The receiver's standing rules: what may happen before one of its officers looked (R-17).

    Amounts are minor units of `asset`; another asset goes to an officer. Caps count what was held
    or instructed at once, per peer and per account.
    """

    instant_from: tuple[str, ...] = ()  # participants, or kinds with a leading @: @authority
    crimes: tuple[str, ...] = ()  # empty = all
    asset: str = "EUR"
    per_request: int = 0
    per_hour: int = 0
    per_day: int = 0
    per_account: int = 0
    mandate_issued: bool = True
    power: str | None = None
    seen_within: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a peer already asked of us, counted by the door under its lock (minor units, claims)."""

    hour: int = 0
    day: int = 0
    account: int = 0
    under_mandate: int = 0
    of_loss: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything `step` may know besides the case: frozen values, named by `digest` in every event."""

    me: Participant
    participants: Mapping[str, Participant]
    powers: Mapping[str, Power]
    policy: Policy
    standing: tuple[tuple[str, Mandate], ...] = ()  # (act hash, mandate): signed by two officers
    surplus: timedelta = timedelta(minutes=60)
    keep_before: timedelta = timedelta(minutes=10)
    patience: timedelta = timedelta(minutes=2)
    look_every: timedelta = timedelta(minutes=1)
    look_for_bounce: timedelta = timedelta(hours=1)
    credited_within: timedelta = timedelta(days=10)
    request_hours_max: int = 72
    digest: str = ""

    def participant(self, id: str) -> Participant:
        if id not in self.participants:
            raise NotFound(f"participant {id} is not in the directory; ask its keepers, or write to it on paper")
        return self.participants[id]

    def answering_for(self, institution: str) -> Participant | None:
        """The institution that answers for an account's bank code, BIC or chain; None when no node does."""
        found = [
            (len(prefix), who)
            for who in self.participants.values()
            for prefix in who.answers_for
            if institution.startswith(prefix) and who.kind in ("institution", "issuer")
        ]
        return max(found, key=lambda pair: (pair[0], pair[1].id))[1] if found else None

    def to_ask(self, institution: str) -> Participant | None:
        """Whom we ask about an account there (R-18): its country's authority where one instructs it,
        else the institution itself; at home an authority asks its own institutions directly."""
        holder = self.answering_for(institution)
        if holder is None or holder.country == self.me.country:
            return holder
        over = [who for who in self.participants.values() if who.kind == "authority" and holder.id in who.instructs]
        return min(over, key=lambda who: who.id) if over else holder

    def own_power(self) -> Power | None:
        """The power our own policy acts on; None = no automatic act (unknown law)."""
        return self.powers.get(self.policy.power or "")


def check_entitled(requester: Participant, requested: Participant, ask: Ask) -> None:
    """R-13. Raises Refused when this kind of participant may not ask that of the other."""
    if requester.suspended:
        raise Refused(f"{requester.id} is suspended: nothing of it is applied", rule="R-13", code="suspended")
    if ask not in ENTITLED.get((requester.kind, requested.kind), frozenset()):
        raise Refused(
            f"an {requester.kind} may not ask an {requested.kind} to {ask}. Go through an authority.",
            rule="R-13",
            code="not-entitled",
        )


def beyond_policy(policy: Policy, requester: Participant, body: Asked, tally: Tally, by_mandate: bool) -> str | None:
    """R-17: why an officer must look first; None when the node may act at once."""
    minor = body.claim.minor
    trusted = requester.id in policy.instant_from or f"@{requester.kind}" in policy.instant_from
    checks = [
        (trusted, f"{requester.id} is not among those for whom the node acts at once"),
        (not policy.crimes or body.crime in policy.crimes, f"crime {body.crime} needs an officer"),
        (policy.mandate_issued or not by_mandate, "requests issued under a mandate need an officer"),
        (body.claim.asset == policy.asset, f"claims in {body.claim.asset} need an officer"),
        (minor <= policy.per_request, "above the cap per request"),
        (tally.hour + minor <= policy.per_hour, "above the cap per hour of this peer"),
        (tally.day + minor <= policy.per_day, "above the cap per day of this peer"),
        (tally.account + minor <= policy.per_account, "above the cap per account"),
    ]
    return next((why for holds, why in checks if not holds), None)
