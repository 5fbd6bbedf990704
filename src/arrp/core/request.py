"""A request: asks one participant to stop, hold, arm, trace or preserve, up to one amount at one
account. Its whole life is one conversation. The requesting side owns the wish, the requested side
the answer (R-31); each has its own table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from arrp.core.deadline import Basis
from arrp.core.errors import Malformed
from arrp.core.hold import Hold
from arrp.core.lifecycle import Lifecycle
from arrp.core.messages import PRIVATE
from arrp.core.money import Amount, Rate


class Ask(StrEnum):
    STOP = "stop"
    HOLD = "hold"
    ARM = "arm"
    TRACE = "trace"
    PRESERVE = "preserve"


class Reason(StrEnum):
    """Why not: ISO 20022 camt.029 codes where there is one, our own (upper words) beyond (R-50)."""

    AC04 = "AC04"  # account closed
    AM04 = "AM04"  # no funds are left
    ARDT = "ARDT"  # already returned
    NOOR = "NOOR"  # the payment was never received
    PTNA = "PTNA"  # passed on to the next agent
    NOAS = "NOAS"  # no answer in time
    CUST = "CUST"  # the customer refuses
    LEGL = "LEGL"  # the law does not allow it
    AGNT = "AGNT"  # the institution refuses
    RR04 = "RR04"  # regulatory reason
    NOT_COMPETENT = "NOT_COMPETENT"
    ARTICLE_3 = "ARTICLE_3"
    DISPROPORTIONATE = "DISPROPORTIONATE"
    CIVIL_DISPUTE = "CIVIL_DISPUTE"
    TOO_LITTLE_FACT = "TOO_LITTLE_FACT"
    NO_MATCHING_CREDIT = "NO_MATCHING_CREDIT"
    ALREADY_RESTRAINED = "ALREADY_RESTRAINED"
    DUPLICATE = "DUPLICATE"
    WITHDRAWN = "WITHDRAWN"
    NOT_KEPT = "NOT_KEPT"
    NOT_DECIDED = "NOT_DECIDED"
    NOT_SIGNED = "NOT_SIGNED"
    LAPSED = "LAPSED"
    OBJECTION = "OBJECTION"
    NOT_TRACED = "NOT_TRACED"
    PROTECTED = "PROTECTED"


class Condition(StrEnum):
    """What must come before an acceptance takes effect. INDM is a condition, never a refusal."""

    INDM = "INDM"  # indemnity
    DEBIT_AUTHORITY = "DEBIT_AUTHORITY"
    ORDER = "ORDER"
    CALL_BACK = "CALL_BACK"
    TRANSLATION = "TRANSLATION"


@dataclass(frozen=True, slots=True)
class Document:
    """A file known by its digest; its named recipients fetch it, nobody renders it."""

    digest: str
    kind: str
    media_type: str
    bytes: int
    language: str = "en"
    handling: str = "H1"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the money asked for comes from: a loss payment, or a leg of another answer."""

    kind: str  # payment | leg
    ref: str  # position of the payment in the loss, or the leg's id
    rests_on: str | None  # hash of the act that stated the leg
    inside: tuple[tuple[int, int], ...]  # the intervals inside that transfer; empty = all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What the requested side should find at the account: compared one by one, never guessed."""

    amount: Amount
    references: tuple[str, ...] = field(default=(), metadata=PRIVATE)
    booked_from: datetime | None = None
    booked_to: datetime | None = None
    name: str = field(default="", metadata=PRIVATE)
    uetr: str = field(default="", metadata=PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The body of a request (R-21). `claim` is what `asked` counts for in the loss's asset; `source`
    where the money comes from; `keep` the first allocation; `instructs` the request an authority
    executes, `pursues` the one whose leg is followed; an instruction with `until` is decided already."""

    ask: Ask
    institution: str
    asked: Amount
    claim: Amount
    source: Source
    credit: Credit
    loss: str
    stated_by: str
    crime: str
    account: str = field(metadata=PRIVATE, default="")
    facts: str = field(metadata=PRIVATE, default="")
    basis: Basis | None = None
    keep: Amount | None = None
    hops: int = 0
    instructs: str | None = None
    pursues: str | None = None
    mandate_act: str | None = None
    loss_act: str | None = None
    until: datetime | None = None
    documents: tuple[Document, ...] = ()

    @property
    def rate(self) -> Rate:
        return Rate(self.asked, self.claim)


# The terms of the request identity, in the order in which a source is filled from them.
TERMS = ("returned", "handed_over", "secured", "held", "stopped", "restrained", "cashed_out", "moved_on",
         "let_go", "not_found", "pending")


@dataclass(frozen=True, slots=True)
class Terms:
    """Where every unit of `asked` is: the terms add up to it, always (R-11)."""

    asked: Amount
    pending: int = 0
    stopped: int = 0
    held: int = 0
    secured: int = 0
    restrained: int = 0
    moved_on: int = 0
    cashed_out: int = 0
    returned: int = 0
    handed_over: int = 0
    let_go: int = 0
    not_found: int = 0

    def __post_init__(self) -> None:
        parts = [getattr(self, term) for term in TERMS]
        if min(parts) < 0 or sum(parts) != self.asked.minor:
            raise Malformed(f"R-11 the terms {self.stated()} do not add up to the {self.asked} asked")

    @classmethod
    def unanswered(cls, asked: Amount) -> Terms:
        return cls(asked, pending=asked.minor)

    def stated(self) -> dict[str, Amount]:
        """The terms that are not zero."""
        found = {term: getattr(self, term) for term in TERMS}
        return {term: Amount(minor, self.asked.asset) for term, minor in found.items() if minor}

    def claims(self, rate: Rate) -> dict[str, int]:
        """Each term in claim units, rounded down, and what rounding leaves as `rounding` (R-10)."""
        counted = {term: rate.claim_of(amount.minor) for term, amount in self.stated().items()}
        return {**counted, "rounding": rate.claim.minor - sum(counted.values())}


@dataclass(frozen=True, slots=True)
class Leg:
    """One transfer out that carries traced coins: what it was, where it went, what may be done with it."""

    id: str
    request: str
    amount: Amount
    claim: Amount
    paid: Amount  # the whole transfer, of which `amount` is traced
    at: datetime
    ref: str = field(metadata=PRIVATE, default="")
    account: str = field(metadata=PRIVATE, default="")
    name: str = field(metadata=PRIVATE, default="")
    inside: tuple[tuple[int, int], ...] = ()
    ends: str | None = None  # cash | fee | overdraft | good_faith: nothing to follow
    onward: str = "free"  # free | ask | we_do
    institution: str = ""


WISH = Lifecycle(
    name="wish",
    start="drafted",
    moves={
        ("drafted", "Request"): "sent",
        ("drafted", "DraftDropped"): "dropped",
        ("sent", "RequestDelivered"): "delivered",
        ("sent", "SentByHand"): "sent_by_hand",
        ("sent", "AnsweredByHand"): "delivered",
        ("sent_by_hand", "AnsweredByHand"): "delivered",
        ("sent_by_hand", "RequestDelivered"): "delivered",
        ("sent_by_hand", "Withdraw"): "withdrawn",
        ("sent_by_hand", "RequestEnded"): "ended",
        ("sent", "Withdraw"): "withdrawn",
        ("sent", "RequestEnded"): "ended",
        ("delivered", "Withdraw"): "withdrawn",
        ("delivered", "RequestEnded"): "ended",
    },
    ends=frozenset({"withdrawn", "ended", "dropped"}),
    clocks={"drafted": "not_after", "sent": "escalation", "sent_by_hand": "escalation, then not_after",
            "delivered": "not_after, then the hold's own clock"},
)

ANSWER = Lifecycle(
    name="answer",
    start="none",
    moves={
        ("none", "RequestReceived"): "received",
        ("received", "RequestSeen"): "seen",
        **{
            (state, kind): to
            for state in ("received", "seen", "more_asked", "conditional")
            for kind, to in {
                "RequestAccepted": "accepted",
                "RequestAcceptedOnCondition": "conditional",
                "MoreAsked": "more_asked",
                "RequestRefused": "refused",
                "RequestEnded": "ended",
            }.items()
            if not (state == to == "more_asked")
        },
        ("accepted", "RequestEnded"): "ended",
    },
    ends=frozenset({"refused", "ended"}),
    clocks={
        "none": "escalation",
        "received": "seen_by",
        "seen": "not_after",
        "more_asked": "not_after",
        "conditional": "not_after",
        "accepted": "the hold's until, or not_after without a hold",
    },
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a node knows it. `side` is ours: requesting or requested; `peer` the other."""

    id: str
    side: str
    peer: str
    body: Asked
    at: datetime
    not_after: datetime | None
    wish: str
    answer: str
    terms: Terms
    answer_at: datetime | None = None
    keep: Amount | None = None
    rest_free: bool = False
    hold: Hold | None = None
    legs: tuple[Leg, ...] = ()
    basis: Basis | None = None
    reason: str | None = None
    condition: str | None = None
    restrained_by: str | None = None
    until: datetime | None = None
    by_officers: tuple[str, ...] = ()
    unsigned: bool = False  # what is known of its answer and hold was typed from paper
    act_hash: str = ""  # of the act that asks
    second_by: datetime | None = None  # until when a second officer signs it; None: nobody has to

    @property
    def relation(self) -> str:
        return "instructs" if self.body.instructs else "pursues"

    @property
    def is_open(self) -> bool:
        return self.wish not in WISH.ends and self.answer not in ANSWER.ends

    @property
    def is_undecided(self) -> bool:
        """Whether a decision can still be made: it is set once (R-41)."""
        return self.is_open and self.answer != "accepted"

    @property
    def is_answered(self) -> bool:
        """Whether somebody said something about the money yet."""
        return self.hold is not None or self.terms.pending < self.terms.asked.minor or self.answer in ANSWER.ends

    @property
    def kept_claim(self) -> int:
        """What this request reserves of the loss: the last Keep, as a claim (R-16)."""
        return self.body.rate.claim_of(self.keep.minor) if self.keep is not None else 0
