"""How far a bot has come: its sync position, and the events it has answered already.

Every answer can be repeated safely for 24 h (Synapse knows its transaction); these rows cover the rest.
"""

from __future__ import annotations

from datetime import timedelta

from mautrix.util.async_db import Database

from colloque.clock import Clock, to_millis
from colloque.identity import EventId, RoomId
from colloque.store.schema import transaction

_KEEP = timedelta(hours=48)
"""Longer than any sync may lag behind a saved position and still bring an old event again."""


class Handled:
    """The position is saved after what it covers was handled, never before."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def position(self) -> str | None:
        """The sync token to go on from; None at the very first start."""
        value = await self._db.fetchval("SELECT token FROM sync_position WHERE id = 1")
        return str(value) if value is not None else None

    async def save_position(self, token: str) -> None:
        """Everything before `token` is handled; events marked more than 48 h ago are let go."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO sync_position (id, token) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET token = $1", token
            )
            await conn.execute("DELETE FROM seen_event WHERE at < $1", to_millis(self._clock.now() - _KEEP))

    async def seen(self, event: EventId) -> bool:
        """True when the event was handled already."""
        return await self._db.fetchval("SELECT 1 FROM seen_event WHERE event = $1", event) is not None

    async def mark(self, event: EventId, room: RoomId) -> None:
        """The event is handled; harmless when marked already."""
        await self._db.execute(
            "INSERT INTO seen_event (event, room, at) VALUES ($1, $2, $3) ON CONFLICT (event) DO NOTHING",
            event,
            room,
            to_millis(self._clock.now()),
        )

    async def forget_room(self, room: RoomId) -> None:
        """Drop what is kept of an erased room."""
        await self._db.execute("DELETE FROM seen_event WHERE room = $1", room)
