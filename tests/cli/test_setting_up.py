"""From nothing to a node with officers, a directory and a standing mandate, by commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arrp.node.config import load_config, load_rules
from arrp.node.directory import read_entry, trusted_directory
from arrp.node.keys import load_node_keys, load_officer_key
from arrp.wire.codec import dumps
from tests.cli.keeping import found, put_in_force
from tests.cli.running import PASSPHRASE, arrp, data, ok, process

BANK = ("--id", "BANK-PT", "--name", "Banco PT", "--kind", "institution", "--country", "PT", "--answers-for", "PT0002")
UNTIL = ("--total", "500000.00", "--per-request", "100000.00", "--valid-until", "2026-12-31T23:00Z")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    ok("node", "init", tmp_path / "pt", *BANK, "--listen", "127.0.0.1:9001")
    return tmp_path / "pt"


def officer(home: Path, id: str) -> Path:
    """An officer of the node; the path of the key."""
    path = home.parent / f"{id}.pem"
    fragment = home.parent / f"{id}.json"
    fragment.write_text(ok("officer", "key", path, "--id", id, "--name", f"{id} Example", "--role", "duty officer"))
    ok("officer", "add", home, fragment)
    return path


def test_a_new_node_is_whole(home: Path) -> None:
    config = load_config(home)
    assert (config.id, config.port) == ("BANK-PT", 9001)
    entry, keys = read_entry(home / "entry.json"), load_node_keys(home)
    assert [(key.id, key.key) for key in entry.signing] == [(keys.signing_id, keys.signing_public)]
    assert (entry.address, entry.answers_for) == ("http://127.0.0.1:9001", ("PT0002",))
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "node.toml").stat().st_mode & 0o777 == 0o600


def test_init_prints_where_the_entry_is_or_the_entry(tmp_path: Path) -> None:
    assert ok("node", "init", tmp_path / "a", *BANK).strip() == str(tmp_path / "a" / "entry.json")
    printed = data("node", "init", tmp_path / "b", *BANK)
    assert printed == json.loads(dumps(read_entry(tmp_path / "b" / "entry.json")))


@pytest.mark.parametrize(
    ("ledger", "public", "keeps"),
    [("csv:export", False, "PT0002"), ("sql:sqlite:///core.db", False, "PT0002"), ("chain:x.csv", True, "eip155:1")],
)
def test_init_of_a_node_whose_ledger_is_read(tmp_path: Path, ledger: str, public: bool, keeps: str) -> None:
    """Which accounts are its own follows from what it answers for; who has a chain says that a hold is public."""
    ok("node", "init", tmp_path / "x", *BANK[:-1], keeps, "--core", "ledger", "--ledger", ledger)
    config, can = load_config(tmp_path / "x"), read_entry(tmp_path / "x" / "entry.json").can
    assert config.ledger is not None
    assert (f"{config.ledger.form}:", config.ledger.accounts) == (ledger[: ledger.index(":") + 1], (keeps,))
    assert can is not None
    assert can.public is public


@pytest.mark.parametrize("options", [
    ("--core", "ledger"), ("--ledger", "csv:x"), ("--core", "manual", "--ledger", "csv:x"),
    ("--core", "ledger", "--ledger", "chain:x", "--answers-for", "eip155:1"),
])
def test_init_of_half_a_ledger(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert arrp("node", "init", tmp_path / "x", *BANK, *options).exit_code == 2
    assert not (tmp_path / "x").exists()


def test_init_never_touches_a_node_that_is_there(home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert arrp("node", "init", home, *BANK).exit_code == 5
    (home / "node.toml").rename(home / "node.toml.kept")
    assert arrp("node", "init", home, *BANK).exit_code == 5, "the keys are still there"
    (home / "node.toml.kept").rename(home / "node.toml")
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("option", "value"),
    [("--id", "bank"), ("--country", "Pt"), ("--listen", "9001"), ("--address", "ftp://x"), ("--instructs", "X-1")],
)
def test_a_wrong_option_makes_nothing(tmp_path: Path, option: str, value: str) -> None:
    result = arrp("node", "init", tmp_path / "x", *BANK, option, value)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_the_whole_way(home: Path) -> None:
    """Two officers, the directory, a mandate that both sign: then the node has its rules."""
    keys = {id: officer(home, id) for id in ("ana", "ben")}
    put_in_force(home, found(home.parent, home))
    file = home / "mandates" / "night.json"
    ok("mandate", "standing", file, "--by", "BANK-PT", *UNTIL, "--night-approvals", 1, "--country", "PT")
    for id, key in keys.items():
        ok("mandate", "sign", file, "--key", key, "--officer", id)
    config, directory = load_config(home), trusted_directory(home, load_node_keys(home))
    [(act_hash, mandate)] = load_rules(config, directory).standing
    shown = data("mandate", "show", file)
    assert (shown["act_hash"], shown["signed_by"]) == (act_hash, ["ana", "ben"])
    assert (str(mandate.total), mandate.night_approvals, mandate.countries) == ("500000.00 EUR", 1, ("PT",))
    assert mandate.asks == ("hold", "stop")


def test_an_officer_is_added_once_and_replaced_when_told(home: Path) -> None:
    officer(home, "ana")
    before = (home / "entry.json").read_bytes()
    ok("officer", "add", home, home.parent / "ana.json")
    assert (home / "entry.json").read_bytes() == before
    other = ok("officer", "key", home.parent / "new.pem", "--id", "ana", "--name", "Ana Example")
    (home.parent / "new.json").write_text(other)
    assert arrp("officer", "add", home, home.parent / "new.json").exit_code == 5
    ok("officer", "add", home, home.parent / "new.json", "--replace")
    [ana] = read_entry(home / "entry.json").officers
    fresh, old = ana.keys
    assert fresh.id == json.loads(other)["keys"][0]["id"]
    assert old.until == fresh.since, "what the old key signed counts, it signs nothing new"


def test_an_officer_comes_through_a_pipe(home: Path) -> None:
    fragment = ok("officer", "key", home.parent / "k.pem", "--id", "ana", "--name", "Ana Example")
    added = process("officer", "add", home, "-", told=fragment.encode())
    assert (added.returncode, added.stdout.decode().strip()) == (0, str(home / "entry.json"))
    assert process("officer", "add", home, "-", told=b"{}").returncode == 2


def test_the_passphrase_from_a_file_or_typed_twice(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\nsecond line\n")
    who = ("--id", "ana", "--name", "Ana Example")
    ok("officer", "key", tmp_path / "a.pem", *who, "--passphrase-file", tmp_path / "secret")
    assert load_officer_key(tmp_path / "a.pem", "from a file")
    typed = arrp("officer", "key", tmp_path / "b.pem", *who, typed="one two\none two\n", passphrase=None)
    assert typed.exit_code == 0
    assert load_officer_key(tmp_path / "b.pem", "one two")
    assert "one two" not in typed.output, "it is never shown"


@pytest.mark.parametrize(("typed", "passphrase", "code"), [(None, None, 2), (None, "", 4), ("a\nb\n", None, 2)])
def test_no_key_without_a_passphrase(tmp_path: Path, typed: str | None, passphrase: str | None, code: int) -> None:
    words = ("officer", "key", tmp_path / "k.pem", "--id", "ana", "--name", "Ana Example")
    assert arrp(*words, typed=typed, passphrase=passphrase).exit_code == code
    assert not (tmp_path / "k.pem").exists()


def test_a_wrong_officer_leaves_no_key(tmp_path: Path) -> None:
    assert arrp("officer", "key", tmp_path / "k.pem", "--id", "../ana", "--name", "Ana").exit_code == 2
    assert not (tmp_path / "k.pem").exists()


def test_a_key_is_never_overwritten(home: Path) -> None:
    key = officer(home, "ana")
    before = key.read_bytes()
    result = arrp("officer", "key", key, "--id", "ana", "--name", "Ana Example")
    assert (result.exit_code, result.stdout) == (5, "")
    assert key.read_bytes() == before


def test_a_mandate_is_signed_by_two_and_by_the_key_that_opens(home: Path) -> None:
    keys = {id: officer(home, id) for id in ("ana", "ben")}
    file = home.parent / "night.json"
    ok("mandate", "standing", file, "--by", "BANK-PT", *UNTIL)
    sign = ("mandate", "sign", file, "--key", keys["ana"], "--officer")
    before = file.read_bytes()
    wrong = arrp(*sign, "ana", passphrase="another one")
    assert wrong.exit_code == 4
    assert "in all, at most: 500000.00 EUR" in wrong.stderr, "what is signed is shown first"
    assert file.read_bytes() == before
    ok(*sign, "ana")
    assert arrp(*sign, "ana").exit_code == 4, "not twice"
    assert arrp(*sign, "ben").exit_code == 4, "not in the name of a colleague with one's own key"
    assert data("mandate", "show", file)["signed_by"] == ["ana"]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (("--valid-until", "2026-12-31"), 2),
        (("--valid-until", "soon"), 2),
        (("--valid-until", "2020-01-01T00:00Z"), 4),
        (("--total", "1,5"), 2),
        (("--total", "5"), 4),
        (("--ask", "seize"), 4),
        (("--night-approvals", "3"), 2),
    ],
)
def test_a_mandate_nobody_could_mean_is_not_drafted(tmp_path: Path, terms: tuple[str, str], code: int) -> None:
    file = tmp_path / "m.json"
    assert arrp("mandate", "standing", file, "--by", "BANK-PT", *UNTIL, *terms).exit_code == code
    assert not file.exists()


def test_a_script_without_a_passphrase_is_told_how_to_give_one(tmp_path: Path) -> None:
    words = ("officer", "key", tmp_path / "k.pem", "--id", "ana", "--name", "Ana Example")
    silent = process(*words)
    assert (silent.returncode, silent.stdout) == (2, b"")
    assert b"set ARRP_PASSPHRASE or say --passphrase-file" in silent.stderr
    made = process(*words, ARRP_PASSPHRASE=PASSPHRASE)
    assert (made.returncode, json.loads(made.stdout)["id"]) == (0, "ana")
