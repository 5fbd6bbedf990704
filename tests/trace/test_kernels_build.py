"""The package is built with compiled loops where there is a compiler, and without them, with a warning, where not."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arrp.core.errors import Malformed
from arrp.node.environment import kernels_from_environment
from arrp.trace.kernels import COMPILED, Compiled
from tests.house.source import ROOT

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")


class _Interface:
    """As much of hatchling's build hook as ours uses: the tool itself is there only while a package is built."""

    def __init__(self, root: Path, target: str) -> None:
        self.root, self.target_name, self.app, self.warnings = str(root), target, self, list[str]()

    def display_warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """hatch_build.py as a module."""
    interface = ModuleType("interface")
    interface.BuildHookInterface = _Interface  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hatchling.builders.hooks.plugin.interface", interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the sources and a library of yesterday."""
    (tmp_path / "src/arrp/trace").mkdir(parents=True)
    shutil.copytree(ROOT / "src/arrp/trace/kernels_c", tmp_path / "src/arrp/trace/kernels_c")
    (tmp_path / "src/arrp/trace/_kernels.so").write_bytes(b"yesterday")
    return tmp_path


def built(hook: Any, tree: Path, target: str = "wheel") -> tuple[dict[str, Any], list[str]]:
    told: dict[str, Any] = {"artifacts": [], "pure_python": True}
    made = hook.KernelsHook(tree, target)
    made.initialize("standard", told)
    return told, made.warnings


@needs_compiler
def test_with_a_compiler_the_library_is_in_the_wheel(hook: Any, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    told, warnings = built(hook, tree)
    assert warnings == []
    assert told["artifacts"] == ["src/arrp/trace/_kernels.so"]
    assert not told["pure_python"]
    assert told["tag"].startswith("py3-none-")
    assert (tree / "src/arrp/trace/_kernels.so").stat().st_size > 10_000


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_one_the_package_is_built_all_the_same(
    hook: Any, tree: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    told, (warning,) = built(hook, tree)
    assert "built without compiled kernels" in warning
    assert compiler in warning
    assert told == {"artifacts": [], "pure_python": True}
    assert not (tree / "src/arrp/trace/_kernels.so").exists(), "one of other sources does not stay"


def test_a_source_distribution_compiles_nothing(hook: Any, tree: Path) -> None:
    assert built(hook, tree, "sdist") == ({"artifacts": [], "pure_python": True}, [])


@pytest.mark.skipif(COMPILED is None, reason="the package was built without a compiler")
def test_the_library_is_of_the_sources_that_are_here(hook: Any) -> None:
    assert COMPILED
    assert COMPILED.sources in ("", hook.digest(ROOT / "src/arrp/trace/kernels_c")), "the C was edited: build it again"


@pytest.mark.parametrize(("said", "found"), [("", COMPILED), ("on", COMPILED), ("off", None)])
def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch, said: str, found: Compiled | None) -> None:
    monkeypatch.setenv("ARRP_KERNELS", said)
    assert kernels_from_environment() is found


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARRP_KERNELS", "fast")
    with pytest.raises(Malformed, match="on or off"):
        kernels_from_environment()
