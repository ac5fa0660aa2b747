"""The outbox: mails on their way out, durable; what `sends` tells of their states is kept here."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, MssanteAddress, UserId
from colloque.mail.message import Report
from colloque.store.schema import transaction
from colloque_mssante.rules.sends import ROOM, Send, read_send
from colloque_mssante.store.leases import NotHeld
from colloque_mssante.store.recalled import take_back
from colloque_mssante.store.reported import take_in

LEFT = "state NOT IN ('queued', 'deferred', 'data', 'doubtful', 'refused')"
"""It left, whatever came of it. (Said so that no index over states is preferred to one over what is to be done.)"""
HELD = (
    "EXISTS (SELECT 1 FROM outbox a WHERE a.thread = outbox.thread AND outbox.thread <> '' AND a.seq < outbox.seq "
    "AND a.state IN ('queued', 'deferred', 'data'))"
)
"""An earlier mail of the same thread has not left: its reader gets them in the order in which they were written."""


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
                "next_at, made_at, thread, target, filed, handled, status) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, $18) "
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
                send.status,
            )
            kept = await self.get(send.key)
        assert kept is not None
        return kept

    async def get(self, key: str) -> Send | None:
        """The mail of that key."""
        return read_send(await self._db.fetchrow("SELECT * FROM outbox WHERE key = $1", key))

    async def of_event(self, event: EventId) -> Send | None:
        """The mail that an event is part of (the newest, where one was taken back), or that a message told about."""
        return read_send(
            await self._db.fetchrow(
                "SELECT * FROM outbox WHERE event_id = $1 OR told_event = $1 "
                "OR key = (SELECT draft FROM draft_line WHERE event_id = $1) ORDER BY seq DESC LIMIT 1",
                event,
            )
        )

    async def last_in(self, thread: str) -> Send | None:
        """The newest mail we sent in a thread; what was taken back was not sent."""
        return read_send(
            await self._db.fetchrow(
                "SELECT * FROM outbox WHERE thread = $1 AND status <> 'withdrawn' ORDER BY seq DESC LIMIT 1", thread
            )
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

    async def senders(self) -> list[MssanteAddress]:
        """Mailboxes for which something is to be done: mails to send, to settle, to file."""
        rows: list[Any] = await self._db.fetch(
            "SELECT DISTINCT sender FROM outbox WHERE state IN ('queued', 'deferred', 'data', 'doubtful') "
            "UNION SELECT DISTINCT sender FROM outbox WHERE NOT filed"
        )
        return [MssanteAddress(row["sender"]) for row in rows]

    async def ready(self) -> list[MssanteAddress]:
        """Mailboxes from which something may be sent now."""
        rows: list[Any] = await self._db.fetch(
            "SELECT DISTINCT sender FROM outbox WHERE state IN ('queued', 'deferred') AND next_at <= $1 AND NOT "  # noqa: S608
            f"{HELD}",
            self._now(),
        )
        return [MssanteAddress(row["sender"]) for row in rows]

    async def due(self, sender: MssanteAddress) -> list[Send]:
        """What may be sent from a mailbox now, oldest first: of one thread, the first that has not left."""
        rows = await self._db.fetch(
            "SELECT * FROM outbox WHERE sender = $2 AND state IN ('queued', 'deferred') AND next_at <= $1 AND NOT "  # noqa: S608
            f"{HELD} ORDER BY seq",
            self._now(),
            sender.value,
        )
        return [found for row in rows if (found := read_send(row))]

    async def interrupted(self) -> list[Send]:
        """Mails whose text is leaving, or was when the process died that sent them."""
        rows = await self._db.fetch("SELECT * FROM outbox WHERE state = 'data' ORDER BY seq")
        return [found for row in rows if (found := read_send(row))]

    async def next_time(self) -> datetime | None:
        """When something is due or to be told next; None when nothing waits."""
        value = await self._db.fetchval(
            f"SELECT MIN(next_at) FROM outbox WHERE (state IN ('queued', 'deferred') AND NOT {HELD}) "  # noqa: S608
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
            f"SELECT MIN(next_at) FROM outbox WHERE state = 'queued' AND NOT {HELD}"  # noqa: S608
        )
        return None if value is None else from_millis(value)

    async def leaving(self, send: Send) -> Send:
        """The text of a mail is about to leave; the mail as it is then. Raises NotHeld when it is not to leave now."""
        found = await self._db.fetchval(
            "UPDATE outbox SET state = 'data', status = '', attempt = attempt + 1, next_at = $3 "
            "WHERE key = $1 AND attempt = $2 AND state IN ('queued', 'deferred') RETURNING 1",
            send.key,
            send.attempt,
            self._now(),
        )
        if found is None:
            raise NotHeld("this mail is not to be sent now")
        return replace(send, state="data", attempt=send.attempt + 1)

    async def move(self, send: Send, state: str, *, status: str = "", next_at: datetime | None = None) -> str:
        """Put a mail into a state of the sender's making, never over what a report already said; the state it is in.

        What an attempt learns after another has begun changes nothing, but for this: what was taken has left. One that
        was withdrawn while it was leaving, and did not leave, has no text to be tried again with.
        """
        kept = await self._db.fetchval(
            "UPDATE outbox SET state = CASE WHEN raw IS NULL AND $2 = 'deferred' THEN 'refused' ELSE $2 END, "
            "status = CASE WHEN raw IS NULL AND $2 IN ('deferred', 'refused') THEN 'withdrawn' ELSE $3 END, "
            "next_at = $4, tries = tries + $5, raw = CASE WHEN $7 AND filed THEN NULL ELSE raw END WHERE key = $1 "
            "AND ((attempt = $6 AND state IN ('queued', 'deferred', 'data', 'doubtful')) "
            "OR ($7 AND state NOT IN ('delivered', 'read', 'failed'))) RETURNING state",
            send.key,
            state,
            status,
            to_millis(next_at or self._clock.now()),
            int(state in {"deferred", "doubtful"}),
            send.attempt,
            state == "sent",
        )
        return str(kept or state)

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
                "asked_by = $3, attempt = attempt + 1 WHERE key = $1",
                key,
                self._now(),
                asked_by,
            )
        return True

    async def withdraw(self, gone: Send) -> None:
        """A mail that has not left does not leave any more; its text is dropped in any case.

        `gone` stands for it where it is not there (see `sends.withdrawn`): whoever was to queue it finds that.
        """
        await self.put(gone)
        await self._db.execute(
            "UPDATE outbox SET raw = NULL, "
            "status = CASE WHEN state IN ('queued', 'deferred') THEN 'withdrawn' ELSE status END, "
            "state = CASE WHEN state IN ('queued', 'deferred') THEN 'refused' ELSE state END WHERE key = $1",
            gone.key,
        )

    async def take_back(self, key: str, *, quietly: bool = False) -> str | None:
        """Its writer wants a mail not to leave: the state that this put it into; None where its text left, or leaves.

        `refused` (status `withdrawn`): nothing of it left, nor ever will. `doubtful`: it may have left before it was
        sent again. `quietly`: its writer reads of it elsewhere.
        """
        return await take_back(self._db, key, now=self._now(), quietly=quietly)

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

    async def unfiled(self) -> list[tuple[MssanteAddress, UserId]]:
        """Mailboxes, with whose mails they are (empty: a team's), that still lack copies of what left."""
        rows: list[Any] = await self._db.fetch(
            f"SELECT DISTINCT sender, owner FROM outbox WHERE NOT filed AND {LEFT}"  # noqa: S608
        )
        return [(MssanteAddress(row["sender"]), UserId(row["owner"])) for row in rows]

    async def to_file(self, mailbox: MssanteAddress) -> list[Send]:
        """Mails that left a mailbox and whose copy is still to be put there, oldest first."""
        rows = await self._db.fetch(
            f"SELECT * FROM outbox WHERE NOT filed AND sender = $1 AND {LEFT} ORDER BY seq",  # noqa: S608
            mailbox.value,
        )
        return [found for row in rows if (found := read_send(row))]

    async def unfilable(self, before: datetime) -> int:
        """Copies of what was made before then can't be filed any more, nor those without a text; how many."""
        async with transaction(self._db):
            where = f"NOT filed AND {LEFT} AND (made_at < $1 OR raw IS NULL)"
            count = await self._db.fetchval(f"SELECT COUNT(*) FROM outbox WHERE {where}", to_millis(before))  # noqa: S608
            if count:
                await self._db.execute(
                    f"UPDATE outbox SET filed = true, raw = NULL WHERE {where}",  # noqa: S608
                    to_millis(before),
                )
        return int(count)

    async def filed(self, key: str) -> None:
        """The copy is there, or never will be."""
        await self._db.execute("UPDATE outbox SET filed = true, raw = NULL WHERE key = $1", key)

    async def report(self, report: Report, mailbox: MssanteAddress) -> Send | None:
        """Take in what a DSN or MDN that came to `mailbox` says; the mail it speaks of, if it is one of ours."""
        return await take_in(self._db, report, mailbox)

    def _now(self) -> int:
        return to_millis(self._clock.now())
