"""Direct rooms and groups as this service knows them: what their people were told, and who holds one.

A hold's reason may be health data: it stands in its row alone, and goes with the hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import MxcUri, RoomId, UserId
from colloque.rooms.direct import DirectRoom
from colloque.store.schema import migration, transaction
from colloque_salles.store.life import Hold

_HELD_UNTIL = (
    "UPDATE direct SET held_until = (SELECT MAX(until) FROM direct_hold h WHERE h.room = direct.room) WHERE room = $1"
)


def register_direct(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Direct rooms: how long their messages live, holds, rounds")
    async def direct(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE direct (
                room        TEXT PRIMARY KEY,
                members     TEXT NOT NULL,
                opened_at   BIGINT NOT NULL,
                keep_s      BIGINT NOT NULL,
                promised_at BIGINT,
                held_until  BIGINT,
                is_group    BOOLEAN NOT NULL
            )"""
        )
        await conn.execute(
            """CREATE TABLE direct_number (
                member TEXT NOT NULL,
                number INTEGER NOT NULL,
                room   TEXT NOT NULL,
                PRIMARY KEY (member, number)
            )"""
        )
        await conn.execute(
            """CREATE TABLE direct_hold (
                room    TEXT NOT NULL,
                by_user TEXT NOT NULL,
                since   BIGINT NOT NULL,
                until   BIGINT NOT NULL,
                reason  TEXT NOT NULL,
                warned  BOOLEAN NOT NULL DEFAULT false,
                PRIMARY KEY (room, by_user)
            )"""
        )


@dataclass(frozen=True, slots=True)
class Untold:
    """A room whose people have not read how long its messages live, or have read something else."""

    room: RoomId
    members: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A direct room, or a group, that the server has.

    `promised`: how long messages live, where its people read it at the opening.
    """

    room: RoomId
    members: tuple[UserId, ...] = field(default=())
    opened_at: datetime = field(kw_only=True)
    promised: timedelta | None = None
    group: bool = False


class DirectRooms:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def follow(self, found: Found, keep: timedelta) -> None:
        """Know a room from now on."""
        promised = found.promised or keep
        await self._db.execute(
            "INSERT INTO direct (room, members, opened_at, keep_s, promised_at, is_group) "
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (room) DO NOTHING",
            found.room,
            json.dumps(sorted(found.members)),
            to_millis(found.opened_at),
            round(promised.total_seconds()),
            to_millis(found.opened_at) if found.promised else None,
            found.group,
        )

    async def groups(self) -> dict[RoomId, tuple[UserId, ...]]:
        """Rooms that people made themselves, and who was in them when we looked last."""
        rows = await self._db.fetch("SELECT room, members FROM direct WHERE is_group ORDER BY room")
        return {RoomId(row["room"]): _users(row["members"]) for row in rows}

    async def members(self, room: RoomId, members: Sequence[UserId]) -> None:
        """Who is in it now."""
        await self._db.execute("UPDATE direct SET members = $2 WHERE room = $1", room, json.dumps(sorted(members)))

    async def known(self) -> set[RoomId]:
        """Every room that is followed."""
        return {RoomId(row["room"]) for row in await self._db.fetch("SELECT room FROM direct")}

    async def under_way(self) -> set[RoomId]:
        """Those that are being erased whole."""
        rows = await self._db.fetch("SELECT d.room FROM direct d JOIN erasure e ON e.room = d.room")
        return {RoomId(row["room"]) for row in rows}

    async def all(self) -> list[DirectRoom]:
        """Those whose people were told how long messages live, and that are not being erased."""
        rows = await self._db.fetch(
            "SELECT * FROM direct d WHERE promised_at IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM erasure e WHERE e.room = d.room) ORDER BY opened_at, room"
        )
        return [_direct(row) for row in rows]

    async def get(self, room: RoomId) -> DirectRoom | None:
        """One of these."""
        row = await self._db.fetchrow("SELECT * FROM direct WHERE room = $1 AND promised_at IS NOT NULL", room)
        return _direct(row) if row else None

    async def of(self, member: UserId) -> list[DirectRoom]:
        """Those that somebody is in, oldest first."""
        return [room for room in await self.all() if member in room.members]

    async def forget(self, room: RoomId) -> None:
        """The server does not have it any more, and not by us."""
        async with transaction(self._db) as conn:
            for table in ("direct_number", "direct_hold", "direct"):
                await conn.execute(f"DELETE FROM {table} WHERE room = $1", room)  # noqa: S608 - fixed names

    async def is_shared(self, mxc: MxcUri) -> bool:
        """Does a patient room's ledger know the file?"""
        return await self._db.fetchval("SELECT 1 FROM ledger_file WHERE mxc = $1", mxc) is not None

    # what people were told

    async def untold(self, keep: timedelta) -> list[Untold]:
        """Rooms whose people have to read how long messages live now."""
        rows = await self._db.fetch(
            "SELECT room, members FROM direct WHERE promised_at IS NULL OR keep_s <> $1 ORDER BY room",
            round(keep.total_seconds()),
        )
        return [Untold(RoomId(row["room"]), _users(row["members"])) for row in rows]

    async def told(self, rooms: Sequence[RoomId], keep: timedelta, at: datetime) -> None:
        """Their people have read it: it holds from that time on."""
        async with transaction(self._db) as conn:
            for room in rooms:
                await conn.execute(
                    "UPDATE direct SET keep_s = $2, promised_at = $3 WHERE room = $1",
                    room,
                    round(keep.total_seconds()),
                    to_millis(at),
                )

    # numbers by which people name them

    async def numbered(self, member: UserId) -> Mapping[int, RoomId]:
        """Somebody's rooms under numbers that never change; rooms without one get the next."""
        rooms = await self.of(member)
        async with transaction(self._db) as conn:
            rows = await conn.fetch("SELECT number, room FROM direct_number WHERE member = $1", member)
            known = {RoomId(row["room"]): int(row["number"]) for row in rows}
            following = max(known.values(), default=0)
            for room in rooms:
                if room.room not in known:
                    following += 1
                    known[room.room] = following
                    await conn.execute(
                        "INSERT INTO direct_number (member, number, room) VALUES ($1, $2, $3)",
                        member,
                        following,
                        room.room,
                    )
        return {number: room for room, number in known.items() if any(each.room == room for each in rooms)}

    # holds

    async def hold(self, hold: Hold) -> None:
        """Place or renew somebody's: from now on nothing goes there."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO direct_hold (room, by_user, since, until, reason) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT (room, by_user) DO UPDATE SET since = $3, until = $4, reason = $5, warned = false",
                hold.room,
                hold.by,
                to_millis(hold.since),
                to_millis(hold.until),
                hold.reason,
            )
            await conn.execute(_HELD_UNTIL, hold.room)

    async def held(self, room: RoomId, by: UserId) -> Hold | None:
        """Somebody's hold on a room."""
        row = await self._db.fetchrow("SELECT * FROM direct_hold WHERE room = $1 AND by_user = $2", room, by)
        return _hold(row) if row else None

    async def any_held(self, now: datetime) -> bool:
        """Whether some room is held."""
        query = "SELECT 1 FROM direct WHERE held_until > $1 LIMIT 1"
        return await self._db.fetchval(query, to_millis(now)) is not None

    async def holds(self) -> list[Hold]:
        """Every hold, the one that ends first before the others."""
        rows = await self._db.fetch("SELECT * FROM direct_hold ORDER BY until, room, by_user")
        return [_hold(row) for row in rows]

    async def hold_warned(self, hold: Hold) -> None:
        """Its end was announced."""
        await self._db.execute(
            "UPDATE direct_hold SET warned = true WHERE room = $1 AND by_user = $2", hold.room, hold.by
        )

    async def release(self, hold: Hold, at: datetime) -> None:
        """It is lifted at that time, unless it ended before; the other one's stays."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE direct_hold SET until = $3 WHERE room = $1 AND by_user = $2 AND until > $3",
                hold.room,
                hold.by,
                to_millis(at),
            )
            await conn.execute(_HELD_UNTIL, hold.room)

    async def hold_over(self, hold: Hold) -> None:
        """That it ended was said."""
        await self._db.execute("DELETE FROM direct_hold WHERE room = $1 AND by_user = $2", hold.room, hold.by)


def _users(raw: str) -> tuple[UserId, ...]:
    return tuple(UserId(user) for user in json.loads(raw))


def _direct(row: Any) -> DirectRoom:
    return DirectRoom(
        room=RoomId(row["room"]),
        members=_users(row["members"]),
        opened_at=from_millis(row["opened_at"]),
        keep=timedelta(seconds=row["keep_s"]),
        promised_at=from_millis(row["promised_at"]),
        group=bool(row["is_group"]),
        held_until=from_millis(row["held_until"]) if row["held_until"] is not None else None,
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
