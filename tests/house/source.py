"""The project as the house rules read it: its modules as syntax trees, its texts as lines."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "arrp"

_NOT_OURS = {"__pycache__", "build", "dist", "node_modules", "vendor"}
_MADE_BY_THE_DEMO = ROOT / "demo"
_HIDDEN_BUT_OURS = {".ci", ".github", ".gitignore", ".dockerignore"}
_TEXT = {".py", ".md", ".toml", ".txt", ".json", ".html", ".css", ".js", ".svg", ".yaml", ".yml", ".sql", ".csv", ""}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file. `name` is its path below src/arrp or the project: `core/money.py`."""

    name: str
    text: str

    @property
    def room(self) -> str:
        """The part of the house it stands in: `core`, `node`, …; `cli` for a file at the top."""
        return self.name.split("/")[0].removesuffix(".py")

    @property
    def dotted(self) -> str:
        """The name it is imported by: `arrp.core.money`."""
        return ".".join(("arrp", *self.name.removesuffix(".py").split("/"))).removesuffix(".__init__")

    @property
    def tree(self) -> ast.Module:
        return _parse(self.text)

    def comments(self) -> Iterator[tuple[int, str]]:
        """Each comment with its line."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    def docstrings(self) -> Iterator[str]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Module | ast.ClassDef | Function):
                yield ast.get_docstring(node) or ""


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def modules(under: Path = SRC) -> tuple[Module, ...]:
    """Every Python file below a folder, in the order of its name."""
    return tuple(
        Module(path.relative_to(under).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(under.rglob("*.py"))
        if not _NOT_OURS.intersection(path.relative_to(under).parts)
    )


@cache
def texts() -> tuple[Path, ...]:
    """Every file of the project that people write and read: no lock file, no environment, nothing generated."""
    return tuple(path for path in sorted(_walk(ROOT)) if path.suffix in _TEXT and path.name != "uv.lock")


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if (
            path.name in _NOT_OURS
            or path == _MADE_BY_THE_DEMO
            or (path.name.startswith(".") and path.name not in _HIDDEN_BUT_OURS)
        ):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path
