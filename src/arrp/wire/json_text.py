"""JSON that cannot be read in two ways: text in UTF-8 <-> tree of dict, list, str, int, bool, None.

Python's own parser takes the last of two equal keys, takes NaN, floats and half a surrogate pair,
and fails with a RecursionError on deep nesting or a ValueError on a long number. Two parsers that
differ in any of these read one signed text as two acts, so all of it is refused here (R-20).
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from arrp.core.errors import Malformed
from arrp.wire import Problem

BYTES_MAX = 1 << 20
DEPTH_MAX = 32
INTEGER_MAX = 2**63  # exclusive: what a signed 64-bit integer holds

# The closing quote is optional and nothing is ever given back, so hostile text costs one pass.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"[\[{][\]}]")


def parse_json(data: bytes, bytes_max: int = BYTES_MAX) -> object:
    """The tree of one JSON text. Raises Malformed, and nothing else, for everything ambiguous."""
    if len(data) > bytes_max:
        _refuse(f"{len(data)} bytes are more than the {bytes_max} allowed: send less at once")
    if _is_deep(data):
        _refuse(f"brackets are unbalanced, or nested more than {DEPTH_MAX} deep")
    try:
        text = data.decode()
        tree: object = _PARSER.decode(text)
    except ValueError as error:
        raise Malformed(f"this is not JSON in UTF-8: {error}", code=Problem.MALFORMED) from None
    if "\\u" in text:
        _check_texts(tree)
    return tree


def json_text(tree: object, bytes_max: int = BYTES_MAX) -> bytes:
    """The compact text of a tree. Raises Malformed for what `parse_json` would refuse to read."""
    text = _WRITER.encode(tree)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        _refuse("a text holds a lone surrogate")
    if len(data) > bytes_max or "\\u0000" in text:
        parse_json(data, bytes_max)
    return data


def _is_deep(data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        return False
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    for _ in range(DEPTH_MAX):
        brackets = _INNERMOST.sub(b"", brackets)
    return bool(brackets)


def _check_texts(tree: object) -> None:
    """Escapes can spell what no text may hold: half a pair, or NUL (PostgreSQL cannot store it)."""
    if isinstance(tree, str):
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in tree):
            _refuse("a text holds a lone surrogate or the character U+0000")
    elif isinstance(tree, dict):
        for key, item in tree.items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(tree, list):
        for item in tree:
            _check_texts(item)


def _refuse(why: str) -> NoReturn:
    raise Malformed(why, code=Problem.MALFORMED)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        _refuse("an object names one key twice")
    return tree


def _integer(digits: str) -> int:
    if len(digits) > 20 or digits == "-0" or not -INTEGER_MAX <= int(digits) < INTEGER_MAX:
        _refuse("a number is written as -0 or does not fit 64 bits")
    return int(digits)


def _no_float(_digits: str) -> NoReturn:
    _refuse("a number has a point, an exponent, or is no number: amounts are decimal texts")


_PARSER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
)
_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
