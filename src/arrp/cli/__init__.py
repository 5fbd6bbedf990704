"""`arrp`: the same verbs and words as everywhere. Data on stdout, talk on stderr, one exit code per kind of no.

    0 ok    2 usage    3 not found    4 refused by rule    5 conflict    6 peer unreachable, but queued
    7 needs approval    8 integrity failure    1 anything else

`COMMANDS` is the whole tree. A command is fetched from its module when it is asked for, so that
`arrp read` does not wait for a server to be imported.
"""

from __future__ import annotations

import errno
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import arrp
from arrp.cli.speaking import say, show
from arrp.core.errors import ArrpError, Malformed, NotFound

# The words of a command -> where it is. Its help is the docstring there.
COMMANDS = {
    "read": "arrp.cli.read:read",
    "trace": "arrp.cli.trace:trace",
    "stitch": "arrp.cli.stitch:stitch",
    "report": "arrp.cli.report:report",
    "approve": "arrp.cli.case:approve",
    "log": "arrp.cli.case:log",
    "payee": "arrp.cli.giving_back:payee",
    "return": "arrp.cli.giving_back:give_back",
    "credited": "arrp.cli.giving_back:credited",
    "demo": "arrp.cli.demo:demo",
    "audit verify": "arrp.cli.audit:verify",
    "audit witnessed": "arrp.cli.audit:witnessed",
    "audit signed-by": "arrp.cli.audit:signed_by",
    "bench node": "arrp.cli.bench:node",
    "bench life": "arrp.cli.bench:life",
    "bench deadlines": "arrp.cli.bench:deadlines",
    "bench flood": "arrp.cli.bench:flood",
    "bench trace": "arrp.cli.bench_trace:trace",
    "bench thefts": "arrp.cli.bench_trace:thefts",
    "law show": "arrp.cli.law:show_law",
    "law until": "arrp.cli.law:until",
    "law powers": "arrp.cli.law:powers",
    "law check": "arrp.cli.law:check",
    "law changes": "arrp.cli.law:changes",
    "api key": "arrp.cli.access:make_key",
    "api list": "arrp.cli.access:list_keys",
    "api revoke": "arrp.cli.access:revoke_key",
    "node init": "arrp.cli.node:init",
    "node serve": "arrp.cli.serve:serve",
    "node doctor": "arrp.cli.looking:doctor",
    "node status": "arrp.cli.looking:status",
    "node send-again": "arrp.cli.looking:send_again",
    "node backup": "arrp.cli.keeping:make",
    "node restore": "arrp.cli.keeping:bring_back",
    "node rotate-key": "arrp.cli.rotation:rotate",
    "node revoke-key": "arrp.cli.rotation:revoke",
    "case list": "arrp.cli.case:list_cases",
    "case show": "arrp.cli.case:show_case",
    "case onward": "arrp.cli.case:onward",
    "case resolve": "arrp.cli.case:resolve",
    "case close": "arrp.cli.case:close",
    "case erase": "arrp.cli.case:erase",
    "case letter": "arrp.cli.access:letter",
    "case looks": "arrp.cli.access:looks",
    "case subject": "arrp.cli.access:subject",
    "case take": "arrp.cli.people:take",
    "case hand-over": "arrp.cli.people:hand_over",
    "case restrict": "arrp.cli.people:restrict",
    "document add": "arrp.cli.document:add",
    "document list": "arrp.cli.document:list_documents",
    "document get": "arrp.cli.document:get",
    "draft list": "arrp.cli.case:list_drafts",
    "draft show": "arrp.cli.case:show_draft",
    "request powers": "arrp.cli.request:powers",
    "request send": "arrp.cli.request:send",
    "request show": "arrp.cli.request:show_request",
    "request see": "arrp.cli.request:see",
    "request call-back": "arrp.cli.people:call_back",
    "request answer": "arrp.cli.answer:answer",
    "request paper": "arrp.cli.paper:paper",
    "request sent-by-hand": "arrp.cli.paper:sent_by_hand",
    "request give": "arrp.cli.request:give",
    "request disclose": "arrp.cli.request:disclose",
    "request correct": "arrp.cli.people:correct",
    "request ask-erasure": "arrp.cli.people:ask_erasure",
    "request withdraw": "arrp.cli.request:withdraw",
    "task list": "arrp.cli.task:list_tasks",
    "task show": "arrp.cli.task:show_task",
    "task done": "arrp.cli.task:done",
    "task ledger": "arrp.cli.task:ledger",
    "hold list": "arrp.cli.hold:list_holds",
    "hold release": "arrp.cli.hold:release",
    "hold extend": "arrp.cli.hold:extend",
    "hold formalise": "arrp.cli.hold:formalise",
    "hold secure": "arrp.cli.hold:secure",
    "object notice": "arrp.cli.access:notice",
    "object tell": "arrp.cli.objection:tell",
    "object raise": "arrp.cli.objection:raise_objection",
    "object decide": "arrp.cli.objection:decide",
    "officer key": "arrp.cli.officer:key",
    "officer add": "arrp.cli.officer:add",
    "directory keeper": "arrp.cli.directory:keeper",
    "directory add": "arrp.cli.directory:add",
    "directory sign": "arrp.cli.directory:sign",
    "directory publish": "arrp.cli.directory:publish",
    "directory fetch": "arrp.cli.directory:fetch",
    "directory paper": "arrp.cli.paper_entry:paper",
    "directory show": "arrp.cli.directory:show_directory",
    "directory changes": "arrp.cli.directory:show_changes",
    "mandate open": "arrp.cli.report:open_mandate",
    "mandate standing": "arrp.cli.mandate:standing",
    "mandate sign": "arrp.cli.mandate:sign",
    "mandate show": "arrp.cli.mandate:show_mandate",
    "core open": "arrp.cli.core:open_account",
    "core book": "arrp.cli.core:book",
    "core show": "arrp.cli.core:show_core",
    "ledger build": "arrp.cli.ledger:build",
    "ledger append": "arrp.cli.ledger:append",
    "ledger info": "arrp.cli.ledger:info",
    "simulate": "arrp.cli.simulate:simulate",
    "replay haechi3": "arrp.cli.replay:haechi3",
}
GROUPS = {
    "law": "The law as data, and its clock.",
    "api": "Keys for officers' systems: /v1 over the network.",
    "node": "A node: the installation of one participant.",
    "audit": "The log: verified, and what peers showed of theirs.",
    "bench": "Figures, as ratios against a floor of the same run.",
    "case": "Cases: a loss each, or at a holder an account each.",
    "document": "Files that acts name: orders, consents, reports.",
    "draft": "Acts that wait for officers' signatures.",
    "request": "Requests: ask, see, answer, withdraw.",
    "task": "What a clerk is asked to do where the core is manual, and what they did.",
    "hold": "What is held, for how long, on which basis.",
    "object": "The account holder: told, objecting, answered.",
    "officer": "Officers and the keys they approve with.",
    "directory": "Who takes part, with which keys; kept by several together.",
    "mandate": "What the node may do alone, signed by two officers.",
    "core": "A simulated core: its accounts and transfers, by hand.",
    "ledger": "Ledgers on disk that are traced: built once, opened at once.",
    "replay": "A whole operation told again by real nodes in simulated time.",
}


# What the system says of a name that was given: there is no such file, or it cannot be one.
_EXIT_CODES = {
    errno.ENOENT: NotFound.exit_code,
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM),
                    Malformed.exit_code),
}


class Words(TyperGroup):
    """The commands that begin with `under`; at the root also the one place where an error becomes an exit code."""

    def __init__(self, *, under: str = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self._under = f"{under} " if under else ""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        inside = (words.removeprefix(self._under) for words in COMMANDS if words.startswith(self._under))
        return list(dict.fromkeys(rest.split()[0] for rest in inside))

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | Words:  # type: ignore[override]
        words = self._under + cmd_name
        if words in GROUPS:
            return Words(under=words, name=cmd_name, help=GROUPS[words], no_args_is_help=True, rich_markup_mode=None)
        if words not in COMMANDS:
            ctx.fail(
                f"there is no command {words!r}: {', '.join(self._under + name for name in self.list_commands(ctx))}"
            )
        command: TyperCommand = resolve_name(COMMANDS[words])
        return command

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except ArrpError as error:
            say(str(error))
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            say(f"{error.filename or 'the system'}: {error.strerror or error}")
            raise typer.Exit(_EXIT_CODES.get(error.errno or 0, ArrpError.exit_code)) from None


app = typer.Typer(cls=Words, name="arrp", add_completion=False, no_args_is_help=True, rich_markup_mode=None)


def _version(asked: bool) -> None:
    if asked:
        show(f"arrp {arrp.__version__}")
        raise typer.Exit


@app.callback()
def _arrp(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """Stop a payment that was lost to a crime: hold it, follow it, bring it back."""


def main() -> int | str | None:
    """The command `arrp`; how it ended, for `sys.exit`. What it used is let go of first: DuckDB complains to the user
    when it is still held at the very end."""
    try:
        app(prog_name="arrp")
    except SystemExit as ended:
        return ended.code
    return 0
