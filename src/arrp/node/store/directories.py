"""Every version of the directory that counted on this node: what it must never go back behind (R-34)."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Connection, insert, select

from arrp.core.errors import Conflict, Refused
from arrp.node.store.tables import directories
from arrp.wire.announced import Change, changes
from arrp.wire.directory import Opened, open_edition
from arrp.wire.signed_text import read_signed

log = logging.getLogger("arrp.directory")

_NEWEST = select(directories).order_by(directories.c.version.desc()).limit(2)


def take_up(connection: Connection, opened: Opened, now: datetime) -> None:
    """This version counts from now on; what it changes is written to the telemetry. The one that counts already is
    no matter. Raises Refused for an older one, Conflict for another one of the same number."""
    version, digest = opened.edition.version, opened.signed.digest
    newest = connection.execute(_NEWEST).first()
    if newest is not None and version < newest.version:
        raise Refused(f"version {version} of the directory is older than version {newest.version}, which this node "
                      "had: it is never rolled back; put the newest one in force", rule="R-34")
    if newest is not None and version == newest.version:
        if digest != newest.digest:
            raise Conflict(f"there are two versions {version} of the directory: keep both, and call its keepers",
                           rule="R-34")
        return
    connection.execute(insert(directories).values(version=version, digest=digest, file=opened.signed.file(), at=now))
    log.info("version %d of the directory, %s, counts from now on", version, digest)
    if newest is not None:
        for change in newest_changes(connection):
            (log.error if change.revoked else log.warning)("directory %d: %s", version, change.said)


def file_of(connection: Connection, version: int | None) -> bytes | None:
    """The file of a version that counted here, of the newest one for None; None when it never did."""
    wanted = _NEWEST if version is None else select(directories).where(directories.c.version == version)
    found = connection.execute(wanted).first()
    return bytes(found.file) if found is not None else None


def newest_changes(connection: Connection) -> tuple[Change, ...]:
    """What the version that counts changed of the one that counted before it here."""
    versions = [open_edition(read_signed(row.file)) for row in connection.execute(_NEWEST)]
    return changes(versions[1] if len(versions) > 1 else None, versions[0]) if versions else ()
