"""Reads the directory's SQLite file: standard library, read-only; a replaced file is noticed at the next question."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from colloque.clock import Clock
from colloque.directory.engine import Rows, is_ours, open_read_only
from colloque.directory.questions import TableDirectory
from colloque.errors import Inconsistent, NotFound

T = TypeVar("T")


class DirectoryFile(TableDirectory):
    """Implements `lookup.Directory` over the file, in the caller's thread: a look-up costs some ten microseconds.

    Threads may share it; who looks up never waits for who searches.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """The file need not exist yet. `clock` judges the white-list's validity."""
        super().__init__(clock)
        self._lookups, self._searches = _Session(path), _Session(path)

    def close(self) -> None:
        """Lets go of the file; a later question opens it again."""
        self._lookups.close()
        self._searches.close()

    def _ask(self, question: Callable[[Rows], T]) -> T:
        return self._lookups.ask(question)

    def _ask_long(self, question: Callable[[Rows], T]) -> T:
        return self._searches.ask(question)


class _Session:
    """One connection to the file that stands there now; one question at a time, each answered from one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = str(path)
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None

    def ask(self, question: Callable[[Rows], T]) -> T:
        """The question's answer. Raises NotFound before the first import, Inconsistent when the file can't be read."""
        with self._lock:
            try:
                db = self._current()

                def rows(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
                    return db.execute(sql, values).fetchall()

                return question(rows)
            except sqlite3.Error as error:
                self._forget()
                raise Inconsistent(f"the directory file can't be read ({type(error).__name__}): import again") from None

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _current(self) -> sqlite3.Connection:
        for _ in range(10):
            try:
                info = os.stat(self._name)  # noqa: PTH116 - at every question: Path.stat doubles its cost
            except OSError:
                self._forget()
                raise NotFound("no directory was imported yet") from None
            inode = (info.st_dev, info.st_ino)
            if self._db is not None and inode == self._inode:
                return self._db
            self._forget()
            # Another file may have come between the look above and the opening: the next turn looks again.
            self._db, self._inode = open_read_only(self._path), inode
            if not is_ours(self._db):
                self._forget()
                raise Inconsistent("the directory file is not one of this version: import again")
        raise Inconsistent("the directory file is replaced all the time")

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._inode = None
