"""What a command asks for: a function, or a function of one frozen dataclass whose fields are its options.

    @dataclass(frozen=True, slots=True)
    class Init:
        home: Annotated[Path, typer.Argument(help="…")]
        id: Annotated[str, typer.Option(help="…")]

    @command
    def init(asked: Init) -> None: …

A field with a default may be left out. A field of `list[…]` may be given several times.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand
from typer.main import get_command

from arrp.core.calendar import typed_instant
from arrp.core.errors import Malformed

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def command(function: Callable[..., None]) -> TyperCommand:
    """The command that `function` is; its docstring is the help."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_unfolded(function))
    made = get_command(app)
    assert isinstance(made, TyperCommand)
    return made


def _unfolded(function: Callable[..., None]) -> Callable[..., None]:
    """The function with one parameter for each field of the dataclass it takes."""
    hints = get_type_hints(function)
    hints.pop("return", None)
    [cls] = hints.values() if len(hints) == 1 else (None,)
    if not is_dataclass(cls):
        return function
    asked: Callable[..., Any] = cls  # type: ignore[assignment]

    def run(**given: object) -> None:
        function(asked(**given))

    hints = get_type_hints(cls, include_extras=True)
    parameters = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=_default(one), annotation=hints[one.name])
        for one in fields(cls)
    ]
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _default(one: Field[Any]) -> Any:
    if one.default_factory is not MISSING:
        return one.default_factory()
    return inspect.Parameter.empty if one.default is MISSING else one.default


def instant(text: str) -> datetime:
    """An instant with its offset, as 2026-11-22T08:00Z. Raises Malformed."""
    found = typed_instant(text)
    if found.utcoffset() is None:
        raise Malformed(f"{text!r} does not say which time zone: 2026-11-22T08:00Z is UTC")
    return found
