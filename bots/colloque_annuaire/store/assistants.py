"""Who works under which professional. Their attestation stands in `attestation`. Times are milliseconds, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, Rpps, UserId
from colloque.store.schema import migration


def register_assistants(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "People who work under a professional")
    async def assistants(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE assistant (
                event   TEXT PRIMARY KEY,
                under   TEXT NOT NULL,
                n       INTEGER NOT NULL,
                given   TEXT NOT NULL,
                family  TEXT NOT NULL,
                role    TEXT NOT NULL,
                user_id TEXT,
                until   BIGINT,
                days    INTEGER,
                UNIQUE (under, n)
            )"""
        )


def register_suspensions(table: UpgradeTable) -> None:
    """Add this file's second migration."""

    @migration(table, "Who was told that the professional above them is not verified any more")
    async def suspension(conn: Connection) -> None:
        await conn.execute("CREATE TABLE assistant_suspended (event TEXT PRIMARY KEY, until BIGINT NOT NULL)")


@dataclass(frozen=True, slots=True)
class Assistant:
    """One of them. `event`: the command that invited them."""

    event: EventId
    under: Rpps
    n: int
    """Their number among those of the professional; never given again."""
    given_name: str
    family_name: str
    role: str
    user: UserId | None
    """None until the account is made."""
    asked_until: datetime | None
    """The end of which the professional was last told, and how many days before it."""
    asked_days: int | None


class AssistantRows:
    """Queries over the table above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def by_event(self, event: EventId) -> Assistant | None:
        """Whom that command invited."""
        row = await self._db.fetchrow("SELECT * FROM assistant WHERE event = $1", event)
        return _assistant(row) if row else None

    async def add(self, event: EventId, under: Rpps, given_name: str, family_name: str, role: str) -> Assistant:
        """Somebody is invited: written down before anything is made."""
        await self._db.execute(
            "INSERT INTO assistant (event, under, n, given, family, role) "
            "SELECT $1, $2, COALESCE(MAX(n), 0) + 1, $3, $4, $5 FROM assistant WHERE under = $2",
            event,
            under.value,
            given_name,
            family_name,
            role,
        )
        found = await self.by_event(event)
        assert found is not None
        return found

    async def made(self, event: EventId, user: UserId) -> None:
        """Their account."""
        await self._db.execute("UPDATE assistant SET user_id = $2 WHERE event = $1", event, user)

    async def of(self, under: Rpps) -> list[Assistant]:
        """All of a professional's, by number."""
        rows = await self._db.fetch("SELECT * FROM assistant WHERE under = $1 ORDER BY n", under.value)
        return [_assistant(row) for row in rows]

    async def all(self) -> list[Assistant]:
        """Everybody's."""
        return [_assistant(row) for row in await self._db.fetch("SELECT * FROM assistant ORDER BY under, n")]

    async def asked(self, assistant: Assistant, until: datetime, days: int) -> None:
        """The professional was told of that end, so many days before it."""
        await self._db.execute(
            "UPDATE assistant SET until = $2, days = $3 WHERE event = $1", assistant.event, to_millis(until), days
        )

    async def suspended(self, assistant: Assistant) -> datetime | None:
        """Of which end of the professional's attestation both were told."""
        at = await self._db.fetchval("SELECT until FROM assistant_suspended WHERE event = $1", assistant.event)
        return from_millis(at) if at is not None else None

    async def suspend(self, assistant: Assistant, until: datetime) -> None:
        """Both were told of that end."""
        await self._db.execute(
            "INSERT INTO assistant_suspended (event, until) VALUES ($1, $2) "
            "ON CONFLICT (event) DO UPDATE SET until = $2",
            assistant.event,
            to_millis(until),
        )


def _assistant(row: Any) -> Assistant:
    return Assistant(
        event=EventId(row["event"]),
        under=Rpps(row["under"]),
        n=row["n"],
        given_name=row["given"],
        family_name=row["family"],
        role=row["role"],
        user=UserId(row["user_id"]) if row["user_id"] else None,
        asked_until=from_millis(row["until"]) if row["until"] is not None else None,
        asked_days=row["days"],
    )
