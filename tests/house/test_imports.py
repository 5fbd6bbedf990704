"""Who may know whom (the arrows of ARCHITECTURE.md), and who may look at a clock or throw dice.

core <-- trace      core <-- wire      core, trace, wire <-- node <-- console, cli      core <-- connectors
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.house.source import Function, Module, modules

# room -> the rooms it may import. `cli` puts the parts together, so it alone sees all of them.
MAY_IMPORT = {
    "core": {"core"},
    "trace": {"core", "trace"},
    "wire": {"core", "wire"},
    "connectors": {"core", "connectors"},
    "law": {"core", "law"},
    "node": {"core", "trace", "wire", "connectors", "law", "node"},
    "console": {"core", "trace", "wire", "node", "console"},
    "sim": {"core", "trace", "wire", "connectors", "law", "node", "sim"},
    "bench": {"core", "trace", "wire", "connectors", "node", "cli", "demo", "bench"},  # it times that scene
    "demo": {"core", "wire", "connectors", "node", "cli", "demo"},  # it plays people at a keyboard
    "cli": {"core", "trace", "wire", "connectors", "law", "node", "console", "sim", "bench", "demo", "cli"},
    "__main__": {"cli"},
    "__init__": set(),
}

# Rooms that compute and touch nothing: what they may use besides the standard library.
PURE = {
    "core": set[str](),
    "trace": {"numpy"},
    "wire": {"cryptography", "joserfc", "lxml", "schwifty"},
}

# Standard modules that reach outside the process, wait, or differ from run to run.
IMPURE = frozenset(
    """
    asyncio atexit concurrent ctypes ftplib getpass glob http imaplib logging mmap multiprocessing os pathlib platform
    poplib queue random sched secrets select selectors shelve shutil signal smtplib socket socketserver sqlite3 ssl
    subprocess sys tempfile threading time urllib.request warnings webbrowser zoneinfo
    """.split()  # noqa: SIM905 - read as a list of words
)
IMPURE_BUILTINS = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}

# Compiled code has one door. It is our own arithmetic over arrays (kernels_c), which reaches nothing either.
COMPILED_CODE = {("trace/kernels.py", "ctypes")}

# What may look at a clock, throw dice or read the environment, and why.
CLOCK = {
    "now": {"node/clock.py"},  # the one clock; everything else gets an instant as an argument
    "random": {"node/clock.py"},  # the one source of ids and jitter; sim/ and bench/ may seed a random.Random
    "uuid1": set[str](),
    "uuid4": {"node/clock.py"},
    "environ": {"node/environment.py"},  # the one reader of settings
    "secrets": {"node/keys.py", "node/clock.py"},  # keys must not be guessable, nor may salts and ids
    "urandom": {"node/keys.py", "node/clock.py"},
}
_SYNONYMS = {
    **dict.fromkeys(("utcnow", "today", "time", "time_ns", "gmtime", "localtime"), "now"),
    **dict.fromkeys(("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"), "now"),
    **dict.fromkeys(("getenv", "environb"), "environ"),
    **dict.fromkeys(("SystemRandom", "randbytes", "getrandbits", "default_rng"), "random"),
}


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Each dotted name the module imports, with its line. `from arrp.core import money` is `arrp.core.money`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{_source(module, node)}.{alias.name}") for alias in node.names)


def _source(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.dotted.split(".") if module.name.endswith("__init__.py") else module.dotted.split(".")[:-1]
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


def wrong_directions(module: Module) -> Iterator[str]:
    allowed = MAY_IMPORT.get(module.room)
    for line, name in imports(module):
        parts = name.split(".")
        if parts[0] != "arrp":
            continue
        if allowed is None:
            yield f"{module.name}:{line} the room {module.room} is not in the table of directions"
        elif len(parts) > 1 and parts[1] not in allowed:
            yield f"{module.name}:{line} {module.room} must not import {name}"


def impurities(module: Module) -> Iterator[str]:
    if module.room not in PURE:
        return
    for line, name in imports(module):
        if (module.name, name.split(".")[0]) in COMPILED_CODE:
            continue
        if _reaches_outside(name) or not _known(name, PURE[module.room]):
            yield f"{module.name}:{line} {module.room} computes and touches nothing: it must not import {name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS:
            yield f"{module.name}:{node.lineno} {module.room} computes and touches nothing: no {node.func.id}()"


def _reaches_outside(name: str) -> bool:
    return any(name == impure or name.startswith(f"{impure}.") for impure in IMPURE)


def _known(name: str, libraries: set[str]) -> bool:
    top = name.split(".")[0]
    return top == "arrp" or top in libraries or top in sys.stdlib_module_names


def hidden_imports(module: Module) -> Iterator[str]:
    """An import inside a function hides an arrow from whoever reads the top of the file."""
    for function in (node for node in ast.walk(module.tree) if isinstance(node, Function)):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield f"{module.name}:{node.lineno} import inside {function.name}()"
            elif isinstance(node, ast.Name | ast.Attribute) and _last(node) in {"import_module", "__import__"}:
                yield f"{module.name}:{node.lineno} {_last(node)} inside {function.name}()"


def clocks_and_dice(module: Module) -> Iterator[str]:
    for line, word in _sightings(module):
        if module.name not in CLOCK[word]:
            where = " or ".join(sorted(CLOCK[word])) or "nowhere"
            yield f"{module.name}:{line} {word}: allowed in {where}; elsewhere it is an argument"


def _sightings(module: Module) -> Iterator[tuple[int, str]]:
    """Each place that imports or reaches for one of the words of CLOCK."""
    seen = [(line, *name.rpartition(".")[::2]) for line, name in imports(module)]
    seen += [
        (node.lineno, _last(node.value), node.attr) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)
    ]
    for line, owner, name in seen:
        if (word := _word(owner, name)) and not (module.room in {"sim", "bench"} and _seeded(owner, name)):
            yield line, word


def _word(owner: str, name: str) -> str | None:
    """The entry of CLOCK that `owner.name` falls under. `now` counts only on time itself, so that a node may ask the
    clock it was given; `datetime.time` is a time of day and asks nobody."""
    word = _SYNONYMS.get(name, name)
    if word == "now" and (owner not in {"time", "datetime", "date"} or (owner, name) == ("datetime", "time")):
        return None
    return word if word in CLOCK else None


def _seeded(owner: str, name: str) -> bool:
    """The simulator replays from a seed: `random.Random(seed)`, and the dice that were made of one, throw nothing."""
    return (owner, name) in {("", "random"), ("random", "Random")} or owner.lstrip("_") == "dice"


def _last(node: ast.AST) -> str:
    """The last name of `a.b.c`, or of `a`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


CHECKS = [wrong_directions, impurities, hidden_imports, clocks_and_dice]


@pytest.mark.parametrize("check", CHECKS)
def test_every_module_keeps_the_rule(check: object) -> None:
    assert callable(check)
    assert [fault for module in modules() for fault in check(module)] == []


def test_there_is_something_to_check() -> None:
    assert {"core/money.py", "core/errors.py"} <= {module.name for module in modules()}


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("core/a.py", "from arrp.wire import codec", "core must not import arrp.wire.codec"),
        ("core/a.py", "import arrp.node", "core must not import arrp.node"),
        ("core/a.py", "from ..trace import follow", "core must not import arrp.trace.follow"),
        ("core/a.py", "from arrp import node", "core must not import arrp.node"),
        ("wire/a.py", "from arrp.trace.follow import here", "wire must not import arrp.trace.follow.here"),
        ("connectors/a.py", "from arrp.node import keys", "connectors must not import arrp.node.keys"),
        ("node/http.py", "from arrp.console import views", "node must not import arrp.console.views"),
        ("sim/world.py", "from arrp import cli", "sim must not import arrp.cli"),
        ("attic/a.py", "from arrp.core import money", "the room attic is not in the table"),
        ("core/a.py", "import numpy", "must not import numpy"),
        ("core/a.py", "from pathlib import Path", "must not import pathlib.Path"),
        ("trace/a.py", "import sqlite3", "must not import sqlite3"),
        ("trace/a.py", "import ctypes", "must not import ctypes"),
        ("trace/kernels.py", "import os", "must not import os"),
        ("wire/a.py", "import httpx2", "must not import httpx2"),
        ("wire/a.py", "from urllib.request import urlopen", "must not import urllib.request.urlopen"),
        ("core/a.py", "def f():\n    return open('x')", "no open()"),
        ("node/a.py", "def f():\n    import json", "import inside f()"),
        ("node/a.py", "def f():\n    importlib.import_module('x')", "import_module inside f()"),
        ("node/a.py", "x = datetime.now(UTC)", "now: allowed in node/clock.py"),
        ("node/a.py", "x = datetime.datetime.utcnow()", "now: allowed"),
        ("core/a.py", "x = date.today()", "now: allowed"),
        ("node/a.py", "from time import monotonic", "now: allowed"),
        ("node/a.py", "import time\nx = time.time()", "now: allowed"),
        ("node/a.py", "import random", "random: allowed in node/clock.py"),
        ("trace/a.py", "import numpy as np\nx = np.random.default_rng()", "random: allowed"),
        ("sim/world.py", "import random\nx = random.random()", "random: allowed"),
        ("core/a.py", "from uuid import uuid4", "uuid4: allowed in node/clock.py"),
        ("cli.py", "x = os.environ['HOME']", "environ: allowed in node/environment.py"),
        ("cli.py", "x = os.getenv('HOME')", "environ: allowed in node/environment.py"),
        ("wire/a.py", "import secrets", "secrets: allowed in node/clock.py or node/keys.py"),
        ("node/a.py", "x = os.urandom(16)", "urandom: allowed in node/clock.py or node/keys.py"),
    ],
)
def test_a_planted_fault_is_found(name: str, text: str, fault: str) -> None:
    module = Module(name, text)
    assert any(fault in found for check in CHECKS for found in check(module))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/a.py", "from arrp.core.money import Amount\nfrom datetime import datetime\nimport re"),
        ("node/service.py", "def f(self):\n    return self.clock.now()"),
        ("node/clock.py", "import uuid\nfrom datetime import datetime\nx = datetime.now\ny = uuid.uuid4"),
        ("node/worker.py", "import time\ntime.sleep(1)"),
        ("sim/world.py", "import random\ndice = random.Random(7)"),
        ("cli.py", "from arrp.console import views"),
        ("wire/a.py", "from urllib.parse import urlsplit"),
        ("core/a.py", "import datetime\nx = datetime.time(12)"),
        ("core/a.py", "from uuid import UUID"),
        ("trace/kernels.py", "from ctypes import byref"),
    ],
)
def test_an_honest_module_passes(name: str, text: str) -> None:
    assert [found for check in CHECKS for found in check(Module(name, text))] == []
