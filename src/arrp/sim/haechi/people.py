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
from arrp.sim.haechi.frame import TOKEN, USD
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


@dataclass(frozen=True, slots=True)
class Script:
    """What is wished at each desk. `orders`: when a court orders a hold of virtual assets secured; None: none does.
    `hears`: how long until somebody in good faith is heard."""

    orders: Callable[[Stay, datetime], datetime | None]
    end: datetime
    hears: timedelta = timedelta(hours=20)


class People:
    """Everybody at a desk in one world."""

    def __init__(self, world: World, plots: list[Plot], script: Script) -> None:
        self._world, self._script = world, script
        self._stays = {stay.account: stay for plot in plots for stay in plot.stays()}
        self._changed, self._seen = dict[tuple[str, str], None](), set[tuple[str, str]]()
        self._asked = {id for id, member in world.cast.members.items()
                       if member.seat.instructs or member.seat.kind != "authority"}
        self._count = 0
        self.refused: list[str] = []
        world.wrote = self._wrote
        for plot in plots:
            world.time.when(plot.asked_at - LOOK, lambda plot=plot: self._try(lambda: self._report(plot)))

    # --- the victim's bureau -------------------------------------------------------------------------------

    def _report(self, plot: Plot) -> None:
        """The report, a mandate for it, and one request for each payment."""
        payments = tuple(_payment(plot, first) for first in plot.paid)
        said = Report(plot.loss, plot.bureau, payments, plot.crime, plot.reported, facts="fiction")
        case = self.say(plot.bureau, Wish("report", said))
        now, loss = self._world.time.at, said.total
        most = Amount(loss.minor * (HOPS + 1), USD)
        mandate = Mandate(plot.loss, most, loss, HOPS + 1, (), ("hold",), (), now, now + timedelta(days=30))
        self.say(plot.bureau, Wish("mandate", mandate, case=case))
        for place, first in enumerate(plot.paid):
            self.say(plot.bureau, Wish("send", _asked(first, place), case=case))
        last = min(now + REVIEWED, self._script.end - timedelta(hours=1))
        self._world.time.when(last, lambda: self._try(lambda: self._review(plot.bureau, case)))

    def _review(self, bureau: str, case_id: str) -> None:
        """Weeks later: resolved, where some of the money is held; else the case stays open."""
        case = self._case(bureau, case_id)
        if any(request.hold is not None and request.hold.in_force for request in case.wishes):
            self.say(bureau, Wish("resolve", Resolved("handed over"), case=case_id))

    # --- who is asked ----------------------------------------------------------------------------------------

    def _wrote(self, id: str, changed: list[str]) -> None:
        """A node wrote: its officer looks a moment later, once for all that came together."""
        if id not in self._asked:
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
            stay = self._stays.get(request.body.account)
            if request.side != "requested" or stay is None:
                continue
            if request.is_undecided and request.relation == "pursues":
                self._once(id, "decide", request, stay.decides, self._decide)
            hold = request.hold
            if hold is None or hold.holder != id:
                continue
            if hold.in_force and stay.in_good_faith:
                self._once(id, "object", request, self._script.hears, self._objection)
            elif hold.state == "confirmed" and stay.asset == TOKEN:
                at = self._script.orders(stay, self._world.time.at)
                if at is not None:
                    self._once(id, "secure", request, at - self._world.time.at, self._secure)

    def _once(self, id: str, what: str, request: Request, after: timedelta, do: Callable[[str, str], None]) -> None:
        """In so much time, unless it was thought of before."""
        if (f"{id} {what}", request.id) not in self._seen:
            self._seen.add((f"{id} {what}", request.id))
            self._world.time.then(after - LOOK, lambda: self._try(lambda: do(id, request.id)))

    def _decide(self, id: str, request: str) -> None:
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
        for draft in [event.body for event in events if event.kind == "Drafted"]:
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
