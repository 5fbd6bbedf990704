"""A directory made by commands alone: two keepers, both of whom sign."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import data, ok

NAMES = ("kim", "lee")


def keepers(folder: Path) -> list[object]:
    """Their keys below `folder`, and the words that name them in a first directory."""
    named: list[object] = ["--threshold", 2]
    for name in NAMES:
        (folder / f"{name}.json").write_text(ok("directory", "keeper", folder / f"{name}.pem", "--name", name))
        named += ["--keeper", folder / f"{name}.json"]
    return named


def signed(folder: Path, draft: Path, *after: object) -> Path:
    for name in NAMES:
        ok("directory", "sign", draft, "--key", folder / f"{name}.pem", *after)
    return draft


def found(folder: Path, *homes: Path) -> Path:
    """The first directory, of these homes."""
    draft = folder / "directory-1.json"
    ok("directory", "add", draft, *(home / "entry.json" for home in homes), *keepers(folder))
    return signed(folder, draft)


def put_in_force(home: Path, directory: Path) -> None:
    """As the people of a home do who had the digest read out to them."""
    digest = data("directory", "show", directory)["keepers_digest"]
    ok("directory", "publish", home, directory, "--keepers-digest", digest)
