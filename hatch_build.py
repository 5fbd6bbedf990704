"""When the package is built: the compiled loops of tracing, where there is a compiler (docs/adr/0019).

Without one, or with one that fails, there is a warning and the package is built all the same; what it
computes is the same, slower. `CC` names the compiler; else cc, gcc or clang, whichever is there.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "src/arrp/trace/_kernels.so"
SOURCES = "src/arrp/trace/kernels_c"
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared")
SECONDS = 300  # a compiler that needs longer hangs


class KernelsHook(BuildHookInterface):
    """Compiles into the tree, for an editable installation, and gives the file to a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        library = root / LIBRARY
        if why := compile_kernels(root / SOURCES, library):
            library.unlink(missing_ok=True)  # one of an earlier source would be asked in the wrong words
            self.app.display_warning(f"arrp is built without compiled kernels, so tracing is slower: {why}")
            return
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compile_kernels(sources: Path, library: Path) -> str:
    """Compile to `library`, whole or not at all; "", or why there is none."""
    compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or shutil.which("gcc") or "clang"]
    if not shutil.which(compiler[0]):
        return f"there is no compiler {compiler[0]}: install one, or name it in CC"
    unfinished = library.with_suffix(".part")
    told = f'-DARRP_SOURCES="{digest(sources)}"'
    files = [str(path) for path in sorted(sources.glob("*.c"))]
    try:
        done = subprocess.run(  # noqa: S603 - the compiler that whoever builds has named
            [*compiler, *FLAGS, told, "-o", str(unfinished), *files],
            capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{compiler[0]} could not be run ({error})"
    if done.returncode or not unfinished.exists():
        unfinished.unlink(missing_ok=True)
        return f"{compiler[0]} failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[0]}"
    unfinished.replace(library)
    return ""


def digest(sources: Path) -> str:
    """Of the C that a library was made of: a test compares it with the C that is there."""
    texts = (path.name.encode() + b"\0" + path.read_bytes() for path in sorted(sources.glob("*.[ch]")))
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
