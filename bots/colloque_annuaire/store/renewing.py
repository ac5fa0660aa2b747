"""Who was told when their attestation ends. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import UserId
from colloque.policy.renewal import Asked
from colloque.store.schema import migration


def register_renewing(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Who was asked to renew")
    async def renewal(conn: Connection) -> None:
        await conn.execute(
            "CREATE TABLE renewal (user_id TEXT PRIMARY KEY, until BIGINT NOT NULL, days INTEGER NOT NULL)"
        )


def register_cards(table: UpgradeTable) -> None:
    """Those whose card was opposed (`opposed_cards`)."""

    @migration(table, "Who was asked for a new proof because of an opposed card")
    async def cards(conn: Connection) -> None:
        await conn.execute(
            "CREATE TABLE card_asked (user_id TEXT PRIMARY KEY, until BIGINT NOT NULL, told BOOLEAN NOT NULL)"
        )


class Renewals:
    """Queries over the first of the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self) -> dict[UserId, Asked]:
        """What everybody was last told."""
        rows = await self._db.fetch("SELECT * FROM renewal")
        return {UserId(r["user_id"]): Asked(from_millis(r["until"]), r["days"]) for r in rows}

    async def put(self, user: UserId, asked: Asked) -> None:
        """They were told that."""
        await self._db.execute(
            "INSERT INTO renewal (user_id, until, days) VALUES ($1, $2, $3) "
            "ON CONFLICT (user_id) DO UPDATE SET until = $2, days = $3",
            user,
            to_millis(asked.until),
            asked.days,
        )
