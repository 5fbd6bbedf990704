"""Is this the account and the credit a request is about? Compares what is stated with what is there.

For every connector that can read a ledger. A payment is known by a reference; failing that, by an
amount and a time that only one credit has. An amount or a time that differs is said, not hidden:
whether a hold may rest on it is for the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import combining, normalize

from arrp.core.answers import ClaimedCredit, Compared, Comparison, MatchedCredit, Question
from arrp.core.ledger import Transfer
from arrp.core.money import Amount

# ISO 20022 writes this where there is no EndToEndId: it would match anybody's payment.
_NO_REFERENCE = frozenset({"", "NOTPROVIDED"})


@dataclass(frozen=True, slots=True)
class Matching:
    """The comparisons of one question, and the credits found for it."""

    comparisons: tuple[Comparison, ...]
    credits: tuple[MatchedCredit, ...]


def compare(question: Question, holder: str, transfers: Sequence[Transfer] | None) -> Matching:
    """Compare a question with the account it found: its holder's name and its ledger (None: unreadable)."""
    comparisons = [Comparison("account", Compared.MATCH), compare_names(question.creditor_name, holder)]
    found: list[MatchedCredit] = []
    for place, claimed in enumerate(question.credits):
        if transfers is None:
            comparisons += [Comparison(what, Compared.UNKNOWN, place) for what in ("amount", "time")]
            continue
        incoming = [transfer for transfer in transfers if transfer.incoming]
        credits, by_reference = _credits(claimed, incoming)
        found += [_matched(credit, question.asset, place, by_reference) for credit in credits]
        comparisons += _differences(claimed, credits or incoming, question.asset, place)
    return Matching(tuple(comparisons), tuple(found))


def _credits(claimed: ClaimedCredit, incoming: Sequence[Transfer]) -> tuple[list[Transfer], bool]:
    refs = set(claimed.refs) - _NO_REFERENCE
    known = [credit for credit in incoming if refs & {credit.ref, credit.uetr, credit.end_to_end}]
    if known:
        return known, True
    if claimed.booked_from is None or claimed.booked_until is None:
        return [], False
    alike = [credit for credit in incoming if credit.amount == claimed.amount and _in_time(claimed, credit)]
    return (alike if len(alike) == 1 else []), False


def _in_time(claimed: ClaimedCredit, credit: Transfer) -> bool:
    after = claimed.booked_from is None or claimed.booked_from <= credit.at
    return after and (claimed.booked_until is None or credit.at < claimed.booked_until)


def _matched(credit: Transfer, asset: str, place: int, by_reference: bool) -> MatchedCredit:
    return MatchedCredit(credit.ref, credit.amount, asset, credit.sequence, credit.at, place, by_reference)


def _differences(
    claimed: ClaimedCredit, credits: Sequence[Transfer], asset: str, place: int
) -> tuple[Comparison, Comparison]:
    """Amount and time of the credits that matched; where none did, of all that came in."""
    same = [credit for credit in credits if credit.amount == claimed.amount]
    timely = [credit for credit in credits if _in_time(claimed, credit)]
    if [credit for credit in same if credit in timely]:
        same = timely = [credit for credit in same if credit in timely]
    nearest = min(timely or credits, key=lambda credit: abs(credit.amount - claimed.amount), default=None)
    amount = _compare(place, "amount", bool(same), str(Amount(nearest.amount, asset)) if nearest else "")
    latest = (same or list(credits))[-1:]
    time = _compare(place, "time", bool(timely), latest[0].at.isoformat() if latest else "")
    if claimed.booked_from is None and claimed.booked_until is None:
        time = Comparison("time", Compared.UNKNOWN, place, time.there)
    return amount, time


def _compare(place: int, what: str, matches: bool, there: str) -> Comparison:
    return Comparison(what, Compared.MATCH if matches else Compared.DIFFERS, place, there)


def compare_names(stated: str, holder: str) -> Comparison:
    """Case, accents and the order of names do not matter; a middle name may be missing on one side."""
    one, other = set(_name_words(stated)), set(_name_words(holder))
    if not one or not other:
        return Comparison("name", Compared.UNKNOWN, None, holder)
    shorter, longer = sorted((one, other), key=len)
    same = one == other or (len(shorter) > 1 and shorter < longer)
    return Comparison("name", Compared.MATCH if same else Compared.DIFFERS, None, holder)


def _name_words(name: str) -> Iterable[str]:
    plain = "".join(letter for letter in normalize("NFKD", name) if not combining(letter))
    return re.findall(r"\w+", plain.casefold())
