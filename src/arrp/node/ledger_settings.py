"""Which ledger a node reads beside its clerks: what stands in [core] of node.toml where its kind is "ledger".

ledger      csv:PATH | sql:URL | chain:PATH; a path, below HOME, is a file or a folder of *.csv files
query       of sql: what yields sequence,time,from,to,amount,asset,ref and more
opening     a CSV file account,amount,asset: what there was before the first row
accounts    prefixes of the institutions whose accounts are kept here, ["PT0002"]; none = all of the ledger.
            Of chain: the chain, ["eip155:1"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arrp.core.errors import Malformed

_WHERE = "node.toml: [core]"


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """`form` is csv, sql or chain; `place` a path, or a URL that may hold a password, so it is not printed."""

    form: str
    place: str = field(repr=False)
    query: str = ""
    opening: Path | None = None
    accounts: tuple[str, ...] = ()


def ledger_settings(home: Path, core: Mapping[str, Any]) -> LedgerSettings | None:
    """Of the table [core]. Raises Malformed where a ledger is half described, or nobody reads the one that is."""
    if core["kind"] != "ledger":
        if said := [name for name in ("ledger", "query", "opening", "accounts") if core[name]]:
            raise Malformed(f'{_WHERE}: {said[0]} is of kind = "ledger", and this one is "{core["kind"]}"')
        return None
    form, _, place = core["ledger"].partition(":")
    if form not in ("csv", "sql", "chain") or not place:
        raise Malformed(f"{_WHERE}: ledger is csv:PATH, sql:URL or chain:PATH")  # not printed: it may hold a password
    if (form == "sql") != bool(core["query"]):
        raise Malformed(f'{_WHERE}: query goes with ledger = "sql:URL", and with nothing else')
    if form == "chain" and len(core["accounts"]) != 1:
        raise Malformed(f'{_WHERE}: accounts names the chain of these exports, such as ["eip155:1"]')
    opening = home / core["opening"] if core["opening"] else None
    return LedgerSettings(form, place if form == "sql" else str(home / place), core["query"], opening, core["accounts"])
