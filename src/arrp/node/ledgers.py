"""A ledger and its index on disk: a folder of columns that opens at once, whatever its size.

    FOLDER/manifest.json      what there is: parts in booking order, the size and SHA-256 of each file
    FOLDER/<part>/*.npy       columns of the ledger, of its index, and the tables of its names

A part is written beside the others, then the manifest that names it takes the place of the old one: a
crash leaves the old ledger whole, and what nobody names is removed by the next build. Columns are
mapped into memory, never read as a whole. A first part has every pot; a later one what it changed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arrp.core.errors import Corrupt, Malformed, NotFound, Refused
from arrp.node.files import read_file, replace_file
from arrp.node.names import Names, names_columns
from arrp.trace.booking import Booked, Moves, open_pots
from arrp.trace.index import Index, Totals, append_segment, build_index
from arrp.trace.kernels import COMPILED, Compiled
from arrp.trace.ledger import OUTSIDE, Ledger, Pot, Units
from arrp.trace.segment import Segment

FORMAT = 1
MANIFEST = "manifest.json"
_INDEX = ("ptr", "row", "target", "cum_out", "in_off", "balance")
_NAMES = ("bytes", "starts", "hashes", "places")

Columns = dict[str, NDArray[Any]]
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """One part: rows [first_row, first_row + rows), and the pots that are new with it."""

    name: str
    first_row: int
    rows: int
    first_pot: int
    pots: int
    files: Mapping[str, tuple[int, str]]  # name -> bytes, SHA-256


@dataclass(frozen=True, slots=True)
class Manifest:
    """implied: pots whose opening balance nobody gave. wide: sums pass 2^63 - 1, so the index is made when opened."""

    assets: tuple[str, ...]
    implied: int
    reversing: int
    batches: int
    wide: bool
    parts: tuple[Part, ...] = ()
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def pots(self) -> int:
        return sum(part.pots for part in self.parts)

    @property
    def bytes(self) -> int:
        return sum(size for part in self.parts for size, _ in part.files.values())

    def write(self, folder: Path) -> None:
        """From this moment the folder is what the manifest says."""
        replace_file(folder / MANIFEST, f"{json.dumps(asdict(self), indent=1)}\n".encode())


def read_manifest(folder: Path) -> Manifest:
    """Raises NotFound, Malformed."""
    try:
        said = json.loads(read_file(folder / MANIFEST))
    except NotFound:
        raise NotFound(f"{folder} is no ledger: it has no {MANIFEST}. Build one: arrp ledger build") from None
    except ValueError:
        raise Corrupt(f"{folder / MANIFEST} is no JSON: build the ledger again") from None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise Malformed(f"{folder} is a ledger of another version than {FORMAT}: build it again")
    try:
        parts = tuple(Part(**{**part, "files": {name: tuple(file) for name, file in part["files"].items()}})
                      for part in said.pop("parts"))  # fmt: skip
        return Manifest(**{**said, "assets": tuple(said["assets"]), "parts": parts})
    except (KeyError, TypeError, AttributeError):
        raise Corrupt(f"{folder / MANIFEST} does not say what a ledger has: build it again") from None


# --- opening ------------------------------------------------------------------------------------------------


class Pots(Sequence[Pot]):
    """Every pot by number; its name is read when it is asked for."""

    def __init__(self, names: Sequence[Names], assets: Sequence[NDArray[np.uint16]], codes: Sequence[str]) -> None:
        self._names, self._assets, self._codes = names, assets, codes
        self._starts = np.cumsum([0, *map(len, names)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        i = int(at)
        part = int(np.searchsorted(self._starts, i, side="right")) - 1
        if not 0 <= i < len(self):
            raise IndexError(at)
        i -= int(self._starts[part])
        account = self._names[part][i]
        return Pot(account, self._codes[self._assets[part][i]] if account else "")

    def of_account(self, account: str) -> list[int]:
        """What the account has: its pots, one for each asset."""
        return [int(start) + i for start, names in zip(self._starts, self._names, strict=False)
                for i in names.find(account)]  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """A ledger that lies on disk."""

    manifest: Manifest
    columns: tuple[Columns, ...]  # of each part
    compiled: Compiled | None = COMPILED

    def whole(self, name: str) -> NDArray[Any]:
        """A column of all parts; of one part it is the mapped file itself."""
        found = [part[name] for part in self.columns]
        return found[0] if len(found) == 1 else np.concatenate(found)

    @cached_property
    def pots(self) -> Pots:
        names = [Names({name: part[f"pots.{name}"] for name in _NAMES}) for part in self.columns]
        return Pots(names, [part["assets"] for part in self.columns], self.manifest.assets)

    @cached_property
    def ledger(self) -> Ledger:
        """All parts as one; with later parts the columns are copied once."""
        amounts = self.whole("amounts")
        converts = any("arrived" in part for part in self.columns)
        arrived = [part.get("arrived", part["amounts"]) for part in self.columns]
        refs: Sequence[str] = self.refs[0]
        if len(self.columns) > 1:
            refs = [ref for part in self.refs for ref in part]
        return Ledger(
            self.pots, self.whole("sources"), self.whole("targets"), amounts,
            (arrived[0] if len(arrived) == 1 else np.concatenate(arrived)) if converts else amounts,
            self.whole("times"), self.whole("batches"), refs, self.whole("opening"),
            self.whole("stops").astype(np.bool_) & (np.arange(len(self.pots)) != OUTSIDE),
        )  # fmt: skip

    @cached_property
    def refs(self) -> list[Names]:
        return [Names({name: part[f"refs.{name}"] for name in _NAMES}) for part in self.columns]

    @cached_property
    def index(self) -> Index:
        if self.manifest.wide:
            return build_index(self.ledger, None)[0]
        segments = tuple(map(_segment, self.columns, self.manifest.parts))
        return Index(segments, self.whole("stops"), False, self.compiled)

    def row_of(self, ref: str) -> int:
        """Raises NotFound."""
        for part, refs in zip(self.manifest.parts, self.refs, strict=True):
            if found := refs.find(ref):
                return part.first_row + found[0]
        raise NotFound(f"the ledger has no transfer {ref}: its ref is what stands in the column ref")

    def source_of(self, row: int) -> int:
        """The pot that the transfer leaves, without a copy of any column."""
        for part, columns in zip(self.manifest.parts, self.columns, strict=True):
            if part.first_row <= row < part.first_row + part.rows:
                return int(columns["sources"][row - part.first_row])
        raise NotFound(f"the ledger has {self.manifest.rows} rows: there is no row {row + 1}")

    def totals_of(self, keys: NDArray[np.uint32]) -> Totals:
        """What these pots received and paid so far; the latest part that has them knows."""
        received, paid = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
        for columns in self.columns:
            known = columns.get("keys")
            if known is None:
                mine = np.flatnonzero(keys < len(columns["received"]))
                place = keys[mine]
            else:
                at = np.minimum(np.searchsorted(known, keys), max(0, len(known) - 1))
                mine = np.flatnonzero(known[at] == keys) if len(known) else np.zeros(0, np.int64)
                place = at[mine].astype(np.uint32)
            received[mine], paid[mine] = columns["received"][place], columns["paid"][place]
        return Totals(received, paid)


def open_ledger(folder: Path, compiled: Compiled | None = COMPILED) -> Stored:
    """Maps it; nothing is read but the manifest. Raises NotFound, Malformed, Corrupt where a file is not as long as
    it was."""
    manifest = read_manifest(folder)
    return Stored(manifest, tuple(_map(folder, part) for part in manifest.parts), compiled)


def _segment(columns: Columns, part: Part) -> Segment:
    ptr, row, target, cum_out, in_off, balance = (columns[name] for name in _INDEX)
    amounts, arrived = columns["amounts"], columns.get("arrived")
    return Segment(columns.get("keys"), ptr, row, target, cum_out, in_off, balance, amounts, arrived, part.first_row)


def _map(folder: Path, part: Part) -> Columns:
    columns: Columns = {}
    for name, (size, _) in part.files.items():
        path = folder / part.name / f"{name}.npy"
        try:
            if path.stat().st_size != size:
                raise Corrupt(f"{path} has {path.stat().st_size} bytes and had {size}: build the ledger again")
            columns[name] = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
        except (FileNotFoundError, ValueError):
            raise Corrupt(f"{path} is not there, or no column: build the ledger again") from None
    return columns


def check_files(folder: Path) -> None:
    """Read every file and compare its SHA-256. Raises Corrupt."""
    for part in read_manifest(folder).parts:
        for name, (_, digest) in part.files.items():
            path = folder / part.name / f"{name}.npy"
            if not path.is_file() or _digest(path) != digest:
                raise Corrupt(f"{path} is not what was written: build the ledger again")


# --- writing ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What building or appending did."""

    manifest: Manifest
    rows: int
    implied: int


def write_ledger(folder: Path, booked: Booked, reversing: int = 0, told: Told = lambda _: None) -> Outcome:
    """The ledger of `booked` under `folder`, in place of what was there. Raises Malformed where that is something else,
    Refused as build_index."""
    _check_place(folder)
    ledger = booked.ledger
    told(f"index of {len(ledger.sources)} transfers between {len(ledger.pots)} pots")
    index, totals = build_index(ledger)
    assets = tuple(dict.fromkeys(pot.asset for pot in ledger.pots if pot.account))
    columns = {**_ledger_columns(ledger, ledger.pots, assets), "opening": ledger.opening}
    stops = ledger.terminal.astype(np.uint8)
    stops[OUTSIDE] = 1
    columns["stops"] = stops
    if not index.wide:
        columns |= _index_columns(index.segments[0]) | {"received": totals.received, "paid": totals.paid}
    folder.mkdir(parents=True, exist_ok=True)
    told("writing")
    part = _write_part(folder, columns, (0, len(ledger.sources)), (0, len(ledger.pots)))
    manifest = Manifest(assets, int(booked.implied.sum()), reversing, int(ledger.batches.max(initial=-1)) + 1,
                        index.wide, (part,))  # fmt: skip
    manifest.write(folder)
    _sweep(folder, manifest)
    return Outcome(manifest, len(ledger.sources), manifest.implied)


def _check_place(folder: Path) -> None:
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise Malformed(f"{folder} is there and is no ledger: name a new folder")


def _ledger_columns(ledger: Ledger, pots: Sequence[Pot], assets: Sequence[str]) -> Columns:
    """Without the opening, which only new pots have."""
    codes = {asset: code for code, asset in enumerate(assets)}
    columns: Columns = {
        "sources": ledger.sources, "targets": ledger.targets, "amounts": ledger.amounts, "times": ledger.times,
        "batches": ledger.batches, "assets": np.array([codes.get(pot.asset, 0) for pot in pots], np.uint16),
    }  # fmt: skip
    if ledger.arrived is not ledger.amounts:
        columns["arrived"] = ledger.arrived
    columns |= {f"refs.{name}": column for name, column in names_columns(ledger.refs).items()}
    return columns | {f"pots.{name}": column for name, column in names_columns([p.account for p in pots]).items()}


def _index_columns(segment: Segment) -> Columns:
    columns: Columns = {name: getattr(segment, name) for name in _INDEX}
    if segment.keys is not None:
        columns["keys"] = segment.keys
    return columns


def _write_part(folder: Path, columns: Columns, rows: tuple[int, int], pots: tuple[int, int]) -> Part:
    place = Path(tempfile.mkdtemp(dir=folder, prefix="part-"))
    place.chmod(0o755)
    files = {}
    for name, column in columns.items():
        path = place / f"{name}.npy"
        with path.open("wb") as file:
            np.save(file, column, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        files[name] = (path.stat().st_size, _digest(path))
    return Part(place.name, *rows, *pots, files)


def _digest(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _sweep(folder: Path, manifest: Manifest) -> None:
    """What no manifest names: parts of a ledger that was, or of a build that was killed."""
    named = {part.name for part in manifest.parts}
    for path in folder.glob("part-*"):
        if path.name not in named and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def append_ledger(folder: Path, fresh: Booked, reversing: int = 0) -> Outcome:
    """Book what came since behind what is there: work and space for the new rows alone.

    `fresh` is a ledger of its own, whose openings are not looked at: what known accounts have is known. Raises
    Malformed for a ref that is there already, Refused where an account pays what it has not got: then an
    implied opening was too small, and the whole is to be built again.
    """
    stored = open_ledger(folder)
    manifest, ledger = stored.manifest, fresh.ledger
    if manifest.wide:
        raise Refused("sums of this ledger pass 2^63 - 1, so nothing can be appended: build it again from all files")
    for place, ref in enumerate(ledger.refs):
        if any(refs.find(ref) for refs in stored.refs):
            raise Malformed(f"row {place + 1}: ref {ref} is in the ledger already: leave it out")
    numbers, new = _numbers(stored, ledger.pots)
    ledger = replace(ledger, sources=numbers[ledger.sources], targets=numbers[ledger.targets],
                     arrived=ledger.arrived, batches=_shifted(ledger.batches, manifest.batches))  # fmt: skip
    columns, implied = _appended(stored, ledger, new)
    assets = tuple(dict.fromkeys([*manifest.assets, *(pot.asset for pot in new)]))
    columns |= _ledger_columns(ledger, new, assets)
    terminal = {stored.pots[int(p)].account for p in np.flatnonzero(stored.whole("stops")) if p != OUTSIDE}
    columns["stops"] = np.array([pot.account in terminal for pot in new], np.uint8)
    part = _write_part(folder, columns, (manifest.rows, len(ledger.sources)), (manifest.pots, len(new)))
    after = replace(manifest, assets=assets, implied=manifest.implied + implied, parts=(*manifest.parts, part),
                    reversing=manifest.reversing + reversing,
                    batches=max(manifest.batches, int(ledger.batches.max(initial=-1)) + 1))  # fmt: skip
    after.write(folder)
    _sweep(folder, after)
    return Outcome(after, part.rows, implied)


def _shifted(batches: Units, by: int) -> Units:
    return np.where(batches < 0, batches, batches + by)


def _numbers(stored: Stored, pots: Sequence[Pot]) -> tuple[NDArray[np.uint32], list[Pot]]:
    """The number in the stored ledger of each pot of a fresh one, and those that are new."""
    numbers, new = [], list[Pot]()
    for pot in pots:
        known = [OUTSIDE] if not pot.account else [
            number for number in stored.pots.of_account(pot.account) if stored.pots[number] == pot
        ]  # fmt: skip
        numbers.append(known[0] if known else len(stored.pots) + len(new))
        if not known:
            new.append(pot)
    return np.array(numbers, np.uint32), new


def _appended(stored: Stored, ledger: Ledger, new: Sequence[Pot]) -> tuple[Columns, int]:
    """The index of the new rows, what their pots have in total then, and the openings of new pots."""
    keys = np.union1d(np.array([OUTSIDE], np.uint32), np.concatenate([ledger.sources, ledger.targets]))
    keys = np.union1d(keys, np.arange(len(stored.pots), len(stored.pots) + len(new))).astype(np.uint32)
    totals = stored.totals_of(keys)
    is_new = keys >= len(stored.pots)
    given = np.where(is_new, -1, totals.received - totals.paid)
    given[0] = -1
    sources, targets = (np.searchsorted(keys, pots).astype(np.uint32) for pots in (ledger.sources, ledger.targets))
    opening, uncovered = open_pots(Moves(sources, targets, ledger.amounts, ledger.arrived), given)
    if uncovered:
        rows = ", ".join(str(stored.manifest.rows + row + 1) for row, _ in uncovered[:10])
        raise Refused(f"row {rows}: an account pays more than it has by this ledger. Build it again from all files, "
                      "with its opening balance")  # fmt: skip
    totals.received[is_new] = opening[is_new]
    segment = append_segment(ledger, stored.manifest.rows, keys, totals)
    if segment is None:
        raise Refused("with these rows a sum passes 2^63 - 1: build the ledger again from all files")
    columns = {**_index_columns(segment), "received": totals.received, "paid": totals.paid}
    return columns | {"opening": opening[is_new]}, int((opening[is_new] > 0).sum())
