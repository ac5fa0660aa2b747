"""What people must be told in their home room, once, even when that room is not there yet."""

from __future__ import annotations

import logging
from typing import Any

from mautrix.util.async_db import Database

from colloque import logs
from colloque.errors import HomeRefused
from colloque.identity import UserId
from colloque.matrix.home import Home, text
from colloque.rooms.mark import home_key
from colloque.store.rooms import Rooms

logger = logging.getLogger(__name__)


class Notices:
    """Queries over `notice`; `post` is called again and again."""

    def __init__(self, db: Database, rooms: Rooms, home: Home) -> None:
        self._db = db
        self._rooms = rooms
        self._home = home

    async def add(self, key: str, owner: UserId, words: str) -> None:
        """Say that to `owner`; the same `key` is said once."""
        await self._db.execute(
            "INSERT INTO notice (key, owner, words) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING", key, owner, words
        )

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
