"""What a clerk sees and types: the tasks of a manual core, as JSON, behind the officers' socket (R-99)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path

from arrp.connectors import Connector
from arrp.connectors.manual import ManualCore
from arrp.connectors.tasks import Line, Result, Task
from arrp.core.errors import Malformed, Refused
from arrp.core.events import Intent, Verb
from arrp.core.money import Amount
from arrp.core.request import Request
from arrp.node.callers import Caller
from arrp.node.delivery import question
from arrp.node.service import Service
from arrp.node.store import work
from arrp.wire.codec import parse_json, read
from arrp.wire.json_text import INTEGER_MAX

_CLERKS = {"bank clerk", "duty officer"}  # whose word on the core counts

Number = Annotated[int, Path(ge=0, lt=INTEGER_MAX)]


@dataclass(frozen=True, slots=True)
class Moved:
    """Movements of an account that a clerk read since the last ones."""

    clerk: str
    lines: tuple[Line, ...]


class Tasks:
    """The clerks' side of one node."""

    def __init__(self, service: Service, core: Connector | None) -> None:
        self.service, self._core = service, core

    @property
    def core(self) -> ManualCore:
        """Raises Refused where money is not kept by clerks."""
        if not isinstance(self._core, ManualCore):
            raise Refused('this node gives no tasks to clerks: [core] kind = "manual" in node.toml does', rule="R-99")
        return self._core

    def listed(self, done: bool = False) -> list[dict[str, Any]]:
        """Open tasks, the most urgent first; with `done` those that are done, the newest first."""
        return [self._row(task) for task in self.core.tasks(done=done)]

    def shown(self, id: Number) -> dict[str, Any]:
        """One task, with all that a clerk needs to do it. Raises NotFound."""
        task = self.core.task(id)
        wish = {name: value for name, value in task.wish.items() if name not in ("amount", "asset", "ref")}
        return {**self._row(task), **wish, "result": task.result}

    def done(self, caller: Caller, id: int, data: bytes) -> dict[str, Any]:
        """What the clerk did; the node hears of it at once. Raises NotFound, Malformed, Conflict."""
        result = read(Result, parse_json(data))
        self._check_clerk(caller, result.clerk)
        asset = self._asset(self.core.task(id))
        for amount in (result.amount, result.there, result.protected):
            if amount is not None and asset and amount.asset != asset:
                raise Malformed(f"{amount}: task {id} is in {asset}")
        task = self.core.done(id, result)
        self._tell()
        return self._row(task)

    def moved(self, caller: Caller, account_ref: str, data: bytes) -> dict[str, Any]:
        """What moved on an account since. Raises NotFound, Malformed, Conflict."""
        said = read(Moved, parse_json(data))
        self._check_clerk(caller, said.clerk)
        booked = self.core.add_lines(account_ref, said.lines)
        self._tell()
        return {"account": account_ref, "lines": len(said.lines), "booked": booked}

    def _check_clerk(self, caller: Caller, clerk: str) -> None:
        """A result has a name that the directory knows (R-99), and nobody types in another's (R-90)."""
        caller.check_is(clerk)
        roles = self.service.node.rules.me.officer(clerk).roles
        if not set(roles) & _CLERKS:
            raise Refused(f"{clerk} is {', '.join(roles) or 'without a role'}: tasks are done by a "
                          f"{' or '.join(sorted(_CLERKS))}", rule="R-90", code="not-your-role")

    def _tell(self) -> None:
        node = self.service.node
        with node.store.writing() as connection:
            work.ask_again(connection, node.clock.now())
        node.wake()

    def _row(self, task: Task) -> dict[str, Any]:
        left = task.due_at - self.service.node.clock.now()
        asset, minor = self._asset(task), task.wish.get("amount")
        request = self._request(task)
        return {
            "id": task.id, "verb": task.verb, "asset": asset,
            "amount": str(Amount(minor, asset)) if minor is not None and asset else None,
            "asked_at": task.asked_at.isoformat(), "due_at": task.due_at.isoformat(),
            "seconds_left": int(left.total_seconds()), "done_at": task.done_at and task.done_at.isoformat(),
            "request": request and request.id, "still_wanted": None if request is None else request.is_open,
        }  # fmt: skip

    def _asset(self, task: Task) -> str:
        """Of a payment in flight the task knows no asset: the request does."""
        request = None if task.asset else self._request(task)
        return request.body.asked.asset if request is not None else task.asset

    def _request(self, task: Task) -> Request | None:
        """The request for whose sake an open task is there."""
        with self.service.node.store.reading() as connection:
            for ref, case_id in work.open_intents(connection):
                case = self.service.folds.read(connection, case_id)
                intent = case.intents.get(ref)
                if intent is not None and _is_for(task, intent, case.request(intent.request)):
                    return case.request(intent.request)
        return None


def _is_for(task: Task, intent: Intent, request: Request) -> bool:
    if intent.verb is Verb.FIND and task.verb == "find":
        asked = question(request)
        return (asked.account, asked.creditor_name) == (task.wish["account"], task.wish["name"])
    return intent.verb == task.verb and task.ref == intent.block
