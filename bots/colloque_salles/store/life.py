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


def register_holds(table: UpgradeTable) -> None:
    """Add a later migration."""

    @migration(table, "Each member of a patient room holds it for themselves")
    async def holds(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE hold_by (
                room    TEXT NOT NULL,
                by_user TEXT NOT NULL,
                since   BIGINT NOT NULL,
                until   BIGINT NOT NULL,
                reason  TEXT NOT NULL,
                warned  BOOLEAN NOT NULL DEFAULT false,
                told    BOOLEAN NOT NULL DEFAULT false,
                PRIMARY KEY (room, by_user)
            )"""
        )
        await conn.execute(
            "INSERT INTO hold_by (room, by_user, since, until, reason, warned) "
            "SELECT room, by_user, since, until, reason, warned FROM hold"
        )
        await conn.execute("DROP TABLE hold")
        await conn.execute("ALTER TABLE hold_by RENAME TO hold")


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
    told: bool = False
    """True once it was said that it is over."""


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

    async def hold(self, hold: Hold) -> bool:
        """Place or renew somebody's: from now on nothing ends there. Neither it nor the room's ends sooner by that.

        False, and nothing is placed, where the erasure has begun (`jobs.Jobs.start`: whichever comes first counts).
        """
        async with transaction(self._db) as conn:
            until = to_millis(hold.until)
            placed = await conn.fetchrow(
                "UPDATE patient_room "
                "SET held_until = CASE WHEN COALESCE(held_until, 0) < $2 THEN $2 ELSE held_until END "
                "WHERE room = $1 AND state <> $3 RETURNING 1",
                hold.room,
                until,
                RoomState.ERASING.value,
            )
            if placed is None:
                return False
            await conn.execute(
                "INSERT INTO hold (room, by_user, since, until, reason) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT (room, by_user) DO UPDATE SET since = $3, reason = $5, warned = false, told = false, "
                "until = CASE WHEN hold.until > $4 THEN hold.until ELSE $4 END",
                hold.room,
                hold.by,
                to_millis(hold.since),
                until,
                hold.reason,
            )
            await self.postponed(hold.room)
        return True

    async def any_held(self, now: datetime) -> bool:
        """Whether some room is held."""
        query = "SELECT 1 FROM patient_room WHERE held_until > $1 LIMIT 1"
        return await self._db.fetchval(query, to_millis(now)) is not None

    async def held(self, room: RoomId, now: datetime) -> list[Hold]:
        """The holds that stand on a room, the one that lasts longest before the others."""
        query = "SELECT * FROM hold WHERE room = $1 AND until > $2 ORDER BY until DESC, by_user"
        return [_hold(row) for row in await self._db.fetch(query, room, to_millis(now))]

    async def holds(self) -> list[Hold]:
        """Every hold, the one that ends first before the others."""
        return [_hold(row) for row in await self._db.fetch("SELECT * FROM hold ORDER BY until, room, by_user")]

    async def release(self, room: RoomId, at: datetime, by: UserId | None = None) -> None:
        """Somebody's, or everybody's, is lifted at that time, unless it ended before; the others stay."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE hold SET until = $2 WHERE room = $1 AND until > $2 AND by_user = COALESCE($3, by_user)",
                room,
                to_millis(at),
                by,
            )
            await conn.execute(
                "UPDATE patient_room SET held_until = COALESCE((SELECT MAX(until) FROM hold h WHERE h.room = $1), $2) "
                "WHERE room = $1 AND held_until > $2",
                room,
                to_millis(at),
            )

    # What follows leaves alone a hold that was renewed, or lifted, since it was read.

    async def hold_warned(self, hold: Hold) -> None:
        """Its end was announced."""
        await self._mark(hold, "UPDATE hold SET warned = true")

    async def hold_told(self, hold: Hold) -> None:
        """That it ended was said."""
        await self._mark(hold, "UPDATE hold SET told = true")

    async def hold_stands(self, hold: Hold) -> None:
        """It was said to be over, and is not: the clock stood too late then."""
        await self._mark(hold, "UPDATE hold SET told = false")

    async def hold_over(self, hold: Hold) -> None:
        """It is over and done with."""
        await self._mark(hold, "DELETE FROM hold")

    async def _mark(self, hold: Hold, what: str) -> None:
        await self._db.execute(
            f"{what} WHERE room = $1 AND by_user = $2 AND until = $3", hold.room, hold.by, to_millis(hold.until)
        )

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
        bool(row["told"]),
    )
