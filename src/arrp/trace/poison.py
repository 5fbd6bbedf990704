"""Poison: which accounts stolen money may have reached at all. A flag, no amount, never a claim.

Whoever got anything from a reached account is reached, for ever (Möser, Böhme, Breuker 2014). It
spreads over a busy ledger within days, so whoever asks sets limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from arrp.trace.found import Found, Meter, Share, Theft, begin
from arrp.trace.statement import Books


def poison(books: Books, thefts: Sequence[Theft], meter: Meter) -> list[Found]:
    """Each theft by itself. Every share is empty: held are the accounts reached, flows the payments that reached."""
    return [_spread(books, theft, meter) for theft in thefts]


def _spread(books: Books, theft: Theft, meter: Meter) -> Found:
    found = begin(books, theft)
    ledger, waiting = books.ledger, [theft.row]
    while waiting:
        if why := meter.late():
            found.why.add(why)
            break
        row = heappop(waiting)
        source, pot = int(ledger.sources[row]), int(ledger.targets[row])
        hops = 0 if row == theft.row else found.opened[source] + 1
        if source in found.opened and (out := books.statement(source).out_after(row)) is not None:
            heappush(waiting, out)
        found.flow(row, Share())
        if books.ends_at(pot):
            found.end(ledger, row, Share())
        elif pot not in found.opened:
            if why := meter.refuses(found, pot, hops):
                found.why.add(why)
                continue
            found.held[pot] = Share()
            if (out := books.statement(pot).out_after(row)) is not None:
                heappush(waiting, out)
        else:
            meter.refuses(found, pot, hops)
    return found
