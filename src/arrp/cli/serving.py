"""Which powers of a country may serve a request, for people: what `arrp law powers` and `arrp request powers` show, and
`arrp request send` says before it sends."""

from __future__ import annotations

from typing import Any

from arrp.cli.speaking import say, show, show_table


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


def say_serving(found: dict[str, Any]) -> None:
    """The same as talk, a line for each power that may serve: which, why, what it needs, and until when."""
    say(whom_said(found))
    for law in found["laws"]:
        fitting = [power for power in law["powers"] if power["fits"] != "no"]
        say(f"law of {law['name']}, read on {law['checked_on']}: {len(fitting)} of {len(law['powers'])} powers may "
            f"serve this {law['asked']['ask']}. Advice; they pick the power")
        for power in fitting:
            say(_line(power))
    if not found["laws"]:
        say(no_law_file(found))


def whom_said(found: dict[str, Any]) -> str:
    whom = found["whom"]
    return (f"asks {whom['name']} ({whom['id']}, {whom['kind']} in {whom['country']}, {whom['channel']}) about "
            f"{found['institution']}")


def no_law_file(found: dict[str, Any]) -> str:
    country = found["whom"]["country"]
    return f"there is no law file for {country}: what may be held there, and how long, is unknown"


def _line(power: dict[str, Any]) -> str:
    why = "; ".join(why["said"] for why in power["why"])
    needs = ", ".join(f"{name.replace('_', ' ')} {_said(told)}" for name, told in power["needs"].items())
    end = power["ends"]["longest"]
    return (f"  {power['power']}, {power['title']} ({power['article']}): {_FITS[power['fits']]}; {why}. Held by "
            f"{_said(power['holder'])}. Needs: {needs}. Done now, until {end['until'] or 'no end: ' + end['reason']}")


_FITS = {"yes": "yes, by what the file says", "unknown": "perhaps: not all of it is known",
         "no": "not by what the file says"}


def _needed(power: dict[str, Any]) -> dict[str, Any]:
    return {**{name: power[name] for name in ("holder", "trigger", "through")}, **power["needs"], **power["ends"]}


def _said(told: dict[str, Any]) -> str:
    return ", ".join(told["says"]) if isinstance(told["says"], list) else str(told["says"])
