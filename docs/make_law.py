"""Prints docs/law.md from the law files: what each key means, and what each jurisdiction says, a line for each power.

    python docs/make_law.py > docs/law.md
"""

from __future__ import annotations

from arrp.core.law import Jurisdiction, LegalPower
from arrp.law.reading import FIGURES, codes, jurisdiction

_HEAD = """# The law as data

Printed by `docs/make_law.py` from `src/arrp/law/*.toml`; a test compares. Change the files, never this page.

Who may hold money, on what trigger, how long, what must follow. **Not legal advice.** The files are CC0-1.0. A figure
is as sure as it says: *high* was read in the law or an authority's text, *medium* in what others write about it, *low*
was remembered or put together. `unknown` is an honest answer: what is unknown allows no automatic act, and an officer
types basis and end. A node acts alone only on a power that its own legal officer adopted.

`arrp law show CC` prints one file with its sources, `arrp law until CC --power ID --at INSTANT` computes an end and
says why, `arrp law check` reads all of them and names what nobody has looked at for a year.

## To add or mend a country

One file: `src/arrp/law/CC.toml` (ISO 3166-1; ISO 3166-2 where law is local). Copy a neighbour's. Every key below must
be there; where you do not know, write `unknown`. Give each figure its source: a `[[source]]` you read says when
(`checked_on`) and what it is (`primary` the law itself, `official` an authority about it, `secondary` others); what
you only remember is `memory` and `low`. Figures that stand elsewhere than the power's own source go into
`[power.cited]`. `counting` is said only where days are counted otherwise than elsewhere: `first day counts`,
`saturdays count`.

A `[[disclosure]]` says what of where money went may be told: `to` authority, fiu, institution, account holder or
victim; `what`, of country, institution, account, time and amount, holder; by which `way`. A node tells an authority
abroad by itself only what stands there and is not `low` (R-53); the rest an officer tells, on a basis that they name.

Working days are those of `calendar`. Where it has other free days than the law, they are mended in
`src/arrp/law/calendars.py`, and `tests/law/test_working_days.py` says who else was asked. Then `arrp law check`, and
`python docs/make_law.py > docs/law.md`."""

# What a reader needs to know to fill in a figure. Each key of FIGURES stands here.
MEANING = {
    "holder": "who has the power: court, prosecutor, police, fiu, central bank, authority, institution, issuer",
    "trigger": "what must have happened, in a sentence",
    "reaches": "what can be held: payment in flight, amount, account, wallet",
    "reach": "how far: amount (what is traced), value (equal value of other money), account (all of it)",
    "foreign": "whether it may serve a request from abroad",
    "foreign_through": "by whom such a request must come",
    "provisional_max": "how long money may be held before anybody with the power decided; none: not at all",
    "longest": "how long one decision lasts",
    "counts_from": "from when the time runs: act, receipt, notice, first hold",
    "extension": "how long one extension lasts; none: there is none",
    "extended_by": "who extends",
    "longest_chain": "how long it lasts with all extensions",
    "next": "the power, or in words what, follows in time",
    "follow_up": "what a foreign requester must send: order, mla, eio, fiu decision, none",
    "at_lapse": "what the money is when time runs out: free, stays",
    "silence": "what it is when whoever was asked says nothing: free, stays",
    "notice": "whether the account holder is told: required, forbidden, free",
    "notice_within": "how soon, or for how long it may be put off (the trigger says which)",
    "objection_to": "who decides an objection",
    "objection_within": "how long the account holder has",
    "lowest_amount": "below it the power is not there",
    "protected": "what stays with the account holder in every case",
    "return_route": "how it goes back: consent, small amount, public notice, court, administrative",
    "return_period": "how long that takes by law",
    "documents": "what the requested side asks for",
    "liability": "who answers for a wrong hold, and who does not",
    "indemnity": "whether the requester must promise to make good",
    "claim_method": "whose money is it among mixed money: fifo, lifo, pro rata, libr, value",
    "distribution": "how several victims share: pro rata, fifo, court decides",
}

_COLUMNS = ("holder", "provisional_max", "longest", "longest_chain", "foreign", "silence", "notice")


def law() -> str:
    """The whole page."""
    assert MEANING.keys() == FIGURES.keys()
    keys = "\n".join(f"| `{name}` | {what} |" for name, what in MEANING.items())
    parts = [_HEAD, f"## What a power says\n\n| key | meaning |\n|---|---|\n{keys}"]
    every = [jurisdiction(code) for code in codes()]
    powers = sum(len(one.powers) for one in every)
    parts.append(f"## Jurisdictions\n\n{len(every)} of them, {powers} powers. `(?)` marks a figure of low confidence, "
                 "`—` an unknown one.")
    return "\n\n".join([*parts, *map(_place, every)]) + "\n"


def _place(one: Jurisdiction) -> str:
    head = f"| power | {' | '.join(name.replace('_', ' ') for name in _COLUMNS)} |\n|{'---|' * (len(_COLUMNS) + 1)}"
    rows = "\n".join(_row(power) for power in one.powers)
    return f"### {one.code} {one.name}\n\n{_cell(one.notes)}\n\n{head}\n{rows}"


def _row(power: LegalPower) -> str:
    cells = (_figure(power, name) for name in _COLUMNS)
    return f"| `{power.id}` {_cell(power.title)} ({_cell(power.article)}) | {' | '.join(cells)} |"


def _figure(power: LegalPower, name: str) -> str:
    said = power.figures[name]
    text = ", ".join(said) if isinstance(said, tuple) else str(said)
    if text == "unknown":
        return "—"
    return _cell(text) + (" (?)" if power.cited_for(name).confidence == "low" else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(law(), end="")
