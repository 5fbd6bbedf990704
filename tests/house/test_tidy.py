"""Sizes and manners of every source file. A limit with exceptions is not a limit: there is no allow-list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.source import ROOT, SRC, Function, Module, modules, texts
from tests.house.test_imports import imports

FUNCTION_LINES = 50  # docstring out
PARAMETERS = 5  # self and cls out
FILE_LINES = 500
CORE_FILE_LINES = 300
BROAD = {"Exception", "BaseException"}

# Written with brackets so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X])\b")
# Of the place where somebody happened to write a line, nothing belongs in the project.
WORKPLACE = re.compile(
    r"/(wor[k]|far[m])/|[.]librar[y]|sub[a]gent|this sess[i]on|/opt/p[y]pi|/opt/w[h]eels|py[p]i[.]org"
    r"|pythonh[o]sted|npmj[s][.]",
    re.IGNORECASE,
)


def too_long(module: Module) -> Iterator[str]:
    limit = CORE_FILE_LINES if module.room == "core" else FILE_LINES
    lines = len(module.text.splitlines())
    if lines > limit:
        yield f"{module.name} has {lines} lines: {limit} is the limit. Is it still one room?"
    for function in functions(module):
        if (length := body_lines(function)) > FUNCTION_LINES:
            yield f"{module.name}:{function.lineno} {function.name}() has {length} lines: {FUNCTION_LINES} is the limit"


def functions(module: Module) -> Iterator[Function]:
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines from `def` to the end, without the docstring."""
    first = function.body[0]
    docstring = first if ast.get_docstring(function) is not None else None
    return (function.end_lineno or 0) - function.lineno + 1 - (_height(docstring) if docstring else 0)


def _height(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def too_many_parameters(module: Module) -> Iterator[str]:
    for function in functions(module):
        asked = function.args
        names = [argument.arg for argument in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs)]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        if len(names) > PARAMETERS:
            yield f"{module.name}:{function.lineno} {function.name}() takes {len(names)}: {PARAMETERS} is the limit"


def without_purpose(module: Module) -> Iterator[str]:
    """An empty `__init__.py` only marks a package; everything else says what it is for."""
    if module.text.strip() and not ast.get_docstring(module.tree):
        yield f"{module.name} does not open with a sentence that says what the file is for"


def broad_excepts(module: Module) -> Iterator[str]:
    """One place may catch everything: the loop that must outlive a bug. It records what it caught."""
    if module.name == "node/worker.py":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or BROAD & set(_names(node.type))):
            yield f"{module.name}:{node.lineno} broad except: name what can go wrong here"
        elif isinstance(node, ast.Call) and "suppress" in _names(node.func) and BROAD & set(_names(*node.args)):
            yield f"{module.name}:{node.lineno} broad suppress: name what can go wrong here"


def _names(*nodes: ast.AST) -> Iterator[str]:
    for part in (part for node in nodes for part in ast.walk(node)):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def unfinished(module: Module) -> Iterator[str]:
    for line, comment in module.comments():
        if UNFINISHED.search(comment):
            yield f"{module.name}:{line} finish it, or open an issue: {comment}"


def never_imported(house: tuple[Module, ...]) -> set[str]:
    """Modules that no other module asks for. The command line is the way in; migrations are found by their folder."""
    known = {module.dotted: module.name for module in house if not _is_way_in(module.name)}
    asked = {
        dotted
        for module in house
        for _, name in imports(module)
        for dotted in (name, name.rpartition(".")[0])  # of `arrp.core.money.Amount` the module is the part before
        if known.get(dotted) != module.name
    }
    return {name for dotted, name in known.items() if dotted not in asked}


def _is_way_in(name: str) -> bool:
    return name.startswith(("__main__", "cli/")) or name.endswith("__init__.py") or "/migrations/" in f"/{name}"


CHECKS = [too_long, too_many_parameters, without_purpose, broad_excepts, unfinished]


@pytest.mark.parametrize("check", CHECKS)
def test_every_module_keeps_the_rule(check: object) -> None:
    assert callable(check)
    assert [fault for module in modules() for fault in check(module)] == []


@pytest.mark.parametrize("check", [too_long, without_purpose, broad_excepts, unfinished])
def test_tests_keep_the_rule_too(check: object) -> None:
    assert callable(check)
    tests = [Module(f"tests/{module.name}", module.text) for module in modules(ROOT / "tests")]
    assert [fault for module in tests for fault in check(module)] == []


def test_no_module_is_never_imported() -> None:
    if not (SRC / "cli" / "__init__.py").exists():
        pytest.skip("there is no command line yet, so nothing leads into the house")
    assert never_imported(modules()) == set()


def test_no_text_speaks_of_the_place_where_it_was_written() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:80]}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if WORKPLACE.search(line)
    ]
    assert found == []


def test_texts_are_found() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in texts()}
    assert {"Makefile", "LICENSE", ".ci/run", "docs/glossary.md", "src/arrp/core/money.py"} <= found
    assert "uv.lock" not in found


LONG = "def f():\n    '''One.\n\n    Two.'''\n" + "    x = 1\n" * 49
HANDLER = "try:\n    pass\nexcept {}:\n    pass"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("core/a.py", "'''Says.'''\n" + "x = 1\n" * 300, "has 301 lines"),
        ("node/a.py", "'''Says.'''\n" + "x = 1\n" * 500, "has 501 lines"),
        ("node/a.py", LONG + "    x = 1\n", "f() has 51 lines"),
        ("node/a.py", "def f(a, b, /, c, *, d, e, g): ...", "f() takes 6"),
        ("node/a.py", "class A:\n    def f(self, a, b, c, d, e, g): ...", "f() takes 6"),
        ("node/a.py", "x = 1", "does not open with a sentence"),
        ("node/a.py", HANDLER.format("Exception"), "broad except"),
        ("node/a.py", HANDLER.format("(OSError, BaseException)"), "broad except"),
        ("node/a.py", "try:\n    pass\nexcept:\n    pass", "broad except"),
        ("node/a.py", "with contextlib.suppress(Exception):\n    pass", "broad suppress"),
        ("node/a.py", "x = 1  # TO" + "DO later", "finish it"),
    ],
)
def test_a_planted_fault_is_found(name: str, text: str, fault: str) -> None:
    module = Module(name, text)
    assert any(fault in found for check in CHECKS for found in check(module))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/a.py", "'''Says.'''\n" + "x = 1\n" * 299),
        ("node/a.py", "'''Says.'''\n" + LONG),
        ("node/a.py", "'''Says.'''\nclass A:\n    def f(self, a, b, c, d, e): ..."),
        ("node/worker.py", "'''Says.'''\n" + HANDLER.format("Exception")),
        ("node/a.py", "'''Says.'''\n" + HANDLER.format("OSError")),
        ("node/__init__.py", ""),
        ("core/a.py", "'''Says.'''\nNO_CURRENCY = 'XX" + "X'"),
    ],
)
def test_an_honest_module_passes(name: str, text: str) -> None:
    assert [found for check in CHECKS for found in check(Module(name, text))] == []


def test_a_forgotten_module_is_found() -> None:
    house = (
        Module("cli/__init__.py", "from arrp.node import service"),
        Module("node/service.py", "from arrp.core.money import Amount"),
        Module("core/money.py", ""),
        Module("core/attic.py", "import arrp.core.attic"),
        Module("node/store/migrations/versions/0001.py", ""),
    )
    assert never_imported(house) == {"core/attic.py"}


@pytest.mark.parametrize("line", ["see /wor" + "k/main", "the Sub" + "agent said", "in this sess" + "ion"])
def test_a_word_of_the_workplace_is_found(line: str) -> None:
    assert WORKPLACE.search(line)


@pytest.mark.parametrize("line", ["the framework/registry", "each session of an officer", "a library of laws"])
def test_an_ordinary_word_passes(line: str) -> None:
    assert not WORKPLACE.search(line)
