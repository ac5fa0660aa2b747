"""The directory's SQLite file: how a new one is written aside and put in place at once."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from colloque.directory import words
from colloque.directory.columns import ImportRefused
from colloque.directory.schema import APPLICATION, INDEXES, TABLES, VERSION
from colloque.errors import Temporary

_CHUNK = 64 << 20
_MARKS = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
# No journal, no sync: unpublished, the file is worth nothing; the next import removes what a crash left.
_FAST = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -{};"
_CACHE_KIB = 16_000


class Build:
    """A new directory file being written, `db`. Nothing of it is seen by readers before `publish`."""

    def __init__(self, aside: Path, old: Path | None = None) -> None:
        """Begins empty, or as a copy of `old`. Raises ImportRefused `disk`."""
        self.path = aside
        discard(aside)
        with disk():
            try:
                self._begin(old)
            except BaseException:
                discard(aside)
                raise

    def _begin(self, old: Path | None) -> None:
        handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
        try:
            if old is not None:
                _copy(old, handle)
        finally:
            os.close(handle)
        self.db = sqlite3.connect(f"file:{quoted(self.path)}", uri=True, isolation_level=None)
        self.db.executescript(_FAST.format(_CACHE_KIB))
        if old is None:
            self.db.executescript(_MARKS)
            self.db.executescript("".join(f"CREATE TABLE {name} ({columns});\n" for name, columns in TABLES.items()))
            self.db.executescript(words.TABLES)
        self.db.execute("BEGIN")

    def index(self, tables: Iterable[str]) -> None:
        """The indexes of these tables that are not there yet."""
        have = {name for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
        for table in tables:
            for statement in INDEXES[table]:
                if statement.partition(" ON ")[0].split()[-1] not in have:
                    self.db.execute(statement)

    @contextmanager
    def attached(self, path: Path, name: str) -> Iterator[None]:
        """Another directory file, to read, under that name."""
        self.db.execute("COMMIT")
        self.db.execute(f"ATTACH ? AS {name}", (f"file:{quoted(path)}?mode=ro&immutable=1",))
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self.db.execute("COMMIT")
            self.db.execute(f"DETACH {name}")
            self.db.execute("BEGIN")

    def note(self, key: str, value: int) -> None:
        """One fact about the whole."""
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def number(self, query: str, values: Iterable[Any] = ()) -> int:
        """The one number that a query of ours answers."""
        found: int = self.db.execute(query, tuple(values)).fetchone()[0]
        return found

    def flush(self) -> None:
        """Whoever opens the file now sees what was written so far."""
        self.db.execute("COMMIT")
        self.db.execute("BEGIN")

    def close(self) -> None:
        """Written, and not published: another import takes it over."""
        self.db.execute("COMMIT")
        self.db.close()

    def publish(self, target: Path) -> None:
        """Durably in place of the old file, in one step: readers see the old or the new one."""
        self.db.execute("COMMIT")
        self.db.close()
        _fsync(self.path)
        self.path.replace(target)
        _fsync(target.parent)

    def discard(self) -> None:
        """Nothing happened."""
        self.db.close()
        discard(self.path)


def discard(aside: Path) -> None:
    """Removes a file that was not published, and what belongs to it: our own, or what a killed import left."""
    for path in aside.parent.iterdir():
        if path.name == aside.name or path.name.startswith(f"{aside.name}."):
            path.unlink(missing_ok=True)


def _copy(old: Path, handle: int) -> None:
    """The old file's bytes: shared with it where the file system can, copied by the kernel elsewhere."""
    with old.open("rb") as source:
        left = os.fstat(source.fileno()).st_size
        while left > 0:
            try:
                done = os.copy_file_range(source.fileno(), handle, min(left, _CHUNK))
            except OSError:
                done = os.sendfile(handle, source.fileno(), None, min(left, _CHUNK))
            if not done:
                raise ImportRefused("loaded.unreadable", "the directory in use was cut while it was copied")
            left -= done


@contextmanager
def disk() -> Iterator[None]:
    """Says what a full or failing disk, or damage in the file that is copied, means for an import."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = error.sqlite_errorname
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise ImportRefused("loaded.unreadable", f"the directory in use is damaged ({name})") from None
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise _disk(name) from None
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}:
            raise _disk(str(error.strerror)) from None
        raise


def _disk(why: str) -> ImportRefused:
    return ImportRefused("disk", f"the new directory can't be written ({why}): the disk is full or fails")


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def quoted(path: Path) -> str:
    """A path in a `file:` URI."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


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
