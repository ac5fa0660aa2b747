"""Drafts, durable: what an owner wrote waits here until it leaves; its words are forgotten then, its place is not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.store.schema import transaction
from colloque_mssante.mapping.drafts import MERGED, Draft, Line, Option
from colloque_mssante.mapping.targets import Target

_FORGOTTEN = "{}"
"""Stands where a file stood: its mail left."""


class Drafts:
    """Queries over `draft` and `draft_line`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def begin(self, draft: Draft, line: Line | None) -> None:
        """Keep a draft and its first message. Safe to repeat."""
        async with transaction(self._db):
            await self._db.execute(
                "INSERT INTO draft (id, room_id, owner, state, target, options, subject, loose, next_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
                draft.id,
                draft.room,
                draft.owner,
                draft.state,
                draft.target.dump() if draft.target else "",
                _options(draft.options),
                draft.subject,
                draft.loose,
                to_millis(draft.next_at),
            )
            if line is not None:
                await self._put(draft.id, line)

    async def add(self, draft: Draft, line: Line, *, state: str, next_at: datetime) -> None:
        """One more message. Safe to repeat."""
        async with transaction(self._db):
            await self._put(draft.id, line)
            await self.change(draft, state=state, next_at=next_at)

    async def change(
        self,
        draft: Draft,
        *,
        state: str | None = None,
        target: Target | None = None,
        options: Sequence[Option] | None = None,
        subject: str | None = None,
        next_at: datetime | None = None,
    ) -> None:
        """Change what is given; the notice must be shown anew then. A draft that ended stays as it is."""
        await self._db.execute(
            "UPDATE draft SET state = COALESCE($2, state), target = COALESCE($3, target), "
            "options = COALESCE($4, options), subject = COALESCE($5, subject), next_at = COALESCE($6, next_at), "
            "version = version + 1 WHERE id = $1 AND state IN ('asking', 'open', 'waiting', 'confirming')",
            draft.id,
            state,
            target.dump() if target else None,
            None if options is None else _options(options),
            subject,
            None if next_at is None else to_millis(next_at),
        )

    async def reword(self, line: Line) -> None:
        """The words of a message that is still to leave were changed."""
        await self._db.execute(
            "UPDATE draft_line SET words = $2, html = $3 WHERE event_id = $1", line.event, line.words, line.html
        )
        await self._touch(line.event)

    async def strike(self, event: EventId) -> None:
        """A message that is still to leave was withdrawn; a draft without any is cancelled."""
        async with transaction(self._db):
            await self._touch(event)
            draft = await self._db.fetchval("SELECT draft FROM draft_line WHERE event_id = $1", event)
            await self._db.execute(
                "UPDATE draft_line SET words = '', html = '', file = '', struck = true WHERE event_id = $1", event
            )
            await self._db.execute(
                "UPDATE draft SET state = 'cancelled' WHERE id = $1 AND state IN ('asking', 'waiting', 'confirming') "
                "AND NOT EXISTS (SELECT 1 FROM draft_line WHERE draft = $1 AND NOT struck)",
                draft,
            )

    async def end(self, draft: Draft, state: str) -> None:
        """It left, was cancelled or may not leave: the words of its messages are forgotten, their place is not."""
        async with transaction(self._db):
            await self.change(draft, state=state)
            await self._db.execute(
                "UPDATE draft SET target = '', options = '[]', subject = '' WHERE id = $1 AND state = $2",
                draft.id,
                state,
            )
            await self._db.execute(
                "UPDATE draft_line SET words = '', html = '', file = CASE WHEN file = '' THEN '' ELSE $2 END "
                "WHERE draft = $1",
                draft.id,
                _FORGOTTEN,
            )

    async def recalled(self, draft: Draft) -> None:
        """Its mail stood in the outbox, and was taken back from there: it is cancelled after all."""
        await self._db.execute(
            "UPDATE draft SET state = 'cancelled', version = version + 1 WHERE id = $1 AND state = 'gone'", draft.id
        )

    async def begin_anew(self, draft: Draft, line: Line) -> None:
        """A draft for a message whose mail was taken back: it is part of that one no more. Safe to repeat."""
        async with transaction(self._db):
            await self._db.execute("DELETE FROM draft_line WHERE event_id = $1 AND draft <> $2", line.event, draft.id)
            await self.begin(draft, line)

    async def is_one_text(self, draft: Draft) -> bool:
        """Whether its mail had one message, and no file: whoever changes that message changes all of it."""
        rows: list[Any] = await self._db.fetch(
            "SELECT file FROM draft_line WHERE draft = $1 AND NOT struck LIMIT 2", draft.id
        )
        return [row["file"] for row in rows] == [""]

    @asynccontextmanager
    async def whole(self) -> AsyncIterator[None]:
        """Within it, what is kept of a draft is kept whole or not at all."""
        async with transaction(self._db):
            yield

    @asynccontextmanager
    async def answered(self, draft: Draft, by: EventId) -> AsyncIterator[None]:
        """Within it a choice or a change is kept; `by` is what made it: heard again, it is known, and does nothing."""
        async with transaction(self._db):
            yield
            await self._db.execute(
                "INSERT INTO draft_line (event_id, draft, words, file, struck) VALUES ($1, $2, '', '', true) "
                "ON CONFLICT (event_id) DO NOTHING",
                by,
                draft.id,
            )

    async def knows(self, event: EventId) -> bool:
        """True for what was taken in (a message, a tap, a change), whatever became of it."""
        return await self._db.fetchval("SELECT 1 FROM draft_line WHERE event_id = $1", event) is not None

    async def merge(self, draft: Draft, into: Draft, *, next_at: datetime) -> None:
        """The messages of one draft go with another, which waits; the first is over."""
        async with transaction(self._db):
            await self._db.execute("UPDATE draft_line SET draft = $2 WHERE draft = $1", draft.id, into.id)
            await self.change(into, next_at=next_at)
            await self.end(draft, MERGED)

    async def defer(self, draft: Draft, next_at: datetime) -> None:
        """It could not be made now."""
        await self._db.execute(
            "UPDATE draft SET next_at = $2, tries = tries + 1 WHERE id = $1", draft.id, to_millis(next_at)
        )

    async def told(self, draft: Draft, notice: EventId | None) -> None:
        """The notice shows this version."""
        await self._db.execute(
            "UPDATE draft SET told = $2, notice = $3 WHERE id = $1", draft.id, draft.version, notice or ""
        )

    async def settled(self, draft: Draft) -> None:
        """Nothing of it can be shown any more."""
        await self._db.execute("UPDATE draft SET told = version WHERE id = $1", draft.id)

    async def get(self, key: str) -> Draft | None:
        """By its id."""
        return _read(await self._db.fetchrow("SELECT * FROM draft WHERE id = $1", key))

    async def of_notice(self, event: EventId) -> Draft | None:
        """The draft that one of the bot's messages is about."""
        return _read(await self._db.fetchrow("SELECT * FROM draft WHERE notice = $1", event))

    async def of_line(self, event: EventId) -> Draft | None:
        """The draft that a message of the owner's is part of."""
        return _read(
            await self._db.fetchrow(
                "SELECT draft.* FROM draft JOIN draft_line ON draft_line.draft = draft.id "
                "WHERE draft_line.event_id = $1 AND NOT draft_line.struck",
                event,
            )
        )

    async def live(self, room: RoomId, owner: UserId) -> list[Draft]:
        """What somebody is writing in a room: drafts that have not ended, the latest first."""
        rows = await self._db.fetch(
            "SELECT * FROM draft WHERE room_id = $1 AND owner = $2 "
            "AND state IN ('asking', 'open', 'waiting', 'confirming') ORDER BY seq DESC",
            room,
            owner,
        )
        return [found for row in rows if (found := _read(row))]

    async def lines(self, draft: str) -> list[Line]:
        """Its messages, in the order in which they were written."""
        rows: list[Any] = await self._db.fetch(
            "SELECT * FROM draft_line WHERE draft = $1 AND NOT struck ORDER BY seq", draft
        )
        return [
            Line(EventId(row["event_id"]), row["words"], json.loads(row["file"] or _FORGOTTEN) or None, row["html"])
            for row in rows
        ]

    async def untold(self) -> list[Draft]:
        """Drafts whose notice must be shown, oldest first."""
        rows = await self._db.fetch("SELECT * FROM draft WHERE told <> version ORDER BY seq")
        return [found for row in rows if (found := _read(row))]

    async def due(self) -> list[Draft]:
        """Drafts whose time has come, oldest first."""
        rows = await self._db.fetch(
            "SELECT * FROM draft WHERE state IN ('asking', 'open', 'waiting', 'confirming') AND next_at <= $1 "
            "ORDER BY seq",
            to_millis(self._clock.now()),
        )
        return [found for row in rows if (found := _read(row))]

    async def next_time(self) -> datetime | None:
        """When the next one's time comes."""
        value = await self._db.fetchval(
            "SELECT MIN(next_at) FROM draft WHERE state IN ('asking', 'open', 'waiting', 'confirming')"
        )
        return None if value is None else from_millis(value)

    async def _put(self, draft: str, line: Line) -> None:
        await self._db.execute(
            "INSERT INTO draft_line (event_id, draft, words, file, html) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (event_id) DO NOTHING",
            line.event,
            draft,
            line.words,
            json.dumps(line.file) if line.file is not None else "",
            line.html,
        )

    async def _touch(self, event: EventId) -> None:
        await self._db.execute(
            "UPDATE draft SET version = version + 1 WHERE id = (SELECT draft FROM draft_line WHERE event_id = $1)",
            event,
        )


def _options(options: Sequence[Option]) -> str:
    return json.dumps([option.dump() for option in options])


def _read(row: Any) -> Draft | None:
    if row is None:
        return None
    return Draft(
        id=row["id"],
        room=RoomId(row["room_id"]),
        owner=UserId(row["owner"]),
        state=row["state"],
        target=Target.load(row["target"]),
        options=tuple(Option.load(raw) for raw in json.loads(row["options"])),
        subject=row["subject"],
        loose=bool(row["loose"]),
        next_at=from_millis(row["next_at"]),
        notice=EventId(row["notice"]) if row["notice"] else None,
        version=row["version"],
        told=row["told"],
        tries=row["tries"],
    )
