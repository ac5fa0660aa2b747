"""What rooms don't show yet of mails on their way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, to_millis
from colloque.identity import EventId
from colloque.store.schema import transaction
from colloque_mssante.rules.sends import Send, read_send
from colloque_mssante.store.outbox import HELD, LEFT

_SHORT_TRIES = 3
"""Deferrals (some 15 s) after which the writer is told to be patient."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One of several recipients did not get a mail."""

    send: Send
    recipient: str
    """Empty where the report names none of its recipients."""
    status: str


class Untold:
    """Queries over `outbox`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def to_tell(self) -> list[Send]:
        """Mails whose writer was not shown the present state.

        A doubt is told at `next_at`: a report may come first. A short wait is not told at all.
        """
        rows = await self._db.fetch(
            "SELECT * FROM outbox WHERE room_id <> '' AND told <> state AND state NOT IN ('queued', 'data') "
            "AND (state <> 'doubtful' OR next_at <= $1) AND (state <> 'deferred' OR tries > $2) ORDER BY seq",
            self._now(),
            _SHORT_TRIES,
        )
        return [found for row in rows if (found := read_send(row))]

    async def held(self) -> list[Send]:
        """Mails that wait for an earlier one of their thread, and whose writer was not shown that they do."""
        rows = await self._db.fetch(
            f"SELECT * FROM outbox WHERE state = 'queued' AND told = '' AND room_id <> '' AND {HELD} "  # noqa: S608
            "AND EXISTS (SELECT 1 FROM outbox b WHERE b.thread = outbox.thread AND b.seq < outbox.seq "
            "AND b.state = 'deferred' AND b.tries > $1) ORDER BY seq",
            _SHORT_TRIES,
        )
        return [found for row in rows if (found := read_send(row))]

    async def failures(self) -> list[Failure]:
        """What failed for one of several recipients, and whose writer was not told."""
        rows: list[Any] = await self._db.fetch(
            "SELECT outbox.*, r.recipient AS at, r.status AS why FROM reported r JOIN outbox ON outbox.key = r.key "
            "WHERE r.state = 'failed' AND NOT r.told AND room_id <> '' ORDER BY seq, r.recipient"
        )
        return [Failure(found, row["at"], row["why"]) for row in rows if (found := read_send(row))]

    async def told_failure(self, failure: Failure, by: EventId) -> None:
        """The writer was told, by that event: an answer to it is about that mail."""
        async with transaction(self._db):
            await self._db.execute(
                "UPDATE reported SET told = true WHERE key = $1 AND recipient = $2", failure.send.key, failure.recipient
            )
            await self._db.execute("UPDATE outbox SET told_event = $2 WHERE key = $1", failure.send.key, by)

    async def to_handle(self) -> list[Send]:
        """Mails that left and of which it is still to be said that their writer dealt with what they answer."""
        rows = await self._db.fetch(
            f"SELECT * FROM outbox WHERE NOT handled AND {LEFT} ORDER BY seq"  # noqa: S608
        )
        return [found for row in rows if (found := read_send(row))]

    async def handled(self, key: str) -> None:
        """It was said, or need not be."""
        await self._db.execute("UPDATE outbox SET handled = true WHERE key = $1", key)

    async def told(self, key: str, state: str, by: EventId) -> None:
        """The writer was shown that state, by that event."""
        await self._db.execute(
            "UPDATE outbox SET told = $2, told_event = $3 WHERE key = $1 AND state = $2", key, state, by
        )

    def _now(self) -> int:
        return to_millis(self._clock.now())
