"""Pictures as SVG, drawn by hand: the money over time, and the ways of working beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from xml.sax.saxutils import escape

from arrp.sim.haechi.count import Counted
from arrp.sim.haechi.frame import BEGIN, END, FICTION, NAME
from arrp.sim.haechi.page import Running

WIDTH, HEIGHT = 900, 480
LEFT, RIGHT, TOP, BOTTOM = 90, 870, 60, 400
COLOURS = {"lost": "#9aa0a6", "fiat": "#1a73e8", "tokens": "#f29900", "secured": "#188038"}
NAMES = {"lost": "reported lost", "fiat": "money held", "tokens": "virtual assets held, not yet secured",
         "secured": "virtual assets secured by orders"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart of ranges: the mean, and the lowest and highest of all seeds, 0 to 1."""

    name: str
    low: float
    mean: float
    high: float


_BIG = 10**9  # cents: below ten millions a scale in whole millions says the same twice


def over_time(counted: Counted) -> str:
    """Cumulated money by day, a line each, in USD."""
    points = _daily(counted)
    most = max(max(values) for values in points.values()) or 1
    lines = []
    for place, (name, values) in enumerate(points.items()):
        path = " ".join(f"{_x(day, len(values)):.1f},{_y(cents / most):.1f}" for day, cents in enumerate(values))
        lines.append(f'<polyline fill="none" stroke="{COLOURS[name]}" stroke-width="2" points="{path}"/>')
        lines.append(_text(LEFT + 10, TOP + 16 + 18 * place, NAMES[name], COLOURS[name]))
    digits = 0 if most >= _BIG else 2
    for part in range(5):
        millions = most * part / 4 / 100 / 1e6
        lines.append(_text(LEFT - 8, _y(part / 4) + 4, f"{millions:,.{digits}f} m", "#333", "end"))
    for month in range(6, 12):
        day = (BEGIN.replace(month=month + 1 if month < 12 else 12, day=1) - BEGIN).days
        if 0 <= day <= (END - BEGIN).days:
            at = _x(day, len(points["lost"]))
            lines.append(_text(at, BOTTOM + 18, f"{BEGIN + timedelta(days=day):%B}"))
    title = f"{NAME}: USD since {BEGIN:%d %B %Y}"
    return _svg(title, [_axes(), *lines])


def _daily(counted: Counted) -> dict[str, list[int]]:
    days = (END - BEGIN).days + 1
    sums, values = Running(), {name: list[int]() for name in COLOURS}
    told = iter(sorted(counted.told, key=lambda one: one.at))
    one = next(told, None)
    for day in range(1, days + 1):
        while one is not None and one.at < BEGIN + timedelta(days=day):
            sums.add(one)
            one = next(told, None)
        for name, found in values.items():
            found.append(getattr(sums, name))
    return values


def ranges(title: str, bars: Sequence[Bar]) -> str:
    """A row for each way: a bar to the mean, a line from the lowest to the highest."""
    parts, room = [], (BOTTOM - TOP) / max(1, len(bars))
    left = 300
    for place, bar in enumerate(bars):
        y = TOP + place * room + room * 0.2
        width = RIGHT - left - 40
        parts.append(_text(left - 10, y + room * 0.4, bar.name, "#333", "end"))
        parts.append(f'<rect x="{left}" y="{y:.1f}" width="{bar.mean * width:.1f}" height="{room * 0.6:.1f}" '
                     f'fill="{COLOURS["fiat"]}" fill-opacity="0.7"/>')
        middle = y + room * 0.3
        parts.append(f'<line x1="{left + bar.low * width:.1f}" y1="{middle:.1f}" x2="{left + bar.high * width:.1f}" '
                     f'y2="{middle:.1f}" stroke="#202124" stroke-width="3"/>')
        parts.append(_text(left + max(bar.mean, bar.high) * width + 6, middle + 4, f"{bar.mean:.2f}"))
    parts.append(f'<line x1="{left}" y1="{TOP}" x2="{left}" y2="{BOTTOM}" stroke="#333"/>')
    return _svg(title, parts)


def _svg(title: str, parts: Sequence[str]) -> str:
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            f'font-size="13" role="img"><title>{escape(title)}</title>'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>')
    name = f'<text x="{LEFT}" y="32" font-size="18">{escape(title)}</text>'
    foot = f'<text x="20" y="{HEIGHT - 20}" font-size="11" fill="#555">{escape(FICTION)}</text>'
    return "\n".join([head, name, *parts, foot, "</svg>\n"])


def _axes() -> str:
    return f'<path d="M{LEFT},{TOP} V{BOTTOM} H{RIGHT}" fill="none" stroke="#333"/>'


def _text(x: float, y: float, said: str, colour: str = "#333", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(said)}</text>'


def _x(day: int, days: int) -> float:
    return LEFT + (RIGHT - LEFT) * day / max(1, days - 1)


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share
