"""Threads that end: which are due, how far each has come, what its mailboxes said. `forgetting` drops what is kept."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, MssanteAddress, MxcUri, RoomId, UserId
from colloque.rooms.mail_thread import Rule, Standing
from colloque.store.schema import transaction
from colloque_mssante.store.outbox import LEFT

ASKING, KEPT, READING, REDACTING = "asking", "kept", "reading", "redacting"
CHECKING, FILES, TELLING = "checking", "files", "telling"
_AT_ONCE = 20
"""Threads that begin to end in one pass."""


@dataclass(frozen=True, slots=True)
class End:
    """A thread that ends."""

    thread: str
    room: RoomId
    number: int
    token: str
    step: str
    asked_at: datetime
    told: bool
    counts: dict[str, Any]
    """What its room was found to hold of it."""
    serial: int
    """Its receipt's; 0 while there is none."""


class Ends:
    """Queries over `thread_end` and what belongs to it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def begin_due(self, rule: Rule) -> int:
        """Begin to end threads whose time has come: their mailboxes are to be asked. How many."""
        now = self._clock.now()
        async with transaction(self._db):
            rows: list[Any] = await self._db.fetch(
                "SELECT thread.id, thread.room_id FROM thread JOIN room_life ON room_life.room_id = thread.room_id "
                "WHERE NOT thread.ended AND thread.last_at <= $1 AND room_life.told_s > 0 AND room_life.told_at <= $2 "
                "AND NOT EXISTS (SELECT 1 FROM thread_end WHERE thread_end.thread = thread.id) "
                "AND NOT EXISTS (SELECT 1 FROM thread_hold WHERE thread_hold.room_id = thread.room_id "
                "AND thread_hold.thread IN ('', thread.id) AND thread_hold.until > $3) "
                "ORDER BY thread.last_at LIMIT $4",
                to_millis(now - rule.lifetime),
                to_millis(now - rule.notice),
                to_millis(now),
                _AT_ONCE,
            )
            for row in rows:
                await self._db.execute(
                    "INSERT INTO thread_end (thread, room_id, token, step, next_at, asked_at) "
                    "VALUES ($1, $2, $3, $4, $5, $5)",
                    row["id"],
                    row["room_id"],
                    secrets.token_hex(16),
                    ASKING,
                    to_millis(now),
                )
                await self._seek(row["id"])
        return len(rows)

    async def _seek(self, thread: str) -> None:
        await self._db.execute("DELETE FROM thread_original WHERE thread = $1", thread)
        await self._db.execute(
            "INSERT INTO thread_original (thread, mail, mailbox, owner, message_id, uidvalidity, uid) "
            "SELECT thread, id, mailbox, owner, message_id, uidvalidity, uid FROM mail WHERE thread = $1",
            thread,
        )
        await self._db.execute(
            "INSERT INTO thread_original (thread, mail, mailbox, owner, message_id, uidvalidity, uid) "  # noqa: S608
            f"SELECT thread, key, sender, owner, message_id, 0, 0 FROM outbox WHERE thread = $1 AND {LEFT}",
            thread,
        )

    async def due(self) -> list[End]:
        """Those for which something is to be done now."""
        rows = await self._db.fetch(f"{_END} WHERE next_at <= $1 ORDER BY next_at", to_millis(self._clock.now()))
        return [_end(row) for row in rows]

    async def stuck(self, before: datetime) -> bool:
        """True when one was asked about before then, has begun to end since, and has not ended."""
        found = await self._db.fetchval(
            "SELECT 1 FROM thread_end WHERE asked_at < $1 AND step NOT IN ($2, $3, $4) LIMIT 1",
            to_millis(before),
            ASKING,
            KEPT,
            READING,
        )
        return found is not None

    async def get(self, thread: str) -> End | None:
        """One of them."""
        row = await self._db.fetchrow(f"{_END} WHERE thread_end.thread = $1", thread)
        return None if row is None else _end(row)

    async def standing(self, end: End) -> Standing:
        """What is known of it now."""
        row: Any = await self._db.fetchrow(_STANDING, end.thread, end.room, to_millis(end.asked_at))
        originals = await self._db.fetch("SELECT found FROM thread_original WHERE thread = $1", end.thread)
        return Standing(
            last_at=from_millis(row["last_at"]),
            told_at=from_millis(row["told_at"]) if row["told_s"] else None,
            held_until=from_millis(row["held"]) if row["held"] else None,
            busy=bool(row["busy"]),
            originals=tuple(None if each["found"] is None else bool(each["found"]) for each in originals),
        )

    async def at_step(self, end: End, step: str, next_at: datetime | None = None, **counts: Any) -> None:
        """Move it on; `counts` are kept beside what was counted before."""
        await self._db.execute(
            "UPDATE thread_end SET step = $2, next_at = $3, counts = $4 WHERE thread = $1",
            end.thread,
            step,
            to_millis(next_at or self._clock.now()),
            json.dumps(end.counts | counts),
        )

    async def wait(self, end: End, until: datetime) -> None:
        """Nothing is to be done before then."""
        await self._db.execute("UPDATE thread_end SET next_at = $2 WHERE thread = $1", end.thread, to_millis(until))

    async def told_missing(self, end: End) -> None:
        """Its room has read that it stays."""
        await self._db.execute("UPDATE thread_end SET told = true WHERE thread = $1", end.thread)

    async def ask_again(self, end: End) -> None:
        """Its mailboxes are asked anew: of all its mails."""
        now = to_millis(self._clock.now())
        async with transaction(self._db):
            await self._seek(end.thread)
            await self._db.execute(
                "UPDATE thread_end SET step = $2, asked_at = $3, next_at = $3 WHERE thread = $1",
                end.thread,
                ASKING,
                now,
            )

    async def spare(self, end: End, last_at: datetime | None = None) -> None:
        """It does not end now; `last_at`: when somebody last wrote in it, where that is news."""
        async with transaction(self._db):
            if last_at is not None:
                await self._db.execute(
                    "UPDATE thread SET last_at = $2 WHERE id = $1 AND last_at < $2", end.thread, to_millis(last_at)
                )
            for table in ("thread_end", "thread_original", "thread_event", "thread_file"):
                await self._db.execute(f"DELETE FROM {table} WHERE thread = $1", end.thread)  # noqa: S608 - fixed names

    async def silent(self, thread: str) -> list[tuple[MssanteAddress, UserId]]:
        """The mailboxes of a thread, with whose they are (empty: a team's), that have not answered."""
        rows: list[Any] = await self._db.fetch(
            "SELECT DISTINCT mailbox, owner FROM thread_original WHERE thread = $1 AND found IS NULL", thread
        )
        return [(MssanteAddress(row["mailbox"]), UserId(row["owner"])) for row in rows]

    # what its room holds

    async def read(self, end: End, events: Iterable[EventId], files: Iterable[tuple[MxcUri, UserId]]) -> None:
        """What its room holds of it. Safe to repeat."""
        async with transaction(self._db):
            for event in events:
                await self._db.execute(
                    "INSERT INTO thread_event (event_id, thread) VALUES ($1, $2) ON CONFLICT (event_id) DO NOTHING",
                    event,
                    end.thread,
                )
            for mxc, sender in files:
                await self._db.execute(
                    "INSERT INTO thread_file (thread, mxc, sender) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    end.thread,
                    mxc,
                    sender,
                )

    async def lock(self, end: End) -> None:
        """Within a transaction: no mail finds its place in that thread meanwhile."""
        await self._db.execute("UPDATE thread SET last_at = last_at WHERE id = $1", end.thread)

    async def events(self, thread: str, *, left: bool = False) -> list[EventId]:
        """Its events; those that are still to be withdrawn, where `left`."""
        rows: list[Any] = await self._db.fetch(
            "SELECT event_id FROM thread_event WHERE thread = $1 AND (NOT $2 OR NOT gone) ORDER BY event_id",
            thread,
            left,
        )
        return [EventId(row["event_id"]) for row in rows]

    async def withdrawn(self, event: EventId) -> None:
        """The server gives its content to nobody any more."""
        await self._db.execute("UPDATE thread_event SET gone = true WHERE event_id = $1", event)

    async def back(self, events: Sequence[EventId]) -> None:
        """These were not withdrawn after all."""
        for event in events:
            await self._db.execute("UPDATE thread_event SET gone = false WHERE event_id = $1", event)

    async def files(self, thread: str) -> list[tuple[MxcUri, UserId, bool]]:
        """Its files: who shared them, and whether an event of another thread or room shares them too."""
        rows: list[Any] = await self._db.fetch(
            "SELECT mxc, sender, EXISTS (SELECT 1 FROM room_file r WHERE r.mxc = f.mxc AND NOT EXISTS "
            "(SELECT 1 FROM thread_event e WHERE e.event_id = r.event_id AND e.thread = f.thread)) AS shared "
            "FROM thread_file f WHERE thread = $1 ORDER BY mxc, sender",
            thread,
        )
        return [(MxcUri(row["mxc"]), UserId(row["sender"]), bool(row["shared"])) for row in rows]

    async def attested(self, end: End, serial: int) -> None:
        """It has its receipt (0: nothing was left to attest): what it held is forgotten."""
        async with transaction(self._db):
            await self._db.execute(
                "DELETE FROM room_file WHERE event_id IN (SELECT event_id FROM thread_event WHERE thread = $1)",
                end.thread,
            )
            for table in ("thread_event", "thread_file"):
                await self._db.execute(f"DELETE FROM {table} WHERE thread = $1", end.thread)  # noqa: S608 - fixed names
            await self._db.execute(
                "UPDATE thread_end SET serial = $2, step = $3, counts = '{}' WHERE thread = $1",
                end.thread,
                serial,
                TELLING,
            )

    async def over(self, end: End) -> None:
        """All is done and said."""
        await self._db.execute("DELETE FROM thread_end WHERE thread = $1", end.thread)


_END = "SELECT thread_end.*, thread.number FROM thread_end JOIN thread ON thread.id = thread_end.thread"
_STANDING = (
    "SELECT thread.last_at, COALESCE(room_life.told_at, 0) AS told_at, COALESCE(room_life.told_s, 0) AS told_s, "
    "COALESCE((SELECT MAX(until) FROM thread_hold h WHERE h.room_id = $2 AND h.thread IN ('', $1)), 0) AS held, "
    "EXISTS (SELECT 1 FROM draft WHERE room_id = $2 AND state IN ('asking', 'open', 'waiting', 'confirming')) "
    "OR EXISTS (SELECT 1 FROM outbox WHERE thread = $1 AND (state IN ('queued', 'deferred', 'data', 'doubtful') "
    "OR state <> told OR (state <> 'refused' AND NOT (filed AND handled)))) "
    "OR EXISTS (SELECT 1 FROM reported r JOIN outbox o ON o.key = r.key WHERE o.thread = $1 AND r.state = 'failed' "
    "AND NOT r.told) "
    "OR EXISTS (SELECT 1 FROM arriving WHERE room_id = $2) "
    "OR EXISTS (SELECT 1 FROM said WHERE room_id = $2 AND at >= $3) AS busy "
    "FROM thread LEFT JOIN room_life ON room_life.room_id = thread.room_id WHERE thread.id = $1"
)


def _end(row: Any) -> End:
    return End(
        thread=row["thread"],
        room=RoomId(row["room_id"]),
        number=row["number"],
        token=row["token"],
        step=row["step"],
        asked_at=from_millis(row["asked_at"]),
        told=bool(row["told"]),
        counts=json.loads(row["counts"]),
        serial=row["serial"],
    )
