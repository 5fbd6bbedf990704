"""A page of copies: what two nodes said to each other, for the one of them that lost it (R-29).

    Copies { v, from, to, after, done, copies }
      └ Copy { act, receipt }     two parcels, sealed for who asks: the signed head with its act, and
                                  the other side's receipt for it. Nothing here is believed for being
                                  in the page: each head and each receipt is signed by who said it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Copy:
    """`act`: a parcel with a head, and its act unless that was erased or never kept; `receipt`: a parcel
    with the receipt that the head got, null when there was none."""

    act: str
    receipt: str | None


@dataclass(frozen=True, slots=True)
class Copies:
    """In the order in which who asks had said and heard them, one conversation after another. All up to
    and with request `after` are told; ask again from there unless it is `done`."""

    v: int
    sender: str = field(metadata={"name": "from"})
    to: str
    after: str
    done: bool
    copies: tuple[Copy, ...]
