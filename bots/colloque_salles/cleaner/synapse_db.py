"""Synapse's own database, from outside: reads all of it, deletes from the reviewed tables only. Blocking: for threads.

Two accounts: one that may delete and sees only what it must, and one that reads everything and writes nothing. On
PostgreSQL these are roles; on SQLite, which has none, a connection that refuses every other statement, and a read-only
one.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import errors as pg

from colloque.errors import Inconsistent, Temporary
from colloque.rooms.leftovers import CONSULTED, LEFTOVERS, Leftover

BATCH = 500
"""Rows deleted in one transaction, and identifiers in one statement: Synapse never waits long for us."""
PAUSE_S = 0.02
"""Between two such transactions."""
PAGE = 2000
"""Rows read at once."""
_WAIT_S = 10
"""How long to wait for Synapse to let go of a lock."""

_LISTED = frozenset(leftover.table for leftover in LEFTOVERS)
_READS = _LISTED | frozenset(CONSULTED)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the database, and those of its columns that can hold text, with how to select each."""

    name: str
    columns: tuple[str, ...]
    readable: bool = True
    paged: bool = True
    """SQLite: its rows have numbers to go on from."""


class SynapseDb(Protocol):
    """One connection."""

    def select(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """All rows of a question whose values stand as `?`. Raises Temporary, Inconsistent."""
        ...

    def delete(self, leftover: Leftover, identifiers: Sequence[str]) -> int:
        """Delete what the reviewed statement says, in small transactions; how many rows went."""
        ...

    def tables(self) -> list[Table]:
        """Every table."""
        ...

    def texts(self, table: Table) -> Iterator[str]:
        """Each of its rows as one text."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def open_db(url: str, *, deletes: bool = False) -> SynapseDb:
    """Connect. `sqlite:/path` or `postgres://user@host/db`. Raises Temporary when it can't be reached."""
    with _translated():
        return Sqlite(url.removeprefix("sqlite:"), deletes=deletes) if url.startswith("sqlite:") else Postgres(url)


def schema(db: SynapseDb) -> tuple[int, int]:
    """Synapse's schema version, and the oldest that it is compatible with."""
    [(version,)] = db.select("SELECT version FROM schema_version")
    [(compatible,)] = db.select("SELECT compat_version FROM schema_compat_version")
    return int(version), int(compatible)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """What a failure means to us; its text may hold identifiers, and never goes further."""
    try:
        yield
    except pg.InsufficientPrivilege:
        raise Inconsistent("the role lacks a right that deploy/cleaner-roles.sql gives") from None
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise Temporary(f"Synapse's database can't be used ({type(error).__name__})") from None
    except psycopg2.Error as error:
        raise Inconsistent(f"Synapse's database refuses ({type(error).__name__})") from None
    except sqlite3.OperationalError as error:
        raise Temporary(f"Synapse's database can't be used ({getattr(error, 'sqlite_errorname', 'SQLITE')})") from None
    except sqlite3.Error as error:
        raise Inconsistent(f"Synapse's database refuses ({type(error).__name__})") from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _filled(leftover: Leftover, position: str, mark: str, chunk: Sequence[str]) -> tuple[str, list[str]]:
    """The condition with its marks, and the values in their order."""
    where = leftover.where.replace("{position}", position)
    several = where.count("{ids}")
    where = where.replace("{ids}", ", ".join(mark for _ in chunk))
    single = where.count("{id}")
    return where.replace("{id}", mark), [*(list(chunk) * several), *(list(chunk[:1]) * single)]


def _chunks(leftover: Leftover, identifiers: Iterable[str]) -> Iterator[list[str]]:
    size = BATCH if "{ids}" in leftover.where else 1
    each = iter(identifiers)
    while chunk := list(itertools.islice(each, size)):
        yield chunk


def _in_batches(once: Callable[[], int]) -> int:
    gone = 0
    while True:
        count = once()
        gone += count
        if count < BATCH:
            return gone
        time.sleep(PAUSE_S)


class Sqlite:
    """SQLite. Pages are read one by one, so that Synapse's own writes and checkpoints never wait for a long read."""

    def __init__(self, path: str, *, deletes: bool) -> None:
        mode = "rw" if deletes else "ro"
        self._db = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=_WAIT_S, check_same_thread=False)
        self._db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self._db.isolation_level = None
        if deletes:
            self._db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten in the file
            self._db.set_authorizer(_allowed)
        else:
            self._db.execute("PRAGMA query_only = ON")

    def select(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """As `SynapseDb`."""
        with _translated():
            return self._db.execute(sql, values).fetchall()

    def delete(self, leftover: Leftover, identifiers: Sequence[str]) -> int:
        """As `SynapseDb`."""
        gone = 0
        for chunk in _chunks(leftover, identifiers):
            where, values = _filled(leftover, "instr", "?", chunk)
            with _translated():
                gone += _in_batches(partial(self._deleted, leftover.table, where, values))
        return gone

    def _deleted(self, table: str, where: str, values: list[str]) -> int:
        # Looked for first, without a lock: a whole table may have to be read, and Synapse waits five seconds.
        found = self._db.execute(f"SELECT rowid FROM {table} WHERE {where} LIMIT {BATCH}", values)  # noqa: S608
        rows = [row for (row,) in found]
        if not rows:
            return 0
        these = ", ".join("?" for _ in rows)
        sql = f"DELETE FROM {table} WHERE rowid IN ({these}) AND {where}"  # noqa: S608 - the reviewed list
        return self._db.execute(sql, [*rows, *values]).rowcount

    def tables(self) -> list[Table]:
        """As `SynapseDb`. A virtual table's text stands in the tables behind it."""
        found = []
        for name, made in self.select("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"):
            if re.match(r"CREATE VIRTUAL", made or "", re.IGNORECASE):
                continue
            columns = self.select(f"SELECT name FROM pragma_table_info({_literal(name)})")  # noqa: S608 - quoted
            paged = not re.search(r"WITHOUT\s+ROWID", made or "", re.IGNORECASE)
            found.append(Table(name, tuple(_quoted(column) for (column,) in columns), paged=paged))
        return found

    def texts(self, table: Table) -> Iterator[str]:
        """As `SynapseDb`."""
        named, columns = _quoted(table.name), ", ".join(table.columns)
        if not table.paged:
            yield from map(_as_text, self.select(f"SELECT {columns} FROM {named}"))  # noqa: S608 - quoted
            return
        page = f"SELECT rowid, {columns} FROM {named} WHERE rowid > ? ORDER BY rowid LIMIT {PAGE}"  # noqa: S608 - quoted
        after = -(2**63)
        while True:
            with _translated():
                rows = self._db.execute(page, (after,)).fetchall()
            for row in rows:
                yield _as_text(row[1:])
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    def close(self) -> None:
        """As `SynapseDb`."""
        self._db.close()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _allowed(action: int, first: str | None, _second: str | None, _database: str | None, _source: str | None) -> int:
    """SQLite's own guard, asked about each part of a statement: a role limited to the listed tables."""
    fine = {
        sqlite3.SQLITE_DELETE: first in _LISTED,
        sqlite3.SQLITE_READ: first in _READS,
        sqlite3.SQLITE_SELECT: True,
        sqlite3.SQLITE_FUNCTION: True,
    }
    return sqlite3.SQLITE_OK if fine.get(action, False) else sqlite3.SQLITE_DENY


def _as_text(row: Sequence[Any]) -> str:
    parts = (each for each in row if each is not None and not isinstance(each, int | float))
    return "\x00".join(
        bytes(each).decode("utf-8", "replace") if isinstance(each, bytes | memoryview) else str(each) for each in parts
    )


_TABLES = """
SELECT c.relname, has_table_privilege(c.oid, 'SELECT'),
       array_agg(CASE WHEN t.typname = 'bytea' THEN quote_ident(a.attname) ELSE quote_ident(a.attname) || '::text' END)
       FILTER (WHERE a.attnum > 0 AND NOT a.attisdropped AND t.typcategory NOT IN ('N', 'B', 'D', 'T'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'm', 'f')
GROUP BY c.oid, c.relname ORDER BY c.relname
"""
"""Numbers, truths, moments and spans apart, every column is read as text: arrays, JSON and search vectors too."""


class Postgres:
    """PostgreSQL. Each table is streamed through a cursor of the server's, in a transaction of its own."""

    def __init__(self, url: str) -> None:
        wait = f"-c lock_timeout={_WAIT_S}s -c idle_in_transaction_session_timeout=60s"
        self._db = psycopg2.connect(url, connect_timeout=_WAIT_S, options=wait, application_name="colloque-cleaner")
        self._db.autocommit = True
        self._names = itertools.count(1)

    def select(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """As `SynapseDb`."""
        with _translated(), self._db.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), values or None)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def delete(self, leftover: Leftover, identifiers: Sequence[str]) -> int:
        """As `SynapseDb`."""
        gone = 0
        for chunk in _chunks(leftover, identifiers):
            where, values = _filled(leftover, "strpos", "%s", chunk)
            rows = f"SELECT ctid FROM {leftover.table} WHERE {where} LIMIT {BATCH}"  # noqa: S608 - the reviewed list
            sql = f"DELETE FROM {leftover.table} WHERE ctid = ANY (ARRAY ({rows})) AND {where}"  # noqa: S608 - likewise
            with _translated():
                gone += _in_batches(partial(self._deleted, sql, [*values, *values]))
        return gone

    def _deleted(self, sql: str, values: list[str]) -> int:
        with self._db.cursor() as cursor:
            cursor.execute(sql, values)
            return int(cursor.rowcount)

    def tables(self) -> list[Table]:
        """As `SynapseDb`."""
        rows = self.select(_TABLES)
        return [Table(name, tuple(columns or ()), bool(readable)) for name, readable, columns in rows]

    def texts(self, table: Table) -> Iterator[str]:
        """As `SynapseDb`."""
        sql = f"SELECT {', '.join(table.columns)} FROM {_quoted(table.name)}"  # noqa: S608 - quoted
        name = f"c{next(self._names)}"
        with _translated(), self._db.cursor() as cursor:
            cursor.execute("BEGIN READ ONLY")
            cursor.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}")
        try:
            while True:
                with _translated(), self._db.cursor() as cursor:
                    cursor.execute(f"FETCH {PAGE} FROM {name}")
                    rows = cursor.fetchall()
                for row in rows:
                    yield _as_text(row)
                if len(rows) < PAGE:
                    return
        finally:
            with contextlib.suppress(psycopg2.Error), self._db.cursor() as cursor:
                cursor.execute("ROLLBACK")

    def close(self) -> None:
        """As `SynapseDb`."""
        self._db.close()
