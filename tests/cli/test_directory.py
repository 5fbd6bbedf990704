"""`arrp directory`, `arrp node rotate-key`, `arrp node revoke-key`, `arrp audit signed-by`, as people type them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from arrp.node.calling import HttpTransport
from arrp.node.clock import Clock
from arrp.node.config import load_config
from arrp.node.directory import read_edition, read_entry, trusted_directory
from arrp.node.keys import load_node_keys
from arrp.node.store.engine import Store
from tests.cli.keeping import found, keepers, put_in_force, signed
from tests.cli.running import arrp, data, ok

BANK = ("--id", "BANK-PT", "--name", "Banco PT", "--kind", "institution", "--country", "PT", "--answers-for", "PT0002")
NCB = ("--id", "NCB-PT", "--name", "Bureau PT", "--kind", "authority", "--country", "PT", "--instructs", "BANK-XX",
       "--language", "pt", "--contact", "Duty desk, +351 210 000 000, always")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ok("node", "init", tmp_path / "bank", *BANK)
    ok("node", "init", tmp_path / "ncb", *NCB, "--listen", "127.0.0.1:8444")
    return tmp_path


@pytest.fixture
def first(folder: Path) -> Path:
    """Version 1, in force in both homes."""
    directory = found(folder, folder / "bank", folder / "ncb")
    for home in ("bank", "ncb"):
        put_in_force(folder / home, directory)
    return directory


def version(home: Path) -> int:
    return trusted_directory(home, load_node_keys(home)).version


def next_version(folder: Path, before: Path, *words: object) -> Path:
    draft = folder / f"after-{before.name}"
    ok("directory", "add", draft, *words, "--after", before)
    return signed(folder, draft, "--after", before)


@contextmanager
def served(*versions: Path) -> Iterator[str]:
    """The address of a plain web server whose folder has these versions, the last of them the newest."""
    shelf = versions[0].parent / "web" / "directory"
    shelf.mkdir(parents=True)
    for number, version in enumerate(versions, 1):
        (shelf / str(number)).write_bytes(version.read_bytes())
    (shelf / "newest").write_bytes(versions[-1].read_bytes())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(shelf.parent))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/directory"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The test says what it wants to say."""


def test_r34_versions_are_fetched_from_any_web_server_and_checked_as_ever(
    folder: Path, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ends, no connection stays open."""
    closed, close = list[HttpTransport](), HttpTransport.close
    monkeypatch.setattr(HttpTransport, "close", lambda self: (closed.append(self), close(self)))
    second = next_version(folder, first)
    third = next_version(folder, second, "--suspend", "NCB-PT")
    ok("node", "init", folder / "fresh", *BANK, "--listen", "127.0.0.1:8445")
    digest = data("directory", "show", first)["keepers_digest"]
    with served(first, second, third) as url:
        told = arrp("directory", "fetch", folder / "bank", url)
        assert (told.exit_code, "NCB-PT is suspended" in told.stderr, version(folder / "bank")) == (0, True, 3)
        assert data("directory", "fetch", folder / "bank", url)["version"] == 3
        asked = arrp("directory", "fetch", folder / "fresh", url)
        assert (asked.exit_code, "Ask one of its keepers" in asked.stderr) == (4, True)
        assert arrp("directory", "fetch", folder / "fresh", url, "--keepers-digest", "0" * 64).exit_code == 4
        assert not (folder / "fresh" / "directory.json").exists()
        ok("directory", "fetch", folder / "fresh", url, "--keepers-digest", digest)
        assert arrp("directory", "fetch", folder / "ncb", f"{url}/nowhere").exit_code == 6
    assert len(closed) == 6
    for bad in ("nonsense", "ftp://127.0.0.1/d", "http://a@127.0.0.1/d"):
        assert arrp("directory", "fetch", folder / "ncb", bad).exit_code == 2
    assert version(folder / "ncb") == 1


def test_the_directory_is_shown_and_what_is_odd_is_said(folder: Path, first: Path) -> None:
    shown = data("directory", "show", first)
    assert [who["id"] for who in shown["participants"]] == ["BANK-PT", "NCB-PT"]
    assert (shown["version"], shown["signed_by"]) == (1, ["kim", "lee"])
    result = arrp("directory", "show", first)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["ID", "BANK-PT", "NCB-PT"]
    for odd in ("NCB-PT instructs BANK-XX, which the directory does not have", "BANK-PT has no officers",
                "BANK-PT names nobody to telephone", "kept by 2 of kim, lee; signed by kim, lee"):  # fmt: skip
        assert odd in result.stderr
    assert shown["keepers_digest"] in result.stderr.replace(" ", "")
    who = json.loads(ok("directory", "show", first, "NCB-PT"))
    assert (who["languages"], who["contacts"][0]["telephone"]) == (["pt"], "+351 210 000 000")
    assert arrp("directory", "show", first, "NOBODY").exit_code == 3
    assert arrp("directory", "show", folder / "nowhere.json").exit_code == 3


def test_r34_nothing_counts_before_enough_keepers_signed(folder: Path) -> None:
    draft, home = folder / "d.json", folder / "bank"
    ok("directory", "add", draft, home / "entry.json", *keepers(folder))
    digest = data("directory", "show", draft)["keepers_digest"]
    publish = ("directory", "publish", home, draft, "--keepers-digest", digest)
    assert arrp(*publish).exit_code == 4
    ok("directory", "sign", draft, "--key", folder / "kim.pem")
    assert arrp(*publish).exit_code == 4
    ok("directory", "sign", draft, "--key", folder / "kim.pem")
    assert arrp(*publish).exit_code == 4, "one keeper twice is one"
    ok("directory", "sign", draft, "--key", folder / "lee.pem")
    assert arrp(*publish[:4]).exit_code == 4, "nobody has read the digest to us"
    assert arrp(*publish[:5], "0" * 64).exit_code == 4
    assert not (home / "directory.json").exists()
    ok(*publish)
    assert version(home) == 1


def test_r34_what_is_signed_is_shown_first_and_a_draft_that_changes_is_signed_again(folder: Path, first: Path) -> None:
    draft = folder / "d.json"
    ok("directory", "add", draft, "--suspend", "BANK-PT", "--after", first)
    assert arrp("directory", "sign", draft, "--key", folder / "kim.pem").exit_code == 4, "after what?"
    told = arrp("directory", "sign", draft, "--key", folder / "kim.pem", "--after", first)
    assert "BANK-PT is suspended" in told.stderr
    ok("directory", "add", draft, "--remove", "NCB-PT", "--after", first)
    shown = data("directory", "show", draft)
    assert (shown["signed_by"], [who["id"] for who in shown["participants"]]) == ([], ["BANK-PT"])
    ok("officer", "key", folder / "stranger.pem", "--id", "x", "--name", "X")
    sign = ("directory", "sign", draft, "--after", first, "--key")
    assert arrp(*sign, folder / "stranger.pem").exit_code == 4
    assert arrp(*sign, folder / "kim.pem", passphrase="wrong").exit_code == 4


def test_r34_versions_are_put_in_force_one_after_another(folder: Path, first: Path) -> None:
    second = next_version(folder, first)
    third = next_version(folder, second, "--suspend", "NCB-PT")
    home = folder / "bank"
    assert arrp("directory", "publish", home, third).exit_code == 4, "the second is missing"
    ok("directory", "publish", home, second)
    told = arrp("directory", "publish", home, third)
    assert (told.exit_code, "NCB-PT is suspended" in told.stderr) == (0, True)
    for older in (first, second):
        assert arrp("directory", "publish", home, older).exit_code == 4
    assert version(home) == 3
    assert data("directory", "changes", third, "--after", second) == [
        {"about": "NCB-PT", "said": "NCB-PT is suspended: nothing of it is applied", "revoked": None}
    ]


def test_r35_an_entry_that_nobody_of_its_own_signed_is_put_in_openly_or_not_at_all(folder: Path, first: Path) -> None:
    ok("node", "init", folder / "forged", *BANK, "--listen", "127.0.0.1:8445")
    forged = folder / "forged" / "entry.json"
    draft = folder / "d.json"
    refused = arrp("directory", "add", draft, forged, "--after", first)
    assert (refused.exit_code, draft.exists()) == (4, False)
    assert "telephone its people" in refused.stderr
    told = arrp("directory", "add", draft, forged, "--after", first, "--reissue")
    assert "BANK-PT is re-issued by the keepers" in told.stderr
    entry = folder / "bank" / "entry.json"
    entry.write_bytes(entry.read_bytes().replace(b"Banco", b"Bunco"))
    assert arrp("directory", "add", folder / "e.json", entry, "--after", first).exit_code == 4


def test_r36_keys_are_rotated(folder: Path, first: Path) -> None:
    home = folder / "bank"
    old = load_node_keys(home)
    backwards = ("--from", "2030-01-01T00:00Z", "--until", "2029-01-01T00:00Z")
    assert arrp("node", "rotate-key", home, *backwards).exit_code == 2
    shown = data("node", "rotate-key", home)
    assert [len(shown[of]) for of in ("signing", "sealing")] == [2, 2]
    assert shown["signing"][0]["until"] > shown["signing"][1]["from"], "there is an overlap"
    second = next_version(folder, first, home / "entry.json")
    ok("directory", "publish", home, second)
    me, now = trusted_directory(home, load_node_keys(home)).participant("BANK-PT"), Clock().now()
    assert load_node_keys(home).in_use(me, now).signing_id == old.signing_id, "the new ones begin in a day"
    later = load_node_keys(home).in_use(me, me.signing[1].since)
    assert later.signing_id == me.signing[1].id != old.signing_id
    assert len(later.other_sealing) == 1, "parcels to the old one are still opened"


def test_r37_a_stolen_key_of_a_node(folder: Path, first: Path) -> None:
    home = folder / "bank"
    kid = load_node_keys(home).signing_id
    assert arrp("node", "revoke-key", home, "0" * 16, "--from", "2026-01-01T00:00Z").exit_code == 3
    assert arrp("node", "revoke-key", home, kid, "--from", "2999-01-01T00:00Z").exit_code == 2
    told = arrp("node", "revoke-key", home, kid, "--from", "2026-01-01T00:00Z")
    assert "telephone the keepers" in told.stderr
    draft = folder / "d.json"
    assert arrp("directory", "add", draft, home / "entry.json", "--after", first).exit_code == 4
    second = next_version(folder, first, home / "entry.json", "--reissue")
    announced = arrp("directory", "publish", home, second)
    assert f"arrp audit signed-by {kid}" in announced.stderr
    me = trusted_directory(home, load_node_keys(home)).participant("BANK-PT")
    assert load_node_keys(home).in_use(me, Clock().now()).signing_id != kid


def test_r37_a_stolen_key_of_an_officer(folder: Path, first: Path) -> None:
    home = folder / "bank"
    fragment = ok("officer", "key", folder / "ana.pem", "--id", "ana", "--name", "Ana", "--role", "duty officer")
    (folder / "ana.json").write_text(fragment)
    ok("officer", "add", home, folder / "ana.json")
    second = next_version(folder, first, home / "entry.json")
    kid = json.loads(fragment)["keys"][0]["id"]
    ok("node", "revoke-key", home, kid, "--from", "2026-01-01T00:00Z")
    [ana] = read_entry(home / "entry.json").officers
    assert ana.keys[0].revoked_at is not None
    third = next_version(folder, second, home / "entry.json")
    assert read_edition(third).edition.version == 3
    assert len(load_node_keys(home).all_signing()) == 1, "the node's own keys stay"


def test_what_a_key_signed_is_listed_where_nothing_is_signed_yet(folder: Path) -> None:
    home = folder / "bank"
    asked = ("audit", "signed-by", "0" * 16, "--home", home)
    assert arrp(*asked).exit_code == 3, "there is no store yet"
    Store(load_config(home).store).close()
    assert data(*asked) == []
    assert arrp(*asked, "--since", "yesterday").exit_code == 2
