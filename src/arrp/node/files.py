"""Files that are there whole or not at all; what cannot be read or written is an error people understand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arrp.core.errors import ArrpError, Conflict, Malformed, NotFound

BYTES_MAX = 64 << 20


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
        raise ArrpError(f"{path}: {why.strerror}") from None
