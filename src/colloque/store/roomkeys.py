"""One random key a room, under which journal and receipts name the room, its events and files; destroyed with it.

Without the key a token says nothing any more, not even to somebody who knows the identifiers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from mautrix.util.async_db import Database

from colloque.errors import Inconsistent
from colloque.identity import RoomId
from colloque.store.schema import scrub, transaction

_LENGTH = 20
"""Hex digits of a token (80 bits): no two things of ours ever share one."""


class RoomKeys:
    """The keys, in the database alone: none is kept in memory, so that destroying one is final."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def token(self, room: RoomId, value: str) -> str:
        """20 hex digits that stand for `value` (an event id, a media address, the room's own id…) in that room.

        The room's key is made when first asked for. After `destroy` a new key is made, never the old one: whoever
        needs a token beyond that moment must have kept the token.
        """
        key = await self._key(room)
        if key is None:
            await self._db.execute(
                "INSERT INTO room_key (room, key) VALUES ($1, $2) ON CONFLICT (room) DO NOTHING",
                room,
                secrets.token_bytes(32),
            )
            key = await self._key(room)
        if key is None:
            raise Inconsistent("the room's key was destroyed while it was made")
        return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:_LENGTH]

    async def destroy(self, room: RoomId) -> None:
        """Delete the room's key, from the database's files too as far as it can; no error when there is none.

        Not within a transaction.
        """
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM room_key WHERE room = $1", room)
        await scrub(self._db)

    async def _key(self, room: RoomId) -> bytes | None:
        value = await self._db.fetchval("SELECT key FROM room_key WHERE room = $1", room)
        return bytes(value) if value is not None else None
