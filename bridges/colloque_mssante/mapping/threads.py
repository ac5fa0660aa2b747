"""Threads of mail in a room: one subject between the same two ends, known by its Message-IDs alone.

A subject never makes a thread: two patients may share one. Where many senders stand in a room, its author counts too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, RoomId
from colloque.mail.message import Mail
from colloque.mail.threading import parents
from colloque.store.schema import transaction
from colloque_mssante.rules.crowds import Author, from_one


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread. `number` names it to its readers: it is never given again in that room."""

    id: str
    room: RoomId
    number: int
    subject: str
    root: EventId | None
    """The event that began it; None while that is not sent yet."""
    last_at: datetime


class Threads:
    """Queries over `thread` and `thread_ref`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def place(self, mail: Mail, key: str, room: RoomId, crowd: str = "") -> Thread:
        """The thread a mail that came belongs to; a new one under the mail's `key` when it answers nothing we know.

        `crowd`: its author's key as a correspondent, where many stand in that room (`rules.crowds`); it joins no
        other's thread there.

        Safe to repeat. A mail that others named before it came (they overtook it) joins theirs.
        """
        author = Author(crowd, mail.sender.address) if crowd else None
        async with transaction(self._db):
            found = await self.get(key)
            for message_id in parents(mail):
                found = found or await self._named(room, message_id, author, shown=None)
            if found is None and mail.message_id:
                found = await self._named(room, mail.message_id, author, shown=False)
            if found is not None and not await self.lives(found):
                found = None
            return found or await self._begin(key, room, mail.subject)

    async def begin(self, key: str, room: RoomId, subject: str) -> Thread:
        """The thread that a new mail of ours begins; the same one when asked again."""
        async with transaction(self._db):
            return await self.get(key) or await self._begin(key, room, subject)

    async def get(self, key: str) -> Thread | None:
        """By its id."""
        return _read(await self._db.fetchrow("SELECT * FROM thread WHERE id = $1", key))

    async def of_root(self, root: EventId) -> Thread | None:
        """The thread that an event began."""
        return _read(await self._db.fetchrow("SELECT * FROM thread WHERE root = $1", root))

    async def recent(self, room: RoomId, since: datetime, count: int) -> list[Thread]:
        """The room's threads in which something was said since then, the latest first."""
        rows: list[Any] = await self._db.fetch(
            "SELECT * FROM thread WHERE room_id = $1 AND last_at >= $2 AND NOT ended "
            "ORDER BY last_at DESC, number DESC LIMIT $3",
            room,
            to_millis(since),
            count,
        )
        return [found for row in rows if (found := _read(row))]

    async def note(self, thread: Thread, message_id: str | None, references: Sequence[str], event: EventId) -> None:
        """A mail of the thread stands in the room, first shown by `event`. Safe to repeat."""
        async with transaction(self._db):
            for reference in references:
                await self._db.execute(
                    "INSERT INTO thread_ref (room_id, message_id, thread, shown) VALUES ($1, $2, $3, false) "
                    "ON CONFLICT (room_id, message_id) DO NOTHING",
                    thread.room,
                    reference,
                    thread.id,
                )
            if message_id:
                await self._db.execute(
                    "INSERT INTO thread_ref (room_id, message_id, thread, shown) VALUES ($1, $2, $3, true) "
                    "ON CONFLICT (room_id, message_id) DO UPDATE SET shown = true, "
                    # Who only named it beforehand does not own it.
                    "thread = CASE WHEN thread_ref.shown THEN thread_ref.thread ELSE excluded.thread END",
                    thread.room,
                    message_id,
                    thread.id,
                )
            await self._db.execute(
                "UPDATE thread SET last_at = $2, root = CASE WHEN root = '' THEN $3 ELSE root END WHERE id = $1",
                thread.id,
                to_millis(self._clock.now()),
                event,
            )

    async def lives(self, thread: Thread) -> bool:
        """False for one that ended. Until the transaction is over, it does not end."""
        query = "UPDATE thread SET last_at = last_at WHERE id = $1 AND NOT ended RETURNING 1"
        return await self._db.fetchval(query, thread.id) is not None

    async def authors(self, thread: Thread) -> list[Author]:
        """Who wrote the mails of a thread that came."""
        rows: list[Any] = await self._db.fetch("SELECT DISTINCT who, author FROM mail WHERE thread = $1", thread.id)
        return [Author(row["who"], row["author"]) for row in rows]

    async def _named(
        self, room: RoomId, message_id: str, author: Author | None, *, shown: bool | None
    ) -> Thread | None:
        """The thread of a Message-ID; `shown` None: whether or not that mail itself stands in the room.

        With `author`, only where nobody else wrote to it.
        """
        row = await self._db.fetchrow(
            "SELECT thread.* FROM thread JOIN thread_ref ON thread_ref.thread = thread.id "
            "WHERE thread_ref.room_id = $1 AND thread_ref.message_id = $2 AND ($3 OR thread_ref.shown = $4)",
            room,
            message_id,
            shown is None,
            bool(shown),
        )
        found = _read(row)
        if found is None or author is None:
            return found
        theirs = await self.authors(found)
        return found if theirs and from_one([author, *theirs]) else None

    async def _begin(self, key: str, room: RoomId, subject: str) -> Thread:
        last = await self._db.fetchval("SELECT COALESCE(MAX(number), 0) FROM thread WHERE room_id = $1", room)
        now = self._clock.now()
        await self._db.execute(
            "INSERT INTO thread (id, room_id, number, subject, last_at) VALUES ($1, $2, $3, $4, $5)",
            key,
            room,
            last + 1,
            subject,
            to_millis(now),
        )
        return Thread(key, room, last + 1, subject, None, now)


def _read(row: Any) -> Thread | None:
    if row is None:
        return None
    root = EventId(row["root"]) if row["root"] else None
    return Thread(row["id"], RoomId(row["room_id"]), row["number"], row["subject"], root, from_millis(row["last_at"]))
