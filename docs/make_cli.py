"""Prints docs/cli.md from the tree of commands: what each asks for and does, one line each.

    python docs/make_cli.py > docs/cli.md
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from pkgutil import resolve_name

from typer.core import TyperArgument, TyperCommand, TyperOption

from arrp.cli import COMMANDS, GROUPS

_HEAD = """# The command line

Printed by `docs/make_cli.py` from the tree of commands; a test compares. Change the commands, never this page.

Data goes to stdout, talk to stderr. `--json` prints the same data for programs. Exit codes: 0 ok, 2 usage, 3 not found,
4 refused by rule, 5 conflict, 6 peer unreachable but queued, 7 needs approval, 8 integrity failure, 1 anything else;
what to do about each is in [operating.md](operating.md#exit-codes). A command of an officer speaks to the running node
through its owner-only socket: `--home`, or `ARRP_HOME`. An instant has its offset (`2026-11-22T08:00Z`), an amount its
asset (`100000.00 EUR`)."""


def cli() -> str:
    """The whole page."""
    alone = [words for words in COMMANDS if " " not in words]
    parts = [_HEAD, *(_command(words, "##") for words in alone)]
    for group, what in GROUPS.items():
        parts.append(f"## arrp {group}\n\n{what}")
        parts += [_command(words, "###") for words in COMMANDS if words.startswith(f"{group} ")]
    return "\n\n".join(parts) + "\n"


def _command(words: str, marks: str) -> str:
    command: TyperCommand = resolve_name(COMMANDS[words])
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    options = [each for each in command.params if isinstance(each, TyperOption)]
    usage = " ".join(["arrp", words, *map(_place, arguments)])
    rows = "\n".join(f"| {name} | {what} |" for name, what in [*map(_argument, arguments), *map(_option, options)])
    said = re.sub(r"(?<=\S)\n(?=\S)", " ", (command.help or "").strip())
    return f"{marks} {usage}\n\n{said}\n\n| | |\n|---|---|\n{rows}"


def _place(argument: TyperArgument) -> str:
    return f"{argument.metavar or str(argument.name).upper()}{'…' if argument.nargs == -1 else ''}"


def _argument(argument: TyperArgument) -> tuple[str, str]:
    return f"`{_place(argument)}`", _cell(argument.help or "")


def _option(option: TyperOption) -> tuple[str, str]:
    name = f"`{option.opts[-1]}`" if option.is_flag else f"`{option.opts[-1]} {_value(option)}`"
    notes = ["needed"] if option.required else []
    notes += ["several times"] if option.multiple else []
    default = option.default
    if not option.required and not option.is_flag and isinstance(default, str | int) and str(default):
        notes.append(f"else `{default}`")
    noted = f"({', '.join(notes)})" if notes else ""
    return _cell(name), _cell(" ".join(filter(None, [option.help, noted])))


def _value(option: TyperOption) -> str:
    annotation = option.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    return {int: "N", Path: "PATH"}.get(annotation, "TEXT")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    print(cli(), end="")
