"""What the rooms under erasure are known by: noted before Synapse forgets it, dropped with the job. One SQLite file.

It holds identifiers only. Lost, it is written again from what is left, and the receipt then says what is not proven.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from colloque.rooms.leftovers import Key

FILE = "cleaner.sqlite"
STORED = "stored"
"""Kind of a remote file's place in the media folder: `server/name`."""
WHOLE = "whole"
"""Kind of the one row that says: Synapse's own events were read while it still had them."""


class Notes:
    """One row an identifier. Blocking; one thread at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(folder / FILE, isolation_level=None, check_same_thread=False)
        for pragma in ("secure_delete = ON", "journal_mode = TRUNCATE", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS trace (room TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, "
            "PRIMARY KEY (room, kind, value))"
        )

    def add(self, room: str, kind: str, values: Iterable[str]) -> None:
        """Safe to repeat."""
        with contextlib.closing(self._db.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                rows = ((room, kind, value) for value in values)
                cursor.executemany("INSERT OR IGNORE INTO trace (room, kind, value) VALUES (?, ?, ?)", rows)
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def values(self, room: str, kind: str) -> list[str]:
        """What was noted, in order."""
        rows = self._db.execute("SELECT value FROM trace WHERE room = ? AND kind = ? ORDER BY value", (room, kind))
        return [value for (value,) in rows]

    def known_by(self, room: str) -> list[str]:
        """All that the room is known by, beside its own id."""
        kinds = (Key.EVENT, Key.ALIAS, Key.FILE, Key.REMOTE)
        stored = [place.rpartition("/")[2] for place in self.values(room, STORED)]
        return [*(value for kind in kinds for value in self.values(room, kind)), *stored]

    def forget(self, room: str) -> None:
        """Drop all of it."""
        self._db.execute("DELETE FROM trace WHERE room = ?", (room,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
