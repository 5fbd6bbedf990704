"""A trace as a picture: time from left to right, a lane for each account, ribbons as wide as the amount.

What is held ends in a square, what reached a terminal or cash in a triangle, what nobody followed in a
ring; moving money is a plain ribbon. So colours help and are not needed: it reads in black print. Only
text of SVG 1.1, no script, no font of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from arrp.core.money import Amount
from arrp.trace.follow import Answer, Edge, Traced
from arrp.trace.ledger import Ledger

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDE = 56.0  # of all that was stolen
_STEP = 110.0  # from one payment to the next
_LANE = 84.0
_LEFT = 230.0
_TOP = 64.0
_LANES_MAX = 400  # beyond it nobody reads a picture
_HELD, _MOVING, _ENDED, _LEFT_OUT = "#1b7837", "#4a7ebb", "#b2182b", "#6b6b6b"


def draw(ledger: Ledger, traced: Traced) -> str:
    """One picture below the other for each theft, as the text of an SVG file."""
    pictures = [_Picture(ledger, answer, traced.method.flag) for answer in traced.answers]
    body, below, wide = [], 0.0, 600.0
    for picture in pictures:
        body += [f'<g transform="translate(0 {below:g})">', *picture.lines(traced.method.name), "</g>"]
        below += picture.height
        wide = max(wide, picture.width)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {below:g}" width="{wide:g}" height="{below:g}"'
        ' font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        *body,
        "</svg>\n",
    ])  # fmt: skip


@dataclass
class _Picture:
    ledger: Ledger
    answer: Answer
    flag: bool
    lanes: dict[str, int] = field(default_factory=dict)  # account -> its lane, from the top
    columns: dict[int, int] = field(default_factory=dict)  # row -> its place in time

    def __post_init__(self) -> None:
        for place, edge in enumerate(self.answer.flows):
            self.columns[edge.row] = place
            for account in (edge.source, edge.target):
                if len(self.lanes) < _LANES_MAX:
                    self.lanes.setdefault(account, len(self.lanes))

    @property
    def width(self) -> float:
        return _LEFT + _STEP * (len(self.columns) + 1) + 260

    @property
    def height(self) -> float:
        return _TOP + _LANE * max(1, len(self.lanes)) + 84

    def x(self, row: int) -> float:
        return _LEFT + _STEP * self.columns[row]

    def y(self, account: str) -> float:
        return _TOP + 40 + _LANE * self.lanes[account]

    def wide(self, claim: int) -> float:
        return 3.0 if self.flag else max(1.0, _WIDE * claim / self.answer.stolen)

    def lines(self, method: str) -> Iterator[str]:
        title = f"{Amount(self.answer.stolen, self.answer.asset)} stolen by {self.answer.ref}, {method}"
        yield f'<text x="16" y="28" font-size="16" font-weight="bold">{_safe(title)}</text>'
        for account, lane in self.lanes.items():
            y = _TOP + 40 + _LANE * lane
            yield f'<text x="16" y="{y + 4:g}">{_safe(account or "outside (cash)", 30)}</text>'
            yield f'<line x1="{_LEFT:g}" y1="{y:g}" x2="{self.width - 240:g}" y2="{y:g}" stroke="#ddd"/>'
        yield from self._stays()
        for edge in self.answer.flows:
            if edge.source in self.lanes and edge.target in self.lanes:
                yield from self._ribbon(edge)
        yield from self._ends()
        yield from self._legend()

    def _stays(self) -> Iterator[str]:
        """Between two payments the traced money lies in its account: a band as wide as there is."""
        for account in self.lanes:
            there, since = 0, 0.0
            for edge in self.answer.flows:
                if account not in (edge.source, edge.target):
                    continue
                comes = edge.target == account
                at = self.x(edge.row) + (_STEP * 0.8 if comes else 0)
                if there > 0 and at > since:
                    yield self._band(account, (since, at), there)
                first = edge.ref == self.answer.ref and not comes
                there += 0 if first else edge.claim if comes else -edge.claim
                since = max(since, at)
            if there > 0 and account in self._held():
                yield self._band(account, (since, self.width - 250), there)

    def _held(self) -> set[str]:
        return {place.account for place in self.answer.held}

    def _band(self, account: str, between: tuple[float, float], claim: int) -> str:
        thick, (start, end) = self.wide(claim), between
        return (
            f'<rect x="{start:.1f}" y="{self.y(account) - thick / 2:.1f}" width="{end - start:.1f}"'
            f' height="{thick:.1f}" fill="{_MOVING}" fill-opacity="0.25"/>'
        )

    def _ribbon(self, edge: Edge) -> Iterator[str]:
        x, end = self.x(edge.row), self.x(edge.row) + _STEP * 0.8
        start, stop, middle = self.y(edge.source), self.y(edge.target), x + _STEP * 0.4
        amount = "" if self.flag else str(Amount(edge.units, edge.asset))
        at = (_EPOCH + timedelta(microseconds=int(self.ledger.times[edge.row]))).isoformat(" ", "seconds")
        yield (
            f'<path d="M{x:.1f} {start:.1f} C{middle:.1f} {start:.1f} {middle:.1f} {stop:.1f} {end:.1f} {stop:.1f}"'
            f' fill="none" stroke="{_MOVING}" stroke-opacity="0.6" stroke-width="{self.wide(edge.claim):.1f}">'
            f"<title>{_safe(f'{edge.ref}: {amount} at {at}', 300)}</title></path>"
        )
        yield f'<text x="{middle:.1f}" y="{(start + stop) / 2 - 4:.1f}" text-anchor="middle">{_safe(amount)}</text>'
        yield (
            f'<text x="{x:.1f}" y="52" font-size="9" fill="#444">{_safe(edge.ref, 16)}'
            f'<tspan x="{x:.1f}" dy="10">{at[:16]}</tspan></text>'
        )

    def _ends(self) -> Iterator[str]:
        x = self.width - 240
        for places, word in ((self.answer.held, "held"), (self.answer.terminal, "cashed out")):
            for place in places:
                if place.account in self.lanes:
                    y = self.y(place.account)
                    size = max(10.0, self.wide(place.claim))
                    yield _square(x, y, size) if word == "held" else _triangle(x, y, size)
                    amount = word if self.flag else f"{Amount(place.units, place.asset)} {word}"
                    yield f'<text x="{x + size + 8:.1f}" y="{y + 4:.1f}" font-weight="bold">{_safe(amount)}</text>'
        if self.answer.unfollowed or (self.flag and self.answer.partial):
            y = self.height - 58
            left = "" if self.flag else str(Amount(self.answer.unfollowed, self.answer.asset))
            yield _ring(x + 6, y, 6)
            yield f'<text x="{x + 20:.1f}" y="{y + 4:.1f}">{_safe(f"{left} not followed")}</text>'

    def _legend(self) -> Iterator[str]:
        y = self.height - 24
        yield _square(16, y, 10) + f'<text x="32" y="{y + 4:g}">held</text>'
        yield f'<rect x="90" y="{y - 3:g}" width="26" height="6" fill="{_MOVING}"/>'
        yield f'<text x="122" y="{y + 4:g}">moving</text>'
        yield _triangle(196, y, 12) + f'<text x="214" y="{y + 4:g}">cashed out or terminal</text>'
        yield _ring(376, y, 6) + f'<text x="388" y="{y + 4:g}">not followed</text>'


def _square(x: float, y: float, size: float) -> str:
    box = f'x="{x:.1f}" y="{y - size / 2:.1f}" width="{size:.1f}" height="{size:.1f}"'
    return f'<rect {box} fill="{_HELD}" stroke="black"/>'


def _triangle(x: float, y: float, size: float) -> str:
    return (
        f'<path d="M{x:.1f} {y - size / 2:.1f} L{x + size:.1f} {y:.1f} L{x:.1f} {y + size / 2:.1f} Z"'
        f' fill="{_ENDED}" stroke="black"/>'
    )


def _ring(x: float, y: float, size: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" fill="white" stroke="{_LEFT_OUT}" stroke-dasharray="3 2"/>'


def _safe(text: str, most: int = 60) -> str:
    """Names come from strangers' files: no control characters, no markup, not too long."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in text)
    return escape(plain if len(plain) <= most else f"{plain[:most // 2]}…{plain[-most // 2 + 1:]}")
