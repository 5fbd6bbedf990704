"""Statements on the way of every message, said to the driver as they are.

SQLAlchemy writes each once for each kind of store, and converts what its types convert. To run one its own way takes
several times as long as the store needs for it: for a node that is a fifth of what a message costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

Values = Mapping[str, Any]


class Said(Protocol):
    """What the driver answered."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement as one kind of store takes it: its text, and how each value is converted, in the order in which it
    takes them; `named` if it takes them by their names; `own` are the values that stand in the statement itself."""

    text: str
    values: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    named: bool
    own: Values

    def of(self, values: Values) -> Any:
        values = {**self.own, **values} if self.own else values
        if self.named:
            return {name: convert(values[name]) if convert else values[name] for name, convert in self.values}
        return [convert(values[name]) if convert else values[name] for name, convert in self.values]


class Prepared:
    """One statement; the values that it is run with have the same names each time."""

    def __init__(self, statement: Select[*tuple[Any, ...]] | Insert | Update | Delete) -> None:
        self._statement, self._written = statement, dict[tuple[str, frozenset[str]], _Written]()

    def run(self, connection: Connection, values: Values) -> Said:
        """In the transaction that was begun on `connection`. Raises DBAPIError as SQLAlchemy does."""
        if _is_watched(connection):
            return connection.execute(self._statement, values)
        written = self._for(connection, values)
        return _said(connection, written.text, lambda cursor: cursor.execute(written.text, written.of(values)))

    def run_all(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Once for each row; there is one at least."""
        if len(rows) == 1:  # one is sent in one step, many in several
            self.run(connection, rows[0])
        elif _is_watched(connection):
            connection.execute(self._statement, rows)
        else:
            written = self._for(connection, rows[0])
            values = [written.of(row) for row in rows]
            _said(connection, written.text, lambda cursor: cursor.executemany(written.text, values))

    def _for(self, connection: Connection, values: Values) -> _Written:
        key = connection.dialect.name, frozenset(values)
        if key not in self._written:
            self._written[key] = self._write(connection, values)
        return self._written[key]

    def _write(self, connection: Connection, values: Values) -> _Written:
        dialect = connection.dialect
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=list(values))
        names = compiled.positiontup or list(compiled.binds)
        own = {name: compiled.binds[name].value for name in names if name not in values}
        assert None not in own.values(), f"{own} have no value"
        kinds = {name: compiled.binds[name].type.dialect_impl(dialect) for name in names}
        converts = tuple((name, kinds[name].bind_processor(dialect)) for name in names)
        return _Written(str(compiled), converts, not compiled.positiontup, own)


def say(connection: Connection, statement: str) -> None:
    """A statement without values, as the driver takes it."""
    if _is_watched(connection):
        connection.exec_driver_sql(statement)
    else:
        _said(connection, statement, lambda cursor: cursor.execute(statement))


def _is_watched(connection: Connection) -> bool:
    """Whether somebody listens to each statement: then SQLAlchemy runs it, who knows how to tell."""
    return bool(connection.engine.dispatch.before_cursor_execute)


def _said(connection: Connection, statement: str, run: Callable[[Any], object]) -> Said:
    assert connection.in_transaction(), "a prepared statement begins no transaction"
    cursor: Any = connection.connection.cursor()
    try:
        run(cursor)
    except _errors(connection) as error:  # a line that is gone is noticed again when the transaction ends
        raise DBAPIError.instance(statement, None, error, _errors(connection), hide_parameters=True,
                                  dialect=connection.dialect) from error
    return cursor  # type: ignore[no-any-return]


def _errors(connection: Connection) -> type[Exception]:
    """What the driver raises."""
    found: type[Exception] = connection.dialect.loaded_dbapi.Error
    return found
