"""What a clerk sees and types: the tasks of a manual core, as JSON, behind the officers' socket (R-99)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path
from sqlalchemy import Connection

from arrp.connectors import Connector
from arrp.connectors.manual import ManualCore, to_find
from arrp.connectors.reading import LedgerCore
from arrp.connectors.tasks import Line, Result, Task, no_account, no_task
from arrp.core.errors import Malformed, Refused
from arrp.core.events import Intent, Verb
from arrp.core.money import Amount
from arrp.core.request import Request
from arrp.node.callers import Caller
from arrp.node.delivery import question
from arrp.node.need_to_know import Known
from arrp.node.service import Service
from arrp.node.store import cases, work
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
    def core(self) -> ManualCore | LedgerCore:
        """Raises Refused where money is not kept by clerks."""
        if not isinstance(self._core, ManualCore | LedgerCore):
            raise Refused('this node gives no tasks to clerks: [core] kind = "manual" in node.toml does, or "ledger"',
                          rule="R-99")
        return self._core

    def listed(self, caller: Caller, done: bool = False) -> list[dict[str, Any]]:
        """Open tasks, the most urgent first; with `done` those that are done, the newest first."""
        known, every = Known(self.service, caller), self.core.tasks(done=done)
        return [self._row(task, request) for task, request in self._with_requests(known, every)]

    def shown(self, caller: Caller, id: int) -> dict[str, Any]:
        """One task, with all that a clerk needs to do it. Raises NotFound."""
        known = Known(self.service, caller)
        task, request = self._task(known, id)
        if request is not None:
            known.look(known.of_request(request.id), f"task {id}")
        wish = {name: value for name, value in task.wish.items() if name not in ("amount", "asset", "ref")}
        return {**self._row(task, request), **wish, "result": task.result}

    def done(self, caller: Caller, id: int, data: bytes) -> dict[str, Any]:
        """What the clerk did; the node hears of it at once. Raises NotFound, Malformed, Conflict."""
        result = read(Result, parse_json(data))
        task, request = self._task(Known(self.service, self._clerk(caller, result.clerk)), id)
        asset = _asset(task, request)
        for amount in (result.amount, result.there, result.protected):
            if amount is not None and asset and amount.asset != asset:
                raise Malformed(f"{amount}: task {id} is in {asset}")
        task = self.core.done(id, result)
        self._tell()
        return self._row(task, request)

    def moved(self, caller: Caller, account_ref: str, data: bytes) -> dict[str, Any]:
        """What moved on an account since. Raises NotFound, Malformed, Conflict."""
        said = read(Moved, parse_json(data))
        known, core = Known(self.service, self._clerk(caller, said.clerk)), self.core
        with self.service.node.store.reading() as connection:
            case_id = cases.find(connection, self.service.account_key(account_ref))
        if case_id is not None and not known.has(case_id):
            raise no_account(account_ref)
        booked = core.add_lines(account_ref, said.lines)
        self._tell()
        return {"account": account_ref, "lines": len(said.lines), "booked": booked}

    def _clerk(self, caller: Caller, clerk: str) -> Caller:
        """A result has a name that the directory knows (R-99), and nobody types in another's (R-90)."""
        caller = caller.speaking_as(clerk)
        roles = self.service.node.rules.me.officer(clerk).roles
        if not set(roles) & _CLERKS:
            raise Refused(f"{clerk} is {', '.join(roles) or 'without a role'}: tasks are done by a "
                          f"{' or '.join(sorted(_CLERKS))}", rule="R-90", code="not-your-role")
        return caller

    def _tell(self) -> None:
        node = self.service.node
        with node.store.writing() as connection:
            work.ask_again(connection, node.clock.now())
        node.wake()

    def _row(self, task: Task, request: Request | None) -> dict[str, Any]:
        left = task.due_at - self.service.node.clock.now()
        asset, minor = _asset(task, request), task.wish.get("amount")
        return {
            "id": task.id, "verb": task.verb, "asset": asset,
            "amount": str(Amount(minor, asset)) if minor is not None and asset else None,
            "asked_at": task.asked_at.isoformat(), "due_at": task.due_at.isoformat(),
            "seconds_left": int(left.total_seconds()), "done_at": task.done_at and task.done_at.isoformat(),
            "request": request and request.id, "still_wanted": None if request is None else request.is_open,
        }  # fmt: skip

    # --- whose task it is ------------------------------------------------------------------------------------

    def _task(self, known: Known, id: int) -> tuple[Task, Request | None]:
        """Raises NotFound, in the words of the core, for what who calls may not know (R-92)."""
        task = self.core.task(id)
        found = self._with_requests(known, [task])
        if not found:
            raise no_task(id)
        return found[0]

    def _with_requests(self, known: Known, every: list[Task]) -> list[tuple[Task, Request | None]]:
        """The tasks that who calls may know, each with a request of theirs for whose sake it is there. One that is
        for no request here is every clerk's until it is done: it was asked before the node lost its memory."""
        causes_of = self._causes(every)
        mine = known.of({case_id for causes in causes_of.values() for case_id, _ in causes})
        found: list[tuple[Task, Request | None]] = []
        for task in every:
            causes = causes_of[task.verb, task.ref]
            theirs = [request for case_id, request in causes if case_id in mine]
            if theirs:
                found.append((task, next((request for request in theirs if request.is_open), theirs[0])))
            elif not causes and task.done_at is None:
                found.append((task, None))
        return found

    def _causes(self, every: list[Task]) -> dict[tuple[str, str], list[tuple[str, Request]]]:
        """For whose sake a task is there, by its verb and ref: case and request of each wish that it is for."""
        found: dict[tuple[str, str], list[tuple[str, Request]]] = {(task.verb, task.ref): [] for task in every}
        verbs = {task.verb for task in every}
        with self.service.node.store.reading() as connection:
            asked = self._asked(connection, is_done=any(task.done_at is not None for task in every))
            asked = [(case_id, intent) for case_id, intent in asked if intent.verb in verbs]
            every_case = {id: self.service.folds.read(connection, id) for id in {id for id, _ in asked}}
        for case_id, intent in asked:
            request = every_case[case_id].requests.get(intent.request)
            if request is not None and (task := _task_of(intent, request)) in found:
                found[task].append((case_id, request))
        return found

    def _asked(self, connection: Connection, is_done: bool) -> list[tuple[str, Intent]]:
        """What the core was asked, and in which case: all of it, or what it has not answered."""
        if is_done:
            return cases.intents(connection)
        waiting = [(self.service.folds.read(connection, id), ref) for ref, id in work.open_intents(connection)]
        return [(case.id, case.intents[ref]) for case, ref in waiting if ref in case.intents]


def _asset(task: Task, request: Request | None) -> str:
    """Of a payment in flight the task knows no asset: the request does."""
    return request.body.asked.asset if request is not None and not task.asset else task.asset


def _task_of(intent: Intent, request: Request) -> tuple[str, str]:
    """Verb and ref of the task that it is for clerks; the same question about an account is one task."""
    ref = to_find(question(request))["ref"] if intent.verb is Verb.FIND else intent.block
    return intent.verb.value, ref
