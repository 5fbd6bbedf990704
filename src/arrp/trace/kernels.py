"""The one door to compiled code: the loops of trace/plain.py, built with the package where there was a compiler.

`COMPILED` has the functions of trace/plain.py, by the same names and with the same answers, or is
None. Arrays go in by their addresses and are checked there; nothing is compiled at run time (ADR 19).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_int64, c_uint32, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arrp.core.errors import Corrupt, Refused
from arrp.trace.ledger import Codes, Units
from arrp.trace.segment import Budget, Pieces, Reached, Segment, Shares, Starts

_OK, _FULL, _WIDE, _CORRUPT, _NO_MEMORY, _UNCOVERED = range(6)  # as in kernels_c/columns.h
_ROOM = 1024  # pieces there is room for to begin with; eight times more, again and again, up to the budget

_REACHED = 32768  # pots likewise


def _structure(name: str, fields: str) -> type[Structure]:
    """`q` an integer, `u` a row or pot, `p` an address, `d` a float: as the C declares it, in its order."""
    kinds: dict[str, Any] = {"q": c_int64, "u": c_uint32, "p": c_void_p, "d": c_double}
    pairs = [field.partition(":")[::2] for field in fields.split()]
    return type(name, (Structure,), {"_fields_": [(field, kinds[kind]) for field, kind in pairs]})


_Segment = _structure(
    "_Segment",
    "pots:q n:q first_row:q rows:q keys:p ptr:p row:p target:p cum_out:p in_off:p balance:p amounts:p arrived:p",
)
_Building = _structure(
    "_Building",
    "n:q pots:q sources:p targets:p names:p amounts:p arrived:p first_row:q received:p paid:p outside:q"
    " ptr:p row:p target:p cum_out:p in_off:p balance:p count:q",
)
_Fifo = _structure(
    "_Fifo",
    "segments:p parts:q pots:q stops:p hops:q accounts:q room:q begun:q pieces:q visited:q"
    " pot:p row:p low:p high:p here:p parent:p inside_low:p inside_high:p hop:p state:p",
)
_Haircut = _structure(
    "_Haircut",
    "segments:p parts:q pots:q stops:p hops:q accounts:q room:q least:q starts:q start_row:p start_pot:p"
    " start_units:p flows:q held:q visited:q flow_row:p flow_units:p held_pot:p held_units:p state:p unfollowed:q",
)
_Reach = _structure(
    "_Reach",
    "segments:p parts:q pots:q stops:p hops:q room:q start_pot:u start_row:u end_row:u found:q pot:p row:p hop:p",
)
_Everyone = _structure(
    "_Everyone",
    "n:q pots:q sources:p targets:p shares:p starts:q start_row:p start_units:p stops:p least:d units:p bits:p",
)


def _at(array: NDArray[Any] | None, kind: Any = None) -> int | None:
    """The address of a column. Its kind is what the C takes it for: anything else would be read as nonsense."""
    if array is None:
        return None
    assert array.flags.c_contiguous, "a column is one piece of memory"
    assert kind is None or array.dtype == kind, f"a column of {array.dtype}, not of {kind}"
    return int(array.__array_interface__["data"][0])


class Compiled:
    """The loaded library. Every method answers as the function of trace/plain.py of its name."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.arrp_scan.restype = c_double
        library.arrp_scan.argtypes = [c_int64, c_void_p, c_void_p, c_void_p]
        for name, structure in (("build", _Building), ("fifo", _Fifo), ("haircut", _Haircut), ("reach", _Reach),
                                ("everyone", _Everyone)):  # fmt: skip
            getattr(library, f"arrp_{name}").argtypes = [POINTER(structure)]
        library.arrp_sources.restype = c_char_p
        self.sources = (library.arrp_sources() or b"").decode()  # a digest of the C it was made of
        self._segments: tuple[Sequence[Segment], Any] | None = None

    def _parts(self, segments: Sequence[Segment]) -> Any:
        """As the C takes them. The last ones are kept: a thousand questions are asked of one index."""
        kept = self._segments
        if kept is None or kept[0] is not segments:
            kept = self._segments = (segments, (_Segment * len(segments))(*map(_of_segment, segments)))
        return kept[1]

    def _call(self, name: str, asked: Structure) -> int:
        status = int(getattr(self._library, f"arrp_{name}")(byref(asked)))
        if status == _CORRUPT:
            raise Corrupt("the index contradicts itself: build it again from its files")
        if status == _NO_MEMORY:
            raise MemoryError("no memory left for this trace")
        if status == _WIDE:
            raise Refused("the taint of one account passes 2^63 - 1 units: follow fewer payments at once")
        return status

    def follow_pieces(
        self, segments: Sequence[Segment], stops: NDArray[np.uint8], begun: Sequence[tuple[int, int, int]],
        budget: Budget,
    ) -> Pieces:  # fmt: skip
        parts = self._parts(segments)
        most = max(budget.pieces, len(begun))
        room = min(most, max(_ROOM, 2 * len(begun)))
        while True:
            longs = np.empty((6, room), np.int64)
            codes = np.empty((3, room), np.uint32)
            state = np.empty(room, np.uint8)
            for i, name in ((0, 1), (1, 2)):
                longs[i, : len(begun)] = [start[name] for start in begun]
            codes[0, : len(begun)] = [start[0] for start in begun]
            codes[1:, : len(begun)] = 0
            longs[3, : len(begun)] = -1
            longs[4:, : len(begun)] = 0
            long, code = _at(longs) or 0, _at(codes) or 0
            asked = _Fifo(
                ctypes.addressof(parts), len(parts), len(stops), _at(stops, np.uint8), budget.hops, budget.accounts,
                room, len(begun), len(begun), 0, code, code + 4 * room, *(long + 8 * room * i for i in range(6)),
                code + 8 * room, _at(state),
            )  # fmt: skip
            status = self._call("fifo", asked)
            if status == _FULL and room < most:
                room = min(most, room * 8)
                continue
            n = asked.pieces
            low, high, here, parent, inside_low, inside_high = (longs[i, :n] for i in range(6))
            return Pieces(
                len(begun), asked.visited, status == _FULL, codes[0, :n], codes[1, :n], low, high, here, parent,
                inside_low, inside_high, codes[2, :n].view(np.int32), state[:n],
            )  # fmt: skip

    def follow_shares(
        self, segments: Sequence[Segment], stops: NDArray[np.uint8], starts: Starts, budget: Budget, least: int = 1
    ) -> Shares:
        parts = self._parts(segments)
        room = min(budget.pieces, _ROOM)
        while True:
            codes = np.empty((2, room + len(starts.row)), np.uint32)
            longs = np.empty((2, room + len(starts.row)), np.int64)
            state = np.empty(room + len(starts.row), np.uint8)
            asked = _Haircut(
                ctypes.addressof(parts), len(parts), len(stops), _at(stops, np.uint8), budget.hops, budget.accounts,
                room, max(1, least), len(starts.row), _at(starts.row, np.uint32), _at(starts.pot, np.uint32),
                _at(starts.units, np.int64), 0, 0, 0, _at(codes[0]), _at(longs[0]), _at(codes[1]), _at(longs[1]),
                _at(state), 0,
            )  # fmt: skip
            if self._call("haircut", asked) == _OK:
                flows, held = slice(asked.flows), slice(asked.held)
                return Shares(asked.visited, asked.unfollowed, codes[0, flows], longs[0, flows], codes[1, held],
                              longs[1, held], state[held])  # fmt: skip
            if room == budget.pieces:
                raise Refused(
                    f"more than {budget.pieces} transfers carry some of it: ask with a larger least amount"
                )
            room = min(budget.pieces, room * 8)

    def reach_pots(
        self, segments: Sequence[Segment], stops: NDArray[np.uint8], start: tuple[int, int], end_row: int, hops: int
    ) -> Reached:
        parts = self._parts(segments)
        room = _REACHED
        while True:
            codes = np.empty((3, room), np.uint32)
            code = _at(codes) or 0
            asked = _Reach(
                ctypes.addressof(parts), len(parts), len(stops), _at(stops, np.uint8), hops, room, *start, end_row, 0,
                code, code + 4 * room, code + 8 * room,
            )  # fmt: skip
            if self._call("reach", asked) == _OK:
                return Reached(codes[0, : asked.found], codes[1, : asked.found])
            room *= 8

    def screen_everyone(
        self, columns: tuple[Codes, Codes, NDArray[np.float64]], stops: NDArray[np.uint8], starts: Starts,
        least: float = 1.0,
    ) -> NDArray[np.float64]:  # fmt: skip
        sources, targets, shares = columns
        units = np.zeros(len(stops), np.float64)
        bits = np.zeros(len(stops) // 64 + 1, np.uint64)
        begin = starts.units.astype(np.float64)
        asked = _Everyone(
            len(sources), len(stops), _at(sources, np.uint32), _at(targets, np.uint32), _at(shares, np.float64),
            len(begin), _at(starts.row, np.uint32), _at(begin), _at(stops, np.uint8), least, _at(units),
            _at(bits),
        )  # fmt: skip
        self._call("everyone", asked)
        return units

    def scan(self, columns: tuple[Codes, Codes, NDArray[np.float64]]) -> float:
        """Read the columns of screen_everyone and do nothing: the floor of a pass."""
        sources, targets, shares = columns
        return float(self._library.arrp_scan(len(sources), _at(sources, np.uint32), _at(targets, np.uint32),
                                             _at(shares, np.float64)))  # fmt: skip

    def build(self, moves: tuple[Codes, Codes, Units, Units], names: Codes | None, first_row: int,
              state: tuple[Units, Units]) -> tuple[str, int, tuple[NDArray[Any], ...]]:  # fmt: skip
        """Columns of a segment from sources, targets, amounts, arrived; `state` (received, paid) is brought forward.

        The first value is "" or why there are none: "wide", "uncovered" (then the second is the transfer).
        """
        sources, targets, amounts, arrived = moves
        received, paid = state
        n, pots = len(sources), len(received)
        ptr = np.empty(pots + 1, np.int64)
        codes, longs = [np.empty(n, np.uint32) for _ in range(2)], [np.empty(n, np.int64) for _ in range(3)]
        outside = 0 if names is None or (len(names) and names[0] == 0) else -1
        asked = _Building(
            n, pots, _at(sources, np.uint32), _at(targets, np.uint32), _at(names, np.uint32), _at(amounts, np.int64),
            _at(arrived, np.int64), first_row, _at(received, np.int64), _at(paid, np.int64), outside, _at(ptr),
            *map(_at, codes), *map(_at, longs), 0,
        )  # fmt: skip
        status = int(self._library.arrp_build(byref(asked)))
        if status in (_WIDE, _UNCOVERED):
            return ("wide" if status == _WIDE else "uncovered"), int(asked.count), ()
        if status == _CORRUPT:
            raise Corrupt("a transfer names a pot that is not there, or moves nothing: build the ledger again")
        if status == _NO_MEMORY:
            raise MemoryError(f"no memory for an index of {n} transfers")
        count = int(asked.count)
        columns: list[NDArray[Any]] = [*codes, *longs]
        return "", count, (ptr, *(column if count == n else column[:count].copy() for column in columns))


def _of_segment(part: Segment) -> Structure:
    found: Structure = _Segment(
        len(part.ptr) - 1, len(part.row), part.first_row, len(part.amounts), _at(part.keys, np.uint32),
        _at(part.ptr, np.int64), _at(part.row, np.uint32), _at(part.target, np.uint32), _at(part.cum_out, np.int64),
        _at(part.in_off, np.int64), _at(part.balance, np.int64), _at(part.amounts, np.int64),
        _at(part.arrived, np.int64),
    )  # fmt: skip
    return found


def _load() -> Compiled | None:
    try:
        return Compiled(ctypes.CDLL(__file__.removesuffix("kernels.py") + "_kernels.so"))
    except (OSError, AttributeError):
        return None  # built without a compiler, for another machine, or of other sources


COMPILED = _load()
