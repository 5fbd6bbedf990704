"""The JSON Schema (2020-12) of what the codec reads: the same annotations, told to other people's tools.

A schema says shapes; what it cannot say (a checksum, a sum, who may) the node says in its answer.
"""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from arrp.core.coins import Coins
from arrp.core.money import Amount
from arrp.wire.codec import fields_of
from arrp.wire.json_text import INTEGER_MAX

Schema = dict[str, Any]

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -INTEGER_MAX, "exclusiveMaximum": INTEGER_MAX},
    datetime: {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
               "examples": ["2026-11-22T08:00:00.000000Z"]},
    date: {"type": "string", "format": "date"},
    Amount: {"type": "object", "additionalProperties": False, "required": ["amount", "asset"],
             "properties": {"amount": {"type": "string", "pattern": r"^\d+(\.\d+)?$", "examples": ["62000.00"]},
                            "asset": {"type": "string", "examples": ["EUR"]}}},
    Coins: {"type": "array", "items": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}],
                                       "minItems": 2, "maxItems": 2}},
}  # fmt: skip


def schema_of(hint: Any) -> Schema:
    """The schema of one annotation: a frozen dataclass is an object with every field, and no other."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if hint is Any:
        return {}
    if origin in (Union, UnionType) and args[1] is NoneType:
        return {"anyOf": [schema_of(args[0]), {"type": "null"}]}
    if origin is tuple:
        return _list(args)
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(args[1])}
    if issubclass(hint, StrEnum):
        return {"type": "string", "enum": [str(member) for member in hint]}
    return _object(hint)


def _list(args: tuple[Any, ...]) -> Schema:
    if args[-1] is ...:
        return {"type": "array", "items": schema_of(args[0])}
    return {"type": "array", "prefixItems": [schema_of(arg) for arg in args], "minItems": len(args),
            "maxItems": len(args)}


def _object(cls: type) -> Schema:
    assert dataclasses.is_dataclass(cls), f"{cls!r} has no form on the wire"
    found = {field.name: schema_of(field.hint) for field in fields_of(cls)}
    said = (cls.__doc__ or "").strip().partition("\n\n")[0]
    described = {} if said.startswith(f"{cls.__name__}(") else {"description": " ".join(said.split())}
    return {"type": "object", "title": cls.__name__, **described, "properties": found, "required": sorted(found),
            "additionalProperties": False}
