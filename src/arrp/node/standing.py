"""Standing mandates: drafted and signed by day, so that one officer may act at night (HOME/mandates/*.json).

A file holds what later travels with the first request to each peer, in the form in which it travels:
`wire.envelope.Attached`, with the exact bytes of the act, its salt and the officers' approvals. A
draft is the same file with fewer approvals; a node takes it only when two of its officers signed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arrp.core.crime import Crime
from arrp.core.errors import ArrpError, Malformed, Refused
from arrp.core.events import ATTACHED
from arrp.core.mandate import Mandate
from arrp.core.messages import Act, Approval, Handling, Uses
from arrp.core.request import Ask
from arrp.node.directory import Directory
from arrp.node.files import read_file
from arrp.node.store import talk
from arrp.wire.approvals import act_hash, b64, check_approval, unb64
from arrp.wire.codec import act_bytes, loads, read_act
from arrp.wire.envelope import Attached

_BODIES = {kind: row.body for kind, row in ATTACHED.items()}
_NEEDED = ATTACHED["Mandate"].own
_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing mandate of `attached.by`, and the hash that its officers sign."""

    act_hash: str
    mandate: Mandate
    attached: Attached

    def signed(self, approval: Approval) -> Standing:
        """With one more signature. Raises Refused when this officer or key signed already."""
        approvals = (*self.attached.approvals, approval)
        _check_four_eyes(approvals)
        return replace(self, attached=replace(self.attached, approvals=approvals))


def draft_standing(by: str, mandate: Mandate, act: str, salt: bytes) -> Standing:
    """The draft that two officers of `by` sign; `act` is a new id. Raises Refused for terms nobody could use."""
    _check_terms(mandate)
    data = act_bytes(Act(act, None, None, "Mandate", Handling.H1, Uses(), mandate, mandate.valid_until))
    return Standing(act_hash(salt, data), mandate, Attached(by, b64(data), b64(salt), (), None))


def read_standing(path: Path) -> Standing:
    """A draft or a signed mandate; who signed it is for `check_standing`. Raises NotFound, Malformed, Refused."""
    data = read_file(path)
    try:
        attached = loads(Attached, data)
        salt, act_data = unb64(attached.salt), unb64(attached.act)
        act = read_act(act_data, _BODIES)
        named = act_hash(salt, act_data)
    except Malformed as why:
        raise Malformed(f"{path}: {why}", code=why.code) from None
    mandate = act.body
    if not isinstance(mandate, Mandate) or mandate.loss is not None or act.request or act.to or attached.head:
        raise Malformed(f"{path} is not a standing mandate: it is for one loss, one request or one addressee")
    _check_terms(mandate)
    return Standing(named, mandate, attached)


def check_standing(standing: Standing, me: str, directory: Directory) -> None:
    """Two officers of `me` signed exactly these bytes. Raises Refused."""
    attached = standing.attached
    if attached.by != me:
        raise Refused(f"this mandate is of {attached.by}, this node is {me}", rule="R-15")
    for approval in attached.approvals:
        key = directory.officer_key_of(me, approval.officer, approval.key)
        if key is None:
            raise Refused(f"{approval.officer} signed it with key {approval.key}, which the directory does not know")
        check_approval(approval, standing.act_hash, key)
    _check_four_eyes(attached.approvals)
    if len(attached.approvals) < _NEEDED:
        raise Refused(
            f"{len(attached.approvals)} of the {_NEEDED} signatures are there: arrp mandate sign FILE --key KEY",
            rule="R-23",
        )


def load_standing(folder: Path, me: str, directory: Directory) -> tuple[Standing, ...]:
    """The standing mandates of a node, in the order of their file names; none where there is no folder.

    Raises Refused or Malformed naming the file: a mandate that does not hold must not look as if it did."""
    found = []
    for path in sorted(folder.glob("*.json")):
        standing = read_standing(path)
        try:
            check_standing(standing, me, directory)
        except ArrpError as why:
            raise Refused(f"{path}: {why}. Mend it, or move it out of {folder}.", code=why.code) from None
        found.append(standing)
    return tuple(found)


def kept_act(standing: Standing) -> talk.KeptAct:
    """A standing mandate belongs to no case: its bytes are kept for every request that rests on it."""
    attached, data = standing.attached, unb64(standing.attached.act)
    act = read_act(data, _BODIES)
    return talk.KeptAct(standing.act_hash, act.act, attached.by, act.kind, None, data, unb64(attached.salt),
                        attached.approvals)


def _check_four_eyes(approvals: Sequence[Approval]) -> None:
    officers, keys = ({getattr(one, name) for one in approvals} for name in ("officer", "key"))
    if min(len(officers), len(keys)) < len(approvals):
        raise Refused(
            f"{approvals[-1].officer} signed it already, or with the key of somebody who did: another officer must",
            rule="R-23",
            code="four-eyes",
        )


def _check_terms(mandate: Mandate) -> None:
    """Terms that would allow nothing, or mean something else than they seem to."""
    known_asks, known_crimes = {str(ask) for ask in Ask}, {str(crime) for crime in Crime}
    wrong = [
        (mandate.valid_from < mandate.valid_until, "it ends before it begins"),
        (mandate.total.asset == mandate.per_request.asset, "total and the cap per request are in two assets"),
        (0 < mandate.per_request.minor <= mandate.total.minor, "the cap per request is nothing, or above the total"),
        (mandate.hops_max >= 0, "it follows less than no hop"),
        (mandate.night_approvals in (1, 2), "at night one or two officers sign"),
        (bool(mandate.asks) and known_asks.issuperset(mandate.asks), f"it asks for one of {', '.join(Ask)}"),
        (known_crimes.issuperset(mandate.crimes), f"crimes are {', '.join(Crime)}"),
        (all(map(_COUNTRY.fullmatch, mandate.countries)), "countries are two capitals, such as PT"),
    ]
    for holds, why in wrong:
        if not holds:
            raise Refused(f"this standing mandate cannot be: {why}", rule="R-15")
