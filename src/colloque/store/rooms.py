"""The rooms a bot created, by the key of their mark: how a bot finds them again after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mautrix.util.async_db import Database

from colloque.errors import Inconsistent
from colloque.identity import RoomId, UserId
from colloque.rooms.mark import RoomKind
from colloque.store.schema import transaction


@dataclass(frozen=True, slots=True)
class BotRoom:
    """A room of ours."""

    key: str
    room: RoomId
    kind: RoomKind
    owner: UserId | None


class Rooms:
    """Queries over `bot_room`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, key: str) -> BotRoom | None:
        """The room with that mark key."""
        return _read(await self._db.fetchrow("SELECT * FROM bot_room WHERE key = $1", key))

    async def by_room(self, room: RoomId) -> BotRoom | None:
        """What we know of that room."""
        return _read(await self._db.fetchrow("SELECT * FROM bot_room WHERE room = $1", room))

    async def all(self, kind: RoomKind) -> list[BotRoom]:
        """Every room of that kind."""
        rows = await self._db.fetch("SELECT * FROM bot_room WHERE kind = $1 ORDER BY key", kind.value)
        return [found for row in rows if (found := _read(row)) is not None]

    async def put(self, key: str, room: RoomId, kind: RoomKind, owner: UserId | None) -> None:
        """Keep a room; the one that had the key before is forgotten (a lost room was made anew).

        Raises Inconsistent when the room is known under another key.
        """
        async with transaction(self._db) as conn:
            other = await conn.fetchval("SELECT key FROM bot_room WHERE room = $1", room)
            if other not in {None, key}:
                raise Inconsistent("the room is known under another key")
            await conn.execute(
                "INSERT INTO bot_room (key, room, kind, owner) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (key) DO UPDATE SET room = $2, kind = $3, owner = $4",
                key,
                room,
                kind.value,
                owner,
            )

    async def forget(self, room: RoomId) -> None:
        """Drop what is kept of a room; no error when nothing is."""
        await self._db.execute("DELETE FROM bot_room WHERE room = $1", room)


def _read(row: Any) -> BotRoom | None:
    if row is None:
        return None
    owner = UserId(row["owner"]) if row["owner"] is not None else None
    return BotRoom(row["key"], RoomId(row["room"]), RoomKind(row["kind"]), owner)
