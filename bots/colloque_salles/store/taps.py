"""Taps on a message of ours that is not kept yet: it was sent, and the process or the server died before we knew it."""

from __future__ import annotations

import json

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.store.schema import migration


def register_taps(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Taps that come before what they answer is kept")
    async def early(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE early_tap (
                event   TEXT PRIMARY KEY,
                room    TEXT NOT NULL,
                sender  TEXT NOT NULL,
                sent_at BIGINT NOT NULL,
                content TEXT NOT NULL
            )"""
        )


class EarlyTaps:
    """Queries over that table."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, tap: Incoming) -> None:
        """Safe to repeat."""
        await self._db.execute(
            "INSERT INTO early_tap (event, room, sender, sent_at, content) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (event) DO NOTHING",
            tap.event,
            tap.room,
            tap.sender,
            to_millis(tap.sent_at),
            json.dumps({"m.relates_to": tap.content["m.relates_to"]}),
        )

    async def all(self) -> list[Incoming]:
        """The oldest first; what they say of devices is not kept: nothing about an archive looks at it."""
        return [
            Incoming(
                room=RoomId(row["room"]),
                event=EventId(row["event"]),
                sender=UserId(row["sender"]),
                sent_at=from_millis(row["sent_at"]),
                type="m.reaction",
                content=json.loads(row["content"]),
                encrypted=False,
                device_signed=False,
            )
            for row in await self._db.fetch("SELECT * FROM early_tap ORDER BY sent_at, event")
        ]

    async def forget(self, tap: EventId) -> None:
        """It was answered, or nothing will come that it could be about."""
        await self._db.execute("DELETE FROM early_tap WHERE event = $1", tap)
