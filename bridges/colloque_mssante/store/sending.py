"""Which events of a mail that is being shown were sent, so that none is sent twice: Synapse forgets what it was sent
under a transaction id after 24 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, RoomId

_REPEATABLE = timedelta(hours=20)
"""For that long what was sent under a transaction id may be sent again."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A mail that is being shown, since then; its events whose ids are known, by rank."""

    since: datetime
    events: dict[int, EventId]
    repeatable: bool
    """Whether the server still knows of its other events that it was sent them."""


class Sending:
    """Queries over `arriving_event`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def begin(self, mail: str, room: RoomId) -> Begun:
        """It is shown there from now on, or since it first was; `forget` ends that. To be kept before any is sent."""
        now = self._clock.now()
        await self._db.execute(
            "INSERT INTO arriving_event (mail, room_id, rank, at) VALUES ($1, $2, 0, $3) "
            "ON CONFLICT (mail, room_id, rank) DO NOTHING",
            mail,
            room,
            to_millis(now),
        )
        rows: list[Any] = await self._db.fetch(
            "SELECT * FROM arriving_event WHERE mail = $1 AND room_id = $2", mail, room
        )
        since = from_millis(min(row["at"] for row in rows))
        known = {row["rank"]: EventId(row["event_id"]) for row in rows if row["event_id"]}
        return Begun(since, known, now - since < _REPEATABLE)

    async def sent(self, mail: str, room: RoomId, rank: int, event: EventId) -> None:
        """That one stands in the room."""
        await self._db.execute(
            "INSERT INTO arriving_event (mail, room_id, rank, at, event_id) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (mail, room_id, rank) DO UPDATE SET event_id = excluded.event_id",
            mail,
            room,
            rank,
            to_millis(self._clock.now()),
            event,
        )

    async def forget(self, mail: str) -> None:
        """It is shown, or given up."""
        await self._db.execute("DELETE FROM arriving_event WHERE mail = $1", mail)
