"""Which sessions and which encryption identity each account is known to have, and what its holder was not told yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import UserId
from colloque.store.schema import migration, transaction


def register_sessions(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Sessions and encryption identities that people are told of")
    async def sessions(conn: Connection) -> None:
        await conn.execute("CREATE TABLE session_look (user_id TEXT PRIMARY KEY)")
        await conn.execute(
            """CREATE TABLE session_identity (
                user_id TEXT PRIMARY KEY,
                master  TEXT NOT NULL,
                at      BIGINT NOT NULL,
                told    BOOLEAN NOT NULL
            )"""
        )
        await conn.execute(
            """CREATE TABLE session (
                user_id TEXT NOT NULL,
                device  TEXT NOT NULL,
                name    TEXT NOT NULL,
                at      BIGINT NOT NULL,
                told    BOOLEAN NOT NULL,
                PRIMARY KEY (user_id, device)
            )"""
        )


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session whose opening the account's holder was not told yet."""

    user: UserId
    device: str
    name: str
    """What the client calls itself; may be empty."""
    at: datetime


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """An encryption identity that replaced another, untold."""

    user: UserId
    master: str
    at: datetime


class KnownSessions:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def look_at(self, users: Sequence[UserId]) -> None:
        """Something may have changed about these accounts."""
        async with transaction(self._db) as conn:
            for user in users:
                await conn.execute(
                    "INSERT INTO session_look (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING", user
                )

    async def to_look_at(self) -> list[UserId]:
        """Accounts to look at."""
        rows = await self._db.fetch("SELECT user_id FROM session_look ORDER BY user_id")
        return [UserId(row["user_id"]) for row in rows]

    async def looked(self, user: UserId, devices: dict[str, str], master: str | None, now: datetime) -> bool:
        """Keep what the account has now: devices with their names, and its identity's master key, if any.

        The first session and the first identity are nobody's news. True when the identity replaced another one.
        """
        at = to_millis(now)
        async with transaction(self._db) as conn:
            known = {r["device"] for r in await conn.fetch("SELECT device FROM session WHERE user_id = $1", user)}
            for device in known - devices.keys():
                await conn.execute("DELETE FROM session WHERE user_id = $1 AND device = $2", user, device)
            pinned = await conn.fetchval("SELECT master FROM session_identity WHERE user_id = $1", user)
            # A new account is looked at before anybody logs in.
            first = pinned is None or (not pinned and not known)
            for device in devices.keys() - known:
                await conn.execute(
                    "INSERT INTO session (user_id, device, name, at, told) VALUES ($1, $2, $3, $4, $5)",
                    user,
                    device,
                    devices[device],
                    at,
                    first,
                )
            replaced = bool(pinned) and master is not None and pinned != master
            if pinned is None or (master is not None and pinned != master):
                await conn.execute(
                    "INSERT INTO session_identity (user_id, master, at, told) VALUES ($1, $2, $3, $4) "
                    "ON CONFLICT (user_id) DO UPDATE SET master = $2, at = $3, told = $4",
                    user,
                    master or "",
                    at,
                    not replaced,
                )
            await conn.execute("DELETE FROM session_look WHERE user_id = $1", user)
        return replaced

    async def untold_sessions(self) -> list[NewSession]:
        """Sessions to tell of, oldest first."""
        rows = await self._db.fetch("SELECT * FROM session WHERE NOT told ORDER BY at, device")
        return [NewSession(UserId(r["user_id"]), r["device"], r["name"], from_millis(r["at"])) for r in rows]

    async def session_told(self, new: NewSession) -> None:
        """Told, or nobody is there to be told."""
        await self._db.execute(
            "UPDATE session SET told = true WHERE user_id = $1 AND device = $2", new.user, new.device
        )

    async def untold_identities(self) -> list[NewIdentity]:
        """Identities to tell of."""
        rows = await self._db.fetch("SELECT * FROM session_identity WHERE NOT told ORDER BY at, user_id")
        return [NewIdentity(UserId(r["user_id"]), r["master"], from_millis(r["at"])) for r in rows]

    async def identity_told(self, new: NewIdentity) -> None:
        """Told; harmless when there is a newer one by now."""
        await self._db.execute(
            "UPDATE session_identity SET told = true WHERE user_id = $1 AND master = $2", new.user, new.master
        )
