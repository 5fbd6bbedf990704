"""`python -m tests.demo.dying NUMBER HOME`: `arrp node serve HOME`, dead at its NUMBERth write as by `kill -9`.

Counted are each statement that writes (those of the migration too), the moment before each commit and the
one after it, before any answer or receipt leaves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, event

from arrp.cli import main
from arrp.node import worker
from arrp.node.store.engine import Store

KILLED = 137  # what a shell says of a process that was killed: 128 + SIGKILL
_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE")


def doom(number: int) -> None:
    """From now on the process counts what it writes, and is gone at that number: nothing of it tidies up."""
    numbers = count(1)  # `next` is one step of the interpreter: two threads get two numbers

    def point() -> None:
        if next(numbers) == number:
            os._exit(KILLED)

    def statement(_connection: Connection, _cursor: Any, said: str, *_rest: Any) -> None:
        if said.lstrip().startswith(_WRITES):
            point()

    writing = Store.writing

    @contextmanager
    def watched(store: Store) -> Iterator[Connection]:
        with writing(store) as connection:
            yield connection
            point()
        point()

    event.listen(Engine, "before_cursor_execute", statement)
    Store.writing = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    doom(int(sys.argv[1]))
    worker.LEASE = timedelta(seconds=4)  # what it had claimed when it died, its successor need not wait long for
    sys.argv = ["arrp", "node", "serve", sys.argv[2]]
    sys.exit(main())
