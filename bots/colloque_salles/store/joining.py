"""Which rooms were looked at for people who have not come, and who they were: so that it is told once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.store.schema import migration


def register_joining(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "People who were invited to patient rooms and have not come")
    async def missing(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE missing (
                room     TEXT PRIMARY KEY,
                referent TEXT NOT NULL,
                event    TEXT NOT NULL,
                people   TEXT NOT NULL
            )"""
        )
        await conn.execute("CREATE INDEX missing_by_event ON missing (event)")


@dataclass(frozen=True, slots=True)
class Missing:
    """Who was missing from a room when it was looked at, and which message told its referent; empty: none had to."""

    room: RoomId
    referent: UserId
    event: EventId
    people: tuple[UserId, ...]


class MissingPeople:
    """Queries over the table above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def due(self, before: datetime) -> list[tuple[RoomId, int]]:
        """Open rooms that were not looked at since somebody was last invited, at the opening or later, by that moment;
        and how many people were invited later.
        """
        rows = await self._db.fetch(
            "SELECT patient_room.room, (SELECT COUNT(*) FROM invited i WHERE i.room = patient_room.room) AS later "
            "FROM patient_room LEFT JOIN missing ON missing.room = patient_room.room "
            "WHERE missing.room IS NULL AND closed_at IS NULL AND opened_at <= $1 "
            "AND NOT EXISTS (SELECT 1 FROM invited i WHERE i.room = patient_room.room AND i.at > $1) "
            "ORDER BY opened_at",
            to_millis(before),
        )
        return [(RoomId(row["room"]), int(row["later"])) for row in rows]

    async def put(self, missing: Missing) -> None:
        """That room was looked at. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO missing (room, referent, event, people) VALUES ($1, $2, $3, $4) ON CONFLICT (room) DO NOTHING",
            missing.room,
            missing.referent,
            missing.event,
            json.dumps(list(missing.people)),
        )

    async def of(self, event: EventId) -> Missing | None:
        """What that message told."""
        row = await self._db.fetchrow("SELECT * FROM missing WHERE event = $1 AND event <> ''", event)
        if row is None:
            return None
        people = tuple(map(UserId, json.loads(row["people"])))
        return Missing(RoomId(row["room"]), UserId(row["referent"]), EventId(row["event"]), people)
