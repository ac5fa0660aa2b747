"""What two people say to each other in a room that they share: kept for some days, in case it is to leave as mail."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.store.schema import transaction
from colloque_mssante.mapping.drafts import Line
from colloque_mssante.mapping.mapping import Written
from colloque_mssante.store.reading import MAIN


@dataclass(frozen=True, slots=True)
class Saying:
    """One message."""

    room: RoomId
    writer: UserId
    meant: Written
    at: datetime
    """When we heard it."""
    seen: bool
    """The other read it in Matrix."""
    settled: bool
    """It leaves as mail, or may not: nothing more happens to it."""


class Sayings:
    """Queries over `said`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def put(self, room: RoomId, writer: UserId, meant: Written) -> None:
        """Keep a message; whoever writes has read what the other wrote before. Safe to repeat."""
        line = meant.line
        async with transaction(self._db):
            if await self.get(line.event) is not None:
                return
            await self._db.execute(
                "UPDATE said SET seen = true WHERE room_id = $1 AND writer <> $2 AND NOT seen", room, writer
            )
            await self._db.execute(
                "INSERT INTO said (event_id, room_id, writer, words, html, file, answers, root, at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                line.event,
                room,
                writer,
                line.words,
                line.html,
                json.dumps(line.file) if line.file is not None else "",
                meant.answers or "",
                meant.root or "",
                to_millis(self._clock.now()),
            )

    async def get(self, event: EventId) -> Saying | None:
        """The message of that event, while it is kept."""
        return _read(await self._db.fetchrow("SELECT * FROM said WHERE event_id = $1", event))

    async def last_of(self, room: RoomId, writer: UserId) -> Saying | None:
        """The newest that somebody wrote in that room."""
        return _read(
            await self._db.fetchrow(
                "SELECT * FROM said WHERE room_id = $1 AND writer = $2 ORDER BY seq DESC LIMIT 1", room, writer
            )
        )

    async def reword(self, line: Line) -> None:
        """Its words were changed by their writer."""
        await self._db.execute(
            "UPDATE said SET words = $2, html = $3 WHERE event_id = $1 AND NOT settled",
            line.event,
            line.words,
            line.html,
        )

    async def settle(self, event: EventId) -> None:
        """It leaves as mail, was withdrawn, or may not leave: its words are forgotten here, its place is not."""
        await self._db.execute(
            "UPDATE said SET settled = true, words = '', html = '', file = '' WHERE event_id = $1", event
        )

    async def unseen(self, room: RoomId, reader: UserId) -> bool:
        """True when the other wrote something that `reader` is not known to have read."""
        found = await self._db.fetchval(
            "SELECT 1 FROM said WHERE room_id = $1 AND writer <> $2 AND NOT seen LIMIT 1", room, reader
        )
        return found is not None

    async def unseen_of(self, room: RoomId, writer: UserId) -> int:
        """How many messages of theirs the other is not known to have read, and that don't leave as mail."""
        return int(
            await self._db.fetchval(
                "SELECT COUNT(*) FROM said WHERE room_id = $1 AND writer = $2 AND NOT seen AND NOT settled",
                room,
                writer,
            )
        )

    async def was_seen(self, event: EventId) -> bool:
        """True when the other read that message in Matrix."""
        return await self._db.fetchval("SELECT 1 FROM said WHERE event_id = $1 AND seen", event) is not None

    async def see(self, room: RoomId, reader: UserId, thread: str, upto: EventId) -> bool:
        """`reader` read up to that message, of a thread (`home.Read.thread`); False when it is none of these."""
        found = await self._db.fetchval("SELECT seq FROM said WHERE event_id = $1 AND room_id = $2", upto, room)
        if found is None:
            return False
        await self._db.execute(
            "UPDATE said SET seen = true WHERE room_id = $1 AND writer <> $2 AND seq <= $3 "
            "AND ($4 = '' OR root = $4 OR ($4 = $5 AND root = ''))",
            room,
            reader,
            found,
            thread,
            MAIN,
        )
        return True

    async def due(self) -> list[Saying]:
        """What stayed unread for as long as both chose, oldest first."""
        rows: list[Any] = await self._db.fetch(f"{_DUE} ORDER BY seq", to_millis(self._clock.now()))
        return [found for row in rows if (found := _read(row))]

    async def still_due(self, event: EventId) -> Saying | None:
        """The message of that event, where it is one of these."""
        return _read(await self._db.fetchrow(f"{_DUE} AND event_id = $2", to_millis(self._clock.now()), event))

    async def drop(self, before: datetime) -> None:
        """Forget what was said before then."""
        await self._db.execute("DELETE FROM said WHERE at < $1", to_millis(before))


_DUE = (
    "SELECT said.* FROM said JOIN guest ON guest.room_id = said.room_id "
    "WHERE guest.joined AND owner_after > 0 AND guest_after > 0 AND NOT seen AND NOT settled "
    "AND at + 1000 * CASE WHEN owner_after > guest_after THEN owner_after ELSE guest_after END <= $1"
)


def _read(row: Any) -> Saying | None:
    if row is None:
        return None
    file = json.loads(row["file"]) if row["file"] else None
    line = Line(EventId(row["event_id"]), row["words"], file, row["html"])
    meant = Written(line)
    if row["answers"]:
        meant = replace(meant, answers=EventId(row["answers"]))
    if row["root"]:
        meant = replace(meant, root=EventId(row["root"]))
    return Saying(
        RoomId(row["room_id"]),
        UserId(row["writer"]),
        meant,
        from_millis(row["at"]),
        bool(row["seen"]),
        bool(row["settled"]),
    )
