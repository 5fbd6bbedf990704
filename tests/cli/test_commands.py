"""The tree of commands, exit codes, and what goes to stdout and what to stderr."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import arrp.cli.read
from arrp import __doc__ as contents
from arrp import __version__
from arrp.cli import COMMANDS, GROUPS, app
from arrp.cli.speaking import plain
from arrp.core.errors import (
    ArrpError,
    Conflict,
    Corrupt,
    Malformed,
    NeedsApproval,
    NotFound,
    Refused,
    Unreachable,
)
from arrp.core.events import KINDS
from tests.cli.running import arrp as run
from tests.cli.running import process

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert __version__ == project["version"]
    assert run("--version").stdout == f"arrp {__version__}\n"


def test_the_contents_name_fifteen_steps_and_only_kinds_that_exist() -> None:
    """A word in two capitalised parts, or a command by itself, is a kind of event."""
    assert contents is not None
    rows = [line for line in contents.splitlines() if line[4:7].strip().isdigit() or line.startswith(" " * 20)]
    assert [int(line[:6]) for line in rows if line[:6].strip()] == list(range(1, 16))
    words = {word.strip(",;.:()") for line in rows for word in line[23:88].split()}
    named = {word for word in words if word[:1].isupper() and word.isalpha() and not word.isupper()}
    assert named <= KINDS.keys()
    assert {"LossReported", "HoldPlaced", "Keep", "MovedOn", "CaseClosed"} <= named


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_where_the_table_says_and_explains_itself(words: str) -> None:
    result = run(*words.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: arrp {words} ")
    assert len(result.stdout.splitlines()[2].strip()) > 10


def test_every_module_of_commands_is_in_the_table() -> None:
    """A module is known here or imported by one that is; nothing stands by forgotten."""
    folder = ROOT / "src" / "arrp" / "cli"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    for module in folder.glob("[a-z]*.py"):
        assert f'"arrp.cli.{module.stem}:' in text or f"from arrp.cli.{module.stem} import" in text, module


def test_groups_and_commands_belong_together() -> None:
    assert {words.split()[0] for words in COMMANDS if " " in words} == set(GROUPS)
    listed = run("--help").stdout
    assert all(f"  {name} " in listed for name in (*GROUPS, "read"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nod"], "there is no command 'nod': "),
        (["node", "start"], "there is no command 'node start': node init"),
        (["read"], "Missing argument 'FILE'"),
        (["read", "--nope"], "No such option: --nope"),
        (["node", "init", "x", "--kind", "bank"], "'bank' is not one of"),
    ],
)
def test_usage_is_2_and_nothing_on_stdout(words: list[str], told: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ArrpError, 1),
        (Malformed, 2),
        (NotFound, 3),
        (Refused, 4),
        (Conflict, 5),
        (Unreachable, 6),
        (NeedsApproval, 7),
        (Corrupt, 8),
    ],
)
def test_each_kind_of_no_has_its_exit_code(
    error: type[ArrpError], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> None:
        raise error("said\nin \x1b[31mtwo lines", rule="R-14")

    monkeypatch.setattr(arrp.cli.read, "read_evidence", fail)
    (tmp_path / "a.csv").write_text("x")
    result = run("read", tmp_path / "a.csv")
    assert result.exit_code == code
    assert result.stderr.splitlines()[-1] == "R-14 said\\nin \\x1b[31mtwo lines"
    assert result.stdout == ""


@pytest.mark.parametrize(("error", "code"), [(FileNotFoundError(2, "gone", "f"), 3), (OSError(28, "disk full"), 1)])
def test_what_the_system_says_is_one_line_too(
    error: OSError, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> None:
        raise error

    monkeypatch.setattr(arrp.cli.read, "read_evidence", fail)
    (tmp_path / "a.csv").write_text("x")
    result = run("read", tmp_path / "a.csv")
    assert result.exit_code == code
    assert str(error.strerror) in result.stderr


def test_a_bug_of_ours_is_not_dressed_up_as_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object) -> None:
        raise AssertionError("ours")

    monkeypatch.setattr(arrp.cli.read, "read_evidence", fail)
    (tmp_path / "a.csv").write_text("x")
    assert isinstance(CliRunner().invoke(app, ["read", str(tmp_path / "a.csv")]).exception, AssertionError)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller 山田", "Müller 山田"),
        ("a\tb\nc", "a\\tb\\nc"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("\ud800", "\\ud800"),
        ("no\u00a0break", "no\\xa0break"),
    ],
)
def test_nothing_of_a_stranger_reaches_the_terminal_as_a_command(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_reading_does_not_wait_for_a_server() -> None:
    """Nor for keys: `read` is what people run first, on any machine."""
    asked = "import sys, arrp.cli, arrp.cli.read; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    ).stdout.split()
    assert "arrp.wire.evidence" in loaded
    assert not {"fastapi", "sqlalchemy", "uvicorn", "joserfc", "alembic"} & set(loaded)


def test_a_process_says_data_on_stdout_and_talk_on_stderr(tmp_path: Path) -> None:
    file = tmp_path / "lost.csv"
    file.write_text("amount,asset,creditor_account,colour\n5.00,EUR,DE89370400440532013000,red\n")
    done = process("read", file)
    assert done.returncode == 0
    assert done.stdout.startswith(b"5.00 EUR")
    assert b"colour" not in done.stdout
    assert b"column 'colour' is not used" in done.stderr
    gone = process("read", tmp_path / "nowhere.csv")
    assert (gone.returncode, gone.stdout) == (3, b"")
    assert gone.stderr.endswith(b"nowhere.csv\n")
    assert b"Traceback" not in gone.stderr


def test_a_pipe_that_closes_is_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "lost.csv"
    file.write_text("amount,asset,creditor_account\n" + "5.00,EUR,DE89370400440532013000\n" * 5000)
    words = [sys.executable, "-m", "arrp", "read", str(file)]
    running = subprocess.Popen(words, cwd=ROOT / "src", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    told = running.stderr.read()
    running.stderr.close()
    assert running.wait(60) == 1
    assert b"Traceback" not in told
