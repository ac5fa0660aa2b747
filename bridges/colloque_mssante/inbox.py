"""Events from Synapse: stored before they are answered for, then handled once, in order within each room.

A room whose event can't be handled now waits and tries again; other rooms go on.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from mautrix.util.async_db import Database

from colloque import logs
from colloque.clock import Clock, to_millis
from colloque.errors import Temporary
from colloque.identity import RoomId
from colloque.matrix.api import JsonDict
from colloque.store.schema import transaction

Work = Callable[[JsonDict], Awaitable[None]]

_KEPT = timedelta(hours=48)
_WANTED = {"m.room.member", "m.room.encrypted", "m.room.message", "m.sticker"}
_TRIES = 5
_PAUSE_S = (0.5, 30.0)

logger = logging.getLogger(__name__)


class Inbox:
    """`handle(event)` may raise Temporary: it is called again later, also after a crash, until it returns.

    When it fails otherwise, five times, `give_up(event)` is called instead, once: it says so to whom it concerns.
    """

    def __init__(self, db: Database, clock: Clock, handle: Work, give_up: Work) -> None:
        self._db = db
        self._clock = clock
        self._handle = handle
        self._give_up = give_up
        self._wake = asyncio.Event()
        self._rooms: dict[RoomId, asyncio.Task[None]] = {}

    async def add(self, events: list[JsonDict]) -> None:
        """Store them durably; those known already are left out."""
        wanted = [e for e in events if e.get("type") in _WANTED and "event_id" in e and "room_id" in e]
        if not wanted:
            return
        now = self._clock.now()
        async with transaction(self._db):
            for event in wanted:
                await self._db.execute(
                    "INSERT INTO inbox (event_id, room_id, raw) VALUES ($1, $2, $3) ON CONFLICT (event_id) DO NOTHING",
                    event["event_id"],
                    event["room_id"],
                    json.dumps(event),
                )
            await self._db.execute("DELETE FROM inbox WHERE done_at < $1", to_millis(now - _KEPT))
        self._wake.set()

    async def waiting(self) -> int:
        """How many events are not handled yet."""
        return int(await self._db.fetchval("SELECT COUNT(*) FROM inbox WHERE done_at IS NULL"))

    async def run(self) -> None:
        """Handle what is there and what comes, for ever."""
        try:
            while True:
                self._wake.clear()
                rows = await self._db.fetch("SELECT DISTINCT room_id FROM inbox WHERE done_at IS NULL")
                for row in rows:
                    room = RoomId(row["room_id"])
                    if room not in self._rooms:
                        self._rooms[room] = asyncio.create_task(self._room(room))
                await self._wake.wait()
        finally:
            for task in self._rooms.values():
                task.cancel()
            await asyncio.gather(*self._rooms.values(), return_exceptions=True)
            self._rooms.clear()

    async def _room(self, room: RoomId) -> None:
        pause, tries = _PAUSE_S[0], 0
        while True:
            try:
                found = await self._next(room)
                if found is None:
                    break
                seq, event = found
                await (self._handle if tries < _TRIES else self._give_up)(event)
                await self._done(seq)
            except Temporary as error:
                logs.event(logger, "event.deferred", code=error.code)
            except Exception:
                logger.exception("event.failed")
                tries += 1
            else:
                pause, tries = _PAUSE_S[0], 0
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PAUSE_S[1])
        self._rooms.pop(room, None)
        self._wake.set()  # an event may have come between the last look and now

    async def _next(self, room: RoomId) -> tuple[int, JsonDict] | None:
        row = await self._db.fetchrow(
            "SELECT seq, raw FROM inbox WHERE room_id = $1 AND done_at IS NULL ORDER BY seq LIMIT 1", room
        )
        return (row["seq"], json.loads(row["raw"])) if row else None

    async def _done(self, seq: int) -> None:
        await self._db.execute(
            "UPDATE inbox SET done_at = $2, raw = '' WHERE seq = $1", seq, to_millis(self._clock.now())
        )
