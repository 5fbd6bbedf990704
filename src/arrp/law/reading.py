"""law/XX.toml into values of core/law.py. Every figure is there, or says `unknown`; every figure has its source.

What a power must say is the table FIGURES: a new kind of figure is one row there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from importlib.resources import files
from typing import Any

from arrp.core.deadline import FIRST_DAY, SATURDAYS
from arrp.core.errors import Malformed, NotFound
from arrp.core.law import NONE, READERS, TOLD, UNKNOWN, Cited, Disclosure, Jurisdiction, LegalPower, Source
from arrp.core.money import typed_amount
from arrp.core.period import Period

Figure = Period | str | tuple[str, ...]
KINDS = ("primary", "official", "secondary", "memory")
CONFIDENCE = ("high", "medium", "low")
TEXT_MAX = 2000


def codes() -> tuple[str, ...]:
    """Every jurisdiction there is a file for."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in files("arrp.law").iterdir()
                        if file.name.endswith(".toml")))


def jurisdiction(code: str) -> Jurisdiction:
    """The law of one place. Raises NotFound, Malformed."""
    if code not in codes():
        raise NotFound(f"there is no law file for {code[:40]!r}; there are {', '.join(codes())}")
    return read(code, files("arrp.law").joinpath(f"{code}.toml").read_text("utf-8"))


def read(code: str, text: str) -> Jurisdiction:
    """A law file. Raises Malformed with the file, the power and the key."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Malformed(f"law/{code}.toml: {error}") from None
    head = _taken(f"law/{code}.toml", tree, _HEAD)
    if head["code"] != code:
        raise Malformed(f"law/{code}.toml says that it is about {head['code']!r}: file and code must agree")
    sources = {one.id: one for one in (_source(code, number, item) for number, item in _numbered(head["source"]))}
    powers = tuple(_power(code, number, item, sources) for number, item in _numbered(head["power"]))
    told = tuple(_disclosure(code, number, item, sources) for number, item in _numbered(head["disclosure"]))
    _check_ids(code, head["source"], powers)
    return Jurisdiction(code, head["name"], head["zone"], head["calendar"], head["checked_on"], head["notes"], sources,
                        powers, told)


# --- what a value may be -----------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_MAX:
        raise Malformed(f"must be a text of at most {TEXT_MAX} characters, or {UNKNOWN!r}")
    return value


def _period(value: Any) -> Figure:
    return value if value in (UNKNOWN, NONE) else Period.parse(_text(value))


def _amount(value: Any) -> Figure:
    """`500.00 THB`, none, unknown."""
    if value in (UNKNOWN, NONE):
        return str(value)
    typed_amount(_text(value))
    return str(value)


def _one(*words: str) -> Callable[[Any], Figure]:
    def parse(value: Any) -> Figure:
        if value != UNKNOWN and value not in words:
            raise Malformed(f"is {str(value)[:40]!r}: one of {', '.join(words)}, {UNKNOWN}")
        return str(value)

    return parse


def _some(*words: str) -> Callable[[Any], tuple[str, ...]]:
    """A list of these words; of any texts where no words are given."""
    def parse(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise Malformed(f"must be a list with at least one text, such as [{(words or (UNKNOWN,))[0]!r}]")
        for item in value:
            _text(item)
            if words and item != UNKNOWN and item not in words:
                raise Malformed(f"holds {item[:40]!r}: only {', '.join(words)}, {UNKNOWN}")
        return tuple(value)

    return parse


# What every power says. A figure that nobody found says "unknown".
FIGURES: Mapping[str, Callable[[Any], Figure]] = {
    "holder": _some("court", "prosecutor", "police", "fiu", "central bank", "authority", "institution", "issuer"),
    "trigger": _text,
    "reaches": _some("payment in flight", "amount", "account", "wallet"),
    "reach": _one("amount", "value", "account"),
    "foreign": _one("yes", "no"),
    "foreign_through": _some("fiu", "police", "prosecutor", "court", "central authority", "institution", "directly"),
    "provisional_max": _period,
    "longest": _period,
    "counts_from": _one("act", "receipt", "notice", "first hold"),
    "extension": _period,
    "extended_by": _text,
    "longest_chain": _period,
    "next": _text,
    "follow_up": _some("order", "mla", "eio", "fiu decision", "none"),
    "at_lapse": _one("free", "stays"),
    "silence": _one("free", "stays"),
    "notice": _one("required", "forbidden", "free"),
    "notice_within": _period,
    "objection_to": _text,
    "objection_within": _period,
    "lowest_amount": _amount,
    "protected": _amount,
    "return_route": _some("consent", "small amount", "public notice", "court", "administrative"),
    "return_period": _period,
    "documents": _some(),
    "liability": _text,
    "indemnity": _one("required", "not required"),
    "claim_method": _one("fifo", "lifo", "pro rata", "libr", "value"),
    "distribution": _one("pro rata", "fifo", "court decides"),
}


def _table(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{where} is {str(value)[:40]!r}, not a table")
    return value


def _day(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Malformed("must be a day, without quotes: 2026-11-22")
    return value


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Malformed("must be tables: [[power]]")
    return value


Parsers = Mapping[str, Callable[[Any], Any]]
_HEAD: Parsers = {"code": _text, "name": _text, "zone": _text, "calendar": _text, "checked_on": _day, "notes": _text,
                  "source": _tables, "power": _tables, "disclosure": _tables}
_SOURCE: Parsers = {"id": _text, "title": _text, "url": _text, "kind": _one(*KINDS)}
_CITED: Parsers = {"source": _text, "confidence": _one(*CONFIDENCE)}
_POWER: Parsers = {"id": _text, "title": _text, "article": _text, **FIGURES, **_CITED}
_COUNTING: Parsers = {"counting": _some(FIRST_DAY, SATURDAYS)}  # said only where days are counted otherwise
_DISCLOSURE: Parsers = {"to": _one(*READERS), "what": _some(*TOLD), "way": _text, **_CITED}


# --- tables ------------------------------------------------------------------------------------------------


def _numbered(items: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(items, 1)


def _taken(where: str, tree: dict[str, Any], parsers: Parsers, *free: str) -> dict[str, Any]:
    """Each value parsed; nothing missing, nothing else but `free`. Raises Malformed."""
    if unknown := tree.keys() - parsers.keys() - set(free):
        raise Malformed(f"{where}: {sorted(unknown)[0]!r} is no key of it; there are {', '.join(parsers)}")
    if missing := [name for name in parsers if name not in tree]:
        raise Malformed(f"{where}: {missing[0]!r} is missing; where nobody knows, say {UNKNOWN!r}")
    taken = {}
    for name, parse in parsers.items():
        try:
            taken[name] = parse(tree[name])
        except Malformed as error:
            raise Malformed(f"{where}: {name} {error}") from None
    return taken


def _source(code: str, number: int, tree: dict[str, Any]) -> Source:
    where = f"law/{code}.toml: source {number}"
    found = _taken(where, tree, _SOURCE, "checked_on")
    day = tree.get("checked_on")
    if (found["kind"] == "memory") != (day is None):
        raise Malformed(f"{where}: a source that somebody read says when (checked_on); what is remembered does not")
    return Source(found["id"], found["title"], found["url"], found["kind"], None if day is None else _day(day))


def _power(code: str, number: int, tree: dict[str, Any], sources: Mapping[str, Source]) -> LegalPower:
    where = f"law/{code}.toml: power {tree.get('id', number)}"
    found = _taken(where, tree, _POWER if "counting" not in tree else {**_POWER, **_COUNTING}, "cited")
    exceptions = {}
    for figure, cited in _table(f"{where}: cited", tree.get("cited", {})).items():
        if figure not in FIGURES:
            raise Malformed(f"{where}: cited names {figure!r}, which is no figure of it")
        exceptions[figure] = _cited(f"{where}: cited.{figure}", _table(f"{where}: cited.{figure}", cited), sources)
    figures = {name: found[name] for name in FIGURES}
    own = {name: tree[name] for name in _CITED}
    return LegalPower(found["id"], found["title"], found["article"], figures, _cited(where, own, sources), exceptions,
                      found.get("counting", ()))


def _disclosure(code: str, number: int, tree: dict[str, Any], sources: Mapping[str, Source]) -> Disclosure:
    where = f"law/{code}.toml: disclosure {number}"
    found = _taken(where, tree, _DISCLOSURE)
    cited = _cited(where, {name: tree[name] for name in _CITED}, sources)
    return Disclosure(found["to"], found["what"], found["way"], cited)


def _cited(where: str, tree: dict[str, Any], sources: Mapping[str, Source]) -> Cited:
    """What is only remembered is never better than low; high is what a primary or official text says."""
    found = _taken(where, tree, _CITED)
    source = sources.get(found["source"])
    if source is None:
        raise Malformed(f"{where}: there is no source {found['source']!r}; there are {', '.join(sources)}")
    best = {"memory": "low", "secondary": "medium"}.get(source.kind, "high")
    if CONFIDENCE.index(found["confidence"]) < CONFIDENCE.index(best):
        raise Malformed(f"{where}: confidence {found['confidence']} on a {source.kind} source: at most {best}")
    return Cited(found["source"], found["confidence"])


def _check_ids(code: str, sources: list[dict[str, Any]], powers: tuple[LegalPower, ...]) -> None:
    for what, ids in (("source", [item["id"] for item in sources]), ("power", [power.id for power in powers])):
        if twice := {id for id in ids if ids.count(id) > 1}:
            raise Malformed(f"law/{code}.toml: {what} {sorted(twice)[0]!r} stands there twice")
