"""What the annuaire service keeps of other servers' people, and of ours that other servers know. In milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Attestation, Method
from colloque.clock import from_millis, to_millis
from colloque.identity import Rpps, UserId, server_of
from colloque.store.schema import migration, transaction

_TABLES = (
    # People of other servers who are admitted here; `passport` is what their server signed.
    """CREATE TABLE federation_remote (
        user_id     TEXT PRIMARY KEY,
        server      TEXT NOT NULL,
        kid         TEXT NOT NULL,
        rpps        TEXT NOT NULL UNIQUE,
        name        TEXT NOT NULL,
        professions TEXT NOT NULL,
        category    TEXT NOT NULL,
        frozen      BOOLEAN NOT NULL,
        method      TEXT NOT NULL,
        issued_at   BIGINT NOT NULL,
        valid_until BIGINT NOT NULL,
        passport    TEXT NOT NULL
    )""",
    "CREATE INDEX federation_remote_by_server ON federation_remote (server, issued_at)",
    "CREATE INDEX federation_remote_by_end ON federation_remote (valid_until)",
    # When their server last took back what it had signed of somebody.
    "CREATE TABLE federation_revoked (user_id TEXT PRIMARY KEY, at BIGINT NOT NULL)",
    # Which servers hold a passport of ours, and until when: who must hear of a revocation.
    """CREATE TABLE federation_given (
        user_id TEXT NOT NULL,
        server  TEXT NOT NULL,
        until   BIGINT NOT NULL,
        PRIMARY KEY (user_id, server)
    )""",
    # People of other servers who must leave the rooms of this one.
    "CREATE TABLE federation_leaving (user_id TEXT PRIMARY KEY, reason TEXT NOT NULL, since BIGINT NOT NULL)",
    # First contacts not looked into, or not told, yet.
    """CREATE TABLE federation_meeting (
        own     TEXT NOT NULL,
        other   TEXT NOT NULL,
        way     TEXT NOT NULL,
        at      BIGINT NOT NULL,
        PRIMARY KEY (own, other, way)
    )""",
)


def register_federation(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Other servers' people, and ours that they know")
    async def federation(conn: Connection) -> None:
        for statement in _TABLES:
            await conn.execute(statement)


@dataclass(frozen=True, slots=True)
class Remote:
    """Somebody of another server, admitted here."""

    attestation: Attestation
    kid: str
    """The key that their server signed it with."""
    passport: str

    @property
    def server(self) -> str:
        """Theirs."""
        return server_of(self.attestation.user)


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody of another server who must leave our rooms: why, and since when."""

    user: UserId
    reason: str
    since: datetime


class Abroad:
    """Queries over the tables above, `federation_dropped` (`store_federation_returning`), and `attestation`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.edition = 0
        """Grows with every change that this process made to who is admitted."""

    # people of other servers

    async def remote(self, user: UserId) -> Remote | None:
        """Somebody admitted, valid or not."""
        row = await self._db.fetchrow("SELECT * FROM federation_remote WHERE user_id = $1", user)
        return _remote(row) if row else None

    async def remotes(self) -> list[Remote]:
        """All of them."""
        return [_remote(row) for row in await self._db.fetch("SELECT * FROM federation_remote ORDER BY user_id")]

    async def due(self, server: str, before: datetime, limit: int) -> list[Remote]:
        """People of that server whose passport is older than `before`; the oldest first."""
        rows = await self._db.fetch(
            "SELECT * FROM federation_remote WHERE server = $1 AND issued_at <= $2 ORDER BY issued_at LIMIT $3",
            server,
            to_millis(before),
            limit,
        )
        return [_remote(row) for row in rows]

    async def ended(self, now: datetime, limit: int) -> list[UserId]:
        """Those whose passport has ended."""
        rows = await self._db.fetch(
            "SELECT user_id FROM federation_remote WHERE valid_until <= $1 LIMIT $2", to_millis(now), limit
        )
        return [UserId(row["user_id"]) for row in rows]

    async def signed_with(self) -> set[tuple[str, str]]:
        """Every server of which somebody is admitted, with each key that signed one."""
        rows = await self._db.fetch("SELECT DISTINCT server, kid FROM federation_remote")
        return {(str(row["server"]), str(row["kid"])) for row in rows}

    async def of_key(self, server: str, kid: str, limit: int) -> list[Remote]:
        """People of that server whose passport bears that key."""
        rows = await self._db.fetch(
            "SELECT * FROM federation_remote WHERE server = $1 AND kid = $2 ORDER BY user_id LIMIT $3",
            server,
            kid,
            limit,
        )
        return [_remote(row) for row in rows]

    async def holder(self, rpps: Rpps, now: datetime) -> UserId | None:
        """The account, here or elsewhere, with a valid attestation for that number."""
        value = await self._db.fetchval(
            "SELECT user_id FROM attestation WHERE rpps = $1 AND valid_until > $2 "
            "UNION ALL SELECT user_id FROM federation_remote WHERE rpps = $1 AND valid_until > $2",
            rpps.value,
            to_millis(now),
        )
        return UserId(value) if value else None

    async def revoked_at(self, user: UserId) -> datetime | None:
        """When their server last revoked somebody."""
        at = await self._db.fetchval("SELECT at FROM federation_revoked WHERE user_id = $1", user)
        return from_millis(at) if at is not None else None

    async def admit(self, remote: Remote) -> bool:
        """Keep somebody, and raise the snapshot's serial; False, and nothing changes, when they are kept as such.

        A revocation that came meanwhile wins: then nothing is kept either.
        """
        a = remote.attestation
        async with transaction(self._db) as conn:
            if await conn.fetchval(
                "SELECT 1 FROM federation_revoked WHERE user_id = $1 AND at >= $2", a.user, to_millis(a.issued_at)
            ) or await conn.fetchval(
                "SELECT 1 FROM federation_remote WHERE user_id = $1 AND passport = $2", a.user, remote.passport
            ):
                return False
            # Whoever held the number before has no valid attestation any more: `holder` was asked.
            await conn.execute(
                "INSERT INTO federation_leaving (user_id, reason, since) SELECT user_id, 'ended', $3 "
                "FROM federation_remote WHERE rpps = $1 AND user_id <> $2 ON CONFLICT (user_id) DO NOTHING",
                a.rpps.value,
                a.user,
                to_millis(a.issued_at),
            )
            await conn.execute("DELETE FROM federation_remote WHERE user_id = $1 OR rpps = $2", a.user, a.rpps.value)
            await conn.execute(
                "INSERT INTO federation_remote (user_id, server, kid, rpps, name, professions, category, frozen, "
                "method, issued_at, valid_until, passport) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                a.user,
                remote.server,
                remote.kid,
                a.rpps.value,
                a.name,
                " ".join(a.professions),
                a.category,
                a.frozen,
                a.method.value,
                to_millis(a.issued_at),
                to_millis(a.valid_until),
                remote.passport,
            )
            await conn.execute("DELETE FROM federation_leaving WHERE user_id = $1", a.user)
            await conn.execute("DELETE FROM federation_dropped WHERE user_id = $1", a.user)
            await conn.execute("UPDATE attestation_serial SET serial = serial + 1")
        self.edition += 1
        return True

    async def drop(
        self, users: Iterable[UserId], now: datetime, why: str, *, leave: bool, revoked_at: datetime | None = None
    ) -> int:
        """Keep these no longer, and raise the serial; how many there were. All in one transaction.

        `leave`: they must also leave our rooms. `revoked_at`: when their own server revoked them.
        """
        count = 0
        async with transaction(self._db) as conn:
            for user in users:
                gone = await conn.fetchval("DELETE FROM federation_remote WHERE user_id = $1 RETURNING user_id", user)
                count += gone is not None
                if revoked_at is not None:
                    await conn.execute(
                        "INSERT INTO federation_revoked (user_id, at) VALUES ($1, $2) "
                        "ON CONFLICT (user_id) DO UPDATE SET at = $2",
                        user,
                        to_millis(revoked_at),
                    )
                if gone is not None:
                    await conn.execute(
                        "INSERT INTO federation_dropped (user_id, why, at) VALUES ($1, $2, $3) "
                        "ON CONFLICT (user_id) DO UPDATE SET why = $2, at = $3",
                        user,
                        why,
                        to_millis(now),
                    )
                if leave and gone is not None:
                    await conn.execute(
                        "INSERT INTO federation_leaving (user_id, reason, since) VALUES ($1, $2, $3) "
                        "ON CONFLICT (user_id) DO NOTHING",
                        user,
                        why,
                        to_millis(now),
                    )
            if count:
                await conn.execute("UPDATE attestation_serial SET serial = serial + 1")
        self.edition += 1
        return count

    async def forget_revoked(self, before: datetime) -> None:
        """Revocations that no passport can be older than any more."""
        await self._db.execute("DELETE FROM federation_revoked WHERE at < $1", to_millis(before))

    async def dropped(self, user: UserId) -> str:
        """Why somebody who was admitted is no more; empty of anybody else."""
        return str(await self._db.fetchval("SELECT why FROM federation_dropped WHERE user_id = $1", user) or "")

    async def forget_dropped(self, before: datetime) -> None:
        """Whoever has not come back in all that time."""
        await self._db.execute("DELETE FROM federation_dropped WHERE at < $1", to_millis(before))

    # who must leave

    async def leaving(self) -> list[Leaver]:
        """Who must leave our rooms; the longest due first."""
        rows = await self._db.fetch("SELECT user_id, reason, since FROM federation_leaving ORDER BY since, user_id")
        return [Leaver(UserId(row["user_id"]), str(row["reason"]), from_millis(row["since"])) for row in rows]

    async def left(self, user: UserId) -> None:
        """They are in no room of ours any more."""
        await self._db.execute("DELETE FROM federation_leaving WHERE user_id = $1", user)


def _remote(row: Any) -> Remote:
    attestation = Attestation(
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        name=row["name"],
        method=Method(row["method"]),
        issued_at=from_millis(row["issued_at"]),
        valid_until=from_millis(row["valid_until"]),
        professions=tuple(row["professions"].split()),
        category=row["category"],
        frozen=bool(row["frozen"]),
    )
    return Remote(attestation, row["kid"], row["passport"])
