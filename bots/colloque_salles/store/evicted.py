"""Who was taken out of which patient room: so that the team is told, and that the room comes back with the access."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import RoomId, UserId
from colloque.store.schema import migration


def register_evicted(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "People taken out of patient rooms")
    async def evicted(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE evicted (
                room    TEXT NOT NULL,
                user_id TEXT NOT NULL,
                at      BIGINT NOT NULL,
                told    BOOLEAN NOT NULL DEFAULT false,
                PRIMARY KEY (room, user_id)
            )"""
        )

    @migration(table, "Patient rooms that have nobody left who could be their referent")
    async def nobody(conn: Connection) -> None:
        await conn.execute("ALTER TABLE evicted ADD COLUMN nobody BOOLEAN NOT NULL DEFAULT false")


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody who was taken out of a room."""

    room: RoomId
    user: UserId
    at: datetime
    told: bool
    """Whether those who stay have read it."""


class Evicted:
    """Queries over the table above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, room: RoomId, user: UserId, now: datetime) -> None:
        """About to be taken out. Once those who stay have read it, `at` is the last time: see `forget`."""
        await self._db.execute(
            "INSERT INTO evicted (room, user_id, at) VALUES ($1, $2, $3) "
            "ON CONFLICT (room, user_id) DO UPDATE SET at = excluded.at WHERE evicted.told",
            room,
            user,
            to_millis(now),
        )

    async def all(self) -> list[Gone]:
        """Everybody, oldest first."""
        rows = await self._db.fetch("SELECT * FROM evicted ORDER BY at, room, user_id")
        return [Gone(RoomId(r["room"]), UserId(r["user_id"]), from_millis(r["at"]), bool(r["told"])) for r in rows]

    async def told(self, gone: Gone) -> None:
        """Those who stay have read it."""
        await self._db.execute("UPDATE evicted SET told = true WHERE room = $1 AND user_id = $2", gone.room, gone.user)

    async def is_nobody_told(self, room: RoomId) -> bool:
        """Whether the administrators know that nobody is left there who could be the referent."""
        return bool(await self._db.fetchval("SELECT 1 FROM evicted WHERE room = $1 AND nobody", room))

    async def nobody_told(self, room: RoomId) -> None:
        """They do. Somebody of the room has been noted by `put` before."""
        await self._db.execute("UPDATE evicted SET nobody = true WHERE room = $1", room)

    async def forget(self, gone: Gone) -> None:
        """They are back, or the room is no more. No effect when they were taken out once more since this was read."""
        await self._db.execute(
            "DELETE FROM evicted WHERE room = $1 AND user_id = $2 AND at = $3", gone.room, gone.user, to_millis(gone.at)
        )
