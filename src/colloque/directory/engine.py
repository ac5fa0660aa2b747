"""How questions reach the directory's tables, whichever database holds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from colloque.directory.schema import APPLICATION, VERSION


class Rows(Protocol):
    """Asks one question and gives all of its rows.

    The SQL is what SQLite and PostgreSQL both read: plain tables and indexes, values as `?`, no `?` or `%` in literals.
    Within one question of `Directory` all calls see the same import.
    """

    def __call__(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows, in the order that the SQL asks for."""
        ...


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection to a published file, which can't write. Raises sqlite3.Error.

    A published file is only ever replaced, never written to (`immutable`): nothing is locked or looked at again, which
    halves the cost of a question.
    """
    name = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True, check_same_thread=False, isolation_level=None)


def is_ours(db: sqlite3.Connection) -> bool:
    """True for a directory file of this version."""
    marks = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return marks == [APPLICATION, VERSION]
