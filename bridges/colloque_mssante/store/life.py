"""What mail rooms say of how long threads stay, which files their events share, and who keeps what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.store.schema import transaction

_AT_ONCE = 20
"""Rooms that are told, or read, in one pass."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody keeps a thread, or all of a room."""

    room: RoomId
    thread: str
    """Its id; empty for all of the room."""
    by: UserId
    reason: str = field(repr=False)
    until: datetime
    warned: bool = False
    """Its end was announced."""


class RoomLife:
    """Queries over `room_life`, `room_file` and `thread_hold`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def untold(self, lifetime_s: int) -> list[tuple[RoomId, int]]:
        """Some of the mail rooms that do not say that lifetime yet; when each said another (milliseconds), or 0."""
        rows: list[Any] = await self._db.fetch(
            "SELECT every.room_id, COALESCE(room_life.told_at, 0) AS before FROM (SELECT room_id FROM conversation "
            "UNION SELECT room_id FROM document_room) AS every "
            "LEFT JOIN room_life ON room_life.room_id = every.room_id "
            "WHERE COALESCE(room_life.told_s, 0) <> $1 ORDER BY every.room_id LIMIT $2",
            lifetime_s,
            _AT_ONCE,
        )
        return [(RoomId(row["room_id"]), row["before"]) for row in rows]

    async def told(self, room: RoomId, lifetime_s: int, by: EventId | None) -> None:
        """It says so from now on, by that event (None: nobody could be told any more)."""
        await self._db.execute(
            "INSERT INTO room_life (room_id, told_s, told_at, told_event) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (room_id) DO UPDATE SET told_s = excluded.told_s, told_at = excluded.told_at, "
            "told_event = excluded.told_event",
            room,
            lifetime_s,
            to_millis(self._clock.now()),
            by or "",
        )

    async def invited(self, room: RoomId, by: EventId) -> None:
        """Somebody is to come who can't read what the room said before."""
        await self._db.execute("UPDATE room_life SET again = $2 WHERE room_id = $1 AND told_s > 0", room, by)

    async def to_say_again(self) -> list[tuple[RoomId, EventId]]:
        """Rooms that are to say their lifetime to whoever comes, and the event that invited them."""
        rows: list[Any] = await self._db.fetch(
            "SELECT room_id, again FROM room_life WHERE again <> '' ORDER BY room_id"
        )
        return [(RoomId(row["room_id"]), EventId(row["again"])) for row in rows]

    async def said_again(self, room: RoomId, invited: EventId, by: EventId | None) -> None:
        """It was said, by that event; since when the room says so does not change."""
        await self._db.execute(
            "UPDATE room_life SET again = CASE WHEN again = $2 THEN '' ELSE again END, "
            "told_event = CASE WHEN $3 = '' THEN told_event ELSE $3 END WHERE room_id = $1",
            room,
            invited,
            by or "",
        )

    async def unwalked(self) -> list[RoomId]:
        """Some of the rooms whose past was not read for files: no thread ends before all were."""
        rows: list[Any] = await self._db.fetch(
            "SELECT room_id FROM (SELECT room_id FROM conversation UNION SELECT room_id FROM document_room) AS every "
            "WHERE NOT EXISTS (SELECT 1 FROM room_life WHERE room_life.room_id = every.room_id AND room_life.walked) "
            "ORDER BY room_id LIMIT $1",
            _AT_ONCE,
        )
        return [RoomId(row["room_id"]) for row in rows]

    async def walked(self, room: RoomId) -> None:
        """Its past was read."""
        await self._db.execute(
            "INSERT INTO room_life (room_id, walked) VALUES ($1, true) "
            "ON CONFLICT (room_id) DO UPDATE SET walked = true",
            room,
        )

    async def shares(self, room: RoomId, files: Mapping[EventId, Iterable[MxcUri]]) -> None:
        """These events share these files. Safe to repeat."""
        async with transaction(self._db):
            for event, shared in files.items():
                for mxc in shared:
                    await self._db.execute(
                        "INSERT INTO room_file (mxc, event_id, room_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                        mxc,
                        event,
                        room,
                    )

    async def shares_no_more(self, events: Iterable[EventId]) -> None:
        """These were withdrawn."""
        for event in events:
            await self._db.execute("DELETE FROM room_file WHERE event_id = $1", event)

    # holds

    async def hold(self, hold: Hold) -> None:
        """Keep it; a hold that stands is renewed."""
        await self._db.execute(
            "INSERT INTO thread_hold (room_id, thread, user_id, reason, until) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (room_id, thread) DO UPDATE SET user_id = excluded.user_id, reason = excluded.reason, "
            "until = excluded.until, warned = false",
            hold.room,
            hold.thread,
            hold.by,
            hold.reason,
            to_millis(hold.until),
        )

    async def held(self, room: RoomId, thread: str) -> Hold | None:
        """Who keeps that very thread (empty: all of the room)."""
        row = await self._db.fetchrow("SELECT * FROM thread_hold WHERE room_id = $1 AND thread = $2", room, thread)
        return None if row is None else _hold(row)

    async def holds(self) -> list[Hold]:
        """All of them, those that end first at first."""
        return [_hold(row) for row in await self._db.fetch("SELECT * FROM thread_hold ORDER BY until")]

    async def warned(self, hold: Hold) -> None:
        """Its end was announced."""
        await self._db.execute(
            "UPDATE thread_hold SET warned = true WHERE room_id = $1 AND thread = $2 AND until = $3",
            hold.room,
            hold.thread,
            to_millis(hold.until),
        )

    async def release(self, hold: Hold) -> None:
        """It is over: why and by whom is forgotten. One that was renewed meanwhile stands."""
        await self._db.execute(
            "DELETE FROM thread_hold WHERE room_id = $1 AND thread = $2 AND until = $3",
            hold.room,
            hold.thread,
            to_millis(hold.until),
        )


def _hold(row: Any) -> Hold:
    return Hold(
        RoomId(row["room_id"]),
        row["thread"],
        UserId(row["user_id"]),
        row["reason"],
        from_millis(row["until"]),
        bool(row["warned"]),
    )
