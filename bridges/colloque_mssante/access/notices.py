"""What people must be told in their home room, once, even when that room is not there yet."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from mautrix.util.async_db import Database

from colloque import logs
from colloque.errors import HomeRefused
from colloque.identity import UserId, digest
from colloque.matrix.home import Home, text
from colloque.rooms.mark import home_key
from colloque.store.rooms import Rooms

logger = logging.getLogger(__name__)


class Notes:
    """What is to be said, by whoever knows no room."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, key: str, owner: UserId, words: str) -> None:
        """Say that to `owner`; the same `key` is said once."""
        await self._db.execute(
            "INSERT INTO notice (key, owner, words) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING", key, owner, words
        )

    async def add_for(self, key: str, owner: UserId, members: Iterable[UserId], words: str) -> None:
        """Say that to a mailbox's owner, or to the members of the team that shares it (`owner` is empty then)."""
        if owner:
            await self.add(key, owner, words)
            return
        for user in members:
            await self.add(f"{key}-{digest(user)}", user, words)


class Notices(Notes):
    """Says it; `post` is called again and again."""

    def __init__(self, db: Database, rooms: Rooms, home: Home) -> None:
        super().__init__(db)
        self._rooms = rooms
        self._home = home

    async def post(self) -> None:
        """Say what was not said yet. Raises HomeUnavailable: the rest stays."""
        rows: list[Any] = await self._db.fetch("SELECT * FROM notice WHERE words <> '' ORDER BY key")
        for row in rows:
            room = await self._rooms.get(home_key(UserId(row["owner"])))
            if room is None:
                continue
            try:
                await self._home.send(room.room, text(row["words"]), txn=row["key"])
            except HomeRefused as error:
                logs.event(logger, "notice.refused", code=error.errcode)
                continue
            # The row stays, without its words: the same thing is not said again.
            await self._db.execute("UPDATE notice SET words = '' WHERE key = $1", row["key"])
