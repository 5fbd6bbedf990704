"""`arrp trace`: the conformance vectors through the command, its refusals, several victims, the drawing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.running import arrp, ok

VECTORS = Path(__file__).parents[2] / "vectors" / "trace"
NAMES = {"method", "stolen", "held", "terminal", "unfollowed", "flows", "accounts_visited", "partial", "asset"}
CASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(VECTORS.glob("*.json"))}
LEDGER = """time,from,to,amount,asset,ref
2022-11-23T09:00:00Z,V,A,100.00,EUR,t1
2022-11-23T09:00:00Z,V,A,100.00,EUR,t2
2022-11-23T09:01:00Z,A,B,150.00,EUR,t3
2022-11-23T09:02:00Z,B,,20.00,EUR,t4
"""


def write(folder: Path, case: dict[str, Any]) -> list[object]:
    """The files of a case, and the words of its command."""
    files = {}
    for name in ("ledger", "opening", "terminals"):
        files[name] = folder / f"{name}.csv"
        files[name].write_text("\n".join([*case[name], ""]), encoding="utf-8")
    return ["trace", files["ledger"], "--opening", files["opening"], "--terminals", files["terminals"]]


def places(found: list[dict[str, str]]) -> dict[str, str]:
    assert len({one["account"] for one in found}) == len(found)
    return {one["account"]: one["amount"] for one in found}


@pytest.mark.parametrize("name", CASES)
def test_the_vectors_hold_for_every_method(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    words = write(tmp_path, case)
    assert case["answers"].keys() == {"fifo", "lifo", "haircut", "dirty-first", "libr", "tiho"}
    for method, expected in case["answers"].items():
        found = json.loads(ok(*words, "--transfer", case["transfer"], "--method", method, "--json"))
        assert found.keys() >= NAMES
        got = (places(found["held"]), places(found["terminal"]), found["unfollowed"], found["partial"])
        want = (places(expected["held"]), places(expected["terminal"]), expected["unfollowed"], False)
        assert got == want, f"{name} by {method}"


def test_there_are_vectors() -> None:
    assert len(CASES) >= 10


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.csv"
    path.write_text(LEDGER, encoding="utf-8")
    return path


def test_a_payment_is_named_by_what_a_victim_knows(ledger: Path) -> None:
    at = "2022-11-23T10:01:00+01:00"
    found = json.loads(ok("trace", ledger, "--from", "A", "--at", at, "--amount", "150", "--json"))
    assert (found["ref"], found["stolen"], found["method"]) == ("t3", "150.00", "fifo")
    assert found["accounts_visited"] == 1
    assert found["flows"][0] == {
        "ref": "t3", "from": "A", "to": "B", "amount": "150.00", "asset": "EUR", "claim": "150.00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--from", "V", "--at", "2022-11-23T09:00:00Z", "--amount", "100.00"), 4, "t1, t2"),
        (("--from", "V", "--at", "2022-11-23T09:00:00Z", "--amount", "90.00"), 3, "100.00 EUR by t1"),
        (("--from", "V", "--at", "2022-11-23T09:00:01Z", "--amount", "100.00"), 3, "never then"),
        (("--from", "Q", "--at", "2022-11-23T09:00:00Z", "--amount", "100.00"), 3, "is not in this ledger"),
        (("--from", "V", "--at", "2022-11-23T09:00:00", "--amount", "100.00"), 2, "time zone"),
        (("--from", "V"), 2, "--at and --amount"),
        (("--transfer", "t9"), 3, "ref t9"),
        ((), 2, "--transfer REF"),
        (("--transfer", "t1", "--method", "alphabetical"), 3, "fifo, lifo"),
        (("--transfer", "t1", "--hops", "-1"), 2, "zero or more"),
    ],
)
def test_what_cannot_be_followed_is_said_in_one_line(
    ledger: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    result = arrp("trace", ledger, *words)
    assert (result.exit_code, result.exception.__class__) == (code, SystemExit)
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_rows_that_cannot_stand_are_told_by_their_numbers(ledger: Path) -> None:
    ledger.write_text(LEDGER + "2022-11-23T09:02:00Z,B,,0.00,EUR,t5\nyesterday,B,,1.00,EUR,t6\n", encoding="utf-8")
    result = arrp("trace", ledger, "--transfer", "t1")
    assert result.exit_code == 2
    assert "row 5" in result.stderr
    assert "row 6" in result.stderr


def test_several_victims_each_and_together(ledger: Path, tmp_path: Path) -> None:
    victims = tmp_path / "victims.csv"
    victims.write_text("ref\nt1\nt2\n", encoding="utf-8")
    found = json.loads(ok("trace", ledger, "--victims", victims, "--method", "pro_rata", "--json"))
    assert [places(one["held"]) for one in found["victims"]] == [{"A": "25.00", "B": "65.00"}] * 2
    assert [one["terminal"][0]["amount"] for one in found["victims"]] == ["10.00", "10.00"]
    together = found["together"]
    assert (together["stolen"], together["unfollowed"]) == ("200.00", "0.00")
    assert places(together["held"]) == {"A": "50.00", "B": "130.00"}
    assert {flow["ref"]: flow["amount"] for flow in together["flows"]}["t3"] == "150.00"
    victims.write_text("from,at,amount\nA,2022-11-23T09:01:00Z,150.00\n", encoding="utf-8")
    assert json.loads(ok("trace", ledger, "--victims", victims, "--json"))["victims"][0]["ref"] == "t3"
    victims.write_text("who\nx\n", encoding="utf-8")
    assert arrp("trace", ledger, "--victims", victims).exit_code == 2


@pytest.mark.parametrize("name", [name for name in CASES if name != "given_back"])
def test_a_built_ledger_answers_as_its_rows_do(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    [_, *files] = write(tmp_path, case)
    folder = tmp_path / "folder"
    ok("ledger", "build", *files, "--out", folder)
    for method in case["answers"]:
        words = ("--transfer", case["transfer"], "--method", method, "--json")
        assert ok("trace", folder, *words) == ok("trace", *files, *words)


def test_a_folder_that_forgot_what_was_returned_is_refused(tmp_path: Path) -> None:
    [_, *files] = write(tmp_path, CASES["given_back"])
    ok("ledger", "build", *files, "--out", tmp_path / "folder")
    result = arrp("trace", tmp_path / "folder", "--transfer", "theft")
    assert (result.exit_code, "1 returns" in result.stderr) == (4, True)
    assert arrp("trace", tmp_path / "folder", *files[1:], "--transfer", "theft").exit_code == 2


def test_poison_names_accounts_and_no_amounts(ledger: Path) -> None:
    found = json.loads(ok("trace", ledger, "--transfer", "t1", "--method", "poison", "--json"))
    assert [one["account"] for one in found["held"]] == ["A", "B"]
    assert {one["amount"] for one in (*found["held"], *found["terminal"], *found["flows"])} == {None}
    assert found["unfollowed"] is None


def test_a_budget_says_what_it_left(ledger: Path) -> None:
    found = json.loads(ok("trace", ledger, "--transfer", "t1", "--hops", "0", "--json"))
    assert (found["unfollowed"], found["partial"], found["why"]) == ("100.00", True, ["more than 0 hops away"])


def test_people_get_a_table_sentences_and_the_range(ledger: Path) -> None:
    said = ok("trace", ledger, "--transfer", "t1", "--method", "lifo")
    assert "held   A        100.00 EUR" not in said
    assert "held" in said.splitlines()[2]
    assert "of your 100.00 EUR lies in account A, because a payment takes the newest coins" in said
    assert "Between lowest balance and dirty-first" in said


def test_the_drawing_is_plain_svg_and_tells_by_shape(ledger: Path, tmp_path: Path) -> None:
    text = LEDGER.replace(",A,", ",<A&B>,")
    ledger.write_text(text, encoding="utf-8")
    picture = tmp_path / "trace.svg"
    ok("trace", ledger, "--transfer", "t1", "--svg", picture)
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert root.tag.endswith("svg")
    assert {"rect", "path", "text"} <= set(tags)
    assert "script" not in tags
    assert "<A&B>" in [element.text for element in root.iter()]
    ribbons = [float(e.get("stroke-width", "0")) for e in root.iter() if e.get("stroke-width")]
    assert max(ribbons) / min(ribbons) == pytest.approx(100 / 20, rel=0.01)


def test_the_page_about_tracing_shows_what_the_command_says(tmp_path: Path) -> None:
    page = (VECTORS.parents[1] / "docs" / "trace.md").read_text(encoding="utf-8")
    blocks = page.split("```")[1::2]
    rows = next(block for block in blocks if block.startswith("csv"))
    shown = next(block for block in blocks if block.startswith("text")).split("\n", 2)
    path = tmp_path / "ledger.csv"
    path.write_text(rows.split("\n", 1)[1], encoding="utf-8")
    assert len(rows.splitlines()) > 4
    words = shown[1].removeprefix("$ arrp trace ledger.csv ").split()
    assert ok("trace", path, *words).strip() == shown[2].strip()


def test_whose_money_lies_in_an_account(ledger: Path) -> None:
    found = json.loads(ok("trace", ledger, "--whose", "B", "--json"))
    origins = [(one["from"], one["ref"], one["amount"]) for one in found["origins"]]
    assert origins == [("V", None, "80.00"), ("V", None, "50.00")]
    assert "opening balance" in ok("trace", ledger, "--whose", "B")
    assert arrp("trace", ledger, "--whose", "Q").exit_code == 3


def test_answers_of_institutions_are_put_together_and_a_gap_has_a_name(tmp_path: Path) -> None:
    page = (VECTORS.parents[1] / "docs" / "trace.md").read_text(encoding="utf-8")
    shown = next(block for block in page.split("```")[1::2] if block.startswith("json")).removeprefix("json")
    path = tmp_path / "answers.json"
    path.write_text(shown, encoding="utf-8")
    found = json.loads(ok("stitch", path, "--json"))
    assert found["gaps"] == [{"institution": "south", "ref": "t2", "units": 60, "why": "it did not answer"}]
    assert "gap: south, 60 units of t2" in ok("stitch", path)
    heard = json.loads(shown)
    heard["answers"].append({"by": "south", "ref": "t2", "inside": [[0, 60]], "here": 50, "ended": 10, "legs": []})
    path.write_text(json.dumps(heard), encoding="utf-8")
    found = json.loads(ok("stitch", path, "--json"))
    assert (found["whole"], found["here"]) == (True, {"north": 40, "south": 50})
    path.write_text(shown.replace('"here": 40', '"here": -40'), encoding="utf-8")
    assert arrp("stitch", path).exit_code == 2
