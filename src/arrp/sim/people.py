"""Officers of a world: they report, ask, decide, release, send back; they press twice, mistake, change their mind.

What a node refuses them is an answer too. They do not know the rules by heart: part of what they wish makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy.exc import OperationalError

from arrp.core.account import institution_of
from arrp.core.case import Case
from arrp.core.crime import Crime
from arrp.core.deadline import Basis
from arrp.core.errors import ArrpError
from arrp.core.events import Resolved, Told
from arrp.core.facts import Objection
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.core.report import Report
from arrp.core.request import Ask, Asked, Credit, Document, Reason, Request, Source
from arrp.core.step import Command
from arrp.core.wishes import Credited, Decide, Extend, NamePayee, Release, Return, Secure, Withdraw
from arrp.sim.money import Movements, Theft
from arrp.sim.world import World

PAPER = Document("ab" * 32, "order", "application/pdf", 1000)
LATER = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of what officers do, 0 to 1."""

    twice: float = 0.1  # the same is said again, under the same id
    wrong: float = 0.1  # of the first comer who may not: another case, another amount, one person for two
    refuses: float = 0.1
    asks: int = 1  # requests that are sent for one loss, when it is reported


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer wants, and how many sign it. About a request, or a case, or neither yet."""

    verb: str
    body: Any
    signers: int = 0
    request: str | None = None
    case: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A command that its officer was told is written down."""

    node: str
    command: Command
    case: str


class People:
    """Everybody at a desk. `refused` counts what their nodes refused, by rule; `said` is what they were promised."""

    def __init__(self, world: World, dice: Random, movements: Movements, habits: Habits) -> None:
        self._world, self._dice, self._movements, self._habits = world, dice, movements, habits
        self.said: list[Said] = []
        self.refused: dict[str, int] = {}
        self.salts: dict[str, str] = {}
        self._reported: set[str] = set()
        self._count = 0

    def act(self) -> None:
        """Somebody somewhere does something."""
        up = [id for id in self._world.hosts if self._world.running(id)]
        if not up:
            return
        id = self._dice.choice(up)
        try:
            self._at(id)
        except ArrpError as error:
            self._count_refused(error.rule or error.code or type(error).__name__)
        except OperationalError:  # to a person that is a 503: the disk failed under it
            self._count_refused("503")

    def _count_refused(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1

    def _at(self, id: str) -> None:
        waiting = [one for one in self._movements.thefts if one.bureau == id and one.loss not in self._reported]
        if waiting:
            self.report(waiting[0])
            return
        known = [(case, request) for case in self._world.cases(id) for request in case.requests.values()]
        if known:  # mostly about what is not over yet
            live = [one for one in known if one[1].is_open and one[0].state != "closed"]
            case, request = self._dice.choice(live if live and self._dice.random() < 0.8 else known)
            self._about(id, case, request)

    # --- at the victim's side --------------------------------------------------------------------------

    def report(self, theft: Theft) -> None:
        """The payment, a mandate for it, and the first requests. Raises what the node raises."""
        id, paid = theft.bureau, theft.payment
        self._reported.add(theft.loss)
        self.salts[theft.loss] = f"{self._dice.getrandbits(128):032x}"
        told = Report(theft.loss, id, (paid,), Crime.BEC, self._world.time.at, facts="invented")
        case = self.say(id, Wish("report", told))
        now, most = self._world.time.at, paid.amount
        mandate = Mandate(theft.loss, most, most, 3, (), ("hold", "stop"), (), now, now + timedelta(days=30))
        self.say(id, Wish("mandate", mandate, 2, case=case))
        for _ in range(self._dice.randint(1, self._habits.asks)):
            self.say(id, Wish("send", self._asked(theft), case=case))
        if theft.alike is not None:
            there = replace(self._asked(theft), account=theft.alike.account, institution="")
            self.say(id, Wish("send", there, 2, case=case))

    def _asked(self, theft: Theft) -> Asked:
        paid = theft.payment
        asked = paid.amount
        if self._dice.random() < self._habits.wrong:
            asked = Amount(self._dice.randint(1, 2 * asked.minor), asked.asset)
        account = paid.creditor.account
        return Asked(ask=Ask.HOLD, institution=institution_of(account), asked=asked, claim=asked, account=account,
                     source=Source("payment", "0", None, ()), credit=Credit(amount=paid.amount), loss="", stated_by="",
                     crime="BEC")

    # --- about a request ---------------------------------------------------------------------------------

    def _about(self, id: str, case: Case, request: Request) -> None:
        verb = self._dice.choice(_OURS if request.side == "requesting" else _THEIRS)
        wish = self._wishes[verb](self, id, case, request)
        if wish is not None:
            self.say(id, wish)

    def _decide(self, id: str, case: Case, request: Request) -> Wish:
        if self._dice.random() < self._habits.refuses:
            reason = self._dice.choice((Reason.LEGL, Reason.DISPROPORTIONATE, Reason.CIVIL_DISPUTE))
            return Wish("decide", Decide(False, reason, None, None), 2, request.id)
        until = self._world.time.at + timedelta(hours=self._dice.randint(1, 60))
        return Wish("decide", Decide(True, None, self._basis(id), until), 2, request.id)

    def _see(self, id: str, case: Case, request: Request) -> Wish:
        return Wish("see", None, 0, request.id)

    def _withdraw(self, id: str, case: Case, request: Request) -> Wish | None:
        return Wish("withdraw", Withdraw("a mistake"), 2, request.id) if self._dice.random() < 0.3 else None

    def _release(self, id: str, case: Case, request: Request) -> Wish | None:
        if request.hold is None or self._dice.random() < 0.6:
            return None
        held = request.hold.amount
        to = Amount(self._dice.choice((0, 0, held.minor // 2)), held.asset)
        return Wish("release", Release(to, "no longer needed"), 2, request.id)

    def _extend(self, id: str, case: Case, request: Request) -> Wish:
        until = self._world.time.at + timedelta(hours=self._dice.randint(1, 90))
        return Wish("extend", Extend(self._basis(id), until, PAPER), 2, request.id)

    def _secure(self, id: str, case: Case, request: Request) -> Wish | None:
        said = Secure(self._basis(id), PAPER, self._world.time.at + timedelta(days=30))
        return Wish("secure", said, 2, request.id) if self._dice.random() < 0.3 else None

    def _payee(self, id: str, case: Case, request: Request) -> Wish | None:
        theft = self._movements.theft(request.body.loss)
        if theft is None:
            return None
        account = theft.victim
        if self._dice.random() < self._habits.wrong:
            account = self._dice.choice(self._movements.places).account  # to where it must never go
        said = NamePayee("DEBTOR", None, False, self.salts.get(theft.loss, _NO_SALT), account, "Victim Ltd")
        return Wish("payee", said, 2, request.id)

    def _return(self, id: str, case: Case, request: Request) -> Wish | None:
        if request.hold is None:
            return None
        held = request.hold.amount
        minor = self._dice.choice((held.minor, held.minor // 2 or 1))
        said = Return(Amount(request.terms.returned + minor, held.asset), "consent", PAPER)
        return Wish("return", said, 2, request.id)

    def _credited(self, id: str, case: Case, request: Request) -> Wish | None:
        for stated in case.returns_of(request.id):
            return Wish("credited", Credited(stated.id, stated.amount, "CREDIT"), 0, request.id)
        return None

    def _told(self, id: str, case: Case, request: Request) -> Wish:
        return Wish("tell-holder", Told("letter"), 0, request.id)

    def _object(self, id: str, case: Case, request: Request) -> Wish | None:
        hold = request.hold
        if hold is None or self._dice.random() < 0.5:
            return None
        said = Objection(self._next(), hold.id, "salary", self._world.time.at, None, "raised", None, "my salary")
        return Wish("object", said, 0, request.id)

    def _objection(self, id: str, case: Case, request: Request) -> Wish | None:
        found = request.hold and case.open_objection(request.hold.id)
        if not found:
            return None
        said = replace(found, state=self._dice.choice(("upheld", "rejected")), text="seen")
        return Wish("decide-objection", said, 1, request.id)

    def _over(self, id: str, case: Case, request: Request) -> Wish:
        return Wish(self._dice.choice(("resolve", "close")), Resolved("returned"), case=case.id)

    _wishes: dict[str, Callable[[Any, str, Case, Request], Wish | None]] = {  # noqa: RUF012 - a table of methods
        "decide": _decide, "see": _see, "withdraw": _withdraw, "release": _release, "extend": _extend,
        "secure": _secure, "payee": _payee, "return": _return, "credited": _credited, "tell": _told, "object": _object,
        "objection": _objection, "over": _over,
    }  # fmt: skip

    # --- how it is said ------------------------------------------------------------------------------------

    def say(self, id: str, wish: Wish) -> str:
        """A command and its signatures; now and then said again, or signed by one person who should be two. The case.
        Raises what the node raises."""
        people = self._world.cast.members[id].seat.people
        by: Sequence[str] = self._dice.sample(people, min(wish.signers, len(people)))
        if len(by) > 1 and self._dice.random() < self._habits.wrong:
            by = (by[0], by[0])
        astray = by[-1] if len(set(by)) > 1 and self._dice.random() < self._habits.wrong else ""
        salt = self.salts.get(getattr(wish.body, "loss", None) or "", _NO_SALT)
        officer = by[0] if by else self._dice.choice(people)
        command = Command(self._next(), wish.verb, officer, wish.request, wish.body, salt)
        case = self._world.say(id, command, wish.case, by, astray)[0]
        self.said.append(Said(id, command, case))
        if self._dice.random() < self._habits.twice:
            self._world.say(id, command, wish.case, by)
        return case

    def _basis(self, id: str) -> Basis:
        return Basis("law", self._world.cast.members[id].seat.country, "article 1 of an invented law", id)

    def _next(self) -> str:
        self._count += 1
        return f"wish-{self._count}"


_NO_SALT = "00" * 16
_OURS = ("withdraw", "release", "payee", "payee", "credited", "over", "see")
_THEIRS = ("decide", "decide", "decide", "see", "release", "extend", "secure", "return", "return", "tell", "object",
           "objection", "withdraw", "over")
