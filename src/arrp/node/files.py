"""Files that are there whole or not at all; what cannot be read or written is an error people understand."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from arrp.core.errors import ArrpError, Conflict, Malformed, NotFound
from arrp.core.messages import DOCUMENT_BYTES_MAX, PAGE_BYTES

BYTES_MAX = 64 << 20
KEPT_BYTES = 256 << 20  # of a disk, for what must still be written when nothing new is taken

_DIGEST = re.compile(r"[0-9a-f]{64}")


def read_file(path: Path, bytes_max: int = BYTES_MAX) -> bytes:
    """The bytes of a file. Raises NotFound, and Malformed for what is no file or too long."""
    with _named(path), path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise Malformed(f"{path} has more than the {bytes_max} bytes allowed: split it")
    return data


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """A file that was not there before. Raises Conflict where there is one."""
    with _named(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        try:
            _fill(handle, data)
        except OSError:
            path.unlink()
            raise


def replace_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """The new content under the name, in one moment: who reads sees the old file or the new one.
    `mode` is for a file that was not there; an old one keeps its own."""
    with _named(path):
        mode = path.stat().st_mode & 0o777 if path.exists() else mode
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            os.fchmod(handle, mode)
            _fill(handle, data)
            os.replace(beside, path)
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise
        _keep_names(path.parent)


def settle(file: IO[bytes], path: Path) -> None:
    """What was written into a file beside `path` takes its name, in one moment and on the disk."""
    with _named(path):
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, path)
        _keep_names(path.parent)


def is_nearly_full(folder: Path) -> bool:
    """Whether only that is left of a disk which is kept for ends, releases and returns (F03): a twentieth of it, of a
    large one KEPT_BYTES."""
    usage = shutil.disk_usage(folder)
    return usage.free < min(usage.total // 20, KEPT_BYTES)


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _keep_names(folder: Path) -> None:
    """A rename is on the disk once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        missing = path if path.parent.is_dir() else path.parent
        raise NotFound(f"there is no {missing}") from None
    except FileExistsError:
        raise Conflict(f"{path} is there already: move it away, or choose another name") from None
    except (IsADirectoryError, NotADirectoryError, PermissionError, ValueError) as why:
        raise Malformed(f"{path} cannot be used as a file: {getattr(why, 'strerror', None) or why}") from None
    except OSError as why:
        kind = Malformed if why.errno in (errno.ENAMETOOLONG, errno.ELOOP) else ArrpError
        raise kind(f"{path}: {why.strerror}") from None


# --- documents ---------------------------------------------------------------------------------------------


class Files:
    """A folder of files that lie there under their SHA-256 and nothing else (R-58)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, pieces: Iterable[bytes]) -> tuple[str, int]:
        """(digest, bytes) of a file that comes in pieces; it is on the disk when this returns. Raises
        Malformed for more than 20 MB, and for nothing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest, size, is_kept = sha256(), 0, False
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".coming.", delete=False) as file:
            try:
                for piece in pieces:
                    size += len(piece)
                    _check_size(size)
                    digest.update(piece)
                    file.write(piece)
                if size == 0:
                    raise Malformed("this document is empty", rule="R-58")
                settle(file, self.path(digest.hexdigest()))
                is_kept = True
            finally:
                if not is_kept:
                    Path(file.name).unlink(missing_ok=True)
        return digest.hexdigest(), size

    def path(self, digest: str) -> Path:
        """Raises Malformed for what is no digest: nobody else's file is ever named."""
        if not _DIGEST.fullmatch(digest):
            raise Malformed(f"{digest[:80]!r} is no SHA-256 digest of 64 lower-case hex digits", rule="R-58")
        return self.folder / digest

    def here(self, digest: str) -> Path:
        """Where a file that is here lies; a store that was restored without its files may name others. Raises
        Malformed, NotFound."""
        path = self.path(digest)
        if not path.is_file():
            raise NotFound(f"document {digest[:12]} is not on this node: ask again later, or ask who named it",
                           rule="R-58", code="no-document")
        return path

    def page(self, digest: str, offset: int) -> bytes:
        """Its bytes from `offset` on, at most a page. Raises NotFound."""
        with self.here(digest).open("rb") as file:
            file.seek(offset)
            return file.read(PAGE_BYTES)

    @property
    def erased(self) -> Path:
        """The list of erased cases, ids only: it lies outside the store and its backups (R-60)."""
        return self.folder.parent / "erased.log"

    def note_erased(self, cases: Iterable[str]) -> None:
        """Before the store forgets them: a backup that still knows them forgets them again."""
        with _named(self.erased):
            handle = os.open(self.erased, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            _fill(handle, "".join(f"{id}\n" for id in cases).encode("ascii"))

    def remove(self, digests: Iterable[str]) -> None:
        for digest in digests:
            self.path(digest).unlink(missing_ok=True)


def _check_size(size: int) -> None:
    if size > DOCUMENT_BYTES_MAX:
        raise Malformed(f"a document has at most {DOCUMENT_BYTES_MAX} bytes: scan it smaller, or split it", rule="R-58",
                        code="too-large")
