"""What is wrong with a node, and what to do: settings, keys, disk, store, clock, peers, core, clocks, log.

It reads and never writes, and works whether the node runs or not. One that cannot be examined is a
finding, not an exception: the sick node is the one that is asked.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from arrp.connectors import Connector
from arrp.connectors.reading import AccountLedger, LedgerCore
from arrp.core.errors import ArrpError
from arrp.node.clock import Clock
from arrp.node.config import Config
from arrp.node.directory import Directory, trusted_directory
from arrp.node.files import is_nearly_full
from arrp.node.keys import NodeKeys, load_node_keys
from arrp.node.store import cases, recovering, work
from arrp.node.store.migrate import newest_version, version_of
from arrp.node.store.tables import cases as case_table
from arrp.node.store.tables import checkpoints, outbox
from arrp.node.verify import verify

OK, WARNING, FAILING = "ok", "warning", "failing"
SKEW = timedelta(seconds=5)
LEDGER_OLD = timedelta(hours=1)
LATE = timedelta(seconds=60)  # I6
WAITING = timedelta(minutes=5)
FREE_PART = 0.10
WAL_BYTES = 64 << 20
_OTHERS = 0o077
_INTEGRITY = ("store", "log")


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, how it is, what was seen, and what to do about it."""

    what: str
    state: str
    seen: str
    do: str = ""

    @property
    def breaks_integrity(self) -> bool:
        return self.state == FAILING and self.what in _INTEGRITY


@dataclass(frozen=True, slots=True)
class Patient:
    """A node to be examined. `reach` asks an address for its health and raises Unreachable."""

    config: Config
    clock: Clock
    core: Connector | None
    reach: Callable[[str], None]


def examine(patient: Patient) -> list[Finding]:
    """Everything that can be seen from outside, in the order in which it should be mended."""
    found = [*_files(patient.config), *_disk(patient.config.home)]
    directory, keys = _known(patient, found)
    found += _store(patient, directory)
    if directory is not None and keys is not None:
        found += _directory(patient, directory, keys)
        found += _reachable(patient, directory)
    found += _core(patient)
    return found


def _known(patient: Patient, found: list[Finding]) -> tuple[Directory | None, NodeKeys | None]:
    try:
        keys = load_node_keys(patient.config.home)
    except ArrpError as error:
        found.append(Finding("keys", FAILING, str(error), "restore keys/ from where you keep it apart"))
        return None, None
    try:
        return trusted_directory(patient.config.home, keys), keys
    except ArrpError as error:
        found.append(Finding("directory", FAILING, str(error), "fetch the newest directory from its keepers"))
        return None, keys


# --- the machine ---------------------------------------------------------------------------------------------


def _files(config: Config) -> Iterator[Finding]:
    """Who else can read what only the node's account may."""
    open_ = [path.name for path in (config.home, config.home / "node.toml", config.home / "node.sock", config.core_path,
                                    config.home / "node.db", config.home / "erased.log")
             if path.exists() and path.stat().st_mode & _OTHERS]
    if open_:
        yield Finding("permissions", WARNING, f"others can reach {', '.join(open_)}",
                      f"chmod -R go= {config.home}, as the node's own account")
    else:
        yield Finding("permissions", OK, "only the node's account reaches its home")


def _disk(home: Path) -> Iterator[Finding]:
    usage = shutil.disk_usage(home)
    part = usage.free / usage.total
    seen = f"{usage.free >> 20} MB free of {usage.total >> 20}"
    state = FAILING if is_nearly_full(home) else OK if part >= FREE_PART else WARNING
    advice = "free some: what is left is kept for giving back, and nothing new is taken; nothing is lost"
    yield Finding("disk", state, seen, "" if state == OK else advice)


# --- the store -----------------------------------------------------------------------------------------------


def _store(patient: Patient, directory: Directory | None) -> Iterator[Finding]:
    engine = create_engine(patient.config.store)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            yield from _database(connection, patient.config)
            yield from _life(connection, patient.clock.now())
            yield from _late(connection, patient.clock.now())
            yield from _talk(connection, patient.clock.now())
            yield from _clock(connection, patient.clock.now())
    except (DBAPIError, ArrpError) as error:
        why = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        yield Finding("store", FAILING, f"it cannot be read: {why}", "is the database up? else restore a backup: "
                      "arrp node restore")
        return
    finally:
        engine.dispose()
    if directory is not None:
        yield from _log(patient.config, directory)


def _database(connection: Connection, config: Config) -> Iterator[Finding]:
    version, wanted = version_of(connection), newest_version()
    if version != wanted:
        yield Finding("store", WARNING, f"schema {version}, this program has {wanted}", "start the node: it migrates")
    if connection.dialect.name != "sqlite":
        yield Finding("store", OK, f"PostgreSQL answers, schema {version}")
        return
    said = connection.execute(text("PRAGMA integrity_check")).scalar()
    if said != "ok":
        yield Finding("store", FAILING, f"the file is damaged: {said}",
                      "stop the node, keep the file, restore a backup")
        return
    log = Path(f"{connection.engine.url.database}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > WAL_BYTES:
        yield Finding("store", WARNING, f"{size >> 20} MB stand in the write-ahead log",
                      "somebody reads without end: end old backups and shells, restart the node")
    else:
        yield Finding("store", OK, f"SQLite is whole, schema {version}")


def _life(connection: Connection, now: datetime) -> Iterator[Finding]:
    lost = recovering.state(connection)
    owing = ", ".join(sorted(lost.owing))
    if lost.since is not None:
        yield Finding("recovery", WARNING, f"recovering for {_minutes(now - lost.since)}; owed by {owing or 'nobody'}",
                      "wait 15 minutes; telephone whoever is silent")
    elif owing:
        yield Finding("recovery", WARNING, f"{owing} has not told yet what we said to it", "telephone them")
    else:
        yield Finding("recovery", OK, f"it knows what it said, epoch {lost.epoch}")


def _late(connection: Connection, now: datetime) -> Iterator[Finding]:
    due = connection.execute(select(func.min(case_table.c.due_at))).scalar()
    if due is not None and now - due > LATE:
        yield Finding("timers", WARNING, f"a clock is {_minutes(now - due)} late", "is the node running? start it now")
    else:
        yield Finding("timers", OK, "no clock is late")


def _talk(connection: Connection, now: datetime) -> Iterator[Finding]:
    """How far peers lag, and what none of them took."""
    waiting = select(outbox.c.peer, func.count().label("count"), func.max(outbox.c.tries).label("tries")).where(
        outbox.c.state == "queued").group_by(outbox.c.peer)
    slow = [f"{row.peer} ({row.count} acts, {row.tries} tries)" for row in connection.execute(waiting) if row.tries > 5]
    if slow:
        yield Finding("outbox", WARNING, f"not receipted by {', '.join(slow)}",
                      "reach their operators; it is sent again")
    dead = connection.execute(select(func.count()).where(outbox.c.state == "dead")).scalar()
    if dead:
        yield Finding("outbox", WARNING, f"{dead} acts are refused as they are",
                      "is the directory new on both sides? then arrp node send-again")
    if not slow and not dead:
        yield Finding("outbox", OK, "everything is receipted, or just left")
    for peer, anomaly in recovering.anomalies(connection):
        yield Finding("peers", WARNING, f"{peer}: {anomaly}", "tell its operator")
    for peer, _, contradiction in work.kept_checkpoints(connection):
        if contradiction:
            yield Finding("peers", WARNING, f"{peer} showed two histories of its log",
                          "arrp audit witnessed --json; tell its operator")


def _clock(connection: Connection, now: datetime) -> Iterator[Finding]:
    """Peers state their time; what is in the log was written before now."""
    mend = "start time synchronisation (chrony, systemd-timesyncd), then the node again: holds end by this clock"
    written = connection.execute(select(func.max(checkpoints.c.at))).scalar()
    if written is not None and written > now + SKEW:
        yield Finding("clock", FAILING, f"it is {_minutes(written - now)} behind what this node has written", mend)
    apart = recovering.apart(connection)
    far = {peer: by for peer, by in apart.items() if abs(by) > SKEW}
    if not apart:
        yield Finding("clock", OK, "nobody to compare with yet")
    elif len(far) * 2 > len(apart):
        said = ", ".join(f"{peer} {by.total_seconds():+.0f} s" for peer, by in far.items())
        yield Finding("clock", WARNING, f"most peers have another time: {said}", mend)
    elif far:
        yield Finding("clock", OK, f"{len(apart) - len(far)} of {len(apart)} peers have the same time; "
                      f"{', '.join(far)} should look at theirs")
    else:
        yield Finding("clock", OK, f"{len(apart)} peers have the same time")


def _log(config: Config, directory: Directory) -> Iterator[Finding]:
    report = verify(config.store, directory, config.id)
    if report.problems:
        yield Finding("log", FAILING, f"{len(report.problems)} problems, the first: {report.problems[0]}",
                      "stop the node, keep the store as it is: arrp audit verify")
    else:
        yield Finding("log", OK, f"{report.leaves} leaves and {report.checkpoints} checkpoints are what was written")


# --- others -------------------------------------------------------------------------------------------------


def _directory(patient: Patient, directory: Directory, keys: NodeKeys) -> Iterator[Finding]:
    now = patient.clock.now()
    try:
        used = keys.in_use(directory.participant(patient.config.id), now)
        yield Finding("keys", OK, f"{used.signing_id} signs, and the directory says so")
    except ArrpError as error:
        yield Finding("keys", FAILING, str(error), "hand in entry.json again, or restore the keys")
    until = directory.valid_until
    if until is not None and until - now < timedelta(days=14):
        state = FAILING if until <= now else WARNING
        yield Finding("directory", state, f"valid until {until:%Y-%m-%dT%H:%MZ}",
                      "fetch the newest one from its keepers")
    else:
        yield Finding("directory", OK, f"{len(directory.participants)} participants")


def _reachable(patient: Patient, directory: Directory) -> Iterator[Finding]:
    silent = []
    for id, peer in sorted(directory.participants.items()):
        if id != patient.config.id and peer.channel != "paper":
            try:
                patient.reach(f"{peer.address}/health")
            except ArrpError:
                silent.append(id)
    if silent:
        yield Finding("peers", WARNING, f"no answer from {', '.join(silent)}",
                      "their proxy, or your way out: telephone")
    else:
        yield Finding("peers", OK, "all of them answer")


def _core(patient: Patient) -> Iterator[Finding]:
    if patient.core is None:
        if patient.config.core != "none":
            yield Finding("core", FAILING, "it is not connected", "[core] in node.toml")
        return
    if isinstance(patient.core, LedgerCore):
        yield from _ledger(patient.core.ledger, patient.clock.now())
    try:
        patient.core.can()
        in_force = patient.core.holds()
    except ArrpError as error:
        yield Finding("core", FAILING, f"it does not answer: {error}", "its operators; what was asked is asked again")
        return
    now = patient.clock.now()
    late = [block.ref for block in in_force if block.until is not None and block.until <= now]
    unknown = _unknown(patient, {block.ref for block in in_force})
    if late:
        yield Finding("core", FAILING, f"{len(late)} holds past their legal end: {', '.join(late[:3])}",
                      "held without basis: have the core's people let go now")
    if unknown:
        yield Finding("core", WARNING, f"{len(unknown)} holds that no case knows: {', '.join(sorted(unknown)[:3])}",
                      "ask who placed them; a node that is recovering may still learn it")
    if not late and not unknown:
        yield Finding("core", OK, f"{len(in_force)} holds in force, each known here")


def _ledger(ledger: AccountLedger, now: datetime) -> Iterator[Finding]:
    """A hold rests on what the ledger shows, and money moves on in minutes: an export that stands still is behind."""
    try:
        newest, at = ledger.newest()
    except ArrpError as error:
        yield Finding("ledger", FAILING, str(error), "nothing is found or told meanwhile; what is held stays held")
        return
    if at is None:
        yield Finding("ledger", WARNING, "it has no row yet", "is the export running?")
    elif now - at > LEDGER_OLD:
        yield Finding("ledger", WARNING, f"its newest row, {newest}, is {_minutes(now - at)} old",
                      "is the export running? what left since is not seen")
    else:
        yield Finding("ledger", OK, f"its newest row, {newest}, is {_minutes(now - at)} old")


def _unknown(patient: Patient, refs: set[str]) -> set[str]:
    """References of the core that no open case has."""
    engine = create_engine(patient.config.store)
    try:
        with engine.connect() as connection:
            folds = cases.Folds(patient.config.id)
            for row in cases.listed(connection):
                if row.state in ("open", "resolved") and refs:
                    case = folds.read(connection, row.id)
                    refs = refs - {b.ref for book in case.books.values() for b in book.blocks}
                    refs = refs - {intent.block for intent in case.intents.values()}
    except (DBAPIError, ArrpError):
        return set()
    finally:
        engine.dispose()
    return refs


def _minutes(delta: timedelta) -> str:
    seconds = int(delta.total_seconds())
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"
