"""The officers of a rehearsal: they report, sign, ask, decide, order, hear objections, and say when a case is resolved.

They see what their own node tells them and nothing else: whenever a node has written, its desk looks at the cases that
changed. How long each takes for what is a property of the plot, so that it is the same under every way of working.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from arrp.core.account import institution_of
from arrp.core.case import Case
from arrp.core.deadline import Basis
from arrp.core.errors import ArrpError
from arrp.core.events import Resolved
from arrp.core.facts import Objection
from arrp.core.mandate import Mandate
from arrp.core.money import Amount
from arrp.core.report import Party, Payment, Report
from arrp.core.request import Ask, Asked, Credit, Document, Request, Source
from arrp.core.step import Command
from arrp.core.wishes import Decide, Secure
from arrp.sim.haechi.frame import USD, USDT
from arrp.sim.haechi.plot import HOPS, Plot, Stay
from arrp.sim.haechi.stage import HOLDER, OFFICERS, amount
from arrp.sim.world import World

LOOK = timedelta(seconds=1)  # from what a node writes to the look of its officer
ORDER = Document("5e" * 32, "order", "application/pdf", 1000)
REVIEWED = timedelta(days=30)
_SALT = "00" * 16


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer wants; as many others sign as it needs."""

    verb: str
    body: Any
    request: str | None = None
    case: str | None = None
    officer: str = OFFICERS[0]


def paid_to(plot: Plot) -> list[tuple[datetime, int, Stay]]:
    """One request for each payment, at once, where the victim paid: (when, which payment, where)."""
    return [(plot.asked_at, place, first) for place, first in enumerate(plot.paid)]


def _by_day(stay: Stay) -> timedelta:
    return stay.decides


def _never(_stay: Stay, _at: datetime) -> datetime | None:
    return None


@dataclass(frozen=True, slots=True)
class Script:
    """What people do. `orders`: when a court orders a hold of virtual assets secured. `decides`: how long until an
    officer who was asked has decided. `follows`: how long until one who was told of a leg has asked after it; None:
    the node does, under a mandate. `asks`: what is asked when a loss is reported, and when. `hears`: how long until
    somebody in good faith is heard."""

    end: datetime
    orders: Callable[[Stay, datetime], datetime | None] = _never
    decides: Callable[[Stay], timedelta] = _by_day
    follows: Callable[[Stay], timedelta] | None = None
    asks: Callable[[Plot], list[tuple[datetime, int, Stay]]] = paid_to
    hears: timedelta = timedelta(hours=20)


class People:
    """Everybody at a desk in one world."""

    def __init__(self, world: World, plots: list[Plot], script: Script) -> None:
        self._world, self._script = world, script
        self._stays = {stay.account: stay for plot in plots for stay in plot.stays()}
        self._changed, self._seen = dict[tuple[str, str], None](), set[tuple[str, str]]()
        self._looks = {id for id, member in world.cast.members.items()
                       if script.follows or member.seat.instructs or member.seat.kind != "authority"}
        self._count = 0
        self.refused: list[str] = []
        world.wrote = self._wrote
        for plot in plots:
            self._foresee(plot)

    def _foresee(self, plot: Plot) -> None:
        self._world.time.when(plot.asked_at - LOOK, lambda: self._try(lambda: self._report(plot)))

    # --- the victim's bureau -------------------------------------------------------------------------------

    def _report(self, plot: Plot) -> None:
        """The report, a mandate for it, and what is asked at once or later."""
        asker = plot.bureau
        payments = tuple(_payment(plot, first) for first in plot.paid)
        said = Report(plot.loss, asker, payments, plot.crime, plot.reported, facts="fiction")
        case = self.say(asker, Wish("report", said))
        now, loss = self._world.time.at, said.total
        most = Amount(loss.minor * (HOPS + 1), USD)
        mandate = Mandate(plot.loss, most, loss, HOPS + 1, (), ("hold",), (), now, now + timedelta(days=30))
        self.say(asker, Wish("mandate", mandate, case=case))
        for at, place, stay in self._script.asks(plot):
            self._at(at, self._asking(asker, Wish("send", _asked(stay, place), case=case)))
        self._at(min(now + REVIEWED, self._script.end - timedelta(hours=1)), lambda: self._review(asker, case))

    def _asking(self, asker: str, wish: Wish) -> Callable[[], object]:
        return lambda: self.say(asker, wish)

    def _at(self, at: datetime, do: Callable[[], object]) -> None:
        """At once, if it is time already."""
        if at <= self._world.time.at + LOOK:
            self._try(do)
        else:
            self._world.time.when(at, lambda: self._try(do))

    def _review(self, bureau: str, case_id: str) -> None:
        """Weeks later: resolved, where some of the money is held; else the case stays open."""
        case = self._case(bureau, case_id)
        if any(request.hold is not None and request.hold.in_force for request in case.wishes):
            self.say(bureau, Wish("resolve", Resolved("handed over"), case=case_id))

    # --- who is asked ----------------------------------------------------------------------------------------

    def _wrote(self, id: str, changed: list[str]) -> None:
        """A node wrote: its officer looks a moment later, once for all that came together."""
        if id not in self._looks:
            return
        if not self._changed:
            self._world.time.then(LOOK, self._look)
        self._changed.update(dict.fromkeys((id, case) for case in changed))

    def _look(self) -> None:
        changed, self._changed = list(self._changed), {}
        for id, case_id in changed:
            case = self._case(id, case_id)
            if case.state == "open":
                self._at_desk(id, case)

    def _case(self, id: str, case: str) -> Case:
        service = self._world.service(id)
        with service.node.store.reading() as connection:
            return service.folds.read(connection, case)

    def _at_desk(self, id: str, case: Case) -> None:
        for request in case.requests.values():
            if self._script.follows is not None and request.side == "requesting" and request.relation == "pursues":
                self._follow(id, case, request, self._script.follows)
            stay = self._stays.get(request.body.account)
            if request.side != "requested" or stay is None:
                continue
            if request.is_undecided and request.relation == "pursues":
                self._once(id, "decide", request, self._script.decides(stay), self._decide)
            hold = request.hold
            if hold is None or hold.holder != id:
                continue
            if hold.in_force and stay.in_good_faith:
                self._once(id, "object", request, self._script.hears, self._objection)
            elif hold.state == "confirmed" and stay.asset == USDT:
                at = self._script.orders(stay, self._world.time.at)
                if at is not None:
                    self._once(id, "secure", request, at - self._world.time.at, self._secure)

    def _follow(self, id: str, case: Case, request: Request, after: Callable[[Stay], timedelta]) -> None:
        """Each leg that was told becomes a request of two officers, as soon as they come to it."""
        for leg in request.legs:
            stay = self._stays.get(leg.account)
            if leg.ends is None and stay is not None and ("follow", leg.id) not in self._seen:
                self._seen.add(("follow", leg.id))
                body = Asked(ask=Ask.HOLD, institution=institution_of(leg.account), asked=leg.amount, claim=leg.claim,
                             account=leg.account, source=Source("leg", leg.id, None, ()), loss="", stated_by="",
                             credit=Credit(amount=leg.paid), crime="")
                self._at(self._world.time.at + after(stay), self._asking(id, Wish("send", body, case=case.id)))

    def _once(self, id: str, what: str, request: Request, after: timedelta, do: Callable[[str, str], None]) -> None:
        """In so much time, unless it was thought of before."""
        if (f"{id} {what}", request.id) not in self._seen:
            self._seen.add((f"{id} {what}", request.id))
            self._world.time.then(after - LOOK, lambda: self._try(lambda: do(id, request.id)))

    def _decide(self, id: str, request: str) -> None:
        """Unless it ended meanwhile: there is nothing to decide then."""
        if self._request(id, request).is_undecided:
            self.say(id, Wish("decide", Decide(True, None, None, None), request))

    def _secure(self, id: str, request: str) -> None:
        country = self._world.cast.members[id].seat.country
        basis = Basis("order", country, "seizure order of an invented court", id)
        self.say(id, Wish("secure", Secure(basis, ORDER, self._script.end + timedelta(days=30)), request))

    def _objection(self, id: str, request: str) -> None:
        """Somebody sold something for that money in good faith, says so, and is right."""
        hold = self._request(id, request).hold
        if hold is None or not hold.in_force:
            return
        now = self._world.time.at
        said = Objection(f"objection {request}", hold.id, "GOOD_FAITH", now, None, "raised", None, "sold in good faith")
        self.say(id, Wish("object", said, request))
        upheld = replace(said, state="upheld", text="seen")
        self.say(id, Wish("decide-objection", upheld, request, officer=OFFICERS[2]))

    def _request(self, id: str, request: str) -> Request:
        service = self._world.service(id)
        with service.node.store.reading() as connection:
            return service.folds.of_request(connection, request).request(request)

    # --- how it is said -----------------------------------------------------------------------------------------

    def say(self, id: str, wish: Wish) -> str:
        """A command, and as many signatures as each draft needs. The case. Raises what the node raises."""
        self._count += 1
        command = Command(f"{self._count:032x}", wish.verb, wish.officer, wish.request, wish.body, _SALT)
        case_id, events = self._world.say(id, command, wish.case)
        signers = (wish.officer, *(name for name in OFFICERS if name != wish.officer))
        drafts = [event.body for event in events if event.kind == "Drafted"]
        for draft in drafts:
            if draft.kind == "Mandate" and self._script.follows is not None:
                continue  # then nobody signs one
            for name in signers[:draft.needs]:
                self._world.sign(id, draft.act, name)
        return case_id

    def _try(self, do: Callable[[], object]) -> None:
        """What a node refuses is written down: nobody here asks for what makes no sense."""
        try:
            do()
        except ArrpError as error:
            self.refused.append(str(error))


def _payment(plot: Plot, first: Stay) -> Payment:
    """As the victim states it, in USD: what was paid in tokens counts at the recorded rate."""
    return Payment(amount(first.amount, USD), None, first.arrives, Party("Victim", plot.victim),
                   Party(HOLDER, first.account), references=(first.ref,))


def _asked(first: Stay, place: int) -> Asked:
    asked = amount(first.amount, first.asset)
    return Asked(ask=Ask.HOLD, institution=institution_of(first.account), asked=asked, account=first.account,
                 claim=amount(first.amount, USD), source=Source("payment", str(place), None, ()),
                 credit=Credit(amount=asked, references=(first.ref,)), loss="", stated_by="", crime="")
