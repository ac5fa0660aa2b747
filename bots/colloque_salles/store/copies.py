"""Copies of a room's conversation that people asked for, and the files that they became: these end with the room."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.rooms.patient_room import RoomState
from colloque.store.schema import migration


def register_copies(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Copies of rooms are made one after the other, and end with their room")
    async def copies(conn: Connection) -> None:
        await conn.execute("CREATE TABLE copy (event TEXT PRIMARY KEY, room TEXT NOT NULL, asker TEXT NOT NULL)")
        await conn.execute("CREATE TABLE copy_file (mxc TEXT PRIMARY KEY, room TEXT NOT NULL)")


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants a copy; `event` asked for it."""

    event: EventId
    room: RoomId
    asker: UserId


class Copies:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ask(self, asked: Asked) -> None:
        """To be made. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO copy (event, room, asker) VALUES ($1, $2, $3) ON CONFLICT (event) DO NOTHING",
            asked.event,
            asked.room,
            asked.asker,
        )

    async def to_make(self) -> list[Asked]:
        """Every one that was asked for and not made."""
        rows = await self._db.fetch("SELECT * FROM copy ORDER BY event")
        return [Asked(EventId(row["event"]), RoomId(row["room"]), UserId(row["asker"])) for row in rows]

    async def settled(self, event: EventId) -> None:
        """That one is made, or won't be."""
        await self._db.execute("DELETE FROM copy WHERE event = $1", event)

    async def keep(self, room: RoomId, mxc: MxcUri) -> bool:
        """Note a file before it is stored; False when the room is being erased: then nobody must be."""
        kept = await self._db.fetchval(
            "INSERT INTO copy_file (mxc, room) SELECT $1, room FROM patient_room WHERE room = $2 AND state <> $3 "
            "RETURNING mxc",
            mxc,
            room,
            RoomState.ERASING.value,
        )
        return kept is not None

    async def files(self, room: RoomId) -> list[MxcUri]:
        """The files that copies of that room are in."""
        rows = await self._db.fetch("SELECT mxc FROM copy_file WHERE room = $1 ORDER BY mxc", room)
        return [MxcUri(row["mxc"]) for row in rows]
