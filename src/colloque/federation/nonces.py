"""Which signed requests were seen already: kept through restarts, for as long as one could be sent again."""

from __future__ import annotations

from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import Clock, to_millis
from colloque.store.schema import migration, transaction


def register_nonces(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Requests of other servers seen already")
    async def nonces(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE federation_nonce (
                server TEXT NOT NULL,
                nonce  TEXT NOT NULL,
                until  BIGINT NOT NULL,
                PRIMARY KEY (server, nonce)
            )"""
        )
        await conn.execute("CREATE INDEX federation_nonce_by_age ON federation_nonce (until)")


class Nonces:
    """One row a request, until it is too old to be sent again."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def take(self, server: str, nonce: str, until: datetime) -> bool:
        """True the first time, and never again before `until`. Durable on return. Raises Temporary."""
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM federation_nonce WHERE until <= $1", to_millis(self._clock.now()))
            taken = await conn.fetchrow(
                "INSERT INTO federation_nonce (server, nonce, until) VALUES ($1, $2, $3) "
                "ON CONFLICT (server, nonce) DO NOTHING RETURNING nonce",
                server,
                nonce,
                to_millis(until),
            )
        return taken is not None
