"""The directory's tables from a SQLite file to a PostgreSQL schema, and back, whatever tables they are.

Only what both databases understand alike is taken: tables of INTEGER, TEXT and BLOB columns, and plain indexes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection  # type: ignore[import-untyped]  # noqa: N812 - a class

from colloque.errors import Inconsistent

_TYPES = {"INTEGER": "BIGINT", "BIGINT": "BIGINT", "TEXT": 'TEXT COLLATE "C"', "BLOB": "BYTEA"}
"""SQLite's to PostgreSQL's. Texts are compared and sorted by their bytes, as SQLite does, whatever the locale."""
_DEFINITIONS = "CREATE TABLE definition (rank BIGINT PRIMARY KEY, sql TEXT NOT NULL)"
"""How SQLite declares tables and indexes: what `copy_back` needs, and readers don't."""
_BLOCK = 1 << 20
"""Characters sent to PostgreSQL at once."""
_ROWS, _BIG_ROWS = 5_000, 10
"""Rows taken from PostgreSQL at once; of a table with BLOBs, which may be of megabytes, few."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str
    required: bool
    key: int
    """Place in the primary key, from 1; 0 when not part of it."""

    @property
    def declared(self) -> str:
        """As PostgreSQL declares it."""
        return f'"{self.name}" {_TYPES[self.kind]}' + (" NOT NULL" if self.required or self.key else "")

    @property
    def as_copied(self) -> str:
        """SQL for SQLite: the value in the text format of COPY. SQLite does it many times faster than Python."""
        text = f'"{self.name}"'
        if self.kind == "BLOB":
            text = rf"'\\x' || hex({text})"
        elif self.kind == "TEXT":
            for plain, escaped in ("'\\'", r"'\\'"), ("char(9)", r"'\t'"), ("char(10)", r"'\n'"), ("char(13)", r"'\r'"):
                text = f"replace({text}, {plain}, {escaped})"
        return text if self.required else rf"""CASE WHEN "{self.name}" IS NULL THEN '\N' ELSE {text} END"""


def copy_tables(lite: sqlite3.Connection, db: Connection) -> None:
    """Create and fill all tables in PostgreSQL's current schema, then their indexes. Within a transaction.

    Raises Inconsistent when the file holds what PostgreSQL would read otherwise.
    """
    with db.cursor() as cursor:
        cursor.execute(_DEFINITIONS)
        made = lite.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
        made = [(kind, name, text) for kind, name, text in made if not name.startswith("sqlite_")]
        for kind, name, text in made:
            if kind not in {"table", "index"} or text.upper().startswith("CREATE VIRTUAL"):
                raise Inconsistent(f"PostgreSQL has no such thing as the directory file's {name}")
        cursor.executemany("INSERT INTO definition VALUES (%s, %s)", enumerate(text for _, _, text in made))
        for name in (name for kind, name, _ in made if kind == "table"):
            columns = _columns(lite, name)
            cursor.execute(f'CREATE TABLE "{name}" ({", ".join(c.declared for c in columns)})')
            # FREEZE, which a table of the same transaction allows, spares the first readers and the next VACUUM a pass.
            cursor.copy_expert(f'COPY "{name}" FROM STDIN (FREEZE)', _Lines(lite, name, columns))
            for statement in _constraints(lite, name, columns):
                cursor.execute(statement)
        for text in (text for kind, _, text in made if kind == "index"):
            cursor.execute(text)
        for name in (name for kind, name, _ in made if kind == "table"):
            cursor.execute(f'ANALYZE "{name}"')


def copy_back(db: Connection, lite: sqlite3.Connection) -> None:
    """Make the tables that `copy_tables` made, in an empty SQLite database. Within a transaction of each."""
    with db.cursor() as cursor:
        cursor.execute("SELECT sql FROM definition ORDER BY rank")
        texts = [text for (text,) in cursor.fetchall()]
    for text in texts:
        if text.upper().startswith("CREATE TABLE"):
            lite.execute(text)
    names = [name for (name,) in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    for name in names:
        columns = _columns(lite, name)
        with db.cursor("rows") as cursor:
            cursor.itersize = _BIG_ROWS if any(c.kind == "BLOB" for c in columns) else _ROWS
            chosen = ", ".join(f'"{c.name}"' for c in columns)
            keys = [f'"{c.name}"' for c in sorted(columns, key=lambda c: c.key) if c.key]
            order = f"ORDER BY {', '.join(keys)}" if keys else ""
            cursor.execute(f'SELECT {chosen} FROM "{name}" {order}')  # noqa: S608 - names are our own
            lite.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(columns))})', cursor)  # noqa: S608
    for text in texts:
        if not text.upper().startswith("CREATE TABLE"):
            lite.execute(text)


def _columns(lite: sqlite3.Connection, table: str) -> list[_Column]:
    found = lite.execute('SELECT name, upper(type), "notnull", pk FROM pragma_table_info(?) ORDER BY cid', (table,))
    columns = [_Column(name, kind, bool(required), key) for name, kind, required, key in found]
    for column in columns:
        if column.kind not in _TYPES:
            raise Inconsistent(f"PostgreSQL has no type for {table}.{column.name} of the directory file")
    return columns


def _constraints(lite: sqlite3.Connection, table: str, columns: list[_Column]) -> Iterator[str]:
    """The keys that SQLite declares with the table."""
    keys = [f'"{c.name}"' for c in sorted(columns, key=lambda c: c.key) if c.key]
    if keys:
        yield f'ALTER TABLE "{table}" ADD PRIMARY KEY ({", ".join(keys)})'
    declared = "SELECT name FROM pragma_index_list(?) WHERE origin = 'u'"
    for (index,) in lite.execute(declared, (table,)).fetchall():
        parts = lite.execute("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,)).fetchall()
        yield f'ALTER TABLE "{table}" ADD UNIQUE ({", ".join(f"{chr(34)}{name}{chr(34)}" for (name,) in parts)})'


class _Lines:
    """A table's rows as COPY reads them. psycopg2 takes blocks of any size."""

    def __init__(self, lite: sqlite3.Connection, table: str, columns: list[_Column]) -> None:
        line = " || char(9) || ".join(f"({c.as_copied})" for c in columns)
        self._rows = lite.execute(f'SELECT {line} FROM "{table}"')  # noqa: S608 - names are our own

    def read(self, _size: int) -> bytes:
        """The next block, empty at the end."""
        block: list[str] = []
        size = 0
        for (line,) in self._rows:
            block.append(line)
            size += len(line)
            if size > _BLOCK:
                break
        block.append("")
        return "\n".join(block).encode()
