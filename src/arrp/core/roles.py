"""What each role of an officer may wish, sign and read (R-90): one row each.

What a role may wish and sign is checked for our own officers, and what it may sign for a peer's too, by
the directory: a signature that its role does not carry counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from arrp.core.errors import NotFound, Refused
from arrp.core.policy import Participant

_CASEWORK = frozenset({
    "report", "mandate", "send", "decide", "withdraw", "release", "extend", "secure", "payee", "return", "object",
    "condition", "ask-more", "give-more", "credited", "see", "tell-holder", "drop", "resolve", "close", "hand-over",
    "call-back", "restrict", "correct", "sent-by-hand", "answered-by-hand", "disclose",
})
_TAKES = frozenset({"Mandate", "Loss", "Request", "Decide", "Extend", "Secure", "NamePayee", "Return"})
_GIVES = frozenset({"Withdraw", "Release"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Role:
    """`wishes`: verbs of core/protocol.COMMANDS. `signs`: kinds of acts. `reads`: whether it looks into cases."""

    wishes: frozenset[str]
    signs: frozenset[str]
    reads: bool = True


# Who decides an objection is somebody else, so that is a role of its own.
ROLES: Mapping[str, Role] = {
    "duty officer": Role(_CASEWORK, _TAKES | _GIVES),
    "approver": Role(frozenset({"see", "drop"}), _TAKES | _GIVES),
    "prosecutor": Role(frozenset({"see", "decide", "extend", "secure", "payee", "return"}), _TAKES),
    "analyst": Role(frozenset({"report", "send", "see", "ask-more", "give-more", "resolve", "hand-over"}), _NONE),
    "bank clerk": Role(frozenset({"see", "ask-more", "credited", "tell-holder", "object"}), _NONE),
    "redress officer": Role(
        frozenset({"see", "object", "decide-objection", "correct"}), frozenset({"DecideObjection"})
    ),
    "auditor": Role(_NONE, _NONE),
    "data-protection officer": Role(frozenset({"correct", "ask-erasure", "erase"}), _NONE),
    "operator": Role(_NONE, _NONE, reads=False),
}


def _roles_of(who: Participant, officer: str) -> tuple[str, ...]:
    return who.officer(officer).roles


def may_sign(who: Participant, officer: str, kind: str) -> bool:
    """Whether a signature of that officer over an act of that kind counts (R-90)."""
    try:
        roles = _roles_of(who, officer)
    except NotFound:
        return False
    return any(kind in ROLES[role].signs for role in roles if role in ROLES)


def counted(who: Participant, officers: Iterable[str], kind: str) -> tuple[str, ...]:
    """The different officers among those who signed whose role carries it."""
    return tuple(dict.fromkeys(officer for officer in officers if may_sign(who, officer, kind)))


def check_may_wish(who: Participant, officer: str, verb: str) -> None:
    """R-90 for our own officers. Raises NotFound, Refused."""
    roles = _roles_of(who, officer)
    if not any(verb in ROLES[role].wishes for role in roles if role in ROLES):
        able = ", ".join(name for name, role in ROLES.items() if verb in role.wishes)
        raise Refused(f"{officer} is {', '.join(roles) or 'without a role'}: {verb} is for a {able}", rule="R-90",
                      code="not-your-role")


def check_may_sign(who: Participant, officer: str, kind: str) -> None:
    """R-90 for our own officers. Raises NotFound, Refused."""
    roles = _roles_of(who, officer)
    if not may_sign(who, officer, kind):
        able = ", ".join(name for name, role in ROLES.items() if kind in role.signs)
        raise Refused(f"{officer} is {', '.join(roles) or 'without a role'}: {kind} is signed by a {able}", rule="R-90",
                      code="not-your-role")


def reads_cases(who: Participant, officer: str) -> bool:
    """Whether an officer is there and has a role that looks into cases (R-90)."""
    return who.has_officer(officer) and any(ROLES[role].reads for role in _roles_of(who, officer) if role in ROLES)


def may_read(who: Participant, officer: str, only: frozenset[str]) -> bool:
    """R-92: whether an officer may look into a case that `only` those named know (empty: everybody)."""
    return (not only or officer in only) and reads_cases(who, officer)


def holds_role(who: Participant, officer: str, role: str) -> bool:
    """Whether that officer is there and has the role."""
    return who.has_officer(officer) and role in _roles_of(who, officer)
