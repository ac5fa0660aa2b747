"""One-time passwords and links, kept as digests alone, and accounts made for them. In milliseconds."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import UserId
from colloque.store.schema import migration, transaction

PASSWORD_LIFE = timedelta(minutes=10)
TRIES = 5
"""Wrong passwords after which the right one is dead."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letters that look like others; lower case, as phones like to type."""
_GROUPS, _GROUP = 4, 5


def register_accounts(table: UpgradeTable) -> None:
    """Accounts that the service made (`accounts`)."""

    @migration(table, "Accounts made by the service")
    async def accounts(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE account_made (
                owner   TEXT PRIMARY KEY,
                user_id TEXT NOT NULL UNIQUE,
                made    BOOLEAN NOT NULL DEFAULT false
            )"""
        )


def register_entry(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "One-time passwords and links")
    async def entry(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE one_time (
                user_id TEXT PRIMARY KEY,
                digest  TEXT NOT NULL,
                made_at BIGINT NOT NULL,
                tries   INTEGER NOT NULL,
                used_at BIGINT
            )"""
        )
        await conn.execute(
            """CREATE TABLE entry_link (
                digest  TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                until   BIGINT NOT NULL
            )"""
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(f"colloque one-time v1\0{secret}".encode()).hexdigest()


def _plain(typed: str) -> str:
    """As typed on a phone: spaces, hyphens and capitals don't count."""
    return "".join(char for char in typed.lower() if char in _LETTERS)


class Passes:
    """One password an account, newest only; it opens one session, or passes one confirmation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def make(self, user: UserId, now: datetime) -> str:
        """A new one: four groups of five, 98 bits. The one before is dead."""
        groups = ["".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS)]
        password = "-".join(groups)
        await self._db.execute(
            "INSERT INTO one_time (user_id, digest, made_at, tries, used_at) VALUES ($1, $2, $3, 0, NULL) "
            "ON CONFLICT (user_id) DO UPDATE SET digest = $2, made_at = $3, tries = 0, used_at = NULL",
            user,
            _digest(_plain(password)),
            to_millis(now),
        )
        return password

    async def check(self, user: UserId, typed: str, now: datetime) -> bool:
        """Use it up when it is right, unused, young enough and not tried too often; count the try otherwise."""
        async with transaction(self._db) as conn:
            row = await conn.fetchrow("SELECT * FROM one_time WHERE user_id = $1", user)
            if row is None or row["used_at"] is not None or row["tries"] >= TRIES:
                return False
            if now >= from_millis(row["made_at"]) + PASSWORD_LIFE:
                return False
            if not hmac.compare_digest(row["digest"], _digest(_plain(typed))):
                await conn.execute("UPDATE one_time SET tries = tries + 1 WHERE user_id = $1", user)
                return False
            await conn.execute("UPDATE one_time SET used_at = $2 WHERE user_id = $1", user, to_millis(now))
            return True

    async def used_since(self, user: UserId, since: datetime) -> bool:
        """Whether somebody has used one since then: they had proved who they are."""
        used = await self._db.fetchval("SELECT used_at FROM one_time WHERE user_id = $1", user)
        return used is not None and used >= to_millis(since)

    async def drop(self, user: UserId) -> None:
        """No password opens that account any more."""
        await self._db.execute("DELETE FROM one_time WHERE user_id = $1", user)
        await self._db.execute("DELETE FROM entry_link WHERE user_id = $1", user)


class Links:
    """Links that give one password for a named account, once: for people who can't prove themselves otherwise."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def make(self, user: UserId, now: datetime, life: timedelta) -> str:
        """The secret part of a new one. Earlier ones of that account are dead."""
        secret = secrets.token_urlsafe(24)
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM entry_link WHERE user_id = $1 OR until < $2", user, to_millis(now))
            await conn.execute(
                "INSERT INTO entry_link (digest, user_id, until) VALUES ($1, $2, $3)",
                _digest(secret),
                user,
                to_millis(now + life),
            )
        return secret

    async def of(self, secret: str, now: datetime) -> UserId | None:
        """Whose it is, while it can be used. Looking does not use it up: chats look at links by themselves."""
        value = await self._db.fetchval(
            "SELECT user_id FROM entry_link WHERE digest = $1 AND until > $2", _digest(secret), to_millis(now)
        )
        return UserId(value) if value else None

    async def use(self, secret: str, now: datetime) -> UserId | None:
        """Use it up; whose it was. None when it can't be used (any more)."""
        async with transaction(self._db) as conn:
            user = await conn.fetchval(
                "SELECT user_id FROM entry_link WHERE digest = $1 AND until > $2", _digest(secret), to_millis(now)
            )
            await conn.execute("DELETE FROM entry_link WHERE digest = $1", _digest(secret))
        return UserId(user) if user else None
