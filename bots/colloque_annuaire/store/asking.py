"""The one command of each person that waits for their yes. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import UserId
from colloque.store.schema import migration


def register_asking(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Commands that wait for a yes")
    async def asking(conn: Connection) -> None:
        await conn.execute("CREATE TABLE asking (user_id TEXT PRIMARY KEY, line TEXT NOT NULL, at BIGINT NOT NULL)")


@dataclass(frozen=True, slots=True)
class Asked:
    """`line`: the command that the yes confirms, without `!`."""

    line: str
    at: datetime


class Asking:
    """Queries over the table above. A newer question replaces the one before."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, user: UserId, asked: Asked) -> None:
        """The person is being asked that."""
        await self._db.execute(
            "INSERT INTO asking (user_id, line, at) VALUES ($1, $2, $3) "
            "ON CONFLICT (user_id) DO UPDATE SET line = $2, at = $3",
            user,
            asked.line,
            to_millis(asked.at),
        )

    async def of(self, user: UserId) -> Asked | None:
        """What the person was asked last."""
        row = await self._db.fetchrow("SELECT line, at FROM asking WHERE user_id = $1", user)
        return Asked(row["line"], from_millis(row["at"])) if row else None

    async def forget_old(self, before: datetime) -> None:
        """Questions that nobody answered."""
        await self._db.execute("DELETE FROM asking WHERE at < $1", to_millis(before))
