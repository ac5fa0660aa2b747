"""Rooms that several servers hold, as rows: companions, guest rooms, who is asked to erase, and who asked us."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import MxcUri, RoomId, UserId
from colloque.store.schema import migration, scrub, transaction


def register_elsewhere(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Rooms that several servers hold: their bots, and the erasure of every copy")
    async def elsewhere(conn: Connection) -> None:
        await conn.execute("CREATE TABLE companion (room TEXT NOT NULL, bot TEXT NOT NULL, PRIMARY KEY (room, bot))")
        await conn.execute(
            """CREATE TABLE guest_room (
                room   TEXT PRIMARY KEY,
                origin TEXT NOT NULL,
                since  BIGINT NOT NULL,
                joined BOOLEAN NOT NULL DEFAULT false,
                closed BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute(
            """CREATE TABLE peer_erasure (
                room     TEXT NOT NULL,
                server   TEXT NOT NULL,
                ref      TEXT NOT NULL,
                since    BIGINT NOT NULL,
                tries    INTEGER NOT NULL DEFAULT 0,
                again_at BIGINT NOT NULL,
                outcome  TEXT NOT NULL DEFAULT 'unanswered',
                receipt  TEXT,
                settled  BOOLEAN NOT NULL DEFAULT false,
                serial   INTEGER,
                PRIMARY KEY (room, server)
            )"""
        )
        await conn.execute(
            """CREATE TABLE asked_erasure (
                asked  TEXT PRIMARY KEY,
                server TEXT NOT NULL,
                ref    TEXT NOT NULL,
                room   TEXT NOT NULL,
                serial INTEGER
            )"""
        )


def register_gaps(table: UpgradeTable) -> None:
    """Add a later migration."""

    @migration(table, "Guest rooms that ours was not in all the time")
    async def gaps(conn: Connection) -> None:
        await conn.execute("ALTER TABLE guest_room ADD COLUMN gap BOOLEAN NOT NULL DEFAULT false")


class Companions:
    """Which `@salles` of other servers we invited into rooms of ours."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, room: RoomId, bot: UserId) -> None:
        """Note one, before it is invited. Safe to repeat."""
        await self._db.execute("INSERT INTO companion (room, bot) VALUES ($1, $2) ON CONFLICT DO NOTHING", room, bot)

    async def drop(self, room: RoomId, bot: UserId) -> None:
        """It was taken out."""
        await self._db.execute("DELETE FROM companion WHERE room = $1 AND bot = $2", room, bot)

    async def all(self) -> dict[RoomId, frozenset[UserId]]:
        """By room."""
        found: dict[RoomId, set[UserId]] = {}
        for row in await self._db.fetch("SELECT room, bot FROM companion"):
            found.setdefault(RoomId(row["room"]), set()).add(UserId(row["bot"]))
        return {room: frozenset(bots) for room, bots in found.items()}


@dataclass(frozen=True, slots=True)
class GuestRoom:
    """A room that another server's `@salles` made and leads; ours is in it for our people's files."""

    room: RoomId
    origin: str
    since: datetime
    followed: bool
    """Whether ours is in it, and has been all the time since it came in first."""


class GuestRooms:
    """Their ledger stands where that of our own rooms does."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, room: RoomId, origin: str, at: datetime) -> None:
        """We were invited. An invitation that comes again is taken up again: nobody invites who is in, so if ours was
        it was let go unheard, or the same invitation is read again after a crash; which one can't be told.
        """
        await self._db.execute(
            "INSERT INTO guest_room (room, origin, since) VALUES ($1, $2, $3) ON CONFLICT (room) DO UPDATE "
            "SET gap = guest_room.gap OR guest_room.joined, joined = false, closed = false",
            room,
            origin,
            to_millis(at),
        )

    async def get(self, room: RoomId) -> GuestRoom | None:
        """One."""
        row = await self._db.fetchrow("SELECT * FROM guest_room WHERE room = $1", room)
        return _guest(row) if row else None

    async def to_join(self) -> list[GuestRoom]:
        """Those whose invitation waits."""
        rows = await self._db.fetch("SELECT * FROM guest_room WHERE NOT joined AND NOT closed ORDER BY since")
        return [_guest(row) for row in rows]

    async def joined(self, room: RoomId) -> None:
        """We are in."""
        await self._db.execute("UPDATE guest_room SET joined = true WHERE room = $1", room)

    async def left(self, room: RoomId) -> None:
        """We are out, and no invitation waits."""
        await self._db.execute(
            "UPDATE guest_room SET gap = gap OR joined, joined = false, closed = true WHERE room = $1", room
        )

    async def closed(self, room: RoomId) -> None:
        """The invitation is gone."""
        await self._db.execute("UPDATE guest_room SET closed = true WHERE room = $1", room)

    async def drop(self, room: RoomId) -> None:
        """It is no patient room of theirs after all: what was heard there is no business of ours."""
        async with transaction(self._db) as conn:
            for table in ("guest_room", "ledger_event", "ledger_file"):
                await conn.execute(f"DELETE FROM {table} WHERE room = $1", room)  # noqa: S608 - fixed names

    async def names(self, room: RoomId, files: Collection[MxcUri]) -> None:
        """Files that the room's state names."""
        for mxc in files:
            await self._db.execute(
                "INSERT INTO ledger_file (room, mxc) VALUES ($1, $2) ON CONFLICT DO NOTHING", room, mxc
            )


def _guest(row: Any) -> GuestRoom:
    followed = bool(row["joined"] and not row["gap"])
    return GuestRoom(RoomId(row["room"]), row["origin"], from_millis(row["since"]), followed)


@dataclass(frozen=True, slots=True)
class Peer:
    """One server that is to erase its copy of a room of ours."""

    room: RoomId
    server: str
    ref: str
    """The room's token in our own receipt."""
    since: datetime
    tries: int
    outcome: str
    receipt: dict[str, Any] | None
    settled: bool
    serial: int | None
    """Of our own receipt, once there is one."""


class Peers:
    """Rows begin with the erasure's job (`Jobs.start`) and outlive it: until the supplement is written."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def due(self, now: datetime) -> list[Peer]:
        """Whom to ask now."""
        rows = await self._db.fetch(
            "SELECT * FROM peer_erasure WHERE NOT settled AND again_at <= $1 ORDER BY again_at", to_millis(now)
        )
        return [_peer(row) for row in rows]

    async def tried(self, peer: Peer, outcome: str, again_at: datetime) -> None:
        """No receipt yet, and why."""
        await self._db.execute(
            "UPDATE peer_erasure SET tries = $3, outcome = $4, again_at = $5 WHERE room = $1 AND server = $2",
            peer.room,
            peer.server,
            peer.tries + 1,
            outcome,
            to_millis(again_at),
        )

    async def settle(self, peer: Peer, outcome: str, receipt: dict[str, Any] | None) -> None:
        """It is not asked any more."""
        await self._db.execute(
            "UPDATE peer_erasure SET tries = $3, outcome = $4, receipt = $5, settled = true "
            "WHERE room = $1 AND server = $2",
            peer.room,
            peer.server,
            peer.tries + 1,
            outcome,
            json.dumps(receipt) if receipt is not None else None,
        )

    async def complete(self) -> list[list[Peer]]:
        """By room, those of rooms whose receipt is there and whose servers are all settled."""
        rows = await self._db.fetch("SELECT * FROM peer_erasure WHERE serial IS NOT NULL ORDER BY serial, server")
        rooms: dict[str, list[Peer]] = {}
        for row in rows:
            rooms.setdefault(row["room"], []).append(_peer(row))
        return [peers for peers in rooms.values() if all(peer.settled for peer in peers)]

    async def scrub(self) -> None:
        """The rooms' addresses go from the files, too."""
        await scrub(self._db)


def _peer(row: Any) -> Peer:
    return Peer(
        room=RoomId(row["room"]),
        server=row["server"],
        ref=row["ref"],
        since=from_millis(row["since"]),
        tries=row["tries"],
        outcome=row["outcome"],
        receipt=json.loads(row["receipt"]) if row["receipt"] is not None else None,
        settled=bool(row["settled"]),
        serial=row["serial"],
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Another server's request that our copy of its room be erased."""

    asked: str
    server: str
    ref: str
    room: RoomId
    """Empty once the receipt is there."""
    serial: int | None


class AskedErasures:
    """Kept for good, so that whoever asks again gets the same receipt; the room's address is not."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, asked: str) -> Asked | None:
        """One, by `key`."""
        row = await self._db.fetchrow("SELECT * FROM asked_erasure WHERE asked = $1", asked)
        return _asked(row) if row else None

    async def put(self, asked: Asked) -> None:
        """A new one. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO asked_erasure (asked, server, ref, room) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            asked.asked,
            asked.server,
            asked.ref,
            asked.room,
        )

    async def open(self) -> list[Asked]:
        """Those without a receipt."""
        rows = await self._db.fetch("SELECT * FROM asked_erasure WHERE serial IS NULL ORDER BY asked")
        return [_asked(row) for row in rows]

    async def drop(self, asked: str) -> None:
        """It is refused after all."""
        await self._db.execute("DELETE FROM asked_erasure WHERE asked = $1", asked)


def key(server: str, ref: str, room: RoomId) -> str:
    """What a request is found by later: it tells nothing to whoever does not know the room's address."""
    return hashlib.sha256(f"{server} {ref} {room}".encode()).hexdigest()


def _asked(row: Any) -> Asked:
    return Asked(row["asked"], row["server"], row["ref"], RoomId(row["room"]), row["serial"])


def pause(tries: int, first: timedelta, most: timedelta) -> timedelta:
    """How long to wait after so many tries: twice as long each time."""
    return min(first * (1 << min(tries, 20)), most)
