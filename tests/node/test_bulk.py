"""In bulk and row by row a ledger is the same, and so are the refusals with their numbers."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arrp.core.errors import Malformed
from arrp.node import bulk
from arrp.node.bulk import read_bulk
from arrp.node.ledger_reading import read_row_by_row, read_rows
from arrp.wire.ledger_csv import Rows

duckdb = pytest.importorskip("duckdb", reason="the extra lake is not installed")

HEADER = "time,from,to,amount,asset,ref,to_amount,to_asset,batch\n"
GOOD = [
    "2026-11-22T09:30:00Z,A,B,10.00,EUR,r1,,,",
    "2026-11-22 09:30:00.000001+05:30,A,,7,JPY,r2,,,b",
    '2026-11-22T09:30-03:00,"A, the ""first""",B,0.000001,eip155:1/slip44:60,r3,,,',
    "1969-12-31T23:59:59.5Z,Zürich,B,92233720368547758.07,EUR,r4,1.50,USD,",
    "2024-02-29T00:00:00Z,A,A,1.500000,BHD,r5,,,",
]
BAD = [
    "2026-02-30T09:30:00Z,A,B,10.00,EUR,x1,,,",
    "2026-11-22T24:00:00Z,A,B,10.00,EUR,x2,,,",
    "2026-11-22T09:30:00,A,B,10.00,EUR,x3,,,",
    "2026-11-22T09:30:00Z,A,B,10.001,EUR,x4,,,",
    "2026-11-22T09:30:00Z,A,B,0,EUR,x5,,,",
    "2026-11-22T09:30:00Z,A,B,1,EUR,r1,,,",
    "2026-11-22T09:30:00Z,,,1,EUR,x6,,,",
    "2026-11-22T09:30:00Z,A,B,1,XXXX,x7,,,",
    "2026-11-22T09:30:00Z,A,B,1,EUR,x8,1,,",
    "2026-11-22T09:30:00Z,A,B,92233720368547758.08,EUR,x9,,,",
    "2026-11-22T09:30:00Z,A,B,1,EUR,x10",
    "2026-11-22T09:30:00Z,A,B,1,EUR,x11,,,,,",
    "2026-11-22T09:30:00Z,A,B, 1,EUR,x12,,,",
    '2026-11-22T09:30:00Z,"A"x,B,1,EUR,x13,,,',
    "2026-11-22T09:30:00Z,A,B,1,EUR,,,,",
    "2026-11-22T09:30:00Z,A,B,1,,x14,,,",
    "",
]


def same(one: Rows, other: Rows) -> None:
    for field in fields(Rows):
        if not field.name.startswith("_"):
            assert getattr(one, field.name) == getattr(other, field.name), field.name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(GOOD), unique=True), st.lists(st.sampled_from(BAD), max_size=1), st.booleans())
def test_the_same_rows_and_the_same_refusals(tmp_path: Path, good: list[str], bad: list[str], first: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in ([*bad, *good] if first else [*good, *bad])))
    slow = read_row_by_row([path])
    same(read_rows([path]), slow)
    fast = read_bulk([path])
    if fast is not None:
        same(fast, slow)
    else:
        assert bad, "what is beyond doubt is taken in bulk"


def test_several_files_and_columns_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + GOOD[0] + "\r\n" + GOOD[1])
    other = "\ufeffref,asset,channel,amount,to,from,time\nr9,EUR,app,1,B,A,2026-11-22T09:30:00Z\n"
    (tmp_path / "b.csv").write_text(other)
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    fast = read_bulk(paths)
    assert fast is not None
    assert fast.refs == ["r1", "r2", "r9"]
    same(fast, read_row_by_row(paths))


def test_parquet_is_the_same_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in GOOD))
    text = f"copy (select * from read_csv('{path}', all_varchar = true, header = true)) to '{tmp_path}/a.parquet'"
    duckdb.execute(text)
    fast = read_bulk([tmp_path / "a.parquet"])
    assert fast is not None
    same(fast, read_row_by_row([path]))
    same(read_row_by_row([tmp_path / "a.parquet"]), fast)
    path.write_text(HEADER + "".join(f"{line}\n" for line in (GOOD[0], BAD[3], BAD[5])))
    duckdb.execute(text)
    refused = read_rows([tmp_path / "a.parquet"]).refused
    assert refused == read_row_by_row([path]).refused
    assert [one.row for one in refused] == [2, 3]
    (tmp_path / "b.parquet").write_text("no")
    with pytest.raises(Malformed, match="cannot be read as Parquet"):
        read_rows([tmp_path / "b.parquet"])


def test_without_the_engine_csv_is_read_and_parquet_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text(HEADER + GOOD[0] + "\n")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(bulk, "duckdb", None)
    assert read_rows([tmp_path / "a.csv"]).refs == ["r1"]
    with pytest.raises(Malformed, match="needs the extra lake"):
        read_rows([tmp_path / "a.parquet"])
