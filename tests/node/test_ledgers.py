"""A ledger on disk answers as the one in memory does; a crash leaves the old one whole; what is broken is said."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrp.core.errors import Corrupt, Malformed, NotFound, Refused
from arrp.node import ledgers
from arrp.node.ledger_reading import Opening, book_rows, read_opening, read_rows
from arrp.node.ledgers import append_ledger, check_files, open_ledger, write_ledger
from arrp.node.names import Names, names_columns
from arrp.trace.booking import Booked
from arrp.trace.index import build_index
from arrp.trace.ledger import Ledger, Pot
from arrp.wire.ledger_csv import read_ledger_csv

HEADER = "time,from,to,amount,asset,ref,to_amount,to_asset,batch\n"
ROWS = [
    ",A,100.00,EUR,in,,,",
    "A,B,60.00,EUR,ab,,,b1",
    "A,B,10.00,EUR,ab2,,,b1",
    "B,X,66.00,EUR,bx,70.00,USD,",
    "C,B,5.00,EUR,cb,,,",
    "B,B,1.00,EUR,self,,,",
    "X,D,30.00,USD,xd,,,b2",
    "D,C,10.00,USD,dc,,,",
    "B,,5.00,EUR,out,,,",
]


def booked(rows: list[str], opening: Opening | None = None, terminals: set[str] | None = None) -> Booked:
    read = read_ledger_csv([HEADER, *(f"2026-11-22T09:30:{at:02}Z,{row}\n" for at, row in enumerate(rows))])
    return book_rows(read, opening or {}, terminals or set())


def same_ledger(one: Ledger, other: Ledger) -> None:
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert (list(a) if not isinstance(a, np.ndarray) else a.tolist()) == (
            list(b) if not isinstance(b, np.ndarray) else b.tolist()
        ), field.name
    assert (one.arrived is one.amounts) == (other.arrived is other.amounts)


def test_what_was_written_is_what_is_opened(tmp_path: Path) -> None:
    made = booked(ROWS, {("A", "EUR"): 500, ("Z", "JPY"): 7}, {"D", "Z"})
    outcome = write_ledger(tmp_path / "l", made)
    stored = open_ledger(tmp_path / "l")
    same_ledger(stored.ledger, made.ledger)
    assert (outcome.rows, outcome.implied, stored.manifest.assets) == (9, 1, ("EUR", "USD", "JPY"))
    index, _ = build_index(made.ledger)
    for field in fields(index.segments[0]):
        assert np.array_equal(getattr(stored.index.segments[0], field.name), getattr(index.segments[0], field.name))
    assert stored.index.stops.tolist() == index.stops.tolist()
    row = stored.row_of("ab")
    assert (row, stored.source_of(row)) == (1, stored.pots.of_account("A")[0])
    assert [stored.pots[pot] for pot in stored.pots.of_account("Z")] == [Pot("Z", "JPY")]
    check_files(tmp_path / "l")
    with pytest.raises(NotFound, match="no transfer nothing"):
        stored.row_of("nothing")


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_what_is_appended_answers_as_one_ledger(tmp_path: Path, cut: int) -> None:
    """Openings of new accounts are implied from what came with them; so the whole has them given."""
    write_ledger(tmp_path / "l", booked(ROWS[:cut], {("C", "EUR"): 500}))
    append_ledger(tmp_path / "l", booked(ROWS[cut : cut + 1]))
    if ROWS[cut + 1 :]:
        append_ledger(tmp_path / "l", booked(ROWS[cut + 1 :]))
    stored = open_ledger(tmp_path / "l")
    whole = booked(ROWS, {("C", "EUR"): 500})
    names = [stored.pots[k] for k in range(len(stored.pots))]
    numbers = [names.index(pot) for pot in whole.ledger.pots]
    assert stored.ledger.sources.tolist() == [numbers[k] for k in whole.ledger.sources.tolist()]
    assert list(stored.ledger.refs) == whole.ledger.refs
    assert stored.ledger.batches.tolist() == [-1, 0, 0, -1, -1, -1, 1, -1, -1] if cut != 1 else True
    index, _ = build_index(whole.ledger)
    for ref in ("in", "ab", "cb", "xd"):
        row = stored.row_of(ref)
        begun = stored.index.piece_of(stored.source_of(row), row)
        here = index.piece_of(int(whole.ledger.sources[row]), row)
        assert begun == (numbers[here[0]], *here[1:])
        mine, theirs = stored.index.follow_pieces([begun]), index.follow_pieces([here])
        assert mine.low.tolist() == theirs.low.tolist()
        assert mine.here.tolist() == theirs.here.tolist()
        assert mine.pot.tolist() == [numbers[pot] for pot in theirs.pot.tolist()]


def test_appending_refuses_what_was_booked_and_what_nothing_covers(tmp_path: Path) -> None:
    write_ledger(tmp_path / "l", booked(ROWS))
    with pytest.raises(Malformed, match="row 1: ref xd is in the ledger already"):
        append_ledger(tmp_path / "l", booked(["A,B,1.00,EUR,xd,,,"]))
    with pytest.raises(Refused, match=r"row 11: an account pays more than it has"):
        append_ledger(tmp_path / "l", booked(["A,B,30.00,EUR,n1,,,", "A,B,0.01,EUR,n2,,,"]))
    assert open_ledger(tmp_path / "l").manifest.rows == 9
    append_ledger(tmp_path / "l", booked(["A,B,30.00,EUR,n1,,,"]))
    assert open_ledger(tmp_path / "l").manifest.rows == 10


def test_a_crash_leaves_the_old_ledger_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ledger(tmp_path / "l", booked(ROWS))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ledgers, "replace_file", killed)
    with pytest.raises(KeyboardInterrupt):
        append_ledger(tmp_path / "l", booked(["A,B,30.00,EUR,n1,,,"]))
    with pytest.raises(KeyboardInterrupt):
        write_ledger(tmp_path / "l", booked(ROWS[:2]))
    monkeypatch.undo()
    same_ledger(open_ledger(tmp_path / "l").ledger, booked(ROWS).ledger)
    assert len(list((tmp_path / "l").glob("part-*"))) == 3
    write_ledger(tmp_path / "l", booked(ROWS[:2]))
    assert len(list((tmp_path / "l").glob("part-*"))) == 1, "what nobody names is removed"
    assert open_ledger(tmp_path / "l").manifest.rows == 2


def test_what_is_broken_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    with pytest.raises(NotFound, match="is no ledger"):
        open_ledger(folder)
    write_ledger(folder, booked(ROWS))
    (file,) = folder.glob("part-*/row.npy")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(Corrupt, match=r"row\.npy has \d+ bytes and had"):
        open_ledger(folder)
    file.write_bytes(whole[:-1] + b"\x07")
    open_ledger(folder)
    with pytest.raises(Corrupt, match="is not what was written"):
        check_files(folder)
    file.unlink()
    with pytest.raises(Corrupt, match="not there"):
        open_ledger(folder)
    manifest = folder / "manifest.json"
    for text in ("{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "parts": [{"files": 3}]}'):
        manifest.write_text(text)
        with pytest.raises((Corrupt, Malformed), match="build"):
            open_ledger(folder)
    assert json.loads('{"format": 1}')["format"] == ledgers.FORMAT


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(Malformed, match="is no ledger: name a new folder"):
        write_ledger(tmp_path, booked(ROWS))
    assert (tmp_path / "diary.txt").exists()


def test_sums_beyond_63_bits_are_indexed_when_opened(tmp_path: Path) -> None:
    most = "46116860184273879.04"  # 2^62 cents
    rows = [f",A,{most},EUR,1,,,", f"A,B,{most},EUR,2,,,", f",A,{most},EUR,3,,,", f"A,B,{most},EUR,4,,,"]
    write_ledger(tmp_path / "l", booked(rows))
    stored = open_ledger(tmp_path / "l")
    assert stored.manifest.wide
    assert stored.index.piece_of(stored.source_of(3), 3) == (stored.pots.of_account("B")[0], 2**62, 2**63)
    with pytest.raises(Refused, match="nothing can be appended"):
        append_ledger(tmp_path / "l", booked(["B,A,1.00,EUR,5,,,"]))


def test_names_are_found_whatever_they_are() -> None:
    texts = ["a", "b", "ab", "ba", "a", "Zürich", "\U0001f4b6", "x" * 300, "aa"]
    names = Names(names_columns(texts))
    assert list(names) == texts
    assert [names[k] for k in range(len(names))] == texts
    for text in texts:
        assert names.find(text) == [place for place, other in enumerate(texts) if other == text]
    assert names.find("c") == names.find("") == []
    assert (names[-1], names[1:3]) == ("aa", ["b", "ab"])
    with pytest.raises(IndexError):
        names[9]
    assert Names(names_columns([])).find("a") == []


def test_rows_of_files_are_counted_through_and_refused_together(tmp_path: Path) -> None:
    for name, rows in (("a.csv", ROWS[:2]), ("b.csv", [ROWS[0], "A,B,0,EUR,x,,,"])):
        (tmp_path / name).write_text(HEADER + "".join(f"2026-11-22T09:30:00Z,{row}\n" for row in rows))
    rows = read_rows([tmp_path / "a.csv", tmp_path / "b.csv"])
    with pytest.raises(Malformed, match=r"2 rows cannot stand.*row 3: ref in stands on row 1.*row 4: amount 0"):
        book_rows(rows, {}, set())
    with pytest.raises(Malformed, match=r"row 2: account A pays 60.00 EUR and has 0.00 EUR"):
        booked([",B,1,EUR,b,,,", ROWS[1]], {("A", "EUR"): 0})
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(Malformed, match="is not UTF-8"):
        read_rows([tmp_path / "c.csv"])
    with pytest.raises(NotFound):
        read_rows([tmp_path / "d.csv"])
    (tmp_path / "o.csv").write_text("account,amount,asset\nA,-1,EUR\n")
    with pytest.raises(Malformed, match=r"o\.csv: 1 row cannot stand.*row 1"):
        read_opening(tmp_path / "o.csv")
