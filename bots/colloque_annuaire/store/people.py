"""The annuaire service's own tables: accounts, codes, attestations. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Attestation, Kind, Method
from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, MssanteAddress, Rpps, UserId
from colloque.store.schema import migration, transaction


def register_upgrades(table: UpgradeTable) -> None:
    """Add this service's migrations to the common ones. Numbered by order; never edited once released."""

    @migration(table, "Accounts, one-time codes, attestations")
    async def accounts(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE account (
                user_id   TEXT PRIMARY KEY,
                login_at  BIGINT,
                welcomed  BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute(
            """CREATE TABLE code (
                event      TEXT PRIMARY KEY,
                user_id    TEXT NOT NULL,
                rpps       TEXT NOT NULL,
                address    TEXT NOT NULL,
                made_at    BIGINT NOT NULL,
                expires_at BIGINT NOT NULL,
                tries      INTEGER NOT NULL DEFAULT 0,
                state      TEXT NOT NULL
            )"""
        )
        await conn.execute("CREATE INDEX code_by_user ON code (user_id, made_at)")
        await conn.execute("CREATE INDEX code_by_rpps ON code (rpps, made_at)")
        await conn.execute(
            """CREATE TABLE attestation (
                user_id     TEXT PRIMARY KEY,
                rpps        TEXT NOT NULL UNIQUE,
                name        TEXT NOT NULL,
                method      TEXT NOT NULL,
                issued_at   BIGINT NOT NULL,
                valid_until BIGINT NOT NULL,
                by_event    TEXT NOT NULL,
                name_set    BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute(
            """CREATE TABLE refusal (
                id     TEXT PRIMARY KEY,
                actor  TEXT NOT NULL,
                other  TEXT NOT NULL,
                act    TEXT NOT NULL,
                reason TEXT NOT NULL,
                at     BIGINT NOT NULL
            )"""
        )
        await conn.execute("CREATE TABLE attestation_serial (serial BIGINT NOT NULL)")
        await conn.execute("INSERT INTO attestation_serial (serial) VALUES (0)")


@dataclass(frozen=True, slots=True)
class Code:
    """One one-time code. The digits themselves are never stored: they follow from `event` and the secret."""

    event: EventId
    user: UserId
    rpps: Rpps
    address: MssanteAddress
    expires_at: datetime
    tries: int
    state: str
    """`open`, `used`, `dead` (too many tries) or `superseded`."""


@dataclass(frozen=True, slots=True)
class RefusedAct:
    """Something the homeserver refused. `other` is empty when nobody else is concerned."""

    id: str
    actor: UserId
    other: UserId
    act: str
    reason: str


class People:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # accounts

    async def saw_account(self, user: UserId, login_at: datetime | None = None) -> None:
        """Remember an account, and when it last logged in."""
        at = to_millis(login_at) if login_at else None
        await self._db.execute(
            "INSERT INTO account (user_id, login_at) VALUES ($1, $2) "
            "ON CONFLICT (user_id) DO UPDATE SET login_at = COALESCE($2, account.login_at)",
            user,
            at,
        )

    async def has_account(self, user: UserId) -> bool:
        """Whether the homeserver has, or had, that account."""
        return bool(await self._db.fetchval("SELECT COUNT(*) FROM account WHERE user_id = $1", user))

    async def to_welcome(self, since: datetime) -> list[UserId]:
        """Accounts that logged in after `since` and were not greeted yet."""
        rows = await self._db.fetch(
            "SELECT user_id FROM account WHERE NOT welcomed AND login_at >= $1 ORDER BY login_at", to_millis(since)
        )
        return [UserId(row["user_id"]) for row in rows]

    async def welcomed(self, user: UserId) -> None:
        """Greeted: not again."""
        await self._db.execute("UPDATE account SET welcomed = true WHERE user_id = $1", user)

    # refusals to tell

    async def add_refusal(self, refusal: RefusedAct, at: datetime) -> None:
        """Keep one until it was told."""
        await self._db.execute(
            "INSERT INTO refusal (id, actor, other, act, reason, at) VALUES ($1, $2, $3, $4, $5, $6)",
            refusal.id,
            refusal.actor,
            refusal.other,
            refusal.act,
            refusal.reason,
            to_millis(at),
        )

    async def refusals(self) -> list[RefusedAct]:
        """Those not told yet, oldest first."""
        rows = await self._db.fetch("SELECT * FROM refusal ORDER BY at, id")
        return [RefusedAct(r["id"], UserId(r["actor"]), UserId(r["other"]), r["act"], r["reason"]) for r in rows]

    async def refusal_told(self, refusal: str) -> None:
        """Told, or not worth telling."""
        await self._db.execute("DELETE FROM refusal WHERE id = $1", refusal)

    # codes

    async def code_asked_by(self, event: EventId) -> Code | None:
        """The code that a given `!inscription` produced."""
        row = await self._db.fetchrow("SELECT * FROM code WHERE event = $1", event)
        return _code(row) if row else None

    async def codes_since(self, since: datetime, *, user: UserId, rpps: Rpps) -> tuple[int, int]:
        """How many codes were made since then for the account, and for the RPPS number."""
        at = to_millis(since)
        by_user = await self._db.fetchval("SELECT COUNT(*) FROM code WHERE user_id = $1 AND made_at >= $2", user, at)
        by_rpps = await self._db.fetchval("SELECT COUNT(*) FROM code WHERE rpps = $1 AND made_at >= $2", rpps.value, at)
        return int(by_user), int(by_rpps)

    async def add_code(self, code: Code, made_at: datetime) -> None:
        """Keep a new code; the user's earlier open ones are superseded."""
        async with transaction(self._db) as conn:
            await conn.execute("UPDATE code SET state = 'superseded' WHERE user_id = $1 AND state = 'open'", code.user)
            await conn.execute(
                "INSERT INTO code (event, user_id, rpps, address, made_at, expires_at, tries, state) "
                "VALUES ($1, $2, $3, $4, $5, $6, 0, 'open')",
                code.event,
                code.user,
                code.rpps.value,
                code.address.value,
                to_millis(made_at),
                to_millis(code.expires_at),
            )

    async def newest_code(self, user: UserId) -> Code | None:
        """The code the user is being asked for: the last one made."""
        row = await self._db.fetchrow("SELECT * FROM code WHERE user_id = $1 ORDER BY made_at DESC LIMIT 1", user)
        return _code(row) if row else None

    async def count_try(self, event: EventId, limit: int) -> int:
        """One wrong answer; returns how many remain. At 0 the code is dead."""
        async with transaction(self._db) as conn:
            await conn.execute("UPDATE code SET tries = tries + 1 WHERE event = $1", event)
            await conn.execute("UPDATE code SET state = 'dead' WHERE event = $1 AND tries >= $2", event, limit)
            tries = await conn.fetchval("SELECT tries FROM code WHERE event = $1", event)
        return max(0, limit - int(tries))

    # attestations

    async def attestation_of(self, user: UserId) -> Attestation | None:
        """What we attested of an account, valid or not."""
        row = await self._db.fetchrow("SELECT * FROM attestation WHERE user_id = $1", user)
        return _attestation(row) if row else None

    async def holder_of(self, rpps: Rpps) -> UserId | None:
        """The account that is attested as that professional."""
        value = await self._db.fetchval(
            "SELECT user_id FROM attestation WHERE rpps = $1 AND kind = $2", rpps.value, Kind.PROFESSIONAL.value
        )
        return UserId(value) if value else None

    async def attested_by_event(self, event: EventId) -> Attestation | None:
        """The attestation that a given proof made: makes taking it again harmless."""
        row = await self._db.fetchrow("SELECT * FROM attestation WHERE by_event = $1", event)
        return _attestation(row) if row else None

    async def attest(self, attestation: Attestation, by_event: EventId) -> None:
        """Attestation and new snapshot serial, in one transaction; the account's open proof is settled with it."""
        a = attestation
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO attestation (user_id, rpps, name, method, issued_at, valid_until, by_event, kind, "
                "profession, category, under) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
                "ON CONFLICT (user_id) DO UPDATE SET name = $3, method = $4, issued_at = $5, valid_until = $6, "
                "by_event = $7, profession = $9, category = $10, frozen = false, name_set = false",
                a.user,
                a.rpps.value,
                a.name,
                a.method.value,
                to_millis(a.issued_at),
                to_millis(a.valid_until),
                by_event,
                a.kind.value,
                a.professions[0] if a.professions else "",
                a.category if a.professions else "",
                a.under.value if a.under is not None else "",
            )
            await conn.execute("DELETE FROM proof WHERE user_id = $1", a.user)
            await conn.execute("UPDATE attestation_serial SET serial = serial + 1")

    async def all_attestations(self) -> tuple[int, list[Attestation]]:
        """The snapshot's serial and content, read together."""
        async with transaction(self._db) as conn:
            serial = await conn.fetchval("SELECT serial FROM attestation_serial")
            rows = await conn.fetch("SELECT * FROM attestation")
        return int(serial), [_attestation(row) for row in rows]

    async def names_to_set(self) -> list[Attestation]:
        """Attestations whose display name is not on the homeserver yet."""
        return [_attestation(r) for r in await self._db.fetch("SELECT * FROM attestation WHERE NOT name_set")]

    async def name_to_set(self, user: UserId) -> Attestation | None:
        """The person's attestation while its display name is not on the homeserver yet."""
        row = await self._db.fetchrow("SELECT * FROM attestation WHERE user_id = $1 AND NOT name_set", user)
        return _attestation(row) if row else None

    async def name_set(self, user: UserId) -> None:
        """The display name is on the homeserver."""
        await self._db.execute("UPDATE attestation SET name_set = true WHERE user_id = $1", user)


def _code(row: Any) -> Code:
    return Code(
        event=EventId(row["event"]),
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        address=MssanteAddress(row["address"]),
        expires_at=from_millis(row["expires_at"]),
        tries=row["tries"],
        state=row["state"],
    )


def _attestation(row: Any) -> Attestation:
    return Attestation(
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        name=row["name"],
        method=Method(row["method"]),
        issued_at=from_millis(row["issued_at"]),
        valid_until=from_millis(row["valid_until"]),
        kind=Kind(row["kind"]),
        professions=(row["profession"],) if row["profession"] else (),
        category=row["category"],
        under=Rpps(row["under"]) if row["under"] else None,
        frozen=bool(row["frozen"]),
    )
