"""What moves a patient room's end: prolonging, holds, what announces it; and how its team calls the patient.

A hold's reason and that name may be health data: they stand in these rows alone, and go with the room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.rooms.patient_room import RoomState
from colloque.store.schema import migration, transaction


def register_life(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Patient rooms are prolonged, held, reminded of their end, and have a name for their team")
    async def life(conn: Connection) -> None:
        for column in ("reminded_at", "prolonged_until", "held_until"):
            await conn.execute(f"ALTER TABLE patient_room ADD COLUMN {column} BIGINT")
        for column in ("called", "prolonged_by"):
            await conn.execute(f"ALTER TABLE patient_room ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
        await conn.execute("ALTER TABLE patient_room ADD COLUMN alone BOOLEAN NOT NULL DEFAULT false")
        await conn.execute("CREATE TABLE notice (event TEXT PRIMARY KEY, room TEXT NOT NULL)")
        await conn.execute(
            """CREATE TABLE hold (
                room    TEXT PRIMARY KEY,
                by_user TEXT NOT NULL,
                since   BIGINT NOT NULL,
                until   BIGINT NOT NULL,
                reason  TEXT NOT NULL,
                warned  BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute(
            """CREATE TABLE many_ended (
                place   INTEGER PRIMARY KEY CHECK (place = 1),
                allowed BIGINT NOT NULL
            )"""
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody of the team keeps a room from ending, for a reason, until a day."""

    room: RoomId
    by: UserId
    since: datetime
    until: datetime
    reason: str = field(repr=False)
    warned: bool = False
    """True once its end was announced."""


class RoomLife:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def reminded(self, room: RoomId, at: datetime) -> None:
        """The promised end was said again."""
        await self._db.execute("UPDATE patient_room SET reminded_at = $2 WHERE room = $1", room, to_millis(at))

    async def postponed(self, room: RoomId) -> None:
        """The promised end does not count any more, and that was said."""
        await self._db.execute(
            "UPDATE patient_room SET state = $2, warned_for = NULL, warned_at = NULL, reminded_at = NULL "
            "WHERE room = $1 AND state = $3",
            room,
            RoomState.OPEN.value,
            RoomState.WARNED.value,
        )

    async def prolong(self, room: RoomId, until: datetime, event: EventId) -> None:
        """It does not end before that; `event` asked for it. An end that was announced counts no more."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE patient_room SET prolonged_until = $2, prolonged_by = $3 WHERE room = $1",
                room,
                to_millis(until),
                event,
            )
            await self.postponed(room)

    async def prolonged_by(self, room: RoomId) -> str:
        """The event that asked for the last prolonging; empty when there was none."""
        return str(await self._db.fetchval("SELECT prolonged_by FROM patient_room WHERE room = $1", room) or "")

    async def call(self, room: RoomId, name: str) -> None:
        """How the team calls the patient, in its own lists."""
        await self._db.execute("UPDATE patient_room SET called = $2 WHERE room = $1", room, name)

    async def called(self, room: RoomId) -> str:
        """That name; empty when none was given."""
        return str(await self._db.fetchval("SELECT called FROM patient_room WHERE room = $1", room) or "")

    # messages that announce an end

    async def announced(self, room: RoomId, event: EventId) -> None:
        """That message announced the room's end: a reaction to it prolongs."""
        await self._db.execute(
            "INSERT INTO notice (event, room) VALUES ($1, $2) ON CONFLICT (event) DO NOTHING", event, room
        )

    async def announces(self, event: EventId) -> RoomId | None:
        """The room whose end that message announced."""
        room = await self._db.fetchval("SELECT room FROM notice WHERE event = $1", event)
        return RoomId(str(room)) if room else None

    # holds

    async def hold(self, hold: Hold) -> None:
        """Place or renew it: from now on nothing ends there."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO hold (room, by_user, since, until, reason) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT (room) DO UPDATE SET by_user = $2, since = $3, until = $4, reason = $5, warned = false",
                hold.room,
                hold.by,
                to_millis(hold.since),
                to_millis(hold.until),
                hold.reason,
            )
            await conn.execute(
                "UPDATE patient_room SET held_until = $2 WHERE room = $1", hold.room, to_millis(hold.until)
            )
            await self.postponed(hold.room)

    async def any_held(self, now: datetime) -> bool:
        """Whether some room is held."""
        query = "SELECT 1 FROM patient_room WHERE held_until > $1 LIMIT 1"
        return await self._db.fetchval(query, to_millis(now)) is not None

    async def held(self, room: RoomId) -> Hold | None:
        """The hold on a room."""
        row = await self._db.fetchrow("SELECT * FROM hold WHERE room = $1", room)
        return _hold(row) if row else None

    async def holds(self) -> list[Hold]:
        """Every hold, the one that ends first before the others."""
        return [_hold(row) for row in await self._db.fetch("SELECT * FROM hold ORDER BY until, room")]

    async def hold_warned(self, room: RoomId) -> None:
        """Its end was announced."""
        await self._db.execute("UPDATE hold SET warned = true WHERE room = $1", room)

    async def release(self, room: RoomId, at: datetime) -> None:
        """It is lifted at that time, unless it ended before."""
        await self._db.execute(
            "UPDATE patient_room SET held_until = $2 WHERE room = $1 AND held_until > $2", room, to_millis(at)
        )
        await self._db.execute("UPDATE hold SET until = $2 WHERE room = $1 AND until > $2", room, to_millis(at))

    async def hold_over(self, room: RoomId) -> None:
        """That it ended was said."""
        await self._db.execute("DELETE FROM hold WHERE room = $1", room)

    # people left alone

    async def set_alone(self, room: RoomId, *, alone: bool) -> None:
        """One person is left in it, who is to read so; or not any more."""
        await self._db.execute("UPDATE patient_room SET alone = $2 WHERE room = $1", room, alone)

    async def alone(self) -> list[RoomId]:
        """Open rooms where one person is left who has not read so."""
        rows = await self._db.fetch("SELECT room FROM patient_room WHERE alone AND closed_at IS NULL")
        return [RoomId(row["room"]) for row in rows]

    # many rooms at once

    async def many_allowed(self) -> datetime | None:
        """What fell due before that may end, however many rooms they are; None when nobody was asked yet."""
        at = await self._db.fetchval("SELECT allowed FROM many_ended WHERE place = 1")
        return from_millis(at) if at is not None else None

    async def allow_many(self, at: datetime) -> None:
        """An administrator has looked: what was due by then may end."""
        await self._db.execute(
            "INSERT INTO many_ended (place, allowed) VALUES (1, $1) ON CONFLICT (place) DO UPDATE SET allowed = $1",
            to_millis(at),
        )


def _hold(row: Any) -> Hold:
    return Hold(
        RoomId(row["room"]),
        UserId(row["by_user"]),
        from_millis(row["since"]),
        from_millis(row["until"]),
        row["reason"],
        bool(row["warned"]),
    )
