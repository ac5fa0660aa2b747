"""The rounds over direct rooms: when the last one was, and what an administrator has to say or has said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.store.schema import migration, transaction


def register_direct_rounds(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Rounds over direct rooms")
    async def rounds(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE direct_round (
                place    INTEGER PRIMARY KEY CHECK (place = 1),
                at       BIGINT NOT NULL,
                stopped  BIGINT,
                waiting  INTEGER NOT NULL DEFAULT 0,
                allowed  BIGINT
            )"""
        )


@dataclass(frozen=True, slots=True)
class Round:
    """The last one."""

    at: datetime
    stopped: datetime | None = None
    """The time that a round went by which stopped, since too many rooms would have gone; None when none did since."""
    waiting: int = 0
    """How many these were."""
    allowed: datetime | None = None
    """What was to go by then was looked at by an administrator."""


class DirectRoundRow:
    """Queries over the one row of the table above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def last(self) -> Round | None:
        """The last one; None before the first."""
        row = await self._db.fetchrow("SELECT * FROM direct_round WHERE place = 1")
        if row is None:
            return None
        stopped, allowed = (from_millis(row[n]) if row[n] is not None else None for n in ("stopped", "allowed"))
        return Round(from_millis(row["at"]), stopped, int(row["waiting"]), allowed)

    async def went(self, at: datetime, *, stopped: datetime | None = None, waiting: int = 0) -> None:
        """A round is over, or stopped for so many rooms."""
        await self._db.execute(
            "INSERT INTO direct_round (place, at, stopped, waiting) VALUES (1, $1, $2, $3) "
            "ON CONFLICT (place) DO UPDATE SET at = $1, stopped = $2, waiting = $3",
            to_millis(at),
            to_millis(stopped) if stopped is not None else None,
            waiting,
        )

    async def allow_many(self, at: datetime) -> int:
        """An administrator has looked: the round that stopped is made again. For how many rooms it had stopped."""
        async with transaction(self._db) as conn:
            row = await conn.fetchrow("SELECT waiting FROM direct_round WHERE place = 1 AND stopped IS NOT NULL")
            await conn.execute(
                "UPDATE direct_round SET allowed = $1, at = stopped, stopped = NULL, waiting = 0 "
                "WHERE place = 1 AND stopped IS NOT NULL",
                to_millis(at),
            )
        return int(row["waiting"]) if row else 0
