"""The crypto store of a nio account: one SQLite file (0600, in a 0700 folder) with two tables of our own.

`colloque_generation` is how a restored store is noticed (see `devicemark`); `colloque_waiting` keeps encrypted
messages whose key has not come yet, so that a crash does not lose them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nio.store import SqliteStore

from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import JsonDict
from colloque.matrix.devicemark import DeviceMark, Generation

_FILE = "crypto.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS colloque_generation (
    one INTEGER PRIMARY KEY CHECK (one = 1), device TEXT NOT NULL, number INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS colloque_waiting (event TEXT PRIMARY KEY, room TEXT NOT NULL, source TEXT NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An encrypted event, as the server sent it, whose key is missing."""

    room: RoomId
    event: EventId
    source: JsonDict


class CryptoStore(SqliteStore):
    """nio's store for one device, its generation, and the messages that wait."""

    def __init__(self, folder: Path, user: UserId, device: str, pickle_key: str, mark: DeviceMark) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(folder / _FILE, os.O_CREAT | os.O_RDWR, 0o600))
        self._mark = mark
        super().__init__(user, device, str(folder), pickle_key, _FILE)
        for statement in _TABLES.split(";"):
            self.database.execute_sql(statement)
        row = self.database.execute_sql("SELECT number FROM colloque_generation").fetchone()
        self._number: int = 0 if row is None else row[0]

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """One transaction in which keys and ratchets may move. The mark is noted before the block is left.

        Nothing made inside may reach the network before that.
        """
        with self.database.atomic():
            yield
            self._number += 1
            self.database.execute_sql(
                "INSERT INTO colloque_generation (one, device, number) VALUES (1, ?, ?)"
                " ON CONFLICT (one) DO UPDATE SET device = excluded.device, number = excluded.number",
                (self.device_id, self._number),
            )
        self._mark.note(Generation(self.device_id, self._number))

    def keep_waiting(self, waiting: Waiting) -> None:
        """Remember a message that can't be decrypted yet."""
        self.database.execute_sql(
            "INSERT OR IGNORE INTO colloque_waiting (event, room, source) VALUES (?, ?, ?)",
            (waiting.event, waiting.room, json.dumps(waiting.source)),
        )

    def waiting(self) -> list[Waiting]:
        """Messages that wait, oldest first."""
        rows = self.database.execute_sql("SELECT room, event, source FROM colloque_waiting ORDER BY rowid")
        return [Waiting(RoomId(room), EventId(event), json.loads(source)) for room, event, source in rows]

    def settle(self, event: EventId) -> None:
        """The message was read, or given up."""
        self.database.execute_sql("DELETE FROM colloque_waiting WHERE event = ?", (event,))

    def forget_room(self, room: RoomId) -> None:
        """Delete the room's keys and waiting messages (nio opens the file with `secure_delete`)."""
        with self.database.atomic():
            self.database.execute_sql("DELETE FROM megolminboundsessions WHERE room_id = ?", (room,))
            self.database.execute_sql("DELETE FROM colloque_waiting WHERE room = ?", (room,))

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def stored_generation(folder: Path) -> Generation | None:
    """Which device the folder's store belongs to; None when there is no store, or none that can be read."""
    path = folder / _FILE
    if not path.exists():
        return None
    with contextlib.closing(sqlite3.connect(path)) as database:
        try:
            row = database.execute("SELECT device, number FROM colloque_generation").fetchone()
        except sqlite3.DatabaseError:
            return None
    return None if row is None else Generation(*row)


def drop_store(folder: Path) -> None:
    """Remove the store: its device will never be used again."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        (folder / (_FILE + suffix)).unlink(missing_ok=True)
