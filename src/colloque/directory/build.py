"""The directory's SQLite file: its tables, and how a new one is written aside and put in place at once."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from colloque.clock import from_millis, to_millis
from colloque.directory.columns import Kind
from colloque.directory.folding import fold
from colloque.errors import Temporary

APPLICATION = 0x434F4C51
VERSION = 1
"""Grows when the tables change; a file of another version is imported again, never migrated."""

_TABLES = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE people (id INTEGER PRIMARY KEY, national TEXT NOT NULL UNIQUE, rpps TEXT, family TEXT NOT NULL,
  given TEXT NOT NULL, title TEXT NOT NULL);
CREATE TABLE activity (national TEXT NOT NULL, profession_code TEXT NOT NULL, profession TEXT NOT NULL,
  category_code TEXT NOT NULL, specialty_code TEXT NOT NULL, specialty TEXT NOT NULL, mode_code TEXT NOT NULL,
  structure TEXT NOT NULL, structure_id TEXT NOT NULL, postcode TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE mailbox (address TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, national TEXT, rpps TEXT,
  structure TEXT NOT NULL, repeats INTEGER NOT NULL DEFAULT 0, disputed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE name_word (word TEXT NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (word, person)) WITHOUT ROWID;
CREATE TABLE whitelist (domain TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE source (kind TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, made_at INTEGER NOT NULL,
  encoding TEXT NOT NULL, rows INTEGER NOT NULL);
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value NOT NULL);
"""

_PERSON = "INSERT OR IGNORE INTO people (national, rpps, family, given, title) VALUES (?, ?, ?, ?, ?)"
_ACTIVITY = "INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# An address claimed twice proves nobody: its owner is dropped, and unless both claims are of one kind it counts as ORG.
_MAILBOX = """
INSERT INTO mailbox (address, kind, national, rpps, structure) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (address) DO UPDATE SET
  repeats = repeats + 1,
  disputed = disputed OR kind <> excluded.kind OR national IS NOT excluded.national,
  national = CASE WHEN kind = excluded.kind AND national IS excluded.national THEN national END,
  rpps = CASE WHEN kind = excluded.kind AND national IS excluded.national THEN rpps END,
  kind = CASE WHEN kind = excluded.kind THEN kind ELSE 'ORG' END
"""
_CARRIED = {
    Kind.PEOPLE: ("people", "activity", "name_word"),
    Kind.MAILBOXES: ("mailbox",),
    Kind.WHITELIST: ("whitelist",),
}
"""Tables filled from each kind of file; the kinds without any are recognised and not used yet."""

PersonRow = tuple[str, str | None, str, str, str]
ActivityRow = tuple[str, str, str, str, str, str, str, str, str, str, str]
MailboxRow = tuple[str, str, str | None, str | None, str]


class Build:
    """A new directory file being written. Nothing of it is seen by readers before `publish`."""

    def __init__(self, aside: Path) -> None:
        aside.unlink(missing_ok=True)
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
        self._aside = aside
        self._db = sqlite3.connect(f"file:{_quoted(aside)}", uri=True, isolation_level=None)
        # No journal, no sync: unpublished, the file is worth nothing; the next import removes what a crash left.
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32000;")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")

    def add_people(self, people: Iterable[PersonRow], activities: Iterable[ActivityRow]) -> None:
        """One batch. A person already there is left as first read; activities are all kept."""
        self._db.executemany(_PERSON, people)
        self._db.executemany(_ACTIVITY, activities)

    def add_mailboxes(self, rows: Iterable[MailboxRow]) -> None:
        """One batch."""
        self._db.executemany(_MAILBOX, rows)

    def add_domains(self, domains: Iterable[str]) -> None:
        """The white-list."""
        self._db.executemany("INSERT INTO whitelist VALUES (?)", ((d,) for d in sorted(domains)))

    def add_source(self, kind: Kind, name: str, made_at: datetime, encoding: str, rows: int) -> None:
        """Where a part came from."""
        self._db.execute("INSERT INTO source VALUES (?, ?, ?, ?, ?)", (kind, name, to_millis(made_at), encoding, rows))

    def note(self, key: str, value: str | int) -> None:
        """One fact about the whole."""
        self._db.execute("INSERT INTO meta VALUES (?, ?)", (key, value))

    def carry_over(self, old: Path, kinds: Iterable[Kind]) -> None:
        """Copies the parts that this import did not bring from the directory in use."""
        self._db.execute("COMMIT")
        self._db.execute("ATTACH ? AS old", (f"file:{_quoted(old)}?mode=ro",))
        self._db.execute("BEGIN")
        for kind in kinds:
            for table in _CARRIED[kind]:
                self._db.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")  # noqa: S608  # our own names
            self._db.execute("INSERT INTO main.source SELECT * FROM old.source WHERE kind = ?", (kind,))
            if kind is Kind.WHITELIST:
                self._db.execute("INSERT INTO main.meta SELECT * FROM old.meta WHERE key = 'whitelist_valid_until'")
        self._db.execute("COMMIT")
        self._db.execute("DETACH old")
        self._db.execute("BEGIN")

    def index_people(self) -> None:
        """Indexes that cost less once everything is in, and the words of names."""
        self._db.execute("CREATE TEMP TABLE words (word TEXT, person INTEGER)")
        with closing(self._db.cursor()) as reading:
            named = reading.execute("SELECT id, family, given FROM people")
            words = (
                (w, person) for person, family, given in named for w in {*fold(family).split(), *fold(given).split()}
            )
            self._db.executemany("INSERT INTO words VALUES (?, ?)", words)
        self._db.execute("INSERT INTO name_word SELECT word, person FROM words ORDER BY word, person")
        self._db.execute("DROP TABLE words")

    def seal(self) -> None:
        """The indexes every reader needs."""
        self._db.execute("CREATE INDEX activity_national ON activity (national)")
        self._db.execute("CREATE INDEX mailbox_national ON mailbox (national) WHERE national IS NOT NULL")

    def number(self, query: str) -> int:
        """The one number that a query of ours answers."""
        found: int = self._db.execute(query).fetchone()[0]
        return found

    def publish(self, target: Path) -> None:
        """Durably in place of the old file, in one step: readers see the old or the new one."""
        self._db.execute("COMMIT")
        self._db.close()
        _fsync(self._aside)
        self._aside.replace(target)
        _fsync(target.parent)

    def discard(self) -> None:
        """Nothing happened."""
        self._db.close()
        self._aside.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that can't write. Raises sqlite3.Error."""
    return sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)


def is_ours(db: sqlite3.Connection) -> bool:
    """True for a directory file of this version."""
    marks = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return marks == [APPLICATION, VERSION]


def made_at(db: sqlite3.Connection) -> dict[Kind, datetime]:
    """The time of each part."""
    return {Kind(kind): from_millis(ms) for kind, ms in db.execute("SELECT kind, made_at FROM source")}


@contextmanager
def only_one(target: Path) -> Iterator[None]:
    """Holds the lock that lets one import at a time write `target`. Raises Temporary when another one runs."""
    handle = os.open(target.with_name(f".{target.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Temporary("another import into this directory is running") from None
        yield
    finally:
        os.close(handle)
