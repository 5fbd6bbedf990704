"""Bugs in the rules: what is held, for how long, on whose word, and where it goes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from arrp.core import allocating, approving, deciding, ending, hearing, holding, protocol, starting, stating, step
from arrp.core.book import Book
from arrp.core.coins import Coins
from arrp.core.events import Answered, Escalated, HoldStated, Verb
from arrp.core.hold import Hold
from arrp.core.money import Amount
from arrp.core.request import Reason
from arrp.core.step import draft_of
from arrp.core.sums import total
from arrp.sim.planting import Bugs, Patch

BUGS = Bugs()


# --- how much ------------------------------------------------------------------------------------------------


@BUGS.bug("no total cap", "each hold of a loss is kept whole, whatever the others hold", "I1")
def _no_total_cap(patch: Patch) -> None:
    def allocate(step: Any) -> None:
        for request in step.case.wishes:
            if request.hold is not None and request.hold.in_force and request.is_open and request.keep is None:
                allocating.tell_keep(step, request, request.hold.amount.minor, rest_free=False)

    patch.put(allocating, "allocate", allocate)
    patch.put(allocating, "overshoot", lambda step: None)


@BUGS.bug("keep not reserved", "what was kept elsewhere before is not counted when the next hold is kept", "I1")
def _keep_not_reserved(patch: Patch) -> None:
    def allocate(step: Any) -> None:
        loss = total(step.case)
        if loss is None:
            return
        for request in step.case.wishes:
            if request.hold is not None and request.hold.in_force and request.is_open and request.keep is None:
                part = min(request.hold.claim.minor, loss.minor)  # and not what is left of it
                allocating.tell_keep(step, request, part, rest_free=False)
        allocating.free_surplus(step)

    patch.put(allocating, "allocate", allocate)
    patch.put(allocating, "overshoot", lambda step: None)


@BUGS.bug("surplus kept", "nobody lets go what was not kept in time", "I1 I9", "partitions")
def _surplus_kept(patch: Patch) -> None:
    def keep(step: Any, request: Any, said: Any) -> None:
        hold = request.hold
        if hold is None or not hold.in_force:
            return
        kept = Amount(min(said.amount.minor, hold.wanted.minor), hold.wanted.asset)
        stating.state_hold(step, request, "HoldKept", hold.moved("HoldKept", kept=kept))
        ending.confirm(step, step.case.request(request.id))

    def clock(before: Any, step: Any, request: Any, hold: Hold) -> None:
        if hold.deadline != hold.keep_by:
            before(step, request, hold)

    patch.put(ending, "keep", keep)
    patch.wrap(ending, "_clock", clock)


@BUGS.bug("unpinned coins", "a hold does not pin the coins that it holds: the next one finds them free", "I1 I17")
def _unpinned_coins(patch: Patch) -> None:
    patch.put(Book, "with_block", lambda book, ref, amount, coins, at: _WITH_BLOCK(book, ref, amount, Coins(), at))
    patch.put(Book, "pinning", lambda book, free: book)


_WITH_BLOCK = Book.with_block


@BUGS.bug("held above what is traced", "what is asked is held, whoever's money it is", "I1")
def _above_traced(patch: Patch) -> None:
    def place(step: Any, request: Any, free: int) -> None:
        hold, book = request.hold, stating.book_of(step, request.id)
        waits = any(i.verb is Verb.HOLD and i.request == request.id for i in step.case.intents.values())
        if hold is None and not waits and starting.may_hold(step, request):
            amount = min(request.body.asked.minor - book.blocked, free)
            if amount > 0:
                holding._intend(step, request, starting.block_of(step, request), amount)

    patch.put(holding, "place", place)
    patch.put(holding, "find", lambda step, request: None)


# --- how long ------------------------------------------------------------------------------------------------


@BUGS.bug("timer twice", "whoever looks again calls the same person again", "I6")
def _timer_twice(patch: Patch) -> None:
    def escalate(step: Any, what: str, to: str, request: str | None = None, why: str = "") -> None:
        step.note("Escalated", Escalated(what, to, why), request)

    patch.put(step.Step, "escalate", escalate)


@BUGS.bug("extension beyond the law", "an extension lasts as long as its officer wished", "I16")
def _beyond_law(patch: Patch) -> None:
    patch.wrap(deciding, "check_extension", lambda before, step, hold, said, power: before(step, hold, said, None))


@BUGS.bug("withdraw ignored", "a withdrawal is written down, and its hold stays", "I5 I7")
def _withdraw_ignored(patch: Patch) -> None:
    patch.put(ending, "withdraw", lambda step, request, said: None)


@BUGS.bug("released before the core let go", "a release is acknowledged when the core was asked, not when it has "
          "let go", "I9")
def _released_early(patch: Patch) -> None:
    def unblock(before: Any, step: Any, request: Any, to: int, why: str) -> None:
        before(step, request, to, why)
        hold = step.case.request(request.id).hold
        if hold is not None and hold.state == "ending" and to == 0:
            kind = "HoldLapsed" if hold.why in ending.LAPSES else "HoldReleased"
            over = replace(hold, amount=Amount(0, hold.amount.asset), claim=stating.claim_of(request, 0))
            stating.state_hold(step, request, kind, over.moved(kind, ended_at=step.now), hold.why)
            stating.finish(step, step.case.request(request.id), hold.why or "")

    patch.wrap(ending, "unblock", unblock)


# --- on whose word, and where it goes -----------------------------------------------------------------------


@BUGS.bug("decision taken twice", "what was decided is decided once more", "I10", "careless")
def _decided_twice(patch: Patch) -> None:
    def decided(before: Any, step: Any, request: Any, said: Any, officers: Any) -> None:
        if request.is_undecided:
            before(step, request, said, officers)
            return
        kind = "RequestAccepted" if said.accepted else "RequestRefused"
        step.tell(kind, Answered(request.terms, reason=said.reason, basis=said.basis, until=said.until), request)

    def decide(before: Any, step: Any, command: Any) -> None:
        request = step.case.request(command.request or "")
        if request.is_undecided or request.body.instructs or step.rules.me.kind == "authority":
            before(step, command)
        else:
            step.draft(command, draft_of(step, command, "Decide", step.me, request.not_after))

    patch.entry(hearing.APPLIED, "Decide", partial(decided, deciding.decided))
    rule, body = protocol.COMMANDS["decide"]
    patch.entry(protocol.COMMANDS, "decide", (partial(decide, rule), body))
    patch.put(step, "ANSWERS", {})  # and no table is asked


@BUGS.bug("one officer signs twice", "two signatures of one person count as two persons", "I12", "careless")
def _signs_twice(patch: Patch) -> None:
    patch.put(approving, "_check_another", lambda officer, signed: None)


@BUGS.bug("return to another account", "who is paid is what was typed; nobody opens the commitment of the loss", "I11",
          "careless")
def _another_account(patch: Patch) -> None:
    patch.entry(hearing.APPLIED, "NamePayee", lambda step, request, said, officers: None)
    patch.entry(protocol.COMMANDS, "payee", deciding._act("NamePayee"))


@BUGS.bug("mirror moves by itself", "who withdraws takes the hold for released, whatever its holder says", "I10 I7")
def _mirror_moves(patch: Patch) -> None:
    def issued(before: Any, step: Any, event: Any) -> None:
        before(step, event)
        request = step.case.requests.get(event.request or "")
        hold = request.hold if request is not None and request.side == "requesting" else None
        if request is not None and event.kind == "Withdraw" and hold is not None and hold.in_force:
            over = replace(hold, state="released", ended_at=step.now)
            step.note("HoldReleased", HoldStated(over, request.terms, Reason.WITHDRAWN), request.id)

    patch.wrap(protocol, "_issued", issued)
