"""The ledger of the institution that runs this node, as its core reads it: account by account, in booking order.

A ledger only grows. How many rows were read, and their digest, outlive the process; where what was read
before is gone or reads otherwise, nothing is answered from it any more: a leg that was told cannot be
taken back, so a correction is a new row with `reverses`.

Everything is kept in memory, about 1.5 kB a row. What an account had before the first row is given, or
nothing: an opening that later rows imply would number its coins anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from io import StringIO
from operator import attrgetter
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

from sqlalchemy.exc import DBAPIError

from arrp.connectors import CoreDown
from arrp.connectors.manual import ManualCore
from arrp.connectors.reading import CAN, CAN_ON_CHAIN, Kept, LedgerCore
from arrp.core.account import institution_of
from arrp.core.coins import Coins
from arrp.core.errors import ArrpError, Malformed
from arrp.core.ledger import End, Ledger, Transfer
from arrp.node.files import read_file
from arrp.node.ledger_feeds import Batch, Feed, FileFeed, SqlFeed
from arrp.node.ledger_settings import LedgerSettings
from arrp.trace.account import follow_account
from arrp.wire.ledger_csv import read_opening_csv
from arrp.wire.ledger_own import OwnAccounts, OwnRow

log = logging.getLogger("arrp.ledger")

_OPENING_BYTES_MAX = 1 << 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Pot = tuple[str, str]  # account, asset
_NAMED = attrgetter("ref", "reverses", "uetr", "end_to_end", "ends")


class Memory(Protocol):
    """How far the ledger was read, kept where it outlives the process."""

    def reading(self) -> tuple[int, str]: ...

    def keep_reading(self, rows: int, digest: str) -> None: ...


@dataclass(frozen=True, slots=True)
class KeptHere:
    """What is known beside the rows. opening: minor units before the first. institutions: prefixes of those whose
    accounts are kept here, a chain by its whole name; none named, all accounts of the ledger are."""

    opening: Mapping[_Pot, int]
    institutions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The openings in one order: another opening numbers the coins otherwise, so it is part of what was read."""
        return json.dumps(sorted((*pot, units) for pot, units in self.opening.items()))

    def keeps(self, account: str) -> bool:
        if not account or not self.institutions:
            return bool(account)
        at = institution_of(account) if _is_account(account) else ""
        return any(at == one or (":" not in one and at.startswith(one)) for one in self.institutions)


@dataclass(slots=True)
class _Rows:
    """What was read."""

    rows: list[OwnRow] = field(default_factory=list)
    by_ref: dict[str, int] = field(default_factory=dict)
    by_name: dict[str, list[int]] = field(default_factory=dict)
    by_pot: dict[_Pot, list[int]] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    returns: dict[str, list[int]] = field(default_factory=dict)  # by the ref that they reverse
    carries: dict[int, Coins] = field(default_factory=dict)
    digest: Any = field(default_factory=sha256)

    def take(self, row: OwnRow) -> None:
        """Raises Malformed, naming the row."""
        if self.rows and row.sequence <= self.rows[-1].sequence:
            raise Malformed(f"row {row.sequence} comes after row {self.rows[-1].sequence}: booking numbers only rise")
        if (earlier := self.by_ref.get(row.ref)) is not None:
            raise Malformed(f"row {row.sequence}: ref {row.ref} stands on row {self.rows[earlier].sequence} already")
        if row.reverses:
            self._check_return(row)
        place = len(self.rows)
        self.rows.append(row)
        self.by_ref[row.ref] = place
        for name in row.refs:
            self.by_name.setdefault(name, []).append(place)
        if row.source_pot != row.target_pot:  # from an account to itself nothing moves
            self.by_pot.setdefault(row.source_pot, []).append(place)
            self.by_pot.setdefault(row.target_pot, []).append(place)
        for account, holder in ((row.source, row.from_name), (row.target, row.to_name)):
            if holder:
                self.holders[account] = holder
        said = (row.sequence, row.time, *row.source_pot, *row.target_pot, row.amount, row.to_amount, *_NAMED(row))
        self.digest.update(json.dumps(said).encode())

    def _check_return(self, row: OwnRow) -> None:
        where = f"row {row.sequence} reverses {row.reverses}"
        place = self.by_ref.get(row.reverses)
        if place is None:
            raise Malformed(f"{where}: no earlier row has that ref")
        before = self.rows[place]
        if before.source_pot != row.target_pot or before.target_pot != row.source_pot:
            raise Malformed(f"{where}: it does not go the same way back")
        returns = self.returns.setdefault(row.reverses, [])
        if row.amount + sum(self.rows[earlier].amount for earlier in returns) > before.to_amount:
            raise Malformed(f"{where}: more goes back than was paid by it")
        returns.append(len(self.rows))


class OwnLedger:
    """One ledger; several threads may ask."""

    def __init__(self, feed: Feed, here: KeptHere, memory: Memory) -> None:
        self._feed, self._here, self._memory = feed, here, memory
        self._read, self._said, self._lock = _Rows(), "", RLock()
        self._known: tuple[int, str] | None = None

    def newest(self) -> tuple[int, datetime | None]:
        rows = self._refreshed().rows
        return (rows[-1].sequence, _instant(rows[-1])) if rows else (0, None)

    def account(self, account: str, asset: str) -> Kept | None:
        with self._lock:
            read, pot = self._refreshed(), (account, asset)
            if not self._here.keeps(account) or (pot not in read.by_pot and pot not in self._here.opening):
                return None
            as_of = read.rows[-1].sequence if read.rows else 0
            ledger = Ledger(self._here.opening.get(pot, 0), self._transfers(pot, len(read.rows)), as_of)
            return Kept(f"{account} {asset}", asset, read.holders.get(account, ""), ledger)

    def by_ref(self, ref: str) -> Kept | None:
        account, _, asset = ref.rpartition(" ")
        return self.account(account, asset)

    def credited(self, refs: tuple[str, ...]) -> tuple[str, str, str] | None:
        with self._lock:
            read = self._refreshed()
            rows = (read.rows[place] for ref in refs for place in read.by_name.get(ref, ()))
            found = next((row for row in rows if self._here.keeps(row.target)), None)
            return None if found is None else (found.target, f"{found.target} {found.to_asset}", found.ref)

    def booked_by(self, at: datetime) -> int:
        rows, instant = self._refreshed().rows, (at - _EPOCH) // timedelta(microseconds=1)
        return next((row.sequence for row in reversed(rows) if row.time <= instant), 0)

    # --- reading --------------------------------------------------------------------------------------

    def _refreshed(self) -> _Rows:
        """Raises CoreDown, and says so in the log once."""
        with self._lock:
            try:
                self._take(self._feed.read())
            except (ArrpError, OSError, DBAPIError) as error:
                why = str(error.orig) if isinstance(error, DBAPIError) else str(error)
                said = f"the ledger {self._feed.name} cannot be read: {why}"
                self._feed.forget()
                if said != self._said:
                    log.error("alarm: %s", said)
                self._said = said
                raise CoreDown(said) from error
            self._said = ""
            return self._read

    def _take(self, batch: Batch) -> None:
        if not batch.rows and not batch.anew:
            return
        if self._known is None:
            self._known = self._memory.reading()
        read = _Rows(digest=sha256(self._here.text.encode())) if batch.anew else self._read
        rows, digest = self._known if batch.anew else (0, "")
        for row in batch.rows:
            read.take(row)
            if len(read.rows) == rows and read.digest.hexdigest() != digest:
                raise Malformed(f"what was read of it before ({rows} rows) reads otherwise now. A ledger only grows: "
                                "put back what was there, and correct by new rows with `reverses`")
        if len(read.rows) < rows:
            raise Malformed(f"it has {len(read.rows)} rows, and {rows} were read of it before. A ledger only grows: "
                            "put back what is missing")
        self._read = read
        now = (len(read.rows), read.digest.hexdigest())
        if now != self._known:
            self._memory.keep_reading(*now)
        self._known = now

    # --- one account ----------------------------------------------------------------------------------

    def _transfers(self, pot: _Pot, end: int) -> tuple[Transfer, ...]:
        """Of the rows before place `end`."""
        places = [place for place in self._read.by_pot.get(pot, ()) if place < end]
        return tuple(self._transfer(place, incoming=self._read.rows[place].target_pot == pot) for place in places)

    def _transfer(self, place: int, *, incoming: bool) -> Transfer:
        row = self._read.rows[place]
        other, name, agent = ((row.source, row.from_name, row.from_agent) if incoming
                              else (row.target, row.to_name, row.to_agent))
        is_account = _is_account(other)
        ends = End(row.ends) if row.ends else None if row.target else End.CASH
        return Transfer(
            row.sequence, row.ref, incoming, row.to_amount if incoming else row.amount, _instant(row),
            other=other if is_account else "", other_name=name or ("" if is_account else other), agent=agent,
            purpose=row.purpose, uetr=row.uetr, end_to_end=row.end_to_end, reverses=row.reverses,
            carries=self._carries(place) if row.reverses else None, ends=None if incoming else ends,
        )  # fmt: skip

    def _carries(self, place: int) -> Coins:
        """Which coins inside the payment that it reverses a return carries back: the first of them that are there
        still, by the ledger of who returns. Of one elsewhere: the first that nobody brought back."""
        read = self._read
        if place not in read.carries:
            row = read.rows[place]
            before = read.rows[read.by_ref[row.reverses]]
            if self._here.keeps(row.source):
                followed = follow_account(self._transfers(row.source_pot, place),
                                          self._here.opening.get(row.source_pot, 0), ())
                coins = followed.coins_of(before.ref)
                there = followed.free(coins).shifted(-coins.spans[0][0])
            else:
                there = Coins(((0, before.to_amount),))
                for earlier in read.returns[row.reverses]:
                    there = there - self._carries(earlier) if earlier < place else there
            read.carries[place] = there.lowest(row.amount)
        return read.carries[place]


@lru_cache(maxsize=1 << 16)
def _is_account(text: str) -> bool:
    """Whether anybody else could be asked about it: a till or a fee account is a name of this ledger alone."""
    try:
        return bool(institution_of(text))
    except Malformed:
        return False


def _instant(row: OwnRow) -> datetime:
    return _EPOCH + timedelta(microseconds=row.time)


@dataclass(frozen=True, slots=True)
class OnlyLooking:
    """The memory of who looks at a ledger and leaves nothing behind."""

    memory: Memory

    def reading(self) -> tuple[int, str]:
        return self.memory.reading()

    def keep_reading(self, rows: int, digest: str) -> None:
        """The node will read so far itself."""


def ledger_core(settings: LedgerSettings, hands: ManualCore, memory: Memory | None = None) -> LedgerCore:
    """The core of a node whose ledger is read while its clerks hold. `memory`: the clerks' file, if not said.

    Raises NotFound, Malformed."""
    chain = settings.accounts[0] if settings.form == "chain" else ""
    feed = SqlFeed(settings.place, settings.query) if settings.form == "sql" else FileFeed(Path(settings.place), chain)
    ledger = OwnLedger(feed, KeptHere(_opening(settings.opening), settings.accounts), memory or hands)
    return LedgerCore(ledger, hands, CAN_ON_CHAIN if chain else CAN)


def _opening(path: Path | None) -> dict[_Pot, int]:
    if path is None:
        return {}
    accounts = OwnAccounts()
    found, refused = read_opening_csv(StringIO(read_file(path, _OPENING_BYTES_MAX).decode(errors="replace")))
    if refused:
        raise Malformed(f"{path}: {refused[0]}")
    return {(accounts.normal(account), asset): units for (account, asset), units in found.items()}
