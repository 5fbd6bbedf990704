"""Strict JSON <-> frozen dataclasses, driven by their annotations and compiled once per class.

Exactly one JSON text belongs to a value: compact, keys in field order, one spelling for an instant
or an amount. Every field is always written and always required; an unknown one is refused (R-20).

A field marked `metadata=PRIVATE` lives in the erasable half of an event (R-60). `halves` splits a
value into two JSON texts: the lasting half is the value without its private fields; the private half
is a sparse copy of the same tree with nothing but the private fields. A list in it keeps its length,
with null for an element that has nothing private. Laid over each other, the two are the value again.
After erasure each private field has its dataclass default, so every private field needs one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from functools import cache
from itertools import count, repeat
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from arrp.core.coins import Coins
from arrp.core.errors import ArrpError, Corrupt, Malformed
from arrp.core.messages import Act
from arrp.core.money import Amount
from arrp.wire import Problem
from arrp.wire.json_text import BYTES_MAX, INTEGER_MAX, json_text, parse_json

__all__ = ["Bodies", "act_bytes", "dumps", "fields_of", "halves", "joined", "loads", "parse_json", "read", "read_act"]

T = TypeVar("T")
Bodies = Mapping[str, type]  # kind -> the dataclass of its body

_NO_BODIES: Bodies = MappingProxyType({})
_WORDS = {str: "a text", int: "a whole number", bool: "true or false", NoneType: "null", dict: "an object"}


class _Part(Enum):
    """Which fields of a value are written or read."""

    WHOLE = 1
    LASTING = 2
    PRIVATE = 3


class _Misfit(Exception):
    """Why a value does not fit. Every level adds its own name on the way up."""

    def __init__(self, why: str, code: Problem = Problem.MALFORMED) -> None:
        super().__init__(why)
        self.why, self.code = why, code
        self.trail: list[str] = []

    def inside(self, name: str) -> _Misfit:
        self.trail.append(name[:64])
        return self

    def __str__(self) -> str:
        return f"{'.'.join(reversed(self.trail))}: {self.why}" if self.trail else self.why


def dumps(value: object, bytes_max: int = BYTES_MAX) -> bytes:
    """The one JSON text of a frozen dataclass. Raises Malformed for what no peer would read."""
    return json_text(_tree_of(value, _Part.WHOLE), bytes_max)


def loads(cls: type[T], data: bytes, bodies: Bodies = _NO_BODIES) -> T:
    """The strict inverse of `dumps`. Raises Malformed naming the path, such as `body.amount`."""
    return read(cls, parse_json(data), bodies)


def read(cls: type[T], tree: object, bodies: Bodies = _NO_BODIES) -> T:
    """`loads` for a tree that `parse_json` has made."""
    value: T = _value_of(cls, tree, _Part.WHOLE, bodies)
    return value


def halves(value: object) -> tuple[bytes, bytes]:
    """(lasting half, private half) of a frozen dataclass. The second is `{}` if nothing is private."""
    return json_text(_tree_of(value, _Part.LASTING)), json_text(_tree_of(value, _Part.PRIVATE) or {})


def joined(cls: type[T], lasting: bytes, private: bytes | None, bodies: Bodies = _NO_BODIES) -> T:
    """The value of two halves; `private` is None once erased. Raises Corrupt: both are our own writing."""
    part = _Part.LASTING if private is None else _Part.WHOLE
    try:
        tree = parse_json(lasting) if private is None else _overlaid(parse_json(lasting), parse_json(private))
        value: T = _value_of(cls, tree, part, bodies)
    except Malformed as error:
        raise Corrupt(f"the stored halves do not fit each other: {error}. Restore this row from a backup.") from error
    return value


def act_bytes(act: Act) -> bytes:
    """The exact bytes that officers approve."""
    return dumps(act)


def read_act(data: bytes, bodies: Bodies) -> Act:
    """An act whose body is the dataclass that `bodies` names for its kind. Raises Malformed."""
    act = loads(Act, data, bodies)
    if act.body is None:
        raise Malformed("Act: body: is null, not an object", code=Problem.MALFORMED)
    return act


def _tree_of(value: Any, part: _Part) -> Any:
    cls: Any = type(value)
    try:
        return _form(cls, part).write(value)
    except _Misfit as misfit:
        raise Malformed(f"{cls.__name__}: {misfit}", code=misfit.code) from None


def _value_of(cls: Any, tree: object, part: _Part, bodies: Bodies) -> Any:
    try:
        return _form(cls, part).read(tree, bodies)
    except (_Misfit, ArrpError) as error:
        misfit = _misfit(error)
        raise Malformed(f"{cls.__name__}: {misfit}", code=misfit.code) from None


def _overlaid(lasting: object, private: object) -> object:
    if private is None:
        return lasting
    if isinstance(lasting, dict) and isinstance(private, dict):
        both = {name: _overlaid(lasting[name], private[name]) for name in lasting.keys() & private.keys()}
        return lasting | private | both
    if isinstance(lasting, list) and isinstance(private, list) and len(lasting) == len(private):
        return [_overlaid(*pair) for pair in zip(lasting, private, strict=True)]
    raise Malformed("the private half has another shape than the lasting half", code=Problem.MALFORMED)


# --- annotations -> compiled forms ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Form:
    """How values of one annotation are written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any, Bodies], Any]


@dataclass(frozen=True, slots=True)
class _Field:
    """One field as the wire sees it."""

    attribute: str
    name: str
    hint: Any
    private: bool

    def belongs(self, part: _Part) -> bool:
        if part is _Part.PRIVATE:
            return self.private or _has_private(self.hint)
        return part is _Part.WHOLE or not self.private


@cache
def fields_of(cls: Any) -> tuple[_Field, ...]:
    """The fields of a class. Raises TypeError for a class that cannot be written: a bug of ours."""
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise TypeError(f"{cls!r} has no form on the wire: see _form in wire/codec.py")
    if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise TypeError(f"{cls.__name__} is not frozen: only values travel")
    hints = get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        private = bool(field.metadata.get("private"))
        if private and field.default is field.default_factory is dataclasses.MISSING:
            raise TypeError(f"{cls.__name__}.{field.name} is private and has no default to take after erasure")
        found.append(_Field(field.name, field.metadata.get("name", field.name), hints[field.name], private))
    if Any in hints.values() and hints.get("kind") is not str:
        raise TypeError(f"{cls.__name__} has a body of any kind, but no text field `kind` that says which")
    return tuple(found)


@cache
def _has_private(hint: Any) -> bool:
    if hint is Any:
        return True  # depends on the body: asked again when there is one
    if hint not in _SCALARS and isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return any(field.private or _has_private(field.hint) for field in fields_of(hint))
    return any(_has_private(arg) for arg in get_args(hint) if arg is not ...)


@cache
def _form(hint: Any, part: _Part) -> _Form:
    """The form of one annotation: everything that may stand on the wire is in this table."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if hint is Any:
        return _open(part)
    if origin in (Union, UnionType) and len(args) == 2 and args[1] is NoneType:
        return _optional(_form(args[0], part))
    if origin is tuple:
        return _list(args, part)
    if origin is dict and args[0] is str:
        return _map(_form(args[1], part), part)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum(hint)
    return _Form(_object_writer(hint, part), _object_reader(hint, part))


def _open(part: _Part) -> _Form:
    """A body of any kind. It is read by the object that says its kind, so this half is never asked."""

    def write(value: Any) -> Any:
        cls: Any = type(value)
        return None if value is None else _form(cls, part).write(value)

    return _Form(write, lambda _tree, _bodies: None)


def _optional(form: _Form) -> _Form:
    return _Form(
        lambda value: None if value is None else form.write(value),
        lambda tree, bodies: None if tree is None else form.read(tree, bodies),
    )


def _object_writer(cls: type, part: _Part) -> Callable[[Any], Any]:
    fields = [field for field in fields_of(cls) if field.belongs(part)]
    steps = [(f.attribute, f.name, _form(f.hint, _Part.WHOLE if f.private else part).write) for f in fields]
    always = {field.name for field in fields if field.private}

    def write(value: Any) -> Any:
        if type(value) is not cls:
            raise _not(value, f"a {cls.__name__}")
        tree = {}
        try:
            for attribute, name, encode in steps:
                tree[name] = encode(getattr(value, attribute))
        except _Misfit as misfit:
            raise misfit.inside(name) from None
        return tree

    def write_sparse(value: Any) -> Any:
        tree = write(value).items()
        return {name: node for name, node in tree if node is not None or name in always} or None

    return write_sparse if part is _Part.PRIVATE else write


def _object_reader(cls: type, part: _Part) -> Callable[[Any, Bodies], Any]:
    fields = [field for field in fields_of(cls) if field.belongs(part)]
    steps = [(f.attribute, f.name, _form(f.hint, part).read) for f in fields if f.hint is not Any]
    bodies_at = [(field.attribute, field.name) for field in fields if field.hint is Any]
    names = {field.name for field in fields}

    def read_object(tree: Any, bodies: Bodies) -> Any:
        if type(tree) is not dict or tree.keys() != names:
            raise _misshapen(tree, names)
        values = {}
        try:
            for attribute, name, decode in steps:
                values[attribute] = decode(tree[name], bodies)
        except (_Misfit, ArrpError) as error:
            raise _misfit(error).inside(name) from None
        for attribute, name in bodies_at:
            body = _form(_body_class(values["kind"], bodies), part)
            values[attribute] = None if tree[name] is None else _at(name, body.read, tree[name], bodies)
        return cls(**values)

    return read_object


def _body_class(kind: str, bodies: Bodies) -> type:
    if kind not in bodies:
        raise _Misfit("is not a kind that this node knows", Problem.UNKNOWN_KIND).inside("kind")
    return bodies[kind]


def _misshapen(tree: Any, names: set[str]) -> _Misfit:
    if type(tree) is not dict:
        return _not(tree, "an object")
    if unknown := sorted(tree.keys() - names):
        return _Misfit("is not a field of this object").inside(unknown[0])
    return _Misfit("is missing: every field is always written").inside(min(names - tree.keys()))


def _list(args: tuple[Any, ...], part: _Part) -> _Form:
    """`tuple[X, ...]` is a list of any length, `tuple[X, Y]` one with exactly these places."""
    repeats = args[-1] is ...
    forms = [_form(arg, part) for arg in args if arg is not ...]

    def places(value: Any, cls: Any) -> Iterable[tuple[int, _Form, Any]]:
        if type(value) is not cls or not (repeats or len(value) == len(forms)):
            raise _not(value, "a list of the right length")
        return zip(count(), repeat(forms[0]) if repeats else forms, value, strict=False)

    def write(value: Any) -> Any:
        tree = [_at(place, form.write, item) for place, form, item in places(value, tuple)]
        return None if part is _Part.PRIVATE and not any(tree) else tree

    def read_items(tree: Any, bodies: Bodies) -> Any:
        return tuple([_at(place, form.read, item, bodies) for place, form, item in places(tree, list)])

    return _Form(write, read_items)


def _map(form: _Form, part: _Part) -> _Form:
    def items(value: Any) -> Iterable[tuple[str, Any]]:
        if type(value) is not dict or not all(type(key) is str for key in value):
            raise _not(value, "an object whose keys are texts")
        return value.items()

    def write(value: Any) -> Any:
        tree = {key: _at(key, form.write, item) for key, item in items(value)}
        return None if part is _Part.PRIVATE and not any(tree.values()) else tree

    def read_items(tree: Any, bodies: Bodies) -> Any:
        return {key: _at(key, form.read, item, bodies) for key, item in items(tree)}

    return _Form(write, read_items)


def _at(place: int | str, convert: Callable[..., Any], *given: Any) -> Any:
    """One element, named by its place if it does not fit."""
    try:
        return convert(*given)
    except (_Misfit, ArrpError) as error:
        raise _misfit(error).inside(str(place)) from None


def _misfit(error: _Misfit | ArrpError) -> _Misfit:
    """Also a value that breaks a rule of its own class does not fit."""
    return error if isinstance(error, _Misfit) else _Misfit(str(error)[:200])


def _enum(cls: type[StrEnum]) -> _Form:
    members = {member.value: member for member in cls}

    def write(value: Any) -> str:
        if type(value) is not cls:
            raise _not(value, f"a {cls.__name__}")
        return str(value)

    def read_member(tree: Any, _bodies: Bodies) -> StrEnum:
        if type(tree) is not str or tree not in members:
            raise _not(tree, f"one of {', '.join(members)}"[:160])
        return members[tree]

    return _Form(write, read_member)


# --- values with a form of their own -------------------------------------------------------------


def _not(value: object, wanted: str) -> _Misfit:
    return _Misfit(f"is {_WORDS.get(type(value), 'a ' + type(value).__name__)}, not {wanted}")


def _plain(cls: type) -> _Form:
    """Text, whole number, true or false: the same on both sides."""

    def check(value: Any, _bodies: Bodies = _NO_BODIES) -> Any:
        if type(value) is not cls:
            raise _not(value, _WORDS[cls])
        return value

    return _Form(check, check)


def _write_text(value: Any) -> str:
    """A member of an enumeration is its text: it is read back as the text it equals."""
    if not isinstance(value, str):
        raise _not(value, "a text")
    return str(value)


def _write_integer(value: Any) -> int:
    if type(value) is not int or not -INTEGER_MAX <= value < INTEGER_MAX:
        raise _not(value, "a whole number of 64 bits")
    return value


def _write_instant(value: Any) -> str:
    if type(value) is not datetime or value.utcoffset() is None:
        raise _not(value, "an instant with its time zone")
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _write_day(value: Any) -> str:
    if type(value) is not date:
        raise _not(value, "a day")
    return value.isoformat()


def _exactly(parse: Callable[[str], Any], write: Callable[[Any], str], wanted: str) -> _Form:
    """Parsers are generous: what would be written differently is refused."""

    def read_text(tree: Any, _bodies: Bodies) -> Any:
        if type(tree) is not str:
            raise _not(tree, wanted)
        try:
            value = parse(tree)
            if write(value) == tree:
                return value
        except (ValueError, OverflowError, _Misfit):  # OverflowError: year 1 in a time zone
            pass
        raise _Misfit(f"is not {wanted}")

    return _Form(write, read_text)


def _write_amount(value: Any) -> dict[str, str]:
    if type(value) is not Amount:
        raise _not(value, "an amount")
    return {"amount": value.decimal, "asset": value.asset}


def _read_amount(tree: Any, _bodies: Bodies) -> Amount:
    if type(tree) is not dict or tree.keys() != {"amount", "asset"}:
        raise _misshapen(tree, {"amount", "asset"})
    number, asset = tree["amount"], tree["asset"]
    if type(number) is not str or type(asset) is not str:
        raise _Misfit("amount and asset are texts, such as 62000.00 and EUR")
    amount = Amount.parse(number, asset)
    if amount.decimal != number:
        raise _Misfit(f"is written with all decimals of its asset, as {amount.decimal}")
    return amount


def _write_coins(value: Any) -> list[list[int]]:
    if type(value) is not Coins:
        raise _not(value, "coins")
    return [[_write_integer(low), _write_integer(high)] for low, high in value.spans]


def _read_coins(tree: Any, bodies: Bodies) -> Coins:
    return Coins(_form(tuple[tuple[int, int], ...], _Part.WHOLE).read(tree, bodies))


_SCALARS: dict[Any, _Form] = {
    str: _Form(_write_text, _plain(str).read),
    bool: _plain(bool),
    int: _Form(_write_integer, _plain(int).read),
    datetime: _exactly(datetime.fromisoformat, _write_instant, "an instant as 2026-11-22T08:00:00.000000Z"),
    date: _exactly(date.fromisoformat, _write_day, "a day as 2026-11-22"),
    Amount: _Form(_write_amount, _read_amount),
    Coins: _Form(_write_coins, _read_coins),
}
