"""Which powers of a country may serve a request, for people: what `arrp law powers` and `arrp request powers` show."""

from __future__ import annotations

from typing import Any

from arrp.cli.speaking import show, show_table


def show_serving(law: dict[str, Any]) -> None:
    """What `serving` found, for people: those that may serve first, what speaks for each, and what it needs; the
    sources, numbered, at the end."""
    numbers: dict[str, int] = {}
    show(f"{law['name']} ({law['code']}), read on {law['checked_on']}. Advice, no legal advice; they pick the power.")
    show(law["notes"])
    for power in law["powers"]:
        show("")
        show(f"{power['power']}: {power['title']} ({power['article']})")
        show(f"may serve: {_FITS[power['fits']]}")
        rows = {why["figure"]: (why["fits"], why["said"], why) for why in power["why"]}
        for name, told in _needed(power).items():
            rows.setdefault(name, ("", _said(told), told))
        show_table(("about", "fits", "says", "sure", "source"), [
            (name.replace("_", " "), fits, said, cited["confidence"],
             f"[{numbers.setdefault(cited['source'], len(numbers) + 1)}]")
            for name, (fits, said, cited) in rows.items()])
        for name, end in power["ends"].items():
            show(f"{name.replace('_', ' ')}, done now: {end['until'] or 'no end'} ({end['reason']})")
    show("")
    for source, number in numbers.items():
        show(f"[{number}] {source}")


_FITS = {"yes": "yes, by what the file says", "unknown": "perhaps: not all of it is known",
         "no": "not by what the file says"}


def _needed(power: dict[str, Any]) -> dict[str, Any]:
    return {**{name: power[name] for name in ("holder", "trigger", "through")}, **power["needs"], **power["ends"]}


def _said(told: dict[str, Any]) -> str:
    return ", ".join(told["says"]) if isinstance(told["says"], list) else str(told["says"])
