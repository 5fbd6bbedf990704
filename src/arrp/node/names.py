"""Many texts on disk that open at once: one run of bytes, where each begins, and a sorted table of hashes.

Nothing of it is read before it is asked for, so ten million accounts cost what three costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

_ODD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: each place of a text weighs another power of it
_CHUNK = 1 << 20  # texts hashed at once; their bytes are spread to 8 bytes each meanwhile

Columns = Mapping[str, NDArray[Any]]


class Names(Sequence[str]):
    """`n` texts by number; and the numbers of a text, which may stand there several times."""

    def __init__(self, columns: Columns) -> None:
        self._bytes, self._starts = columns["bytes"], columns["starts"]
        self._hashes, self._places = columns["hashes"], columns["places"]

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        i = int(at) + (len(self) if at < 0 else 0)
        if not 0 <= i < len(self):
            raise IndexError(at)
        return bytes(self._bytes[int(self._starts[i]) : int(self._starts[i + 1])]).decode()

    def __iter__(self) -> Iterator[str]:
        whole = bytes(self._bytes)
        starts = self._starts.tolist()
        return (whole[a:b].decode() for a, b in pairwise(starts))

    def find(self, text: str) -> list[int]:
        """Every number of the text, ascending."""
        data = text.encode(errors="surrogatepass")
        wanted = _hashes(np.frombuffer(data, np.uint8), np.array([0, len(data)], np.int64))[0]
        first = int(np.searchsorted(self._hashes, wanted, side="left"))
        found = []
        while first < len(self._hashes) and self._hashes[first] == wanted:
            place = int(self._places[first])
            if bytes(self._bytes[int(self._starts[place]) : int(self._starts[place + 1])]) == data:
                found.append(place)
            first += 1
        return sorted(found)


def names_columns(texts: Sequence[str]) -> Columns:
    """What Names is opened from."""
    pieces = [text.encode() for text in texts]
    starts = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)), out=starts[1:])
    return names_columns_of(np.frombuffer(b"".join(pieces), np.uint8), starts)


def names_columns_of(data: NDArray[np.uint8], starts: NDArray[np.int64]) -> Columns:
    """The same of texts that are one run of bytes already: text i is data[starts[i]:starts[i + 1]]."""
    hashes = np.empty(len(starts) - 1, np.uint64)
    for low in range(0, len(hashes), _CHUNK):
        part = starts[low : low + _CHUNK + 1]
        hashes[low : low + _CHUNK] = _hashes(data[part[0] : part[-1]], part - part[0])
    order = np.argsort(hashes, kind="stable")
    return {"bytes": data, "starts": starts, "hashes": hashes[order], "places": order.astype(np.uint32)}


def _hashes(data: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Sum of each byte times a power that its place has, modulo 2^64. Who makes texts of one hash makes a search slow,
    never wrong: what is found is compared."""
    lengths = np.diff(starts)
    powers = np.cumprod(np.full(int(lengths.max(initial=0)) + 1, _ODD, np.uint64))
    places = np.arange(len(data)) - np.repeat(starts[:-1], lengths)
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum((data.astype(np.uint64) + 1) * powers[places])])
    sums = running[starts[1:]] - running[starts[:-1]]
    mixed: NDArray[np.uint64] = (sums ^ (sums >> np.uint64(29))) * np.uint64(_ODD)
    return mixed
