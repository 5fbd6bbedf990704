"""A bank with nothing but a clerk: each wish of the node becomes a task, each answer what a clerk typed (R-99).

Until a clerk has done it the core has not answered (`NotYet`). Nothing happens here by itself: what is
past its `until` stays held until somebody let it go, and is reported so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from sqlite3 import Row
from typing import Any

from arrp.connectors import NotYet
from arrp.connectors.file import to_text, to_time
from arrp.connectors.matching import compare, compare_names
from arrp.connectors.tasks import Line, Result, Task, TaskBook, content_of, no_account
from arrp.core.answers import (
    AccountStatus,
    Cannot,
    Capabilities,
    Compared,
    Comparison,
    Found,
    Gone,
    Held,
    HoldState,
    InForce,
    Landed,
    PayOut,
    Question,
    Reach,
    Released,
    Returned,
    Statement,
    Status,
    Stopped,
    Why,
)
from arrp.core.errors import Conflict, Malformed
from arrp.core.ledger import Ledger
from arrp.core.money import Amount

# What a clerk can do; the seconds are an hour, for who plans with them.
CAN = Capabilities(Reach.AMOUNT, reversible=True, public=False, seconds=3600, in_flight=True, arm=False, return_=True)
SKEW = timedelta(minutes=5)  # a clerk's watch may be before the node's


def to_find(question: Question) -> dict[str, Any]:
    """What a clerk is asked to find; the same question has the same `ref`, and is one task."""
    wish = {"asset": question.asset, "account": question.account, "name": question.creditor_name,
            "credits": [_claimed(credit) for credit in question.credits]}
    return {**wish, "ref": sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()[:32]}


class ManualCore:
    """The tasks of one bank; the file is the bank as far as its clerks typed it."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._clock, self.book = clock, TaskBook(path)

    def close(self) -> None:
        self.book.close()

    # --- the contract -------------------------------------------------------------------------------

    def can(self) -> Capabilities:
        return CAN

    def find(self, question: Question) -> Found:
        wish = to_find(question)
        with self.book.transaction():
            row = self._asked("find", str(wish["ref"]), wish)
            if row is not None:
                return self._found(question, row)
        raise self.not_yet("find", str(wish["ref"]))

    def hold(self, ref: str, account_ref: str, amount: int, until: datetime | None) -> Held | Cannot:
        wish = {"ref": ref, "account_ref": account_ref, "amount": amount, "until": to_text(until)}
        answer: Held | Cannot = self._do("hold", ref, wish)
        return answer

    def stop(self, ref: str, uetr: str, amount: int) -> Stopped | Landed | Gone | Cannot:
        answer: Stopped | Landed | Gone | Cannot = self._do("stop", ref, {"ref": ref, "uetr": uetr, "amount": amount})
        return answer

    def release(self, ref: str, to_amount: int) -> Released | Cannot:
        with self.book.transaction():
            hold = self.book.hold(ref)
            if hold is None:
                return Cannot(Why.NOT_FOUND)
            if hold["amount"] <= to_amount:
                return Released(hold["reference"], hold["amount"], hold["last"])
        answer: Released | Cannot = self._do("release", f"{ref} {to_amount}", self._about(ref, amount=to_amount))
        return answer

    def extend(self, ref: str, until: datetime | None) -> Held | Cannot:
        with self.book.transaction():
            hold = self.book.hold(ref)
        if hold is None:
            return Cannot(Why.NOT_FOUND)
        if hold["amount"] == 0:
            return Cannot(Why.TOO_LATE)
        wish = self._about(ref, until=to_text(until))
        answer: Held | Cannot = self._do("extend", f"{ref} {wish['until']}", wish)
        return answer

    def give_back(self, ref: str, payout: PayOut) -> Returned | Cannot:
        return self._pay_out("give_back", ref, payout)

    def hand_over(self, ref: str, payout: PayOut) -> Returned | Cannot:
        return self._pay_out("hand_over", ref, payout)

    def status(self, ref: str) -> Status:
        with self.book.transaction():
            hold = self.book.hold(ref)
        if hold is None:
            return Status(HoldState.UNKNOWN)
        until = to_time(hold["until"]) if hold["until"] else None
        return Status(HoldState(hold["state"]), hold["amount"], hold["reference"], hold["last"], until)

    def holds(self) -> tuple[InForce, ...]:
        with self.book.transaction():
            rows = self.book.rows("SELECT * FROM holds WHERE amount > 0 ORDER BY ref")
        return tuple(InForce(r["ref"], r["reference"], r["amount"], r["last"],
                             to_time(r["until"]) if r["until"] else None, r["flight"], r["account"]) for r in rows)

    def transfers_since(self, account_ref: str, sequence: int) -> Statement:
        with self.book.transaction():
            self._account(account_ref)
            return Statement(self.book.ledger(account_ref, sequence), self.book.sequence)

    # --- the clerk's side ---------------------------------------------------------------------------

    def tasks(self, *, done: bool = False) -> list[Task]:
        """Open tasks, the most urgent first; or those that are done, the newest first. A release that another
        one, or a return, has made needless is not open any more."""
        with self.book.transaction():
            order = "done_at DESC, id DESC" if done else "due_at, id"
            rows = self.book.rows(f"SELECT * FROM tasks WHERE (done_at IS NOT NULL) = ? ORDER BY {order}", done)  # noqa: S608
            return [self.book.shown(row) for row in rows if done or not self._is_needless(row)]

    def task(self, id: int) -> Task:
        """Raises NotFound."""
        with self.book.transaction():
            return self.book.shown(self.book.task(id))

    def done(self, id: int, result: Result) -> Task:
        """What the clerk did. Raises NotFound, Malformed, and Conflict where another result was typed before."""
        now = self._clock()
        with self.book.transaction():
            row = self.book.task(id)
            if row["result"] is None:
                _check(result, self.book.shown(row), now)
                verb, wish = row["verb"], json.loads(row["wish"])
                answer = _no(verb, result) if result.cannot else _DONE[verb](self, wish, result)
                self.book.close_task(id, result, answer, now)
            elif row["result"] != content_of(result):
                raise Conflict(f"task {id} was done at {row['done_at']} with another result: arrp task show {id}. What "
                               "changed since is another task, or typed with arrp task ledger")
            return self.book.shown(self.book.task(id))

    def add_lines(self, account_ref: str, lines: tuple[Line, ...]) -> int:
        """Movements that a clerk read since. Answers how much is booked now. Raises NotFound, Malformed, Conflict."""
        with self.book.transaction():
            account = self._account(account_ref)
            self._enter(account_ref, account["asset"], lines)
            return self.book.booked(account_ref)

    # --- how far a ledger was read, where one is (connectors/reading.py) ------------------------------

    def reading(self) -> tuple[int, str]:
        """How many of its rows were read, and their digest; (0, "") before the first."""
        with self.book.transaction():
            return self.book.reading

    def keep_reading(self, rows: int, digest: str) -> None:
        with self.book.transaction():
            self.book.keep_reading(rows, digest)

    # --- inside -------------------------------------------------------------------------------------

    def _asked(self, verb: str, key: str, wish: dict[str, Any]) -> Row | None:
        """The task once it is done; None before."""
        row = self.book.ask(verb, key, wish, self._clock())
        return row if row["result"] is not None else None

    def _do(self, verb: str, key: str, wish: dict[str, Any]) -> Any:
        with self.book.transaction():
            row = self._asked(verb, key, wish)
        if row is None:
            raise self.not_yet(verb, key)
        return _answer(json.loads(row["answer"]))

    def not_yet(self, verb: str, key: str) -> NotYet:
        """What to raise while that task is not done."""
        with self.book.transaction():
            row = self.book.row("SELECT * FROM tasks WHERE key = ?", f"{verb} {key}")
        assert row is not None
        return NotYet(str(row["id"]), overdue=self._clock() >= to_time(row["due_at"]))

    def _pay_out(self, verb: str, ref: str, payout: PayOut) -> Returned | Cannot:
        with self.book.transaction():
            hold = self.book.hold(ref)
        if hold is None:
            return Cannot(Why.NOT_FOUND)
        wish = self._about(ref, amount=payout.amount, payout=payout.ref, payee=payout.payee,
                           payee_name=payout.payee_name, why=payout.reason)
        answer: Returned | Cannot = self._do(verb, payout.ref, wish)
        return answer

    def _about(self, ref: str, **wish: Any) -> dict[str, Any]:
        with self.book.transaction():
            hold = self.book.hold(ref)
        assert hold is not None
        return {"ref": ref, "account_ref": hold["account"], "uetr": hold["flight"],
                "hold_reference": hold["reference"], **wish}

    def _is_needless(self, row: Row) -> bool:
        wish = json.loads(row["wish"])
        hold = self.book.hold(wish["ref"]) if row["verb"] == "release" else None
        return hold is not None and hold["amount"] <= wish["amount"]

    def _account(self, ref: str) -> Row:
        found = self.book.row("SELECT * FROM accounts WHERE ref = ?", ref)
        if found is None:
            raise no_account(ref)
        return found

    def _enter(self, account: str, asset: str, lines: tuple[Line, ...]) -> None:
        _check_asset(asset, lines)
        for line in sorted(lines, key=lambda line: line.at):
            self.book.enter(account, line)

    # --- what a result does -------------------------------------------------------------------------

    def found(self, wish: dict[str, Any], result: Result) -> dict[str, Any]:
        if result.status == AccountStatus.NONE:
            return {"kind": "Found", "account_ref": "", "credits": []}
        if not result.account_ref or result.booked is None or result.free is None:
            raise Malformed("an account that was found has a reference, a balance and what is free of it")
        if result.free.minor > result.booked.minor:
            raise Malformed(f"{result.free} cannot be free of {result.booked}")
        if {result.booked.asset, result.free.asset} != {wish["asset"]}:
            raise Malformed(f"asked was about an account in {wish['asset']}")
        lines = (*result.credits, *result.lines)
        _check_asset(wish["asset"], lines)
        known = self.book.row("SELECT * FROM accounts WHERE ref = ?", result.account_ref)
        if known is None:
            self._open(wish["asset"], result, lines)
        self._enter(result.account_ref, wish["asset"], lines)
        booked = self.book.booked(result.account_ref)
        if booked != result.booked.minor:
            shown = Amount(booked, wish["asset"]) if booked >= 0 else "less than nothing"
            raise Malformed(f"the transfers typed of account {result.account_ref} leave {shown}, not {result.booked}: "
                            "type those that are missing, with --transfers")
        reserved = booked - result.free.minor - self.book.held(result.account_ref)
        self.book.write("UPDATE accounts SET holder = ?, status = ?, reserved = ? WHERE ref = ?", result.holder,
                         result.status, max(0, reserved), result.account_ref)  # fmt: skip
        return {"kind": "Found", "account_ref": result.account_ref, "credits": [line.ref for line in result.credits]}

    def _open(self, asset: str, result: Result, lines: tuple[Line, ...]) -> None:
        """A ledger begins before its first typed line: what was there then follows from what is there now."""
        assert result.booked is not None
        opening = result.booked.minor - sum(x.amount.minor if x.incoming else -x.amount.minor for x in lines)
        if opening < 0:
            raise Malformed(f"{Amount(-opening, asset)} of what came in is not there any more: type the transfers out "
                            "since the credit, with --transfers")
        self.book.write("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, 0)", result.account_ref, asset, result.holder,
                         result.status, opening)  # fmt: skip

    def held(self, wish: dict[str, Any], result: Result) -> dict[str, Any]:
        account, amount = self._account(wish["account_ref"]), _amount(result)
        before = tuple(line for line in result.lines if line.at <= result.at)
        self._enter(account["ref"], account["asset"], before)
        there = self.book.booked(account["ref"]) - self.book.held(account["ref"])
        if amount > there:
            left = Amount(max(0, there), account["asset"])
            raise Malformed(f"{result.amount} cannot be held: the transfers here leave {left} that no hold has. Type "
                            "those that are missing, or what is really held")
        answer = self._place(wish, result, amount, wish["account_ref"])
        self._enter(account["ref"], account["asset"], tuple(line for line in result.lines if line not in before))
        return {"kind": "Held", **answer, "until": wish["until"]}

    def _place(self, wish: dict[str, Any], result: Result, amount: int, account: str) -> dict[str, Any]:
        sequence = self.book.next(result.at)
        self.book.write("INSERT INTO holds VALUES (?, ?, ?, ?, ?, 'held', ?, ?)", wish["ref"], account,
                         wish.get("uetr", ""), result.reference, amount, wish.get("until"), sequence)  # fmt: skip
        return {"reference": result.reference, "amount": amount, "sequence": sequence, "at": to_text(result.at)}

    def stopped(self, wish: dict[str, Any], result: Result) -> dict[str, Any]:
        if result.account_ref:  # it had landed there
            credit = result.credits[0].ref if result.credits else result.reference
            return {"kind": "Landed", "credit": credit, "account_ref": result.account_ref}
        return {"kind": "Stopped", **self._place(wish, result, _amount(result), "")}

    def released(self, wish: dict[str, Any], result: Result) -> dict[str, Any]:
        assert result.amount is not None
        sequence = self.book.change_hold(wish["ref"], result.amount.minor, HoldState.RELEASED, result.at)
        return {"kind": "Released", "reference": result.reference, "amount": result.amount.minor, "sequence": sequence}

    def extended(self, wish: dict[str, Any], result: Result) -> dict[str, Any]:
        hold = self.book.hold(wish["ref"])
        assert hold is not None
        self.book.write("UPDATE holds SET until = ? WHERE ref = ?", wish["until"], wish["ref"])
        sequence = self.book.change_hold(wish["ref"], hold["amount"], hold["state"], result.at)
        return {"kind": "Held", "reference": result.reference, "amount": hold["amount"], "sequence": sequence,
                "at": to_text(result.at), "until": wish["until"]}

    def sent(self, wish: dict[str, Any], result: Result, state: HoldState) -> dict[str, Any]:
        hold, amount = self.book.hold(wish["ref"]), _amount(result)
        assert hold is not None
        if amount > hold["amount"]:
            raise Malformed(f"{result.amount} was not held any more: {hold['amount']} minor units are")
        sequence = self.book.change_hold(wish["ref"], hold["amount"] - amount, state, result.at)
        if hold["account"]:
            asset = self._account(hold["account"])["asset"]
            line = Line(False, Amount(amount, asset), result.at, wish["payout"], wish["payee"], wish["payee_name"])
            self.book.enter(hold["account"], line, wish["ref"])
            sequence = self.book.sequence
        return {"kind": "Returned", "reference": result.reference, "transfer": wish["payout"], "amount": amount,
                "left": hold["amount"] - amount, "sequence": sequence}

    # --- finding again ------------------------------------------------------------------------------

    def _found(self, question: Question, row: Row) -> Found:
        """What the clerk found, with every movement typed since."""
        answer, sequence = json.loads(row["answer"]), self.book.sequence
        if answer["kind"] == "Cannot" or not answer["account_ref"]:
            differs = Comparison("account", Compared.DIFFERS)
            return Found(AccountStatus.NONE, sequence, comparisons=(differs, compare_names(question.creditor_name, "")))
        account = self._account(answer["account_ref"])
        ledger = Ledger(account["opening"], self.book.ledger(account["ref"]), sequence)
        first, *others = question.credits
        said = replace(question, credits=(replace(first, refs=(*first.refs, *answer["credits"])), *others))
        named = [each for each in ledger.transfers if each.ref in (*answer["credits"], *first.refs)]
        matching = compare(said, account["holder"], named)
        booked = self.book.booked(account["ref"])
        free = max(0, booked - self.book.held(account["ref"]) - account["reserved"])
        return Found(AccountStatus(account["status"]), sequence, max(0, booked), free, matching.comparisons,
                     matching.credits, ledger, account["ref"])


_DONE: dict[str, Callable[[ManualCore, dict[str, Any], Result], dict[str, Any]]] = {
    "find": ManualCore.found, "hold": ManualCore.held, "stop": ManualCore.stopped, "release": ManualCore.released,
    "extend": ManualCore.extended,
    "give_back": lambda core, wish, result: core.sent(wish, result, HoldState.RETURNED),
    "hand_over": lambda core, wish, result: core.sent(wish, result, HoldState.HANDED_OVER),
}
_ANSWERS: dict[str, Any] = {"Held": Held, "Stopped": Stopped, "Landed": Landed, "Released": Released,
                            "Returned": Returned}


def _answer(stored: dict[str, Any]) -> Any:
    kind = stored.pop("kind")
    if kind == "Gone":
        return Gone()
    if kind == "Cannot":
        return Cannot(Why(stored["why"]), stored["there"])
    for name in ("at", "until"):
        if stored.get(name):
            stored[name] = to_time(stored[name])
    return _ANSWERS[kind](**stored)


def _no(verb: str, result: Result) -> dict[str, Any]:
    """R-99: not done, with one of the reasons a core has. What is blocked must be let go: no reason stands
    against that but that nothing is blocked."""
    only = {"find": Why.NOT_FOUND, "release": Why.NOT_FOUND}.get(verb)
    if only is not None and result.cannot != only:
        raise Malformed(f"to {verb} there is no other no than {only}; until it is done the task stays open")
    if verb == "stop" and result.cannot == Why.NOT_FOUND:
        return {"kind": "Gone"}
    return {"kind": "Cannot", "why": result.cannot, "there": result.there.minor if result.there is not None else 0}


def _check(result: Result, task: Task, now: datetime) -> None:
    """What every result must have. Raises Malformed, with what is missing."""
    if not result.clerk.strip():
        raise Malformed("a result says who did it: --clerk")
    if result.at > now + SKEW or result.at < task.asked_at - timedelta(days=1):
        raise Malformed(f"{result.at:%Y-%m-%dT%H:%MZ} is not when task {task.id} was done: it was asked at "
                        f"{task.asked_at:%Y-%m-%dT%H:%MZ}, now it is {now:%Y-%m-%dT%H:%MZ}")
    if result.cannot is not None and result.cannot not in set(Why):
        raise Malformed(f"{result.cannot} is not a reason; there are {', '.join(Why)}")
    if result.cannot is None and task.verb != "find":
        _check_done(result, task)


def _check_asset(asset: str, lines: tuple[Line, ...]) -> None:
    for line in lines:
        if line.amount.asset != asset:
            raise Malformed(f"transfer {line.ref} is in {line.amount.asset}, the account in {asset}")


def _check_done(result: Result, task: Task) -> None:
    if not result.reference.strip():
        raise Malformed("what was done has the core's own reference: --core-reference")
    if task.verb == "extend" or (task.verb == "stop" and result.account_ref):
        return
    if result.amount is None:
        raise Malformed(f"{task.verb} says how much: --amount")
    if task.asset and result.amount.asset != task.asset:
        raise Malformed(f"{result.amount}: the account is in {task.asset}")
    asked = Amount(task.wish["amount"], result.amount.asset)
    if result.amount.minor > asked.minor:
        what = "stay held" if task.verb == "release" else "be done"
        raise Malformed(f"{result.amount} is more than the {asked} that may {what}: never more than was asked")


def _amount(result: Result) -> int:
    if result.amount is None or result.amount.minor == 0:
        raise Malformed("nothing was done? say why: --cannot REASON")
    return result.amount.minor


def _claimed(credit: Any) -> dict[str, Any]:
    tree = asdict(credit)
    return {name: to_text(value) if isinstance(value, datetime) else value for name, value in tree.items()}
