"""Hostile files and odd words at the command line: an exit code of DESIGN's list, one line that says why, no traceback.

Each file that a command reads is replaced by what is no such file, and by itself with one thing in it
put in its place. Whatever comes of it, it is never 1 (which stands for what nobody thought of).
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import arrp.cli.serve
from arrp.cli import COMMANDS
from arrp.cli.speaking import LINE_MAX
from tests.cli.keeping import found, put_in_force
from tests.cli.running import arrp as run
from tests.cli.running import ok
from tests.cli.test_setting_up import BANK, UNTIL, officer
from tests.wire.hostile_json import JSON

EVIDENCE = Path(__file__).resolve().parents[1] / "data" / "evidence"
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning",
                                        "ignore::pytest.PytestUnraisableExceptionWarning")
CODES = {0, 2, 3, 4, 5, 6, 7, 8}
BYTES = {
    "nothing": b"", "one byte": b"\0", "no text": bytes(range(256)) * 20, "a mark alone": b"\xff\xfe",
    "half a UTF-16": "amount,asset\n".encode("utf-16")[:-1], "a terminal's commands": b"\x1b]0;x\x07\x1b[2J" * 50,
    "one long line": b"a" * 300_000, "deep": b"[" * 100_000, "an XML bomb":
    b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;&b;">]><Document>&d;</Document>',
    "an outer entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Document>&b;</Document>',
    "a file of keys": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    "a block of FIN": b"{1:F01BANKPTPLAXXX0000000000}{2:I103BANKESMMXXXXN}{4:\n:32A:999999XXX-1,\n-}",
    "half a block of FIN": b"{1:{4:\r\n:20:\r\n:32A:991332EUR1e9\r\n:59:/\r\n",
    "years that are none": b"amount,asset,creditor_account,settled_on,instructed_at\n"
    b"1.00,EUR,DE89370400440532013000,0000-01-01,0001-01-01T00:00:00+14:00\n"
    b"1.00,EUR,DE89370400440532013000,9999-12-31,9999-12-31T23:59:59-12:00\n",
    "amounts that are none": b"amount,asset,creditor_account\n" + b"\n".join(
        text + b",EUR,DE89370400440532013000" for text in (b"-1", b"1e9", b"NaN", b"inf", b"0x1", b"9" * 400, b"")),
    "a quote that does not end": b'amount,asset,creditor_account\n"1.00,EUR,DE89370400440532013000\n' * 3,
    "a cell beyond any": b"amount,asset,creditor_account\n1.00,EUR," + b"D" * 200_000 + b"\n",
    "columns twice": b"amount,amount,asset,asset,creditor_account\n1,2,EUR,USD,x\n",
    "not TOML": b'id = "X"\nid = "Y"\n', "deep TOML": b"a = " + b"[" * 5000 + b"]" * 5000,
    "numbers beyond any": b"[policy]\nper_request = 1e400\n[clocks]\nsurplus_minutes = " + b"9" * 5000 + b"\n",
}
VALUES: tuple[Any, ...] = (None, True, -1, 2**63 - 1, "", "x" * 3000, "\u202e\x1b[2J", "0001-01-01T00:00:00.000000Z",
                           "9999-12-31T23:59:59.999999Z", [], {}, [[]], {"a": {"b": []}})
TOML_VALUES = ("-1", "0", "9223372036854775807", "1e308", "nan", "true", '""', f'"{"x" * 3000}"', '"\\u202e\\u001b[2J"',
               "[]", "[[]]", "{}", "0001-01-01", "9999-12-31T23:59:59Z", "[1, \"a\"]")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node that is set up, its officers' keys, its directory and a mandate that two signed."""
    folder = tmp_path_factory.mktemp("made")
    ok("node", "init", folder / "pt", *BANK, "--listen", "127.0.0.1:9001")
    keys = {id: officer(folder / "pt", id) for id in ("ana", "ben")}
    put_in_force(folder / "pt", found(folder, folder / "pt"))
    mandate = folder / "pt" / "mandates" / "night.json"
    ok("mandate", "standing", mandate, "--by", "BANK-PT", *UNTIL)
    for id, key in keys.items():
        ok("mandate", "sign", mandate, "--key", key, "--officer", id)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it. `node serve` does everything but listen."""
    shutil.copytree(made, tmp_path / "place")
    monkeypatch.setattr(arrp.cli.serve, "run", lambda node, *_: node.store.close())
    yield tmp_path / "place"
    with warnings.catch_warnings():  # where nobody listens the client leaves its socket to the collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def fault(result: Result) -> str | None:
    """What is wrong with an answer; None = nothing."""
    told = [line for line in result.stderr.splitlines() if line.strip()]
    if result.exit_code not in CODES:
        return f"exit {result.exit_code}: {told[-1:]}"
    if result.exit_code and not told:
        return f"exit {result.exit_code} and not a word"
    if told and told[0].startswith("Usage: "):
        return None  # then it is about the words themselves, and repeats them
    if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", result.stderr + result.stdout):
        return "something of a stranger reaches the terminal as a command"
    return next((f"{len(line)} characters: {line[:200]}" for line in told if len(line) > LINE_MAX), None)


Way = Callable[[Path], tuple[object, ...]]
WAYS: dict[str, tuple[Way, ...]] = {
    "pt/node.toml": (lambda at: ("node", "serve", at / "pt"), lambda at: ("audit", "verify", at / "pt"),
                     lambda at: ("node", "doctor", at / "pt")),
    "pt/rules.toml": (lambda at: ("node", "serve", at / "pt"),),
    "pt/entry.json": (lambda at: ("directory", "add", at / "new.json", at / "pt" / "entry.json", "--threshold", "1",
                                  "--keeper", at / "kim.json"),
                      lambda at: ("officer", "add", at / "pt", at / "ana.json")),
    "pt/directory.json": (lambda at: ("node", "serve", at / "pt"),
                          lambda at: ("directory", "show", at / "pt" / "directory.json")),
    "directory-1.json": (lambda at: ("directory", "show", at / "directory-1.json"),
                         lambda at: ("directory", "sign", at / "directory-1.json", "--key", at / "kim.pem"),
                         lambda at: ("directory", "publish", at / "pt", at / "directory-1.json")),
    "kim.json": (lambda at: ("directory", "add", at / "new.json", at / "pt" / "entry.json", "--threshold", "1",
                             "--keeper", at / "kim.json"),),
    "ana.json": (lambda at: ("officer", "add", at / "pt", at / "ana.json"),),
    "pt/mandates/night.json": (lambda at: ("mandate", "show", at / "pt" / "mandates" / "night.json"),
                               lambda at: ("mandate", "sign", at / "pt" / "mandates" / "night.json", "--key",
                                           at / "ana.pem", "--officer", "ana"),
                               lambda at: ("node", "serve", at / "pt")),
    "ana.pem": (lambda at: ("mandate", "sign", at / "pt" / "mandates" / "night.json", "--key", at / "ana.pem",
                            "--officer", "ana"),),
    "pt/keys/signing.pem": (lambda at: ("node", "serve", at / "pt"),),
    "secret": (lambda at: ("officer", "key", at / "new.pem", "--id", "eve", "--name", "Eve", "--passphrase-file",
                           at / "secret"),),
}


def tried(place: Path, name: str, contents: Iterator[tuple[str, bytes]]) -> list[str]:
    """Every way to read the file, with each content. What is wrong with the answers."""
    wrong, path = [], place / name
    before = path.read_bytes() if path.exists() else b""
    for what, data in contents:
        for way in WAYS[name]:
            path.write_bytes(data)
            found = fault(run(*way(place)))
            if found is not None:
                wrong.append(f"{' '.join(map(str, way(Path())))}: {what}: {found}")
            for left in ("new.json", "new.pem"):
                (place / left).unlink(missing_ok=True)
    path.write_bytes(before)
    return wrong


@pytest.mark.parametrize("name", WAYS)
def test_what_is_no_such_file_is_one_line(place: Path, name: str) -> None:
    contents = {**BYTES, **{f"JSON: {what}": make() for what, _, make, _ in JSON[::4]}}
    assert tried(place, name, iter(contents.items())) == []


@pytest.mark.parametrize("name", [name for name in WAYS if name.endswith(".json")])
def test_a_file_with_one_thing_put_in_its_place_is_one_line(place: Path, name: str) -> None:
    text = (place / name).read_text()
    tree, end = json.JSONDecoder().raw_decode(text)
    every = list(spoiled(tree))
    contents = ((what, f"{json.dumps(new)}{text[end:]}".encode()) for what, new in every[:: max(1, len(every) // 40)])
    assert tried(place, name, contents) == []


def spoiled(tree: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """The tree with one place in it another value, or missing; texts that hold JSON are gone into."""
    yield from ((f"{at or 'all'} is {str(value)[:40]!r}", value) for value in VALUES)
    if isinstance(tree, dict):
        for name in tree:
            yield f"{at}.{name} is missing", {key: item for key, item in tree.items() if key != name}
            yield from ((what, {**tree, name: item}) for what, item in spoiled(tree[name], f"{at}.{name}"))
        yield f"{at} has one more", {**tree, "also": 1}
    elif isinstance(tree, list):
        for place, item in enumerate(tree[:3]):
            yield from ((what, [*tree[:place], new, *tree[place + 1:]]) for what, new in spoiled(item, f"{at}.{place}"))
        yield f"{at} twice", [*tree, *tree]
    elif isinstance(tree, str) and tree.startswith("{"):
        yield from ((what, json.dumps(new)) for what, new in spoiled(json.loads(tree), f"{at}()"))


@pytest.mark.parametrize("name", ["pt/node.toml", "pt/rules.toml"])
def test_a_setting_that_nobody_could_mean_is_one_line(place: Path, name: str) -> None:
    """By turns: every fourth value, and four settings one after the other meet them all."""
    assert len(TOML_VALUES) % 2
    lines = (place / name).read_text().splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"#? ?[a-z_]+ *= ", line)]
    assert len(settings) > 3
    contents = ((f"{lines[number]} is {value[:40]}",
                 "\n".join([*lines[:number], f"{lines[number].lstrip('# ').partition('=')[0]}= {value}",
                            *lines[number + 1:]]).encode()) for number in settings for value in TOML_VALUES)
    assert tried(place, name, iter(list(contents)[::4])) == []


# --- evidence ------------------------------------------------------------------------------------------------


def test_hostile_evidence_is_read_or_refused_in_words(place: Path) -> None:
    file = place / "evidence"
    wrong = []
    reported = ("report", file, "--officer", "ana", "--crime", "BEC", "--home", place / "pt")
    for what, data in {**BYTES, **dict(list(cut_and_spoiled())[::7])}.items():
        file.write_bytes(data)
        for words in (("read", file), ("read", file, "--json"), *([reported] if what in BYTES else [])):
            result = run(*words)
            found = fault(result)
            if found is not None or (words[0] == "report" and result.exit_code not in (2, 4, 6)):
                wrong.append(f"{words[0]} {what}: {found or result.exit_code}")
            if words[-1] == "--json" and not isinstance(json.loads(result.stdout), list):
                wrong.append(f"{what}: no list")
    assert wrong == []


def cut_and_spoiled() -> Iterator[tuple[str, bytes]]:
    """True evidence, cut anywhere, and with a piece of it replaced."""
    for file in sorted(EVIDENCE.glob("*")):
        data = file.read_bytes()
        for part in range(1, 12):
            at = len(data) * part // 12
            yield f"{file.name} cut at {at}", data[:at]
            for new in (b"\0", b"\xff", b"<", b"{", b'"', b"&x;", b"9" * 400, "\u202e".encode()):
                yield f"{file.name} with {new[:4]!r} at {at}", data[:at] + new + data[at + len(new):]


# --- words -----------------------------------------------------------------------------------------------------

ODD = ("", " ", "-", "--", "-1", "x" * 5000, "\u202e", "\x1b[2J", "../../etc/passwd", "../status", "a?b#c", "%s", "{0}",
       "nul\u00e9", "\udcff", "0" * 32, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "NaN EUR", "-1.00 EUR",
       "1e9 EUR", "1.00", "1.00 eur", "9" * 60 + ".00 EUR")


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in ("demo", "bench node", "node serve")])
def test_odd_words_are_one_line(place: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By turns: in every place, and as the value of every option the command has."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("ARRP_HOME", str(place / "pt"))
    options = re.findall(r"--[a-z-]+", run(*words.split(), "--help").stdout)
    assert options
    wrong = []
    turn = list(COMMANDS).index(words)
    for number, odd in list(enumerate(ODD))[turn % 3::3]:
        named = [word for option in options if option not in ("--help", "--json") for word in (option, odd)]
        for extra in ([odd, odd], [odd, *named[: len(named) if number % 2 else number * 2]]):
            if (found := fault(run(*words.split(), *extra, typed="x\nx\n"))) is not None:
                wrong.append(f"{words} {[word[:20] for word in extra][:6]}: {found}")
    assert wrong == []


def test_nobody_is_asked_where_nothing_answers(place: Path) -> None:
    """A socket that is none, and a home that is none."""
    (place / "pt" / "node.sock").write_bytes(b"no socket")
    (place / "long" / ("x" * 120)).mkdir(parents=True)
    for home, code in ((place / "pt", 6), (place / "nowhere", 6), (place / "long" / ("x" * 120), 6)):
        for words in (("case", "list"), ("hold", "list"), ("case", "show", "0" * 32)):
            result = run(*words, "--home", home)
            assert (result.exit_code, fault(result)) == (code, None)
            assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="whoever runs this may read everything")
def test_what_may_not_be_read_is_one_line(place: Path) -> None:
    (place / "pt" / "node.toml").chmod(0)
    assert run("node", "serve", place / "pt").exit_code == 2
