"""Heads of the chain of receipts that the admin room was shown, or is about to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.store.schema import migration


def register_anchors(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Heads of the chain of receipts, shown in the admin room once a day")
    async def anchors(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE anchor (
                number   INTEGER PRIMARY KEY,
                day      TEXT NOT NULL UNIQUE,
                serial   INTEGER NOT NULL,
                receipts INTEGER NOT NULL,
                head     TEXT NOT NULL,
                posted   BOOLEAN NOT NULL DEFAULT false
            )"""
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """One head, on one day in Paris (`2026-03-02`)."""

    number: int
    """1 for the first, then one more each: days may come out of order when a clock was wrong."""
    day: str
    serial: int
    receipts: int
    """How many there were."""
    head: str


class Anchors:
    """Queries over the table above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def last(self) -> Shown | None:
        """The newest one, shown or not."""
        row = await self._db.fetchrow("SELECT * FROM anchor ORDER BY number DESC LIMIT 1")
        return _shown(row) if row else None

    async def on(self, day: str) -> bool:
        """Whether that day has one."""
        return await self._db.fetchval("SELECT 1 FROM anchor WHERE day = $1", day) is not None

    async def add(self, shown: Shown) -> None:
        """To be shown."""
        await self._db.execute(
            "INSERT INTO anchor (number, day, serial, receipts, head) VALUES ($1, $2, $3, $4, $5)",
            shown.number,
            shown.day,
            shown.serial,
            shown.receipts,
            shown.head,
        )

    async def to_post(self) -> list[Shown]:
        """Those that the admin room was not shown yet, oldest first."""
        return [_shown(row) for row in await self._db.fetch("SELECT * FROM anchor WHERE NOT posted ORDER BY number")]

    async def posted(self, number: int) -> None:
        """The admin room was shown it."""
        await self._db.execute("UPDATE anchor SET posted = true WHERE number = $1", number)


def _shown(row: Any) -> Shown:
    return Shown(row["number"], row["day"], row["serial"], row["receipts"], row["head"])
