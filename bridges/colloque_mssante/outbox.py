"""The outbox: mails on their way out, durable; what `sends` tells of their states is kept here."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, MssanteAddress, UserId
from colloque.mail.message import Report
from colloque.store.schema import transaction
from colloque_mssante.sends import ROOM, Send, read_send

_BY_REPORT = {"delivered": "delivered", "failed": "failed", "error": "failed", "read": "read"}
"""What a report makes of a mail. Any other report only proves that the mail left."""
_SHORT_TRIES = 3
"""Deferrals (some 15 s) after which the writer is told to be patient."""
_HELD = (
    "EXISTS (SELECT 1 FROM outbox a WHERE a.thread = outbox.thread AND outbox.thread <> '' AND a.seq < outbox.seq "
    "AND a.state IN ('queued', 'deferred', 'data'))"
)
"""An earlier mail of the same thread has not left: its reader gets them in the order in which they were written."""
_RANK = {"sent": 1, "failed": 2, "delivered": 2, "read": 3}


class Outbox:
    """Queries over `outbox`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def put(self, send: Send) -> Send:
        """Keep a mail; the one that is there already under that key wins and is returned."""
        async with transaction(self._db):
            await self._db.execute(
                "INSERT INTO outbox "
                "(key, caller, sender, recipients, owner, room_id, event_id, message_id, envid, ref, raw, state, "
                "next_at, made_at, thread, target, filed) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) "
                "ON CONFLICT (key) DO NOTHING",
                send.key,
                send.caller,
                send.sender.value,
                json.dumps(send.recipients),
                send.owner or "",
                send.room or "",
                send.event or "",
                send.message_id,
                send.envid,
                send.ref,
                send.raw,
                send.state,
                to_millis(send.next_at),
                to_millis(send.made_at),
                send.thread,
                send.target,
                send.caller != ROOM,
            )
            kept = await self.get(send.key)
        assert kept is not None
        return kept

    async def get(self, key: str) -> Send | None:
        """The mail of that key."""
        return read_send(await self._db.fetchrow("SELECT * FROM outbox WHERE key = $1", key))

    async def of_event(self, event: EventId) -> Send | None:
        """The mail that an event is part of, or that one of our messages told about."""
        return read_send(
            await self._db.fetchrow(
                "SELECT * FROM outbox WHERE event_id = $1 OR told_event = $1 "
                "OR key = (SELECT draft FROM draft_line WHERE event_id = $1) LIMIT 1",
                event,
            )
        )

    async def last_in(self, thread: str) -> Send | None:
        """The newest mail we sent in a thread."""
        return read_send(
            await self._db.fetchrow("SELECT * FROM outbox WHERE thread = $1 ORDER BY seq DESC LIMIT 1", thread)
        )

    async def of_message_id(self, message_id: str) -> Send | None:
        """The mail we sent under that Message-ID."""
        return read_send(await self._db.fetchrow("SELECT * FROM outbox WHERE message_id = $1", message_id))

    async def of_ref(self, ref: str) -> Send | None:
        """The mail that the journal names so."""
        return read_send(await self._db.fetchrow("SELECT * FROM outbox WHERE ref = $1", ref))

    async def last_of(self, owner: UserId, count: int) -> list[Send]:
        """Somebody's newest sends."""
        rows = await self._db.fetch(
            "SELECT * FROM outbox WHERE owner = $1 AND caller = $2 ORDER BY seq DESC LIMIT $3", owner, ROOM, count
        )
        return [found for row in rows if (found := read_send(row))]

    async def due(self) -> list[Send]:
        """What may be tried now, oldest first: of one thread, the first that has not left."""
        rows = await self._db.fetch(
            "SELECT * FROM outbox WHERE state IN ('queued', 'deferred') AND next_at <= $1 AND NOT "  # noqa: S608
            f"{_HELD} ORDER BY seq",
            self._now(),
        )
        return [found for row in rows if (found := read_send(row))]

    async def held(self) -> list[Send]:
        """Mails that wait for an earlier one of their thread, and whose writer was not shown that they do."""
        rows = await self._db.fetch(
            f"SELECT * FROM outbox WHERE state = 'queued' AND told = '' AND room_id <> '' AND {_HELD} "  # noqa: S608
            "AND EXISTS (SELECT 1 FROM outbox b WHERE b.thread = outbox.thread AND b.seq < outbox.seq "
            "AND b.state = 'deferred' AND b.tries > $1) ORDER BY seq",
            _SHORT_TRIES,
        )
        return [found for row in rows if (found := read_send(row))]

    async def interrupted(self) -> list[Send]:
        """Mails whose text was leaving when the process died."""
        rows = await self._db.fetch("SELECT * FROM outbox WHERE state = 'data' ORDER BY seq")
        return [found for row in rows if (found := read_send(row))]

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

    async def next_time(self) -> datetime | None:
        """When something is due or to be told next; None when nothing waits."""
        value = await self._db.fetchval(
            f"SELECT MIN(next_at) FROM outbox WHERE (state IN ('queued', 'deferred') AND NOT {_HELD}) "  # noqa: S608
            "OR (state = 'doubtful' AND told <> state AND room_id <> '')"
        )
        return None if value is None else from_millis(value)

    async def counts(self) -> dict[str, int]:
        """How many mails are in each state."""
        rows: list[Any] = await self._db.fetch("SELECT state, COUNT(*) AS n FROM outbox GROUP BY state")
        return {row["state"]: row["n"] for row in rows}

    async def oldest_waiting(self) -> datetime | None:
        """Since when the oldest mail that was never tried waits."""
        value = await self._db.fetchval(
            f"SELECT MIN(next_at) FROM outbox WHERE state = 'queued' AND NOT {_HELD}"  # noqa: S608
        )
        return None if value is None else from_millis(value)

    async def move(self, key: str, state: str, *, status: str = "", next_at: datetime | None = None) -> None:
        """Put a mail into a state of the sender's making (never over what a report already said)."""
        await self._db.execute(
            "UPDATE outbox SET state = $2, status = $3, next_at = $4, tries = tries + $5 WHERE key = $1 "
            "AND state NOT IN ('delivered', 'read', 'failed')",
            key,
            state,
            status,
            to_millis(next_at or self._clock.now()),
            int(state in {"deferred", "doubtful"}),
        )
        if state == "sent":
            await self._db.execute("UPDATE outbox SET raw = NULL WHERE key = $1 AND filed", key)

    async def again(self, key: str, *, asked_by: EventId) -> bool:
        """Queue a doubtful or refused mail again, under its own Message-ID; False when it is in another state.

        The same `asked_by` queues it once, however often it is heard.
        """
        async with transaction(self._db):
            if await self._db.fetchval("SELECT 1 FROM outbox WHERE key = $1 AND asked_by = $2", key, asked_by):
                return True
            found = await self.get(key)
            if found is None or found.raw is None or found.state not in {"doubtful", "refused"}:
                return False
            await self._db.execute(
                "UPDATE outbox SET state = 'queued', status = '', told = '', tries = 0, next_at = $2, made_at = $2, "
                "asked_by = $3 WHERE key = $1",
                key,
                self._now(),
                asked_by,
            )
        return True

    async def hurry(self, sender: MssanteAddress) -> None:
        """What was deferred in a mailbox that is open again need not wait any longer."""
        await self._db.execute(
            "UPDATE outbox SET next_at = $2 WHERE sender = $1 AND state = 'deferred'", sender.value, self._now()
        )

    async def doubtful(self) -> list[Send]:
        """Mails in doubt, oldest first."""
        rows = await self._db.fetch("SELECT * FROM outbox WHERE state = 'doubtful' ORDER BY seq")
        return [found for row in rows if (found := read_send(row))]

    async def found(self, key: str) -> bool:
        """A mail in doubt was found where only what left stands; False when its doubt was settled meanwhile."""
        async with transaction(self._db):
            if await self._db.fetchval("SELECT 1 FROM outbox WHERE key = $1 AND state = 'doubtful'", key) is None:
                return False
            await self._db.execute("UPDATE outbox SET state = 'sent', status = '' WHERE key = $1", key)
        return True

    async def to_file(self) -> list[Send]:
        """Mails that left and whose copy is still to be put into their mailbox, oldest first."""
        rows = await self._db.fetch(
            "SELECT * FROM outbox WHERE NOT filed AND state IN ('sent', 'delivered', 'read', 'failed') ORDER BY seq"
        )
        return [found for row in rows if (found := read_send(row))]

    async def filed(self, key: str) -> None:
        """The copy is there, or never will be."""
        await self._db.execute("UPDATE outbox SET filed = true, raw = NULL WHERE key = $1", key)

    async def told(self, key: str, state: str, by: EventId) -> None:
        """The writer was shown that state, by that event."""
        await self._db.execute(
            "UPDATE outbox SET told = $2, told_event = $3 WHERE key = $1 AND state = $2", key, state, by
        )

    async def report(self, report: Report, mailbox: MssanteAddress) -> Send | None:
        """Take in what a DSN or MDN that came to `mailbox` says; the mail it speaks of, if it is one of ours."""
        async with transaction(self._db):
            found = await self._reported(report, mailbox)
            if found is None:
                return None
            state = _BY_REPORT.get(report.kind, "sent")
            if _RANK[state] > _RANK.get(found.state, 0):
                await self._db.execute(
                    "UPDATE outbox SET state = $2, status = $3, raw = CASE WHEN filed THEN NULL ELSE raw END "
                    "WHERE key = $1",
                    found.key,
                    state,
                    report.status,
                )
        return found

    async def _reported(self, report: Report, mailbox: MssanteAddress) -> Send | None:
        row = None
        if report.envid is not None:
            row = await self._db.fetchrow(
                "SELECT * FROM outbox WHERE envid = $1 AND sender = $2", report.envid, mailbox.value
            )
        if row is None and report.original_message_id is not None:
            row = await self._db.fetchrow(
                "SELECT * FROM outbox WHERE message_id = $1 AND sender = $2", report.original_message_id, mailbox.value
            )
        return read_send(row)

    def _now(self) -> int:
        return to_millis(self._clock.now())
