"""Who was known to whom when their access ended: ours elsewhere, theirs here. In milliseconds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Kind
from colloque.clock import from_millis, to_millis
from colloque.identity import UserId
from colloque.store.schema import migration, transaction

REMEMBERED = timedelta(days=365)
"""How long somebody is waited for: as long as an attestation holds. Afterwards they are as new."""

_TABLES = (
    # Servers that knew somebody of ours when their attestation ended: to hear of it when it holds again.
    """CREATE TABLE federation_knew (
        user_id TEXT NOT NULL,
        server  TEXT NOT NULL,
        since   BIGINT NOT NULL,
        PRIMARY KEY (user_id, server)
    )""",
    # People of other servers who were admitted here, and why they are no more (`federation_people.Crossing.drop`).
    "CREATE TABLE federation_dropped (user_id TEXT PRIMARY KEY, why TEXT NOT NULL, at BIGINT NOT NULL)",
)


def register_returning(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Who was known to whom when their access ended")
    async def returning(conn: Connection) -> None:
        for statement in _TABLES:
            await conn.execute(statement)


@dataclass(frozen=True, slots=True)
class Back:
    """Somebody of ours who is attested again, for a server that knew them until `since`."""

    user: UserId
    server: str
    since: datetime


class Returns:
    """Queries over `federation_knew`, with `attestation` where both are asked together."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def knew(self, server: str, users: Iterable[UserId], now: datetime) -> None:
        """Before a revocation leaves: that server is to hear when these are attested again."""
        async with transaction(self._db) as conn:
            for user in users:
                await conn.execute(
                    "INSERT INTO federation_knew (user_id, server, since) VALUES ($1, $2, $3) "
                    "ON CONFLICT (user_id, server) DO UPDATE SET since = $3",
                    user,
                    server,
                    to_millis(now),
                )

    async def due(self, now: datetime) -> dict[str, list[Back]]:
        """Who is to be presented again, by server. Whoever is frozen makes no contact, old or new."""
        rows = await self._db.fetch(
            "SELECT k.* FROM federation_knew k JOIN attestation a ON a.user_id = k.user_id "
            "WHERE a.issued_at <= $1 AND a.valid_until > $1 AND a.kind = $2 AND NOT a.frozen "
            "ORDER BY k.server, k.since, k.user_id",
            to_millis(now),
            Kind.PROFESSIONAL.value,
        )
        out: dict[str, list[Back]] = {}
        for row in rows:
            back = Back(UserId(row["user_id"]), str(row["server"]), from_millis(row["since"]))
            out.setdefault(back.server, []).append(back)
        return out

    async def over(self, back: Back) -> None:
        """That server has answered. What was noted since, with a newer revocation, stays."""
        await self._db.execute(
            "DELETE FROM federation_knew WHERE user_id = $1 AND server = $2 AND since = $3",
            back.user,
            back.server,
            to_millis(back.since),
        )

    async def only(self, servers: Collection[str]) -> None:
        """Forget what any other server knew: whoever left the list is asked nothing any more."""
        known = await self._db.fetch("SELECT DISTINCT server FROM federation_knew")
        for server in {str(row["server"]) for row in known} - set(servers):
            await self._db.execute("DELETE FROM federation_knew WHERE server = $1", server)

    async def forget(self, before: datetime) -> None:
        """Whoever has not come back in all that time."""
        await self._db.execute("DELETE FROM federation_knew WHERE since < $1", to_millis(before))
