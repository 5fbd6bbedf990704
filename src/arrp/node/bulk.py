"""Many rows at once: CSV and Parquet by DuckDB, where the extra `lake` is installed.

The engine takes a file only when every cell of it is beyond doubt; anything else is read row by row by
wire/ledger_csv.py, whose words are the refusals. So there is one place that refuses, and one result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arrp.core.errors import Malformed
from arrp.core.money import decimals
from arrp.wire.ledger_csv import FURTHER, NEEDED, Rows

try:
    import duckdb
except ImportError:
    duckdb = None

Told = Callable[[str], None]

_AMOUNT = r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?"
_TIME = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
_CELLS = ("time", "source", "target", "amount", "asset", "ref", "to_amount", "to_asset", "batch", "reverses")


def is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def read_bulk(paths: Sequence[Path], told: Told = lambda _: None) -> Rows | None:
    """All files as one ledger; None where row by row is the way: no engine, or a cell that is not beyond doubt."""
    if duckdb is None:
        return None
    store = duckdb.connect()
    try:
        _load(store, paths)
        many = store.execute("select count(*) from cells").fetchone()[0]
        told(f"{many} rows read at once")
        if not _beyond_doubt(store):
            return None
        return _rows(store)
    except (duckdb.Error, Malformed, UnicodeDecodeError):
        return None
    finally:
        store.close()


def parquet_rows(path: Path) -> Iterator[list[str]]:
    """Each row of a Parquet file as texts, NEEDED and FURTHER. Raises Malformed without the extra, or for another file.
    """
    if duckdb is None:
        raise Malformed(f"{path} is Parquet, which needs the extra lake: pip install 'arrp[lake]'. Or give CSV")
    store = duckdb.connect()
    try:
        _create(store)
        _insert(store, path)
        found = store.execute("select * exclude (number) from cells order by number")
        while batch := found.fetchmany(10_000):
            yield from (list(row) for row in batch)
    except duckdb.Error as why:
        raise Malformed(f"{path} cannot be read as Parquet ({str(why).splitlines()[0]})") from None
    finally:
        store.close()


def _load(store: Any, paths: Sequence[Path]) -> None:
    _create(store)
    for path in paths:
        _insert(store, path)


def _create(store: Any) -> None:
    store.execute("set timezone = 'UTC'")
    columns = ", ".join(f"{name} varchar" for name in _CELLS)
    store.execute("create sequence numbers")
    store.execute(f"create table cells (number bigint default nextval('numbers'), {columns})")


def _insert(store: Any, path: Path) -> None:
    if is_parquet(path):
        source = "read_parquet(?)"
    else:
        source = ("read_csv(?, all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"',"
                  " strict_mode = true, null_padding = false, auto_detect = false, columns = {columns})")  # fmt: skip
        names = _header(path)
        source = source.format(columns="{" + ", ".join(f"'{name}': 'VARCHAR'" for name in names) + "}")
    names = [row[0] for row in store.execute(f"describe select * from {source}", [str(path)]).fetchall()]  # noqa: S608
    if lacking := [name for name in NEEDED if name not in names]:
        raise Malformed(f"{path} has no column {', '.join(lacking)}: it is {','.join(NEEDED)}, more allowed")
    wanted = [f"coalesce(cast({_quoted(name)} as varchar), '')" if name in names else "''"
              for name in (*NEEDED, *FURTHER)]  # fmt: skip
    store.execute(f"insert into cells ({', '.join(_CELLS)}) select {', '.join(wanted)} from {source}",  # noqa: S608
                  [str(path)])  # fmt: skip


def _quoted(name: str) -> str:
    return f'"{name}"'


def _header(path: Path) -> list[str]:
    """Plain names only: a header that needs quotes is for the reader that goes row by row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = [name.strip() for name in file.readline(100_000).rstrip("\r\n").split(",")]
    if not all(re.fullmatch(r"[A-Za-z0-9_ -]+", name) for name in names) or len(set(names)) < len(names):
        raise Malformed(f"{path} has a header that is not plain")
    return names


def _beyond_doubt(store: Any) -> bool:
    """Whether each cell is of the plainest form, every asset is known, and no ref stands twice."""
    doubts = store.execute(
        f"""select count(*) from cells where not regexp_full_match(time, '{_TIME}')
        or try_cast(replace(substr(time, 1, 16), 'T', ' ') as timestamp) is null
        or not regexp_full_match(amount, '{_AMOUNT}') or ref = '' or (source = '' and target = '')
        or (to_amount = '') != (to_asset = '')
        or (to_amount != '' and not regexp_full_match(to_amount, '{_AMOUNT}'))"""  # noqa: S608 - our own patterns
    ).fetchone()[0]
    twice = store.execute("select count(*) - count(distinct ref) from cells").fetchone()[0]
    if doubts or twice:
        return False
    assets = store.execute("select distinct asset from cells union select distinct to_asset from cells").fetchall()
    places = [(asset, decimals(asset)) for (asset,) in assets if asset]  # Malformed for one nobody declared
    store.execute("create table places (asset varchar, places integer)")
    if places:
        store.executemany("insert into places values (?, ?)", places)
    return bool(store.execute("select count(*) = 0 from cells where asset = ''").fetchone()[0])


def _units(amount: str, places: str) -> str:
    """SQL for minor units, null where they are too fine or too many."""
    fraction = f"rtrim(split_part({amount}, '.', 2), '0')"
    digits = f"split_part({amount}, '.', 1) || rpad({fraction}, {places}, '0')"
    return f"case when length({fraction}) <= {places} then try_cast({digits} as bigint) end"


_MICROSECONDS = (
    "epoch_us(cast(replace(regexp_replace(time, '(Z|[+-][0-9]{2}:[0-9]{2})$', ''), 'T', ' ') as timestamp))"
    " - case when time like '%Z' then 0 else"
    " (case when substr(time, -6, 1) = '-' then -1 else 1 end) * 60000000 *"
    " (cast(substr(time, -5, 2) as bigint) * 60 + cast(right(time, 2) as bigint)) end"
)


def _rows(store: Any) -> Rows | None:
    leaves, comes = _units("c.amount", "a.places"), _units("c.to_amount", "b.places")
    found = store.execute(
        f"""select {_MICROSECONDS} as times, source, target, {leaves} as amounts, c.asset as asset, ref,
        case when to_asset = '' then {leaves} else {comes} end as to_amounts,
        case when to_asset = '' then c.asset else to_asset end as to_asset, batch, reverses
        from cells c join places a on c.asset = a.asset left join places b on c.to_asset = b.asset
        order by number"""  # noqa: S608 - our own words
    ).fetchnumpy()
    for name in ("times", "amounts", "to_amounts"):
        if np.ma.is_masked(found[name]) or (name != "times" and len(found[name]) and found[name].min() <= 0):
            return None
    rows = Rows(row=len(found["ref"]))
    rows.numbers = list(range(1, rows.row + 1))
    rows.times, rows.amounts, rows.to_amounts = (found[n].tolist() for n in ("times", "amounts", "to_amounts"))
    rows.sources, rows.targets, rows.assets = (found[n].tolist() for n in ("source", "target", "asset"))
    rows.to_assets, rows.refs = found["to_asset"].tolist(), found["ref"].tolist()
    rows.batches, rows.reverses = found["batch"].tolist(), found["reverses"].tolist()
    return rows
