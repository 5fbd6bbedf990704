"""The short reference under which an act travels on paper: eight signs and a check sign, `K7Q-F3M-XAR`.

It derives from the act hash. The check sign is that of ISO/IEC 7064:2003, pure system MOD 37-2: it
finds every single wrong sign and every two signs that changed places, wherever they stand. Signs that
a tired eye takes for each other (0 and O, 1 and I) are never used, in the check sign either.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count

from arrp.core.errors import Malformed

SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LENGTH = 8
_VALUES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"  # ISO/IEC 7064: the place is the value
_MODULUS, _RADIX = 37, 2


def reference_of(act_hash: str) -> str:
    """The reference of an act, always the same: `K7Q-F3M-XAR`."""
    for attempt in count():
        digest = sha256(f"arrp paper reference v1\0{act_hash}\0{attempt}".encode()).digest()
        body = "".join(SIGNS[byte % len(SIGNS)] for byte in digest[:LENGTH])
        if (check := _check_sign(body)) in SIGNS:
            break
    return "-".join((body[:3], body[3:6], body[6:] + check))


def read_reference(text: str) -> str:
    """The reference as it is written, from however it was typed. Raises Malformed for a mistyped one."""
    plain = "".join(text.upper().split()).replace("-", "")
    if strange := sorted(set(plain) - set(SIGNS)):
        raise Malformed(f"{text!r} has {' '.join(strange)}: references have digits 2 to 9 and letters without I and O")
    if len(plain) != LENGTH + 1:
        raise Malformed(f"{text!r} has {len(plain)} signs: a reference has {LENGTH + 1}, as K7Q-F3M-XAR")
    if _check_sign(plain[:-1]) != plain[-1]:
        raise Malformed(f"{text!r} is mistyped: its last sign does not fit the others. Compare it with the paper")
    return "-".join((plain[:3], plain[3:6], plain[6:]))


def _check_sign(body: str) -> str:
    """So that Σ value · 2^place ≡ 1 (mod 37), the check sign standing at place 0."""
    total = 0
    for sign in body:
        total = (total + _VALUES.index(sign)) * _RADIX % _MODULUS
    return _VALUES[(1 - total) % _MODULUS]
