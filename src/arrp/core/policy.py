"""Who is who, who may ask whom for what, and the receiving side's standing rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from arrp.core.answers import Capabilities
from arrp.core.deadline import Power
from arrp.core.errors import NotFound, Refused
from arrp.core.mandate import Mandate
from arrp.core.request import Ask, Asked

LATE = timedelta(days=7)  # what was signed before a key's end may arrive this much after it
SKEW = timedelta(minutes=5)  # how far two honest clocks may be apart


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, base64url, and when it counts (R-36, R-37): `until` retires it, `revoked_at` takes back
    whatever arrived from `compromised_from` on. `id` is the first 16 hex of the key's SHA-256."""

    id: str
    key: str
    since: datetime = field(metadata={"name": "from"})
    until: datetime | None = None
    revoked_at: datetime | None = None
    compromised_from: datetime | None = None

    def is_usable(self, at: datetime) -> bool:
        """Whether its owner may sign, or be sealed for, with it at this instant."""
        return self.revoked_at is None and self.since <= at and (self.until is None or at < self.until)

    def fault(self, arrived_at: datetime, signed_at: datetime | None = None) -> str | None:
        """Why what arrived then does not count under it; None when it does. What waited for a newer key is
        signed with that one, so `signed_at` may well be before `since`."""
        if self.compromised_from is not None and arrived_at >= self.compromised_from:
            return "was revoked"
        if arrived_at < self.since - SKEW:
            return "does not count yet"
        if self.until is None:
            return None
        late = arrived_at >= self.until + LATE or (signed_at is not None and signed_at >= self.until)
        return "was retired" if late else None


@dataclass(frozen=True, slots=True)
class Officer:
    """A person of a participant, with the keys they sign with: the one in use and those they had."""

    id: str
    name: str
    roles: tuple[str, ...]
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to telephone there. `hours` is for people: "always", "Mon-Fri 8-18 Lisbon"."""

    name: str
    telephone: str
    hours: str


@dataclass(frozen=True, slots=True)
class Participant:
    """Who runs a node, or is written to on paper. `answers_for`: prefixes of institutions (IBAN country + bank
    code, BIC, CAIP-2)."""

    id: str
    name: str
    kind: str  # authority | institution | issuer | coordinator
    country: str
    address: str
    answers_for: tuple[str, ...]
    officers: tuple[Officer, ...]
    signing: tuple[Key, ...] = ()
    sealing: tuple[Key, ...] = ()
    instructs: tuple[str, ...] = ()  # institutions an authority may instruct
    suspended: bool = False  # its keepers' word, never its own
    channel: str = "node"  # node | paper
    languages: tuple[str, ...] = ()  # ISO 639-1, the one it likes best first
    contacts: tuple[Contact, ...] = ()  # who is called back, and when somebody is there
    assets: tuple[str, ...] = ()  # an issuer's tokens, CAIP-19
    can: Capabilities | None = None  # what its core is able to do

    def all_keys(self) -> tuple[Key, ...]:
        """Every key that is named here: of its node, and of its officers."""
        return (*self.signing, *self.sealing, *(key for officer in self.officers for key in officer.keys))

    def has_officer(self, id: str) -> bool:
        return any(officer.id == id for officer in self.officers)

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
    call_back_first: bool = True  # first contact with an officer of a peer: somebody calls
    introduced: tuple[str, ...] = ()  # peers, or PEER/OFFICER, that were called before this node was set up
    call_back_within: timedelta = timedelta(minutes=5)  # then the second contact is called
    questions_per_day: int = 100  # requests of one peer, whatever they ask for


@dataclass(frozen=True, slots=True)
class Tally:
    """What a peer already asked of us, counted by the door under its lock (minor units, claims; how many questions)."""

    hour: int = 0
    day: int = 0
    account: int = 0
    under_mandate: int = 0
    of_loss: int = 0
    questions: int = 0  # in the last day
    strangers: tuple[str, ...] = ()  # officers behind this request whom nobody here has called back yet

    def without(self, claim: int) -> Tally:
        """The same for a request that is counted in it, unless a disk was lost since it came (R-29)."""
        return replace(self, hour=max(0, self.hour - claim), day=max(0, self.day - claim),
                       questions=max(0, self.questions - 1))


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything `step` may know besides the case: frozen values, named by `digest` in every event."""

    me: Participant
    participants: Mapping[str, Participant]
    powers: Mapping[str, Power]
    policy: Policy
    standing: tuple[tuple[str, Mandate], ...] = ()  # (act hash, mandate): signed by two officers
    elsewhere: Mapping[str, int] = field(default_factory=dict)  # Σ claims that other cases asked under each
    ask_first: tuple[str, ...] = ()  # institutions in the order in which legs to them are pursued
    untold: tuple[str, ...] = ()  # powers of any law file, whoever's, that forbid telling the account holder
    surplus: timedelta = timedelta(minutes=60)
    keep_before: timedelta = timedelta(minutes=10)
    patience: timedelta = timedelta(minutes=2)
    look_every: timedelta = timedelta(minutes=1)
    look_for_bounce: timedelta = timedelta(hours=1)
    credited_within: timedelta = timedelta(days=10)
    request_hours_max: int = 72
    keep_closed: timedelta = timedelta(days=1825)  # FATF R.11: five years after the matter ended
    keep_unfounded: timedelta = timedelta(days=90)
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

    def on_paper(self, country: str | None) -> Participant | None:
        """R-18: who is written to about an account of a country where nobody in the directory keeps it."""
        found = [who for who in self.participants.values()
                 if (who.country, who.kind, who.channel) == (country, "authority", "paper")]
        return min(found, key=lambda who: who.id) if found else None

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


def strangers(policy: Policy, requester: Participant, tally: Tally) -> tuple[str, ...]:
    """R-91: who stands behind this request and was never spoken to."""
    if not policy.call_back_first or requester.id in policy.introduced:
        return ()
    return tuple(officer for officer in tally.strangers if f"{requester.id}/{officer}" not in policy.introduced)


def asks_too_much(policy: Policy, tally: Tally) -> bool:
    """R-17: more requests of one peer than its matters need may be meant to learn who has an account where."""
    return tally.questions >= policy.questions_per_day


def beyond_policy(policy: Policy, requester: Participant, body: Asked, tally: Tally, by_mandate: bool) -> str | None:
    """R-17: why an officer must look first; None when the node may act at once."""
    minor = body.claim.minor
    trusted = requester.id in policy.instant_from or f"@{requester.kind}" in policy.instant_from
    unknown = strangers(policy, requester, tally)
    checks = [
        (trusted, f"{requester.id} is not among those for whom the node acts at once"),
        (not policy.crimes or body.crime in policy.crimes, f"crime {body.crime} needs an officer"),
        (policy.mandate_issued or not by_mandate, "requests issued under a mandate need an officer"),
        (body.claim.asset == policy.asset, f"claims in {body.claim.asset} need an officer"),
        (minor <= policy.per_request, "above the cap per request"),
        (tally.hour + minor <= policy.per_hour, "above the cap per hour of this peer"),
        (tally.day + minor <= policy.per_day, "above the cap per day of this peer"),
        (tally.account + minor <= policy.per_account, "above the cap per account"),
        (not asks_too_much(policy, tally), f"more than {policy.questions_per_day} requests of this peer in a day"),
        (not unknown, f"first contact with {', '.join(unknown)} of {requester.id}"),
    ]
    return next((why for holds, why in checks if not holds), None)
