"""Values of every class that travels, with whatever its fields may hold: what a liar with a true key can say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
from random import Random
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from arrp.core.coins import Coins
from arrp.core.errors import ArrpError
from arrp.core.money import Amount
from arrp.core.request import TERMS, Terms

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
INSTANTS = (FIRST, LAST, datetime(1970, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC),
            *(datetime(2026, 3, day, 9, tzinfo=UTC) for day in (2, 3, 30)))
NO_INDEX_TAKES_IT = "".join(f"{number * 2654435761 % 2**32:08x}" for number in range(800))
WORDS = ("consent", "told", "in_flight", "DEBTOR", "COURT", "upheld", "partly", "rejected", "hold", "payment", "leg",
         "GOOD_FAITH", "INDM", "AM04", "EUR", "free", "cash", "confirmed", "placing", "returned", "pt-1")
TEXTS = ("", "0", "-1", "L1", "..", "' OR 1=1", "\u202e", "\x7f\x1b[2J", "é" * 300, NO_INDEX_TAKES_IT, *WORDS)
INTEGERS = (0, 1, -1, 2, 100, 3_800_000, 2**31, 2**53, 2**63 - 1, -(2**63))
MINORS = (0, 1, 3_800_000, 6_200_000, 10_000_000, 2**63 - 1, 2**63, 10**37)
ASSETS = ("EUR", "EUR", "EUR", "EUR", "USD", "JPY", "eip155:1/slip44:60")


def _coins(dice: Random) -> Coins:
    ends = sorted(dice.sample(range(2**40), 4))
    return Coins.of([(ends[0], ends[1]), (ends[2], ends[3])])


def _terms(dice: Random) -> Terms:
    """They add up, or they would not be terms: anywhere, of anything."""
    asked = Amount(dice.choice((10_000_000, 3_800_000, 0, 2**63 - 1)), dice.choice(ASSETS))
    part = dice.randrange(asked.minor + 1)
    one, other = dice.sample(TERMS, 2)
    return Terms(asked, **{one: part, other: asked.minor - part})


_SCALARS: dict[Any, Callable[[Random], Any]] = {
    str: lambda dice: dice.choice(TEXTS),
    int: lambda dice: dice.choice(INTEGERS),
    Any: lambda dice: None,
    bool: lambda dice: dice.random() < 0.5,
    datetime: lambda dice: dice.choice(INSTANTS),
    date: lambda dice: dice.choice((date.min, date.max, date(2026, 3, 2))),
    Amount: lambda dice: Amount(dice.choice(MINORS), dice.choice(ASSETS)),
    Coins: _coins,
    Terms: _terms,
}


def anything(hint: Any, dice: Random) -> Any:
    """Any value of that annotation; of a class that checks itself, one that it lets through."""
    if hint in _SCALARS:
        return _SCALARS[hint](dice)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return None if dice.random() < 0.4 else anything(next(arg for arg in args if arg is not NoneType), dice)
    if origin is tuple:
        wanted = [args[0]] * dice.randrange(4) if args[-1] is ... else args
        return tuple(anything(arg, dice) for arg in wanted)
    if origin is dict:
        return {dice.choice(TEXTS): anything(args[1], dice) for _ in range(dice.randrange(3))}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return dice.choice(list(hint))
    for _ in range(1000):
        try:
            return hint(**{name: anything(of, dice) for name, of in _fields(hint).items()})
        except ArrpError:
            continue
    raise AssertionError(f"{hint} lets nothing through")


def _fields(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def spoiled(value: Any, dice: Random) -> Any:
    """A true value with one or two of its fields, at any depth, put in their place."""
    for _ in range(dice.choice((1, 1, 2))):
        value = _spoiled_once(value, dice)
    return value


def _spoiled_once(value: Any, dice: Random) -> Any:
    fields = _fields(type(value))
    if not fields:
        return value
    name = dice.choice(list(fields))
    inner = getattr(value, name)
    is_deeper = dataclasses.is_dataclass(inner) and not isinstance(inner, Amount | Coins) and dice.random() < 0.7
    try:
        new = _spoiled_once(inner, dice) if is_deeper else anything(fields[name], dice)
        return dataclasses.replace(value, **{name: new})
    except ArrpError:
        return value
