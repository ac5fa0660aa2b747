"""Alerts for the admin room, each posted once an incident; kept through restarts until posted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.store.schema import transaction


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident to tell of."""

    key: str
    text: str
    """What the admin room reads (French, no personal datum)."""
    opened_at: datetime
    over: bool
    """True when it ended before anybody was told."""

    @property
    def txn(self) -> str:
        """The transaction id for its post: the same through crashes, another when it comes back later."""
        return f"incident-{self.key}-{to_millis(self.opened_at)}"


class Incidents:
    """One row a key, from opening until it is both over and posted."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def open(self, key: str, text: str) -> bool:
        """Something is wrong. True when that is news; False, and nothing changes, while it is open already."""
        now = to_millis(self._clock.now())
        async with transaction(self._db) as conn:
            row = await conn.fetchrow("SELECT closed_at FROM incident WHERE key = $1", key)
            if row is not None and row["closed_at"] is None:
                return False
            await conn.execute(
                "INSERT INTO incident (key, text, opened_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET "
                "text = $2, opened_at = $3, closed_at = NULL, posted_at = NULL",
                key,
                text,
                now,
            )
        return True

    async def close(self, key: str) -> bool:
        """It is over. True when it was open; one that nobody was told of yet stays to be posted."""
        async with transaction(self._db) as conn:
            row = await conn.fetchrow("SELECT posted_at FROM incident WHERE key = $1 AND closed_at IS NULL", key)
            if row is None:
                return False
            if row["posted_at"] is None:
                now = to_millis(self._clock.now())
                await conn.execute("UPDATE incident SET closed_at = $2 WHERE key = $1", key, now)
            else:
                await conn.execute("DELETE FROM incident WHERE key = $1", key)
        return True

    async def current(self) -> list[str]:
        """Keys of the incidents that are open, oldest first."""
        rows = await self._db.fetch("SELECT key FROM incident WHERE closed_at IS NULL ORDER BY opened_at, key")
        return [str(row["key"]) for row in rows]

    async def unposted(self) -> list[Incident]:
        """What the admin room was not told yet, oldest first."""
        rows = await self._db.fetch("SELECT * FROM incident WHERE posted_at IS NULL ORDER BY opened_at, key")
        return [Incident(r["key"], r["text"], from_millis(r["opened_at"]), r["closed_at"] is not None) for r in rows]

    async def posted(self, key: str) -> None:
        """The admin room was told; harmless when told already."""
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM incident WHERE key = $1 AND closed_at IS NOT NULL", key)
            await conn.execute(
                "UPDATE incident SET posted_at = $2 WHERE key = $1 AND posted_at IS NULL",
                key,
                to_millis(self._clock.now()),
            )
